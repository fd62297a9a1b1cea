namespace CnnCompiler.Image.Systolic;

/// <summary>Operations of the scalar programs that output and vector units execute: a postfix program over a stack of 64-bit integers.</summary>
public enum ScalarOpcode : byte
{
    /// <summary>Pushes the input element, or pre's result.</summary>
    Input = 1,

    /// <summary>Pushes the kernel element.</summary>
    Kernel = 2,

    /// <summary>Pushes the reduced value.</summary>
    Accumulator = 3,

    /// <summary>Pushes the number of taps that were not skipped.</summary>
    TapCount = 4,

    /// <summary>Pushes an element of a further operand.</summary>
    Extra = 5,

    /// <summary>Pushes a constant.</summary>
    Literal = 6,

    /// <summary>a + b.</summary>
    Add = 7,

    /// <summary>a - b.</summary>
    Subtract = 8,

    /// <summary>a * b.</summary>
    Multiply = 9,

    /// <summary>max(a, b).</summary>
    Maximum = 10,

    /// <summary>min(a, b).</summary>
    Minimum = 11,

    /// <summary>a shifted left by b.</summary>
    ShiftLeft = 12,

    /// <summary>a / b to the nearest, half away from zero.</summary>
    DivideRoundHalfAway = 13,

    /// <summary>MultiplyByQuantizedMultiplier(value, multiplier, shift), two roundings.</summary>
    RequantizeDouble = 14,

    /// <summary>The same with one rounding.</summary>
    RequantizeSingle = 15,

    /// <summary>value clamped to [low, high].</summary>
    Clamp = 16,
}

/// <summary>What follows an opcode's word.</summary>
public enum ScalarImmediate
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>A word: index of a further operand.</summary>
    Index,

    /// <summary>Two words: a 64-bit constant, low word first.</summary>
    Constant,
}

/// <summary>One operation.</summary>
/// <param name="Opcode">Number in the image.</param>
/// <param name="Mnemonic">Name in listings.</param>
/// <param name="Operands">Values taken from the stack; one is pushed.</param>
/// <param name="Immediate">What follows the opcode.</param>
/// <param name="Operations">Scalar operations it counts for in a lane: cycles and energy.</param>
/// <param name="Meaning">What it does.</param>
public sealed record ScalarInstructionRow(ScalarOpcode Opcode, string Mnemonic, int Operands, ScalarImmediate Immediate, int Operations, string Meaning);

/// <summary>An operation with its immediate.</summary>
/// <param name="Opcode">Operation.</param>
/// <param name="Value">Immediate, or 0.</param>
public readonly record struct ScalarInstruction(ScalarOpcode Opcode, long Value = 0);

/// <summary>The one table of scalar operations: encoder, decoder, listing, checks, cycle counts and the documentation come from it.</summary>
public static class ScalarInstructionSet
{
    /// <summary>Most instructions of a program.</summary>
    public const int LongestProgram = 4096;

    /// <summary>Deepest stack of a program.</summary>
    public const int DeepestStack = 256;

    /// <summary>All operations.</summary>
    public static IReadOnlyList<ScalarInstructionRow> Rows { get; } =
    [
        new(ScalarOpcode.Input, "input", 0, ScalarImmediate.None, 0, "input element (in pre), pre's result (in main)"),
        new(ScalarOpcode.Kernel, "kernel", 0, ScalarImmediate.None, 0, "kernel element"),
        new(ScalarOpcode.Accumulator, "acc", 0, ScalarImmediate.None, 0, "reduced value"),
        new(ScalarOpcode.TapCount, "taps", 0, ScalarImmediate.None, 0, "number of taps that were not skipped"),
        new(ScalarOpcode.Extra, "extra", 0, ScalarImmediate.Index, 0, "element of a further operand"),
        new(ScalarOpcode.Literal, "literal", 0, ScalarImmediate.Constant, 0, "constant"),
        new(ScalarOpcode.Add, "add", 2, ScalarImmediate.None, 1, "a + b"),
        new(ScalarOpcode.Subtract, "sub", 2, ScalarImmediate.None, 1, "a - b"),
        new(ScalarOpcode.Multiply, "mul", 2, ScalarImmediate.None, 1, "a * b"),
        new(ScalarOpcode.Maximum, "max", 2, ScalarImmediate.None, 1, "max(a, b)"),
        new(ScalarOpcode.Minimum, "min", 2, ScalarImmediate.None, 1, "min(a, b)"),
        new(ScalarOpcode.ShiftLeft, "shl", 2, ScalarImmediate.None, 1, "a << b, b from 0 to 62"),
        new(ScalarOpcode.DivideRoundHalfAway, "div.half-away", 2, ScalarImmediate.None, 16, "a / b to the nearest, half away from zero, b at least 1"),
        new(ScalarOpcode.RequantizeDouble, "requantize.double", 3, ScalarImmediate.None, 4, "value, multiplier, shift: TFLite's MultiplyByQuantizedMultiplier with two roundings"),
        new(ScalarOpcode.RequantizeSingle, "requantize.single", 3, ScalarImmediate.None, 3, "the same with one rounding"),
        new(ScalarOpcode.Clamp, "clamp", 3, ScalarImmediate.None, 2, "value, low, high: clamped"),
    ];

    private static readonly ScalarInstructionRow?[] ByOpcode = Index();

    /// <summary>The row of an opcode, or null where there is none.</summary>
    public static ScalarInstructionRow? Find(int opcode) => opcode >= 0 && opcode < ByOpcode.Length ? ByOpcode[opcode] : null;

    /// <summary>The row of an opcode.</summary>
    public static ScalarInstructionRow Row(ScalarOpcode opcode) => ByOpcode[(int)opcode]!;

    /// <summary>Scalar operations of a program.</summary>
    public static int Operations(IReadOnlyList<ScalarInstruction> program) => program.Sum(instruction => Row(instruction.Opcode).Operations);

    /// <summary>Words of stack that a program needs; -1 for one that takes what is not there or does not leave one value.</summary>
    public static int StackDepth(IReadOnlyList<ScalarInstruction> program)
    {
        var depth = 0;
        var most = 0;
        foreach (var instruction in program)
        {
            var row = Row(instruction.Opcode);
            depth -= row.Operands;
            if (depth < 0)
            {
                return -1;
            }

            most = Math.Max(most, ++depth);
        }

        return depth == 1 ? most : -1;
    }

    private static ScalarInstructionRow?[] Index()
    {
        var rows = new ScalarInstructionRow?[Rows.Max(row => (int)row.Opcode) + 1];
        foreach (var row in Rows)
        {
            rows[(int)row.Opcode] = row;
        }

        return rows;
    }
}
