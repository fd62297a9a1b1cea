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

    /// <summary>The access that is written; the operands are those before.</summary>
    private const int Written = 2;

    private readonly RequantizeForm _form;
    private readonly ShortAddition _short;
    private readonly MappedAccess[] _accesses;
    private readonly PairWalk _walk;

    /// <summary>Compiles a nest.</summary>
    public AddShortKernel(MappedNest nest)
        : base(nest)
    {
        _form = ScalarForms.AsRequantize(nest.Post) ?? throw new InvalidOperationException($"{nest.Name} is no requantisation");
        _short = ShortAddition.Of(nest) ?? throw new InvalidOperationException($"{nest.Name} has no short form");
        _accesses = Accesses(nest);
        _walk = WalkOf(nest) ?? throw new InvalidOperationException($"{nest.Name} has no lines that its code can follow");
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
    public override IEnumerable<(string Buffer, int Words)> Extents => Enumerable.Range(0, Written).Select(a => (_accesses[a].Target, NestView.Base(_accesses[a]) + Reach(a)));

    /// <summary>True where a sum has a short form, and lines that the kernel can follow.</summary>
    public static bool Fits(MappedNest nest) => WalkOf(nest) is not null && ShortAddition.Of(nest) is not null;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        LaunchPointer? At(int access, int column) => new(
            false, data.AddressOf(_accesses[access].Target) + ((NestView.Base(_accesses[access]) + Start(access, column)) * (long)NestView.WordBytes));
        var columns = Enumerable.Range(0, Cell.Side);
        return new([], [.. columns.Select(c => At(c % 2, c))], [.. columns.Select(c => At(Written, c))]);
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
        void Stores(int gap) => Each((c, i) => StoreStream(c, code[i], Next(_walk, Written, c.Row, Cell.Side) + (c.Row == Cell.Side - 1 ? gap : 0), Output));
        Stores(0);

        p.Begin(groups);
        ArrayOperation[] Loads(int half) => Each((c, _) => LoadStream(c, Next(_walk, c.Column % 2, (half * Cell.Side) + c.Row, Group), null, Input));
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
        Stores(_walk.Gap(Written));
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

    /// <summary>The shortest way through the elements, or null where there is none.</summary>
    private static PairWalk? WalkOf(MappedNest nest)
    {
        var loops = PointLines.JoinedLoops(nest, Accesses(nest));
        if (loops.Count is not (1 or 2))
        {
            return null;
        }

        var (pixels, pixelSteps) = loops[^1];
        var (lines, lineSteps) = loops.Count == 2 ? loops[0] : (1, new int[pixelSteps.Length]);
        return PairWalk.Of(Group, pixels, pixelSteps, lines, lineSteps).FirstOrDefault(IsNear);
    }

    /// <summary>True where all increments fit an instruction, and one row is left to count between lines.</summary>
    private static bool IsNear(PairWalk walk) =>
        walk.PixelSteps.All(s => FitsImmediate((Group + 1L) * s * NestView.WordBytes) && FitsImmediate((1L - Group) * s * NestView.WordBytes))
        && FitsImmediate(Next(walk, Written, Cell.Side - 1, Cell.Side) + (long)walk.Gap(Written))
        && Enumerable.Range(0, Written).All(a => walk.Moves(a).Length < Cell.Side);

    /// <summary>First element of a column's access, from the nest's first one.</summary>
    private int Start(int access, int column) => _walk.Start(access, column) + (column % 2 == 0 ? 0 : Cell.Side * _walk.PixelSteps[access]);

    /// <summary>Bytes from an access of a group to the column's next one. The second operand's elements are the upper four, then the lower four.</summary>
    /// <param name="walk">The way.</param>
    /// <param name="access">The access.</param>
    /// <param name="index">Which one of the column's.</param>
    /// <param name="count">How many of a group are the column's.</param>
    private static int Next(PairWalk walk, int access, int index, int count)
    {
        int Place(int i) => (i / count * Group) + (access == 1 ? (i + Cell.Side) % count : i % count);
        return (Place(index + 1) - Place(index)) * walk.PixelSteps[access] * NestView.WordBytes;
    }

    /// <summary>Elements of an operand from the nest's first one that are read, those that only lead to the next line included.</summary>
    private int Reach(int operand)
    {
        var behind = _walk.Moves(operand).SkipLast(1).Aggregate((At: 0, Most: 0), (sum, m) => (sum.At + m, Math.Max(sum.Most, sum.At + m))).Most / NestView.WordBytes;
        return Enumerable.Range(0, Cell.Side).Where(c => c % 2 == operand).Max(c => Start(operand, c))
            + ((_walk.Lines - 1) * _walk.LineSteps[operand]) + (_walk.Groups * Group * _walk.PixelSteps[operand]) + behind + 1;
    }
}
