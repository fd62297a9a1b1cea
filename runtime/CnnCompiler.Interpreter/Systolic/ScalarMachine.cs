using System.Runtime.CompilerServices;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>The values that a scalar program may use.</summary>
internal readonly record struct ScalarOperands(long Input, long Kernel, long Accumulator, long Taps);

/// <summary>Executes scalar programs in exact 64-bit arithmetic; what does not fit is a fault, never wrapped.</summary>
/// <param name="program">A program that the image's checker passed.</param>
internal sealed class ScalarMachine(IReadOnlyList<ScalarInstruction> program)
{
    private readonly ScalarInstruction[] _code = [.. program];
    private readonly long[] _stack = new long[Math.Max(1, ScalarInstructionSet.StackDepth(program))];

    /// <summary>The operand that the program is nothing but, or null.</summary>
    public ScalarOpcode? Single { get; } = program is [{ Opcode: <= ScalarOpcode.TapCount } only] ? only.Opcode : null;

    /// <summary>Runs the program; null in <paramref name="fault"/> stays where there is a result, else it says why there is none.</summary>
    /// <param name="operands">The values it may use: integers, or the bits of reals.</param>
    /// <param name="extras">The further operands; of one that is looked up in, the index of its first element.</param>
    /// <param name="tables">The further operands as tables.</param>
    /// <param name="fault">What is wrong.</param>
    public long Run(in ScalarOperands operands, ReadOnlySpan<long> extras, ReadOnlySpan<AffineAccess> tables, ref string? fault)
    {
        var stack = _stack;
        var top = -1;
        foreach (ref readonly var instruction in _code.AsSpan())
        {
            switch (instruction.Opcode)
            {
                case ScalarOpcode.Input:
                    stack[++top] = operands.Input;
                    break;
                case ScalarOpcode.Kernel:
                    stack[++top] = operands.Kernel;
                    break;
                case ScalarOpcode.Accumulator:
                    stack[++top] = operands.Accumulator;
                    break;
                case ScalarOpcode.TapCount:
                    stack[++top] = operands.Taps;
                    break;
                case ScalarOpcode.Extra:
                    stack[++top] = extras[(int)instruction.Value];
                    break;
                case ScalarOpcode.Lookup:
                    stack[top] = Lookup(tables[(int)instruction.Value], extras[(int)instruction.Value], stack[top], ref fault);
                    break;
                case ScalarOpcode.Literal or ScalarOpcode.Real:
                    stack[++top] = instruction.Value;
                    break;
                case ScalarOpcode.RequantizeDouble or ScalarOpcode.RequantizeSingle:
                    top -= 2;
                    stack[top] = Requantize(instruction.Opcode, stack[top], stack[top + 1], stack[top + 2], ref fault);
                    break;
                case ScalarOpcode.Clamp:
                    top -= 2;
                    fault ??= stack[top + 1] > stack[top + 2] ? "a clamp has its low bound above its high one" : null;
                    stack[top] = Math.Min(Math.Max(stack[top], stack[top + 1]), stack[top + 2]);
                    break;
                case > ScalarOpcode.Clamp:
                    top -= ScalarInstructionSet.Row(instruction.Opcode).Operands - 1;
                    stack[top] = ScalarFunctions.Apply(instruction.Opcode, stack.AsSpan(top), ref fault);
                    break;
                default:
                    top--;
                    stack[top] = Binary(instruction.Opcode, stack[top], stack[top + 1], ref fault);
                    break;
            }
        }

        return stack[0];
    }

    private static long Lookup(AffineAccess table, long first, long offset, ref string? fault)
    {
        if (offset < 0 || offset >= table.Row - (first % table.Row))
        {
            fault ??= "a table has no such element";
            return 0;
        }

        return table.Load(first + offset);
    }

    private static long Binary(ScalarOpcode opcode, long a, long b, ref string? fault)
    {
        switch (opcode)
        {
            case ScalarOpcode.Add:
                return Fit((Int128)a + b, ref fault);
            case ScalarOpcode.Subtract:
                return Fit((Int128)a - b, ref fault);
            case ScalarOpcode.Multiply:
                return Fit((Int128)a * b, ref fault);
            case ScalarOpcode.Maximum:
                return Math.Max(a, b);
            case ScalarOpcode.Minimum:
                return Math.Min(a, b);
            case ScalarOpcode.ShiftLeft when b is >= 0 and <= 62:
                return Fit((Int128)a << (int)b, ref fault);
            case ScalarOpcode.ShiftLeft:
                fault ??= "a shift is outside 0 to 62";
                return 0;
            default:
                return Divide(a, b, ref fault);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Fit(Int128 value, ref string? fault)
    {
        var low = (long)value;
        if (low != value)
        {
            fault ??= "a value does not fit 64 bits";
        }

        return low;
    }

    private static long Divide(long a, long b, ref string? fault)
    {
        if (b < 1)
        {
            fault ??= "a divisor is below 1";
            return 0;
        }

        return Fit(((Int128)a + (a > 0 ? b / 2 : -(b / 2))) / b, ref fault);
    }

    private static long Requantize(ScalarOpcode opcode, long value, long multiplier, long shift, ref string? fault)
    {
        if (value != (int)value || multiplier != (int)multiplier || shift is < -31 or > 30)
        {
            fault ??= "an operand of a requantisation is outside its range";
            return 0;
        }

        return opcode == ScalarOpcode.RequantizeDouble
            ? FixedPoint.MultiplyByQuantizedMultiplier((int)value, (int)multiplier, (int)shift)
            : FixedPoint.MultiplyByQuantizedMultiplierSingleRounding((int)value, (int)multiplier, (int)shift);
    }
}
