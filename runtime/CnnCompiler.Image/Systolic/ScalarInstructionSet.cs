namespace CnnCompiler.Image.Systolic;

/// <summary>Operations of the scalar programs that output and vector units execute: a postfix program over a stack of 64-bit integers and the bits of binary64 numbers.</summary>
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

    /// <summary>Binary64 constant, by its bits.</summary>
    Real = 17,

    /// <summary>Offset: element so many places after the one that the further operand's index names, in its row.</summary>
    Lookup = 18,

    /// <summary>A + b of reals.</summary>
    AddReal = 19,

    /// <summary>A - b of reals.</summary>
    SubtractReal = 20,

    /// <summary>A * b of reals.</summary>
    MultiplyReal = 21,

    /// <summary>Max(a, b) of reals, not a number if either is.</summary>
    MaximumReal = 22,

    /// <summary>Min(a, b) of reals, not a number if either is.</summary>
    MinimumReal = 23,

    /// <summary>A / b of reals.</summary>
    QuotientReal = 24,

    /// <summary>Value, low, high: clamped reals.</summary>
    ClampReal = 25,

    /// <summary>C, a, b: a where c is 0 or more, b else.</summary>
    Select = 26,

    /// <summary>The same with a real c.</summary>
    SelectReal = 27,

    /// <summary>An integer as binary64, ties to even.</summary>
    ToReal = 28,

    /// <summary>A real rounded to binary32.</summary>
    Single = 29,

    /// <summary>A real to the nearest integer, ties to even.</summary>
    RoundHalfEven = 30,

    /// <summary>A real to the nearest integer, ties away from zero.</summary>
    RoundHalfAway = 31,

    /// <summary>E to the power of a real.</summary>
    Exp = 32,

    /// <summary>Natural logarithm of a real.</summary>
    Log = 33,

    /// <summary>Square root of a real.</summary>
    Sqrt = 34,

    /// <summary>Hyperbolic tangent of a real.</summary>
    Tanh = 35,

    /// <summary>A to the power of b, reals.</summary>
    Power = 36,

    /// <summary>Error function of a real.</summary>
    Erf = 37,

    /// <summary>A >> b, the floor, b from 0 to 63.</summary>
    ShiftRight = 38,

    /// <summary>(a + 2^(b - 1)) >> b, a where b is 0; b from 0 to 62.</summary>
    ShiftRightRound = 39,

    /// <summary>Floor of a / b, b at least 1.</summary>
    FloorDivide = 40,

    /// <summary>A, s_in, s_w, s_out: a * s_in * s_w / s_out of the exact rational, ties to even, saturated to 32 bits.</summary>
    HalfEvenScale = 41,

    /// <summary>A, b, s_a, s_b, s_out: (a * s_a + b * s_b) / s_out of the exact rational, ties to even, saturated to 32 bits.</summary>
    HalfEvenSum = 42,

    /// <summary>A, b, bits: a * b / 2^bits to the nearest, half up.</summary>
    FixedMultiply = 43,

    /// <summary>A, b, to: a / b * 2^to to the nearest, half away from zero.</summary>
    FixedDivide = 44,

    /// <summary>X, from, to: e to the power of x in fixed point.</summary>
    FixedExp = 45,

    /// <summary>X, from, to: natural logarithm in fixed point.</summary>
    FixedLog = 46,

    /// <summary>X, from, to: square root in fixed point.</summary>
    FixedSqrt = 47,

    /// <summary>X, from, to: 1 over the square root in fixed point.</summary>
    FixedReciprocalSqrt = 48,

    /// <summary>X, from, to: logistic function in fixed point.</summary>
    FixedLogistic = 49,

    /// <summary>X, from, to: hyperbolic tangent in fixed point.</summary>
    FixedTanh = 50,

    /// <summary>X, from, to: error function in fixed point.</summary>
    FixedErf = 51,
}

