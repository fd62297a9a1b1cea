namespace CnnCompiler.Primitives.Diagnostics;

/// <summary>Finds what a user probably meant.</summary>
public static class Suggestions
{
    private const int LongestName = 64;

    /// <summary>The candidate nearest to a name (edit distance, letter case ignored), or null where none is near enough. Ties go to the first candidate.</summary>
    public static string? Closest(string name, IEnumerable<string> candidates)
    {
        if (name.Length > LongestName)
        {
            return null;
        }

        string? best = null;
        // A third of the letters may be wrong: more than that is another word.
        var bestDistance = Math.Max(1, name.Length / 3) + 1;
        foreach (var candidate in candidates)
        {
            if (candidate.Length <= LongestName && Distance(name, candidate) is var distance && distance < bestDistance)
            {
                best = candidate;
                bestDistance = distance;
            }
        }

        return best;
    }

    /// <summary>The remedy text for a misspelt name: "did you mean 'x'?", or the list of what there is.</summary>
    public static string DidYouMean(string name, IReadOnlyCollection<string> candidates) =>
        Closest(name, candidates) is { } closest ? $"did you mean '{closest}'?" : $"known are {string.Join(", ", candidates)}";

    private static int Distance(string left, string right)
    {
        Span<int> previous = stackalloc int[right.Length + 1];
        Span<int> current = stackalloc int[right.Length + 1];
        for (var j = 0; j <= right.Length; j++)
        {
            previous[j] = j;
        }

        for (var i = 1; i <= left.Length; i++)
        {
            current[0] = i;
            for (var j = 1; j <= right.Length; j++)
            {
                var same = char.ToUpperInvariant(left[i - 1]) == char.ToUpperInvariant(right[j - 1]);
                current[j] = Math.Min(Math.Min(current[j - 1], previous[j]) + 1, previous[j - 1] + (same ? 0 : 1));
            }

            var swap = previous;
            previous = current;
            current = swap;
        }

        return previous[right.Length];
    }
}
