namespace CnnCompiler.Primitives.Arithmetic;

/// <summary>
/// Functions of one int8 code as TensorFlow Lite Micro's reference kernels have them, bit for bit: logistic and tanh (reference/integer_ops/logistic.h and tanh.h, prepared by logistic_common.cc and
/// tanh.cc), hard-swish (reference/hard_swish.h) and leaky ReLU (reference/leaky_relu.h). A function without an integer kernel there (GELU, exp) is TensorFlow Lite's table of 256 codes filled from
/// real values (lut.h): <see cref="FromReal"/>.
/// </summary>
public static class Int8Functions
{
    private const int IntegerBits = 4;

    /// <summary>The logistic function; the output has scale 1/256 and zero point -128.</summary>
    /// <param name="input">x - z.</param>
    /// <param name="inputScale">Scale of the input, above 0.</param>
    /// <param name="singleRounding">Requantise with one rounding.</param>
    public static int Logistic(int input, float inputScale, bool singleRounding = false)
    {
        var (multiplier, shift, radius) = Prepare(inputScale);
        return input <= -radius ? sbyte.MinValue
            : input >= radius ? sbyte.MaxValue
            : Clamp(FixedPoint.RoundingDivideByPowerOfTwo(FixedPointFunctions.Logistic(Requantize(input, multiplier, shift, singleRounding)), 31 - 8) + sbyte.MinValue);
    }

    /// <summary>The hyperbolic tangent; the output has scale 1/128 and zero point 0.</summary>
    /// <param name="input">x - z.</param>
    /// <param name="inputScale">Scale of the input, above 0.</param>
    /// <param name="singleRounding">Requantise with one rounding.</param>
    public static int Tanh(int input, float inputScale, bool singleRounding = false)
    {
        var (multiplier, shift, radius) = Prepare(inputScale);
        return input <= -radius ? sbyte.MinValue
            : input >= radius ? sbyte.MaxValue
            : Clamp(FixedPoint.RoundingDivideByPowerOfTwo(FixedPointFunctions.Tanh(Requantize(input, multiplier, shift, singleRounding)), 31 - 7));
    }

    /// <summary>
    /// Hard-swish in 16 bits: x * reluish(x) where reluish saturates at 3, each in fixed point of its own. Where the output scale is below 1/128 of the input's, which the reference refuses, the last
    /// shift goes to the left.
    /// </summary>
    /// <param name="input">x - z.</param>
    /// <param name="inputScale">Scale of the input, above 0.</param>
    /// <param name="outputScale">Scale of the output, above 0.</param>
    /// <param name="outputZeroPoint">Zero point of the output.</param>
    public static int HardSwish(int input, float inputScale, float outputScale, int outputZeroPoint)
    {
        var hires = inputScale * (1f / 128);
        var (outputMultiplier, outputExponent) = Multiplier16((double)(float)(hires / outputScale));
        var (reluishMultiplier, reluishExponent) = Multiplier16((double)(float)(hires / (3f / 32768)));
        var value = (short)(input * 128);
        var preshift = High16(value, outputMultiplier, rounding: true);
        var reluish = value;
        if (reluishExponent > 0)
        {
            reluish = Saturate16((long)reluish << Math.Min(reluishExponent - 1, 32));
        }

        reluish = High16(reluish, reluishMultiplier, rounding: true);
        if (reluishExponent > 0)
        {
            reluish = Saturate16((long)reluish << 1);
        }
        else if (reluishExponent < 0)
        {
            reluish = (short)FixedPoint.RoundingDivideByPowerOfTwo(reluish, Math.Min(-reluishExponent, 31));
        }

        reluish = (short)((reluish + (1 << 15)) >> 1);
        var product = High16(reluish, preshift, rounding: false);
        var output = outputExponent > 0
            ? (int)Math.Clamp((long)product << Math.Min(outputExponent, 32), short.MinValue, short.MaxValue)
            : FixedPoint.RoundingDivideByPowerOfTwo(product, Math.Min(-outputExponent, 31));
        return Clamp(output + outputZeroPoint);
    }

