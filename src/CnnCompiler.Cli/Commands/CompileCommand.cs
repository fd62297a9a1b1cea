using System.CommandLine;
using System.Globalization;
using System.Text;
using CnnCompiler.Cli.Files;
using CnnCompiler.Ir.Text;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.Nests;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc compile</c>: a network in, an image or the text of a level out.</summary>
internal sealed class CompileCommand
{
    private const string ImageExtension = ".cnnb";
    private const string Choices = "choices";
    private const string ChoicesJson = "choices.json";
    private const string Timeloop = "timeloop";
    private static readonly string[] Emits = ["network", "gconv", "mapped", "asm", "image", Choices, ChoicesJson, Timeloop];

    private readonly CliSession _session;
    private readonly CompilationOptions _compilation = new(requireTarget: true);
    private readonly Argument<string> _file = new("FILE") { Description = "The network: a .cnn description, a .tflite or an .onnx model" };
    private readonly Option<string> _output = new("--output", "-o") { Description = "Where to (default: an image beside FILE, text to standard output)", HelpName = "FILE" };
    private readonly Option<string> _emit = new("--emit")
    {
        Description = $"What to write: {string.Join(", ", Emits)}",
        HelpName = "WHAT",
        DefaultValueFactory = _ => "image",
    };

    private readonly Option<bool> _interleave = new("--interleave") { Description = "With --emit network, gconv or mapped: the lines of the .cnn before what they became, as comments" };

    private readonly Option<string> _depfile = new("--depfile") { Description = "Write the files that the result depends on, as a rule for make, ninja and CMake", HelpName = "FILE" };

    private CompileCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new CompileCommand(session);
        var command = new VerbCommand(
            "compile",
            "Compiles a network for a target.",
            "cnnc compile samples/lenet5.cnn -t openedge",
            "cnnc compile model.tflite -t openedge --machine openedge-banked8 -o model.cnnb",
            "cnnc compile model.tflite -t openedge --emit gconv",
            "cnnc compile samples/lenet5.cnn -t openedge --emit choices",
            "cnnc compile samples/lenet5.cnn -t gconv --emit timeloop",
            "cnnc compile samples/lenet5.cnn -t openedge --force conv1=contract-h");
        command.Arguments.Add(verb._file);
        verb._compilation.AddTo(command);
        command.Options.Add(verb._output);
        command.Options.Add(verb._emit);
        command.Options.Add(verb._interleave);
        command.Options.Add(verb._depfile);
        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        var file = parse.GetRequiredValue(_file);
        var emit = parse.GetRequiredValue(_emit);
        if (!Emits.Contains(emit, StringComparer.Ordinal))
        {
            throw new UsageException(FileDiagnostics.UnknownName("level to emit", emit, Emits));
        }

        _compilation.ChooseTarget(parse);
        var level = IrLevels.Parse(emit) ?? (emit is Choices or ChoicesJson or Timeloop ? IrLevel.Mapped : IrLevel.Image);
        var output = parse.GetValue(_output) ?? (emit == "image" ? Path.ChangeExtension(file, ImageExtension) : null);
        if (output is not null && Path.GetFullPath(output) == Path.GetFullPath(file))
        {
            throw new DiagnosticException(FileDiagnostics.SameOutput(output));
        }

        var source = _session.Read(file, "a network", InputFiles.LargestSource);
        if (_compilation.Compile(parse, _session, file, source, level) is not { } result)
        {
            return ExitCodes.Failure;
        }

        _session.Environment.Cancellation.ThrowIfCancellationRequested();
        var notes = parse.GetValue(_interleave) ? Notes(file, emit, source, result) : null;
        if (emit == "image")
        {
            WriteImage(output!, result.Image!.Value);
        }
        else if (emit is Choices or ChoicesJson)
        {
            var selection = (result.Modules[level] as IExplainedModule)?.Selection ?? new("cycles", 0, 0, 0, []);
            LevelFiles.Write(_session, output, new(emit == Choices ? SelectionReport.Table(selection) : SelectionReport.Json(selection), ConstantStore.Empty));
        }
        else if (emit == Timeloop)
        {
            LevelFiles.Write(_session, output, new(
                result.Modules[level] is SystolicModule { Nests.Count: > 0 } nests ? TimeloopText.Of(nests) : throw CliSession.Usage("--emit timeloop needs loop nests", "compile for -t gconv"), ConstantStore.Empty));
        }
        else
        {
            LevelFiles.Write(_session, output, emit == "asm" ? new(result.Modules[level].Print(), ConstantStore.Empty) : result.Modules[level].Text(notes));
        }

        if (parse.GetValue(_depfile) is { } depfile)
        {
            _session.Write(depfile, DependencyFile.Rule(output ?? throw CliSession.Usage("--depfile needs a file that depends on something", "add -o FILE"), _session.Inputs));
        }

        return ExitCodes.Success;
    }

    private static Func<string, IEnumerable<string>> Notes(string file, string emit, byte[] source, CompileResult result) =>
        IrLevels.Parse(emit) is { } level && ModuleText.Levels.Contains(level) && file.EndsWith(".cnn", StringComparison.OrdinalIgnoreCase)
            ? new InterleavedSource(Encoding.UTF8.GetString(source), ((NetworkModule)result.Modules[IrLevel.Network]).Graph).Of
            : throw CliSession.Usage("--interleave needs a .cnn and the text of a level", "add --emit network, gconv or mapped, or leave it out");

    private void WriteImage(string output, ReadOnlyMemory<byte> image)
    {
        _session.Write(output, image.Span);
        if (!output.StartsWith("/dev/", StringComparison.Ordinal))
        {
            _session.Environment.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{output}: {image.Length:N0} bytes"));
        }
    }
}
