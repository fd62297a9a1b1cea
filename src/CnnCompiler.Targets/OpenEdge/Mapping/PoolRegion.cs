using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>
/// A rectangle of output positions whose windows have the same taps inside the input. Where a window reaches over the edge, taps are skipped:
/// the output is cut into such rectangles, so that each is an ordinary, smaller window without padding.
/// </summary>
/// <param name="Firsts">First value of each loop of the operator.</param>
/// <param name="Extents">Trip count of each loop.</param>
public sealed record PoolRegion(int[] Firsts, int[] Extents)
{
    /// <summary>Taps of a window in this region.</summary>
    public long Taps(GconvOperator operation) =>
        Extents.Where((_, i) => operation.Loops[i].Kind == LoopKind.KernelSize).Aggregate(1L, (n, e) => n * e);

    /// <summary>Cuts an operator's output, given the shape of its input; null where a dimension has several position or window loops, or a window has no tap inside.</summary>
    public static IReadOnlyList<PoolRegion>? Split(GconvOperator operation, Shape input)
    {
        List<PoolRegion> regions = [new(new int[operation.Loops.Count], [.. operation.Loops.Select(l => l.Extent)])];
        if (operation.Input.OutOfRange != OutOfRange.SkipTap)
        {
            return regions;
        }

        for (var d = 0; d < operation.Input.Index.Count; d++)
        {
            var index = operation.Input.Index[d];
            var used = Enumerable.Range(0, operation.Loops.Count).Where(i => index.Coefficients[i] != 0).ToArray();
            var positions = used.Where(i => operation.Loops[i].Kind != LoopKind.KernelSize).ToArray();
            var windows = used.Where(i => operation.Loops[i].Kind == LoopKind.KernelSize).ToArray();
            if (windows.Length == 0)
            {
                continue;
            }

            if (positions.Length > 1 || windows.Length > 1)
            {
                return null;
            }

            var (position, window) = (positions.Length == 0 ? -1 : positions[0], windows[0]);
            if (Intervals(operation, index, position, window, input[d]) is not { } intervals)
            {
                return null;
            }

            regions = [.. regions.SelectMany(r => intervals.Select(i => r.With(position, i.First, i.Count, window, i.FirstTap, i.Taps)))];
        }

        return regions;
    }

    /// <summary>Neighbouring positions whose windows have the same taps inside.</summary>
    private static List<(int First, int Count, int FirstTap, int Taps)>? Intervals(
        GconvOperator operation, AffineExpression index, int position, int window, long extent)
    {
        var intervals = new List<(int First, int Count, int FirstTap, int Taps)>();
        var count = position < 0 ? 1 : operation.Loops[position].Extent;
        for (var p = 0; p < count; p++)
        {
            var start = index.Constant + (position < 0 ? 0 : p * index.Coefficients[position]);
            var inside = Enumerable.Range(0, operation.Loops[window].Extent)
                .Where(t => start + (t * index.Coefficients[window]) is >= 0 and var at && at < extent).ToArray();
            if (inside.Length == 0)
            {
                return null;
            }

            if (intervals.Count > 0 && intervals[^1] is var last && last.FirstTap == inside[0] && last.Taps == inside.Length)
            {
                intervals[^1] = last with { Count = last.Count + 1 };
            }
            else
            {
                intervals.Add((p, 1, inside[0], inside.Length));
            }
        }

        return intervals;
    }

    private PoolRegion With(int position, int first, int count, int window, int firstTap, int taps)
    {
        var (firsts, extents) = ((int[])Firsts.Clone(), (int[])Extents.Clone());
        if (position >= 0)
        {
            (firsts[position], extents[position]) = (first, count);
        }

        (firsts[window], extents[window]) = (firstTap, taps);
        return new(firsts, extents);
    }
}
