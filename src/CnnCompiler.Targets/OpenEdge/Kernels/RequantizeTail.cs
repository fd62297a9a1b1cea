using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// TFLite's two-rounding requantisation of one value a column, spread over the column's four cells (the narrow path of <c>openedge-idioms.md</c>:
/// exact for |value| below 2^30). The value is in row 0's ROUT; rows 0, 1 and 3 multiply, row 2 collects, rounds, clamps.
/// </summary>
/// <param name="column">The column.</param>
public sealed class RequantizeTail(int column)
{
    /// <summary>The value and everything on the way must stay below this.</summary>
    public const long Bound = 1L << 30;

    private const int LowBits = 17;

    /// <summary>Row 0: the value; multiplies by the high half of the multiplier.</summary>
    public Cell Value { get; } = new(0, column);

    /// <summary>Row 1: multiplies by the low half.</summary>
    public Cell Low { get; } = new(1, column);

    /// <summary>Row 2: collects and rounds.</summary>
    public Cell Collector { get; } = new(2, column);

    /// <summary>Row 3: the low bits of the product with the high half; adds up.</summary>
    public Cell High { get; } = new(3, column);

    /// <summary>High half of the multiplier, in row 0.</summary>
    public VirtualRegister ValueHigh { get; } = Register(new(0, column), "multiplierHigh");

    /// <summary>Low half of the multiplier, in row 1.</summary>
    public VirtualRegister MultiplierLow { get; } = Register(new(1, column), "multiplierLow");

    /// <summary>High half of the multiplier, in row 3.</summary>
    public VirtualRegister MultiplierHigh { get; } = Register(new(3, column), "multiplierHigh");

    /// <summary>Half of the divisor of the rounding shift, in row 2.</summary>
    public VirtualRegister Half { get; } = Register(new(2, column), "half");

    /// <summary>The rounding shift, in row 2.</summary>
    public VirtualRegister Shift { get; } = Register(new(2, column), "shift");

    /// <summary>Doubling before a rounding shift that had to be made 1, in row 3.</summary>
    public VirtualRegister Doubling { get; } = Register(new(3, column), "doubling");

    /// <summary>The parameters of a multiplier and shift: multiplier halves, left shift before, doubling, rounding shift and its half.</summary>
    public static (int High, int Low, int LeftShift, int Doubling, int Shift, int Half) Parameters(int multiplier, int shift)
    {
        // a rounding shift by 0 is a doubling and a rounding shift by 1
        var right = Math.Max(-shift, 0);
        var doubling = right == 0 ? 1 : 0;
        right = Math.Max(right, 1);
        return (multiplier >> 16, multiplier & 0xFFFF, Math.Max(shift, 0), doubling, right, 1 << (right - 1));
    }

    /// <summary>Emits the operations for all four columns side by side; the results are codes in row 2's ROUT.</summary>
    /// <param name="p">Program.</param>
    /// <param name="tails">The four columns.</param>
    /// <param name="values">The values, in the ROUT of row 0.</param>
    /// <param name="withDoubling">True where some channel needs <see cref="Doubling"/>.</param>
    /// <param name="zeroPoint">Added after rounding.</param>
    /// <param name="low">Lowest code.</param>
    /// <param name="high">Highest code.</param>
    public static ArrayOperation[] Emit(
        ArrayProgramBuilder p, RequantizeTail[] tails, ArrayOperation[] values, bool withDoubling, int zeroPoint, int low, int high)
    {
        ArrayOperation[] Each(Func<RequantizeTail, int, ArrayOperation> make)
        {
            var operations = tails.Select(make).ToArray();
            p.Step(operations);
            return operations;
        }

        var toLow = tails.Select((t, i) => Move(t.Low, values[i])).ToArray();
        var toHigh = tails.Select((t, i) => Move(t.High, values[i])).ToArray();
        p.Step([.. toLow, .. toHigh]);
        var main = tails.Select((t, i) => Binary(OpenEdgeOpcode.FxpMul, t.Value, values[i], t.ValueHigh)).ToArray();
        var fraction = tails.Select((t, i) => Binary(OpenEdgeOpcode.FxpMul, t.Low, toLow[i], t.MultiplierLow)).ToArray();
        var bits = tails.Select((t, i) => Binary(OpenEdgeOpcode.SMul, t.High, toHigh[i], t.MultiplierHigh)).ToArray();
        p.Step([.. main, .. fraction, .. bits]);

        // the low 15 bits of value * high half, plus value * low half / 2^16
        var halved = tails.Select((t, i) => Immediate(OpenEdgeOpcode.Sra, t.Low, fraction[i], 1)).ToArray();
        var up = tails.Select((t, i) => Immediate(OpenEdgeOpcode.Sll, t.High, bits[i], LowBits)).ToArray();
        p.Step([.. halved, .. up]);
        var down = Each((t, i) => Immediate(OpenEdgeOpcode.Srl, t.High, up[i], LowBits));
        var joined = Each((t, i) => Binary(OpenEdgeOpcode.SAdd, t.Collector, halved[i], down[i]));
        var shifted = Each((t, i) => Immediate(OpenEdgeOpcode.Sra, t.Collector, joined[i], 14));
        var rounded = Each((t, i) => Immediate(OpenEdgeOpcode.SAdd, t.Collector, shifted[i], 1));
        var carry = Each((t, i) => Immediate(OpenEdgeOpcode.Sra, t.Collector, rounded[i], 1));
        var product = Each((t, i) => Binary(OpenEdgeOpcode.SAdd, t.High, main[i], carry[i]));
        if (withDoubling)
        {
            product = Each((t, i) => Binary(OpenEdgeOpcode.Sll, t.High, product[i], t.Doubling));
        }

        // half away from zero: negative values are lowered by one first
        var sign = Each((t, i) => Immediate(OpenEdgeOpcode.Sra, t.Collector, product[i], 31));
        var lowered = Each((t, i) => Binary(OpenEdgeOpcode.SAdd, t.Collector, sign[i], product[i]));
        var raised = Each((t, i) => Binary(OpenEdgeOpcode.SAdd, t.Collector, lowered[i], t.Half));
        var result = Each((t, i) => Binary(OpenEdgeOpcode.Sra, t.Collector, raised[i], t.Shift));
        return Clamp(p, result, zeroPoint, low, high);
    }

    /// <summary>Adds a constant to values in ROUT and clamps them, in place.</summary>
    public static ArrayOperation[] Clamp(ArrayProgramBuilder p, ArrayOperation[] values, int offset, int low, int high)
    {
        ArrayOperation[] Each(ArrayOperation[] from, Func<ArrayOperation, ArrayOperation> make)
        {
            var operations = from.Select(make).ToArray();
            p.Step(operations);
            return operations;
        }

        // relative to the lower bound: negative means below; then relative to the upper bound: negative means inside
        var aboveLow = Each(values, v => Immediate(OpenEdgeOpcode.SAdd, v.Cell, v, offset - low));
        var atLeast = Each(aboveLow, v => SelectOnSign(v.Cell, v, ArrayOperand.Zero, v));
        var belowHigh = Each(atLeast, v => Immediate(OpenEdgeOpcode.SAdd, v.Cell, v, low - high));
        var atMost = Each(belowHigh, v => SelectOnSign(v.Cell, v, v, ArrayOperand.Zero));
        return Each(atMost, v => Immediate(OpenEdgeOpcode.SAdd, v.Cell, v, high));
    }

    private static ArrayOperation Immediate(OpenEdgeOpcode opcode, Cell cell, ArrayOperand a, int immediate) =>
        Binary(opcode, cell, a, ArrayOperand.Immediate, null, immediate);
}
