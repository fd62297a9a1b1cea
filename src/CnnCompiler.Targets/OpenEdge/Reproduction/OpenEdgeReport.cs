using System.Globalization;
using System.Text;
using System.Text.Json;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.Systolic.Reproduction;

namespace CnnCompiler.Targets.OpenEdge.Reproduction;

/// <summary>One convolution on one machine: the published mappings and the best of ours.</summary>
/// <param name="Point">The convolution.</param>
/// <param name="Machine">The machine.</param>
/// <param name="Mappings">Figures of every mapping.</param>
public sealed record ComparedPoint(ConvolutionPoint Point, MachineDescription Machine, IReadOnlyList<MappingFigures> Mappings)
{
    /// <summary>The published mappings, in their order.</summary>
    public IReadOnlyList<MappingFigures> Published => [.. Mappings.Where(m => PublishedMappings.IsPublished(m.Mapping))];

    /// <summary>The figures of a mapping; null where it has none here.</summary>
    public MappingFigures? Find(string mapping) => Mappings.FirstOrDefault(m => m.Mapping == mapping);

    /// <summary>The published mapping with the fewest cycles.</summary>
    public MappingFigures BestPublished => Published.MinBy(m => m.Cycles)!;

    /// <summary>Our mapping with the fewest cycles, by any algorithm.</summary>
    public MappingFigures Ours => Mappings.Where(m => !PublishedMappings.IsPublished(m.Mapping)).MinBy(m => m.Cycles)!;

    /// <summary>The same among those that do every multiplication of the convolution.</summary>
    public MappingFigures OursDirect => Mappings.Where(m => !PublishedMappings.IsPublished(m.Mapping) && !MappingComparison.IsTransformed(m.Mapping)).MinBy(m => m.Cycles)!;

    /// <summary>How many times faster ours is.</summary>
    public double Ratio => Times(Ours);

    /// <summary>How many times faster than the best published mapping one is.</summary>
    public double Times(MappingFigures figures) => (double)BestPublished.Cycles / figures.Cycles;

    /// <summary>MAC a cycle.</summary>
    public double Speed(MappingFigures figures) => (double)Point.Macs / figures.Cycles;
}

/// <summary>The report of <c>cnnc reproduce openedge</c>: the comparison and the sweep of arXiv 2403.01236, its mappings made correct, beside ours.</summary>
public sealed class OpenEdgeReport
{
    /// <summary>What ours is to reach at every point, times the best published mapping.</summary>
    public const double Floor = 3.5;

    private const double FemtojoulesOfMicrojoule = 1e9;
    private const double Kilobyte = 1024;

    private readonly Dictionary<(ConvolutionPoint Point, string Machine), ComparedPoint> _known = [];

    /// <summary>The sections.</summary>
    public IReadOnlyList<ReproductionSection> Sections() =>
    [
        new("The comparison: Ix=16, C=16, K=16, 32-bit words, from inputs to sums", () => Comparison()),
        new("Full runs of the published mappings at that point: codes against direct convolution, array cycles against one launch times their number", () => Checks()),
        .. BuiltInMachines.All.Select(machine => new ReproductionSection(
            $"The sweep on {machine.Name}: MAC/cycle (host included), and how many times faster ours is", () => Sweep(machine, null)) { WithProgress = progress => Sweep(machine, progress) }),
        new("The sweep on openedge: launches, memory in KiB, energy in uJ", () => Costs(BuiltInMachines.Default, null)) { WithProgress = progress => Costs(BuiltInMachines.Default, progress) },
        new("Energy", () => $"{EnergyKeys.Accuracy}\n"),
    ];

    /// <summary>All points on all machines as JSON.</summary>
    /// <param name="progress">Called with the points done and their number.</param>
    public string Json(Action<int, int>? progress)
    {
        var points = ConvolutionPoint.Sweep;
        var compared = new List<ComparedPoint>();
        for (var i = 0; i < points.Count; i++)
        {
            compared.AddRange(BuiltInMachines.All.Select(machine => Of(points[i], machine)));
            progress?.Invoke(i + 1, points.Count);
        }

        return Json(compared);
    }

