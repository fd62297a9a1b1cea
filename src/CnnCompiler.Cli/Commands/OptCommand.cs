using System.CommandLine;
using CnnCompiler.Cli.Files;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc opt</c>: some passes on the text of a level.</summary>
internal sealed class OptCommand
{
    private readonly CliSession _session;
    private readonly CompilationOptions _compilation = new(requireTarget: false);
    private readonly Argument<string> _file = new("FILE") { Description = "The text of a level (as --emit writes it), a .cnn description, a .tflite or an .onnx model" };
    private readonly Option<string> _passes = new("--passes") { Description = "Passes to run, separated by commas, in this order (see cnnc passes)", HelpName = "PASS,...", Required = true };
    private readonly Option<string> _output = new("--output", "-o") { Description = "Where to, with large constants in FILE.npz beside it (default: standard output)", HelpName = "FILE" };

    private OptCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new OptCommand(session);
        var command = new VerbCommand(
            "opt",
            "Runs passes on a program of any level and prints what they make of it.",
            "cnnc opt samples/lenet5.cnn --passes lower-to-gconv",
            "cnnc opt net.cnnir --passes map-to-openedge -t openedge -o mapped.cnnir");
        command.Arguments.Add(verb._file);
        command.Options.Add(verb._passes);
        verb._compilation.AddTo(command);
        command.Options.Add(verb._output);
        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        var names = parse.GetRequiredValue(_passes).Split(',', StringSplitOptions.TrimEntries);
        var target = _compilation.ChooseTarget(parse);
        var known = target.Pipeline(target.DefaultMachine, []).Passes.Select(pass => pass.Description.Name).ToList();
        foreach (var name in names.Where(name => !known.Contains(name, StringComparer.Ordinal)))
        {
            throw new UsageException(FileDiagnostics.UnknownName("pass", name, known));
        }

        var file = parse.GetRequiredValue(_file);
        var source = _session.Read(file, "a program", InputFiles.LargestSource);
        if (_compilation.Compile(parse, _session, file, source, IrLevel.Image, names) is not { } result)
        {
            return ExitCodes.Failure;
        }

        _session.Environment.Cancellation.ThrowIfCancellationRequested();
        LevelFiles.Write(_session, parse.GetValue(_output), result.Modules[result.Modules.Keys.Max()].Text());
        return ExitCodes.Success;
    }
}
