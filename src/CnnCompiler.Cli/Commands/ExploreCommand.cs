using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using CnnCompiler.Cli.Files;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets;
using CnnCompiler.Targets.Overlay.Exploration;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc explore</c>: which shape of overlay is fastest for some networks together, and the Pareto front of elements and latency.</summary>
internal sealed class ExploreCommand
{
    private const int LargestBudget = 1 << 20;
    private const string Header = "rows,columns,elements,cost";
    private readonly CliSession _session;
    private readonly CompilationOptions _compilation = new(requireTarget: false);
    private readonly Argument<string[]> _files = new("FILE") { Description = "Networks on int8, optimised together", Arity = ArgumentArity.ZeroOrMore };
    private readonly Option<int> _elements = new("--elements") { Description = "Budget of processing elements (default: 6084)", HelpName = "N", DefaultValueFactory = _ => 6084 };
    private readonly Option<string> _machine = new("--machine") { Description = $"Overlay whose buffers and bandwidths are kept: {string.Join(", ", BuiltInMachines.Overlay.Select(machine => machine.Name))}", HelpName = "NAME" };
    private readonly Option<bool> _published = new("--published") { Description = "GoogLeNet with the published, idealised costs, in ps at 300 MHz, in place of networks and counted cycles" };
    private readonly Option<bool> _fastest = new("--fastest") { Description = "Only the fastest shape: far fewer have to be mapped" };
    private readonly Option<string> _shard = new("--shard") { Description = "Only part i of n of the shapes, i from 1: the parts of a job array", HelpName = "i/n" };
    private readonly Option<string[]> _merge = new("--merge") { Description = "Joins the outputs of all parts instead of exploring", HelpName = "FILE", AllowMultipleArgumentsPerToken = true };

    private ExploreCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new ExploreCommand(session);
        var command = new VerbCommand(
            "explore",
            "Looks for the best shape of an overlay within a budget of processing elements; prints the Pareto front as CSV.",
            "cnnc explore --published --fastest",
            "cnnc explore samples/lenet5.cnn --elements 256",
            "cnnc explore samples/lenet5.cnn --elements 256 --shard 1/4 > part1.csv",
            "cnnc explore --merge part1.csv part2.csv part3.csv part4.csv");
        command.Arguments.Add(verb._files);
        foreach (var option in (Option[])[verb._elements, verb._machine, verb._published, verb._fastest, verb._shard, verb._merge])
        {
            command.Options.Add(option);
        }

        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        if (parse.GetValue(_merge) is { Length: > 0 } parts)
        {
            Print(ExplorationResult.Merge(parts.Select(Read)), parse.GetValue(_fastest), null);
            return ExitCodes.Success;
        }

        var elements = parse.GetValue(_elements);
        if (elements is < 1 or > LargestBudget)
        {
            throw CliSession.Usage(string.Create(CultureInfo.InvariantCulture, $"--elements is {elements}"), string.Create(CultureInfo.InvariantCulture, $"give 1 to {LargestBudget}"));
        }

        var (shard, shards) = Shard(parse.GetValue(_shard));
        var start = Stopwatch.GetTimestamp();
        if (Model(parse) is not { } model)
        {
            return ExitCodes.Failure;
        }

        var told = -1;
        var result = ShapeExplorer.Explore(model, elements, parse.GetValue(_fastest), shard, shards, Progress, _session.Environment.Cancellation);
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Print(result, parse.GetValue(_fastest), string.Create(CultureInfo.InvariantCulture, $"{result.Shapes} shapes, {result.Evaluated} of them mapped, all others excluded by their bounds; cost in {model.Unit}; {seconds:0.00} s"));
        return ExitCodes.Success;

        void Progress(int done, int all)
        {
            if (done * 10 / all is var tenth && tenth > told)
            {
                told = tenth;
                _session.Environment.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{done} of {all} shapes decided"));
            }
        }
    }

    private IShapeModel? Model(ParseResult parse)
    {
        const double megahertz = 300;
        var files = parse.GetValue(_files) ?? [];
        if (parse.GetValue(_published) == files.Length > 0)
        {
            throw CliSession.Usage("what is to be explored isn't clear", "give networks, or --published");
        }

        if (files.Length == 0)
        {
            return new PublishedShapeModel(megahertz);
        }

        var name = parse.GetValue(_machine) ?? BuiltInMachines.Overlay[0].Name;
        var machine = BuiltInMachines.Overlay.FirstOrDefault(known => known.Name == name)
            ?? throw new UsageException(FileDiagnostics.UnknownName("machine", name, BuiltInMachines.Overlay.Select(known => known.Name).ToList()));
        var networks = new List<GconvProgram>();
        foreach (var file in files)
        {
            if (_compilation.Compile(parse, _session, file, _session.Read(file, "a network", InputFiles.LargestSource), IrLevel.Gconv) is not { } result)
            {
                return null;
            }

            networks.Add(((GconvModule)result.Modules[IrLevel.Gconv]).Program);
        }

        var model = new NetworkShapeModel(networks, machine);
        return model.Layers > 0 ? model : throw CliSession.Usage("the networks have no convolution on int8", "quantise them first");
    }

    private void Print(ExplorationResult result, bool fastestOnly, string? summary)
    {
        var output = _session.Environment.Out;
        output.WriteLine(Header);
        foreach (var (shape, cost) in fastestOnly ? result.Front.TakeLast(1) : result.Front)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{shape.Rows},{shape.Columns},{shape.Elements},{cost}"));
        }

        if (summary is not null)
        {
            _session.Environment.Error.WriteLine(summary);
        }
    }

    private ExplorationResult Read(string file)
    {
        var lines = Encoding.UTF8.GetString(_session.Read(file, "the output of cnnc explore", InputFiles.LargestSource)).ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
        var front = new List<ExploredShape>();
        foreach (var line in lines.Skip(1))
        {
            var cells = line.Split(',').Select(cell => long.TryParse(cell, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : -1).ToList();
            if (lines[0] != Header || cells.Count != 4 || cells.Exists(cell => cell < 0) || cells[0] > ShapeExplorer.LargestSide || cells[1] > ShapeExplorer.LargestSide || cells[0] * cells[1] != cells[2])
            {
                throw CliSession.Usage($"{file} is not what cnnc explore prints", "give the outputs of all parts as they are");
            }

            front.Add(new(new((int)cells[0], (int)cells[1]), cells[3]));
        }

        return new(0, 0, front);
    }

    private static (int Index, int Count) Shard(string? text)
    {
        if (text is null)
        {
            return (0, 1);
        }

        return text.Split('/') is [var part, var all]
            && int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && int.TryParse(all, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            && index >= 1 && index <= count
            ? (index - 1, count)
            : throw CliSession.Usage($"--shard takes i/n with i from 1 to n, not '{text}'", "write for example --shard 1/4");
    }
}
