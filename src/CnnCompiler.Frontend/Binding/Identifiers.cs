namespace CnnCompiler.Frontend.Binding;

/// <summary>Names from elsewhere as names of the language.</summary>
internal static class Identifiers
{
    private const int Longest = 60;

    // Words with which statements begin or that stand inside them.
    private static readonly HashSet<string> Reserved = new(["network", "weights", "seed", "input", "output", "scale", "zero", "const", "block", "repeat", "in"], StringComparer.Ordinal);

    /// <summary>The name of a network: that of its file.</summary>
    public static string OfFile(string path) => Of(Path.GetFileNameWithoutExtension(path), "network");

    /// <summary>A name as an identifier that is no word of the language: letters, digits and <c>_</c> remain, behind a prefix where that isn't one.</summary>
    public static string Of(string name, string prefix = "v")
    {
        var letters = string.Concat(name.Take(Longest).Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return letters.Length == 0 || !char.IsAsciiLetter(letters[0]) || Reserved.Contains(letters) ? $"{prefix}_{letters}".TrimEnd('_') : letters;
    }
}

/// <summary>Names of which each is given once.</summary>
internal sealed class UniqueNames
{
    // The number to try next behind each name: a file that calls a million values alike is numbered in one pass.
    private readonly Dictionary<string, int> _taken = new(StringComparer.Ordinal);

    /// <summary>Takes a name; false where it is taken.</summary>
    public bool TryTake(string name) => _taken.TryAdd(name, 2);

    /// <summary>Takes a name, with a number behind it where it is taken.</summary>
    public string Take(string name)
    {
        var unique = name;
        while (!TryTake(unique))
        {
            unique = FormattableString.Invariant($"{name}_{_taken[name]++}");
        }

        return unique;
    }
}
