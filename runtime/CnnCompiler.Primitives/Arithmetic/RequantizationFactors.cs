namespace CnnCompiler.Primitives.Arithmetic;

/// <summary>The three factors of an int8 addition, and the scales they come from (<c>int8-arithmetic.md</c> sections 3.1 and 3.5).</summary>
/// <param name="First">Factor of the first input, shifted left by <see cref="Int8Addition.LeftShift"/> before.</param>
/// <param name="Second">Factor of the second input.</param>
/// <param name="Output">Factor of their sum.</param>
public readonly record struct AdditionFactors(Requantization First, Requantization Second, Requantization Output);

/// <summary>Real and fixed-point factors of the quantised operators, evaluated exactly as the reference's preparation does (section 3.1).</summary>
public static class RequantizationFactors
{
    /// <summary>s_in * s_w / s_out, left to right in binary64: CONV_2D, DEPTHWISE_CONV_2D and per-channel FULLY_CONNECTED.</summary>
    public static double Convolution(float inputScale, float weightScale, float outputScale) => (double)inputScale * weightScale / outputScale;

    /// <summary>The product rounded to binary32 before the division: FULLY_CONNECTED with one scale for all weights.</summary>
    public static double DensePerTensor(float inputScale, float weightScale, float outputScale)
    {
        // The cast forces binary32 even where the run time would keep more bits.
        var product = (float)(inputScale * weightScale);
        return (double)product / outputScale;
    }

    /// <summary>Factors of ADD: both inputs relative to twice the larger scale, and back.</summary>
    public static AdditionFactors Addition(float firstScale, float secondScale, float outputScale)
    {
        var twiceLarger = 2 * (double)Math.Max(firstScale, secondScale);
        return new(
            Quantize(firstScale / twiceLarger),
            Quantize(secondScale / twiceLarger),
            Quantize(twiceLarger / ((double)(1 << Int8Addition.LeftShift) * outputScale)));
    }

    /// <summary>Factor of MUL: the scales multiplied and divided in binary64 (TensorFlow Lite Micro's mul_common.cc; TensorFlow Lite itself multiplies in binary32).</summary>
    public static Requantization Product(float firstScale, float secondScale, float outputScale) => Quantize(Convolution(firstScale, secondScale, outputScale));

    /// <summary>Factor of MEAN, the division by the number of elements included (<c>int8-arithmetic.md</c> section 3.7).</summary>
    /// <param name="inputScale">Scale of the input.</param>
    /// <param name="outputScale">Scale of the output.</param>
    /// <param name="count">Elements of a mean, at least 1.</param>
    public static Requantization Mean(float inputScale, float outputScale, long count)
    {
        var (multiplier, shift) = Quantize((double)inputScale / outputScale);
        var bits = Math.Min(Math.Min((int)long.Log2(count), 32), 31 + shift);
        return new((int)(((long)multiplier << bits) / count), shift - bits);
    }

    /// <summary><see cref="FixedPoint.QuantizeMultiplier"/> as one value.</summary>
    public static Requantization Quantize(double factor)
    {
        var (multiplier, shift) = FixedPoint.QuantizeMultiplier(factor);
        return new(multiplier, shift);
    }
}

/// <summary>The scalar function of the int8 addition (section 3.5).</summary>
public static class Int8Addition
{
    /// <summary>Left shift that both inputs get before they are scaled.</summary>
    public const int LeftShift = 20;

    /// <summary>The sum of two codes with two roundings in each scaling, before zero point and clamp.</summary>
    /// <param name="first">x1 - z1.</param>
    /// <param name="second">x2 - z2.</param>
    /// <param name="factors">Prepared factors.</param>
    public static int Sum(int first, int second, in AdditionFactors factors)
    {
        var a = FixedPoint.MultiplyByQuantizedMultiplier(first << LeftShift, factors.First.Multiplier, factors.First.Shift);
        var b = FixedPoint.MultiplyByQuantizedMultiplier(second << LeftShift, factors.Second.Multiplier, factors.Second.Shift);
        return FixedPoint.MultiplyByQuantizedMultiplier(a + b, factors.Output.Multiplier, factors.Output.Shift);
    }

    /// <summary>The same with one rounding in each scaling.</summary>
    /// <param name="first">x1 - z1.</param>
    /// <param name="second">x2 - z2.</param>
    /// <param name="factors">Prepared factors.</param>
    public static int SumSingleRounding(int first, int second, in AdditionFactors factors)
    {
        var a = FixedPoint.MultiplyByQuantizedMultiplierSingleRounding(first << LeftShift, factors.First.Multiplier, factors.First.Shift);
        var b = FixedPoint.MultiplyByQuantizedMultiplierSingleRounding(second << LeftShift, factors.Second.Multiplier, factors.Second.Shift);
        return FixedPoint.MultiplyByQuantizedMultiplierSingleRounding(a + b, factors.Output.Multiplier, factors.Output.Shift);
    }

    /// <summary>The difference of two codes with two roundings in each scaling (SUB, reference/sub.h).</summary>
    /// <param name="first">x1 - z1.</param>
    /// <param name="second">x2 - z2.</param>
    /// <param name="factors">Prepared factors, those of the addition.</param>
    public static int Difference(int first, int second, in AdditionFactors factors)
    {
        var a = FixedPoint.MultiplyByQuantizedMultiplier(first << LeftShift, factors.First.Multiplier, factors.First.Shift);
        var b = FixedPoint.MultiplyByQuantizedMultiplier(second << LeftShift, factors.Second.Multiplier, factors.Second.Shift);
        return FixedPoint.MultiplyByQuantizedMultiplier(a - b, factors.Output.Multiplier, factors.Output.Shift);
    }

    /// <summary>The difference with one rounding in each scaling.</summary>
    /// <param name="first">x1 - z1.</param>
    /// <param name="second">x2 - z2.</param>
    /// <param name="factors">Prepared factors, those of the addition.</param>
    public static int DifferenceSingleRounding(int first, int second, in AdditionFactors factors)
    {
        var a = FixedPoint.MultiplyByQuantizedMultiplierSingleRounding(first << LeftShift, factors.First.Multiplier, factors.First.Shift);
        var b = FixedPoint.MultiplyByQuantizedMultiplierSingleRounding(second << LeftShift, factors.Second.Multiplier, factors.Second.Shift);
        return FixedPoint.MultiplyByQuantizedMultiplierSingleRounding(a - b, factors.Output.Multiplier, factors.Output.Shift);
    }
}
