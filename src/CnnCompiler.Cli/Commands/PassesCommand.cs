using System.CommandLine;
using CnnCompiler.Cli.Reporting;
using CnnCompiler.Passes.Infrastructure;
using Spectre.Console;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc passes</c>: every pass as it declares itself.</summary>
internal static class PassesCommand
{
    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var command = new VerbCommand("passes", "Lists the passes of every target: name, levels, options, what they do.", "cnnc passes");
        command.SetAction(_ => Run(session.Environment));
        return command;
    }

    private static int Run(CliEnvironment environment)
    {
        var (console, table) = Consoles.CreateTable(environment.Out, environment.OutRedirected);
        table.AddColumns("pass", "targets", "from", "to", "options", "what it does");
        foreach (var pass in CompilerPasses.All)
        {
            var description = pass.Description;
            var options = description.Options.Select(option => $"{option.Name}={(option.Choices.Count > 0 ? string.Join('|', option.Choices) : "TEXT")} (default {option.Default}): {option.Summary}");
            table.AddRow([.. new[]
            {
                description.Name, string.Join(", ", pass.Targets), description.From.Name(), description.To.Name(), string.Join("; ", options), description.Summary,
            }.Select(Markup.Escape)]);
        }

        console.Write(table);
        return ExitCodes.Success;
    }
}
