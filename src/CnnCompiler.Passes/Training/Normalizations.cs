using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Lowering;

namespace CnnCompiler.Passes.Training;

/// <summary>How the statistics of a normalisation are taken.</summary>
public enum Statistics
{
    /// <summary>The mean, then the mean of the squares of what is left of it: two passes that wait for each other, and a tensor between them.</summary>
    TwoPasses,

    /// <summary>Means of the values and of their squares from the input; the variance is their difference. Rounds otherwise.</summary>
    OnePass,
}

/// <summary>What the gradient of a normalisation needs of the forward step.</summary>
/// <param name="Result">The result.</param>
/// <param name="Normalized">The input without mean, by deviation.</param>
/// <param name="Inverse">1 over the deviation.</param>
public readonly record struct NormalizationValues(string Result, string Normalized, string Inverse);

/// <summary>
/// Normalisation by the statistics of the input itself: batch normalisation in training, over all dimensions but the last one, c, and layer normalisation, over the last one. R are the dimensions that
/// statistics are taken over, S the others; N elements go into one statistic. In two passes:
/// <code>
///   y.mean      R ks, S opc    pre input            add   post acc / N
///   y.centred   R opc, S g     main input - kernel                                      kernel y.mean
///   y.inverse   R ks, S opc    pre input * input    add   post 1 / sqrt(acc / N + e)    of y.centred
///   y.unit      R opc, S g     main input * kernel                                      of y.centred, kernel y.inverse
///   y           all opc        post acc * extra0 + extra1                               of y.unit, extras scale and offset [C]
/// </code>
/// In one pass, which is y.mean, then
/// <code>
///   y.square    R ks, S opc    pre input * input    add   post acc / N
///   y.inverse   S g            main max(input - kernel * kernel, 0)   post 1 / sqrt(acc + e)    of y.square, kernel y.mean
///   y.unit      R opc, S g     main input - kernel        post acc * extra0                     kernel y.mean, extra y.inverse
/// </code>
/// so that the input is read three times and nothing of its size lies between.
/// </summary>
public static class NormalizationForward
{
    /// <summary>Adds batch normalisation.</summary>
    public static NormalizationValues Batch(TrainingChain chain, string name, string x, string scale, string offset, double epsilon, Statistics statistics) =>
        Add(chain, name, x, scale, offset, epsilon, statistics, [.. Enumerable.Range(0, chain.Shape(x).Rank - 1)]);

    /// <summary>Adds layer normalisation.</summary>
    public static NormalizationValues Layer(TrainingChain chain, string name, string x, string scale, string offset, double epsilon, Statistics statistics) =>
        Add(chain, name, x, scale, offset, epsilon, statistics, [chain.Shape(x).Rank - 1]);

    private static NormalizationValues Add(TrainingChain chain, string name, string x, string scale, string offset, double epsilon, Statistics statistics, IReadOnlyCollection<int> axes)
    {
        const string keyword = "norm";
        var numbers = chain.Numbers;
        var each = 1.0 / axes.Aggregate(1L, (product, d) => product * chain.Shape(x)[d]);
        var (mean, acc) = (numbers.Result(numbers.Times(Scalar.Accumulator, each)), Scalar.Accumulator);
        var square = numbers.Product(Scalar.Input, Scalar.Input);
        var means = chain.Reduce($"{name}.mean", keyword, x, null, axes, keep: true, Scalar.Input, mean);
        string inverse, unit;
        if (statistics == Statistics.TwoPasses)
        {
            var centred = chain.Elements($"{name}.centred", keyword, x, means, Scalar.Subtract(Scalar.Input, Scalar.Kernel), numbers.Result(acc));
            inverse = chain.Reduce($"{name}.inverse", keyword, centred, null, axes, keep: true, square, numbers.Result(numbers.InverseRoot(Scalar.Add(numbers.Times(acc, each), numbers.Number(epsilon)))));
            unit = chain.Elements($"{name}.unit", keyword, centred, inverse, numbers.Product(Scalar.Input, Scalar.Kernel), numbers.Result(acc));
        }
        else
        {
            var squares = chain.Reduce($"{name}.square", keyword, x, null, axes, keep: true, square, mean);
            var variance = Scalar.Maximum(Scalar.Subtract(Scalar.Input, numbers.Product(Scalar.Kernel, Scalar.Kernel)), numbers.Number(0));
            inverse = chain.Elements($"{name}.inverse", keyword, squares, means, variance, numbers.Result(numbers.InverseRoot(Scalar.Add(acc, numbers.Number(epsilon)))));
            unit = chain.Elements($"{name}.unit", keyword, x, means, Scalar.Subtract(Scalar.Input, Scalar.Kernel), numbers.Result(numbers.Product(acc, Scalar.Extra(0))), inverse);
        }

        var result = chain.Elements(name, keyword, unit, null, Scalar.Input, numbers.Result(Scalar.Add(numbers.Product(acc, Scalar.Extra(0)), Scalar.Extra(1))), scale, offset);
        return new(result, unit, inverse);
    }
}

