using System.Text;
using System.Text.RegularExpressions;
using CnnCompiler.Targets.Nests.Reproduction;

namespace CnnCompiler;

/// <summary>What a kind of layer costs in this compiler, counted from its sources, which the assembly carries as resources: lines that are neither empty nor comments.</summary>
internal static partial class LayerSources
{
    private const string Prefix = "source/";

    /// <summary>Lines of each layer that has an operator, and how often the parts that belong to the target name a layer.</summary>
    public static LayerLines Count()
    {
        var files = typeof(LayerSources).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal)
            .Select(name => (Name: name, Lines: Read(name))).ToList();
        var network = files.Where(file => file.Name.StartsWith(Prefix + "network/", StringComparison.Ordinal)).ToList();
        var lowering = files.Where(file => file.Name.StartsWith(Prefix + "lowering/", StringComparison.Ordinal)).ToList();
        var target = files.Where(file => file.Name.StartsWith(Prefix + "target/", StringComparison.Ordinal)).ToList();
        var declared = Nodes(network);
        var rows = new List<LayerLine>();
        foreach (var name in declared.Order(StringComparer.Ordinal))
        {
            var rule = lowering.Select(file => Block(file.Lines, line => line.Contains($"class {name}Lowering", StringComparison.Ordinal))).Max();
            rows.Add(new(
                name,
                network.Max(file => Block(file.Lines, line => line.StartsWith($"public sealed record {name}(", StringComparison.Ordinal))),
                network.Max(file => Block(file.Lines, line => line.Contains($"static Operator {name} =>", StringComparison.Ordinal))),
                network.Where(file => file.Name.Contains("evaluation", StringComparison.Ordinal)).Sum(file => Block(file.Lines, line => line.Contains($"static void {name}(", StringComparison.Ordinal))),
                rule > 0 ? rule : lowering.Sum(file => Block(file.Lines, line => line.Contains($"static void Lower({name} layer", StringComparison.Ordinal)))));
        }

        var word = new Regex($@"\b(new|is|case|typeof\() ?({string.Join('|', declared)})\b", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5));
        rows.RemoveAll(row => row.Node == 0);
        return new(rows, target.Sum(file => file.Lines.Count(IsCode)), target.Sum(file => file.Lines.Count(line => IsCode(line) && word.IsMatch(line))));
    }

    private static List<string> Nodes(IEnumerable<(string Name, List<string> Lines)> files) =>
    [
        .. files.Where(file => file.Name.Contains("operators", StringComparison.Ordinal)).SelectMany(file => file.Lines).Select(line => Row().Match(line)).Where(match => match.Success)
            .Select(match => match.Groups["name"].Value).Distinct(StringComparer.Ordinal),
    ];

    /// <summary>Code lines of the declaration that begins in a line: to the line that ends it at the same indentation.</summary>
    private static int Block(List<string> lines, Predicate<string> begins)
    {
        var start = lines.FindIndex(begins);
        if (start < 0)
        {
            return 0;
        }

        var indentation = lines[start].Length - lines[start].TrimStart().Length;
        var count = 0;
        for (var i = start; i < lines.Count; i++)
        {
            count += IsCode(lines[i]) ? 1 : 0;
            var own = lines[i].Length - lines[i].TrimStart().Length;
            if ((own == indentation && lines[i].TrimStart().StartsWith('}')) || (lines[i].EndsWith(';') && (own <= indentation || !Braced(lines, start, i))))
            {
                break;
            }
        }

        return count;
    }

    /// <summary>True where a brace that begins a body stands between two lines.</summary>
    private static bool Braced(List<string> lines, int from, int to) => lines.Skip(from).Take(to - from).Any(line => line.TrimStart() == "{");

    private static bool IsCode(string line) => line.TrimStart() is { Length: > 0 } text && !text.StartsWith("//", StringComparison.Ordinal);

    private static List<string> Read(string name)
    {
        using var stream = typeof(LayerSources).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return [.. reader.ReadToEnd().Split('\n').Select(line => line.TrimEnd('\r', ' '))];
    }

    [GeneratedRegex(@"static Operator (?<name>\w+) =>", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Row();
}
