using System.Buffers.Binary;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Overlay;

/// <summary>One convolution on the overlay, pass after pass.</summary>
internal sealed class ConvolutionRun
{
    private readonly MachineDescription _machine;
    private readonly SystolicDescription _systolic;
    private readonly byte[] _memory;
    private readonly OverlayConvolution _step;
    private readonly OverlayWindow _window;
    private readonly OverlayFinish _finish;
    private readonly WindowLoader _loader;
    private readonly AffineAccess _kernel;
    private readonly AffineAccess _output;
    private readonly PassClock _clock = new();
    private readonly int[] _loops;
    private readonly int[] _weights;
    private readonly short[] _operand;
    private readonly long[] _sums;
    private readonly long _postPasses;
    private (int Group, int Rows) _operandOf = (-1, -1);
    private (int Group, int Columns) _weightsOf = (-1, -1);
    private long _array;
    private long _units;
    private long _transfers;
    private long _tiles;
    private long _products;
    private long _moved;
    private long _read;
    private long _written;

    public ConvolutionRun(MachineDescription machine, byte[] memory, OverlayConvolution step, OverlayFinish finish)
    {
        (_machine, _systolic, _memory, _step, _window, _finish) = (machine, machine.Systolic!, memory, step, step.Window, finish);
        _loops = new int[step.Operation.Loops.Count];
        _loader = new(step.Window, memory, step.Operation.Input.Address);
        _kernel = new(step.Operation.Kernel!, _loops.Length, memory);
        _output = new(step.Operation.Output, _loops.Length, memory);
        var tiles = checked(step.RowsPerPass * _window.Columns.Tiles);
        _weights = new int[checked(step.Products * step.Terms * step.ColumnsPerPass)];
        _operand = step.IsSeparate ? new short[_window.GroupChannels] : new short[checked(tiles * _loader.TileElements)];
        _sums = new long[checked(_window.Points * tiles * step.ColumnsPerPass)];
        _postPasses = Math.Max(1, OverlayUnit.Over(ScalarInstructionSet.Operations(step.Operation.Post), _systolic[SystolicKeys.OutputStages]));
    }

    /// <summary>
    /// Cycles so far and those that the next pass takes at least: an element multiplies once a cycle. The smallest pass is meant, and of kn2row, which leaves out what lies outside, none.
    /// </summary>
    public long CyclesBefore
    {
        get
        {
            var rows = _window.TileRows % _step.RowsPerPass is var rest && rest > 0 ? rest : _step.RowsPerPass;
            var columns = _step.GroupColumns % _step.ColumnsPerPass is var last && last > 0 ? last : _step.ColumnsPerPass;
            var products = (Int128)_window.Points * rows * _window.Columns.Tiles * _step.Terms * columns;
            return _step.IsSeparate ? _clock.Cycles : _clock.Cycles + (long)Int128.Min(products / ((long)_machine.Rows * _machine.Columns), long.MaxValue / 2);
        }
    }

