using System.Globalization;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Network;

/// <summary>What a user can get wrong in the layers, shapes and types of a network: CNN0100 to CNN0199, one method a code.</summary>
public static class NetworkDiagnostics
{
    /// <summary>A layer gets a value of the wrong rank.</summary>
    public static Diagnostic WrongRank(Layer layer, string what, Shape got, int expected, string meaning) =>
        Error(101, layer, $"its {what} is {Show(got)}, of {got.Rank} dimensions; {expected} are expected, {meaning}", "reshape the value first");

    /// <summary>An attribute is outside its range.</summary>
    public static Diagnostic AttributeOutOfRange(Layer layer, string attribute, long value, long low, long high) =>
        Error(102, layer, $"{attribute} is {N(value)}; it has to be {N(low)} to {N(high)}", $"change {attribute}");

    /// <summary>The number of groups doesn't divide the channels.</summary>
    public static Diagnostic GroupsDoNotDivide(Layer layer, int groups, string what, int channels) =>
        Error(103, layer, $"{N(groups)} groups don't divide the {N(channels)} {what} channels", "choose a number of groups that divides input and output channels");

    /// <summary>The weights of a convolution are for another number of input channels.</summary>
    public static Diagnostic WeightsForOtherChannels(Layer layer, Shape weights, int expected, Shape input) =>
        Error(104, layer, $"the weights {Show(weights)} don't fit the input {Show(input)}: the last dimension of the weights has to be {N(expected)}", "check the order of the weights (OHWI for conv2d, 1HWC for depthwise) and the layer before");

    /// <summary>A dense layer's weights don't divide the input.</summary>
    public static Diagnostic DenseInputDoesNotFit(Layer layer, Shape weights, Shape input) =>
        Error(106, layer, $"the weights {Show(weights)} want {N(weights[1])} values a batch; the input {Show(input)} isn't a multiple of that", "check the layer before, or the weights");

    /// <summary>The weights have another element type or rank.</summary>
    public static Diagnostic WrongWeights(Layer layer, Tensor weights, int rank, string order) =>
        Error(107, layer, $"the weights are {weights}; i8 of {rank} dimensions {order} is expected", "quantise the weights to int8 in that order");

    /// <summary>A bias of another type or length.</summary>
    public static Diagnostic WrongBias(Layer layer, Tensor bias, int channels) =>
        Error(109, layer, $"the bias is {bias}; i32[{N(channels)}], one value an output channel, is expected", "quantise the bias to int32 at input scale times weight scale");

    /// <summary>Two operands don't broadcast.</summary>
    public static Diagnostic ShapesDoNotBroadcast(Layer layer, Shape first, Shape second) =>
        Error(110, layer, $"{Show(first)} and {Show(second)} can't be added: aligned at the last dimension, extents have to be equal or 1", "make the shapes equal");

    /// <summary>Operands of a concatenation differ elsewhere than along the axis.</summary>
    public static Diagnostic ShapesDoNotConcatenate(Layer layer, Shape first, Shape other, int axis) =>
        Error(111, layer, $"{Show(first)} and {Show(other)} can't be joined along dimension {N(axis)}: all other extents have to be equal", "make the shapes equal or choose another axis");

    /// <summary>A list of a pad layer has another length than the rank.</summary>
    public static Diagnostic PadListLength(Layer layer, string list, int got, int rank) =>
        Error(113, layer, $"'{list}' has {N(got)} numbers; the input has {N(rank)} dimensions", "give one number for each dimension");

    /// <summary>A reshape changes the number of elements.</summary>
    public static Diagnostic ReshapeChangesElements(Layer layer, Shape from, Shape to) =>
        Error(114, layer, $"{Show(from)} can't be seen as {Show(to)}: the number of elements differs", "keep the number of elements");

    /// <summary>A value is too large.</summary>
    public static Diagnostic TooManyElements(SourceSpan span, string value, Shape shape) =>
        Make(115, span, $"'{value}' is {Show(shape)}; every extent has to be 1 or more, and their product at most {N(NetworkLimits.Elements)}", "use a smaller network");

    /// <summary>The kernel is larger than the padded input.</summary>
    public static Diagnostic KernelLargerThanInput(Layer layer, string dimension, int kernel, long effective, int input, int before, int after) =>
        Error(117, layer, $"in {dimension} the kernel of {N(kernel)} spans {N(effective)} elements, more than the input's {N(input)} and the padding's {N(before)}+{N(after)}", "use a smaller kernel or dilation, or more padding");

    /// <summary>A pooling window can lie in the padding altogether.</summary>
    public static Diagnostic PoolPaddingTooLarge(Layer layer, string dimension, int kernel, int before, int after) =>
        Error(118, layer, $"in {dimension} a padding of {N(before)}+{N(after)} lets a window of {N(kernel)} lie outside the input altogether", "keep each padding smaller than the kernel");

