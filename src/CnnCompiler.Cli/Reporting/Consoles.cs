using Spectre.Console;

namespace CnnCompiler.Cli.Reporting;

/// <summary>The one place that makes Spectre consoles.</summary>
public static class Consoles
{
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
}
