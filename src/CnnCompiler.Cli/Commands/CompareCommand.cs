using System.CommandLine;
using System.Globalization;
using CnnCompiler.Cli.Files;
using CnnCompiler.Cli.Reporting;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.OpenEdge;
using Spectre.Console;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc compare</c>: the same input through every level; names the first level, tensor and element that differ.</summary>
internal sealed class CompareCommand
{
    private const string ReferenceLevel = "reference";
    private static readonly string[] LevelNames = Enum.GetValues<IrLevel>().Select(level => level.Name()).ToArray();

    private readonly CliSession _session;
    private readonly CompilationOptions _compilation = new(requireTarget: false);
    private readonly Argument<string> _file = new("FILE") { Description = "The network: a .cnn description, a .tflite or an .onnx model" };
    private readonly Option<string[]> _inputs = new("--input", "-i") { Description = "Input: .npy, or raw bytes under any other name; one for each network input, in graph order", HelpName = "FILE" };
    private readonly Option<string> _levels = new("--levels")
    {
        Description = $"Levels to run, separated by commas (default: {string.Join(',', LevelNames)}); the first one is what the others are compared with",
        HelpName = "LEVEL,...",
    };

    private readonly Option<string> _reference = new("--reference")
    {
        Description = "Tensors of another implementation to compare with: an .npz, or a folder of .npy or raw .bin files, named like the values",
        HelpName = "DIR|FILE.npz",
    };

    private readonly Option<string> _with = new("--with")
    {
        Description = "Another target: the network is compiled for it too, and its levels are compared with those of the first (on its default machine, without --force and --set)",
        HelpName = "TARGET",
    };

    private readonly Option<bool> _tensors = new("--tensors") { Description = "Print the table of all tensors also where all are equal" };

    private CompareCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new CompareCommand(session);
        var command = new VerbCommand(
            "compare",
            "Runs a network at every level on the same input and names the first level, tensor and element that differ.",
            "cnnc compare samples/lenet5.cnn --input samples/digits/7.npy",
            "cnnc compare samples/lenet5.cnn --input samples/digits/7.npy -t openedge --with arrayflex --levels image",
            "cnnc compare model.tflite --input 00.input.bin --reference 00.tensors --levels network,gconv");
        command.Arguments.Add(verb._file);
        verb._compilation.AddTo(command);
        command.Options.Add(verb._inputs);
        command.Options.Add(verb._levels);
        command.Options.Add(verb._reference);
        command.Options.Add(verb._with);
        command.Options.Add(verb._tensors);
        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        var chosen = ChooseLevels(parse.GetValue(_levels));
        var target = _compilation.ChooseTarget(parse);
        var other = parse.GetValue(_with) is { } with ? CompilationOptions.FindTarget(with) : null;
        var file = parse.GetRequiredValue(_file);
        var source = _session.Read(file, "a network", InputFiles.LargestSource);
        if (_compilation.Compile(parse, _session, file, source, chosen.Max()) is not { } compiled)
        {
            return ExitCodes.Failure;
        }

        var levels = chosen.Where(compiled.Modules.ContainsKey).ToList();
        if (parse.GetValue(_levels) is not null && levels.Count < chosen.Count)
        {
            throw new DiagnosticException(CompilerDiagnostics.StopsBeforeStart(compiled.Modules.Keys.Min().Name(), chosen.First(level => !compiled.Modules.ContainsKey(level)).Name()));
        }

        // the other target has the network and the GCONV chain in common with the first
        var runs = levels.Select(level => (Name: other is null || level <= IrLevel.Gconv ? level.Name() : $"{target.Name} {level.Name()}", Compiled: compiled, Level: level)).ToList();
        if (other is not null)
        {
            if (_compilation.Compile(parse, _session, file, source, chosen.Max(), other: other) is not { } second)
            {
                return ExitCodes.Failure;
            }

            runs.AddRange(levels.Where(level => level > IrLevel.Gconv && second.Modules.ContainsKey(level)).Select(level => ($"{other.Name} {level.Name()}", second, level)));
        }

