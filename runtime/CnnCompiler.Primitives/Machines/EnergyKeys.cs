namespace CnnCompiler.Primitives.Machines;

/// <summary>What an event on OpenEdgeCGRA costs: <c>"name": { "value": 892, "source": "..." }</c> in the section <c>energy</c> of a machine.</summary>
/// <param name="Index">Place in <see cref="EnergyKeys.All"/>.</param>
/// <param name="Name">The key.</param>
/// <param name="Summary">The event.</param>
/// <param name="Default">Femtojoules where a machine says nothing, with their source.</param>
public sealed record EnergyKey(int Index, string Name, string Summary, SourcedValue Default);

/// <summary>
/// Every energy of OpenEdgeCGRA, one row each, in femtojoules. Those of cells are from the table of operations of ESL-CGRA-simulator (<c>operation_characterization.csv</c>,
/// arXiv 2504.01672): average power of a cell at 100 MHz, times 10 ns, times the operation's own cycles (3 for multiplications, 2 for accesses). RAM, flash, context
/// memory and host have no published figure; they are assumed, so that a machine's own figures can take their place.
/// </summary>
public static class EnergyKeys
{
    /// <summary>The section of a machine description.</summary>
    public const string Section = "energy";

    /// <summary>Largest energy of an event, in femtojoules.</summary>
    public const long Largest = 1_000_000_000;

    /// <summary>
    /// What the source of the cells' energies claims of its accuracy, and what is not from it. Two summaries of it disagree; the larger error is given (<c>research/openedge_paper.md</c> 1.7).
    /// </summary>
    public const string Accuracy =
        "cells: table of ESL-CGRA-simulator, whose authors claim 22 % average error of power on their benchmarks (a summary says below 8 %); RAM, flash, context memory and host: assumed, no figure is published";

    private const string Table = "ESL-CGRA-simulator, operation_characterization.csv (arXiv 2504.01672): ";

    /// <summary>All keys, in the canonical order.</summary>
    public static IReadOnlyList<EnergyKey> All { get; } = Rows();

    /// <summary>NOP.</summary>
    public static EnergyKey Nop { get; } = Find("nop");

    /// <summary>A cycle that a cell waits for the other cells of its step, or for the bus, after its operation is done.</summary>
    public static EnergyKey WaitCycle { get; } = Find("waitCycle");

    /// <summary>The clock of a cell whose column executes, a cycle.</summary>
    public static EnergyKey ClockCycle { get; } = Find("clockCycle");

    /// <summary>A cell whose column doesn't execute, a cycle.</summary>
    public static EnergyKey IdleCycle { get; } = Find("idleCycle");

    /// <summary>A word read from RAM.</summary>
    public static EnergyKey RamRead { get; } = Find("ramRead");

    /// <summary>A word written to RAM.</summary>
    public static EnergyKey RamWrite { get; } = Find("ramWrite");

    /// <summary>A word read from flash.</summary>
    public static EnergyKey FlashWord { get; } = Find("flashWord");

    /// <summary>A word written into context memory.</summary>
    public static EnergyKey ContextWord { get; } = Find("contextWord");

    /// <summary>A cycle in which the host works.</summary>
    public static EnergyKey HostCycle { get; } = Find("hostCycle");

    /// <summary>A cycle in which the host sleeps until the array is done.</summary>
    public static EnergyKey HostWaitCycle { get; } = Find("hostWaitCycle");

    /// <summary>The key of this name.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public static EnergyKey Find(string name) => All.First(key => key.Name == name);

    /// <summary>The rows of the machine description: the section's keys, and value and source of each.</summary>
    internal static IEnumerable<MachineKey> MachineRows() =>
        All.Select(key => new MachineKey(Section, key.Name, MachineValueKind.Section, Required: false))
            .Concat(All.SelectMany(key => (MachineKey[])
            [
                new($"{Section}.{key.Name}", "value", MachineValueKind.Integer, Minimum: 0, Maximum: Largest),
                new($"{Section}.{key.Name}", "source", MachineValueKind.Text),
            ]));

    private static List<EnergyKey> Rows()
    {
        var rows = new List<EnergyKey>();
        Add("nop", "NOP", 478, Table + "NOP 47.8 uW");
        Add("add", "SADD", 892, Table + "SADD 89.2 uW");
        Add("subtract", "SSUB", 960, Table + "SSUB 96.0 uW");
        Add("multiply", "SMUL", 5430, Table + "SMUL 181 uW, 3 cycles");
        Add("fixedPointMultiply", "FXPMUL", 1812, Table + "FXPMUL 60.4 uW, 3 cycles");
        Add("shiftLeft", "SLL", 856, Table + "SLT 85.6 uW");
        Add("shiftRight", "SRL", 826, Table + "SRT 82.6 uW");
        Add("shiftRightArithmetic", "SRA", 842, Table + "SRA 84.2 uW");
        Add("and", "LAND", 1600, Table + "LAND 160 uW");
        Add("or", "LOR", 764, Table + "LOR 76.4 uW");
        Add("xor", "LXOR", 870, Table + "LXOR 87.0 uW");
        Add("nand", "LNAND", 1600, "assumed: as LAND, the table has none");
        Add("nor", "LNOR", 1940, Table + "LNOR 194 uW");
        Add("xnor", "LXNOR", 870, "assumed: as LXOR, the table has none");
        Add("selectOnSign", "BSFA", 768, Table + "BSFA 76.8 uW");
        Add("selectOnZero", "BZFA", 760, Table + "BZFA 76.0 uW");
        Add("branch", "BEQ, BNE, BLT, BGE", 444, Table + "branches 44.4 uW; BGE stands there under a misspelt name and is taken as the others");
        Add("jump", "JUMP", 444, Table + "JUMP 44.4 uW");
        Add("loadStream", "LWD", 1328, Table + "LWD 66.4 uW, 2 cycles");
        Add("storeStream", "SWD", 612, Table + "SWD 30.6 uW, 2 cycles");
        Add("loadIndirect", "LWI", 896, Table + "LWI 44.8 uW, 2 cycles");
        Add("storeIndirect", "SWI", 848, Table + "SWI 42.4 uW, 2 cycles");
        Add("exit", "EXIT", 478, "assumed: as NOP, the table has none");
        Add("waitCycle", "a cycle that a cell waits for the rest of its step", 252, Table + "NOP of 8 cycles 28.0 uW less that of 1 cycle, a cycle more");
        Add("clockCycle", "the clock of a cell whose column executes, a cycle", 44, Table + "clock 5.2 to 3.5 uW");
        Add("idleCycle", "a cell whose column does not execute, a cycle", 10, Table + "clock of an idle cell 0.75 to 1.2 uW");
        Add("ramRead", "a word read from RAM, by the array or the host", 10_000, "assumed: a 32 KiB bank in 65 nm with its bus");
        Add("ramWrite", "a word written to RAM, by the array or the host", 10_000, "assumed: as reading");
        Add("flashWord", "a word read from flash", 100_000, "assumed: about 3 pJ a bit over quad SPI");
        Add("contextWord", "a word written into context memory", 2000, "assumed: registers of 32 bits and the bus");
        Add("hostCycle", "a cycle in which the host works", 20_000, "assumed: a small RISC-V core in 65 nm that fetches an instruction a cycle");
        Add("hostWaitCycle", "a cycle in which the host sleeps", 1000, "assumed: clock-gated core, peripherals on");
        return rows;

        void Add(string name, string summary, long value, string source) => rows.Add(new(rows.Count, name, summary, new(value, source)));
    }
}
