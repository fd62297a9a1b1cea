using Antlr4.Runtime;
using Antlr4.Runtime.Misc;
using Antlr4.Runtime.Tree;
using CnnCompiler.Core;
using CnnCompiler.Frontend.Syntax.Generated;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Syntax;

/// <summary>What reading a text gives.</summary>
/// <param name="Network">The network, without what could not be parsed.</param>
/// <param name="IsBrokenOutsideStatements">True where whole statements may be missing.</param>
/// <param name="Skipped">Names in what was skipped.</param>
internal sealed record SyntaxResult(NetworkSyntax Network, bool IsBrokenOutsideStatements, IReadOnlySet<string> Skipped);

/// <summary>
/// From text to syntax: tokens, ANTLR's parser, and our nodes from its tree. Mistakes are reported, and the rest is still read, unless there are so many
/// that the text can't be meant as a network (each costs an exception in the parser).
/// </summary>
internal sealed class SyntaxReader
{
    private readonly string _file;
    private readonly DiagnosticBag _diagnostics;
    private readonly List<Diagnostic> _found = [];
    private readonly RecoveringErrorStrategy _strategy = new();

    private SyntaxReader(string file, DiagnosticBag diagnostics) => (_file, _diagnostics) = (file, diagnostics);

    /// <summary>Reads a text within <see cref="LanguageLimits.Characters"/>; null where it is not parsed at all.</summary>
    public static SyntaxResult? Read(string text, string file, DiagnosticBag diagnostics)
    {
        var reader = new SyntaxReader(file, diagnostics);
        var result = reader.Read(text);
        reader.Report();
        return result;
    }

    /// <summary>All tokens, comments too, and the indices of those that begin a statement; null where the syntax is wrong, which is reported.</summary>
    public static (IReadOnlyList<IToken> Tokens, IReadOnlySet<int> Starts)? ReadTokens(string text, string file, DiagnosticBag diagnostics)
    {
        var reader = new SyntaxReader(file, diagnostics);
        List<IToken> tokens = [];
        CnnParser.FileContext? parsed = null;
        _ = reader.Parse(text, (list, tree) =>
        {
            (tokens, parsed) = (list, tree);
            return true;
        });
        reader.Report();
        if (reader._found.Count > 0 || parsed is null)
        {
            return null;
        }

        var starts = new HashSet<int>();
        CollectStarts(parsed.body(), starts);
        return (tokens, starts);
    }

    private static void CollectStarts(CnnParser.BodyContext body, HashSet<int> starts)
    {
        foreach (var statement in body.statement())
        {
            starts.Add(statement.Start.TokenIndex);
            if ((statement.repeatStatement()?.body() ?? statement.blockStatement()?.body()) is { } inner)
            {
                CollectStarts(inner, starts);
            }
        }
    }

    private SyntaxResult? Read(string text) =>
        Parse(text, (_, tree) => new SyntaxResult(Network(tree), _strategy.IsBrokenOutsideStatements, _strategy.Skipped));

    private T? Parse<T>(string text, Func<List<IToken>, CnnParser.FileContext, T> result)
    {
        var lexer = new CnnLexer(new AntlrInputStream(text), TextWriter.Null, TextWriter.Null);
        lexer.RemoveErrorListeners();
        if (Tokens(lexer) is not { } tokens)
        {
            return default;
        }

        var parser = new CnnParser(new CommonTokenStream(new ListTokenSource(tokens)), TextWriter.Null, TextWriter.Null) { ErrorHandler = _strategy };
        parser.RemoveErrorListeners();
        parser.AddErrorListener(new Listener(this));
        try
        {
            return result(tokens, parser.file());
        }
        catch (ParseCanceledException)
        {
            return default;
        }
    }

    /// <summary>All tokens; null where brackets are nested too deeply for the parser, which is recursive, or hardly anything is a token.</summary>
    private List<IToken>? Tokens(CnnLexer lexer)
    {
        var tokens = new List<IToken>();
        var open = 0;
        while (_found.Count <= LanguageLimits.Diagnostics)
        {
            var token = lexer.NextToken();
            var isRun = token.Type == CnnLexer.UNKNOWN && tokens is [.., { Type: CnnLexer.UNKNOWN }];
            tokens.Add(token);
            switch (token.Type)
            {
                case TokenConstants.EOF:
                    return tokens;
                case CnnLexer.UNKNOWN when !isRun:
                    _found.Add(LanguageDiagnostics.UnexpectedCharacter(Span(token), token.Text[0]));
                    break;
                case CnnLexer.UNTERMINATED_STRING:
                    _found.Add(LanguageDiagnostics.UnterminatedText(Span(token)));
                    break;
                case CnnLexer.UNTERMINATED_COMMENT:
                    _found.Add(LanguageDiagnostics.UnterminatedComment(SourceSpan.At(_file, token.Line, token.Column + 1)));
                    break;
                case CnnLexer.OPEN_BRACE or CnnLexer.OPEN_BRACKET or CnnLexer.OPEN_PAREN when ++open > LanguageLimits.Nesting:
                    _found.Add(LanguageDiagnostics.NestedTooDeeply(Span(token)));
                    return null;
                case CnnLexer.CLOSE_BRACE or CnnLexer.CLOSE_BRACKET or CnnLexer.CLOSE_PAREN:
                    open = Math.Max(0, open - 1);
                    break;
            }
        }

        return null;
    }

