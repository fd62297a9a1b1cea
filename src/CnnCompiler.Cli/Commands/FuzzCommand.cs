using System.CommandLine;
using System.Globalization;
using CnnCompiler.Cli.Files;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc fuzz</c>: random networks through all levels on every machine; ends at the first difference.</summary>
internal sealed class FuzzCommand
{
    private const int DefaultCount = 100;

    private readonly CliSession _session;
    private readonly Option<int> _seed = new("--seed") { Description = "Seed of the first network; the others follow (default: 0)", HelpName = "N" };
    private readonly Option<int> _count = new("--count")
    {
        Description = "Number of networks",
        HelpName = "M",
        DefaultValueFactory = _ => DefaultCount,
    };

    private readonly Option<string?> _target = new("--target", "-t") { Description = $"Only this target: {string.Join(", ", CompilerTargets.All.Select(target => target.Name))} (default: all)", HelpName = "TARGET" };
    private readonly Option<string?> _output = new("--output", "-o") { Description = "Where to write a network that fails (default: fuzz-SEED.cnnir)", HelpName = "FILE.cnnir" };

    private readonly Option<bool> _keepGoing = new("--keep-going") { Description = "Go on after a network that fails, and list all of them" };

    private FuzzCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new FuzzCommand(session);
        var command = new VerbCommand(
            "fuzz",
            "Compiles and runs random networks at every level on every machine, and stops at the first one that two of them disagree about.",
            "cnnc fuzz --seed 1000 --count 200",
            "cnnc fuzz --seed 41 --count 1 -t openedge -o failing.cnnir");
        command.Options.Add(verb._seed);
        command.Options.Add(verb._count);
        command.Options.Add(verb._target);
        command.Options.Add(verb._output);
        command.Options.Add(verb._keepGoing);
        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        var (seed, count) = (parse.GetValue(_seed), parse.GetValue(_count));
        if (seed < 0 || count < 1 || seed > int.MaxValue - count)
        {
            throw CliSession.Usage("--seed and --seed + --count have to be from 0 to 2147483647, and --count at least 1", "choose other numbers");
        }

        var machines = Machines(parse.GetValue(_target));
        var summary = new FuzzSummary();
        var failures = 0;
        for (var at = seed; at < seed + count && (failures == 0 || parse.GetValue(_keepGoing)); at++)
        {
            var network = NetworkFuzzer.Network(at);
            var outcome = NetworkFuzzer.Check(network, at, machines, _session.Environment.Cancellation);
            summary.Add(network, outcome);
            if (outcome.Failure is { } failure)
            {
                failures++;
                Report(parse, at, network, failure);
            }
        }

        _session.Environment.Out.Write(summary);
        return failures == 0 ? ExitCodes.Success : ExitCodes.Failure;
    }

    private void Report(ParseResult parse, int seed, NetworkGraph network, string failure)
    {
        var file = parse.GetValue(_output) ?? string.Create(CultureInfo.InvariantCulture, $"fuzz-{seed}.cnnir");
        Save(file, network, NetworkFuzzer.Inputs(network, seed));
        _session.Environment.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {seed}, network '{network.Name}' fails: {failure}"));
        _session.Environment.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"written to {file} with inputs beside it; cnnc fuzz --seed {seed} --count 1 runs it again"));
    }

    private IReadOnlyList<FuzzMachine> Machines(string? name)
    {
        if (name is null)
        {
            return _session.Environment.FuzzMachines;
        }

        return CompilerTargets.Find(name) is { } target
            ? [.. FuzzMachine.Of(target)]
            : throw new UsageException(FileDiagnostics.UnknownName("target", name, CompilerTargets.All.Select(known => known.Name).ToList()));
    }

    private void Save(string file, NetworkGraph network, Tensor[] inputs)
    {
        LevelFiles.Write(_session, file, new NetworkModule(network).Text());
        for (var i = 0; i < inputs.Length; i++)
        {
            _session.Write(string.Create(CultureInfo.InvariantCulture, $"{file}.{i}.npy"), NpyFile.Write(inputs[i]));
        }
    }
}
