using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Reductions in which every channel reads its own inputs: depthwise convolution (sum of products with one weight a channel and tap), sums and
/// maxima of pooling windows. Columns of the array are four channels, rows four neighbouring positions of a line; every cell loads its own
/// activation. One launch computes four channels at all positions: operand 0 is the activation (one element a word), operand 1 the weights of a
/// depthwise convolution, the output the accumulators [quad][line][pixel, rounded up to 4][lane].
/// </summary>
public sealed class WindowKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "window-columns-are-channels";

    private const string Parameters = "parameters";
    private const string Weights = "weights";
    private const string Input = "input";
    private const string Sums = "sums";

    private readonly NestView _view;
    private readonly TapSchedule _taps;
    private readonly int _groupsOfPixels;

    /// <summary>Compiles a nest.</summary>
    public WindowKernel(MappedNest nest)
        : base(nest)
    {
        _view = new(nest);
        _taps = new(_view, nest.Operands[0]);
        _groupsOfPixels = (_view.Extent(NestView.Pixel) + Cell.Side - 1) / Cell.Side;
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _view.Extent(NestView.Quad);

    /// <inheritdoc/>
    public override int ParameterWords => (Cell.Side * ColumnWords) + _taps.Starts.Count + (HasWeights ? Cell.Side * _taps.Taps : 0);

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents
    {
        get
        {
            var input = Nest.Operands[0];
            var last = NestView.Base(input) + Enumerable.Range(0, _view.Lines).Max(l => _view.LineOffset(input, l))
                + (((_groupsOfPixels * Cell.Side) - 1) * _view.Step(input, NestView.Pixel))
                + (((Launches * Cell.Side) - 1) * _view.Step(input, NestView.Lane))
                + _taps.Starts.Max() + ((_taps.Length - 1) * _taps.Stride);
            return
            [
                (input.Target, last + 1),
                (Nest.Output.Target, Launches * _view.Lines * _groupsOfPixels * Cell.Side * Cell.Side),
            ];
        }
    }

    private bool HasWeights => Nest.Operands.Count > 1;

    private bool IsMaximum => Nest.Reduce == GconvReduction.Maximum;

    /// <summary>A column's own words: table of deltas, base of its weights, then for every line the first address of each row.</summary>
    private int ColumnWords => (HasWeights ? 2 : 1) + (_view.Lines * Cell.Side);

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var words = new List<uint>();
        var table = parameters + (Cell.Side * ColumnWords * NestView.WordBytes);
        var weights = table + (_taps.Starts.Count * NestView.WordBytes);
        var input = Nest.Operands[0];
        var pixelStep = _view.Step(input, NestView.Pixel);
        var deltas = _taps.Deltas(Cell.Side * pixelStep).ToArray();
        var read = new LaunchPointer?[Cell.Side];
        var write = new LaunchPointer?[Cell.Side];
        var sums = data.AddressOf(Nest.Output.Target) + ((NestView.Base(Nest.Output) + (index * _view.Step(Nest.Output, NestView.Quad))) * NestView.WordBytes);
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            write[column] = new(false, sums + (column * NestView.WordBytes));
            words.Add((uint)table);
            if (HasWeights)
            {
                words.Add((uint)(weights + (column * _taps.Taps * NestView.WordBytes) - NestView.WordBytes));
            }

            var first = NestView.Base(input) + (index * _view.Step(input, NestView.Quad)) + (column * _view.Step(input, NestView.Lane));
            for (var line = 0; line < _view.Lines; line++)
            {
                for (var row = 0; row < Cell.Side; row++)
                {
                    var element = first + _view.LineOffset(input, line) + (row * pixelStep);
                    words.Add((uint)(data.AddressOf(input.Target) + (element * NestView.WordBytes) - deltas[0]));
                }
            }
        }

        words.AddRange(deltas.Select(d => (uint)d));
        if (HasWeights)
        {
            for (var column = 0; column < Cell.Side; column++)
            {
                words.AddRange(ChannelWeights((index * Cell.Side) + column, index, column, data));
            }
        }

        return new([.. words], read, write);
    }

    private IEnumerable<uint> ChannelWeights(int channel, int quad, int lane, IKernelData data)
    {
        if (channel >= Nest.Guards[0].Bound)
        {
            return Enumerable.Repeat(0u, _taps.Taps);
        }

        var access = Nest.Operands[1];
        var start = NestView.Base(access) + (quad * _view.Step(access, NestView.Quad)) + (lane * _view.Step(access, NestView.Lane));
        return _view.Taps(access, start, data.Constant(access.Target));
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        var address = Cell.All.ToDictionary(c => c, c => Register(c, "address"));
        var x = Cell.All.ToDictionary(c => c, c => Register(c, "x"));
        var sum = Cell.All.ToDictionary(c => c, c => Register(c, "sum"));
        var weight = columns.Select(c => Register(new(0, c), "weight")).ToArray();
        var table = columns.Select(c => Register(new(1, c), "table")).ToArray();
        var weightBase = columns.Select(c => Register(new(3, c), "weightBase")).ToArray();
        var tap = Register(new(2, 0), "tap");
        var segment = Register(new(2, 1), "segment");
        var pixel = Register(new(2, 2), "pixel");
        var line = Register(new(2, 3), "line");

        p.Block("start");
        p.Step(columns.Select(c => LoadStream(new(1, c), NestView.WordBytes, table[c], Parameters)));
        if (HasWeights)
        {
            p.Step(columns.Select(c => LoadStream(new(3, c), NestView.WordBytes, weightBase[c], Parameters)));
        }

        p.Set(line, _view.Lines);

        var lineBlock = p.Block("line");
        p.Step(Cell.All.Select(c => LoadStream(c, NestView.WordBytes, address[c], Parameters)));
        p.Set(pixel, _groupsOfPixels);
        p.Count(line);

        var pixelBlock = p.Block("pixel");
        if (HasWeights)
        {
            var bases = columns.Select(c => Move(new(3, c), weightBase[c])).ToArray();
            p.Step(bases);
            p.Step(columns.Select(c => Move(new(0, c), bases[c], weight[c])));
        }

        foreach (var c in Cell.All)
        {
            p.Do(IsMaximum ? Binary(OpenEdgeOpcode.SAdd, c, ArrayOperand.Zero, ArrayOperand.Immediate, sum[c], sbyte.MinValue) : Clear(sum[c]));
        }

        p.Set(segment, _taps.Starts.Count);
        p.Count(pixel);

        var segmentBlock = p.Block("segment");
        var delta = columns.Select(c => Load(new(1, c), table[c], null, Parameters)).ToArray();
        p.Step(delta);
        var copy = columns.Select(c => Move(new(0, c), delta[c])).ToArray();
        p.Step([.. copy, .. columns.Select(c => Binary(OpenEdgeOpcode.SAdd, new(2, c), address[new(2, c)], delta[c], address[new(2, c)]))]);
        p.Step(
        [
            .. columns.Select(c => Binary(OpenEdgeOpcode.SAdd, new(3, c), address[new(3, c)], copy[c], address[new(3, c)])),
            .. columns.Select(c => Binary(OpenEdgeOpcode.SAdd, new(0, c), address[new(0, c)], copy[c], address[new(0, c)])),
            .. columns.Select(c => Binary(OpenEdgeOpcode.SAdd, new(1, c), address[new(1, c)], delta[c], address[new(1, c)])),
        ]);
        p.Step(columns.Select(c => Add(table[c], table[c], NestView.WordBytes)));
        p.Set(tap, _taps.Length);
        p.Count(segment);

        var tapBlock = p.Block("tap");
        var stride = _taps.Stride * NestView.WordBytes;
        if (HasWeights)
        {
            BuildProducts(p, columns, address, x, sum, weight, stride);
        }
        else if (IsMaximum)
        {
            p.Step(Cell.All.Select(c => Load(c, address[c], x[c], Input)));
            var difference = Cell.All.Select(c => Binary(OpenEdgeOpcode.SSub, c, sum[c], x[c])).ToArray();
            p.Step(difference);
            p.Step(difference.Select(d => SelectOnSign(d.Cell, d, x[d.Cell], sum[d.Cell], sum[d.Cell])));
            p.Step(Cell.All.Select(c => Add(address[c], address[c], stride)));
        }
        else
        {
            var loads = Cell.All.Select(c => Load(c, address[c], null, Input)).ToArray();
            p.Step(loads);
            p.Step(loads.Select(l => Binary(OpenEdgeOpcode.SAdd, l.Cell, sum[l.Cell], l, sum[l.Cell])));
            p.Step(Cell.All.Select(c => Add(address[c], address[c], stride)));
        }

        p.Count(tap);
        p.LoopWhileNotZero(tap, tapBlock);

        p.Block("segment end");
        p.LoopWhileNotZero(segment, segmentBlock);

        p.Block("pixel end");
        p.Step(Cell.All.Select(c => StoreStream(c, sum[c], Cell.Side * NestView.WordBytes, Sums)));
        foreach (var c in columns)
        {
            p.Advance(table[c], -_taps.Starts.Count * NestView.WordBytes);
        }

        p.LoopWhileNotZero(pixel, pixelBlock);

        p.Block("line end");
        p.LoopWhileNotZero(line, lineBlock);
        p.Exit(new(0, 0));
        return p.Build();
    }

    /// <summary>One tap of a depthwise convolution: the weight of each column is loaded in row 0 and spreads down the column.</summary>
    private static void BuildProducts(
        ArrayProgramBuilder p,
        int[] columns,
        Dictionary<Cell, VirtualRegister> address,
        Dictionary<Cell, VirtualRegister> x,
        Dictionary<Cell, VirtualRegister> sum,
        VirtualRegister[] weight,
        int stride)
    {
        p.Step(Cell.All.Select(c => Load(c, address[c], x[c], Input)));
        p.Step(columns.Select(c => Add(weight[c], weight[c], NestView.WordBytes)));
        p.Step(Cell.All.Where(c => c.Row > 0).Select(c => Add(address[c], address[c], stride)));
        var loaded = columns.Select(c => Load(new(0, c), weight[c], null, Weights)).ToArray();
        p.Step(loaded);
        var products = p.SpreadDownColumns(loaded).Select(w => Binary(OpenEdgeOpcode.SMul, w.Cell, x[w.Cell], w)).ToArray();
        p.Step(products);
        p.Step(products.Select(m => Binary(OpenEdgeOpcode.SAdd, m.Cell, sum[m.Cell], m, sum[m.Cell])));
        p.Step(columns.Select(c => Add(address[new(0, c)], address[new(0, c)], stride)));
    }
}
