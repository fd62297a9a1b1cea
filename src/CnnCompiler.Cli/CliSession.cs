using CnnCompiler.Cli.Files;
using CnnCompiler.Cli.Reporting;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli;

/// <summary>Ends a verb because the command line is wrong: exit code 2.</summary>
/// <param name="diagnostic">What is wrong with it.</param>
internal sealed class UsageException(Diagnostic diagnostic) : Exception(diagnostic.ToString())
{
    /// <summary>What is wrong.</summary>
    public Diagnostic Diagnostic { get; } = diagnostic;
}

/// <summary>What the parts of one invocation share.</summary>
/// <param name="environment">The world.</param>
internal sealed class CliSession(CliEnvironment environment)
{
    private RecordedFiles? _files;

    /// <summary>The world.</summary>
    public CliEnvironment Environment { get; } = environment;

    /// <summary>Prints diagnostics.</summary>
    public DiagnosticPrinter Printer { get; } = new(environment);

    /// <summary>Where a SARIF log of what was told goes, or null.</summary>
    public string? SarifFile { get; set; }

    /// <summary>Collects what a report of a defect needs.</summary>
    public CrashReport Crash { get; } = new();

    /// <summary>The files; each that is read goes into the report of a defect.</summary>
    public IFileStore Files => _files ??= new RecordedFiles(Environment.Files, Crash);

    /// <summary>Files that were read, in order, each once: what the result depends on.</summary>
    public List<string> Inputs { get; } = [];

    /// <summary>Notes that the result depends on a file.</summary>
    public void AddInput(string path)
    {
        if (!Inputs.Contains(path, StringComparer.Ordinal))
        {
            Inputs.Add(path);
        }
    }

    /// <summary>The contents of a file, kept for excerpts and crash reports.</summary>
    /// <exception cref="DiagnosticException">It can't be read.</exception>
    public byte[] Read(string path, string kind, long limit)
    {
        var problems = new DiagnosticBag();
        var bytes = Files.Read(path, kind, limit, problems) ?? throw new DiagnosticException(problems.Diagnostics[0]);
        AddInput(path);
        return bytes;
    }

    /// <summary>Where a file may be named for text, standard output.</summary>
    public const string StandardOutput = "-";

    /// <summary>Writes a result.</summary>
    /// <exception cref="DiagnosticException">It can't be written.</exception>
    /// <exception cref="UsageException">Standard output is asked for bytes.</exception>
    public void Write(string path, ReadOnlySpan<byte> bytes)
    {
        if (path == StandardOutput)
        {
            throw Usage("this can't be written to standard output", "name a file (./- is one called -)");
        }

        var problems = new DiagnosticBag();
        if (!Files.Write(path, bytes, problems))
        {
            throw new DiagnosticException(problems.Diagnostics[0]);
        }
    }

    /// <summary>Ends the verb with a usage error.</summary>
    public static UsageException Usage(string message, string remedy) => new(FileDiagnostics.Usage(message, remedy));
}
