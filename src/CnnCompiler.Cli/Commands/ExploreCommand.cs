using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using CnnCompiler.Cli.Files;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection.Published;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.Overlay.Exploration;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc explore</c>: which shape of overlay is fastest for some networks together, and the Pareto front of elements and latency.</summary>
internal sealed class ExploreCommand
{
    private const int LargestBudget = 1 << 20;
    private const long LargestBuffers = 3L << 30;
    private const int LargestBandwidth = 1 << 16;
    private const double Megahertz = 300;
    private readonly CliSession _session;
    private readonly CompilationOptions _compilation = new(requireTarget: false);
    private readonly Argument<string[]> _files = new("FILE") { Description = "Networks on int8, optimised together", Arity = ArgumentArity.ZeroOrMore };
    private readonly Option<int> _elements = new("--elements") { Description = "Budget of processing elements (default: 6084)", HelpName = "N", DefaultValueFactory = _ => 6084 };
    private readonly Option<long?> _buffers = new("--buffer-bytes") { Description = "Budget of on-chip memory for operands, weights and sums together, divided in eighths (default: the machine's buffers as they are)", HelpName = "N" };
    private readonly Option<int?> _bandwidth = new("--bandwidth") { Description = "Budget of bytes a cycle from and to DRAM together, divided in eighths (default: as the machine has them)", HelpName = "N" };
    private readonly Option<bool> _published = new("--published") { Description = "The published, idealised costs, in ps at 300 MHz, in place of counted cycles; without networks: of GoogLeNet" };
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
            "Looks for the best shape of an overlay within a budget of processing elements, buffers and bandwidth; prints the Pareto front of elements and latency as CSV.",
            "cnnc explore --published --fastest",
            "cnnc explore samples/lenet5.cnn --elements 256",
            "cnnc explore samples/lenet5.cnn --elements 64 --buffer-bytes 65536 --bandwidth 32",
            "cnnc explore samples/lenet5.cnn --elements 256 --shard 1/4 > part1.csv",
            "cnnc explore --merge part1.csv part2.csv part3.csv part4.csv");
        command.Arguments.Add(verb._files);
        foreach (var option in (Option[])[verb._compilation.Machine, verb._elements, verb._buffers, verb._bandwidth, verb._published, verb._fastest, verb._shard, verb._merge])
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
            Option[] others = [_compilation.Machine, _elements, _buffers, _bandwidth, _published, _fastest, _shard];
            if (parse.GetValue(_files) is { Length: > 0 } || others.Any(option => parse.GetResult(option) is { Implicit: false }))
            {
                throw CliSession.Usage("--merge explores nothing", "give it nothing but the outputs of the parts");
            }

            var file = ExplorationFile.Merge([.. parts.Select(name => ExplorationFile.Parse(name, Encoding.UTF8.GetString(_session.Read(name, "the output of cnnc explore", InputFiles.LargestSource))))]);
            file.WriteTo(_session.Environment.Out);
            return ExitCodes.Success;
        }

        var elements = Within("--elements", parse.GetValue(_elements), 1, LargestBudget);
        var buffers = parse.GetValue(_buffers) is { } memory ? Within("--buffer-bytes", memory, OverlayDivision.SmallestBudget, LargestBuffers) : 0;
        var bandwidth = parse.GetValue(_bandwidth) is { } bytes ? Within("--bandwidth", bytes, OverlayDivision.SmallestBudget, LargestBandwidth) : 0;
        var (shard, shards) = Shard(parse.GetValue(_shard));
        var fastest = parse.GetValue(_fastest);
        if (Model(parse, buffers, bandwidth) is not var (model, networks))
        {
            return ExitCodes.Failure;
        }

        var start = Stopwatch.GetTimestamp();
        var told = -1;
        var result = ShapeExplorer.Explore(model, (int)elements, fastest, shard, shards, Progress, _session.Environment.Cancellation);
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var divided = string.Create(CultureInfo.InvariantCulture, $"{(buffers > 0 ? $", {buffers} bytes on chip" : string.Empty)}{(bandwidth > 0 ? $", {bandwidth} bytes a cycle" : string.Empty)}");
        var title = string.Create(CultureInfo.InvariantCulture, $"{model.Unit} of {networks}, {(fastest ? "the fastest" : "the front")} within {elements} elements{divided}");
        var lines = result.Front.Select(found => new ExplorationLine(found, model is NetworkShapeModel own ? OverlayDivision.Describe(own.Machine(found.Shape)) : null)).ToList();
        new ExplorationFile(title, fastest, shard, shards, lines).WriteTo(_session.Environment.Out);
        _session.Environment.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{result.Shapes} shapes, {result.Evaluated} of them mapped, all others excluded by their bounds; {seconds:0.00} s"));
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

    private (IShapeModel Model, string Networks)? Model(ParseResult parse, long buffers, long bandwidth)
    {
        var files = parse.GetValue(_files) ?? [];
        var published = parse.GetValue(_published);
        if (published && (parse.GetResult(_compilation.Machine) is not null || buffers > 0 || bandwidth > 0))
        {
            throw CliSession.Usage("the published costs know neither buffers nor machines", "leave --machine, --buffer-bytes and --bandwidth out, or --published");
        }

        if (files.Length == 0)
        {
            return published ? (PublishedShapeModel.GoogLeNet(Megahertz), "GoogLeNet as published") : throw CliSession.Usage("what is to be explored isn't clear", "give networks, or --published");
        }

        var target = CompilationOptions.FindTarget("overlay");
        var machine = _compilation.ChooseMachine(parse, target, _session);
        if (machine.IsaRevision != target.DefaultMachine.IsaRevision)
        {
            throw new DiagnosticException(CompilerDiagnostics.OtherMachine(machine.Name, target.Name));
        }

        var modules = new List<CompileResult>();
        foreach (var file in files)
        {
            if (_compilation.Compile(parse, _session, file, _session.Read(file, "a network", InputFiles.LargestSource), published ? IrLevel.Network : IrLevel.Gconv, other: target) is not { } result)
            {
                return null;
            }

            modules.Add(result);
        }

        if (published)
        {
            var chains = modules.ConvertAll(result => ((NetworkModule)result.Modules[IrLevel.Network]).Graph);
            var layers = chains.ConvertAll(PublishedChains.Of);
            return layers.Exists(network => network.Convolutions > 0)
                ? (new PublishedShapeModel(layers, Megahertz), $"{string.Join(" and ", chains.Select(network => network.Name))} with the published costs")
                : throw CliSession.Usage("the networks have no convolution", "give others");
        }

        var networks = modules.ConvertAll(result => ((GconvModule)result.Modules[IrLevel.Gconv]).Program);
        var model = new NetworkShapeModel(networks, machine, buffers > 0 || bandwidth > 0 ? OverlayDivision.Of(buffers, bandwidth) : null);
        return model.Layers > 0
            ? (model, $"{string.Join(" and ", networks.Select(network => network.Name))} on {machine.Name}")
            : throw CliSession.Usage("the networks have no convolution on int8", "quantise them first");
    }

    private static long Within(string option, long value, long least, long most) => value >= least && value <= most
        ? value
        : throw CliSession.Usage(string.Create(CultureInfo.InvariantCulture, $"{option} is {value}"), string.Create(CultureInfo.InvariantCulture, $"give {least} to {most}"));

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
