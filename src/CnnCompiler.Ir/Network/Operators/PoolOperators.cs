using CnnCompiler.Core;

namespace CnnCompiler.Ir.Network.Operators;

/// <summary>Pools and means.</summary>
internal static class PoolOperators
{
    private const ValueForms Numbers = ValueForms.Quantized | ValueForms.Fixed | ValueForms.Real;

    public static IEnumerable<Operator> All => [MaxPool2D, AveragePool2D, MaxPool3D, AveragePool3D, Mean];

    private static Operator MaxPool2D => Declare<MaxPool2D>.Of(
        "max_pool2d",
        "maximum of each window of [N, H, W, C]; taps outside are left out",
        Numbers,
        [
            Attributes<MaxPool2D>.Kernel(l => l.Kernel), Attributes<MaxPool2D>.Stride(l => l.Stride), Attributes<MaxPool2D>.Padding(l => l.Padding), Attributes<MaxPool2D>.Activation(l => l.Activation),
        ],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<Spatial>("kernel"), a.Get<Spatial>("stride"), a.Get<Padding>("padding"), a.Get<FusedActivation>("activation")),
        (l, inputs, rules) => rules.Pool(inputs[0].Shape, l.Kernel, l.Stride, l.Padding),
        (l, inputs, rules) => rules.KeepsQuantization(inputs) && rules.Costs((long)l.Kernel.Height * l.Kernel.Width));

    private static Operator AveragePool2D => Declare<AveragePool2D>.Of(
        "avg_pool2d",
        "mean of each window of [N, H, W, C] over the taps inside, or over all with count_padding",
        Numbers,
        [
            Attributes<AveragePool2D>.Kernel(l => l.Kernel), Attributes<AveragePool2D>.Stride(l => l.Stride), Attributes<AveragePool2D>.Padding(l => l.Padding),
            Attributes<AveragePool2D>.Flag("count_padding", l => l.CountPadding, "taps in the padding count as zeros"), Attributes<AveragePool2D>.Activation(l => l.Activation),
        ],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<Spatial>("kernel"), a.Get<Spatial>("stride"), a.Get<Padding>("padding"), a.Get<FusedActivation>("activation")) { CountPadding = a.Get<bool>("count_padding") },
        (l, inputs, rules) => rules.Pool(inputs[0].Shape, l.Kernel, l.Stride, l.Padding),
        (l, inputs, rules) => rules.KeepsQuantization(inputs) && rules.Costs((long)l.Kernel.Height * l.Kernel.Width));

    private static Operator MaxPool3D => Declare<MaxPool3D>.Of(
        "max_pool3d",
        "maximum of each window of [N, D, H, W, C]; taps outside are left out",
        Numbers,
        [
            Attributes<MaxPool3D>.VolumeKernel(l => l.Kernel), Attributes<MaxPool3D>.VolumeStride(l => l.Stride), Attributes<MaxPool3D>.VolumePadding(l => l.Padding),
            Attributes<MaxPool3D>.Activation(l => l.Activation),
        ],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<Volume>("kernel"), a.Get<Volume>("stride"), a.Get<VolumePadding>("padding"), a.Get<FusedActivation>("activation")),
        (l, inputs, rules) => rules.VolumePool(inputs[0].Shape, l.Kernel, l.Stride, l.Padding),
        (l, inputs, rules) => rules.KeepsQuantization(inputs) && rules.Costs((long)l.Kernel.Depth * l.Kernel.Height * l.Kernel.Width));

    private static Operator AveragePool3D => Declare<AveragePool3D>.Of(
        "avg_pool3d",
        "mean of each window of [N, D, H, W, C] over the taps inside, or over all with count_padding",
        Numbers,
        [
            Attributes<AveragePool3D>.VolumeKernel(l => l.Kernel), Attributes<AveragePool3D>.VolumeStride(l => l.Stride), Attributes<AveragePool3D>.VolumePadding(l => l.Padding),
            Attributes<AveragePool3D>.Flag("count_padding", l => l.CountPadding, "taps in the padding count as zeros"), Attributes<AveragePool3D>.Activation(l => l.Activation),
        ],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<Volume>("kernel"), a.Get<Volume>("stride"), a.Get<VolumePadding>("padding"), a.Get<bool>("count_padding"), a.Get<FusedActivation>("activation")),
        (l, inputs, rules) => rules.VolumePool(inputs[0].Shape, l.Kernel, l.Stride, l.Padding),
        (l, inputs, rules) => rules.KeepsQuantization(inputs) && rules.Costs((long)l.Kernel.Depth * l.Kernel.Height * l.Kernel.Width));

    private static Operator Mean => Declare<Mean>.Of(
        "mean",
        "mean over some dimensions, which are kept with extent 1 or left out",
        Numbers,
        [
            Attributes<Mean>.Integers("axes", l => l.Axes, "the dimensions, ascending", 0, NetworkLimits.Rank - 1), Attributes<Mean>.Flag("keep", l => l.KeepDimensions, "keep them with extent 1"),
            Attributes<Mean>.Rounding(l => l.Rounding),
        ],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<EquatableArray<int>>("axes"), a.Get<bool>("keep"), a.Get<RoundingScheme>("rounding")),
        (l, inputs, rules) => rules.Mean(inputs[0].Shape, l.Axes, l.KeepDimensions),
        (l, inputs, rules) => rules.Rescales(inputs[0]) && rules.Costs(inputs[0].Shape.Elements / l.Type.Shape.Elements));
}
