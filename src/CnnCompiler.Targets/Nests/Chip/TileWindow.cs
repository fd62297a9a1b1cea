using System.Numerics;
using CnnCompiler.Core;
using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Targets.Nests.Chip;

/// <summary>What of a tensor has to lie on the chip where two operators go through its tiles together (<see cref="NestHandover"/>).</summary>
/// <param name="Window">The window.</param>
/// <param name="Bytes">Its bytes.</param>
internal sealed record TileWindow(NestWindow Window, long Bytes);

/// <summary>Which operands of an operator read a tensor whose tiles another one hands over.</summary>
/// <param name="Input">Its input does.</param>
/// <param name="Extras">A bit for each further operand.</param>
internal readonly record struct TileTakers(bool Input, ulong Extras)
{
    /// <summary>The further operands by number.</summary>
    public EquatableArray<int> Numbers
    {
        get
        {
            var numbers = new List<int>();
            for (var bits = Extras; bits != 0; bits &= bits - 1)
            {
                numbers.Add(BitOperations.TrailingZeroCount(bits));
            }

            return numbers.ToEquatableArray();
        }
    }

    /// <summary>How they read it.</summary>
    public IEnumerable<SystolicAccess> Of(SystolicOperator operation) => (Input ? (SystolicAccess[])[operation.Input] : []).Concat(Numbers.Select(extra => operation.Extras[extra]));
}

/// <summary>The windows of a tensor between two operators, whatever their outermost loops are.</summary>
internal sealed class TileWindows
{
    private readonly SystolicOperator _producer;
    private readonly SystolicOperator _consumer;
    private readonly SystolicAccess[] _taken;
    private readonly int[] _extents;
    private readonly long _bytes;
    private readonly Dictionary<(int Dimension, int From, int To, bool IsLast), int?> _lines = [];

    /// <summary>Prepares a pair.</summary>
    /// <param name="producer">The operator that writes the tensor, all of it.</param>
    /// <param name="consumer">The operator that reads it.</param>
    /// <param name="takers">Which of its operands do.</param>
    public TileWindows(SystolicOperator producer, SystolicOperator consumer, TileTakers takers)
    {
        (_producer, _consumer, _taken) = (producer, consumer, [.. takers.Of(consumer)]);
        Dimensions = [.. DimensionsOf()];
        (_extents, _bytes) = ([.. producer.Output.Dimensions.Select(dimension => dimension.Extent)], ChipContents.Bytes(producer.Output));
    }

    /// <summary>The dimensions of the tensor along which one operator writes and the other one reads line by line, with the loops that do: each trip of the producer's is a line.</summary>
    public IReadOnlyList<(int Dimension, int From, int To)> Dimensions { get; }

    /// <summary>Lines from a trip of the reading operator's loop to the next one.</summary>
    public long Stride(int dimension, int loop) => _taken[0].Dimensions[dimension].Coefficients[loop];

    /// <summary>The smallest window with such outermost loops, or null where these do not fit each other.</summary>
    /// <param name="from">Those of the operator that writes the tensor.</param>
    /// <param name="to">Those of the one that reads it.</param>
    public TileWindow? Least(EquatableArray<NestLead> from, EquatableArray<NestLead> to)
    {
        var least = default(TileWindow);
        Span<int> extents = stackalloc int[_extents.Length];
        for (var loops = 1; loops <= Math.Min(from.Count, to.Count); loops++)
        {
            var (fits, bytes) = (true, (long)_producer.Output.Element.Size());
            _extents.CopyTo(extents);
            for (var i = 0; fits && i < loops; i++)
            {
                var d = DimensionOf(from[i].Loop, to[i].Loop);
                var lines = d < 0 ? null : Lines(d, from[i].Tile, to[i], isLast: i == loops - 1);
                fits = lines is not null;
                extents[Math.Max(0, d)] = lines ?? 0;
            }

            foreach (var extent in extents)
            {
                bytes *= extent;
            }

            least = fits && (least is null || bytes < least.Bytes) ? new(new(loops, extents.ToArray().ToEquatableArray()), bytes) : least;
        }

        return least;
    }

