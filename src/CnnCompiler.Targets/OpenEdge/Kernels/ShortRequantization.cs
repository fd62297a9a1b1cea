using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>Requantisation of a channel's sums, and which values they take.</summary>
/// <param name="Bias">Added to a raw sum.</param>
/// <param name="Multiplier">q31 multiplier.</param>
/// <param name="Shift">Its shift; negative is to the right.</param>
/// <param name="Lowest">Smallest value of a sum with its bias.</param>
/// <param name="Highest">Largest value.</param>
public readonly record struct RequantizedChannel(int Bias, int Multiplier, int Shift, int Lowest, int Highest);

/// <summary>A channel's requantisation in one multiplication: a raw sum x becomes <c>(FXPMUL(x, Multiplier) + offset) &gt;&gt; shift</c> above the lowest code, before it is clamped.</summary>
/// <param name="Multiplier">Multiplier.</param>
/// <param name="Below">Offset of values below zero, bias and lowest code included.</param>
/// <param name="Above">Offset of the others.</param>
/// <param name="Bias">What makes a raw sum a value.</param>
public readonly record struct ShortChannel(int Multiplier, int Below, int Above, int Bias);

/// <summary>
/// Requantisation in one multiplication. The two roundings of TFLite are a function that never falls, so it is known by the values at which it rises to each
/// code; so is a product with one offset, shifted. Both are the same over all values of a channel if they agree just before and at each of these values. For a
/// multiplier every such value bounds the offset from one side, so that a few multipliers are tried and the offset follows. Below zero the first rounding is the
/// other way: where one offset doesn't serve both, values below zero have one of their own.
/// </summary>
/// <param name="Shift">Shift to the right of all channels.</param>
/// <param name="Channels">The channels.</param>
public sealed record ShortRequantization(int Shift, IReadOnlyList<ShortChannel> Channels)
{
    /// <summary>Bits that FXPMUL shifts a product.</summary>
    private const int ProductBits = 15;

    /// <summary>Fewer bits behind the point are too coarse to be worth trying.</summary>
    private const int FewestBits = 8;

    /// <summary>More than these bits behind the point don't help.</summary>
    private const int MostBits = 24;

    /// <summary>Multipliers on each side of the nearest one that are tried.</summary>
    private const int Neighbours = 8;

    /// <summary>True where one offset serves all values of every channel.</summary>
    public bool HasOneOffset => Channels.All(c => c.Below == c.Above);

    /// <summary>The short form of some channels, or null where some channel has none.</summary>
    /// <param name="channels">The channels.</param>
    /// <param name="zeroPoint">Added after rounding.</param>
    /// <param name="low">Lowest code.</param>
    /// <param name="high">Highest code.</param>
    public static ShortRequantization? Find(IReadOnlyList<RequantizedChannel> channels, int zeroPoint, int low, int high)
    {
        if (MostBitsOf(channels, zeroPoint, low) is not { } shift)
        {
            return null;
        }

        var found = new ShortChannel[channels.Count];
        for (var i = 0; i < found.Length; i++)
        {
            if (Find(channels[i], shift, zeroPoint, low, high) is not { } one)
            {
                return null;
            }

            found[i] = one;
        }

        return new(shift, found);
    }

    /// <summary>True where nothing leaves 32 bits.</summary>
    private static bool Fits(RequantizedChannel channel, int shift, int zeroPoint, int low)
    {
        var largest = Math.Max(Math.Abs((double)channel.Lowest), Math.Abs((double)channel.Highest)) + Math.Abs((double)channel.Bias);
        var scale = channel.Multiplier * Math.ScaleB(1, channel.Shift - 31);
        return Math.ScaleB((largest * scale) + Math.Abs(zeroPoint) + Math.Abs(low) + byte.MaxValue, shift) < (1L << 30)
            && Math.ScaleB(scale, ProductBits + shift) + Neighbours < int.MaxValue;
    }

    private static ShortChannel? Find(RequantizedChannel channel, int shift, int zeroPoint, int low, int high)
    {
        ShortChannel? two = null;
        foreach (var (multiplier, below, above) in Multipliers(channel, shift, zeroPoint, low, high))
        {
            if (below.And(above.Least, above.Most).Middle is { } both)
            {
                return new(multiplier, both, both, channel.Bias);
            }

            if (two is null && below.Middle is { } lower && above.Middle is { } upper)
            {
                two = new(multiplier, lower, upper, channel.Bias);
            }
        }

        return two;
    }

