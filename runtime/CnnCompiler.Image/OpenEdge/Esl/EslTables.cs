using System.Globalization;
using System.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Image.OpenEdge.Esl;

/// <summary>The files beside a kernel of the ESL simulator: memory (<c>Address,Data</c>) and the words that the columns read and write one after the other.</summary>
public static class EslTables
{
    /// <summary>Columns of a file of streams.</summary>
    public const int Columns = 4;

    private const int MostErrors = 20;
    private const string Header = "Address,Data";

    /// <summary>Reads a memory file: a heading, then an address and a word a line. Where an address stands twice, the first counts, as in the simulator.</summary>
    /// <param name="text">The file's text.</param>
    /// <param name="file">The file as the user named it.</param>
    /// <param name="diagnostics">Gets what is wrong.</param>
    /// <returns>Byte addresses (multiples of 4) and words, or null where something is wrong.</returns>
    public static IReadOnlyList<(uint Address, uint Word)>? ReadMemory(string text, string file, DiagnosticBag diagnostics)
    {
        var words = new List<(uint Address, uint Word)>();
        var seen = new HashSet<uint>();
        return Read(text, file, diagnostics, (cells, line, problems) =>
        {
            var address = cells.Count >= 2 ? Number(cells[0].Text) : null;
            var word = cells.Count >= 2 ? Number(cells[1].Text) : null;
            if (address is { } at && (at & 3) == 0 && word is { } value)
            {
                if (seen.Add(at))
                {
                    words.Add((at, value));
                }
            }
            else if (line > 1 || cells.Count < 2 || address is not null)
            {
                problems.Report(EslDiagnostics.MemoryLine(cells[0].Span(file, line)));
            }
        }) ? words : null;
    }

    /// <summary>Writes a memory file.</summary>
    public static string WriteMemory(IEnumerable<(uint Address, uint Word)> words)
    {
        var text = new StringBuilder(Header).Append('\n');
        foreach (var (address, word) in words)
        {
            text.Append(CultureInfo.InvariantCulture, $"{address},{(int)word}\n");
        }

        return text.ToString();
    }

    /// <summary>Reads a file of streams: a line has the next word of each column; a column's stream ends where its cells are empty.</summary>
    /// <returns>The words of each column, or null where something is wrong.</returns>
    public static IReadOnlyList<IReadOnlyList<uint>>? ReadStreams(string text, string file, DiagnosticBag diagnostics)
    {
        List<uint>[] streams = [.. Enumerable.Range(0, Columns).Select(_ => new List<uint>())];
        var lines = 0;
        var read = Read(text, file, diagnostics, (cells, line, problems) =>
        {
            for (var column = 0; column < Math.Min(cells.Count, Columns); column++)
            {
                var cell = cells[column];
                if (cell.Text.Length == 0)
                {
                    continue;
                }

                if (streams[column].Count < lines)
                {
                    problems.Report(EslDiagnostics.StreamGap(cell.Span(file, line), column));
                }
                else if (Number(cell.Text) is { } word)
                {
                    streams[column].Add(word);
                }
                else
                {
                    problems.Report(EslDiagnostics.StreamCell(cell.Span(file, line), AssemblerDiagnostics.Short(cell.Text)));
                }
            }

            lines++;
        });
        return read ? streams : null;
    }

    /// <summary>Writes a file of streams.</summary>
    public static string WriteStreams(IReadOnlyList<IReadOnlyList<uint>> streams)
    {
        var text = new StringBuilder();
        for (var line = 0; line < streams.Max(stream => stream.Count); line++)
        {
            text.AppendJoin(',', streams.Select(stream => line < stream.Count ? ((int)stream[line]).ToString(CultureInfo.InvariantCulture) : string.Empty)).Append('\n');
        }

        return text.ToString();
    }

    private static bool Read(string text, string file, DiagnosticBag diagnostics, Action<List<CsvCell>, int, DiagnosticBag> take)
    {
        var problems = new DiagnosticBag();
        var lineNumber = 0;
        foreach (var line in text.AsSpan().TrimStart('\uFEFF').EnumerateLines())
        {
            lineNumber++;
            try
            {
                if (CsvCells.Read(line, file, lineNumber) is { Count: > 0 } cells)
                {
                    take(cells, lineNumber, problems);
                }
            }
            catch (DiagnosticException problem)
            {
                problems.Report(problem.Diagnostic);
            }

            if (problems.Diagnostics.Count >= MostErrors)
            {
                problems.Report(AssemblerDiagnostics.TooManyErrors(SourceSpan.At(file, lineNumber, 0), MostErrors));
                break;
            }
        }

        diagnostics.Report(problems.Diagnostics);
        return !problems.HasErrors;
    }

    private static uint? Number(string text) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var signed) ? (uint)signed
        : uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var unsigned) ? unsigned : null;
}
