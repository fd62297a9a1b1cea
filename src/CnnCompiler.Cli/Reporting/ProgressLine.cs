using System.Diagnostics;

namespace CnnCompiler.Cli.Reporting;

/// <summary>Tells how far something long is: one line that is overwritten at a terminal, a line now and then in a file.</summary>
/// <param name="environment">Where to.</param>
internal sealed class ProgressLine(CliEnvironment environment)
{
    private static readonly TimeSpan TerminalPeriod = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan FilePeriod = TimeSpan.FromSeconds(5);

    private readonly TimeSpan _period = environment.Interactive ? TerminalPeriod : FilePeriod;
    private readonly long _start = Stopwatch.GetTimestamp();
    private TimeSpan _last;
    private int _shown;

    /// <summary>Shows a text, unless one was shown a moment ago.</summary>
    public void Report(Func<string> text)
    {
        var now = Stopwatch.GetElapsedTime(_start);
        if (now - _last < _period)
        {
            return;
        }

        _last = now;
        var shown = text();
        if (environment.Interactive)
        {
            environment.Error.Write($"\r{shown.PadRight(_shown)}");
            _shown = shown.Length;
        }
        else
        {
            environment.Error.WriteLine($"cnnc: {shown}");
        }
    }

    /// <summary>Removes the line from the terminal.</summary>
    public void Finish()
    {
        if (_shown > 0)
        {
            environment.Error.Write($"\r{new string(' ', _shown)}\r");
            _shown = 0;
        }
    }
}
