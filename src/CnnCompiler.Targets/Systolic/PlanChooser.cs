using System.Globalization;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Systolic;

/// <summary>What a plan is chosen for.</summary>
public enum SystolicObjective
{
    /// <summary>Time.</summary>
    Latency,

    /// <summary>Energy.</summary>
    Energy,

    /// <summary>Time times energy.</summary>
    EnergyDelay,
}

/// <summary>What plans may use. The defaults are the paper's array.</summary>
/// <param name="Objective">What is minimised.</param>
public sealed record SystolicOptions(SystolicObjective Objective = SystolicObjective.Latency)
{
    /// <summary>Groups may lie in the array together.</summary>
    public bool PackGroups { get; init; } = true;

    /// <summary>The vector unit may take products where it is better.</summary>
    public bool VectorProducts { get; init; } = true;

    /// <summary>Convolutions may become several operators.</summary>
    public bool Algorithms { get; init; }

    /// <summary>kh and kv may differ.</summary>
    public bool Asymmetric { get; init; }

    /// <summary>The last tiles of a layer may have depths of their own.</summary>
    public bool DepthPerTile { get; init; }

    /// <summary>Weights are double-buffered.</summary>
    public bool DoubleBuffered { get; init; }

    /// <summary>Tiles load and wait for what they use only.</summary>
    public bool Trimmed { get; init; }

    /// <summary>A collapse depth that is used everywhere; null to choose.</summary>
    public int? ForcedDepth { get; init; }
}

/// <summary>A way to run a product and what it costs.</summary>
/// <param name="Name">Name of the candidate: <c>k2</c>, <c>k4x2</c> (kh, kv), with <c>+14-groups</c> where groups are packed and <c>+vectors-outside</c>; <c>vector-unit</c>.</param>
/// <param name="Plan">The plan; null for the vector unit.</param>
/// <param name="Cost">Its cost, as the interpreter counts it.</param>
/// <param name="Measure">What is minimised, in <see cref="PlanChooser.Unit"/>.</param>
public sealed record PlanCandidate(string Name, MatrixPlan? Plan, SystolicLayerRun Cost, long Measure);

/// <summary>
/// Chooses how a product runs: every packing, order and depth the machine supports is costed with the interpreter's own count, so the choice is exact over
/// them. Depths of single tiles (<see cref="SystolicOptions.DepthPerTile"/>) are chosen one class of tile after the other, which is exact where costs add up (latency or energy without
/// double buffering).
/// </summary>
/// <param name="machine">The machine.</param>
/// <param name="options">What plans may use.</param>
public sealed class PlanChooser(MachineDescription machine, SystolicOptions options)
{
    private readonly List<CollapseDepth> _depths = Depths(machine, options);

    /// <summary>Unit of what is minimised.</summary>
    public string Unit => options.Objective switch { SystolicObjective.Latency => "fs", SystolicObjective.Energy => "fJ", _ => "ps uJ" };

    /// <summary>All ways to run an operator, whose <see cref="SystolicOperator.Array"/> is ignored; the first is the paper's with k = 1.</summary>
    /// <param name="operation">The operator in the array's form.</param>
    /// <param name="name">Its name.</param>
    /// <param name="vector">The operator as the vector unit would execute it, or null where it may not.</param>
    public IReadOnlyList<PlanCandidate> Candidates(SystolicOperator operation, string name, SystolicOperator? vector)
    {
        var candidates = Plans(operation, name).Select(plan => Refine(operation, Cost(operation, plan))).ToList();
        if (vector is not null && options.VectorProducts)
        {
            candidates.Add(Vector(vector));
        }

        return candidates;
    }

    /// <summary>The operator in the vector unit.</summary>
    public PlanCandidate Vector(SystolicOperator operation)
    {
        var cost = new StepCosts(machine, []).OfVector(operation with { Array = null });
        return new("vector-unit", null, cost, Measure(cost));
    }

    /// <summary>The best of some candidates, the first of equals.</summary>
    public static PlanCandidate Best(IReadOnlyList<PlanCandidate> candidates) => candidates.MinBy(candidate => candidate.Measure)!;

