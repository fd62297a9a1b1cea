namespace CnnCompiler.Primitives.Arithmetic;

/// <summary>Conversions between real numbers, codes and fixed-point numbers.</summary>
public static class NumberConversion
{
    /// <summary>
    /// The code of a real: value / scale in binary32, rounded, plus the zero point, clamped (TensorFlow Lite's QUANTIZE, reference/quantize.h, half away from zero; ONNX QuantizeLinear, half to even).
    /// </summary>
    /// <param name="value">A number; infinities saturate.</param>
    /// <param name="scale">Scale of the code, above 0.</param>
    /// <param name="zeroPoint">Zero point of the code.</param>
    /// <param name="rounding">How ties are rounded.</param>
    /// <param name="low">Smallest code.</param>
    /// <param name="high">Largest code.</param>
    public static long Quantize(float value, float scale, int zeroPoint, MidpointRounding rounding, long low, long high)
    {
        var steps = Math.Clamp((double)(float)(value / scale), low - zeroPoint, high - zeroPoint);
        return (long)Math.Round(steps, rounding) + zeroPoint;
    }

    /// <summary>A real as a fixed-point number with so many bits after the binary point: to the nearest, half to even, saturated at 2^62.</summary>
    /// <param name="value">A number.</param>
    /// <param name="bits">Bits after the binary point.</param>
    public static long ToFixed(double value, int bits) => (long)Math.Clamp(Math.Round(Math.ScaleB(value, bits), MidpointRounding.ToEven), -FixedMath.Largest, FixedMath.Largest);

    /// <summary>The bits after the binary point that leave the largest of some parameters below 2^30, from 0 to 46.</summary>
    public static int ParameterBits(ReadOnlySpan<double> values)
    {
        var largest = 0.0;
        foreach (var value in values)
        {
            largest = Math.Max(largest, Math.Abs(value));
        }

        return largest > 0 && double.IsFinite(largest) ? Math.Clamp(29 - Math.ILogB(largest), 0, 46) : 0;
    }

    /// <summary>
    /// A number with other bits after the binary point: (value + 2^(s - 1)) >> s for s bits fewer, a left shift for more.
    /// </summary>
    /// <exception cref="OverflowException">It exceeds 64 bits.</exception>
    public static long Rescale(long value, int from, int to) => (from - to) switch
    {
        0 => value,
        > 0 and var fewer => checked(value + (1L << (fewer - 1))) >> fewer,
        var more => checked(value * (1L << -more)),
    };
}
