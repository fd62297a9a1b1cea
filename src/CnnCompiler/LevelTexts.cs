using CnnCompiler.Core.Numpy;
using CnnCompiler.Ir.Text;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler;

/// <summary>Reads the text of a level, from which a compilation goes on.</summary>
internal static class LevelTexts
{
    /// <summary>File extension of the text of a level, with its dot.</summary>
    public const string Extension = ".cnnir";

    private const string ConstantsExtension = ".npz";

    /// <summary>True for a file that holds a level's text by its name.</summary>
    public static bool IsLevelText(string file) => file.EndsWith(Extension, StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// The program of the request's source, verified; null after reporting why not. What the verifier says of the program as a whole, or of something that remembers no place, is told where the
    /// program begins.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="target">The request's target.</param>
    /// <param name="expected">The level that it has to be of, or null for any.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static IrModule? Read(CompileRequest request, CompilerTarget target, IrLevel? expected, DiagnosticBag diagnostics)
    {
        var text = SourceText.Decode(request.Source.Span);
        var level = ModuleText.LevelOf(text);
        if (level is not var (found, dialect) || (expected is not null && expected != found))
        {
            diagnostics.Report(CompilerDiagnostics.NotLevelText(
                request.FileName, expected is { } one && level is not null ? one.Name() : string.Join(", ", ModuleText.Levels.Select(known => known.Name())), level?.Level.Name()));
            return null;
        }

        var words = found == IrLevel.Mapped ? target.Mapped.Dialect : string.Empty;
        if (dialect != words)
        {
            diagnostics.Report(CompilerDiagnostics.OtherTarget(request.FileName, found.Name(), target.Name, CompilerTargets.All.Where(known => known.Mapped.Dialect == dialect).Select(known => known.Name)));
            return null;
        }

        if (Constants(request, diagnostics) is not { } constants)
        {
            return null;
        }

        var read = new DiagnosticBag();
        var module = found == IrLevel.Mapped
            ? target.Mapped.Parse(new(text, request.FileName, constants), request.Machine ?? target.DefaultMachine, read)
            : ModuleText.Parse(found, text, request.FileName, constants, read);
        var problems = module is null || read.HasErrors ? [] : module.Verify();
        if (problems.Any(problem => problem.Severity == DiagnosticSeverity.Error))
        {
            read.Report(problems);
        }

        var begin = new Lazy<SourceSpan>(() => Begin(request.FileName, text));
        diagnostics.Report(read.Diagnostics.Select(problem => problem.Span.IsNone ? problem with { Span = begin.Value } : problem));
        return read.HasErrors ? null : module;
    }

    // Where the level's name stands, behind comments.
    private static SourceSpan Begin(string file, string text)
    {
        var lines = text.Split('\n');
        var line = Array.FindIndex(lines, candidate => candidate.Trim() is { Length: > 0 } content && !content.StartsWith("//", StringComparison.Ordinal));
        return line < 0 ? SourceSpan.WholeFile(file) : SourceSpan.At(file, line + 1, lines[line].Length - lines[line].TrimStart().Length + 1);
    }

    private static ConstantStore? Constants(CompileRequest request, DiagnosticBag diagnostics)
    {
        var name = Path.GetFileName(request.FileName) + ConstantsExtension;
        if (request.Companion(name) is not { } bytes)
        {
            // Constants that are missing are told where the text names them.
            return ConstantStore.Empty;
        }

        return NpzFile.Read(bytes, name, diagnostics) is { } arrays ? new(arrays.Select(array => new NamedConstant(array.Key, array.Value))) : null;
    }
}
