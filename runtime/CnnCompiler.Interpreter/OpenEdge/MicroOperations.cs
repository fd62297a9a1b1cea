using System.Runtime.InteropServices;
using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Interpreter.OpenEdge;

/// <summary>
/// Where values live while a kernel runs: one array holds every operand an instruction can name, so that a decoded instruction fetches
/// its operands by index and without a case distinction. Cells are numbered row * 4 + column.
/// </summary>
internal static class Slots
{
    public const int Cells = 16;
    public const int Columns = 4;
    public const int Steps = 32;

    /// <summary>Always 0.</summary>
    public const int Zero = 0;

    /// <summary>Takes what nobody wants; never read.</summary>
    public const int Discard = 1;

    public const int Rout = 2;
    public const int Registers = Rout + Cells;
    public const int Temporary = Registers + (4 * Cells);

    /// <summary>Results that may not reach ROUT before the end of the step, because another cell still reads the old value.</summary>
    public const int Deferred = Temporary + Cells;

    public const int ReadPointer = Deferred + Cells;
    public const int WritePointer = ReadPointer + Columns;
    public const int Immediate = WritePointer + Columns;
    public const int Count = Immediate + (Steps * Cells);
}

/// <summary>A decoded instruction that is not a memory access. The result goes to two slots; what is not wanted goes to <see cref="Slots.Discard"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CellInstruction
{
    public ushort A;
    public ushort B;
    public ushort Result;
    public ushort Register;

    /// <summary>Selects: slot of the flags' ROUT. Branches: target.</summary>
    public ushort Extra;

    public OpenEdgeOpcode Opcode;

    /// <summary>BZFA: cell of the flags.</summary>
    public byte FlagCell;
}

/// <summary>A decoded memory access.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MemoryAccess
{
    /// <summary>Slot of the byte address.</summary>
    public ushort Address;

    /// <summary>Slot the increment is added to.</summary>
    public ushort Pointer;

    /// <summary>Stores: slot of the word.</summary>
    public ushort Data;

    /// <summary>Loads: slot of ROUT or of its deferred value.</summary>
    public ushort Result;

    /// <summary>Loads: slot of the register.</summary>
    public ushort Register;

    /// <summary>Loads: slot of TMP where the response arrives before the last cycle, else <see cref="Slots.Discard"/>.</summary>
    public ushort Temporary;

    public short Increment;
    public byte Cell;
    public bool IsLoad;
}

/// <summary>Copies a value at the end of a step.</summary>
internal struct Commit
{
    public ushort From;
    public ushort To;
}

/// <summary>A decoded step of the loaded kernel, for one state of the shared bus's round-robin pointer.</summary>
internal struct Step
{
    /// <summary>Cycles, memory included where its timing is static; 0 = not decoded yet.</summary>
    public int Duration;

    /// <summary>Data-stall cycles, where static.</summary>
    public int Stall;

    public int AccessStart;
    public int InstructionStart;
    public int CommitStart;
    public byte AccessCount;
    public byte InstructionCount;
    public byte CommitCount;
    public byte Loads;
    public byte NextPointer;
    public bool EndsOrBranches;
    public bool HasExit;
    public bool HasMultiply;

    /// <summary>Cells whose flags are set by this step.</summary>
    public ushort FlagsWritten;

    /// <summary>Cells that store: their flags become those of TMP.</summary>
    public ushort FlagsFromTemporary;

    /// <summary>Cells whose TMP this step writes, where static.</summary>
    public ushort TemporaryWritten;

    /// <summary>Accesses of each column, one byte a column.</summary>
    public uint ColumnAccesses;
}