    /// <summary>A stray character and what the parser makes of its absence are one mistake: of those of one line the first is reported.</summary>
    private void Report()
    {
        var strayLines = _found.Where(diagnostic => diagnostic.Code == LanguageDiagnostics.UnexpectedCharacterCode).Select(diagnostic => diagnostic.Span.Line).ToHashSet();
        var first = _found.Where(diagnostic => strayLines.Contains(diagnostic.Span.Line))
            .GroupBy(diagnostic => diagnostic.Span.Line).Select(line => line.MinBy(diagnostic => diagnostic.Span.Column)!).ToHashSet();
        _diagnostics.Report(_found.Where(diagnostic => !strayLines.Contains(diagnostic.Span.Line) || first.Contains(diagnostic)));
    }

    private NetworkSyntax Network(CnnParser.FileContext file)
    {
        var header = file.header();
        var name = header?.name()?.IDENTIFIER() is { } written ? Name(written.Symbol) : null;
        return new(name, Body(file.body()), file.body()?.CLOSE_BRACE() is { } end ? Span(end.Symbol) : Span(file.Start));
    }

    private BodySyntax Body(CnnParser.BodyContext? body) => new((body?.statement() ?? []).Select(Statement).OfType<StatementSyntax>().ToEquatableArray());

    private StatementSyntax? Statement(CnnParser.StatementContext statement)
    {
        var span = Span(statement);
        if (_strategy.Broken.Contains(statement))
        {
            return Broken(statement, span);
        }

        return statement.GetChild(0) switch
        {
            CnnParser.WeightsStatementContext weights when weights.text() is { } text => new WeightsStatement(span, Text(text), Span(text)),
            CnnParser.WeightsStatementContext weights => new SeedStatement(span, Value(weights.value())),
            CnnParser.InputStatementContext input => new InputStatement(
                span, Name(input.name()), Name(input.elementType().IDENTIFIER().Symbol), Shape(input.shape()), Quantization(input.quantization())),
            CnnParser.OutputStatementContext output => new OutputStatement(span, output.name().Select(Name).ToEquatableArray()),
            CnnParser.ConstStatementContext constant => new ConstStatement(span, Name(constant.name()), Value(constant.value())),
            CnnParser.BlockStatementContext block => new BlockStatement(
                span, Name(block.blockHeader().name()), block.blockHeader().parameters().parameter().Select(Parameter).ToEquatableArray(), Body(block.body()), IsBroken: false),
            CnnParser.RepeatStatementContext repeat => new RepeatStatement(
                span,
                Value(repeat.repeatHeader().value(0)),
                repeat.repeatHeader().value(1) is { } first ? Value(first) : null,
                repeat.repeatHeader().value(2) is { } last ? Value(last) : null,
                Body(repeat.body())),
            CnnParser.LayerStatementContext layer => new LayerStatement(
                span,
                layer.name().Select(Name).ToEquatableArray(),
                Name(layer.layerKind().IDENTIFIER().Symbol),
                layer.arguments().argument().Where(argument => argument.value() is null).Select(argument => Name(argument.IDENTIFIER().Symbol)).ToEquatableArray(),
                layer.arguments().argument().Where(argument => argument.value() is not null)
                    .Select(argument => new AttributeSyntax(Name(argument.IDENTIFIER().Symbol), Value(argument.value()))).ToEquatableArray(),
                Quantization(layer.quantization())),
            _ => null,
        };
    }

    private StatementSyntax Broken(CnnParser.StatementContext statement, SourceSpan span)
    {
        if (statement.blockStatement() is { } block)
        {
            return block.blockHeader()?.name()?.IDENTIFIER() is { } called
                ? new BlockStatement(span, Name(called.Symbol), [], Body(block.body()), IsBroken: true)
                : new BrokenStatement(span, false, false, false, []);
        }

        // A repeat gives no names that are not defined before it.
        var names = (statement.outputStatement()?.name() ?? statement.layerStatement()?.name() ?? [statement.inputStatement()?.name() ?? statement.constStatement()?.name()])
            .Where(name => name?.IDENTIFIER() is not null).Select(name => Name(name!));
        return new BrokenStatement(
            span, statement.inputStatement() is not null, statement.outputStatement() is not null, statement.weightsStatement() is not null, names.ToEquatableArray());
    }

    private ParameterSyntax Parameter(CnnParser.ParameterContext parameter) => new(
        Name(parameter.name()),
        parameter.parameterType() is { } type ? Name(type.IDENTIFIER().Symbol) : null,
        parameter.value() is { } value ? Value(value) : null);

    private ListValue Shape(CnnParser.ShapeContext shape)
    {
        var extents = shape.extents().value().Select(Value).ToEquatableArray();
        return extents is [ListValue list] ? list : new ListValue(Span(shape.extents()), extents);
    }

