using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>Functions of one element in binary64, left to right as written; and in fixed point, as compositions of <see cref="FixedMath"/>.</summary>
internal static class UnaryFunctions
{
    // Bits of what lies between 0 and 1, and of parameters.
    private const int Unit = 30;

    /// <summary>Of a real.</summary>
    public static double OfReal(UnaryFunction function, float alpha, double x) => function switch
    {
        UnaryFunction.Logistic => 1 / (1 + Math.Exp(0 - x)),
        UnaryFunction.Tanh => Math.Tanh(x),
        UnaryFunction.HardSwish => x * Math.Min(Math.Max(x + 3, 0), 6) / 6,
        UnaryFunction.LeakyRelu => x >= 0 ? x : alpha * x,
        UnaryFunction.Gelu => x * (1 + ErrorFunction.Erf(x / Math.Sqrt(2))) / 2,
        UnaryFunction.GeluTanh => x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))) / 2,
        UnaryFunction.Exp => Math.Exp(x),
        UnaryFunction.Sqrt => Math.Sqrt(x),
        _ => throw new ArgumentOutOfRangeException(nameof(function), function, "unknown function"),
    };

    /// <summary>
    /// Of a fixed-point number, before it is saturated to 32 bits. Factors between 0 and 1, and parameters, have 30 bits; products are rounded half up, quotients half away from zero. hard_swish is
    /// x * (clamp(x + 3, 0, 6) / 6); gelu is x * (1 + erf(x / sqrt 2)) / 2, the argument with all its bits; gelu_tanh is x * (1 + tanh(u * sqrt(2 / pi))) / 2 with u = x * (1 + 0.044715 * x^2) of x
    /// clamped to -8 to 8 (beyond, the function is the identity or 0); sqrt of what is below 0 is 0.
    /// </summary>
    /// <param name="function">The function.</param>
    /// <param name="alpha">Slope of leaky_relu.</param>
    /// <param name="x">Argument.</param>
    /// <param name="from">Its bits after the binary point.</param>
    /// <param name="to">Bits of the result.</param>
    public static long OfFixed(UnaryFunction function, float alpha, long x, int from, int to) => function switch
    {
        UnaryFunction.Logistic => FixedMath.Logistic(x, from, to),
        UnaryFunction.Tanh => FixedMath.Tanh(x, from, to),
        UnaryFunction.HardSwish => FixedMath.Multiply(x, FixedMath.Divide(Math.Clamp(x + (3L << from), 0, 6L << from), 6L << from, Unit), from + Unit - to),
        UnaryFunction.LeakyRelu => x >= 0 ? NumberConversion.Rescale(x, from, to) : FixedMath.Multiply(x, NumberConversion.ToFixed(alpha, Unit), from + Unit - to),
        UnaryFunction.Gelu => Half(x, FixedMath.Erf(FixedMath.Multiply(x, NumberConversion.ToFixed(1 / Math.Sqrt(2), Unit), 0), from + Unit, Unit), from, to),
        UnaryFunction.GeluTanh => Half(x, FixedMath.Tanh(FixedMath.Multiply(Cubic(x, from), NumberConversion.ToFixed(Math.Sqrt(2 / Math.PI), Unit), Unit), Unit, Unit), from, to),
        UnaryFunction.Exp => FixedMath.Exp(x, from, to),
        UnaryFunction.Sqrt => FixedMath.Sqrt(Math.Max(x, 0), from, to),
        _ => throw new ArgumentOutOfRangeException(nameof(function), function, "unknown function"),
    };

    // x * (1 + y) / 2 of y with 30 bits.
    private static long Half(long x, long y, int from, int to) => FixedMath.Multiply(x, (1L << Unit) + y, from + Unit + 1 - to);

    private static long Cubic(long x, int from)
    {
        var near = Math.Clamp(x, -8L << from, 8L << from);
        var square = FixedMath.Multiply(near, near, (2 * from) - Unit);
        return FixedMath.Multiply(near, (1L << Unit) + FixedMath.Multiply(square, NumberConversion.ToFixed(0.044715, Unit), Unit), from);
    }
}
