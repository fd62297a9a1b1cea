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

    // exp(-1/8) and 1/3 in Q0.31, for the polynomial around -1/8.
    private const int ExpOfMinusEighth = 1895147668;
    private const int OneThird = 715827883;

    // 48/17 and -32/17 in Q2.29: the first estimate of a reciprocal.
    private const int FortyEightOverSeventeen = 1515870810;
    private const int MinusThirtyTwoOverSeventeen = -1010580540;

    // exp(-2^k) in Q0.31 for k = -2 to 4.
    private static ReadOnlySpan<int> ExpOfMinusPowers => [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242];

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
                    exponential = ExponentialOfNegative(FixedPoint.SaturatingRoundingDoublingHighMultiply(difference << leftShift, multiplier));
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
        var scale = ReciprocalOfOnePlus((int)(((uint)sum << headroom) - (1u << 31)));
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

    /// <summary>exp(a) in Q0.31 for a in Q5.26, a at most 0.</summary>
    internal static int ExponentialOfNegative(int a)
    {
        const int oneQuarter = 1 << 24;
        if (a == 0)
        {
            return int.MaxValue;
        }

        var modulo = (a & (oneQuarter - 1)) - oneQuarter;
        var result = ExponentialNearMinusEighth(modulo << DifferenceIntegerBits);
        var remainder = modulo - a;
        for (var k = 0; k < ExpOfMinusPowers.Length; k++)
        {
            if ((remainder & (oneQuarter << k)) != 0)
            {
                result = FixedPoint.SaturatingRoundingDoublingHighMultiply(result, ExpOfMinusPowers[k]);
            }
        }

        return result;
    }

    // exp(a) in Q0.31 for a in [-1/4, 0) in Q0.31: a polynomial of degree 4 around -1/8.
    private static int ExponentialNearMinusEighth(int a)
    {
        var x = a + (1 << 28);
        var x2 = FixedPoint.SaturatingRoundingDoublingHighMultiply(x, x);
        var x3 = FixedPoint.SaturatingRoundingDoublingHighMultiply(x2, x);
        var x4 = FixedPoint.SaturatingRoundingDoublingHighMultiply(x2, x2);
        var high = FixedPoint.SaturatingRoundingDoublingHighMultiply(FixedPoint.RoundingDivideByPowerOfTwo(x4, 2) + x3, OneThird);
        var polynomial = FixedPoint.RoundingDivideByPowerOfTwo(high + x2, 1);
        return ExpOfMinusEighth + FixedPoint.SaturatingRoundingDoublingHighMultiply(ExpOfMinusEighth, x + polynomial);
    }

    // 1 / (1 + u) in Q0.31 for u in [0, 1) in Q0.31: three Newton steps in Q2.29.
    private static int ReciprocalOfOnePlus(int u)
    {
        // u + 1 is 2^31 - 1 in Q0.31; u is at least 0, so half away from zero is up.
        var halfDenominator = (int)(((long)u + int.MaxValue + 1) / 2);
        var y = FortyEightOverSeventeen + FixedPoint.SaturatingRoundingDoublingHighMultiply(halfDenominator, MinusThirtyTwoOverSeventeen);
        for (var step = 0; step < 3; step++)
        {
            var error = (1 << 29) - FixedPoint.SaturatingRoundingDoublingHighMultiply(halfDenominator, y);
            y += SaturatingShiftLeft(FixedPoint.SaturatingRoundingDoublingHighMultiply(y, error), 2);
        }

        return SaturatingShiftLeft(y, 1);
    }

    private static int SaturatingShiftLeft(int value, int exponent) => (int)Math.Clamp((long)value << exponent, int.MinValue, int.MaxValue);
}
