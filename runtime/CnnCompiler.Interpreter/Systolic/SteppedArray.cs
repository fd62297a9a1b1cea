using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>
/// The engine that steps every processing element every cycle: weight chain, operand registers, carry-save pairs, carry-propagate adders at group ends,
/// bypasses. It is the truth about results and cycles; <see cref="FastArray"/> and the RTL are compared with it.
/// </summary>
/// <remarks>
/// <para><b>Weights</b> enter at the top, one row a cycle, the last row first, and move down one row a cycle: R cycles.</para>
/// <para><b>Activations</b> enter at the left, row group i one cycle after row group i - 1; they cross a column group in one cycle and are registered at its end.</para>
/// <para><b>Sums</b> cross a row group in one cycle as a carry-save pair; at its end one carry-propagate addition and a register. Above row 0 they are 0.</para>
/// <para>A pass of several tiles: without double buffering a tile's weights are loaded when the tile before has ended. With it each element has a second weight
/// register; loading begins with the tile before's first activation, and the tile starts when both have ended.</para>
/// </remarks>
public sealed class SteppedArray
{
    private const int Bubble = -1;

    private readonly int _rows;
    private readonly int _columns;
    private readonly sbyte[] _weights;
    private readonly sbyte[] _loading;
    private readonly sbyte[] _operand;
    private readonly int[] _operandTag;
    private readonly sbyte[] _operandRegister;
    private readonly int[] _operandRegisterTag;
    private readonly int[] _sumRegister;
    private readonly int[] _sumRegisterTag;
    private SystolicEvents _events;
    private long _cycle;

    private SteppedArray(int rows, int columns)
    {
        (_rows, _columns) = (rows, columns);
        var cells = rows * columns;
        _weights = new sbyte[cells];
        _loading = new sbyte[cells];
        _operand = new sbyte[cells];
        _operandTag = new int[cells];
        _operandRegister = new sbyte[cells];
        _operandRegisterTag = new int[cells];
        _sumRegister = new int[cells];
        _sumRegisterTag = new int[cells];
    }

    /// <summary>Runs one tile.</summary>
    public static SystolicPass Run(SystolicTile tile) => Run([tile], doubleBuffered: false);

    /// <summary>Runs tiles one after the other on one array.</summary>
    /// <param name="tiles">The tiles; all of arrays of one size, groups may differ.</param>
    /// <param name="doubleBuffered">True where each element has a second weight register.</param>
    public static SystolicPass Run(IReadOnlyList<SystolicTile> tiles, bool doubleBuffered)
    {
        var first = tiles[0].Configuration;
        var array = new SteppedArray(first.Rows, first.Columns);
        var results = new List<SystolicTileResult>(tiles.Count);
        array.LoadAlone(tiles[0]);
        for (var i = 0; i < tiles.Count; i++)
        {
            if (i > 0 && !doubleBuffered)
            {
                array.LoadAlone(tiles[i]);
            }

            results.Add(array.Stream(tiles[i], doubleBuffered && i + 1 < tiles.Count ? tiles[i + 1] : null));
        }

        return new(results, array._cycle, array._events);
    }

    private static int RowsLoaded(SystolicTile tile) => tile.Trimmed ? tile.Rows : tile.Configuration.Rows;

    private void LoadAlone(SystolicTile tile)
    {
        for (var step = 0; step < RowsLoaded(tile); step++)
        {
            ShiftWeights(tile, step);
            CountRegisters(tile.Configuration, streaming: false);
            _cycle++;
        }

        _loading.CopyTo(_weights, 0);
    }

    /// <summary>One step of the weight chain: every row moves down, the next one enters at the top.</summary>
    private void ShiftWeights(SystolicTile tile, int step)
    {
        Array.Copy(_loading, 0, _loading, _columns, (_rows - 1) * _columns);
        Array.Clear(_loading, 0, _columns);
        var row = RowsLoaded(tile) - 1 - step;
        if (row < tile.Rows)
        {
            tile.Weights.Span.Slice(row * tile.Columns, tile.Columns).CopyTo(_loading);
        }

        _events += new SystolicEvents { WeightShifts = (long)_rows * _columns, WeightReads = row < tile.Rows ? tile.Columns : 0 };
    }

