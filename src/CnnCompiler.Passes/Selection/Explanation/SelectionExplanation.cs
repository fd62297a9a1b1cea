using CnnCompiler.Core;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Selection.Explanation;

/// <summary>Another decision that falls differently when a candidate is forced.</summary>
/// <param name="Vertex">Its name.</param>
/// <param name="From">Candidate of the selection.</param>
/// <param name="To">Candidate of the best selection with the forced one.</param>
public sealed record ChoiceChange(string Vertex, string From, string To);

/// <summary>A candidate that was not chosen.</summary>
/// <param name="Candidate">Its name.</param>
/// <param name="OwnCost">Its own cost, in the graph's unit.</param>
/// <param name="ForcedCost">Cost of the best selection that has it, in the graph's unit; illegal where there is none.</param>
/// <param name="IsExact">False where the search ran out of steps: the forced cost is an upper bound then.</param>
/// <param name="Changes">What else changes in that selection.</param>
public sealed record RejectedCandidate(string Candidate, long OwnCost, long ForcedCost, bool IsExact, EquatableArray<ChoiceChange> Changes)
{
    /// <summary>True where both costs are lower bounds: enough to reject it, so that it was not looked at further.</summary>
    public bool IsLeast { get; init; }
}

/// <summary>One decision explained.</summary>
/// <param name="Vertex">Its name.</param>
/// <param name="Kind">What is decided.</param>
/// <param name="Chosen">The candidate chosen.</param>
/// <param name="OwnCost">Its own cost, in the graph's unit.</param>
/// <param name="IsForced">The user forced it.</param>
/// <param name="Rejected">The others, in the vertex' order.</param>
public sealed record VertexExplanation(string Vertex, DecisionKind Kind, string Chosen, long OwnCost, bool IsForced, EquatableArray<RejectedCandidate> Rejected);

/// <summary>A selection explained.</summary>
/// <param name="Unit">Unit of all costs.</param>
/// <param name="Cost">Cost of the selection.</param>
/// <param name="LowerBound">Nothing costs less.</param>
/// <param name="GreedyCost">Cost of choosing step by step, or null where that finds nothing legal.</param>
/// <param name="Vertices">The decisions with more than one candidate.</param>
public sealed record SelectionExplanation(string Unit, long Cost, long LowerBound, long? GreedyCost, EquatableArray<VertexExplanation> Vertices)
{
    /// <summary>Why there was nothing to decide elsewhere, as lines.</summary>
    public EquatableArray<string> Notes { get; init; }

    /// <summary>The explanation of decisions taken one by one, each cheapest by itself: what forcing a candidate adds follows from its own cost.</summary>
    /// <param name="unit">Unit of all costs.</param>
    /// <param name="cost">Cost of all decisions and of what there was nothing to decide about.</param>
    /// <param name="vertices">The decisions; costs of forced candidates are worked out here.</param>
    public static SelectionExplanation OneByOne(string unit, long cost, IEnumerable<VertexExplanation> vertices) => new(
        unit,
        cost,
        cost,
        cost,
        vertices.Where(vertex => vertex.Rejected.Count > 0).Select(vertex => vertex with
        {
            Rejected = vertex.Rejected.Select(rejected => rejected with { ForcedCost = cost - vertex.OwnCost + rejected.OwnCost }).ToEquatableArray(),
        }).ToEquatableArray());
}

/// <summary>A choice the user makes himself.</summary>
/// <param name="Vertex">Name of the decision.</param>
/// <param name="Candidate">Name of the candidate.</param>
public sealed record ForcedChoice(string Vertex, string Candidate)
{
    /// <summary>Reads <c>LAYER=CANDIDATE</c>; the last '=' divides. Null where there is none or a side is empty.</summary>
    public static ForcedChoice? Parse(string text)
    {
        var at = text.LastIndexOf('=');
        return at <= 0 || at == text.Length - 1 ? null : new(text[..at], text[(at + 1)..]);
    }

    /// <summary>The graph with forced choices, or what is wrong with them.</summary>
    public static CostGraphResult Apply(CostGraph graph, IEnumerable<ForcedChoice> choices)
    {
        var found = new DiagnosticBag();
        foreach (var choice in choices)
        {
            var vertex = graph.IndexOf(choice.Vertex);
            if (vertex < 0)
            {
                found.Report(SelectionDiagnostics.UnknownVertex(choice.Vertex, [.. graph.Vertices.Where(v => v.Candidates.Count > 1).Select(v => v.Name)]));
                continue;
            }

            var candidates = graph.Vertices[vertex].Candidates;
            var candidate = candidates.AsSpan().IndexOf(choice.Candidate);
            if (candidate < 0)
            {
                found.Report(SelectionDiagnostics.UnknownCandidate(choice.Vertex, choice.Candidate, [.. candidates]));
                continue;
            }

            graph = graph.Force(vertex, candidate);
        }

        return found.HasErrors ? new(null, found.Diagnostics.ToEquatableArray()) : new(graph, []);
    }
}
