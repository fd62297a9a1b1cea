using CnnCompiler.Core;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Requantises raw sums with one multiplication an output (<see cref="ShortRequantization"/> with one offset) and stores the codes of four channels as the bytes
/// of a word. Columns are the four channels of a quad, rows share the positions (<see cref="RowWalk"/>). All quads are one launch. Operands as
/// <see cref="RequantizeShortKernel"/>.
/// </summary>
/// <remarks>
/// A cell has 127 less its code in ROUT, which is not negative, so that bytes can be joined without a mask: the exclusive or with <see cref="Ones"/>, which the cell
/// that needn't shift does meanwhile, makes codes of them. Two cells of a row join two bytes each, one of them all four, and a neighbour of that one stores
/// them: its own byte is joined by then, so that nothing waits for its addresses.
/// </remarks>
public sealed class RequantizeQuadsKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "requantize-quads-are-words";

    private const string Parameters = "parameters";
    private const string Sums = "sums";
    private const string Output = "output";
    private const int CodeBits = 8;

    /// <summary>127 in each byte.</summary>
    private const uint Ones = 0x7f7f7f7f;

    /// <summary>Index of the output among the accesses that are walked; the sums are before.</summary>
    private const int Written = 1;

    /// <summary>Increments of 13 bits from line to line, and from quad to quad, at most: more don't fit the code.</summary>
    private const int MostMoves = 2;

    private readonly NestView _view;
    private readonly RequantizeForm _form;
    private readonly ShortRequantization _short;
    private readonly RowWalk _walk;

    /// <summary>Bytes from behind a quad to the next one, of sums and output, where they are constants of the code; null where every quad has addresses of its own.</summary>
    private readonly int[]? _gaps;

    /// <summary>Compiles a nest.</summary>
    public RequantizeQuadsKernel(MappedNest nest, IKernelData data)
        : base(nest)
    {
        _view = new(nest);
        _form = ScalarForms.AsRequantize(nest.Post) ?? throw new InvalidOperationException($"{nest.Name} is no requantisation");
        _short = RequantizeHalvesKernel.FormOf(nest, data.Constant) ?? throw new InvalidOperationException($"{nest.Name} has no short form with one offset");
        _walk = WalkOf(nest) ?? throw new InvalidOperationException($"{nest.Name} has no lines that its code can follow");
        int[] gaps = [.. AccessesOf(nest).Select((a, i) => _walk.Behind(i, _view.Step(a, NestView.Quad)))];
        _gaps = nest.Guards[0].Bound % Cell.Side == 0 && gaps.All(g => IsNear(g)) ? gaps : null;
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => Cell.Side * (1 + (2 * Quads) + ((Cell.Side + 1) * (_gaps is null ? Quads : 1)));

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [];

    /// <summary>The cell of each row that stores: none in column 0, whose registers are all in use.</summary>
    private static IEnumerable<Cell> Storing => [new(0, 2), new(1, 1), new(2, 2), new(3, 3)];

    private int Quads => _view.Extent(NestView.Quad);

    /// <summary>True where the code can follow a nest's positions.</summary>
    public static bool Fits(MappedNest nest) => WalkOf(nest) is not null;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        var words = new List<uint>(ParameterWords);
        var read = new LaunchPointer?[Cell.Side];
        var accesses = AccessesOf(Nest);
        for (var column = 0; column < Cell.Side; column++)
        {
            // columns behind the last channel do what that one does: nobody reads their bytes
            int Lane(int quad) => (int)Math.Min(column, Nest.Guards[0].Bound - 1 - (quad * Cell.Side));
            uint Address(int access, int row, int quad) => (uint)(data.AddressOf(accesses[access].Target) + (NestView.WordBytes
                * (NestView.Base(accesses[access]) + _walk.Starts[row][access] + (quad * _view.Step(accesses[access], NestView.Quad))
                    + (access == Written ? 0 : Lane(quad) * _view.Step(accesses[access], NestView.Lane)))));
            read[column] = new(true, words.Count * NestView.WordBytes);
            if (column == 0)
            {
                words.AddRange(Enumerable.Repeat(Ones, Cell.Side));
            }

            for (var quad = 0; quad < Quads; quad++)
            {
                if (quad == 0 || _gaps is null)
                {
                    words.AddRange(Enumerable.Range(0, Cell.Side).Select(row => Address(0, row, quad)));

                    // it is advanced before a word is stored
                    words.AddRange(Storing.Where(c => c.Column == column).Select(c => Address(Written, c.Row, quad) - (uint)(_walk.PixelSteps[Written] * NestView.WordBytes)));
                }

                var channel = _short.Channels[(quad * Cell.Side) + Lane(quad)];
                words.AddRange([(uint)channel.Multiplier, (uint)channel.Above]);
            }
        }

        return new([.. words], read, new LaunchPointer?[Cell.Side]);
    }

    /// <summary>Sums and words of the output over the nest's loops.</summary>
    private static MappedAccess[] AccessesOf(MappedNest nest) =>
    [
        nest.Operands[0],
        nest.Output with { Element = new([.. nest.Output.Element.Coefficients.Select(c => c / PackedRuns.Lanes)], nest.Output.Element.Constant / PackedRuns.Lanes) },
    ];

    private static RowWalk? WalkOf(MappedNest nest)
    {
        var accesses = AccessesOf(nest);

        // in the order in which they are written, so that lines are near each other
        int[] positions =
        [
            .. Enumerable.Range(0, nest.Loops.Count).Where(l => nest.Loops[l].Name is NestView.OuterLine or NestView.Line or NestView.Pixel)
                .OrderByDescending(l => nest.Output.Element.Coefficients[l]),
        ];
        MappedAccess[] alone = [.. accesses.Select(a => a with { Element = a.Element with { Coefficients = positions.Select(l => a.Element.Coefficients[l]).ToEquatableArray() } })];
        return RowWalk.Of(PointLines.JoinedLoops(nest with { Loops = positions.Select(l => nest.Loops[l]).ToEquatableArray() }, alone), accesses.Length)
            .FirstOrDefault(walk => walk.PixelSteps.All(s => FitsImmediate(s * (long)NestView.WordBytes)) && FitsImmediate(walk.Pixels) && FitsImmediate(walk.Lines)
                && Enumerable.Range(0, accesses.Length).All(a => IsNear(walk.LineGap(a))));
    }

    private static bool IsNear(long bytes) => Math.Abs(bytes) <= MostMoves * OpenEdgeInstruction.MaxImmediate;

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var cells = Cell.All.ToArray();
        VirtualRegister[] Of(string name) => [.. cells.Select(c => Register(c, name))];
        var (multiplier, offset, source, target) = (Of("multiplier"), Of("offset"), Of("source"), Of("target"));
        var (pixel, line, quad) = (Register(new(0, 1), "pixel"), Register(new(1, 2), "line"), Register(new(1, 3), "quad"));
        VirtualRegister[] ones = [.. Enumerable.Range(0, Cell.Side).Select(row => Register(new(row, 0), "ones"))];

        ArrayOperation[] Each(IEnumerable<Cell> of, Func<Cell, ArrayOperation> make)
        {
            ArrayOperation[] operations = [.. of.Select(make)];
            p.Step(operations);
            return operations;
        }

        void Spread(VirtualRegister[] registers) =>
            p.SpreadDownColumns(Each(cells.Where(c => c.Row == 0), c => LoadStream(c, NestView.WordBytes, registers[c.Index], Parameters)), c => registers[c.Index]);

        void AdvanceEach(IEnumerable<Cell> of, VirtualRegister[] registers, int bytes)
        {
            foreach (var cell in of)
            {
                p.Advance(registers[cell.Index], bytes);
            }
        }

        void Advance(Func<int, int> bytes)
        {
            AdvanceEach(cells, source, bytes(0));
            AdvanceEach(Storing, target, bytes(Written));
        }

        void Addresses()
        {
            Each(cells, c => LoadStream(c, NestView.WordBytes, source[c.Index], Parameters));
            Each(Storing, c => LoadStream(c, NestView.WordBytes, target[c.Index], Parameters));
        }

        p.Block("start");
        Each(cells.Where(c => c.Column == 0), c => LoadStream(c, NestView.WordBytes, ones[c.Row], Parameters));
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
        p.Set(pixel, _walk.Pixels);
        if (_walk.Lines > 1)
        {
            p.Set(line, _walk.Lines);
        }

        var loop = p.Block("positions");
        var loaded = Each(cells, c => Load(c, source[c.Index], null, Sums));
        var products = Each(cells, c => Binary(OpenEdgeOpcode.FxpMul, c, loaded[c.Index], multiplier[c.Index]));
        var sums = Each(cells, c => Binary(OpenEdgeOpcode.SAdd, c, products[c.Index], offset[c.Index]));
        var shifted = Each(cells, c => Binary(OpenEdgeOpcode.Sra, c, sums[c.Index], ArrayOperand.Immediate, null, _short.Shift));
        var least = Each(cells, c => SelectOnSign(c, shifted[c.Index], ArrayOperand.Zero, shifted[c.Index]));
        var below = Each(cells, c => Binary(OpenEdgeOpcode.SSub, c, ArrayOperand.Immediate, least[c.Index], null, _form.High - _form.Low));
        var bytes = Each(cells, c => SelectOnSign(c, below[c.Index], ArrayOperand.Zero, below[c.Index]));
        if (_form.High < sbyte.MaxValue)
        {
            bytes = Each(cells, c => Binary(OpenEdgeOpcode.SAdd, c, bytes[c.Index], ArrayOperand.Immediate, null, sbyte.MaxValue - _form.High));
        }

        var placed = Each(cells, c => c.Column == 0
            ? Binary(OpenEdgeOpcode.LXor, c, bytes[c.Index], ones[c.Row])
            : Binary(OpenEdgeOpcode.Sll, c, bytes[c.Index], ArrayOperand.Immediate, null, CodeBits * c.Column));

        // the pair of a cell that stores is joined beside it, the other one beside that, on the torus
        static Cell Beside(Cell cell) => cell with { Column = cell.Column ^ 1 };
        static Cell Opposite(Cell cell) => cell with { Column = Cell.Side - 1 - cell.Column };
        Cell[] all = [.. Storing.Select(Beside)];
        Cell[] others = [.. all.Select(Opposite)];
        int[] steps = [.. _walk.PixelSteps.Select(s => s * NestView.WordBytes)];
        var joined = Each(all.Concat(others), c => Binary(OpenEdgeOpcode.LXor, c, placed[c.Index], placed[Beside(c).Index])).ToDictionary(o => o.Cell);
        AdvanceEach(cells.Except(all).Except(others), source, steps[0]);
        var words = Each(all, c => Binary(OpenEdgeOpcode.LXor, c, joined[c], joined[Opposite(c)]));
        AdvanceEach(others, source, steps[0]);
        AdvanceEach(Storing, target, steps[Written]);
        p.Count(pixel);
        p.Step(words.Select(w => Store(Beside(w.Cell), w, target[Beside(w.Cell).Index], Output)));
        AdvanceEach(all, source, steps[0]);
        p.LoopWhileNotZero(pixel, loop);

        if (_walk.Lines > 1)
        {
            p.Block("line end");
            Advance(_walk.LineGap);
            p.Set(pixel, _walk.Pixels);
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

        p.Exit(new(3, 0));
        return p.Build();
    }
}
