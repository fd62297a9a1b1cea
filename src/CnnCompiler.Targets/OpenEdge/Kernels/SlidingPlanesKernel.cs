using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Adds up what the passes of a <see cref="SlidingKernel"/> leave side by side: [position][plane][sixteen channels] becomes [position][channel], modulo 2^32. The
/// sixteen cells are the channels; positions are one walk over all lines, those between the lines included.
/// </summary>
public sealed class SlidingPlanesKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "slide-planes-cells-are-channels";

    /// <summary>Planes that are added without a loop.</summary>
    private const int Unrolled = 12;

    private const string Planes = "planes";
    private const string Sums = "sums";

    private readonly int _planes;
    private readonly int _positions;

    /// <summary>Words between neighbouring positions of the sums.</summary>
    private readonly int _pitch;

    /// <summary>Compiles a nest.</summary>
    public SlidingPlanesKernel(MappedNest nest)
        : base(nest)
    {
        var view = new NestView(nest);
        _planes = view.Extent(PlanesKernel.Plane);
        string[] loops = [NestView.OuterLine, NestView.Line, NestView.Pixel];
        var walk = _planes * SlidingKernel.Channels;
        _positions = 1 + (loops.Sum(l => (view.Extent(l) - 1) * view.Step(nest.Operands[0], l)) / walk);
        _pitch = loops.Where(l => view.Extent(l) > 1).Select(l => view.Step(nest.Output, l) / (view.Step(nest.Operands[0], l) / walk)).FirstOrDefault(SlidingKernel.Channels);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [(Nest.Output.Target, NestView.Base(Nest.Output) + ((_positions - 1) * _pitch) + SlidingKernel.Channels)];

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        LaunchPointer?[] Pointers(MappedAccess access) => [.. Enumerable.Range(0, Cell.Side).Select(column => (LaunchPointer?)new LaunchPointer(
            false, data.AddressOf(access.Target) + ((NestView.Base(access) + column) * NestView.WordBytes)))];
        return new([], Pointers(Nest.Operands[0]), Pointers(Nest.Output));
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var cells = Cell.All.ToArray();
        var sum = cells.Select(c => Register(c, "sum")).ToArray();
        var (position, plane) = (Register(new(0, 0), "position"), Register(new(1, 1), "plane"));

        // planes and positions follow each other without a gap
        ArrayOperation[] Load(bool first)
        {
            ArrayOperation[] loads = [.. cells.Select(c => LoadStream(c, Cell.Side * NestView.WordBytes, first ? sum[c.Index] : null, Planes))];
            p.Step(loads);
            return loads;
        }

        void AddPlane()
        {
            var loaded = Load(first: false);
            p.Step(cells.Select(c => Binary(OpenEdgeOpcode.SAdd, c, sum[c.Index], loaded[c.Index], sum[c.Index])));
        }

        p.Block("start");
        p.Set(position, _positions);

        var positionBlock = p.Block("position");
        Load(first: true);
        p.Count(position);
        if (_planes <= Unrolled)
        {
            for (var i = 1; i < _planes; i++)
            {
                AddPlane();
            }
        }
        else
        {
            p.Set(plane, _planes - 1);
            var planeBlock = p.Block("plane");
            AddPlane();
            p.Count(plane);
            p.LoopWhileNotZero(plane, planeBlock);
        }

        p.Block("position end");
        var next = _pitch - ((Cell.Side - 1) * Cell.Side);
        p.Step(cells.Select(c => StoreStream(c, sum[c.Index], (c.Row < Cell.Side - 1 ? Cell.Side : next) * NestView.WordBytes, Sums)));
        p.LoopWhileNotZero(position, positionBlock);
        p.Exit(new(0, 1));
        return p.Build();
    }
}
