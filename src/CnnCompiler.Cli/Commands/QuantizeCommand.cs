using System.CommandLine;
using System.Globalization;
using CnnCompiler.Cli.Files;
using CnnCompiler.Cli.Reporting;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.PostTraining;
using CnnCompiler.Primitives.Diagnostics;
using Spectre.Console;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc quantize</c>: a float network and samples in, an int8 network in the language out.</summary>
internal sealed class QuantizeCommand
{
    private const string NpyExtension = ".npy";

    private readonly CliSession _session;
    private readonly CompilationOptions _compilation = new(requireTarget: false);
    private readonly Argument<string> _file = new("FILE") { Description = "The float network: a .tflite or .onnx model, or a .cnn of f32 values" };
    private readonly Option<string> _calibrate = new("--calibrate")
    {
        Description = "Typical inputs, some 50 to 500: an .npz with an array [samples, ...] for each input, or an .npy for the only one",
        HelpName = "FILE",
        Required = true,
    };

    private readonly Option<string> _test = new("--test") { Description = "Other inputs to measure the result with (default: those it was calibrated with)", HelpName = "FILE" };
    private readonly Option<string> _output = new("--output", "-o") { Description = "Where to: a .cnn; its weights go into an .npz beside it", HelpName = "FILE.cnn", Required = true };
    private readonly Option<string> _method = new("--method")
    {
        Description = $"How ranges of values are chosen: {string.Join(", ", CalibrationMethods.Names)}",
        HelpName = "METHOD",
        DefaultValueFactory = _ => new QuantizationOptions().Method.Name(),
    };

    private readonly Option<double> _percentile = new("--percentile")
    {
        Description = "With --method percentile: share of the elements kept at each end, in percent",
        HelpName = "P",
        DefaultValueFactory = _ => new QuantizationOptions().Percentile,
    };

    private readonly Option<bool> _noBiasCorrection = new("--no-bias-correction") { Description = "Leave biases as they are, instead of making up for the mean error of rounded weights" };

    private QuantizeCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new QuantizeCommand(session);
        var command = new VerbCommand(
            "quantize",
            "Quantises a float network to int8 with typical inputs, and reports what that costs layer by layer.",
            "cnnc quantize model.tflite --calibrate images.npz -o model.cnn",
            "cnnc quantize model.onnx --calibrate images.npz --test others.npz --method kl -o model.cnn");
        command.Arguments.Add(verb._file);
        foreach (var option in (Option[])[verb._calibrate, verb._test, verb._output, verb._method, verb._percentile, verb._noBiasCorrection])
        {
            command.Options.Add(option);
        }

        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        var method = parse.GetRequiredValue(_method);
        var options = new QuantizationOptions
        {
            Method = CalibrationMethods.Parse(method) ?? throw new UsageException(FileDiagnostics.UnknownName("calibration method", method, [.. CalibrationMethods.Names])),
            Percentile = parse.GetValue(_percentile),
            CorrectBias = !parse.GetValue(_noBiasCorrection),
        };
        var (file, output) = (parse.GetRequiredValue(_file), parse.GetRequiredValue(_output));
        var (calibrating, testing) = (parse.GetRequiredValue(_calibrate), parse.GetValue(_test));
        var result = new NetworkFiles(_session, output, [file, calibrating, .. testing is null ? [] : new[] { testing }]);

        var source = _session.Read(file, "a network", InputFiles.LargestSource);
        if (_compilation.Compile(parse, _session, file, source, IrLevel.Network) is not { } compiled)
        {
            return ExitCodes.Failure;
        }

        var graph = ((NetworkModule)compiled.Modules[IrLevel.Network]).Graph;
        var problems = new DiagnosticBag();
        var cancellation = _session.Environment.Cancellation;
        var quantized = Samples(graph, compiled.TensorNames, calibrating, problems) is { } samples && (testing is null ? samples : Samples(graph, compiled.TensorNames, testing, problems)) is { } tests
            && PostTrainingQuantizer.Quantize(graph, samples, options, problems, cancellation) is { } made && SignalToNoise.Measure(made, tests, problems, cancellation) is { } measured
            ? (Network: made, Measured: measured)
            : default((QuantizedNetwork Network, SignalToNoise Measured)?);
        _session.Printer.Print(problems.Diagnostics);
        if (quantized is not var (network, noise) || problems.HasErrors)
        {
            return ExitCodes.Failure;
        }

        var written = result.Write(network.Graph, compiled.TensorNames);
        Print(noise, compiled.TensorNames);
        _session.Environment.Out.WriteLine(written);
        return ExitCodes.Success;
    }

    private SampleSet? Samples(NetworkGraph graph, IReadOnlyDictionary<string, string> labels, string file, DiagnosticBag problems)
    {
        var bytes = _session.Read(file, "samples", InputFiles.LargestTensor);
        IReadOnlyDictionary<string, Tensor>? arrays;
        if (file.EndsWith(NpyExtension, StringComparison.OrdinalIgnoreCase))
        {
            arrays = NpyFile.Read(bytes, file, problems) is { } array ? new Dictionary<string, Tensor>(StringComparer.Ordinal) { [graph.Inputs[0].Name] = array } : null;
        }
        else
        {
            arrays = NpzFile.Read(bytes, file, problems, NpzFile.DefaultMaximumUnpackedBytes * 4);
        }

        if (arrays is null)
        {
            return null;
        }

        // Models have names of their own for what is t0 here.
        var named = new Dictionary<string, Tensor>(arrays, StringComparer.Ordinal);
        foreach (var input in graph.Inputs)
        {
            if (!named.ContainsKey(input.Name) && labels.TryGetValue(input.Name, out var label) && named.Remove(label, out var array))
            {
                named.Add(input.Name, array);
            }
        }

        return SampleSet.From(graph, named, problems);
    }

    private void Print(SignalToNoise noise, IReadOnlyDictionary<string, string> labels)
    {
        var environment = _session.Environment;
        var (console, table) = Consoles.CreateTable(environment.Out, environment.OutRedirected);
        table.AddColumn("value");
        table.AddColumn("made by");
        table.AddColumn(new TableColumn("SNR, dB").RightAligned());
        table.AddColumn(new TableColumn("lost, dB").RightAligned());
        foreach (var value in noise.Values)
        {
            table.AddRow(Markup.Escape(Label(value)), value.Keyword, Decibels(value.Decibels), value.Drop == 0 ? string.Empty : Decibels(value.Drop));
        }

        console.Write(table);
        var writer = environment.Out;
        writer.WriteLine(noise.FirstDrop is { } drop
            ? string.Create(CultureInfo.InvariantCulture, $"the ratio first drops at {Label(drop)}, {drop.Keyword}: {Decibels(drop.Decibels)} dB, {Decibels(drop.Drop)} dB below its worst operand")
            : string.Create(CultureInfo.InvariantCulture, $"no layer loses {SignalToNoise.NoticeableDrop:0} dB or more"));
        writer.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"largest element of the first output at the same place as in float: {noise.Agreements:N0} of {noise.Samples - noise.Ties:N0} samples ({noise.Ties:N0} ties left out)"));

        string Label(LayerNoise value) => labels.TryGetValue(value.Name, out var label) ? DiagnosticPrinter.OneLine($"{value.Name} ({label})") : value.Name;
    }

    private static string Decibels(double value) => double.IsFinite(value) ? value.ToString("0.0", CultureInfo.InvariantCulture) : value > 0 ? "exact" : "lost";
}
