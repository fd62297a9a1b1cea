using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network.Operators;

/// <summary>Operators that sum products: convolutions, dense, matrices, capsules.</summary>
internal static class ProductOperators
{
    private const ValueForms Numbers = ValueForms.Quantized | ValueForms.Fixed | ValueForms.Real;

    public static IEnumerable<Operator> All => [Conv2D, DepthwiseConv2D, Dense, Conv3D, Conv2DTranspose, MatMul, CapsuleTransform];

    private static Operator Conv2D => Declare<Conv2D>.Of(
        "conv2d",
        "2-D convolution: [N, H, W, C] gives [N, OH, OW, K]; weights [K, KH, KW, C / groups]",
        Numbers,
        [
            Attributes<Conv2D>.Weights(l => l.Weights, "[K, KH, KW, C / groups]"), Attributes<Conv2D>.WeightQuantization(l => l.WeightQuantization), Attributes<Conv2D>.Bias(l => l.Bias),
            Attributes<Conv2D>.Stride(l => l.Stride), Attributes<Conv2D>.Dilation(l => l.Dilation), Attributes<Conv2D>.Padding(l => l.Padding), Attributes<Conv2D>.Groups(l => l.Groups),
            Attributes<Conv2D>.Activation(l => l.Activation), Attributes<Conv2D>.Rounding(l => l.Rounding),
        ],
        (h, a) => new(
            h.Name, h.Inputs, h.Type, a.Get<Tensor>("weights"), a.Optional<Quantization>("scales"), a.Optional<Tensor>("bias"), a.Get<Spatial>("stride"), a.Get<Spatial>("dilation"),
            a.Get<Padding>("padding"), a.Get<int>("groups"), a.Get<FusedActivation>("activation"), a.Get<RoundingScheme>("rounding")),
        (l, inputs, rules) => rules.Conv2D(l, inputs[0]),
        (l, inputs, rules) => rules.Products(inputs[0], l.Weights, l.WeightQuantization, l.Weights.Shape[0], 0, l.Rounding, l.Activation)
            && rules.Costs((long)l.Weights.Shape[1] * l.Weights.Shape[2] * l.Weights.Shape[3]),
        rule: FormRule.SameOrSums,
        quantization: ResultQuantization.Own);

    private static Operator DepthwiseConv2D => Declare<DepthwiseConv2D>.Of(
        "depthwise_conv2d",
        "2-D convolution of each channel by itself: [N, H, W, C] gives [N, OH, OW, C * multiplier]; weights [1, KH, KW, C * multiplier]",
        Numbers,
        [
            Attributes<DepthwiseConv2D>.Weights(l => l.Weights, "[1, KH, KW, C * multiplier]"), Attributes<DepthwiseConv2D>.WeightQuantization(l => l.WeightQuantization),
            Attributes<DepthwiseConv2D>.Bias(l => l.Bias), Attributes<DepthwiseConv2D>.Stride(l => l.Stride), Attributes<DepthwiseConv2D>.Dilation(l => l.Dilation),
            Attributes<DepthwiseConv2D>.Padding(l => l.Padding), Attributes<DepthwiseConv2D>.Integer("multiplier", l => l.Multiplier, "output channels of an input channel", 1),
            Attributes<DepthwiseConv2D>.Activation(l => l.Activation), Attributes<DepthwiseConv2D>.Rounding(l => l.Rounding),
        ],
        (h, a) => new(
            h.Name, h.Inputs, h.Type, a.Get<Tensor>("weights"), a.Optional<Quantization>("scales"), a.Optional<Tensor>("bias"), a.Get<Spatial>("stride"), a.Get<Spatial>("dilation"),
            a.Get<Padding>("padding"), a.Get<int>("multiplier"), a.Get<FusedActivation>("activation"), a.Get<RoundingScheme>("rounding")),
        (l, inputs, rules) => rules.DepthwiseConv2D(l, inputs[0]),
        (l, inputs, rules) => rules.Products(inputs[0], l.Weights, l.WeightQuantization, l.Weights.Shape[3], 3, l.Rounding, l.Activation)
            && rules.Costs((long)l.Weights.Shape[1] * l.Weights.Shape[2]),
        rule: FormRule.SameOrSums,
        quantization: ResultQuantization.Own);

