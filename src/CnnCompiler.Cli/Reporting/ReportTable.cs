using System.Globalization;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Reports;
using CnnCompiler.Targets;
using Spectre.Console;

namespace CnnCompiler.Cli.Reporting;

/// <summary>Prints a report for people.</summary>
internal static class ReportTable
{
    private const int MostRanges = 40;
    private const int MapWidth = 60;
    private const double FemtosecondsOfMicrosecond = 1e9;

    /// <summary>The layers, the memory over the layers, and what was measured and what was not.</summary>
    /// <param name="environment">Where to.</param>
    /// <param name="report">The report.</param>
    /// <param name="zeroInput">True where no input was given.</param>
    public static void Write(CliEnvironment environment, NetworkReport report, bool zeroInput)
    {
        WriteLayers(environment, report);
        WriteMemory(environment, report);
        var machine = report.Image.Machine;
        var writer = environment.Out;
        writer.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"measured by the interpreter on the image's bytes, machine {machine.Name}{(zeroInput ? ", input: zeros" : string.Empty)}; predicted is computed from the mapping{(IsTime(report) ? string.Empty : $", in {report.Unit}")}"));
        foreach (var note in report.Selection?.Notes ?? [])
        {
            writer.WriteLine(note);
        }

        if (machine.Systolic is null)
        {
            writer.WriteLine($"energy: {EnergyKeys.Accuracy}");
        }
        else if (!machine.Systolic.HasEnergies)
        {
            writer.WriteLine("energy is not modelled on this machine");
        }
    }

    private static void WriteLayers(CliEnvironment environment, NetworkReport report)
    {
        var hasEnergy = report.Image.Machine.Systolic is null or { HasEnergies: true };
        var (console, table) = Consoles.CreateTable(environment.Out, environment.OutRedirected);
        table.AddColumns("layer", "kind", "algorithm");
        foreach (var title in (string[])[IsTime(report) ? "predicted us" : "predicted", .. IsTime(report) ? new[] { "us" } : [], "cycles", "MACs", "MAC/cycle", "launches", .. hasEnergy ? new[] { "uJ" } : [], "memory"])
        {
            table.AddColumn(new TableColumn(title).RightAligned());
        }

        table.AddColumn("next best");
        foreach (var layer in report.Layers)
        {
            table.AddRow([
                Text(layer.Layer.Name),
                Text(layer.Layer.Kind),
                Text(layer.Algorithm ?? "-"),
                Predicted(report, layer.Predicted),
                .. IsTime(report) ? new[] { F((layer.Systolic?.Femtoseconds ?? 0) / FemtosecondsOfMicrosecond) } : [],
                N(layer.TotalCycles),
                N(layer.Layer.Macs),
                layer.Layer.Macs == 0 ? "-" : F(layer.MacsPerCycle),
                N(layer.Cycles.Launches),
                .. hasEnergy ? new[] { F(ReportJson.Energy(report, layer) ?? 0) } : [],
                N(layer.MemoryBytes),
                Text(NextBest(report, layer)),
            ]);
        }

        table.AddRow([
            "sum",
            string.Empty,
            string.Empty,
            Predicted(report, report.Predicted),
            .. IsTime(report) ? new[] { F(report.Layers.Sum(layer => layer.Systolic?.Femtoseconds ?? 0) / FemtosecondsOfMicrosecond) } : [],
            N(report.TotalCycles),
            N(report.Macs),
            report.TotalCycles == 0 ? "-" : F((double)report.Macs / report.TotalCycles),
            N(report.Layers.Sum(layer => layer.Cycles.Launches) + report.Outside.Launches),
            .. hasEnergy ? new[] { F(ReportJson.Energy(report) ?? 0) } : [],
            N(report.PeakBytes),
            string.Empty,
        ]);
        console.Write(table);
    }

    // Of all decisions of the layer the alternative that would cost the network least.
    private static string NextBest(NetworkReport report, ReportedLayer layer)
    {
        var best = layer.Decisions.SelectMany(decision => decision.Rejected).Where(rejected => rejected.ForcedCost < SelectionCost.Illegal).MinBy(rejected => rejected.ForcedCost);
        if (best is null)
        {
            return string.Empty;
        }

        var (more, least) = (best.ForcedCost - report.Selection!.Cost, best.IsLeast ? ">= " : string.Empty);
        return IsTime(report)
            ? string.Create(CultureInfo.InvariantCulture, $"{best.Candidate} {least}{more / FemtosecondsOfMicrosecond:+0.000;-0.000;0} us")
            : string.Create(CultureInfo.InvariantCulture, $"{best.Candidate} {least}{more:+#,0;-#,0;0}");
    }

    private static void WriteMemory(CliEnvironment environment, NetworkReport report)
    {
        if (report.Memory.Count == 0)
        {
            return;
        }

        var shown = report.Memory.OrderByDescending(range => range.Bytes).ThenBy(range => range.Address).Take(MostRanges).OrderBy(range => range.Address).ThenBy(range => range.FirstLayer).ToList();
        var (console, table) = Consoles.CreateTable(environment.Out, environment.OutRedirected);
        table.AddColumn("in memory");
        table.AddColumn(new TableColumn("address").RightAligned());
        table.AddColumn(new TableColumn("bytes").RightAligned());
        table.AddColumn(string.Create(CultureInfo.InvariantCulture, $"layers 1 to {report.Layers.Count}"));
        foreach (var range in shown)
        {
            table.AddRow(Text(range.Name), string.Create(CultureInfo.InvariantCulture, $"0x{range.Address:x}"), N(range.Bytes), Bar(range, report.Layers.Count));
        }

        console.Write(table);
        var ram = report.Image.Machine.Ram;
        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"memory: {report.PeakBytes:N0} of {ram.Bytes - ram.ReservedBytes:N0} bytes at most at once{(report.Memory.Count > shown.Count ? $"; the {shown.Count} largest of {report.Memory.Count} ranges are shown" : string.Empty)}"));
    }

    private static string Bar(MemoryRange range, int layers)
    {
        var width = Math.Min(layers, MapWidth);
        var (first, last) = ((int)((long)range.FirstLayer * width / layers), (int)((long)range.LastLayer * width / layers));
        return new string('.', first) + new string('#', last - first + 1) + new string('.', width - last - 1);
    }

    // Clocks differ from layer to layer where the unit is a time: then it is compared with time.
    private static bool IsTime(NetworkReport report) => report.Unit == "fs";

    private static string Predicted(NetworkReport report, long? predicted) => predicted is not { } cost ? "-" : IsTime(report) ? F(cost / FemtosecondsOfMicrosecond) : N(cost);

    private static string Text(string words) => Markup.Escape(DiagnosticPrinter.OneLine(words));

    private static string F(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);

    private static string N(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
