using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Two operands and an output that pairs of columns go through eight elements at a time: the left column loads the first operand, the right one the second, in opposite
/// halves, so that both then join four and store them. Pairs do halves of each line, or of the lines. All data are streams: the last store of a line, and loads
/// behind it, lead to the next one.
/// </summary>
internal sealed class PairStreams
{
    /// <summary>Elements of a pair of columns at a time.</summary>
    private const int Group = 2 * Cell.Side;

    /// <summary>The access that is written; the operands are those before.</summary>
    private const int Written = 2;

    private const string Input = "input";
    private const string Output = "output";

    private readonly MappedAccess[] _accesses;
    private readonly PairWalk _walk;
    private readonly VirtualRegister _group = Register(new(Cell.Side - 1, 0), "group");

    private PairStreams(MappedAccess[] accesses, PairWalk walk) => (_accesses, _walk) = (accesses, walk);

    /// <summary>Words of the operands that may be touched.</summary>
    public IEnumerable<(string Buffer, int Words)> Extents => Enumerable.Range(0, Written).Select(a => (_accesses[a].Target, NestView.Base(_accesses[a]) + Reach(a)));

    /// <summary>The streams of a nest without reduction; null where there are more than two loops after joining, fewer elements than a pair does at a time, or ways too far for an instruction.</summary>
    /// <param name="nest">The nest.</param>
    /// <param name="accesses">First operand, second operand, output, over its loops.</param>
    public static PairStreams? Of(MappedNest nest, params MappedAccess[] accesses)
    {
        var loops = PointLines.JoinedLoops(nest, accesses);
        if (loops.Count is not (1 or 2))
        {
            return null;
        }

        var (pixels, pixelSteps) = loops[^1];
        var (lines, lineSteps) = loops.Count == 2 ? loops[0] : (1, new int[pixelSteps.Length]);
        return PairWalk.Of(Group, pixels, pixelSteps, lines, lineSteps).FirstOrDefault(IsNear) is { } walk ? new(accesses, walk) : null;
    }

    /// <summary>A launch without parameters.</summary>
    public KernelLaunch Launch(IKernelData data)
    {
        LaunchPointer? At(int access, int column) => new(
            false, data.AddressOf(_accesses[access].Target) + ((NestView.Base(_accesses[access]) + Start(access, column)) * (long)NestView.WordBytes));
        var columns = Enumerable.Range(0, Cell.Side);
        return new([], [.. columns.Select(c => At(c % 2, c))], [.. columns.Select(c => At(Written, c))]);
    }

    /// <summary>The program: what comes before, what makes results of a group, and the loops around it.</summary>
    /// <param name="p">An empty program.</param>
    /// <param name="start">Emits what comes before, or nothing.</param>
    /// <param name="elements">Emits what makes results of eight elements a pair; counts with <see cref="Count"/> where the cells of row 3 can spare ROUT.</param>
    /// <param name="results">By cell, the registers that results are stored from.</param>
    public ArrayProgram Build(ArrayProgramBuilder p, Action start, Action elements, VirtualRegister[] results)
    {
        var cells = Cell.All.ToArray();
        var line = Register(new(Cell.Side - 1, 1), "line");
        p.Block("start");
        start();
        p.Set(_group, _walk.Groups);
        if (_walk.Lines > 1)
        {
            p.Set(line, _walk.Lines);
        }

        var groups = Later("group");
        p.LoopWhileNotZero(_group, groups);

        var store = p.Block("store");
        Store(0);

        p.Begin(groups);
        elements();
        p.LoopWhileNotZero(_group, store);

        p.Block("line end");
        Store(_walk.Gap(Written));
        if (_walk.Lines > 1)
        {
            p.Set(_group, _walk.Groups);
            p.Count(line);
            p.Step(cells.Where(c => c.Row < _walk.Moves(c.Column % 2).Length).Select(c => LoadStream(c, _walk.Moves(c.Column % 2)[c.Row], null, Input)));
            p.LoopWhileNotZero(line, groups);
        }

        p.Exit(new(0, 0));
        return p.Build();

        void Store(int gap) => p.Step(cells.Select(c =>
            StoreStream(c, results[c.Index], Next(_walk, Written, c.Row, Cell.Side) + (c.Row == Cell.Side - 1 ? gap : 0), Output)));
    }

    /// <summary>Counts a group.</summary>
    public void Count(ArrayProgramBuilder p) => p.Count(_group);

    /// <summary>Loads a half of a group's elements: left columns those that they store themselves first, right columns those that the left ones store.</summary>
    /// <param name="p">Program.</param>
    /// <param name="half">0 or 1.</param>
    /// <param name="destinations">By cell, registers that they also go to, or null for ROUT alone.</param>
    /// <returns>By cell.</returns>
    public ArrayOperation[] Load(ArrayProgramBuilder p, int half, VirtualRegister[]? destinations = null)
    {
        ArrayOperation[] loads = [.. Cell.All.Select(c => LoadStream(c, Next(_walk, c.Column % 2, (half * Cell.Side) + c.Row, Group), destinations?[c.Index], Input))];
        p.Step(loads);
        return loads;
    }

    /// <summary>The other cell of a pair.</summary>
    public static Cell Partner(Cell cell) => cell with { Column = cell.Column ^ 1 };

    /// <summary>
    /// The lane that a cell works on where rows are four lanes and pairs of columns are at the same place of different records: the second pair begins with the
    /// third lane, so that all columns are at different banks.
    /// </summary>
    public static int Lane(Cell cell) => (cell.Row + (cell.Column / 2 * 2)) % Cell.Side;

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
        var (step, last) = (_walk.PixelSteps[operand], ((_walk.Lines - 1) * _walk.LineSteps[operand]) + ((_walk.Groups * Group) - 1) * _walk.PixelSteps[operand]);
        var columns = Enumerable.Range(0, Cell.Side).Where(c => c % 2 == operand).ToArray();
        var within = columns.Max(c => _walk.Start(operand, c)) + last + 1;
        if (_walk.Moves(operand) is not { Length: > 0 } moves)
        {
            return within;
        }

        // each load reads where the ones before led
        var furthest = Enumerable.Range(0, moves.Length).Max(i => moves.Take(i).Sum()) / NestView.WordBytes;
        return Math.Max(within, columns.Max(c => Start(operand, c)) + last + step + furthest + 1);
    }
}
