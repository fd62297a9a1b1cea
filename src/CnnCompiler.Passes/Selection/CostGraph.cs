using CnnCompiler.Core;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Selection;

/// <summary>What a vertex of a cost graph decides.</summary>
public enum DecisionKind
{
    /// <summary>How a step is done: algorithm, dataflow, tiling, packing.</summary>
    Step,

    /// <summary>The layout a tensor is stored in, the same for its producer and all its consumers.</summary>
    Layout,
}

/// <summary>A decision: exactly one candidate is chosen.</summary>
/// <param name="Name">Name, unique in the graph.</param>
/// <param name="Kind">What is decided.</param>
/// <param name="Candidates">[candidates] names, unique in the vertex.</param>
/// <param name="Costs">[candidates] cost of choosing each, in the graph's unit, from 0, or <see cref="SelectionCost.Illegal"/>.</param>
public sealed record CostVertex(string Name, DecisionKind Kind, EquatableArray<string> Candidates, EquatableArray<long> Costs);

/// <summary>What two decisions cost together.</summary>
/// <param name="From">Index of a vertex.</param>
/// <param name="To">Index of another vertex.</param>
/// <param name="Matrix">[candidates of From, candidates of To], row-major, in the graph's unit, from 0, or <see cref="SelectionCost.Illegal"/>.</param>
public sealed record CostEdge(int From, int To, EquatableArray<long> Matrix);

/// <summary>
/// A partitioned Boolean quadratic problem (PBQP): choose one candidate a vertex so that the sum of the vertices' and edges' costs is least
/// (Anderson and Gregg, CGO 2018; DYNAMAP, FPGA 2021). Several edges may join the same two vertices: they add.
/// </summary>
/// <param name="Unit">Unit of all costs, as printed: cycles, ps.</param>
/// <param name="Vertices">The decisions.</param>
/// <param name="Edges">The costs between them.</param>
public sealed record CostGraph(string Unit, EquatableArray<CostVertex> Vertices, EquatableArray<CostEdge> Edges)
{
    /// <summary>The most vertices a graph may have.</summary>
    public const int MaxVertices = 1_000_000;

    /// <summary>The most candidates a vertex may have.</summary>
    public const int MaxCandidates = 1024;

    /// <summary>The most numbers the matrices may hold together.</summary>
    public const long MaxMatrixEntries = 1L << 25;

    /// <summary>What makes the graph unusable, first findings first; empty for a sound graph.</summary>
    public EquatableArray<Diagnostic> Check()
    {
        if (Vertices.Count > MaxVertices)
        {
            return [SelectionDiagnostics.TooLarge("decisions", Vertices.Count, MaxVertices)];
        }

        var found = new DiagnosticBag();
        UInt128 most = 0;
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var vertex in Vertices.AsSpan())
        {
            CheckVertex(vertex, names, found);
            most += Most(vertex.Costs.AsSpan());
        }

        long entries = 0;
        foreach (var edge in Edges.AsSpan())
        {
            entries += edge.Matrix.Count;
            if (Malformed(edge) is { } problem)
            {
                found.Report(SelectionDiagnostics.Malformed(NameOf(edge.From) + " to " + NameOf(edge.To), problem));
            }

            most += Most(edge.Matrix.AsSpan());
        }

        if (entries > MaxMatrixEntries)
        {
            found.Report(SelectionDiagnostics.TooLarge("transition costs", entries, MaxMatrixEntries));
        }

        if (most > (UInt128)SelectionCost.Limit)
        {
            found.Report(SelectionDiagnostics.CostsTooLarge(Unit));
        }

        return found.Diagnostics.ToEquatableArray();
    }

    /// <summary>The index of a vertex, or -1.</summary>
    public int IndexOf(string name)
    {
        for (var i = 0; i < Vertices.Count; i++)
        {
            if (Vertices[i].Name == name)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>The same graph where every other candidate of a vertex is illegal.</summary>
    public CostGraph Force(int vertex, int candidate)
    {
        var old = Vertices[vertex];
        var costs = old.Costs.Select((cost, i) => i == candidate ? cost : SelectionCost.Illegal).ToEquatableArray();
        return this with { Vertices = Vertices.Select((v, i) => i == vertex ? old with { Costs = costs } : v).ToEquatableArray() };
    }

    private static void CheckVertex(CostVertex vertex, HashSet<string> names, DiagnosticBag found)
    {
        if (!names.Add(vertex.Name))
        {
            found.Report(SelectionDiagnostics.Malformed(vertex.Name, "has the name of another decision"));
        }

        if (vertex.Candidates.Count > MaxCandidates)
        {
            found.Report(SelectionDiagnostics.TooLarge($"candidates of {vertex.Name}", vertex.Candidates.Count, MaxCandidates));
        }
        else if (vertex.Candidates.Count == 0)
        {
            found.Report(SelectionDiagnostics.Malformed(vertex.Name, "has no candidate"));
        }
        else if (vertex.Candidates.Distinct(StringComparer.Ordinal).Count() != vertex.Candidates.Count)
        {
            found.Report(SelectionDiagnostics.Malformed(vertex.Name, "has two candidates of one name"));
        }

        if (vertex.Costs.Count != vertex.Candidates.Count)
        {
            found.Report(SelectionDiagnostics.Malformed(vertex.Name, "doesn't have one cost a candidate"));
        }

        if (!InRange(vertex.Costs.AsSpan()))
        {
            found.Report(SelectionDiagnostics.Malformed(vertex.Name, "has a cost that is negative or beyond illegal"));
        }
    }

    private string? Malformed(CostEdge edge)
    {
        if ((uint)edge.From >= (uint)Vertices.Count || (uint)edge.To >= (uint)Vertices.Count)
        {
            return "ends at a decision that isn't there";
        }

        if (edge.From == edge.To)
        {
            return "joins a decision with itself";
        }

        if (edge.Matrix.Count != (long)Vertices[edge.From].Candidates.Count * Vertices[edge.To].Candidates.Count)
        {
            return "doesn't have one cost a pair of candidates";
        }

        return InRange(edge.Matrix.AsSpan()) ? null : "has a cost that is negative or beyond illegal";
    }

    private string NameOf(int vertex) => (uint)vertex < (uint)Vertices.Count ? Vertices[vertex].Name : "?";

    private static bool InRange(ReadOnlySpan<long> costs) => !costs.ContainsAnyExceptInRange(0, SelectionCost.Illegal);

    private static UInt128 Most(ReadOnlySpan<long> costs)
    {
        long most = 0;
        foreach (var cost in costs)
        {
            most = cost < SelectionCost.Illegal ? Math.Max(most, cost) : most;
        }

        return (UInt128)most;
    }
}
