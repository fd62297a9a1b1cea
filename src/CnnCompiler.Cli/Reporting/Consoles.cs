using Spectre.Console;

namespace CnnCompiler.Cli.Reporting;

/// <summary>The one place that makes Spectre consoles.</summary>
public static class Consoles
{
    private const int NarrowestTable = 120;

    /// <summary>A console on a writer. Redirected, it writes no colours and does not wrap: Spectre on its own would do both.</summary>
    public static IAnsiConsole Create(TextWriter writer, bool redirected)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = redirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
            Interactive = redirected ? InteractionSupport.No : InteractionSupport.Detect,
        });
        if (redirected)
        {
            console.Profile.Width = 10_000;
        }

        return console;
    }

    /// <summary>A console for a table of numbers, and the table. Numbers are never broken: on a narrow terminal lines are.</summary>
    public static (IAnsiConsole Console, Table Table) CreateTable(TextWriter writer, bool redirected)
    {
        var console = Create(writer, redirected);
        console.Profile.Width = Math.Max(console.Profile.Width, NarrowestTable);
        return (console, new Table().Border(redirected ? TableBorder.Ascii : TableBorder.Simple));
    }
}
