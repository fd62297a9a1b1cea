using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Mapping;

namespace CnnCompiler.Targets.OpenEdge.Selection;

/// <summary>A selected mapping.</summary>
/// <param name="Program">The mapped program.</param>
/// <param name="Explanation">Every decision with its rejected candidates, or null where there was none to make.</param>
public sealed record SelectedMapping(MappedProgram Program, SelectionExplanation? Explanation);

/// <summary>Chooses kernels, line directions and layouts together, exactly, at measured costs.</summary>
public static class MappingSelector
{
    /// <summary>Words of accumulators below which tiles aren't made smaller to fit a memory.</summary>
    private const int SmallestTile = 256;

    /// <summary>Maps a program, or reports what the target can't do or what is wrong with a forced choice.</summary>
    /// <param name="program">The chain.</param>
    /// <param name="machine">The machine whose cycles are minimised.</param>
    /// <param name="forced">Choices the user made.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    /// <param name="cancellation">Ends early.</param>
    public static SelectedMapping? Select(
        GconvProgram program, MachineDescription machine, IReadOnlyList<ForcedChoice> forced, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        if (OpenEdgeMapper.Map(program, MappingChoices.Defaults, diagnostics, cancellation) is not { } defaults)
        {
            return null;
        }

        if (forced.Count == 0 && defaults.Decisions.All(d => d.Candidates.Count < 2))
        {
            return new(MapThatFits(program, MappingChoices.Defaults, machine, cancellation) ?? defaults.Program, null);
        }

        var problem = MappingProblem.Of(program, defaults, new(machine), cancellation);
        var built = CostGraphBuilder.Build(problem.Problem, problem);
        diagnostics.Report(built.Diagnostics);
        if (built.Graph is not { } graph)
        {
            return null;
        }

        var constrained = ForcedChoice.Apply(graph, forced);
        diagnostics.Report(constrained.Diagnostics);
        if (constrained.Graph is null)
        {
            return null;
        }

        var solved = SelectionSolver.Solve(constrained.Graph);
        diagnostics.Report(solved.Diagnostics);
        if (solved.Selection is not { } selection)
        {
            return null;
        }

        diagnostics.Report(SelectionChecker.Check(constrained.Graph, selection));
        var explanation = SelectionExplainer.Explain(graph, selection, [.. forced]);
        if (diagnostics.HasErrors)
        {
            return null;
        }

        // cycles were minimised, not memory: where the result doesn't fit even in tiles and the default does, the default it is
        var choices = Choices(defaults, graph, selection);
        if (MapThatFits(program, choices, machine, cancellation) is { } fitting)
        {
            return new(fitting, explanation);
        }

        if (forced.Count == 0 && MapWithFewerHalves(program, defaults, choices, machine, cancellation) is var (lighter, layers))
        {
            diagnostics.Report(OpenEdgeDiagnostics.SelectionDoesNotFit(program.Name, selection.Cost, layers));
            return new(lighter, explanation);
        }

        if (forced.Count == 0 && MapThatFits(program, MappingChoices.Defaults, machine, cancellation) is { } fallback)
        {
            diagnostics.Report(OpenEdgeDiagnostics.SelectionDoesNotFit(program.Name, selection.Cost));
            return new(fallback, explanation);
        }

        // emission says what is missing even with the smallest tiles
        return OpenEdgeMapper.Map(program, choices with { AccumulatorWords = SmallestTile }, diagnostics, cancellation) is { } mapping ? new(mapping.Program, explanation) : null;
    }

    /// <summary>The mapping with the largest tiles of accumulators that fits the machine, or null where none does.</summary>
    private static MappedProgram? MapThatFits(GconvProgram program, MappingChoices choices, MachineDescription machine, CancellationToken cancellation)
    {
        for (var words = int.MaxValue; words >= SmallestTile; words = Math.Min(words, machine.Ram.Bytes / sizeof(uint)) / 2)
        {
            cancellation.ThrowIfCancellationRequested();
            var mapping = OpenEdgeMapper.Map(program, choices with { AccumulatorWords = words }, new DiagnosticBag(), cancellation);
            if (mapping is not null && ImageEmitter.Fits(mapping.Program, machine))
            {
                return mapping.Program;
            }
        }

        return null;
    }

    /// <summary>
    /// The chosen mapping with packed inputs given up, the largest first, until it fits; null where that doesn't make it fit.
    /// </summary>
    private static (MappedProgram Program, IReadOnlyList<string> Layers)? MapWithFewerHalves(
        GconvProgram program, OpenEdgeMapping defaults, MappingChoices choices, MachineDescription machine, CancellationToken cancellation)
    {
        if (OpenEdgeMapper.Map(program, choices, new DiagnosticBag(), cancellation) is not { } mapping)
        {
            return null;
        }

        var buffers = mapping.Program.Buffers.ToDictionary(b => b.Name, b => b.Words, StringComparer.Ordinal);
        var halved = defaults.Decisions.Where(d => !d.IsLayout && buffers.ContainsKey(OpenEdgeMapper.HalvesOf(d.Name)))
            .OrderByDescending(d => buffers[OpenEdgeMapper.HalvesOf(d.Name)]).ToArray();
        var given = new List<string>();
        foreach (var decision in halved)
        {
            choices = choices.With(decision.Key, decision.Candidates[0].Name);
            given.Add(decision.Name);
            if (MapThatFits(program, choices, machine, cancellation) is { } fitting)
            {
                return (fitting, given);
            }
        }

        return null;
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
