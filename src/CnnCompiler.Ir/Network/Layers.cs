using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Network;

/// <summary>How a quantised operator rounds; each scheme has an exact integer definition in <c>CnnCompiler.Primitives.Arithmetic</c>.</summary>
public enum RoundingScheme
{
    /// <summary>TFLite's reference kernels, two roundings (<c>int8-arithmetic.md</c> section 3.2). Text name <c>tflite-double</c>.</summary>
    TfliteDouble,

    /// <summary>TFLite built with single rounding. Text name <c>tflite-single</c>.</summary>
    TfliteSingle,

    /// <summary>ONNX: one rounding, half to even, in floating point. Text name <c>onnx-half-even</c>.</summary>
    OnnxHalfEven,
}

/// <summary>Activation fused into a layer.</summary>
public enum FusedActivation
{
    /// <summary>None.</summary>
    None,

    /// <summary>max(0, x).</summary>
    Relu,

    /// <summary>min(max(0, x), 6).</summary>
    Relu6,

    /// <summary>min(max(-1, x), 1).</summary>
    ReluN1To1,
}

/// <summary>A pair of one number for the height and one for the width.</summary>
/// <param name="Height">Rows.</param>
/// <param name="Width">Columns.</param>
public readonly record struct Spatial(int Height, int Width);

/// <summary>Explicit padding in elements; SAME and VALID are resolved to it by the front ends (<c>int8-arithmetic.md</c> section 3.3).</summary>
/// <param name="Top">Rows before.</param>
/// <param name="Bottom">Rows after.</param>
/// <param name="Left">Columns before.</param>
/// <param name="Right">Columns after.</param>
public readonly record struct Padding(int Top, int Bottom, int Left, int Right)
{
    /// <summary>The padding of SAME: out = ceil(in / stride); the odd pixel goes after.</summary>
    public static Padding Same(int inputHeight, int inputWidth, Spatial kernel, Spatial stride, Spatial dilation)
    {
        var (top, bottom) = SameAlong(inputHeight, kernel.Height, stride.Height, dilation.Height);
        var (left, right) = SameAlong(inputWidth, kernel.Width, stride.Width, dilation.Width);
        return new(top, bottom, left, right);
    }

    /// <summary>The same along one dimension.</summary>
    internal static (int Before, int After) SameAlong(int input, int kernel, int stride, int dilation)
    {
        var output = (input + stride - 1) / stride;
        var total = Math.Max(0, ((output - 1) * stride) + ((kernel - 1) * dilation) + 1 - input);
        return (total / 2, total - (total / 2));
    }
}

/// <summary>A number for each spatial dimension of a volume [N, D, H, W, C].</summary>
/// <param name="Depth">Planes (frames).</param>
/// <param name="Height">Rows.</param>
/// <param name="Width">Columns.</param>
public readonly record struct Volume(int Depth, int Height, int Width);

/// <summary>Explicit padding of a volume in elements.</summary>
/// <param name="Front">Planes before.</param>
/// <param name="Back">Planes after.</param>
/// <param name="Plane">Rows and columns.</param>
public readonly record struct VolumePadding(int Front, int Back, Padding Plane)
{
    /// <summary>The padding of SAME: out = ceil(in / stride); the odd element goes after.</summary>
    public static VolumePadding Same(Volume input, Volume kernel, Volume stride, Volume dilation)
    {
        var (front, back) = Padding.SameAlong(input.Depth, kernel.Depth, stride.Depth, dilation.Depth);
        return new(front, back, Padding.Same(input.Height, input.Width, new(kernel.Height, kernel.Width), new(stride.Height, stride.Width), new(dilation.Height, dilation.Width)));
    }
}

/// <summary>
/// A layer of a network: one SSA value. <see cref="Inputs"/> name earlier values (network inputs or layers). <see cref="Type"/> is the type of
/// its result. Nodes are immutable values; the source span takes no part in equality.
/// </summary>
/// <param name="Name">Name of the value; unique in the network.</param>
/// <param name="Inputs">Values read, by name, in operator order.</param>
/// <param name="Type">Type of the result, quantisation included.</param>
public abstract record Layer(string Name, EquatableArray<string> Inputs, TensorType Type)
{
    /// <summary>Where the layer is written; not part of equality.</summary>
    public IgnoredInEquality<SourceSpan> Span { get; init; }

    /// <summary>The layer's keyword in text and language, for example <c>conv2d</c>.</summary>
    public abstract string Keyword { get; }
}

/// <summary>A value that two equal records may differ in (a source span).</summary>
/// <typeparam name="T">Type of the value.</typeparam>
/// <param name="value">The value.</param>
public readonly struct IgnoredInEquality<T>(T value) : IEquatable<IgnoredInEquality<T>>
    where T : struct
{
    /// <summary>The value.</summary>
    public T Value { get; } = value;

    /// <summary>Always true.</summary>
    public bool Equals(IgnoredInEquality<T> other) => true;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is IgnoredInEquality<T>;

    /// <inheritdoc/>
    public override int GetHashCode() => 0;

    /// <inheritdoc/>
    public override string ToString() => Value.ToString() ?? string.Empty;

    /// <summary>Wraps a value.</summary>
    public static implicit operator IgnoredInEquality<T>(T value) => new(value);

    /// <summary>Equality: always true.</summary>
    public static bool operator ==(IgnoredInEquality<T> left, IgnoredInEquality<T> right) => left.Equals(right);

    /// <summary>Inequality: always false.</summary>
    public static bool operator !=(IgnoredInEquality<T> left, IgnoredInEquality<T> right) => !left.Equals(right);
}

