using System.CommandLine;
using CnnCompiler.Cli.Files;
using CnnCompiler.Cli.Reporting;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Reports;
using CnnCompiler.Targets;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc report</c>: compiles and runs a network and tells of each layer how it is computed, why, and what that costs.</summary>
internal sealed class ReportCommand
{
    private readonly CliSession _session;
    private readonly CompilationOptions _compilation = new(requireTarget: true);
    private readonly Argument<string> _file = new("FILE") { Description = "The network: a .cnn description, a .tflite or an .onnx model" };
    private readonly Option<string[]> _inputs = new("--input", "-i") { Description = "Input, one for each network input (default: zeros; on openedge no time depends on it)", HelpName = "FILE" };
    private readonly Option<bool> _json = new("--json") { Description = "Print JSON (docs/report.schema.json)" };
    private readonly Option<string> _output = new("--output", "-o") { Description = "Write the JSON to a file, beside the table", HelpName = "FILE" };
    private readonly Option<string> _trace = new("--trace") { Description = "Write the schedule as a trace for Perfetto or chrome://tracing", HelpName = "FILE" };

    private ReportCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new ReportCommand(session);
        var command = new VerbCommand(
            "report",
            "Compiles and runs a network: algorithm, cycles predicted and measured, memory and rejected alternatives of each layer.",
            "cnnc report samples/lenet5.cnn -t openedge",
            "cnnc report samples/lenet5.cnn -t openedge --json",
            "cnnc report model.tflite -t arrayflex -o report.json --trace schedule.json");
        command.Arguments.Add(verb._file);
        verb._compilation.AddTo(command);
        foreach (var option in (Option[])[verb._inputs, verb._json, verb._output, verb._trace])
        {
            command.Options.Add(option);
        }

        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        var target = _compilation.ChooseTarget(parse);
        var file = parse.GetRequiredValue(_file);
        foreach (var result in ((string?[])[parse.GetValue(_output), parse.GetValue(_trace)]).OfType<string>())
        {
            if (Path.GetFullPath(result) == Path.GetFullPath(file))
            {
                throw new DiagnosticException(FileDiagnostics.SameOutput(result));
            }
        }

        var source = _session.Read(file, "a network", InputFiles.LargestSource);
        if (_compilation.Compile(parse, _session, file, source, IrLevel.Image) is not { } compiled)
        {
            return ExitCodes.Failure;
        }

        var ports = ImageSource.Ports(((IImageModule)compiled.Modules[IrLevel.Image]).Image.Inputs);
        var files = parse.GetValue(_inputs) ?? [];
        var inputs = files.Length == 0 ? [.. ports.Select(Zeros)] : TensorFiles.ReadInputs(_session, file, files, ports);
        var (run, report) = NetworkReport.Make(
            file, target.Name, compiled, [.. inputs.Select(input => (ReadOnlyMemory<byte>)input.Bytes.ToArray())], new() { FileName = file }, _session.Environment.Cancellation);
        _session.Printer.Print(run.Diagnostics);
        if (report is null)
        {
            return ExitCodes.Failure;
        }

        if (parse.GetValue(_output) is { } output)
        {
            _session.Write(output, ReportJson.Write(report));
        }

        if (parse.GetValue(_trace) is { } trace)
        {
            _session.Write(trace, ReportJson.Trace(report));
        }

        if (parse.GetValue(_json))
        {
            _session.Environment.Out.Write(System.Text.Encoding.UTF8.GetString(ReportJson.Write(report)));
        }
        else
        {
            ReportTable.Write(_session.Environment, report, files.Length == 0);
        }

        return ExitCodes.Success;
    }

    // Codes that stand for 0.
    private static Tensor Zeros(TensorPort port)
    {
        var tensor = new Tensor(port.Type.Element, port.Type.Shape, new byte[port.Type.Shape.Elements * port.Type.Element.Size()]);
        return port.Type is { Element: ElementType.Int8, Quantization.ZeroPoint: var zero } && zero != 0
            ? Tensor.From<sbyte>(ElementType.Int8, port.Type.Shape, [.. Enumerable.Repeat((sbyte)zero, (int)port.Type.Shape.Elements)])
            : tensor;
    }
}
