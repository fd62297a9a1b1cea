namespace CnnCompiler.Targets.Overlay.Exploration;

/// <summary>A shape of the overlay's unit.</summary>
/// <param name="Rows">P1.</param>
/// <param name="Columns">P2.</param>
public readonly record struct OverlayShape(int Rows, int Columns)
{
    /// <summary>Processing elements.</summary>
    public int Elements => Rows * Columns;

    /// <summary>True where it comes before another one: fewer elements, or as many and fewer rows.</summary>
    public bool IsBefore(OverlayShape other) => (Elements, Rows).CompareTo((other.Elements, other.Rows)) < 0;
}

/// <summary>A shape with its latency.</summary>
/// <param name="Shape">The shape.</param>
/// <param name="Cost">Latency of all networks together, each optimally mapped, in the model's unit.</param>
public readonly record struct ExploredShape(OverlayShape Shape, long Cost);

/// <summary>What a shape costs.</summary>
public interface IShapeModel
{
    /// <summary>Unit of costs.</summary>
    string Unit { get; }

    /// <summary>No mapping costs less on this shape. Thread-safe, fast.</summary>
    long LowerBound(OverlayShape shape);

    /// <summary>Cost of the best mapping on this shape, or null where it is not below a limit. Thread-safe.</summary>
    long? Cost(OverlayShape shape, long limit);
}

/// <summary>Result of an exploration, or of a part of one.</summary>
/// <param name="Shapes">Shapes within the budget that this part looked at.</param>
/// <param name="Evaluated">Those whose mappings were looked at; all others were excluded by their bounds alone.</param>
/// <param name="Front">Pareto-optimal shapes in elements and cost, by elements ascending; the last is the fastest.</param>
public sealed record ExplorationResult(int Shapes, int Evaluated, IReadOnlyList<ExploredShape> Front)
{
    /// <summary>The exploration of all parts together.</summary>
    public static ExplorationResult Merge(IEnumerable<ExplorationResult> parts)
    {
        var all = parts.ToList();
        return new(all.Sum(part => part.Shapes), all.Sum(part => part.Evaluated), ShapeExplorer.FrontOf(all.SelectMany(part => part.Front)));
    }
}

/// <summary>
/// Looks at every shape within a budget. A shape is left out only where another one that is no larger is known to be at least as good as the bound of this one: so the front is exact.
/// </summary>
public static class ShapeExplorer
{
    /// <summary>Largest side of a unit.</summary>
    public const int LargestSide = 1024;

    private const int Batch = 64;

    /// <summary>All shapes within a budget, in a fixed order.</summary>
    public static IEnumerable<OverlayShape> Shapes(int elements)
    {
        for (var rows = 1; rows <= Math.Min(elements, LargestSide); rows++)
        {
            for (var columns = 1; columns <= Math.Min(elements / rows, LargestSide); columns++)
            {
                yield return new(rows, columns);
            }
        }
    }

    /// <summary>Explores a part of the shapes.</summary>
    /// <param name="model">What shapes cost.</param>
    /// <param name="elements">Budget of processing elements.</param>
    /// <param name="fastestOnly">True to look for the fastest shape alone (of equals, the smallest): far fewer are evaluated.</param>
    /// <param name="shard">Index of the part, from 0.</param>
    /// <param name="shards">Number of parts.</param>
    /// <param name="progress">Told how many shapes of how many are decided; may be null.</param>
    /// <param name="cancellation">Ends the work.</param>
    public static ExplorationResult Explore(
        IShapeModel model, int elements, bool fastestOnly, int shard = 0, int shards = 1, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        var shapes = Shapes(elements).Where((_, i) => i % shards == shard).ToArray();
        var bounds = new long[shapes.Length];
        Parallel.For(0, shapes.Length, new ParallelOptions { CancellationToken = cancellation }, i => bounds[i] = model.LowerBound(shapes[i]));
        var order = Enumerable.Range(0, shapes.Length).OrderBy(i => bounds[i]).ThenBy(i => shapes[i].Elements).ThenBy(i => shapes[i].Rows).ToArray();
        var front = new List<ExploredShape>();
        var evaluated = 0;
        for (var start = 0; start < order.Length;)
        {
            // what is decided in a batch does not depend on how many threads there are
            var chosen = new List<int>();
            while (start < order.Length && chosen.Count < Math.Min(Batch, evaluated + 1))
            {
                var i = order[start++];
                if (bounds[i] < Limit(shapes[i]))
                {
                    chosen.Add(i);
                }
            }

            var costs = new long?[chosen.Count];
            Parallel.For(0, costs.Length, new ParallelOptions { CancellationToken = cancellation }, k => costs[k] = model.Cost(shapes[chosen[k]], Limit(shapes[chosen[k]])));
            evaluated += costs.Length;
            front = FrontOf(front.Concat(chosen.Zip(costs).Where(pair => pair.Second is not null).Select(pair => new ExploredShape(shapes[pair.First], pair.Second!.Value))));
            progress?.Invoke(start, order.Length);
        }

        return new(shapes.Length, evaluated, fastestOnly && front.Count > 0 ? [front[^1]] : front);

        // what costs as much is not on the front, or not the fastest
        long Limit(OverlayShape shape)
        {
            var limit = long.MaxValue;
            foreach (var known in front)
            {
                var isBefore = known.Shape.IsBefore(shape);
                limit = isBefore || fastestOnly ? Math.Min(limit, known.Cost + (isBefore ? 0 : 1)) : limit;
            }

            return limit;
        }
    }

    /// <summary>The shapes that no other one of them beats: no larger and faster, or smaller and no slower.</summary>
    internal static List<ExploredShape> FrontOf(IEnumerable<ExploredShape> shapes)
    {
        var front = new List<ExploredShape>();
        foreach (var shape in shapes.OrderBy(shape => shape.Shape.Elements).ThenBy(shape => shape.Cost).ThenBy(shape => shape.Shape.Rows))
        {
            if (front.Count == 0 || shape.Cost < front[^1].Cost)
            {
                front.Add(shape);
            }
        }

        return front;
    }
}
