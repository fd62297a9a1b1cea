using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Targets.Systolic;

/// <summary>Scalar programs of the GCONV level as instructions of output and vector units. Operations of integers and of reals are different instructions.</summary>
/// <param name="leaves">What the values are that the slot may use.</param>
internal sealed class ScalarEmission(ScalarLeaves leaves)
{
    private readonly List<ScalarInstruction> _code = [];

    /// <summary>The instructions and what they yield, or null where an operation has none.</summary>
    public static (IReadOnlyList<ScalarInstruction> Code, ScalarType Result)? Emit(ScalarExpression expression, ScalarLeaves leaves)
    {
        var emission = new ScalarEmission(leaves);
        return emission.Add(expression) is { } type ? (emission._code, type) : null;
    }

    private ScalarType? Add(ScalarExpression expression) => expression.Match(
        input: () => Push(ScalarOpcode.Input, 0, leaves.Input),
        kernel: () => Push(ScalarOpcode.Kernel, 0, leaves.Kernel),
        accumulator: () => Push(ScalarOpcode.Accumulator, 0, leaves.Accumulator),
        tapCount: () => Push(ScalarOpcode.TapCount, 0, ScalarType.Integer),
        extra: index => Push(ScalarOpcode.Extra, index, Extra(index)),
        literal: value => Push(ScalarOpcode.Literal, value, ScalarType.Integer),
        real: value => Push(ScalarOpcode.Real, BitConverter.DoubleToInt64Bits(value), ScalarType.Real),
        lookup: lookup => Add(lookup.Offset) is null ? null : Push(ScalarOpcode.Lookup, lookup.Extra, Extra(lookup.Extra)),
        binary: b => Add(b.Left) is { } type && Add(b.Right) is not null && Opcode(b.Operator, type) is { } opcode ? Push(opcode, 0, type) : null,
        requantize: r => Opcode(r.Rounding) is { } opcode && Add(r.Value) is not null && Add(r.Multiplier) is not null && Add(r.Shift) is not null ? Push(opcode, 0, ScalarType.Integer) : null,
        clamp: c => Add(c.Value) is { } type && Add(c.Low) is not null && Add(c.High) is not null ? Push(type == ScalarType.Real ? ScalarOpcode.ClampReal : ScalarOpcode.Clamp, 0, type) : null,
        call: Call);

    private ScalarType Extra(int index) => leaves.Extras is { } extras ? extras[index] : ScalarType.Integer;

    private ScalarType? Call(ScalarCall call)
    {
        var types = new List<ScalarType>();
        foreach (var argument in call.Arguments)
        {
            if (Add(argument) is not { } type)
            {
                return null;
            }

            types.Add(type);
        }

        var result = ScalarFunctions.Of(call.Function).Result;
        return Opcode(call.Function, types[0]) is { } opcode ? Push(opcode, 0, result ?? types[1]) : null;
    }

    private ScalarType? Push(ScalarOpcode opcode, long value, ScalarType type)
    {
        _code.Add(new(opcode, value));
        return type;
    }

    private static ScalarOpcode? Opcode(RoundingScheme rounding) => rounding switch
    {
        RoundingScheme.TfliteDouble => ScalarOpcode.RequantizeDouble,
        RoundingScheme.TfliteSingle => ScalarOpcode.RequantizeSingle,
        _ => null,
    };

    private static ScalarOpcode? Opcode(ScalarBinaryOperator operation, ScalarType type) => (operation, type == ScalarType.Real) switch
    {
        (ScalarBinaryOperator.Add, false) => ScalarOpcode.Add,
        (ScalarBinaryOperator.Subtract, false) => ScalarOpcode.Subtract,
        (ScalarBinaryOperator.Multiply, false) => ScalarOpcode.Multiply,
        (ScalarBinaryOperator.Maximum, false) => ScalarOpcode.Maximum,
        (ScalarBinaryOperator.Minimum, false) => ScalarOpcode.Minimum,
        (ScalarBinaryOperator.ShiftLeft, false) => ScalarOpcode.ShiftLeft,
        (ScalarBinaryOperator.DivideRoundHalfAway, false) => ScalarOpcode.DivideRoundHalfAway,
        (ScalarBinaryOperator.Add, true) => ScalarOpcode.AddReal,
        (ScalarBinaryOperator.Subtract, true) => ScalarOpcode.SubtractReal,
        (ScalarBinaryOperator.Multiply, true) => ScalarOpcode.MultiplyReal,
        (ScalarBinaryOperator.Maximum, true) => ScalarOpcode.MaximumReal,
        (ScalarBinaryOperator.Minimum, true) => ScalarOpcode.MinimumReal,
        (ScalarBinaryOperator.Quotient, true) => ScalarOpcode.QuotientReal,
        _ => null,
    };

    private static ScalarOpcode? Opcode(ScalarFunction function, ScalarType type) => function switch
    {
        ScalarFunction.Select => type == ScalarType.Real ? ScalarOpcode.SelectReal : ScalarOpcode.Select,
        ScalarFunction.Real => ScalarOpcode.ToReal,
        ScalarFunction.Single => ScalarOpcode.Single,
        ScalarFunction.RoundHalfEven => ScalarOpcode.RoundHalfEven,
        ScalarFunction.RoundHalfAway => ScalarOpcode.RoundHalfAway,
        ScalarFunction.Exp => ScalarOpcode.Exp,
        ScalarFunction.Log => ScalarOpcode.Log,
        ScalarFunction.Sqrt => ScalarOpcode.Sqrt,
        ScalarFunction.Tanh => ScalarOpcode.Tanh,
        ScalarFunction.Power => ScalarOpcode.Power,
        ScalarFunction.Erf => ScalarOpcode.Erf,
        ScalarFunction.ShiftRight => ScalarOpcode.ShiftRight,
        ScalarFunction.ShiftRightRound => ScalarOpcode.ShiftRightRound,
        ScalarFunction.FloorDivide => ScalarOpcode.FloorDivide,
        ScalarFunction.HalfEvenScale => ScalarOpcode.HalfEvenScale,
        ScalarFunction.HalfEvenSum => ScalarOpcode.HalfEvenSum,
        ScalarFunction.FixedMultiply => ScalarOpcode.FixedMultiply,
        ScalarFunction.FixedDivide => ScalarOpcode.FixedDivide,
        ScalarFunction.FixedExp => ScalarOpcode.FixedExp,
        ScalarFunction.FixedLog => ScalarOpcode.FixedLog,
        ScalarFunction.FixedSqrt => ScalarOpcode.FixedSqrt,
        ScalarFunction.FixedReciprocalSqrt => ScalarOpcode.FixedReciprocalSqrt,
        ScalarFunction.FixedLogistic => ScalarOpcode.FixedLogistic,
        ScalarFunction.FixedTanh => ScalarOpcode.FixedTanh,
        ScalarFunction.FixedErf => ScalarOpcode.FixedErf,
        _ => null,
    };
}
