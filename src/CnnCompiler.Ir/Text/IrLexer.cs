using System.Globalization;
using System.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Text;

/// <summary>
/// Splits IR text of any level into tokens. White space and <c>//</c> comments separate; line ends have no meaning of their own (readers recover at them).
/// Bad characters are reported and skipped, so that it always ends with an <see cref="IrTokenKind.End"/>.
/// </summary>
public static class IrLexer
{
    /// <summary>Most characters that are read.</summary>
    public const int MaximumLength = 1 << 26;

    /// <summary>Most tokens that are read: a text of nothing but brackets has one a character, and each costs more than the character.</summary>
    public const int MaximumTokens = 1 << 22;

    private const string Punctuation = "()[]{}<>,:;=+-*/|?!&^";

    /// <summary>The tokens of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="file">Its name in diagnostics.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static IReadOnlyList<IrToken> Tokenize(string text, string file, DiagnosticBag diagnostics)
    {
        var tokens = new List<IrToken>();
        if (text.Length > MaximumLength)
        {
            diagnostics.Report(IrDiagnostics.TextTooLong(SourceSpan.At(file.Length == 0 ? "<text>" : file, 1, 1), MaximumLength));
            text = string.Empty;
        }

        var scanner = new Scanner(text, file, diagnostics);
        do
        {
            tokens.Add(scanner.Next());
            if (tokens.Count > MaximumTokens)
            {
                diagnostics.Report(IrDiagnostics.TextTooLong(tokens[^1].Span(file), MaximumTokens, "tokens"));
                return [tokens[^1] with { Kind = IrTokenKind.End, Text = string.Empty }];
            }
        }
        while (tokens[^1].Kind != IrTokenKind.End);
        return tokens;
    }

    private sealed class Scanner(string text, string file, DiagnosticBag diagnostics)
    {
        private int _position;
        private int _line = 1;
        private int _lineStart;
        private int _unexpected;

        private char Current => At(_position);

        public IrToken Next()
        {
            while (true)
            {
                SkipSpace();
                var start = _position;
                if (start >= text.Length)
                {
                    return Token(IrTokenKind.End, string.Empty, start);
                }

                var c = Current;
                if (char.IsAsciiLetter(c) || c == '_')
                {
                    return Token(IrTokenKind.Word, Word(), start);
                }

                if (char.IsAsciiDigit(c))
                {
                    return Number(start);
                }

                if (c is '%' or '@')
                {
                    _position++;
                    if (Current == '"' || IsNameCharacter(Current))
                    {
                        var name = Current == '"' ? Quoted() : Name();
                        return Token(c == '%' ? IrTokenKind.Value : IrTokenKind.Constant, name, start);
                    }
                }
                else if (c == '"')
                {
                    return Token(IrTokenKind.String, Quoted(), start);
                }
                else if (c == '#' && char.IsAsciiHexDigitLower(At(start + 1)))
                {
                    for (_position++; char.IsAsciiHexDigitLower(Current);)
                    {
                        _position++;
                    }

                    return Token(IrTokenKind.Hash, text[(start + 1).._position], start);
                }
                else if (c == '-' && At(start + 1) == '>')
                {
                    _position += 2;
                    return Token(IrTokenKind.Punctuation, "->", start);
                }
                else if (Punctuation.Contains(c, StringComparison.Ordinal))
                {
                    _position++;
                    return Token(IrTokenKind.Punctuation, c.ToString(), start);
                }
                else
                {
                    _position++;
                }

                diagnostics.Report(IrDiagnostics.UnexpectedCharacter(
                    Token(IrTokenKind.End, string.Empty, start).Span(file), IrTextFormat.Escape(c.ToString())));
                if (++_unexpected == IrTextReader.MaximumMistakes)
                {
                    diagnostics.Report(IrDiagnostics.TooManyMistakes(Token(IrTokenKind.End, string.Empty, start).Span(file), _unexpected));
                    _position = text.Length;
                }
            }
        }

        private static bool IsNameCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '.';

        private char At(int position) => position < text.Length ? text[position] : '\0';

        private IrToken Token(IrTokenKind kind, string value, int start) => new(kind, value, _line, start - _lineStart + 1, _position - _lineStart + 1);

        private void SkipSpace()
        {
            while (_position < text.Length)
            {
                if (Current == '\n')
                {
                    _position++;
                    _line++;
                    _lineStart = _position;
                }
                else if (Current is ' ' or '\t' or '\r')
                {
                    _position++;
                }
                else if (Current == '/' && At(_position + 1) == '/')
                {
                    while (_position < text.Length && Current != '\n')
                    {
                        _position++;
                    }
                }
                else
                {
                    return;
                }
            }
        }

        private string Name()
        {
            var start = _position;
            while (IsNameCharacter(Current))
            {
                _position++;
            }

            return text[start.._position];
        }

        private string Word()
        {
            var start = _position;
            while (IsNameCharacter(Current) || (Current == '-' && char.IsAsciiLetter(At(_position + 1))))
            {
                _position++;
            }

            return text[start.._position];
        }

        private IrToken Number(int start)
        {
            SkipDigits();
            if (Current == 'x' && char.IsAsciiDigit(At(_position + 1)))
            {
                while (Current == 'x' && char.IsAsciiDigit(At(_position + 1)))
                {
                    _position++;
                    SkipDigits();
                }

                return Token(IrTokenKind.Extents, text[start.._position], start);
            }

            if (Current == '.' && char.IsAsciiDigit(At(_position + 1)))
            {
                _position++;
                SkipDigits();
            }

            if (Current is 'e' or 'E')
            {
                var sign = At(_position + 1) is '+' or '-' ? 1 : 0;
                if (char.IsAsciiDigit(At(_position + 1 + sign)))
                {
                    _position += 1 + sign;
                    SkipDigits();
                }
            }

            return Token(IrTokenKind.Number, text[start.._position], start);
        }

        private void SkipDigits()
        {
            while (char.IsAsciiDigit(Current))
            {
                _position++;
            }
        }

        private string Quoted()
        {
            var start = _position++;
            var value = new StringBuilder();
            while (_position < text.Length && Current is not ('\n' or '"'))
            {
                if (Current == '\\' && At(_position + 1) is '"' or '\\')
                {
                    value.Append(At(_position + 1));
                    _position += 2;
                }
                else if (Current == '\\' && At(_position + 1) == 'u' && _position + 6 <= text.Length
                    && ushort.TryParse(text.AsSpan(_position + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit))
                {
                    value.Append((char)unit);
                    _position += 6;
                }
                else
                {
                    value.Append(Current);
                    _position++;
                }
            }

            if (Current == '"')
            {
                _position++;
            }
            else
            {
                diagnostics.Report(IrDiagnostics.UnclosedString(Token(IrTokenKind.End, string.Empty, start).Span(file)));
            }

            return value.ToString();
        }
    }
}
