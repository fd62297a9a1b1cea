using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler;

/// <summary>What the facade itself refuses: CNN0090 to CNN0099.</summary>
public static class CompilerDiagnostics
{
    /// <summary>CNN0090: a source of no known kind.</summary>
    public static Diagnostic UnknownSource(string file, string kinds) =>
        new("CNN0090", DiagnosticSeverity.Error, SourceSpan.WholeFile(file), "this is neither a network description nor a model that cnnc reads", $"it reads {kinds}");

    /// <summary>CNN0091: no such target.</summary>
    public static Diagnostic UnknownTarget(string target, IEnumerable<string> known) =>
        new("CNN0091", DiagnosticSeverity.Error, SourceSpan.None, $"there is no target '{target}'", $"choose one of {string.Join(", ", known)}");
}
