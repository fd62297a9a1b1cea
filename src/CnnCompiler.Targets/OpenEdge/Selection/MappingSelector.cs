using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;

namespace CnnCompiler.Targets.OpenEdge.Selection;

/// <summary>A selected mapping.</summary>
/// <param name="Program">The mapped program.</param>
/// <param name="Explanation">Every decision with its rejected candidates, or null where there was none to make.</param>
public sealed record SelectedMapping(MappedProgram Program, SelectionExplanation? Explanation)
{
    /// <summary>Where the costs take parameters and code to lie.</summary>
    public ParameterPlace Place { get; init; }

    /// <summary>What the layers of the mapping are expected to cost, in cycles, with everything at its real place; empty where it doesn't fit, or nothing was measured.</summary>
    public IReadOnlyList<LayerPrediction> Predicted { get; init; } = [];

    /// <summary>The choices as a schedule; null where they don't fit the memory.</summary>
    public string? Schedule { get; init; }
}

/// <summary>Chooses kernels, line directions and layouts together, exactly, at measured costs.</summary>
public static partial class MappingSelector
{
    /// <summary>Prices of room in RAM at which a mapping is looked for where not everything finds room: shares of what copying costs.</summary>
    private static readonly double[] CopiedShares = [1, 1 / 2.0, 1 / 4.0, 1 / 8.0];

    /// <summary>Maps a program, or reports what the target can't do or what is wrong with a forced choice.</summary>
    /// <param name="program">The chain.</param>
    /// <param name="machine">The machine whose cycles are minimised.</param>
    /// <param name="forced">Choices the user made.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    /// <param name="cancellation">Ends early.</param>
    /// <param name="search">How much to look; null for the default.</param>
    public static SelectedMapping? Select(
        GconvProgram program, MachineDescription machine, IReadOnlyList<ForcedChoice> forced, DiagnosticBag diagnostics, CancellationToken cancellation, SearchOptions? search = null)
    {
        search ??= new();
        program = LegalForms.Of(program);
        var unfit = ResidentTensors.Check(program, machine);
        diagnostics.Report(unfit);
        if (unfit.Count > 0)
        {
            return null;
        }

        var plans = new StarPlans();
        if (OpenEdgeMapper.Map(program, MappingChoices.Defaults, diagnostics, cancellation, plans) is not { } defaults)
        {
            return null;
        }

        if (search.Schedule is { } schedule)
        {
            return Scheduled(program, machine, defaults, schedule, plans, search.ScheduleFile, diagnostics, cancellation);
        }

        // published mappings never win: they are there to be forced
        defaults = defaults with { Decisions = [.. defaults.Decisions.Select(d => d with { Candidates = [.. d.Candidates.Where(c => !PublishedMappings.IsPublished(c.Name) || forced.Any(f => f.Vertex == d.Key && f.Candidate == c.Name))] })] };
        if (search.Effort == 0 || (forced.Count == 0 && defaults.Decisions.All(d => d.Candidates.Count < 2)))
        {
            return Unsearched(program, machine, defaults, forced, plans, search, diagnostics, cancellation);
        }

        // What lies in RAM from the beginning costs no copies, and whether it fits there depends on the mapping: where not all of it does, room has a price, and the best choice is looked for at several.
        var costs = new KernelTimer(machine, search.Costs);
        var measured = MappingMeasurements.Of(program, defaults, costs, search.Goal != OptimizationGoal.Cycles, plans, cancellation, search.Progress);
        var fitter = new MemoryFitter(program, machine, plans, cancellation);
        var (best, weights) = ForGoal(search.Goal, costs, timer =>
        {
            var tried = new HashSet<string>(StringComparer.Ordinal);
            var best = Solve(program, machine, defaults, measured, ParameterPlace.Ram, forced, timer, fitter, search, tried, cancellation)!;
            foreach (var share in best.Chosen is not { Fits: true } || best.Estimate is { IsResident: true } ? [] : CopiedShares)
            {
                if (Solve(program, machine, defaults, measured, new(share), forced, timer, fitter, search, tried, cancellation) is { Chosen.Fits: true } other
                    && (best.Estimate is null || other.Estimate?.Measure(search.Goal) < best.Estimate?.Measure(search.Goal)))
                {
                    best = other;
                }
            }

            return WithOtherBands(program.Name, best, defaults, forced, measured, fitter, machine, timer, search, cancellation);
        });

        diagnostics.Report(best.Diagnostics.Diagnostics);
        if (best.Diagnostics.HasErrors)
        {
            return null;
        }

        if (best.Chosen is not { } chosen)
        {
            // says why it can't be mapped
            return OpenEdgeMapper.Map(program, best.Choices, diagnostics, cancellation, plans) is { } mapping ? new(mapping.Program, best.Explanation) { Place = best.Place } : null;
        }

        // where nothing fits, emission says what is missing even in the smallest form
        Tell(program, chosen, machine, diagnostics);
        return new(chosen.Mapping.Program, best.Explanation)
        {
            Place = best.Place,
            Predicted = [.. (best.Estimate?.Layers ?? []).Select(layer => layer with { Cost = weights.Of(layer.Cost, layer.Femtojoules ?? 0) })],
            Schedule = chosen.Fits ? MappingSchedule.Write(chosen.Choices, defaults.Decisions, machine) : null,
        };
    }

