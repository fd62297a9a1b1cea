using System.Text;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.Nests.Reproduction;
using CnnCompiler.Targets.OpenEdge.Reproduction;
using CnnCompiler.Targets.Overlay.Reproduction;
using CnnCompiler.Targets.Systolic.Reproduction;

namespace CnnCompiler;

/// <summary>A file that a reproduction compares with.</summary>
/// <param name="Option">The command line's option that names it, without dashes.</param>
/// <param name="Summary">What it is.</param>
public sealed record ReproductionFile(string Option, string Summary);

/// <summary>A published result that is computed again.</summary>
/// <param name="Name">Name on the command line.</param>
/// <param name="Summary">One line for help.</param>
/// <param name="Files">Files that it can compare with; none is needed.</param>
/// <param name="Sections">Its parts, given the contents of files by option; null after reporting what is wrong with one.</param>
public sealed record Reproduction(
    string Name,
    string Summary,
    IReadOnlyList<ReproductionFile> Files,
    Func<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>, DiagnosticBag, IReadOnlyList<ReproductionSection>?> Sections)
{
    /// <summary>All figures as JSON, telling parts done and all parts; null where there is only text.</summary>
    public Func<Action<int, int>, string>? Json { get; init; }
}

/// <summary>The table of <c>cnnc reproduce</c>: one row each.</summary>
public static class Reproductions
{
    private const string ScaleSim = "scalesim";
    private const string Cost = "cost";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Reproduction> All { get; } =
    [
        new("arrayflex", "ArrayFlex (arXiv 2211.12600): latency, power and EDP beside a fixed pipeline; SCALE-Sim's cycles", [new(ScaleSim, "results of SCALE-Sim v2, a CSV, to compare cycles with")], ArrayFlex),
        new("dynamap", "DYNAMAP (arXiv 2012.00912): GoogLeNet and Inception-v4 beside single algorithms, greedy choices and fixed dataflows, under published and realistic costs", [], (_, _) => DynamapReport.Sections(Dynamap)),
        new("gconv", "GCONV Chain (arXiv 2104.05541): seven networks on five accelerators beside three baselines", [new(Cost, "inputs of the whole-life cost, a JSON file like gconv.cost.json, to take in place of the shipped ones")], Gconv),
        new("gconv-training", "GCONV Chain: one step of training of the same networks on the same accelerators", [], (_, _) => [.. GconvSections(WholeLifeCost.Shipped).Where(IsTraining)]),
        new("openedge", "the convolution mappings of arXiv 2403.01236 on OpenEdgeCGRA, correct for all sizes: comparison and sweep of 51 layers, beside ours", [], (_, _) => new OpenEdgeReport().Sections())
        {
            Json = progress => new OpenEdgeReport().Json(progress),
        },
    ];

    /// <summary>The reproduction of this name, or null.</summary>
    public static Reproduction? Find(string name) => All.FirstOrDefault(reproduction => reproduction.Name == name);

    private static IReadOnlyList<DynamapNetwork> Dynamap() =>
    [
        .. DynamapNetworks.Names.Zip((string[])["GoogLeNet", "Inception-v4"]).Select(network => new DynamapNetwork(
            network.Second, DynamapNetworks.Definition(network.First), ((GconvModule)DynamapNetworks.Compile(network.First, IrLevel.Gconv)).Program)),
    ];

    private static IReadOnlyList<ReproductionSection>? Gconv(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, DiagnosticBag diagnostics)
    {
        var cost = WholeLifeCost.Shipped;
        if (files.TryGetValue(Cost, out var bytes))
        {
            if (WholeLifeCost.Parse(bytes.Span, out var problem) is not { } given)
            {
                diagnostics.Report(CompilerDiagnostics.NotCostInputs(problem!));
                return null;
            }

            cost = given;
        }

        return [.. GconvSections(cost).Where(section => !IsTraining(section))];
    }

    private static IReadOnlyList<ReproductionSection> GconvSections(WholeLifeCost cost) => GconvReport.Sections(GconvNetworks.Inference, GconvNetworks.Training, LayerSources.Count, cost);

    private static bool IsTraining(ReproductionSection section) => section.Title.Contains("training", StringComparison.Ordinal);

    private static IReadOnlyList<ReproductionSection>? ArrayFlex(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, DiagnosticBag diagnostics)
    {
        IReadOnlyList<ScaleSimRow>? rows = null;
        if (files.TryGetValue(ScaleSim, out var bytes))
        {
            rows = ScaleSimComparison.Parse(Encoding.UTF8.GetString(bytes.Span));
            if (rows is null)
            {
                diagnostics.Report(CompilerDiagnostics.NotScaleSim());
                return null;
            }
        }

        return ArrayFlexReport.Sections(rows);
    }
}
