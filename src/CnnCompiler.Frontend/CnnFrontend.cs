using CnnCompiler.Frontend.Binding;
using CnnCompiler.Frontend.Syntax;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend;

/// <summary>Reads networks written in the <c>.cnn</c> language (<c>docs/language.md</c>).</summary>
public static class CnnFrontend
{
    /// <summary>
    /// The network of a text, or null where <paramref name="diagnostics"/> has errors: CNN0200 to CNN0299 for the language, CNN0300 to CNN0314 for the
    /// weight file, CNN0100 to CNN0199 for shapes and types. They come in the order of the text; a mistake is reported once, and what follows from it is not. A network
    /// that is returned has passed <see cref="NetworkVerifier"/>.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="file">The file as the user named it.</param>
    /// <param name="companions">Gives the bytes of a file that the text names (a path relative to the text's own folder), or null where there is none.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    /// <param name="elements">What the type <c>value</c> is in this reading: i8 unless it is said. With others, scales and zero points that are written count for nothing in f32 and fixed point.</param>
    public static NetworkGraph? Parse(string text, string file, Func<string, byte[]?> companions, DiagnosticBag diagnostics, NetworkElements? elements = null)
    {
        if (text.Length > LanguageLimits.Characters)
        {
            diagnostics.Report(LanguageDiagnostics.FileTooLong(file, text.Length));
            return null;
        }

        var found = new DiagnosticBag();
        var graph = SyntaxReader.Read(text, file, found) is { } syntax ? NetworkBinder.Bind(syntax, companions, elements, found) : null;
        Report(found, file, diagnostics);
        return found.HasErrors ? null : graph;
    }

    private static void Report(DiagnosticBag found, string file, DiagnosticBag diagnostics)
    {
        // A note on a call stays behind its diagnostic.
        var groups = new List<List<Diagnostic>>();
        foreach (var diagnostic in found.Diagnostics)
        {
            if (diagnostic.Severity == DiagnosticSeverity.Note && groups.Count > 0)
            {
                groups[^1].Add(diagnostic);
            }
            else
            {
                groups.Add([diagnostic]);
            }
        }

        var sorted = groups.OrderBy(group => group[0].Span.Line).ThenBy(group => group[0].Span.Column).SelectMany(group => group).ToList();
        diagnostics.Report(sorted.Take(LanguageLimits.Diagnostics));
        if (sorted.Count > LanguageLimits.Diagnostics)
        {
            diagnostics.Report(LanguageDiagnostics.TooMany(SourceSpan.WholeFile(file)));
        }
    }
}