    private SystolicTileResult Stream(SystolicTile tile, SystolicTile? next)
    {
        _operandRegisterTag.AsSpan().Fill(Bubble);
        _sumRegisterTag.AsSpan().Fill(Bubble);
        var result = new SystolicTileResult(new int[tile.Vectors * tile.Columns], new long[tile.Vectors * tile.Columns], _cycle, 0);
        var lastGroup = tile.Configuration.ColumnGroup(tile.Trimmed ? tile.Columns - 1 : _columns - 1);
        var loaded = 0;
        for (var done = false; !done; _cycle++)
        {
            done = StepCells(tile, (int)(_cycle - result.Start), result, lastGroup);
            if (next is not null && loaded < RowsLoaded(next))
            {
                ShiftWeights(next, loaded++);
            }

            CountRegisters(tile.Configuration, streaming: true);
        }

        for (var end = _cycle; next is not null && loaded < RowsLoaded(next); _cycle++)
        {
            ShiftWeights(next, loaded++);
            CountRegisters(tile.Configuration, streaming: false);
            result = result with { End = end };
        }

        if (next is not null)
        {
            _loading.CopyTo(_weights, 0);
        }

        return result with { End = result.End == 0 ? _cycle : result.End };
    }

    /// <summary>All elements in one cycle; true where the last vector left the last column group that is waited for.</summary>
    private bool StepCells(SystolicTile tile, int now, SystolicTileResult result, int lastGroup)
    {
        var configuration = tile.Configuration;
        MoveOperands(tile, now);
        var finished = false;
        for (var column = 0; column < _columns; column++)
        {
            var sum = 0;
            var carry = 0;
            var tag = _operandTag[column];
            for (var row = 0; row < _rows; row++)
            {
                var cell = (row * _columns) + column;
                if (_operandTag[cell] != Bubble && row < tile.Rows)
                {
                    if (_operandTag[cell] != tag)
                    {
                        throw new InvalidOperationException("an activation met the sum of another vector: the skew is wrong");
                    }

                    var product = _operand[cell] * _weights[cell];
                    (sum, carry) = (sum ^ carry ^ product, ((sum & carry) | (sum & product) | (carry & product)) << 1);
                    if (column < tile.Columns)
                    {
                        _events += new SystolicEvents { Multiplications = 1, CarrySaveAdds = 1 };
                    }
                }

                if (configuration.BypassesRow(row))
                {
                    continue;
                }

                // the end of a group: this cycle's sum goes into the register, the register's old value into the next group
                var (registered, registeredTag) = (_sumRegister[cell], _sumRegisterTag[cell]);
                (_sumRegister[cell], _sumRegisterTag[cell]) = (unchecked(sum + carry), tag);
                if (tag != Bubble && column < tile.Columns)
                {
                    _events += new SystolicEvents { CarryPropagateAdds = 1 };
                }

                if (row == _rows - 1)
                {
                    finished |= tag == tile.Vectors - 1 && configuration.ColumnGroup(column) == lastGroup;
                    Leave(tile, result, column, tag, _sumRegister[cell]);
                }

                (sum, carry, tag) = (registered, 0, registeredTag);
            }
        }

        return finished;
    }

    private void Leave(SystolicTile tile, SystolicTileResult result, int column, int tag, int sum)
    {
        if (tag == Bubble || column >= tile.Columns)
        {
            return;
        }

        result.Sums[(tag * tile.Columns) + column] = sum;
        result.Cycles[(tag * tile.Columns) + column] = _cycle;
        _events += new SystolicEvents { SumsOut = 1 };
    }

    /// <summary>Gives every element its operand of this cycle and writes the horizontal registers.</summary>
    private void MoveOperands(SystolicTile tile, int now)
    {
        var configuration = tile.Configuration;
        var activations = tile.Activations.Span;
        for (var row = 0; row < _rows; row++)
        {
            var vector = now - configuration.RowGroup(row);
            var tag = vector >= 0 && vector < tile.Vectors ? vector : Bubble;
            var operand = (sbyte)0;
            if (tag != Bubble && row < tile.Rows)
            {
                operand = activations[(vector * tile.Rows) + row];
                _events += new SystolicEvents { ActivationReads = 1 };
            }

            for (var column = 0; column < _columns; column++)
            {
                var cell = (row * _columns) + column;
                (_operand[cell], _operandTag[cell]) = (operand, tag);
                if (!configuration.BypassesColumn(column))
                {
                    (operand, _operandRegister[cell]) = (_operandRegister[cell], operand);
                    (tag, _operandRegisterTag[cell]) = (_operandRegisterTag[cell], tag);
                }
            }
        }
    }

    private void CountRegisters(SystolicConfiguration configuration, bool streaming)
    {
        long cells = (long)_rows * _columns;
        long horizontal = streaming ? (long)_rows * configuration.ColumnGroups : 0;
        long vertical = streaming ? (long)_columns * configuration.RowGroups : 0;
        _events += new SystolicEvents
        {
            HorizontalClocks = horizontal,
            HorizontalGated = cells - horizontal,
            VerticalClocks = vertical,
            VerticalGated = cells - vertical,
        };
    }
}
