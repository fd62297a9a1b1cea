using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Lowering;

namespace CnnCompiler.Passes.Training;

/// <summary>
/// What a convolution is to its gradients: input [N, I..., C], weights [K, T..., C / G], result [N, O..., K], with any number of dimensions in between (none: a fully connected layer). A depthwise
/// convolution has G = C groups.
/// </summary>
/// <param name="Input">Shape of the input.</param>
/// <param name="Weights">Shape of the weights.</param>
/// <param name="Result">Shape of the result.</param>
/// <param name="Strides">Stride of each dimension in between.</param>
/// <param name="Dilations">Dilation of each.</param>
/// <param name="Before">Padding before each.</param>
/// <param name="Groups">Groups.</param>
public sealed record ConvolutionShape(Shape Input, Shape Weights, Shape Result, IReadOnlyList<int> Strides, IReadOnlyList<int> Dilations, IReadOnlyList<int> Before, int Groups)
{
    /// <summary>A fully connected layer.</summary>
    public static ConvolutionShape Dense(Shape input, Shape weights) => new(input, weights, Shape.Of(input[0], weights[0]), [], [], [], 1);

    internal int Between => Strides.Count;

    internal int InputsPerGroup => Weights.Dimensions[^1];

    internal int OutputsPerGroup => Weights[0] / Groups;

    /// <summary>Name of a dimension in between: d, h and w, the last ones where there are fewer.</summary>
    internal string Name(int d) => "dhw".Substring(3 - Between + d, 1);
}

/// <summary>
/// The convolution itself, y = post(sum of x * w + b), one operator; i stands for each of the dimensions in between.
/// <code>
///       Ng   Nop   Nopc   Nks     input                        kernel            output
///   n              N              n.opc                                          n.opc
///   i              O      T       i.opc*s + i.ks*d - before    i.ks              i.opc
///   c   G    K/G          C/G     c.g*C/G + c.ks               c.g*K/G + c.op    c.g*K/G + c.op
/// </code>
/// </summary>
public static class ConvolutionForward
{
    /// <summary>Adds the operator.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="name">Name of the result.</param>
    /// <param name="x">Input.</param>
    /// <param name="weights">Weights.</param>
    /// <param name="bias">Bias [K], or null.</param>
    /// <param name="shape">The convolution.</param>
    /// <param name="upper">Upper end of a clamp at 0 from below, infinity for relu; null for none.</param>
    public static string Add(TrainingChain chain, string name, string x, string weights, string? bias, ConvolutionShape shape, double? upper = null)
    {
        var between = shape.Between;
        var nest = new LoopNest(
        [
            new("n", LoopKind.OutputPosition, shape.Result[0]),
            .. Enumerable.Range(0, between).Select(d => new GconvLoop(shape.Name(d), LoopKind.OutputPosition, shape.Result[d + 1])),
            new("c", LoopKind.Group, shape.Groups),
            new("c", LoopKind.OutputParallel, shape.OutputsPerGroup),
            .. Enumerable.Range(0, between).Select(d => new GconvLoop(shape.Name(d), LoopKind.KernelSize, shape.Weights[d + 1])),
            new("c", LoopKind.KernelSize, shape.InputsPerGroup),
        ]);
        var (group, output, tap, channel) = (between + 1, between + 2, between + 3, (2 * between) + 3);
        var k = nest.At(0, (group, shape.OutputsPerGroup), (output, 1));
        var sum = chain.Numbers.SumOfProducts(Scalar.Accumulator);
        var post = Rectifier.Apply(chain.Numbers, chain.Numbers.Result(bias is null ? sum : Scalar.Add(sum, Scalar.Extra(0))), upper);
        AffineExpression[] index =
        [
            nest.At(0),
            .. Enumerable.Range(0, between).Select(d => nest.At(-shape.Before[d], (d + 1, shape.Strides[d]), (tap + d, shape.Dilations[d]))),
            nest.At(0, (group, shape.InputsPerGroup), (channel, 1)),
        ];
        return chain.Add(
            name,
            "convolution",
            shape.Result,
            nest,
            new(nest.Padded(x, shape.Input, [.. index]), new(weights, [k, .. Enumerable.Range(0, between).Select(d => nest.At(tap + d)), nest.At(channel)]))
            {
                Extra = bias is null ? [] : [new(bias, [k])],
                Main = TrainingNumbers.Term,
                Post = post,
                Reduce = GconvReduction.Add,
            },
            [nest.At(0), .. Enumerable.Range(0, between).Select(d => nest.At(d + 1)), k]);
    }
}

