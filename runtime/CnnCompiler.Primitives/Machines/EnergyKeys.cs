using System.Text.Json;

namespace CnnCompiler.Primitives.Machines;

/// <summary>What an event on OpenEdgeCGRA costs: <c>"name": { "value": 892, "source": "..." }</c> in the section <c>energy</c> of a machine.</summary>
/// <param name="Index">Place in <see cref="EnergyKeys.All"/>.</param>
/// <param name="Name">The key.</param>
/// <param name="Summary">The event.</param>
/// <param name="Default">Femtojoules where a machine says nothing, with their source.</param>
public sealed record EnergyKey(int Index, string Name, string Summary, SourcedValue Default);

/// <summary>
/// Every energy of OpenEdgeCGRA, in femtojoules, as <c>openedge.energy.json</c> has them, one row each. Those of cells are from the table of operations of ESL-CGRA-simulator (<c>operation_characterization.csv</c>,
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

    private const string Resource = "openedge.energy.json";

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
        using var stream = typeof(EnergyKeys).Assembly.GetManifestResourceStream(Resource)
            ?? throw new InvalidOperationException($"the assembly lacks its resource {Resource}");
        using var json = JsonDocument.Parse(stream);
        return
        [
            .. json.RootElement.EnumerateObject().Select((row, index) => new EnergyKey(
                index,
                row.Name,
                row.Value.GetProperty("summary").GetString()!,
                new(row.Value.GetProperty("value").GetInt64(), row.Value.GetProperty("source").GetString()!))),
        ];
    }
}
