namespace CnnCompiler.Passes.Selection.Solver;

/// <summary>
/// Depth-first branch and bound over one connected irreducible core. Vertices are tried in a fixed order (most edges to earlier ones first); costs are first
/// moved towards earlier vertices by directional arc consistency (Larrosa and Meseguer 1999), so that the sum of each open vertex' cheapest candidate,
/// given the choices so far, is a lower bound. Choices are tried cheapest first. No recursion: the depth is the number of vertices.
/// </summary>
internal sealed class CoreSearch
{
    private readonly int[] _order;
    private readonly int[][] _candidates;
    private readonly long[][] _costs;
    private readonly Link[][] _later;
    private readonly int[][] _tries;
    private readonly int[] _next;
    private readonly int[] _choice;
    private readonly long[] _spent;
    private readonly long[] _open;
    private readonly long[] _least;

    public CoreSearch(WorkGraph graph, List<int> component)
    {
        _order = Order(graph, component);
        var position = new Dictionary<int, int>();
        for (var i = 0; i < _order.Length; i++)
        {
            position.Add(_order[i], i);
        }

        _candidates = _order.Select(v => Enumerable.Range(0, graph.Costs[v].Length).Where(k => graph.Costs[v][k] < SelectionCost.Illegal).ToArray()).ToArray();
        _costs = _order.Select((v, i) => _candidates[i].Select(k => graph.Costs[v][k]).ToArray()).ToArray();
        _later = _order.Select((v, i) => graph.EdgesOf(v)
            .Where(edge => position[edge.Other(v)] > i)
            .Select(edge => MakeLink(graph, edge, v, i, position[edge.Other(v)]))
            .OrderBy(link => link.To)
            .ToArray()).ToArray();
        MoveCostsForward();
        _tries = _candidates.Select(list => new int[list.Length]).ToArray();
        _next = new int[_order.Length];
        _choice = new int[_order.Length];
        _spent = new long[_order.Length + 1];
        _open = new long[_order.Length + 1];
        _least = _costs.Select(costs => costs.Length == 0 ? SelectionCost.Illegal : costs.Min()).ToArray();
    }

    private sealed record Link(int To, long[] Matrix, long[] Saved)
    {
        public long SavedLeast { get; set; }
    }

    /// <summary>Cheapest cost found; illegal where nothing was.</summary>
    public long Cost { get; private set; } = SelectionCost.Illegal;

    /// <summary>Nothing costs less; equal to the cost where the search was complete (illegal where nothing is legal).</summary>
    public long LowerBound { get; private set; }

    /// <summary>Choices tried.</summary>
    public long Nodes { get; private set; }

    /// <summary>[vertices of the core] the vertex of the graph and its candidate in the best selection found.</summary>
    public (int Vertex, int Candidate)[] Best { get; private set; } = [];

    /// <summary>Searches until everything is decided or the budget is spent.</summary>
    public void Run(long budget)
    {
        foreach (var least in _least)
        {
            _open[0] = SelectionCost.Add(_open[0], least);
        }

        var depth = 0;
        if (_open[0] < SelectionCost.Illegal)
        {
            Enter(0);
            while (depth >= 0)
            {
                if (Nodes >= budget)
                {
                    LowerBound = Frontier(depth);
                    return;
                }

                depth = Step(depth);
            }
        }

        LowerBound = Cost;
    }

    private int Step(int depth)
    {
        if (_next[depth] > 0)
        {
            Undo(depth);
        }

        if (_next[depth] == _tries[depth].Length || NextBound(depth) >= Cost)
        {
            _next[depth] = 0;
            return depth - 1;
        }

        Nodes++;
        var k = _tries[depth][_next[depth]++];
        _choice[depth] = k;
        _spent[depth + 1] = _spent[depth] + _costs[depth][k];
        _open[depth + 1] = _open[depth] - _least[depth];
        Propagate(depth, k);
        if (SelectionCost.Add(_spent[depth + 1], _open[depth + 1]) >= Cost)
        {
            return depth;
        }

        if (depth + 1 < _order.Length)
        {
            Enter(depth + 1);
            return depth + 1;
        }

        Cost = _spent[depth + 1];
        Best = _order.Select((v, i) => (v, _candidates[i][_choice[i]])).ToArray();
        return depth;
    }

    private void Enter(int depth)
    {
        var tries = _tries[depth];
        for (var k = 0; k < tries.Length; k++)
        {
            tries[k] = k;
        }

        var costs = _costs[depth];
        Array.Sort(tries, (a, b) => costs[a] != costs[b] ? costs[a].CompareTo(costs[b]) : a.CompareTo(b));
        _next[depth] = 0;
    }

