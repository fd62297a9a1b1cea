namespace CnnCompiler.Primitives.Arithmetic;

/// <summary>
/// Functions of TensorFlow Lite's reference kernels in 32-bit fixed point (<c>int8-arithmetic.md</c> section 3.8; gemmlowp's fixedpoint.h), bit for bit. Qm.n means m integer bits and n fraction
/// bits beside the sign.
/// </summary>
internal static class FixedPointFunctions
{
    // exp(-1/8) and 1/3 in Q0.31, for the polynomial around -1/8.
    private const int ExpOfMinusEighth = 1895147668;
    private const int OneThird = 715827883;

    // 48/17 and -32/17 in Q2.29: the first estimate of a reciprocal.
    private const int FortyEightOverSeventeen = 1515870810;
    private const int MinusThirtyTwoOverSeventeen = -1010580540;

    // exp(-2^k) in Q0.31 for k = -2 to 4.
    private static ReadOnlySpan<int> ExpOfMinusPowers => [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242];

    /// <summary>exp(a) in Q0.31.</summary>
    /// <param name="a">At most 0, with so many integer bits.</param>
    /// <param name="integerBits">4 or 5.</param>
    public static int ExponentialOfNegative(int a, int integerBits)
    {
        var oneQuarter = 1 << (29 - integerBits);
        if (a == 0)
        {
            return int.MaxValue;
        }

        var modulo = (a & (oneQuarter - 1)) - oneQuarter;
        var result = ExponentialNearMinusEighth(modulo << integerBits);
        var remainder = modulo - a;
        for (var k = 0; k < integerBits + 2; k++)
        {
            if ((remainder & (oneQuarter << k)) != 0)
            {
                result = FixedPoint.SaturatingRoundingDoublingHighMultiply(result, ExpOfMinusPowers[k]);
            }
        }

        return result;
    }

    /// <summary>1 / (1 + u) in Q0.31 for u in [0, 1) in Q0.31.</summary>
    public static int ReciprocalOfOnePlus(int u) => SaturatingShiftLeft(TwiceReciprocal(u), 1);

    /// <summary>Logistic function of a number in Q4.27, in Q0.31.</summary>
    public static int Logistic(int a)
    {
        if (a == 0)
        {
            return 1 << 30;
        }

        // The negation wraps for the smallest number, as the reference's does.
        var positive = ReciprocalOfOnePlus(ExponentialOfNegative(a > 0 ? -a : a, 4));
        return a > 0 ? positive : int.MaxValue - positive;
    }

    /// <summary>Hyperbolic tangent of a number in Q4.27, in Q0.31.</summary>
    public static int Tanh(int a)
    {
        if (a == 0)
        {
            return 0;
        }

        // tanh|a| = (1 - e) / (1 + e) with e = exp(-2|a|): Q4.27 read as Q5.26 is twice the number; 2 / (1 + e) - 1 is the quotient.
        var e = ExponentialOfNegative(a > 0 ? -a : a, 5);
        var value = SaturatingShiftLeft(TwiceReciprocal(e) - (1 << 29), 2);
        return a > 0 ? value : -value;
    }

    // 2 / (1 + u) in Q2.29 for u in [0, 1) in Q0.31: three Newton steps.
    private static int TwiceReciprocal(int u)
    {
        // u + 1 is 2^31 - 1 in Q0.31; u is at least 0, so half away from zero is up.
        var halfDenominator = (int)(((long)u + int.MaxValue + 1) / 2);
        var y = FortyEightOverSeventeen + FixedPoint.SaturatingRoundingDoublingHighMultiply(halfDenominator, MinusThirtyTwoOverSeventeen);
        for (var step = 0; step < 3; step++)
        {
            var error = (1 << 29) - FixedPoint.SaturatingRoundingDoublingHighMultiply(halfDenominator, y);
            y += SaturatingShiftLeft(FixedPoint.SaturatingRoundingDoublingHighMultiply(y, error), 2);
        }

        return y;
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

    private static int SaturatingShiftLeft(int value, int exponent) => (int)Math.Clamp((long)value << exponent, int.MinValue, int.MaxValue);
}
