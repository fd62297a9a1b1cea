using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network;

/// <summary>
/// 3-D convolution. Input [N, D, H, W, C]; weights [K, KD, KH, KW, C / groups]; bias [K] or null; result [N, OD, OH, OW, K]. Arithmetic as <see cref="Conv2D"/>.
/// </summary>
public sealed record Conv3D(
    string Name, EquatableArray<string> Inputs, TensorType Type, Tensor Weights, Quantization? WeightQuantization, Tensor? Bias, Volume Stride, Volume Dilation, VolumePadding Padding, int Groups, FusedActivation Activation, RoundingScheme Rounding) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "conv3d";
}

/// <summary>
/// Transposed 2-D convolution. Input [N, H, W, C]; weights [K, KH, KW, C / groups] as TFLite stores them (OHWI), output channels of group g in rows g * K / groups onwards; bias [K] or null; result [N, OH, OW, K] with OH = (H - 1) * stride + (KH - 1) * dilation + 1 - top - bottom + output padding: padding cuts rows off, output padding adds rows at the end.
/// </summary>
public sealed record Conv2DTranspose(
    string Name, EquatableArray<string> Inputs, TensorType Type, Tensor Weights, Quantization? WeightQuantization, Tensor? Bias, Spatial Stride, Spatial Dilation, Padding Padding, Spatial OutputPadding, int Groups, FusedActivation Activation, RoundingScheme Rounding) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "conv2d_transpose";
}

/// <summary>
/// Product of two values: [..., M, K] by [..., K, N] gives [..., M, N]; dimensions before the last two broadcast. With a transposed operand its last two dimensions are swapped first.
/// </summary>
public sealed record MatMul(
    string Name, EquatableArray<string> Inputs, TensorType Type, bool TransposeFirst, bool TransposeSecond, FusedActivation Activation, RoundingScheme Rounding) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "matmul";
}

/// <summary>
/// Prediction vectors of capsules: input [N, I, D], weights [I, J, D, E], result [N, I, J, E] with u[n, i, j, e] = sum over d of x[n, i, d] * w[i, j, d, e] (Sabour et al. 2017, eq. 2).
/// </summary>
public sealed record CapsuleTransform(
    string Name, EquatableArray<string> Inputs, TensorType Type, Tensor Weights, Quantization? WeightQuantization, RoundingScheme Rounding) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "capsule_transform";
}

/// <summary>Max pooling over [N, D, H, W, C].</summary>
public sealed record MaxPool3D(
    string Name, EquatableArray<string> Inputs, TensorType Type, Volume Kernel, Volume Stride, VolumePadding Padding, FusedActivation Activation) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "max_pool3d";
}

/// <summary>Average pooling over [N, D, H, W, C]: over the taps inside the volume, or over all where padding counts as zero.</summary>
public sealed record AveragePool3D(
    string Name, EquatableArray<string> Inputs, TensorType Type, Volume Kernel, Volume Stride, VolumePadding Padding, bool CountPadding, FusedActivation Activation) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "avg_pool3d";
}

/// <summary>Mean over some dimensions (ascending). They are kept with extent 1, or left out.</summary>
public sealed record Mean(
    string Name, EquatableArray<string> Inputs, TensorType Type, EquatableArray<int> Axes, bool KeepDimensions, RoundingScheme Rounding) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "mean";
}