    /// <summary>One pass: some rows of tiles, some columns of weights.</summary>
    public void Pass(int group, int rowChunk, int columnChunk)
    {
        var (row, column) = (rowChunk * _step.RowsPerPass, columnChunk * _step.ColumnsPerPass);
        var (rows, columns) = (Math.Min(_step.RowsPerPass, _window.TileRows - row), Math.Min(_step.ColumnsPerPass, _step.GroupColumns - column));
        var reads = new BurstCounter(_systolic[SystolicKeys.BurstBytes]);
        var transformed = 0L;
        if (_weightsOf != (group, columnChunk))
        {
            _weightsOf = (group, columnChunk);
            LoadWeights(group, column, columns, ref reads);
        }

        var isNew = _operandOf != (group, rowChunk);
        _operandOf = (group, rowChunk);
        if (isNew && !_step.IsSeparate)
        {
            transformed = LoadOperand(group, row, rows, ref reads);
        }

        var clock = new UnitClock(_machine.Rows, _machine.Columns, _step.Dataflow);
        Array.Clear(_sums);
        if (_step.IsSeparate)
        {
            _loader.Forget();
            MultiplySeparately(group, row, rows, column, columns, clock);
            if (isNew)
            {
                CountRows(group, ref reads);
            }
        }
        else
        {
            var tiles = rows * _window.Columns.Tiles;
            for (var point = 0; point < _window.Points; point++)
            {
                for (var tile = 0; tile < tiles; tile++)
                {
                    AddRow(_operand.AsSpan(((point * tiles) + tile) * _step.Terms, _step.Terms), point * _step.Terms * columns, columns, _sums.AsSpan(((point * tiles) + tile) * columns, columns));
                }

                clock.Product(tiles, _step.Terms, columns);
            }
        }

        var (outputs, written) = Store(group, row, rows, column, columns);
        var values = (long)_window.Points * rows * _window.Columns.Tiles * columns;
        var units = OverlayUnit.Over(Math.Max(_window.Points == 1 ? 0 : values, outputs * _postPasses), _machine.Columns);
        var load = Math.Max(OverlayUnit.Over(reads.Bytes, _systolic[SystolicKeys.OffChipBytes]), OverlayUnit.Over(transformed, _systolic[SystolicKeys.TransformLanes]));
        var store = OverlayUnit.Over(written, _systolic[SystolicKeys.WriteBytes]);
        _clock.Pass(load, Math.Max(clock.Cycles, units), store);
        _array += clock.Cycles;
        _units += Math.Max(0, units - clock.Cycles);
        _transfers += load + store;
        (_tiles, _products) = (_tiles + clock.Tiles, _products + clock.Multiplications);
        (_read, _written, _moved) = (_read + reads.Bytes, _written + written, _moved + outputs);
    }

    /// <summary>What the convolution cost.</summary>
    public SystolicLayerRun Result()
    {
        var cycles = _clock.Cycles;
        var stall = cycles - _array - _units;
        var events = default(SystolicEvents) with { Multiplications = _products, CarryPropagateAdds = _products };
        return new(
            _array,
            _units,
            stall,
            Math.Max(0, _transfers - stall),
            _tiles,
            events,
            _moved * ScalarInstructionSet.Operations(_step.Operation.Post),
            OverlayUnit.Words(_read + _written),
            OverlayUnit.Words(_read),
            OverlayUnit.Words(_written),
            cycles * _systolic.PeriodFemtoseconds(1, 1));
    }

    private void LoadWeights(int group, int column, int columns, ref BurstCounter reads)
    {
        var each = (long)_step.Products * _step.Terms;
        var from = (each * group * _step.GroupColumns) + (each * column);
        for (var i = 0; i < each * columns; i++)
        {
            _weights[i] = (int)_kernel.Load(from + i);
        }

        var size = _step.Operation.Kernel!.Element.Size();
        reads.Move(_step.Operation.Kernel.Address + (from * size), each * columns * size);
        reads.End();
    }

    /// <summary>The left operand of some rows of tiles; how many elements the units transformed.</summary>
    private long LoadOperand(int group, int row, int rows, ref BurstCounter reads)
    {
        var tiles = rows * _window.Columns.Tiles;
        if (_step.IsStored)
        {
            var size = _window.Element.Size();
            for (var point = 0; point < _window.Points; point++)
            {
                var part = _operand.AsSpan(point * tiles * _step.Terms, tiles * _step.Terms);
                var from = WindowLoader.Read(_window, _memory, _step.Operation.Input.Address, point, group, row * _window.Columns.Tiles, part);
                reads.Move(from, (long)part.Length * size);
                reads.End();
            }

            return 0;
        }

        _loader.Forget();
        _loader.Load(group, row, rows, _operand);
        CountRows(group, ref reads);
        return _window.IsTensor ? 0 : (long)tiles * _loader.TileElements;
    }

    /// <summary>The rows of the input that were read, each a burst; of a group, every position its own.</summary>
    private void CountRows(int group, ref BurstCounter reads)
    {
        foreach (var row in _loader.Touched)
        {
            for (var x = 0; x < _window.Columns.Input; x++)
            {
                reads.Move(((((long)row * _window.Columns.Input) + x) * _window.Channels) + (group * (long)_window.GroupChannels), _window.GroupChannels);
            }

            reads.End();
        }
    }

