using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels.Published;

/// <summary>
/// The published mappings conv-op and im2col-op (<c>research/openedge_paper.md</c> 1.4): sixteen cells are sixteen output channels, a launch is one position. Each cell loads its own weights; row 0
/// loads an input and passes it on. Beyond the originals: groups of sixteen channels, the last one not whole; loop counters in registers that the originals leave unused, or would, had they
/// not kept them in the vector table.
/// </summary>
public sealed class ChannelParallelKernel : NestKernel
{
    /// <summary>conv-op: a loop over the runs of neighbouring inputs of the window, one over a run.</summary>
    public const string Strategy = "conv-op-cells-are-channels";

    /// <summary>im2col-op: one loop over a copy of the window.</summary>
    public const string PatchStrategy = "im2col-op-cells-are-channels";

    private const int Group = Cell.Side * Cell.Side;

    private readonly PublishedLoops _loops;
    private readonly TapSchedule _taps;
    private readonly PatchCopy? _patch;

    /// <summary>Compiles a nest.</summary>
    public ChannelParallelKernel(MappedNest nest)
        : base(nest)
    {
        _loops = new(nest);
        _taps = new(_loops.View, nest.Operands[0]);
        _patch = nest.Kernel == PatchStrategy ? new(nest) : null;
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => (_loops.Channels + Group - 1) / Group * _loops.Positions;

    /// <inheritdoc/>
    public override int ParameterWords => Cell.Side * ((2 * Cell.Side) + 1 + (_patch?.WordsOfColumn ?? _taps.Starts.Count));

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [(Nest.Output.Target, Spare + 1 + _loops.Taps)];

    /// <summary>Word behind the sums that takes those of channels that there aren't; the copy of the window lies behind it.</summary>
    private int Spare => _loops.SumWords;

    private int Segments => _patch is null ? _taps.Starts.Count : 1;

    private int SegmentLength => _patch is null ? _taps.Length : _taps.Taps;

    private int SegmentStride => (_patch is null ? _taps.Stride : 1) * NestView.WordBytes;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var (group, position) = Math.DivRem(index, _loops.Positions);
        var (line, pixel) = Math.DivRem(position, _loops.View.Extent(NestView.Pixel));
        var spare = data.AddressOf(Nest.Output.Target) + (Spare * NestView.WordBytes);
        var patch = spare + NestView.WordBytes;
        var input = _loops.Input(data, line, pixel);
        var words = new List<uint>();
        var read = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            words.AddRange(_patch?.Words(column, input, patch) ?? []);
            for (var row = 0; row < Cell.Side; row++)
            {
                words.Add((uint)_loops.Weights(data, Math.Min(Channel(group, row, column), _loops.Channels - 1)));
            }

            words.Add((uint)(_patch is null ? input : patch));
            var behind = 0;
            for (var i = 0; _patch is null && i < Segments; i++)
            {
                words.Add((uint)((_taps.Starts[i] - behind) * NestView.WordBytes));
                behind = _taps.Starts[i] + (_taps.Length * _taps.Stride);
            }

            for (var row = 0; row < Cell.Side; row++)
            {
                var channel = Channel(group, row, column);
                words.Add((uint)(channel < _loops.Channels ? _loops.Sum(data, channel, position) : spare));
            }
        }

        return new([.. words], read, new LaunchPointer?[Cell.Side]);
    }

    private static int Channel(int group, int row, int column) => (group * Group) + (row * Cell.Side) + column;

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Nest.Kernel);
        int[] columns = [0, 1, 2, 3];
        var weight = Cell.All.ToDictionary(c => c, c => Register(c, "weight"));
        var x = Cell.All.ToDictionary(c => c, c => Register(c, "x"));
        var sum = Cell.All.ToDictionary(c => c, c => Register(c, "sum"));
        var output = Cell.All.ToDictionary(c => c, c => Register(c, "output"));
        var address = columns.Select(c => Register(new(0, c), "address")).ToArray();
        var (tap, segment) = (Register(new(2, 3), "tap"), Register(new(3, 3), "segment"));
        _patch?.AddTo(p);

        p.Block("start");
        p.Step(Cell.All.Select(c => LoadStream(c, NestView.WordBytes, weight[c], "parameters")));
        p.Step(columns.Select(c => LoadStream(new(0, c), NestView.WordBytes, address[c], "parameters")));
        foreach (var c in Cell.All)
        {
            p.Do(Clear(sum[c]));
        }

        p.Set(segment, Segments);
        var segmentBlock = p.Block("segment");
        if (_patch is null)
        {
            var delta = columns.Select(c => LoadStream(new(1, c), NestView.WordBytes, null, "parameters")).ToArray();
            p.Step(delta);
            p.Step(columns.Select(c => Binary(OpenEdgeOpcode.SAdd, new(0, c), address[c], delta[c], address[c])));
        }

        p.Set(tap, SegmentLength);
        p.Count(segment);

        var tapBlock = p.Block("tap");
        var loaded = columns.Select(c => Load(new(0, c), address[c], x[new(0, c)], _patch is null ? "input" : "patch")).ToArray();
        p.Step(loaded);
        p.SpreadDownColumns(loaded, c => x[c]);
        p.Count(tap);
        p.Step(columns.Select(c => Add(address[c], address[c], SegmentStride)));
        var weights = Cell.All.Select(c => Load(c, weight[c], null, "weights")).ToArray();
        p.Step(weights);
        var products = weights.Select(w => Binary(OpenEdgeOpcode.SMul, w.Cell, x[w.Cell], w)).ToArray();
        p.Step(products);
        p.Step(products.Select(m => Binary(OpenEdgeOpcode.SAdd, m.Cell, sum[m.Cell], m, sum[m.Cell])));
        p.Step(Cell.All.Select(c => Add(weight[c], weight[c], NestView.WordBytes)));
        p.LoopWhileNotZero(tap, tapBlock);

        if (Segments > 1)
        {
            p.Block("segment end");
            p.LoopWhileNotZero(segment, segmentBlock);
        }

        p.Block("end");
        p.Step(Cell.All.Select(c => LoadStream(c, NestView.WordBytes, output[c], "parameters")));
        p.Step(Cell.All.Select(c => Store(c, sum[c], output[c], "sums")));
        p.Exit(new(0, 0));
        return p.Build();
    }
}
