using CnnCompiler.Core;
using CnnCompiler.Passes.Selection.Solver;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Selection;

/// <summary>
/// Finds the cheapest selection of a cost graph: exact reductions, then branch and bound on what they leave (nothing, for a series-parallel graph). Deterministic:
/// among equals, the order of vertices and candidates decides.
/// </summary>
public static class SelectionSolver
{
    /// <summary>Solves a graph.</summary>
    /// <param name="graph">The graph; an unsound one gives its diagnostics.</param>
    /// <param name="options">Limits; the default ones where null.</param>
    public static SelectionResult Solve(CostGraph graph, SelectionOptions? options = null)
    {
        var errors = graph.Check();
        return errors.Count > 0 ? new(null, errors) : SolveSound(graph, options ?? SelectionOptions.Default, -1, -1);
    }

    /// <summary>Solves a graph that has been checked, with one choice given (vertex -1: none).</summary>
    internal static SelectionResult SolveSound(CostGraph graph, SelectionOptions options, int vertex, int candidate)
    {
        var work = new WorkGraph(graph);
        if (vertex >= 0)
        {
            var kept = work.Costs[vertex][candidate];
            Array.Fill(work.Costs[vertex], SelectionCost.Illegal);
            work.Costs[vertex][candidate] = kept;
        }

        var reducer = new Reducer(work);
        reducer.EnqueueAll();
        reducer.Run();
        var dominated = FilterCore(work, reducer);
        if (reducer.Infeasible >= 0)
        {
            return Failed(SelectionDiagnostics.NoLegalChoice(graph.Vertices[reducer.Infeasible].Name));
        }

        var choices = new int[graph.Vertices.Count];
        var (cost, bound, core, nodes) = (reducer.Constant, reducer.Constant, 0, 0L);
        foreach (var component in Components(work))
        {
            var search = new CoreSearch(work, component);
            // Each component may at least go down once.
            search.Run(Math.Max(component.Count, options.SearchNodes - nodes));
            core += component.Count;
            nodes += search.Nodes;
            if (search.Cost >= SelectionCost.Illegal)
            {
                var name = graph.Vertices[component[0]].Name;
                return search.LowerBound < SelectionCost.Illegal ? GreedyOr(graph, vertex, candidate, SelectionDiagnostics.NothingFound(name, nodes)) : Failed(SelectionDiagnostics.NoLegalChoice(name));
            }

            (cost, bound) = (cost + search.Cost, bound + search.LowerBound);
            foreach (var (v, k) in search.Best)
            {
                choices[v] = k;
            }
        }

        reducer.GoBack(choices);
        var statistics = new SelectionStatistics(reducer.Fixed, reducer.ByDegree[0], reducer.ByDegree[1], reducer.ByDegree[2], dominated, core, nodes);
        var found = new CandidateSelection(choices.ToEquatableArray(), cost, bound, statistics);
        return new(bound < cost ? NotAboveGreedy(graph, found, vertex, candidate) : found, []);
    }

    /// <summary>Drops dominated candidates of the core and reduces again; neighbours of a vertex that lost candidates are looked at again.</summary>
    private static int FilterCore(WorkGraph work, Reducer reducer)
    {
        var dominated = 0;
        var open = new SortedSet<int>(Enumerable.Range(0, work.Costs.Length).Where(v => work.Alive[v]));
        while (reducer.Infeasible < 0 && open.Count > 0)
        {
            var vertex = open.Min;
            open.Remove(vertex);
            if (!work.Alive[vertex] || DominanceFilter.Apply(work, vertex) is not (> 0 and var dropped))
            {
                continue;
            }

            dominated += dropped;
            open.UnionWith(work.EdgesOf(vertex).Select(edge => edge.Other(vertex)));
            reducer.Enqueue(vertex);
            reducer.Run();
        }

        return dominated;
    }

    private static List<List<int>> Components(WorkGraph work)
    {
        var seen = new bool[work.Costs.Length];
        var components = new List<List<int>>();
        for (var start = 0; start < seen.Length; start++)
        {
            if (!work.Alive[start] || seen[start])
            {
                continue;
            }

            var component = new List<int> { start };
            seen[start] = true;
            for (var i = 0; i < component.Count; i++)
            {
                foreach (var other in work.EdgesOf(component[i]).Select(edge => edge.Other(component[i])))
                {
                    if (!seen[other])
                    {
                        seen[other] = true;
                        component.Add(other);
                    }
                }
            }

            components.Add(component);
        }

        return components;
    }

    /// <summary>Where the search stopped early, the greedy choice may be cheaper than what it had.</summary>
    private static CandidateSelection NotAboveGreedy(CostGraph graph, CandidateSelection found, int vertex, int candidate) =>
        Greedy(graph, vertex, candidate) is { } greedy && greedy.Cost < found.Cost ? found with { Choices = greedy.Choices, Cost = greedy.Cost } : found;

    private static SelectionResult GreedyOr(CostGraph graph, int vertex, int candidate, Diagnostic diagnostic) =>
        Greedy(graph, vertex, candidate) is { } greedy
            ? new(new(greedy.Choices, greedy.Cost, 0, new(0, 0, 0, 0, 0, graph.Vertices.Count, 0)), [])
            : Failed(diagnostic);

    private static (EquatableArray<int> Choices, long Cost)? Greedy(CostGraph graph, int vertex, int candidate) =>
        GreedySelector.Choose(vertex < 0 ? graph : graph.Force(vertex, candidate));

    private static SelectionResult Failed(Diagnostic diagnostic) => new(null, [diagnostic]);
}