    /// <summary>A product for each round, over the positions at which it lies inside the input.</summary>
    private void MultiplySeparately(int group, int row, int rows, int column, int columns, UnitClock clock)
    {
        var each = _step.Terms * columns;
        for (var round = 0; round < _window.Rounds.Count; round++)
        {
            var inside = 0;
            for (var position = 0; position < rows * _window.Columns.Output; position++)
            {
                var (image, y) = Math.DivRem(row + (position / _window.Columns.Output), _window.Rows.Output);
                if (!_loader.Take(_window.Rounds[round], group, image, y, position % _window.Columns.Output, _operand))
                {
                    continue;
                }

                inside++;
                var sums = _sums.AsSpan(position * columns, columns);
                AddRow(_operand, round * each, columns, sums);
                for (var n = 0; n < columns; n++)
                {
                    sums[n] += Correction(round, group, column + n);
                }
            }

            if (inside > 0)
            {
                clock.Product(inside, _step.Terms, columns);
            }
        }
    }

    private void AddRow(ReadOnlySpan<short> row, int weights, int columns, Span<long> sums)
    {
        for (var k = 0; k < row.Length; k++)
        {
            long factor = row[k];
            if (factor == 0)
            {
                continue;
            }

            var values = _weights.AsSpan(weights + (k * columns), columns);
            for (var n = 0; n < values.Length; n++)
            {
                sums[n] += factor * values[n];
            }
        }
    }

    private long Correction(int round, int group, int column) => BinaryPrimitives.ReadInt32LittleEndian(
        _memory.AsSpan((int)(_step.Corrections + (4L * ((((round * (long)_window.Groups) + group) * _step.GroupColumns) + column)))));

    /// <summary>Transforms sums back and stores results, row after row of the output.</summary>
    private (long Outputs, long Bytes) Store(int group, int row, int rows, int column, int columns)
    {
        var (vertical, horizontal) = (_window.Rows, _window.Columns);
        var (bursts, outputs) = (new BurstCounter(_systolic[SystolicKeys.BurstBytes]), 0L);
        Set(_step.Loops.Group, group);
        for (var r = 0; r < rows; r++)
        {
            var (image, tileRow) = Math.DivRem(row + r, vertical.Tiles);
            Set(_step.Loops.Batch, image);
            for (var i = 0; i < vertical.Tile && (tileRow * vertical.Tile) + i < vertical.Output; i++)
            {
                Set(_step.Loops.Row, (tileRow * vertical.Tile) + i);
                for (var x = 0; x < horizontal.Output; x++)
                {
                    Set(_step.Loops.Column, x);
                    for (var n = 0; n < columns; n++)
                    {
                        Set(_step.Loops.Channel, column + n);
                        var sum = Sum(rows * horizontal.Tiles, (r * horizontal.Tiles) + (x / horizontal.Tile), i, x % horizontal.Tile, n, columns);
                        _finish(_loops, _step.IsSeparate ? sum : sum + Correction(0, group, column + n));
                        bursts.Move(_output.Flat(_loops) * _step.Operation.Output.Element.Size(), _step.Operation.Output.Element.Size());
                        outputs++;
                    }
                }
            }
        }

        return (outputs, bursts.Bytes);
    }

    /// <summary>An output of a tile: A^T from both sides, divided.</summary>
    private long Sum(int tiles, int tile, int i, int j, int n, int columns)
    {
        if (_window.Points == 1)
        {
            return _sums[(tile * columns) + n];
        }

        var (high, wide) = (_window.Rows.Points, _window.Columns.Points);
        var total = 0L;
        for (var p = 0; p < high; p++)
        {
            var a = _window.Rows.OutputMatrix[(i * high) + p];
            for (var q = 0; a != 0 && q < wide; q++)
            {
                total += a * (long)_window.Columns.OutputMatrix[(j * wide) + q] * _sums[(((((p * wide) + q) * tiles) + tile) * columns) + n];
            }
        }

        return total / (_window.Rows.Divisor * (long)_window.Columns.Divisor);
    }

    private void Set(int loop, int value)
    {
        if (loop >= 0)
        {
            _loops[loop] = value;
        }
    }
}