    /// <summary>Some points as JSON.</summary>
    public static string Json(IEnumerable<ComparedPoint> points)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new() { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteNumber("version", 1);
            json.WriteString("energyAccuracy", EnergyKeys.Accuracy);
            json.WriteStartArray("points");
            foreach (var point in points)
            {
                Write(json, point);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    /// <summary>A point on a machine. Mappings are made once for all machines.</summary>
    public ComparedPoint Of(ConvolutionPoint point, MachineDescription machine)
    {
        if (!_known.ContainsKey((point, machine.Name)))
        {
            var comparison = new MappingComparison(point);
            foreach (var each in BuiltInMachines.All)
            {
                _known.Add((point, each.Name), new(point, each, comparison.On(each)));
            }
        }

        return _known[(point, machine.Name)];
    }

    /// <summary>The line of a point in the sweep's table.</summary>
    public static string Line(ComparedPoint point) => Text(
        $"{point.Point.Size,3}{point.Point.Inputs,5}{point.Point.Outputs,5} |{string.Concat(PublishedMappings.Names.Select(name => point.Find(name) is { } figures ? Text($"{point.Speed(figures),10:F3}") : "         -"))} |{point.Speed(point.OursDirect),7:F3} {point.OursDirect.Mapping,-12}{point.Times(point.OursDirect),6:F2} |{point.Speed(point.Ours),7:F3} {point.Ours.Mapping,-12}{point.Ratio,6:F2}\n");

    private string Comparison()
    {
        var text = new StringBuilder();
        foreach (var machine in BuiltInMachines.All)
        {
            var point = Of(ConvolutionPoint.Baseline, machine);
            text.Append(Text($"{machine.Name}, {point.Point.Macs:N0} MAC\n  mapping          cycles      array  MAC/cycle  in the array  launches  KiB      uJ   pJ/MAC\n"));
            foreach (var figures in point.Mappings)
            {
                text.Append(Text($"  {figures.Mapping,-12}{figures.Cycles,11:N0}{figures.ArrayCycles,11:N0}{point.Speed(figures),11:F3}{(double)point.Point.Macs / figures.ArrayCycles,14:F3}"));
                text.Append(Text($"{figures.Launches,10:N0}{figures.Bytes / Kilobyte,5:F0}{figures.Femtojoules / FemtojoulesOfMicrojoule,8:F2}{figures.Femtojoules / 1e3 / point.Point.Macs,9:F2}\n"));
            }

            foreach (var (what, ours) in ((string, MappingFigures)[])[("direct", point.OursDirect), ("any algorithm", point.Ours)])
            {
                text.Append(Text($"  ours, {what}: {ours.Mapping}, {point.Speed(ours):F3} MAC/cycle, {point.Times(ours):F2} times faster than the best published, {(double)point.Published.Min(m => m.Femtojoules) / ours.Femtojoules:F2} times less energy\n"));
            }
        }

        text.Append("published: 0.665 MAC/cycle at best, launch overhead outside the timed region (conv-wp, 32-bit words, no padding)\n");
        return text.ToString();
    }

    private static string Checks()
    {
        var text = new StringBuilder();
        var comparison = new MappingComparison(ConvolutionPoint.Baseline, star: false);
        foreach (var machine in BuiltInMachines.All)
        {
            foreach (var name in PublishedMappings.Names)
            {
                var (expected, counted, exact) = comparison.Check(name, machine);
                text.Append(Text($"{machine.Name,-18}{name,-12}{(exact ? "exact" : "WRONG"),-8}expected {expected,12:N0}  counted {counted,12:N0} ({(double)counted / expected - 1:+0.00 %;-0.00 %;0.00 %})\n"));
            }
        }

        return text.ToString();
    }

    private string Sweep(MachineDescription machine, Action<int, int>? progress)
    {
        var text = new StringBuilder(" Ix    C    K |   conv-wp   conv-op im2col-op im2col-ip | ours, direct        times | any algorithm       times\n");
        var points = Points(machine, progress);
        foreach (var point in points)
        {
            text.Append(Line(point));
        }

        foreach (var (what, times) in ((string, Func<ComparedPoint, double>)[])[("direct", p => p.Times(p.OursDirect)), ("any algorithm", p => p.Ratio)])
        {
            text.Append(Text($"{what}: least {points.Min(times):F2}, geometric mean {Math.Exp(points.Average(p => Math.Log(times(p)))):F2}; {points.Count(p => times(p) >= Floor)} of {points.Count} points at {Floor} times or more\n"));
        }

        return text.ToString();
    }

    private string Costs(MachineDescription machine, Action<int, int>? progress)
    {
        var text = new StringBuilder(" Ix    C    K |  launches: wp      op  im-op   im-ip   ours |  KiB: wp   op im-op im-ip  ours |   uJ: wp       op    im-op    im-ip     ours\n");
        foreach (var point in Points(machine, progress))
        {
            MappingFigures?[] all = [.. PublishedMappings.Names.Select(point.Find), point.Ours];
            text.Append(Text($"{point.Point.Size,3}{point.Point.Inputs,5}{point.Point.Outputs,5} |"));
            text.Append("      ").AppendJoin(string.Empty, all.Select(m => Text($"{m?.Launches,8}")));
            text.Append(" |").AppendJoin(string.Empty, all.Select(m => Text($"{m?.Bytes / Kilobyte,7:F0}")));
            text.Append(" |").AppendJoin(string.Empty, all.Select(m => Text($"{m?.Femtojoules / FemtojoulesOfMicrojoule,9:F1}"))).Append('\n');
        }

        return text.ToString();
    }

    private List<ComparedPoint> Points(MachineDescription machine, Action<int, int>? progress)
    {
        var points = new List<ComparedPoint>();
        foreach (var point in ConvolutionPoint.Sweep)
        {
            points.Add(Of(point, machine));
            progress?.Invoke(points.Count, ConvolutionPoint.Sweep.Count);
        }

        return points;
    }

    private static void Write(Utf8JsonWriter json, ComparedPoint point)
    {
        json.WriteStartObject();
        json.WriteString("machine", point.Machine.Name);
        json.WriteNumber("size", point.Point.Size);
        json.WriteNumber("inputs", point.Point.Inputs);
        json.WriteNumber("outputs", point.Point.Outputs);
        json.WriteNumber("macs", point.Point.Macs);
        json.WriteString("bestPublished", point.BestPublished.Mapping);
        json.WriteString("ours", point.Ours.Mapping);
        json.WriteString("oursDirect", point.OursDirect.Mapping);
        json.WriteNumber("timesFaster", Math.Round(point.Ratio, 4));
        json.WriteStartArray("mappings");
        foreach (var figures in point.Mappings)
        {
            json.WriteStartObject();
            json.WriteString("mapping", figures.Mapping);
            json.WriteNumber("cycles", figures.Cycles);
            json.WriteNumber("arrayCycles", figures.ArrayCycles);
            json.WriteNumber("macsPerCycle", Math.Round(point.Speed(figures), 6));
            json.WriteNumber("launches", figures.Launches);
            json.WriteNumber("bytes", figures.Bytes);
            json.WriteNumber("femtojoules", figures.Femtojoules);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
