using System.Globalization;
using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;

namespace CnnCompiler.Cli.Reporting;

/// <summary>Tells how far a long run is.</summary>
/// <param name="environment">Where to.</param>
/// <param name="image">What runs.</param>
internal sealed class RunProgressPrinter(CliEnvironment environment, CnnImage image)
{
    private readonly ProgressLine _line = new(environment);

    /// <summary>Called by the interpreter.</summary>
    public void Report(RunProgress progress) => _line.Report(() =>
    {
        var layer = progress.Layer >= 0 && progress.Layer < image.Layers.Count
            ? string.Create(CultureInfo.InvariantCulture, $"layer {progress.Layer + 1} of {image.Layers.Count} ({DiagnosticPrinter.OneLine(image.Layers[progress.Layer].Name)}), ")
            : string.Empty;
        return string.Create(CultureInfo.InvariantCulture, $"running: {layer}step {progress.Step + 1} of {progress.Steps}, {progress.ArrayCycles / 1e6:0.0} million array cycles");
    });

    /// <summary>Removes the line from the terminal.</summary>
    public void Finish() => _line.Finish();
}