    private ValueSyntax Value(CnnParser.ValueContext value) => Arithmetic(value, value.term(), Term);

    private ValueSyntax Term(CnnParser.TermContext term) => Arithmetic(term, term.factor(), Factor);

    /// <summary>Operands and, between them, operators: the children of a rule.</summary>
    private ValueSyntax Arithmetic<T>(ParserRuleContext context, T[] operands, Func<T, ValueSyntax> read)
    {
        var first = read(operands[0]);
        if (operands.Length == 1)
        {
            return first;
        }

        var steps = new ArithmeticStep[operands.Length - 1];
        for (var i = 0; i < steps.Length; i++)
        {
            var symbol = ((ITerminalNode)context.GetChild((2 * i) + 1)).Symbol;
            steps[i] = new(symbol.Text[0], Span(symbol), read(operands[i + 1]));
        }

        return new ArithmeticValue(Span(context), first, steps.ToEquatableArray());
    }

    private ValueSyntax Factor(CnnParser.FactorContext factor)
    {
        var signs = factor.ChildCount - 1;
        return (signs, Primary(factor.primary())) switch
        {
            (0, var operand) => operand,
            (1, NumberValue { Text: var digits }) when factor.primary() is CnnParser.NumberValueContext => new NumberValue(Span(factor), $"-{digits}"),
            (_, var operand) => new NegatedValue(Span(factor), signs, operand),
        };
    }

    private ValueSyntax Primary(CnnParser.PrimaryContext primary) => primary switch
    {
        CnnParser.NumberValueContext number => new NumberValue(Span(number), number.GetText()),
        CnnParser.ExtentsValueContext extents => Extents(extents.EXTENTS().Symbol),
        CnnParser.WordValueContext word => new WordValue(Span(word), word.GetText()),
        CnnParser.TextValueContext text => new TextValue(Span(text), Text(text.text())),
        CnnParser.ListValueContext list when list.value() is [var only] => Value(only),
        CnnParser.ListValueContext list => new ListValue(Span(list), list.value().Select(Value).ToEquatableArray()),
        _ => throw new InvalidOperationException($"no case for {primary.GetType().Name}"),
    };

    private ListValue Extents(IToken token)
    {
        var items = new List<ValueSyntax>();
        var column = token.Column + 1;
        foreach (var part in token.Text.Split('x'))
        {
            items.Add(new NumberValue(new SourceSpan(_file, token.Line, column, token.Line, column + part.Length), part));
            column += part.Length + 1;
        }

        return new(Span(token), items.ToEquatableArray());
    }

    private QuantizationSyntax? Quantization(CnnParser.QuantizationContext? quantization) => quantization is null
        ? null
        : new(Number(quantization.number()), quantization.value() is { } zeroPoint ? Value(zeroPoint) : null);

    private NumberValue Number(CnnParser.NumberContext number) => new(Span(number), number.GetText());

    private NameSyntax Name(CnnParser.NameContext name) => Name(name.IDENTIFIER().Symbol);

    private NameSyntax Name(IToken token) => new(token.Text, Span(token));

    /// <summary>A quoted text without its quotation marks; the closing one may be missing, which has been reported.</summary>
    private static string Text(CnnParser.TextContext text) => text.GetText().Trim('"');

    private SourceSpan Span(ParserRuleContext context)
    {
        var last = context.Stop ?? context.Start;
        return last.TokenIndex < context.Start.TokenIndex
            ? Span(context.Start)
            : new(_file, context.Start.Line, context.Start.Column + 1, last.Line, last.Column + 1 + Length(last));
    }

    private SourceSpan Span(IToken token) => new(_file, token.Line, token.Column + 1, token.Line, token.Column + 1 + Length(token));

    private static int Length(IToken token) => token.Type == TokenConstants.EOF ? 0 : token.Text.Length;

    private sealed class Listener(SyntaxReader reader) : IAntlrErrorListener<IToken>
    {
        public void SyntaxError(TextWriter output, IRecognizer recognizer, IToken offendingSymbol, int line, int charPositionInLine, string msg, RecognitionException e)
        {
            var parser = (Parser)recognizer;
            var expected = TokenNames.Expected(parser, e.GetExpectedTokens());
            var before = parser.TokenStream.LT(-1);

            // What is missing at the end of a line is shown there, not at the beginning of the next statement.
            var isAtEnd = offendingSymbol.Type == TokenConstants.EOF || (before?.Line < offendingSymbol.Line && parser.Context is not CnnParser.BodyContext);
            reader._found.Add(before is not null && isAtEnd
                ? LanguageDiagnostics.Missing(SourceSpan.At(reader._file, before.Line, before.Column + 1 + Length(before)), expected, TokenNames.Found(before))
                : LanguageDiagnostics.Expected(reader.Span(offendingSymbol), expected, TokenNames.Found(offendingSymbol)));
            if (reader._found.Count > LanguageLimits.Diagnostics)
            {
                throw new ParseCanceledException();
            }
        }
    }
}
