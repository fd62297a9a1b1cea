using CnnCompiler.Core;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Selection;

/// <summary>How a selection was found.</summary>
/// <param name="Fixed">Decisions with one legal candidate, folded into their neighbours.</param>
/// <param name="Degree0">Decisions without neighbours.</param>
/// <param name="Degree1">Decisions with one neighbour, minimised out.</param>
/// <param name="Degree2">Decisions with two neighbours, minimised out.</param>
/// <param name="Dominated">Candidates dropped in the core because another is never worse.</param>
/// <param name="Core">Decisions that were left for the search: 0 for a series-parallel graph.</param>
/// <param name="SearchNodes">Choices that the search tried.</param>
public sealed record SelectionStatistics(int Fixed, int Degree0, int Degree1, int Degree2, int Dominated, int Core, long SearchNodes);

/// <summary>One candidate a vertex, with what they cost together: a certificate that <see cref="SelectionChecker"/> recomputes.</summary>
/// <param name="Choices">[vertices] index of the chosen candidate.</param>
/// <param name="Cost">Sum of all vertex and edge costs, in the graph's unit.</param>
/// <param name="LowerBound">No selection costs less, in the graph's unit; equal to <paramref name="Cost"/> unless the search ran out of steps.</param>
/// <param name="Statistics">How it was found.</param>
public sealed record CandidateSelection(EquatableArray<int> Choices, long Cost, long LowerBound, SelectionStatistics Statistics)
{
    /// <summary>True where nothing cheaper exists.</summary>
    public bool IsOptimal => Cost == LowerBound;
}

/// <summary>A selection, or why there is none.</summary>
/// <param name="Selection">The selection, or null.</param>
/// <param name="Diagnostics">Errors; empty where there is a selection.</param>
public sealed record SelectionResult(CandidateSelection? Selection, EquatableArray<Diagnostic> Diagnostics);

/// <summary>Limits of the solver.</summary>
/// <param name="SearchNodes">Choices that the search of an irreducible core may try.</param>
public sealed record SelectionOptions(long SearchNodes = 2_000_000)
{
    /// <summary>The limits used where none are given.</summary>
    public static SelectionOptions Default { get; } = new();
}
