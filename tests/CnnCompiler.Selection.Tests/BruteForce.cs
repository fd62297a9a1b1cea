using CnnCompiler.Passes.Selection;

namespace CnnCompiler.Selection.Tests;

/// <summary>
/// Looks at every combination, one vertex after the other; the cost so far is kept for each depth, nothing is skipped but what is already illegal.
/// </summary>
internal sealed class BruteForce
{
    private readonly long[][] _costs;
    private readonly (int Earlier, long[] Matrix, int Row, int Column)[][] _edges;
    private readonly int[] _choices;
    private long _best = SelectionCost.Illegal;

    private BruteForce(CostGraph graph)
    {
        _costs = graph.Vertices.Select(vertex => vertex.Costs.ToArray()).ToArray();
        _choices = new int[_costs.Length];
        _edges = Enumerable.Range(0, _costs.Length).Select(v => graph.Edges.Where(edge => Math.Max(edge.From, edge.To) == v).Select(edge =>
        {
            var width = graph.Vertices[edge.To].Costs.Count;
            return edge.To == v ? (edge.From, edge.Matrix.ToArray(), width, 1) : (edge.To, edge.Matrix.ToArray(), 1, width);
        }).ToArray()).ToArray();
    }

    /// <summary>The least cost, or null where nothing is legal.</summary>
    public static long? Cost(CostGraph graph)
    {
        var search = new BruteForce(graph);
        search.Visit(0, 0);
        return search._best >= SelectionCost.Illegal ? null : search._best;
    }

    private void Visit(int v, long cost)
    {
        if (v == _costs.Length)
        {
            _best = Math.Min(_best, cost);
            return;
        }

        var own = _costs[v];
        for (var k = 0; k < own.Length; k++)
        {
            var sum = cost + own[k];
            foreach (var (earlier, matrix, row, column) in _edges[v])
            {
                // At most a few dozen illegal costs would overflow: clamp each time.
                sum = Math.Min(SelectionCost.Illegal, sum + matrix[(_choices[earlier] * row) + (k * column)]);
            }

            if (sum < SelectionCost.Illegal)
            {
                _choices[v] = k;
                Visit(v + 1, sum);
            }
        }
    }
}
