using CnnCompiler.Core;
using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Targets.Nests.Chip;

/// <summary>What of a tensor has to lie on the chip where two operators go through its tiles together (<see cref="NestHandover"/>).</summary>
/// <param name="Window">The window.</param>
/// <param name="Bytes">Its bytes.</param>
internal sealed record TileWindow(NestWindow Window, long Bytes)
{
    /// <summary>The smallest window between two operators with such outermost loops, or null where these do not fit each other.</summary>
    /// <param name="producer">The operator that writes the tensor, all of it.</param>
    /// <param name="from">Its outermost loops.</param>
    /// <param name="consumer">The operator that reads it as its input.</param>
    /// <param name="to">Its outermost loops.</param>
    public static TileWindow? Least(SystolicOperator producer, EquatableArray<NestLead> from, SystolicOperator consumer, EquatableArray<NestLead> to)
    {
        var least = default(TileWindow);
        for (var loops = 1; loops <= Math.Min(from.Count, to.Count); loops++)
        {
            var extents = producer.Output.Dimensions.Select(dimension => dimension.Extent).ToArray();
            var fits = true;
            for (var i = 0; fits && i < loops; i++)
            {
                var needed = Lines(producer, from[i], consumer, to[i], isLast: i == loops - 1);
                fits = needed is not null;
                if (needed is var (d, lines))
                {
                    extents[d] = lines;
                }
            }

            var bytes = extents.Aggregate((long)producer.Output.Element.Size(), (product, extent) => product * extent);
            if (fits && (least is null || bytes < least.Bytes))
            {
                least = new(new(loops, extents.ToEquatableArray()), bytes);
            }
        }

        return least;
    }

    /// <summary>True where it is less than the whole tensor, and no more than the buffer.</summary>
    /// <param name="producer">The operator that writes the tensor.</param>
    /// <param name="capacity">Bytes of the buffer.</param>
    public bool IsWorth(SystolicOperator producer, long capacity) => Bytes <= capacity && Bytes < ChipContents.Bytes(producer.Output);

    /// <summary>The dimensions of a tensor along which one operator writes and another one reads line by line, with the loops that do: each trip of the producer's is a line.</summary>
    /// <param name="producer">The operator that writes the tensor.</param>
    /// <param name="consumer">The operator that reads it.</param>
    public static IEnumerable<(int Dimension, int From, int To)> Dimensions(SystolicOperator producer, SystolicOperator consumer)
    {
        var (written, read) = (producer.Output.Dimensions, consumer.Input.Dimensions);
        if (written.Count != read.Count || producer.Output.Element != consumer.Input.Element || Enumerable.Range(0, written.Count).Any(d => written[d].Extent != read[d].Extent))
        {
            yield break;
        }

        for (var d = 0; d < written.Count; d++)
        {
            var from = Enumerable.Range(0, producer.Loops.Count).Where(loop => written[d].Coefficients[loop] != 0 && producer.Loops[loop].Extent > 1).ToList();
            if (written[d].Constant != 0 || from.Count != 1 || written[d].Coefficients[from[0]] != 1 || producer.Loops[from[0]].Extent != written[d].Extent || !IsOnly(written, d, from[0]) || read[d].Divisor != 1)
            {
                continue;
            }

            foreach (var to in Enumerable.Range(0, consumer.Loops.Count).Where(loop => consumer.Loops[loop] is { Extent: > 1, Role: not SystolicRole.Row } && read[d].Coefficients[loop] > 0 && IsOnly(read, d, loop)))
            {
                yield return (d, from[0], to);
            }
        }
    }

    private static bool IsOnly(IReadOnlyList<SystolicDimension> dimensions, int d, int loop) => !dimensions.Where((dimension, i) => i != d && dimension.Coefficients[loop] != 0).Any();

    /// <summary>The dimension of two loops and the lines of it that have to be there.</summary>
    private static (int Dimension, int Lines)? Lines(SystolicOperator producer, NestLead from, SystolicOperator consumer, NestLead to, bool isLast)
    {
        var d = Dimensions(producer, consumer).Where(pair => pair.From == from.Loop && pair.To == to.Loop).Select(pair => pair.Dimension).DefaultIfEmpty(-1).First();
        if (d < 0)
        {
            return null;
        }

        var (read, extent, trips) = (consumer.Input.Dimensions[d], producer.Output.Dimensions[d].Extent, consumer.Loops[to.Loop].Extent);
        var (low, high) = (read.Constant, read.Constant);
        for (var loop = 0; loop < consumer.Loops.Count; loop++)
        {
            var reach = loop == to.Loop ? 0 : read.Coefficients[loop] * (consumer.Loops[loop].Extent - 1);
            (low, high) = (low + Math.Min(reach, 0), high + Math.Max(reach, 0));
        }

        var most = isLast ? 1L : Math.Min(from.Tile, extent);
        if (!isLast && Up(trips, to.Tile) != Up(extent, from.Tile))
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
                if (first < tile * from.Tile || end > (tile + 1) * from.Tile)
                {
                    return null;
                }

                continue;
            }

            written = Math.Max(written, Math.Min(extent, Up(end, from.Tile) * from.Tile));
            most = Math.Max(most, written - first);
        }

        return (d, (int)most);
    }

    private static long Up(long value, long by) => (value + by - 1) / by;
}
