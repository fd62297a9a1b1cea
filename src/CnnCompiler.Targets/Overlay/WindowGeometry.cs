using System.Collections.Concurrent;
using CnnCompiler.Image.Overlay;

namespace CnnCompiler.Targets.Overlay;

/// <summary>Chunks of rows of tiles, a pass each, as they are for costs.</summary>
/// <param name="Kinds">The different ones.</param>
/// <param name="KindOf">Kind of each chunk.</param>
internal sealed record RowChunks(IReadOnlyList<RowChunk> Kinds, int[] KindOf);

/// <summary>Some rows of tiles.</summary>
/// <param name="Rows">Rows of tiles.</param>
/// <param name="RowsRead">Rows of the input that they read.</param>
/// <param name="OutputRows">Rows of the output under them.</param>
/// <param name="OutputRowsByImage">The same, image after image.</param>
/// <param name="Inside">For each round the positions at which it lies inside the input.</param>
internal sealed record RowChunk(int Rows, long RowsRead, int OutputRows, int[] OutputRowsByImage, int[] Inside)
{
    public bool IsLike(RowChunk other) =>
        (Rows, RowsRead) == (other.Rows, other.RowsRead) && OutputRowsByImage.AsSpan().SequenceEqual(other.OutputRowsByImage) && Inside.AsSpan().SequenceEqual(other.Inside);
}

/// <summary>Which rows and positions a window's tiles reach, by intervals.</summary>
internal sealed class WindowGeometry
{
    private readonly OverlayWindow _window;
    private readonly OverlayRound[] _reading;
    private readonly ConcurrentDictionary<int, RowChunks> _chunks = new();

    public WindowGeometry(OverlayWindow window)
    {
        _window = window;

        // a round whose columns are all outside reads no row
        _reading = [.. window.Rounds.Where(round => Inside(window.Columns, round.Column, 0, window.Columns.Tiles * window.Columns.Tile + window.Columns.Points - window.Columns.Tile) > 0).DistinctBy(round => round.Row)];
    }

    /// <summary>Width of the output.</summary>
    public int OutputColumns => _window.Columns.Output;

    /// <summary>Height of the output.</summary>
    public int OutputHeight => _window.Rows.Output;

    /// <summary>The rows of tiles in chunks of so many; thread-safe, computed once.</summary>
    public RowChunks Chunks(int rowsPerPass) => _chunks.GetOrAdd(rowsPerPass, MakeChunks);

    /// <summary>Rows of the input that some rows of tiles read.</summary>
    public long RowsRead(int first, int rows)
    {
        var total = 0L;
        var marks = new bool[_window.Rows.Input];
        foreach (var (from, count) in Images(first, rows))
        {
            Array.Clear(marks);
            foreach (var round in _reading)
            {
                var (start, end) = (from * _window.Rows.Tile, ((from + count - 1) * _window.Rows.Tile) + _window.Rows.Points);
                for (var i = start; i < end; i++)
                {
                    var y = ((long)_window.Rows.Step * i) + round.Row;
                    if (y >= 0 && y < marks.Length)
                    {
                        marks[y] = true;
                    }
                }
            }

            total += marks.Count(mark => mark);
        }

        return total;
    }

    /// <summary>For each round the positions of some rows of outputs (tiles of one) at which it lies inside the input.</summary>
    public void PositionsInside(int first, int rows, int[] counts)
    {
        Array.Clear(counts);
        foreach (var (from, count) in Images(first, rows))
        {
            for (var round = 0; round < counts.Length; round++)
            {
                counts[round] += Inside(_window.Rows, _window.Rounds[round].Row, from, from + count) * Inside(_window.Columns, _window.Rounds[round].Column, 0, _window.Columns.Output);
            }
        }
    }

    /// <summary>Rows of the output under some rows of tiles.</summary>
    public int OutputRows(int first, int rows) => OutputRowsByImage(first, rows).Sum();

    /// <summary>The same, image after image.</summary>
    public IEnumerable<int> OutputRowsByImage(int first, int rows) =>
        Images(first, rows).Select(part => Math.Min(_window.Rows.Output, (part.First + part.Count) * _window.Rows.Tile) - (part.First * _window.Rows.Tile));

    private RowChunks MakeChunks(int rowsPerPass)
    {
        var kinds = new List<RowChunk>();
        var kindOf = new int[UnitTimes.Tiles(_window.TileRows, rowsPerPass)];
        for (var chunk = 0; chunk < kindOf.Length; chunk++)
        {
            var first = chunk * rowsPerPass;
            var rows = Math.Min(rowsPerPass, _window.TileRows - first);
            var inside = new int[_window.Rounds.Count];
            PositionsInside(first, rows, inside);
            var found = new RowChunk(rows, RowsRead(first, rows), OutputRows(first, rows), [.. OutputRowsByImage(first, rows)], inside);
            kindOf[chunk] = kinds.FindIndex(found.IsLike);
            if (kindOf[chunk] < 0)
            {
                kindOf[chunk] = kinds.Count;
                kinds.Add(found);
            }
        }

        return new(kinds, kindOf);
    }

    /// <summary>Indices i of [from, to) for which step * i + offset lies inside.</summary>
    private static int Inside(OverlayAxis axis, int offset, int from, int to)
    {
        var low = Math.Max(from, offset >= 0 ? 0 : (int)UnitTimes.Tiles(-(long)offset, axis.Step));
        var high = axis.Input - 1 - offset < 0 ? 0 : Math.Min(to, ((axis.Input - 1 - offset) / axis.Step) + 1);
        return Math.Max(0, high - low);
    }

    private IEnumerable<(int First, int Count)> Images(int first, int rows)
    {
        for (var row = first; row < first + rows;)
        {
            var within = row % _window.Rows.Tiles;
            var count = Math.Min(_window.Rows.Tiles - within, first + rows - row);
            yield return (within, count);
            row += count;
        }
    }
}
