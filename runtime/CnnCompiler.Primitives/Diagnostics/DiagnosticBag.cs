using System.Diagnostics.CodeAnalysis;

namespace CnnCompiler.Primitives.Diagnostics;

/// <summary>Collects diagnostics in the order they were found.</summary>
public sealed class DiagnosticBag
{
    private readonly List<Diagnostic> _diagnostics = [];

    /// <summary>Everything reported so far.</summary>
    public IReadOnlyList<Diagnostic> Diagnostics => _diagnostics;

    /// <summary>True when at least one is an error.</summary>
    public bool HasErrors { get; private set; }

    /// <summary>Adds one.</summary>
    public void Report(Diagnostic diagnostic)
    {
        _diagnostics.Add(diagnostic);
        HasErrors |= diagnostic.Severity == DiagnosticSeverity.Error;
    }

    /// <summary>Adds many.</summary>
    public void Report(IEnumerable<Diagnostic> diagnostics)
    {
        foreach (var diagnostic in diagnostics)
        {
            Report(diagnostic);
        }
    }
}

/// <summary>
/// Carries a user's error out of deep code as a diagnostic. Every public entry point that reads user data catches it at its boundary and
/// returns the diagnostic: it never reaches a user as an exception.
/// </summary>
[SuppressMessage("Design", "CA1032:Implement standard exception constructors", Justification = "Only ever made from a diagnostic.")]
public sealed class DiagnosticException(Diagnostic diagnostic) : Exception(diagnostic.ToString())
{
    /// <summary>The diagnostic to show.</summary>
    public Diagnostic Diagnostic { get; } = diagnostic;
}
