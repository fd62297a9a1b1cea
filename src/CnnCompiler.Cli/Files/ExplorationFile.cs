using System.Globalization;
using CnnCompiler.Targets.Overlay.Exploration;

namespace CnnCompiler.Cli.Files;

/// <summary>A line of an exploration.</summary>
/// <param name="Found">Shape and cost.</param>
/// <param name="Division">Buffers and bandwidths, as <see cref="OverlayDivision.Columns"/>; null where they are not modelled.</param>
internal sealed record ExplorationLine(ExploredShape Found, string? Division);

/// <summary>What <c>cnnc explore</c> prints: a comment that says of what it is, and CSV.</summary>
/// <param name="Title">Of what it is: equal for all parts of an exploration.</param>
/// <param name="FastestOnly">Only the fastest shape is wanted.</param>
/// <param name="Shard">Index of the part, from 0.</param>
/// <param name="Shards">Number of parts.</param>
/// <param name="Lines">The front of the part.</param>
internal sealed record ExplorationFile(string Title, bool FastestOnly, int Shard, int Shards, IReadOnlyList<ExplorationLine> Lines)
{
    private const string Header = "rows,columns,elements,cost";
    private const string Fastest = ", the fastest within ";
    private const string Part = "; part ";
    private const int Cells = 4;

    /// <summary>Writes the file.</summary>
    public void WriteTo(TextWriter writer)
    {
        writer.WriteLine(Shards == 1 ? $"# {Title}" : string.Create(CultureInfo.InvariantCulture, $"# {Title}{Part}{Shard + 1}/{Shards}"));
        writer.WriteLine(Lines.Any(line => line.Division is not null) ? $"{Header},{OverlayDivision.Columns}" : Header);
        foreach (var ((shape, cost), division) in Lines)
        {
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{shape.Rows},{shape.Columns},{shape.Elements},{cost}{(division is null ? string.Empty : $",{division}")}"));
        }
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="UsageException">It is none.</exception>
    public static ExplorationFile Parse(string name, string text)
    {
        var lines = text.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
        if (lines.Length < 2 || !lines[0].StartsWith("# ", StringComparison.Ordinal) || !(lines[1] == Header || lines[1] == $"{Header},{OverlayDivision.Columns}"))
        {
            throw Wrong(name);
        }

        var (title, shard, shards) = (lines[0][2..], 0, 1);
        if (title.LastIndexOf(Part, StringComparison.Ordinal) is >= 0 and var at)
        {
            if (title[(at + Part.Length)..].Split('/') is not [var part, var all]
                || !int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var index) || !int.TryParse(all, NumberStyles.None, CultureInfo.InvariantCulture, out shards)
                || index < 1 || index > shards)
            {
                throw Wrong(name);
            }

            (title, shard) = (title[..at], index - 1);
        }

        var found = new List<ExplorationLine>();
        foreach (var line in lines.Skip(2))
        {
            var cells = line.Split(',').Select(cell => long.TryParse(cell, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : -1).ToList();
            if (cells.Count != lines[1].Split(',').Length || cells.Exists(cell => cell < 0)
                || cells[0] is < 1 or > ShapeExplorer.LargestSide || cells[1] is < 1 or > ShapeExplorer.LargestSide || cells[0] * cells[1] != cells[2])
            {
                throw Wrong(name);
            }

            found.Add(new(new(new((int)cells[0], (int)cells[1]), cells[3]), cells.Count == Cells ? null : string.Join(',', line.Split(',').Skip(Cells))));
        }

        return new(title, title.Contains(Fastest, StringComparison.Ordinal), shard, shards, found);
    }

    /// <summary>All parts together.</summary>
    /// <exception cref="UsageException">They are not all parts of one exploration.</exception>
    public static ExplorationFile Merge(IReadOnlyList<ExplorationFile> parts)
    {
        var first = parts[0];
        if (parts.FirstOrDefault(part => part.Title != first.Title || part.Shards != first.Shards) is { } other)
        {
            throw CliSession.Usage($"these are parts of two explorations: '{first.Title}', {first.Shards} parts, and '{other.Title}', {other.Shards} parts", "merge the parts of one");
        }

        var missing = Enumerable.Range(0, first.Shards).Except(parts.Select(part => part.Shard)).Select(shard => (shard + 1).ToString(CultureInfo.InvariantCulture)).ToList();
        if (missing.Count > 0 || parts.Count != first.Shards)
        {
            throw CliSession.Usage(missing.Count > 0 ? $"of {first.Shards} parts {string.Join(", ", missing)} {(missing.Count == 1 ? "is" : "are")} missing" : "a part is given twice", "give each part once");
        }

        var divisions = parts.SelectMany(part => part.Lines).ToDictionary(line => line.Found.Shape, line => line.Division);
        var front = ExplorationResult.Merge(parts.Select(part => new ExplorationResult(0, 0, [.. part.Lines.Select(line => line.Found)]))).Front;
        return new(first.Title, first.FastestOnly, 0, 1, [.. (first.FastestOnly ? front.TakeLast(1) : front).Select(found => new ExplorationLine(found, divisions[found.Shape]))]);
    }

    private static UsageException Wrong(string name) => CliSession.Usage($"{name} is not what cnnc explore prints", "give the outputs of all parts as they are");
}
