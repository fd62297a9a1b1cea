using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network;

/// <summary>Functions of one element.</summary>
public enum UnaryFunction
{
    /// <summary>1 / (1 + exp(-x)). Keyword <c>logistic</c>.</summary>
    Logistic,

    /// <summary>Hyperbolic tangent. Keyword <c>tanh</c>.</summary>
    Tanh,

    /// <summary>x * min(max(x + 3, 0), 6) / 6. Keyword <c>hard_swish</c>.</summary>
    HardSwish,

    /// <summary>x where it is not below 0, alpha * x else. Keyword <c>leaky_relu</c>.</summary>
    LeakyRelu,

    /// <summary>x * (1 + erf(x / sqrt 2)) / 2. Keyword <c>gelu</c>.</summary>
    Gelu,

    /// <summary>GELU by its tanh approximation: x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2. Keyword <c>gelu_tanh</c>.</summary>
    GeluTanh,

    /// <summary>exp(x). Keyword <c>exp</c>.</summary>
    Exp,

    /// <summary>Square root. Keyword <c>sqrt</c>.</summary>
    Sqrt,
}

/// <summary>A constant value: the one layer without inputs.</summary>
public sealed record Constant(
    string Name, EquatableArray<string> Inputs, TensorType Type, Tensor Value) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "constant";
}

/// <summary>Element-wise difference, the first value minus the second. Size-1 dimensions broadcast.</summary>
public sealed record Sub(
    string Name, EquatableArray<string> Inputs, TensorType Type, FusedActivation Activation, RoundingScheme Rounding) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "sub";
}

/// <summary>Element-wise product. Size-1 dimensions broadcast.</summary>
public sealed record Mul(
    string Name, EquatableArray<string> Inputs, TensorType Type, FusedActivation Activation, RoundingScheme Rounding) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "mul";
}

/// <summary>A function of each element. <see cref="Alpha"/> is the slope of leaky_relu, 0 with the others.</summary>
public sealed record Unary(
    string Name, EquatableArray<string> Inputs, TensorType Type, UnaryFunction Function, float Alpha, RoundingScheme Rounding) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => NetworkNames.Of(Function);
}

/// <summary>Clamp to [low, high], real values; either may be infinite. Quantised: the codes they round to, input and output having the same quantisation.</summary>
public sealed record Clip(
    string Name, EquatableArray<string> Inputs, TensorType Type, float Low, float High) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "clip";
}

/// <summary>
/// Batch normalisation of inference over the last dimension: scale * (x - mean) / sqrt(variance + epsilon) + offset; f32 [C] each (of fixed-point values too; the front end does not fold it).
/// </summary>
public sealed record BatchNorm(
    string Name, EquatableArray<string> Inputs, TensorType Type, Tensor Scale, Tensor Offset, Tensor Mean, Tensor Variance, float Epsilon) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "batch_norm";
}

/// <summary>
/// Layer normalisation over the dimensions from <see cref="Axis"/> on: scale * (x - mean) / sqrt(variance + epsilon) + offset; scale and offset f32 of those extents, or null for 1 and 0 (Ba et al. 2016).
/// </summary>
public sealed record LayerNorm(
    string Name, EquatableArray<string> Inputs, TensorType Type, int Axis, Tensor? Scale, Tensor? Offset, float Epsilon) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "layer_norm";
}

/// <summary>
/// Local response normalisation across channels (the last dimension): x / (bias + alpha / size * sum of squares over floor((size - 1) / 2) channels before to ceil((size - 1) / 2) after) ^ beta (Krizhevsky et al. 2012 in ONNX's terms).
/// </summary>
public sealed record Lrn(
    string Name, EquatableArray<string> Inputs, TensorType Type, int Size, float Alpha, float Beta, float Bias) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "lrn";
}

/// <summary>Capsule squashing over the last dimension: |s|^2 / (1 + |s|^2) * s / |s|, and 0 for s = 0 (Sabour et al. 2017, eq. 1).</summary>
public sealed record Squash(
    string Name, EquatableArray<string> Inputs, TensorType Type) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "squash";
}

/// <summary>
/// Dynamic routing between capsules: predictions [N, I, J, E] give [N, J, E] after some iterations of softmax over J, weighted sum over I, squash, agreement (Sabour et al. 2017, procedure 1).
/// </summary>
public sealed record Routing(
    string Name, EquatableArray<string> Inputs, TensorType Type, int Iterations) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "routing";
}

/// <summary>Another representation of the same real values: any element type or quantisation to a quantised one (rounded by the scheme, saturated).</summary>
public sealed record Quantize(
    string Name, EquatableArray<string> Inputs, TensorType Type, RoundingScheme Rounding) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "quantize";
}

/// <summary>The real values of codes, f32: scale * (code - zero point).</summary>
public sealed record Dequantize(
    string Name, EquatableArray<string> Inputs, TensorType Type) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "dequantize";
}
