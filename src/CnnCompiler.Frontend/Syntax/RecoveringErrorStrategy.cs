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
    private static readonly IntervalSet _statementStarts = new(CnnParser.WEIGHTS, CnnParser.INPUT, CnnParser.OUTPUT, CnnParser.IDENTIFIER);

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
        if (recognizer.Context is CnnParser.HeaderContext or { Parent: CnnParser.HeaderContext })
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
        RuleContext? context = recognizer.Context;
        while (context is not (null or CnnParser.StatementContext))
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
            case CnnParser.IDENTIFIER when second == CnnParser.EQUALS && tokens.LA(3) == CnnParser.IDENTIFIER:
                var fourth = tokens.LA(4);
                return fourth == CnnParser.OPEN_PAREN || (BeginsLine(tokens) && fourth is not (CnnParser.COMMA or CnnParser.CLOSE_PAREN));
            default:
                return false;
        }
    }

    private static bool BeginsLine(ITokenStream tokens) => tokens.LT(-1) is not { } before || before.Line < tokens.LT(1).Line;
}
