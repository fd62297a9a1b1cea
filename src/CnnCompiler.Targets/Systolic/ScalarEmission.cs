using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Targets.Systolic;

/// <summary>Scalar programs of the GCONV level as instructions of output and vector units.</summary>
internal static class ScalarEmission
{
    /// <summary>The instructions, or null where an operation has none.</summary>
    public static IReadOnlyList<ScalarInstruction>? Emit(ScalarExpression expression)
    {
        var code = new List<ScalarInstruction>();
        return Add(expression) ? code : null;

        bool Add(ScalarExpression e) => e.Match(
            input: () => Push(ScalarOpcode.Input),
            kernel: () => Push(ScalarOpcode.Kernel),
            accumulator: () => Push(ScalarOpcode.Accumulator),
            tapCount: () => Push(ScalarOpcode.TapCount),
            extra: index => Push(ScalarOpcode.Extra, index),
            literal: value => Push(ScalarOpcode.Literal, value),
            binary: b => Add(b.Left) && Add(b.Right) && Push(Opcode(b.Operator)),
            requantize: r => Opcode(r.Rounding) is { } opcode && Add(r.Value) && Add(r.Multiplier) && Add(r.Shift) && Push(opcode),
            clamp: c => Add(c.Value) && Add(c.Low) && Add(c.High) && Push(ScalarOpcode.Clamp));

        bool Push(ScalarOpcode opcode, long value = 0)
        {
            code.Add(new(opcode, value));
            return true;
        }
    }

    private static ScalarOpcode? Opcode(RoundingScheme rounding) => rounding switch
    {
        RoundingScheme.TfliteDouble => ScalarOpcode.RequantizeDouble,
        RoundingScheme.TfliteSingle => ScalarOpcode.RequantizeSingle,
        _ => null,
    };

    private static ScalarOpcode Opcode(ScalarBinaryOperator operation) => operation switch
    {
        ScalarBinaryOperator.Add => ScalarOpcode.Add,
        ScalarBinaryOperator.Subtract => ScalarOpcode.Subtract,
        ScalarBinaryOperator.Multiply => ScalarOpcode.Multiply,
        ScalarBinaryOperator.Maximum => ScalarOpcode.Maximum,
        ScalarBinaryOperator.Minimum => ScalarOpcode.Minimum,
        ScalarBinaryOperator.ShiftLeft => ScalarOpcode.ShiftLeft,
        ScalarBinaryOperator.DivideRoundHalfAway => ScalarOpcode.DivideRoundHalfAway,
        _ => throw new InvalidOperationException($"no case for {operation}"),
    };
}
