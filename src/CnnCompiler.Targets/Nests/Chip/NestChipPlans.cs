using CnnCompiler.Core;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Nests.Chip;

/// <summary>
/// The best mappings of operators with some operands on the chip: for each operator and placement a few, for the whole buffer of activations, half of it and so on; the more of it is taken by tensors,
/// the smaller the boxes have to be. An operator whose input is on the chip has no boxes there, and one mapping. Equal operators are mapped once.
/// </summary>
/// <param name="machine">The machine.</param>
/// <param name="patience">Unrollings in a row that gain no cycles after which a search ends.</param>
internal sealed class NestChipPlans(MachineDescription machine, int patience)
{
    /// <summary>The smallest share of the buffer that boxes are mapped for is 1 / 2 to the power of this.</summary>
    public const int Halvings = 3;

    private readonly Dictionary<(NestSpace Space, NestPlacement Place, int Level, EquatableArray<NestLead> Leads), (NestPlan Plan, ChipCost Cost)?> _known = [];
    private readonly Dictionary<string, NestSpace> _spaces = new(StringComparer.Ordinal);
    private readonly long _capacity = machine.Systolic![SystolicKeys.ActivationBytes];

    /// <summary>What the searches for mappings of an operator have in common, the same for equal operators.</summary>
    public NestSpace Space(SystolicOperator operation)
    {
        var key = NestMapper.Key(operation);
        return _spaces.TryGetValue(key, out var space) ? space : _spaces[key] = new(operation, machine);
    }

    /// <summary>The best mapping and its cost, or null where too little of the buffer is left.</summary>
    /// <param name="space">The operator (<see cref="Space"/>).</param>
    /// <param name="all">Its best mapping with everything in DRAM.</param>
    /// <param name="place">Which operands are on the chip.</param>
    /// <param name="free">Bytes that are left for its boxes.</param>
    /// <param name="leads">Its outermost loops with their tiles, where another operator goes through these with it; none for any order.</param>
    public (NestPlan Plan, ChipCost Cost)? Of(NestSpace space, NestPlan all, NestPlacement place, long free, EquatableArray<NestLead> leads = default)
    {
        if (LevelOf(place, free) is not { } level)
        {
            return null;
        }

        if (!_known.TryGetValue((space, place, level, leads), out var found))
        {
            _known.Add((space, place, level, leads), found = leads.Count == 0 ? Best(space, all, place, _capacity >> level)
                : NestMapper.Best(space, patience, place, _capacity >> level, leads: leads) is { } searched ? Placed(searched, space, place) : null);
        }

        return found;
    }

    /// <summary>Cycles that no mapping is below, or null where too little of the buffer is left.</summary>
    /// <param name="space">The operator (<see cref="Space"/>).</param>
    /// <param name="place">Which operands are on the chip.</param>
    /// <param name="free">Bytes that are left for its boxes.</param>
    /// <param name="leads">Its outermost loops with their tiles.</param>
    public long? Least(NestSpace space, NestPlacement place, long free, EquatableArray<NestLead> leads) =>
        LevelOf(place, free) is not { } level ? null : _known.TryGetValue((space, place, level, leads), out var found) ? found?.Cost.Cycles : space.LeastCycles(place, _capacity >> level, leads.AsSpan());

    /// <summary>The largest share of the buffer that is free, as halvings of it.</summary>
    private int? LevelOf(NestPlacement place, long free)
    {
        var level = 0;
        while (!place.Input && level <= Halvings && _capacity >> level > free)
        {
            level++;
        }

        return level > Halvings ? null : level;
    }

    private (NestPlan Plan, ChipCost Cost)? Best(NestSpace space, NestPlan all, NestPlacement place, long bytes)
    {
        var (own, cost) = Priced(space, all, place);
        (NestPlan, ChipCost)? best = cost.Boxes <= bytes ? (own, cost) : null;
        if (best is not null && place == NestPlacement.Dram)
        {
            return best;
        }

        // as with a limit in NestMapper
        var limit = best is not null && patience == int.MaxValue ? cost.Cycles : long.MaxValue;
        return NestMapper.Best(space, patience, place, bytes, limit) is { } searched && (best is null || (searched.Cycles, searched.Energy).CompareTo((cost.Cycles, cost.Energy)) < 0)
            ? Placed(searched, space, place)
            : best;
    }

    private static (NestPlan Plan, ChipCost Cost) Placed(NestFound found, NestSpace space, NestPlacement place) =>
        (found.Plan with { Chip = place.At0(space.Operation.Extras.Count) }, new(found.Cycles, found.Energy, found.Boxes));

    /// <summary>A mapping with its operands in such places, and what it costs.</summary>
    public static (NestPlan Plan, ChipCost Cost) Priced(NestSpace space, NestPlan plan, NestPlacement place)
    {
        var placed = plan with { Chip = place.At0(space.Operation.Extras.Count) };
        var (cycles, energy) = NestMapper.Cost(placed, space);
        return (placed, new(cycles, energy, (long)placed.Encode(space.Operation, space.Machine).BoxBytes));
    }
}
