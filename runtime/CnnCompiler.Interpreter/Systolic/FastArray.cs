using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>Cycles and events of one tile, without its data.</summary>
/// <param name="Load">Cycles in which its weights enter.</param>
/// <param name="Stream">Cycles from its first activation to its last sum.</param>
/// <param name="Events">What happens in the array in these cycles; where the two overlap, the registers' gated cycles of the load are taken off by <see cref="FastArray.Overlap"/>.</param>
public readonly record struct SystolicTileCost(long Load, long Stream, SystolicEvents Events);

/// <summary>The fast engine: sums by matrix multiplication, cycles and events by counting groups. Equal to <see cref="SteppedArray"/> in every number.</summary>
public static class FastArray
{
    /// <summary>Cycles and events of a tile.</summary>
    /// <param name="configuration">The array and its groups.</param>
    /// <param name="rows">Rows used.</param>
    /// <param name="columns">Columns used.</param>
    /// <param name="vectors">Vectors streamed.</param>
    /// <param name="trimmed">See <see cref="SystolicTile.Trimmed"/>.</param>
    public static SystolicTileCost Cost(SystolicConfiguration configuration, int rows, int columns, int vectors, bool trimmed)
    {
        long cells = (long)configuration.Rows * configuration.Columns;
        long load = trimmed ? rows : configuration.Rows;

        // the last vector enters row group 0 in cycle vectors - 1, the others as much later as they are groups further
        long stream = vectors - 1 + (configuration.RowGroups - 1) + configuration.ColumnGroup(trimmed ? columns - 1 : configuration.Columns - 1) + 1;
        long horizontal = (long)configuration.Rows * configuration.ColumnGroups * stream;
        long vertical = (long)configuration.Columns * configuration.RowGroups * stream;
        long products = (long)rows * columns * vectors;
        return new(load, stream, new(
            products,
            products,
            (long)configuration.RowGroups * columns * vectors,
            horizontal,
            (cells * (load + stream)) - horizontal,
            vertical,
            (cells * (load + stream)) - vertical,
            cells * load,
            (long)rows * vectors,
            (long)rows * columns,
            (long)columns * vectors));
    }

    /// <summary>Events that a load does not cause where it runs beside a stream: its pipeline registers are counted there.</summary>
    /// <param name="configuration">The array.</param>
    /// <param name="cycles">Cycles of the load that overlap.</param>
    public static SystolicEvents Overlap(SystolicConfiguration configuration, long cycles)
    {
        var registers = -(long)configuration.Rows * configuration.Columns * cycles;
        return new SystolicEvents { HorizontalGated = registers, VerticalGated = registers };
    }

    /// <summary>Runs tiles one after the other, as <see cref="SteppedArray.Run(IReadOnlyList{SystolicTile}, bool)"/> does.</summary>
    public static SystolicPass Run(IReadOnlyList<SystolicTile> tiles, bool doubleBuffered)
    {
        var clock = new FastClock(doubleBuffered);
        var results = new List<SystolicTileResult>(tiles.Count);
        foreach (var tile in tiles)
        {
            var start = clock.Add(tile.Configuration, Cost(tile.Configuration, tile.Rows, tile.Columns, tile.Vectors, tile.Trimmed));
            results.Add(Results(tile, start, clock.Cycles));
        }

        return new(results, clock.Cycles, clock.Events);
    }

    private static SystolicTileResult Results(SystolicTile tile, long start, long end)
    {
        var sums = new int[tile.Vectors * tile.Columns];
        var cycles = new long[sums.Length];
        var weights = new int[tile.Weights.Length];
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = tile.Weights.Span[i];
        }

        for (var vector = 0; vector < tile.Vectors; vector++)
        {
            MatrixProduct.AddRow(tile.Activations.Span.Slice(vector * tile.Rows, tile.Rows), weights, tile.Columns, sums.AsSpan(vector * tile.Columns, tile.Columns));
            for (var column = 0; column < tile.Columns; column++)
            {
                cycles[(vector * tile.Columns) + column] = start + vector + tile.Configuration.RowGroups - 1 + tile.Configuration.ColumnGroup(column);
            }
        }

        return new(sums, cycles, start, end);
    }
}

/// <summary>Adds tiles up: what a tile costs beside the one before it.</summary>
/// <param name="doubleBuffered">True where weights are loaded beside the tile before.</param>
public sealed class FastClock(bool doubleBuffered)
{
    private long _streamStart = -1;

    /// <summary>Cycles to the end of the last tile.</summary>
    public long Cycles { get; private set; }

    /// <summary>Events so far.</summary>
    public SystolicEvents Events { get; private set; }

    /// <summary>Appends a tile; the cycle of its first activation.</summary>
    public long Add(SystolicConfiguration configuration, SystolicTileCost cost)
    {
        var loaded = doubleBuffered && _streamStart >= 0 ? _streamStart + cost.Load : Cycles + cost.Load;
        var start = Math.Max(Cycles, loaded);
        var overlap = cost.Load - (start - Cycles);
        Events += cost.Events + (overlap > 0 ? FastArray.Overlap(configuration, overlap) : default);
        _streamStart = start;
        Cycles = start + cost.Stream;
        return start;
    }
}
