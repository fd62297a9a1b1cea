using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.Nests;

/// <summary>The rules that a loop nest keeps beyond the ranges of its fields: what passes computes the operator, inside the machine's array and buffers.</summary>
public static class NestChecker
{
    /// <summary>Most accumulators that a tile may use, whatever the machine has: the interpreter takes memory for them.</summary>
    public const long MostSums = 1 << 24;

    /// <summary>What is wrong, or null.</summary>
    /// <param name="step">The nest; its operation has been checked.</param>
    /// <param name="machine">The machine.</param>
    public static string? Problem(NestStep step, MachineDescription machine)
    {
        var operation = step.Operation;
        if (machine.IsaRevision != SystolicKeys.NestRevision || machine.Systolic is not { } description)
        {
            return "is for an accelerator of general convolutions, which the machine is not";
        }

        if (operation.Array is not null || step.Loops.Count != operation.Loops.Count)
        {
            return "cuts other loops than its operator has";
        }

        return Loops(step, machine, description)
            ?? Order(step, step.Outer, step.OuterTrips, "outer")
            ?? Order(step, step.Inner, step.InnerTrips, "inner")
            ?? Sums(step)
            ?? Depths(step)
            ?? Buffers(step, machine, description);
    }

    /// <summary>How many loops of an order, from the outside, have to move an operand: those up to the last one that indexes it.</summary>
    public static int Needed(IReadOnlyList<int> order, Func<int, bool> indexes)
    {
        var needed = 0;
        for (var i = 0; i < order.Count; i++)
        {
            needed = indexes(order[i]) ? i + 1 : needed;
        }

        return needed;
    }

    private static string? Loops(NestStep step, MachineDescription machine, SystolicDescription description)
    {
        var (rows, columns) = (1L, 1L);
        for (var i = 0; i < step.Loops.Count; i++)
        {
            var (loop, kind) = (step.Loops[i], (int)step.Operation.Loops[i].Role - 1);
            if (loop.Tile % loop.Lanes != 0 || loop.Tile - loop.Lanes >= step.Operation.Loops[i].Extent)
            {
                return "has a tile that its lanes do not fill, or one too many";
            }

            if ((loop.Rows > 1 && description[SystolicKeys.Unrolls(true, kind)] == 0) || (loop.Columns > 1 && description[SystolicKeys.Unrolls(false, kind)] == 0))
            {
                return "unrolls a loop along an axis that does not take its kind";
            }

            (rows, columns) = (Math.Min(int.MaxValue, rows * loop.Rows), Math.Min(int.MaxValue, columns * loop.Columns));
        }

        return rows > machine.Rows || columns > machine.Columns ? "unrolls more than the array has" : null;
    }

    private static string? Order(NestStep step, IReadOnlyList<int> order, Func<int, long> trips, string name)
    {
        if (order.Any(loop => loop >= step.Loops.Count) || order.Distinct().Count() != order.Count)
        {
            return $"has an {name} order of loops that are not there or there twice";
        }

        return Enumerable.Range(0, step.Loops.Count).Any(loop => trips(loop) > 1 && !order.Contains(loop)) ? $"leaves a loop out of its {name} order" : null;
    }

    /// <summary>Partial results never leave the chip, and sums of reals keep the order of the loops.</summary>
    private static string? Sums(NestStep step)
    {
        var operation = step.Operation;
        var rows = step.Outer.Select(loop => operation.Loops[loop].Role == SystolicRole.Row).ToList();
        if (rows.Where((row, i) => row && rows.Skip(i).Contains(false)).Any())
        {
            return "has an outer loop that reduces outside one that does not";
        }

        if (!operation.Accumulator.IsReal() || operation.Reduce != SystolicReduction.Add)
        {
            return null;
        }

        var reducing = Enumerable.Range(0, step.Loops.Count).Where(loop => operation.Loops[loop].Role == SystolicRole.Row && operation.Loops[loop].Extent > 1).ToList();
        var inner = step.Inner.Where(reducing.Contains).ToList();
        return reducing.Any(loop => step.Loops[loop].Lanes > 1) || reducing.Skip(1).Any(loop => step.OuterTrips(loop) > 1) || !inner.SequenceEqual(inner.Order())
            ? "adds reals in another order than that of the loops"
            : null;
    }

