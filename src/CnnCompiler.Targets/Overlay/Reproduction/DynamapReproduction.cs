using CnnCompiler.Image.Overlay;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Selection.Published;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Overlay.Reproduction;

/// <summary>A network of the comparison.</summary>
/// <param name="Title">Its name in tables.</param>
/// <param name="Definition">Its layers, for the published costs.</param>
/// <param name="Program">Its chain on int8, for the realistic ones.</param>
public sealed record DynamapNetwork(string Title, NetworkGraph Definition, GconvProgram Program);

/// <summary>The convolutions of a network on an overlay, mapped in one way.</summary>
/// <param name="Mapping">What was allowed.</param>
/// <param name="Cycles">Cycles of all convolutions, those of making forms included.</param>
/// <param name="Multiplications">Multiplications of the definition.</param>
/// <param name="Executed">Multiplications that the unit does: fewer by Winograd, fewer by kn2row at borders.</param>
/// <param name="Algorithms">Convolutions by algorithm; those of the vector unit under its name.</param>
/// <param name="Dataflows">Convolutions by dataflow.</param>
/// <param name="Forms">Inputs stored in a form.</param>
public sealed record DynamapFigure(
    string Mapping, long Cycles, long Multiplications, long Executed, IReadOnlyDictionary<string, int> Algorithms, IReadOnlyDictionary<string, int> Dataflows, int Forms);

/// <summary>The comparison of the DYNAMAP paper (<c>research/dynamap.md</c>): the chosen mapping beside single algorithms, greedy choices and fixed dataflows.</summary>
public static class DynamapReproduction
{
    /// <summary>The mapping that all others are compared with.</summary>
    public const string Chosen = "all, chosen together";

    /// <summary>Mappings of <c>-t overlay</c>.</summary>
    public static IReadOnlyList<(string Name, OverlayOptions Options)> Mappings { get; } =
    [
        (Chosen, new()),
        ("im2col only", new(Algorithm: "im2col")),
        ("kn2row, else im2col", new(Algorithm: "kn2row")),
        ("Winograd, else im2col", new(Algorithm: "winograd")),
        ("NS only", new(Dataflow: OverlayDataflow.NonStationary)),
        ("WS only", new(Dataflow: OverlayDataflow.WeightStationary)),
        ("IS only", new(Dataflow: OverlayDataflow.InputStationary)),
        ("im2col, NS only", new(Algorithm: "im2col", Dataflow: OverlayDataflow.NonStationary)),
        ("each layer by itself", new(Layouts: false)),
    ];

    /// <summary>A network under the realistic model.</summary>
    /// <param name="program">The chain.</param>
    /// <param name="machine">The overlay.</param>
    /// <param name="name">Name of the mapping.</param>
    /// <param name="options">What it may use.</param>
    public static DynamapFigure Measure(GconvProgram program, MachineDescription machine, string name, OverlayOptions options)
    {
        var (plans, layers, cycles) = OverlayMapper.Choose(program, machine, options);
        var vector = layers.Count - plans.Count;
        var algorithms = Count(plans.Select(plan => plan.Algorithm.Name));
        if (vector > 0)
        {
            algorithms.Add(OverlayMenu.VectorUnit, vector);
        }

        return new(
            name,
            cycles,
            layers.Sum(layer => Multiplications(layer.Algorithms[0].Form)),
            plans.Sum(plan => Executed(plan.Algorithm)),
            algorithms,
            Count(plans.Select(plan => OverlayPlan.NameOf(plan.Dataflow))),
            plans.Count(plan => plan.Transforms));
    }

    /// <summary>
    /// Greedy as in the published comparison: each convolution takes what is cheapest with its input in form already; the forms are paid for afterwards.
    /// </summary>
    public static long Greedy(GconvProgram program, MachineDescription machine) => OverlayMapper.Greedy(program, machine);

    /// <summary>Menus of the published costs: what a layer may use.</summary>
    public static IReadOnlyList<(string Name, Func<PublishedDynamapCosts, DynamapConvolution, DynamapAlgorithm[]> Menu)> PublishedMenus { get; } =
    [
        (Chosen, (_, layer) => [.. layer.Algorithms]),
        ("im2col only", (_, _) => [DynamapAlgorithm.Im2col]),
        ("kn2row, else im2col", (_, layer) => [First(layer, DynamapAlgorithm.Kn2row)]),
        ("Winograd, else im2col", (_, layer) => [First(layer, DynamapAlgorithm.Winograd)]),
        ("greedy", (costs, layer) => [layer.Algorithms.MinBy(algorithm => costs.Milliseconds(layer, algorithm))]),
    ];

    /// <summary>Multiplications of a convolution's definition: every tap of every output, padding included.</summary>
    private static long Multiplications(ConvolutionForm form) =>
        (long)form.Batch * form.Rows.Output * form.Columns.Output * form.Rows.Kernel * form.Columns.Kernel * form.Channels * form.Outputs;

    private static long Executed(OverlayAlgorithm algorithm)
    {
        var vectors = algorithm.IsSeparate ? algorithm.Totals.Inside : algorithm.Totals.Points * algorithm.Totals.Vectors;
        return algorithm.Window.Groups * vectors * algorithm.Terms * algorithm.Form.Outputs;
    }

    private static DynamapAlgorithm First(DynamapConvolution layer, DynamapAlgorithm wanted) => layer.Algorithms.Contains(wanted) ? wanted : DynamapAlgorithm.Im2col;

    private static SortedDictionary<string, int> Count(IEnumerable<string> names)
    {
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var name in names)
        {
            counts[name] = counts.GetValueOrDefault(name) + 1;
        }

        return counts;
    }
}
