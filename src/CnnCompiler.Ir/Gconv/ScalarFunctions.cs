using CnnCompiler.Core;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Gconv;

/// <summary>The functions of scalar programs, a closed set. Names in text, parameters and meaning stand in <see cref="ScalarFunctions"/>.</summary>
public enum ScalarFunction
{
    /// <summary>a where c is 0 or more, b else; both are worked out.</summary>
    Select,

    /// <summary>An integer as a real: the nearest, ties to even.</summary>
    Real,

    /// <summary>A real rounded to binary32.</summary>
    Single,

    /// <summary>A real to the nearest integer, ties to even.</summary>
    RoundHalfEven,

    /// <summary>A real to the nearest integer, ties away from zero.</summary>
    RoundHalfAway,

    /// <summary>e to the power of x.</summary>
    Exp,

    /// <summary>Natural logarithm.</summary>
    Log,

    /// <summary>Square root.</summary>
    Sqrt,

    /// <summary>Hyperbolic tangent.</summary>
    Tanh,

    /// <summary>x to the power of y.</summary>
    Power,

    /// <summary>The error function: <see cref="ErrorFunction"/>.</summary>
    Erf,

    /// <summary>a shifted right by b, the floor.</summary>
    ShiftRight,

    /// <summary>(a + 2^(b - 1)) shifted right by b: to the nearest, ties up; a where b is 0.</summary>
    ShiftRightRound,

    /// <summary>The floor of a / b.</summary>
    FloorDivide,

    /// <summary>ONNX requantisation of an accumulator: <see cref="HalfEvenFactor"/>.</summary>
    HalfEvenScale,

    /// <summary>ONNX addition: <see cref="HalfEvenAddition"/>.</summary>
    HalfEvenSum,

    /// <summary><see cref="FixedMath.Multiply"/>.</summary>
    FixedMultiply,

    /// <summary><see cref="FixedMath.Divide"/>.</summary>
    FixedDivide,

    /// <summary><see cref="FixedMath.Exp"/>.</summary>
    FixedExp,

    /// <summary><see cref="FixedMath.Log"/>.</summary>
    FixedLog,

    /// <summary><see cref="FixedMath.Sqrt"/>.</summary>
    FixedSqrt,

    /// <summary><see cref="FixedMath.ReciprocalSqrt"/>.</summary>
    FixedReciprocalSqrt,

    /// <summary><see cref="FixedMath.Logistic"/>.</summary>
    FixedLogistic,

    /// <summary><see cref="FixedMath.Tanh"/>.</summary>
    FixedTanh,

    /// <summary><see cref="FixedMath.Erf"/>.</summary>
    FixedErf,
}

/// <summary>A parameter of a function.</summary>
/// <param name="Name">Its name in documentation.</param>
/// <param name="Type">What it is; null where all parameters without a type are of one that the caller chooses.</param>
public sealed record ScalarParameter(string Name, ScalarType? Type);

/// <summary>A function of scalar programs.</summary>
/// <param name="Function">Which.</param>
/// <param name="Name">Its name in text.</param>
/// <param name="Parameters">Parameters in order.</param>
/// <param name="Result">What it yields; null for the type of the parameters that have none.</param>
/// <param name="Summary">What it does, in one sentence.</param>
public sealed record ScalarFunctionInfo(ScalarFunction Function, string Name, EquatableArray<ScalarParameter> Parameters, ScalarType? Result, string Summary);

/// <summary>Definition of each <see cref="ScalarFunction"/>: text, compiler, verifier, evaluator and documentation take it from here.</summary>
public static class ScalarFunctions
{
    private const ScalarType Integer = ScalarType.Integer;
    private const ScalarType Real = ScalarType.Real;

