using CnnCompiler.Core;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Infrastructure;

/// <summary>Diagnostics of passes: CNN0980 to CNN0999.</summary>
public static class PassDiagnostics
{
    /// <summary>An option that no pass has.</summary>
    public static Diagnostic UnknownOption(string option, IEnumerable<string> known)
    {
        var names = string.Join(", ", known);
        return Error("CNN0980", SourceSpan.None, $"no pass has an option '{option}'", names.Length == 0 ? "these passes have no options" : $"options are {names}");
    }

    /// <summary>An option value that isn't one of the choices.</summary>
    public static Diagnostic BadOptionValue(string option, string value, EquatableArray<string> choices) =>
        Error("CNN0981", SourceSpan.None, $"option '{option}' can't be '{value}'", $"choose one of {string.Join(", ", choices)}");

    /// <summary>A pass made a module that its level's verifier refuses.</summary>
    public static Diagnostic UnsoundResult(PassDescription pass) => Error(
        "CNN0982",
        SourceSpan.None,
        $"pass {pass.Name} made a {pass.To.Name()} program that breaks the invariants reported above",
        "this is a defect of the compiler: please report it with the input");

    /// <summary>A program of the right level that was made for another target.</summary>
    public static Diagnostic OtherTargetsProgram(PassDescription pass) => Error(
        "CNN0984",
        SourceSpan.None,
        $"pass {pass.Name} can't read this {pass.From.Name()} program: it was made for another target",
        "begin at an earlier level, or choose the target it was made for");

    private static Diagnostic Error(string code, SourceSpan span, string message, string remedy) =>
        new(code, DiagnosticSeverity.Error, span, message, remedy);
}
