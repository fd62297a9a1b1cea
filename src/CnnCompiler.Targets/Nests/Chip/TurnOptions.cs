using CnnCompiler.Core;
using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Nests.Chip;

/// <summary>Outermost loops with which two operators can run in turn.</summary>
/// <param name="From">Those of the one that hands tiles over.</param>
/// <param name="To">Those of the one that takes them.</param>
/// <param name="Cycles">Cycles of both.</param>
/// <param name="Energy">Energy of both, attojoules.</param>
/// <param name="Bytes">Bytes of the buffer for the window between them and the boxes of both.</param>
internal readonly record struct TurnOption(EquatableArray<NestLead> From, EquatableArray<NestLead> To, long Cycles, Int128 Energy, long Bytes);

/// <summary>What a step of two in turn costs.</summary>
/// <param name="Plans">Its mappings.</param>
/// <param name="Space">Its operator.</param>
/// <param name="Plan">How it runs alone.</param>
/// <param name="Place">Where its operands are in turn.</param>
internal sealed record TurnCosts(NestChipPlans Plans, NestSpace Space, NestPlan Plan, NestPlacement Place)
{
    /// <summary>What it costs with such outermost loops and so many bytes for its boxes, or null where it can't run so.</summary>
    public ChipCost? Of(EquatableArray<NestLead> leads, long free) => Plans.Of(Space, Plan, Place, free, leads)?.Cost;

    /// <summary>Cycles that it takes at least, or null where it can't run so.</summary>
    public long? Least(EquatableArray<NestLead> leads, long free) => Plans.Least(Space, Place, free, leads);
}

/// <summary>
/// The outermost loops of two operators that are worth looking at: along one dimension of the tensor between them, or two, in tiles of a few sizes; of these, the ones that cost neither more cycles nor more
/// energy than the operators one after the other, and to which no other is better in one of cycles, energy and room and no worse in the others.
/// </summary>
internal static class TurnOptions
{
    /// <summary>Most options of a pair: the fastest ones.</summary>
    private const int Most = 8;

    /// <summary>The options, the fastest first.</summary>
    /// <param name="windows">The windows between the operators.</param>
    /// <param name="producer">The operator that writes the tensor.</param>
    /// <param name="consumer">The operator that reads it.</param>
    /// <param name="now">What both cost one after the other.</param>
    public static IReadOnlyList<TurnOption> Of(TileWindows windows, TurnCosts producer, TurnCosts consumer, (long Cycles, Int128 Energy) now)
    {
        var (found, machine) = (new List<TurnOption>(), producer.Space.Machine);
        var capacity = machine.Systolic![SystolicKeys.ActivationBytes];
        foreach (var (from, to) in Leads(windows, producer.Space.Operation, consumer.Space.Operation, machine))
        {
            // a mapping is searched only where its least cycles do not say enough
            if (windows.LeastWorth(from, to, capacity) is not { } window
                || producer.Least(from, capacity - window.Bytes) is not { } firstLeast || consumer.Least(to, capacity - window.Bytes) is not { } secondLeast || firstLeast + secondLeast > now.Cycles
                || consumer.Of(to, capacity - window.Bytes) is not { } second || firstLeast + second.Cycles > now.Cycles
                || producer.Of(from, capacity - window.Bytes) is not { } first)
            {
                continue;
            }

            var option = new TurnOption(from, to, first.Cycles + second.Cycles, first.Energy + second.Energy, window.Bytes + first.Boxes + second.Boxes);
            if (option.Cycles <= now.Cycles && option.Energy <= now.Energy && !found.Exists(other => IsNoWorse(other, option)))
            {
                found.RemoveAll(other => IsNoWorse(option, other));
                found.Add(option);
            }
        }

        return [.. found.OrderBy(option => option.Cycles).ThenBy(option => option.Energy).Take(Most)];
    }

    private static bool IsNoWorse(TurnOption one, TurnOption other) => one.Bytes <= other.Bytes && one.Cycles <= other.Cycles && one.Energy <= other.Energy;

    /// <summary>Along a dimension tiles of both may differ; where a second one is inside it, those along the first one are of equally many lines.</summary>
    private static IEnumerable<(EquatableArray<NestLead> From, EquatableArray<NestLead> To)> Leads(
        TileWindows windows, SystolicOperator producer, SystolicOperator consumer, MachineDescription machine)
    {
        foreach (var inside in windows.Dimensions)
        {
            foreach (var (from, to) in from first in Tiles(producer.Loops[inside.From].Extent, machine) from second in Tiles(consumer.Loops[inside.To].Extent, machine) select (first, second))
            {
                yield return ([new(inside.From, from)], [new(inside.To, to)]);
                foreach (var around in windows.Dimensions.Where(other => other.Dimension != inside.Dimension && other.To != inside.To))
                {
                    foreach (var tile in Tiles(consumer.Loops[around.To].Extent, machine))
                    {
                        var lines = tile * windows.Stride(around.Dimension, around.To);
                        if (lines < producer.Loops[around.From].Extent)
                        {
                            yield return ([new(around.From, (int)lines), new(inside.From, from)], [new(around.To, tile), new(inside.To, to)]);
                        }
                    }
                }
            }
        }
    }

    /// <summary>Sizes of tiles: one, two or four trips, and as many as lie along a side of the array or a multiple; less than all, and not too many.</summary>
    private static IEnumerable<int> Tiles(int extent, MachineDescription machine)
    {
        var (rows, columns) = (Side(machine.Rows), Side(machine.Columns));
        return ((int[])[1, 2, 4, rows, columns, 2 * rows, 2 * columns, 4 * columns]).Where(tile => tile < extent && Up(extent, tile) <= NestHandover.MostTiles).Distinct().Order();

        int Side(int side) => Up(extent, Up(extent, side));
    }

    private static int Up(int value, int by) => (value + by - 1) / by;
}
