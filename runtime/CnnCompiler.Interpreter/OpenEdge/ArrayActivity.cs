using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.OpenEdge;

/// <summary>What a launch, a layer or a run did, counted, as far as it costs energy.</summary>
public sealed record ArrayActivity
{
    /// <summary>Nothing.</summary>
    public static readonly ArrayActivity None = new();

    /// <summary>Values of the opcode field.</summary>
    internal const int Opcodes = 32;

    /// <summary>Executed operations of cells by opcode, 32 numbers; NOP included.</summary>
    public IReadOnlyList<long> Operations { get; init; } = new long[Opcodes];

    /// <summary>Cycles of cells whose column executes.</summary>
    public long ExecutingCellCycles { get; init; }

    /// <summary>Cycles of cells whose column loads code, waits for the host's words on the bus, or has nothing to do.</summary>
    public long IdleCellCycles { get; init; }

    /// <summary>Words read from RAM, by array and host.</summary>
    public long RamReads { get; init; }

    /// <summary>Words written to RAM, by array and host.</summary>
    public long RamWrites { get; init; }

    /// <summary>Words read from flash.</summary>
    public long FlashWords { get; init; }

    /// <summary>Words written into context memory.</summary>
    public long ContextWords { get; init; }

    /// <summary>Cycles in which the host works.</summary>
    public long HostCycles { get; init; }

    /// <summary>Cycles in which the host sleeps.</summary>
    public long HostWaitCycles { get; init; }

    /// <summary>Cycles that cells spend on their own operations: 3 a multiplication, 2 an access, 1 all others (<c>openedge.md</c> section 6.5).</summary>
    public long OperationCycles => Operations.Select((count, opcode) => count * CyclesOf((OpenEdgeOpcode)opcode)).Sum();

    /// <summary>Cycles that executing cells wait for the rest of their step.</summary>
    public long WaitCellCycles => ExecutingCellCycles - OperationCycles;

    /// <summary>Both together.</summary>
    public static ArrayActivity operator +(ArrayActivity left, ArrayActivity right) => new()
    {
        Operations = [.. left.Operations.Zip(right.Operations, (a, b) => a + b)],
        ExecutingCellCycles = left.ExecutingCellCycles + right.ExecutingCellCycles,
        IdleCellCycles = left.IdleCellCycles + right.IdleCellCycles,
        RamReads = left.RamReads + right.RamReads,
        RamWrites = left.RamWrites + right.RamWrites,
        FlashWords = left.FlashWords + right.FlashWords,
        ContextWords = left.ContextWords + right.ContextWords,
        HostCycles = left.HostCycles + right.HostCycles,
        HostWaitCycles = left.HostWaitCycles + right.HostWaitCycles,
    };

    /// <summary>What it costs.</summary>
    /// <param name="energies">Femtojoules of every event.</param>
    public ArrayEnergy Energy(EnergyDescription energies)
    {
        long operations = 0;
        for (var opcode = 0; opcode < Operations.Count; opcode++)
        {
            operations += Operations[opcode] == 0 ? 0 : Operations[opcode] * energies[ArrayEnergy.KeyOf((OpenEdgeOpcode)opcode)];
        }

        return new(
            operations,
            (WaitCellCycles * energies[EnergyKeys.WaitCycle]) + (ExecutingCellCycles * energies[EnergyKeys.ClockCycle]) + (IdleCellCycles * energies[EnergyKeys.IdleCycle]),
            (RamReads * energies[EnergyKeys.RamRead]) + (RamWrites * energies[EnergyKeys.RamWrite]),
            (FlashWords * energies[EnergyKeys.FlashWord]) + (ContextWords * energies[EnergyKeys.ContextWord]),
            (HostCycles * energies[EnergyKeys.HostCycle]) + (HostWaitCycles * energies[EnergyKeys.HostWaitCycle]));
    }

    private static int CyclesOf(OpenEdgeOpcode opcode) => opcode switch
    {
        OpenEdgeOpcode.SMul or OpenEdgeOpcode.FxpMul => 3,
        OpenEdgeOpcode.Lwd or OpenEdgeOpcode.Swd or OpenEdgeOpcode.Lwi or OpenEdgeOpcode.Swi => 2,
        _ => 1,
    };
}

/// <summary>Energy by where it goes, in femtojoules.</summary>
/// <param name="Operations">Operations of cells.</param>
/// <param name="Waiting">Cells that wait or are idle, and their clocks.</param>
/// <param name="Ram">RAM.</param>
/// <param name="Loading">Flash and context memory.</param>
/// <param name="Host">The host.</param>
public readonly record struct ArrayEnergy(long Operations, long Waiting, long Ram, long Loading, long Host)
{
    /// <summary>All of it.</summary>
    public long Total => Operations + Waiting + Ram + Loading + Host;

    /// <summary>The row of the table that an operation costs. Reserved opcodes are taken as NOP.</summary>
    public static EnergyKey KeyOf(OpenEdgeOpcode opcode) => Keys[(int)opcode < Keys.Length ? (int)opcode : 0];

    private static readonly EnergyKey[] Keys =
    [
        .. Enum.GetValues<OpenEdgeOpcode>().Select(opcode => opcode switch
        {
            OpenEdgeOpcode.SAdd => "add",
            OpenEdgeOpcode.SSub => "subtract",
            OpenEdgeOpcode.SMul => "multiply",
            OpenEdgeOpcode.FxpMul => "fixedPointMultiply",
            OpenEdgeOpcode.Sll => "shiftLeft",
            OpenEdgeOpcode.Srl => "shiftRight",
            OpenEdgeOpcode.Sra => "shiftRightArithmetic",
            OpenEdgeOpcode.LAnd => "and",
            OpenEdgeOpcode.LOr => "or",
            OpenEdgeOpcode.LXor => "xor",
            OpenEdgeOpcode.LNand => "nand",
            OpenEdgeOpcode.LNor => "nor",
            OpenEdgeOpcode.LXnor => "xnor",
            OpenEdgeOpcode.Bsfa => "selectOnSign",
            OpenEdgeOpcode.Bzfa => "selectOnZero",
            OpenEdgeOpcode.Beq or OpenEdgeOpcode.Bne or OpenEdgeOpcode.Blt or OpenEdgeOpcode.Bge => "branch",
            OpenEdgeOpcode.Jump => "jump",
            OpenEdgeOpcode.Lwd => "loadStream",
            OpenEdgeOpcode.Swd => "storeStream",
            OpenEdgeOpcode.Lwi => "loadIndirect",
            OpenEdgeOpcode.Swi => "storeIndirect",
            OpenEdgeOpcode.Exit => "exit",
            _ => "nop",
        }).Select(EnergyKeys.Find),
    ];
}
