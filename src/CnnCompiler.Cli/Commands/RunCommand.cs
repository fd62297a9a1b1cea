using System.CommandLine;
using CnnCompiler.Cli.Files;
using CnnCompiler.Cli.Reporting;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc run</c>: executes an image's bytes on the interpreter; a source is compiled first.</summary>
internal sealed class RunCommand
{
    private readonly CliSession _session;
    private readonly CompilationOptions _compilation = new(requireTarget: false);
    private readonly Argument<string> _file = new("FILE") { Description = "An image (.cnnb), or a network that is compiled first (.cnn, .tflite, .onnx)" };
    private readonly Option<string[]> _inputs = new("--input", "-i") { Description = "Input: .npy, or raw bytes under any other name; one for each network input, in graph order", HelpName = "FILE" };
    private readonly Option<string[]> _outputs = new("--output", "-o") { Description = "Where to write an output: .npy, or raw bytes; in graph order", HelpName = "FILE" };
    private readonly Option<bool> _json = new("--json") { Description = "Print the report as JSON" };
    private readonly Option<long> _maxCycles = new("--max-cycles")
    {
        Description = "Cycles after which a kernel counts as one that never ends",
        HelpName = "N",
        DefaultValueFactory = _ => RunOptions.DefaultMaxCycles,
    };

    private readonly Option<int?> _trace = new("--trace")
    {
        Description = "Print the state of every cell behind each step of a launch, before the report; cnnc disasm numbers the launches",
        HelpName = "LAUNCH",
    };

    private RunCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new RunCommand(session);
        var command = new VerbCommand(
            "run",
            "Runs a network: executes the bytes of its image, cycle by cycle, and prints outputs and cycles.",
            "cnnc run samples/lenet5.cnn -t openedge --input samples/digits/7.npy",
            "cnnc run model.cnnb --input image.npy --output scores.npy",
            "cnnc run model.cnnb --input image.bin --json",
            "cnnc run samples/lenet5.cnn -t openedge --input samples/digits/7.npy --trace 0");
        command.Arguments.Add(verb._file);
        verb._compilation.AddTo(command);
        command.Options.Add(verb._inputs);
        command.Options.Add(verb._outputs);
        command.Options.Add(verb._json);
        command.Options.Add(verb._maxCycles);
        command.Options.Add(verb._trace);
        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        var maxCycles = parse.GetValue(_maxCycles);
        if (maxCycles < 1)
        {
            throw CliSession.Usage("--max-cycles has to be at least 1", "leave it out for the default");
        }

        _compilation.ChooseTarget(parse);
        var file = parse.GetRequiredValue(_file);
        if (Load(parse, file) is not { } image)
        {
            return ExitCodes.Failure;
        }

        var trace = Trace(parse, file, image);
        var outputPorts = ImageSource.Ports(image.Outputs);
        var outputFiles = parse.GetValue(_outputs) ?? [];
        if (outputFiles.Length > outputPorts.Count)
        {
            throw new DiagnosticException(FileDiagnostics.TooManyOutputs(file, outputFiles.Length, outputPorts.Select(port => port.Display).ToList()));
        }

        CheckDistinct(outputFiles);
        var inputs = TensorFiles.ReadInputs(_session, file, parse.GetValue(_inputs) ?? [], ImageSource.Ports(image.Inputs));
        var result = Execute(image, inputs, trace with { FileName = file, MaxCycles = maxCycles });
        _session.Printer.Print(result.Diagnostics);
        if (!result.Succeeded)
        {
            return ExitCodes.Failure;
        }

        var outputs = outputPorts.Select((port, index) => new NetworkOutput(port, new(port.Type.Element, port.Type.Shape, result.Outputs[index].ToArray()))).ToList();
        for (var index = 0; index < outputFiles.Length; index++)
        {
            TensorFiles.Write(_session, outputFiles[index], outputs[index].Value);
        }

        Print(parse.GetValue(_json), file, image, result, outputs);
        return ExitCodes.Success;
    }

    private CnnImage? Load(ParseResult parse, string file)
    {
        var bytes = _session.Read(file, "an image or network", InputFiles.LargestImage);
        if (ImageSource.IsImage(file, bytes))
        {
            _compilation.RefuseForImage(parse);
            return ImageSource.Read(_session, file, bytes);
        }

        if (!Compiler.IsSource(file, bytes))
        {
            throw new DiagnosticException(FileDiagnostics.UnknownKind(file, $"an image (.cnnb), {string.Join(" or ", Compiler.SourceKinds)}"));
        }

        // through the bytes and the reader, as if they came from a file: what runs is what would be shipped
        return _compilation.Compile(parse, _session, file, bytes, IrLevel.Image) is { } result ? ImageSource.Read(_session, file, result.Image!.Value) : null;
    }

    /// <summary>The options of a run that shows a launch step by step, or the usual ones.</summary>
    private RunOptions Trace(ParseResult parse, string file, CnnImage image)
    {
        if (parse.GetValue(_trace) is not { } launch)
        {
            return new();
        }

        if (parse.GetValue(_json))
        {
            throw CliSession.Usage("--trace prints text and --json one document", "give one of them");
        }

        if (image.Systolic is not null)
        {
            throw CliSession.Usage($"--trace shows the cells of OpenEdgeCGRA, and '{file}' is for machine {image.Machine.Name}, which has no launches", "leave it out");
        }

        if (launch < 0 || launch >= image.Launches.Count)
        {
            throw CliSession.Usage($"there is no launch {launch}", image.Launches.Count == 0 ? "the image has none" : $"choose one of 0 to {image.Launches.Count - 1}; cnnc disasm lists them");
        }

        var kernel = image.Kernels[image.Launches[launch].Kernel];
        var printer = new TracePrinter(_session.Environment.Out, kernel, image.Machine.Bus);
        var begun = false;
        return new()
        {
            TraceLaunch = launch,
            Trace = step =>
            {
                if (!begun)
                {
                    printer.Begin($"launch {launch}: kernel '{DiagnosticPrinter.OneLine(kernel.Name)}'");
                    begun = true;
                }

                printer.Step(step);
            },
        };
    }

    private RunResult Execute(CnnImage image, IReadOnlyList<Tensor> inputs, RunOptions options)
    {
        var progress = new RunProgressPrinter(_session.Environment, image);
        try
        {
            var bytes = inputs.Select(input => (ReadOnlyMemory<byte>)input.Bytes.ToArray()).ToList();
            return ImageInterpreter.Run(image, bytes, options with { Progress = progress.Report }, _session.Environment.Cancellation);
        }
        finally
        {
            progress.Finish();
        }
    }

    private void Print(bool json, string file, CnnImage image, RunResult result, IReadOnlyList<NetworkOutput> outputs)
    {
        var writer = _session.Environment.Out;
        if (json)
        {
            writer.Write(RunJson.Print(file, image.Machine, result, outputs));
            return;
        }

        RunReport.Write(_session.Environment, image.Machine, result);
        foreach (var output in outputs)
        {
            OutputReport.Write(writer, output);
        }
    }

    private static void CheckDistinct(IReadOnlyList<string> files)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in files.Where(file => !seen.Add(Path.GetFullPath(file))))
        {
            throw new DiagnosticException(FileDiagnostics.SameOutput(file));
        }
    }
}
