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

    private readonly Dictionary<(string Key, NestPlacement Place, int Level, EquatableArray<NestLead> Leads), (NestPlan Plan, ChipCost Cost)?> _known = [];
    private readonly Dictionary<string, NestSpace> _spaces = new(StringComparer.Ordinal);
    private readonly long _capacity = machine.Systolic![SystolicKeys.ActivationBytes];

    /// <summary>The best mapping and its cost, or null where too little of the buffer is left.</summary>
    /// <param name="key">What tells operators apart (<see cref="NestMapper.Key"/>).</param>
    /// <param name="operation">The operator.</param>
    /// <param name="all">Its best mapping with everything in DRAM.</param>
    /// <param name="place">Which operands are on the chip.</param>
    /// <param name="free">Bytes that are left for its boxes.</param>
    /// <param name="leads">Its outermost loops with their tiles, where another operator goes through these with it; none for any order.</param>
    public (NestPlan Plan, ChipCost Cost)? Of(string key, SystolicOperator operation, NestPlan all, NestPlacement place, long free, EquatableArray<NestLead> leads = default)
    {
        var level = 0;
        while (!place.Input && level <= Halvings && _capacity >> level > free)
        {
            level++;
        }

        if (level > Halvings)
        {
            return null;
        }

        if (!_known.TryGetValue((key, place, level, leads), out var found))
        {
            _known.Add((key, place, level, leads), found = leads.Count == 0 ? Best(key, operation, all, place, _capacity >> level)
                : NestMapper.Best(Space(key, operation), patience, place, _capacity >> level, leads: leads) is { } plan ? Priced(operation, plan, place) : null);
        }

        return found;
    }

    private (NestPlan Plan, ChipCost Cost)? Best(string key, SystolicOperator operation, NestPlan all, NestPlacement place, long bytes)
    {
        var (own, cost) = Priced(operation, all, place);
        (NestPlan, ChipCost)? best = cost.Boxes <= bytes ? (own, cost) : null;
        if (best is not null && place == NestPlacement.Dram)
        {
            return best;
        }

        // as with a limit in NestMapper
        var limit = best is not null && patience == int.MaxValue ? cost.Cycles : long.MaxValue;
        return NestMapper.Best(Space(key, operation), patience, place, bytes, limit) is { } searched
            && Priced(operation, searched, place) is var found && (best is null || (found.Cost.Cycles, found.Cost.Energy).CompareTo((cost.Cycles, cost.Energy)) < 0) ? found : best;
    }

    private NestSpace Space(string key, SystolicOperator operation) => _spaces.TryGetValue(key, out var space) ? space : _spaces[key] = new(operation, machine);

    private (NestPlan Plan, ChipCost Cost) Priced(SystolicOperator operation, NestPlan plan, NestPlacement place) => Priced(operation, plan, place, machine);

    /// <summary>A mapping with its operands in such places, and what it costs.</summary>
    public static (NestPlan Plan, ChipCost Cost) Priced(SystolicOperator operation, NestPlan plan, NestPlacement place, MachineDescription machine)
    {
        var placed = plan with { Chip = place.At0(operation.Extras.Count) };
        var (cycles, energy) = NestMapper.Cost(placed, operation, machine);
        return (placed, new(cycles, energy, (long)placed.Encode(operation, machine).BoxBytes));
    }
}