/// <summary>
/// 2-D convolution. Input [N, H, W, C]; weights i8 [K, KH, KW, C / groups] (OHWI), per-channel or per-tensor scales, zero point 0;
/// bias i32 [K] or null; result [N, OH, OW, K].
/// </summary>
public sealed record Conv2D(
    string Name,
    EquatableArray<string> Inputs,
    TensorType Type,
    Tensor Weights,
    Quantization? WeightQuantization,
    Tensor? Bias,
    Spatial Stride,
    Spatial Dilation,
    Padding Padding,
    int Groups,
    FusedActivation Activation,
    RoundingScheme Rounding) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "conv2d";
}

/// <summary>
/// Depthwise 2-D convolution. Input [N, H, W, C]; weights i8 [1, KH, KW, C * multiplier], output channel = input channel * multiplier + j;
/// bias i32 or null; result [N, OH, OW, C * multiplier].
/// </summary>
public sealed record DepthwiseConv2D(
    string Name,
    EquatableArray<string> Inputs,
    TensorType Type,
    Tensor Weights,
    Quantization? WeightQuantization,
    Tensor? Bias,
    Spatial Stride,
    Spatial Dilation,
    Padding Padding,
    int Multiplier,
    FusedActivation Activation,
    RoundingScheme Rounding) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "depthwise_conv2d";
}

/// <summary>
/// Fully connected. Input of any rank, read as [batch, in]; weights i8 [out, in], per-tensor or per-channel; bias i32 [out] or null; result [batch, out].
/// With per-tensor weights the scale product is rounded to float32 first (<c>int8-arithmetic.md</c> section 3.1).
/// </summary>
public sealed record Dense(
    string Name,
    EquatableArray<string> Inputs,
    TensorType Type,
    Tensor Weights,
    Quantization? WeightQuantization,
    Tensor? Bias,
    FusedActivation Activation,
    RoundingScheme Rounding) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "dense";
}

/// <summary>Max pooling over [N, H, W, C]: maximum of the codes of the taps inside the image, then the activation's clamp.</summary>
public sealed record MaxPool2D(
    string Name, EquatableArray<string> Inputs, TensorType Type, Spatial Kernel, Spatial Stride, Padding Padding, FusedActivation Activation)
    : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "max_pool2d";
}

/// <summary>Average pooling over [N, H, W, C]: sum of the codes of the taps inside the image over their number, half away from zero, then the activation's clamp.</summary>
public sealed record AveragePool2D(
    string Name, EquatableArray<string> Inputs, TensorType Type, Spatial Kernel, Spatial Stride, Padding Padding, FusedActivation Activation)
    : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "avg_pool2d";

    /// <summary>True where taps in the padding count as zeros: the divisor is always the kernel's extent (ONNX's count_include_pad).</summary>
    public bool CountPadding { get; init; }
}

/// <summary>Element-wise sum of two values, each rescaled to the output's scale (<c>int8-arithmetic.md</c> section 3.5). Size-1 dimensions broadcast.</summary>
public sealed record Add(string Name, EquatableArray<string> Inputs, TensorType Type, FusedActivation Activation, RoundingScheme Rounding)
    : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "add";
}

/// <summary>Concatenation along one axis; all inputs have the output's scale and zero point.</summary>
public sealed record Concat(string Name, EquatableArray<string> Inputs, TensorType Type, int Axis) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "concat";
}

/// <summary>Constant padding with the zero point of the output (or with <see cref="Value"/>, a code).</summary>
/// <param name="Name">Name.</param>
/// <param name="Inputs">One value.</param>
/// <param name="Type">Type of the result.</param>
/// <param name="Before">Elements before, for each dimension.</param>
/// <param name="After">Elements after, for each dimension.</param>
/// <param name="Value">The code to fill with.</param>
public sealed record Pad(string Name, EquatableArray<string> Inputs, TensorType Type, EquatableArray<int> Before, EquatableArray<int> After, int Value)
    : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "pad";
}

/// <summary>Same elements in the same order under another shape.</summary>
public sealed record Reshape(string Name, EquatableArray<string> Inputs, TensorType Type) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "reshape";
}

/// <summary>An activation as a layer of its own: clamps codes; input and output have the same scale and zero point.</summary>
public sealed record Activation(string Name, EquatableArray<string> Inputs, TensorType Type, FusedActivation Function) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "activation";
}

/// <summary>Softmax over the last axis, int8 to int8 with output scale 1/256 and zero point -128 (<c>int8-arithmetic.md</c> section 3.8).</summary>
public sealed record Softmax(string Name, EquatableArray<string> Inputs, TensorType Type, float Beta) : Layer(Name, Inputs, Type)
{
    /// <inheritdoc/>
    public override string Keyword => "softmax";
}

/// <summary>An input of a network.</summary>
/// <param name="Name">Name.</param>
/// <param name="Type">Type.</param>
public sealed record NetworkInput(string Name, TensorType Type)
{
    /// <summary>Where it is written; not part of equality.</summary>
    public IgnoredInEquality<SourceSpan> Span { get; init; }
}

/// <summary>A network: inputs, layers in topological order, outputs.</summary>
/// <param name="Name">Name of the network.</param>
/// <param name="Inputs">Inputs in graph order.</param>
/// <param name="Layers">Layers in topological order: each reads inputs and earlier layers only.</param>
/// <param name="Outputs">Names of the values that are results, in graph order.</param>
public sealed record NetworkGraph(string Name, EquatableArray<NetworkInput> Inputs, EquatableArray<Layer> Layers, EquatableArray<string> Outputs);
