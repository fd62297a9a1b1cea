using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels.Published;

/// <summary>
/// The published mapping im2col-ip (<c>research/openedge_paper.md</c> 1.4): sixteen cells take sixteen neighbouring inputs of the copied window and their weights, and add up over the window; a tree
/// adds the sixteen sums. A launch is one output, its copy of the window included. Beyond the original: any number of taps, filled up to sixteen with weights of 0. All four registers are taken, as
/// there; the loop counter lies in a word behind the sums instead of the vector table, and costs its load and store.
/// </summary>
public sealed class InputParallelKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "im2col-ip-cells-are-inputs";

    /// <summary>Taps that the array takes at once.</summary>
    public const int Group = Cell.Side * Cell.Side;

    private static readonly Cell Counter = new(0, 0);

    private readonly PublishedLoops _loops;
    private readonly PatchCopy _patch;

    /// <summary>Compiles a nest.</summary>
    public InputParallelKernel(MappedNest nest)
        : base(nest)
    {
        _loops = new(nest);
        _patch = new(nest);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => _loops.Channels * _loops.Positions;

    /// <inheritdoc/>
    public override int ParameterWords => (Cell.Side - 1) * (_patch.WordsOfColumn + (2 * Cell.Side));

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [(Nest.Output.Target, _loops.SumWords + 1 + (Steps * Group))];

    private int Steps => (_loops.Taps + Group - 1) / Group;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var (channel, position) = Math.DivRem(index, _loops.Positions);
        var (line, pixel) = Math.DivRem(position, _loops.View.Extent(NestView.Pixel));
        var counter = data.AddressOf(Nest.Output.Target) + (_loops.SumWords * NestView.WordBytes);
        var patch = counter + NestView.WordBytes;
        var input = _loops.Input(data, line, pixel);
        var words = new List<uint>();
        var read = new LaunchPointer?[Cell.Side];
        read[0] = new(false, counter);
        for (var column = 1; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            words.AddRange(_patch.Words(column, input, patch));
            foreach (var first in (ReadOnlySpan<int>)[patch, _loops.Weights(data, channel)])
            {
                for (var row = 0; row < Cell.Side; row++)
                {
                    words.Add((uint)(first + (((row * Cell.Side) + column) * NestView.WordBytes)));
                }
            }
        }

        return new([.. words], read, [new(false, counter), null, null, new(false, _loops.Sum(data, channel, position))]);
    }

    private ArrayProgram Build()
    {
        const int Stride = Group * NestView.WordBytes;
        var p = new ArrayProgramBuilder(Strategy);
        int[] rows = [0, 1, 2, 3];
        var others = Cell.All.Where(c => c.Column > 0).ToArray();
        var address = Cell.All.ToDictionary(c => c, c => Register(c, "address"));
        var weight = Cell.All.ToDictionary(c => c, c => Register(c, "weight"));
        var x = Cell.All.ToDictionary(c => c, c => Register(c, "x"));
        var sum = Cell.All.ToDictionary(c => c, c => Register(c, "sum"));
        _patch.AddTo(p);

        // column 0 has its pointers at the counter: its addresses come from column 1
        p.Block("start");
        foreach (var registers in (ReadOnlySpan<Dictionary<Cell, VirtualRegister>>)[address, weight])
        {
            var loaded = others.ToDictionary(c => c, c => LoadStream(c, NestView.WordBytes, registers[c], "parameters"));
            p.Step(loaded.Values);
            p.Step(rows.Select(r => Add(registers[new(r, 0)], loaded[new(r, 1)], -NestView.WordBytes)));
        }

        var steps = p.Do(Binary(OpenEdgeOpcode.SAdd, Counter, ArrayOperand.Zero, ArrayOperand.Immediate, null, Steps));
        p.Do(StoreStream(Counter, steps, 0, "counter"));
        foreach (var c in Cell.All)
        {
            p.Do(Clear(sum[c]));
        }

        var loop = p.Block("taps");
        p.Step(Cell.All.Select(c => Load(c, address[c], x[c], "patch")));
        var weights = Cell.All.Select(c => Load(c, weight[c], null, "weights")).ToArray();
        p.Step(weights);
        var products = weights.Select(w => Binary(OpenEdgeOpcode.SMul, w.Cell, x[w.Cell], w)).ToArray();
        p.Step(products);
        p.Step(products.Select(m => Binary(OpenEdgeOpcode.SAdd, m.Cell, sum[m.Cell], m, sum[m.Cell])));
        p.Step(Cell.All.Select(c => Add(address[c], address[c], Stride)));
        p.Step(Cell.All.Select(c => Add(weight[c], weight[c], Stride)));
        var count = p.Do(LoadStream(Counter, 0, null, "counter"));
        var left = p.Do(Binary(OpenEdgeOpcode.SAdd, Counter, count, ArrayOperand.Immediate, null, -1));
        p.Step([
            StoreStream(new(1, 0), left, 0, "counter"),
            new() { Cell = Counter, Opcode = OpenEdgeOpcode.Bne, A = left, B = ArrayOperand.Zero, Target = loop },
        ]);

        p.Block("end");
        var all = Cell.All.ToDictionary(c => c, c => Move(c, sum[c]));
        p.Step(all.Values);
        var upper = rows.Select(c => Binary(OpenEdgeOpcode.SAdd, new(0, c), all[new(0, c)], all[new(1, c)])).ToArray();
        var lower = rows.Select(c => Binary(OpenEdgeOpcode.SAdd, new(3, c), all[new(3, c)], all[new(2, c)])).ToArray();
        p.Step([.. upper, .. lower]);
        var column = rows.Select(c => Binary(OpenEdgeOpcode.SAdd, new(3, c), lower[c], upper[c])).ToArray();
        p.Step(column);
        var front = Binary(OpenEdgeOpcode.SAdd, new(3, 0), column[0], column[1]);
        var back = Binary(OpenEdgeOpcode.SAdd, new(3, 3), column[3], column[2]);
        p.Step([front, back]);
        var result = p.Do(Binary(OpenEdgeOpcode.SAdd, new(3, 3), back, front));
        p.Do(StoreStream(new(3, 3), result, NestView.WordBytes, "sums"));
        p.Exit(new(0, 0));
        return p.Build();
    }
}
