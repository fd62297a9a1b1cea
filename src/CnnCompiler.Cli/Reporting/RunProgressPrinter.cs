using System.Diagnostics;
using System.Globalization;
using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;

namespace CnnCompiler.Cli.Reporting;

/// <summary>Tells how far a long run is: one line that is overwritten at a terminal, a line now and then in a file.</summary>
/// <param name="environment">Where to.</param>
/// <param name="image">What runs.</param>
internal sealed class RunProgressPrinter(CliEnvironment environment, CnnImage image)
{
    private static readonly TimeSpan TerminalPeriod = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan FilePeriod = TimeSpan.FromSeconds(5);

    private readonly TimeSpan _period = environment.Interactive ? TerminalPeriod : FilePeriod;
    private readonly long _start = Stopwatch.GetTimestamp();
    private TimeSpan _last;
    private int _shown;

    /// <summary>Called by the interpreter.</summary>
    public void Report(RunProgress progress)
    {
        var now = Stopwatch.GetElapsedTime(_start);
        if (now - _last < _period)
        {
            return;
        }

        _last = now;
        var layer = progress.Layer >= 0 && progress.Layer < image.Layers.Count
            ? string.Create(CultureInfo.InvariantCulture, $"layer {progress.Layer + 1} of {image.Layers.Count} ({DiagnosticPrinter.OneLine(image.Layers[progress.Layer].Name)}), ")
            : string.Empty;
        var text = string.Create(CultureInfo.InvariantCulture, $"running: {layer}step {progress.Step + 1} of {progress.Steps}, {progress.ArrayCycles / 1e6:0.0} million array cycles");
        if (environment.Interactive)
        {
            environment.Error.Write($"\r{text.PadRight(_shown)}");
            _shown = text.Length;
        }
        else
        {
            environment.Error.WriteLine($"cnnc: {text}");
        }
    }

    /// <summary>Removes the line from the terminal.</summary>
    public void Finish()
    {
        if (_shown > 0)
        {
            environment.Error.Write($"\r{new string(' ', _shown)}\r");
        }
    }
}
