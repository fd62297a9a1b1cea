using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Makes sums of the products of Winograd's algorithms (<see cref="RowTransform"/>): every line of a tile is a combination of its points, divided evenly. Rows are lanes,
/// columns work in pairs on the same position, each pair on half of them or of the quads: the left column loads one point, the right one its opposite; the sum of both is then the
/// left one's, the difference the right one's. Both sides are streams without gaps.
/// <para>
/// The division by three is a multiplication by its inverse modulo 2^32, that by powers of two a shift; both are exact where what is divided fits 32 bits.
/// Operand 0 is the products over <see cref="NestView.Quad"/>, <see cref="NestView.Line"/> (tiles), <see cref="NestView.Pixel"/>, <see cref="NestView.Lane"/> and the reduced loop
/// <see cref="RowsInKernel.Point"/>, operand 1 the matrix [<see cref="Row"/>, <see cref="RowsInKernel.Point"/>]; the output is [quad][tile][pixel][row][lane].
/// </para>
/// </summary>
public sealed class RowsOutKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "rows-out-columns-in-pairs";

    /// <summary>Loop over the lines of a tile.</summary>
    public const string Row = NestView.OuterLine;

    /// <summary>All products are smaller. Sums are at most a twentieth of that, and six times their difference has to fit 32 bits.</summary>
    public const long Bound = 1L << 28;

    /// <summary>3 * Third = 1 modulo 2^32.</summary>
    private const int Third = unchecked((int)0xAAAAAAAB);

    private const string Products = "products";
    private const string Sums = "sums";

    private readonly NestView _view;
    private readonly RowTransform _transform;

    /// <summary>Positions of a launch one behind the other, and how many such runs a pair of columns goes through.</summary>
    private readonly int _positions;
    private readonly int _runs;

    /// <summary>Compiles a nest.</summary>
    public RowsOutKernel(MappedNest nest, IKernelData data)
        : base(nest)
    {
        _view = new(nest);
        _transform = RowTransform.OfTile(_view.Extent(Row));
        if (!data.Constant(nest.Operands[1].Target).Bytes.SequenceEqual(_transform.OutputMatrix().Bytes))
        {
            throw new InvalidOperationException($"{nest.Name} has another matrix than its lines say");
        }

        var quads = _view.Extent(NestView.Quad);
        _positions = _view.Extent(NestView.Line) * _view.Extent(NestView.Pixel);
        var isOne = Gap(nest.Operands[0]) == 0;
        _runs = !isOne && quads % 2 == 0 && FitsImmediate(Gap(nest.Operands[0]) * NestView.WordBytes) ? quads / 2 : 1;
        Launches = isOne || _runs * 2 == quads ? 1 : quads;
        _positions *= isOne ? quads : 1;
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches { get; }

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [];

    /// <summary>Positions of a run that a pair does: all, or half of them.</summary>
    private int Share => IsInTurn ? _positions : (_positions + 1) / 2;

    /// <summary>True where pairs do quads of their own.</summary>
    private bool IsInTurn => Launches == 1 && _view.Extent(NestView.Quad) == 2 * _runs && Gap(Nest.Operands[0]) != 0;

    /// <summary>Words that lie between a quad's products and the next one's; there are none between their sums.</summary>
    private int Gap(MappedAccess access) => _view.Extent(NestView.Quad) == 1 ? 0
        : _view.Step(access, NestView.Quad) - (_view.Extent(NestView.Line) * _view.Extent(NestView.Pixel) * _view.Step(access, NestView.Pixel));

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        // where both pairs don't have as many positions, they do one of them twice
        LaunchPointer? At(MappedAccess access, int column, int first, int step)
        {
            var second = IsInTurn ? _runs * _view.Step(access, NestView.Quad) : (_positions - Share) * _view.Step(access, NestView.Pixel);
            var words = NestView.Base(access) + (index * _view.Step(access, NestView.Quad)) + (column / 2 * second) + (first * step) + PairStreams.Lane(new(0, column));
            return new(false, data.AddressOf(access.Target) + (words * (long)NestView.WordBytes));
        }

        var columns = Enumerable.Range(0, Cell.Side);
        var (input, output) = (Nest.Operands[0], Nest.Output);
        return new(
            [],
            [.. columns.Select(c => At(input, c, Loaded(c)[0], _view.Step(input, RowsInKernel.Point)))],
            [.. columns.Select(c => At(output, c, Stored(c)[0], _view.Step(output, Row)))]);
    }

    /// <summary>The points that a column loads, in order.</summary>
    private int[] Loaded(int column) => (_transform == RowTransform.Four, column % 2) switch
    {
        (true, 0) => [1, 4, 0],
        (true, _) => [2, 5, 3],
        (_, 0) => [1, 0],
        _ => [2, 3],
    };

    /// <summary>The lines of a tile that a column stores, in order.</summary>
    private int[] Stored(int column) => (_transform == RowTransform.Four, column % 2) switch
    {
        (true, 0) => [2, 0],
        (true, _) => [1, 3],
        (_, var line) => [line],
    };

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var cells = Cell.All.ToArray();
        Cell[] left = [.. cells.Where(c => c.Column % 2 == 0)], right = [.. cells.Where(c => c.Column % 2 != 0)];
        VirtualRegister[] Each(string name) => [.. cells.Select(c => Register(c, name))];
        var (pair, quotient, third) = (Each("pair"), Each("quotient"), Each("third"));
        var (position, run) = (Register(new(0, 0), "position"), Register(new(0, 1), "run"));
        var (loads, stores) = (0, 0);

        ArrayOperation[] Do(Func<Cell, ArrayOperation> ofLeft, Func<Cell, ArrayOperation> ofRight)
        {
            ArrayOperation[] done = [.. cells.Select(c => c.Column % 2 == 0 ? ofLeft(c) : ofRight(c))];
            p.Step(done);
            return done;
        }

        int Increment(Cell cell, int[] places, int index, MappedAccess access, string loop)
        {
            var (step, next) = (_view.Step(access, loop), index + 1 < places.Length);
            var hop = next ? (places[index + 1] - places[index]) * step : ((places[0] - places[index]) * step) + _view.Step(access, NestView.Pixel);
            return ((cell.Row < Cell.Side - 1 ? 0 : hop) + PairStreams.Lane(cell with { Row = (cell.Row + 1) % Cell.Side }) - PairStreams.Lane(cell)) * NestView.WordBytes;
        }

        ArrayOperation[] Fetch()
        {
            ArrayOperation Of(Cell c) => LoadStream(c, Increment(c, Loaded(c.Column), loads, Nest.Operands[0], RowsInKernel.Point), null, Products);
            var loaded = Do(Of, Of);
            loads++;
            return loaded;
        }

        void Store(ArrayOperation[] values)
        {
            ArrayOperation Of(Cell c) => StoreStream(c, values[c.Index], Increment(c, Stored(c.Column), stores, Nest.Output, Row), Sums);
            Do(Of, Of);
            stores++;
        }

        // the sum of two opposite points on the left, their difference on the right
        ArrayOperation[] Pair(ArrayOperation[] points, VirtualRegister[]? to) => Do(
            c => Binary(OpenEdgeOpcode.SAdd, c, points[c.Index], points[PairStreams.Partner(c).Index], to?[c.Index]),
            c => Binary(OpenEdgeOpcode.SSub, c, points[PairStreams.Partner(c).Index], points[c.Index], to?[c.Index]));

        ArrayOperation Sum(Cell c, ArrayOperand a, ArrayOperand b) => Binary(OpenEdgeOpcode.SAdd, c, a, b);
        ArrayOperation Subtract(Cell c, ArrayOperand a, ArrayOperand b, VirtualRegister? to = null) => Binary(OpenEdgeOpcode.SSub, c, a, b, to);
        ArrayOperation Half(Cell c, ArrayOperand a, int times, VirtualRegister? to = null) => Binary(OpenEdgeOpcode.Sra, c, a, ArrayOperand.Immediate, to, times);

        p.Block("start");
        if (_transform == RowTransform.Four)
        {
            foreach (var register in third)
            {
                p.Set(register, Third);
            }
        }

        if (_runs > 1)
        {
            p.Set(run, _runs);
        }

        var runBlock = p.Block("run");
        p.Set(position, Share);
        var positionBlock = p.Block("position");
        Pair(Fetch(), pair);
        if (_transform == RowTransform.Four)
        {
            Four();
        }
        else
        {
            Two();
        }

        p.LoopWhileNotZero(position, positionBlock);
        p.Block("run end");
        if (_runs > 1)
        {
            p.Count(run);
            p.Step(Enumerable.Range(0, Cell.Side).Select(c => LoadStream(new(1, c), Gap(Nest.Operands[0]) * NestView.WordBytes, null, Products)));
            p.LoopWhileNotZero(run, runBlock);
        }

        p.Exit(new(0, 0));
        return p.Build();

        void Two()
        {
            Do(c => Half(c, pair[c.Index], 1, pair[c.Index]), c => Half(c, pair[c.Index], 1, pair[c.Index]));
            p.Count(position);
            var last = Fetch();
            Store(Do(c => Sum(c, last[c.Index], pair[c.Index]), c => Subtract(c, pair[c.Index], last[c.Index])));
        }

        void Four()
        {
            // s, d, t, e: sums and differences of the points 1 and -1, 2 and -2; line 2 is (t - s) / 6, line 1 (2 z - d) / 8 where z is (2 e - d) / 6
            var far = Pair(Fetch(), null);
            var twice = right.ToDictionary(c => c, c => Sum(c, far[c.Index], far[c.Index]));
            p.Step(twice.Values);
            var sixfold = Do(c => Subtract(c, far[c.Index], pair[c.Index]), c => Subtract(c, twice[c], pair[c.Index]));
            ArrayOperation Twofold(Cell c) => Binary(OpenEdgeOpcode.SMul, c, sixfold[c.Index], third[c.Index], quotient[c.Index]);
            var twofold = Do(Twofold, Twofold);
            ArrayOperation Rest(Cell c) => Subtract(c, twofold[c.Index], pair[c.Index], pair[c.Index]);
            Do(Rest, Rest);
            p.Count(position);
            p.Step(right.Select(c => Half(c, quotient[c.Index], 1, quotient[c.Index])));
            Store(Do(c => Half(c, quotient[c.Index], 1), c => Half(c, pair[c.Index], 3)));

            // line 0 is (2 m0 + 2 y2 - s) / 8, line 3 z and the point at infinity
            var last = Fetch();
            var doubled = Do(c => Sum(c, last[c.Index], last[c.Index]), c => Sum(c, last[c.Index], quotient[c.Index]));
            var eightfold = left.ToDictionary(c => c, c => Sum(c, doubled[c.Index], pair[c.Index]));
            p.Step(eightfold.Values);
            var first = left.ToDictionary(c => c, c => Half(c, eightfold[c], 3));
            p.Step(first.Values);
            Store([.. cells.Select(c => first.GetValueOrDefault(c, doubled[c.Index]))]);
        }
    }
}