    /// <summary>The multipliers that are tried, and the offsets that give all values below zero, and all others, their codes.</summary>
    internal static IEnumerable<(int Multiplier, OffsetInterval Below, OffsetInterval Above)> Multipliers(RequantizedChannel channel, int shift, int zeroPoint, int low, int high)
    {
        var nearest = (long)Math.Round(channel.Multiplier * Math.ScaleB(1, channel.Shift - 31 + ProductBits + shift));
        var points = Points(channel, zeroPoint, low, high);
        for (var i = 0; i <= 2 * Neighbours; i++)
        {
            var multiplier = nearest + ((i % 2 == 0 ? 1 : -1) * ((i + 1) / 2));
            if (multiplier <= 0)
            {
                continue;
            }

            var (below, above) = (OffsetInterval.All, OffsetInterval.All);
            foreach (var (value, code) in points)
            {
                var product = Product((long)value - channel.Bias, multiplier);
                var (least, most) = (
                    code > low ? ((long)(code - low) << shift) - product : long.MinValue,
                    code < high ? ((long)(code - low + 1) << shift) - product - 1 : long.MaxValue);
                if (value < 0)
                {
                    below = below.And(least, most);
                }
                else
                {
                    above = above.And(least, most);
                }
            }

            yield return ((int)multiplier, below, above);
        }
    }

    /// <summary>What FXPMUL makes of a raw sum.</summary>
    internal static long Product(long sum, long multiplier) => sum * multiplier >> ProductBits;

    /// <summary>The most bits behind the point with which nothing of some channels leaves 32 bits; null where those are too few, or a channel has no values.</summary>
    internal static int? MostBitsOf(IReadOnlyList<RequantizedChannel> channels, int zeroPoint, int low)
    {
        var shift = MostBits;
        foreach (var channel in channels)
        {
            if (channel.Lowest > channel.Highest || channel.Multiplier <= 0)
            {
                return null;
            }

            while (shift >= FewestBits && !Fits(channel, shift, zeroPoint, low))
            {
                shift--;
            }
        }

        return shift < FewestBits ? null : shift;
    }

    /// <summary>Values with their codes such that between neighbours of the same sign the code doesn't change: the ends, those around zero, each value at which the code rises and the one before.</summary>
    private static List<(int Value, int Code)> Points(RequantizedChannel channel, int zeroPoint, int low, int high)
    {
        int Code(long value) => Math.Clamp(FixedPoint.MultiplyByQuantizedMultiplier((int)value, channel.Multiplier, channel.Shift) + zeroPoint, low, high);
        var points = new List<(int Value, int Code)>((2 * (high - low)) + 4);
        void Add(long value)
        {
            if (value >= channel.Lowest && value <= channel.Highest)
            {
                points.Add(((int)value, Code(value)));
            }
        }

        Add(channel.Lowest);
        Add(-1);
        Add(0);
        Add(channel.Highest);
        var (first, last) = (Code(channel.Lowest), Code(channel.Highest));
        var step = Math.ScaleB(1, 31 - channel.Shift) / channel.Multiplier;
        for (var code = first + 1; code <= last; code++)
        {
            var value = (long)Math.Clamp(Math.Floor((code - zeroPoint - 0.5) * step), channel.Lowest, channel.Highest);
            while (value > channel.Lowest && Code(value - 1) >= code)
            {
                value--;
            }

            while (Code(value) < code)
            {
                value++;
            }

            Add(value - 1);
            Add(value);
        }

        return points;
    }

    /// <summary>The code above the lowest one that the short form gives a raw sum, in the array's arithmetic.</summary>
    /// <param name="channel">Channel.</param>
    /// <param name="sum">Raw sum, without its bias.</param>
    /// <param name="codes">Codes between the lowest and the highest.</param>
    public int Code(int channel, int sum, int codes)
    {
        var form = Channels[channel];
        var offset = sum + form.Bias < 0 ? form.Below : form.Above;
        return Math.Clamp((int)((int)(((long)sum * form.Multiplier) >> ProductBits) + (long)offset) >> Shift, 0, codes);
    }

    /// <summary>Clamps values above the lowest code in ROUT, in place, and makes codes of them.</summary>
    /// <param name="p">Program.</param>
    /// <param name="values">Values.</param>
    /// <param name="low">Lowest code.</param>
    /// <param name="high">Highest code.</param>
    /// <param name="destination">Register that a code also goes to, by its cell, or null for ROUT alone.</param>
    public static ArrayOperation[] Clamp(
        ArrayProgramBuilder p, ArrayOperation[] values, int low, int high, Func<Cell, VirtualRegister>? destination = null)
    {
        ArrayOperation[] Each(ArrayOperation[] from, Func<ArrayOperation, ArrayOperation> make)
        {
            ArrayOperation[] operations = [.. from.Select(make)];
            p.Step(operations);
            return operations;
        }

        var atLeast = Each(values, v => SelectOnSign(v.Cell, v, ArrayOperand.Zero, v));
        var belowHigh = Each(atLeast, v => Binary(OpenEdgeOpcode.SAdd, v.Cell, v, ArrayOperand.Immediate, null, low - high));
        var atMost = Each(belowHigh, v => SelectOnSign(v.Cell, v, v, ArrayOperand.Zero));
        return Each(atMost, v => Binary(OpenEdgeOpcode.SAdd, v.Cell, v, ArrayOperand.Immediate, destination?.Invoke(v.Cell), high));
    }
}
