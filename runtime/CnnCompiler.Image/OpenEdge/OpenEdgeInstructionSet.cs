using static CnnCompiler.Image.OpenEdge.OpenEdgeImmediateUse;
using static CnnCompiler.Image.OpenEdge.OpenEdgeInstructionKind;
using static CnnCompiler.Image.OpenEdge.OpenEdgeOperandUse;

namespace CnnCompiler.Image.OpenEdge;

/// <summary>
/// The instruction set of OpenEdgeCGRA revision 4a179fc, stated once: what an opcode, an operand source or a flag source is. Encoder checks, assembler,
/// disassembler, interpreter, legality checker, <c>docs/openedge-isa.md</c> and the exhaustive tests derive from these tables. The values that
/// instructions calculate are in <see cref="OpenEdgeSemantics"/>.
/// </summary>
public static class OpenEdgeInstructionSet
{
    // Rows stand at the index of their opcode, which a test checks: looking one up is an array access.
    private static readonly OpenEdgeInstructionRow[] Table =
    [
        Row(0, "NOP", Nop, OpenEdgeOperandUse.None, OpenEdgeOperandUse.None, "0", "Does nothing; with a register, clears it and keeps ROUT."),
        Row(1, "SADD", Alu, Value, Value, "a + b mod 2^32", "Addition."),
        Row(2, "SSUB", Alu, Value, Value, "a - b mod 2^32", "Subtraction."),
        Row(3, "SMUL", Multiply, Value, Value, "low 32 bits of a * b", "Product."),
        Row(4, "FXPMUL", Multiply, Value, Value, "bits 46:15 of the signed 64-bit a * b", "Fixed-point product: floor(a * b / 2^15), no rounding, no saturation."),
        Row(5, "SLL", Alu, Value, ShiftCount, "a << b[4:0]", "Shift left.", alternative: "SLT"),
        Row(6, "SRL", Alu, Value, ShiftCount, "a >> b[4:0], zeros in", "Logical shift right.", alternative: "SRT"),
        Row(7, "SRA", Alu, Value, ShiftCount, "a >> b[4:0], sign in", "Arithmetic shift right."),
        Row(8, "LAND", Alu, Value, Value, "a & b", "Bitwise and."),
        Row(9, "LOR", Alu, Value, Value, "a | b", "Bitwise or."),
        Row(10, "LXOR", Alu, Value, Value, "a ^ b", "Bitwise exclusive or."),
        Row(11, "LNAND", Alu, Value, Value, "~(a & b)", "Bitwise not-and."),
        Row(12, "LNOR", Alu, Value, Value, "~(a | b)", "Bitwise not-or."),
        Row(13, "LXNOR", Alu, Value, Value, "~(a ^ b)", "Bitwise equality."),
        Row(14, "BSFA", Select, Value, Value, "F.sign ? a : b", "Selects by the sign flag of F."),
        Row(15, "BZFA", Select, Value, Value, "F.zero ? a : b", "Selects by the zero flag of F."),
        Row(16, "BEQ", Branch, Value, Value, "a == b ? 1 : 0", "Branches where equal.", BranchTarget),
        Row(17, "BNE", Branch, Value, Value, "a != b ? 1 : 0", "Branches where different.", BranchTarget),
        Row(18, "BLT", Branch, Value, Value, "a < b ? 1 : 0 (signed)", "Branches where less, correct also where a - b overflows.", BranchTarget),
        Row(19, "BGE", Branch, Value, Value, "a >= b ? 1 : 0 (signed)", "Branches where greater or equal.", BranchTarget),
        Row(20, "JUMP", Jump, Value, Value, "a + b mod 2^32", "Always branches to step (a + b)[4:0]; computed jumps are possible."),
        Row(21, "LWD", LoadDirect, OpenEdgeOperandUse.None, OpenEdgeOperandUse.None, "word at RP", "Loads from the column's read pointer, then RP += constant.", PointerIncrement),
        Row(22, "SWD", StoreDirect, StoreData, OpenEdgeOperandUse.None, "-", "Stores a to the column's write pointer, then WP += constant.", PointerIncrement),
        Row(23, "LWI", LoadIndirect, OpenEdgeOperandUse.None, Address, "word at b", "Loads from byte address b."),
        Row(24, "SWI", StoreIndirect, StoreData, Address, "-", "Stores a to byte address b."),
        Row(25, "EXIT", Exit, OpenEdgeOperandUse.None, OpenEdgeOperandUse.None, "0", "Ends the kernel, unless exactly one branch of the kernel is taken in the same step."),
        .. Enumerable.Range(26, 6).Select(opcode => Row(opcode, $"OP{opcode}", Reserved, OpenEdgeOperandUse.None, OpenEdgeOperandUse.None, "0", "Reserved: result 0.")),
    ];