    private static Operator Dense => Declare<Dense>.Of(
        "dense",
        "fully connected: a value read as [batch, in] gives [batch, out]; weights [out, in]",
        Numbers,
        [
            Attributes<Dense>.Weights(l => l.Weights, "[out, in]"), Attributes<Dense>.WeightQuantization(l => l.WeightQuantization), Attributes<Dense>.Bias(l => l.Bias),
            Attributes<Dense>.Activation(l => l.Activation), Attributes<Dense>.Rounding(l => l.Rounding),
        ],
        (h, a) => new(
            h.Name, h.Inputs, h.Type, a.Get<Tensor>("weights"), a.Optional<Quantization>("scales"), a.Optional<Tensor>("bias"), a.Get<FusedActivation>("activation"), a.Get<RoundingScheme>("rounding")),
        (l, inputs, rules) => rules.Dense(l, inputs[0]),
        (l, inputs, rules) => rules.Products(inputs[0], l.Weights, l.WeightQuantization, l.Weights.Shape[0], 0, l.Rounding, l.Activation) && rules.Costs(l.Weights.Shape[1]),
        rule: FormRule.SameOrSums,
        quantization: ResultQuantization.Own);

    private static Operator Conv3D => Declare<Conv3D>.Of(
        "conv3d",
        "3-D convolution: [N, D, H, W, C] gives [N, OD, OH, OW, K]; weights [K, KD, KH, KW, C / groups]",
        Numbers,
        [
            Attributes<Conv3D>.Weights(l => l.Weights, "[K, KD, KH, KW, C / groups]"), Attributes<Conv3D>.WeightQuantization(l => l.WeightQuantization), Attributes<Conv3D>.Bias(l => l.Bias),
            Attributes<Conv3D>.VolumeStride(l => l.Stride), Attributes<Conv3D>.VolumeDilation(l => l.Dilation), Attributes<Conv3D>.VolumePadding(l => l.Padding),
            Attributes<Conv3D>.Groups(l => l.Groups), Attributes<Conv3D>.Activation(l => l.Activation), Attributes<Conv3D>.Rounding(l => l.Rounding),
        ],
        (h, a) => new(
            h.Name, h.Inputs, h.Type, a.Get<Tensor>("weights"), a.Optional<Quantization>("scales"), a.Optional<Tensor>("bias"), a.Get<Volume>("stride"), a.Get<Volume>("dilation"),
            a.Get<VolumePadding>("padding"), a.Get<int>("groups"), a.Get<FusedActivation>("activation"), a.Get<RoundingScheme>("rounding")),
        (l, inputs, rules) => rules.Conv3D(l, inputs[0]),
        (l, inputs, rules) => rules.Products(inputs[0], l.Weights, l.WeightQuantization, l.Weights.Shape[0], 0, l.Rounding, l.Activation)
            && rules.Costs(l.Weights.Shape.Elements / l.Weights.Shape[0]),
        rule: FormRule.SameOrSums,
        quantization: ResultQuantization.Own);

