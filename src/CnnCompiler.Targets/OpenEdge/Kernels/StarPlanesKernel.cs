using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Adds up what the passes of a <see cref="StarKernel"/> leave side by side, [position][plane][lane][T, H], and takes it apart:
/// low = T - (H + taps) * 2^16, high = H, where taps is the number of cells whose two sums began with 2^15. Columns share the positions (those between
/// lines are done, too), rows are two lanes and their halves; where the nest has more lanes, all of a position's are done before the next.
/// </summary>
public sealed class StarPlanesKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "star-planes-rows-are-lanes";

    /// <summary>Name of the strategy behind cells that are channels: a word is made of a cell of each stream, not of three.</summary>
    public const string PointStrategy = "star-planes-of-channels";

    /// <summary>Planes at most.</summary>
    public const int MostPlanes = 64;

    /// <summary>Planes that are added without a loop.</summary>
    private const int Unrolled = 10;

    private const string Planes = "planes";
    private const string Sums = "sums";
    private const int LaneBits = 16;

    private readonly NestView _view;
    private readonly int _positions;
    private readonly int _planes;

    /// <summary>Compiles a nest.</summary>
    public StarPlanesKernel(MappedNest nest)
        : base(nest)
    {
        _view = new(nest);
        _planes = _view.Extent(PlanesKernel.Plane);
        var pitch = _view.Extent(NestView.Line) == 1 ? _view.Extent(NestView.Pixel) : _view.Step(nest.Output, NestView.Line) / _view.Step(nest.Output, NestView.Pixel);
        _positions = ((_view.Extent(NestView.Line) - 1) * pitch) + _view.Extent(NestView.Pixel);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [];

    private int Share => (_positions + Cell.Side - 1) / Cell.Side;

    /// <summary>Lanes of a nest, two at a time.</summary>
    private int Pairs => (Nest.Guards[0].Bound + StarKernel.PairChannels - 1) / StarKernel.PairChannels;

    /// <summary>True where all channels of a pass can be one nest: their sums lie side by side, and a constant leads from those of a position to those of the next.</summary>
    /// <param name="strategy">Strategy of the passes.</param>
    /// <param name="pixel">Words between the sums of neighbouring positions.</param>
    public static bool IsNear(string strategy, int pixel) => strategy == StarKernel.PointStrategy && FitsImmediate(pixel * (long)NestView.WordBytes);

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        // where the columns aren't filled, neighbours do some positions twice
        LaunchPointer? At(MappedAccess access, int column) => new(
            false, data.AddressOf(access.Target) + ((NestView.Base(access) + (Math.Min(column * Share, Math.Max(0, _positions - Share)) * _view.Step(access, NestView.Pixel))) * NestView.WordBytes));
        var columns = Enumerable.Range(0, Cell.Side);
        return new([], [.. columns.Select(c => At(Nest.Operands[0], c))], [.. columns.Select(c => At(Nest.Output, c))]);
    }

    private ArrayProgram Build()
    {
        // cells whose sums make up a word
        var taps = StarPlan.Streams * (Nest.Kernel == PointStrategy ? 1 : StarKernel.Taps);
        var p = new ArrayProgramBuilder(Nest.Kernel);
        var cells = Cell.All.ToArray();
        var sum = cells.Select(c => Register(c, "sum")).ToArray();
        var position = Register(new(0, 0), "position");
        var (half, lane, pixel) = (_view.Step(Nest.Output, NestView.OuterLine), _view.Step(Nest.Output, NestView.Lane), _view.Step(Nest.Output, NestView.Pixel));

        // four words of a plane, the same of the next one; behind the last plane those of the next lanes, or the first ones of the next position
        var planes = Nest.Operands[0];
        var (planeStep, place) = (_view.Step(planes, PlanesKernel.Plane), _view.Step(planes, NestView.Pixel));
        var next = Pairs > 1 ? Cell.Side : place;
        int Increment(Cell cell, int plane) => NestView.WordBytes * (cell.Row < Cell.Side - 1 ? 1
            : (plane < _planes - 1 ? planeStep : next - ((_planes - 1) * planeStep)) - (Cell.Side - 1));
        void Store(int to)
        {
            int[] offsets = [0, half, lane, lane + half, to];
            p.Step(cells.Select(c => StoreStream(c, sum[c.Index], (offsets[c.Row + 1] - offsets[c.Row]) * NestView.WordBytes, Sums)));
        }

        var pair = Register(new(0, 1), "pair");
        var loop = Later("position");
        var store = Later("store");
        p.Block("start");
        p.Set(position, Share);
        if (Pairs > 1)
        {
            p.Set(pair, Pairs);
            p.LoopWhileNotZero(pair, loop);

            p.Begin(store);
            Store(StarKernel.PairChannels * lane);
        }

        p.Begin(loop);
        p.Step(cells.Select(c => LoadStream(c, Increment(c, 0), sum[c.Index], Planes)));
        p.Count(Pairs > 1 ? pair : position);
        void AddPlane(int plane)
        {
            ArrayOperation[] loaded = [.. cells.Select(c => LoadStream(c, Increment(c, plane), null, Planes))];
            p.Step(loaded);
            p.Step(cells.Select(c => Binary(OpenEdgeOpcode.SAdd, c, sum[c.Index], loaded[c.Index], sum[c.Index])));
        }

        PlanesKernel.AddRest(p, _planes, Unrolled, AddPlane);

        var highs = cells.Where(c => c.Row % 2 != 0).ToArray();
        ArrayOperation[] counted = [.. highs.Select(c => Binary(OpenEdgeOpcode.SAdd, c, sum[c.Index], ArrayOperand.Immediate, null, taps * _planes))];
        p.Step(counted);
        ArrayOperation[] shifted = [.. counted.Select(o => Binary(OpenEdgeOpcode.Sll, o.Cell, o, ArrayOperand.Immediate, null, LaneBits))];
        p.Step(shifted);
        p.Step(shifted.Select(o =>
        {
            var low = o.Cell with { Row = o.Cell.Row - 1 };
            return Binary(OpenEdgeOpcode.SSub, low, sum[low.Index], o, sum[low.Index]);
        }));
        if (Pairs > 1)
        {
            p.LoopWhileNotZero(pair, store);
            p.Block("last lanes");
            p.Set(pair, Pairs);
            p.Count(position);
        }

        Store(pixel - ((Pairs - 1) * StarKernel.PairChannels * lane));
        if (place - (Pairs * Cell.Side) is > 0 and var rest && Pairs > 1)
        {
            p.Step(cells.Where(c => c.Row == 0).Select(c => LoadStream(c, rest * NestView.WordBytes, null, Planes)));
        }

        p.LoopWhileNotZero(position, loop);
        p.Exit(new(0, 1));
        return p.Build();
    }
}
