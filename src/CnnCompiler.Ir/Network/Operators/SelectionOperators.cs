using CnnCompiler.Core;

namespace CnnCompiler.Ir.Network.Operators;

/// <summary>Operators that move, select and resample, and those on regions.</summary>
internal static class SelectionOperators
{
    private const ValueForms Numbers = ValueForms.Quantized | ValueForms.Fixed | ValueForms.Real;
    private const ValueForms Anything = Numbers | ValueForms.Unsigned | ValueForms.Sums;
    private const int LastAxis = NetworkLimits.Rank - 1;

    public static IEnumerable<Operator> All => [Concat, Pad, Reshape, Transpose, StridedSlice, Split, Resize, Proposal, RoiPool];

    private static Operator Concat => Declare<Concat>.Of(
        "concat",
        "values one after the other along a dimension",
        Anything,
        [Attributes<Concat>.Integer("axis", l => l.Axis, "the dimension", null, -NetworkLimits.Rank, LastAxis)],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<int>("axis")),
        (l, inputs, rules) => rules.Concat(inputs, l.Axis),
        (_, inputs, rules) => rules.KeepsQuantization(inputs),
        mostInputs: int.MaxValue);

    private static Operator Pad => Declare<Pad>.Of(
        "pad",
        "a value with elements around it that all have one code (f32: one number)",
        Numbers,
        [
            Attributes<Pad>.Integers("before", l => l.Before, "elements before, for each dimension"), Attributes<Pad>.Integers("after", l => l.After, "elements after, for each dimension"),
            Attributes<Pad>.Integer("value", l => l.Value, "the code", null, int.MinValue, int.MaxValue),
        ],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<EquatableArray<int>>("before"), a.Get<EquatableArray<int>>("after"), a.Get<int>("value")),
        (l, inputs, rules) => rules.Pad(inputs[0].Shape, l.Before, l.After),
        (l, inputs, rules) => rules.KeepsQuantization(inputs) && rules.FillFits(l.Value));

    private static Operator Reshape => Declare<Reshape>.Of(
        "reshape",
        "the same elements in the same order under another shape",
        Anything,
        [],
        (h, _) => new(h.Name, h.Inputs, h.Type),
        (l, inputs, rules) => rules.Reshape(inputs[0].Shape, l.Type.Shape),
        (_, inputs, rules) => rules.KeepsQuantization(inputs));

    private static Operator Transpose => Declare<Transpose>.Of(
        "transpose",
        "dimensions in another order",
        Anything,
        [Attributes<Transpose>.Integers("permutation", l => l.Permutation, "dimension of the input that each dimension of the result is", 0, LastAxis)],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<EquatableArray<int>>("permutation")),
        (l, inputs, rules) => rules.Transpose(inputs[0].Shape, l.Permutation),
        (_, inputs, rules) => rules.KeepsQuantization(inputs));

    private static Operator StridedSlice => Declare<StridedSlice>.Of(
        "strided_slice",
        "elements from begin on in steps, in each dimension",
        Anything,
        [
            Attributes<StridedSlice>.Integers("begin", l => l.Begin, "first element of each dimension"),
            Attributes<StridedSlice>.Integers("steps", l => l.Stride, "step of each dimension; it may be negative", -NetworkLimits.Attribute),
            Attributes<StridedSlice>.Integers("size", l => l.Size, "elements of each dimension", 1),
        ],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<EquatableArray<int>>("begin"), a.Get<EquatableArray<int>>("steps"), a.Get<EquatableArray<int>>("size")),
        (l, inputs, rules) => rules.StridedSlice(l, inputs[0].Shape),
        (_, inputs, rules) => rules.KeepsQuantization(inputs));

    private static Operator Split => Declare<Split>.Of(
        "split",
        "one of the parts of an even split along a dimension",
        Anything,
        [
            Attributes<Split>.Integer("axis", l => l.Axis, "the dimension", null, -NetworkLimits.Rank, LastAxis), Attributes<Split>.Integer("parts", l => l.Parts, "number of parts"),
            Attributes<Split>.Integer("index", l => l.Index, "which of them, from 0", null, 0),
        ],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<int>("axis"), a.Get<int>("parts"), a.Get<int>("index")),
        (l, inputs, rules) => rules.Split(l, inputs[0].Shape),
        (_, inputs, rules) => rules.KeepsQuantization(inputs));

    private static Operator Resize => Declare<Resize>.Of(
        "resize",
        "height and width of [N, H, W, C] to another size, nearest or bilinear",
        Numbers,
        [
            Attributes<Resize>.Spatial("size", l => l.Size, "height and width of the result"),
            Attributes<Resize>.Other("mode", AttributeKind.ResizeMode, l => l.Mode, "nearest or bilinear", ResizeMode.Nearest),
            Attributes<Resize>.Other("coordinates", AttributeKind.ResizeCoordinates, l => l.Coordinates, "which place of the input an element stands for", ResizeCoordinates.Asymmetric),
            Attributes<Resize>.Rounding(l => l.Rounding),
        ],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<Spatial>("size"), a.Get<ResizeMode>("mode"), a.Get<ResizeCoordinates>("coordinates"), a.Get<RoundingScheme>("rounding")),
        (l, inputs, rules) => rules.Resize(inputs[0].Shape, l.Size),
        (_, inputs, rules) => rules.KeepsQuantization(inputs));

    private static Operator Proposal => Declare<Proposal>.Of(
        "proposal",
        "region proposals of Faster R-CNN, a host step: scores [1, H, W, 2 * anchors] and box deltas [1, H, W, 4 * anchors] give [count, 5]",
        ValueForms.Real,
        [
            Attributes<Proposal>.Spatial("size", l => l.Size, "height and width of the image"), Attributes<Proposal>.Integer("feature_stride", l => l.FeatureStride, "pixels a cell"),
            Attributes<Proposal>.Reals("scales", l => l.Scales, "sizes of anchors, in cells") with { TextName = "anchors" }, Attributes<Proposal>.Reals("ratios", l => l.Ratios, "height over width of anchors"),
            Attributes<Proposal>.Integer("before", l => l.Before, "boxes kept before suppression", 6000), Attributes<Proposal>.Integer("count", l => l.Count, "boxes kept after it", 300),
            Attributes<Proposal>.Real("overlap", l => l.Overlap, "intersection over union above which the lesser box goes", 0.7f), Attributes<Proposal>.Real("minimum_size", l => l.MinimumSize, "least height and width of a box, in pixels", 16),
        ],
        (h, a) => new(
            h.Name, h.Inputs, h.Type, a.Get<Spatial>("size"), a.Get<int>("feature_stride"), a.Get<EquatableArray<float>>("scales"), a.Get<EquatableArray<float>>("ratios"), a.Get<int>("before"),
            a.Get<int>("count"), a.Get<float>("overlap"), a.Get<float>("minimum_size")),
        (l, inputs, rules) => rules.Proposal(l, inputs[0].Shape, inputs[1].Shape),
        (l, _, rules) => rules.Above0("scales", l.Scales) && rules.Above0("ratios", l.Ratios) && rules.Real("overlap", l.Overlap, l.Overlap is >= 0 and <= 1, "0 to 1") && rules.Real("minimum_size", l.MinimumSize, l.MinimumSize >= 0, "0 or more"),
        inputs: 2,
        quantization: ResultQuantization.None);

    private static Operator RoiPool => Declare<RoiPool>.Of(
        "roi_pool",
        "max pooling of regions, a host step where bins are uneven: features [1, H, W, C] and regions [R, 5] give [R, PH, PW, C]",
        ValueForms.Real,
        [Attributes<RoiPool>.Spatial("size", l => l.Size, "bins of a region"), Attributes<RoiPool>.Real("spatial_scale", l => l.SpatialScale, "cells a pixel")],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<Spatial>("size"), a.Get<float>("spatial_scale")),
        (l, inputs, rules) => rules.RoiPool(l, inputs[0].Shape, inputs[1].Shape),
        (l, _, rules) => rules.Real("spatial_scale", l.SpatialScale, l.SpatialScale > 0, "above 0"),
        inputs: 2,
        quantization: ResultQuantization.None);
}
