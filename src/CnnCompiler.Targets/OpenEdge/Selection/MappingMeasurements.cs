using System.Runtime.ExceptionServices;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.OpenEdge.Mapping;

namespace CnnCompiler.Targets.OpenEdge.Selection;

/// <summary>What every candidate of a program costs, measured on mappings in which every layer takes its j-th candidate and all tensors lie dense.</summary>
public sealed class MappingMeasurements
{
    private readonly Dictionary<string, string> _tensors = new(StringComparer.Ordinal);

    private MappingMeasurements(GconvProgram program, OpenEdgeMapping defaults)
    {
        foreach (var step in program.Steps)
        {
            _tensors[step.Origin.Value.Layer] = step.Name;
        }

        Layers = [.. program.Inputs.Select(i => i.Name).Concat(program.Steps.Select(s => TensorOf(s.Origin.Value))).Distinct(StringComparer.Ordinal)];
        Decisions = defaults.Decisions.ToDictionary(d => d.Key, StringComparer.Ordinal);
    }

    /// <summary>Network inputs and layers, in order: each by the tensor that its last step defines.</summary>
    public IReadOnlyList<string> Layers { get; }

    /// <summary>The decisions by key.</summary>
    public IReadOnlyDictionary<string, MappingDecision> Decisions { get; }

    /// <summary>By layer the cost of each of its candidates; of one alone where there is no choice.</summary>
    public Dictionary<string, List<NestCost>> Candidates { get; } = new(StringComparer.Ordinal);

    /// <summary>By layer the cost of copying its dense input into a halo of its own.</summary>
    public Dictionary<string, NestCost> Copies { get; } = new(StringComparer.Ordinal);

    /// <summary>By layer the cost of its first candidate where all tensors lie in the halos their readers need.</summary>
    public IReadOnlyDictionary<string, NestCost> InHalo { get; private set; } = new Dictionary<string, NestCost>(StringComparer.Ordinal);

    /// <summary>The tensor that stands for the layer of a step: its own name, unless the chain made another tensor of it.</summary>
    public string TensorOf(GconvOrigin origin) => _tensors.GetValueOrDefault(origin.Layer, origin.Layer);

    /// <summary>Measures a program's candidates.</summary>
    /// <param name="program">The chain.</param>
    /// <param name="defaults">Its mapping with default candidates.</param>
    /// <param name="timer">The measure.</param>
    /// <param name="withEnergy">True where energies are asked for, too.</param>
    /// <param name="plans">Plans of passes made before.</param>
    /// <param name="cancellation">Ends early.</param>
    /// <param name="progress">Called before each round of measurements, by one thread at a time.</param>
    public static MappingMeasurements Of(
        GconvProgram program, OpenEdgeMapping defaults, KernelTimer timer, bool withEnergy, StarPlans plans, CancellationToken cancellation, Action<SearchProgress>? progress = null)
    {
        var result = new MappingMeasurements(program, defaults);
        var decisions = result.Decisions;
        result.InHalo = result.Measure(defaults.Program, _ => true, timer, withEnergy, cancellation).ToDictionary(m => m.Key, m => m.Value.Own, StringComparer.Ordinal);
        var dense = decisions.Values.Where(d => d.IsLayout)
            .Aggregate(MappingChoices.Defaults, (choices, d) => choices.With(d.Key, MappingCandidates.Dense.Name));
        var variants = Math.Max(1, decisions.Values.Where(d => !d.IsLayout).Select(d => d.Candidates.Count).DefaultIfEmpty(1).Max());

        // rounds don't depend on each other, and what they measure doesn't on their order
        var rounds = new Dictionary<string, (NestCost Own, NestCost Copies)>[variants];
        var told = new Lock();
        var begun = 0;
        try
        {
            Parallel.For(0, variants, new ParallelOptions { CancellationToken = cancellation }, Round);
        }
        catch (AggregateException several)
        {
            // what one of them met is what a single one would have thrown
            ExceptionDispatchInfo.Throw(several.InnerExceptions[0]);
        }

        foreach (var layer in result.Layers)
        {
            result.Copies[layer] = rounds[0].GetValueOrDefault(layer).Copies;
            result.Candidates[layer] = [.. Enumerable.Range(0, variants).Where(j => HasCandidate(layer, j)).Select(j => rounds[j].GetValueOrDefault(layer).Own)];
        }

        return result;

        bool HasCandidate(string layer, int j) => j == 0 || (decisions.TryGetValue(layer, out var decision) && j < decision.Candidates.Count);

        void Round(int j)
        {
            lock (told)
            {
                progress?.Invoke(new("measuring kernels: round", ++begun, variants));
            }

            var choices = decisions.Values.Where(d => !d.IsLayout && d.Candidates.Count > j).Aggregate(dense, (c, d) => c.With(d.Key, d.Candidates[j].Name));
            var mapping = OpenEdgeMapper.Map(program, choices, new DiagnosticBag(), cancellation, plans);
            if (mapping is null && j == 0)
            {
                throw new InvalidOperationException("the default candidates were mapped in halos and could not be mapped dense");
            }

            // where some candidate exceeds the array, each is mapped alone to find which
            rounds[j] = mapping is null
                ? result.Layers.Where(l => HasCandidate(l, j)).ToDictionary(l => l, l => result.MeasureAlone(program, dense, decisions[l], j, timer, withEnergy, plans, cancellation), StringComparer.Ordinal)
                : result.Measure(mapping.Program, l => HasCandidate(l, j), timer, withEnergy, cancellation);
        }
    }

    /// <summary>Costs of some layers: their own, and for copying their inputs into halos.</summary>
    private Dictionary<string, (NestCost Own, NestCost Copies)> Measure(MappedProgram program, Func<string, bool> isMeasured, KernelTimer timer, bool withEnergy, CancellationToken cancellation)
    {
        var cycles = new Dictionary<string, (NestCost Own, NestCost Copies)>(StringComparer.Ordinal);
        MappedNest? before = null;
        foreach (var nest in program.Steps.OfType<MappedNest>())
        {
            cancellation.ThrowIfCancellationRequested();
            var layer = TensorOf(nest.Origin.Value);
            var last = before;
            before = nest;
            if (!isMeasured(layer))
            {
                continue;
            }

            var (own, copies) = cycles.GetValueOrDefault(layer);
            var cost = timer.Cost(nest, program, withEnergy, last);
            cycles[layer] = OpenEdgeMapper.IsPaddingOfInput(nest) ? (own, copies.Plus(cost)) : (own.Plus(cost), copies);
        }

        return cycles;
    }

    /// <summary>Costs of a layer with its j-th candidate, all others with their defaults.</summary>
    private (NestCost Own, NestCost Copies) MeasureAlone(
        GconvProgram program, MappingChoices choices, MappingDecision decision, int j, KernelTimer timer, bool withEnergy, StarPlans plans, CancellationToken cancellation) =>
        OpenEdgeMapper.Map(program, choices.With(decision.Key, decision.Candidates[j].Name), new DiagnosticBag(), cancellation, plans) is { } mapping
            ? Measure(mapping.Program, layer => layer == decision.Name, timer, withEnergy, cancellation).GetValueOrDefault(decision.Name)
            : (NestCost.Illegal, default);
}
