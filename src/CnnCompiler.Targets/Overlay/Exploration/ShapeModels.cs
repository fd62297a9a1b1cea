using CnnCompiler.Core;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Published;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

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

/// <summary>The realistic model: what <c>-t overlay</c> would choose and the interpreter would count for the convolutions of networks.</summary>
public sealed class NetworkShapeModel : IShapeModel
{
    private readonly MachineDescription _machine;
    private readonly IReadOnlyList<GconvProgram> _networks;
    private readonly List<(ConvolutionForm Form, IReadOnlyList<OverlayAlgorithm> Algorithms)> _layers = [];

    /// <summary>A model of networks on shapes of a machine, whose buffers and bandwidths stay as they are.</summary>
    public NetworkShapeModel(IReadOnlyList<GconvProgram> networks, MachineDescription machine)
    {
        (_machine, _networks) = (machine, networks);
        foreach (var network in networks)
        {
            var tensors = new Systolic.ChainTensors(network);
            HashSet<string> names = [.. tensors.Names];
            foreach (var operation in network.Steps.OfType<GconvOperator>())
            {
                if (ConvolutionForm.Of(operation, tensors, names) is { } form && OverlayAlgorithm.All(form, machine) is { Count: > 0 } algorithms)
                {
                    _layers.Add((form, algorithms));
                }
            }
        }
    }

    /// <inheritdoc/>
    public string Unit => "cycles";

    /// <summary>Convolutions of all networks.</summary>
    public int Layers => _layers.Count;

    /// <inheritdoc/>
    public long LowerBound(OverlayShape shape)
    {
        var sum = 0L;
        foreach (var (form, algorithms) in _layers)
        {
            var best = long.MaxValue;
            foreach (var algorithm in algorithms)
            {
                best = Math.Min(best, Bound(form, algorithm, shape));
            }

            // the vector unit, a lane a column, a multiplication and an addition a tap
            var taps = (long)form.Rows.Kernel * form.Columns.Kernel * (form.Channels / form.Groups);
            var outputs = (long)form.Batch * form.Rows.Output * form.Columns.Output * form.Groups * form.Outputs;
            sum += Math.Min(best, UnitTimes.Tiles(outputs, shape.Columns) * UnitTimes.Tiles(taps, _machine.Systolic![SystolicKeys.LaneOperations]));
        }

        return sum;
    }

    /// <inheritdoc/>
    public long Cost(OverlayShape shape)
    {
        var machine = _machine with { Rows = shape.Rows, Columns = shape.Columns };
        return _networks.Sum(network => OverlayMapper.Convolutions(network, machine));
    }

    /// <summary>Streams of whole tiles: cutting into passes makes no fewer of them, and fill, drain and transfers come on top.</summary>
    private static long Bound(ConvolutionForm form, OverlayAlgorithm algorithm, OverlayShape shape)
    {
        var window = algorithm.Window;
        var (vectors, outputs, terms) = ((long)window.TileRows * window.Columns.Tiles, (long)form.Outputs, (long)algorithm.Terms);
        if (algorithm.IsSeparate)
        {
            // products of rounds that lie outside at the border are smaller: the sum of all is bounded by multiplications
            var inside = new int[window.Rounds.Count];
            new WindowGeometry(window).PositionsInside(0, window.TileRows, inside);
            return window.Groups * UnitTimes.Tiles(inside.Sum(count => (long)count) * terms * outputs, shape.Elements);
        }

        var ns = UnitTimes.Tiles(vectors, shape.Rows) * UnitTimes.Tiles(outputs, shape.Columns) * terms;
        var ws = UnitTimes.Tiles(terms, shape.Rows) * UnitTimes.Tiles(outputs, shape.Columns) * vectors;
        var input = UnitTimes.Tiles(terms, shape.Rows) * UnitTimes.Tiles(vectors, shape.Columns) * outputs;
        return window.Groups * window.Points * Math.Min(ns, Math.Min(ws, input));
    }
}
