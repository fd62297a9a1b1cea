using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// How two pairs of columns go through lines of elements: each does a half of every line or half of the lines, some elements of a line at a time. Where halves
/// aren't whole both do what is in the middle and write the same.
/// </summary>
/// <param name="Lines">Lines of a pair.</param>
/// <param name="Groups">Groups that a pair does on a line.</param>
/// <param name="Group">Elements of a group.</param>
/// <param name="LineOfSecond">First line of the second pair.</param>
/// <param name="PixelOfSecond">Its first element on a line.</param>
/// <param name="PixelSteps">For each access, elements of the buffer from one element of a line to the next.</param>
/// <param name="LineSteps">The same from line to line.</param>
internal sealed record PairWalk(int Lines, int Groups, int Group, int LineOfSecond, int PixelOfSecond, int[] PixelSteps, int[] LineSteps)
{
    /// <summary>The ways through some lines, the shortest first.</summary>
    /// <param name="group">Elements of a group.</param>
    /// <param name="pixels">Elements of a line.</param>
    /// <param name="pixelSteps">For each access, elements of the buffer from one element of a line to the next.</param>
    /// <param name="lines">Lines.</param>
    /// <param name="lineSteps">For each access, elements of the buffer from line to line.</param>
    public static IEnumerable<PairWalk> Of(int group, int pixels, int[] pixelSteps, int lines, int[] lineSteps)
    {
        var groups = (pixels + (2 * group) - 1) / (2 * group);
        var half = (lines + 1) / 2;
        PairWalk[] walks =
        [
            .. groups * group <= pixels ? [new(lines, groups, group, 0, pixels - (groups * group), pixelSteps, lineSteps)] : (PairWalk[])[],
            .. pixels % group == 0 ? [new(half, pixels / group, group, lines - half, 0, pixelSteps, lineSteps)] : (PairWalk[])[],
        ];
        return walks.OrderBy(w => (long)w.Lines * w.Groups);
    }

    /// <summary>A column's first element, from the nest's first one.</summary>
    public int Start(int access, int column) => column < 2 ? 0 : (LineOfSecond * LineSteps[access]) + (PixelOfSecond * PixelSteps[access]);

    /// <summary>Bytes from behind a line to the next one.</summary>
    public int Gap(int access) => Lines == 1 ? 0 : checked((LineSteps[access] - (Groups * Group * PixelSteps[access])) * NestView.WordBytes);

    /// <summary>A gap in increments of an instruction, each of whole words: every one of them is a load.</summary>
    public int[] Moves(int access)
    {
        const int Most = OpenEdgeInstruction.MaxImmediate / NestView.WordBytes * NestView.WordBytes;
        var moves = new List<int>();
        for (var left = Gap(access); left != 0; left -= moves[^1])
        {
            moves.Add(Math.Clamp(left, OpenEdgeInstruction.MinImmediate, Most));
        }

        return [.. moves];
    }
}
