using System.Globalization;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Fuzzing;

/// <summary>A machine of a target that networks are tried on.</summary>
/// <param name="Target">The target.</param>
/// <param name="Machine">The machine.</param>
public sealed record FuzzMachine(CompilerTarget Target, MachineDescription Machine)
{
    /// <summary>Every shipped machine of every target.</summary>
    public static IReadOnlyList<FuzzMachine> All { get; } = [.. CompilerTargets.All.SelectMany(Of)];

    /// <summary>Every shipped machine of one target.</summary>
    public static IEnumerable<FuzzMachine> Of(CompilerTarget target) => target.Machines.Select(machine => new FuzzMachine(target, machine));

    /// <inheritdoc/>
    public override string ToString() => $"{Target.Name}, {Machine.Name}";
}

/// <summary>What became of one network.</summary>
/// <param name="Refusals">Diagnostics of targets that don't take it, with the target's name.</param>
/// <param name="IsUndefined">True where the evaluator of the network says that some layer has no result for the inputs, and all other levels agree.</param>
/// <param name="Images">Images that ran.</param>
/// <param name="Failure">What is wrong, in words; null where all levels give the same.</param>
public sealed record FuzzOutcome(IReadOnlyList<(string Target, Diagnostic Refusal)> Refusals, bool IsUndefined, int Images, string? Failure);

/// <summary>Takes a network through all levels on all machines, and compares what they compute on the same inputs.</summary>
public static class NetworkFuzzer
{
    private const int MixPeriod = 3;

    /// <summary>
    /// The network of a seed: two in three are of all operators (<see cref="AnyNetworks"/>), the third of those that every target has (<see cref="RandomNetworks"/>), with all rounding schemes.
    /// </summary>
    public static NetworkGraph Network(int seed)
    {
        var (round, place) = Math.DivRem((uint)seed, MixPeriod);
        return place < MixPeriod - 1
            ? AnyNetworks.Network((int)((round * (MixPeriod - 1)) + place))
            : RandomNetworks.Network((int)round, RandomNetworkOptions.Default with { Rounding = (RoundingScheme)(round % 3) });
    }

    /// <summary>The inputs that <see cref="Check(NetworkGraph, int, IReadOnlyList{FuzzMachine}, CancellationToken)"/> takes.</summary>
    public static Tensor[] Inputs(NetworkGraph network, int seed) => AnyNetworks.Inputs(network, seed);

    /// <summary>Checks a network on inputs of a seed.</summary>
    /// <param name="network">The network.</param>
    /// <param name="seed">Seed of the inputs.</param>
    /// <param name="machines">Machines to compile for.</param>
    /// <param name="cancellation">Ends it early.</param>
    public static FuzzOutcome Check(NetworkGraph network, int seed, IReadOnlyList<FuzzMachine> machines, CancellationToken cancellation)
    {
        var run = new Run(network, Inputs(network, seed), machines, cancellation);
        try
        {
            var failure = run.FirstFailure();
            return new(run.Refusals, run.IsUndefined, run.Images, failure);
        }
        catch (Exception exception) when (exception is not (OperationCanceledException or OutOfMemoryException))
        {
            // A defect of whichever level: what a fuzzer looks for.
            return new(run.Refusals, run.IsUndefined, run.Images, $"{run.Stage}: {exception.GetType().Name}: {exception.Message}{Environment.NewLine}{exception.StackTrace}");
        }
    }

    private sealed class Run(NetworkGraph network, Tensor[] inputs, IReadOnlyList<FuzzMachine> machines, CancellationToken cancellation)
    {
        private readonly List<(string Target, Diagnostic Refusal)> _refusals = [];
        private ModuleEvaluation? _expected;

        public IReadOnlyList<(string Target, Diagnostic Refusal)> Refusals => _refusals;

        public bool IsUndefined { get; private set; }

        public int Images { get; private set; }

        /// <summary>What is being done, for reports.</summary>
        public string Stage { get; private set; } = "network";

