using System.Text;
using DiffPlex;
using DiffPlex.DiffBuilder;
using DiffPlex.DiffBuilder.Model;

namespace CnnCompiler.Cli.Reporting;

/// <summary>What changed between two texts, by lines: <c>-</c> and <c>+</c> with some lines around them, <c>...</c> where lines are left out.</summary>
internal static class LineDifference
{
    private const int Context = 2;

    /// <summary>The changed lines; empty for equal texts.</summary>
    public static string Of(string before, string after)
    {
        var lines = new InlineDiffBuilder(new Differ()).BuildDiffModel(before, after).Lines;
        var shown = new bool[lines.Count];
        for (var i = 0; i < lines.Count; i++)
        {
            if (lines[i].Type != ChangeType.Unchanged)
            {
                Array.Fill(shown, true, Math.Max(0, i - Context), Math.Min(lines.Count, i + Context + 1) - Math.Max(0, i - Context));
            }
        }

        var text = new StringBuilder();
        for (var i = 0; i < lines.Count; i++)
        {
            if (shown[i])
            {
                text.Append(lines[i].Type switch { ChangeType.Inserted => "+ ", ChangeType.Deleted => "- ", _ => "  " }).Append(lines[i].Text).Append('\n');
            }
            else if (i > 0 && shown[i - 1])
            {
                text.Append("...\n");
            }
        }

        return text.ToString();
    }
}
