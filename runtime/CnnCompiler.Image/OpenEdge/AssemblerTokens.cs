using System.Globalization;
using System.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Image.OpenEdge;

internal enum AssemblerTokenKind
{
    Name,
    Directive,
    Number,
    Text,
    Mark,
    End,
}

/// <summary>A token of one line. <see cref="Text"/> is its spelling, for strings their value.</summary>
internal readonly record struct AssemblerToken(AssemblerTokenKind Kind, string Text, long Value, SourceSpan Span)
{
    public bool IsMark(char mark) => Kind == AssemblerTokenKind.Mark && Text[0] == mark;

    public string Shown => Kind == AssemblerTokenKind.End ? "the end of the line" : $"'{Text}'";
}

/// <summary>Cuts a line of assembler text into tokens. Throws <see cref="DiagnosticException"/> at the first thing that is none.</summary>
internal static class AssemblerTokens
{
    public static List<AssemblerToken> Read(ReadOnlySpan<char> line, string file, int lineNumber)
    {
        var tokens = new List<AssemblerToken>();
        var at = 0;
        while (at < line.Length)
        {
            var c = line[at];
            if (c is ' ' or '\t' or '\r')
            {
                at++;
            }
            else if (c == ';')
            {
                break;
            }
            else
            {
                var start = at;
                var (kind, text, value) = c switch
                {
                    '"' => (AssemblerTokenKind.Text, String(line, ref at, Span(start, line.Length)), 0L),
                    '.' => (AssemblerTokenKind.Directive, Word(line, ref at), 0L),
                    _ when IsNameStart(c) => (AssemblerTokenKind.Name, Word(line, ref at), 0L),
                    _ when char.IsAsciiDigit(c) || IsSign(line, at) => Number(line, ref at, start),
                    ',' or ':' or '#' or '@' or '[' or ']' => (AssemblerTokenKind.Mark, line[at++].ToString(), 0L),
                    _ => throw new DiagnosticException(AssemblerDiagnostics.UnexpectedCharacter(Span(start, start + 1), c)),
                };
                tokens.Add(new(kind, text, value, Span(start, at)));
            }
        }

        tokens.Add(new(AssemblerTokenKind.End, string.Empty, 0, Span(line.Length, line.Length)));
        return tokens;

        SourceSpan Span(int from, int to) => new(file, lineNumber, from + 1, lineNumber, to + 1);

        (AssemblerTokenKind, string, long) Number(ReadOnlySpan<char> line, ref int at, int start)
        {
            var text = Word(line, ref at);
            return Parse(text) is { } value
                ? (AssemblerTokenKind.Number, text, value)
                : throw new DiagnosticException(AssemblerDiagnostics.NumberTooLong(Span(start, at), text));
        }
    }

    public static bool IsName(string text) => text.Length > 0 && IsNameStart(text[0]) && text.All(IsNamePart);

    private static bool IsNameStart(char c) => char.IsAsciiLetter(c) || c == '_';

    private static bool IsNamePart(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';

    private static bool IsSign(ReadOnlySpan<char> line, int at) => line[at] is '-' or '+' && at + 1 < line.Length && char.IsAsciiDigit(line[at + 1]);

    private static string Word(ReadOnlySpan<char> line, ref int at)
    {
        var start = at++;
        while (at < line.Length && IsNamePart(line[at]))
        {
            at++;
        }

        return line[start..at].ToString();
    }

    private static long? Parse(string text)
    {
        var negative = text[0] == '-';
        var digits = text.AsSpan(text[0] is '-' or '+' ? 1 : 0);
        var style = NumberStyles.None;
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase) || digits.StartsWith("0b", StringComparison.OrdinalIgnoreCase))
        {
            style = digits[1] is 'x' or 'X' ? NumberStyles.AllowHexSpecifier : NumberStyles.AllowBinarySpecifier;
            digits = digits[2..];
        }

        // Unsigned 32 bits is the longest that any place takes; anything longer is a mistake wherever it stands.
        return uint.TryParse(digits, style, CultureInfo.InvariantCulture, out var value) ? negative ? -(long)value : value : null;
    }

    private static string String(ReadOnlySpan<char> line, ref int at, SourceSpan span)
    {
        var text = new StringBuilder();
        for (at++; at < line.Length; at++)
        {
            switch (line[at])
            {
                case '"':
                    at++;
                    return text.ToString();
                case '\\' when at + 1 < line.Length:
                    at++;
                    if (line[at] == 'u' && at + 4 < line.Length && ushort.TryParse(line.Slice(at + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit))
                    {
                        text.Append((char)unit);
                        at += 4;
                    }
                    else if (line[at] is '"' or '\\' or 'n' or 't')
                    {
                        text.Append(line[at] switch { 'n' => '\n', 't' => '\t', var same => same });
                    }
                    else
                    {
                        throw new DiagnosticException(AssemblerDiagnostics.UnfinishedString(span));
                    }

                    break;
                default:
                    text.Append(line[at]);
                    break;
            }
        }

        throw new DiagnosticException(AssemblerDiagnostics.UnfinishedString(span));
    }
}
