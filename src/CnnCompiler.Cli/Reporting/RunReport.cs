using System.Globalization;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.Primitives.Machines;
using Spectre.Console;

namespace CnnCompiler.Cli.Reporting;

/// <summary>Prints the cycles of a run for people.</summary>
internal static class RunReport
{
    /// <summary>The layers as a table and the sums below.</summary>
    public static void Write(CliEnvironment environment, MachineDescription machine, RunResult result)
    {
        if (machine.Systolic is { } systolic)
        {
            WriteSystolic(environment, machine, systolic, result);
            return;
        }

        var (console, table) = Consoles.CreateTable(environment.Out, environment.OutRedirected);
        table.AddColumns("layer", "kind");
        foreach (var title in (ReadOnlySpan<string>)["MACs", "cycles", "array", "exposed host", "hidden host", "MAC/cycle", "launches"])
        {
            table.AddColumn(new TableColumn(title).RightAligned());
        }

        foreach (var layer in result.Layers)
        {
            AddRow(table, layer.Layer.Name, layer.Layer.Kind, layer.Cycles);
        }

        if (result.Outside is { Total: > 0 } or { HiddenHost: > 0 })
        {
            AddRow(table, "(no layer)", string.Empty, result.Outside);
        }

        AddRow(table, "sum", string.Empty, result.Cycles);
        console.Write(table);
        var cycles = result.Cycles;
        console.WriteLine($"cycles: {N(cycles.Total)} = {N(cycles.Array)} array + {N(cycles.ExposedHost)} exposed host; {N(cycles.HiddenHost)} host cycles are hidden behind the array");
        console.WriteLine($"{N(cycles.Macs)} MACs, {Ratio(cycles)} a cycle; {N(cycles.Launches)} launches; the array read {N(cycles.Reads)} words and wrote {N(cycles.Writes)}");
        console.WriteLine($"measured by the interpreter on the image's bytes, machine {machine.Name}; the array is cycle-exact, the host is a model (docs/interpreter.md)");
        var energy = result.Activities.Aggregate(result.OutsideActivity, (sum, layer) => sum + layer).Energy(machine.Energy);
        console.WriteLine($"energy: {EnergyText.Microjoules(energy.Total)} uJ = {EnergyText.Parts(energy)} (docs/targets/openedge.md says how sure that is)");
    }

    private static void WriteSystolic(CliEnvironment environment, MachineDescription machine, SystolicDescription systolic, RunResult result)
    {
        var (console, table) = Consoles.CreateTable(environment.Out, environment.OutRedirected);
        table.AddColumns("layer", "kind");
        foreach (var title in (ReadOnlySpan<string>)["MACs", "cycles", "array", "units", "DRAM stalls", "tiles", "MAC/cycle", "us", "uJ"])
        {
            table.AddColumn(new TableColumn(title).RightAligned());
        }

        var total = default(SystolicLayerRun);
        for (var i = 0; i < result.Layers.Count; i++)
        {
            Add(result.Layers[i].Layer.Name, result.Layers[i].Layer.Kind, result.Layers[i].Cycles, result.Systolic[i]);
            total += result.Systolic[i];
        }

        Add("sum", string.Empty, result.Cycles, total);
        console.Write(table);
        console.WriteLine($"{N(result.Cycles.Macs)} MACs, {Ratio(result.Cycles)} a cycle; {N(total.DramReads)} words from DRAM, {N(total.DramWrites)} to it; {N(total.BufferWords)} words from and to buffers");
        console.WriteLine($"measured by the interpreter on the image's bytes, machine {machine.Name}; the array is cycle-exact, {(systolic.HasEnergies ? "units, DRAM and energy are a model" : "units and DRAM are a model, energy is not modelled")} (docs/targets/{(machine.IsaRevision switch { SystolicKeys.OverlayRevision => "overlay", SystolicKeys.NestRevision => "gconv", _ => "arrayflex" })}.md)");

        void Add(string name, string kind, RunCycles cycles, SystolicLayerRun run) => table.AddRow(
            Markup.Escape(DiagnosticPrinter.OneLine(name)),
            Markup.Escape(DiagnosticPrinter.OneLine(kind)),
            N(cycles.Macs),
            N(run.Cycles),
            N(run.ArrayCycles),
            N(run.UnitCycles),
            N(run.StallCycles),
            N(run.Tiles),
            Ratio(cycles),
            (run.Femtoseconds / 1e9).ToString("N2", CultureInfo.InvariantCulture),
            systolic.HasEnergies ? ((double)run.EnergyAttojoules(systolic) / 1e12).ToString("N2", CultureInfo.InvariantCulture) : "-");
    }

    private static void AddRow(Table table, string name, string kind, RunCycles cycles) => table.AddRow(
        Markup.Escape(DiagnosticPrinter.OneLine(name)),
        Markup.Escape(DiagnosticPrinter.OneLine(kind)),
        N(cycles.Macs),
        N(cycles.Total),
        N(cycles.Array),
        N(cycles.ExposedHost),
        N(cycles.HiddenHost),
        Ratio(cycles),
        N(cycles.Launches));

    private static string Ratio(RunCycles cycles) => cycles.Macs == 0 ? "-" : cycles.MacsPerCycle.ToString("0.000", CultureInfo.InvariantCulture);

    private static string N(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