/// <summary>
/// The gradient of a convolution's input, dx = sum of dy * w, one operator: a transposed convolution, whose taps are those results that the stride lands on.
/// <code>
///       Ng   Nop   Nopc   Nks     input (dy)                           kernel (w)        output
///   n              N              n.opc                                                  n.opc
///   i              I      T       (i.opc - i.ks*d + before) / s        i.ks              i.opc
///   c   G    C/G          K/G     c.g*K/G + c.ks                       c.g*K/G + c.ks    c.g*C/G + c.op
/// </code>
/// the kernel's last index is c.op.
/// </summary>
public static class ConvolutionInputGradient
{
    /// <summary>Adds the operator and returns the gradient's name.</summary>
    public static string Add(TrainingChain chain, string name, string dy, string weights, ConvolutionShape shape)
    {
        var between = shape.Between;
        var nest = new LoopNest(
        [
            new("n", LoopKind.OutputPosition, shape.Input[0]),
            .. Enumerable.Range(0, between).Select(d => new GconvLoop(shape.Name(d), LoopKind.OutputPosition, shape.Input[d + 1])),
            new("c", LoopKind.Group, shape.Groups),
            new("c", LoopKind.OutputParallel, shape.InputsPerGroup),
            .. Enumerable.Range(0, between).Select(d => new GconvLoop(shape.Name(d), LoopKind.KernelSize, shape.Weights[d + 1])),
            new("c", LoopKind.KernelSize, shape.OutputsPerGroup),
        ]);
        var (group, output, tap, channel) = (between + 1, between + 2, between + 3, (2 * between) + 3);
        var k = nest.At(0, (group, shape.OutputsPerGroup), (channel, 1));
        AffineExpression[] index =
        [
            nest.At(0),
            .. Enumerable.Range(0, between).Select(d => nest.At(shape.Before[d], (d + 1, 1), (tap + d, -shape.Dilations[d])) with { Divisor = shape.Strides[d] }),
            k,
        ];
        return chain.Add(
            name,
            "convolution_input_gradient",
            shape.Input,
            nest,
            new(nest.Padded(dy, shape.Result, [.. index]), new(weights, [k, .. Enumerable.Range(0, between).Select(d => nest.At(tap + d)), nest.At(output)]))
            {
                Main = TrainingNumbers.Term,
                Post = chain.Numbers.Result(chain.Numbers.SumOfProducts(Scalar.Accumulator)),
                Reduce = GconvReduction.Add,
            },
            [nest.At(0), .. Enumerable.Range(0, between).Select(d => nest.At(d + 1)), nest.At(0, (group, shape.InputsPerGroup), (output, 1))]);
    }
}

/// <summary>
/// The gradient of a convolution's weights, dw = sum of x * dy, one operator: a convolution of x with the kernel dy, which the forward stride dilates.
/// <code>
///       Ng   Nop   Nopc   Nks     input (x)                     kernel (dy)       output
///   n                     N       n.ks                          n.ks
///   i              T      O       i.ks*s + i.opc*d - before     i.ks              i.opc
///   c   G    K/G   C/G            c.g*C/G + c.opc               c.g*K/G + c.op    c.g*K/G + c.op, c.opc
/// </code>
/// </summary>
public static class ConvolutionWeightGradient
{
    /// <summary>Keyword of the operator's origin.</summary>
    public const string Keyword = "convolution_weight_gradient";

    /// <summary>Adds the operator and returns the gradient's name.</summary>
    public static string Add(TrainingChain chain, string name, string x, string dy, ConvolutionShape shape)
    {
        var between = shape.Between;
        var nest = new LoopNest(
        [
            new("c", LoopKind.Group, shape.Groups),
            new("c", LoopKind.OutputParallel, shape.OutputsPerGroup),
            .. Enumerable.Range(0, between).Select(d => new GconvLoop(shape.Name(d), LoopKind.OutputPosition, shape.Weights[d + 1])),
            new("c", LoopKind.OutputPosition, shape.InputsPerGroup),
            new("n", LoopKind.KernelSize, shape.Result[0]),
            .. Enumerable.Range(0, between).Select(d => new GconvLoop(shape.Name(d), LoopKind.KernelSize, shape.Result[d + 1])),
        ]);
        var (tap, channel, image, place) = (2, between + 2, between + 3, between + 4);
        var k = nest.At(0, (0, shape.OutputsPerGroup), (1, 1));
        AffineExpression[] index =
        [
            nest.At(image),
            .. Enumerable.Range(0, between).Select(d => nest.At(-shape.Before[d], (place + d, shape.Strides[d]), (tap + d, shape.Dilations[d]))),
            nest.At(0, (0, shape.InputsPerGroup), (channel, 1)),
        ];
        return chain.Add(
            name,
            Keyword,
            shape.Weights,
            nest,
            new(nest.Padded(x, shape.Input, [.. index]), new(dy, [nest.At(image), .. Enumerable.Range(0, between).Select(d => nest.At(place + d)), k]))
            {
                Main = TrainingNumbers.Term,
                Post = chain.Numbers.Result(chain.Numbers.SumOfProducts(Scalar.Accumulator)),
                Reduce = GconvReduction.Add,
            },
            [k, .. Enumerable.Range(0, between).Select(d => nest.At(tap + d)), nest.At(channel)]);
    }
}

/// <summary>The gradient of a bias, one operator: the sum of dy over all dimensions but the last: c.opc, others ks, reduce add.</summary>
public static class BiasGradient
{
    /// <summary>Adds the operator and returns the gradient's name.</summary>
    public static string Add(TrainingChain chain, string name, string dy) => chain.Reduce(
        name, "bias_gradient", dy, null, [.. Enumerable.Range(0, chain.Shape(dy).Rank - 1)], keep: false, Scalar.Input, chain.Numbers.Result(Scalar.Accumulator));
}
