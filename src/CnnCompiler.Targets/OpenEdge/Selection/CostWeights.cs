using CnnCompiler.Passes.Selection;

namespace CnnCompiler.Targets.OpenEdge.Selection;

/// <summary>How cycles and energy make one cost that can be added up over layers.</summary>
/// <param name="PerCycle">Cost of a cycle.</param>
/// <param name="PerFemtojoule">Cost of a femtojoule.</param>
/// <param name="Unit">What a cost is, for reports.</param>
public sealed record CostWeights(double PerCycle, double PerFemtojoule, string Unit)
{
    /// <summary>Cycles alone.</summary>
    public static readonly CostWeights OfCycles = new(1, 0, "cycles");

    /// <summary>Energy alone.</summary>
    public static readonly CostWeights OfEnergy = new(0, 1, "fJ");

    /// <summary>True where energies are not needed.</summary>
    public bool IsCycles => PerFemtojoule == 0;

    /// <summary>
    /// Weights at which two mappings cost the same and what lies below the line through them costs less: a mapping with the least product of both, among all that
    /// any weights choose, is found by asking again between neighbours. A cost is in cycles, an energy counted as the cycles that it is exchanged for.
    /// </summary>
    /// <param name="fast">Cycles and femtojoules of the one with fewer cycles.</param>
    /// <param name="frugal">Cycles and femtojoules of the one with less energy.</param>
    public static CostWeights Between((long Cycles, long Energy) fast, (long Cycles, long Energy) frugal) =>
        new(1, (frugal.Cycles - fast.Cycles) / (double)(fast.Energy - frugal.Energy), "cycles, energy counted in");

    /// <summary>The cost.</summary>
    public long Of(long cycles, long femtojoules) => cycles >= SelectionCost.Illegal ? SelectionCost.Illegal : (PerCycle, PerFemtojoule) switch
    {
        (1, 0) => cycles,
        (0, 1) => femtojoules,
        _ => (long)Math.Round((PerCycle * cycles) + (PerFemtojoule * femtojoules)),
    };
}
