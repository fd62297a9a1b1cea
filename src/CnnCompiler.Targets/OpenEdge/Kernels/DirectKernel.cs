using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Convolution in which products move instead of inputs (<c>openedge-conv-c16x4.md</c>): each cell owns a stream, one input channel in one row of the
/// window; it keeps three neighbouring inputs in registers and multiplies them by constants of the code. One pass is sixteen streams, four output
/// channels and three taps: twelve multiplications a cell and position, whose products a neighbour adds up. Sums are exact modulo 2^32.
/// <para>
/// A cell collects one output channel: its own product and those of its left, right and vertical neighbours. The four collectors of a channel tile the
/// torus, so four directions times three taps serve every stream. The sixteen loads of a position hide below eight of the multiplications; what the
/// loading cells miss is multiplied together in a thirteenth step.
/// </para>
/// <para>
/// Operand 0 is the input over the reduced loops, of which <see cref="Along"/> runs along the line at the step of its positions and
/// <see cref="Stream"/> over channels; operand 1 the weights; the output is one quad of channels, [line][position][lane] at any pitch of positions.
/// </para>
/// </summary>
public sealed class DirectKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "direct-cells-are-streams";

    /// <summary>The reduced loop along the line; at most <see cref="Taps"/>.</summary>
    public const string Along = "along";

    /// <summary>The reduced loop over input channels; every four are a column of the array.</summary>
    public const string Stream = "stream";

    /// <summary>Taps of a stream.</summary>
    public const int Taps = 3;

    /// <summary>No position takes fewer cycles: thirteen multiplications and twelve additions.</summary>
    public const int LeastCycles = 51;

    private const int Positions = 2;
    private const string Input = "input";
    private const string Sums = "sums";

    private readonly NestView _view;

    /// <summary>Elements from the first tap to each cell's stream, and its weights; null where the cell has none.</summary>
    private readonly (int Input, int? Weight)[][] _streams;

    /// <summary>Compiles a nest.</summary>
    public DirectKernel(MappedNest nest, IKernelData data)
        : base(nest)
    {
        _view = new(nest);
        _streams = Streams();
        Program = Build(data);
    }

    private enum Direction
    {
        Self,
        Left,
        Right,
        Vertical,
    }

    /// <summary>Direction and tap of each multiplication.</summary>
    private static readonly (Direction Direction, int Tap)[] Order =
    [
        (Direction.Self, 0), (Direction.Right, 0), (Direction.Left, 0), (Direction.Vertical, 0),
        (Direction.Right, 1), (Direction.Left, 1), (Direction.Vertical, 1), (Direction.Self, 1),
        (Direction.Self, 2), (Direction.Left, 2), (Direction.Right, 2), (Direction.Vertical, 2),
    ];

    /// <summary>
    /// The multiplication during which a cell, by row and column, loads its next input instead: two a step, and such that in the thirteenth step each
    /// collector gets exactly one product (<c>openedge-conv-c16x4.md</c> section 2).
    /// </summary>
    private static readonly int[][] LoadStep = [[3, 1, 0, 0], [5, 6, 2, 1], [5, 2, 3, 7], [6, 4, 4, 7]];

    private static readonly Cell PixelCounter = new(1, 0);
    private static readonly Cell LineCounter = new(1, 1);
    private static readonly Cell Ender = new(1, 2);

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

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

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents
    {
        get
        {
            var input = Nest.Operands[0];
            var last = NestView.Base(input) + ((_view.Extent(NestView.Line) - 1) * _view.Step(input, NestView.Line))
                + ((_view.Extent(NestView.Pixel) + Positions) * _view.Step(input, NestView.Pixel)) + _streams.SelectMany(s => s).Max(s => s.Input);
            return [(input.Target, last + 1)];
        }
    }

    /// <summary>True where counters and distances fit the code.</summary>
    /// <param name="lines">Lines of outputs.</param>
    /// <param name="pixels">Outputs of a line.</param>
    /// <param name="lineStep">Elements between neighbouring lines of the input.</param>
    /// <param name="pixelStep">Elements between neighbouring positions of the input.</param>
    /// <param name="streamStep">Elements between neighbouring channels of the input.</param>
    /// <param name="resultPitch">Words between neighbouring outputs.</param>
    public static bool Fits(int lines, int pixels, long lineStep, long pixelStep, long streamStep, long resultPitch)
    {
        // a column's pointer goes back over three streams at most
        const int Back = Cell.Side - 1;
        return lines <= OpenEdgeInstruction.MaxImmediate && pixels <= OpenEdgeInstruction.MaxImmediate
            && (lines == 1 || FitsImmediate((lineStep - ((pixels + Positions) * pixelStep)) * NestView.WordBytes))
            && FitsImmediate((pixelStep + (Back * Math.Abs(streamStep))) * NestView.WordBytes)
            && FitsImmediate((pixelStep - (Back * Math.Abs(streamStep))) * NestView.WordBytes)
            && FitsImmediate(resultPitch * NestView.WordBytes);
    }

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var (input, output) = (Nest.Operands[0], Nest.Output);
        var (read, write) = (new LaunchPointer?[Cell.Side], new LaunchPointer?[Cell.Side]);
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(false, data.AddressOf(input.Target) + ((NestView.Base(input) + _streams[column][0].Input) * NestView.WordBytes));
            var lane = Stored(column) * _view.Step(output, NestView.Lane);
            write[column] = new(false, data.AddressOf(output.Target) + ((NestView.Base(output) + lane) * NestView.WordBytes));
        }

        return new([], read, write);
    }

    /// <summary>The output channel that a cell collects.</summary>
    private static int Collected(Cell cell) => (cell.Column + (cell.Row is 1 or 2 ? 2 : 0)) % Cell.Side;

    /// <summary>The output channel whose sum a column stores.</summary>
    private static int Stored(int column) => (column + Cell.Side - 1) % Cell.Side;

    private static Cell Moved(Cell cell, Direction direction, int columns) => direction switch
    {
        Direction.Self => cell,
        Direction.Vertical => cell with { Row = cell.Row ^ 1 },
        _ => cell with { Column = (cell.Column + columns + Cell.Side) % Cell.Side },
    };

    /// <summary>The cell that collects a cell's product.</summary>
    private static Cell Collector(Cell cell, Direction direction) => Moved(cell, direction, direction == Direction.Left ? 1 : -1);

    /// <summary>The cell whose product a cell collects.</summary>
    private static Cell Source(Cell cell, Direction direction) => Moved(cell, direction, direction == Direction.Left ? -1 : 1);

    private static int LoadsAt(Cell cell) => LoadStep[cell.Row][cell.Column];

    /// <summary>Cells that move their window while their source loads: counters have a register less, row 3 no step left at the end.</summary>
    private static bool MovesEarly(Cell cell) => cell == PixelCounter || cell == LineCounter || cell.Row == Cell.Side - 1;

    private (int Input, int? Weight)[][] Streams()
    {
        var (input, weights) = (Nest.Operands[0], Nest.Operands[1]);
        (int Input, int Weight)[] rows = [(0, 0)];
        foreach (var loop in _view.Reduced.Where(l => l.Name is not (Along or Stream)))
        {
            var (step, weight) = (_view.Step(input, loop.Name), _view.Step(weights, loop.Name));
            rows = [.. rows.SelectMany(r => Enumerable.Range(0, loop.Extent).Select(i => (r.Input + (i * step), r.Weight + (i * weight))))];
        }

        var channels = _view.Extent(Stream);
        var quads = (channels + Cell.Side - 1) / Cell.Side;
        if (rows.Length * quads > Cell.Side)
        {
            throw new ArrayResourceException(Strategy, "columns of streams", rows.Length * quads, Cell.Side);
        }

        // a cell without a stream reads another's and multiplies by 0
        (int Input, int? Weight)[] Column(int row, int quad, bool isUsed) =>
        [
            .. Enumerable.Range(quad * Cell.Side, Cell.Side).Select(c => (
                rows[row].Input + (Math.Min(c, channels - 1) * _view.Step(input, Stream)),
                isUsed && c < channels ? rows[row].Weight + (c * _view.Step(weights, Stream)) : (int?)null)),
        ];
        var columns = Enumerable.Range(0, rows.Length).SelectMany(r => Enumerable.Range(0, quads).Select(q => Column(r, q, true))).ToList();
        while (columns.Count < Cell.Side)
        {
            columns.Add(Column(0, 0, false));
        }

        return [.. columns];
    }

    private int Weight(IKernelData data, Cell cell, int lane, int tap)
    {
        var access = Nest.Operands[1];
        return _streams[cell.Column][cell.Row].Weight is not { } weight || lane >= Nest.Guards[0].Bound || tap >= _view.Extent(Along)
            ? 0
            : (int)data.Constant(access.Target).GetInteger(
                NestView.Base(access) + weight + (lane * _view.Step(access, NestView.Lane)) + (tap * _view.Step(access, Along)));
    }

    /// <summary>Bytes by which each cell's load moves its column's pointer, where the cells of a column load in a given order.</summary>
    private int[] Increments(Func<Cell, int> order)
    {
        var increments = new int[Cell.Side * Cell.Side];
        var next = _view.Step(Nest.Operands[0], NestView.Pixel);
        for (var column = 0; column < Cell.Side; column++)
        {
            var cells = Enumerable.Range(0, Cell.Side).Select(r => new Cell(r, column)).OrderBy(order).ThenBy(c => c.Row).ToArray();
            int Offset(Cell c) => _streams[c.Column][c.Row].Input;
            for (var i = 0; i < cells.Length; i++)
            {
                var following = i + 1 < cells.Length ? Offset(cells[i + 1]) : Offset(cells[0]) + next;
                increments[cells[i].Index] = (following - Offset(cells[i])) * NestView.WordBytes;
            }
        }

        return increments;
    }

    /// <summary>All products of a position, added up by the collectors.</summary>
    /// <returns>The collectors' sums.</returns>
    private ArrayOperation[] Multiplications(ArrayProgramBuilder p, IKernelData data, Cell[] cells, VirtualRegister[][] window, VirtualRegister[] middles, VirtualRegister[] sum)
    {
        var increments = Increments(LoadsAt);
        ArrayOperation Multiply(Cell c, int step, VirtualRegister? to = null) => Binary(
            OpenEdgeOpcode.SMul, c, window[c.Index][Order[step].Tap], ArrayOperand.Immediate, to, Weight(data, c, Collected(Collector(c, Order[step].Direction)), Order[step].Tap));
        var hasSum = new bool[cells.Length];
        ArrayOperation Collect(Cell c, ArrayOperation product)
        {
            var operation = Binary(OpenEdgeOpcode.SAdd, c, hasSum[c.Index] ? sum[c.Index] : ArrayOperand.Zero, product, sum[c.Index]);
            hasSum[c.Index] = true;
            return operation;
        }

        for (var step = 0; step < Order.Length; step++)
        {
            var products = new ArrayOperation[cells.Length];
            foreach (var c in cells)
            {
                if (LoadsAt(c) != step)
                {
                    products[c.Index] = Multiply(c, step, step == 0 ? sum[c.Index] : null);
                    hasSum[c.Index] |= step == 0;
                    continue;
                }

                // the window moved on already where the register of the middle is free
                var register = window[c.Index][1] == window[c.Index][0] ? middles[c.Index] : window[c.Index][2];
                products[c.Index] = LoadStream(c, increments[c.Index], register, Input);
                window[c.Index][2] = register;
            }

            p.Step(products);
            if (step == 0)
            {
                continue;
            }

            var sums = new List<ArrayOperation>();
            foreach (var c in cells)
            {
                var source = Source(c, Order[step].Direction);
                if (LoadsAt(source) != step)
                {
                    sums.Add(Collect(c, products[source.Index]));
                }
                else if (MovesEarly(c))
                {
                    sums.Add(Move(c, window[c.Index][1], window[c.Index][0]));
                    window[c.Index][1] = window[c.Index][0];
                }
            }

            p.Step(sums);
        }

        ArrayOperation[] missed = [.. cells.Select(c => Multiply(c, LoadsAt(c)))];
        p.Step(missed);
        ArrayOperation[] last =
        [
            .. cells.Select(c =>
            {
                var source = cells.Single(s => Collector(s, Order[LoadsAt(s)].Direction) == c);
                return Collect(c, missed[source.Index]);
            }),
        ];
        p.Step(last);
        return last;
    }

    private ArrayProgram Build(IKernelData data)
    {
        var p = new ArrayProgramBuilder(Strategy);
        var cells = Cell.All.ToArray();
        VirtualRegister[] Each(string name) => [.. cells.Select(c => Register(c, name))];
        var (oldest, middle, newest, sum) = (Each("oldest"), Each("middle"), Each("newest"), Each("sum"));

        // where each cell's inputs are at the moment
        var window = cells.Select(c => new[] { oldest[c.Index], middle[c.Index], newest[c.Index] }).ToArray();
        var (pixel, line) = (Register(PixelCounter, "pixel"), Register(LineCounter, "line"));
        var (lines, pixels) = (_view.Extent(NestView.Line), _view.Extent(NestView.Pixel));
        var inTurn = Increments(_ => 0);

        var lineBlock = p.Block("line");
        p.Step(cells.Select(c => LoadStream(c, inTurn[c.Index], oldest[c.Index], Input)));
        p.Step(cells.Select(c => LoadStream(c, inTurn[c.Index], middle[c.Index], Input)));

        var pixelBlock = p.Block("pixel");
        var last = Multiplications(p, data, cells, window, middle, sum);

        // the four collectors of a channel: vertically, along the row, vertically
        ArrayOperation Sum(Cell c, ArrayOperand a, ArrayOperand b) => Binary(OpenEdgeOpcode.SAdd, c, a, b);
        ArrayOperation Of(ArrayOperation[] operations, int row, int column) => operations.Single(o => o.Cell == new Cell(row, column & (Cell.Side - 1)));
        var side = Enumerable.Range(0, Cell.Side).ToArray();
        var (third, fourth) = (Cell.Side - 2, Cell.Side - 1);
        ArrayOperation First(Cell c) => Move(c, middle[c.Index], oldest[c.Index]);
        ArrayOperation Second(Cell c) => Move(c, newest[c.Index], middle[c.Index]);
        bool Counts(Cell c) => c == PixelCounter || c == LineCounter;
        bool InNewest(Cell c) => window[c.Index][2] == newest[c.Index];

        ArrayOperation[] pairs =
        [
            .. side.Select(c => Sum(new(third, c), last[new Cell(third, c).Index], last[new Cell(1, c).Index])),
            .. side.Select(c => Sum(new(fourth, c), last[new Cell(fourth, c).Index], last[new Cell(0, c).Index])),
        ];
        p.Step([.. pairs, .. side.Select(c => First(new(0, c))), .. side.Select(c => new Cell(1, c)).Where(c => !Counts(c)).Select(First)]);
        ArrayOperation[] rows =
        [
            .. side.Select(c => Move(new(third, c), Of(pairs, third, c + 1))),
            .. side.Select(c => Move(new(fourth, c), Of(pairs, fourth, c - 1))),
        ];
        p.Step(
        [
            .. rows,
            .. side.Select(c => Second(new(0, c))),
            .. side.Select(c => new Cell(1, c)).Where(c => !Counts(c)).Select(Second),
            Add(pixel, pixel, 1),
        ]);
        var pixelsLeft = Binary(OpenEdgeOpcode.SSub, PixelCounter, pixel, ArrayOperand.Immediate, null, pixels);
        ArrayOperation[] totals = [.. side.Select(c => Sum(new(fourth, c), Of(rows, fourth, c), Of(rows, third, c)))];
        p.Step([.. totals, .. side.Select(c => First(new(third, c))), pixelsLeft]);
        var pitch = _view.Step(Nest.Output, NestView.Pixel) * NestView.WordBytes;
        var linesLeft = Binary(OpenEdgeOpcode.SSub, LineCounter, line, ArrayOperand.Immediate, null, lines - 1);
        p.Step(
        [
            .. side.Select(c => StoreStream(new(0, c), Of(totals, fourth, c), pitch, Sums)),
            .. side.Select(c => Second(new(third, c))),
            .. side.Select(c => new Cell(fourth, c)).Where(InNewest).Select(Second),
            linesLeft,
            new() { Cell = PixelCounter, Opcode = OpenEdgeOpcode.Bne, A = pixelsLeft, B = ArrayOperand.Zero, Target = pixelBlock },
        ]);

        // behind the line: to the next one; the counter cell's last step keeps this one behind the branch
        var input = Nest.Operands[0];
        var skip = lines == 1 ? 0 : (_view.Step(input, NestView.Line) - ((pixels + Positions) * _view.Step(input, NestView.Pixel))) * NestView.WordBytes;
        p.Step(
        [
            .. skip == 0 ? [] : side.Select(c => LoadStream(new(third, c), skip, null, Input)),
            Clear(pixel),
            Add(line, line, 1),
            new() { Cell = Ender, Opcode = OpenEdgeOpcode.Bne, A = linesLeft, B = ArrayOperand.Zero, Target = lineBlock },
            new() { Cell = new(0, 0), Opcode = OpenEdgeOpcode.Exit },
        ]);
        return p.Build();
    }
}
