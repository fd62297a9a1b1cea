using CnnCompiler.Image.Overlay;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Overlay;

/// <summary>How a convolution is cut into passes.</summary>
/// <param name="Rows">Rows of tiles in a pass.</param>
/// <param name="Columns">Columns of weights in a pass.</param>
/// <param name="ColumnsOuter">Order of passes.</param>
/// <param name="Cycles">What it costs.</param>
internal readonly record struct PassPlan(int Rows, int Columns, bool ColumnsOuter, long Cycles);

/// <summary>What the results of a convolution are for the store unit.</summary>
/// <param name="Operations">Scalar operations of post.</param>
/// <param name="Bytes">Bytes of a result.</param>
/// <param name="Batch">Elements between two images.</param>
/// <param name="Row">Elements between two rows.</param>
/// <param name="Column">Elements between two positions.</param>
/// <param name="Channel">Elements between two channels of a group.</param>
internal sealed record StoreForm(int Operations, int Bytes, long Batch, long Row, long Column, long Channel);

/// <summary>
/// The realistic cost model: fill and drain, transform units, bursts, double buffers. Predicts the cycles that the interpreter counts; it does so in closed form where the interpreter steps.
/// </summary>
/// <param name="machine">The overlay.</param>
internal sealed class OverlayCosts(MachineDescription machine)
{
    private const int MostPasses = 1 << 12;
    private const int RowChoices = 3;
    private readonly SystolicDescription _systolic = machine.Systolic!;

    private long Burst => _systolic[SystolicKeys.BurstBytes];

    /// <summary>The cheapest passes for an algorithm and dataflow, or null where no pass fits the buffers.</summary>
    public PassPlan? Best(OverlayAlgorithm algorithm, OverlayDataflow dataflow, bool isStored, StoreForm store)
    {
        var (window, outputs) = (algorithm.Window, algorithm.Form.Outputs);
        PassPlan? best = null;
        var geometry = new WindowGeometry(window);
        foreach (var columns in ColumnChoices(outputs))
        {
            var tried = 0;
            for (var rows = window.TileRows; rows > 0 && tried < RowChoices; rows = rows == 1 ? 0 : (rows + 1) / 2)
            {
                var use = OverlayBuffers.Of(window, algorithm.IsSeparate, rows, columns, Size(algorithm));
                if (2 * use.Operand > _systolic[SystolicKeys.ActivationBytes] || 2 * use.Weights > _systolic[SystolicKeys.WeightBytes]
                    || use.Sums > _systolic[SystolicKeys.AccumulatorRows] * machine.Columns)
                {
                    continue;
                }

                tried++;
                var passes = UnitTimes.Tiles(window.TileRows, rows) * UnitTimes.Tiles(outputs, columns) * window.Groups;
                if (passes > MostPasses && best is not null)
                {
                    break;
                }

                foreach (var columnsOuter in (bool[])[true, false])
                {
                    var cycles = Cycles(algorithm, geometry, dataflow, isStored, store, rows, columns, columnsOuter);
                    if (best is null || cycles < best.Value.Cycles)
                    {
                        best = new(rows, columns, columnsOuter, cycles);
                    }
                }
            }
        }

        return best;
    }

    /// <summary>Cycles of bringing a tensor into a form in DRAM.</summary>
    public long TransformCycles(OverlayAlgorithm algorithm)
    {
        var window = algorithm.Window;
        var rows = new WindowGeometry(window).RowsRead(0, window.TileRows);
        var elements = window.Bytes / window.Element.Size();
        return Math.Max(
            UnitTimes.Tiles(rows * Whole((long)window.Columns.Input * window.Channels), _systolic[SystolicKeys.OffChipBytes]),
            Math.Max(UnitTimes.Tiles(elements, _systolic[SystolicKeys.TransformLanes]), UnitTimes.Tiles(Whole(window.Bytes), _systolic[SystolicKeys.WriteBytes])));
    }

    private static int Size(OverlayAlgorithm algorithm) => algorithm.WeightElement switch
    {
        Core.Tensors.ElementType.Int8 => 1,
        Core.Tensors.ElementType.Int16 => 2,
        _ => 4,
    };

    private IEnumerable<int> ColumnChoices(int outputs)
    {
        var columns = outputs;
        yield return columns;
        while (columns > machine.Columns)
        {
            // whole tiles of columns
            var tiles = UnitTimes.Tiles(columns, machine.Columns);
            columns = (int)(tiles / 2 * machine.Columns);
            yield return columns;
        }
    }

