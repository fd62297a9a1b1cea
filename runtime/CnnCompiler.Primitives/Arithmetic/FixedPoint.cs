namespace CnnCompiler.Primitives.Arithmetic;

/// <summary>A positive real factor in fixed point: <c>Multiplier * 2^(Shift - 31)</c>.</summary>
/// <param name="Multiplier">q31: 0, or 2^30 to 2^31 - 1.</param>
/// <param name="Shift">Above 0 a left shift before the multiplication, below 0 a rounding right shift after it; -31 or more.</param>
public readonly record struct Requantization(int Multiplier, int Shift);

/// <summary>
/// The fixed-point arithmetic of TensorFlow Lite's reference kernels (<c>int8-arithmetic.md</c> sections 3.1, 3.2 and 3.6), bit for bit.
/// int32 overflow wraps, in the few places where the reference leaves it undefined (a left shift or a sum beyond 32 bits).
/// </summary>
public static class FixedPoint
{
    /// <summary>Smallest shift of a prepared factor; smaller factors become (0, 0).</summary>
    public const int MinimumShift = -31;

    /// <summary>
    /// The fixed-point form of a factor (section 3.1): 31 significant bits, half away from zero. Zero, and what is below 2^-32, give (0, 0).
    /// </summary>
    /// <param name="factor">A finite factor, 0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">The factor is negative, infinite or not a number.</exception>
    public static (int Multiplier, int Shift) QuantizeMultiplier(double factor)
    {
        if (!double.IsFinite(factor) || factor < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(factor), factor, "a factor is finite and not negative");
        }

        if (factor == 0)
        {
            return (0, 0);
        }

        // frexp: factor = fraction * 2^exponent with fraction in [0.5, 1).
        var exponent = Math.ILogB(factor) + 1;
        var fraction = Math.ScaleB(factor, -exponent);
        var multiplier = (long)Math.Round(fraction * (1L << 31), MidpointRounding.AwayFromZero);
        if (multiplier == 1L << 31)
        {
            multiplier /= 2;
            exponent++;
        }

        return exponent < MinimumShift ? (0, 0) : ((int)multiplier, exponent);
    }

    /// <summary>round(a * b / 2^31), ties toward plus infinity; saturates only for a = b = -2^31 (section 3.2, SRDHM).</summary>
    public static int SaturatingRoundingDoublingHighMultiply(int a, int b) =>
        a == int.MinValue && b == int.MinValue ? int.MaxValue : (int)((((long)a * b) + (1L << 30)) >> 31);

    /// <summary>round(value / 2^exponent), ties away from zero (section 3.2, RDBP).</summary>
    /// <param name="value">The value.</param>
    /// <param name="exponent">0 to 31.</param>
    public static int RoundingDivideByPowerOfTwo(int value, int exponent)
    {
        var mask = (int)((1L << exponent) - 1);
        var remainder = value & mask;
        var threshold = (mask >> 1) + (value < 0 ? 1 : 0);
        return (value >> exponent) + (remainder > threshold ? 1 : 0);
    }

    /// <summary>Requantisation with two roundings: TFLite's default (section 3.2). A left shift that overflows 32 bits wraps.</summary>
    /// <param name="x">The accumulator.</param>
    /// <param name="multiplier">q31 multiplier.</param>
    /// <param name="shift">-31 to 30.</param>
    public static int MultiplyByQuantizedMultiplier(int x, int multiplier, int shift)
    {
        var left = Math.Max(shift, 0);
        var right = Math.Max(-shift, 0);
        return RoundingDivideByPowerOfTwo(SaturatingRoundingDoublingHighMultiply(x << left, multiplier), right);
    }

    /// <summary>Requantisation with one rounding, ties toward plus infinity: TFLite built with TFLITE_SINGLE_ROUNDING (section 3.2). The result wraps to 32 bits.</summary>
    /// <param name="x">The accumulator.</param>
    /// <param name="multiplier">q31 multiplier.</param>
    /// <param name="shift">-31 to 30.</param>
    public static int MultiplyByQuantizedMultiplierSingleRounding(int x, int multiplier, int shift) =>
        (int)((((long)x * multiplier) + (1L << (30 - shift))) >> (31 - shift));

    /// <summary>sum / count to the nearest, half away from zero: the rounding of average pooling (section 3.6).</summary>
    /// <param name="sum">Sum of codes; its magnitude plus half of <paramref name="count"/> fits 32 bits.</param>
    /// <param name="count">Number of taps, at least 1.</param>
    public static int DivideRoundHalfAway(int sum, int count) => sum > 0 ? (sum + (count / 2)) / count : (sum - (count / 2)) / count;
}
