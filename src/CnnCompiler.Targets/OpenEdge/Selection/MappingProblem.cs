using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Selection;
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

    /// <summary>Cost of making a tensor's halo, paid by who writes it; by tensor.</summary>
    private readonly Dictionary<string, long> _haloCost = new(StringComparer.Ordinal);

    /// <summary>Cost of copying a dense input into a halo of the layer's own; by layer.</summary>
    private readonly Dictionary<string, long> _copyCost = new(StringComparer.Ordinal);

    private readonly Func<NestCost, long> _cost;
    private readonly MappingMeasurements _measured;

    private MappingProblem(GconvProgram program, MappingMeasurements measured, ParameterPlace place, CostWeights weights)
    {
        (_measured, _cost) = (measured, cost => cost.At(place, weights));
        foreach (var layer in measured.Layers)
        {
            _copyCost[layer] = measured.Copies[layer].At(place, weights);
            var dense = measured.Candidates[layer][0].Plus(measured.OfLayouts[layer][0].Writing);
            _haloCost[layer] = Math.Max(0, measured.InHalo.GetValueOrDefault(layer).At(place, weights) - dense.At(place, weights));
        }

        Problem = Build(program, measured, place, weights);
    }

    /// <summary>The problem.</summary>
    public SelectionProblem Problem { get; }

    /// <summary>The problem with parameters and code in one place.</summary>
    /// <param name="program">The chain.</param>
    /// <param name="measured">Its candidates' costs.</param>
    /// <param name="place">Where the host finds parameters and code.</param>
    /// <param name="weights">How cycles and energy make the cost.</param>
    public static MappingProblem Of(GconvProgram program, MappingMeasurements measured, ParameterPlace place, CostWeights weights) => new(program, measured, place, weights);

    /// <inheritdoc/>
    public long Store(CandidateOf producer, SelectionTensor tensor, int layout)
    {
        var costs = CostsOf(producer);
        return tensor.Layouts[layout] is var name && name == MappingCandidates.Halo.Name ? _cost(costs.Writing) + _haloCost.GetValueOrDefault(Layer(producer))
            : name == MappingCandidates.Dense.Name ? _cost(costs.Writing)
            : costs.Storing.TryGetValue(name, out var storing) ? _cost(storing) : SelectionCost.Illegal;
    }

    /// <inheritdoc/>
    public long Load(SelectionTensor tensor, int layout, CandidateOf consumer, int operand)
    {
        var (name, costs) = (tensor.Layouts[layout], CostsOf(consumer));
        if (name != MappingCandidates.Halo.Name && name != MappingCandidates.Dense.Name)
        {
            return costs.Read == name ? 0 : SelectionCost.Illegal;
        }

        // what packs its input needs no halo there
        return tensor.Layouts.Any(l => l == costs.Read) ? _cost(costs.Packing)
            : name == MappingCandidates.Dense.Name && tensor.Layouts.Any(l => l == MappingCandidates.Halo.Name) ? _copyCost.GetValueOrDefault(Layer(consumer)) : 0;
    }

    /// <inheritdoc/>
    public long Pass(CandidateOf producer, SelectionTensor tensor, CandidateOf consumer, int operand) => 0;

    private LayoutCosts CostsOf(CandidateOf step) => _measured.OfLayouts[Layer(step)][step.Candidate];

    private static string Layer(CandidateOf step) =>
        step.Step.Name.EndsWith(InputSuffix, StringComparison.Ordinal) ? step.Step.Name[..^InputSuffix.Length] : step.Step.Name;

    private static SelectionProblem Build(GconvProgram program, MappingMeasurements measured, ParameterPlace place, CostWeights weights)
    {
        var (layers, decisions) = (measured.Layers, measured.Decisions);
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
            var read = program.Steps.Where(s => measured.TensorOf(s.Origin.Value) == l).SelectMany(LegalForms.Reads).Where(t => t != l && index.ContainsKey(t)).Distinct(StringComparer.Ordinal);
            return new SelectionStep(
                inputs.Contains(l) ? l + InputSuffix : l,
                names.Select((n, j) => new SelectionCandidate(n, measured.Candidates[l][j].At(place, weights))).ToEquatableArray(),
                read.Select(t => index[t]).ToEquatableArray(),
                [index[l]]);
        });
        return new(weights.Unit, tensors.ToEquatableArray(), steps.ToEquatableArray());
    }
}
