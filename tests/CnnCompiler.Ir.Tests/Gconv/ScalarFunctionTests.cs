using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Ir.Tests.Gconv;

/// <summary>Values and faults of every scalar function.</summary>
public sealed class ScalarFunctionTests
{
    /// <summary>A program without operands, and its value in text.</summary>
    public static TheoryData<ScalarFunction, ScalarExpression, string> Values => new()
    {
        { ScalarFunction.Select, Call(ScalarFunction.Select, Int(0), Int(5), Int(6)), "5" },
        { ScalarFunction.Select, Call(ScalarFunction.Select, Int(-1), Int(5), Int(6)), "6" },
        { ScalarFunction.Select, Call(ScalarFunction.Select, Real(-0.0), Real(5), Real(6)), "5.0" },
        { ScalarFunction.Select, Call(ScalarFunction.Select, Real(double.NaN), Real(5), Real(6)), "6.0" },
        { ScalarFunction.Real, Call(ScalarFunction.Real, Int(-3)), "-3.0" },
        { ScalarFunction.Real, Call(ScalarFunction.Real, Int((1L << 53) + 3)), "9007199254740996.0" },
        { ScalarFunction.Single, Call(ScalarFunction.Single, Real(0.1)), ((double)0.1f).ToString("R", System.Globalization.CultureInfo.InvariantCulture) },
        { ScalarFunction.RoundHalfEven, Call(ScalarFunction.RoundHalfEven, Real(2.5)), "2" },
        { ScalarFunction.RoundHalfEven, Call(ScalarFunction.RoundHalfEven, Real(-3.5)), "-4" },
        { ScalarFunction.RoundHalfEven, Call(ScalarFunction.RoundHalfEven, Real(9223372036854775808.0)), "NotInteger" },
        { ScalarFunction.RoundHalfAway, Call(ScalarFunction.RoundHalfAway, Real(2.5)), "3" },
        { ScalarFunction.RoundHalfAway, Call(ScalarFunction.RoundHalfAway, Real(-2.5)), "-3" },
        { ScalarFunction.RoundHalfAway, Call(ScalarFunction.RoundHalfAway, Real(double.NaN)), "NotInteger" },
        { ScalarFunction.Exp, Call(ScalarFunction.Exp, Real(0)), "1.0" },
        { ScalarFunction.Log, Call(ScalarFunction.Log, Real(1)), "0.0" },
        { ScalarFunction.Sqrt, Call(ScalarFunction.Sqrt, Real(6.25)), "2.5" },
        { ScalarFunction.Sqrt, Call(ScalarFunction.Sqrt, Real(-1)), "nan" },
        { ScalarFunction.Tanh, Call(ScalarFunction.Tanh, Real(double.PositiveInfinity)), "1.0" },
        { ScalarFunction.Power, Call(ScalarFunction.Power, Real(2), Real(-2)), "0.25" },
        { ScalarFunction.ShiftRight, Call(ScalarFunction.ShiftRight, Int(-5), Int(1)), "-3" },
        { ScalarFunction.ShiftRight, Call(ScalarFunction.ShiftRight, Int(-5), Int(63)), "-1" },
        { ScalarFunction.ShiftRight, Call(ScalarFunction.ShiftRight, Int(-5), Int(64)), "Shift" },
        { ScalarFunction.ShiftRightRound, Call(ScalarFunction.ShiftRightRound, Int(-5), Int(1)), "-2" },
        { ScalarFunction.ShiftRightRound, Call(ScalarFunction.ShiftRightRound, Int(5), Int(1)), "3" },
        { ScalarFunction.ShiftRightRound, Call(ScalarFunction.ShiftRightRound, Int(5), Int(0)), "5" },
        { ScalarFunction.ShiftRightRound, Call(ScalarFunction.ShiftRightRound, Int(long.MaxValue), Int(1)), "Overflow" },
        { ScalarFunction.ShiftRightRound, Call(ScalarFunction.ShiftRightRound, Int(5), Int(-1)), "Shift" },
        { ScalarFunction.FloorDivide, Call(ScalarFunction.FloorDivide, Int(-7), Int(2)), "-4" },
        { ScalarFunction.FloorDivide, Call(ScalarFunction.FloorDivide, Int(-8), Int(2)), "-4" },
        { ScalarFunction.FloorDivide, Call(ScalarFunction.FloorDivide, Int(7), Int(2)), "3" },
        { ScalarFunction.FloorDivide, Call(ScalarFunction.FloorDivide, Int(7), Int(0)), "Divisor" },
        { ScalarFunction.HalfEvenScale, Call(ScalarFunction.HalfEvenScale, Int(5), Real(0.5), Real(1), Real(1)), "2" },
        { ScalarFunction.HalfEvenScale, Call(ScalarFunction.HalfEvenScale, Int(7), Real(0.5), Real(1), Real(1)), "4" },
        { ScalarFunction.HalfEvenScale, Call(ScalarFunction.HalfEvenScale, Int(1L << 31), Real(0.5), Real(1), Real(1)), "NotInt32" },
        { ScalarFunction.HalfEvenScale, Call(ScalarFunction.HalfEvenScale, Int(1), Real(0.1), Real(1), Real(1)), "Domain" },
        { ScalarFunction.HalfEvenScale, Call(ScalarFunction.HalfEvenScale, Int(1), Real(1), Real(0), Real(1)), "Domain" },
        { ScalarFunction.HalfEvenSum, Call(ScalarFunction.HalfEvenSum, Int(3), Int(4), Real(0.5), Real(0.25), Real(1)), "2" },
        { ScalarFunction.HalfEvenSum, Call(ScalarFunction.HalfEvenSum, Int(3), Int(8), Real(0.5), Real(0.25), Real(1)), "4" },
        { ScalarFunction.HalfEvenSum, Call(ScalarFunction.HalfEvenSum, Int(3), Int(8), Real(0.5), Real(0.25), Real(-1)), "Domain" },
        { ScalarFunction.Erf, Call(ScalarFunction.Erf, Real(double.NegativeInfinity)), "-1.0" },
        { ScalarFunction.FixedMultiply, Call(ScalarFunction.FixedMultiply, Int(-5), Int(3), Int(1)), "-7" },
        { ScalarFunction.FixedMultiply, Call(ScalarFunction.FixedMultiply, Int(1L << 40), Int(1L << 40), Int(60)), "1048576" },
        { ScalarFunction.FixedMultiply, Call(ScalarFunction.FixedMultiply, Int(1), Int(1), Int(127)), "Shift" },
        { ScalarFunction.FixedDivide, Call(ScalarFunction.FixedDivide, Int(-1), Int(3), Int(4)), "-5" },
        { ScalarFunction.FixedDivide, Call(ScalarFunction.FixedDivide, Int(1), Int(0), Int(4)), "Divisor" },
        { ScalarFunction.FixedDivide, Call(ScalarFunction.FixedDivide, Int(1), Int(1), Int(61)), "Shift" },
        { ScalarFunction.FixedExp, Call(ScalarFunction.FixedExp, Int(256), Int(8), Int(16)), "178145" },
        { ScalarFunction.FixedExp, Call(ScalarFunction.FixedExp, Int(256), Int(-1), Int(16)), "Shift" },
        { ScalarFunction.FixedLog, Call(ScalarFunction.FixedLog, Int(512), Int(8), Int(16)), "45426" },
        { ScalarFunction.FixedLog, Call(ScalarFunction.FixedLog, Int(0), Int(8), Int(16)), "Domain" },
        { ScalarFunction.FixedSqrt, Call(ScalarFunction.FixedSqrt, Int(2), Int(0), Int(8)), "362" },
        { ScalarFunction.FixedSqrt, Call(ScalarFunction.FixedSqrt, Int(-2), Int(0), Int(8)), "Domain" },
        { ScalarFunction.FixedSqrt, Call(ScalarFunction.FixedSqrt, Int(2), Int(0), Int(31)), "Shift" },
        { ScalarFunction.FixedReciprocalSqrt, Call(ScalarFunction.FixedReciprocalSqrt, Int(2), Int(0), Int(8)), "181" },
        { ScalarFunction.FixedReciprocalSqrt, Call(ScalarFunction.FixedReciprocalSqrt, Int(0), Int(0), Int(8)), "Domain" },
        { ScalarFunction.FixedLogistic, Call(ScalarFunction.FixedLogistic, Int(0), Int(8), Int(8)), "128" },
        { ScalarFunction.FixedTanh, Call(ScalarFunction.FixedTanh, Int(-128), Int(8), Int(8)), "-118" },
        { ScalarFunction.FixedErf, Call(ScalarFunction.FixedErf, Int(256), Int(8), Int(8)), "216" },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void A_function_has_the_value_that_its_definition_says(ScalarFunction function, ScalarExpression expression, string expected)
    {
        var program = ScalarCompiler.Compile(expression, ScalarLeaves.Integers, out var problem);
        Assert.True(program is not null, problem);
        var fault = ScalarFault.None;
        var value = program.Run(default, [], new long[program.StackDepth], ref fault);
        var text = fault != ScalarFault.None ? fault.ToString() : ScalarText.Print(program.Result == ScalarType.Real ? Scalar.Real(ScalarProgram.Real(value)) : Scalar.Literal(value));

        Assert.Equal(expected, text);
        Assert.Equal(function, ((ScalarCall)expression).Function);
    }

    [Fact]
    public void Every_function_has_a_value_tested_and_stands_in_the_table_at_its_place()
    {
        var tested = Values.Select(row => row.Data.Item1).ToHashSet();

        Assert.All(Enum.GetValues<ScalarFunction>(), function => Assert.Contains(function, tested));
        Assert.All(Enum.GetValues<ScalarFunction>(), function => Assert.Equal(function, ScalarFunctions.Of(function).Function));
        Assert.Equal(Enum.GetValues<ScalarFunction>().Length, ScalarFunctions.All.Count);
        Assert.All(ScalarFunctions.All, info => Assert.Equal(info, ScalarFunctions.Find(info.Name)));
    }

    [Fact]
    public void The_operations_of_reals_are_those_of_binary64()
    {
        var x = Scalar.Input;
        var leaves = ScalarLeaves.Integers with { Input = ScalarType.Real };
        Assert.Equal(0.1 + 0.2, Of(Scalar.Add(x, Real(0.2))));
        Assert.Equal(0.1 - 0.2, Of(Scalar.Subtract(x, Real(0.2))));
        Assert.Equal(0.1 * 0.2, Of(Scalar.Multiply(x, Real(0.2))));
        Assert.Equal(0.1 / 0.2, Of(Scalar.Quotient(x, Real(0.2))));
        Assert.Equal(0.2, Of(Scalar.Maximum(x, Real(0.2))));
        Assert.Equal(0.1, Of(Scalar.Minimum(x, Real(0.2))));
        Assert.Equal(double.NaN, Of(Scalar.Maximum(x, Real(double.NaN))));
        Assert.Equal(0.5, Of(Scalar.Clamp(x, 0.5, 0.75)));
        Assert.Equal(double.NaN, Of(Scalar.Clamp(Real(double.NaN), 0.5, 0.75)));
        Assert.Null(ScalarCompiler.Compile(Scalar.ShiftLeft(x, 1), leaves, out _));
        Assert.Null(ScalarCompiler.Compile(Scalar.Divide(x, x), leaves, out _));

        double Of(ScalarExpression expression)
        {
            var program = ScalarCompiler.Compile(expression, leaves, out _)!;
            var fault = ScalarFault.None;
            return ScalarProgram.Real(program.Run(new(ScalarProgram.Bits(0.1), 0, 0, 0), [], new long[program.StackDepth], ref fault));
        }
    }

    private static ScalarCall Call(ScalarFunction function, params ReadOnlySpan<ScalarExpression> arguments) => new(function, EquatableArray.Create(arguments));

    private static ScalarExpression Int(long value) => Scalar.Literal(value);

    private static ScalarExpression Real(double value) => Scalar.Real(value);
}
