using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Convolution in which products move instead of inputs (<see cref="MovingProductsKernel"/>): a stream is one input channel in one row of the
/// window, of which its cell keeps three neighbouring inputs in registers. One pass is sixteen streams, four output
/// channels and three taps: twelve multiplications a cell and position. Sums are exact modulo 2^32.
/// <para>
/// The sixteen loads of a position hide below eight of the multiplications; what the loading cells miss is multiplied together in a thirteenth step.
/// </para>
/// <para>
/// Of the reduced loops <see cref="Along"/> runs along the line at the step of its positions; the output is one quad of channels, [line][position][lane] at any pitch of positions.
/// </para>
/// </summary>
public sealed class DirectKernel : MovingProductsKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "direct-cells-are-streams";

    /// <summary>The reduced loop along the line; at most <see cref="Taps"/>.</summary>
    public const string Along = "along";

    /// <summary>Taps of a stream.</summary>
    public const int Taps = 3;

    /// <summary>No position takes fewer cycles: thirteen multiplications and twelve additions.</summary>
    public const int LeastCycles = 51;

    private const int Positions = 2;

    /// <summary>Compiles a nest.</summary>
    public DirectKernel(MappedNest nest, IKernelData data)
        : base(nest, data, Along)
    {
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
    public override IEnumerable<(string Buffer, int Words)> Extents
    {
        get
        {
            var input = Nest.Operands[0];
            var last = NestView.Base(input) + ((View.Extent(NestView.Line) - 1) * View.Step(input, NestView.Line))
                + ((View.Extent(NestView.Pixel) + Positions) * View.Step(input, NestView.Pixel)) + FurthestStream;
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
            read[column] = new(false, data.AddressOf(input.Target) + ((NestView.Base(input) + StreamOf(new(0, column))) * NestView.WordBytes));
            var lane = Stored(column) * View.Step(output, NestView.Lane);
            write[column] = new(false, data.AddressOf(output.Target) + ((NestView.Base(output) + lane) * NestView.WordBytes));
        }

        return new([], read, write);
    }

    private static int LoadsAt(Cell cell) => LoadStep[cell.Row][cell.Column];

    /// <summary>Cells that move their window while their source loads: counters have a register less, row 3 no step left at the end.</summary>
    private static bool MovesEarly(Cell cell) => cell == PixelCounter || cell == LineCounter || cell.Row == Cell.Side - 1;

    private int TapWeight(Cell cell, int lane, int tap) => tap >= View.Extent(Along) ? 0 : Weight(cell, lane, tap * View.Step(Nest.Operands[1], Along));

    /// <summary>All products of a position, added up by the collectors.</summary>
    /// <returns>The collectors' sums.</returns>
    private ArrayOperation[] Multiplications(ArrayProgramBuilder p, Cell[] cells, VirtualRegister[][] window, VirtualRegister[] middles, VirtualRegister[] sum)
    {
        var increments = Increments(LoadsAt, LoadsAt);
        ArrayOperation Multiply(Cell c, int step, VirtualRegister? to = null) => Binary(
            OpenEdgeOpcode.SMul, c, window[c.Index][Order[step].Tap], ArrayOperand.Immediate, to, TapWeight(c, Collected(Collector(c, Order[step].Direction)), Order[step].Tap));
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

    /// <inheritdoc/>
    private protected override ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var cells = Cell.All.ToArray();
        VirtualRegister[] Each(string name) => [.. cells.Select(c => Register(c, name))];
        var (oldest, middle, newest, sum) = (Each("oldest"), Each("middle"), Each("newest"), Each("sum"));

        // where each cell's inputs are at the moment
        var window = cells.Select(c => new[] { oldest[c.Index], middle[c.Index], newest[c.Index] }).ToArray();
        var (pixel, line) = (Register(PixelCounter, "pixel"), Register(LineCounter, "line"));
        var (lines, pixels) = (View.Extent(NestView.Line), View.Extent(NestView.Pixel));
        var inTurn = Increments(_ => 0, LoadsAt);

        var lineBlock = p.Block("line");
        p.Step(cells.Select(c => LoadStream(c, inTurn[c.Index], oldest[c.Index], Input)));
        p.Step(cells.Select(c => LoadStream(c, inTurn[c.Index], middle[c.Index], Input)));

        var pixelBlock = p.Block("pixel");
        var last = Multiplications(p, cells, window, middle, sum);

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
        var pitch = View.Step(Nest.Output, NestView.Pixel) * NestView.WordBytes;
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
        var skip = lines == 1 ? 0 : (View.Step(input, NestView.Line) - ((pixels + Positions) * View.Step(input, NestView.Pixel))) * NestView.WordBytes;
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
