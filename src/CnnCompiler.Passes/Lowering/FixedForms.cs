using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// Layers of one element in fixed point, of x with f bits after the binary point; the result has f'. What lies between 0 and 1, and parameters, have <see cref="Unit"/> bits. a *[n] b stands for
/// fixed_multiply(a, b, n), which leaves f' bits where n is the sum of the factors' bits less f'.
/// </summary>
internal static class FixedForms
{
    /// <summary>Bits after the binary point of probabilities, factors and parameters inside a layer.</summary>
    public const int Unit = 30;

    /// <summary>
    /// The functions:
    /// <code>
    ///   logistic     fixed_logistic(x)
    ///   tanh         fixed_tanh(x)
    ///   hard_swish   x *[f + 30 - f'] fixed_divide(clamp(x + 3, 0, 6), 6) with 30 bits
    ///   leaky_relu   select(x, x with f' bits, x *[f + 30 - f'] alpha)
    ///   gelu         x *[f + 31 - f'] (1 + fixed_erf(x *[0] 1 / sqrt 2)), the argument with all its f + 30 bits
    ///   gelu_tanh    x *[f + 31 - f'] (1 + fixed_tanh(u *[0] sqrt(2 / pi))), u = x + 0.044715 x^3 with 30 bits, of x clamped to -8 to 8
    ///   exp          fixed_exp(x)
    ///   sqrt         fixed_sqrt(max(x, 0))
    /// </code>
    /// each saturated to 32 bits.
    /// </summary>
    public static ScalarExpression Unary(Unary layer, ScalarExpression x, int from, int to)
    {
        var value = layer.Function switch
        {
            UnaryFunction.Logistic => Call(ScalarFunction.FixedLogistic, x, from, to),
            UnaryFunction.Tanh => Call(ScalarFunction.FixedTanh, x, from, to),
            UnaryFunction.HardSwish => Multiply(x, HardSigmoid(x, from), from + Unit - to),
            UnaryFunction.LeakyRelu => Scalar.Select(x, Values.Rescaled(x, from, to), Multiply(x, Parameter(layer.Alpha), from + Unit - to)),
            UnaryFunction.Gelu => Half(x, Call(ScalarFunction.FixedErf, Multiply(x, Parameter(1 / Math.Sqrt(2)), 0), from + Unit, Unit), from, to),
            UnaryFunction.GeluTanh => Half(x, Call(ScalarFunction.FixedTanh, Multiply(Cubic(x, from), Parameter(Math.Sqrt(2 / Math.PI)), Unit), Unit, Unit), from, to),
            UnaryFunction.Exp => Call(ScalarFunction.FixedExp, x, from, to),
            UnaryFunction.Sqrt => Call(ScalarFunction.FixedSqrt, Scalar.Maximum(x, Scalar.Literal(0)), from, to),
            _ => throw new InvalidOperationException($"no case for {layer.Function}"),
        };
        return Saturated(value);
    }

    /// <summary>acc / n: fixed_divide(acc, n &lt;&lt; f, f').</summary>
    public static ScalarExpression Mean(ScalarExpression sum, long count, int from, int to) => Divide(sum, Scalar.Literal(count << from), to);

    /// <summary>fixed_multiply(a, b, bits).</summary>
    public static ScalarExpression Multiply(ScalarExpression a, ScalarExpression b, int bits) => Scalar.Call(ScalarFunction.FixedMultiply, a, b, Scalar.Literal(bits));

    /// <summary>fixed_divide(a, b, to).</summary>
    public static ScalarExpression Divide(ScalarExpression a, ScalarExpression b, int to) => Scalar.Call(ScalarFunction.FixedDivide, a, b, Scalar.Literal(to));

    /// <summary>A function of a value with so many bits as one with others.</summary>
    public static ScalarExpression Call(ScalarFunction function, ScalarExpression x, int from, int to) => Scalar.Call(function, x, Scalar.Literal(from), Scalar.Literal(to));

    /// <summary>A real parameter with so many bits: to the nearest, half to even.</summary>
    public static ScalarExpression Parameter(double value, int bits = Unit) => Scalar.Literal(NumberConversion.ToFixed(value, bits));

    /// <summary>A value saturated to 32 bits.</summary>
    public static ScalarExpression Saturated(ScalarExpression value) => Scalar.Clamp(value, int.MinValue, (long)int.MaxValue);

    /// <summary>
    /// Real parameters as i64 with as many bits as leave the largest below 2^30, from 0 to 46; and that number of bits.
    /// </summary>
    public static (Tensor Values, int Bits) Parameters(Shape shape, ReadOnlySpan<double> values)
    {
        var bits = NumberConversion.ParameterBits(values);
        return (Parameters(shape, values, bits), bits);
    }

    /// <summary>Real parameters as i64 with so many bits.</summary>
    public static Tensor Parameters(Shape shape, ReadOnlySpan<double> values, int bits)
    {
        var integers = new long[values.Length];
        for (var i = 0; i < integers.Length; i++)
        {
            integers[i] = NumberConversion.ToFixed(values[i], bits);
        }

        return Tensor.From<long>(ElementType.Int64, shape, integers);
    }

    // clamp(x + 3, 0, 6) / 6 with 30 bits.
    private static ScalarExpression HardSigmoid(ScalarExpression x, int from) =>
        Divide(Scalar.Clamp(Scalar.Add(x, Scalar.Literal(3L << from)), 0, 6L << from), Scalar.Literal(6L << from), Unit);

    // x + 0.044715 x^3 with 30 bits, of x clamped to -8 to 8: x * (1 + 0.044715 * x^2).
    private static ScalarExpression Cubic(ScalarExpression x, int from)
    {
        var near = Scalar.Clamp(x, -8L << from, 8L << from);
        var square = Multiply(near, near, (2 * from) - Unit);
        return Multiply(near, Scalar.Add(Scalar.Literal(1L << Unit), Multiply(square, Parameter(0.044715), Unit)), from);
    }

    // x * (1 + y) / 2 of y with 30 bits.
    private static ScalarExpression Half(ScalarExpression x, ScalarExpression y, int from, int to) => Multiply(x, Scalar.Add(Scalar.Literal(1L << Unit), y), from + Unit + 1 - to);
}
