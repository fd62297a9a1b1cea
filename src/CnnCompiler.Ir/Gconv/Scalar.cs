using CnnCompiler.Core;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Ir.Gconv;

/// <summary>Short names for building scalar programs.</summary>
public static class Scalar
{
    /// <summary>The input element, or pre's result.</summary>
    public static readonly ScalarExpression Input = new ScalarInput();

    /// <summary>The kernel element.</summary>
    public static readonly ScalarExpression Kernel = new ScalarKernel();

    /// <summary>The reduced value.</summary>
    public static readonly ScalarExpression Accumulator = new ScalarAccumulator();

    /// <summary>The number of taps that were not skipped.</summary>
    public static readonly ScalarExpression TapCount = new ScalarTapCount();

    /// <summary>An element of a further operand.</summary>
    public static ScalarExpression Extra(int index) => new ScalarExtra(index);

    /// <summary>A real constant.</summary>
    public static ScalarExpression Real(double value) => new ScalarReal(value);

    /// <summary>left / right, reals.</summary>
    public static ScalarExpression Quotient(ScalarExpression left, ScalarExpression right) => new ScalarBinary(ScalarBinaryOperator.Quotient, left, right);

    /// <summary>The larger.</summary>
    public static ScalarExpression Maximum(ScalarExpression left, ScalarExpression right) => new ScalarBinary(ScalarBinaryOperator.Maximum, left, right);

    /// <summary>The smaller.</summary>
    public static ScalarExpression Minimum(ScalarExpression left, ScalarExpression right) => new ScalarBinary(ScalarBinaryOperator.Minimum, left, right);

    /// <summary>An element of a table.</summary>
    public static ScalarExpression Lookup(int extra, ScalarExpression offset) => new ScalarLookup(extra, offset);

    /// <summary>A function of the closed set.</summary>
    public static ScalarExpression Call(ScalarFunction function, params ReadOnlySpan<ScalarExpression> arguments) => new ScalarCall(function, EquatableArray.Create(arguments));

    /// <summary>whenNotNegative where condition is 0 or more, otherwise else.</summary>
    public static ScalarExpression Select(ScalarExpression condition, ScalarExpression whenNotNegative, ScalarExpression otherwise) =>
        Call(ScalarFunction.Select, condition, whenNotNegative, otherwise);

    /// <summary>value clamped to [low, high], reals.</summary>
    public static ScalarExpression Clamp(ScalarExpression value, double low, double high) => new ScalarClamp(value, Real(low), Real(high));

    /// <summary>A constant.</summary>
    public static ScalarExpression Literal(long value) => new ScalarLiteral(value);

    /// <summary>left + right.</summary>
    public static ScalarExpression Add(ScalarExpression left, ScalarExpression right) => new ScalarBinary(ScalarBinaryOperator.Add, left, right);

    /// <summary>left - right.</summary>
    public static ScalarExpression Subtract(ScalarExpression left, ScalarExpression right) => new ScalarBinary(ScalarBinaryOperator.Subtract, left, right);

    /// <summary>left * right.</summary>
    public static ScalarExpression Multiply(ScalarExpression left, ScalarExpression right) => new ScalarBinary(ScalarBinaryOperator.Multiply, left, right);

    /// <summary>value shifted left by <paramref name="bits"/>.</summary>
    public static ScalarExpression ShiftLeft(ScalarExpression value, int bits) => new ScalarBinary(ScalarBinaryOperator.ShiftLeft, value, Literal(bits));

    /// <summary>dividend / divisor to the nearest, half away from zero.</summary>
    public static ScalarExpression Divide(ScalarExpression dividend, ScalarExpression divisor) =>
        new ScalarBinary(ScalarBinaryOperator.DivideRoundHalfAway, dividend, divisor);

    /// <summary>Requantisation by a factor.</summary>
    public static ScalarExpression Requantize(RoundingScheme rounding, ScalarExpression value, ScalarExpression multiplier, ScalarExpression shift) =>
        new ScalarRequantize(rounding, value, multiplier, shift);

    /// <summary>value clamped to [low, high].</summary>
    public static ScalarExpression Clamp(ScalarExpression value, long low, long high) => new ScalarClamp(value, Literal(low), Literal(high));
}
