using System.CommandLine;
using CnnCompiler.Cli.Files;
using CnnCompiler.Cli.Reporting;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc replay</c>: the command of a report of a defect once more, on the files in the report.</summary>
internal static class ReplayCommand
{
    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var file = new Argument<string>("REPORT") { Description = "The cnnc-crash-(hash).zip that an internal error left" };
        var command = new VerbCommand(
            DefectBundle.ReplayVerb,
            "Runs the command of a report of an internal error again, on the files in the report; writes nothing. Exit code 3 while there is a defect, 0 once it is gone.",
            "cnnc replay cnnc-crash-0123456789ab.zip");
        command.Arguments.Add(file);
        command.SetAction(parse => Run(session, parse.GetRequiredValue(file)));
        return command;
    }

    private static int Run(CliSession session, string file)
    {
        var environment = session.Environment;
        var bundle = DefectBundle.Read(file, session.Read(file, "a report of a defect", InputFiles.LargestBundle));
        if (bundle.Version != CliVersion.Text)
        {
            session.Printer.Print([FileDiagnostics.OtherVersion(file, bundle.Version, CliVersion.Text)]);
        }

        environment.Out.WriteLine(DiagnosticPrinter.OneLine($"cnnc {string.Join(' ', bundle.Arguments)}"));
        string? seen = null;
        var code = Program.Run([.. bundle.Arguments], environment with
        {
            Files = new BundledFiles(bundle.Files),
            OutRedirected = bundle.OutRedirected,
            ErrorRedirected = bundle.ErrorRedirected,
            OnDefect = exception => seen = CrashReport.Line(exception),
        });
        if (code == ExitCodes.Cancelled)
        {
            return code;
        }

        environment.Out.WriteLine(DiagnosticPrinter.OneLine(seen switch
        {
            null => FormattableString.Invariant($"the defect is not seen any more (it was {bundle.Defect}); exit code {code}"),
            _ when seen == bundle.Defect => $"the defect is seen again: {seen}",
            _ => $"another defect is seen: {seen} (it was {bundle.Defect})",
        }));
        return seen is null ? ExitCodes.Success : ExitCodes.InternalError;
    }
}
