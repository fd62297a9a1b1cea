using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network.Operators;

/// <content>Rules of volumes, products, reductions, normalisations, selections and regions.</content>
internal sealed partial class ShapeRules
{
    public Shape? Conv3D(Conv3D conv, TensorType type)
    {
        var (input, weights) = (type.Shape, conv.Weights.Shape);
        if (!HasRank("input", input, 5, Ndhwc) || !HasWeights(conv.Weights, type, 5, "[K, KD, KH, KW, C / groups]") || !GroupsFit(conv.Groups, input[4], weights[0]))
        {
            return null;
        }

        if (weights[4] != input[4] / conv.Groups)
        {
            return Refuse(NetworkDiagnostics.WeightsForOtherChannels(layer, weights, input[4] / conv.Groups, input));
        }

        return HasBias(conv.Bias, type, weights[0])
            ? VolumeWindow(input, new(weights[1], weights[2], weights[3]), conv.Stride, conv.Dilation, conv.Padding, weights[0])
            : null;
    }

    public Shape? Conv2DTranspose(Conv2DTranspose conv, TensorType type)
    {
        var (input, weights) = (type.Shape, conv.Weights.Shape);
        if (!HasRank("input", input, 4, Nhwc) || !HasWeights(conv.Weights, type, 4, "[K, KH, KW, C / groups]") || !GroupsFit(conv.Groups, input[3], weights[0]))
        {
            return null;
        }

        if (weights[3] != input[3] / conv.Groups)
        {
            return Refuse(NetworkDiagnostics.WeightsForOtherChannels(layer, weights, input[3] / conv.Groups, input));
        }

        if (!HasBias(conv.Bias, type, weights[0]) || !StepsAreRight(conv.Stride, conv.Dilation, conv.Padding)
            || !InRange("output padding", conv.OutputPadding.Height, 0, Math.Max(conv.Stride.Height, conv.Dilation.Height) - 1)
            || !InRange("output padding", conv.OutputPadding.Width, 0, Math.Max(conv.Stride.Width, conv.Dilation.Width) - 1))
        {
            return null;
        }

        var height = Grown(input[1], weights[1], conv.Stride.Height, conv.Dilation.Height, conv.Padding.Top, conv.Padding.Bottom, conv.OutputPadding.Height);
        var width = Grown(input[2], weights[2], conv.Stride.Width, conv.Dilation.Width, conv.Padding.Left, conv.Padding.Right, conv.OutputPadding.Width);
        return height < 1 || width < 1 ? Refuse(NetworkDiagnostics.NothingLeft(layer, height, width)) : Fits([input[0], height, width, weights[0]]);
    }

    public Shape? MatMul(MatMul product, Shape first, Shape second)
    {
        if (first.Rank < 2 || second.Rank < 2)
        {
            return Refuse(NetworkDiagnostics.WrongRank(layer, "operand", first.Rank < 2 ? first : second, 2, "or more, of which the last two are multiplied"));
        }

        var (rows, inner) = product.TransposeFirst ? (first.Dimensions[^1], first.Dimensions[^2]) : (first.Dimensions[^2], first.Dimensions[^1]);
        var (otherInner, columns) = product.TransposeSecond ? (second.Dimensions[^1], second.Dimensions[^2]) : (second.Dimensions[^2], second.Dimensions[^1]);
        if (inner != otherInner)
        {
            return Refuse(NetworkDiagnostics.InnerExtentsDiffer(layer, first, second, inner, otherInner));
        }

        return Broadcast(new(first.Dimensions.SkipLast(2).ToEquatableArray()), new(second.Dimensions.SkipLast(2).ToEquatableArray())) is { } outer
            ? Fits([.. outer.Dimensions.Select(extent => (long)extent), rows, columns])
            : null;
    }

    public Shape? CapsuleTransform(CapsuleTransform capsules, TensorType type)
    {
        var (input, weights) = (type.Shape, capsules.Weights.Shape);
        if (!HasRank("input", input, 3, "[N, I, D]") || !HasWeights(capsules.Weights, type, 4, "[I, J, D, E]"))
        {
            return null;
        }

        return weights[0] == input[1] && weights[2] == input[2]
            ? Fits([input[0], input[1], weights[1], weights[3]])
            : Refuse(NetworkDiagnostics.CapsuleWeights(layer, weights, input));
    }

