using System.Collections.Immutable;
using System.Runtime.ExceptionServices;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Chain;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.OpenEdge.Mapping;

namespace CnnCompiler.Targets.OpenEdge.Selection;

/// <summary>What every candidate of a program costs, measured on mappings in which every layer takes its j-th candidate and all tensors lie dense.</summary>
public sealed class MappingMeasurements
{
    private readonly IReadOnlyDictionary<string, string> _tensors;

    private MappingMeasurements(GconvProgram program, OpenEdgeMapping defaults)
    {
        _tensors = ChainLayers.Tensors(program);
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

    /// <summary>
    /// By layer whose tensor may be stored packed, or that reads such a one, for each of its candidates what of its work depends on how these tensors lie: it isn't part of
    /// <see cref="Candidates"/>.
    /// </summary>
    public Dictionary<string, List<LayoutCosts>> OfLayouts { get; } = new(StringComparer.Ordinal);

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
        result.InHalo = result.Measure(defaults, _ => true, timer, withEnergy, cancellation).ToDictionary(m => m.Key, m => m.Value.Own.Plus(m.Value.OfLayouts?.Writing ?? default), StringComparer.Ordinal);
        var dense = decisions.Values.Where(d => d.IsLayout)
            .Aggregate(MappingChoices.Defaults, (choices, d) => choices.With(d.Key, MappingCandidates.Dense.Name));
        var variants = Math.Max(1, decisions.Values.Where(d => !d.IsLayout).Select(d => d.Candidates.Count).DefaultIfEmpty(1).Max());

        // rounds don't depend on each other, and what they measure doesn't on their order
        var rounds = new Dictionary<string, LayerCosts>[variants];
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
            LayerCosts[] measured = [.. Enumerable.Range(0, variants).Where(j => HasCandidate(layer, j)).Select(j => rounds[j].GetValueOrDefault(layer))];
            result.Candidates[layer] = [.. measured.Select(m => m.Own)];
            result.OfLayouts[layer] = [.. measured.Select(m => m.OfLayouts ?? new(default, null, default, ImmutableDictionary<string, NestCost>.Empty))];
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
                : result.Measure(mapping, l => HasCandidate(l, j), timer, withEnergy, cancellation);
        }
    }

    /// <summary>Costs of a layer: its own, for copying its input into a halo, and what depends on the layouts of tensors that may be stored packed.</summary>
    private readonly record struct LayerCosts(NestCost Own, NestCost Copies, LayoutCosts? OfLayouts);

    /// <summary>Costs of some layers.</summary>
    private Dictionary<string, LayerCosts> Measure(OpenEdgeMapping mapping, Func<string, bool> isMeasured, KernelTimer timer, bool withEnergy, CancellationToken cancellation)
    {
        var program = mapping.Program;
        var packable = mapping.Decisions.Where(d => d.IsLayout && d.Candidates.Any(MappingCandidates.IsPacked)).Select(d => d.Name).ToHashSet(StringComparer.Ordinal);
        var stores = program with { Buffers = [.. program.Buffers.Concat(mapping.Stores.Select(s => s.Buffer)).DistinctBy(b => b.Name, StringComparer.Ordinal)] };
        var costs = new Dictionary<string, LayerCosts>(StringComparer.Ordinal);
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

            if (!costs.TryGetValue(layer, out var known))
            {
                known = new(default, default, OfLayouts(layer));
            }

            var cost = timer.Cost(nest, program, withEnergy, last);
            costs[layer] = OpenEdgeMapper.IsPaddingOfInput(nest) ? known with { Copies = known.Copies.Plus(cost) }
                : nest.Output.Target == OpenEdgeMapper.HalvesOf(layer) && known.OfLayouts is { Read: not null } reading ? known with { OfLayouts = reading with { Packing = reading.Packing.Plus(cost) } }
                : nest.Output.Target == layer && packable.Contains(layer) && known.OfLayouts is { } writing ? known with { OfLayouts = writing with { Writing = writing.Writing.Plus(cost) } }
                : known with { Own = known.Own.Plus(cost) };
        }

        return costs;

        LayoutCosts? OfLayouts(string layer)
        {
            var read = mapping.Reads.GetValueOrDefault(layer);
            return read is null && !packable.Contains(layer) ? null : new(
                default,
                read,
                default,
                mapping.Stores.Where(s => s.Tensor == layer).GroupBy(s => s.Candidate, StringComparer.Ordinal).ToImmutableDictionary(
                    g => g.Key, g => g.Aggregate(default(NestCost), (sum, s) => sum.Plus(timer.Cost(s.Nest, stores, withEnergy))), StringComparer.Ordinal));
        }
    }

    /// <summary>Costs of a layer with its j-th candidate, all others with their defaults.</summary>
    private LayerCosts MeasureAlone(
        GconvProgram program, MappingChoices choices, MappingDecision decision, int j, KernelTimer timer, bool withEnergy, StarPlans plans, CancellationToken cancellation) =>
        OpenEdgeMapper.Map(program, choices.With(decision.Key, decision.Candidates[j].Name), new DiagnosticBag(), cancellation, plans) is { } mapping
            ? Measure(mapping, layer => layer == decision.Name, timer, withEnergy, cancellation).GetValueOrDefault(decision.Name)
            : new(NestCost.Illegal, default, null);
}

/// <summary>What a layer's work with the layouts of tensors that may be stored packed costs.</summary>
/// <param name="Packing">Packing its input.</param>
/// <param name="Read">The layout of its input in which it needn't; null where there is none.</param>
/// <param name="Writing">Writing its tensor dense.</param>
/// <param name="Storing">Storing its tensor, by those packed layouts that it can.</param>
public sealed record LayoutCosts(NestCost Packing, string? Read, NestCost Writing, ImmutableDictionary<string, NestCost> Storing);
