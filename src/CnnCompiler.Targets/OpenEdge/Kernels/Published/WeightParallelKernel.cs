using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels.Published;

/// <summary>
/// The published mapping conv-wp (<c>research/openedge_paper.md</c> 1.4): nine cells hold one weight each, rows are taps along the line, columns taps across; a launch adds the products of one
/// input and one output channel to the sums in RAM. Inputs move up a row from position to position, so that a position loads three new ones a step of the window; row 3 holds addresses, column 3
/// adds. Beyond the original: any stride, windows larger than 3x3 in tiles, other sizes than those in its code; the first store of a launch, whose value isn't ready yet in the pipeline, goes to
/// words of the buffer that hold nothing.
/// </summary>
public sealed class WeightParallelKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "conv-wp-cells-are-taps";

    private const int Window = 3;
    private const int SumBytes = Cell.Side * NestView.WordBytes;

    private static readonly Cell[] Taps = [.. Cell.All.Where(c => c is { Row: < Window, Column: < Window })];

    private readonly PublishedLoops _loops;
    private readonly int _unit;
    private readonly int _stride;
    private readonly int _shifts;
    private readonly int _lines;
    private readonly int _pixels;

    /// <summary>Compiles a nest.</summary>
    public WeightParallelKernel(MappedNest nest)
        : base(nest)
    {
        _loops = new(nest);
        (_lines, _pixels) = (_loops.View.Lines, _loops.View.Extent(NestView.Pixel));
        var pixel = _loops.InputStep(NestView.Pixel);
        _unit = _loops.View.Extent(PublishedLoops.Along) > 1 ? _loops.InputStep(PublishedLoops.Along) : pixel;
        _stride = _unit == 0 || pixel == 0 ? 1 : pixel / _unit;
        _shifts = Math.Min(_stride, Window);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _loops.Channels * LaunchesOfChannel;

    /// <inheritdoc/>
    public override int ParameterWords => (Window * (Window + 2)) + 2;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents =>
    [
        (Nest.Output.Target, _loops.SumWords),
        (Nest.Operands[0].Target, _loops.InputWords(Window * Math.Abs(_unit) / NestView.WordBytes)),
    ];

    private int TilesAcross => (_loops.View.Extent(PublishedLoops.Across) + Window - 1) / Window;

    private int TilesAlong => (_loops.View.Extent(PublishedLoops.Along) + Window - 1) / Window;

    private int LaunchesOfChannel => _loops.View.Extent(PublishedLoops.Channel) * TilesAcross * TilesAlong;

    /// <summary>Inputs of a line that are loaded before its first position.</summary>
    private int Ahead => Window - _shifts;

    /// <summary>Bytes that an address moves before the first load of a position.</summary>
    private int FirstMove => (1 + Math.Max(0, _stride - Window)) * _unit;

    /// <summary>True where steps along the line are whole steps of the window.</summary>
    /// <param name="pixel">Elements between positions.</param>
    /// <param name="along">Elements between taps along the line; 0 for a single one.</param>
    /// <param name="positions">Positions of a line, or lines.</param>
    public static bool Fits(long pixel, long along, int positions) =>
        positions <= OpenEdgeInstruction.MaxImmediate && pixel >= 0 && along >= 0 && (along == 0 || pixel % along == 0) && FitsImmediate((Math.Max(along, pixel) + along) * NestView.WordBytes);

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var channel = index / LaunchesOfChannel;
        var (input, tile) = Math.DivRem(index % LaunchesOfChannel, TilesAcross * TilesAlong);
        var (across, along) = (tile / TilesAlong * Window, tile % TilesAlong * Window);
        var lineStep = _lines > 1 ? _loops.Input(data, 1, 0) - _loops.Input(data, 0, 0) : 0;
        var moved = (Ahead + (_pixels * _shifts)) * _unit + (_pixels * Math.Max(0, _stride - Window) * _unit);
        var delta = lineStep - moved;
        var words = new List<uint>();
        var read = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Window; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            for (var row = 0; row < Window; row++)
            {
                words.Add((uint)Weight(data.Constant(Nest.Operands[1].Target), channel, across + column, along + row, input));
            }

            // columns beyond the window read its last line; their weights are 0
            var line = Math.Min(across + column, _loops.View.Extent(PublishedLoops.Across) - 1);
            var first = _loops.Input(data, 0, 0) + (line * _loops.InputStep(PublishedLoops.Across)) + (along * _loops.InputStep(PublishedLoops.Along))
                + (input * _loops.InputStep(PublishedLoops.Channel));
            words.Add((uint)(first - (Ahead > 0 ? _unit : FirstMove) - delta));
            words.Add((uint)delta);
            if (column == 0)
            {
                words.Add((uint)(_loops.Sum(data, channel, 0) - SumBytes));
            }
            else if (column == 1)
            {
                words.Add((uint)data.AddressOf(Nest.Output.Target));
            }
        }

        return new([.. words], read, new LaunchPointer?[Cell.Side]);
    }

    private long Weight(Tensor constant, int channel, int across, int along, int input)
    {
        if (across >= _loops.View.Extent(PublishedLoops.Across) || along >= _loops.View.Extent(PublishedLoops.Along))
        {
            return 0;
        }

        var access = Nest.Operands[1];
        return constant.GetInteger(
            NestView.Base(access) + (channel / Cell.Side * _loops.View.Step(access, NestView.Quad)) + (channel % Cell.Side * _loops.View.Step(access, NestView.Lane))
            + (across * _loops.View.Step(access, PublishedLoops.Across)) + (along * _loops.View.Step(access, PublishedLoops.Along)) + (input * _loops.View.Step(access, PublishedLoops.Channel)));
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        int[] columns = [0, 1, 2];
        var weight = Taps.ToDictionary(c => c, c => Register(c, "weight"));
        var x = Taps.ToDictionary(c => c, c => Register(c, "x"));
        var product = Taps.ToDictionary(c => c, c => Register(c, "product"));
        var address = columns.Select(c => Register(new(3, c), "address")).ToArray();
        var delta = columns.Select(c => Register(new(3, c), "delta")).ToArray();
        var (old, behind, sum) = (Register(new(3, 0), "sums"), Register(new(3, 1), "behind"), Register(new(3, 3), "sum"));
        var (pixel, line) = (Register(new(1, 3), "pixel"), Register(new(2, 3), "line"));

        p.Block("start");
        p.Step(Taps.Select(c => LoadStream(c, NestView.WordBytes, weight[c], "parameters")));
        p.Step(columns.Select(c => LoadStream(new(3, c), NestView.WordBytes, address[c], "parameters")));
        p.Step(columns.Select(c => LoadStream(new(3, c), NestView.WordBytes, delta[c], "parameters")));
        p.Step([LoadStream(new(3, 0), NestView.WordBytes, old, "parameters"), LoadStream(new(3, 1), NestView.WordBytes, behind, "parameters")]);
        p.Set(line, _lines);

        // a new line: inputs are loaded until a position lacks as many as it moves; then ROUT is what the end of a position leaves
        var lineBlock = p.Block("line");
        p.Step(columns.Select(c => Binary(OpenEdgeOpcode.SAdd, new(3, c), address[c], delta[c], address[c])));
        for (var i = 0; i < Ahead; i++)
        {
            Shift(p, x, address, _unit);
        }

        p.Set(pixel, _pixels);
        p.Count(line);
        p.Step([.. Taps.Select(c => Move(c, product[c])), Move(new(3, 3), sum), Move(new(3, 1), behind)]);

        // a position: sums of the one before, stores of the one before that
        var pixelBlock = p.Block("pixel");
        var (total, partial) = Reduce(p, old);
        var (all, added) = AddUp(p, total, partial);
        p.Count(pixel);
        for (var i = 0; i < _shifts; i++)
        {
            Shift(p, x, address, i == 0 ? FirstMove : _unit);
        }

        var next = p.Do(Add(old, old, SumBytes));
        p.Step(Taps.Select(c => Binary(OpenEdgeOpcode.SMul, c, x[c], weight[c], product[c])));
        p.Do(Binary(OpenEdgeOpcode.SAdd, new(3, 3), added, all, sum));
        p.Do(Add(behind, next, -SumBytes));
        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        p.LoopWhileNotZero(line, lineBlock);

        // the last position
        p.Block("end");
        (total, partial) = Reduce(p, old);
        (all, added) = AddUp(p, total, partial);
        var last = p.Do(Move(new(3, 0), old));
        var at = p.Do(Move(new(3, 1), last));
        var result = p.Do(Binary(OpenEdgeOpcode.SAdd, new(3, 3), added, all));
        p.Do(Store(new(3, 2), result, at, "sums"));
        p.Exit(new(0, 0));
        return p.Build();
    }

    /// <summary>Stores the sum before; adds the products of each row; loads the sum so far.</summary>
    private static (ArrayOperation[] Rows, ArrayOperation Partial) Reduce(ArrayProgramBuilder p, VirtualRegister sums)
    {
        int[] rows = [0, 1, 2];
        var right = rows.Select(r => Binary(OpenEdgeOpcode.SAdd, new(r, 2), ArrayOperand.Carried(new(r, 2)), ArrayOperand.Carried(new(r, 1)))).ToArray();
        var left = rows.Select(r => Move(new(r, 3), ArrayOperand.Carried(new(r, 0)))).ToArray();
        var old = Load(new(3, 0), sums, null, "old");
        p.Step([.. right, .. left, old, Store(new(3, 2), ArrayOperand.Carried(new(3, 3)), ArrayOperand.Carried(new(3, 1)), "sums")]);
        var total = rows.Select(r => Binary(OpenEdgeOpcode.SAdd, new(r, 3), left[r], right[r])).ToArray();
        var partial = Move(new(3, 3), old);
        p.Step([.. total, partial]);
        return (total, partial);
    }

    /// <summary>Rows 0 and 1, and the sum so far with row 2.</summary>
    private static (ArrayOperation All, ArrayOperation Added) AddUp(ArrayProgramBuilder p, ArrayOperation[] total, ArrayOperation partial)
    {
        var all = Binary(OpenEdgeOpcode.SAdd, new(0, 3), total[0], total[1]);
        var added = Binary(OpenEdgeOpcode.SAdd, new(3, 3), partial, total[2]);
        p.Step([all, added]);
        return (all, added);
    }

    /// <summary>Inputs move up a row; row 2 loads new ones.</summary>
    private static void Shift(ArrayProgramBuilder p, Dictionary<Cell, VirtualRegister> x, VirtualRegister[] address, int bytes)
    {
        int[] columns = [0, 1, 2];
        var middle = columns.Select(c => Move(new(1, c), x[new(1, c)])).ToArray();
        var bottom = columns.Select(c => Move(new(2, c), x[new(2, c)])).ToArray();
        var from = columns.Select(c => Add(address[c], address[c], bytes)).ToArray();
        p.Step([.. middle, .. bottom, .. from]);
        p.Step([
            .. columns.Select(c => Move(new(0, c), middle[c], x[new(0, c)])),
            .. columns.Select(c => Move(new(1, c), bottom[c], x[new(1, c)])),
            .. columns.Select(c => Load(new(2, c), from[c], x[new(2, c)], "input")),
        ]);
    }
}
