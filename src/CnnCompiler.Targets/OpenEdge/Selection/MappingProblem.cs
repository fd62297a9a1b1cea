using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.OpenEdge.Mapping;

namespace CnnCompiler.Targets.OpenEdge.Selection;

/// <summary>
/// The mapping of a program as a selection problem: one step a layer, whose candidates are its kernels and line directions; the layout of every
/// tensor that some layer pads is a decision of its own. All costs are measured, on mappings in which every layer takes its j-th candidate.
/// </summary>
public sealed class MappingProblem : ITransitionCosts
{
    /// <summary>Suffix of the step that brings a network input into its layout.</summary>
    private const string InputSuffix = ":input";

    /// <summary>Cycles for making a tensor's halo, paid by who writes it; by tensor.</summary>
    private readonly Dictionary<string, long> _haloCost = new(StringComparer.Ordinal);

    /// <summary>Cycles for copying a dense input into a halo of the layer's own; by layer.</summary>
    private readonly Dictionary<string, long> _copyCost = new(StringComparer.Ordinal);

    private MappingProblem(SelectionProblem problem) => Problem = problem;

    /// <summary>The problem.</summary>
    public SelectionProblem Problem { get; private set; }

    /// <summary>Measures a program's candidates.</summary>
    /// <param name="program">The chain.</param>
    /// <param name="defaults">Its mapping with default candidates.</param>
    /// <param name="timer">The measure.</param>
    /// <param name="place">Where the host finds parameters and code.</param>
    /// <param name="cancellation">Ends early.</param>
    /// <param name="progress">Called before each round of measurements.</param>
    public static MappingProblem Of(
        GconvProgram program, OpenEdgeMapping defaults, KernelTimer timer, ParameterPlace place, CancellationToken cancellation, Action<SearchProgress>? progress = null)
    {
        var result = new MappingProblem(new(timer.Weights.Unit, [], []));
        var decisions = defaults.Decisions.ToDictionary(d => d.Key, StringComparer.Ordinal);
        var layers = Layers(program);
        var halo = Measure(defaults.Program, timer, place, cancellation);
        var dense = decisions.Values.Where(d => d.IsLayout)
            .Aggregate(MappingChoices.Defaults, (choices, d) => choices.With(d.Key, MappingCandidates.Dense.Name));
        var variants = Math.Max(1, decisions.Values.Where(d => !d.IsLayout).Select(d => d.Candidates.Count).DefaultIfEmpty(1).Max());
        var costs = layers.ToDictionary(l => l, _ => new List<long>(), StringComparer.Ordinal);
        for (var j = 0; j < variants; j++)
        {
            progress?.Invoke(new("measuring kernels: round", j + 1, variants));
            var choices = decisions.Values.Where(d => !d.IsLayout && d.Candidates.Count > j).Aggregate(dense, (c, d) => c.With(d.Key, d.Candidates[j].Name));
            var mapping = OpenEdgeMapper.Map(program, choices, new DiagnosticBag(), cancellation);
            if (mapping is null && j == 0)
            {
                throw new InvalidOperationException("the default candidates were mapped in halos and could not be mapped dense");
            }

            // where some candidate exceeds the array, each is mapped alone to find which
            var measured = mapping is null
                ? layers.ToDictionary(l => l, l => MeasureAlone(program, dense, decisions.GetValueOrDefault(l), j, timer, place, cancellation), StringComparer.Ordinal)
                : Measure(mapping.Program, timer, place, cancellation);
            foreach (var layer in layers)
            {
                var candidates = decisions.TryGetValue(layer, out var decision) ? decision.Candidates.Count : 1;
                var (own, copies) = measured.GetValueOrDefault(layer);
                if (j < candidates)
                {
                    costs[layer].Add(own);
                }

                if (j == 0)
                {
                    result._copyCost[layer] = copies;
                    result._haloCost[layer] = Math.Max(0, halo.GetValueOrDefault(layer).Own - own);
                }
            }
        }

        result.Problem = Build(program, layers, decisions, costs) with { Unit = timer.Weights.Unit };
        return result;
    }

    /// <inheritdoc/>
    public long Store(CandidateOf producer, SelectionTensor tensor, int layout) =>
        tensor.Layouts[layout] == MappingCandidates.Halo.Name ? _haloCost.GetValueOrDefault(Layer(producer)) : 0;

