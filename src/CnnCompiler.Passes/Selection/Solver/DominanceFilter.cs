namespace CnnCompiler.Passes.Selection.Solver;

/// <summary>
/// Drops candidates that another candidate of their vertex beats or equals whatever the neighbours choose. Used on the irreducible core only, where
/// each dropped candidate saves search.
/// </summary>
internal static class DominanceFilter
{
    // The comparison is quadratic in the candidates.
    private const int MostCandidates = 64;

    /// <summary>Makes dominated candidates of a vertex illegal; returns how many.</summary>
    public static int Apply(WorkGraph graph, int vertex)
    {
        var costs = graph.Costs[vertex];
        if (costs.Length > MostCandidates)
        {
            return 0;
        }

        var edges = graph.EdgesOf(vertex).Select(edge => (Matrix: graph.Oriented(edge, vertex), Other: graph.Costs[edge.Other(vertex)])).ToArray();
        var dropped = 0;
        for (var worse = 0; worse < costs.Length; worse++)
        {
            for (var better = 0; better < costs.Length && costs[worse] < SelectionCost.Illegal; better++)
            {
                if (better != worse && costs[better] < SelectionCost.Illegal && Dominates(costs, edges, better, worse))
                {
                    costs[worse] = SelectionCost.Illegal;
                    dropped++;
                }
            }
        }

        return dropped;
    }

    private static bool Dominates(long[] costs, (long[] Matrix, long[] Other)[] edges, int better, int worse)
    {
        // The most that the better one can lose on the edges must be within what it gains on the vertex.
        var slack = costs[worse] - costs[better];
        foreach (var (matrix, other) in edges)
        {
            var loss = long.MinValue;
            for (var x = 0; x < other.Length; x++)
            {
                var (with, without) = (matrix[(better * other.Length) + x], matrix[(worse * other.Length) + x]);
                if (other[x] < SelectionCost.Illegal && without < SelectionCost.Illegal)
                {
                    loss = Math.Max(loss, with - without);
                }
            }

            if (loss == long.MinValue)
            {
                // The worse one is illegal with every choice there.
                return true;
            }

            if (loss >= SelectionCost.Limit)
            {
                return false;
            }

            slack -= loss;
        }

        return slack >= 0;
    }
}
