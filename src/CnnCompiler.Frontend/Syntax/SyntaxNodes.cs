using CnnCompiler.Core;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Syntax;

/// <summary>A name as written.</summary>
internal sealed record NameSyntax(string Text, SourceSpan Span);

/// <summary>A file: one network. What could not be parsed is left out, or a <see cref="BrokenStatement"/>.</summary>
/// <param name="Name">Its name, or null where it is missing.</param>
/// <param name="Statements">In the order of the text.</param>
/// <param name="End">Where the network ends.</param>
internal sealed record NetworkSyntax(NameSyntax? Name, EquatableArray<StatementSyntax> Statements, SourceSpan End);

/// <summary>A statement of a network.</summary>
internal abstract record StatementSyntax(SourceSpan Span);

/// <summary><c>weights "lenet5.npz"</c>.</summary>
internal sealed record WeightsStatement(SourceSpan Span, string Path, SourceSpan PathSpan) : StatementSyntax(Span);

/// <summary><c>input image : i8[1x28x28x1] scale 0.5 zero -128</c>.</summary>
internal sealed record InputStatement(
    SourceSpan Span, NameSyntax Name, NameSyntax ElementType, ListValue Shape, QuantizationSyntax? Quantization) : StatementSyntax(Span);

/// <summary><c>output probabilities, features</c>.</summary>
internal sealed record OutputStatement(SourceSpan Span, EquatableArray<NameSyntax> Names) : StatementSyntax(Span);

/// <summary><c>conv1 = conv2d(image, filters=6, kernel=5x5) : scale 0.5 zero -3</c>.</summary>
internal sealed record LayerStatement(
    SourceSpan Span,
    NameSyntax Name,
    NameSyntax Kind,
    EquatableArray<NameSyntax> Operands,
    EquatableArray<AttributeSyntax> Attributes,
    QuantizationSyntax? Quantization) : StatementSyntax(Span);

/// <summary>A statement with a syntax error that has been reported; the names it seems to define or to give are known but have no type.</summary>
internal sealed record BrokenStatement(SourceSpan Span, bool IsInput, bool IsOutput, bool IsWeights, EquatableArray<NameSyntax> Names) : StatementSyntax(Span);

/// <summary><c>kernel=5x5</c>.</summary>
internal sealed record AttributeSyntax(NameSyntax Name, ValueSyntax Value);

/// <summary><c>scale 0.5 zero -3</c>.</summary>
internal sealed record QuantizationSyntax(NumberValue Scale, NumberValue? ZeroPoint);

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
