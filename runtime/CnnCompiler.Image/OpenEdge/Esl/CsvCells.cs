using System.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Image.OpenEdge.Esl;

/// <summary>A cell of a line of comma-separated values.</summary>
/// <param name="Text">Its text without quotes and without spaces around it.</param>
/// <param name="Column">Column of its first character in the line, from 1.</param>
/// <param name="EndColumn">Column behind its last character.</param>
internal readonly record struct CsvCell(string Text, int Column, int EndColumn)
{
    public SourceSpan Span(string file, int line) => new(file, line, Column, line, EndColumn);
}

/// <summary>Cuts lines of comma-separated values into cells (RFC 4180 without line breaks in quotes).</summary>
internal static class CsvCells
{
    /// <summary>The cells of a line; none for an empty line.</summary>
    /// <exception cref="DiagnosticException">Quotes do not match.</exception>
    public static List<CsvCell> Read(ReadOnlySpan<char> line, string file, int lineNumber)
    {
        var cells = new List<CsvCell>();
        line = line.TrimEnd("\r");
        if (line.Trim().IsEmpty)
        {
            return cells;
        }

        for (var at = 0; at <= line.Length; at++)
        {
            cells.Add(Cell(line, file, lineNumber, ref at));
        }

        return cells;
    }

    private static CsvCell Cell(ReadOnlySpan<char> line, string file, int lineNumber, ref int at)
    {
        while (at < line.Length && line[at] is ' ' or '\t')
        {
            at++;
        }

        var start = at;
        if (at == line.Length || line[at] != '"')
        {
            while (at < line.Length && line[at] != ',')
            {
                at++;
            }

            var plain = line[start..at].TrimEnd();
            return new(plain.ToString(), start + 1, start + 1 + plain.Length);
        }

        var text = new StringBuilder();
        for (at++; ; at++)
        {
            if (at == line.Length)
            {
                throw new DiagnosticException(EslDiagnostics.Quote(new(file, lineNumber, start + 1, lineNumber, at + 1)));
            }

            if (line[at] != '"')
            {
                text.Append(line[at]);
            }
            else if (at + 1 < line.Length && line[at + 1] == '"')
            {
                text.Append(line[at++]);
            }
            else
            {
                break;
            }
        }

        var end = ++at;
        while (at < line.Length && line[at] is ' ' or '\t')
        {
            at++;
        }

        return at == line.Length || line[at] == ','
            ? new(text.ToString().Trim(), start + 1, end + 1)
            : throw new DiagnosticException(EslDiagnostics.Quote(new(file, lineNumber, start + 1, lineNumber, at + 1)));
    }
}
