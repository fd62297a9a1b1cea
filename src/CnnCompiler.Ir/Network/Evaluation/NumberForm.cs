using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>What the elements of a value stand for in arithmetic.</summary>
internal enum NumberForm
{
    /// <summary>i8 and u8 codes with scale and zero point.</summary>
    Code,

    /// <summary>i32: fixed point, or sums of products of codes.</summary>
    Fixed,

    /// <summary>f32.</summary>
    Real,
}

/// <summary>What kernels ask about types.</summary>
internal static class NumberForms
{
    public static NumberForm Form(this TensorType type) => type.Element switch
    {
        ElementType.Float32 => NumberForm.Real,
        ElementType.Int32 => NumberForm.Fixed,
        _ => NumberForm.Code,
    };

    public static int ZeroPoint(this TensorType type) => type.Quantization?.ZeroPoint ?? 0;

    /// <summary>Product of the extents of some dimensions.</summary>
    public static int Extent(this Shape shape, int from, int to)
    {
        var product = 1;
        for (var dimension = from; dimension < to; dimension++)
        {
            product *= shape[dimension];
        }

        return product;
    }

    /// <summary>A real result clamped by an activation.</summary>
    public static double Activate(double value, FusedActivation activation) => activation switch
    {
        FusedActivation.Relu => Math.Max(value, 0),
        FusedActivation.Relu6 => Math.Min(Math.Max(value, 0), 6),
        FusedActivation.ReluN1To1 => Math.Min(Math.Max(value, -1), 1),
        _ => value,
    };

    /// <summary>A value saturated to i32.</summary>
    public static int Saturate(long value) => (int)Math.Clamp(value, int.MinValue, int.MaxValue);
}

/// <summary>Arithmetic of elements and their sums: a struct for each, so that kernels are compiled for it.</summary>
/// <typeparam name="T">Element.</typeparam>
/// <typeparam name="TSum">Sum of elements and of products.</typeparam>
internal interface INumbers<T, TSum>
{
    /// <summary>An element as a sum.</summary>
    static abstract TSum Widen(T value);

    /// <summary>sum + x * w.</summary>
    static abstract TSum MultiplyAdd(TSum sum, T x, T w);

    /// <summary>sum + x.</summary>
    static abstract TSum Add(TSum sum, T x);

    /// <summary>The larger.</summary>
    static abstract TSum Larger(TSum a, T b);
}

/// <summary>Codes less their zero points; sums wrap at 32 bits, as the reference kernels' do.</summary>
internal readonly struct CodeNumbers : INumbers<short, int>
{
    public static int Widen(short value) => value;

    public static int MultiplyAdd(int sum, short x, short w) => sum + (x * w);

    public static int Add(int sum, short x) => sum + x;

    public static int Larger(int a, short b) => Math.Max(a, b);
}

/// <summary>Fixed point; a sum beyond 64 bits is an <see cref="OverflowException"/>, which the evaluator reports.</summary>
internal readonly struct FixedNumbers : INumbers<int, long>
{
    public static long Widen(int value) => value;

    public static long MultiplyAdd(long sum, int x, int w) => checked(sum + ((long)x * w));

    public static long Add(long sum, int x) => sum + x;

    public static long Larger(long a, int b) => Math.Max(a, b);
}

/// <summary>Reals: products of binary32 numbers are exact in binary64, sums are rounded to it.</summary>
internal readonly struct RealNumbers : INumbers<float, double>
{
    public static double Widen(float value) => value;

    public static double MultiplyAdd(double sum, float x, float w) => sum + ((double)x * w);

    public static double Add(double sum, float x) => sum + x;

    public static double Larger(double a, float b) => Math.Max(a, b);
}