    // In the order of the enumeration.
    private static readonly ScalarFunctionInfo[] Table =
    [
        new(ScalarFunction.Select, "select", [new("c", null), new("a", null), new("b", null)], null, "a where c is 0 or more, b else (a condition that is not a number is not); both are worked out"),
        new(ScalarFunction.Real, "real", [new("a", Integer)], Real, "a as binary64, to the nearest, ties to even"),
        new(ScalarFunction.Single, "single", [new("x", Real)], Real, "x rounded to binary32"),
        new(ScalarFunction.RoundHalfEven, "round_half_even", [new("x", Real)], Integer, "x to the nearest integer, ties to even; a fault where that exceeds 64 bits or x is not a number"),
        new(ScalarFunction.RoundHalfAway, "round_half_away", [new("x", Real)], Integer, "x to the nearest integer, ties away from zero; a fault where that exceeds 64 bits or x is not a number"),
        new(ScalarFunction.Exp, "exp", [new("x", Real)], Real, "e to the power of x, by System.Math"),
        new(ScalarFunction.Log, "log", [new("x", Real)], Real, "natural logarithm, by System.Math"),
        new(ScalarFunction.Sqrt, "sqrt", [new("x", Real)], Real, "square root, correctly rounded"),
        new(ScalarFunction.Tanh, "tanh", [new("x", Real)], Real, "hyperbolic tangent, by System.Math"),
        new(ScalarFunction.Power, "power", [new("x", Real), new("y", Real)], Real, "x to the power of y, by System.Math"),
        new(ScalarFunction.Erf, "erf", [new("x", Real)], Real, "the error function, by ErrorFunction.Erf"),
        new(ScalarFunction.ShiftRight, "shift_right", [new("a", Integer), new("b", Integer)], Integer, "the floor of a / 2^b, b from 0 to 63"),
        new(ScalarFunction.ShiftRightRound, "shift_right_round", [new("a", Integer), new("b", Integer)], Integer, "the floor of (a + 2^(b - 1)) / 2^b, a where b is 0; b from 0 to 62"),
        new(ScalarFunction.FloorDivide, "floor_divide", [new("a", Integer), new("b", Integer)], Integer, "the floor of a / b, b at least 1"),
        new(ScalarFunction.HalfEvenScale, "half_even_scale", [new("a", Integer), new("s_in", Real), new("s_w", Real), new("s_out", Real)], Integer, "a * s_in * s_w / s_out of the exact rational, ties to even, saturated to 32 bits; the scales are binary32"),
        new(ScalarFunction.HalfEvenSum, "half_even_sum", [new("a", Integer), new("b", Integer), new("s_a", Real), new("s_b", Real), new("s_out", Real)], Integer, "(a * s_a + b * s_b) / s_out of the exact rational, ties to even, saturated to 32 bits; the scales are binary32"),
        new(ScalarFunction.FixedMultiply, "fixed_multiply", [new("a", Integer), new("b", Integer), new("bits", Integer)], Integer, "a * b / 2^bits to the nearest, half up; bits from -60 to 126"),
        new(ScalarFunction.FixedDivide, "fixed_divide", [new("a", Integer), new("b", Integer), new("to", Integer)], Integer, "a / b * 2^to to the nearest, half away from zero; b not 0"),
        Fixed(ScalarFunction.FixedExp, "fixed_exp", "e to the power of x"),
        Fixed(ScalarFunction.FixedLog, "fixed_log", "the natural logarithm of x, above 0"),
        Fixed(ScalarFunction.FixedSqrt, "fixed_sqrt", "the square root of x, 0 or more; to at most 30"),
        Fixed(ScalarFunction.FixedReciprocalSqrt, "fixed_rsqrt", "1 over the square root of x, above 0; to at most 30"),
        Fixed(ScalarFunction.FixedLogistic, "fixed_logistic", "1 / (1 + e to the power of -x)"),
        Fixed(ScalarFunction.FixedTanh, "fixed_tanh", "the hyperbolic tangent of x"),
        Fixed(ScalarFunction.FixedErf, "fixed_erf", "the error function of x"),
    ];

