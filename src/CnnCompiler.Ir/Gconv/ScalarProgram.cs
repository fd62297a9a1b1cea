using System.Runtime.CompilerServices;
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

    /// <summary>A table has no such element.</summary>
    Lookup,

    /// <summary>A function is not defined for its arguments.</summary>
    Domain,

    /// <summary>A number that is no integer: infinite, not a number, or beyond 64 bits.</summary>
    NotInteger,
}

/// <summary>The values that a scalar program may use: integers, or the bits of binary64 numbers.</summary>
/// <param name="Input">The input element.</param>
/// <param name="Kernel">The kernel element.</param>
/// <param name="Accumulator">The reduced value.</param>
/// <param name="TapCount">Taps that were not skipped.</param>
public readonly record struct ScalarValues(long Input, long Kernel, long Accumulator, long TapCount);

/// <summary>A further operand as a table: its elements (integers, or bits of binary64), and how many of them a row has.</summary>
/// <param name="Elements">All elements, row-major.</param>
/// <param name="Row">Extent of the last dimension; 1 for a scalar.</param>
public readonly record struct ScalarTable(long[] Elements, int Row);

/// <summary>
/// A scalar expression compiled for evaluators: a postfix program over a small stack. Exact 64-bit arithmetic; what does not fit is a fault, never wrapped
/// (but for the left shift inside a requantisation, which wraps as <see cref="FixedPoint"/> says). Reals are binary64, kept as their bits.
/// </summary>
public sealed class ScalarProgram
{
    private readonly ScalarInstruction[] _code;

    internal ScalarProgram(ScalarInstruction[] code, int depth, ScalarType result)
    {
        (_code, StackDepth, Result) = (code, depth, result);
        foreach (var instruction in code)
        {
            UsesInput |= instruction.Code == ScalarCode.Input;
            UsesKernel |= instruction.Code == ScalarCode.Kernel;
            UsesAccumulator |= instruction.Code == ScalarCode.Accumulator;
            UsesTapCount |= instruction.Code == ScalarCode.TapCount;
        }

        Extras = [.. code.Where(instruction => instruction.Code is ScalarCode.Extra or ScalarCode.Lookup).Select(instruction => (int)instruction.Value).Distinct().Order()];
    }

    /// <summary>What its value is.</summary>
    public ScalarType Result { get; }

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

    /// <summary>Indices of the further operands it uses, tables included, ascending, each once.</summary>
    public IReadOnlyList<int> Extras { get; }

    /// <summary>Compiles an expression whose values are all integers, or null where it is none: a rounding without a definition in integers, reals, tables.</summary>
    public static ScalarProgram? Compile(ScalarExpression expression) => ScalarCompiler.Compile(expression, ScalarLeaves.Integers, out _);