    /// <summary>What one way to price parameters gave.</summary>
    /// <param name="Diagnostics">What was told.</param>
    /// <param name="Choices">The candidates that cost least.</param>
    /// <param name="Chosen">Them, or what takes their place where they don't fit; null where nothing can be mapped.</param>
    /// <param name="Estimate">What that costs with every parameter at its real place.</param>
    /// <param name="Explanation">Every decision.</param>
    /// <param name="Place">Where parameters and code were taken to lie.</param>
    private sealed record Solution(
        DiagnosticBag Diagnostics, MappingChoices Choices, MemoryFitter.Fitted? Chosen, ImageEstimate? Estimate, SelectionExplanation? Explanation, ParameterPlace Place);

    /// <summary>The mapping that costs least at one price of room; null where its choices were <paramref name="tried"/> before.</summary>
    private static Solution? Solve(
        GconvProgram program,
        MachineDescription machine,
        OpenEdgeMapping defaults,
        MappingMeasurements measured,
        ParameterPlace place,
        IReadOnlyList<ForcedChoice> forced,
        KernelTimer timer,
        MemoryFitter fitter,
        SearchOptions search,
        HashSet<string> tried,
        CancellationToken cancellation)
    {
        var diagnostics = new DiagnosticBag();
        var failed = new Solution(diagnostics, MappingChoices.Defaults, null, null, null, place);
        var problem = MappingProblem.Of(program, measured, place, timer.Weights);
        var built = CostGraphBuilder.Build(problem.Problem, problem);
        diagnostics.Report(built.Diagnostics);
        if (built.Graph is not { } graph)
        {
            return failed;
        }

        var constrained = ForcedChoice.Apply(graph, forced);
        diagnostics.Report(constrained.Diagnostics);
        if (constrained.Graph is null)
        {
            return failed;
        }

        var solved = SelectionSolver.Solve(constrained.Graph);
        diagnostics.Report(solved.Diagnostics);
        if (solved.Selection is not { } selection)
        {
            return failed;
        }

        diagnostics.Report(SelectionChecker.Check(constrained.Graph, selection));
        if (diagnostics.HasErrors)
        {
            return failed;
        }

        // cycles were minimised, not memory: what doesn't fit as it is gives up packed inputs or is packed and split into bands, whichever is faster; where
        // neither fits and the default does, the default it is
        var choices = Choices(defaults, graph, selection);
        if (!tried.Add(string.Join(' ', choices.Taken.Select(taken => $"{taken.Key}={taken.Value}"))))
        {
            return null;
        }

        var chosen = fitter.Fit(choices);
        if (forced.Count == 0 && chosen is not { Fits: true, IsPlain: true } && WithFewerHalves(defaults, choices, fitter) is var (lighter, layers)
            && (chosen is not { Fits: true } || Cost(lighter, timer, place) < Cost(chosen, timer, place)))
        {
            diagnostics.Report(OpenEdgeDiagnostics.SelectionDoesNotFit(program.Name, selection.Cost, timer.Weights.Unit, layers));
            chosen = lighter;
        }

        if (chosen is not { Fits: true } && forced.Count == 0 && fitter.Fit(MappingChoices.Defaults) is { Fits: true } fallback)
        {
            diagnostics.Report(OpenEdgeDiagnostics.SelectionDoesNotFit(program.Name, selection.Cost, timer.Weights.Unit));
            chosen = fallback;
        }

        ImageEstimate? estimate = null;
        if (chosen is { Fits: true })
        {
            (chosen, estimate) = Completed(program.Name, chosen, defaults, forced, fitter, machine, timer, search, diagnostics, cancellation);
        }

        return new(diagnostics, choices, chosen, estimate, SelectionExplainer.Explain(graph, selection, [.. forced]), place);
    }

