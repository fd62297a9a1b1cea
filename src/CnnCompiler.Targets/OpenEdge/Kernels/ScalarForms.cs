using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>A requantisation as the array does it: clamp(requantize(value, multiplier, shift) + zero point, low, high), two roundings.</summary>
/// <param name="Value">What is requantised.</param>
/// <param name="Multiplier">q31 multiplier.</param>
/// <param name="Shift">Shift.</param>
/// <param name="ZeroPoint">Zero point of the result.</param>
/// <param name="Low">Lowest code.</param>
/// <param name="High">Highest code.</param>
public sealed record RequantizeForm(ScalarExpression Value, ScalarExpression Multiplier, ScalarExpression Shift, int ZeroPoint, int Low, int High);

/// <summary>Recognises the scalar programs that kernels execute, and writes them.</summary>
public static class ScalarForms
{
    /// <summary>A clamp to literals, or null.</summary>
    public static (ScalarExpression Value, int Low, int High)? AsClamp(ScalarExpression expression) =>
        expression is ScalarClamp { Value: var value, Low: ScalarLiteral low, High: ScalarLiteral high } ? (value, (int)low.Value, (int)high.Value) : null;

    /// <summary>A requantisation under two roundings, or null.</summary>
    public static RequantizeForm? AsRequantize(ScalarExpression expression)
    {
        if (AsClamp(expression) is not var (value, low, high))
        {
            return null;
        }

        var (inner, zero) = value is ScalarBinary { Operator: ScalarBinaryOperator.Add, Left: var left, Right: ScalarLiteral literal }
            ? (left, (int)literal.Value)
            : (value, 0);
        return inner is ScalarRequantize { Rounding: RoundingScheme.TfliteDouble } r ? new(r.Value, r.Multiplier, r.Shift, zero, low, high) : null;
    }

    /// <summary>A rounded division of the accumulator by a literal, clamped, or null.</summary>
    public static (int Divisor, int Low, int High)? AsDivision(ScalarExpression expression) =>
        AsClamp(expression) is var (value, low, high)
        && value is ScalarBinary { Operator: ScalarBinaryOperator.DivideRoundHalfAway, Left: ScalarAccumulator, Right: ScalarLiteral divisor }
            ? ((int)divisor.Value, low, high)
            : null;

    /// <summary>The two terms of a sum, or null.</summary>
    public static (ScalarExpression Left, ScalarExpression Right)? AsSum(ScalarExpression expression) =>
        expression is ScalarBinary { Operator: ScalarBinaryOperator.Add } sum ? (sum.Left, sum.Right) : null;
}