    private long Cycles(
        OverlayAlgorithm algorithm, WindowGeometry geometry, OverlayDataflow dataflow, bool isStored, StoreForm store, int rowsPerPass, int columnsPerPass, bool columnsOuter)
    {
        var (window, outputs) = (algorithm.Window, algorithm.Form.Outputs);
        var (rowChunks, columnChunks) = ((int)UnitTimes.Tiles(window.TileRows, rowsPerPass), (int)UnitTimes.Tiles(outputs, columnsPerPass));
        var timeline = default(Timeline);
        var (operandIs, weightsAre) = (-1, -1);
        var vectors = new int[algorithm.Products];
        var computed = new Dictionary<(int, int), (long Compute, long Store)>();
        var operands = new long[rowChunks];
        Array.Fill(operands, -1);
        for (var pass = 0; pass < window.Groups * rowChunks * columnChunks; pass++)
        {
            var inGroup = pass % (rowChunks * columnChunks);
            if (inGroup == 0)
            {
                (operandIs, weightsAre) = (-1, -1);
            }

            var (r, c) = columnsOuter ? (inGroup % rowChunks, inGroup / rowChunks) : (inGroup / columnChunks, inGroup % columnChunks);
            var (first, rows, columns) = (r * rowsPerPass, Math.Min(rowsPerPass, window.TileRows - (r * rowsPerPass)), Math.Min(columnsPerPass, outputs - (c * columnsPerPass)));
            var bytes = 0L;
            var transform = 0L;
            if (weightsAre != c)
            {
                bytes += Whole((long)algorithm.Products * algorithm.Terms * columns * Size(algorithm));
                weightsAre = c;
            }

            if (operandIs != r)
            {
                operandIs = r;
                operands[r] = operands[r] < 0 ? OperandBytes(algorithm, geometry, isStored, first, rows) : operands[r];
                bytes += operands[r];
                transform = algorithm.IsSeparate || isStored || window.IsTensor ? 0 : (long)rows * window.Columns.Tiles * window.Points * algorithm.Terms;
            }

            if (!computed.TryGetValue((r, columns), out var work))
            {
                work = Work(algorithm, geometry, dataflow, store, vectors, first, rows, columns);
                computed.Add((r, columns), work);
            }

            timeline.Add(
                Math.Max(UnitTimes.Tiles(bytes, _systolic[SystolicKeys.OffChipBytes]), UnitTimes.Tiles(transform, _systolic[SystolicKeys.TransformLanes])),
                work.Compute,
                work.Store);
        }

        return timeline.End;
    }

    private (long Compute, long Store) Work(OverlayAlgorithm algorithm, WindowGeometry geometry, OverlayDataflow dataflow, StoreForm store, int[] vectors, int first, int rows, int columns)
    {
        var window = algorithm.Window;
        if (algorithm.IsSeparate)
        {
            geometry.PositionsInside(first, rows, vectors);
        }
        else
        {
            Array.Fill(vectors, rows * window.Columns.Tiles);
        }

        var array = UnitTimes.Cycles(machine.Rows, machine.Columns, dataflow, vectors, algorithm.Terms, columns);
        var outputRows = geometry.OutputRows(first, rows);
        var results = (long)outputRows * window.Columns.Output * columns;
        var passes = Math.Max(1, UnitTimes.Tiles(store.Operations, _systolic[SystolicKeys.OutputStages]));
        var values = window.Points == 1 ? 0 : (long)window.Points * rows * window.Columns.Tiles * columns;
        var units = UnitTimes.Tiles(Math.Max(values, results * passes), machine.Columns);
        return (Math.Max(array, units), UnitTimes.Tiles(StoredBytes(geometry, store, first, rows, columns), _systolic[SystolicKeys.WriteBytes]));
    }

    private long OperandBytes(OverlayAlgorithm algorithm, WindowGeometry geometry, bool isStored, int first, int rows)
    {
        var window = algorithm.Window;
        if (isStored)
        {
            return window.Points * Whole((long)rows * window.Columns.Tiles * algorithm.Terms * window.Element.Size());
        }

        var row = window.Groups == 1 ? Whole((long)window.Columns.Input * window.Channels) : window.Columns.Input * Whole(window.GroupChannels);
        return geometry.RowsRead(first, rows) * row;
    }

    /// <summary>Bytes written, in whole bursts for every run of addresses.</summary>
    private long StoredBytes(WindowGeometry geometry, StoreForm store, int first, int rows, int columns)
    {
        var (width, height) = (geometry.OutputColumns, geometry.OutputHeight);
        var lastChannel = (columns - 1) * store.Channel;
        var outputRows = geometry.OutputRows(first, rows);
        if (columns > 1 && store.Channel != 1)
        {
            return (long)outputRows * width * columns * Whole(store.Bytes);
        }

        if (width > 1 && store.Column - lastChannel != 1)
        {
            return (long)outputRows * width * Whole((long)columns * store.Bytes);
        }

        var lastColumn = ((width - 1) * store.Column) + lastChannel;
        var line = (long)width * columns * store.Bytes;
        if (height > 1 && store.Row - lastColumn != 1)
        {
            return outputRows * Whole(line);
        }

        return ((height - 1) * store.Row) + lastColumn + 1 == store.Batch ? Whole(outputRows * line) : geometry.OutputRowsByImage(first, rows).Sum(count => Whole(count * line));
    }

    private long Whole(long bytes) => UnitTimes.Tiles(bytes, Burst) * Burst;

    /// <summary>Loads, computations and stores of passes with two buffers each.</summary>
    private struct Timeline
    {
        private long _loaded;
        private long _computed;
        private long _computedBefore;
        private long _stored;
        private long _storedBefore;

        /// <summary>End of the last pass.</summary>
        public long End { get; private set; }

        public void Add(long load, long compute, long store)
        {
            // a buffer is free when the pass before the last has been computed, or stored
            var loaded = Math.Max(_loaded, _computedBefore) + load;
            var computed = Math.Max(Math.Max(loaded, _computed), _storedBefore) + compute;
            var stored = Math.Max(computed, _stored) + store;
            (_loaded, _computedBefore, _computed, _storedBefore, _stored) = (loaded, _computed, computed, _stored, stored);
            End = stored;
        }
    }
}
