using System.Globalization;
using System.Numerics;
using CnnCompiler.Image.Container;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.OpenEdge;

/// <summary>
/// How long a step of a kernel takes and what it waits for, as far as its code tells (<c>specs/openedge.md</c> sections 6.3 to 6.6). Found from the rules alone, not from the
/// interpreter, which therefore checks it.
/// </summary>
/// <param name="Least">Fewest cycles.</param>
/// <param name="Most">Most cycles: more than <paramref name="Least"/> where addresses decide, null where the bus sets no bound.</param>
/// <param name="Reason">What the step waits for beyond one cycle, in words; empty where it doesn't wait.</param>
public sealed record OpenEdgeStepTiming(int Least, int? Most, string Reason)
{
    private const int MultiplyCycles = 3;

    /// <summary>The timing of a step on a bus.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="step">Step, from 0.</param>
    /// <param name="bus">How the columns reach RAM.</param>
    public static OpenEdgeStepTiming Of(KernelImage kernel, int step, BusDescription bus)
    {
        Span<int> accesses = stackalloc int[32];
        accesses.Clear();
        var multiplies = 0;
        for (var row = 0; row < kernel.Rows.Count; row++)
        {
            var rank = 0;
            for (var mask = (uint)kernel.ColumnMask; mask != 0; mask &= mask - 1, rank++)
            {
                var instruction = OpenEdgeInstructionSet.Get(new OpenEdgeInstruction(kernel.Rows[row][(rank * kernel.Steps) + step]));
                accesses[BitOperations.TrailingZeroCount(mask)] += instruction.IsMemory ? 1 : 0;
                multiplies += instruction.Kind == OpenEdgeInstructionKind.Multiply ? 1 : 0;
            }
        }

        var all = 0;
        var column = 0;
        for (var index = 0; index < accesses.Length; index++)
        {
            all += accesses[index];
            column = accesses[index] > accesses[column] ? index : column;
        }

        var busiest = accesses[column];
        var work = multiplies > 0 ? MultiplyCycles : 1;
        var least = Math.Max(work, Memory(bus.Kind == BusKind.Shared ? all : busiest));
        int? most = bus.ReadLatency > 1 || bus.GrantDelay > 0 || bus.DenyProbability > 0
            ? all > 0 ? null : least
            : Math.Max(work, Memory(bus.Kind == BusKind.Ideal ? busiest : all));
        return new(least, most, Explain(bus, all, column, busiest, multiplies > 0));
    }

    /// <summary>The cycles and the reason as a line of a listing has them.</summary>
    public override string ToString()
    {
        var cycles = Most == Least ? Invariant($"{Least} {(Least == 1 ? "cycle" : "cycles")}") : Most is { } most ? Invariant($"{Least} to {most} cycles") : Invariant($"at least {Least} cycles");
        return Reason.Length == 0 ? cycles : $"{cycles}: {Reason}";
    }

    // m accesses granted one after the other end in cycle m, the answer to the last one included
    private static int Memory(int accesses) => accesses == 0 ? 1 : accesses + 1;

    private static string Explain(BusDescription bus, int all, int column, int busiest, bool multiplies)
    {
        if (all == 0)
        {
            return multiplies ? "a product takes 3" : string.Empty;
        }

        var turns = bus.Kind == BusKind.Shared ? all : busiest;
        var who = (bus.Kind, all == busiest) switch
        {
            (BusKind.Shared, false) => Invariant($"{all} accesses take turns on the shared bus"),
            (_, true) => Invariant($"column {column} makes {all} {(all == 1 ? "access" : "accesses one after the other")}"),
            (BusKind.Banked, _) => Invariant($"column {column} makes {busiest} of {all} accesses, and those that meet in a bank take turns"),
            _ => Invariant($"column {column} makes {busiest} of {all} accesses one after the other"),
        };
        if (!multiplies)
        {
            return who;
        }

        return Memory(turns) > MultiplyCycles ? $"{who}, a product beside them" : Invariant($"a product takes 3; beside it, {who}");
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
