using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Nests;

/// <summary>Which loops lie side by side on the array.</summary>
/// <param name="Rows">Trips of each loop along the rows.</param>
/// <param name="Columns">Trips of each loop along the columns.</param>
/// <param name="Steps">Steps of the array for all trips.</param>
/// <param name="Lanes">Elements used.</param>
internal sealed record Unrolling(int[] Rows, int[] Columns, long Steps, long Lanes)
{
    /// <summary>
    /// The unrollings looked at, by their steps: on each axis nothing, a loop that the axis takes, or two of which the first is there in full. Of a loop no more lies side by side than makes its
    /// steps fewer.
    /// </summary>
    public static IReadOnlyList<Unrolling> All(SystolicOperator operation, MachineDescription machine)
    {
        var ordered = operation.Accumulator.IsReal() && operation.Reduce == SystolicReduction.Add;
        var extents = operation.Loops.Select(loop => loop.Extent).ToArray();
        var found = new List<Unrolling>();
        foreach (var rows in Axis(operation, extents, machine, isRows: true, ordered))
        {
            var left = extents.Select((extent, i) => Up(extent, rows[i])).ToArray();
            foreach (var columns in Axis(operation, left, machine, isRows: false, ordered))
            {
                var (steps, lanes) = (1L, 1L);
                for (var i = 0; i < extents.Length; i++)
                {
                    var sides = rows[i] * columns[i];
                    (steps, lanes) = (steps * Up(extents[i], sides), lanes * sides);
                }

                found.Add(new(rows, columns, steps, lanes));
            }
        }

        return [.. found.OrderBy(unrolling => unrolling.Steps).ThenBy(unrolling => unrolling.Lanes)];
    }

    private static IEnumerable<int[]> Axis(SystolicOperator operation, int[] extents, MachineDescription machine, bool isRows, bool ordered)
    {
        var side = isRows ? machine.Rows : machine.Columns;
        var none = Enumerable.Repeat(1, extents.Length).ToArray();
        yield return none;
        var loops = Enumerable.Range(0, extents.Length).Where(i =>
            extents[i] > 1 && machine.Systolic![SystolicKeys.Unrolls(isRows, (int)operation.Loops[i].Role - 1)] == 1 && !(ordered && operation.Loops[i].Role == SystolicRole.Row)).ToList();
        foreach (var first in loops)
        {
            yield return With(none, first, Side(extents[first], side));
            foreach (var second in loops.Where(second => second != first && extents[first] <= side / 2))
            {
                yield return With(With(none, first, extents[first]), second, Side(extents[second], side / extents[first]));
            }
        }
    }

    /// <summary>As many as the side takes, or fewer where that makes no more steps.</summary>
    private static int Side(int extent, int side) => Up(extent, Up(extent, side));

    private static int[] With(int[] sides, int loop, int side)
    {
        var changed = sides.ToArray();
        changed[loop] = side;
        return changed;
    }

    private static int Up(int value, int by) => (value + by - 1) / by;
}
