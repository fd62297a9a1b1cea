using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Transforms lines of inputs for Winograd's algorithms (<see cref="RowTransform"/>): every point of a tile is a combination of its lines, element by element.
/// Columns work in pairs on the same elements, rows are up to four neighbouring ones: the left column loads the even lines, the right one the odd ones, and combinations
/// of both are read from the neighbour's ROUT. Loads have addresses of their own, because lines lie far apart; stores are streams without gaps.
/// <para>
/// Operand 0 is the input over <see cref="NestView.Line"/> (tiles), <see cref="NestView.Pixel"/>, <see cref="Block"/>, <see cref="NestView.Lane"/> and the reduced loop
/// <see cref="Row"/>, operand 1 the matrix [<see cref="Point"/>, <see cref="Row"/>]; the output is [tile][pixel][block][point][lane]. Iterations of <see cref="NestView.Group"/> and
/// <see cref="NestView.OuterLine"/> are launches, and those of tiles where lines are so far apart that the code has no room to go from tile to tile.
/// </para>
/// </summary>
public sealed class RowsInKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "rows-in-columns-in-pairs";

    /// <summary>Loop over groups of neighbouring channels.</summary>
    public const string Block = "block";

    /// <summary>Loop over points.</summary>
    public const string Point = "point";

    /// <summary>Reduced loop over the lines of a tile.</summary>
    public const string Row = "row";

    /// <summary>Steps of a kernel.</summary>
    private const int MostSteps = 32;

    private const string Parameters = "parameters";
    private const string Input = "input";
    private const string Output = "output";

    private readonly NestView _view;
    private readonly RowTransform _transform;
    private readonly int _taps;
    private readonly int _lanes;
    private readonly int _line;
    private readonly int _tilesOfLaunch;
    private readonly Walk _walk;

    /// <summary>Compiles a nest.</summary>
    public RowsInKernel(MappedNest nest, IKernelData data)
        : base(nest)
    {
        _view = new(nest);
        _transform = RowTransform.Of(_view.Extent(Point));
        _taps = _view.Extent(Row) - _transform.Tile + 1;
        _lanes = _view.Extent(NestView.Lane);
        var input = nest.Operands[0];
        _line = _view.Step(input, Row);
        if (!data.Constant(nest.Operands[1].Target).Bytes.SequenceEqual(_transform.InputMatrix(_taps).Bytes))
        {
            throw new InvalidOperationException($"{nest.Name} has another matrix than its points say");
        }

        var (tiles, elements) = (_view.Extent(NestView.Line), _view.Extent(NestView.Pixel) * _view.Extent(Block));
        _tilesOfLaunch = HasRoomForTiles(_transform, tiles, elements, _lanes, _line, TileStep) ? tiles : 1;
        _walk = WalkOf(_tilesOfLaunch, elements);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _view.Extent(NestView.Group) * _view.Extent(NestView.OuterLine) * TileLaunches;

    /// <inheritdoc/>
    public override int ParameterWords => Cell.Side * _lanes;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [];

    private int ElementStep => _view.Step(Nest.Operands[0], _view.Extent(Block) > 1 ? Block : NestView.Pixel);

    private int TileStep => _view.Step(Nest.Operands[0], NestView.Line);

    /// <summary>Launches for the tiles of an outer line.</summary>
    private int TileLaunches => _view.Extent(NestView.Line) / _tilesOfLaunch;

    /// <summary>True where the code has room for the moves from line to line.</summary>
    /// <param name="transform">Points 4 or 6.</param>
    /// <param name="elements">Groups of lanes on a line.</param>
    /// <param name="lanes">Lanes.</param>
    /// <param name="line">Words between neighbouring lines.</param>
    internal static bool Fits(RowTransform transform, int elements, int lanes, long line) => elements <= OpenEdgeInstruction.MaxImmediate && StepsOf(transform, WalkOf(1, elements), lanes, line) <= MostSteps;

    /// <summary>True where it has room for the moves from tile to tile, too; else each is a launch.</summary>
    private static bool HasRoomForTiles(RowTransform transform, int tiles, int elements, int lanes, long line, long tile)
    {
        var walk = WalkOf(tiles, elements);
        return walk.Lines <= OpenEdgeInstruction.MaxImmediate && StepsOf(transform, walk, lanes, line) + (walk.Lines == 1 ? 0 : 2 + Moves(tile - ((long)elements * lanes))) <= MostSteps;
    }

    private static long StepsOf(RowTransform transform, Walk walk, int lanes, long line) => transform == RowTransform.Four
        ? 21 + (2 * Moves(2 * line)) + Moves((4 * line) - (walk.Apart * lanes))
        : 12 + Moves(2 * line) + Moves((2 * line) - (walk.Apart * lanes));

    /// <summary>Steps that add so many words to an address.</summary>
    private static long Moves(long words) => (Math.Abs(words) * NestView.WordBytes / OpenEdgeInstruction.MaxImmediate) + 1;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var (input, output) = (Nest.Operands[0], Nest.Output);
        var (tile, outer) = (index % TileLaunches, index / TileLaunches % _view.Extent(NestView.OuterLine));
        var group = index / TileLaunches / _view.Extent(NestView.OuterLine);
        int Start(MappedAccess access) =>
            NestView.Base(access) + (group * _view.Step(access, NestView.Group)) + (outer * _view.Step(access, NestView.OuterLine)) + (tile * _view.Step(access, NestView.Line));
        var words = new List<uint>(ParameterWords);
        var (read, write) = (new LaunchPointer?[Cell.Side], new LaunchPointer?[Cell.Side]);
        for (var column = 0; column < Cell.Side; column++)
        {
            var (pair, odd) = (column / 2, column % 2);
            read[column] = new(true, words.Count * NestView.WordBytes);
            var first = Start(input) + (pair * ((_walk.LineOfSecond * TileStep) + (_walk.ElementOfSecond * ElementStep))) + (odd * _line);
            for (var row = 0; row < _lanes; row++)
            {
                words.Add((uint)(data.AddressOf(input.Target) + ((first + Lane(new(row, column))) * NestView.WordBytes)));
            }

            var element = (_walk.LineOfSecond * _view.Extent(NestView.Pixel) * _view.Extent(Block)) + _walk.ElementOfSecond;
            write[column] = new(
                false,
                data.AddressOf(output.Target)
                    + ((Start(output) + (pair * element * OutputStep) + (Stored(odd)[0] * PointStep) + Lane(new(0, column))) * (long)NestView.WordBytes));
        }

        return new([.. words], read, write);
    }

    private int Lane(Cell cell) => _lanes == Cell.Side ? PairStreams.Lane(cell) : cell.Row;

    private int OutputStep => _view.Step(Nest.Output, _view.Extent(Block) > 1 ? Block : NestView.Pixel);

    private int PointStep => _view.Step(Nest.Output, Point);

    /// <summary>How two pairs of columns go through all elements: in turn; where a line has an odd number, each half of the lines, or of the only line, where they may do one both.</summary>
    private static Walk WalkOf(int lines, int elements)
    {
        if (elements % 2 == 0)
        {
            return new(lines, elements / 2, 2, 0, 1);
        }

        var half = ((lines == 1 ? elements : lines) + 1) / 2;
        return lines == 1 ? new(1, half, 1, 0, elements - half) : new(half, elements, 1, lines - half, 0);
    }

    /// <summary>The points that a column stores, in order.</summary>
    private int[] Stored(int odd) => (_transform == RowTransform.Four, odd) switch
    {
        (true, 0) => [0, 1, 4],
        (true, _) => [3, 2, 5],
        (_, 0) => [0, 1],
        _ => [3, 2],
    };

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        Cell[] cells = [.. Cell.All.Where(c => c.Row < _lanes)];
        Cell[] left = [.. cells.Where(c => c.Column % 2 == 0)], right = [.. cells.Where(c => c.Column % 2 != 0)];
        Dictionary<Cell, VirtualRegister> Each(string name) => cells.ToDictionary(c => c, c => Register(c, name));
        var (address, first, second, third) = (Each("address"), Each("first"), Each("second"), Each("third"));
        var (element, line) = (Register(new(0, 1), "element"), Register(new(0, Cell.Side - 1), "line"));
        var stores = 0;

        void Hop(int even, int odd)
        {
            foreach (var c in cells)
            {
                p.Advance(address[c], (c.Column % 2 == 0 ? even : odd) * NestView.WordBytes);
            }
        }

        Dictionary<Cell, ArrayOperation> Do(Func<Cell, ArrayOperation?> ofLeft, Func<Cell, ArrayOperation?> ofRight)
        {
            ArrayOperation[] done = [.. left.Select(ofLeft).OfType<ArrayOperation>(), .. right.Select(ofRight).OfType<ArrayOperation>()];
            p.Step(done);
            return done.ToDictionary(o => o.Cell);
        }

        Dictionary<Cell, ArrayOperation> Fetch(Dictionary<Cell, VirtualRegister>? even, Dictionary<Cell, VirtualRegister>? odd) =>
            Do(c => Load(c, address[c], even?[c], Input), c => Load(c, address[c], odd?[c], Input));

        // the first column's sum, the second one's difference of what both hold
        Dictionary<Cell, ArrayOperation> Join(Dictionary<Cell, ArrayOperation> even, Dictionary<Cell, ArrayOperation> odd) => Do(
            c => Binary(OpenEdgeOpcode.SAdd, c, even[c], odd[PairStreams.Partner(c)]),
            c => Binary(OpenEdgeOpcode.SSub, c, even[PairStreams.Partner(c)], odd[c]));

        void Store(Dictionary<Cell, ArrayOperation> values)
        {
            ArrayOperation Of(Cell c)
            {
                var points = Stored(c.Column % 2);
                var next = stores + 1 < points.Length ? (points[stores + 1] - points[stores]) * PointStep
                    : ((points[0] - points[stores]) * PointStep) + (_walk.Apart * OutputStep);
                return StoreStream(c, values[c], ((c.Row < _lanes - 1 ? 0 : next) + Lane(c with { Row = (c.Row + 1) % _lanes }) - Lane(c)) * NestView.WordBytes, Output);
            }

            p.Step(cells.Select(Of));
            stores++;
        }

        ArrayOperation Subtract(Cell c, ArrayOperand a, ArrayOperand b, VirtualRegister? to = null) => Binary(OpenEdgeOpcode.SSub, c, a, b, to);
        ArrayOperation Sum(Cell c, ArrayOperand a, ArrayOperand b) => Binary(OpenEdgeOpcode.SAdd, c, a, b);
        ArrayOperation Shift(OpenEdgeOpcode opcode, Cell c, ArrayOperand a, int bits, VirtualRegister? to = null) => Binary(opcode, c, a, ArrayOperand.Immediate, to, bits);

        p.Block("start");
        p.Step(cells.Select(c => LoadStream(c, NestView.WordBytes, address[c], Parameters)));
        if (_walk.Lines > 1)
        {
            p.Set(line, _walk.Lines);
        }

        var lineBlock = p.Block("line");
        p.Set(element, _walk.Elements);
        var elementBlock = p.Block("element");
        var next = _walk.Apart * ElementStep;
        var isFull = _taps > RowTransform.FewestTaps;
        if (_transform == RowTransform.Four)
        {
            Four();
        }
        else
        {
            Two();
        }

        p.LoopWhileNotZero(element, elementBlock);
        p.Block("line end");
        if (_walk.Lines > 1)
        {
            var gap = TileStep - (_walk.Elements * next);
            p.Count(line);
            Hop(gap, gap);
            p.LoopWhileNotZero(line, lineBlock);
        }

        p.Exit(new(0, 0));
        return p.Build();

        void Two()
        {
            Fetch(first, first);
            Hop(2 * _line, isFull ? 2 * _line : 0);
            Fetch(second, second);
            Store(Do(c => Subtract(c, first[c], second[c]), c => Subtract(c, first[c], second[c])));
            p.Count(element);
            var values = Do(c => Move(c, second[c]), c => Move(c, first[c]));
            Store(Join(values, values));
            Hop(next - (2 * _line), next - (isFull ? 2 * _line : 0));
        }

        void Four()
        {
            Fetch(first, first);
            Hop(2 * _line, 2 * _line);
            Fetch(second, second);

            // left: 4 (d0 - d2), right: 4 (d3 - d1)
            var half = Do(c => Subtract(c, first[c], second[c]), c => Subtract(c, second[c], first[c]));
            Do(c => Shift(OpenEdgeOpcode.Sll, c, half[c], 2, first[c]), c => Shift(OpenEdgeOpcode.Sll, c, half[c], 2, first[c]));
            Hop(2 * _line, isFull ? 2 * _line : -2 * _line);
            var newest = Fetch(third, null);

            // 4 d0 - 5 d2 + d4 and 4 d1 - 5 d3 + d5
            var part = Do(c => Subtract(c, newest[c], second[c]), c => Subtract(c, newest[c], second[c]));
            Store(Do(c => Sum(c, part[c], first[c]), c => Subtract(c, part[c], first[c])));

            // d4 - 4 d2 and d3 - 4 d1
            p.Count(element);
            var twice = Do(c => Shift(OpenEdgeOpcode.Sll, c, second[c], 2), c => Sum(c, second[c], second[c]));
            var thrice = Do(c => Subtract(c, third[c], twice[c]), c => Sum(c, twice[c], second[c]));
            var quadruple = Do(_ => null, c => Subtract(c, first[c], thrice[c]));
            Store(Join(thrice, quadruple));

            // d4 - d2 and 2 (d3 - d1)
            var values = Do(c => Subtract(c, third[c], second[c]), c => Shift(OpenEdgeOpcode.Sra, c, first[c], 1));
            Store(Join(values, values));
            Hop(next - (4 * _line), next - (isFull ? 4 * _line : 0));
        }
    }

    /// <summary>How a pair of columns goes through the elements.</summary>
    /// <param name="Lines">Lines of a pair.</param>
    /// <param name="Elements">Elements of a line.</param>
    /// <param name="Apart">From one element to the pair's next.</param>
    /// <param name="LineOfSecond">First line of the second pair.</param>
    /// <param name="ElementOfSecond">Its first element on a line.</param>
    private sealed record Walk(int Lines, int Elements, int Apart, int LineOfSecond, int ElementOfSecond);
}
