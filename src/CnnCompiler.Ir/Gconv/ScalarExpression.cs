using CnnCompiler.Core;

namespace CnnCompiler.Ir.Gconv;

/// <summary>What a scalar value is.</summary>
public enum ScalarType
{
    /// <summary>A 64-bit integer; what does not fit is a fault. Elements of integer tensors.</summary>
    Integer,

    /// <summary>IEEE binary64. Elements of f32 and f64 tensors, widened.</summary>
    Real,
}

/// <summary>
/// A scalar program of a slot: an expression tree over 64-bit integers and binary64 numbers whose every operation has an exact definition. Values that an operation
/// defines in 32 bits (the requantisation steps) are checked to fit by the evaluators. Integers and reals do not mix but by the conversions of <see cref="ScalarFunction"/>.
/// </summary>
public abstract record ScalarExpression;

/// <summary>The input element (in pre), or pre's result (in main).</summary>
public sealed record ScalarInput : ScalarExpression;

/// <summary>The kernel element (in main).</summary>
public sealed record ScalarKernel : ScalarExpression;

/// <summary>The reduced value (in post).</summary>
public sealed record ScalarAccumulator : ScalarExpression;

/// <summary>The number of taps that were not skipped (in post); an integer.</summary>
public sealed record ScalarTapCount : ScalarExpression;

/// <summary>An element of a further operand.</summary>
/// <param name="Index">Index into the operator's extra operands.</param>
public sealed record ScalarExtra(int Index) : ScalarExpression;

/// <summary>An integer constant.</summary>
/// <param name="Value">The value.</param>
public sealed record ScalarLiteral(long Value) : ScalarExpression;

/// <summary>A real constant.</summary>
/// <param name="Value">The value.</param>
public sealed record ScalarReal(double Value) : ScalarExpression;

/// <summary>
/// An element of a table: of the further operand <paramref name="Extra"/>, the element <paramref name="Offset"/> places after the one its index names, in row-major order, and no further than
/// the end of that row (its last dimension). An 8-bit function is a table of 256 elements. A further operand is either looked up in or used as it is.
/// </summary>
/// <param name="Extra">Index into the operator's extra operands.</param>
/// <param name="Offset">An integer, 0 or more.</param>
public sealed record ScalarLookup(int Extra, ScalarExpression Offset) : ScalarExpression;

/// <summary>Binary operations. All but the last three are of integers or of reals.</summary>
public enum ScalarBinaryOperator
{
    /// <summary>a + b.</summary>
    Add,

    /// <summary>a - b.</summary>
    Subtract,

    /// <summary>a * b.</summary>
    Multiply,

    /// <summary>max(a, b); of reals that of IEEE 754-2019 (not a number if either is).</summary>
    Maximum,

    /// <summary>min(a, b).</summary>
    Minimum,

    /// <summary>a shifted left by b; integers.</summary>
    ShiftLeft,

    /// <summary>a / b to the nearest, half away from zero (<c>int8-arithmetic.md</c> section 3.6); integers.</summary>
    DivideRoundHalfAway,

    /// <summary>a / b; reals.</summary>
    Quotient,
}

/// <summary>A binary operation.</summary>
public sealed record ScalarBinary(ScalarBinaryOperator Operator, ScalarExpression Left, ScalarExpression Right) : ScalarExpression;

/// <summary>
/// MultiplyByQuantizedMultiplier(value, multiplier, shift) under a rounding scheme (<c>int8-arithmetic.md</c> section 3.2): 32-bit operands,
/// shift above 0 is a left shift before, below 0 a rounding right shift after the multiplication.
/// </summary>
/// <param name="Rounding">Scheme: <see cref="Network.RoundingScheme.TfliteDouble"/> or <see cref="Network.RoundingScheme.TfliteSingle"/>; the ONNX one is <see cref="ScalarFunction.HalfEvenScale"/>.</param>
/// <param name="Value">int32 value.</param>
/// <param name="Multiplier">q31 multiplier.</param>
/// <param name="Shift">Shift.</param>
public sealed record ScalarRequantize(Network.RoundingScheme Rounding, ScalarExpression Value, ScalarExpression Multiplier, ScalarExpression Shift) : ScalarExpression;

/// <summary>value clamped to [low, high]; integers or reals (a value that is not a number stays so).</summary>
public sealed record ScalarClamp(ScalarExpression Value, ScalarExpression Low, ScalarExpression High) : ScalarExpression;

/// <summary>A function of the closed set that <see cref="ScalarFunctions"/> defines.</summary>
/// <param name="Function">The function.</param>
/// <param name="Arguments">As many arguments as it takes.</param>
public sealed record ScalarCall(ScalarFunction Function, EquatableArray<ScalarExpression> Arguments) : ScalarExpression;

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
        Func<double, T> real,
        Func<ScalarLookup, T> lookup,
        Func<ScalarBinary, T> binary,
        Func<ScalarRequantize, T> requantize,
        Func<ScalarClamp, T> clamp,
        Func<ScalarCall, T> call) => expression switch
        {
            ScalarInput => input(),
            ScalarKernel => kernel(),
            ScalarAccumulator => accumulator(),
            ScalarTapCount => tapCount(),
            ScalarExtra e => extra(e.Index),
            ScalarLiteral e => literal(e.Value),
            ScalarReal e => real(e.Value),
            ScalarLookup e => lookup(e),
            ScalarBinary e => binary(e),
            ScalarRequantize e => requantize(e),
            ScalarClamp e => clamp(e),
            ScalarCall e => call(e),
            _ => throw new InvalidOperationException($"no case for {expression.GetType().Name}"),
        };

    /// <summary>Indices of the further operands that an expression looks up in.</summary>
    public static IEnumerable<int> Tables(this ScalarExpression expression) => expression.Match<IEnumerable<int>>(
        input: () => [],
        kernel: () => [],
        accumulator: () => [],
        tapCount: () => [],
        extra: _ => [],
        literal: _ => [],
        real: _ => [],
        lookup: e => e.Offset.Tables().Prepend(e.Extra),
        binary: e => e.Left.Tables().Concat(e.Right.Tables()),
        requantize: e => e.Value.Tables().Concat(e.Multiplier.Tables()).Concat(e.Shift.Tables()),
        clamp: e => e.Value.Tables().Concat(e.Low.Tables()).Concat(e.High.Tables()),
        call: e => e.Arguments.SelectMany(argument => argument.Tables()));
}
