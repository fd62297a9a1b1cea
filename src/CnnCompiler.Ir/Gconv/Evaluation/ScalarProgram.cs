using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Gconv.Evaluation;

/// <summary>What a scalar program reads.</summary>
internal readonly ref struct ScalarArguments
{
    public long Input { get; init; }

    public long Kernel { get; init; }

    public long Accumulator { get; init; }

    public long TapCount { get; init; }

    public ReadOnlySpan<long> Extra { get; init; }
}

/// <summary>
/// A scalar expression as postfix code, so that running it is one loop without calls. Values are 64-bit; what an operation defines in 32 bits, and
/// what exceeds 64, is refused with a diagnostic.
/// </summary>
internal sealed class ScalarProgram
{
    private const string Int64 = "64 bits";

    private readonly GconvOperator _operator;
    private readonly string _slot;
    private readonly List<Instruction> _code = [];
    private int _depth;

    private ScalarProgram(GconvOperator operation, string slot) => (_operator, _slot) = (operation, slot);

    private enum Code
    {
        Input,
        Kernel,
        Accumulator,
        TapCount,
        Extra,
        Literal,
        Add,
        Subtract,
        Multiply,
        Maximum,
        Minimum,
        ShiftLeft,
        DivideRoundHalfAway,
        RequantizeDouble,
        RequantizeSingle,
        Clamp,
    }

    /// <summary>Values that <see cref="Run"/> needs room for.</summary>
    public int StackSize { get; private set; }

    public static ScalarProgram Compile(GconvOperator operation, string slot, ScalarExpression expression)
    {
        var program = new ScalarProgram(operation, slot);
        program.Emit(expression);
        return program;
    }

    public long Run(in ScalarArguments arguments, Span<long> stack)
    {
        var top = -1;
        foreach (ref readonly var instruction in System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_code))
        {
            switch (instruction.Code)
            {
                case Code.Input:
                    stack[++top] = arguments.Input;
                    break;
                case Code.Kernel:
                    stack[++top] = arguments.Kernel;
                    break;
                case Code.Accumulator:
                    stack[++top] = arguments.Accumulator;
                    break;
                case Code.TapCount:
                    stack[++top] = arguments.TapCount;
                    break;
                case Code.Extra:
                    stack[++top] = arguments.Extra[(int)instruction.Value];
                    break;
                case Code.Literal:
                    stack[++top] = instruction.Value;
                    break;
                case Code.Clamp:
                    top -= 2;
                    stack[top] = Math.Min(Math.Max(stack[top], stack[top + 1]), stack[top + 2]);
                    break;
                case Code.RequantizeDouble or Code.RequantizeSingle:
                    top -= 2;
                    stack[top] = Requantize(instruction.Code, stack[top], stack[top + 1], stack[top + 2]);
                    break;
                default:
                    top--;
                    stack[top] = Binary(instruction.Code, stack[top], stack[top + 1]);
                    break;
            }
        }

        return stack[0];
    }

    private long Binary(Code code, long left, long right) => code switch
    {
        Code.Add => Exact((Int128)left + right),
        Code.Subtract => Exact((Int128)left - right),
        Code.Multiply => Exact((Int128)left * right),
        Code.Maximum => Math.Max(left, right),
        Code.Minimum => Math.Min(left, right),
        Code.ShiftLeft => right is >= 0 and <= 62 ? Exact((Int128)left << (int)right) : throw Refuse("the left shift", right, "0 to 62"),
        Code.DivideRoundHalfAway => Divide(left, right),
        _ => throw new InvalidOperationException($"no case for {code}"),
    };

    private long Divide(long dividend, long divisor)
    {
        if (divisor is < 1 or > int.MaxValue)
        {
            throw Refuse("the divisor", divisor, "1 to 2147483647");
        }

        // FixedPoint adds half of the divisor in 32 bits.
        var room = int.MaxValue - (divisor / 2);
        return Int128.Abs(dividend) <= room
            ? FixedPoint.DivideRoundHalfAway((int)dividend, (int)divisor)
            : throw Refuse("the dividend", dividend, "32 bits less half the divisor");
    }

    private long Requantize(Code code, long value, long multiplier, long shift)
    {
        if (value != (int)value)
        {
            throw Refuse("the value to requantise", value, "32 bits");
        }

        if (multiplier != (int)multiplier)
        {
            throw Refuse("the multiplier", multiplier, "32 bits");
        }

        if (shift is < FixedPoint.MinimumShift or > 30)
        {
            throw Refuse("the shift", shift, "-31 to 30");
        }

        return code == Code.RequantizeDouble
            ? FixedPoint.MultiplyByQuantizedMultiplier((int)value, (int)multiplier, (int)shift)
            : FixedPoint.MultiplyByQuantizedMultiplierSingleRounding((int)value, (int)multiplier, (int)shift);
    }

    private long Exact(Int128 value) => value == (long)value ? (long)value : throw Refuse("a value", value, Int64);

    private DiagnosticException Refuse(string what, Int128 value, string range) => new(GconvDiagnostics.ValueOutOfRange(_operator, $"{what} in {_slot}", value, range));

    private void Emit(ScalarExpression expression) => expression.Match(
        input: () => Push(Code.Input),
        kernel: () => Push(Code.Kernel),
        accumulator: () => Push(Code.Accumulator),
        tapCount: () => Push(Code.TapCount),
        extra: index => Push(Code.Extra, index),
        literal: value => Push(Code.Literal, value),
        binary: e => Combine(CodeOf(e.Operator), e.Left, e.Right),
        requantize: e => Combine(e.Rounding == RoundingScheme.TfliteDouble ? Code.RequantizeDouble : Code.RequantizeSingle, e.Value, e.Multiplier, e.Shift),
        clamp: e => Combine(Code.Clamp, e.Value, e.Low, e.High));

    private bool Push(Code code, long value = 0)
    {
        _code.Add(new(code, value));
        StackSize = Math.Max(StackSize, ++_depth);
        return true;
    }

    private bool Combine(Code code, params ReadOnlySpan<ScalarExpression> operands)
    {
        foreach (var operand in operands)
        {
            Emit(operand);
        }

        _code.Add(new(code, 0));
        _depth -= operands.Length - 1;
        return true;
    }

    private static Code CodeOf(ScalarBinaryOperator operation) => operation switch
    {
        ScalarBinaryOperator.Add => Code.Add,
        ScalarBinaryOperator.Subtract => Code.Subtract,
        ScalarBinaryOperator.Multiply => Code.Multiply,
        ScalarBinaryOperator.Maximum => Code.Maximum,
        ScalarBinaryOperator.Minimum => Code.Minimum,
        ScalarBinaryOperator.ShiftLeft => Code.ShiftLeft,
        ScalarBinaryOperator.DivideRoundHalfAway => Code.DivideRoundHalfAway,
        _ => throw new ArgumentOutOfRangeException(nameof(operation), operation, "unknown operator"),
    };

    private readonly record struct Instruction(Code Code, long Value);
}
