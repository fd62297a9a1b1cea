namespace CnnCompiler.Passes.Selection.Solver;

/// <summary>An edge while the graph is being reduced. A dead edge keeps its matrix: going back needs it.</summary>
internal sealed class WorkEdge(int from, int to, long[] matrix)
{
    /// <summary>Row vertex.</summary>
    public int From { get; } = from;

    /// <summary>Column vertex.</summary>
    public int To { get; } = to;

    /// <summary>[candidates of From, candidates of To], row-major.</summary>
    public long[] Matrix { get; } = matrix;

    /// <summary>False once an end has been minimised out.</summary>
    public bool Alive { get; set; } = true;

    /// <summary>The other end.</summary>
    public int Other(int vertex) => vertex == From ? To : From;
}

/// <summary>A mutable copy of a cost graph without parallel edges.</summary>
internal sealed class WorkGraph
{
    private readonly Dictionary<(int Low, int High), WorkEdge> _edges = [];
    private readonly List<WorkEdge>[] _adjacent;
    private long _entries;

    public WorkGraph(CostGraph graph)
    {
        Costs = graph.Vertices.Select(vertex => vertex.Costs.AsSpan().ToArray()).ToArray();
        Degrees = new int[Costs.Length];
        Alive = new bool[Costs.Length];
        Array.Fill(Alive, true);
        _adjacent = new List<WorkEdge>[Costs.Length];
        for (var v = 0; v < Costs.Length; v++)
        {
            _adjacent[v] = [];
        }

        foreach (var edge in graph.Edges.AsSpan())
        {
            AddEdge(edge.From, edge.To, edge.Matrix.AsSpan());
        }
    }

    /// <summary>[vertices][candidates] cost of each candidate, with what has been minimised out.</summary>
    public long[][] Costs { get; }

    /// <summary>[vertices] edges alive.</summary>
    public int[] Degrees { get; }

    /// <summary>[vertices] whether the vertex is still there.</summary>
    public bool[] Alive { get; }

    /// <summary>Numbers in the matrices alive.</summary>
    public long Entries => _entries;

    /// <summary>The edges alive at a vertex; drops dead ones from its list.</summary>
    public List<WorkEdge> EdgesOf(int vertex)
    {
        var edges = _adjacent[vertex];
        if (edges.Count != Degrees[vertex])
        {
            edges.RemoveAll(edge => !edge.Alive);
        }

        return edges;
    }

    /// <summary>Adds a matrix between two vertices, into the edge that is there already if one is. Returns whether the edge is new.</summary>
    public bool AddEdge(int from, int to, ReadOnlySpan<long> matrix)
    {
        var key = (Math.Min(from, to), Math.Max(from, to));
        if (!_edges.TryGetValue(key, out var edge))
        {
            edge = new(from, to, matrix.ToArray());
            _edges.Add(key, edge);
            _adjacent[from].Add(edge);
            _adjacent[to].Add(edge);
            Degrees[from]++;
            Degrees[to]++;
            _entries += matrix.Length;
            return true;
        }

        var (rows, columns) = (Costs[from].Length, Costs[to].Length);
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < columns; j++)
            {
                ref var cell = ref edge.Matrix[edge.From == from ? (i * columns) + j : (j * rows) + i];
                cell = SelectionCost.Add(cell, matrix[(i * columns) + j]);
            }
        }

        return false;
    }

    /// <summary>Takes an edge out.</summary>
    public void Remove(WorkEdge edge)
    {
        edge.Alive = false;
        _edges.Remove((Math.Min(edge.From, edge.To), Math.Max(edge.From, edge.To)));
        Degrees[edge.From]--;
        Degrees[edge.To]--;
        _entries -= edge.Matrix.Length;
    }

    /// <summary>An edge's matrix seen from a vertex: [candidates of the vertex, candidates of the other end]. Not a copy where it lies that way.</summary>
    public long[] Oriented(WorkEdge edge, int vertex)
    {
        if (edge.From == vertex)
        {
            return edge.Matrix;
        }

        var (rows, columns) = (Costs[vertex].Length, Costs[edge.From].Length);
        var turned = new long[edge.Matrix.Length];
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < columns; j++)
            {
                turned[(i * columns) + j] = edge.Matrix[(j * rows) + i];
            }
        }

        return turned;
    }

    /// <summary>Legal candidates of a vertex, and the cheapest of them (the first where several are; -1 where none is legal).</summary>
    public (int Count, int Cheapest) Legal(int vertex)
    {
        var (count, cheapest) = (0, -1);
        var costs = Costs[vertex];
        for (var k = 0; k < costs.Length; k++)
        {
            if (costs[k] < SelectionCost.Illegal)
            {
                count++;
                cheapest = cheapest < 0 || costs[k] < costs[cheapest] ? k : cheapest;
            }
        }

        return (count, cheapest);
    }
}
