using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Mapping;

namespace CnnCompiler.Targets.OpenEdge.Selection;

/// <content>Less and more than the exact choice by measured cycles: defaults, schedules, and a search over the whole program.</content>
public static partial class MappingSelector
{
    /// <summary>Most rounds of the search at the highest effort; it ends earlier where nothing improves.</summary>
    private const int MostRounds = 16;

    /// <summary>Candidates that are tried beside the chosen one where an operator is split into bands.</summary>
    private const int OtherCandidatesOfBands = 3;

    /// <summary>Layers whose other candidates are tried where not everything finds room in RAM: those that take the longest.</summary>
    private const int LongestLayers = 6;

    /// <summary>Candidates that are tried of these.</summary>
    private const int OtherCandidatesOfLayers = 2;

    /// <summary>The default candidates and those that the user chose, nothing measured.</summary>
    private static SelectedMapping? Unsearched(
        GconvProgram program, MachineDescription machine, OpenEdgeMapping defaults, IReadOnlyList<ForcedChoice> forced, StarPlans plans, SearchOptions search, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        var choices = MappingChoices.Defaults;
        foreach (var choice in forced)
        {
            if (defaults.Decisions.FirstOrDefault(d => d.Key == choice.Vertex) is not { } decision)
            {
                diagnostics.Report(SelectionDiagnostics.UnknownVertex(choice.Vertex, [.. defaults.Decisions.Where(d => d.Candidates.Count > 1).Select(d => d.Key)]));
                return null;
            }

            if (decision.Candidates.All(c => c.Name != choice.Candidate))
            {
                diagnostics.Report(SelectionDiagnostics.UnknownCandidate(choice.Vertex, choice.Candidate, [.. decision.Candidates.Select(c => c.Name)]));
                return null;
            }

            choices = choices.With(choice.Vertex, choice.Candidate);
        }

        if (new MemoryFitter(program, machine, plans, cancellation).Fit(choices) is not { } fitted)
        {
            return OpenEdgeMapper.Map(program, choices, diagnostics, cancellation, plans) is { } mapping ? new(mapping.Program, null) : null;
        }

        Tell(program, fitted, machine, diagnostics);
        return new(fitted.Mapping.Program, null)
        {
            // at effort 0 nothing is measured
            Predicted = search.Effort == 0 ? [] : ImageEmitter.Estimate(fitted.Mapping.Program, machine, new(machine, search.Costs))?.Layers ?? [],
            Schedule = fitted.Fits ? MappingSchedule.Write(fitted.Choices, defaults.Decisions, machine) : null,
        };
    }

    /// <summary>The mapping that a schedule says, or why it doesn't fit.</summary>
    private static SelectedMapping? Scheduled(
        GconvProgram program, MachineDescription machine, OpenEdgeMapping defaults, string text, StarPlans plans, string file, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        if (MappingSchedule.Read(text, file, diagnostics) is not { } schedule)
        {
            return null;
        }

        if (schedule.Misfit(program, machine, defaults) is { } why)
        {
            diagnostics.Report(OpenEdgeDiagnostics.ScheduleDoesNotFit(file, program.Name, why));
            return null;
        }

        if (new MemoryFitter(program, machine, plans, cancellation).FitAgain(schedule.Choices) is not { } fitted)
        {
            diagnostics.Report(OpenEdgeDiagnostics.ScheduleDoesNotFit(file, program.Name, $"mapped so, it can't be put into the memory or the array of {machine.Name}"));
            return null;
        }

        Tell(program, fitted, machine, diagnostics);
        return new(fitted.Mapping.Program, null) { Schedule = MappingSchedule.Write(fitted.Choices, defaults.Decisions, machine) };
    }