        public string? FirstFailure()
        {
            var module = new NetworkModule(network);
            if (module.Verify() is [var problem, ..])
            {
                return $"network: the verifier refuses it: {problem}";
            }

            if (RoundTrip(module) is { } lost)
            {
                return lost;
            }

            Stage = "network";
            var problems = new DiagnosticBag();
            _expected = module.Evaluate(inputs, problems, cancellation);
            IsUndefined = _expected is null;
            if (machines.Count == 0)
            {
                return null;
            }

            // Lowering is the same for all machines.
            Stage = "lower-to-gconv";
            var diagnostics = new DiagnosticBag();
            var lowering = machines[0].Target.Pipeline(machines[0].Machine, []).Until(IrLevel.Gconv);
            if (PassRunner.Run(lowering, module, Context(diagnostics)) is not { } gconv)
            {
                return $"{Stage} refuses it: {Text(diagnostics)}";
            }

            return Compare("gconv", gconv) ?? RoundTrip(gconv) ?? machines.Select(machine => OnMachine(machine, gconv)).FirstOrDefault(failure => failure is not null);
        }

        private string? OnMachine(FuzzMachine machine, IrModule gconv)
        {
            cancellation.ThrowIfCancellationRequested();
            Stage = machine.ToString();
            var diagnostics = new DiagnosticBag();
            string? failure = null;
            var context = Context(diagnostics) with
            {
                AfterPass = snapshot =>
                {
                    Stage = $"{machine}: {snapshot.After.Level.Name()}";
                    failure ??= Compare(Stage, snapshot.After) ?? (snapshot.After.Level == IrLevel.Mapped ? RoundTrip(snapshot.After, machine) : null);
                    Stage = machine.ToString();
                },
            };
            var result = PassRunner.Run(machine.Target.Pipeline(machine.Machine, []).From(IrLevel.Gconv), gconv, context);
            if (failure is not null)
            {
                return failure;
            }

            if (result is not null)
            {
                Images++;
                return null;
            }

            // What mapping or the image's limits refuse is a limit of the target; whatever else is refused, a pass made.
            var first = diagnostics.Diagnostics.First(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
            if (Area(first.Code) is not DiagnosticAreas.Mapping)
            {
                return $"{machine}: {Text(diagnostics)}";
            }

            _refusals.Add((machine.Target.Name, first));
            return null;
        }

        private string? Compare(string stage, IrModule module)
        {
            var diagnostics = new DiagnosticBag();
            var actual = module.Evaluate(inputs, diagnostics, cancellation);
            if (_expected is null || actual is null)
            {
                return _expected is null == actual is null ? null : $"{stage}: {(actual is null ? $"has no result: {Text(diagnostics)}" : "has a result where the network has none")}";
            }

            return LevelDifference.Of(_expected, actual) is { } difference ? $"{stage}: {difference}" : null;
        }

        // The program of a text is the one that was written; of the mapped level, which remembers beside the program how it was chosen, its text is.
        private string? RoundTrip(IrModule module, FuzzMachine? machine = null)
        {
            Stage = machine is null ? $"text of the {module.Level.Name()} level" : $"{machine}: text of the {module.Level.Name()} level";
            var text = module.Text();
            var diagnostics = new DiagnosticBag();
            var read = machine is null
                ? ModuleText.Parse(module.Level, text.Text, "fuzz.cnnir", text.Constants, diagnostics)
                : machine.Target.Mapped.Parse(new(text.Text, "fuzz.cnnir", text.Constants), machine.Machine, diagnostics);
            if (read is null)
            {
                return $"{Stage} can't be read back: {Text(diagnostics)}";
            }

            return (machine is null ? read == module : read.Print() == text.Text) ? null : $"{Stage} is another program when it is read back";
        }

        private PassContext Context(DiagnosticBag diagnostics) => new() { Diagnostics = diagnostics, VerifyEach = true, Cancellation = cancellation };

        private static int Area(string code) => int.TryParse(code.AsSpan(3), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number / 100 * 100 : 0;

        private static string Text(DiagnosticBag diagnostics) => string.Join(Environment.NewLine, diagnostics.Diagnostics);
    }
}
