using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Requantises raw sums with one multiplication an output (<see cref="ShortRequantization"/> with one offset) and stores two codes a word, as
/// <see cref="HalvesKernel"/> packs them: the output has two lanes, its lane is the loop <see cref="NestView.OuterLine"/>. Columns are the four channels of a quad; rows work
/// in pairs, the upper one on the first half, the lower one on the second, and both pairs share the positions. All quads are one launch. Operands as <see cref="RequantizeShortKernel"/>.
/// </summary>
public sealed class RequantizeHalvesKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "requantize-rows-are-halves";

    private const string Parameters = "parameters";
    private const string Sums = "sums";
    private const string Output = "output";

    /// <summary>Index of the output among the accesses that are walked; the sums are before.</summary>
    private const int Written = 1;

    /// <summary>Increments of 13 bits from line to line at most: more don't fit the code.</summary>
    private const int MostMoves = 2;

    /// <summary>Increments from quad to quad at most: a longer way takes more steps than loading addresses.</summary>
    private const int MostQuadMoves = 4;

    private readonly NestView _view;
    private readonly RequantizeForm _form;
    private readonly ShortRequantization _short;
    private readonly PairWalk _walk;

    /// <summary>Bytes from behind a quad to the next one, of sums and output, where they are constants of the code; null where every quad has addresses of its own.</summary>
    private readonly int[]? _gaps;

    /// <summary>Compiles a nest.</summary>
    public RequantizeHalvesKernel(MappedNest nest, IKernelData data)
        : base(nest)
    {
        _view = new(nest);
        _form = ScalarForms.AsRequantize(nest.Post) ?? throw new InvalidOperationException($"{nest.Name} is no requantisation");
        _short = FormOf(nest, data.Constant) ?? throw new InvalidOperationException($"{nest.Name} has no short form with one offset");
        _walk = WalkOf(nest) ?? throw new InvalidOperationException($"{nest.Name} has no lines that its code can follow");
        _gaps = Gaps();
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => Cell.Side * ((2 * Quads) + ((Cell.Side + HalvesKernel.Halves) * (_gaps is null ? Quads : 1)));

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [];

    private int Quads => _view.Extent(NestView.Quad);

    /// <summary>True where the code can follow a nest's positions.</summary>
    public static bool Fits(MappedNest nest) => WalkOf(nest) is not null;

    /// <summary>True where the channels have a short form with one offset.</summary>
    /// <param name="nest">The nest.</param>
    /// <param name="constant">Constants by name.</param>
    public static bool HasForm(MappedNest nest, Func<string, Tensor> constant) => FormOf(nest, constant) is not null;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var words = new List<uint>(ParameterWords);
        var read = new LaunchPointer?[Cell.Side];
        var accesses = AccessesOf(Nest);
        for (var column = 0; column < Cell.Side; column++)
        {
            read[column] = new(true, words.Count * NestView.WordBytes);
            for (var quad = 0; quad < Quads; quad++)
            {
                // columns beyond the last channel repeat the first and write its values again
                var lane = (quad * Cell.Side) + column < Nest.Guards[0].Bound ? column : 0;
                var channel = _short.Channels[(quad * Cell.Side) + lane];
                uint Address(int access, int worker, int half) => (uint)(data.AddressOf(accesses[access].Target) + (NestView.WordBytes
                    * (NestView.Base(accesses[access]) + (quad * _view.Step(accesses[access], NestView.Quad)) + (lane * _view.Step(accesses[access], NestView.Lane))
                        + _walk.Start(access, HalvesKernel.Halves * worker) + (half * _view.Step(accesses[access], NestView.OuterLine)))));
                if (quad == 0 || _gaps is null)
                {
                    words.AddRange(Enumerable.Range(0, Cell.Side).Select(row => Address(0, row / HalvesKernel.Halves, row % HalvesKernel.Halves)));
                    words.AddRange(Enumerable.Range(0, HalvesKernel.Halves).Select(worker => Address(Written, worker, 0)));
                }

                words.AddRange([(uint)channel.Multiplier, (uint)channel.Above]);
            }
        }

        return new([.. words], read, new LaunchPointer?[Cell.Side]);
    }

    /// <summary>The short form of a nest's channels where it has one offset; else null.</summary>
    internal static ShortRequantization? FormOf(MappedNest nest, Func<string, Tensor> constant) =>
        RequantizeShortKernel.FormOf(nest, constant) is { HasOneOffset: true } form ? form : null;

    /// <summary>Sums and words of the output over the nest's loops.</summary>
    private static MappedAccess[] AccessesOf(MappedNest nest) =>
        [nest.Operands[0], nest.Output with { Element = HalvesKernel.Without(nest, nest.Output.Element, HalvesKernel.Halves) }];

    private static PairWalk? WalkOf(MappedNest nest)
    {
        // positions alone, in the order in which they are written
        int[] order = [.. Enumerable.Range(0, nest.Loops.Count).Where(l => nest.Loops[l].Name is NestView.Line or NestView.Pixel).OrderByDescending(l => nest.Output.Element.Coefficients[l])];
        AffineExpression Ordered(AffineExpression element) => element with { Coefficients = order.Select(l => element.Coefficients[l]).ToEquatableArray() };
        MappedAccess[] accesses = [.. AccessesOf(nest).Select(a => a with { Element = Ordered(a.Element) })];
        var loops = PointLines.JoinedLoops(nest with { Loops = order.Select(l => nest.Loops[l]).ToEquatableArray() }, accesses);
        int[] none = [0, 0];
        var (pixels, pixelSteps) = loops.Count == 0 ? (1, none) : loops[^1];
        var (lines, lineSteps) = loops.Count == 2 ? loops[0] : (1, none);
        return PairWalk.Of(1, pixels, pixelSteps, lines, lineSteps).FirstOrDefault(walk =>
            walk.PixelSteps.All(s => FitsImmediate(s * (long)NestView.WordBytes)) && FitsImmediate(walk.Groups) && FitsImmediate(walk.Lines)
            && Enumerable.Range(0, accesses.Length).All(a => walk.Moves(a).Length <= MostMoves));
    }

    private int[]? Gaps()
    {
        int[] gaps =
        [
            .. AccessesOf(Nest).Select((a, i) => (_view.Step(a, NestView.Quad) * NestView.WordBytes)
                - (_walk.Lines * ((_walk.Groups * _walk.PixelSteps[i] * NestView.WordBytes) + _walk.Gap(i)))),
        ];
        return Nest.Guards[0].Bound % Cell.Side == 0 && gaps.All(g => Math.Abs((long)g) <= MostQuadMoves * OpenEdgeInstruction.MaxImmediate) ? gaps : null;
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var cells = Cell.All.ToArray();
        Cell[] uppers = [.. cells.Where(c => c.Row % HalvesKernel.Halves == 0)];
        VirtualRegister[] Of(string name) => [.. cells.Select(c => Register(c, name))];
        var (multiplier, offset, source, target) = (Of("multiplier"), Of("offset"), Of("source"), Of("target"));
        var (group, line, quad) = (Register(new(1, 0), "group"), Register(new(1, 1), "line"), Register(new(1, 2), "quad"));
        ArrayOperation[] Each(IEnumerable<Cell> of, Func<Cell, ArrayOperation> make)
        {
            ArrayOperation[] operations = [.. of.Select(make)];
            p.Step(operations);
            return operations;
        }

        void Spread(VirtualRegister[] registers) =>
            p.SpreadDownColumns(Each(cells.Where(c => c.Row == 0), c => LoadStream(c, NestView.WordBytes, registers[c.Index], Parameters)), c => registers[c.Index]);

        void Advance(Func<int, int> bytes)
        {
            foreach (var cell in cells)
            {
                p.Advance(source[cell.Index], bytes(0));
                if (cell.Row % HalvesKernel.Halves == 0)
                {
                    p.Advance(target[cell.Index], bytes(Written));
                }
            }
        }

        void Addresses()
        {
            Each(cells, c => LoadStream(c, NestView.WordBytes, source[c.Index], Parameters));
            Each(uppers, c => LoadStream(c, NestView.WordBytes, target[c.Index], Parameters));
        }

        p.Block("start");
        if (_gaps is not null)
        {
            Addresses();
        }

        if (Quads > 1)
        {
            p.Set(quad, Quads);
        }

        var quads = p.Block("quad");
        if (_gaps is null)
        {
            Addresses();
        }

        Spread(multiplier);
        Spread(offset);
        p.Set(group, _walk.Groups);
        if (_walk.Lines > 1)
        {
            p.Set(line, _walk.Lines);
        }

        var loop = p.Block("positions");
        p.Count(group);
        var loaded = Each(cells, c => Load(c, source[c.Index], null, Sums));
        var products = Each(cells, c => Binary(OpenEdgeOpcode.FxpMul, c, loaded[c.Index], multiplier[c.Index]));
        var sums = Each(cells, c => Binary(OpenEdgeOpcode.SAdd, c, products[c.Index], offset[c.Index]));
        var shifted = Each(cells, c => Binary(OpenEdgeOpcode.Sra, c, sums[c.Index], ArrayOperand.Immediate, null, _short.Shift));
        var codes = ShortRequantization.Clamp(p, shifted, _form.Low, _form.High);
        var above = Each(cells.Except(uppers), c => Binary(OpenEdgeOpcode.Sll, c, codes[c.Index], ArrayOperand.Immediate, null, HalvesKernel.LaneBits)).ToDictionary(o => o.Cell);
        var words = Each(uppers, c => Binary(OpenEdgeOpcode.SAdd, c, codes[c.Index], above[c with { Row = c.Row + 1 }]));
        p.Step(words.Select(w => Store(w.Cell, w, target[w.Cell.Index], Output)));
        Advance(access => _walk.PixelSteps[access] * NestView.WordBytes);
        p.LoopWhileNotZero(group, loop);

        if (_walk.Lines > 1)
        {
            p.Block("line end");
            Advance(_walk.Gap);
            p.Set(group, _walk.Groups);
            p.Count(line);
            p.LoopWhileNotZero(line, loop);
        }

        if (Quads > 1)
        {
            p.Block("quad end");
            Advance(access => _gaps?[access] ?? 0);
            p.Count(quad);
            p.LoopWhileNotZero(quad, quads);
        }

        p.Exit(new(0, 3));
        return p.Build();
    }
}
