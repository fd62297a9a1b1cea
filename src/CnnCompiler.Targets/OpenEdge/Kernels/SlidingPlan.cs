namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>A window that slides along lines, and where its inputs lie.</summary>
/// <param name="Taps">Taps along the line.</param>
/// <param name="Stride">Inputs from window to window.</param>
/// <param name="Pitch">Words between neighbouring inputs of a line.</param>
/// <param name="Across">Extents and words of the loops across the line, outermost first.</param>
/// <param name="Pixels">Outputs of a line.</param>
/// <param name="Inputs">Inputs from the first one of a line to the end of the buffer.</param>
/// <param name="ResultPitch">Elements between neighbouring sums.</param>
/// <param name="IsPacked">True where a word of the input is four channels.</param>
public sealed record SlidingWindow(int Taps, int Stride, int Pitch, IReadOnlyList<(int Extent, int Words)> Across, int Pixels, int Inputs, int ResultPitch, bool IsPacked)
{
    /// <summary>The loop across the line that is cut: that with the most lines, or -1 where there is none.</summary>
    public int Cut => Across.Count == 0 ? -1 : Enumerable.Range(0, Across.Count).MaxBy(i => Across[i].Extent);

    /// <summary>Lines that can be cut from each other.</summary>
    public int Lines => Across.Count == 0 ? 1 : Across[Cut].Extent;

    /// <summary>Taps across the line in one of these lines.</summary>
    private int TapsOfLine => Across.Where((_, i) => i != Cut).Aggregate(1, (taps, loop) => taps * loop.Extent);

    /// <summary>True where some taps in some lines fit the array.</summary>
    /// <param name="taps">Taps along the line.</param>
    /// <param name="lines">Lines.</param>
    public bool Fits(int taps, int lines)
    {
        int[] across = [0];
        for (var i = 0; i < Across.Count; i++)
        {
            var (extent, words) = (i == Cut ? lines : Across[i].Extent, Across[i].Words);
            across = [.. across.SelectMany(a => Enumerable.Range(0, extent).Select(n => a + (n * words)))];
        }

        return SlidingKernel.Fits(taps, Stride, Pitch, across, ResultPitch, IsPacked);
    }

    /// <summary>
    /// Steps of a line: those of its outputs, and where they can't be counted, but a mark ends them that lies where the next input would be, as many more as lead behind the input's buffer.
    /// </summary>
    /// <param name="firstTap">First tap.</param>
    /// <param name="taps">Taps.</param>
    /// <param name="lines">Lines.</param>
    public int Steps(int firstTap, int taps, int lines) => Math.Max(
        SlidingKernel.Steps(Pixels, SlidingKernel.UnderWay(taps, Stride)),
        IsPacked || SlidingKernel.CanCount(taps, Stride, lines * TapsOfLine) ? 0 : (Inputs - firstTap + Stride - 1) / Stride);

    /// <summary>Cycles of a pass and of adding its plane, on private ports: all that differs between the ways to cut a window.</summary>
    public long Cycles(int firstTap, int taps, int lines)
    {
        // sixteen words on four ports, a multiplication, the two shifts that take bytes apart, the end of the loop
        const int Words = 5;
        const int PackedWords = 2 + 2;
        const int Product = 3;
        const int End = 2;
        var across = lines * TapsOfLine;
        var step = (Math.Min(taps, Stride) * across * (IsPacked ? PackedWords : Words)) + (taps * across * (Product + 1)) - 1 + Words + End;
        return ((long)Steps(firstTap, taps, lines) * step) + ((long)Pixels * (Words + 1));
    }
}

/// <summary>The part of a window that one pass takes.</summary>
/// <param name="FirstTap">First tap along the line.</param>
/// <param name="Taps">Taps along the line.</param>
/// <param name="FirstLine">First line of the loop that is cut.</param>
/// <param name="Lines">Lines.</param>
/// <param name="UnderWay">Sums under way.</param>
/// <param name="Steps">Steps of a line of outputs.</param>
public sealed record SlidingPass(int FirstTap, int Taps, int FirstLine, int Lines, int UnderWay, int Steps)
{
    /// <summary>Sums of a line, those behind its last output that nothing needs included.</summary>
    public int Sums => Steps - UnderWay + 1;
}

/// <summary>
/// How a depthwise window slides: in one pass where its sums and steps fit the array, else cut into ranges of taps along the line and of lines across, each
/// a pass with sums of its own. Inputs are loaded once for every range of taps, so that few ranges of many taps are cheap; which ones are cheapest is counted in cycles.
/// </summary>
/// <param name="Passes">The passes: ranges of taps, of each its lines.</param>
/// <param name="Cut">Index of the loop across the line that is cut, or -1.</param>
public sealed record SlidingPlan(IReadOnlyList<SlidingPass> Passes, int Cut)
{
    /// <summary>Passes at most: a constant leads from the sums of a position to those of the next one.</summary>
    private const int MostPasses = 64;

    /// <summary>Sums that a line has before its first output: those under way in the pass that has most.</summary>
    public int Before => Passes.Max(p => p.UnderWay) - 1;

    /// <summary>Sums of a line in the pass that has most, those before its first output included.</summary>
    public int Sums => Before + Passes.Max(p => p.Sums);

    /// <summary>The cheapest plan of a window; null where not even one tap fits, or too many passes would be needed.</summary>
    public static SlidingPlan? Find(SlidingWindow window)
    {
        SlidingPass Pass(int firstTap, int taps, int firstLine, int lines) =>
            new(firstTap, taps, firstLine, lines, SlidingKernel.UnderWay(taps, window.Stride), window.Steps(firstTap, taps, lines));
        if (window.Fits(window.Taps, window.Lines))
        {
            return new([Pass(0, window.Taps, 0, window.Lines)], window.Cut);
        }

        // for each first tap: the cycles of this and all taps behind it, the taps of its range, and the parts its lines are cut into
        var most = Enumerable.Range(1, window.Taps).Select(taps => Enumerable.Range(1, window.Lines).LastOrDefault(lines => window.Fits(taps, lines))).ToArray();
        var cheapest = new (long Cycles, int Taps, int Parts)[window.Taps + 1];
        for (var first = window.Taps - 1; first >= 0; first--)
        {
            cheapest[first] = (long.MaxValue, 0, 0);
            for (var taps = 1; first + taps <= window.Taps; taps++)
            {
                if (most[taps - 1] == 0 || cheapest[first + taps].Cycles == long.MaxValue)
                {
                    continue;
                }

                var parts = (window.Lines + most[taps - 1] - 1) / most[taps - 1];
                var cycles = cheapest[first + taps].Cycles + Enumerable.Range(0, parts).Sum(part => window.Cycles(first, taps, Share(part + 1, parts) - Share(part, parts)));
                if (cycles < cheapest[first].Cycles)
                {
                    cheapest[first] = (cycles, taps, parts);
                }
            }
        }

        if (cheapest[0].Cycles == long.MaxValue)
        {
            return null;
        }

        var passes = new List<SlidingPass>();
        for (var first = 0; first < window.Taps; first += cheapest[first].Taps)
        {
            var (_, taps, parts) = cheapest[first];
            passes.AddRange(Enumerable.Range(0, parts).Select(part => Pass(first, taps, Share(part, parts), Share(part + 1, parts) - Share(part, parts))));
        }

        // the longest lines first: the marks of the others are among theirs
        return passes.Count <= MostPasses ? new([.. passes.OrderByDescending(p => p.Steps)], window.Cut) : null;

        // as even as can be
        int Share(int part, int parts) => part * window.Lines / parts;
    }
}
