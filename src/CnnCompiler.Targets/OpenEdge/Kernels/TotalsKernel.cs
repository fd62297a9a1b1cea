using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Sums of a window that has a single position, as pools over a whole map have: the sixteen cells are sixteen channels, each walks all taps. Operands as
/// <see cref="WindowKernel"/>. A launch is sixteen channels; cells beyond the last channel do the last one again.
/// </summary>
public sealed class TotalsKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "totals-cells-are-channels";

    /// <summary>Loops over taps at most, those that continue each other counted as one.</summary>
    private const int MostLoops = 2;

    /// <summary>Increments of an address in a step of a loop at most.</summary>
    private const int MostIncrements = 3;

    private const int Cells = Cell.Side * Cell.Side;
    private const string Parameters = "parameters";
    private const string Input = "input";
    private const string Sums = "sums";

    private readonly NestView _view;

    /// <summary>Compiles a nest.</summary>
    public TotalsKernel(MappedNest nest)
        : base(nest)
    {
        _view = new(nest);
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => (Channels + Cells - 1) / Cells;

    /// <inheritdoc/>
    public override int ParameterWords => 2 * Cells;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [];

    private int Channels => Nest.Guards[0].Bound;

    /// <summary>True where a nest is a sum at one position over taps that few loops walk.</summary>
    public static bool Fits(MappedNest nest)
    {
        var view = new NestView(nest);
        return nest.Reduce == GconvReduction.Add && nest.Operands.Count == 1 && nest.Term is ScalarExtra { Index: 0 } && nest.Guards.Count == 1
            && view.Extent(NestView.Group) * view.Lines * view.Extent(NestView.Pixel) == 1
            && Taps(nest) is { Count: <= MostLoops } taps
            && (taps.Count < 1 || IsNear(taps[0].Step)) && (taps.Count < MostLoops || IsNear(taps[1].Step - ((long)taps[0].Extent * taps[0].Step)));
    }

    private static bool IsNear(long words) => Math.Abs(words) * NestView.WordBytes <= MostIncrements * OpenEdgeInstruction.MaxImmediate;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var words = new uint[ParameterWords];
        var read = new LaunchPointer?[Cell.Side];
        foreach (var cell in Cell.All)
        {
            // a column's words: its four inputs, then its four sums
            var channel = Math.Min((index * Cells) + (cell.Row * Cell.Side) + cell.Column, Channels - 1);
            uint At(MappedAccess access) => (uint)(data.AddressOf(access.Target)
                + ((NestView.Base(access) + (channel / Cell.Side * _view.Step(access, NestView.Quad)) + (channel % Cell.Side * _view.Step(access, NestView.Lane))) * NestView.WordBytes));
            var first = cell.Column * 2 * Cell.Side;
            words[first + cell.Row] = At(Nest.Operands[0]);
            words[first + Cell.Side + cell.Row] = At(Nest.Output);
            read[cell.Column] = new(true, first * NestView.WordBytes);
        }

        return new(words, read, new LaunchPointer?[Cell.Side]);
    }

    /// <summary>The loops over taps, innermost first, and the words of a step; loops that continue each other are one.</summary>
    private static List<(int Extent, int Step)> Taps(MappedNest nest)
    {
        var view = new NestView(nest);
        var taps = new List<(int Extent, int Step)>();
        foreach (var loop in view.Reduced.Where(l => l.Extent > 1).Reverse())
        {
            var step = view.Step(nest.Operands[0], loop.Name);
            if (taps.Count > 0 && taps[^1].Step * taps[^1].Extent == step)
            {
                taps[^1] = (taps[^1].Extent * loop.Extent, taps[^1].Step);
            }
            else
            {
                taps.Add((loop.Extent, step));
            }
        }

        return taps;
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var taps = Taps(Nest);
        var (address, sum, target) = (Each("address"), Each("sum"), Each("target"));
        var (tap, line) = (Register(new(0, 0), "tap"), Register(new(1, 0), "line"));
        VirtualRegister[] Each(string name) => [.. Cell.All.Select(c => Register(c, name))];
        void Advance(int words)
        {
            foreach (var register in address)
            {
                p.Advance(register, words * NestView.WordBytes);
            }
        }

        (int Extent, int Step) none = (1, 0);
        var (inner, outer) = (taps.Count > 0 ? taps[0] : none, taps.Count > 1 ? taps[1] : none);
        p.Block("start");
        p.Step(address.Select(r => LoadStream(r.Cell, NestView.WordBytes, r, Parameters)));
        p.Step(target.Select(r => LoadStream(r.Cell, NestView.WordBytes, r, Parameters)));
        p.Step(sum.Select(Clear));
        p.Set(line, outer.Extent);

        var lines = p.Block("line");
        p.Set(tap, inner.Extent);
        p.Count(line);

        var loop = p.Block("tap");
        p.Count(tap);
        ArrayOperation[] loaded = [.. Cell.All.Select(c => Load(c, address[c.Index], null, Input))];
        p.Step(loaded);
        p.Step(Cell.All.Select(c => Binary(OpenEdgeOpcode.SAdd, c, sum[c.Index], loaded[c.Index], sum[c.Index])));
        Advance(inner.Step);
        p.LoopWhileNotZero(tap, loop);

        p.Block("line end");
        if (taps.Count > 1)
        {
            Advance(outer.Step - (inner.Extent * inner.Step));
        }

        p.LoopWhileNotZero(line, lines);

        p.Block("end");
        p.Step(Cell.All.Select(c => Store(c, sum[c.Index], target[c.Index], Sums)));
        p.Exit(new(0, 0));
        return p.Build();
    }
}