    /// <summary>A value is not int8.</summary>
    public static Diagnostic NotInt8(SourceSpan span, string value, TensorType type) =>
        Make(119, span, $"'{value}' is {type.Element.Name()}; values between layers are i8", "quantise the network to int8");

    /// <summary>A value has no quantisation, or one an axis.</summary>
    public static Diagnostic NotQuantized(SourceSpan span, string value) =>
        Make(120, span, $"'{value}' has no single scale and zero point", "quantise the network with one scale and zero point a value");

    /// <summary>A layer that copies codes changes their meaning.</summary>
    public static Diagnostic QuantizationMustBeKept(Layer layer, string input, TensorType from) =>
        Error(121, layer, $"its result is {layer.Type}, its input '{input}' is {from}; this layer copies codes and keeps scale and zero point", "quantise both with the same scale and zero point");

    /// <summary>Softmax has a fixed output quantisation.</summary>
    public static Diagnostic SoftmaxOutputQuantization(Layer layer) =>
        Error(122, layer, $"its result is {layer.Type}; int8 softmax gives scale 1/256 (0.00390625) and zero point -128", "quantise the output that way");

    /// <summary>Weights with a zero point.</summary>
    public static Diagnostic WeightZeroPoint(Layer layer, int index, int zeroPoint) =>
        Error(123, layer, $"the zero point of its weights is {N(zeroPoint)} for channel {N(index)}; it has to be 0", "quantise the weights symmetrically");

    /// <summary>Weights without scales, or with as many as don't fit.</summary>
    public static Diagnostic WeightScales(Layer layer, Quantization? quantization, int channels, int axis) =>
        Error(
            124,
            layer,
            quantization is null
                ? "its weights have no scale"
                : $"its weights have {N(quantization.Scales.Count)} scales and {N(quantization.ZeroPoints.Count)} zero points on dimension {N(quantization.Axis)}; one is expected, or {N(channels)} on dimension {N(axis)}",
            "quantise the weights with one scale, or one an output channel");

    /// <summary>A rescaling factor that the arithmetic can't hold.</summary>
    public static Diagnostic FactorTooLarge(Layer layer, string what, double factor) =>
        Error(125, layer, string.Create(CultureInfo.InvariantCulture, $"{what} would be multiplied by {factor:R}, more than 2^29"), "check the scales of input, weights and output");

    /// <summary>A scale or a zero point out of range.</summary>
    public static Diagnostic ScaleOrZeroPointOutOfRange(SourceSpan span, string what, float scale, int zeroPoint) =>
        Make(126, span, string.Create(CultureInfo.InvariantCulture, $"{what} has scale {scale:R} and zero point {zeroPoint}; scales are above 0 and finite, zero points of i8 -128 to 127"), "quantise again");

    /// <summary>Too much work to evaluate.</summary>
    public static Diagnostic TooManyOperations(Layer layer) =>
        Error(131, layer, $"the network up to here needs more than {N(NetworkLimits.Operations)} multiplications", "use a smaller network");

    /// <summary>Beta and scale of a softmax are out of the range of its arithmetic.</summary>
    public static Diagnostic SoftmaxFactorTooSmall(Layer layer, float beta, float scale) =>
        Error(132, layer, string.Create(CultureInfo.InvariantCulture, $"beta {beta:R} times input scale {scale:R} has to be finite and above 2^-26"), "check beta and the scale of the input");

    /// <summary>A softmax row has no defined result.</summary>
    public static Diagnostic SoftmaxSumTooLarge(Layer layer, int row, int length) =>
        Error(133, layer, $"row {N(row)} of {N(length)} values sums to 512 times its largest exponential or more; the reference kernel stops there and no result is defined", "leave the softmax out (the order of the classes doesn't change) or use fewer classes");

    /// <summary>Another number of inputs was given.</summary>
    public static Diagnostic WrongNumberOfInputTensors(string network, int got, int expected) =>
        Make(134, SourceSpan.None, $"{N(got)} inputs were given; network '{network}' has {N(expected)}", "give one tensor for each input, in graph order");

    /// <summary>An input of another type or size.</summary>
    public static Diagnostic WrongInputTensor(NetworkInput input, Tensor got) =>
        Make(135, SourceSpan.None, $"input '{input.Name}' is {input.Type}; {got} was given", "give a tensor of that type and number of elements");

    private static Diagnostic Error(int code, Layer layer, string message, string remedy) =>
        Make(code, layer.Span.Value, $"{layer.Keyword} '{layer.Name}': {message}", remedy);

    private static Diagnostic Make(int code, SourceSpan span, string message, string remedy) =>
        new(string.Create(CultureInfo.InvariantCulture, $"CNN{code:0000}"), DiagnosticSeverity.Error, span, message, remedy);

    private static string N(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Show(Shape shape) => $"[{shape}]";
}
