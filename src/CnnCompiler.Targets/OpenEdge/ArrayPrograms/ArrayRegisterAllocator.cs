using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Targets.OpenEdge.ArrayPrograms;

/// <summary>
/// Gives every virtual register one of its cell's four registers: two that are live at the same time never share. A register read before it is
/// written holds 0, because a launch clears the cells. Exact (backtracking): it fails only where four registers really don't do.
/// </summary>
public static class ArrayRegisterAllocator
{
    private const int RegistersPerCell = 4;
    private const int WordBits = sizeof(ulong) * 8;

    /// <summary>Allocates.</summary>
    /// <exception cref="ArrayResourceException">A cell needs more registers than it has.</exception>
    public static IReadOnlyDictionary<VirtualRegister, int> Allocate(ArraySchedule schedule)
    {
        var assignment = new Dictionary<VirtualRegister, int>();
        int[][] successors = [.. Enumerable.Range(0, schedule.Steps.Count).Select(s => Successors(schedule, s).ToArray())];
        foreach (var cell in Cell.All)
        {
            AllocateCell(schedule, successors, cell, assignment);
        }

        return assignment;
    }

    private static void AllocateCell(ArraySchedule schedule, int[][] successors, Cell cell, Dictionary<VirtualRegister, int> assignment)
    {
        var operations = new ArrayOperation?[schedule.Steps.Count];
        var numbers = new Dictionary<VirtualRegister, int>();
        for (var step = 0; step < operations.Length; step++)
        {
            operations[step] = schedule.Steps[step][cell.Index];
            Number(operations[step]?.A.Register);
            Number(operations[step]?.B.Register);
        }

        foreach (var operation in operations)
        {
            Number(operation?.Destination);
        }

        void Number(VirtualRegister? register)
        {
            if (register is not null)
            {
                numbers.TryAdd(register, numbers.Count);
            }
        }

        if (numbers.Count == 0)
        {
            return;
        }

        var liveOut = Liveness(operations, successors, numbers);
        var conflicts = new RegisterSet[numbers.Count];
        for (var register = 0; register < conflicts.Length; register++)
        {
            conflicts[register] = new(numbers.Count);
        }

        for (var step = 0; step < operations.Length; step++)
        {
            if (operations[step]?.Destination is { } written)
            {
                Conflict(numbers[written], liveOut[step]);
            }
        }

        // live at entry: read before written, all of them hold 0 together
        var atEntry = new RegisterSet(numbers.Count);
        atEntry.AddLiveIn(operations[0], liveOut[0], numbers);
        foreach (var register in atEntry.Members())
        {
            Conflict(register, atEntry);
        }

        void Conflict(int register, RegisterSet others)
        {
            foreach (var other in others.Members())
            {
                if (other != register)
                {
                    conflicts[register].Add(other);
                    conflicts[other].Add(register);
                }
            }
        }

        int[] order = [.. Enumerable.Range(0, numbers.Count).OrderByDescending(r => conflicts[r].Count)];
        var colors = new int[numbers.Count];
        Array.Fill(colors, -1);
        if (!Color(order, 0, conflicts, colors))
        {
            throw new ArrayResourceException(
                schedule.Program.Name, $"registers in cell {cell}", liveOut.Max(l => l.Count), RegistersPerCell);
        }

        foreach (var (register, number) in numbers)
        {
            assignment[register] = colors[number];
        }
    }

    private static bool Color(int[] order, int next, RegisterSet[] conflicts, int[] colors)
    {
        if (next == order.Length)
        {
            return true;
        }

        var register = order[next];
        var taken = 0;
        foreach (var other in conflicts[register].Members())
        {
            taken |= colors[other] < 0 ? 0 : 1 << colors[other];
        }

        for (var color = 0; color < RegistersPerCell; color++)
        {
            if ((taken >> color & 1) == 0)
            {
                colors[register] = color;
                if (Color(order, next + 1, conflicts, colors))
                {
                    return true;
                }

                colors[register] = -1;
            }
        }

        return false;
    }

    private static RegisterSet[] Liveness(ArrayOperation?[] operations, int[][] successors, Dictionary<VirtualRegister, int> numbers)
    {
        var liveOut = new RegisterSet[operations.Length];
        for (var step = 0; step < liveOut.Length; step++)
        {
            liveOut[step] = new(numbers.Count);
        }

        for (var changed = true; changed;)
        {
            changed = false;
            for (var step = operations.Length - 1; step >= 0; step--)
            {
                foreach (var successor in successors[step])
                {
                    changed |= liveOut[step].AddLiveIn(operations[successor], liveOut[successor], numbers);
                }
            }
        }

        return liveOut;
    }

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

    /// <summary>Registers of a cell, by their numbers.</summary>
    private readonly struct RegisterSet(int registers)
    {
        private readonly ulong[] _words = new ulong[(registers + WordBits - 1) / WordBits];

        public int Count => _words.Sum(System.Numerics.BitOperations.PopCount);

        public void Add(int register) => _words[register / WordBits] |= 1UL << (register % WordBits);

        /// <summary>Adds what an operation needs of what is live behind it, and its operands.</summary>
        /// <returns>True where something was new.</returns>
        public bool AddLiveIn(ArrayOperation? operation, RegisterSet liveOut, Dictionary<VirtualRegister, int> numbers)
        {
            var (a, b, written) = (Number(operation?.A.Register), Number(operation?.B.Register), Number(operation?.Destination));
            var changed = 0UL;
            for (var word = 0; word < _words.Length; word++)
            {
                var live = (liveOut._words[word] & ~Bit(written, word)) | Bit(a, word) | Bit(b, word);
                changed |= live & ~_words[word];
                _words[word] |= live;
            }

            return changed != 0;

            int Number(VirtualRegister? register) => register is null ? -1 : numbers[register];
        }

        public IEnumerable<int> Members()
        {
            for (var word = 0; word < _words.Length; word++)
            {
                for (var left = _words[word]; left != 0; left &= left - 1)
                {
                    yield return (word * WordBits) + System.Numerics.BitOperations.TrailingZeroCount(left);
                }
            }
        }

        private static ulong Bit(int register, int word) => register >= 0 && register / WordBits == word ? 1UL << (register % WordBits) : 0;
    }
}