    /// <summary>Maps a program with given candidates so that it fits a machine's memory; where nothing does, in the smallest form found.</summary>
    /// <param name="program">The chain.</param>
    /// <param name="choices">The candidates.</param>
    /// <param name="machine">The machine.</param>
    /// <param name="diagnostics">Takes what is wrong, and a note of what was packed.</param>
    /// <param name="cancellation">Ends early.</param>
    public static OpenEdgeMapping? Fit(
        GconvProgram program, MappingChoices choices, MachineDescription machine, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        program = LegalForms.Of(program);
        if (new MemoryFitter(program, machine, new(), cancellation).Fit(choices) is not { } fitted)
        {
            return OpenEdgeMapper.Map(program, choices, diagnostics, cancellation);
        }

        Tell(program, fitted, machine, diagnostics);
        return fitted.Mapping;
    }

    /// <summary>The chosen mapping with packed inputs given up, the largest first, until it fits as it is; null where that doesn't make it fit.</summary>
    private static (MemoryFitter.Fitted Fitted, IReadOnlyList<string> Layers)? WithFewerHalves(OpenEdgeMapping defaults, MappingChoices choices, MemoryFitter fitter)
    {
        if (fitter.Map(choices) is not { } mapping)
        {
            return null;
        }

        var buffers = mapping.Program.Buffers.ToDictionary(b => b.Name, b => b.Words, StringComparer.Ordinal);
        var halved = defaults.Decisions.Where(d => !d.IsLayout && buffers.ContainsKey(OpenEdgeMapper.HalvesOf(d.Name)))
            .OrderByDescending(d => buffers[OpenEdgeMapper.HalvesOf(d.Name)]);
        var given = new List<string>();
        foreach (var decision in halved)
        {
            choices = choices.With(decision.Key, decision.Candidates[0].Name);
            given.Add(decision.Name);
            if (fitter.FitPlain(choices) is { } fitted)
            {
                return (fitted, given);
            }
        }

        return null;
    }

    /// <summary>A mapping that fits with what else is tried of it, and what it costs.</summary>
    private static (MemoryFitter.Fitted Chosen, ImageEstimate? Estimate) Completed(
        string network,
        MemoryFitter.Fitted chosen,
        OpenEdgeMapping defaults,
        IReadOnlyList<ForcedChoice> forced,
        MemoryFitter fitter,
        MachineDescription machine,
        KernelTimer timer,
        SearchOptions search,
        DiagnosticBag diagnostics,
        CancellationToken cancellation)
    {
        (chosen, var estimate) = WithFewerConstants(chosen, fitter, machine, timer, search.Goal);
        (chosen, estimate) = WithPlanesTogether(chosen, estimate, fitter, machine, timer, search.Goal);
        return search.Effort > 1 && estimate is not null ? Refined(network, chosen, estimate, defaults, forced, fitter, machine, timer, search, diagnostics, cancellation) : (chosen, estimate);
    }

