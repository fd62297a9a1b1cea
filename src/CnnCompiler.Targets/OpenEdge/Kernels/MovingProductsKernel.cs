using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// What kernels share whose products move instead of inputs (<c>openedge-conv-c16x4.md</c>): each cell owns a stream of inputs and multiplies it by constants of the code;
/// a cell collects one of four output channels, its own product and those of its left, right and vertical neighbours. The four collectors of a channel tile the torus, so four
/// directions serve every stream. Rows 0 and 1 exchange products among themselves, as do rows 2 and 3.
/// <para>
/// Operand 0 is the input over the reduced loops, of which <see cref="Stream"/> runs over channels; operand 1 the weights.
/// </para>
/// </summary>
public abstract class MovingProductsKernel : NestKernel
{
    /// <summary>The reduced loop over input channels; every four are a column of the array.</summary>
    public const string Stream = "stream";

    /// <summary>Name of the input in programs.</summary>
    protected const string Input = "input";

    /// <summary>Name of the output in programs.</summary>
    protected const string Sums = "sums";

    /// <summary>Elements from the first tap to each cell's stream, by column and row, and its weights; null where the cell has none.</summary>
    private readonly (int Input, int? Weight)[][] _streams;

    private readonly Tensor _weights;

    /// <summary>Reads a nest.</summary>
    /// <param name="nest">The nest.</param>
    /// <param name="data">Constants.</param>
    /// <param name="along">A reduced loop whose taps are in every stream, or null.</param>
    /// <exception cref="ArrayResourceException">It has more streams than there are cells.</exception>
    private protected MovingProductsKernel(MappedNest nest, IKernelData data, string? along)
        : base(nest)
    {
        View = new(nest);
        _streams = Streams(along);
        _weights = data.Constant(nest.Operands[1].Target);
    }

    /// <summary>Where a product comes from, for its collector.</summary>
    protected enum Direction
    {
        /// <summary>The collector itself.</summary>
        Self,

        /// <summary>Its left neighbour.</summary>
        Left,

        /// <summary>Its right neighbour.</summary>
        Right,

        /// <summary>The other row of two.</summary>
        Vertical,
    }

    /// <inheritdoc/>
    public override ArrayProgram Program => Build();

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> CodeConstants => [_weights];

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override bool HasCodeOfItsOwn => true;

    /// <inheritdoc/>
    public override bool MultipliesDataOnly => true;

    /// <inheritdoc/>
    public override bool StaysInFlash => true;

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <summary>The nest.</summary>
    private protected NestView View { get; }

    /// <summary>Elements from the first tap to the furthest stream.</summary>
    protected int FurthestStream => _streams.SelectMany(s => s).Max(s => s.Input);

    /// <summary>Writes the code.</summary>
    private protected abstract ArrayProgram Build();

    /// <summary>The output channel that a cell collects.</summary>
    protected static int Collected(Cell cell) => (cell.Column + (cell.Row is 1 or 2 ? 2 : 0)) % Cell.Side;

    /// <summary>The output channel whose sum a column stores.</summary>
    protected static int Stored(int column) => (column + Cell.Side - 1) % Cell.Side;

    /// <summary>The cell that collects a cell's product.</summary>
    protected static Cell Collector(Cell cell, Direction direction) => Moved(cell, direction, direction == Direction.Left ? 1 : -1);

    /// <summary>The cell whose product a cell collects.</summary>
    protected static Cell Source(Cell cell, Direction direction) => Moved(cell, direction, direction == Direction.Left ? -1 : 1);

    private static Cell Moved(Cell cell, Direction direction, int columns) => direction switch
    {
        Direction.Self => cell,
        Direction.Vertical => cell with { Row = cell.Row ^ 1 },
        _ => cell with { Column = (cell.Column + columns + Cell.Side) % Cell.Side },
    };

    /// <summary>Elements from the first tap to a cell's stream.</summary>
    protected int StreamOf(Cell cell) => _streams[cell.Column][cell.Row].Input;

    /// <summary>The weight of a cell's stream at an offset, for an output channel; 0 where there is none.</summary>
    /// <param name="cell">The cell.</param>
    /// <param name="channel">Output channel of the nest.</param>
    /// <param name="offset">Elements beyond the stream's first weight.</param>
    protected int Weight(Cell cell, int channel, int offset)
    {
        var access = Nest.Operands[1];
        return _streams[cell.Column][cell.Row].Weight is not { } weight || channel >= Nest.Guards[0].Bound
            ? 0
            : (int)_weights.GetInteger(
                NestView.Base(access) + weight + (channel % Cell.Side * View.Step(access, NestView.Lane)) + (channel / Cell.Side * View.Step(access, NestView.Quad)) + offset);
    }

    /// <summary>Bytes by which each cell's load moves its column's pointer, where the cells of a column load in a given order.</summary>
    /// <param name="order">The order.</param>
    /// <param name="following">The order in which they load next time.</param>
    protected int[] Increments(Func<Cell, int> order, Func<Cell, int> following)
    {
        var increments = new int[Cell.Side * Cell.Side];
        var next = View.Step(Nest.Operands[0], NestView.Pixel);
        for (var column = 0; column < Cell.Side; column++)
        {
            var all = Enumerable.Range(0, Cell.Side).Select(r => new Cell(r, column)).ToArray();
            var cells = all.OrderBy(order).ThenBy(c => c.Row).ToArray();
            for (var i = 0; i < cells.Length; i++)
            {
                var place = i + 1 < cells.Length ? StreamOf(cells[i + 1]) : StreamOf(all.OrderBy(following).ThenBy(c => c.Row).First()) + next;
                increments[cells[i].Index] = (place - StreamOf(cells[i])) * NestView.WordBytes;
            }
        }

        return increments;
    }

    private (int Input, int? Weight)[][] Streams(string? along)
    {
        var (input, weights) = (Nest.Operands[0], Nest.Operands[1]);
        (int Input, int Weight)[] rows = [(0, 0)];
        foreach (var loop in View.Reduced.Where(l => l.Name != along && l.Name != Stream))
        {
            var (step, weight) = (View.Step(input, loop.Name), View.Step(weights, loop.Name));
            rows = [.. rows.SelectMany(r => Enumerable.Range(0, loop.Extent).Select(i => (r.Input + (i * step), r.Weight + (i * weight))))];
        }

        var channels = View.Extent(Stream);
        var quads = (channels + Cell.Side - 1) / Cell.Side;
        if (rows.Length * quads > Cell.Side)
        {
            throw new ArrayResourceException(Nest.Kernel, "columns of streams", rows.Length * quads, Cell.Side);
        }

        // a cell without a stream reads another's and multiplies by 0
        (int Input, int? Weight)[] Column(int row, int quad, bool isUsed) =>
        [
            .. Enumerable.Range(quad * Cell.Side, Cell.Side).Select(c => (
                rows[row].Input + (Math.Min(c, channels - 1) * View.Step(input, Stream)),
                isUsed && c < channels ? rows[row].Weight + (c * View.Step(weights, Stream)) : (int?)null)),
        ];
        var columns = Enumerable.Range(0, rows.Length).SelectMany(r => Enumerable.Range(0, quads).Select(q => Column(r, q, true))).ToList();
        while (columns.Count < Cell.Side)
        {
            columns.Add(Column(0, 0, false));
        }

        return [.. columns];
    }
}
