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
    public static Diagnostic WrongWeights(Layer layer, Tensor weights, ElementType expected, int rank, string order) =>
        Error(107, layer, $"the weights are {weights}; {expected.Name()} of {rank} dimensions {order} is expected", $"give the weights as {expected.Name()} in that order");

    /// <summary>A bias of another type or length.</summary>
    public static Diagnostic WrongBias(Layer layer, Tensor bias, ElementType expected, int channels) =>
        Error(
            109,
            layer,
            $"the bias is {bias}; {expected.Name()}[{N(channels)}], one value an output channel, is expected",
            expected == ElementType.Int32 ? "give the bias as int32: at input scale times weight scale for i8, at the result's scale in fixed point" : $"give the bias as {expected.Name()}");

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

    /// <summary>A value is of a type that values can't have.</summary>
    public static Diagnostic NotAValueType(SourceSpan span, string value, TensorType type) =>
        Make(119, span, $"'{value}' is {type}; values are i8 with one scale and zero point, f32 without, or i32 with a scale and zero point 0", "quantise the network to int8, or leave it in f32");

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

    /// <summary>An operator isn't defined on these numbers.</summary>
    public static Diagnostic FormNotDefined(Layer layer, TensorType type, string defined) =>
        Error(136, layer, $"it gets {type}; it is defined on {defined}", "convert the value before it (dequantize, quantize), or leave the layer out");

    /// <summary>Operands or result hold other numbers than the first operand.</summary>
    public static Diagnostic FormsDiffer(Layer layer, string what, TensorType type, TensorType first) =>
        Error(137, layer, $"its {what} is {type}, its first operand {first}; they have to hold the same kind of numbers", "convert one of them (quantize, dequantize)");

    /// <summary>Sums of products with a scale that isn't theirs.</summary>
    public static Diagnostic SumsScale(Layer layer, float expected) =>
        Error(138, layer, string.Create(CultureInfo.InvariantCulture, $"its result is {layer.Type}; sums of these products have scale {expected:R}"), "give the result that scale, or an i8 result with its own");

    /// <summary>Fixed point whose scales don't fit together.</summary>
    public static Diagnostic FixedPointShift(Layer layer, int shift) =>
        Error(139, layer, $"its sums would be shifted right by {N(shift)} bits; 0 to 62 are possible", "choose scales so that the result is not finer than the products");

    /// <summary>A transposed convolution of which the padding leaves nothing.</summary>
    public static Diagnostic NothingLeft(Layer layer, long height, long width) =>
        Error(140, layer, $"its padding leaves a result of {N(height)}x{N(width)}", "use less padding");

    /// <summary>Matrices that can't be multiplied.</summary>
    public static Diagnostic InnerExtentsDiffer(Layer layer, Shape first, Shape second, int inner, int other) =>
        Error(141, layer, $"{Show(first)} and {Show(second)} can't be multiplied: the extents summed over are {N(inner)} and {N(other)}", "check the operands and which of them is transposed");

    /// <summary>Capsule weights for other capsules.</summary>
    public static Diagnostic CapsuleWeights(Layer layer, Shape weights, Shape input) =>
        Error(142, layer, $"the weights {Show(weights)} are [I, J, D, E]; I and D have to be the {N(input[1])} capsules of {N(input[2])} of the input {Show(input)}", "check the weights and the layer before");

    /// <summary>An array of parameters of another type or shape.</summary>
    public static Diagnostic WrongArray(Layer layer, string name, Tensor got, Shape expected) =>
        Error(143, layer, $"'{name}' is {got}; f32{Show(expected)} is expected", "give one f32 value for each of these");

    /// <summary>A list that is no order of the dimensions.</summary>
    public static Diagnostic NotAPermutation(Layer layer, IEnumerable<int> permutation, Shape input) =>
        Error(144, layer, $"({string.Join(", ", permutation.Select(d => N(d)))}) is no order of the {N(input.Rank)} dimensions of {Show(input)}", "name each dimension from 0 on once");

    /// <summary>A slice that leaves its input.</summary>
    public static Diagnostic SliceOutside(Layer layer, int dimension, int begin, int stride, int size, int extent) =>
        Error(145, layer, $"in dimension {N(dimension)}, {N(size)} elements from {N(begin)} in steps of {N(stride)} are not all inside the {N(extent)} that there are", "take fewer elements, or from elsewhere");

    /// <summary>A split into parts that differ.</summary>
    public static Diagnostic SplitUneven(Layer layer, int parts, int axis, int extent) =>
        Error(146, layer, $"{N(parts)} parts don't divide the {N(extent)} elements of dimension {N(axis)}", "choose a number of parts that does, or use strided_slice");

    /// <summary>Scores and box deltas that don't belong together.</summary>
    public static Diagnostic ProposalShapes(Layer layer, Shape scores, Shape deltas, long anchors) =>
        Error(147, layer, $"scores {Show(scores)} and box deltas {Show(deltas)} don't fit {N(anchors)} anchors a cell: 2 scores and 4 deltas an anchor are expected, for one image", "check scales and ratios, and the layers before");

    /// <summary>Features and regions that don't belong together.</summary>
    public static Diagnostic RegionShapes(Layer layer, Shape features, Shape regions) =>
        Error(148, layer, $"features {Show(features)} and regions {Show(regions)}: one image and 5 numbers a region are expected", "check the layers before");

    /// <summary>A real attribute out of its range.</summary>
    public static Diagnostic RealOutOfRange(Layer layer, string attribute, float value, string range) =>
        Error(149, layer, string.Create(CultureInfo.InvariantCulture, $"{attribute} is {value:R}; it has to be {range}"), $"change {attribute}");

    /// <summary>A quantised result that has to have one quantisation.</summary>
    public static Diagnostic FixedResultQuantization(Layer layer, Quantization expected) => Error(
        150, layer, string.Create(CultureInfo.InvariantCulture, $"its result is {layer.Type}; int8 {layer.Keyword} gives scale {expected.Scale:R} and zero point {expected.ZeroPoint}"), "quantise the output that way");

    /// <summary>A conversion between types that it isn't for.</summary>
    public static Diagnostic WrongConversion(Layer layer, TensorType from, string expected) =>
        Error(151, layer, $"it makes {layer.Type} of {from}; {expected}", "change the type of the result, or leave the layer out");

    /// <summary>A constant whose type isn't that of its value.</summary>
    public static Diagnostic ConstantType(Layer layer, Tensor value) =>
        Error(152, layer, $"its value is {value}, its type {layer.Type}", "give the layer the type of its value");

    /// <summary>Fixed-point weights with which sums may exceed 63 bits.</summary>
    public static Diagnostic FixedPointSums(Layer layer) =>
        Error(153, layer, "with its weights and the largest inputs its sums exceed 63 bits", "use fewer bits after the binary point for the weights (a larger scale)");

    /// <summary>Another number of inputs was given.</summary>
    public static Diagnostic WrongNumberOfInputTensors(string network, int got, int expected) =>
        Make(134, SourceSpan.None, $"{N(got)} inputs were given; network '{network}' has {N(expected)}", "give one tensor for each input, in graph order");

    /// <summary>An input of another type or size.</summary>
    public static Diagnostic WrongInputTensor(NetworkInput input, Tensor got) =>
        Make(135, SourceSpan.None, $"input '{input.Name}' is {input.Type}; {got} was given", "give a tensor of that type and number of elements");

    /// <summary>Sums of fixed-point numbers exceed 64 bits.</summary>
    public static Diagnostic FixedPointOverflow(Layer layer) =>
        Error(160, layer, "a sum of fixed-point numbers exceeds 64 bits on these inputs", "use fewer bits after the binary point (a larger scale), or scale the inputs down");

    /// <summary>A number that is none was to be quantised.</summary>
    public static Diagnostic NotANumber(Layer layer) =>
        Error(161, layer, "a value is not a number (NaN) and has no code", "look for a division by zero or a square root of a negative number in the layers before");

    private static Diagnostic Error(int code, Layer layer, string message, string remedy) =>
        Make(code, layer.Span.Value, $"{layer.Keyword} '{layer.Name}': {message}", remedy);

    private static Diagnostic Make(int code, SourceSpan span, string message, string remedy) =>
        new(string.Create(CultureInfo.InvariantCulture, $"CNN{code:0000}"), DiagnosticSeverity.Error, span, message, remedy);

    private static string N(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Show(Shape shape) => $"[{shape}]";
}
