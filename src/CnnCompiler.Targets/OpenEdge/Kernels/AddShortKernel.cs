using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Element-wise sum of two int8 tensors with its requantisation in one multiplication an operand (<see cref="ShortAddition"/>). Columns work in pairs: of eight
/// elements the left one loads and multiplies the first codes, the right one the second codes, in opposite halves, so that both then add, shift and store four.
/// Pairs do halves of each line, or of the lines. All data are streams: increments lead from line to line, the last load and store of a line take the gap.
/// </summary>
public sealed class AddShortKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "add-columns-in-pairs";

    private const string Input = "input";
    private const string Output = "output";

    /// <summary>Elements of a pair of columns at a time.</summary>
    private const int Group = 2 * Cell.Side;

    private readonly RequantizeForm _form;
    private readonly ShortAddition _short;
    private readonly MappedAccess[] _accesses;
    private readonly Walk _walk;

    /// <summary>Compiles a nest.</summary>
    public AddShortKernel(MappedNest nest)
        : base(nest)
    {
        _form = ScalarForms.AsRequantize(nest.Post) ?? throw new InvalidOperationException($"{nest.Name} is no requantisation");
        _short = ShortAddition.Of(nest) ?? throw new InvalidOperationException($"{nest.Name} has no short form");
        _accesses = Accesses(nest);
        _walk = Walk.Of(nest) ?? throw new InvalidOperationException($"{nest.Name} has no lines that its code can follow");
        Program = Build();
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override bool HasCodeOfItsOwn => true;

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => Enumerable.Range(0, 2).Select(a => (_accesses[a].Target, NestView.Base(_accesses[a]) + _walk.Reach(a)));

    /// <summary>True where a sum has a short form, and lines that the kernel can follow.</summary>
    public static bool Fits(MappedNest nest) => Walk.Of(nest) is not null && ShortAddition.Of(nest) is not null;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        LaunchPointer? At(int access, int column) => new(
            false, data.AddressOf(_accesses[access].Target) + ((NestView.Base(_accesses[access]) + _walk.Start(access, column)) * (long)NestView.WordBytes));
        var columns = Enumerable.Range(0, Cell.Side);
        return new([], [.. columns.Select(c => At(c % 2, c))], [.. columns.Select(c => At(Walk.Written, c))]);
    }

    private static MappedAccess[] Accesses(MappedNest nest) => [nest.Operands[0], nest.Operands[1], nest.Output];

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Strategy);
        var cells = Cell.All.ToArray();
        VirtualRegister[] Of(string name) => [.. cells.Select(c => Register(c, name))];
        var (weight, offset, partial, code) = (Of("weight"), Of("offset"), Of("partial"), Of("code"));
        var group = Register(new(Cell.Side - 1, 0), "group");
        var line = Register(new(Cell.Side - 1, 1), "line");

        ArrayOperation[] Each(Func<Cell, int, ArrayOperation> make)
        {
            ArrayOperation[] operations = [.. cells.Select(make)];
            p.Step(operations);
            return operations;
        }

        p.Block("start");
        foreach (var cell in cells)
        {
            p.Set(weight[cell.Index], cell.Column % 2 == 0 ? _short.First : _short.Second);
            p.Set(offset[cell.Index], _short.Offset);
        }

        p.Set(group, _walk.Groups);
        if (_walk.Lines > 1)
        {
            p.Set(line, _walk.Lines);
        }

        var groups = Later("group");
        p.LoopWhileNotZero(group, groups);

        var store = p.Block("store");
        void Stores(int gap) => Each((c, i) => StoreStream(c, code[i], _walk.Next(Walk.Written, c.Row, Cell.Side) + (c.Row == Cell.Side - 1 ? gap : 0), Output));
        Stores(0);

        p.Begin(groups);
        ArrayOperation[] Loads(int half) => Each((c, _) => LoadStream(c, _walk.Next(c.Column % 2, (half * Cell.Side) + c.Row, Group), null, Input));
        var codes = Loads(0);
        Each((c, i) => Binary(OpenEdgeOpcode.SMul, c, codes[i], weight[i], partial[i]));
        p.Count(group);
        codes = Loads(1);
        var products = Each((c, i) => Binary(OpenEdgeOpcode.SMul, c, codes[i], weight[i]));
        var sums = Each((c, i) => Binary(OpenEdgeOpcode.SAdd, c, partial[i], products[(c with { Column = c.Column ^ 1 }).Index]));
        var raised = Each((c, i) => Binary(OpenEdgeOpcode.SAdd, c, sums[i], offset[i]));
        var shifted = Each((c, i) => Binary(OpenEdgeOpcode.Sra, c, raised[i], ArrayOperand.Immediate, null, _short.Shift));
        ShortRequantization.Clamp(p, shifted, _form.Low, _form.High, c => code[c.Index]);
        p.LoopWhileNotZero(group, store);

        p.Block("line end");
        Stores(_walk.Gap(Walk.Written));
        if (_walk.Lines > 1)
        {
            p.Set(group, _walk.Groups);
            p.Count(line);
            p.Step(cells.Where(c => c.Row < _walk.Moves(c.Column % 2).Length).Select(c => LoadStream(c, _walk.Moves(c.Column % 2)[c.Row], null, Input)));
            p.LoopWhileNotZero(line, groups);
        }

        p.Exit(new(0, 0));
        return p.Build();
    }

    /// <summary>How pairs of columns go through the elements.</summary>
    /// <param name="Lines">Lines of a pair.</param>
    /// <param name="Groups">Groups of eight elements that a pair does on a line.</param>
    /// <param name="LineOfSecond">First line of the second pair.</param>
    /// <param name="PixelOfSecond">Its first element on a line.</param>
    /// <param name="PixelSteps">For each operand and the output, elements of the buffer from one element of a line to the next.</param>
    /// <param name="LineSteps">The same from line to line.</param>
    private sealed record Walk(int Lines, int Groups, int LineOfSecond, int PixelOfSecond, int[] PixelSteps, int[] LineSteps)
    {
        /// <summary>The access that is written.</summary>
        public const int Written = 2;

        /// <summary>Loads that lead to the next line at most: one row counts.</summary>
        private const int MostMoves = Cell.Side - 1;

        /// <summary>The shortest way, or null where there is none.</summary>
        public static Walk? Of(MappedNest nest)
        {
            var loops = PointLines.JoinedLoops(nest, Accesses(nest));
            if (loops.Count is not (1 or 2))
            {
                return null;
            }

            var (pixels, pixelSteps) = loops[^1];
            var (lines, lineSteps) = loops.Count == 2 ? loops[0] : (1, new int[pixelSteps.Length]);
            var groups = (pixels + (2 * Group) - 1) / (2 * Group);
            var half = (lines + 1) / 2;
            Walk[] walks =
            [
                .. groups * Group <= pixels ? [new(lines, groups, 0, pixels - (groups * Group), pixelSteps, lineSteps)] : (Walk[])[],
                .. pixels % Group == 0 ? [new(half, pixels / Group, lines - half, 0, pixelSteps, lineSteps)] : (Walk[])[],
            ];
            return walks.Where(w => w.IsNear).MinBy(w => (long)w.Lines * w.Groups);
        }

        /// <summary>True where all increments fit an instruction.</summary>
        private bool IsNear =>
            PixelSteps.All(s => FitsImmediate((Group + 1L) * s * NestView.WordBytes) && FitsImmediate((1L - Group) * s * NestView.WordBytes))
            && FitsImmediate(Next(Written, Cell.Side - 1, Cell.Side) + (long)Gap(Written))
            && Enumerable.Range(0, Written).All(a => Moves(a).Length <= MostMoves);

        /// <summary>First element of a column's access, from the nest's first one.</summary>
        public int Start(int access, int column)
        {
            var isSecond = column >= 2;
            var pixel = (isSecond ? PixelOfSecond : 0) + (column % 2 == 0 ? 0 : Cell.Side);
            return ((isSecond ? LineOfSecond : 0) * LineSteps[access]) + (pixel * PixelSteps[access]);
        }

        /// <summary>Bytes from an access of a group to the column's next one. The second operand's elements are the upper four, then the lower four.</summary>
        /// <param name="access">The access.</param>
        /// <param name="index">Which one of the column's.</param>
        /// <param name="count">How many of a group are the column's.</param>
        public int Next(int access, int index, int count)
        {
            var step = PixelSteps[access] * NestView.WordBytes;
            int Place(int i) => (i / count * Group) + (access == 1 ? (i + Cell.Side) % count : i % count);
            return (Place(index + 1) - Place(index)) * step;
        }

        /// <summary>Bytes from behind a line to the next one.</summary>
        public int Gap(int access) => Lines == 1 ? 0 : checked((LineSteps[access] - (Groups * Group * PixelSteps[access])) * NestView.WordBytes);

        /// <summary>The gap of an operand in increments.</summary>
        public int[] Moves(int operand)
        {
            var moves = new List<int>();
            for (var left = Gap(operand); left != 0; left -= moves[^1])
            {
                moves.Add(Math.Clamp(left, OpenEdgeInstruction.MinImmediate, OpenEdgeInstruction.MaxImmediate));
            }

            return [.. moves];
        }

        /// <summary>Elements of an operand from the nest's first one that are read, those that only lead to the next line included.</summary>
        public int Reach(int operand)
        {
            var line = Groups * Group * PixelSteps[operand];
            var behind = Moves(operand).SkipLast(1).Aggregate((At: 0, Most: 0), (sum, m) => (sum.At + m, Math.Max(sum.Most, sum.At + m))).Most / NestView.WordBytes;
            return Enumerable.Range(0, Cell.Side).Where(c => c % 2 == operand).Max(c => Start(operand, c)) + ((Lines - 1) * LineSteps[operand]) + line + behind + 1;
        }
    }
}
