using System.Numerics;

namespace CnnCompiler.Primitives.Arithmetic;

/// <summary>
/// Softmax int8 to int8 of TensorFlow Lite's reference kernel (<c>int8-arithmetic.md</c> section 3.8), in fixed point and bit for bit.
/// The output has scale 1/256 and zero point -128. Qm.n below means m integer bits and n fraction bits beside the sign.
/// </summary>
public static class Int8Softmax
{
    // Differences are Q5.26, their exponentials Q0.31, the sum of exponentials Q12.19.
    private const int DifferenceIntegerBits = 5;
    private const int SumIntegerBits = 12;

    /// <summary>
    /// Prepares beta * scale for Q5.26 differences: the factor is <c>Multiplier * 2^(LeftShift - 31)</c>; differences below
    /// <c>DiffMin</c> are left out.
    /// </summary>
    /// <param name="beta">Factor of the logits, above 0.</param>
    /// <param name="inputScale">Scale of the input, above 0.</param>
    public static (int Multiplier, int LeftShift, int DiffMin) Prepare(float beta, float inputScale)
    {
        var factor = Math.Min((double)beta * inputScale * (1 << (31 - DifferenceIntegerBits)), int.MaxValue);
        var (multiplier, leftShift) = FixedPoint.QuantizeMultiplier(factor);
        var radius = ((1 << DifferenceIntegerBits) - 1) * Math.ScaleB(1.0, 31 - DifferenceIntegerBits) / Math.ScaleB(1.0, leftShift);
        return (multiplier, leftShift, (int)Math.Max(-Math.Floor(radius), int.MinValue));
    }

    /// <summary>
    /// Softmax of one row. False, and <paramref name="output"/> unspecified, where the exponentials sum to 512 or more (512 logits near the
    /// maximum): there the reference kernel aborts and no result is defined.
    /// </summary>
    /// <param name="input">Logits, at least one.</param>
    /// <param name="output">As many probabilities.</param>
    /// <param name="multiplier">From <see cref="Prepare"/>.</param>
    /// <param name="leftShift">From <see cref="Prepare"/>; 0 or more.</param>
    /// <param name="diffMin">From <see cref="Prepare"/>.</param>
    public static bool Row(ReadOnlySpan<sbyte> input, Span<sbyte> output, int multiplier, int leftShift, int diffMin)
    {
        var maximum = sbyte.MinValue;
        foreach (var code in input)
        {
            maximum = Math.Max(maximum, code);
        }

        // A row has at most 256 different differences, so their exponentials are worth keeping.
        Span<int> exponentials = stackalloc int[256];
        exponentials.Fill(-1);
        var sum = 0L;
        foreach (var code in input)
        {
            var difference = code - maximum;
            if (difference >= diffMin)
            {
                ref var exponential = ref exponentials[-difference];
                if (exponential < 0)
                {
                    exponential = FixedPointFunctions.ExponentialOfNegative(
                        FixedPoint.SaturatingRoundingDoublingHighMultiply(difference << leftShift, multiplier), DifferenceIntegerBits);
                }

                sum += FixedPoint.RoundingDivideByPowerOfTwo(exponential, SumIntegerBits);
            }
        }

        // The reference shifts right by this less 8 with a 32-bit shift, and aborts above 31: sum of 512 or more in Q12.19.
        if (sum >= 1L << (9 + 19))
        {
            return false;
        }

        var headroom = BitOperations.LeadingZeroCount((uint)sum);
        var integerBits = SumIntegerBits - headroom;
        var scale = FixedPointFunctions.ReciprocalOfOnePlus((int)(((uint)sum << headroom) - (1u << 31)));
        for (var i = 0; i < input.Length; i++)
        {
            var difference = input[i] - maximum;
            output[i] = difference < diffMin
                ? sbyte.MinValue
                : (sbyte)Math.Clamp(
                    FixedPoint.RoundingDivideByPowerOfTwo(
                        FixedPoint.SaturatingRoundingDoublingHighMultiply(scale, exponentials[-difference]), integerBits + 31 - 8) + sbyte.MinValue,
                    sbyte.MinValue,
                    sbyte.MaxValue);
        }

        return true;
    }
}
