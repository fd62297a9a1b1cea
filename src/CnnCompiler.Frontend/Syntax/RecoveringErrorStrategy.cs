using Antlr4.Runtime;
using Antlr4.Runtime.Misc;
using CnnCompiler.Frontend.Syntax.Generated;

namespace CnnCompiler.Frontend.Syntax;

/// <summary>
/// One diagnostic a statement: after a mistake everything up to the next statement is skipped. ANTLR's own strategy guesses a token too many or too few,
/// which in a language without terminators makes one mistake into several.
/// </summary>
internal sealed class RecoveringErrorStrategy : DefaultErrorStrategy
{
    private static readonly IntervalSet _statementStarts = new(
        CnnParser.WEIGHTS, CnnParser.INPUT, CnnParser.OUTPUT, CnnParser.CONST, CnnParser.BLOCK, CnnParser.REPEAT, CnnParser.IDENTIFIER);

    /// <summary>Statements with a mistake in them.</summary>
    public HashSet<CnnParser.StatementContext> Broken { get; } = [];

    /// <summary>True where something is wrong between statements: any statement may be missing.</summary>
    public bool IsBrokenOutsideStatements { get; private set; }

    /// <summary>Names that were skipped: what they stand for is unknown, so nothing is said about their uses.</summary>
    public HashSet<string> Skipped { get; } = new(StringComparer.Ordinal);

    public override void Sync(Parser recognizer)
    {
        var expected = recognizer.Atn.NextTokens(recognizer.Atn.states[recognizer.State]);
        var next = recognizer.InputStream.LA(1);
        if (expected.Contains(TokenConstants.EPSILON) || expected.Contains(next))
        {
            return;
        }

        if (recognizer.Context is not CnnParser.BodyContext)
        {
            throw new InputMismatchException(recognizer);
        }

        // Between two statements: skip what is none. A missing } at the end of the file is the rule's own to report.
        while (next != TokenConstants.EOF && next != CnnParser.CLOSE_BRACE && !_statementStarts.Contains(next))
        {
            if (!InErrorRecoveryMode(recognizer))
            {
                ReportError(recognizer, new InputMismatchException(recognizer));
            }

            Skip(recognizer);
            SkipToStatement(recognizer);
            next = recognizer.InputStream.LA(1);
        }
    }

    public override IToken RecoverInline(Parser recognizer) => throw new InputMismatchException(recognizer);

    public override void Recover(Parser recognizer, RecognitionException e)
    {
        if (IsInHeader(recognizer.Context))
        {
            while (recognizer.InputStream.LA(1) is not (CnnParser.OPEN_BRACE or TokenConstants.EOF) && !AtStatement(recognizer))
            {
                Skip(recognizer);
            }

            return;
        }

        SkipToStatement(recognizer);
    }

    public override void ReportError(Parser recognizer, RecognitionException e)
    {
        // What is wrong in a body is not the fault of the repeat or block that it belongs to.
        RuleContext? context = recognizer.Context;
        while (context is not (null or CnnParser.StatementContext or CnnParser.BodyContext))
        {
            context = context.Parent;
        }

        if (context is CnnParser.StatementContext statement)
        {
            Broken.Add(statement);
        }
        else
        {
            IsBrokenOutsideStatements = true;
        }

        base.ReportError(recognizer, e);
    }

    private static bool IsInHeader(RuleContext? context)
    {
        while (context is not (null or CnnParser.StatementContext or CnnParser.BodyContext))
        {
            if (context is CnnParser.HeaderContext or CnnParser.BlockHeaderContext or CnnParser.RepeatHeaderContext)
            {
                return true;
            }

            context = context.Parent;
        }

        return false;
    }

    private void SkipToStatement(Parser recognizer)
    {
        while (recognizer.InputStream.LA(1) != TokenConstants.EOF && !AtStatement(recognizer))
        {
            Skip(recognizer);
        }
    }

    private void Skip(Parser recognizer)
    {
        var token = recognizer.Consume();
        if (token.Type == CnnParser.IDENTIFIER)
        {
            Skipped.Add(token.Text);
        }
    }

    /// <summary>
    /// True where a statement seems to begin, or the network ends. <c>name = word</c> is also what an attribute looks like: one that begins a line is
    /// followed by a comma or a closing parenthesis.
    /// </summary>
    private static bool AtStatement(Parser recognizer)
    {
        var tokens = (ITokenStream)recognizer.InputStream;
        var second = tokens.LA(2);
        switch (tokens.LA(1))
        {
            case CnnParser.CLOSE_BRACE:
                return true;
            case CnnParser.WEIGHTS:
                return second is CnnParser.STRING or CnnParser.UNTERMINATED_STRING || BeginsLine(tokens);
            case CnnParser.INPUT or CnnParser.OUTPUT:
                return second is CnnParser.IDENTIFIER || BeginsLine(tokens);
            case CnnParser.CONST or CnnParser.BLOCK:
                return second is CnnParser.IDENTIFIER || BeginsLine(tokens);
            case CnnParser.REPEAT:
                return second is CnnParser.IDENTIFIER or CnnParser.INTEGER or CnnParser.OPEN_PAREN || BeginsLine(tokens);
            case CnnParser.IDENTIFIER when second == CnnParser.COMMA && BeginsLine(tokens):
                return DefinesSeveral(tokens);
            case CnnParser.IDENTIFIER when second == CnnParser.EQUALS && tokens.LA(3) == CnnParser.IDENTIFIER:
                var fourth = tokens.LA(4);
                return fourth == CnnParser.OPEN_PAREN || (BeginsLine(tokens) && fourth is not (CnnParser.COMMA or CnnParser.CLOSE_PAREN));
            default:
                return false;
        }
    }

    /// <summary>True for <c>a, b = word(</c>.</summary>
    private static bool DefinesSeveral(ITokenStream tokens)
    {
        const int most = 16;
        var at = 2;
        while (at < 2 * most && tokens.LA(at) == CnnParser.COMMA && tokens.LA(at + 1) == CnnParser.IDENTIFIER)
        {
            at += 2;
        }

        return tokens.LA(at) == CnnParser.EQUALS && tokens.LA(at + 1) == CnnParser.IDENTIFIER && tokens.LA(at + 2) == CnnParser.OPEN_PAREN;
    }

    private static bool BeginsLine(ITokenStream tokens) => tokens.LT(-1) is not { } before || before.Line < tokens.LT(1).Line;
}