    private static readonly Dictionary<string, ScalarFunctionInfo> ByName = Table.ToDictionary(info => info.Name, StringComparer.Ordinal);

    /// <summary>All functions in the order of the enumeration.</summary>
    public static IReadOnlyList<ScalarFunctionInfo> All => Table;

    /// <summary>Definition of a function.</summary>
    public static ScalarFunctionInfo Of(ScalarFunction function) => Table[(int)function];

    /// <summary>The function of a name, or null.</summary>
    public static ScalarFunctionInfo? Find(string name) => ByName.GetValueOrDefault(name);

    /// <summary>The value of a function.</summary>
    /// <param name="function">The function.</param>
    /// <param name="real">Whether the parameters of no stated type are reals.</param>
    /// <param name="arguments">The arguments: integers, or bits of reals.</param>
    /// <param name="fault">Set where it has no value.</param>
    internal static long Apply(ScalarFunction function, bool real, ReadOnlySpan<long> arguments, ref ScalarFault fault)
    {
        var a = arguments[0];
        switch (function)
        {
            case ScalarFunction.Select:
                return (real ? X(a) >= 0 : a >= 0) ? arguments[1] : arguments[2];
            case ScalarFunction.Real:
                return Bits(a);
            case ScalarFunction.Single:
                return Bits((float)X(a));
            case ScalarFunction.RoundHalfEven:
                return Whole(Math.Round(X(a), MidpointRounding.ToEven), ref fault);
            case ScalarFunction.RoundHalfAway:
                return Whole(Math.Round(X(a), MidpointRounding.AwayFromZero), ref fault);
            case ScalarFunction.Exp:
                return Bits(Math.Exp(X(a)));
            case ScalarFunction.Log:
                return Bits(Math.Log(X(a)));
            case ScalarFunction.Sqrt:
                return Bits(Math.Sqrt(X(a)));
            case ScalarFunction.Tanh:
                return Bits(Math.Tanh(X(a)));
            case ScalarFunction.Power:
                return Bits(Math.Pow(X(a), X(arguments[1])));
            case ScalarFunction.ShiftRight:
                return InRange(arguments[1], 0, 63, ScalarFault.Shift, ref fault) ? a >> (int)arguments[1] : 0;
            case ScalarFunction.ShiftRightRound:
                return InRange(arguments[1], 0, 62, ScalarFault.Shift, ref fault) ? ShiftRightRound(a, (int)arguments[1], ref fault) : 0;
            case ScalarFunction.FloorDivide:
                return InRange(arguments[1], 1, long.MaxValue, ScalarFault.Divisor, ref fault) ? FloorDivide(a, arguments[1]) : 0;
            case ScalarFunction.HalfEvenScale:
                return HalfEvenScale(a, X(arguments[1]), X(arguments[2]), X(arguments[3]), ref fault);
            case ScalarFunction.Erf:
                return Bits(ErrorFunction.Erf(X(a)));
            case ScalarFunction.HalfEvenSum:
                return HalfEvenSum(a, arguments[1], X(arguments[2]), X(arguments[3]), X(arguments[4]), ref fault);
            case ScalarFunction.FixedMultiply:
                return InRange(arguments[2], -60, 126, ScalarFault.Shift, ref fault) ? FixedMath.Multiply(a, arguments[1], (int)arguments[2]) : 0;
            case ScalarFunction.FixedDivide:
                return InFraction(arguments[2], ref fault) && NotZero(arguments[1], ref fault) ? FixedMath.Divide(a, arguments[1], (int)arguments[2]) : 0;
            default:
                return InFraction(arguments[1], ref fault) && InFraction(arguments[2], ref fault) ? ApplyFixed(function, a, (int)arguments[1], (int)arguments[2], ref fault) : 0;
        }
    }

