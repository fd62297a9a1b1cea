using Antlr4.Runtime;
using Antlr4.Runtime.Misc;
using CnnCompiler.Frontend.Syntax.Generated;

namespace CnnCompiler.Frontend.Syntax;

/// <summary>Tokens as messages name them.</summary>
internal static class TokenNames
{
    /// <summary>What was found.</summary>
    public static string Found(IToken token) => token.Type switch
    {
        TokenConstants.EOF => "the end of the file",
        CnnParser.STRING or CnnParser.UNTERMINATED_STRING => "a quoted text",
        CnnParser.INTEGER or CnnParser.REAL => $"the number {LanguageDiagnostics.Shorten(token.Text)}",
        CnnParser.EXTENTS => $"the extents {LanguageDiagnostics.Shorten(token.Text)}",
        _ => $"'{LanguageDiagnostics.Shorten(token.Text)}'",
    };

    /// <summary>What would have been right: alternatives, in the order of the grammar's tokens.</summary>
    public static string Expected(Parser parser, IntervalSet? expected)
    {
        switch (parser.Context)
        {
            case CnnParser.BodyContext when parser.TokenStream.LA(1) == TokenConstants.EOF:
                return "'}'";
            case CnnParser.BodyContext:
                return "a statement (a layer, 'input', 'output', 'weights', 'const', 'block' or 'repeat') or '}'";
            case CnnParser.LayerKindContext:
                return "a layer such as conv2d";
            case CnnParser.ParameterTypeContext:
                return "'int' or 'word'";
            case CnnParser.ElementTypeContext:
                return "an element type such as i8";
        }

        var names = (expected?.ToList() ?? []).Select(Kind).Distinct(StringComparer.Ordinal).ToList();
        return names switch
        {
            [] => "something else",
            [var only] => only,
            [.. var first, var last] => $"{string.Join(", ", first)} or {last}",
        };
    }

    private static string Kind(int type) => type switch
    {
        TokenConstants.EOF => "the end of the file",
        CnnParser.IDENTIFIER => "a name",
        CnnParser.INTEGER or CnnParser.REAL or CnnParser.MINUS => "a number",
        CnnParser.EXTENTS => "extents such as 3x3",
        CnnParser.STRING or CnnParser.UNTERMINATED_STRING => "a quoted text",
        _ => CnnParser.DefaultVocabulary.GetDisplayName(type),
    };
}
