using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Lowering;

namespace CnnCompiler.Passes.Training;

/// <summary>
/// relu and relu6. Forward: post clamps the operator before it, or one operator, all loops opc. The gradient, one operator, all loops g:
/// <code>
///   dx   main where 0 &lt; kernel (and kernel &lt; 6): input, else 0    input dy, kernel y
/// </code>
/// </summary>
public static class Rectifier
{
    /// <summary>Adds relu, or relu6 with 6 as the upper end, as an operator of its own.</summary>
    public static string Add(TrainingChain chain, string name, string x, double upper = double.PositiveInfinity) =>
        chain.Elements(name, "rectifier", x, null, Scalar.Input, Apply(chain.Numbers, Scalar.Accumulator, upper));

    /// <summary>Adds the gradient.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="name">Name of the gradient.</param>
    /// <param name="dy">Gradient of the result.</param>
    /// <param name="y">The result, which is above 0 where the input is.</param>
    /// <param name="upper">Upper end of the clamp.</param>
    public static string Gradient(TrainingChain chain, string name, string dy, string y, double upper = double.PositiveInfinity)
    {
        var zero = chain.Numbers.Number(0);
        var passes = Scalar.Select(Scalar.Subtract(zero, Scalar.Kernel), zero, Scalar.Input);
        return chain.Elements(
            name, "rectifier_gradient", dy, y, double.IsPositiveInfinity(upper) ? passes : Scalar.Select(Scalar.Subtract(Scalar.Kernel, chain.Numbers.Number(upper)), zero, passes), Scalar.Accumulator);
    }

    internal static ScalarExpression Apply(TrainingNumbers numbers, ScalarExpression value, double? upper) => upper switch
    {
        null => value,
        double.PositiveInfinity => Scalar.Maximum(value, numbers.Number(0)),
        { } end => Scalar.Maximum(Scalar.Minimum(value, numbers.Number(end)), numbers.Number(0)),
    };
}

/// <summary>
/// The logistic function, all loops opc: post 1 / (1 + exp(-acc)); and its gradient, all loops g:
/// <code>
///   dx   main input * kernel * (1 - kernel)    input dy, kernel y
/// </code>
/// </summary>
public static class Logistic
{
    /// <summary>Adds the function.</summary>
    public static string Add(TrainingChain chain, string name, string x) => chain.Elements(name, "logistic", x, null, Scalar.Input, chain.Numbers.Result(chain.Numbers.Logistic(Scalar.Accumulator)));

    /// <summary>Adds the gradient.</summary>
    public static string Gradient(TrainingChain chain, string name, string dy, string y)
    {
        var numbers = chain.Numbers;
        var slope = numbers.Product(Scalar.Kernel, Scalar.Subtract(numbers.Number(1), Scalar.Kernel));
        return chain.Elements(name, "logistic_gradient", dy, y, numbers.Product(Scalar.Input, slope), numbers.Result(Scalar.Accumulator));
    }
}

/// <summary>The sum of two tensors (a residual connection, or gradients that meet where a tensor is read twice), all loops g: main input + kernel. Its gradients are dy itself.</summary>
public static class Sum
{
    /// <summary>Adds the operator.</summary>
    public static string Add(TrainingChain chain, string name, string first, string second) =>
        chain.Elements(name, "sum", first, second, Scalar.Add(Scalar.Input, Scalar.Kernel), chain.Numbers.Result(Scalar.Accumulator));
}

/// <summary>
/// A step of stochastic gradient descent, all loops g:
/// <code>
///   w'   main kernel - rate * input    input dw, kernel w
/// </code>
/// in fixed point the rate has up to 30 digits of its own.
/// </summary>
public static class SgdUpdate
{
    /// <summary>Adds the operator and returns the name of the new weights.</summary>
    public static string Add(TrainingChain chain, string name, string weights, string gradient, double rate) =>
        chain.Elements(name, "sgd_update", gradient, weights, Scalar.Subtract(Scalar.Kernel, chain.Numbers.Times(Scalar.Input, rate)), chain.Numbers.Result(Scalar.Accumulator));
}

/// <summary>
/// softmax over the last dimension, c, four operators, and its gradient, two:
/// <code>
///   y.max   c.ks, others opc   max
///   y.exp   c.opc, others g    main input - kernel     post exp(acc)           kernel y.max
///   y.sum   c.ks, others opc   add
///   y       c.opc, others g    main input / kernel                             of y.exp, kernel y.sum
///   dx.dot  c.ks, others g     main input * kernel     add                     input dy, kernel y
///   dx      c.opc, others g    main input - kernel     post acc * extra        input dy, kernel dx.dot, extra y
/// </code>
/// The gradient of the cross entropy with targets t through softmax is y - t, one operator, all loops g.
/// </summary>
public static class SoftmaxTraining
{
    /// <summary>Adds softmax.</summary>
    public static string Add(TrainingChain chain, string name, string x)
    {
        var (numbers, last) = (chain.Numbers, chain.Shape(x).Rank - 1);
        var largest = chain.Reduce($"{name}.max", "softmax", x, null, [last], keep: true, Scalar.Input, Scalar.Accumulator, GconvReduction.Maximum);
        var exponential = chain.Elements($"{name}.exp", "softmax", x, largest, Scalar.Subtract(Scalar.Input, Scalar.Kernel), numbers.Result(numbers.Exp(Scalar.Accumulator)));
        var sum = chain.Reduce($"{name}.sum", "softmax", exponential, null, [last], keep: true, Scalar.Input, numbers.Result(Scalar.Accumulator));
        return chain.Elements(name, "softmax", exponential, sum, numbers.Quotient(Scalar.Input, Scalar.Kernel), numbers.Result(Scalar.Accumulator));
    }

    /// <summary>Adds the gradient.</summary>
    public static string Gradient(TrainingChain chain, string name, string dy, string y)
    {
        var numbers = chain.Numbers;
        var dot = chain.Reduce($"{name}.dot", "softmax_gradient", dy, y, [chain.Shape(y).Rank - 1], keep: true, TrainingNumbers.Term, numbers.Result(numbers.SumOfProducts(Scalar.Accumulator)));
        return chain.Elements(name, "softmax_gradient", dy, dot, Scalar.Subtract(Scalar.Input, Scalar.Kernel), numbers.Result(numbers.Product(Scalar.Accumulator, Scalar.Extra(0))), y);
    }

    /// <summary>Adds the gradient of the cross entropy with targets of the same shape.</summary>
    public static string CrossEntropyGradient(TrainingChain chain, string name, string y, string targets) =>
        chain.Elements(name, "cross_entropy_gradient", y, targets, Scalar.Subtract(Scalar.Input, Scalar.Kernel), chain.Numbers.Result(Scalar.Accumulator));
}
