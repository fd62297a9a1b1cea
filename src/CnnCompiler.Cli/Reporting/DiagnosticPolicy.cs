using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Reporting;

/// <summary>What the user made of warnings and notes: <c>--nowarn</c> drops some, <c>--warnaserror</c> makes errors of some or all warnings. Errors stay errors.</summary>
/// <param name="Dropped">Codes of warnings and notes that are not told.</param>
/// <param name="AllWarningsAreErrors">True where every warning is an error.</param>
/// <param name="Promoted">Codes of warnings that are errors.</param>
public sealed record DiagnosticPolicy(IReadOnlySet<string> Dropped, bool AllWarningsAreErrors, IReadOnlySet<string> Promoted)
{
    /// <summary>Everything is told as it is.</summary>
    public static DiagnosticPolicy None { get; } = new(new HashSet<string>(StringComparer.Ordinal), false, new HashSet<string>(StringComparer.Ordinal));

    /// <summary>The diagnostic as it is told, or null for one that isn't.</summary>
    public Diagnostic? Apply(Diagnostic diagnostic)
    {
        if (diagnostic.Severity == DiagnosticSeverity.Error)
        {
            return diagnostic;
        }

        if (Dropped.Contains(diagnostic.Code))
        {
            return null;
        }

        return diagnostic.Severity == DiagnosticSeverity.Warning && (AllWarningsAreErrors || Promoted.Contains(diagnostic.Code))
            ? diagnostic with { Severity = DiagnosticSeverity.Error }
            : diagnostic;
    }
}
