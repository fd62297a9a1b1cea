using CnnCompiler.Passes.Selection;

namespace CnnCompiler.Targets.OpenEdge.Selection;

/// <summary>What all launches of a nest cost, host included, by where parameters and code lie.</summary>
/// <param name="InRam">With <see cref="ParameterPlace.Ram"/>, in cycles.</param>
/// <param name="FromFlash">With <see cref="ParameterPlace.Flash"/>, in cycles.</param>
/// <param name="EnergyInRam">With <see cref="ParameterPlace.Ram"/>, in femtojoules; 0 where energies weren't asked for.</param>
/// <param name="EnergyFromFlash">With <see cref="ParameterPlace.Flash"/>, in femtojoules; 0 where energies weren't asked for.</param>
public readonly record struct NestCost(long InRam, long FromFlash, long EnergyInRam = 0, long EnergyFromFlash = 0)
{
    /// <summary>A nest that exceeds the array.</summary>
    public static NestCost Illegal { get; } = new(SelectionCost.Illegal, SelectionCost.Illegal);

    /// <summary>The cost for one place.</summary>
    public long At(ParameterPlace place, CostWeights weights) => weights.Of(place.Of(InRam, FromFlash), place.Of(EnergyInRam, EnergyFromFlash));

    /// <summary>Both, one after the other.</summary>
    public NestCost Plus(NestCost other) => new(
        SelectionCost.Add(InRam, other.InRam), SelectionCost.Add(FromFlash, other.FromFlash), EnergyInRam + other.EnergyInRam, EnergyFromFlash + other.EnergyFromFlash);
}
