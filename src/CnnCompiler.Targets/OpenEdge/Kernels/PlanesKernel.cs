using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Adds up the partial sums that the passes of a <see cref="DirectKernel"/> leave side by side: [line][position][plane][lane] becomes
/// [line][position][lane], modulo 2^32. Columns share the positions, rows are lanes; both sides are read and written without a gap.
/// </summary>
public sealed class PlanesKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "planes-rows-are-lanes";

    /// <summary>The reduced loop.</summary>
    public const string Plane = "plane";

    /// <summary>Planes that are added without a loop.</summary>
    private const int Unrolled = 12;

    private const string Planes = "planes";
    private const string Sums = "sums";

    private readonly int _positions;
    private readonly int _planes;

    /// <summary>Compiles a nest.</summary>
    public PlanesKernel(MappedNest nest)
        : base(nest)
    {
        var view = new NestView(nest);
        _positions = view.Lines * view.Extent(NestView.Pixel);
        _planes = view.Extent(Plane);
        Program = Adding(Strategy, Share, _planes, 1, _ => 1);
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

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        // where the columns aren't filled, neighbours do some positions twice
        LaunchPointer? At(MappedAccess access, int column, int words) => new(
            false, data.AddressOf(access.Target) + ((NestView.Base(access) + (Math.Min(column * Share, _positions - Share) * words)) * NestView.WordBytes));
        var columns = Enumerable.Range(0, Cell.Side);
        return new(
            [],
            [.. columns.Select(c => At(Nest.Operands[0], c, _planes * Cell.Side))],
            [.. columns.Select(c => At(Nest.Output, c, Cell.Side))]);
    }

    /// <summary>Code that adds planes which follow each other without a gap, position by position.</summary>
    /// <param name="name">Name of the kernel.</param>
    /// <param name="positions">Positions of a column.</param>
    /// <param name="planes">Planes.</param>
    /// <param name="loaded">Words from a load of a column to the next one.</param>
    /// <param name="stored">Words from a cell's sum to the next one of its column.</param>
    internal static ArrayProgram Adding(string name, int positions, int planes, int loaded, Func<Cell, int> stored)
    {
        var p = new ArrayProgramBuilder(name);
        var cells = Cell.All.ToArray();
        var sum = cells.Select(c => Register(c, "sum")).ToArray();
        var (position, plane) = (Register(new(0, 0), "position"), Register(new(1, 1), "plane"));
        ArrayOperation[] Load(bool first)
        {
            ArrayOperation[] loads = [.. cells.Select(c => LoadStream(c, loaded * NestView.WordBytes, first ? sum[c.Index] : null, Planes))];
            p.Step(loads);
            return loads;
        }

        void AddPlane()
        {
            var words = Load(first: false);
            p.Step(cells.Select(c => Binary(OpenEdgeOpcode.SAdd, c, sum[c.Index], words[c.Index], sum[c.Index])));
        }

        p.Block("start");
        p.Set(position, positions);

        var positionBlock = p.Block("position");
        Load(first: true);
        p.Count(position);
        if (planes <= Unrolled)
        {
            for (var i = 1; i < planes; i++)
            {
                AddPlane();
            }
        }
        else
        {
            p.Set(plane, planes - 1);
            var planeBlock = p.Block("plane");
            AddPlane();
            p.Count(plane);
            p.LoopWhileNotZero(plane, planeBlock);
        }

        p.Block("position end");
        p.Step(cells.Select(c => StoreStream(c, sum[c.Index], stored(c) * NestView.WordBytes, Sums)));
        p.LoopWhileNotZero(position, positionBlock);
        p.Exit(new(0, 1));
        return p.Build();
    }

    /// <summary>Adds all planes but the first to it, few of them one by one, many in a loop; the last one leads to the next position.</summary>
    /// <param name="p">Where the code goes.</param>
    /// <param name="planes">Planes.</param>
    /// <param name="unrolled">Planes that are added without a loop.</param>
    /// <param name="addPlane">Adds a plane.</param>
    internal static void AddRest(ArrayProgramBuilder p, int planes, int unrolled, Action<int> addPlane)
    {
        if (planes <= unrolled)
        {
            for (var plane = 1; plane < planes; plane++)
            {
                addPlane(plane);
            }

            return;
        }

        var left = Register(new(1, 1), "planes");
        p.Set(left, planes - 2);
        var block = p.Block("plane");
        addPlane(1);
        p.Count(left);
        p.LoopWhileNotZero(left, block);
        p.Block("last plane");
        addPlane(planes - 1);
    }
}
