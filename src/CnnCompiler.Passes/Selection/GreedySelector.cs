using CnnCompiler.Core;

namespace CnnCompiler.Passes.Selection;

/// <summary>The baseline: vertices in order, each the cheapest candidate given what is chosen already. Nothing is taken back, so it may find nothing legal.</summary>
public static class GreedySelector
{
    /// <summary>The choices and their cost, or null where a vertex is left without a legal candidate.</summary>
    /// <param name="graph">A sound graph.</param>
    public static (EquatableArray<int> Choices, long Cost)? Choose(CostGraph graph)
    {
        var costs = graph.Vertices.Select(vertex => vertex.Costs.AsSpan().ToArray()).ToArray();
        var earlier = new List<CostEdge>[costs.Length];
        for (var v = 0; v < costs.Length; v++)
        {
            earlier[v] = [];
        }

        foreach (var edge in graph.Edges.AsSpan())
        {
            earlier[Math.Max(edge.From, edge.To)].Add(edge);
        }

        var choices = new int[costs.Length];
        long total = 0;
        for (var v = 0; v < costs.Length; v++)
        {
            foreach (var edge in earlier[v])
            {
                AddChosen(edge, v, costs, choices);
            }

            choices[v] = Array.IndexOf(costs[v], costs[v].Min());
            total = SelectionCost.Add(total, costs[v][choices[v]]);
        }

        return total >= SelectionCost.Illegal ? null : (choices.ToEquatableArray(), total);
    }

    private static void AddChosen(CostEdge edge, int vertex, long[][] costs, int[] choices)
    {
        var width = costs[edge.To].Length;
        for (var k = 0; k < costs[vertex].Length; k++)
        {
            var cell = vertex == edge.To ? (choices[edge.From] * width) + k : (k * width) + choices[edge.To];
            costs[vertex][k] = SelectionCost.Add(costs[vertex][k], edge.Matrix[cell]);
        }
    }
}
