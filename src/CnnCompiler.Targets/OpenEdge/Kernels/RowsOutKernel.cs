using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Makes sums of the products of Winograd's algorithms (<see cref="RowTransform"/>): every line of a tile is a combination of its points, divided evenly. Rows are lanes,
/// columns work in pairs on the same position, each pair on half of them or of the quads: the left column loads one point, the right one its opposite; the sum of both is then the
/// left one's, the difference the right one's. All accesses are streams; products may have gaps between runs of positions.
/// <para>
/// The division by three is a multiplication by its inverse modulo 2^32, that by powers of two a shift; both are exact where what is divided fits 32 bits.
/// Operand 0 is the products over <see cref="NestView.Quad"/>, <see cref="NestView.Line"/> (tiles), <see cref="NestView.Pixel"/>, <see cref="NestView.Lane"/> and the reduced loop
/// <see cref="RowsInKernel.Point"/>, operand 1 the matrix [<see cref="Row"/>, <see cref="RowsInKernel.Point"/>]; the output is [quad][tile][pixel][row][lane], where tiles of a line have
/// a loop of their own, <see cref="Column"/>, between tiles and pixels.
/// </para>
/// </summary>
public sealed class RowsOutKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "rows-out-columns-in-pairs";

    /// <summary>Loop over the lines of a tile.</summary>
    public const string Row = NestView.OuterLine;

    /// <summary>Loop over the tiles of a line.</summary>
    public const string Column = "column";

    /// <summary>All products are smaller. Sums are at most a twentieth of that, and six times their difference has to fit 32 bits.</summary>
    public const long Bound = 1L << 28;

    /// <summary>3 * Third = 1 modulo 2^32.</summary>
    private const int Third = unchecked((int)0xAAAAAAAB);

    private const string Products = "products";
    private const string Sums = "sums";

    private readonly NestView _view;
    private readonly RowTransform _transform;

    /// <summary>Loops that are launches of their own, outermost first.</summary>
    private readonly Run[] _launches;

    /// <summary>Runs of positions that a pair of columns goes through in a launch: without a gap between sums.</summary>
    private readonly Run _run;

    /// <summary>The positions of a run.</summary>
    private readonly Run _positions;

    /// <summary>Words from the first pair's products and sums to the second one's.</summary>
    private readonly (int Input, int Output) _second;

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

        var loops = Joined();
        _positions = loops[^1];
        var (first, inTurn) = (loops[0], loops.Count > 1 && loops[0].Extent % 2 == 0);
        if (inTurn)
        {
            // pairs do halves of the outermost loop, of quads for instance
            loops[0] = first with { Extent = first.Extent / 2 };
            _second = (loops[0].Extent * first.Input, loops[0].Extent * first.Output);
        }
        else
        {
            // halves of the positions; where these are odd in number, both do one of them
            _positions = _positions with { Extent = (_positions.Extent + 1) / 2 };
            _second = ((loops[^1].Extent - _positions.Extent) * _positions.Input, (loops[^1].Extent - _positions.Extent) * _positions.Output);
        }

        loops.RemoveAt(loops.Count - 1);
        _run = new(1, 0, 0);
        if (inTurn && loops[^1] is var run && run.Output == _positions.Extent * _positions.Output && FitsImmediate(GapOf(run) * NestView.WordBytes))
        {
            _run = run;
            loops.RemoveAt(loops.Count - 1);
        }

        _launches = [.. loops];
        Launches = _launches.Aggregate(1, (launches, loop) => launches * loop.Extent);
        Program = Build();
    }

    /// <summary>True where four lines are exact: products fit 32 bits, and so does all that is shifted, eight times a sum and twice the difference of one and the product at infinity.</summary>
    /// <param name="products">Largest magnitudes of the products of each point.</param>
    /// <param name="sum">Largest magnitude of a sum.</param>
    internal static bool IsExact(ReadOnlySpan<long> products, long sum)
    {
        foreach (var product in products)
        {
            if (product > int.MaxValue)
            {
                return false;
            }
        }

        return 8 * sum <= int.MaxValue && 2 * (sum + products[RowTransform.Infinity]) <= int.MaxValue;
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches { get; }

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents
    {
        get
        {
            if (_run.Extent == 1)
            {
                return [];
            }

            // behind the last run, too, a load goes on to where the next one would be
            var input = Nest.Operands[0];
            var behind = NestView.Base(input) + _launches.Sum(l => (l.Extent - 1) * l.Input) + _second.Input + ((_run.Extent - 1) * _run.Input) + (_positions.Extent * _positions.Input);
            return [(input.Target, behind + Enumerable.Range(0, Cell.Side).Max(c => (Loaded(c)[0] * _view.Step(input, RowsInKernel.Point)) + PairStreams.Lane(new(0, c))) + 1)];
        }
    }

    /// <summary>Words that lie between a run's products and the next one's.</summary>
    private long GapOf(Run run) => run.Input - ((long)_positions.Extent * _positions.Input);

    /// <summary>The loops over positions, outermost first; where nothing lies between two of them they are one.</summary>
    private List<Run> Joined()
    {
        var loops = new List<Run>();
        foreach (var name in (ReadOnlySpan<string>)[NestView.Pixel, Column, NestView.Line, NestView.Quad])
        {
            var loop = new Run(_view.Extent(name), _view.Step(Nest.Operands[0], name), _view.Step(Nest.Output, name));
            if (loops.Count == 0)
            {
                loops.Add(loop);
            }
            else if (loop.Extent > 1 && loop.Input == loops[0].Extent * loops[0].Input && loop.Output == loops[0].Extent * loops[0].Output)
            {
                loops[0] = loops[0] with { Extent = loops[0].Extent * loop.Extent };
            }
            else if (loop.Extent > 1)
            {
                loops.Insert(0, loop);
            }
        }

        return loops;
    }

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var (input, output) = (NestView.Base(Nest.Operands[0]), NestView.Base(Nest.Output));
        foreach (var loop in _launches.Reverse())
        {
            input += index % loop.Extent * loop.Input;
            output += index % loop.Extent * loop.Output;
            index /= loop.Extent;
        }

        LaunchPointer? At(MappedAccess access, int column, int words) =>
            new(false, data.AddressOf(access.Target) + ((words + PairStreams.Lane(new(0, column))) * (long)NestView.WordBytes));
        var columns = Enumerable.Range(0, Cell.Side);
        return new(
            [],
            [.. columns.Select(c => At(Nest.Operands[0], c, input + (c / 2 * _second.Input) + (Loaded(c)[0] * _view.Step(Nest.Operands[0], RowsInKernel.Point))))],
            [.. columns.Select(c => At(Nest.Output, c, output + (c / 2 * _second.Output) + (Stored(c)[0] * _view.Step(Nest.Output, Row))))]);
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

        if (_run.Extent > 1)
        {
            p.Set(run, _run.Extent);
        }

        var runBlock = p.Block("run");
        p.Set(position, _positions.Extent);
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
        if (_run.Extent > 1)
        {
            p.Count(run);
            p.Step(Enumerable.Range(0, Cell.Side).Select(c => LoadStream(new(1, c), (int)GapOf(_run) * NestView.WordBytes, null, Products)));
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

    /// <summary>A loop: iterations, and words from one to the next.</summary>
    private readonly record struct Run(int Extent, int Input, int Output);
}
