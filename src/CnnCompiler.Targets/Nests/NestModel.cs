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
    public static NestCounts Count(NestStep step, MachineDescription machine)
    {
        var operation = step.Operation;
        var (steps, taps, tiles, outputs) = (1L, 1L, 1L, 1L);
        for (var i = 0; i < step.Loops.Count; i++)
        {
            var extent = operation.Loops[i].Extent;
            steps *= Up(extent, step.Loops[i].Lanes);
            taps *= extent;
            tiles *= step.OuterTrips(i);
            outputs *= IsRow(step, i) ? 1 : extent;
        }

        var writes = Moves(step, i => !IsRow(step, i), step.Depths.SwitchSums);
        return new(
            taps,
            steps * CyclesPerTap(operation, machine),
            outputs,
            PostCycles(operation, outputs, machine),
            tiles,
            Bytes(step, operation.Input, step.Depths.LoadInput),
            operation.Kernel is { } kernel ? Bytes(step, kernel, step.Depths.LoadKernel) : 0,
            ExtraBytes(step),
            outputs * operation.Output.Element.Size(),
            Moves(step, i => NestStep.Indexes(operation.Input, i), step.Depths.FetchInput),
            operation.Kernel is { } other ? Moves(step, i => NestStep.Indexes(other, i), step.Depths.FetchKernel) : 0,
            writes - outputs,
            writes);
    }

    /// <summary>Cycles of an element of the array for a tap.</summary>
    public static long CyclesPerTap(SystolicOperator operation, MachineDescription machine) =>
        Math.Max(1, Up(ScalarInstructionSet.Operations(operation.Pre) + ScalarInstructionSet.Operations(operation.Main), machine.Systolic![SystolicKeys.CellOperations]));

    /// <summary>Cycles of the units behind the array, which take a result a column and cycle, so often as post has more operations than they have stages.</summary>
    public static long PostCycles(SystolicOperator operation, long outputs, MachineDescription machine) =>
        Up(outputs, machine.Columns) * Up(Math.Max(1, ScalarInstructionSet.Operations(operation.Post)), machine.Systolic![SystolicKeys.OutputStages]);

    /// <summary>No mapping takes fewer cycles: with every element of the array in use all the time, the units behind it, and what has to move.</summary>
    public static long LeastCycles(SystolicOperator operation, MachineDescription machine)
    {
        var outputs = operation.Loops.Where(loop => loop.Role != SystolicRole.Row).Aggregate(1L, (product, loop) => product * loop.Extent);
        return Math.Max(
            Math.Max(Up(Taps(operation), (long)machine.Rows * machine.Columns) * CyclesPerTap(operation, machine), PostCycles(operation, outputs, machine)),
            Up(LeastBytes(operation), machine.Systolic![SystolicKeys.OffChipBytes]));
    }

    /// <summary>Trips of all loops.</summary>
    public static long Taps(SystolicOperator operation) => operation.Loops.Aggregate(1L, (product, loop) => product * loop.Extent);

    /// <summary>No mapping moves fewer bytes: each result goes once, each element of input and kernel that a loop's trips tell apart comes once.</summary>
    public static long LeastBytes(SystolicOperator operation)
    {
        var outputs = operation.Loops.Where(loop => loop.Role != SystolicRole.Row).Aggregate(1L, (product, loop) => product * loop.Extent);
        return Least(operation.Input) + (operation.Kernel is { } kernel ? Least(kernel) : 0) + (outputs * operation.Output.Element.Size());

        // of dimensions with loops in common only one counts, of a dimension one loop: a bound, exact where a dimension has one loop
        long Least(SystolicAccess access)
        {
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

    /// <summary>Bytes of an access that come: its box, each time one of the outermost loops steps.</summary>
    public static long Bytes(NestStep step, SystolicAccess access, int depth)
    {
        var bytes = (long)access.Element.Size();
        var left = new HashSet<int>();
        for (var i = 0; i < depth; i++)
        {
            if (NestStep.Indexes(access, step.Outer[i]))
            {
                left.Add(step.Outer[i]);
            }
            else
            {
                bytes *= step.OuterTrips(step.Outer[i]);
            }
        }

        // dimensions that share a loop are summed together
        var dimensions = Enumerable.Range(0, access.Dimensions.Count).ToList();
        while (dimensions.Count > 0)
        {
            var (group, loops) = Component(access, dimensions, left);
            bytes *= SumOfBoxes(step, access, group, loops);
        }

        return bytes;
    }

    private static long ExtraBytes(NestStep step)
    {
        var operation = step.Operation;
        var tables = operation.Pre.Concat(operation.Main).Concat(operation.Post).Where(instruction => instruction.Opcode == ScalarOpcode.Lookup).Select(instruction => (int)instruction.Value).ToHashSet();
        var results = step.Outer.Count(loop => !IsRow(step, loop));
        return operation.Extras.Select((extra, i) => tables.Contains(i)
            ? extra.Dimensions.Aggregate((long)extra.Element.Size(), (bytes, dimension) => bytes * dimension.Extent)
            : Bytes(step, extra, results)).Sum();
    }

    /// <summary>Elements that move where the first loops of the inner order cause it: each value once, again for each step of a loop that does not index it.</summary>
    private static long Moves(NestStep step, Func<int, bool> indexes, int depth)
    {
        var moves = 1L;
        for (var i = 0; i < step.Loops.Count; i++)
        {
            var extent = step.Operation.Loops[i].Extent;
            moves *= indexes(i) ? extent : Place(step.Inner, i) is var place && place >= 0 && place < depth ? Up(extent, step.Loops[i].Lanes) : step.OuterTrips(i);
        }

        return moves;
    }

    private static (List<int> Dimensions, List<int> Loops) Component(SystolicAccess access, List<int> dimensions, HashSet<int> loops)
    {
        var (group, seen) = (new List<int> { dimensions[0] }, new HashSet<int>());
        dimensions.RemoveAt(0);
        for (var i = 0; i < group.Count; i++)
        {
            foreach (var loop in loops.Where(loop => access.Dimensions[group[i]].Coefficients[loop] != 0 && seen.Add(loop)))
            {
                group.AddRange(dimensions.Where(other => access.Dimensions[other].Coefficients[loop] != 0));
                dimensions.RemoveAll(group.Contains);
            }
        }

        return (group, [.. seen]);
    }

    private static long SumOfBoxes(NestStep step, SystolicAccess access, List<int> dimensions, List<int> loops)
    {
        var sum = 0L;
        var tile = new long[step.Loops.Count];
        while (true)
        {
            var box = 1L;
            foreach (var d in dimensions)
            {
                box *= Box(step, access.Dimensions[d], tile);
            }

            sum += box;
            var i = loops.Count - 1;
            for (; i >= 0 && ++tile[loops[i]] == step.OuterTrips(loops[i]); i--)
            {
                tile[loops[i]] = 0;
            }

            if (i < 0)
            {
                return sum;
            }
        }
    }

    private static long Box(NestStep step, SystolicDimension dimension, long[] tile)
    {
        var (low, high) = (dimension.Constant, dimension.Constant);
        for (var i = 0; i < tile.Length; i++)
        {
            if (dimension.Coefficients[i] is var coefficient && coefficient != 0)
            {
                var first = tile[i] * step.Loops[i].Tile;
                var last = Math.Min(first + step.Loops[i].Tile, step.Operation.Loops[i].Extent) - 1;
                (low, high) = (low + (coefficient * (coefficient > 0 ? first : last)), high + (coefficient * (coefficient > 0 ? last : first)));
            }
        }

        // elements at multiples of the divisor, from 0 to the last one
        low = Math.Max(low, 0);
        high = Math.Min(high, ((long)dimension.Extent * dimension.Divisor) - 1);
        return high < low ? 0 : (high / dimension.Divisor) - ((low + dimension.Divisor - 1) / dimension.Divisor) + 1;
    }

    private static int Place(IReadOnlyList<int> order, int loop)
    {
        for (var i = 0; i < order.Count; i++)
        {
            if (order[i] == loop)
            {
                return i;
            }
        }

        return -1;
    }

    private static bool IsRow(NestStep step, int loop) => step.Operation.Loops[loop].Role == SystolicRole.Row;

    private static long Up(long value, long by) => (value + by - 1) / by;
}
