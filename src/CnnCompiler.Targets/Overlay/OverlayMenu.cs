using CnnCompiler.Image.Overlay;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Overlay;

/// <summary>What the mapping may use. The defaults are everything.</summary>
/// <param name="Algorithm">Only algorithms whose name begins so, where a layer has one; null for all.</param>
/// <param name="Dataflow">Only this dataflow; null for all.</param>
/// <param name="Layouts">Inputs may lie in DRAM in their form.</param>
public sealed record OverlayOptions(string? Algorithm = null, OverlayDataflow? Dataflow = null, bool Layouts = true);

/// <summary>A way to do a convolution: with its input as it lies, and with its input stored in its form.</summary>
/// <param name="Name">Name of the candidate.</param>
/// <param name="Algorithm">Algorithm; null for the vector unit.</param>
/// <param name="Dataflow">Dataflow.</param>
/// <param name="Loaded">Passes where the tensor is transformed while it is loaded.</param>
/// <param name="Stored">Passes where the form lies in DRAM; null where there is no form.</param>
/// <param name="Transform">Cycles of making the form.</param>
internal sealed record OverlayWay(string Name, OverlayAlgorithm? Algorithm, OverlayDataflow Dataflow, PassPlan Loaded, PassPlan? Stored, long Transform);

/// <summary>A convolution with its ways.</summary>
/// <param name="Operator">Name of the operator.</param>
/// <param name="Tensor">Its input.</param>
/// <param name="Ways">The ways.</param>
internal sealed record OverlayChoice(string Operator, string Tensor, IReadOnlyList<OverlayWay> Ways);

/// <summary>Makes the ways of a convolution.</summary>
internal static class OverlayMenu
{
    /// <summary>Name of the way that takes no algorithm.</summary>
    public const string VectorUnit = "vector-unit";

    private const string Fallback = "im2col";
    private static readonly OverlayDataflow[] Dataflows = Enum.GetValues<OverlayDataflow>();

    /// <summary>A convolution with its ways on a machine; where no algorithm fits its buffers the vector unit is left.</summary>
    public static OverlayChoice Of(OverlayLayer layer, MachineDescription machine, OverlayCosts costs, OverlayOptions options)
    {
        var ways = new List<OverlayWay>();
        foreach (var algorithm in Allowed(layer.Algorithms, options))
        {
            var transform = TransformOf(algorithm, costs);
            foreach (var dataflow in DataflowsOf(options))
            {
                if (costs.Best(algorithm, dataflow, isStored: false, layer.Store) is { } loaded)
                {
                    ways.Add(new(
                        $"{algorithm.Name}-{OverlayPlan.NameOf(dataflow)}", algorithm, dataflow, loaded, transform >= SelectionCost.Illegal ? null : costs.Best(algorithm, dataflow, isStored: true, layer.Store), transform));
                }
            }
        }

        if (options.Algorithm is { } wanted && ways.Any(way => way.Name.StartsWith(wanted, StringComparison.Ordinal)))
        {
            ways.RemoveAll(way => !way.Name.StartsWith(wanted, StringComparison.Ordinal));
        }

        ways.Add(new(VectorUnit, null, default, new(0, 0, false, VectorCycles(layer, machine)), null, SelectionCost.Illegal));
        return new(layer.Operation.Name, layer.Operation.Input.Tensor, ways);
    }

    /// <summary>Cycles of making an algorithm's form in DRAM; <see cref="SelectionCost.Illegal"/> where it has none.</summary>
    public static long TransformOf(OverlayAlgorithm algorithm, OverlayCosts costs) => algorithm.IsSeparate || algorithm.Window.IsTensor ? SelectionCost.Illegal : costs.TransformCycles(algorithm);

    /// <summary>Cycles of a convolution in the vector unit.</summary>
    public static long VectorCycles(OverlayLayer layer, MachineDescription machine) => new StepCosts(machine, []).OfVector(layer.Vector).Cycles;

    private static IEnumerable<OverlayAlgorithm> Allowed(IReadOnlyList<OverlayAlgorithm> algorithms, OverlayOptions options) =>
        options.Algorithm is not { } only ? algorithms : algorithms.Where(algorithm => algorithm.Name.StartsWith(only, StringComparison.Ordinal) || algorithm.Name == Fallback);

    private static OverlayDataflow[] DataflowsOf(OverlayOptions options) => options.Dataflow is { } only ? [only] : Dataflows;
}