/// <summary>Gradients of a normalisation.</summary>
/// <param name="Input">Of its input.</param>
/// <param name="Scale">Of the scale.</param>
/// <param name="Offset">Of the offset.</param>
public readonly record struct NormalizationGradients(string Input, string Scale, string Offset);

/// <summary>
/// Gradients of batch and layer normalisation, with R, S and N as in <see cref="NormalizationForward"/>, u the normalised input:
/// <code>
///   doffset    c.opc, others ks   add                                                   of dy
///   dscale     c.g, others ks     main input * kernel    add                            of dy, kernel u
///   du         c.g, others opc    main input * kernel                                   of dy, kernel scale
///   dx.mean    R ks, S opc        add                    post acc / N                   of du
///   dx.dot     R ks, S g          main input * kernel    add   post acc / N             of du, kernel u
///   dx         all g              main input - kernel * extra0   post (acc - extra1) * extra2      of du, kernel u, extras dx.dot, dx.mean, 1 over the deviation
/// </code>
/// </summary>
public static class NormalizationBackward
{
    /// <summary>Adds the gradients of batch normalisation.</summary>
    public static NormalizationGradients Batch(TrainingChain chain, string name, string dy, NormalizationValues values, string scale) =>
        Add(chain, name, dy, values, scale, [.. Enumerable.Range(0, chain.Shape(dy).Rank - 1)]);

    /// <summary>Adds the gradients of layer normalisation.</summary>
    public static NormalizationGradients Layer(TrainingChain chain, string name, string dy, NormalizationValues values, string scale) => Add(chain, name, dy, values, scale, [chain.Shape(dy).Rank - 1]);

    private static NormalizationGradients Add(TrainingChain chain, string name, string dy, NormalizationValues values, string scale, IReadOnlyCollection<int> axes)
    {
        const string keyword = "norm_gradient";
        var (numbers, acc) = (chain.Numbers, Scalar.Accumulator);
        var each = 1.0 / axes.Aggregate(1L, (product, d) => product * chain.Shape(dy)[d]);
        int[] allButLast = [.. Enumerable.Range(0, chain.Shape(dy).Rank - 1)];
        var offset = chain.Reduce($"{name}.offset", keyword, dy, null, allButLast, keep: false, Scalar.Input, numbers.Result(acc));
        var slope = chain.Reduce($"{name}.scale", keyword, dy, values.Normalized, allButLast, keep: false, TrainingNumbers.Term, numbers.Result(numbers.SumOfProducts(acc)));
        var unit = chain.Elements($"{name}.unit", keyword, dy, scale, numbers.Product(Scalar.Input, Scalar.Kernel), numbers.Result(acc));
        var mean = chain.Reduce($"{name}.mean", keyword, unit, null, axes, keep: true, Scalar.Input, numbers.Result(numbers.Times(acc, each)));
        var dot = chain.Reduce($"{name}.dot", keyword, unit, values.Normalized, axes, keep: true, TrainingNumbers.Term, numbers.Result(numbers.Times(numbers.SumOfProducts(acc), each)));
        var rest = Scalar.Subtract(Scalar.Input, numbers.Product(Scalar.Kernel, Scalar.Extra(0)));
        var input = chain.Elements(
            name, keyword, unit, values.Normalized, rest, numbers.Result(numbers.Product(Scalar.Subtract(acc, Scalar.Extra(1)), Scalar.Extra(2))), dot, mean, values.Inverse);
        return new(input, slope, offset);
    }
}

