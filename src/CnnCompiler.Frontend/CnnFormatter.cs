using System.Text;
using Antlr4.Runtime;
using CnnCompiler.Frontend.Syntax;
using CnnCompiler.Frontend.Syntax.Generated;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend;

/// <summary>
/// The one layout of a <c>.cnn</c> text (docs/language.md, "Layout"): a statement a line, four spaces a brace, arguments broken at 120 columns. Comments and single
/// blank lines stay. Formatting what is formatted changes nothing.
/// </summary>
public sealed class CnnFormatter
{
    private const int Columns = 120;
    private const int IndentSize = 4;

    private readonly List<IToken> _tokens;
    private readonly IReadOnlySet<int> _starts;
    private readonly bool[] _continues;
    private readonly StringBuilder _text = new();
    private int _indent;
    private int _depth;
    private int _lineStart;
    private bool _isBlockHeader;
    private bool _isSigned;

    private CnnFormatter(IReadOnlyList<IToken> tokens, IReadOnlySet<int> starts)
    {
        _tokens = [.. tokens.Where(token => token.Type is not (CnnLexer.SPACE or TokenConstants.EOF))];
        _starts = starts;
        _continues = ContinueStatements();
    }

    /// <summary>The formatted text, or null where its syntax is wrong (CNN0200 to CNN0207), which is reported. Names and shapes are not looked at.</summary>
    /// <param name="text">The text.</param>
    /// <param name="file">The file as the user named it.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static string? Format(string text, string file, DiagnosticBag diagnostics)
    {
        if (text.Length > LanguageLimits.Characters)
        {
            diagnostics.Report(LanguageDiagnostics.FileTooLong(file, text.Length));
            return null;
        }

        return SyntaxReader.ReadTokens(text, file, diagnostics) is { } read ? new CnnFormatter(read.Tokens, read.Starts).Format() : null;
    }

    private string Format()
    {
        var mustBreak = false;
        IToken? before = null;
        for (var i = 0; i < _tokens.Count; i++)
        {
            var token = _tokens[i];
            var lines = i == 0 ? 1 : token.Line - EndLine(_tokens[i - 1]);
            var keepsBlank = lines > 1 && _tokens[Math.Max(0, i - 1)].Type != CnnLexer.OPEN_BRACE;
            if (IsComment(token))
            {
                if (lines > 0)
                {
                    Break(_continues[i] ? IndentSize : 0, keepsBlank && !_continues[i]);
                }
                else
                {
                    _text.Append(' ');
                }

                _text.Append(token.Text.TrimEnd().ReplaceLineEndings("\n"));
                mustBreak |= lines > 0 || token.Type == CnnLexer.LINE_COMMENT;
                continue;
            }

            Write(token, before, i, mustBreak, keepsBlank);
            mustBreak = token.Type is CnnLexer.OPEN_BRACE or CnnLexer.CLOSE_BRACE;
            before = token;
        }

        return _text.Append('\n').ToString();
    }

    private void Write(IToken token, IToken? before, int index, bool mustBreak, bool keepsBlank)
    {
        if (token.Type == CnnLexer.CLOSE_BRACE)
        {
            _indent -= IndentSize;
            Break(0, blank: false);
        }
        else if (_starts.Contains(token.TokenIndex) || before is null)
        {
            (_isBlockHeader, _depth) = (token.Type == CnnLexer.BLOCK, 0);
            Break(0, keepsBlank);
        }
        else if (mustBreak || (before.Type == CnnLexer.COMMA && _depth <= 1 && _text.Length - _lineStart + 1 + Length(index) > Columns))
        {
            Break(IndentSize, blank: false);
        }
        else if (IsComment(_tokens[index - 1]) ? token.Type is not (CnnLexer.CLOSE_PAREN or CnnLexer.CLOSE_BRACKET or CnnLexer.COMMA) : NeedsSpace(before, token))
        {
            _text.Append(' ');
        }

        _isSigned = token.Type == CnnLexer.MINUS && IsSign(before);
        _text.Append(token.Text);
        switch (token.Type)
        {
            case CnnLexer.OPEN_BRACE:
                _isBlockHeader = false;
                _indent += IndentSize;
                break;
            case CnnLexer.OPEN_PAREN or CnnLexer.OPEN_BRACKET:
                _depth++;
                break;
            case CnnLexer.CLOSE_PAREN or CnnLexer.CLOSE_BRACKET:
                _depth--;
                break;
        }
    }