    /// <summary>
    /// The best solution, or one in which some layers take another of their cheapest candidates, where that is faster in the whole program: those that had to be split into bands, because the choice was
    /// made for whole operators and others may need fewer bands, or less code for each; and where not everything finds room in RAM the layers that take the longest, because each of them may leave others too little.
    /// </summary>
    private static Solution WithOtherCandidates(
        string network,
        Solution best,
        OpenEdgeMapping defaults,
        IReadOnlyList<ForcedChoice> forced,
        MappingMeasurements measured,
        MemoryFitter fitter,
        MachineDescription machine,
        KernelTimer timer,
        SearchOptions search,
        CancellationToken cancellation)
    {
        if (best is not { Chosen: { Fits: true } chosen, Estimate: { } estimate })
        {
            return best;
        }

        var (choices, first) = (best.Choices, estimate.Cycles);
        var changed = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var free = defaults.Decisions.Where(d => !d.IsLayout && d.Candidates.Count > 1 && forced.All(f => f.Vertex != d.Key)).ToArray();
        foreach (var decision in free.Where(d => IsSplit(d.Name)))
        {
            Try(decision, OtherCandidatesOfBands);
        }

        var costs = estimate.Layers.ToLookup(layer => layer.Layer, layer => layer.Cost, StringComparer.Ordinal);
        foreach (var decision in estimate.HasRoom ? [] : free.Where(d => !IsSplit(d.Name)).OrderByDescending(d => costs[d.Name].Sum()).Take(LongestLayers))
        {
            Try(decision, OtherCandidatesOfLayers);
        }

        if (changed.Count == 0)
        {
            return best;
        }

        (chosen, var completed) = Completed(network, chosen, defaults, forced, fitter, machine, timer, search, best.Diagnostics, cancellation);
        best.Diagnostics.Report(OpenEdgeDiagnostics.OtherCandidates(network, changed.Select(c => $"{c.Key}={c.Value}"), first, completed!.Cycles));
        return best with { Choices = choices, Chosen = chosen, Estimate = completed };

        bool IsSplit(string layer) => chosen.Choices.Bands.GetValueOrDefault(layer, 1) > 1;

        void Try(MappingDecision decision, int most)
        {
            var taken = choices.Of(decision.Key) ?? decision.Candidates[0].Name;
            var others = decision.Candidates.Zip(measured.Candidates[decision.Name], (candidate, cost) => (candidate.Name, Cost: cost.At(ParameterPlace.Ram, timer.Weights)))
                .Where(c => c.Name != taken && c.Cost < SelectionCost.Illegal).OrderBy(c => c.Cost).Take(most);
            foreach (var (candidate, _) in others)
            {
                var fitted = IsSplit(decision.Name) ? fitter.Fit(choices.With(decision.Key, candidate)) : fitter.FitAgain(chosen.Choices.With(decision.Key, candidate));
                if (fitted is { Fits: true } && ImageEmitter.Estimate(fitted.Mapping.Program, machine, timer) is { } better && better.Measure(search.Goal) < estimate.Measure(search.Goal))
                {
                    (chosen, choices, estimate) = (fitted, choices.With(decision.Key, candidate), better);
                    changed[decision.Key] = candidate;
                }
            }
        }
    }

    /// <summary>
    /// Each decision the other way, in the order of the program, kept where the whole program becomes faster: with what loading code and moving constants costs, which the choice by layers doesn't see.
    /// </summary>
    private static (MemoryFitter.Fitted Chosen, ImageEstimate Estimate) Refined(
        string network,
        MemoryFitter.Fitted chosen,
        ImageEstimate first,
        OpenEdgeMapping defaults,
        IReadOnlyList<ForcedChoice> forced,
        MemoryFitter fitter,
        MachineDescription machine,
        KernelTimer timer,
        SearchOptions search,
        DiagnosticBag diagnostics,
        CancellationToken cancellation)
    {
        var best = first;
        var changed = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var free = defaults.Decisions.Where(d => d.Candidates.Count > 1 && forced.All(f => f.Vertex != d.Key)).ToArray();
        for (var (round, improved) = (0, true); improved && round < (search.Effort < SearchOptions.MostEffort ? 1 : MostRounds); round++)
        {
            improved = false;
            for (var i = 0; i < free.Length; i++)
            {
                var decision = free[i];
                search.Progress?.Invoke(new(FormattableString.Invariant($"trying choices in the whole program, round {round + 1}: choice"), i + 1, free.Length));
                foreach (var candidate in decision.Candidates)
                {
                    cancellation.ThrowIfCancellationRequested();
                    if (candidate.Name != (chosen.Choices.Of(decision.Key) ?? decision.Candidates[0].Name)
                        && fitter.FitAgain(chosen.Choices.With(decision.Key, candidate.Name)) is { } other
                        && ImageEmitter.Estimate(other.Mapping.Program, machine, timer) is { } estimate && estimate.Measure(search.Goal) < best.Measure(search.Goal))
                    {
                        (chosen, best, improved) = (other, estimate, true);
                        changed[decision.Key] = candidate.Name;
                    }
                }
            }
        }

        if (changed.Count > 0)
        {
            diagnostics.Report(OpenEdgeDiagnostics.Refined(network, changed.Select(c => $"{c.Key}={c.Value}"), first.Cycles, best.Cycles));
        }

        return (chosen, best);
    }
}