        var program = ComparedProgram.Of(compiled.Modules.Values.MinBy(module => module.Level)!);
        var inputs = TensorFiles.ReadInputs(_session, file, parse.GetValue(_inputs) ?? [], program.Inputs.Select(input => new TensorPort(input.Name, input.Type)).ToList());
        var against = parse.GetValue(_reference) is { } reference
            ? (Name: ReferenceLevel, Values: ReferenceTensors.Read(_session, reference, program.Types, compiled))
            : default((string Name, IReadOnlyDictionary<string, Tensor> Values)?);
        var results = new List<LevelComparison>();
        foreach (var (name, of, level) in runs)
        {
            if (Evaluate(of, level, inputs, program.Outputs) is not { } values)
            {
                return ExitCodes.Failure;
            }

            var result = LevelComparison.Of(name, program.Order, against?.Values ?? values, values);
            if (result.Difference is not null && of.Modules[level] is ImageModule image)
            {
                result = Localize(name, image, inputs, program.Order, against!.Value.Values) ?? result;
            }

            against ??= (name, values);
            results.Add(result);
            if (result.Difference is not null)
            {
                break;
            }
        }

        Print(results, against!.Value.Name, compiled.TensorNames, parse.GetValue(_tensors));
        return results[^1].Difference is null ? ExitCodes.Success : ExitCodes.Failure;
    }

    private static List<IrLevel> ChooseLevels(string? list)
    {
        var levels = new List<IrLevel>();
        foreach (var name in list?.Split(',', StringSplitOptions.TrimEntries) ?? LevelNames)
        {
            var level = IrLevels.Parse(name) ?? throw new UsageException(FileDiagnostics.UnknownName("level", name, LevelNames));
            if (!levels.Contains(level))
            {
                levels.Add(level);
            }
        }

        return levels;
    }

    private Dictionary<string, Tensor>? Evaluate(CompileResult compiled, IrLevel level, IReadOnlyList<Tensor> inputs, IReadOnlyList<string> outputs)
    {
        var problems = new DiagnosticBag();
        var evaluation = compiled.Modules[level].Evaluate(inputs, problems, _session.Environment.Cancellation);
        _session.Printer.Print(problems.Diagnostics);
        if (evaluation is null || problems.HasErrors)
        {
            return null;
        }

        var values = new Dictionary<string, Tensor>(evaluation.Values, StringComparer.Ordinal);
        for (var index = 0; index < outputs.Count; index++)
        {
            values[outputs[index]] = evaluation.Outputs[index];
        }

        return values;
    }

    /// <summary>An image that gives other outputs is run again layer by layer, which shows all its tensors.</summary>
    private LevelComparison? Localize(string name, ImageModule image, IReadOnlyList<Tensor> inputs, IEnumerable<string> order, IReadOnlyDictionary<string, Tensor> expected)
    {
        _session.Environment.Error.WriteLine("cnnc: the image gives other outputs; running it layer by layer");
        var values = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (tensor, value) in ImageTensors.Read(image, inputs, new DiagnosticBag(), _session.Environment.Cancellation))
        {
            values[tensor] = value;
        }

        return LevelComparison.Of(name, order, expected, values) is { Difference: not null } found ? found : null;
    }

    private void Print(IReadOnlyList<LevelComparison> results, string against, IReadOnlyDictionary<string, string> labels, bool allTensors)
    {
        var environment = _session.Environment;
        var (console, table) = Consoles.CreateTable(environment.Out, environment.OutRedirected);
        table.AddColumn("level");
        table.AddColumn(new TableColumn("tensors").RightAligned());
        table.AddColumn(new TableColumn("elements").RightAligned());
        table.AddColumn($"compared with {against}");
        foreach (var result in results)
        {
            var verdict = result.Difference is not null ? "differs" : result.Level == against ? "-" : "equal";
            table.AddRow(result.Level, result.Tensors.Count.ToString("N0", CultureInfo.InvariantCulture), result.Elements.ToString("N0", CultureInfo.InvariantCulture), verdict);
        }

        console.Write(table);
        var last = results[^1];
        if (last.Difference is { } difference)
        {
            var label = labels.TryGetValue(difference.Tensor, out var name) ? $" ({name})" : string.Empty;
            var place = difference.Place.Length == 0 ? "type" : $"element {difference.Place}";
            var count = difference.Elements > 1 ? string.Create(CultureInfo.InvariantCulture, $"; {difference.Elements:N0} elements of this tensor differ") : string.Empty;
            console.WriteLine(DiagnosticPrinter.OneLine(
                $"level {last.Level}, tensor {difference.Tensor}{label}, {place}: {against} has {difference.Expected}, {last.Level} has {difference.Actual}{count}"));
        }

        if (last.Difference is not null || allTensors)
        {
            console.Write(TensorTable.Of(last, labels, environment.OutRedirected));
        }

        if (last.Difference is null)
        {
            console.WriteLine("all levels are equal");
        }
    }
}
