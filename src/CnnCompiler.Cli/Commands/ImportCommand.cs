using System.CommandLine;
using CnnCompiler.Cli.Files;
using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc import</c>: a trained model in, the same network in the language out.</summary>
internal sealed class ImportCommand
{
    private readonly CliSession _session;
    private readonly CompilationOptions _compilation = new(requireTarget: false);
    private readonly Argument<string> _file = new("MODEL") { Description = "A .tflite or .onnx model" };
    private readonly Option<string> _output = new("--output", "-o") { Description = "Where to: a .cnn; its weights go into an .npz beside it", HelpName = "FILE.cnn", Required = true };

    private ImportCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new ImportCommand(session);
        var command = new VerbCommand(
            "import",
            "Writes a model as a .cnn description that can be read and changed, with its weights in an .npz beside it; both compile to the same image.",
            "cnnc import model.tflite -o model.cnn",
            "cnnc import model.onnx -o model.cnn");
        command.Arguments.Add(verb._file);
        command.Options.Add(verb._output);
        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        var (file, output) = (parse.GetRequiredValue(_file), parse.GetRequiredValue(_output));
        var weights = NetworkFiles.WeightsOf(output);
        NetworkFiles.RequireOwnNames(output, weights, [file]);
        var source = _session.Read(file, "a network", InputFiles.LargestSource);
        if (_compilation.Compile(parse, _session, file, source, IrLevel.Network) is not { } compiled)
        {
            return ExitCodes.Failure;
        }

        var written = NetworkFiles.Write(_session, ((NetworkModule)compiled.Modules[IrLevel.Network]).Graph, output, weights);
        if (written is not null)
        {
            _session.Environment.Out.WriteLine(written);
        }

        return written is null ? ExitCodes.Failure : ExitCodes.Success;
    }
}
