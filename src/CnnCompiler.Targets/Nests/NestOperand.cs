using System.Runtime.CompilerServices;
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
    private readonly Part[] _parts;
    private readonly (int Extent, int Divisor)[] _axes;
    private readonly (int Axis, long Lines)[][] _steps;

    /// <summary>Prepares an operand of an operator.</summary>
    public NestOperand(SystolicOperator operation, SystolicAccess access)
    {
        (_size, _extents) = (access.Element.Size(), [.. operation.Loops.Select(loop => loop.Extent)]);
        for (var loop = 0; loop < _extents.Length; loop++)
        {
            Indexed |= NestStep.Indexes(access, loop) ? 1UL << loop : 0;
        }

        var (left, parts) = (access.Dimensions.ToList(), new List<Part>());
        while (left.Count > 0)
        {
            // a loop of one trip ties nothing together
            var (together, loops) = (new List<SystolicDimension> { left[0] }, new List<int>());
            left.RemoveAt(0);
            for (var i = 0; i < together.Count; i++)
            {
                foreach (var loop in Enumerable.Range(0, _extents.Length).Where(loop => _extents[loop] > 1 && together[i].Coefficients[loop] != 0 && !loops.Contains(loop)).ToList())
                {
                    loops.Add(loop);
                    together.AddRange(left.Where(other => other.Coefficients[loop] != 0));
                    left.RemoveAll(other => other.Coefficients[loop] != 0);
                }
            }

            parts.Add(new([.. loops], [.. together.Select(dimension => new Axis(dimension.Extent, dimension.Constant, dimension.Divisor, [.. loops.Select(loop => dimension.Coefficients[loop])]))], together.TrueForAll(IsInside)));
        }

        _parts = [.. parts];
        _axes = [.. access.Dimensions.Select(dimension => (dimension.Extent, dimension.Divisor))];
        _steps = [.. _extents.Select((_, loop) => access.Dimensions.Select((dimension, axis) => (axis, Math.Abs(dimension.Coefficients[loop]))).Where(step => step.Item2 != 0).ToArray())];
    }

    /// <summary>A bit for each loop that indexes the operand.</summary>
    public ulong Indexed { get; }

    /// <summary>True where the loop indexes the operand.</summary>
    public bool IsIndexed(int loop) => (Indexed >> loop & 1) == 1;

    /// <summary>Bytes of the boxes of all tiles, each once.</summary>
    public long BytesOfTiles(ReadOnlySpan<NestLoop> loops)
    {
        long bytes = _size;
        foreach (var part in _parts)
        {
            bytes *= part.Sum(_extents, loops);
        }

        return bytes;
    }

    /// <summary>Its largest box, of a tile of one trip of each loop at first.</summary>
    public NestBox Box() => new(_size, _axes, _steps);

    /// <summary>How often each box comes where the outermost loops of an order bring it when they step.</summary>
    /// <param name="loops">How loops are cut.</param>
    /// <param name="outer">Those of the loops over tiles, the outermost first, that bring it.</param>
    public long Times(ReadOnlySpan<NestLoop> loops, ReadOnlySpan<int> outer)
    {
        var times = 1L;
        foreach (var loop in outer)
        {
            times *= IsIndexed(loop) ? 1 : (_extents[loop] + (long)loops[loop].Tile - 1) / loops[loop].Tile;
        }

        return times;
    }

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

    /// <summary>A dimension, with the coefficients of its part's loops.</summary>
    private readonly record struct Axis(int Extent, long Constant, int Divisor, long[] Coefficients);

    /// <summary>Dimensions tied together by loops.</summary>
    /// <param name="loops">The loops.</param>
    /// <param name="axes">The dimensions.</param>
    /// <param name="isInside">No index leaves them.</param>
    private sealed class Part(int[] loops, Axis[] axes, bool isInside)
    {
        private readonly Dictionary<long, long> _sums = [];

        public int[] Loops => loops;

        public Axis[] Axes => axes;

        /// <summary>Elements of the boxes of all tiles. A search asks for the same tiles of one or two loops again and again, with other tiles of the other parts'.</summary>
        public long Sum(int[] extents, ReadOnlySpan<NestLoop> cut)
        {
            if (loops.Length is 0 or > 2)
            {
                return Counted(extents, cut);
            }

            var key = ((long)cut[loops[0]].Tile << 32) | (uint)cut[loops[^1]].Tile;
            if (!_sums.TryGetValue(key, out var sum))
            {
                _sums.Add(key, sum = Counted(extents, cut));
            }

            return sum;
        }

        /// <summary>Inside, all tiles of a loop but its last have the box of its first.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private long Counted(int[] extents, ReadOnlySpan<NestLoop> cut)
        {
            Span<long> tile = stackalloc long[loops.Length];
            Span<long> tiles = stackalloc long[loops.Length];
            for (var i = 0; i < tile.Length; i++)
            {
                (tile[i], tiles[i]) = (0, (extents[loops[i]] + (long)cut[loops[i]].Tile - 1) / cut[loops[i]].Tile);
            }

            var sum = 0L;
            while (true)
            {
                var boxes = 1L;
                foreach (var axis in axes)
                {
                    boxes *= Box(axis, extents, cut, tile);
                }

                for (var i = 0; isInside && i < tile.Length; i++)
                {
                    boxes *= tile[i] == 0 ? Math.Max(1, tiles[i] - 1) : 1;
                }

                sum += boxes;
                var next = tile.Length - 1;
                for (; next >= 0; next--)
                {
                    if (tile[next] < tiles[next] - 1)
                    {
                        tile[next] = isInside ? tiles[next] - 1 : tile[next] + 1;
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

        private long Box(in Axis axis, int[] extents, ReadOnlySpan<NestLoop> cut, ReadOnlySpan<long> tile)
        {
            var (low, high) = (axis.Constant, axis.Constant);
            for (var i = 0; i < loops.Length; i++)
            {
                var (coefficient, length) = (axis.Coefficients[i], cut[loops[i]].Tile);
                var first = tile[i] * length;
                var last = Math.Min(first + length, extents[loops[i]]) - 1;
                (low, high) = (low + (coefficient * (coefficient > 0 ? first : last)), high + (coefficient * (coefficient > 0 ? last : first)));
            }

            // elements at multiples of the divisor, from 0 to the last one
            low = Math.Max(low, 0);
            high = Math.Min(high, ((long)axis.Extent * axis.Divisor) - 1);
            return high < low ? 0 : axis.Divisor == 1 ? high - low + 1 : (high / axis.Divisor) - ((low + axis.Divisor - 1) / axis.Divisor) + 1;
        }
    }
}

/// <summary>The largest box of an operand while the lengths of its tiles change.</summary>
/// <param name="size">Bytes of an element.</param>
/// <param name="axes">[dimensions] extents and divisors.</param>
/// <param name="steps">[loops] the dimensions that each indexes, and by how many lines a trip of it moves there.</param>
internal sealed class NestBox(int size, (int Extent, int Divisor)[] axes, (int Axis, long Lines)[][] steps)
{
    private readonly long[] _spans = new long[axes.Length];

    /// <summary>Makes tiles longer.</summary>
    /// <param name="loop">Along this loop.</param>
    /// <param name="trips">By so many trips, below 0 for shorter.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Grow(int loop, long trips)
    {
        foreach (var (axis, lines) in steps[loop])
        {
            _spans[axis] += lines * trips;
        }
    }

    /// <summary>Its bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public double Bytes()
    {
        double bytes = size;
        for (var i = 0; i < axes.Length; i++)
        {
            var (extent, divisor) = axes[i];
            bytes *= Math.Min(extent, (divisor == 1 ? _spans[i] : _spans[i] / divisor) + 1);
        }

        return bytes;
    }
}
