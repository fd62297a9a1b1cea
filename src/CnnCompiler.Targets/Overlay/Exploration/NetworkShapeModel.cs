using System.Collections.Concurrent;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Overlay.Exploration;

/// <summary>The realistic model: what <c>-t overlay</c> would choose and the interpreter would count for the convolutions of networks.</summary>
public sealed class NetworkShapeModel : IShapeModel
{
    private static readonly OverlayDataflow[] Dataflows = Enum.GetValues<OverlayDataflow>();
    private readonly MachineDescription _machine;
    private readonly IReadOnlyList<OverlayDivision> _divisions;
    private readonly IReadOnlyList<OverlayDivision> _bandwidths;
    private readonly List<Group> _groups = [];
    private readonly List<OverlayLayer> _kinds = [];

    /// <summary>Cycles of every kind in the vector unit, a lane a column: by bandwidths and columns, for many shapes have the same.</summary>
    private readonly ConcurrentDictionary<(long Read, long Write, int Columns), long[]> _vectorCycles = [];

    /// <summary>A model of networks on shapes of a machine.</summary>
    /// <param name="networks">The networks, optimised together.</param>
    /// <param name="machine">An overlay.</param>
    /// <param name="divisions">Divisions of buffers and bandwidths: a shape costs what it does with the best of them. Null where they stay as they are.</param>
    public NetworkShapeModel(IReadOnlyList<GconvProgram> networks, MachineDescription machine, IReadOnlyList<OverlayDivision>? divisions = null)
    {
        (_machine, _divisions) = (machine, divisions ?? [OverlayDivision.Given]);

        // bounds know no buffers
        _bandwidths = [.. _divisions.DistinctBy(division => (division.ReadBytes, division.WriteBytes))];
        var kindOf = new Dictionary<string, int>(StringComparer.Ordinal);
        var groupOf = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var network in networks)
        {
            var tensors = new ChainTensors(network);
            var layers = OverlayLayer.Of(network, machine, tensors, [.. tensors.Names]);
            Layers += layers.Count;
            foreach (var layer in layers)
            {
                if (kindOf.TryAdd(layer.CostKey, _kinds.Count))
                {
                    _kinds.Add(layer);
                }
            }

            // convolutions of one tensor may share its form, so they are chosen together; equal ones are chosen once
            foreach (var group in layers.GroupBy(layer => layer.Operation.Input.Tensor, StringComparer.Ordinal))
            {
                int[] kinds = [.. group.Select(layer => kindOf[layer.CostKey]).Order()];
                var key = string.Join(' ', kinds);
                if (groupOf.TryGetValue(key, out var known))
                {
                    _groups[known] = _groups[known] with { Count = _groups[known].Count + 1 };
                }
                else
                {
                    groupOf.Add(key, _groups.Count);
                    _groups.Add(new(kinds, 1));
                }
            }
        }

