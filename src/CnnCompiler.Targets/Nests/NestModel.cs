using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Nests;

/// <summary>
/// The analytic model of a loop nest: counts as sums and products over loops, without walking through it. Loops of a general convolution are independent of each other, so that a sum over tiles of a product over
/// loops is the product of the sums; only an operand's box ties loops together that index the same dimension.
/// </summary>
internal static class NestModel
{
    /// <summary>What the nest does on the machine.</summary>
    public static NestCounts Count(NestStep step, MachineDescription machine) => Count(step, new NestSpace(step.Operation, machine));

    /// <summary>What a nest of the operator does on the machine.</summary>
    public static NestCounts Count(NestStep step, NestSpace space)
    {
        var operation = step.Operation;
        NestLoop[] loops = [.. step.Loops];
        int[] outer = [.. step.Outer], inner = [.. step.Inner];
        var (steps, tiles) = (1L, 1L);
        for (var i = 0; i < loops.Length; i++)
        {
            steps *= Up(operation.Loops[i].Extent, loops[i].Lanes);
            tiles *= step.OuterTrips(i);
        }

        var (outputs, place, input, kernel) = (space.Outputs, NestPlacement.Of(step), space.Input, space.Kernel);
        var boxes = kernel is null ? 0 : kernel.BytesOfTiles(loops) * kernel.Times(loops, outer.AsSpan(0, step.Depths.LoadKernel));
        var (fromDram, fromChip) = place.Split(space.Extras, loops, outer.AsSpan(0, outer.Count(loop => !IsRow(operation, loop))));
        var written = outputs * operation.Output.Element.Size();
        var writes = Moves(operation, loops, inner.AsSpan(0, step.Depths.SwitchSums), loop => !IsRow(operation, loop));
        return new(
            Taps(operation),
            steps * space.CyclesPerTap,
            outputs,
            space.PostCycles,
            tiles,
            place.Input ? 0 : input.BytesOfTiles(loops) * input.Times(loops, outer.AsSpan(0, step.Depths.LoadInput)),
            place.Kernel ? 0 : boxes,
            fromDram,
            place.Stores ? written : 0,
            Moves(operation, loops, inner.AsSpan(0, step.Depths.FetchInput), input.IsIndexed),
            kernel is null ? 0 : Moves(operation, loops, inner.AsSpan(0, step.Depths.FetchKernel), kernel.IsIndexed),
            writes - outputs,
            writes,
            fromChip + place.Between(boxes, written));
    }

    /// <summary>Further operands; a table comes as a whole, and once.</summary>
    public static IReadOnlyList<NestExtra> Extras(SystolicOperator operation) => [.. operation.Extras.Select((extra, i) => operation.IsTable(i)
        ? new NestExtra(null, extra.Dimensions.Aggregate((long)extra.Element.Size(), (bytes, dimension) => bytes * dimension.Extent))
        : new NestExtra(new(operation, extra), 0))];

    /// <summary>Elements that move where loops inside a tile cause it: each value once, again for each step of a loop that does not index it.</summary>
    /// <param name="operation">The operator.</param>
    /// <param name="loops">How its loops are cut.</param>
    /// <param name="causes">The loops that cause it.</param>
    /// <param name="isIndexed">Tells which index it.</param>
    public static long Moves(SystolicOperator operation, ReadOnlySpan<NestLoop> loops, ReadOnlySpan<int> causes, Func<int, bool> isIndexed)
    {
        var moves = 1L;
        for (var i = 0; i < loops.Length; i++)
        {
            var extent = operation.Loops[i].Extent;
            moves *= isIndexed(i) ? extent : Up(extent, causes.Contains(i) ? loops[i].Lanes : loops[i].Tile);
        }

        return moves;
    }

    /// <summary>Results.</summary>
    public static long Outputs(SystolicOperator operation) => operation.Loops.Where(loop => loop.Role != SystolicRole.Row).Aggregate(1L, (product, loop) => product * loop.Extent);

    /// <summary>Cycles of an element of the array for a tap.</summary>
    public static long CyclesPerTap(SystolicOperator operation, MachineDescription machine) =>
        Math.Max(1, Up(ScalarInstructionSet.Operations(operation.Pre) + ScalarInstructionSet.Operations(operation.Main), machine.Systolic![SystolicKeys.CellOperations]));

