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
    private readonly long _readBytes = machine.Systolic![SystolicKeys.OffChipBytes];
    private readonly long _writeBytes = machine.Systolic![SystolicKeys.WriteBytes];
    private readonly long _transformLanes = machine.Systolic![SystolicKeys.TransformLanes];
    private readonly long _burst = machine.Systolic![SystolicKeys.BurstBytes];
    private readonly long _outputStages = machine.Systolic![SystolicKeys.OutputStages];

    /// <summary>The cheapest passes for an algorithm and dataflow, or null where no pass fits the buffers or none costs less than a limit.</summary>
    public PassPlan? Best(OverlayAlgorithm algorithm, OverlayDataflow dataflow, bool isStored, StoreForm store, long limit = long.MaxValue)
    {
        var (window, outputs) = (algorithm.Window, algorithm.Form.Outputs);
        PassPlan? best = null;
        var fits = false;
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
                if (passes > MostPasses && fits)
                {
                    break;
                }

                fits = true;
                var work = new PassWork(this, algorithm, dataflow, isStored, store, algorithm.Geometry.Chunks(rows), columns);
                foreach (var columnsOuter in (ReadOnlySpan<bool>)[true, false])
                {
                    var cycles = work.Cycles(columnsOuter, limit);
                    if (cycles < limit)
                    {
                        best = new(rows, columns, columnsOuter, cycles);
                        limit = cycles;
                    }
                }
            }
        }

        return best;
    }

    /// <summary>
    /// No passes of an algorithm and dataflow cost less: streams of whole tiles, of which cutting makes no fewer, behind the load of the first pass, which has the weights of a tile of columns or more;
    /// and transfers of what has to be moved at least once.
    /// </summary>
    public long Bound(OverlayAlgorithm algorithm, OverlayDataflow dataflow, bool isStored, StoreForm store)
    {
        var (window, totals, outputs, terms) = (algorithm.Window, algorithm.Totals, (long)algorithm.Form.Outputs, (long)algorithm.Terms);
        var (rows, columns) = ((long)machine.Rows, (long)machine.Columns);
        var vectors = totals.Vectors;
        long array;
        if (algorithm.IsSeparate)
        {
            // products of rounds that lie outside at the border are smaller: the sum of all is bounded by multiplications
            array = UnitTimes.Tiles(totals.Inside * terms * outputs, rows * columns);
        }
        else
        {
            // a tile takes its stream, or what leaves or enters beside it
            array = totals.Points * dataflow switch
            {
                OverlayDataflow.NonStationary => UnitTimes.Tiles(outputs, columns) * Math.Max(UnitTimes.Tiles(vectors, rows) * terms, vectors),
                OverlayDataflow.WeightStationary => UnitTimes.Tiles(outputs, columns) * Math.Max(UnitTimes.Tiles(terms, rows) * vectors, terms),
                _ => UnitTimes.Tiles(vectors, columns) * Math.Max(UnitTimes.Tiles(terms, rows) * outputs, terms),
            };
        }

        var weights = algorithm.Products * terms * Size(algorithm);
        var operand = isStored ? totals.Points * vectors * terms * totals.ElementBytes : totals.RowsRead * window.Columns.Input * window.GroupChannels;
        var transform = algorithm.IsSeparate || isStored || totals.IsTensor ? 0 : vectors * totals.Points * terms;
        return Math.Max(
            (weights * Math.Min(outputs, columns) / _readBytes) + (window.Groups * array) + rows + columns - 2,
            window.Groups * Math.Max(totals.Results * outputs * store.Bytes / _writeBytes, Math.Max(((weights * outputs) + operand) / _readBytes, transform / _transformLanes)));
    }

    /// <summary>Cycles of bringing a tensor into a form in DRAM.</summary>
    public long TransformCycles(OverlayAlgorithm algorithm)
    {
        var window = algorithm.Window;
        var rows = algorithm.Geometry.RowsRead(0, window.TileRows);
        var elements = window.Bytes / window.Element.Size();
        return Math.Max(
            UnitTimes.Tiles(rows * Whole((long)window.Columns.Input * window.Channels), _readBytes),
            Math.Max(UnitTimes.Tiles(elements, _transformLanes), UnitTimes.Tiles(Whole(window.Bytes), _writeBytes)));
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

    private (long Compute, long Store) Work(OverlayAlgorithm algorithm, OverlayDataflow dataflow, StoreForm store, RowChunk chunk, int columns)
    {
        var window = algorithm.Window;
        var vectors = chunk.Rows * window.Columns.Tiles;
        var array = algorithm.IsSeparate
            ? UnitTimes.Cycles(machine.Rows, machine.Columns, dataflow, chunk.Inside, algorithm.Terms, columns)
            : UnitTimes.Cycles(machine.Rows, machine.Columns, dataflow, algorithm.Products, vectors, algorithm.Terms, columns);
        var results = (long)chunk.OutputRows * window.Columns.Output * columns;
        var passes = Math.Max(1, UnitTimes.Tiles(store.Operations, _outputStages));
        var values = window.Points == 1 ? 0 : (long)window.Points * vectors * columns;
        var units = UnitTimes.Tiles(Math.Max(values, results * passes), machine.Columns);
        return (Math.Max(array, units), UnitTimes.Tiles(StoredBytes(window, store, chunk, columns), _writeBytes));
    }

    private long OperandBytes(OverlayAlgorithm algorithm, bool isStored, RowChunk chunk)
    {
        var window = algorithm.Window;
        if (isStored)
        {
            return window.Points * Whole((long)chunk.Rows * window.Columns.Tiles * algorithm.Terms * window.Element.Size());
        }

        var row = window.Groups == 1 ? Whole((long)window.Columns.Input * window.Channels) : window.Columns.Input * Whole(window.GroupChannels);
        return chunk.RowsRead * row;
    }

    /// <summary>Bytes written, in whole bursts for every run of addresses.</summary>
    private long StoredBytes(OverlayWindow window, StoreForm store, RowChunk chunk, int columns)
    {
        var (width, height) = (window.Columns.Output, window.Rows.Output);
        var lastChannel = (columns - 1) * store.Channel;
        var outputRows = chunk.OutputRows;
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

        return ((height - 1) * store.Row) + lastColumn + 1 == store.Batch ? Whole(outputRows * line) : chunk.OutputRowsByImage.Sum(count => Whole(count * line));
    }

    private long Whole(long bytes) => UnitTimes.Tiles(bytes, _burst) * _burst;

    /// <summary>What the passes of one cut do, by kinds of chunks; and how they follow each other.</summary>
    private sealed class PassWork
    {
        private readonly int[] _kindOf;
        private readonly int _groups;
        private readonly int _columnChunks;
        private readonly (long Bytes, long Transform)[] _operands;
        private readonly (long Compute, long Store)[] _work;
        private readonly (long Full, long Last) _weights;
        private readonly long _bandwidth;
        private readonly long _lanes;
        private readonly long _bound;

        public PassWork(OverlayCosts costs, OverlayAlgorithm algorithm, OverlayDataflow dataflow, bool isStored, StoreForm store, RowChunks chunks, int columnsPerPass)
        {
            var (window, outputs) = (algorithm.Window, algorithm.Form.Outputs);
            (_kindOf, _groups, _columnChunks) = (chunks.KindOf, window.Groups, (int)UnitTimes.Tiles(outputs, columnsPerPass));
            (_bandwidth, _lanes) = (costs._readBytes, costs._transformLanes);
            var last = outputs - ((_columnChunks - 1) * columnsPerPass);
            var column = (long)algorithm.Products * algorithm.Terms * Size(algorithm);
            _weights = (costs.Whole(column * columnsPerPass), costs.Whole(column * last));
            _operands = new (long, long)[chunks.Kinds.Count];
            _work = new (long, long)[2 * chunks.Kinds.Count];
            for (var kind = 0; kind < _operands.Length; kind++)
            {
                var chunk = chunks.Kinds[kind];
                _operands[kind] = (
                    costs.OperandBytes(algorithm, isStored, chunk),
                    algorithm.IsSeparate || isStored || window.IsTensor ? 0 : (long)chunk.Rows * window.Columns.Tiles * window.Points * algorithm.Terms);
                _work[2 * kind] = costs.Work(algorithm, dataflow, store, chunk, columnsPerPass);
                _work[(2 * kind) + 1] = last == columnsPerPass ? _work[2 * kind] : costs.Work(algorithm, dataflow, store, chunk, last);
            }

            // passes are computed, and stored, one after the other
            var (computed, stored) = (0L, 0L);
            foreach (var kind in _kindOf)
            {
                computed += ((_columnChunks - 1) * _work[2 * kind].Compute) + _work[(2 * kind) + 1].Compute;
                stored += ((_columnChunks - 1) * _work[2 * kind].Store) + _work[(2 * kind) + 1].Store;
            }

            _bound = _groups * Math.Max(computed, stored);
        }

        /// <summary>Cycles of all passes, or something above a limit where that is reached.</summary>
        public long Cycles(bool columnsOuter, long limit)
        {
            if (_bound >= limit)
            {
                return long.MaxValue;
            }

            var timeline = default(Timeline);
            for (var group = 0; group < _groups && timeline.End < limit; group++)
            {
                if (columnsOuter)
                {
                    for (var c = 0; c < _columnChunks; c++)
                    {
                        for (var r = 0; r < _kindOf.Length; r++)
                        {
                            Add(ref timeline, r, c, r == 0, _kindOf.Length > 1 || c == 0);
                        }
                    }
                }
                else
                {
                    for (var r = 0; r < _kindOf.Length; r++)
                    {
                        for (var c = 0; c < _columnChunks; c++)
                        {
                            Add(ref timeline, r, c, _columnChunks > 1 || r == 0, c == 0);
                        }
                    }
                }
            }

            return timeline.End;
        }

        private void Add(ref Timeline timeline, int r, int c, bool loadsWeights, bool loadsOperand)
        {
            var (kind, isLast) = (_kindOf[r], c == _columnChunks - 1);
            var bytes = (loadsWeights ? (isLast ? _weights.Last : _weights.Full) : 0) + (loadsOperand ? _operands[kind].Bytes : 0);
            var work = _work[(2 * kind) + (isLast ? 1 : 0)];
            timeline.Add(Math.Max(UnitTimes.Tiles(bytes, _bandwidth), loadsOperand ? UnitTimes.Tiles(_operands[kind].Transform, _lanes) : 0), work.Compute, work.Store);
        }
    }

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
