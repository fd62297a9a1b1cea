using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>
/// A function of an integer that never falls, as the places where it rises: its value is <paramref name="Lowest"/> and one for each threshold that the argument reaches. Whatever the rounding is
/// that made it, this is exact between <paramref name="From"/> and <paramref name="To"/>.
/// </summary>
/// <param name="From">Smallest argument.</param>
/// <param name="To">Largest argument.</param>
/// <param name="Lowest">Smallest code.</param>
/// <param name="Thresholds">For each code above the smallest the smallest argument that gives it or more; To + 1 where none does.</param>
internal sealed record StepTable(long From, long To, int Lowest, int[] Thresholds)
{
    /// <summary>Name of the loop over thresholds.</summary>
    public const string Loop = "threshold";

    /// <summary>Arguments that are simply tried one by one; beyond that it must be proved that the function never falls.</summary>
    private const long MostTried = 1 << 10;

    /// <summary>The term of a nest that counts thresholds reached: 0 or 1.</summary>
    /// <param name="value">The argument.</param>
    /// <param name="threshold">Operand of the thresholds.</param>
    public static ScalarExpression Term(ScalarExpression value, int threshold) => new ScalarClamp(
        new ScalarBinary(ScalarBinaryOperator.Add, new ScalarBinary(ScalarBinaryOperator.Subtract, value, new ScalarExtra(threshold)), new ScalarLiteral(1)),
        new ScalarLiteral(0),
        new ScalarLiteral(1));

    /// <summary>The post of such a nest.</summary>
    public ScalarExpression Post => new ScalarBinary(ScalarBinaryOperator.Add, new ScalarAccumulator(), new ScalarLiteral(Lowest));

    /// <summary>Thresholds of a search that halves: one less than a power of two.</summary>
    public static int Rounded(int thresholds) => (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)thresholds + 1) - 1;

    /// <summary>The table of a function, or null where it falls, isn't proved not to, has no value somewhere, or its arguments are too far apart for 32-bit differences.</summary>
    /// <param name="function">The function; its values are codes.</param>
    /// <param name="from">Smallest argument.</param>
    /// <param name="to">Largest argument.</param>
    public static StepTable? Of(ResultFunction function, long from, long to)
    {
        if (from <= int.MinValue || to >= int.MaxValue || to + 1 - from > int.MaxValue || function.At(from) is not { } first || function.At(to) is not { } last
            || first > last || first < sbyte.MinValue || last > sbyte.MaxValue || !(function.NeverFalls(from, to) || (to - from < MostTried && NeverFalls(function, from, to))))
        {
            return null;
        }

        // never without thresholds: the search needs a step to make
        var thresholds = new int[Rounded((int)Math.Max(1, last - first))];
        Array.Fill(thresholds, (int)(to + 1));
        return Fill(function, (from, first), (to, last), thresholds.AsSpan(0, (int)(last - first)), first) ? new(from, to, (int)first, thresholds) : null;
    }

    /// <summary>The same arguments and codes with more thresholds.</summary>
    public StepTable With(int lowest, int thresholds)
    {
        var more = new int[thresholds];
        Array.Fill(more, (int)(To + 1));
        more.AsSpan(0, Lowest - lowest).Fill((int)From);
        Thresholds.AsSpan(0, Math.Min(Thresholds.Length, thresholds - (Lowest - lowest))).CopyTo(more.AsSpan(Lowest - lowest));
        return this with { Lowest = lowest, Thresholds = more };
    }

    /// <summary>The table of the function of an argument that is so much larger.</summary>
    public StepTable Moved(long by) => this with { From = From + by, To = To + by, Thresholds = [.. Thresholds.Select(t => checked((int)(t + by)))] };

    /// <summary>Codes above the smallest that occur.</summary>
    public int Rises => Thresholds.Count(t => t <= To);

    private static bool NeverFalls(ResultFunction function, long from, long to)
    {
        var before = long.MinValue;
        for (var at = from; at <= to; at++)
        {
            if (function.At(at) is not { } value || value < before)
            {
                return false;
            }

            before = value;
        }

        return true;
    }

    // where the values at two arguments differ, the rises between them are found by halving
    private static bool Fill(ResultFunction function, (long At, long Value) low, (long At, long Value) high, Span<int> thresholds, long first)
    {
        if (low.Value == high.Value)
        {
            return true;
        }

        if (high.At == low.At + 1)
        {
            thresholds[(int)(low.Value - first)..(int)(high.Value - first)].Fill((int)high.At);
            return true;
        }

        var middle = low.At + ((high.At - low.At) / 2);
        return function.At(middle) is { } value && value >= low.Value && value <= high.Value
            && Fill(function, low, (middle, value), thresholds, first) && Fill(function, (middle, value), high, thresholds, first);
    }
}
