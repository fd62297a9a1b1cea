namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>A channel's requantisation around zero: a raw sum x becomes c = FXPMUL(x, Multiplier) + Offset, negative where the value is, then less Correction there.</summary>
/// <param name="Multiplier">Multiplier.</param>
/// <param name="Offset">What makes the product of a raw sum that of its value.</param>
/// <param name="Correction">Subtracted below zero: about one unit of what TFLite's first rounding leaves.</param>
public readonly record struct CentredChannel(int Multiplier, int Offset, int Correction);

/// <summary>
/// Requantisation in one multiplication where values below zero need an offset of their own (<see cref="ShortRequantization"/>), with the product's sign to choose and two
/// constants of instructions: <c>((c - (c &lt; 0 ? Correction : 0) &gt;&gt; (Shift - 1)) + Rounding) &gt;&gt; 1</c> above the lowest code. Proved as the short form is: by
/// the values at which the code rises and those just before, and those around zero.
/// </summary>
/// <param name="Shift">Bits behind the point of all channels.</param>
/// <param name="Rounding">Twice the zero point above the lowest code, and a half.</param>
/// <param name="Channels">The channels.</param>
public sealed record CentredRequantization(int Shift, int Rounding, IReadOnlyList<CentredChannel> Channels)
{
    /// <summary>Bits of the largest correction.</summary>
    private const int CorrectionBits = 12;

    /// <summary>The form of some channels, or null where some channel has none.</summary>
    /// <param name="channels">The channels.</param>
    /// <param name="zeroPoint">Added after rounding.</param>
    /// <param name="low">Lowest code.</param>
    /// <param name="high">Highest code.</param>
    public static CentredRequantization? Find(IReadOnlyList<RequantizedChannel> channels, int zeroPoint, int low, int high)
    {
        if (ShortRequantization.MostBitsOf(channels, zeroPoint, low) is not { } most || channels.Any(c => c.Shift > 0))
        {
            return null;
        }

        // a unit of the first rounding is 2^shift codes
        var bits = Math.Min(most, channels.Min(c => -c.Shift) + CorrectionBits);
        if (bits < channels.Max(c => -c.Shift) || bits < 1)
        {
            return null;
        }

        var rounding = (2 * (zeroPoint - low)) + 1;
        var found = new List<CentredChannel>();
        foreach (var channel in channels)
        {
            if (Find(channel, bits, (long)rounding << (bits - 1), zeroPoint, low, high) is not { } one)
            {
                return null;
            }

            found.Add(one);
        }

        return new(bits, rounding, found);
    }

    private static CentredChannel? Find(RequantizedChannel channel, int bits, long raise, int zeroPoint, int low, int high)
    {
        var correction = 1 << (bits + channel.Shift);
        foreach (var (multiplier, below, above) in ShortRequantization.Multipliers(channel, bits, zeroPoint, low, high))
        {
            long Product(long value) => ShortRequantization.Product(value - channel.Bias, multiplier);
            var offsets = OffsetInterval.All;
            if (channel.Highest >= 0)
            {
                offsets = offsets.And(above.Least - raise, above.Most - raise).And(-Product(Math.Max(0, channel.Lowest)), long.MaxValue);
            }

            if (channel.Lowest < 0)
            {
                offsets = offsets.And(below.Least - raise + correction, below.Most - raise + correction).And(long.MinValue, -Product(Math.Min(-1, channel.Highest)) - 1);
            }

            if (offsets.Middle is { } offset)
            {
                return new(multiplier, offset, correction);
            }
        }

        return null;
    }

    /// <summary>The code above the lowest one that the form gives a raw sum, in the array's arithmetic.</summary>
    /// <param name="channel">Channel.</param>
    /// <param name="sum">Raw sum, without its bias.</param>
    /// <param name="codes">Codes between the lowest and the highest.</param>
    public int Code(int channel, int sum, int codes)
    {
        var form = Channels[channel];
        var centred = unchecked((int)ShortRequantization.Product(sum, form.Multiplier) + form.Offset);
        var corrected = unchecked(centred + (centred < 0 ? -form.Correction : 0));
        return Math.Clamp(((corrected >> (Shift - 1)) + Rounding) >> 1, 0, codes);
    }
}
