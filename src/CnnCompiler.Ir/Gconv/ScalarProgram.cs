using System.Runtime.CompilerServices;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Gconv;

/// <summary>Why a scalar program has no result.</summary>
public enum ScalarFault
{
    /// <summary>It has one.</summary>
    None,

    /// <summary>A value does not fit 64 bits.</summary>
    Overflow,

    /// <summary>An operand of a requantisation does not fit 32 bits.</summary>
    NotInt32,

    /// <summary>A shift outside its range (0 to 62; of a requantisation -31 to 30).</summary>
    Shift,

    /// <summary>A division by less than 1.</summary>
    Divisor,

    /// <summary>A clamp whose low bound is above its high one.</summary>
    Clamp,
}

/// <summary>The values that a scalar program may use.</summary>
/// <param name="Input">The input element.</param>
/// <param name="Kernel">The kernel element.</param>
/// <param name="Accumulator">The reduced value.</param>
/// <param name="TapCount">Taps that were not skipped.</param>
public readonly record struct ScalarValues(long Input, long Kernel, long Accumulator, long TapCount);

/// <summary>
/// A scalar expression compiled for evaluators: a postfix program over a small stack. Exact 64-bit arithmetic; what does not fit is a fault, never wrapped
/// (but for the left shift inside a requantisation, which wraps as <see cref="FixedPoint"/> says).
/// </summary>
public sealed class ScalarProgram
{
    private readonly Instruction[] _code;

    private ScalarProgram(Instruction[] code, int depth)
    {
        (_code, StackDepth) = (code, depth);
        foreach (var instruction in code)
        {
            UsesInput |= instruction.Code == Code.Input;
            UsesKernel |= instruction.Code == Code.Kernel;
            UsesAccumulator |= instruction.Code == Code.Accumulator;
            UsesTapCount |= instruction.Code == Code.TapCount;
        }

        Extras = [.. code.Where(instruction => instruction.Code == Code.Extra).Select(instruction => (int)instruction.Value).Distinct().Order()];
    }

    private enum Code : byte
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

    /// <summary>Words of stack that <see cref="Run"/> needs.</summary>
    public int StackDepth { get; }

    /// <summary>True where it uses <see cref="ScalarInput"/>.</summary>
    public bool UsesInput { get; }

    /// <summary>True where it uses <see cref="ScalarKernel"/>.</summary>
    public bool UsesKernel { get; }

    /// <summary>True where it uses <see cref="ScalarAccumulator"/>.</summary>
    public bool UsesAccumulator { get; }

    /// <summary>True where it uses <see cref="ScalarTapCount"/>.</summary>
    public bool UsesTapCount { get; }

    /// <summary>Indices of the further operands it uses, ascending, each once.</summary>
    public IReadOnlyList<int> Extras { get; }

    /// <summary>Compiles an expression, or null where it asks for a rounding that has no exact integer definition.</summary>
    public static ScalarProgram? Compile(ScalarExpression expression)
    {
        var code = new List<Instruction>();
        var depth = 0;
        var most = 0;
        return Emit(expression) ? new([.. code], most) : null;

        bool Emit(ScalarExpression e) => e.Match(
            input: () => Push(Code.Input),
            kernel: () => Push(Code.Kernel),
            accumulator: () => Push(Code.Accumulator),
            tapCount: () => Push(Code.TapCount),
            extra: index => Push(Code.Extra, index),
            literal: value => Push(Code.Literal, value),
            binary: b => Emit(b.Left) && Emit(b.Right) && Join(BinaryCode(b.Operator), 2),
            requantize: r => r.Rounding is RoundingScheme.TfliteDouble or RoundingScheme.TfliteSingle
                && Emit(r.Value) && Emit(r.Multiplier) && Emit(r.Shift)
                && Join(r.Rounding == RoundingScheme.TfliteDouble ? Code.RequantizeDouble : Code.RequantizeSingle, 3),
            clamp: c => Emit(c.Value) && Emit(c.Low) && Emit(c.High) && Join(Code.Clamp, 3));

        bool Push(Code operation, long value = 0)
        {
            code.Add(new(operation, value));
            most = Math.Max(most, ++depth);
            return true;
        }

        bool Join(Code operation, int operands)
        {
            code.Add(new(operation, 0));
            depth -= operands - 1;
            return true;
        }
    }

