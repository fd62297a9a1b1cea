using CnnCompiler.Core;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Syntax;

/// <summary>A name as written.</summary>
internal sealed record NameSyntax(string Text, SourceSpan Span);

/// <summary>A file: one network. What could not be parsed is left out, or a <see cref="BrokenStatement"/>.</summary>
/// <param name="Name">Its name, or null where it is missing.</param>
/// <param name="Body">Its statements.</param>
/// <param name="End">Where the network ends.</param>
internal sealed record NetworkSyntax(NameSyntax? Name, BodySyntax Body, SourceSpan End);

/// <summary>A statement of a network.</summary>
internal abstract record StatementSyntax(SourceSpan Span);

/// <summary>Statements between braces, with the names that they define.</summary>
internal sealed record BodySyntax
{
    public BodySyntax(EquatableArray<StatementSyntax> statements)
    {
        Statements = statements;
        var definitions = new Dictionary<string, SourceSpan>(StringComparer.Ordinal);
        foreach (var name in statements.SelectMany(Defined))
        {
            definitions.TryAdd(name.Text, name.Span);
        }

        Definitions = definitions;
    }

    /// <summary>In the order of the text.</summary>
    public EquatableArray<StatementSyntax> Statements { get; }

    /// <summary>Where each name is first defined; not what nested bodies define.</summary>
    public IReadOnlyDictionary<string, SourceSpan> Definitions { get; }

    private static IEnumerable<NameSyntax> Defined(StatementSyntax statement) => statement switch
    {
        InputStatement input => [input.Name],
        LayerStatement layer => layer.Names,
        ConstStatement constant => [constant.Name],
        BrokenStatement { IsOutput: false } broken => broken.Names,
        _ => [],
    };
}

/// <summary><c>weights "lenet5.npz"</c>.</summary>
internal sealed record WeightsStatement(SourceSpan Span, string Path, SourceSpan PathSpan) : StatementSyntax(Span);

/// <summary><c>weights seed 42</c>.</summary>
internal sealed record SeedStatement(SourceSpan Span, ValueSyntax Seed) : StatementSyntax(Span);

/// <summary><c>const width = 16 * 2</c>.</summary>
internal sealed record ConstStatement(SourceSpan Span, NameSyntax Name, ValueSyntax Value) : StatementSyntax(Span);

/// <summary><c>block residual(x, filters: int, stride: int = 1) { ... }</c>. Where the header is broken, which has been reported, nothing is known of the parameters.</summary>
internal sealed record BlockStatement(SourceSpan Span, NameSyntax Name, EquatableArray<ParameterSyntax> Parameters, BodySyntax Body, bool IsBroken) : StatementSyntax(Span);

/// <summary>A parameter of a block: a value where there is no type, else a constant.</summary>
internal sealed record ParameterSyntax(NameSyntax Name, NameSyntax? Type, ValueSyntax? Default);

/// <summary><c>repeat 3 { ... }</c>, or <c>repeat i in 1..3 { ... }</c>: then <paramref name="First"/> is 1 and <paramref name="Last"/> is 3.</summary>
internal sealed record RepeatStatement(SourceSpan Span, ValueSyntax Count, ValueSyntax? First, ValueSyntax? Last, BodySyntax Body) : StatementSyntax(Span);

/// <summary><c>input image : i8[1x28x28x1] scale 0.5 zero -128</c>.</summary>
internal sealed record InputStatement(
    SourceSpan Span, NameSyntax Name, NameSyntax ElementType, ListValue Shape, QuantizationSyntax? Quantization) : StatementSyntax(Span);

/// <summary><c>output probabilities, features</c>.</summary>
internal sealed record OutputStatement(SourceSpan Span, EquatableArray<NameSyntax> Names) : StatementSyntax(Span);

/// <summary><c>conv1 = conv2d(image, filters=6, kernel=5x5) : scale 0.5 zero -3</c>.</summary>
internal sealed record LayerStatement(
    SourceSpan Span,
    EquatableArray<NameSyntax> Names,
    NameSyntax Kind,
    EquatableArray<NameSyntax> Operands,
    EquatableArray<AttributeSyntax> Attributes,
    QuantizationSyntax? Quantization) : StatementSyntax(Span)
{
    /// <summary>The first of its names.</summary>
    public NameSyntax Name => Names[0];
}

/// <summary>A statement with a syntax error that has been reported; the names it seems to define or to give are known but have no type.</summary>
internal sealed record BrokenStatement(SourceSpan Span, bool IsInput, bool IsOutput, bool IsWeights, EquatableArray<NameSyntax> Names) : StatementSyntax(Span);

/// <summary><c>kernel=5x5</c>.</summary>
internal sealed record AttributeSyntax(NameSyntax Name, ValueSyntax Value);

/// <summary><c>scale 0.5 zero -3</c>.</summary>
internal sealed record QuantizationSyntax(NumberValue Scale, ValueSyntax? ZeroPoint);

/// <summary>The value of an attribute.</summary>
internal abstract record ValueSyntax(SourceSpan Span)
{
    /// <summary>The value as a message names it.</summary>
    public abstract string Describe();
}

/// <summary>A number, with its sign, as written.</summary>
internal sealed record NumberValue(SourceSpan Span, string Text) : ValueSyntax(Span)
{
    public override string Describe() => LanguageDiagnostics.Shorten(Text);
}

/// <summary><c>(1, 2)</c>, or <c>1x2</c>, which is the same.</summary>
internal sealed record ListValue(SourceSpan Span, EquatableArray<ValueSyntax> Items) : ValueSyntax(Span)
{
    public override string Describe() => FormattableString.Invariant($"a list of {Items.Count}");
}

/// <summary>A word: <c>same</c>.</summary>
internal sealed record WordValue(SourceSpan Span, string Text) : ValueSyntax(Span)
{
    public override string Describe() => $"'{LanguageDiagnostics.Shorten(Text)}'";
}

/// <summary>A quoted text, without the quotation marks.</summary>
internal sealed record TextValue(SourceSpan Span, string Text) : ValueSyntax(Span)
{
    public override string Describe() => $"the text \"{LanguageDiagnostics.Shorten(Text)}\"";
}

/// <summary>Operators of one precedence and their operands, from the left.</summary>
internal sealed record ArithmeticValue(SourceSpan Span, ValueSyntax First, EquatableArray<ArithmeticStep> Steps) : ValueSyntax(Span)
{
    public override string Describe() => "arithmetic";
}

/// <summary>An operator of <see cref="ArithmeticValue"/>, and what follows it.</summary>
internal sealed record ArithmeticStep(char Operator, SourceSpan Span, ValueSyntax Operand);

/// <summary><c>-x</c>, with one or more signs.</summary>
internal sealed record NegatedValue(SourceSpan Span, int Signs, ValueSyntax Operand) : ValueSyntax(Span)
{
    public override string Describe() => "arithmetic";
}

/// <summary>What arithmetic gave that was wrong and has been reported.</summary>
internal sealed record WrongValue(SourceSpan Span) : ValueSyntax(Span)
{
    public override string Describe() => "nothing";
}
