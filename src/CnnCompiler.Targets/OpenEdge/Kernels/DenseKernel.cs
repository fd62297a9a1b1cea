using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Multiply-accumulate where each weight is used once (fully connected): the sixteen cells are sixteen output channels, their weights stream
/// through the read pointers in the order of use, and row 0 loads the input of every tap. One launch computes sixteen channels of one line:
/// operand 0 is the input, contiguous along the one reduced loop, operand 1 the weights, the output the accumulators [quad][line][lane].
/// </summary>
public sealed class DenseKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "dense-cells-are-channels";

    private const string Parameters = "parameters";
    private const string Input = "input";
    private const string Sums = "sums";

    private readonly NestView _view;
    private readonly int _taps;

    /// <summary>Compiles a nest.</summary>
    public DenseKernel(MappedNest nest)
        : base(nest)
    {
        _view = new(nest);
        _taps = _view.Reduced.Aggregate(1, (n, l) => n * l.Extent);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _view.Lines * Blocks;

    /// <inheritdoc/>
    public override int ParameterWords => Cell.Side * (1 + (Cell.Side * _taps));

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [(Nest.Output.Target, Blocks * Cell.Side * _view.Lines * Cell.Side)];

    /// <summary>Blocks of sixteen channels.</summary>
    private int Blocks => (_view.Extent(NestView.Quad) + Cell.Side - 1) / Cell.Side;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var (line, block) = (index / Blocks, index % Blocks);
        var (input, weightAccess) = (Nest.Operands[0], Nest.Operands[1]);
        var weights = data.Constant(weightAccess.Target);
        var reduced = _view.Reduced.Last().Name;
        var (quadStep, laneStep, tapStep) = (_view.Step(weightAccess, NestView.Quad), _view.Step(weightAccess, NestView.Lane), _view.Step(weightAccess, reduced));
        var words = new List<uint>(ParameterWords);
        var read = new LaunchPointer?[Cell.Side];
        var write = new LaunchPointer?[Cell.Side];
        for (var column = 0; column < Cell.Side; column++)
        {
            var quad = (block * Cell.Side) + column;
            read[column] = new(true, words.Count * NestView.WordBytes);
            write[column] = new(
                false,
                data.AddressOf(Nest.Output.Target)
                    + ((NestView.Base(Nest.Output) + (quad * _view.Step(Nest.Output, NestView.Quad)) + _view.LineOffset(Nest.Output, line)) * NestView.WordBytes));
            words.Add((uint)(data.AddressOf(input.Target) + ((NestView.Base(input) + _view.LineOffset(input, line) - 1) * NestView.WordBytes)));
            for (var tap = 0; tap < _taps; tap++)
            {
                for (var lane = 0; lane < Cell.Side; lane++)
                {
                    words.Add((quad * Cell.Side) + lane < Nest.Guards[0].Bound
                        ? (uint)weights.GetInteger(NestView.Base(weightAccess) + (quad * quadStep) + (lane * laneStep) + (tap * tapStep))
                        : 0u);
                }
            }
        }

        return new([.. words], read, write);
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var columns = Enumerable.Range(0, Cell.Side).ToArray();
        var address = columns.Select(c => Register(new(0, c), "address")).ToArray();
        var weight = Cell.All.ToDictionary(c => c, c => Register(c, "weight"));
        var sum = Cell.All.ToDictionary(c => c, c => Register(c, "sum"));
        var tap = Register(new(2, 0), "tap");

        p.Block("start");
        p.Step(columns.Select(c => LoadStream(new(0, c), NestView.WordBytes, address[c], Parameters)));
        p.Set(tap, _taps);

        var tapBlock = p.Block("tap");
        p.Step(Cell.All.Select(c => LoadStream(c, NestView.WordBytes, weight[c], Parameters)));
        p.Step(columns.Select(c => Add(address[c], address[c], NestView.WordBytes)));
        p.Count(tap);
        var first = columns.Select(c => Load(new(0, c), address[c], null, Input)).ToArray();
        p.Step(first);
        var products = p.SpreadDownColumns(first).Select(x => Binary(OpenEdgeOpcode.SMul, x.Cell, weight[x.Cell], x)).ToArray();
        p.Step(products);
        p.Step(products.Select(m => Binary(OpenEdgeOpcode.SAdd, m.Cell, sum[m.Cell], m, sum[m.Cell])));
        p.LoopWhileNotZero(tap, tapBlock);

        p.Block("end");
        p.Step(Cell.All.Select(c => StoreStream(c, sum[c], NestView.WordBytes, Sums)));
        p.Exit(new(0, 0));
        return p.Build();
    }
}
