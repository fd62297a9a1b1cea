using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>Operations of scalar programs on reals (binary64, kept as their bits), in fixed point, and ONNX's requantisation: each by its definition in <c>CnnCompiler.Primitives.Arithmetic</c> or System.Math.</summary>
internal static class ScalarFunctions
{
    /// <summary>The value of an operation above <see cref="ScalarOpcode.Clamp"/>; 0 and a fault where it has none.</summary>
    public static long Apply(ScalarOpcode opcode, ReadOnlySpan<long> operands, ref string? fault)
    {
        var a = operands[0];
        return opcode switch
        {
            ScalarOpcode.AddReal => Bits(X(a) + X(operands[1])),
            ScalarOpcode.SubtractReal => Bits(X(a) - X(operands[1])),
            ScalarOpcode.MultiplyReal => Bits(X(a) * X(operands[1])),
            ScalarOpcode.MaximumReal => Bits(Math.Max(X(a), X(operands[1]))),
            ScalarOpcode.MinimumReal => Bits(Math.Min(X(a), X(operands[1]))),
            ScalarOpcode.QuotientReal => Bits(X(a) / X(operands[1])),
            ScalarOpcode.ClampReal => Bits(Math.Min(Math.Max(X(a), X(operands[1])), X(operands[2]))),
            ScalarOpcode.Select => a >= 0 ? operands[1] : operands[2],
            ScalarOpcode.SelectReal => X(a) >= 0 ? operands[1] : operands[2],
            ScalarOpcode.ToReal => Bits(a),
            ScalarOpcode.Single => Bits((float)X(a)),
            ScalarOpcode.RoundHalfEven => Whole(Math.Round(X(a), MidpointRounding.ToEven), ref fault),
            ScalarOpcode.RoundHalfAway => Whole(Math.Round(X(a), MidpointRounding.AwayFromZero), ref fault),
            ScalarOpcode.Exp => Bits(Math.Exp(X(a))),
            ScalarOpcode.Log => Bits(Math.Log(X(a))),
            ScalarOpcode.Sqrt => Bits(Math.Sqrt(X(a))),
            ScalarOpcode.Tanh => Bits(Math.Tanh(X(a))),
            ScalarOpcode.Power => Bits(Math.Pow(X(a), X(operands[1]))),
            ScalarOpcode.Erf => Bits(ErrorFunction.Erf(X(a))),
            ScalarOpcode.ShiftRight => In(operands[1], 0, 63, ref fault) ? a >> (int)operands[1] : 0,
            ScalarOpcode.ShiftRightRound => In(operands[1], 0, 62, ref fault) ? ShiftRightRound(a, (int)operands[1], ref fault) : 0,
            ScalarOpcode.FloorDivide => In(operands[1], 1, long.MaxValue, ref fault) ? (a / operands[1]) - (a % operands[1] < 0 ? 1 : 0) : 0,
            ScalarOpcode.HalfEvenScale => In(a, int.MinValue, int.MaxValue, ref fault) && Scales(operands[1..4], ref fault)
                ? new HalfEvenFactor((float)X(operands[1]), (float)X(operands[2]), (float)X(operands[3])).Apply((int)a)
                : 0,
            ScalarOpcode.HalfEvenSum => In(a, int.MinValue, int.MaxValue, ref fault) && In(operands[1], int.MinValue, int.MaxValue, ref fault) && Scales(operands[2..5], ref fault)
                ? HalfEvenAddition.Sum((int)a, (int)operands[1], (float)X(operands[2]), (float)X(operands[3]), (float)X(operands[4]))
                : 0,
            ScalarOpcode.FixedMultiply => In(operands[2], -60, 126, ref fault) ? FixedMath.Multiply(a, operands[1], (int)operands[2]) : 0,
            ScalarOpcode.FixedDivide => In(operands[2], 0, FixedMath.MaximumFraction, ref fault) && NotZero(operands[1], ref fault) ? FixedMath.Divide(a, operands[1], (int)operands[2]) : 0,
            _ => In(operands[1], 0, FixedMath.MaximumFraction, ref fault) && In(operands[2], 0, FixedMath.MaximumFraction, ref fault) ? Fixed(opcode, a, (int)operands[1], (int)operands[2], ref fault) : 0,
        };
    }

    private static long Fixed(ScalarOpcode opcode, long x, int from, int to, ref string? fault) => opcode switch
    {
        ScalarOpcode.FixedExp => FixedMath.Exp(x, from, to),
        ScalarOpcode.FixedLog => In(x, 1, long.MaxValue, ref fault) ? FixedMath.Log(x, from, to) : 0,
        ScalarOpcode.FixedSqrt => In(x, 0, FixedMath.Largest, ref fault) && In(to, 0, FixedMath.MaximumRootFraction, ref fault) ? FixedMath.Sqrt(x, from, to) : 0,
        ScalarOpcode.FixedReciprocalSqrt => In(x, 1, long.MaxValue, ref fault) && In(to, 0, FixedMath.MaximumRootFraction, ref fault) ? FixedMath.ReciprocalSqrt(x, from, to) : 0,
        ScalarOpcode.FixedLogistic => FixedMath.Logistic(x, from, to),
        ScalarOpcode.FixedTanh => FixedMath.Tanh(x, from, to),
        ScalarOpcode.FixedErf => FixedMath.Erf(x, from, to),
        _ => throw new InvalidOperationException($"no case for {opcode}"),
    };

    private static long ShiftRightRound(long a, int bits, ref string? fault)
    {
        if (bits == 0)
        {
            return a;
        }

        var sum = (Int128)a + (1L << (bits - 1));
        fault ??= sum == (long)sum ? null : "a value does not fit 64 bits";
        return (long)(sum >> bits);
    }

    private static long Whole(double value, ref string? fault)
    {
        if (value is >= -9223372036854775808.0 and < 9223372036854775808.0)
        {
            return (long)value;
        }

        fault ??= "a number is no integer of 64 bits";
        return 0;
    }

    private static bool Scales(ReadOnlySpan<long> scales, ref string? fault)
    {
        foreach (var scale in scales)
        {
            if (!(double.IsFinite(X(scale)) && X(scale) > 0 && X(scale) == (float)X(scale)))
            {
                fault ??= "a scale is no positive binary32 number";
                return false;
            }
        }

        return true;
    }

    private static bool NotZero(long value, ref string? fault)
    {
        fault ??= value == 0 ? "a divisor is 0" : null;
        return value != 0;
    }

    private static bool In(long value, long low, long high, ref string? fault)
    {
        if (value >= low && value <= high)
        {
            return true;
        }

        fault ??= "an operand of a function is outside its range";
        return false;
    }

    private static double X(long bits) => BitConverter.Int64BitsToDouble(bits);

    private static long Bits(double value) => BitConverter.DoubleToInt64Bits(value);
}
