using System.CommandLine;
using CnnCompiler.Cli.Files;
using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc check</c>: reads a network and says what is wrong with it; makes nothing.</summary>
internal sealed class CheckCommand
{
    private readonly CliSession _session;
    private readonly CompilationOptions _compilation = new(requireTarget: false);
    private readonly Argument<string> _file = new("FILE") { Description = "The network: a .cnn description, a .tflite or an .onnx model" };

    private CheckCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new CheckCommand(session);
        var command = new VerbCommand("check", "Reads a network and reports its mistakes; makes nothing.", "cnnc check samples/lenet5.cnn");
        command.Arguments.Add(verb._file);
        command.Options.Add(verb._compilation.Elements);
        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        var file = parse.GetRequiredValue(_file);
        var source = _session.Read(file, "a network", InputFiles.LargestSource);
        if (_compilation.Compile(parse, _session, file, source, IrLevel.Network) is null)
        {
            return ExitCodes.Failure;
        }

        _session.Environment.Out.WriteLine($"{file}: no mistakes");
        return ExitCodes.Success;
    }
}