/// <summary>What follows an opcode's word.</summary>
public enum ScalarImmediate
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>A word: index of a further operand.</summary>
    Index,

    /// <summary>Two words: a 64-bit constant or the bits of a binary64 one, low word first.</summary>
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
        new(ScalarOpcode.Real, "real", 0, ScalarImmediate.Constant, 0, "binary64 constant, by its bits"),
        new(ScalarOpcode.Lookup, "lookup", 1, ScalarImmediate.Index, 1, "offset: element so many places after the one that the further operand's index names, in its row"),
        new(ScalarOpcode.AddReal, "add.f64", 2, ScalarImmediate.None, 1, "a + b of reals"),
        new(ScalarOpcode.SubtractReal, "sub.f64", 2, ScalarImmediate.None, 1, "a - b of reals"),
        new(ScalarOpcode.MultiplyReal, "mul.f64", 2, ScalarImmediate.None, 1, "a * b of reals"),
        new(ScalarOpcode.MaximumReal, "max.f64", 2, ScalarImmediate.None, 1, "max(a, b) of reals, not a number if either is"),
        new(ScalarOpcode.MinimumReal, "min.f64", 2, ScalarImmediate.None, 1, "min(a, b) of reals, not a number if either is"),
        new(ScalarOpcode.QuotientReal, "div.f64", 2, ScalarImmediate.None, 16, "a / b of reals"),
        new(ScalarOpcode.ClampReal, "clamp.f64", 3, ScalarImmediate.None, 2, "value, low, high: clamped reals"),
        new(ScalarOpcode.Select, "select", 3, ScalarImmediate.None, 1, "c, a, b: a where c is 0 or more, b else"),
        new(ScalarOpcode.SelectReal, "select.f64", 3, ScalarImmediate.None, 1, "the same with a real c"),
        new(ScalarOpcode.ToReal, "to-real", 1, ScalarImmediate.None, 1, "an integer as binary64, ties to even"),
        new(ScalarOpcode.Single, "single", 1, ScalarImmediate.None, 1, "a real rounded to binary32"),
        new(ScalarOpcode.RoundHalfEven, "round.half-even", 1, ScalarImmediate.None, 1, "a real to the nearest integer, ties to even"),
        new(ScalarOpcode.RoundHalfAway, "round.half-away", 1, ScalarImmediate.None, 1, "a real to the nearest integer, ties away from zero"),
        new(ScalarOpcode.Exp, "exp", 1, ScalarImmediate.None, 16, "e to the power of a real"),
        new(ScalarOpcode.Log, "log", 1, ScalarImmediate.None, 16, "natural logarithm of a real"),
        new(ScalarOpcode.Sqrt, "sqrt", 1, ScalarImmediate.None, 16, "square root of a real"),
        new(ScalarOpcode.Tanh, "tanh", 1, ScalarImmediate.None, 16, "hyperbolic tangent of a real"),
        new(ScalarOpcode.Power, "power", 2, ScalarImmediate.None, 32, "a to the power of b, reals"),
        new(ScalarOpcode.Erf, "erf", 1, ScalarImmediate.None, 16, "error function of a real"),
        new(ScalarOpcode.ShiftRight, "shr", 2, ScalarImmediate.None, 1, "a >> b, the floor, b from 0 to 63"),
        new(ScalarOpcode.ShiftRightRound, "shr.round", 2, ScalarImmediate.None, 2, "(a + 2^(b - 1)) >> b, a where b is 0; b from 0 to 62"),
        new(ScalarOpcode.FloorDivide, "div.floor", 2, ScalarImmediate.None, 16, "floor of a / b, b at least 1"),
        new(ScalarOpcode.HalfEvenScale, "half-even.scale", 4, ScalarImmediate.None, 4, "a, s_in, s_w, s_out: a * s_in * s_w / s_out of the exact rational, ties to even, saturated to 32 bits"),
        new(ScalarOpcode.HalfEvenSum, "half-even.sum", 5, ScalarImmediate.None, 8, "a, b, s_a, s_b, s_out: (a * s_a + b * s_b) / s_out of the exact rational, ties to even, saturated to 32 bits"),
        new(ScalarOpcode.FixedMultiply, "fixed.mul", 3, ScalarImmediate.None, 2, "a, b, bits: a * b / 2^bits to the nearest, half up"),
        new(ScalarOpcode.FixedDivide, "fixed.div", 3, ScalarImmediate.None, 32, "a, b, to: a / b * 2^to to the nearest, half away from zero"),
        new(ScalarOpcode.FixedExp, "fixed.exp", 3, ScalarImmediate.None, 32, "x, from, to: e to the power of x in fixed point"),
        new(ScalarOpcode.FixedLog, "fixed.log", 3, ScalarImmediate.None, 32, "x, from, to: natural logarithm in fixed point"),
        new(ScalarOpcode.FixedSqrt, "fixed.sqrt", 3, ScalarImmediate.None, 32, "x, from, to: square root in fixed point"),
        new(ScalarOpcode.FixedReciprocalSqrt, "fixed.rsqrt", 3, ScalarImmediate.None, 32, "x, from, to: 1 over the square root in fixed point"),
        new(ScalarOpcode.FixedLogistic, "fixed.logistic", 3, ScalarImmediate.None, 32, "x, from, to: logistic function in fixed point"),
        new(ScalarOpcode.FixedTanh, "fixed.tanh", 3, ScalarImmediate.None, 32, "x, from, to: hyperbolic tangent in fixed point"),
        new(ScalarOpcode.FixedErf, "fixed.erf", 3, ScalarImmediate.None, 32, "x, from, to: error function in fixed point"),
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