    private static readonly OpenEdgeSourceRow[] SourceTable =
    [
        new(OpenEdgeSource.Zero, "ZERO", "0"),
        new(OpenEdgeSource.Rout, "ROUT", "own ROUT"),
        new(OpenEdgeSource.Left, "RCL", "ROUT of the left neighbour, column - 1", ColumnOffset: -1),
        new(OpenEdgeSource.Right, "RCR", "ROUT of the right neighbour, column + 1", ColumnOffset: 1),
        new(OpenEdgeSource.Top, "RCT", "ROUT of the neighbour above, row - 1", RowOffset: -1),
        new(OpenEdgeSource.Bottom, "RCB", "ROUT of the neighbour below, row + 1", RowOffset: 1),
        new(OpenEdgeSource.R0, "R0", "register 0", Register: 0),
        new(OpenEdgeSource.R1, "R1", "register 1", Register: 1),
        new(OpenEdgeSource.R2, "R2", "register 2", Register: 2),
        new(OpenEdgeSource.R3, "R3", "register 3", Register: 3),
        new(OpenEdgeSource.Immediate, "IMM", "the constant, sign-extended"),
    ];

    private static readonly OpenEdgeFlagRow[] FlagTable =
    [
        new(OpenEdgeFlagSource.Own, "SELF", "own flags"),
        new(OpenEdgeFlagSource.Left, "RCL", "flags of the left neighbour, column - 1", ColumnOffset: -1),
        new(OpenEdgeFlagSource.Right, "RCR", "flags of the right neighbour, column + 1", ColumnOffset: 1),
        new(OpenEdgeFlagSource.Top, "RCT", "flags of the neighbour above, row - 1", RowOffset: -1),
        new(OpenEdgeFlagSource.Bottom, "RCB", "flags of the neighbour below, row + 1", RowOffset: 1),
    ];

    private static readonly Dictionary<string, OpenEdgeInstructionRow> ByMnemonic = Table
        .Where(row => row.Kind != Reserved)
        .SelectMany(row => (string[])(row.Alternative is { } alternative ? [row.Mnemonic, alternative] : [row.Mnemonic]), (row, name) => (row, name))
        .ToDictionary(pair => pair.name, pair => pair.row, StringComparer.OrdinalIgnoreCase);

    /// <summary>Registers of a cell, besides ROUT.</summary>
    public const int Registers = 4;

    /// <summary>All 32 rows, at the index of their opcode; 26 to 31 are reserved.</summary>
    public static IReadOnlyList<OpenEdgeInstructionRow> Rows => Table;

    /// <summary>The operand sources that mean something, at the index of their value; others read 0.</summary>
    public static IReadOnlyList<OpenEdgeSourceRow> Sources => SourceTable;

    /// <summary>The flag sources that mean something, at the index of their value; others read both flags as 0.</summary>
    public static IReadOnlyList<OpenEdgeFlagRow> Flags => FlagTable;

    /// <summary>The names that the assembler takes for instructions.</summary>
    public static IReadOnlyCollection<string> Mnemonics => ByMnemonic.Keys;

    /// <summary>The row of an opcode (only its five bits count).</summary>
    public static OpenEdgeInstructionRow Get(OpenEdgeOpcode opcode) => Table[(int)opcode & 31];

    /// <summary>The row of an instruction.</summary>
    public static OpenEdgeInstructionRow Get(OpenEdgeInstruction instruction) => Table[(instruction.Word >> 19) & 31];

    /// <summary>The row with this mnemonic or alternative mnemonic, letter case ignored, or null. Reserved opcodes have none.</summary>
    public static OpenEdgeInstructionRow? Find(string mnemonic) => ByMnemonic.GetValueOrDefault(mnemonic);

    /// <summary>
    /// True where the instruction says nothing that has no effect: opcode and sources have a meaning, and every field that the instruction does not use is 0.
    /// These are the words that have a written form; all others behave like one of them.
    /// </summary>
    public static bool IsCanonical(OpenEdgeInstruction instruction)
    {
        var row = Get(instruction);
        var usesA = row.A != OpenEdgeOperandUse.None;
        var usesB = row.B != OpenEdgeOperandUse.None;
        var immediate = (usesA && instruction.A == OpenEdgeSource.Immediate) || (usesB && instruction.B == OpenEdgeSource.Immediate);
        return row.Kind != Reserved
            && (usesA ? (int)instruction.A < SourceTable.Length : instruction.A == 0)
            && (usesB ? (int)instruction.B < SourceTable.Length : instruction.B == 0)
            && (row.UsesFlag ? (int)instruction.Flag < FlagTable.Length : instruction.Flag == 0)
            && (instruction.WritesRegister ? row.Register != OpenEdgeRegisterEffect.Never : instruction.Register == 0)
            && row.Immediate switch
            {
                BranchTarget => instruction.Immediate == instruction.BranchTarget,
                PointerIncrement => true,
                _ => immediate || instruction.Immediate == 0,
            };
    }

    private static OpenEdgeInstructionRow Row(
        int opcode,
        string mnemonic,
        OpenEdgeInstructionKind kind,
        OpenEdgeOperandUse a,
        OpenEdgeOperandUse b,
        string operation,
        string summary,
        OpenEdgeImmediateUse immediate = OpenEdgeImmediateUse.None,
        string? alternative = null) =>
        new((OpenEdgeOpcode)opcode, mnemonic, alternative, kind, a, b, immediate, operation, summary);
}
