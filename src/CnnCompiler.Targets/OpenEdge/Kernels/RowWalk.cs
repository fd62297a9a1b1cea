namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// How four rows share the positions of a nest: each does a quarter of one loop, or a half of each of two, along lines as long as the others'. Where parts aren't
/// whole, two do what lies in both and write the same.
/// </summary>
/// <param name="Lines">Lines of a row.</param>
/// <param name="Pixels">Positions of a line.</param>
/// <param name="LineSteps">For each access, words of the buffer from line to line.</param>
/// <param name="PixelSteps">The same from position to position.</param>
/// <param name="Starts">For each row the first word of each access, from the nest's first one.</param>
internal sealed record RowWalk(int Lines, int Pixels, int[] LineSteps, int[] PixelSteps, int[][] Starts)
{
    private const int Rows = 4;

    /// <summary>The ways through some loops, the shortest first; none where more than two loops are left.</summary>
    /// <param name="loops">Loops over positions, outermost first, with the words of each access from step to step.</param>
    /// <param name="accesses">Number of accesses.</param>
    public static IEnumerable<RowWalk> Of(IReadOnlyList<(int Extent, int[] Steps)> loops, int accesses)
    {
        int[][] splits =
        [
            [.. loops.Select(_ => 1)],
            .. Enumerable.Range(0, loops.Count).Select(l => loops.Select((_, i) => i == l ? Rows : 1).ToArray()),
            .. from l in Enumerable.Range(0, loops.Count) from m in Enumerable.Range(l + 1, loops.Count - l - 1) select loops.Select((_, i) => i == l || i == m ? 2 : 1).ToArray(),
        ];
        return splits.Select(parts => Of(loops, parts, accesses)).OfType<RowWalk>().OrderBy(w => (long)w.Lines * w.Pixels).ThenBy(w => w.Lines);
    }

    /// <summary>Bytes from behind a line to the next one.</summary>
    public int LineGap(int access) => Lines == 1 ? 0 : checked((LineSteps[access] - (Pixels * PixelSteps[access])) * NestView.WordBytes);

    /// <summary>Bytes from behind the last line, where the next one would be, to what lies some words behind the first.</summary>
    /// <param name="access">Access.</param>
    /// <param name="words">Words.</param>
    public int Behind(int access, int words) => checked((words * NestView.WordBytes) - (Lines * ((Pixels * PixelSteps[access] * NestView.WordBytes) + LineGap(access))));

    private static RowWalk? Of(IReadOnlyList<(int Extent, int[] Steps)> loops, int[] parts, int accesses)
    {
        int[] extents = [.. loops.Select((l, i) => (l.Extent + parts[i] - 1) / parts[i])];
        int[] left = [.. Enumerable.Range(0, loops.Count).Where(l => extents[l] > 1)];
        if (left.Length > 2)
        {
            return null;
        }

        var starts = new int[Rows][];
        for (var row = 0; row < Rows; row++)
        {
            var rest = row;
            starts[row] = new int[accesses];
            foreach (var (loop, l) in loops.Select((loop, l) => (loop, l)))
            {
                var first = Math.Min(rest % parts[l] * extents[l], loop.Extent - extents[l]);
                rest /= parts[l];
                for (var a = 0; a < accesses; a++)
                {
                    starts[row][a] += first * loop.Steps[a];
                }
            }
        }

        var none = new int[accesses];
        return new(
            left.Length == 2 ? extents[left[0]] : 1,
            left.Length > 0 ? extents[left[^1]] : 1,
            left.Length == 2 ? loops[left[0]].Steps : none,
            left.Length > 0 ? loops[left[^1]].Steps : none,
            starts);
    }
}
