using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// An element-wise sum of two codes x and y with its requantisation, as one weighted sum of the codes: <c>(x * First + y * Second + Offset) &gt;&gt; Shift</c> above
/// the lowest code, before it is clamped. Every pair of codes bounds the offset from one side or both; weights are taken only where all 65,536 pairs leave an
/// offset, which is the proof. Pairs whose exact sum is next to where the code changes decide between weights.
/// </summary>
/// <param name="First">Weight of the first code.</param>
/// <param name="Second">Weight of the second code.</param>
/// <param name="Offset">Zero points, rounding and lowest code.</param>
/// <param name="Shift">Shift to the right.</param>
public sealed record ShortAddition(int First, int Second, int Offset, int Shift)
{
    /// <summary>Weights stay below this: two constants of an instruction make one.</summary>
    private const long MostWeight = 1 << 24;

    /// <summary>More bits behind the point don't help.</summary>
    private const int MostBits = 24;

    /// <summary>Shifts that are tried, from the largest that fits.</summary>
    private const int Shifts = 3;

    /// <summary>Weights on each side of the nearest one that are tried.</summary>
    private const int Neighbours = 8;

    /// <summary>How near to a change of code a pair decides between weights, in codes.</summary>
    private const double Near = 1.0 / 128;

    /// <summary>The short form of a nest's sum, or null where it has none.</summary>
    /// <param name="nest">A requantised sum of two functions of one code.</param>
    public static ShortAddition? Of(MappedNest nest) =>
        ScalarForms.AsRequantize(nest.Post) is { Value: ScalarAccumulator, Multiplier: ScalarLiteral multiplier, Shift: ScalarLiteral shift } form
        && ScalarForms.AsSum(nest.Term) is var (left, right) && CodeTables.Of(left, 0) is { } first && CodeTables.Of(right, 1) is { } second
            ? Find(first, second, (int)multiplier.Value, (int)shift.Value, form.ZeroPoint, form.Low, form.High)
            : null;

    /// <summary>The short form of clamp(requantize(first[x] + second[y]) + zero point), or null where there is none.</summary>
    /// <param name="first">What the codes from -128 on of the first operand become, 256 values.</param>
    /// <param name="second">The same for the second operand.</param>
    /// <param name="multiplier">q31 multiplier of the sum.</param>
    /// <param name="shift">Its shift; negative is to the right.</param>
    /// <param name="zeroPoint">Added after rounding.</param>
    /// <param name="low">Lowest code.</param>
    /// <param name="high">Highest code.</param>
    public static ShortAddition? Find(int[] first, int[] second, int multiplier, int shift, int zeroPoint, int low, int high)
    {
        if (multiplier <= 0 || shift > 0 || first.Max() + (long)second.Max() > int.MaxValue || first.Min() + (long)second.Min() < int.MinValue)
        {
            return null;
        }

        const int Last = CodeTables.Codes - 1;
        var scale = multiplier * Math.ScaleB(1, shift - 31);
        double Slope(int[] table) => ((double)table[Last] - table[0]) / Last * scale;
        double Above(int sum) => (sum * scale) + zeroPoint + 0.5 - low;
        var pairs = new Pair[CodeTables.Codes * CodeTables.Codes];
        var deciding = new List<Pair>();
        for (var i = 0; i < pairs.Length; i++)
        {
            var (x, y) = (i / CodeTables.Codes, i % CodeTables.Codes);
            var sum = first[x] + second[y];
            var code = FixedPoint.MultiplyByQuantizedMultiplier(sum, multiplier, shift) + zeroPoint;
            pairs[i] = new(x + sbyte.MinValue, y + sbyte.MinValue, Math.Clamp(code, low, high) - low);
            var above = Above(sum);
            if (code >= low - 1 && code <= high + 1 && Math.Abs(above - Math.Round(above)) < Near)
            {
                deciding.Add(pairs[i]);
            }
        }

        double[] corners = [Above(first[0] + second[0]), Above(first[0] + second[Last]), Above(first[Last] + second[0]), Above(first[Last] + second[Last])];
        var most = MostBits;
        while (most > 0 && Math.ScaleB(corners.Max(Math.Abs) + 2, most) > int.MaxValue)
        {
            most--;
        }

        var few = deciding.ToArray();
        for (var bits = most; bits > Math.Max(0, most - Shifts); bits--)
        {
            foreach (var weight in Nearest(Math.ScaleB(Slope(first), bits)))
            {
                foreach (var other in Nearest(Math.ScaleB(Slope(second), bits)))
                {
                    if (!Offsets(few, weight, other, bits, high - low).IsEmpty && Offsets(pairs, weight, other, bits, high - low).Middle is { } offset && Fits(weight, other, offset))
                    {
                        return new((int)weight, (int)other, offset, bits);
                    }
                }
            }
        }

        return null;
    }

    /// <summary>The code above the lowest one that the short form gives two codes, in the array's arithmetic.</summary>
    /// <param name="x">First code.</param>
    /// <param name="y">Second code.</param>
    /// <param name="codes">Codes between the lowest and the highest.</param>
    public int Code(int x, int y, int codes) => Math.Clamp(unchecked((x * First) + (y * Second) + Offset) >> Shift, 0, codes);

    /// <summary>Two codes and what they become, above the lowest code.</summary>
    private readonly record struct Pair(int X, int Y, int Code);

    private static IEnumerable<long> Nearest(double value)
    {
        var nearest = (long)Math.Round(value);
        return Enumerable.Range(0, (2 * Neighbours) + 1).Select(i => nearest + ((i % 2 == 0 ? 1 : -1) * ((i + 1) / 2))).Where(w => Math.Abs(w) < MostWeight);
    }

    /// <summary>The offsets with which all pairs get their codes.</summary>
    private static OffsetInterval Offsets(ReadOnlySpan<Pair> pairs, long first, long second, int shift, int codes)
    {
        var offsets = OffsetInterval.Words;
        foreach (var (x, y, code) in pairs)
        {
            var sum = (x * first) + (y * second);
            offsets = offsets.And(
                code > 0 ? ((long)code << shift) - sum : long.MinValue,
                code < codes ? ((code + 1L) << shift) - sum - 1 : long.MaxValue);
            if (offsets.IsEmpty)
            {
                return offsets;
            }
        }

        return offsets;
    }

    /// <summary>True where the sum of no pair leaves 32 bits; on the way to it words may wrap around.</summary>
    private static bool Fits(long first, long second, int offset)
    {
        long[] corners = [.. from x in (int[])[sbyte.MinValue, sbyte.MaxValue] from y in (int[])[sbyte.MinValue, sbyte.MaxValue] select (x * first) + (y * second) + offset];
        return corners.Min() >= int.MinValue && corners.Max() <= int.MaxValue;
    }
}
