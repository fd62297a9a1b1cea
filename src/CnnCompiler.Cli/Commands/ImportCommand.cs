using System.CommandLine;
using CnnCompiler.Cli.Files;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc import</c>: a model in, the same network in the language out.</summary>
internal sealed class ImportCommand
{
    private readonly CliSession _session;
    private readonly CompilationOptions _compilation = new(requireTarget: false);
    private readonly Argument<string> _file = new("FILE") { Description = "The model: a .tflite or .onnx" };
    private readonly Option<string> _output = new("--output", "-o") { Description = "Where to: a .cnn; its weights go into an .npz beside it", HelpName = "FILE.cnn", Required = true };

    private ImportCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new ImportCommand(session);
        var command = new VerbCommand(
            "import",
            "Writes a model as a .cnn that people read and change; it compiles to the image that the model compiles to.",
            "cnnc import model.tflite -o model.cnn",
            "cnnc import model.onnx -o model.cnn");
        command.Arguments.Add(verb._file);
        command.Options.Add(verb._output);
        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        var file = parse.GetRequiredValue(_file);
        var result = new NetworkFiles(_session, parse.GetRequiredValue(_output), [file]);
        var source = _session.Read(file, "a network", InputFiles.LargestSource);
        if (_compilation.Compile(parse, _session, file, source, IrLevel.Network) is not { } compiled)
        {
            return ExitCodes.Failure;
        }

        _session.Environment.Out.WriteLine(result.Write(((NetworkModule)compiled.Modules[IrLevel.Network]).Graph, compiled.TensorNames));
        return ExitCodes.Success;
    }
}