    private static string? Depths(NestStep step)
    {
        var (operation, depths) = (step.Operation, step.Depths);
        bool Input(int loop) => NestStep.Indexes(operation.Input, loop);
        bool Kernel(int loop) => operation.Kernel is { } kernel && NestStep.Indexes(kernel, loop);
        bool Output(int loop) => operation.Loops[loop].Role != SystolicRole.Row;
        return depths.LoadInput > step.Outer.Count || depths.LoadKernel > step.Outer.Count || Math.Max(depths.FetchInput, Math.Max(depths.FetchKernel, depths.SwitchSums)) > step.Inner.Count
            ? "moves operands with loops that are not there"
            : depths.LoadInput < Needed(step.Outer, Input) || depths.LoadKernel < Needed(step.Outer, Kernel)
            || depths.FetchInput < Needed(step.Inner, Input) || depths.FetchKernel < Needed(step.Inner, Kernel) || depths.SwitchSums < Needed(step.Inner, Output)
            ? "keeps an operand where a loop that indexes it steps"
            : null;
    }

    private static string? Buffers(NestStep step, MachineDescription machine, SystolicDescription description)
    {
        var operation = step.Operation;
        Int128 sums = 1;
        for (var i = 0; i < step.Loops.Count; i++)
        {
            sums *= operation.Loops[i].Role == SystolicRole.Row ? 1 : Math.Min(operation.Loops[i].Extent, step.Loops[i].Tile);
        }

        return step.BoxBytes > description[SystolicKeys.ActivationBytes] ? "needs a larger buffer for its input"
            : operation.Kernel is { } kernel && 2 * step.BoxElements(kernel) * kernel.Element.Size() > description[SystolicKeys.WeightBytes] ? "needs a larger buffer for its kernel"
            : sums > Math.Min(MostSums, description[SystolicKeys.AccumulatorRows] * machine.Columns) ? "needs more accumulators than there are"
            : Chip(step, description[SystolicKeys.ActivationBytes]);
    }

    /// <summary>What lies on the chip is inside the buffer, and what is written while the step runs lies beside all that it reads.</summary>
    private static string? Chip(NestStep step, long bytes)
    {
        if (step.Chip is not { } chip)
        {
            return null;
        }

        var operation = step.Operation;
        if (chip.Extras.Count != operation.Extras.Count || (chip.Kernel != NestChip.Dram && operation.Kernel is null) || (chip.Output == NestChip.Dram && !chip.Stores))
        {
            return "has a place on the chip for an operand that it does not have, or none for its results";
        }

        if (chip.Taken is { } taken && ((!taken.Input && taken.Extras.Count == 0) || taken.Extras.Any(extra => extra >= operation.Extras.Count || operation.IsTable(extra))))
        {
            return "takes tiles for no operand, or for one that is not there or is needed as a whole";
        }

        if (!step.Reads.All(read => Windows(step, read.Access, read.Place, read.Window)) || !Windows(step, operation.Output, chip.Output, chip.OutputWindow))
        {
            return "has a window on a tensor that is not on the chip, or with loops or extents that are not there";
        }

        var reads = step.Reads.Where(read => read.Place != NestChip.Dram).ToList();
        List<(long Start, long End)> written = [(chip.Boxes, chip.Boxes + (long)step.BoxBytes)];
        if (chip.Output != NestChip.Dram)
        {
            written.Add((chip.Output, chip.Output + ChipContents.Bytes(operation.Output, chip.OutputWindow)));
        }

        if (reads.Any(read => read.Place % read.Access.Element.Size() != 0) || (chip.Output != NestChip.Dram && chip.Output % operation.Output.Element.Size() != 0))
        {
            return "keeps a tensor at an address that is not a multiple of its element's size";
        }

        var all = reads.Select(read => ((long)read.Place, read.Place + ChipContents.Bytes(read.Access, read.Window))).Concat(written.Where(range => range.Start < range.End)).ToList();
        return all.Exists(range => range.Item2 > bytes) ? "keeps a tensor outside its buffer"
            : written.Exists(one => all.Count(other => one.Start < one.End && one.Start < other.Item2 && other.Item1 < one.End) > 1) ? "writes over what it keeps"
            : null;
    }

    private static bool Windows(NestStep step, SystolicAccess access, int place, NestWindow? window) => window is null
        || (place != NestChip.Dram && window.Loops >= 1 && window.Loops <= step.Outer.Count && window.Extents.Count == access.Dimensions.Count
            && window.Extents.Zip(access.Dimensions).All(pair => pair.First >= 1 && pair.First <= pair.Second.Extent));
}
