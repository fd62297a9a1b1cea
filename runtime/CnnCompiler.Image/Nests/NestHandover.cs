using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Image.Nests;

/// <summary>
/// A tensor that goes from a step to the next one tile by tile, through a window on the chip; the next one reads it as its input, as further operands, or as both. Each of the outermost loops of both, so many as the window says, goes along a dimension of the tensor, the same
/// for both. Along all but the last of these the steps have equally many tiles and the consumer's reads what the producer's of the same number writes; along the last one a tile may read lines that the one
/// before it has read too. Before a tile of the consumer the producer runs as far as <see cref="Target"/> says, and not further: with that the window has to hold what the tile reads.
/// </summary>
public sealed class NestHandover
{
    /// <summary>Most tiles of the consumer along a loop: the reader looks at each.</summary>
    public const int MostTiles = 1 << 16;

    private readonly Axis[] _axes;

    private NestHandover(Axis[] axes) => _axes = axes;

    /// <summary>Loops that the steps go through together.</summary>
    public int Depth => _axes.Length;

    /// <summary>What steps hand over, or why they can't.</summary>
    /// <param name="producer">The step that writes the tensor; it keeps the rules of <see cref="NestChecker"/>.</param>
    /// <param name="consumer">The step behind it, which reads it.</param>
    public static (NestHandover? Handover, string? Problem) Of(NestStep producer, NestStep consumer)
    {
        var (written, taken) = (producer.Operation.Output, consumer.Reads.Where(read => read.Window is not null).ToList());
        if (producer.Chip is not { OutputWindow: { } window } from || consumer.Chip?.Taken is not { Window: var other } || window.Loops != other.Loops || !window.Extents.SequenceEqual(other.Extents)
            || !taken.TrueForAll(read => read.Place == from.Output && read.Access.Element == written.Element && read.Access.Dimensions.Select(dimension => dimension.Extent).SequenceEqual(written.Dimensions.Select(dimension => dimension.Extent))))
        {
            return (null, "takes tiles of another tensor or window than the step before it hands over");
        }

        if (producer.Operation.Loops.Aggregate((Int128)1, (product, loop) => product * (loop.Role == SystolicRole.Row ? 1 : loop.Extent)) != written.Dimensions.Aggregate((Int128)1, (product, dimension) => product * dimension.Extent))
        {
            return (null, "takes tiles of a tensor that the step before it does not write as a whole");
        }

        var axes = new Axis[window.Loops];
        for (var i = 0; i < axes.Length; i++)
        {
            if (Axis.Of(producer, producer.Outer[i], consumer, consumer.Outer[i], [.. taken.Select(read => read.Access)]) is not { } axis)
            {
                return (null, "goes through tiles along a loop that is not one of a dimension in both steps, or too many");
            }

            axes[i] = axis;
        }

        for (var d = 0; d < window.Extents.Count; d++)
        {
            var at = Array.FindIndex(axes, axis => axis.Dimension == d);
            if (at < 0 ? window.Extents[d] < written.Dimensions[d].Extent : !(at == axes.Length - 1 ? axes[at].Slides(window.Extents[d]) : axes[at].Matches(window.Extents[d])))
            {
                return (null, "reads from a window what is not there yet, or not any more");
            }
        }

        return (new(axes), null);
    }

    /// <summary>How far the producer runs before a tile of the consumer.</summary>
    /// <param name="tile">Which tile of each of its loops the consumer is at.</param>
    /// <param name="target">Takes the producer's last tile along each of the loops that they go through together; -1 where the tile reads nothing.</param>
    public void Target(ReadOnlySpan<long> tile, Span<long> target)
    {
        for (var i = 0; i < _axes.Length; i++)
        {
            var at = tile[_axes[i].Loop];
            target[i] = i == _axes.Length - 1 ? _axes[i].LastTile(at) : at;
        }
    }