    private static Operator Conv2DTranspose => Declare<Conv2DTranspose>.Of(
        "conv2d_transpose",
        "transposed 2-D convolution: [N, H, W, C] gives [N, OH, OW, K] with OH = (H - 1) * stride + (KH - 1) * dilation + 1 - top - bottom + output padding; weights [K, KH, KW, C / groups]",
        Numbers,
        [
            Attributes<Conv2DTranspose>.Weights(l => l.Weights, "[K, KH, KW, C / groups]"), Attributes<Conv2DTranspose>.WeightQuantization(l => l.WeightQuantization),
            Attributes<Conv2DTranspose>.Bias(l => l.Bias), Attributes<Conv2DTranspose>.Stride(l => l.Stride), Attributes<Conv2DTranspose>.Dilation(l => l.Dilation),
            Attributes<Conv2DTranspose>.Padding(l => l.Padding), Attributes<Conv2DTranspose>.Spatial("output_padding", l => l.OutputPadding, "rows and columns added at the end", default(Spatial), 0),
            Attributes<Conv2DTranspose>.Groups(l => l.Groups), Attributes<Conv2DTranspose>.Activation(l => l.Activation), Attributes<Conv2DTranspose>.Rounding(l => l.Rounding),
        ],
        (h, a) => new(
            h.Name, h.Inputs, h.Type, a.Get<Tensor>("weights"), a.Optional<Quantization>("scales"), a.Optional<Tensor>("bias"), a.Get<Spatial>("stride"), a.Get<Spatial>("dilation"),
            a.Get<Padding>("padding"), a.Get<Spatial>("output_padding"), a.Get<int>("groups"), a.Get<FusedActivation>("activation"), a.Get<RoundingScheme>("rounding")),
        (l, inputs, rules) => rules.Conv2DTranspose(l, inputs[0]),
        (l, inputs, rules) => rules.Products(inputs[0], l.Weights, l.WeightQuantization, l.Weights.Shape[0], 0, l.Rounding, l.Activation)
            && rules.Costs(l.Weights.Shape.Elements / l.Weights.Shape[0]),
        rule: FormRule.SameOrSums,
        quantization: ResultQuantization.Own);

    private static Operator MatMul => Declare<MatMul>.Of(
        "matmul",
        "product of two values: [..., M, K] by [..., K, N] gives [..., M, N]; dimensions before the last two broadcast",
        Numbers,
        [
            Attributes<MatMul>.Flag("transpose_first", l => l.TransposeFirst, "the first value is [..., K, M]"), Attributes<MatMul>.Flag("transpose_second", l => l.TransposeSecond, "the second value is [..., N, K]"),
            Attributes<MatMul>.Activation(l => l.Activation), Attributes<MatMul>.Rounding(l => l.Rounding),
        ],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<bool>("transpose_first"), a.Get<bool>("transpose_second"), a.Get<FusedActivation>("activation"), a.Get<RoundingScheme>("rounding")),
        (l, inputs, rules) => rules.MatMul(l, inputs[0].Shape, inputs[1].Shape),
        (l, inputs, rules) => rules.Products(inputs[0], inputs[1], l.Activation) && rules.Costs(l.TransposeFirst ? inputs[0].Shape.Dimensions[^2] : inputs[0].Shape.Dimensions[^1]),
        inputs: 2,
        rule: FormRule.SameOrSums,
        quantization: ResultQuantization.Own);

    private static Operator CapsuleTransform => Declare<CapsuleTransform>.Of(
        "capsule_transform",
        "prediction vectors of capsules: [N, I, D] gives [N, I, J, E]; weights [I, J, D, E] (Sabour et al. 2017, eq. 2)",
        ValueForms.Fixed | ValueForms.Real,
        [
            Attributes<CapsuleTransform>.Weights(l => l.Weights, "[I, J, D, E]"), Attributes<CapsuleTransform>.WeightQuantization(l => l.WeightQuantization),
            Attributes<CapsuleTransform>.Rounding(l => l.Rounding),
        ],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<Tensor>("weights"), a.Optional<Quantization>("scales"), a.Get<RoundingScheme>("rounding")),
        (l, inputs, rules) => rules.CapsuleTransform(l, inputs[0]),
        (l, inputs, rules) => rules.Products(inputs[0], l.Weights, l.WeightQuantization, 1, -1, l.Rounding, FusedActivation.None) && rules.Costs(inputs[0].Shape[2]),
        quantization: ResultQuantization.Own);
}