    /// <summary>The chosen mapping with parameters in the code of fewer operators, where that is faster: their code has to find room or be loaded from flash.</summary>
    private static (MemoryFitter.Fitted Chosen, ImageEstimate? Estimate) WithFewerConstants(
        MemoryFitter.Fitted chosen, MemoryFitter fitter, MachineDescription machine, KernelTimer timer, OptimizationGoal goal)
    {
        var best = ImageEmitter.Estimate(chosen.Mapping.Program, machine, timer);
        if (!chosen.Mapping.Program.Steps.OfType<MappedNest>().Any(n => n.Kernel == RequantizeConstantsKernel.Strategy))
        {
            return (chosen, best);
        }

        foreach (var fewest in (ReadOnlySpan<int>)[200, 500, int.MaxValue])
        {
            if (fitter.FitAgain(chosen.Choices with { FewestPositionsOfConstants = fewest }) is { } other
                && ImageEmitter.Estimate(other.Mapping.Program, machine, timer) is { } estimate && (best is null || estimate.Measure(goal) < best.Measure(goal)))
            {
                (chosen, best) = (other, estimate);
            }
        }

        return (chosen, best);
    }

    /// <summary>The chosen mapping with more passes of stars in a row, where that is faster: what they leave takes room until it is added up, which code in RAM doesn't have.</summary>
    private static (MemoryFitter.Fitted Chosen, ImageEstimate? Estimate) WithPlanesTogether(
        MemoryFitter.Fitted chosen, ImageEstimate? estimate, MemoryFitter fitter, MachineDescription machine, KernelTimer timer, OptimizationGoal goal)
    {
        if (!chosen.Mapping.Program.Steps.OfType<MappedNest>().Any(n => n.Kernel is StarKernel.Strategy or StarKernel.PointStrategy))
        {
            return (chosen, estimate);
        }

        // shares of RAM
        var before = chosen.Choices;
        foreach (var share in (ReadOnlySpan<int>)[16, 8, 4, 2])
        {
            if (fitter.FitAgain(before with { PlaneWords = machine.Ram.Bytes / NestView.WordBytes / share }) is { } other
                && ImageEmitter.Estimate(other.Mapping.Program, machine, timer) is { } better && (estimate is null || better.Measure(goal) < estimate.Measure(goal)))
            {
                (chosen, estimate) = (other, better);
            }
        }

        return (chosen, estimate);
    }

    private static long Cost(MemoryFitter.Fitted fitted, KernelTimer timer, ParameterPlace place) => fitted.Mapping.Program.Steps.OfType<MappedNest>()
        .Sum(n => timer.Cost(n, fitted.Mapping.Program, !timer.Weights.IsCycles).At(place, timer.Weights));

    private static void Tell(GconvProgram program, MemoryFitter.Fitted fitted, MachineDescription machine, DiagnosticBag diagnostics)
    {
        if (fitted.Fits && MemoryFitter.Note(program.Name, fitted, new(machine)) is { } note)
        {
            diagnostics.Report(note);
        }
    }

    private static MappingChoices Choices(OpenEdgeMapping defaults, CostGraph graph, CandidateSelection selection)
    {
        var keys = defaults.Decisions.Select(d => d.Key).ToHashSet(StringComparer.Ordinal);
        var choices = MappingChoices.Defaults;
        for (var v = 0; v < graph.Vertices.Count; v++)
        {
            if (keys.Contains(graph.Vertices[v].Name))
            {
                choices = choices.With(graph.Vertices[v].Name, graph.Vertices[v].Candidates[selection.Choices[v]]);
            }
        }

        return choices;
    }
}
