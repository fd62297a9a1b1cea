namespace CnnCompiler.Frontend.Tests.Tflite;

/// <summary>
/// TFLite's int8 arithmetic as <c>int8-arithmetic.md</c> section 3 writes it, from the text and not from the compiler's: what random models are checked against.
/// </summary>
internal static class ReferenceArithmetic
{
    /// <summary>Section 3.1: a factor as a number of 31 bits and a power of two.</summary>
    public static (int Q, int Shift) QuantizeMultiplier(double factor)
    {
        var shift = Math.ILogB(factor) + 1;
        var q = (long)Math.Round(Math.ScaleB(factor, 31 - shift), MidpointRounding.AwayFromZero);
        if (q == 1L << 31)
        {
            (q, shift) = (q / 2, shift + 1);
        }

        return shift < -31 ? (0, 0) : ((int)q, shift);
    }

    /// <summary>Section 3.2, two roundings.</summary>
    public static int Requantize(long value, double factor)
    {
        var (q, shift) = QuantizeMultiplier(factor);
        var high = (int)((((long)(int)(value << Math.Max(shift, 0)) * q) + (1L << 30)) >> 31);
        return Halve(high, Math.Max(-shift, 0));
    }

    /// <summary>Division by a power of two, ties away from zero.</summary>
    public static int Halve(int value, int bits)
    {
        var mask = (1L << bits) - 1;
        var rest = value & mask;
        return (int)((value >> bits) + (rest > (mask >> 1) + (value < 0 ? 1 : 0) ? 1 : 0));
    }

    /// <summary>The high half of a doubled product, ties upwards.</summary>
    public static int High(int value, int q) => (int)((((long)value * q) + (1L << 30)) >> 31);

    /// <summary>Section 3.3: a code, clamped by an activation (0 none, 1 RELU, 2 RELU_N1_TO_1, 3 RELU6) of the schema.</summary>
    public static sbyte Clamp(long code, int activation, float scale, int zero)
    {
        var low = activation switch { 1 or 3 => zero, 2 => zero + Round(-1f / scale), _ => -128 };
        var high = activation switch { 2 => zero + Round(1f / scale), 3 => zero + Round(6f / scale), _ => 127 };
        return (sbyte)Math.Min(Math.Max(code, Math.Max(-128, low)), Math.Min(127, high));
    }

    /// <summary>Section 3.5: a sum, or with <paramref name="sign"/> -1 a difference.</summary>
    public static sbyte Add(int a, int b, int sign, (float Scale, int Zero) first, (float Scale, int Zero) second, (float Scale, int Zero) result, int activation)
    {
        var twice = 2 * (double)Math.Max(first.Scale, second.Scale);
        var x = Scaled(a - first.Zero, first.Scale / twice);
        var y = Scaled(b - second.Zero, second.Scale / twice);
        var (q, shift) = QuantizeMultiplier(twice / ((1 << 20) * (double)result.Scale));
        return Clamp((long)Halve(High(x + (sign * y), q), -shift) + result.Zero, activation, result.Scale, result.Zero);

        static int Scaled(int value, double factor)
        {
            var (q, shift) = QuantizeMultiplier(factor);
            return Halve(High(value << 20, q), -shift);
        }
    }

    /// <summary>A change of scale as QUANTIZE does it.</summary>
    public static sbyte Rescale(int code, (float Scale, int Zero) from, (float Scale, int Zero) to) =>
        (sbyte)Math.Clamp((long)Requantize(code - from.Zero, (double)from.Scale / to.Scale) + to.Zero, -128, 127);

    /// <summary>Padding before the first element and number of positions of a window: SAME or VALID.</summary>
    public static (int Before, int Positions) Window(bool isSame, int extent, int kernel, int stride, int dilation)
    {
        var spread = ((kernel - 1) * dilation) + 1;
        var positions = isSame ? (extent + stride - 1) / stride : ((extent - spread) / stride) + 1;
        return (isSame ? Math.Max(0, ((positions - 1) * stride) + spread - extent) / 2 : 0, positions);
    }

    private static int Round(float value) => (int)MathF.Round(value, MidpointRounding.AwayFromZero);
}
