using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using CnnCompiler.Cli.Files;
using CnnCompiler.Cli.Reporting;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc reproduce</c>: computes published results again and prints them side by side.</summary>
internal static class ReproduceCommand
{
    /// <summary>The verb: one row of <see cref="Reproductions.All"/> a name, with an option for each file that one can compare with.</summary>
    public static Command Create(CliSession session)
    {
        var name = new Argument<string>("NAME") { Description = string.Join("; ", Reproductions.All.Select(reproduction => $"{reproduction.Name}: {reproduction.Summary}")) };
        var files = Reproductions.All.SelectMany(reproduction => reproduction.Files).DistinctBy(file => file.Option, StringComparer.Ordinal)
            .ToDictionary(file => file.Option, file => new Option<string>($"--{file.Option}") { Description = file.Summary, HelpName = "FILE" }, StringComparer.Ordinal);
        var command = new VerbCommand("reproduce", "Computes published results again and prints them beside what was published.", "cnnc reproduce arrayflex", "cnnc reproduce dynamap", "cnnc reproduce arrayflex --scalesim scalesim_results.csv");
        command.Arguments.Add(name);
        foreach (var option in files.Values)
        {
            command.Options.Add(option);
        }

        var json = new Option<bool>("--json") { Description = "Print the figures as JSON, where a reproduction has them" };
        command.Options.Add(json);
        command.SetAction(parse => Run(session, parse.GetRequiredValue(name), parse.GetValue(json), file => parse.GetValue(files[file])));
        return command;
    }

    private static int Run(CliSession session, string name, bool json, Func<string, string?> fileOf)
    {
        var reproduction = Reproductions.Find(name) ?? throw new UsageException(FileDiagnostics.UnknownName("reproduction", name, Reproductions.All.Select(known => known.Name).ToList()));
        var line = new ProgressLine(session.Environment);
        void Progress(int done, int parts)
        {
            session.Environment.Cancellation.ThrowIfCancellationRequested();
            if (session.Environment.Interactive)
            {
                line.Report(() => string.Create(CultureInfo.InvariantCulture, $"{done} of {parts}"));
            }
        }

        if (json)
        {
            var figures = reproduction.Json ?? throw CliSession.Usage($"reproduction {name} has no --json", "leave it out");
            var printed = figures(Progress);
            line.Finish();
            session.Environment.Out.Write(printed);
            return ExitCodes.Success;
        }

        var contents = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        foreach (var file in reproduction.Files)
        {
            if (fileOf(file.Option) is { } path)
            {
                contents[file.Option] = session.Read(path, "a table of results", InputFiles.LargestSource);
            }
        }

        var problems = new DiagnosticBag();
        var sections = reproduction.Sections(contents, problems);
        session.Printer.Print(problems.Diagnostics);
        if (sections is null)
        {
            return ExitCodes.Failure;
        }

        foreach (var section in sections)
        {
            session.Environment.Cancellation.ThrowIfCancellationRequested();
            var start = Stopwatch.GetTimestamp();
            var text = section.WithProgress is { } work ? work(Progress) : section.Text();
            line.Finish();
            var took = Stopwatch.GetElapsedTime(start);
            session.Environment.Out.WriteLine($"## {section.Title}");
            session.Environment.Out.WriteLine(text.TrimEnd());
            session.Environment.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"(computed in {took.TotalMilliseconds:0} ms)\n"));
        }

        return ExitCodes.Success;
    }
}