        // those that lie furthest above their bounds first: a shape that is too slow is seen to be so early
        var costs = new OverlayCosts(machine);
        var bounds = BoundsOf(machine, costs);
        var gaps = _groups.ToDictionary(group => group, group => group.Count * (CostOf(group, group.Kinds.Distinct().ToDictionary(kind => kind, kind => new KindCosts(_kinds[kind], VectorCycles(machine)[kind], costs)), costs) - BoundOf(group, bounds)));
        _groups.Sort((a, b) => gaps[b].CompareTo(gaps[a]));
    }

    /// <inheritdoc/>
    public string Unit => "cycles";

    /// <summary>Convolutions of all networks.</summary>
    public int Layers { get; }

    /// <inheritdoc/>
    public long LowerBound(OverlayShape shape) => _bandwidths.Min(division => LowerBound(On(shape, division)));

    /// <inheritdoc/>
    public long? Cost(OverlayShape shape, long limit) => Best(shape, limit)?.Cost;

    /// <summary>The shape as a machine, with the division that costs least.</summary>
    public MachineDescription Machine(OverlayShape shape) => On(shape, Best(shape, long.MaxValue)?.Division ?? OverlayDivision.Given);

    private (OverlayDivision Division, long Cost)? Best(OverlayShape shape, long limit)
    {
        (OverlayDivision Division, long Cost)? best = null;
        foreach (var division in _divisions)
        {
            if (Cost(On(shape, division), best?.Cost ?? limit) is { } cost)
            {
                best = (division, cost);
            }
        }

        return best;
    }

    private long LowerBound(MachineDescription machine) => BoundOf(BoundsOf(machine, new(machine)));

    private long BoundOf(long[] bounds)
    {
        var sum = 0L;
        foreach (var group in _groups)
        {
            sum += group.Count * BoundOf(group, bounds);
        }

        return sum;
    }

    private long? Cost(MachineDescription machine, long limit)
    {
        var costs = new OverlayCosts(machine);
        var bounds = BoundsOf(machine, costs);
        var vector = VectorCycles(machine);
        var kinds = new Dictionary<int, KindCosts>();
        var sum = BoundOf(bounds);
        foreach (var group in _groups)
        {
            if (sum >= limit)
            {
                return null;
            }

            foreach (var kind in group.Kinds)
            {
                if (!kinds.ContainsKey(kind))
                {
                    kinds.Add(kind, new(_kinds[kind], vector[kind], costs));
                }
            }

            sum += group.Count * (CostOf(group, kinds, costs) - BoundOf(group, bounds));
        }

        return sum < limit ? sum : null;
    }

    /// <summary>
    /// The selection problem of <see cref="OverlayProblem"/> in closed form: a tensor's form concerns nobody but the convolutions that read it, so for each tensor the least of no form and of each of the forms.
    /// </summary>
    private long CostOf(Group group, Dictionary<int, KindCosts> kinds, OverlayCosts costs)
    {
        var least = group.Kinds.Sum(kind => kinds[kind].Loaded);
        foreach (var (algorithm, layout) in group.Kinds.Distinct().SelectMany(kind => _kinds[kind].Algorithms).Select(algorithm => (algorithm, algorithm.Layout)).DistinctBy(form => form.Layout, StringComparer.Ordinal))
        {
            var transform = OverlayMenu.TransformOf(algorithm, costs);
            if (transform < least)
            {
                least = Math.Min(least, transform + group.Kinds.Sum(kind => kinds[kind].With(layout)));
            }
        }

        return least;
    }

    private static long BoundOf(Group group, long[] bounds)
    {
        var sum = 0L;
        foreach (var kind in group.Kinds)
        {
            sum += bounds[kind];
        }

        return sum;
    }

    private long[] BoundsOf(MachineDescription machine, OverlayCosts costs)
    {
        var bounds = new long[_kinds.Count];
        var vector = VectorCycles(machine);
        for (var kind = 0; kind < bounds.Length; kind++)
        {
            bounds[kind] = BoundOf(_kinds[kind], vector[kind], costs);
        }

        return bounds;
    }

    private long[] VectorCycles(MachineDescription machine) => _vectorCycles.GetOrAdd(
        (machine.Systolic![SystolicKeys.OffChipBytes], machine.Systolic[SystolicKeys.WriteBytes], machine.Columns),
        static (_, of) => [.. of.Kinds.Select(kind => OverlayMenu.VectorCycles(kind, of.Machine))],
        (Kinds: _kinds, Machine: machine));

    private static long BoundOf(OverlayLayer layer, long vectorCycles, OverlayCosts costs)
    {
        var best = vectorCycles;
        foreach (var algorithm in layer.Algorithms)
        {
            foreach (var dataflow in Dataflows)
            {
                best = Math.Min(best, costs.Bound(algorithm, dataflow, isStored: false, layer.Store));
                best = Math.Min(best, costs.Bound(algorithm, dataflow, isStored: true, layer.Store));
            }
        }

        return best;
    }

    private MachineDescription On(OverlayShape shape, OverlayDivision division) => division.On(_machine with { Rows = shape.Rows, Columns = shape.Columns });

    private sealed record Group(int[] Kinds, int Count);

    /// <summary>What a convolution costs on a machine, as far as it is asked for.</summary>
    private sealed class KindCosts
    {
        private readonly OverlayLayer _layer;
        private readonly OverlayCosts _costs;
        private readonly Dictionary<string, long> _stored = new(StringComparer.Ordinal);

        public KindCosts(OverlayLayer layer, long vectorCycles, OverlayCosts costs)
        {
            (_layer, _costs) = (layer, costs);
            // where nothing fits the buffers, the vector unit is left
            Loaded = vectorCycles;
            foreach (var (algorithm, dataflow, bound) in Ordered(isStored: false, _ => true))
            {
                if (bound < Loaded && costs.Best(algorithm, dataflow, isStored: false, layer.Store, Loaded) is { } plan)
                {
                    Loaded = plan.Cycles;
                }
            }
        }

        /// <summary>Cycles of the best way that reads the tensor.</summary>
        public long Loaded { get; }

        /// <summary>Cycles of the best way where the tensor lies in a form besides; no more than <see cref="Loaded"/>.</summary>
        public long With(string layout)
        {
            if (!_stored.TryGetValue(layout, out var best))
            {
                best = Loaded;
                foreach (var (algorithm, dataflow, bound) in Ordered(isStored: true, algorithm => algorithm.Layout == layout))
                {
                    if (bound < best && _costs.Best(algorithm, dataflow, isStored: true, _layer.Store, best) is { } plan)
                    {
                        best = plan.Cycles;
                    }
                }

                _stored.Add(layout, best);
            }

            return best;
        }

        private List<(OverlayAlgorithm Algorithm, OverlayDataflow Dataflow, long Bound)> Ordered(bool isStored, Func<OverlayAlgorithm, bool> where)
        {
            var ways = new List<(OverlayAlgorithm Algorithm, OverlayDataflow Dataflow, long Bound)>(_layer.Algorithms.Count * Dataflows.Length);
            foreach (var algorithm in _layer.Algorithms)
            {
                if (where(algorithm))
                {
                    foreach (var dataflow in Dataflows)
                    {
                        ways.Add((algorithm, dataflow, _costs.Bound(algorithm, dataflow, isStored, _layer.Store)));
                    }
                }
            }

            ways.Sort((a, b) => a.Bound.CompareTo(b.Bound));
            return ways;
        }
    }
}
