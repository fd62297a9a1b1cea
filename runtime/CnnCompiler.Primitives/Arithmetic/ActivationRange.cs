namespace CnnCompiler.Primitives.Arithmetic;

/// <summary>Inclusive range that codes are clamped to.</summary>
/// <param name="Low">Smallest code.</param>
/// <param name="High">Largest code.</param>
public readonly record struct ActivationRange(int Low, int High)
{
    /// <summary>All int8 codes: no activation.</summary>
    public static readonly ActivationRange Int8 = new(sbyte.MinValue, sbyte.MaxValue);

    /// <summary>max(0, x).</summary>
    /// <param name="zeroPoint">Zero point of the output.</param>
    public static ActivationRange Relu(int zeroPoint) => Int8 with { Low = Math.Max(Int8.Low, zeroPoint) };

    /// <summary>min(max(0, x), 6).</summary>
    /// <param name="scale">Scale of the output.</param>
    /// <param name="zeroPoint">Zero point of the output.</param>
    public static ActivationRange Relu6(float scale, int zeroPoint) =>
        new(Math.Max(Int8.Low, zeroPoint), Math.Min(Int8.High, Code(6f, scale, zeroPoint)));

    /// <summary>min(max(-1, x), 1).</summary>
    /// <param name="scale">Scale of the output.</param>
    /// <param name="zeroPoint">Zero point of the output.</param>
    public static ActivationRange ReluN1To1(float scale, int zeroPoint) =>
        new(Math.Max(Int8.Low, Code(-1f, scale, zeroPoint)), Math.Min(Int8.High, Code(1f, scale, zeroPoint)));

    /// <summary>The code clamped to the range.</summary>
    public int Clamp(int code) => Math.Min(Math.Max(code, Low), High);

    // int8-arithmetic.md section 3.1: division in binary32, half away from zero. A tiny scale saturates instead of wrapping.
    private static int Code(float real, float scale, int zeroPoint)
    {
        var steps = Math.Round((double)(float)(real / scale), MidpointRounding.AwayFromZero);
        return (int)Math.Clamp(zeroPoint + steps, int.MinValue, int.MaxValue);
    }
}