    /// <summary>A dimension of the tensor along which both steps go.</summary>
    /// <param name="Dimension">The dimension.</param>
    /// <param name="Extent">Its extent.</param>
    /// <param name="Tile">Lines of a tile of the producer.</param>
    /// <param name="Loop">The consumer's loop.</param>
    /// <param name="Trips">Its trips.</param>
    /// <param name="Step">Its trips in a tile.</param>
    /// <param name="Coefficient">Lines from one of its trips to the next.</param>
    /// <param name="Low">First line that its first trip reads.</param>
    /// <param name="High">Last line that its first trip reads.</param>
    private sealed record Axis(int Dimension, long Extent, long Tile, int Loop, long Trips, long Step, long Coefficient, Int128 Low, Int128 High)
    {
        /// <summary>Null where the loops are not those of one dimension, one trip of the producer's a line.</summary>
        public static Axis? Of(NestStep producer, int from, NestStep consumer, int to, IReadOnlyList<SystolicAccess> taken)
        {
            var written = producer.Operation.Output.Dimensions;
            var d = Enumerable.Range(0, written.Count).FirstOrDefault(i => written[i].Coefficients[from] != 0, -1);
            if (d < 0 || consumer.Operation.Loops[to].Role == SystolicRole.Row || consumer.OuterTrips(to) > MostTiles
                || written[d] is not { Constant: 0, Divisor: 1 } || written[d].Coefficients[from] != 1 || producer.Operation.Loops[from].Extent != written[d].Extent
                || written.Where((_, i) => i != d).Any(dimension => dimension.Coefficients[from] != 0)
                || producer.Operation.Loops.Where((loop, i) => i != from && loop.Extent > 1 && written[d].Coefficients[i] != 0).Any()
                || taken.Any(access => access.Dimensions[d] is not { Divisor: 1 } || access.Dimensions[d].Coefficients[to] < 1 || access.Dimensions[d].Coefficients[to] != taken[0].Dimensions[d].Coefficients[to]
                    || access.Dimensions.Where((_, i) => i != d).Any(dimension => dimension.Coefficients[to] != 0)))
            {
                return null;
            }

            // what any of the operands reads
            Int128 least = long.MaxValue, most = long.MinValue;
            foreach (var read in taken.Select(access => access.Dimensions[d]))
            {
                Int128 low = read.Constant, high = read.Constant;
                for (var i = 0; i < consumer.Loops.Count; i++)
                {
                    var reach = i == to ? 0 : (Int128)read.Coefficients[i] * (consumer.Operation.Loops[i].Extent - 1);
                    (low, high) = (low + Int128.Min(reach, 0), high + Int128.Max(reach, 0));
                }

                (least, most) = (Int128.Min(least, low), Int128.Max(most, high));
            }

            return new(d, written[d].Extent, producer.Loops[from].Tile, to, consumer.Operation.Loops[to].Extent, consumer.Loops[to].Tile, taken[0].Dimensions[d].Coefficients[to], least, most);
        }

        /// <summary>The producer's tile with the last line that a tile of the consumer reads, whatever its other loops do.</summary>
        public long LastTile(long tile) => Lines(tile).Last is var last and >= 0 ? last / Tile : -1;

        /// <summary>True where each tile of the consumer reads what the producer's tile of the same number writes, and the window holds that.</summary>
        public bool Matches(int window) =>
            (Trips + Step - 1) / Step == (Extent + Tile - 1) / Tile && window >= Math.Min(Tile, Extent)
            && Reading().All(read => read.First >= read.Tile * Tile && read.Last < (read.Tile + 1) * Tile);

        /// <summary>True where the window holds all lines from the first one that a tile of the consumer reads to the last one that the producer has written then.</summary>
        public bool Slides(int window) => Reading().All(read => Math.Min(Extent, ((read.Last / Tile) + 1) * Tile) - read.First <= window);

        /// <summary>The tiles of the consumer that read anything.</summary>
        private IEnumerable<(long Tile, long First, long Last)> Reading()
        {
            for (var tile = 0L; tile * Step < Trips; tile++)
            {
                var (first, last) = Lines(tile);
                if (last >= first)
                {
                    yield return (tile, first, last);
                }
            }
        }

        /// <summary>The lines inside the tensor that a tile of the consumer reads; none where the last is before the first.</summary>
        private (long First, long Last) Lines(long tile)
        {
            var (start, end) = ((Int128)tile * Step * Coefficient, (Int128)(Math.Min(Trips, (tile + 1) * Step) - 1) * Coefficient);
            return ((long)Int128.Clamp(start + Low, 0, Extent), (long)Int128.Clamp(end + High, -1, Extent - 1));
        }
    }
}
