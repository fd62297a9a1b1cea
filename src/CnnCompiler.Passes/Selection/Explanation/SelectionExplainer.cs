using CnnCompiler.Core;

namespace CnnCompiler.Passes.Selection.Explanation;

/// <summary>
/// Says for each decision what every other candidate would have cost, exactly: the graph is solved again with it forced. That takes as many solutions as
/// there are candidates, so a long network is explained decision by decision.
/// </summary>
public static class SelectionExplainer
{
    /// <summary>Explains the decisions of a selection.</summary>
    /// <param name="graph">The sound graph that was solved, before anything was forced.</param>
    /// <param name="selection">Its selection, with what was forced.</param>
    /// <param name="forced">What was forced; it stays forced while another decision is explained.</param>
    /// <param name="vertices">The decisions to explain; all with more than one candidate where null.</param>
    /// <param name="options">Limits of each solution.</param>
    public static SelectionExplanation Explain(
        CostGraph graph,
        CandidateSelection selection,
        IReadOnlyCollection<ForcedChoice>? forced = null,
        IEnumerable<int>? vertices = null,
        SelectionOptions? options = null)
    {
        forced ??= [];
        var forcedGraph = ForcedChoice.Apply(graph, forced).Graph ?? graph;
        var explained = (vertices ?? Enumerable.Range(0, graph.Vertices.Count).Where(v => graph.Vertices[v].Candidates.Count > 1))
            .Select(v => ExplainVertex(graph, forcedGraph, selection, v, forced.Any(choice => choice.Vertex == graph.Vertices[v].Name), options ?? SelectionOptions.Default))
            .ToEquatableArray();
        return new(graph.Unit, selection.Cost, selection.LowerBound, GreedySelector.Choose(graph)?.Cost, explained);
    }

    private static VertexExplanation ExplainVertex(CostGraph graph, CostGraph forcedGraph, CandidateSelection selection, int v, bool isForced, SelectionOptions options)
    {
        var vertex = graph.Vertices[v];
        var chosen = selection.Choices[v];
        // A decision that the user forced is explained as if he had not: else every other candidate would be illegal.
        var free = isForced ? forcedGraph with { Vertices = forcedGraph.Vertices.Select((other, i) => i == v ? vertex : other).ToEquatableArray() } : forcedGraph;
        var rejected = Enumerable.Range(0, vertex.Candidates.Count).Where(k => k != chosen).Select(k =>
        {
            var other = SelectionSolver.SolveSound(free, options, v, k).Selection;
            return new RejectedCandidate(
                vertex.Candidates[k],
                vertex.Costs[k],
                other?.Cost ?? SelectionCost.Illegal,
                other?.IsOptimal ?? true,
                other is null ? [] : Changes(graph, selection, other, v));
        });
        return new(vertex.Name, vertex.Kind, vertex.Candidates[chosen], vertex.Costs[chosen], isForced, rejected.ToEquatableArray());
    }

    private static EquatableArray<ChoiceChange> Changes(CostGraph graph, CandidateSelection selection, CandidateSelection other, int except) =>
        Enumerable.Range(0, graph.Vertices.Count)
            .Where(v => v != except && selection.Choices[v] != other.Choices[v])
            .Select(v => new ChoiceChange(graph.Vertices[v].Name, graph.Vertices[v].Candidates[selection.Choices[v]], graph.Vertices[v].Candidates[other.Choices[v]]))
            .ToEquatableArray();
}