    /// <inheritdoc/>
    public long Load(SelectionTensor tensor, int layout, CandidateOf consumer, int operand) =>
        tensor.Layouts.Count > 1 && tensor.Layouts[layout] == MappingCandidates.Dense.Name ? _copyCost.GetValueOrDefault(Layer(consumer)) : 0;

    /// <inheritdoc/>
    public long Pass(CandidateOf producer, SelectionTensor tensor, CandidateOf consumer, int operand) => 0;

    private static string Layer(CandidateOf step) =>
        step.Step.Name.EndsWith(InputSuffix, StringComparison.Ordinal) ? step.Step.Name[..^InputSuffix.Length] : step.Step.Name;

    /// <summary>Cycles of every layer: its own, and for copying its input into a halo.</summary>
    private static Dictionary<string, (long Own, long Copies)> Measure(MappedProgram program, KernelTimer timer, ParameterPlace place, CancellationToken cancellation)
    {
        var cycles = new Dictionary<string, (long Own, long Copies)>(StringComparer.Ordinal);
        foreach (var nest in program.Steps.OfType<MappedNest>())
        {
            cancellation.ThrowIfCancellationRequested();
            var layer = nest.Origin.Value.Layer;
            var (own, copies) = cycles.GetValueOrDefault(layer);
            var cost = timer.Cost(nest, program, place);
            cycles[layer] = OpenEdgeMapper.IsPaddingOfInput(nest)
                ? (own, SelectionCost.Add(copies, cost))
                : (SelectionCost.Add(own, cost), copies);
        }

        return cycles;
    }

    /// <summary>Cycles of a layer with its j-th candidate, all others with their defaults.</summary>
    private static (long Own, long Copies) MeasureAlone(
        GconvProgram program, MappingChoices choices, MappingDecision? decision, int j, KernelTimer timer, ParameterPlace place, CancellationToken cancellation) =>
        decision is not null && j < decision.Candidates.Count
        && OpenEdgeMapper.Map(program, choices.With(decision.Key, decision.Candidates[j].Name), new DiagnosticBag(), cancellation) is { } mapping
            ? Measure(mapping.Program, timer, place, cancellation).GetValueOrDefault(decision.Name)
            : (SelectionCost.Illegal, 0);

    /// <summary>Network inputs and layers, in order.</summary>
    private static List<string> Layers(GconvProgram program) =>
        [.. program.Inputs.Select(i => i.Name).Concat(program.Steps.Select(s => s.Origin.Value.Layer)).Distinct(StringComparer.Ordinal)];

    private static SelectionProblem Build(
        GconvProgram program, List<string> layers, Dictionary<string, MappingDecision> decisions, Dictionary<string, List<long>> costs)
    {
        var inputs = program.Inputs.Select(i => i.Name).ToHashSet(StringComparer.Ordinal);
        var index = layers.Select((l, i) => (l, i)).ToDictionary(p => p.l, p => p.i, StringComparer.Ordinal);
        var tensors = layers.Select(l => new SelectionTensor(
            MappingDecision.LayoutKey(l),
            decisions.TryGetValue(MappingDecision.LayoutKey(l), out var layout)
                ? layout.Candidates.Select(c => c.Name).ToEquatableArray()
                : [MappingCandidates.Dense.Name]));
        var steps = layers.Select(l =>
        {
            var names = decisions.TryGetValue(l, out var decision) ? decision.Candidates.Select(c => c.Name) : ["only"];
            var read = program.Steps.Where(s => s.Origin.Value.Layer == l).SelectMany(Reads).Where(t => t != l && index.ContainsKey(t)).Distinct(StringComparer.Ordinal);
            return new SelectionStep(
                inputs.Contains(l) ? l + InputSuffix : l,
                names.Select((n, j) => new SelectionCandidate(n, costs[l][j])).ToEquatableArray(),
                read.Select(t => index[t]).ToEquatableArray(),
                [index[l]]);
        });
        return new("cycles", tensors.ToEquatableArray(), steps.ToEquatableArray());
    }

    private static IEnumerable<string> Reads(GconvStep step) => step.Match<IEnumerable<string>>(
        operation: o => o.Extra.Select(e => e.Tensor).Append(o.Input.Tensor).Concat(o.Kernel is { } kernel ? [kernel.Tensor] : []),
        view: v => v.Sources,
        softmax: s => [s.Source],
        host: s => s.Layer.Inputs);
}