    /// <summary>Evaluates the program. The result is meaningless where a fault is reported; an earlier fault in <paramref name="fault"/> stays.</summary>
    /// <param name="values">The values it may use.</param>
    /// <param name="extras">The further operands, by index.</param>
    /// <param name="stack">At least <see cref="StackDepth"/> words.</param>
    /// <param name="fault">Set where a fault is found.</param>
    public long Run(in ScalarValues values, ReadOnlySpan<long> extras, Span<long> stack, ref ScalarFault fault)
    {
        var top = -1;
        foreach (ref readonly var instruction in _code.AsSpan())
        {
            switch (instruction.Code)
            {
                case Code.Input:
                    stack[++top] = values.Input;
                    break;
                case Code.Kernel:
                    stack[++top] = values.Kernel;
                    break;
                case Code.Accumulator:
                    stack[++top] = values.Accumulator;
                    break;
                case Code.TapCount:
                    stack[++top] = values.TapCount;
                    break;
                case Code.Extra:
                    stack[++top] = extras[(int)instruction.Value];
                    break;
                case Code.Literal:
                    stack[++top] = instruction.Value;
                    break;
                case Code.RequantizeDouble:
                case Code.RequantizeSingle:
                    top -= 2;
                    stack[top] = Requantize(instruction.Code == Code.RequantizeDouble, stack[top], stack[top + 1], stack[top + 2], ref fault);
                    break;
                case Code.Clamp:
                    top -= 2;
                    fault = stack[top + 1] > stack[top + 2] && fault == ScalarFault.None ? ScalarFault.Clamp : fault;
                    stack[top] = Math.Min(Math.Max(stack[top], stack[top + 1]), stack[top + 2]);
                    break;
                default:
                    top--;
                    stack[top] = Binary(instruction.Code, stack[top], stack[top + 1], ref fault);
                    break;
            }
        }

        return stack[0];
    }

    /// <summary>a + b in 64 bits; a fault where it does not fit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Add(long a, long b, ref ScalarFault fault)
    {
        var sum = unchecked(a + b);
        if (((a ^ sum) & (b ^ sum)) < 0)
        {
            Set(ref fault, ScalarFault.Overflow);
        }

        return sum;
    }

    private static long Binary(Code code, long a, long b, ref ScalarFault fault)
    {
        switch (code)
        {
            case Code.Add:
                return Add(a, b, ref fault);
            case Code.Subtract:
                var difference = unchecked(a - b);
                if (((a ^ b) & (a ^ difference)) < 0)
                {
                    Set(ref fault, ScalarFault.Overflow);
                }

                return difference;
            case Code.Multiply:
                var high = Math.BigMul(a, b, out var low);
                if (high != low >> 63)
                {
                    Set(ref fault, ScalarFault.Overflow);
                }

                return low;
            case Code.Maximum:
                return Math.Max(a, b);
            case Code.Minimum:
                return Math.Min(a, b);
            case Code.ShiftLeft:
                return ShiftLeft(a, b, ref fault);
            default:
                return Divide(a, b, ref fault);
        }
    }

    private static long ShiftLeft(long a, long b, ref ScalarFault fault)
    {
        if (b is < 0 or > 62)
        {
            Set(ref fault, ScalarFault.Shift);
            return 0;
        }

        var shifted = a << (int)b;
        if (shifted >> (int)b != a)
        {
            Set(ref fault, ScalarFault.Overflow);
        }

        return shifted;
    }

    private static long Divide(long a, long b, ref ScalarFault fault)
    {
        if (b < 1)
        {
            Set(ref fault, ScalarFault.Divisor);
            return 0;
        }

        return (a > 0 ? Add(a, b / 2, ref fault) : Add(a, -(b / 2), ref fault)) / b;
    }

    private static long Requantize(bool doubleRounding, long value, long multiplier, long shift, ref ScalarFault fault)
    {
        if (value != (int)value || multiplier != (int)multiplier)
        {
            Set(ref fault, ScalarFault.NotInt32);
            return 0;
        }

        if (shift is < -31 or > 30)
        {
            Set(ref fault, ScalarFault.Shift);
            return 0;
        }

        return doubleRounding
            ? FixedPoint.MultiplyByQuantizedMultiplier((int)value, (int)multiplier, (int)shift)
            : FixedPoint.MultiplyByQuantizedMultiplierSingleRounding((int)value, (int)multiplier, (int)shift);
    }

    private static void Set(ref ScalarFault fault, ScalarFault value) => fault = fault == ScalarFault.None ? value : fault;

    private static Code BinaryCode(ScalarBinaryOperator operation) => operation switch
    {
        ScalarBinaryOperator.Add => Code.Add,
        ScalarBinaryOperator.Subtract => Code.Subtract,
        ScalarBinaryOperator.Multiply => Code.Multiply,
        ScalarBinaryOperator.Maximum => Code.Maximum,
        ScalarBinaryOperator.Minimum => Code.Minimum,
        ScalarBinaryOperator.ShiftLeft => Code.ShiftLeft,
        ScalarBinaryOperator.DivideRoundHalfAway => Code.DivideRoundHalfAway,
        _ => throw new InvalidOperationException($"no case for {operation}"),
    };

    private readonly record struct Instruction(Code Code, long Value);
}