    /// <summary>The smallest window with such outermost loops that is less than the whole tensor and no more than the buffer, or null.</summary>
    /// <param name="from">Those of the operator that writes the tensor.</param>
    /// <param name="to">Those of the one that reads it.</param>
    /// <param name="capacity">Bytes of the buffer.</param>
    public TileWindow? LeastWorth(EquatableArray<NestLead> from, EquatableArray<NestLead> to, long capacity) => Least(from, to) is { } window && window.Bytes <= capacity && window.Bytes < _bytes ? window : null;

    private IEnumerable<(int Dimension, int From, int To)> DimensionsOf()
    {
        var (producer, written, read) = (_producer, _producer.Output.Dimensions, _taken[0].Dimensions);
        if (_taken.Any(access => access.Element != producer.Output.Element || !access.Dimensions.Select(dimension => dimension.Extent).SequenceEqual(written.Select(dimension => dimension.Extent))))
        {
            yield break;
        }

        for (var d = 0; d < written.Count; d++)
        {
            var from = Enumerable.Range(0, producer.Loops.Count).Where(loop => written[d].Coefficients[loop] != 0 && producer.Loops[loop].Extent > 1).ToList();
            if (written[d].Constant != 0 || from.Count != 1 || written[d].Coefficients[from[0]] != 1 || producer.Loops[from[0]].Extent != written[d].Extent || !IsOnly(written, d, from[0]))
            {
                continue;
            }

            foreach (var to in Enumerable.Range(0, _consumer.Loops.Count).Where(loop => _consumer.Loops[loop] is { Extent: > 1, Role: not SystolicRole.Row }
                && Array.TrueForAll(_taken, access => access.Dimensions[d] is { Divisor: 1 } own && own.Coefficients[loop] > 0 && own.Coefficients[loop] == read[d].Coefficients[loop] && IsOnly(access.Dimensions, d, loop))))
            {
                yield return (d, from[0], to);
            }
        }
    }

    private static bool IsOnly(IReadOnlyList<SystolicDimension> dimensions, int d, int loop) => !dimensions.Where((dimension, i) => i != d && dimension.Coefficients[loop] != 0).Any();

    private int DimensionOf(int from, int to)
    {
        foreach (var (dimension, writes, reads) in Dimensions)
        {
            if (writes == from && reads == to)
            {
                return dimension;
            }
        }

        return -1;
    }

    /// <summary>The lines of a dimension that have to be there, or null where tiles do not match that have to.</summary>
    private int? Lines(int d, int from, NestLead to, bool isLast)
    {
        // a dimension has one loop of the producer's, but may have several of the consumer's
        var key = ((d * _consumer.Loops.Count) + to.Loop, from, to.Tile, isLast);
        if (!_lines.TryGetValue(key, out var lines))
        {
            _lines.Add(key, lines = Counted(d, from, to, isLast));
        }

        return lines;
    }

    private int? Counted(int d, int from, NestLead to, bool isLast)
    {
        var (read, extent, trips) = (_taken[0].Dimensions[d], _extents[d], _consumer.Loops[to.Loop].Extent);
        var (low, high) = (long.MaxValue, long.MinValue);
        foreach (var own in _taken.Select(access => access.Dimensions[d]))
        {
            var (first, last) = (own.Constant, own.Constant);
            for (var loop = 0; loop < _consumer.Loops.Count; loop++)
            {
                var reach = loop == to.Loop ? 0 : own.Coefficients[loop] * (_consumer.Loops[loop].Extent - 1);
                (first, last) = (first + Math.Min(reach, 0), last + Math.Max(reach, 0));
            }

            (low, high) = (Math.Min(low, first), Math.Max(high, last));
        }

        var most = isLast ? 1L : Math.Min(from, extent);
        if (!isLast && Up(trips, to.Tile) != Up(extent, from))
        {
            return null;
        }

        for (var (tile, written) = (0L, 0L); tile * to.Tile < trips; tile++)
        {
            var first = Math.Max(0, (tile * to.Tile * read.Coefficients[to.Loop]) + low);
            var end = Math.Min(extent, ((Math.Min(trips, (tile + 1) * to.Tile) - 1) * read.Coefficients[to.Loop]) + high + 1);
            if (end <= first)
            {
                continue;
            }

            if (!isLast)
            {
                if (first < tile * from || end > (tile + 1) * from)
                {
                    return null;
                }

                continue;
            }

            written = Math.Max(written, Math.Min(extent, Up(end, from) * from));
            most = Math.Max(most, written - first);
        }

        return (int)most;
    }

    private static long Up(long value, long by) => (value + by - 1) / by;
}
