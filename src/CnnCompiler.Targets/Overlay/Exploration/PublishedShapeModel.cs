using CnnCompiler.Core;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Published;

namespace CnnCompiler.Targets.Overlay.Exploration;

/// <summary>The published, idealised model of GoogLeNet: bound by the layers alone, cost by the selection problem with its transitions.</summary>
/// <param name="megahertz">Clock.</param>
public sealed class PublishedShapeModel(double megahertz) : IShapeModel
{
    private static readonly EquatableArray<DynamapDataflow> Dataflows = [DynamapDataflow.NS, DynamapDataflow.WS, DynamapDataflow.IS];
    private static readonly DynamapConvolution[] Layers = [.. PublishedGoogLeNet.On(new(1, 1, 1, Dataflows)).Layers.Values];

    // equal layers are costed once
    private static readonly (DynamapConvolution Layer, DynamapAlgorithm[] Algorithms, int Count)[] Distinct =
        [.. Layers.GroupBy(layer => layer).Select(group => (group.Key, group.Key.Algorithms.ToArray(), group.Count()))];

    /// <inheritdoc/>
    public string Unit => "ps";

    /// <inheritdoc/>
    public long LowerBound(OverlayShape shape)
    {
        var costs = new PublishedDynamapCosts(new(shape.Rows, shape.Columns, megahertz, Dataflows));
        var sum = 0.0;
        foreach (var (layer, algorithms, count) in Distinct)
        {
            var best = double.MaxValue;
            foreach (var algorithm in algorithms)
            {
                // whatever made the map, to bring it to this algorithm costs at least this
                var kernel = layer.KernelHeight * layer.KernelWidth;
                var load = Math.Min(
                    costs.TransitionMilliseconds(layer.Height, layer.Width, layer.Inputs, kernel, null, algorithm),
                    costs.TransitionMilliseconds(layer.Height, layer.Width, layer.Inputs, kernel, DynamapAlgorithm.Winograd, algorithm));
                best = Math.Min(best, load + costs.Milliseconds(layer, algorithm, DynamapDataflow.NS));
                best = Math.Min(best, load + costs.Milliseconds(layer, algorithm, DynamapDataflow.WS));
                best = Math.Min(best, load + costs.Milliseconds(layer, algorithm, DynamapDataflow.IS));
            }

            sum += count * best;
        }

        // each layer's costs are rounded to whole picoseconds
        return (long)(sum * 1e9) - (2 * Layers.Length);
    }

    /// <inheritdoc/>
    public long Cost(OverlayShape shape)
    {
        var instance = PublishedGoogLeNet.On(new(shape.Rows, shape.Columns, megahertz, Dataflows));
        return SelectionSolver.Solve(CostGraphBuilder.Build(instance.Problem, instance).Graph!).Selection!.Cost;
    }
}
