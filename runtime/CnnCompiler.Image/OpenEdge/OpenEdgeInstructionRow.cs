namespace CnnCompiler.Image.OpenEdge;

/// <summary>What an instruction is, as far as execution and scheduling tell instructions apart.</summary>
public enum OpenEdgeInstructionKind
{
    /// <summary>Does nothing, or clears a register.</summary>
    Nop,

    /// <summary>One-cycle arithmetic or logic.</summary>
    Alu,

    /// <summary>A multiply: the whole kernel's step takes at least three cycles.</summary>
    Multiply,

    /// <summary>Selects A or B by a flag.</summary>
    Select,

    /// <summary>Compares and branches.</summary>
    Branch,

    /// <summary>Branches always, to a computed target.</summary>
    Jump,

    /// <summary>Loads from the column's read pointer.</summary>
    LoadDirect,

    /// <summary>Stores to the column's write pointer.</summary>
    StoreDirect,

    /// <summary>Loads from an address operand.</summary>
    LoadIndirect,

    /// <summary>Stores to an address operand.</summary>
    StoreIndirect,

    /// <summary>Ends the kernel.</summary>
    Exit,

    /// <summary>An opcode without a meaning: result 0.</summary>
    Reserved,
}

/// <summary>What an instruction reads an operand (A or B) for.</summary>
public enum OpenEdgeOperandUse
{
    /// <summary>Not read.</summary>
    None,

    /// <summary>A value of the calculation.</summary>
    Value,

    /// <summary>A shift count: only the low five bits count.</summary>
    ShiftCount,

    /// <summary>The word that is stored.</summary>
    StoreData,

    /// <summary>The byte address of the access.</summary>
    Address,
}

/// <summary>What an instruction uses the constant field for, besides as an operand whose source is the constant.</summary>
public enum OpenEdgeImmediateUse
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Its low five bits are the branch target.</summary>
    BranchTarget,

    /// <summary>Sign-extended, it is added to the pointer after the access, in bytes.</summary>
    PointerIncrement,
}

/// <summary>What an instruction leaves in ROUT and the flags.</summary>
public enum OpenEdgeRoutEffect
{
    /// <summary>Both keep their value.</summary>
    Kept,

    /// <summary>The result and its flags.</summary>
    Result,

    /// <summary>The loaded word and its flags, at the end of the step.</summary>
    LoadedWord,

    /// <summary>The cell's hidden load buffer and its flags, at the end of the step: undefined for whoever does not model it (<c>openedge.md</c> section 6.4).</summary>
    LoadBuffer,
}

/// <summary>What an instruction writes to register RD where WE is set.</summary>
public enum OpenEdgeRegisterEffect
{
    /// <summary>The result; 0 where there is none.</summary>
    Result,

    /// <summary>The loaded word.</summary>
    LoadedWord,

    /// <summary>Nothing: WE has no effect.</summary>
    Never,
}

/// <summary>A place in the written form of an instruction, in the order in which they are written.</summary>
public enum OpenEdgeOperandSlot
{
    /// <summary>ROUT or a register: where the result goes. Always written.</summary>
    Destination,

    /// <summary>A register that gets the result as well; left out where there is none.</summary>
    OptionalRegister,

    /// <summary>Source A.</summary>
    A,

    /// <summary>Source B.</summary>
    B,

    /// <summary>Source B, an address, in square brackets.</summary>
    AddressB,

    /// <summary>Flag source.</summary>
    Flag,

    /// <summary>A label, or <c>@</c> and a step number.</summary>
    Target,

    /// <summary>Pointer increment in bytes.</summary>
    Increment,
}

