using System.CommandLine;
using System.Runtime.InteropServices;
using CnnCompiler.Cli.Commands;
using CnnCompiler.Cli.Reporting;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli;

/// <summary>The command line <c>cnnc</c>.</summary>
public static class Program
{
    /// <summary>Runs with the process's console. The first Ctrl-C ends the verb cleanly, a second one at once.</summary>
    public static int Main(string[] args)
    {
        if (IsVersion(args))
        {
            Console.Out.WriteLine(CliVersion.Text);
            return ExitCodes.Success;
        }

        using var cancellation = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Cancel);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Cancel);
        return Run(args, new(Console.Out, Console.Error, cancellation.Token)
        {
            OutRedirected = Console.IsOutputRedirected,
            ErrorRedirected = Console.IsErrorRedirected,
        });

        void Cancel(PosixSignalContext signal)
        {
            signal.Cancel = !cancellation.IsCancellationRequested;
            cancellation.Cancel();
        }
    }

    /// <summary>Runs in process, with redirected output.</summary>
    public static int Run(string[] args, TextWriter output, TextWriter error) => Run(args, new(output, error));

    /// <summary>Runs in process; the result is the exit code (<see cref="ExitCodes"/>). Users never see an exception.</summary>
    public static int Run(string[] args, CliEnvironment environment)
    {
        var session = new CliSession(environment);
        var code = Invoke(args, session);
        return WriteSarif(session) ? code : Math.Max(code, ExitCodes.Failure);
    }

    // Asked for by every build that looks for the tool: answered before anything else is put together.
    private static bool IsVersion(string[] args) => args is ["--version"];

    private static bool WriteSarif(CliSession session)
    {
        var problems = new DiagnosticBag();
        if (session.SarifFile is not { } file || session.Files.Write(file, SarifLog.Write(session.Printer.Told, CliVersion.Text), problems))
        {
            return true;
        }

        session.Printer.Print(problems.Diagnostics);
        return false;
    }

    private static int Invoke(string[] args, CliSession session)
    {
        var environment = session.Environment;
        if (IsVersion(args))
        {
            environment.Out.WriteLine(CliVersion.Text);
            return ExitCodes.Success;
        }

        try
        {
            var code = CommandLine.Invoke(args, session);
            return code == ExitCodes.Success && session.Printer.HasPromoted ? ExitCodes.Failure : code;
        }
        catch (UsageException refusal)
        {
            session.Printer.Print([refusal.Diagnostic]);
            return ExitCodes.Usage;
        }
        catch (DiagnosticException refusal)
        {
            session.Printer.Print([refusal.Diagnostic]);
            return ExitCodes.Failure;
        }
        catch (OperationCanceledException)
        {
            environment.Error.WriteLine("cnnc: cancelled");
            return ExitCodes.Cancelled;
        }
#pragma warning disable CA1031 // the boundary where a defect becomes a report
        catch (Exception exception)
#pragma warning restore CA1031
        {
            environment.OnDefect?.Invoke(exception);
            var report = environment.OnDefect is null ? session.Crash.Write(environment, args, CliVersion.Text, exception) : string.Empty;
            session.Printer.Print([FileDiagnostics.Internal(exception.Message.Split('\n')[0], report)]);
            return ExitCodes.InternalError;
        }
    }
}