    /// <summary>Leaky ReLU: the factor of the identity from 0 on, that of alpha below.</summary>
    /// <param name="input">x - z.</param>
    /// <param name="alpha">Slope below 0.</param>
    /// <param name="inputScale">Scale of the input, above 0.</param>
    /// <param name="outputScale">Scale of the output, above 0.</param>
    /// <param name="outputZeroPoint">Zero point of the output.</param>
    /// <param name="singleRounding">Requantise with one rounding.</param>
    public static int LeakyRelu(int input, float alpha, float inputScale, float outputScale, int outputZeroPoint, bool singleRounding = false)
    {
        // All in binary32, as the reference's preparation.
        var factor = input >= 0 ? inputScale / outputScale : inputScale * alpha / outputScale;
        var (multiplier, shift) = FixedPoint.QuantizeMultiplier(Math.Abs((double)factor));
        return (int)Math.Clamp((long)Requantize(input, factor < 0 ? -multiplier : multiplier, shift, singleRounding) + outputZeroPoint, sbyte.MinValue, sbyte.MaxValue);
    }

    /// <summary>The code of a real result in a table: times the reciprocal of the scale in binary32, half away from zero, clamped; what is no number gives the zero point.</summary>
    /// <param name="value">The result, rounded to binary32.</param>
    /// <param name="outputScale">Scale of the output, above 0.</param>
    /// <param name="outputZeroPoint">Zero point of the output.</param>
    public static int FromReal(float value, float outputScale, int outputZeroPoint)
    {
        var steps = Math.Round((double)(float)(value * (1f / outputScale)), MidpointRounding.AwayFromZero);
        return double.IsNaN(steps) ? outputZeroPoint : (int)Math.Clamp(steps + outputZeroPoint, sbyte.MinValue, sbyte.MaxValue);
    }

    // scale * 2^27 in fixed point, and the least magnitude of codes that saturate: 15 of 16 and more.
    private static (int Multiplier, int Shift, int Radius) Prepare(float inputScale)
    {
        var (multiplier, shift) = FixedPoint.QuantizeMultiplier((double)inputScale * (1 << (31 - IntegerBits)));
        var radius = ((1 << IntegerBits) - 1) * Math.ScaleB(1.0, 31 - IntegerBits - shift);
        return (multiplier, Math.Min(shift, 30), (int)Math.Min(Math.Floor(radius), int.MaxValue));
    }

    private static int Requantize(int value, int multiplier, int shift, bool singleRounding) => singleRounding
        ? FixedPoint.MultiplyByQuantizedMultiplierSingleRounding(value, multiplier, shift)
        : FixedPoint.MultiplyByQuantizedMultiplier(value, multiplier, shift);

    // A factor with 16 bits: the upper half of its 32 bits, rounded, or the largest.
    private static (short Multiplier, int Exponent) Multiplier16(double factor)
    {
        var (multiplier, exponent) = FixedPoint.QuantizeMultiplier(factor);
        return (multiplier >= int.MaxValue - (1 << 15) ? short.MaxValue : (short)((multiplier + (1 << 15)) >> 16), exponent);
    }

    // a * b / 2^15, to the nearest with ties up, or towards zero; saturates for both the smallest.
    private static short High16(short a, short b, bool rounding)
    {
        var product = a * b;
        var nudge = !rounding ? 0 : product >= 0 ? 1 << 14 : 1 - (1 << 14);
        return Saturate16((product + nudge) / (1 << 15));
    }

    private static short Saturate16(long value) => (short)Math.Clamp(value, short.MinValue, short.MaxValue);

    private static int Clamp(int code) => Math.Clamp(code, sbyte.MinValue, sbyte.MaxValue);
}