    /// <summary>Evaluates the program. The result is meaningless where a fault is reported; an earlier fault in <paramref name="fault"/> stays.</summary>
    /// <param name="values">The values it may use.</param>
    /// <param name="extras">The further operands, by index; of one that is looked up in, the flat index in its table.</param>
    /// <param name="stack">At least <see cref="StackDepth"/> words.</param>
    /// <param name="fault">Set where a fault is found.</param>
    /// <param name="tables">The tables, by index of the further operand; none needed without lookups.</param>
    public long Run(in ScalarValues values, ReadOnlySpan<long> extras, Span<long> stack, ref ScalarFault fault, ReadOnlySpan<ScalarTable> tables = default)
    {
        var top = -1;
        foreach (ref readonly var instruction in _code.AsSpan())
        {
            switch (instruction.Code)
            {
                case ScalarCode.Input:
                    stack[++top] = values.Input;
                    break;
                case ScalarCode.Kernel:
                    stack[++top] = values.Kernel;
                    break;
                case ScalarCode.Accumulator:
                    stack[++top] = values.Accumulator;
                    break;
                case ScalarCode.TapCount:
                    stack[++top] = values.TapCount;
                    break;
                case ScalarCode.Extra:
                    stack[++top] = extras[(int)instruction.Value];
                    break;
                case ScalarCode.Literal:
                    stack[++top] = instruction.Value;
                    break;
                case ScalarCode.Lookup:
                    stack[top] = Lookup(tables[(int)instruction.Value], extras[(int)instruction.Value], stack[top], ref fault);
                    break;
                case ScalarCode.RequantizeDouble:
                case ScalarCode.RequantizeSingle:
                    top -= 2;
                    stack[top] = Requantize(instruction.Code == ScalarCode.RequantizeDouble, stack[top], stack[top + 1], stack[top + 2], ref fault);
                    break;
                case ScalarCode.Clamp:
                    top -= 2;
                    fault = stack[top + 1] > stack[top + 2] && fault == ScalarFault.None ? ScalarFault.Clamp : fault;
                    stack[top] = Math.Min(Math.Max(stack[top], stack[top + 1]), stack[top + 2]);
                    break;
                case ScalarCode.ClampReal:
                    top -= 2;
                    stack[top] = Bits(Math.Min(Math.Max(Real(stack[top]), Real(stack[top + 1])), Real(stack[top + 2])));
                    break;
                case ScalarCode.Call:
                    top -= ScalarFunctions.Of((ScalarFunction)instruction.Value).Parameters.Count - 1;
                    stack[top] = ScalarFunctions.Apply((ScalarFunction)instruction.Value, instruction.Real, stack[top..], ref fault);
                    break;
                default:
                    top--;
                    stack[top] = instruction.Code >= ScalarCode.AddReal
                        ? Bits(Binary(instruction.Code, Real(stack[top]), Real(stack[top + 1])))
                        : Binary(instruction.Code, stack[top], stack[top + 1], ref fault);
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

    /// <summary>The bits of a real, as programs keep it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Bits(double value) => BitConverter.DoubleToInt64Bits(value);

    /// <summary>The real of its bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Real(long bits) => BitConverter.Int64BitsToDouble(bits);

    /// <summary>Notes a fault, unless there is one already.</summary>
    internal static void Set(ref ScalarFault fault, ScalarFault value) => fault = fault == ScalarFault.None ? value : fault;

    /// <summary>a * b in 64 bits; a fault where it does not fit.</summary>
    internal static long Multiply(long a, long b, ref ScalarFault fault)
    {
        var high = Math.BigMul(a, b, out var low);
        if (high != low >> 63)
        {
            Set(ref fault, ScalarFault.Overflow);
        }

        return low;
    }

    private static double Binary(ScalarCode code, double a, double b) => code switch
    {
        ScalarCode.AddReal => a + b,
        ScalarCode.SubtractReal => a - b,
        ScalarCode.MultiplyReal => a * b,
        ScalarCode.MaximumReal => Math.Max(a, b),
        ScalarCode.MinimumReal => Math.Min(a, b),
        _ => a / b,
    };

    private static long Binary(ScalarCode code, long a, long b, ref ScalarFault fault)
    {
        switch (code)
        {
            case ScalarCode.Add:
                return Add(a, b, ref fault);
            case ScalarCode.Subtract:
                var difference = unchecked(a - b);
                if (((a ^ b) & (a ^ difference)) < 0)
                {
                    Set(ref fault, ScalarFault.Overflow);
                }

                return difference;
            case ScalarCode.Multiply:
                return Multiply(a, b, ref fault);
            case ScalarCode.Maximum:
                return Math.Max(a, b);
            case ScalarCode.Minimum:
                return Math.Min(a, b);
            case ScalarCode.ShiftLeft:
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

    private static long Lookup(in ScalarTable table, long first, long offset, ref ScalarFault fault)
    {
        if (offset < 0 || offset >= table.Row - (first % table.Row))
        {
            Set(ref fault, ScalarFault.Lookup);
            return 0;
        }

        return table.Elements[first + offset];
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
}
