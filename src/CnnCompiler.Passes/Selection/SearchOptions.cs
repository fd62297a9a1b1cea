namespace CnnCompiler.Passes.Selection;

/// <summary>What a choice makes small.</summary>
public enum OptimizationGoal
{
    /// <summary>Cycles, host included.</summary>
    Cycles,

    /// <summary>Energy.</summary>
    Energy,

    /// <summary>The product of energy and cycles of the whole network.</summary>
    EnergyDelay,
}

/// <summary>How much a target looks for a better mapping, and what it knows already.</summary>
public sealed record SearchOptions
{
    /// <summary>What is taken where nothing is said.</summary>
    public const int DefaultEffort = 1;

    /// <summary>The most.</summary>
    public const int MostEffort = 3;

    /// <summary>
    /// 0: default candidates, nothing is measured. 1: all candidates of all layers are measured and chosen together. 2: each decision of the result is also tried the other way in the whole
    /// program, memory and loading of code included, and kept where that is faster. 3: the same until nothing improves.
    /// </summary>
    public int Effort { get; init; } = DefaultEffort;

    /// <summary>What to make small.</summary>
    public OptimizationGoal Goal { get; init; }

    /// <summary>A schedule that was written before, to be taken as it is; null to search.</summary>
    public string? Schedule { get; init; }

    /// <summary>The schedule's file, for messages.</summary>
    public string ScheduleFile { get; init; } = string.Empty;

    /// <summary>Costs that were measured before; null for none.</summary>
    public ICostStore? Costs { get; init; }

    /// <summary>Called as the search goes on; null for none.</summary>
    public Action<SearchProgress>? Progress { get; init; }
}

/// <summary>How far a search is.</summary>
/// <param name="Stage">What it does.</param>
/// <param name="Done">Parts done.</param>
/// <param name="Parts">Parts of the stage.</param>
public readonly record struct SearchProgress(string Stage, int Done, int Parts);

/// <summary>Costs kept from one compilation to another. A key names everything that a cost depends on.</summary>
public interface ICostStore
{
    /// <summary>The cost kept for a key, or null.</summary>
    long? Find(string key);

    /// <summary>Keeps a cost.</summary>
    void Keep(string key, long cost);
}
