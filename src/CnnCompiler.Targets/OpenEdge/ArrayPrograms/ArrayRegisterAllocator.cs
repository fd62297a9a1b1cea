using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Targets.OpenEdge.ArrayPrograms;

/// <summary>
/// Gives every virtual register one of its cell's four registers: two that are live at the same time never share. A register read before it is
/// written holds 0, because a launch clears the cells. Exact (backtracking): it fails only where four registers really don't do.
/// </summary>
public static class ArrayRegisterAllocator
{
    private const int RegistersPerCell = 4;

    /// <summary>Allocates.</summary>
    /// <exception cref="ArrayResourceException">A cell needs more registers than it has.</exception>
    public static IReadOnlyDictionary<VirtualRegister, int> Allocate(ArraySchedule schedule)
    {
        var assignment = new Dictionary<VirtualRegister, int>();
        foreach (var cell in Cell.All)
        {
            AllocateCell(schedule, cell, assignment);
        }

        return assignment;
    }

    private static void AllocateCell(ArraySchedule schedule, Cell cell, Dictionary<VirtualRegister, int> assignment)
    {
        var operations = schedule.Steps.Select(s => s[cell.Index]).ToArray();
        var registers = operations.SelectMany(Uses).Concat(operations.Select(o => o?.Destination).OfType<VirtualRegister>()).Distinct().ToArray();
        if (registers.Length == 0)
        {
            return;
        }

        var liveOut = Liveness(schedule, operations, registers);
        var conflicts = registers.ToDictionary(r => r, _ => new HashSet<VirtualRegister>());
        for (var step = 0; step < operations.Length; step++)
        {
            if (operations[step]?.Destination is { } written)
            {
                foreach (var other in liveOut[step].Where(r => !ReferenceEquals(r, written)))
                {
                    conflicts[written].Add(other);
                    conflicts[other].Add(written);
                }
            }
        }

        // live at entry: read before written, all of them hold 0 together
        var atEntry = LiveIn(operations[0], liveOut[0]).ToArray();
        foreach (var a in atEntry)
        {
            conflicts[a].UnionWith(atEntry.Where(b => !ReferenceEquals(a, b)));
        }

        var order = registers.OrderByDescending(r => conflicts[r].Count).ToArray();
        if (!Color(order, 0, conflicts, assignment))
        {
            throw new ArrayResourceException(
                schedule.Program.Name, $"registers in cell {cell}", liveOut.Max(l => l.Count), RegistersPerCell);
        }
    }

    private static bool Color(
        VirtualRegister[] order, int next, Dictionary<VirtualRegister, HashSet<VirtualRegister>> conflicts, Dictionary<VirtualRegister, int> assignment)
    {
        if (next == order.Length)
        {
            return true;
        }

        var register = order[next];
        for (var color = 0; color < RegistersPerCell; color++)
        {
            if (conflicts[register].All(other => !assignment.TryGetValue(other, out var taken) || taken != color))
            {
                assignment[register] = color;
                if (Color(order, next + 1, conflicts, assignment))
                {
                    return true;
                }

                assignment.Remove(register);
            }
        }

        return false;
    }

    private static HashSet<VirtualRegister>[] Liveness(ArraySchedule schedule, ArrayOperation?[] operations, VirtualRegister[] registers)
    {
        var liveOut = operations.Select(_ => new HashSet<VirtualRegister>()).ToArray();
        var successors = Enumerable.Range(0, operations.Length).Select(s => Successors(schedule, s).ToArray()).ToArray();
        for (var changed = true; changed;)
        {
            changed = false;
            for (var step = operations.Length - 1; step >= 0; step--)
            {
                var before = liveOut[step].Count;
                foreach (var successor in successors[step])
                {
                    liveOut[step].UnionWith(LiveIn(operations[successor], liveOut[successor]));
                }

                changed |= liveOut[step].Count != before;
            }
        }

        return liveOut;
    }

    private static IEnumerable<VirtualRegister> LiveIn(ArrayOperation? operation, HashSet<VirtualRegister> liveOut) =>
        liveOut.Where(r => !ReferenceEquals(r, operation?.Destination)).Concat(Uses(operation)).Distinct();

    private static IEnumerable<VirtualRegister> Uses(ArrayOperation? operation) =>
        operation is null ? [] : new[] { operation.A.Register, operation.B.Register }.OfType<VirtualRegister>();

    /// <summary>Where control can go after a step: all cells of the kernel follow the one branch.</summary>
    private static IEnumerable<int> Successors(ArraySchedule schedule, int step)
    {
        var operations = schedule.Steps[step];
        foreach (var branch in operations.Where(o => o is { IsBranch: true }))
        {
            yield return schedule.BlockStart[branch!.Target!];
        }

        if (step + 1 < schedule.Steps.Count && !operations.Any(o => o?.Opcode == OpenEdgeOpcode.Exit))
        {
            yield return step + 1;
        }
    }
}