/// <summary>One row of the instruction table (<c>specs/openedge.md</c> section 4).</summary>
/// <param name="Opcode">Value of bits 23:19.</param>
/// <param name="Mnemonic">Name in assembler text.</param>
/// <param name="Alternative">A second name that the assembler takes (the RTL's bitstream generator has it), or null.</param>
/// <param name="Kind">What it is.</param>
/// <param name="A">What operand A is read for.</param>
/// <param name="B">What operand B is read for.</param>
/// <param name="Immediate">What the constant field is used for besides as an operand.</param>
/// <param name="Operation">The result, as a formula.</param>
/// <param name="Summary">What it does, for people.</param>
public sealed record OpenEdgeInstructionRow(
    OpenEdgeOpcode Opcode,
    string Mnemonic,
    string? Alternative,
    OpenEdgeInstructionKind Kind,
    OpenEdgeOperandUse A,
    OpenEdgeOperandUse B,
    OpenEdgeImmediateUse Immediate,
    string Operation,
    string Summary)
{
    /// <summary>True where the flag source F is read.</summary>
    public bool UsesFlag => Kind == OpenEdgeInstructionKind.Select;

    /// <summary>True for loads and stores: one access of the column's memory port.</summary>
    public bool IsMemory => IsLoad || IsStore;

    /// <summary>True for loads.</summary>
    public bool IsLoad => Kind is OpenEdgeInstructionKind.LoadDirect or OpenEdgeInstructionKind.LoadIndirect;

    /// <summary>True for stores.</summary>
    public bool IsStore => Kind is OpenEdgeInstructionKind.StoreDirect or OpenEdgeInstructionKind.StoreIndirect;

    /// <summary>
    /// Cycles of a step that this instruction makes necessary: 3 with a multiply, 2 with one memory access (a step with m accesses in a column takes at
    /// least m + 1), else 1. A step takes the largest of all cells of its kernel (<c>openedge.md</c> section 6.5).
    /// </summary>
    public int MinimumCycles => Kind switch
    {
        OpenEdgeInstructionKind.Multiply => 3,
        _ when IsMemory => 2,
        _ => 1,
    };

    /// <summary>What it leaves in ROUT and the flags.</summary>
    public OpenEdgeRoutEffect Rout => Kind switch
    {
        OpenEdgeInstructionKind.Nop => OpenEdgeRoutEffect.Kept,
        _ when IsLoad => OpenEdgeRoutEffect.LoadedWord,
        _ when IsStore => OpenEdgeRoutEffect.LoadBuffer,
        _ => OpenEdgeRoutEffect.Result,
    };

    /// <summary>What it writes to RD where WE is set.</summary>
    public OpenEdgeRegisterEffect Register =>
        IsLoad ? OpenEdgeRegisterEffect.LoadedWord : IsStore ? OpenEdgeRegisterEffect.Never : OpenEdgeRegisterEffect.Result;

    /// <summary>The places of its written form.</summary>
    public IReadOnlyList<OpenEdgeOperandSlot> Operands { get; } = [.. Slots(Kind, A, B, Immediate)];

    private static IEnumerable<OpenEdgeOperandSlot> Slots(OpenEdgeInstructionKind kind, OpenEdgeOperandUse a, OpenEdgeOperandUse b, OpenEdgeImmediateUse immediate)
    {
        switch (kind)
        {
            case OpenEdgeInstructionKind.StoreDirect or OpenEdgeInstructionKind.StoreIndirect:
                break;
            case OpenEdgeInstructionKind.Nop or OpenEdgeInstructionKind.Branch or OpenEdgeInstructionKind.Jump or OpenEdgeInstructionKind.Exit or OpenEdgeInstructionKind.Reserved:
                yield return OpenEdgeOperandSlot.OptionalRegister;
                break;
            default:
                yield return OpenEdgeOperandSlot.Destination;
                break;
        }

        if (a != OpenEdgeOperandUse.None)
        {
            yield return OpenEdgeOperandSlot.A;
        }

        if (b != OpenEdgeOperandUse.None)
        {
            yield return b == OpenEdgeOperandUse.Address ? OpenEdgeOperandSlot.AddressB : OpenEdgeOperandSlot.B;
        }

        if (kind == OpenEdgeInstructionKind.Select)
        {
            yield return OpenEdgeOperandSlot.Flag;
        }

        switch (immediate)
        {
            case OpenEdgeImmediateUse.BranchTarget:
                yield return OpenEdgeOperandSlot.Target;
                break;
            case OpenEdgeImmediateUse.PointerIncrement:
                yield return OpenEdgeOperandSlot.Increment;
                break;
        }
    }
}

/// <summary>One row of the operand source table.</summary>
/// <param name="Source">Value of field A or B.</param>
/// <param name="Name">Name in assembler text.</param>
/// <param name="Summary">What is read.</param>
/// <param name="RowOffset">For ROUT and the neighbours' ROUT: row of the cell that is read, relative and modulo the rows.</param>
/// <param name="ColumnOffset">The same for its column.</param>
/// <param name="Register">For registers the number, else -1.</param>
public sealed record OpenEdgeSourceRow(OpenEdgeSource Source, string Name, string Summary, int RowOffset = 0, int ColumnOffset = 0, int Register = -1)
{
    /// <summary>True where the ROUT of the cell itself or of a neighbour is read.</summary>
    public bool IsRout => Source is >= OpenEdgeSource.Rout and <= OpenEdgeSource.Bottom;
}

/// <summary>One row of the flag source table.</summary>
/// <param name="Flag">Value of field F.</param>
/// <param name="Name">Name in assembler text.</param>
/// <param name="Summary">What is read.</param>
/// <param name="RowOffset">Row of the cell whose flags are read, relative and modulo the rows.</param>
/// <param name="ColumnOffset">The same for its column.</param>
public sealed record OpenEdgeFlagRow(OpenEdgeFlagSource Flag, string Name, string Summary, int RowOffset = 0, int ColumnOffset = 0);
