using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// How a nest without reduction is spread over the four columns: every column walks its own lines, one element a step, and gets the first address
/// of each line from its parameters. Columns that run out of lines repeat one: they write the same values again.
/// </summary>
public sealed class PointLines
{
    private readonly MappedAccess[] _accesses;
    private readonly int[][] _starts;
    private readonly int[] _columnStep;
    private readonly bool _columnsAreLanes;
    private readonly int _lanes;

    private PointLines(MappedAccess[] accesses, int pixels, int[] pixelStep, int[][] starts, int[] columnStep, int lanes = 0)
    {
        (_accesses, Pixels, _starts, _columnStep, _columnsAreLanes, _lanes) = (accesses, pixels, starts, columnStep, lanes > 0, lanes);
        PixelBytes = [.. pixelStep.Select(s => s * NestView.WordBytes)];
        LinesPerColumn = _columnsAreLanes ? starts.Length : (starts.Length + Cell.Side - 1) / Cell.Side;
    }

    /// <summary>Elements of a line.</summary>
    public int Pixels { get; }

    /// <summary>For each access the bytes between neighbouring elements of a line.</summary>
    public IReadOnlyList<int> PixelBytes { get; }

    /// <summary>Lines that each column walks.</summary>
    public int LinesPerColumn { get; }

    /// <summary>Words of the tables of all columns.</summary>
    public int TableWords => Cell.Side * LinesPerColumn * _accesses.Length;

    /// <summary>First byte address of an access in a column's line.</summary>
    public uint Address(int column, int line, int access, IKernelData data)
    {
        var start = _columnsAreLanes
            ? _starts[line][access] + (Lane(column) * _columnStep[access])
            : _starts[Math.Min((column * LinesPerColumn) + line, _starts.Length - 1)][access];
        return (uint)(data.AddressOf(_accesses[access].Target) + ((start + NestView.Base(_accesses[access])) * NestView.WordBytes));
    }

    /// <summary>
    /// Bytes from behind a line's last element to the next line's first one, for each access, where that is the same between all lines from
    /// <paramref name="first"/> on, <paramref name="count"/> of them; else null.
    /// </summary>
    public int[]? Gaps(int first, int count)
    {
        int Gap(int line, int access) =>
            ((_starts[line + 1][access] - _starts[line][access]) * NestView.WordBytes) - (Pixels * PixelBytes[access]);

        if (count < 2)
        {
            return new int[_accesses.Length];
        }

        int[] gaps = [.. Enumerable.Range(0, _accesses.Length).Select(a => Gap(first, a))];
        return Enumerable.Range(first, count - 1).All(line => gaps.Select((g, a) => g == Gap(line, a)).All(same => same)) ? gaps : null;
    }

    /// <summary>The channel of the quad that a column works on: columns beyond the last one repeat the first and write its values again.</summary>
    public int Lane(int column) => column < _lanes ? column : 0;

    /// <summary>Words that an access reaches into its buffer.</summary>
    public int Extent(int access) =>
        NestView.Base(_accesses[access]) + _starts.Max(s => s[access]) + (Math.Max(0, Pixels - 1) * (PixelBytes[access] / NestView.WordBytes))
        + (_columnsAreLanes ? (_lanes - 1) * _columnStep[access] : 0) + 1;

    /// <summary>Columns are the four channels of a quad; lines are given by some loops, the elements of a line by another.</summary>
    /// <param name="nest">A nest with a lane loop.</param>
    /// <param name="accesses">The accesses that get addresses.</param>
    /// <param name="lineLoops">Loops that make lines, outermost first.</param>
    /// <param name="pixelLoop">Loop along a line.</param>
    /// <param name="lanes">Channels of the quad, 1 to 4; where lines have several quads, 4: the buffers then hold whole quads.</param>
    public static PointLines OfLanes(MappedNest nest, MappedAccess[] accesses, string[] lineLoops, string pixelLoop, int lanes)
    {
        var view = new NestView(nest);
        var starts = Enumerate(lineLoops.Select(l => (view.Extent(l), accesses.Select(a => view.Step(a, l)).ToArray())), accesses.Length);
        return new(
            accesses,
            view.Extent(pixelLoop),
            [.. accesses.Select(a => view.Step(a, pixelLoop))],
            starts,
            [.. accesses.Select(a => view.Step(a, NestView.Lane))],
            lanes);
    }

    /// <summary>Columns share the lines of a nest whose iterations are independent; neighbouring loops are joined where every access is regular over both.</summary>
    /// <param name="nest">A nest without reduction.</param>
    /// <param name="accesses">The accesses that get addresses.</param>
    public static PointLines OfLines(MappedNest nest, MappedAccess[] accesses)
    {
        var loops = JoinedLoops(nest, accesses);
        var longest = loops.Count == 0 ? -1 : loops.IndexOf(loops.MaxBy(l => (IsNear(l.Steps), l.Extent)));
        var (pixels, pixelSteps) = longest < 0 ? (1, new int[accesses.Length]) : loops[longest];
        var starts = Enumerate(loops.Where((_, i) => i != longest), accesses.Length);
        if (starts.Length < Cell.Side)
        {
            // too few lines for the columns: cut each into pieces of one length, the last one overlapping the piece before
            var pieces = (Cell.Side + starts.Length - 1) / starts.Length;
            var length = (pixels + pieces - 1) / pieces;
            var whole = pixels;
            starts = [.. starts.SelectMany(s => Enumerable.Range(0, pieces).Select(i =>
                s.Zip(pixelSteps).Select(p => p.First + (Math.Min(i * length, whole - length) * p.Second)).ToArray()))];
            pixels = length;
        }

        return new(accesses, pixels, pixelSteps, starts, new int[accesses.Length]);
    }

    /// <summary>The loops of a nest with more than one iteration, outermost first, neighbours joined where every access is regular over both; steps in elements.</summary>
    public static List<(int Extent, int[] Steps)> JoinedLoops(MappedNest nest, MappedAccess[] accesses)
    {
        var loops = new List<(int Extent, int[] Steps)>();
        foreach (var (loop, index) in nest.Loops.Select((l, i) => (l, i)).Where(l => l.l.Extent > 1))
        {
            var steps = accesses.Select(a => checked((int)a.Element.Coefficients[index])).ToArray();
            if (loops.Count > 0 && loops[^1].Steps.Zip(steps).All(s => s.First == s.Second * loop.Extent))
            {
                loops[^1] = (loops[^1].Extent * loop.Extent, steps);
            }
            else
            {
                loops.Add((loop.Extent, steps));
            }
        }

        return loops;
    }

    /// <summary>True where an address reaches the next element of a line in few constant increments: lines along other loops cost code.</summary>
    public static bool IsNear(IEnumerable<int> elementSteps)
    {
        const int Increments = 2;
        return elementSteps.All(s => Math.Abs((long)s) * NestView.WordBytes <= (long)Increments * OpenEdgeInstruction.MaxImmediate);
    }

    private static int[][] Enumerate(IEnumerable<(int Extent, int[] Steps)> loops, int accesses)
    {
        int[][] starts = [new int[accesses]];
        foreach (var (extent, steps) in loops)
        {
            starts = [.. starts.SelectMany(s => Enumerable.Range(0, extent).Select(i => s.Zip(steps).Select(p => p.First + (i * p.Second)).ToArray()))];
        }

        return starts;
    }
}