    /// <summary>Cycles of the units behind the array, which take a result a column and cycle, so often as post has more operations than they have stages.</summary>
    public static long PostCycles(SystolicOperator operation, long outputs, MachineDescription machine) =>
        Up(outputs, machine.Columns) * Up(Math.Max(1, ScalarInstructionSet.Operations(operation.Post)), machine.Systolic![SystolicKeys.OutputStages]);

    /// <summary>No mapping takes fewer cycles: with every element of the array in use all the time, the units behind it, and what has to move.</summary>
    public static long LeastCycles(SystolicOperator operation, MachineDescription machine) => Math.Max(
        Math.Max(Up(Taps(operation), (long)machine.Rows * machine.Columns) * CyclesPerTap(operation, machine), PostCycles(operation, Outputs(operation), machine)),
        Up(LeastBytes(operation, NestPlacement.Dram), machine.Systolic![SystolicKeys.OffChipBytes]));

    /// <summary>Trips of all loops.</summary>
    public static long Taps(SystolicOperator operation) => operation.Loops.Aggregate(1L, (product, loop) => product * loop.Extent);

    /// <summary>No mapping moves fewer bytes: each result goes once, each element of input and kernel that a loop's trips tell apart comes once.</summary>
    public static long LeastBytes(SystolicOperator operation, NestPlacement place) =>
        (place.Input ? 0 : LeastBytes(operation, operation.Input)) + (operation.Kernel is { } kernel && !place.Kernel ? LeastBytes(operation, kernel) : 0) + (place.Stores ? Outputs(operation) * operation.Output.Element.Size() : 0);

    /// <summary>Bytes of an operand of which each element that a loop's trips tell apart comes once.</summary>
    public static long LeastBytes(SystolicOperator operation, SystolicAccess access)
    {
        // of dimensions with loops in common only one counts, of a dimension one loop: a bound, exact where a dimension has one loop
        var (bytes, used) = ((long)access.Element.Size(), new HashSet<int>());
        foreach (var dimension in access.Dimensions)
        {
            var loops = Enumerable.Range(0, operation.Loops.Count).Where(i => dimension.Coefficients[i] != 0).ToList();
            if (loops.TrueForAll(loop => used.Add(loop)))
            {
                bytes *= loops.Count == 0 ? 1 : loops.Max(loop => Distinct(dimension, loop, operation, loops));
            }
        }

        return bytes;
    }

    /// <summary>Elements that a loop reaches where the other loops of the dimension stand at their first or last trip, whichever reaches more.</summary>
    private static long Distinct(SystolicDimension dimension, int loop, SystolicOperator operation, List<int> loops)
    {
        var most = 0L;
        foreach (var last in (bool[])[false, true])
        {
            var start = dimension.Constant + (last ? loops.Where(other => other != loop).Sum(other => dimension.Coefficients[other] * (operation.Loops[other].Extent - 1)) : 0);
            var inside = 0L;
            for (var trip = 0; trip < operation.Loops[loop].Extent; trip++)
            {
                var (index, rest) = Math.DivRem(start + (trip * dimension.Coefficients[loop]), dimension.Divisor);
                inside += rest == 0 && index >= 0 && index < dimension.Extent ? 1 : 0;
            }

            most = Math.Max(most, inside);
        }

        return most;
    }

    private static bool IsRow(SystolicOperator operation, int loop) => operation.Loops[loop].Role == SystolicRole.Row;

    private static long Up(long value, long by) => (value + by - 1) / by;
}

/// <summary>A further operand of a nest.</summary>
/// <param name="Operand">What it reads, or null for a table.</param>
/// <param name="Table">Bytes of the table.</param>
internal readonly record struct NestExtra(NestOperand? Operand, long Table)
{
    /// <summary>Bytes that come.</summary>
    /// <param name="loops">How loops are cut.</param>
    /// <param name="outer">The outer loops that do not reduce, which bring its boxes.</param>
    public long Bytes(ReadOnlySpan<NestLoop> loops, ReadOnlySpan<int> outer) => Operand is null ? Table : Operand.BytesOfTiles(loops) * Operand.Times(loops, outer);
}