    /// <summary>Bound of the next untried choice at a depth whose current choice is undone or doesn't count.</summary>
    private long NextBound(int depth) => SelectionCost.Add(_spent[depth] + _open[depth] - _least[depth], _costs[depth][_tries[depth][_next[depth]]]);

    /// <summary>The least bound of everything not yet decided, when the search stops early at a depth.</summary>
    private long Frontier(int depth)
    {
        var bound = Cost;
        for (var d = 0; d <= depth; d++)
        {
            if (_next[d] < _tries[d].Length)
            {
                bound = Math.Min(bound, NextBound(d));
            }
        }

        return bound;
    }

    private void Propagate(int depth, int k)
    {
        foreach (var link in _later[depth])
        {
            var costs = _costs[link.To];
            costs.CopyTo(link.Saved, 0);
            link.SavedLeast = _least[link.To];
            var row = link.Matrix.AsSpan(k * costs.Length, costs.Length);
            var least = SelectionCost.Illegal;
            for (var j = 0; j < costs.Length; j++)
            {
                costs[j] = SelectionCost.Add(costs[j], row[j]);
                least = Math.Min(least, costs[j]);
            }

            _least[link.To] = least;
            // Illegal stays illegal whatever was open: the whole sum is never taken apart again.
            _open[depth + 1] = least >= SelectionCost.Illegal ? SelectionCost.Illegal : SelectionCost.Add(_open[depth + 1], least - link.SavedLeast);
        }
    }

    private void Undo(int depth)
    {
        foreach (var link in _later[depth])
        {
            link.Saved.CopyTo(_costs[link.To], 0);
            _least[link.To] = link.SavedLeast;
        }
    }

    private Link MakeLink(WorkGraph graph, WorkEdge edge, int vertex, int from, int to)
    {
        var matrix = graph.Oriented(edge, vertex);
        var width = graph.Costs[edge.Other(vertex)].Length;
        var (rows, columns) = (_candidates[from], _candidates[to]);
        var compact = new long[rows.Length * columns.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            for (var j = 0; j < columns.Length; j++)
            {
                compact[(i * columns.Length) + j] = matrix[(rows[i] * width) + columns[j]];
            }
        }

        return new(to, compact, new long[columns.Length]);
    }

    /// <summary>Last vertex first: its costs go into the edge to its latest earlier neighbour, then each row's least cost of every edge goes to the earlier end. Sums stay the same.</summary>
    private void MoveCostsForward()
    {
        var earlier = new List<(int From, Link Link)>[_order.Length];
        for (var i = 0; i < _order.Length; i++)
        {
            earlier[i] = [];
        }

        for (var i = 0; i < _order.Length; i++)
        {
            foreach (var link in _later[i])
            {
                earlier[link.To].Add((i, link));
            }
        }

        for (var v = _order.Length - 1; v > 0; v--)
        {
            var own = _costs[v];
            for (var e = earlier[v].Count - 1; e >= 0; e--)
            {
                var (from, link) = earlier[v][e];
                MoveRows(link.Matrix, own, _costs[from]);
                // Only the first edge (to the latest earlier neighbour) takes the vertex' own costs.
                Array.Clear(own);
            }
        }
    }

    private static void MoveRows(long[] matrix, long[] own, long[] target)
    {
        for (var i = 0; i < target.Length; i++)
        {
            var row = matrix.AsSpan(i * own.Length, own.Length);
            var least = SelectionCost.Illegal;
            for (var j = 0; j < row.Length; j++)
            {
                row[j] = SelectionCost.Add(row[j], own[j]);
                least = Math.Min(least, row[j]);
            }

            target[i] = SelectionCost.Add(target[i], least);
            for (var j = 0; j < row.Length; j++)
            {
                // An illegal row is paid for at the earlier end.
                row[j] = row[j] >= SelectionCost.Illegal && least < SelectionCost.Illegal ? row[j] : row[j] - least;
            }
        }
    }

    private static int[] Order(WorkGraph graph, List<int> component)
    {
        var linked = component.ToDictionary(v => v, _ => 0);
        var open = new SortedSet<(int Linked, int Degree, int Vertex)>(component.Select(v => (0, -graph.Degrees[v], v)));
        var order = new int[component.Count];
        for (var i = 0; i < order.Length; i++)
        {
            var first = open.Min;
            open.Remove(first);
            order[i] = first.Vertex;
            foreach (var edge in graph.EdgesOf(first.Vertex))
            {
                var other = edge.Other(first.Vertex);
                if (open.Remove((-linked[other], -graph.Degrees[other], other)))
                {
                    open.Add((-(++linked[other]), -graph.Degrees[other], other));
                }
            }
        }

        return order;
    }
}