/// <summary>
/// Local response normalisation over channels, c the last dimension, windows of n from b before: y = x * s^-beta with s = bias + alpha / n * sum of squares; and its gradient.
/// <code>
///   y.base   c.opc, c.ks n, others opc   pre input * input   add   post bias + alpha / n * acc           x at c.opc + c.ks - b
///   y        all g                       main input * power(kernel, -beta)                               of x, kernel y.base
///   dx.part  all g                       main input * kernel   post acc / extra                          of dy, kernel y, extra y.base
///   dx       c.opc, c.ks n, others opc   add   post extra0 * power(extra1, -beta) - 2 alpha beta / n * acc * extra2
///                                                            dx.part at c.opc - c.ks + b, extras dy, y.base, x
/// </code>
/// Taps outside the channels are skipped.
/// </summary>
public static class LrnTraining
{
    /// <summary>Adds the normalisation; returns its result and the base of its power.</summary>
    public static (string Result, string Base) Add(TrainingChain chain, string name, string x, int size, double alpha, double beta, double bias)
    {
        var numbers = chain.Numbers;
        var sum = Window(chain, $"{name}.base", "lrn", x, size, forward: true, numbers.Product(Scalar.Input, Scalar.Input), numbers.Result(Scalar.Add(numbers.Number(bias), numbers.Times(Scalar.Accumulator, alpha / size))));
        return (chain.Elements(name, "lrn", x, sum, numbers.Product(Scalar.Input, numbers.Power(Scalar.Kernel, -beta)), numbers.Result(Scalar.Accumulator)), sum);
    }

    /// <summary>Adds the gradient.</summary>
    public static string Gradient(TrainingChain chain, string name, string dy, string x, (string Result, string Base) values, int size, double alpha, double beta)
    {
        var numbers = chain.Numbers;
        var part = chain.Elements(
            $"{name}.part", "lrn_gradient", dy, values.Result, numbers.Product(Scalar.Input, Scalar.Kernel), numbers.Result(numbers.Quotient(Scalar.Accumulator, Scalar.Extra(0))), values.Base);
        var near = numbers.Product(Scalar.Extra(0), numbers.Power(Scalar.Extra(1), -beta));
        var far = numbers.Product(numbers.Times(Scalar.Accumulator, 2 * alpha * beta / size), Scalar.Extra(2));
        return Window(chain, name, "lrn_gradient", part, size, forward: false, Scalar.Input, numbers.Result(Scalar.Subtract(near, far)), dy, values.Base, x);
    }

    private static string Window(TrainingChain chain, string name, string keyword, string input, int size, bool forward, ScalarExpression pre, ScalarExpression post, params ReadOnlySpan<string> extras)
    {
        var shape = chain.Shape(input);
        var (last, before) = (shape.Rank - 1, (size - 1) / 2);
        var nest = new LoopNest(
        [
            .. shape.Dimensions.Select((extent, d) => new GconvLoop(LoopNest.DimensionName(d, shape.Rank), LoopKind.OutputPosition, extent)),
            new(LoopNest.DimensionName(last, shape.Rank), LoopKind.KernelSize, size),
        ]);
        AffineExpression[] parallel = [.. Enumerable.Range(0, shape.Rank).Select(d => nest.At(d))];
        var window = forward ? nest.At(-before, (last, 1), (shape.Rank, 1)) : nest.At(before, (last, 1), (shape.Rank, -1));
        var further = new List<OperandAccess>();
        foreach (var extra in extras)
        {
            further.Add(new(extra, [.. parallel]));
        }

        return chain.Add(
            name, keyword, shape, nest, new(nest.Padded(input, shape, [.. parallel[..last], window]), null) { Extra = further, Pre = pre, Post = post, Reduce = GconvReduction.Add }, parallel);
    }
}