    private PlanCandidate Refine(SystolicOperator operation, PlanCandidate candidate)
    {
        if (!options.DepthPerTile)
        {
            return candidate;
        }

        foreach (var change in (Func<MatrixPlan, CollapseDepth, MatrixPlan>[])[(p, d) => p with { LastColumns = d }, (p, d) => p with { LastRows = d }, (p, d) => p with { LastBoth = d }])
        {
            foreach (var depth in _depths)
            {
                var other = Cost(operation, change(candidate.Plan!, depth));
                candidate = other.Measure < candidate.Measure ? other with { Name = candidate.Name } : candidate;
            }
        }

        return candidate;
    }

    private PlanCandidate Cost(SystolicOperator operation, MatrixPlan plan)
    {
        var cost = CostOf(operation, plan);
        var depth = plan.Inner.Horizontal == plan.Inner.Vertical ? string.Create(CultureInfo.InvariantCulture, $"k{plan.Inner.Horizontal}") : $"k{plan.Inner}";
        var packed = plan.GroupsPacked > 1 ? string.Create(CultureInfo.InvariantCulture, $"+{plan.GroupsPacked}-groups") : string.Empty;
        return new($"{depth}{packed}{(plan.Order == SystolicOrder.VectorsOuter ? "+vectors-outside" : string.Empty)}", plan, cost, Measure(cost));
    }

    /// <summary>What a plan costs.</summary>
    public SystolicLayerRun CostOf(SystolicOperator operation, MatrixPlan plan)
    {
        var depths = plan.Depths.Distinct().ToList();
        var configurations = depths.Select(depth => SystolicConfiguration.Of(machine.Rows, machine.Columns, depth.Horizontal, depth.Vertical)).ToList();
        return new StepCosts(machine, configurations).OfArray(operation with { Array = plan.Encode(depths.IndexOf) });
    }

    /// <summary>Largest number of groups that lie in an array together; 1 where two do not.</summary>
    public static int MostGroups(MachineDescription machine, long groups, long rows, long columns) =>
        (int)Math.Max(1, Math.Min(groups, Math.Min(machine.Rows / rows, machine.Columns / columns)));

    private IEnumerable<MatrixPlan> Plans(SystolicOperator operation, string name)
    {
        var (groups, rows, columns) = (operation.Extent(SystolicRole.Group), operation.Extent(SystolicRole.Row), operation.Extent(SystolicRole.Column));
        var vectors = operation.Extent(SystolicRole.Position);
        var perTile = rows > machine.Rows ? Math.Min(vectors, machine.Systolic![SystolicKeys.AccumulatorRows]) : vectors;
        int[] packs = options.PackGroups && MostGroups(machine, groups, rows, columns) is > 1 and var most ? [most, 1] : [1];
        SystolicOrder[] orders = perTile < vectors ? [SystolicOrder.ColumnsOuter, SystolicOrder.VectorsOuter] : [SystolicOrder.ColumnsOuter];
        foreach (var pack in packs)
        {
            foreach (var order in orders)
            {
                foreach (var depth in _depths)
                {
                    yield return new MatrixPlan(name, pack, (int)perTile, order, options.DoubleBuffered, options.Trimmed, depth, depth, depth, depth);
                }
            }
        }
    }

    private long Measure(SystolicLayerRun cost) => options.Objective switch
    {
        SystolicObjective.Latency => cost.Femtoseconds,
        SystolicObjective.Energy => (long)(cost.EnergyAttojoules(machine.Systolic!) / 1000),
        _ => (long)((Int128)(cost.Femtoseconds / 1000) * (cost.EnergyAttojoules(machine.Systolic!) / 1_000_000) / 1_000_000),
    };

    private static List<CollapseDepth> Depths(MachineDescription machine, SystolicOptions options)
    {
        // a depth beyond the side is the side's own, which has to have a clock
        var all = machine.Systolic!.Depths.Where(depth => depth <= Math.Min(machine.Rows, machine.Columns) && (options.ForcedDepth is null || depth == options.ForcedDepth)).ToList();
        all = all.Count > 0 ? all : [1];
        return options.Asymmetric
            ? [.. all.SelectMany(_ => all, (horizontal, vertical) => new CollapseDepth(horizontal, vertical))]
            : [.. all.Select(depth => new CollapseDepth(depth, depth))];
    }
}
