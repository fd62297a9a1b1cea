namespace CnnCompiler.Primitives.Diagnostics;

/// <summary>How bad a diagnostic is.</summary>
public enum DiagnosticSeverity
{
    /// <summary>Something worth knowing.</summary>
    Note,

    /// <summary>Something that is probably a mistake; the result is still right.</summary>
    Warning,

    /// <summary>No result.</summary>
    Error,
}

/// <summary>One message to the user: a stable code, a place, what is wrong in the user's words and what to do.</summary>
/// <param name="Code">Stable code, <c>CNN</c> and four digits. The ranges by area are in <see cref="DiagnosticAreas"/>; a number is never reused.</param>
/// <param name="Severity">How bad it is.</param>
/// <param name="Span">Where, in the user's file.</param>
/// <param name="Message">What is wrong, in the user's words.</param>
/// <param name="Remedy">What the user can do about it.</param>
public sealed record Diagnostic(string Code, DiagnosticSeverity Severity, SourceSpan Span, string Message, string Remedy)
{
    /// <summary>The canonical one-line form that build tools understand: <c>file(line,col): error CNN0117: message; remedy</c>.</summary>
    public override string ToString()
    {
        var severity = Severity switch { DiagnosticSeverity.Error => "error", DiagnosticSeverity.Warning => "warning", _ => "note" };
        var place = Span.ToString();
        var text = Remedy.Length == 0 ? Message : $"{Message}; {Remedy}";
        return place.Length == 0 ? $"cnnc: {severity} {Code}: {text}" : $"{place}: {severity} {Code}: {text}";
    }
}

/// <summary>The code ranges. Each area has one static factory class, in its own project, with one method a code.</summary>
public static class DiagnosticAreas
{
    /// <summary>CNN0001 to CNN0099: files and the command line.</summary>
    public const int Files = 1;

    /// <summary>CNN0100 to CNN0199: layers, shapes and types of a network.</summary>
    public const int Network = 100;

    /// <summary>CNN0200 to CNN0299: syntax and names of the .cnn language.</summary>
    public const int Language = 200;

    /// <summary>CNN0300 to CNN0399: TFLite and ONNX import, .npy and .npz.</summary>
    public const int Import = 300;

    /// <summary>CNN0400 to CNN0499: machine descriptions.</summary>
    public const int Machine = 400;

    /// <summary>CNN0500 to CNN0599: the OpenEdgeCGRA assembler.</summary>
    public const int Assembler = 500;

    /// <summary>CNN0600 to CNN0699: images.</summary>
    public const int Image = 600;

    /// <summary>CNN0700 to CNN0799: execution.</summary>
    public const int Execution = 700;

    /// <summary>CNN0800 to CNN0899: mapping to a target: what does not fit, and how much is missing.</summary>
    public const int Mapping = 800;

    /// <summary>CNN0900 to CNN0999: IR text and the verifier.</summary>
    public const int Ir = 900;
}
