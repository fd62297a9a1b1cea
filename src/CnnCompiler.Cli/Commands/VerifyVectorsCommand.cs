using System.CommandLine;
using System.Globalization;
using CnnCompiler.Cli.Files;
using CnnCompiler.Cli.Reporting;
using CnnCompiler.Interpreter.Vectors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc verify-vectors</c>: runs what was measured on the hardware and compares every field.</summary>
internal sealed class VerifyVectorsCommand
{
    private const int MostFailuresShown = 50;

    private readonly CliSession _session;
    private readonly Argument<string[]> _paths = new("PATH") { Description = "Folders of vector files (.json), or such files", Arity = ArgumentArity.OneOrMore };
    private readonly Option<long> _maxCycles = new("--max-cycles")
    {
        Description = "Cycles after which a kernel counts as one that never ends",
        HelpName = "N",
        DefaultValueFactory = _ => VectorVerifier.DefaultMaxCycles,
    };

    private VerifyVectorsCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new VerifyVectorsCommand(session);
        var command = new VerbCommand(
            "verify-vectors",
            "Runs golden vectors of the array on the interpreter and compares cycles, counters and memory. Ends with 'N passed, N failed'.",
            "cnnc verify-vectors tests/vectors/openedge");
        command.Arguments.Add(verb._paths);
        command.Options.Add(verb._maxCycles);
        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        var maxCycles = parse.GetValue(_maxCycles);
        if (maxCycles < 1)
        {
            throw CliSession.Usage("--max-cycles has to be at least 1", "leave it out for the default");
        }

        var (passed, failed) = (0, 0);
        foreach (var path in parse.GetRequiredValue(_paths))
        {
            foreach (var file in Files(path))
            {
                var results = Verify(file, maxCycles);
                var passedHere = results.Count(result => result.Passed);
                _session.Environment.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{file}: {passedHere} of {results.Count} passed"));
                ShowFailures(results, failed);
                passed += passedHere;
                failed += results.Count - passedHere;
            }
        }

        if (failed > MostFailuresShown)
        {
            _session.Environment.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{failed - MostFailuresShown} more failures are not shown"));
        }

        _session.Environment.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{passed} passed, {failed} failed"));
        return failed == 0 && passed > 0 ? ExitCodes.Success : ExitCodes.Failure;
    }

    private IReadOnlyList<VectorResult> Verify(string file, long maxCycles)
    {
        var problems = new DiagnosticBag();
        return _session.Files.Read(file, "a file of vectors", InputFiles.LargestVectors, problems) is { } bytes
            ? VectorVerifier.Verify(file, bytes, maxCycles, cancellation: _session.Environment.Cancellation)
            : [new VectorResult(file, null, problems.Diagnostics[0])];
    }

    /// <summary>The vector files of a folder in a fixed order, or the file itself; a path with neither counts as one failure.</summary>
    private IReadOnlyList<string> Files(string path)
    {
        if (!_session.Files.IsFolder(path))
        {
            return [path];
        }

        var files = _session.Files.FilesOf(path, ".json");
        if (files.Count == 0)
        {
            _session.Printer.Print([FileDiagnostics.NoVectors(path)]);
        }

        return files;
    }

    private void ShowFailures(IReadOnlyList<VectorResult> results, int shownBefore)
    {
        foreach (var result in results.Where(result => !result.Passed).Take(Math.Max(0, MostFailuresShown - shownBefore)))
        {
            if (result.Diagnostic is { } diagnostic)
            {
                _session.Printer.Print([diagnostic]);
            }

            var why = result.Difference ?? "did not run to its end";
            _session.Environment.Out.WriteLine(DiagnosticPrinter.OneLine($"FAILED {result.Name}: {why}"));
        }
    }
}
