using CnnCompiler.Cli.Files;
using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Container;

namespace CnnCompiler.Cli;

/// <summary>What a verb may touch of the world: writers, whether they end at a terminal, where crash reports go, when to stop. Tests give their own.</summary>
/// <param name="Out">Results.</param>
/// <param name="Error">Diagnostics and progress.</param>
/// <param name="Cancellation">Ends a long verb early (Ctrl-C).</param>
public sealed record CliEnvironment(TextWriter Out, TextWriter Error, CancellationToken Cancellation = default)
{
    /// <summary>True where results go to a file or pipe.</summary>
    public bool OutRedirected { get; init; } = true;

    /// <summary>True where diagnostics go to a file or pipe: they are then printed one a line, as build tools expect.</summary>
    public bool ErrorRedirected { get; init; } = true;

    /// <summary>Folder of crash reports.</summary>
    public string CrashFolder { get; init; } = ".";

    /// <summary>The files that are read and written.</summary>
    public IFileStore Files { get; init; } = DiskFiles.Instance;

    /// <summary>Takes an internal error in place of the report that is written of it otherwise.</summary>
    public Action<Exception>? OnDefect { get; init; }

    /// <summary>The compiler; a test puts a broken one in its place.</summary>
    public Func<CompileRequest, CompileResult> Compile { get; init; } = Compiler.Compile;

    /// <summary>Machines that random networks are tried on; a test puts a broken one in their place.</summary>
    public IReadOnlyList<FuzzMachine> FuzzMachines { get; init; } = FuzzMachine.All;

    /// <summary>True where a person watches the progress.</summary>
    public bool Interactive => !ErrorRedirected;
}
