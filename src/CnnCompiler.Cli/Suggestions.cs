namespace CnnCompiler.Cli;

/// <summary>Finds what was probably meant.</summary>
public static class Suggestions
{
    private const int LongestWord = 64;

    /// <summary>The known word nearest to <paramref name="given"/>, or null where none is near (more than a third of its letters differ).</summary>
    public static string? Nearest(string given, IEnumerable<string> known)
    {
        if (given.Length > LongestWord)
        {
            return null;
        }

        var best = known
            .Select(word => (Word: word, Distance: Distance(given.ToLowerInvariant(), word.ToLowerInvariant())))
            .OrderBy(entry => entry.Distance)
            .ThenBy(entry => entry.Word, StringComparer.Ordinal)
            .FirstOrDefault();
        return best.Word is not null && best.Distance <= Math.Max(1, Math.Max(given.Length, best.Word.Length) / 3) ? best.Word : null;
    }

    /// <summary>Letters to insert, remove, change or swap with their neighbour to turn one word into the other (optimal string alignment).</summary>
    private static int Distance(string a, string b)
    {
        var rows = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            rows[i, 0] = i;
        }

        for (var j = 0; j <= b.Length; j++)
        {
            rows[0, j] = j;
        }

        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                var change = a[i - 1] == b[j - 1] ? 0 : 1;
                var best = Math.Min(Math.Min(rows[i - 1, j] + 1, rows[i, j - 1] + 1), rows[i - 1, j - 1] + change);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    best = Math.Min(best, rows[i - 2, j - 2] + 1);
                }

                rows[i, j] = best;
            }
        }

        return rows[a.Length, b.Length];
    }
}