    public Shape? VolumePool(Shape input, Volume kernel, Volume stride, VolumePadding padding)
    {
        if (!HasRank("input", input, 5, Ndhwc) || !InRange("kernel depth", kernel.Depth, 1, NetworkLimits.Attribute)
            || !InRange("kernel height", kernel.Height, 1, NetworkLimits.Attribute) || !InRange("kernel width", kernel.Width, 1, NetworkLimits.Attribute)
            || VolumeWindow(input, kernel, stride, new(1, 1, 1), padding, input[4]) is not { } shape)
        {
            return null;
        }

        return WindowsMeetInput("depth", kernel.Depth, padding.Front, padding.Back)
            && WindowsMeetInput("height", kernel.Height, padding.Plane.Top, padding.Plane.Bottom)
            && WindowsMeetInput("width", kernel.Width, padding.Plane.Left, padding.Plane.Right)
            ? shape
            : null;
    }

    public Shape? Mean(Shape input, EquatableArray<int> axes, bool keep)
    {
        for (var i = 0; i < axes.Count; i++)
        {
            if (!InRange("axis", axes[i], i == 0 ? 0 : axes[i - 1] + 1, input.Rank - 1))
            {
                return null;
            }
        }

        return new(input.Dimensions.Select((extent, d) => axes.Contains(d) ? 1 : extent).Where((_, d) => keep || !axes.Contains(d)).ToEquatableArray());
    }

    public Shape? PerChannel(Shape input, params ReadOnlySpan<(string Name, Tensor Value)> arrays)
    {
        if (input.Rank < 1)
        {
            return Refuse(NetworkDiagnostics.WrongRank(layer, "input", input, 1, "or more, the last of which is the channels"));
        }

        foreach (var (name, value) in arrays)
        {
            if (value.Element != ElementType.Float32 || value.Shape != Shape.Of(input.Dimensions[^1]))
            {
                return Refuse(NetworkDiagnostics.WrongArray(layer, name, value, Shape.Of(input.Dimensions[^1])));
            }
        }

        return input;
    }

    public Shape? LayerNorm(LayerNorm norm, Shape input)
    {
        if (!InRange("axis", norm.Axis, 0, input.Rank - 1))
        {
            return null;
        }

        var normalized = new Shape(input.Dimensions.Skip(norm.Axis).ToEquatableArray());
        foreach (var (name, value) in ((string, Tensor?)[])[("scale", norm.Scale), ("offset", norm.Offset)])
        {
            if (value is not null && (value.Element != ElementType.Float32 || value.Shape != normalized))
            {
                return Refuse(NetworkDiagnostics.WrongArray(layer, name, value, normalized));
            }
        }

        return input;
    }

    public Shape? LastDimension(Shape input, string meaning) =>
        input.Rank >= 1 ? input : Refuse(NetworkDiagnostics.WrongRank(layer, "input", input, 1, $"or more, the last of which is {meaning}"));

    public Shape? Routing(Shape predictions) => HasRank("input", predictions, 4, "[N, I, J, E]") ? Shape.Of(predictions[0], predictions[2], predictions[3]) : null;

    public Shape? Transpose(Shape input, EquatableArray<int> permutation) =>
        permutation.Count == input.Rank && permutation.Order().SequenceEqual(Enumerable.Range(0, input.Rank))
            ? new(permutation.Select(d => input[d]).ToEquatableArray())
            : Refuse(NetworkDiagnostics.NotAPermutation(layer, permutation, input));

    public Shape? StridedSlice(StridedSlice slice, Shape input)
    {
        foreach (var (list, name) in ((EquatableArray<int>, string)[])[(slice.Begin, "begin"), (slice.Stride, "stride"), (slice.Size, "size")])
        {
            if (list.Count != input.Rank)
            {
                return Refuse(NetworkDiagnostics.PadListLength(layer, name, list.Count, input.Rank));
            }
        }

        for (var d = 0; d < input.Rank; d++)
        {
            var last = slice.Begin[d] + ((long)(slice.Size[d] - 1) * slice.Stride[d]);
            if (slice.Stride[d] == 0 || slice.Size[d] < 1 || slice.Begin[d] < 0 || slice.Begin[d] >= input[d] || last < 0 || last >= input[d])
            {
                return Refuse(NetworkDiagnostics.SliceOutside(layer, d, slice.Begin[d], slice.Stride[d], slice.Size[d], input[d]));
            }
        }

        return new(slice.Size);
    }

    public Shape? Split(Split split, Shape input)
    {
        if (!InRange("axis", split.Axis, 0, input.Rank - 1) || !InRange("parts", split.Parts, 1, NetworkLimits.Attribute) || !InRange("index", split.Index, 0, split.Parts - 1))
        {
            return null;
        }

        return input[split.Axis] % split.Parts == 0
            ? new(input.Dimensions.Select((extent, d) => d == split.Axis ? extent / split.Parts : extent).ToEquatableArray())
            : Refuse(NetworkDiagnostics.SplitUneven(layer, split.Parts, split.Axis, input[split.Axis]));
    }

