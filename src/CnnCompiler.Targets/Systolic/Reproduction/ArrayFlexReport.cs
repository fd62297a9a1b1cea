using System.Globalization;
using System.Text;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Systolic.Reproduction;

/// <summary>A part of a reproduction: its title, and the work that gives its text.</summary>
/// <param name="Title">Title.</param>
/// <param name="Text">Does the work.</param>
public sealed record ReproductionSection(string Title, Func<string> Text)
{
    /// <summary>Does the work and tells how far it is, in parts done and all parts; null where it is short.</summary>
    public Func<Action<int, int>, string>? WithProgress { get; init; }
}

/// <summary>The report of <c>cnnc reproduce arrayflex</c>.</summary>
public static class ArrayFlexReport
{
    private static readonly SystolicOptions Paper = new() { PackGroups = false, VectorProducts = false };
    private static readonly SystolicOptions Packed = Paper with { PackGroups = true };

    /// <summary>What was published of each case: latency saved by the remembered closed form (<c>research/arrayflex.md</c> section 4); the abstract has 11 % on average, 13 to 23 % power, 1.4 to 1.8 times EDP.</summary>
    private static readonly Dictionary<(string Network, int Rows), double> Remembered = new()
    {
        [("ResNet-34", 128)] = 9.5,
        [("MobileNet", 128)] = 10.2,
        [("ConvNeXt", 128)] = 11.4,
        [("ResNet-34", 256)] = 11.7,
        [("MobileNet", 256)] = 8.4,
        [("ConvNeXt", 256)] = 15.2,
    };

    /// <summary>Extensions beyond the paper.</summary>
    public static IReadOnlyList<(string Name, SystolicOptions Options)> Extensions { get; } =
    [
        ("kh and kv differ", Packed with { Asymmetric = true }),
        ("trimmed tiles", Packed with { Trimmed = true }),
        ("trimmed tiles, depth per tile", Packed with { Trimmed = true, DepthPerTile = true }),
        ("double-buffered weights", Packed with { DoubleBuffered = true }),
        ("all of them", Packed with { Asymmetric = true, Trimmed = true, DepthPerTile = true, DoubleBuffered = true }),
    ];

    /// <summary>The sections.</summary>
    /// <param name="scaleSim">Results of SCALE-Sim, or null to leave the comparison out.</param>
    public static IReadOnlyList<ReproductionSection> Sections(IReadOnlyList<ScaleSimRow>? scaleSim)
    {
        var sections = new List<ReproductionSection>
        {
            new("Without depthwise layers, as the paper's array (published: 11 % of the time on average, 13 to 23 % of the power, EDP 1.4 to 1.8 times better)", () => Table(ArrayFlexReproduction.All(Paper, depthwise: false, fixedToo: true))),
            new("The same with the paper's widths, 32-bit operands and 64-bit sums", () => Table(ArrayFlexReproduction.All(Paper, depthwise: false, fixedToo: true, ArrayFlexReproduction.WideMachines))),
            new("With depthwise layers, a channel at a time on both arrays", () => Table(ArrayFlexReproduction.All(Paper, depthwise: true, fixedToo: true))),
            new("With depthwise layers, channels packed on the diagonal of both arrays", () => Table(ArrayFlexReproduction.All(Packed, depthwise: true, fixedToo: true))),
            new("Chosen for energy-delay product, without depthwise layers", () => Table(ArrayFlexReproduction.All(Paper with { Objective = SystolicObjective.EnergyDelay }, depthwise: false, fixedToo: true))),
            new("Beyond the paper, without depthwise layers: average over both arrays and all networks", ExtensionTable),
            new("Where power and EDP fall", Note),
        };
        if (scaleSim is not null)
        {
            sections.Add(new("SCALE-Sim v2 (reports the index of the last cycle: cycles - 1)", () => ScaleSim(scaleSim)));
        }

        return sections;
    }

    /// <summary>Where our power and EDP fall against the published ranges, from the same runs as the tables, and why.</summary>
    private static string Note()
    {
        var narrow = ArrayFlexReproduction.All(Paper, depthwise: false, fixedToo: true);
        var wide = ArrayFlexReproduction.All(Paper, depthwise: false, fixedToo: true, ArrayFlexReproduction.WideMachines);
        return string.Create(CultureInfo.InvariantCulture, $"""
            published:                 power -13 % to -23 %, EDP 1.4 to 1.8 times better
            int8, 32-bit sums:         power {Range(narrow, f => -100 * f.PowerSaving)} %, EDP {Range(narrow, f => f.EnergyDelayGain)}
            paper's widths:            power {Range(wide, f => -100 * f.PowerSaving)} %, EDP {Range(wide, f => f.EnergyDelayGain)}

            Energy is that of counted events inside the array (multiplications, carry-save and carry-propagate additions, clocked and gated register bits, weight shifts); the energies of
            events are those of the machine description, 45 nm values from memory (Horowitz, ISSCC 2014) and assumed ones (registers), not those of the paper's 28 nm layout, which are not
            known here. What a shallow pipeline saves is the clock of bypassed registers and all but one carry-propagate addition a group; the multipliers' energy is the same. With int8
            operands registers are most of the energy and more is saved than published, with 32-bit multipliers less: the published range lies between the two. On 256x256 the fill
            and drain of idle rows and columns weigh more, so that gating saves more there.
            """);

        static string Range(IReadOnlyList<ArrayFlexFigure> figures, Func<ArrayFlexFigure, double> value) =>
            string.Create(CultureInfo.InvariantCulture, $"{figures.Min(value):0.0#} to {figures.Max(value):0.0#} (average {figures.Average(value):0.0#})");
    }

