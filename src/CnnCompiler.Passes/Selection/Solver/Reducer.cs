namespace CnnCompiler.Passes.Selection.Solver;

/// <summary>
/// The exact reductions of PBQP (Scholz and Eckstein, LCTES 2002: R0, RI, RII; research notes on DYNAMAP, section 7): a vertex with at most two neighbours
/// is minimised out, its least cost for each choice of theirs goes to them; a vertex with one legal candidate goes to its neighbours whatever
/// their number. Every step keeps the minimum, and going back gives a choice that reaches it. A series-parallel graph reduces to nothing.
/// </summary>
/// <param name="graph">The graph; it is consumed.</param>
internal sealed class Reducer(WorkGraph graph)
{
    // R2 joins two neighbours by a matrix that may be new: beyond this many numbers the vertex is left for the search.
    private const long MostEntries = 1L << 26;

    private readonly Stack<int> _small = new();
    private readonly Queue<int> _two = new();
    private readonly List<Eliminated> _eliminated = [];

    private readonly record struct Eliminated(int Vertex, WorkEdge[] Edges);

    /// <summary>Cost of what has been minimised out for good.</summary>
    public long Constant { get; private set; }

    /// <summary>A vertex without a legal candidate, or -1.</summary>
    public int Infeasible { get; private set; } = -1;

    /// <summary>Vertices with one legal candidate.</summary>
    public int Fixed { get; private set; }

    /// <summary>Vertices minimised out with 0, 1 and 2 neighbours.</summary>
    public int[] ByDegree { get; } = new int[3];

    /// <summary>Takes every vertex as possibly reducible; the first ones first.</summary>
    public void EnqueueAll()
    {
        for (var v = graph.Costs.Length - 1; v >= 0; v--)
        {
            Enqueue(v);
        }
    }

    /// <summary>Takes a vertex whose degree or costs have changed.</summary>
    public void Enqueue(int vertex)
    {
        if (graph.Degrees[vertex] < 2 || graph.Legal(vertex).Count < 2)
        {
            _small.Push(vertex);
        }
        else if (graph.Degrees[vertex] == 2)
        {
            _two.Enqueue(vertex);
        }
    }

    /// <summary>Reduces until nothing reducible is left or a vertex has no legal candidate.</summary>
    public void Run()
    {
        while (Infeasible < 0 && (_small.TryPop(out var vertex) || _two.TryDequeue(out vertex)))
        {
            if (graph.Alive[vertex])
            {
                Reduce(vertex);
            }
        }
    }

    /// <summary>Chooses for the eliminated vertices, last first, given the choices of those that were left.</summary>
    public void GoBack(int[] choices)
    {
        for (var i = _eliminated.Count - 1; i >= 0; i--)
        {
            var (vertex, edges) = _eliminated[i];
            var costs = graph.Costs[vertex];
            var best = long.MaxValue;
            for (var k = 0; k < costs.Length; k++)
            {
                var cost = costs[k];
                foreach (var edge in edges)
                {
                    cost = SelectionCost.Add(cost, Cell(edge, vertex, k, choices));
                }

                if (cost < best)
                {
                    best = cost;
                    choices[vertex] = k;
                }
            }
        }
    }

    private long Cell(WorkEdge edge, int vertex, int candidate, int[] choices) => edge.From == vertex
        ? edge.Matrix[(candidate * graph.Costs[edge.To].Length) + choices[edge.To]]
        : edge.Matrix[(choices[edge.From] * graph.Costs[vertex].Length) + candidate];

    private void Reduce(int vertex)
    {
        var (legal, cheapest) = graph.Legal(vertex);
        if (legal == 0)
        {
            Infeasible = vertex;
        }
        else if (legal == 1)
        {
            Fold(vertex, cheapest);
        }
        else if (graph.Degrees[vertex] == 0)
        {
            Constant += graph.Costs[vertex][cheapest];
            ByDegree[0]++;
            Eliminate(vertex, []);
        }
        else if (graph.Degrees[vertex] == 1)
        {
            ByDegree[1]++;
            ReduceOne(vertex, graph.EdgesOf(vertex)[0]);
        }
        else if (graph.Degrees[vertex] == 2)
        {
            ReduceTwo(vertex, graph.EdgesOf(vertex)[0], graph.EdgesOf(vertex)[1]);
        }
    }

    private void Fold(int vertex, int candidate)
    {
        Fixed++;
        Constant += graph.Costs[vertex][candidate];
        var edges = graph.EdgesOf(vertex).ToArray();
        // Going back finds the candidate again without its edges: it is the only legal one.
        Eliminate(vertex, []);
        foreach (var edge in edges)
        {
            graph.Remove(edge);
            var other = edge.Other(vertex);
            var costs = graph.Costs[other];
            for (var j = 0; j < costs.Length; j++)
            {
                costs[j] = SelectionCost.Add(costs[j], edge.Matrix[edge.From == vertex ? (candidate * costs.Length) + j : (j * graph.Costs[vertex].Length) + candidate]);
            }

            Enqueue(other);
        }
    }

    private void ReduceOne(int vertex, WorkEdge edge)
    {
        var other = edge.Other(vertex);
        var matrix = graph.Oriented(edge, vertex);
        var (own, costs) = (graph.Costs[vertex], graph.Costs[other]);
        for (var j = 0; j < costs.Length; j++)
        {
            var least = SelectionCost.Illegal;
            for (var k = 0; k < own.Length; k++)
            {
                least = Math.Min(least, own[k] + matrix[(k * costs.Length) + j]);
            }

            costs[j] = SelectionCost.Add(costs[j], least);
        }

        Eliminate(vertex, [edge]);
        graph.Remove(edge);
        Enqueue(other);
    }

    private void ReduceTwo(int vertex, WorkEdge first, WorkEdge second)
    {
        var (y, z) = (first.Other(vertex), second.Other(vertex));
        var (rows, columns) = (graph.Costs[y].Length, graph.Costs[z].Length);
        if (graph.Entries + ((long)rows * columns) > MostEntries)
        {
            return;
        }

        var (toY, toZ, own) = (graph.Oriented(first, vertex), graph.Oriented(second, vertex), graph.Costs[vertex]);
        var joined = new long[rows * columns];
        Array.Fill(joined, SelectionCost.Illegal);
        for (var k = 0; k < own.Length; k++)
        {
            for (var i = 0; i < rows; i++)
            {
                var here = SelectionCost.Add(own[k], toY[(k * rows) + i]);
                if (here < SelectionCost.Illegal)
                {
                    Lower(joined.AsSpan(i * columns, columns), toZ.AsSpan(k * columns, columns), here);
                }
            }
        }

        ByDegree[2]++;
        Eliminate(vertex, [first, second]);
        graph.Remove(first);
        graph.Remove(second);
        graph.AddEdge(y, z, joined);
        Enqueue(y);
        Enqueue(z);
    }

    private static void Lower(Span<long> least, ReadOnlySpan<long> row, long offset)
    {
        for (var j = 0; j < row.Length; j++)
        {
            least[j] = Math.Min(least[j], row[j] + offset);
        }
    }

    private void Eliminate(int vertex, WorkEdge[] edges)
    {
        graph.Alive[vertex] = false;
        _eliminated.Add(new(vertex, edges));
    }
}