    private static long ApplyFixed(ScalarFunction function, long x, int from, int to, ref ScalarFault fault)
    {
        switch (function)
        {
            case ScalarFunction.FixedExp:
                return FixedMath.Exp(x, from, to);
            case ScalarFunction.FixedLog:
                return InRange(x, 1, long.MaxValue, ScalarFault.Domain, ref fault) ? FixedMath.Log(x, from, to) : 0;
            case ScalarFunction.FixedSqrt:
                return InRange(x, 0, FixedMath.Largest, ScalarFault.Domain, ref fault) && InRange(to, 0, FixedMath.MaximumRootFraction, ScalarFault.Shift, ref fault) ? FixedMath.Sqrt(x, from, to) : 0;
            case ScalarFunction.FixedReciprocalSqrt:
                return InRange(x, 1, long.MaxValue, ScalarFault.Domain, ref fault) && InRange(to, 0, FixedMath.MaximumRootFraction, ScalarFault.Shift, ref fault) ? FixedMath.ReciprocalSqrt(x, from, to) : 0;
            case ScalarFunction.FixedLogistic:
                return FixedMath.Logistic(x, from, to);
            case ScalarFunction.FixedTanh:
                return FixedMath.Tanh(x, from, to);
            default:
                return FixedMath.Erf(x, from, to);
        }
    }

    private static ScalarFunctionInfo Fixed(ScalarFunction function, string name, string summary) => new(
        function,
        name,
        [new("x", Integer), new("from", Integer), new("to", Integer)],
        Integer,
        $"{summary}: x has `from` bits after the binary point, the result `to` (0 to 60 each)");

    private static bool InFraction(long bits, ref ScalarFault fault) => InRange(bits, 0, FixedMath.MaximumFraction, ScalarFault.Shift, ref fault);

    private static bool NotZero(long value, ref ScalarFault fault)
    {
        if (value == 0)
        {
            ScalarProgram.Set(ref fault, ScalarFault.Divisor);
        }

        return value != 0;
    }

    private static long ShiftRightRound(long a, int b, ref ScalarFault fault) => b == 0 ? a : ScalarProgram.Add(a, 1L << (b - 1), ref fault) >> b;

    private static long FloorDivide(long a, long b) => a / b - (a % b < 0 ? 1 : 0);

    private static long Whole(double value, ref ScalarFault fault)
    {
        if (value is >= -9223372036854775808.0 and < 9223372036854775808.0)
        {
            return (long)value;
        }

        ScalarProgram.Set(ref fault, ScalarFault.NotInteger);
        return 0;
    }

    private static long HalfEvenScale(long a, double input, double weight, double output, ref ScalarFault fault) =>
        Int32(a, ref fault) && Scale(input, ref fault) && Scale(weight, ref fault) && Scale(output, ref fault)
            ? new HalfEvenFactor((float)input, (float)weight, (float)output).Apply((int)a)
            : 0;

    private static long HalfEvenSum(long a, long b, double first, double second, double output, ref ScalarFault fault) =>
        Int32(a, ref fault) && Int32(b, ref fault) && Scale(first, ref fault) && Scale(second, ref fault) && Scale(output, ref fault)
            ? HalfEvenAddition.Sum((int)a, (int)b, (float)first, (float)second, (float)output)
            : 0;

    private static bool Int32(long value, ref ScalarFault fault) => InRange(value, int.MinValue, int.MaxValue, ScalarFault.NotInt32, ref fault);

    private static bool Scale(double value, ref ScalarFault fault)
    {
        if (double.IsFinite(value) && value > 0 && value == (float)value)
        {
            return true;
        }

        ScalarProgram.Set(ref fault, ScalarFault.Domain);
        return false;
    }

    private static bool InRange(long value, long low, long high, ScalarFault otherwise, ref ScalarFault fault)
    {
        if (value >= low && value <= high)
        {
            return true;
        }

        ScalarProgram.Set(ref fault, otherwise);
        return false;
    }

    private static double X(long bits) => ScalarProgram.Real(bits);

    private static long Bits(double value) => ScalarProgram.Bits(value);
}
