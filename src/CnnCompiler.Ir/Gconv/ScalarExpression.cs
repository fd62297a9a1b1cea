namespace CnnCompiler.Ir.Gconv;

/// <summary>
/// A scalar program of a slot: an expression tree over 64-bit integers whose every operation has an exact definition. Values that an operation
/// defines in 32 bits (the requantisation steps) are checked to fit by the evaluators.
/// </summary>
public abstract record ScalarExpression;

/// <summary>The input element (in pre), or pre's result (in main).</summary>
public sealed record ScalarInput : ScalarExpression;

/// <summary>The kernel element (in main).</summary>
public sealed record ScalarKernel : ScalarExpression;

/// <summary>The reduced value (in post).</summary>
public sealed record ScalarAccumulator : ScalarExpression;

/// <summary>The number of taps that were not skipped (in post).</summary>
public sealed record ScalarTapCount : ScalarExpression;

/// <summary>An element of a further operand.</summary>
/// <param name="Index">Index into the operator's extra operands.</param>
public sealed record ScalarExtra(int Index) : ScalarExpression;

/// <summary>A constant.</summary>
/// <param name="Value">The value.</param>
public sealed record ScalarLiteral(long Value) : ScalarExpression;

/// <summary>Binary operations.</summary>
public enum ScalarBinaryOperator
{
    /// <summary>a + b.</summary>
    Add,

    /// <summary>a - b.</summary>
    Subtract,

    /// <summary>a * b.</summary>
    Multiply,

    /// <summary>max(a, b).</summary>
    Maximum,

    /// <summary>min(a, b).</summary>
    Minimum,

    /// <summary>a shifted left by b.</summary>
    ShiftLeft,

    /// <summary>a / b to the nearest, half away from zero (<c>int8-arithmetic.md</c> section 3.6).</summary>
    DivideRoundHalfAway,
}

/// <summary>A binary operation.</summary>
public sealed record ScalarBinary(ScalarBinaryOperator Operator, ScalarExpression Left, ScalarExpression Right) : ScalarExpression;

/// <summary>
/// MultiplyByQuantizedMultiplier(value, multiplier, shift) under a rounding scheme (<c>int8-arithmetic.md</c> section 3.2): 32-bit operands,
/// shift above 0 is a left shift before, below 0 a rounding right shift after the multiplication.
/// </summary>
/// <param name="Rounding">Scheme: <see cref="Network.RoundingScheme.TfliteDouble"/> or <see cref="Network.RoundingScheme.TfliteSingle"/>.</param>
/// <param name="Value">int32 value.</param>
/// <param name="Multiplier">q31 multiplier.</param>
/// <param name="Shift">Shift.</param>
public sealed record ScalarRequantize(Network.RoundingScheme Rounding, ScalarExpression Value, ScalarExpression Multiplier, ScalarExpression Shift) : ScalarExpression;

/// <summary>value clamped to [low, high].</summary>
public sealed record ScalarClamp(ScalarExpression Value, ScalarExpression Low, ScalarExpression High) : ScalarExpression;

/// <summary>The one dispatch over scalar expressions.</summary>
public static class ScalarExpressionMatch
{
    /// <summary>Calls the case of the expression's kind.</summary>
    public static T Match<T>(
        this ScalarExpression expression,
        Func<T> input,
        Func<T> kernel,
        Func<T> accumulator,
        Func<T> tapCount,
        Func<int, T> extra,
        Func<long, T> literal,
        Func<ScalarBinary, T> binary,
        Func<ScalarRequantize, T> requantize,
        Func<ScalarClamp, T> clamp) => expression switch
        {
            ScalarInput => input(),
            ScalarKernel => kernel(),
            ScalarAccumulator => accumulator(),
            ScalarTapCount => tapCount(),
            ScalarExtra e => extra(e.Index),
            ScalarLiteral e => literal(e.Value),
            ScalarBinary e => binary(e),
            ScalarRequantize e => requantize(e),
            ScalarClamp e => clamp(e),
            _ => throw new InvalidOperationException($"no case for {expression.GetType().Name}"),
        };
}