    private void Break(int more, bool blank)
    {
        if (_text.Length > 0)
        {
            _text.Append(blank ? "\n\n" : "\n");
        }

        _lineStart = _text.Length;
        _text.Append(' ', _indent + more);
    }

    /// <summary>Columns from an argument to the comma or parenthesis behind it; a comment ends it.</summary>
    private int Length(int index)
    {
        var length = 0;
        var (isSigned, depth) = (_isSigned, 0);
        for (var i = index; i < _tokens.Count && !IsComment(_tokens[i]) && length <= Columns; i++)
        {
            if (i > index)
            {
                length += NeedsSpace(_tokens[i - 1], _tokens[i]) ? 1 : 0;
            }

            _isSigned = _tokens[i].Type == CnnLexer.MINUS && i > 0 && IsSign(_tokens[i - 1]);
            length += _tokens[i].Text.Length;
            depth += _tokens[i].Type switch
            {
                CnnLexer.OPEN_PAREN or CnnLexer.OPEN_BRACKET => 1,
                CnnLexer.CLOSE_PAREN or CnnLexer.CLOSE_BRACKET => -1,
                _ => 0,
            };
            if (depth < 0 || (depth == 0 && _tokens[i].Type == CnnLexer.COMMA) || (i + 1 < _tokens.Count && _starts.Contains(_tokens[i + 1].TokenIndex)))
            {
                break;
            }
        }

        _isSigned = isSigned;
        return length;
    }

    /// <summary>True where the token goes on with a statement, or is a comment before one that does.</summary>
    private bool[] ContinueStatements()
    {
        var inside = new bool[_tokens.Count];
        var first = _tokens.FindIndex(token => !IsComment(token));
        var next = false;
        for (var i = _tokens.Count - 1; i > first; i--)
        {
            var token = _tokens[i];
            next = IsComment(token) ? next : token.Type != CnnLexer.CLOSE_BRACE && !_starts.Contains(token.TokenIndex);
            inside[i] = next;
        }

        return inside;
    }

    private bool NeedsSpace(IToken before, IToken token)
    {
        switch (before.Type, token.Type)
        {
            case (CnnLexer.OPEN_PAREN or CnnLexer.OPEN_BRACKET or CnnLexer.RANGE, _):
            case (_, CnnLexer.CLOSE_PAREN or CnnLexer.CLOSE_BRACKET or CnnLexer.COMMA or CnnLexer.OPEN_BRACKET or CnnLexer.RANGE):
            case (CnnLexer.IDENTIFIER, CnnLexer.OPEN_PAREN):
                return false;
            case (CnnLexer.MINUS, _) when _isSigned:
                return false;
            case (CnnLexer.EQUALS, _) or (_, CnnLexer.EQUALS):
                return _depth == 0 || _isBlockHeader;
            case (_, CnnLexer.COLON):
                return !_isBlockHeader;
            default:
                return true;
        }
    }

    /// <summary>True where a minus is a sign and not an operator.</summary>
    private static bool IsSign(IToken? before) => before?.Type is not (
        CnnLexer.INTEGER or CnnLexer.REAL or CnnLexer.EXTENTS or CnnLexer.IDENTIFIER or CnnLexer.STRING or CnnLexer.CLOSE_PAREN);

    private static bool IsComment(IToken token) => token.Type is CnnLexer.LINE_COMMENT or CnnLexer.BLOCK_COMMENT;

    private static int EndLine(IToken token) => token.Line + (token.Type == CnnLexer.BLOCK_COMMENT ? token.Text.Count(c => c == '\n') : 0);
}
