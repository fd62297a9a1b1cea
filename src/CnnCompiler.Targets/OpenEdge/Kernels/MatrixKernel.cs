using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Sixteen inputs of a position times a matrix of constants, in which products move instead of inputs (<see cref="MovingProductsKernel"/>): a stream is one input, which its cell
/// multiplies for eight output channels, two quads. Sums are exact modulo 2^32.
/// <para>
/// The next position's inputs are loaded below the multiplications: in rows 0 and 1 during those of the second quad, which come first, in rows 2 and 3 during those of the first; a column of both rows in each of the four directions.
/// What the loading cells miss is multiplied together in a ninth step; every collector gets one of these products. The sums of one quad then meet in rows 2 and 3 while those of the other do in rows 0 and 1.
/// </para>
/// <para>
/// Positions are <see cref="NestView.Pixel"/>; the output is [position][quad][lane] at any pitch of positions and of two quads.
/// </para>
/// </summary>
public sealed class MatrixKernel : MovingProductsKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "matrix-cells-are-streams";

    /// <summary>Output channels.</summary>
    public const int Channels = Quads * Cell.Side;

    /// <summary>No position takes fewer cycles: nine multiplications and seven additions.</summary>
    public const int LeastCycles = 34;

    private const int Quads = 2;

    /// <summary>The directions in turn; the first one's products need no addition.</summary>
    private static readonly Direction[] Order = [Direction.Self, Direction.Vertical, Direction.Left, Direction.Right];

    /// <summary>The cell that counts has no register for the next input: it loads it in the ninth step, when all its products are there.</summary>
    private static readonly Cell Counter = new(0, Cell.Side - 1);

    /// <summary>Compiles a nest.</summary>
    public MatrixKernel(MappedNest nest, IKernelData data)
        : base(nest, data, null)
    {
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents
    {
        get
        {
            // a position is loaded beyond the last
            var input = Nest.Operands[0];
            var output = Nest.Output;
            var last = View.Extent(NestView.Pixel) - 1;
            return
            [
                (input.Target, NestView.Base(input) + ((last + 1) * View.Step(input, NestView.Pixel)) + FurthestStream + 1),
                (output.Target, NestView.Base(output) + (last * View.Step(output, NestView.Pixel)) + ((Quads - 1) * QuadStep) + Cell.Side),
            ];
        }
    }

    private int QuadStep => View.Step(Nest.Output, NestView.Quad);

    /// <summary>True where the counter and distances fit the code.</summary>
    /// <param name="positions">Positions.</param>
    /// <param name="positionStep">Elements between neighbouring positions of the input.</param>
    /// <param name="pitch">Words between neighbouring positions of the output.</param>
    /// <param name="quadStep">Words between the quads of a position.</param>
    public static bool Fits(int positions, long positionStep, long pitch, long quadStep) =>
        positions <= OpenEdgeInstruction.MaxImmediate
        && FitsImmediate((positionStep + Cell.Side) * NestView.WordBytes)
        && FitsImmediate(quadStep * NestView.WordBytes)
        && FitsImmediate((pitch - quadStep) * NestView.WordBytes);

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var (input, output) = (Nest.Operands[0], Nest.Output);
        LaunchPointer Pointer(MappedAccess access, int element) => new(false, data.AddressOf(access.Target) + ((NestView.Base(access) + element) * (long)NestView.WordBytes));
        var columns = Enumerable.Range(0, Cell.Side);
        return new(
            [],
            [.. columns.Select(c => (LaunchPointer?)Pointer(input, StreamOf(new(0, c))))],
            [.. columns.Select(c => (LaunchPointer?)Pointer(output, Stored(c) * View.Step(output, NestView.Lane)))]);
    }

    /// <summary>The quad and direction of a multiplication.</summary>
    private static (int Quad, Direction Direction) Of(int step) => (Quads - 1 - (step / Order.Length), Order[step % Order.Length]);

    /// <summary>The multiplication during which a cell loads its next input instead.</summary>
    private static int LoadsAt(Cell cell) => cell == Counter ? Quads * Order.Length : (cell.Row / Quads * Order.Length) + cell.Column;

    /// <inheritdoc/>
    private protected override ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var cells = Cell.All.ToArray();
        VirtualRegister[] Each(string name) => [.. cells.Select(c => Register(c, name))];
        var (x, next) = (Each("x"), Each("next"));
        var sum = Enumerable.Range(0, Quads).Select(quad => Each(FormattableString.Invariant($"sum{quad}"))).ToArray();
        var hasSum = sum.Select(s => new bool[s.Length]).ToArray();
        var count = Register(Counter, "count");
        var inTurn = Increments(c => c.Row, LoadsAt);
        var increments = Increments(LoadsAt, LoadsAt);

        ArrayOperation Multiply(Cell c, int step, VirtualRegister? to = null)
        {
            var (quad, direction) = Of(step);
            return Binary(OpenEdgeOpcode.SMul, c, x[c.Index], ArrayOperand.Immediate, to, Weight(c, (quad * Cell.Side) + Collected(Collector(c, direction)), 0));
        }

        ArrayOperation Collect(Cell c, int quad, ArrayOperation product)
        {
            var operation = Binary(OpenEdgeOpcode.SAdd, c, hasSum[quad][c.Index] ? sum[quad][c.Index] : ArrayOperand.Zero, product, sum[quad][c.Index]);
            hasSum[quad][c.Index] = true;
            return operation;
        }

        p.Block("start");
        p.Set(count, View.Extent(NestView.Pixel));
        p.Step(cells.Select(c => LoadStream(c, inTurn[c.Index], x[c.Index], Input)));

        var loop = p.Block("position");
        for (var step = 0; step < Quads * Order.Length; step++)
        {
            var (quad, direction) = Of(step);
            var isOwn = direction == Direction.Self;
            ArrayOperation[] products =
            [
                .. cells.Select(c => LoadsAt(c) == step ? LoadStream(c, increments[c.Index], next[c.Index], Input) : Multiply(c, step, isOwn ? sum[quad][c.Index] : null)),
            ];
            p.Step(products);
            if (isOwn)
            {
                foreach (var c in cells)
                {
                    hasSum[quad][c.Index] = LoadsAt(c) != step;
                }

                continue;
            }

            // nothing to add where the product's cell loads; the counter has its turn there
            var free = cells.Where(c => LoadsAt(Source(c, direction)) == step);
            p.Step(
            [
                .. cells.Except(free).Select(c => Collect(c, quad, products[Source(c, direction).Index])),
                .. free.Where(c => c == Counter).Select(c => Add(count, count, -1)),
            ]);
        }

        ArrayOperation[] missed = [.. cells.Select(c => c == Counter ? LoadStream(c, increments[c.Index], x[c.Index], Input) : Multiply(c, LoadsAt(c)))];
        p.Step(missed);
        var last = new ArrayOperation[cells.Length];
        foreach (var c in cells.Where(c => c != Counter))
        {
            var (quad, direction) = Of(LoadsAt(c));
            var collector = Collector(c, direction);
            last[collector.Index] = Collect(collector, quad, missed[c.Index]);
        }

        // the counter's product wasn't missed: what would have been its collector shows its sum as the others do
        var without = Array.IndexOf(last, null);
        last[without] = Move(cells[without], sum[Quads - 1][without]);
        p.Step(last);

        // rows 0 and 1 show the second quad, rows 2 and 3 the first; each adds the other's to its own: vertically, along the row, vertically
        ArrayOperation Sum(Cell c, ArrayOperand a, ArrayOperand b) => Binary(OpenEdgeOpcode.SAdd, c, a, b);
        static ArrayOperation At(ArrayOperation[] operations, int row, int column) => operations.Single(o => o.Cell == new Cell(row, column & (Cell.Side - 1)));
        ArrayOperation[] pairs = [.. cells.Select(c => Sum(c, sum[c.Row < Quads ? 0 : 1][c.Index], last[new Cell(Cell.Side - 1 - c.Row, c.Column).Index]))];
        p.Step(pairs);
        ArrayOperation[] rows = [.. cells.Select(c => Move(c, At(pairs, c.Row, IsOuter(c) ? c.Column - 1 : c.Column + 1)))];
        p.Step(rows);
        ArrayOperation Shift(Cell c) => Move(c, next[c.Index], x[c.Index]);
        ArrayOperation[] totals = [.. cells.Where(IsOuter).Select(c => Sum(c, rows[c.Index], rows[new Cell(c.Row ^ 1, c.Column).Index]))];
        p.Step([.. totals, .. cells.Where(c => !IsOuter(c)).Select(Shift)]);
        var pitch = View.Step(Nest.Output, NestView.Pixel);
        p.Step(
        [
            .. cells.Where(c => !IsOuter(c)).Select(c => StoreStream(c, At(totals, c.Row == 1 ? 0 : Cell.Side - 1, c.Column), (c.Row == 1 ? QuadStep : pitch - QuadStep) * NestView.WordBytes, Sums)),
            .. cells.Where(c => IsOuter(c) && c != Counter).Select(Shift),
            new() { Cell = Counter, Opcode = OpenEdgeOpcode.Bne, A = count, B = ArrayOperand.Zero, Target = loop },
        ]);
        p.Exit(new(0, 0));
        return p.Build();
    }

    /// <summary>Rows 0 and 3, in which the totals are made; rows 1 and 2 store them.</summary>
    private static bool IsOuter(Cell cell) => cell.Row is 0 or Cell.Side - 1;
}
