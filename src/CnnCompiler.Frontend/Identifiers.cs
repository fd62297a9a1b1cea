namespace CnnCompiler.Frontend;

/// <summary>Names for values of a network, each given once; all of them can be written in the language as they are (<c>docs/language.md</c>).</summary>
internal sealed class Identifiers
{
    private const int Longest = 60;

    private static readonly HashSet<string> Keywords = new(["network", "weights", "seed", "input", "output", "scale", "zero", "const", "block", "repeat", "in"], StringComparer.Ordinal);

    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);

    /// <summary>True for a name that the language takes for a value.</summary>
    public static bool IsName(string name) =>
        name.Length > 0 && (char.IsAsciiLetter(name[0]) || name[0] == '_') && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_') && !Keywords.Contains(name);

    /// <summary>A label as a name that is no keyword: other characters than letters and digits become <c>_</c>.</summary>
    public static string Of(string label)
    {
        var name = string.Concat(label.Take(Longest).Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return name.Length == 0 || !char.IsAsciiLetter(name[0]) || Keywords.Contains(name) ? $"v_{name}".TrimEnd('_') : name;
    }

    /// <summary>The name of a network that a file holds: the file's, without folder and extension.</summary>
    public static string OfNetwork(string path)
    {
        var name = string.Concat(Path.GetFileNameWithoutExtension(path).Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return name.Length == 0 || char.IsAsciiDigit(name[0]) || Keywords.Contains(name) ? $"network_{name}".TrimEnd('_') : name;
    }

    /// <summary>Takes a name away from those given; false where it was taken before.</summary>
    public bool Take(string name) => _taken.Add(name);

    /// <summary>The name itself, or with the first free number behind it where it is taken.</summary>
    public string Unique(string name)
    {
        if (_taken.Add(name))
        {
            return name;
        }

        // Goes on from the last number of this name: very many values under one name take no longer than as many names.
        var number = _numbers.GetValueOrDefault(name, 1);
        string unique;
        do
        {
            unique = FormattableString.Invariant($"{name}_{++number}");
        }
        while (!_taken.Add(unique));
        _numbers[name] = number;
        return unique;
    }
}
