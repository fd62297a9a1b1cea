using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Passes.Lowering;

/// <summary>How the elements of a value stand for numbers.</summary>
internal enum ValueKind
{
    /// <summary>8-bit codes with scale and zero point.</summary>
    Code,

    /// <summary>i32 with a power of two as scale and zero point 0; and raw sums of products of codes.</summary>
    Fixed,

    /// <summary>f32.</summary>
    Real,
}

/// <summary>What lowering asks about values, and what follows from it for scalar programs.</summary>
internal static class Values
{
    /// <summary>The kind of a value.</summary>
    public static ValueKind Kind(this TensorType type) => type.Element switch
    {
        ElementType.Float32 or ElementType.Float64 => ValueKind.Real,
        ElementType.Int32 or ElementType.Int64 => ValueKind.Fixed,
        _ => ValueKind.Code,
    };

    /// <summary>Bits after the binary point of a fixed-point scale: 2^-f has f.</summary>
    public static int Fraction(float scale) => -Math.ILogB(scale);

    /// <summary>Bits after the binary point of a fixed-point value.</summary>
    public static int Fraction(TensorType type) => Fraction(type.Quantization!.Scale);

    /// <summary>Type of a value inside a layer, f64 where the layer computes with reals and i64 where with integers.</summary>
    public static TensorType Inside(TensorType type, Shape shape) => new(type.Kind() == ValueKind.Real ? ElementType.Float64 : ElementType.Int64, shape);

    /// <summary>The accumulator of copies and maxima of a value.</summary>
    public static ElementType Accumulator(TensorType type) => type.Kind() == ValueKind.Real ? ElementType.Float64 : ElementType.Int32;

    /// <summary>
    /// A result in its element type's range and its activation's: codes clamp to that of the activation (which is all codes without one), fixed-point values saturate to 32 bits, reals are
    /// clamped by an activation only.
    /// </summary>
    public static ScalarExpression Clamp(ScalarExpression value, FusedActivation activation, TensorType type)
    {
        switch (type.Kind())
        {
            case ValueKind.Code:
                var range = LayerArithmetic.Range(activation, type);
                return Scalar.Clamp(value, range.Low, range.High);
            case ValueKind.Fixed:
                var one = type.Quantization is { } quantization && activation != FusedActivation.None ? Fraction(quantization.Scale) : 0;
                var (low, high) = activation switch
                {
                    FusedActivation.Relu => (0L, int.MaxValue),
                    FusedActivation.Relu6 => (0L, Math.Min(6L << one, int.MaxValue)),
                    FusedActivation.ReluN1To1 => (-1L << one, 1L << one),
                    _ => (int.MinValue, (long)int.MaxValue),
                };
                return Scalar.Clamp(value, low, high);
            default:
                return activation switch
                {
                    FusedActivation.Relu => Scalar.Maximum(value, Scalar.Real(0)),
                    FusedActivation.Relu6 => Scalar.Clamp(value, 0.0, 6.0),
                    FusedActivation.ReluN1To1 => Scalar.Clamp(value, -1.0, 1.0),
                    _ => value,
                };
        }
    }

    /// <summary>
    /// A sum with so many bits after the binary point as one with those of a result: (sum + 2^(s - 1)) >> s for s bits fewer, a left shift for more.
    /// </summary>
    public static ScalarExpression Rescaled(ScalarExpression sum, int from, int to) => (from - to) switch
    {
        0 => sum,
        > 0 and var fewer => Scalar.Call(ScalarFunction.ShiftRightRound, sum, Scalar.Literal(fewer)),
        var more => Scalar.ShiftLeft(sum, -more),
    };

    /// <summary>A sum that may exceed 32 bits as the i32 accumulator of the definition holds it, modulo 2^32: less the multiple of 2^32 that leaves -2^31 to 2^31 - 1.</summary>
    public static ScalarExpression Wrapped(ScalarExpression sum) => Scalar.Subtract(
        sum, Scalar.ShiftLeft(Scalar.Call(ScalarFunction.ShiftRight, Scalar.Add(sum, Scalar.Literal(1L << 31)), Scalar.Literal(32)), 32));
}
