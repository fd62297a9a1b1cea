using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Targets.Nests;

/// <summary>
/// What of an operand moves under a nest, in closed form. A loop that indexes the operand brings other elements with each of its tiles, in whatever order loops are; one that does not brings the same
/// again where it lies outside one that does. Dimensions that have no loop in common are independent: their boxes multiply.
/// </summary>
internal sealed class NestOperand
{
    private readonly int _size;
    private readonly int[] _extents;
    private readonly bool[] _indexed;
    private readonly Part[] _parts;

    /// <summary>Prepares an operand of an operator.</summary>
    public NestOperand(SystolicOperator operation, SystolicAccess access)
    {
        (_size, _extents) = (access.Element.Size(), [.. operation.Loops.Select(loop => loop.Extent)]);
        _indexed = [.. _extents.Select((_, loop) => NestStep.Indexes(access, loop))];
        var (left, parts) = (access.Dimensions.ToList(), new List<Part>());
        while (left.Count > 0)
        {
            var (together, loops) = (new List<SystolicDimension> { left[0] }, new List<int>());
            left.RemoveAt(0);
            for (var i = 0; i < together.Count; i++)
            {
                foreach (var loop in Enumerable.Range(0, _extents.Length).Where(loop => together[i].Coefficients[loop] != 0 && !loops.Contains(loop)).ToList())
                {
                    loops.Add(loop);
                    together.AddRange(left.Where(other => other.Coefficients[loop] != 0));
                    left.RemoveAll(other => other.Coefficients[loop] != 0);
                }
            }

            parts.Add(new([.. loops], [.. together.Select(dimension => new Axis(dimension.Extent, dimension.Constant, dimension.Divisor, [.. loops.Select(loop => dimension.Coefficients[loop])]))], together.TrueForAll(IsInside)));
        }

        _parts = [.. parts];
    }

    /// <summary>True where the loop indexes the operand.</summary>
    public bool IsIndexed(int loop) => _indexed[loop];

    /// <summary>Bytes of the boxes of all tiles, each once.</summary>
    public long BytesOfTiles(ReadOnlySpan<NestLoop> loops)
    {
        long bytes = _size;
        foreach (var part in _parts)
        {
            bytes *= Sum(part, loops);
        }

        return bytes;
    }

    /// <summary>Bytes of the largest box.</summary>
    /// <param name="reach">For each loop by how much its last trip in a tile is beyond the first.</param>
    public double BytesOfBox(ReadOnlySpan<long> reach)
    {
        double bytes = _size;
        foreach (var part in _parts)
        {
            foreach (var axis in part.Axes)
            {
                var span = 0L;
                for (var i = 0; i < part.Loops.Length; i++)
                {
                    span += Math.Abs(axis.Coefficients[i]) * reach[part.Loops[i]];
                }

                bytes *= Math.Min(axis.Extent, (axis.Divisor == 1 ? span : span / axis.Divisor) + 1);
            }
        }

        return bytes;
    }

    /// <summary>How often each box comes where the outermost loops of an order bring it when they step.</summary>
    /// <param name="loops">How loops are cut.</param>
    /// <param name="outer">Those of the loops over tiles, the outermost first, that bring it.</param>
    public long Times(ReadOnlySpan<NestLoop> loops, ReadOnlySpan<int> outer)
    {
        var times = 1L;
        foreach (var loop in outer)
        {
            times *= _indexed[loop] ? 1 : Tiles(loops, loop);
        }

        return times;
    }

    private long Tiles(ReadOnlySpan<NestLoop> loops, int loop) => (_extents[loop] + (long)loops[loop].Tile - 1) / loops[loop].Tile;

    /// <summary>True where no index leaves the dimension and none is divided: boxes have then the extents that the lengths of their tiles say.</summary>
    private bool IsInside(SystolicDimension dimension)
    {
        var (low, high) = (dimension.Constant, dimension.Constant);
        for (var loop = 0; loop < _extents.Length; loop++)
        {
            var reach = dimension.Coefficients[loop] * (_extents[loop] - 1);
            (low, high) = (low + Math.Min(reach, 0), high + Math.Max(reach, 0));
        }

        return dimension.Divisor == 1 && low >= 0 && high < dimension.Extent;
    }

    /// <summary>Sum of the elements of the boxes of all tiles; inside, all tiles of a loop but its last have the box of its first.</summary>
    private long Sum(Part part, ReadOnlySpan<NestLoop> loops)
    {
        Span<long> tile = stackalloc long[part.Loops.Length];
        tile.Clear();
        var sum = 0L;
        while (true)
        {
            var boxes = 1L;
            foreach (var axis in part.Axes)
            {
                boxes *= Box(axis, part.Loops, loops, tile);
            }

            for (var i = 0; part.IsInside && i < tile.Length; i++)
            {
                boxes *= tile[i] == 0 ? Math.Max(1, Tiles(loops, part.Loops[i]) - 1) : 1;
            }

            sum += boxes;
            var next = tile.Length - 1;
            for (; next >= 0; next--)
            {
                var last = Tiles(loops, part.Loops[next]) - 1;
                if (tile[next] < last)
                {
                    tile[next] = part.IsInside ? last : tile[next] + 1;
                    break;
                }

                tile[next] = 0;
            }

            if (next < 0)
            {
                return sum;
            }
        }
    }

    private long Box(Axis axis, int[] of, ReadOnlySpan<NestLoop> loops, ReadOnlySpan<long> tile)
    {
        var (low, high) = (axis.Constant, axis.Constant);
        for (var i = 0; i < of.Length; i++)
        {
            var (coefficient, length) = (axis.Coefficients[i], loops[of[i]].Tile);
            var first = tile[i] * length;
            var last = Math.Min(first + length, _extents[of[i]]) - 1;
            (low, high) = (low + (coefficient * (coefficient > 0 ? first : last)), high + (coefficient * (coefficient > 0 ? last : first)));
        }

        // elements at multiples of the divisor, from 0 to the last one
        low = Math.Max(low, 0);
        high = Math.Min(high, ((long)axis.Extent * axis.Divisor) - 1);
        return high < low ? 0 : axis.Divisor == 1 ? high - low + 1 : (high / axis.Divisor) - ((low + axis.Divisor - 1) / axis.Divisor) + 1;
    }

    /// <summary>A dimension, with the coefficients of its part's loops.</summary>
    private readonly record struct Axis(int Extent, long Constant, int Divisor, long[] Coefficients);

    /// <summary>Dimensions tied together by loops.</summary>
    private readonly record struct Part(int[] Loops, Axis[] Axes, bool IsInside);
}