    private static string Table(IReadOnlyList<ArrayFlexFigure> figures)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{"array",-18} {"network",-10} {"fixed us",9} {"us",9} {"saved",7} {"remembered",10} {"power",7} {"EDP",6}  layers per depth\n");
        foreach (var figure in figures)
        {
            var rows = BuiltInMachines.Find(figure.Machine)!.Rows;
            var depths = string.Join(", ", figure.LayersPerDepth.Select(entry => string.Create(CultureInfo.InvariantCulture, $"{Depth(entry.Key)}: {entry.Value}")));
            text.Append(
                CultureInfo.InvariantCulture,
                $"{figure.Machine,-18} {figure.Network,-10} {figure.FixedFemtoseconds / 1e9,9:0.0} {figure.Femtoseconds / 1e9,9:0.0} {100 * figure.Saving,5:0.0} % {Remembered[(figure.Network, rows)],8:0.0} % {-100 * figure.PowerSaving,5:0.0} % {figure.EnergyDelayGain,5:0.00}x  {depths}\n");
        }

        return text.Append(
            CultureInfo.InvariantCulture,
            $"{"average",-18} {string.Empty,-10} {string.Empty,9} {string.Empty,9} {100 * figures.Average(f => f.Saving),5:0.00} % {Remembered.Values.Average(),8:0.0} % {-100 * figures.Average(f => f.PowerSaving),5:0.0} % {figures.Average(f => f.EnergyDelayGain),5:0.00}x\n").ToString();
    }

    private static string ExtensionTable()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{"extension",-32} {"against plain fixed array",26} {"against fixed array with the same",34}\n");
        foreach (var (name, options) in Extensions)
        {
            var (plain, same) = (ArrayFlexReproduction.All(options, depthwise: false, fixedToo: false), ArrayFlexReproduction.All(options, depthwise: false, fixedToo: true));
            text.Append(CultureInfo.InvariantCulture, $"{name,-32} {100 * plain.Average(f => f.Saving),24:0.0} % {100 * same.Average(f => f.Saving),32:0.0} %\n");
        }

        return text.ToString();
    }

    private static string ScaleSim(IReadOnlyList<ScaleSimRow> rows)
    {
        var text = new StringBuilder();
        var figures = rows.Select(ScaleSimComparison.Count).ToList();
        text.Append(CultureInfo.InvariantCulture, $"{"topology",-12} {"flow",-4} {"mode",-4} {"layers",6} {"equal",6} {"SCALE-Sim cycles",17} {"ours",13} {"its seconds",12}\n");
        foreach (var group in figures.GroupBy(figure => (figure.Row.Topology, figure.Row.Dataflow, figure.Row.IsStallFree)))
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"{group.Key.Topology,-12} {group.Key.Dataflow,-4} {(group.Key.IsStallFree ? "CALC" : "USER"),-4} {group.Count(),6} {(group.Key.IsStallFree ? group.Count(figure => figure.Agrees).ToString(CultureInfo.InvariantCulture) : "-"),6} {group.Sum(figure => figure.Row.Cycles),17} {group.Sum(figure => figure.Cycles),13} {group.Sum(figure => figure.Row.Seconds),12:0.0}\n");
        }

        var compared = figures.Where(figure => figure.Row.IsStallFree).ToList();
        text.Append(CultureInfo.InvariantCulture, $"{compared.Count(figure => figure.Agrees)} of {compared.Count} stall-free layers are exact, {compared.Count(figure => figure.ByEngine)} of them counted by the engine\n");
        foreach (var figure in compared.Where(figure => !figure.Agrees))
        {
            text.Append(CultureInfo.InvariantCulture, $"differs: {figure.Row.Topology} {figure.Row.Layer} {figure.Row.Dataflow}: SCALE-Sim {figure.Row.Cycles}, ours {figure.Cycles} - 1\n");
        }

        return text.ToString();
    }

    private static string Depth(CollapseDepth depth) => depth.Horizontal == depth.Vertical ? string.Create(CultureInfo.InvariantCulture, $"k{depth.Horizontal}") : $"k{depth}";
}