    public Shape? Resize(Shape input, Spatial size) =>
        HasRank("input", input, 4, Nhwc) && InRange("height", size.Height, 1, NetworkLimits.Attribute) && InRange("width", size.Width, 1, NetworkLimits.Attribute)
            ? Fits([input[0], size.Height, size.Width, input[3]])
            : null;

    public Shape? Proposal(Proposal proposal, Shape scores, Shape deltas)
    {
        var anchors = (long)proposal.Scales.Count * proposal.Ratios.Count;
        if (!HasRank("scores", scores, 4, "[1, H, W, 2 * anchors]") || !HasRank("box deltas", deltas, 4, "[1, H, W, 4 * anchors]") || !InRange("feature_stride", proposal.FeatureStride, 1, NetworkLimits.Attribute)
            || !InRange("before", proposal.Before, 1, NetworkLimits.Attribute) || !InRange("count", proposal.Count, 1, NetworkLimits.Attribute))
        {
            return null;
        }

        return scores[0] == 1 && scores[3] == 2 * anchors && deltas == Shape.Of(1, scores[1], scores[2], (int)Math.Min(4 * anchors, int.MaxValue))
            ? Fits([proposal.Count, 5])
            : Refuse(NetworkDiagnostics.ProposalShapes(layer, scores, deltas, anchors));
    }

    public Shape? RoiPool(RoiPool pool, Shape features, Shape regions)
    {
        if (!HasRank("features", features, 4, "[1, H, W, C]") || !HasRank("regions", regions, 2, "[R, 5]")
            || !InRange("height", pool.Size.Height, 1, NetworkLimits.Attribute) || !InRange("width", pool.Size.Width, 1, NetworkLimits.Attribute))
        {
            return null;
        }

        return features[0] == 1 && regions[1] == 5
            ? Fits([regions[0], pool.Size.Height, pool.Size.Width, features[3]])
            : Refuse(NetworkDiagnostics.RegionShapes(layer, features, regions));
    }

    private static long Grown(int input, int kernel, int stride, int dilation, int before, int after, int extra) =>
        ((long)(input - 1) * stride) + NetworkShapes.EffectiveKernel(kernel, dilation) - before - after + extra;

    private bool GroupsFit(int groups, int inputChannels, int outputChannels)
    {
        if (!InRange("groups", groups, 1, NetworkLimits.Attribute))
        {
            return false;
        }

        return (inputChannels % groups == 0 || Report(NetworkDiagnostics.GroupsDoNotDivide(layer, groups, "input", inputChannels)))
            && (outputChannels % groups == 0 || Report(NetworkDiagnostics.GroupsDoNotDivide(layer, groups, "output", outputChannels)));
    }

    private bool WindowsMeetInput(string dimension, int kernel, int before, int after) =>
        Math.Max(before, after) < kernel || Report(NetworkDiagnostics.PoolPaddingTooLarge(layer, dimension, kernel, before, after));

    private bool StepsAreRight(Spatial stride, Spatial dilation, Padding padding) =>
        InRange("stride", stride.Height, 1, NetworkLimits.Attribute) && InRange("stride", stride.Width, 1, NetworkLimits.Attribute)
        && InRange("dilation", dilation.Height, 1, NetworkLimits.Attribute) && InRange("dilation", dilation.Width, 1, NetworkLimits.Attribute)
        && InRange("padding", padding.Top, 0, NetworkLimits.Attribute) && InRange("padding", padding.Bottom, 0, NetworkLimits.Attribute)
        && InRange("padding", padding.Left, 0, NetworkLimits.Attribute) && InRange("padding", padding.Right, 0, NetworkLimits.Attribute);

    private Shape? VolumeWindow(Shape input, Volume kernel, Volume stride, Volume dilation, VolumePadding padding, int channels)
    {
        if (!InRange("stride", stride.Depth, 1, NetworkLimits.Attribute) || !InRange("dilation", dilation.Depth, 1, NetworkLimits.Attribute)
            || !InRange("padding", padding.Front, 0, NetworkLimits.Attribute) || !InRange("padding", padding.Back, 0, NetworkLimits.Attribute)
            || Window(Shape.Of(input[0], input[2], input[3], input[4]), new(kernel.Height, kernel.Width), new(stride.Height, stride.Width), new(dilation.Height, dilation.Width), padding.Plane, channels) is not { } plane)
        {
            return null;
        }

        var depth = NetworkShapes.WindowPositions(input[1], kernel.Depth, stride.Depth, dilation.Depth, padding.Front, padding.Back);
        return depth < 1
            ? Refuse(NetworkDiagnostics.KernelLargerThanInput(
                layer, "depth", kernel.Depth, NetworkShapes.EffectiveKernel(kernel.Depth, dilation.Depth), input[1], padding.Front, padding.Back))
            : Fits([input[0], depth, plane[1], plane[2], channels]);
    }
}
