using System.Numerics;
using System.Runtime.CompilerServices;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// Slots of a sum of products, by the kind of its values:
/// <code>
///   values                     pre         main                     accumulator   post
///   i8, tflite-*               input - z   input * kernel           i32           clamp(requantize(acc + bias, multiplier, shift) + z', low, high)
///   i8, onnx-half-even         input - z   input * (kernel - zw)    i32           clamp(half_even_scale(acc + bias, s, s_w, s') + z', low, high)
///   i8 to i32 (raw sums)       input - z   input * (kernel - zw)    i32           acc + bias
///   fixed point                input       input * kernel           i64           clamp(shift_right_round(acc, f + f_w - f') + bias, low, high)
///   f32                        input       input * kernel           f64           acc + bias, clamped by an activation
/// </code>
/// bias, multiplier, shift and s_w are further operands, each indexed by the output channel; what is 0 is left out. One scale for all weights gives arrays of equal multipliers. Weights
/// whose channels have zero points of their own are stored less them, in i16. Where weights and bias allow sums beyond 32 bits, acc is i64, and the sum is taken modulo 2^32
/// (<see cref="Lowering.Values.Wrapped"/>) as the definition's accumulator is.
/// </summary>
/// <param name="Kernel">Name of the tensor that is the kernel operand.</param>
/// <param name="Extra">Further operands.</param>
/// <param name="Accumulator">Type of the sum.</param>
/// <param name="Pre">Program of the input.</param>
/// <param name="Main">Program of a term.</param>
/// <param name="Post">Program of the result.</param>
internal sealed record ContractionSlots(
    string Kernel, EquatableArray<OperandAccess> Extra, ElementType Accumulator, ScalarExpression Pre, ScalarExpression Main, ScalarExpression Post)
{
    /// <summary>Slots of a layer with weights.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="chain">The chain, which gets the constants.</param>
    /// <param name="weights">Weights as they are stored.</param>
    /// <param name="bias">Bias, or null.</param>
    /// <param name="factors">Prepared factors of the TFLite roundings, one an output channel; not called for others.</param>
    /// <param name="channel">The output channel.</param>
    /// <param name="rounding">Rounding scheme.</param>
    /// <param name="activation">Fused activation.</param>
    public static ContractionSlots Of(
        Layer layer,
        ChainBuilder chain,
        (Tensor Values, Quantization? Quantization) weights,
        Tensor? bias,
        Func<Requantization[]> factors,
        AffineExpression channel,
        RoundingScheme rounding,
        FusedActivation activation)
    {
        var (input, quantization) = (chain.Type(layer.Inputs[0]), weights.Quantization);
        var perChannel = quantization is { ZeroPoints.Count: > 1 } many && many.ZeroPoints.Any(zero => zero != 0);
        var kernelZero = perChannel || quantization is null ? 0 : quantization.ZeroPoint;
        var extra = new List<OperandAccess>();
        var (main, accumulator) = (Scalar.Multiply(Scalar.Input, Offset(Scalar.Kernel, kernelZero)), ElementType.Int32);
        var wraps = input.Kind() == ValueKind.Code && ExceedsInt32(layer.Type, input, weights.Values, quantization!, bias);
        accumulator = wraps ? ElementType.Int64 : accumulator;
        ScalarExpression post;
        switch (input.Kind(), layer.Type.Kind())
        {
            case (ValueKind.Real, _):
                accumulator = ElementType.Float64;
                post = Biased(Scalar.Accumulator);
                break;
            case (ValueKind.Fixed, _):
                accumulator = ElementType.Int64;
                post = Biased(Values.Rescaled(Scalar.Accumulator, Values.Fraction(input) + Values.Fraction(quantization!.Scale), Values.Fraction(layer.Type)));
                break;
            case (_, ValueKind.Fixed):
                post = Sum();
                break;
            case (_, _) when rounding == RoundingScheme.OnnxHalfEven:
                var sum = Sum();
                post = HalfEven(sum, input, Operand("scale", Scales(quantization!, factors().Length)), layer.Type);
                break;
            default:
                sum = Sum();
                var prepared = factors();
                var shape = Shape.Of(prepared.Length);
                var multiplier = Operand("multiplier", Tensor.From<int>(ElementType.Int32, shape, prepared.Select(factor => factor.Multiplier).ToArray()));
                var shift = Operand("shift", Tensor.From<int>(ElementType.Int32, shape, prepared.Select(factor => factor.Shift).ToArray()));
                post = Scalar.Add(Scalar.Requantize(rounding, sum, multiplier, shift), Scalar.Literal(ChainBuilder.ZeroPoint(layer.Type)));
                break;
        }

        var kernel = chain.Constant(layer, "weights", perChannel ? Centred(weights.Values, quantization!) : weights.Values);
        return new(kernel, extra.ToEquatableArray(), accumulator, chain.WithoutZeroPoint(layer.Inputs[0]), main, Clamped(post, activation, input, layer.Type));

        ScalarExpression Sum() => wraps ? Values.Wrapped(Biased(Scalar.Accumulator)) : Biased(Scalar.Accumulator);

        ScalarExpression Biased(ScalarExpression value) => bias is null ? value : Scalar.Add(value, Operand("bias", bias));

        ScalarExpression Operand(string part, Tensor value)
        {
            extra.Add(new(chain.Constant(layer, part, value), [channel]));
            return Scalar.Extra(extra.Count - 1);
        }
    }

    /// <summary>Slots of the product of two values.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="chain">The chain.</param>
    /// <param name="terms">Products a sum.</param>
    /// <param name="factor">The prepared factor of the TFLite roundings; not called for others.</param>
    /// <param name="rounding">Rounding scheme.</param>
    /// <param name="activation">Fused activation.</param>
    public static ContractionSlots OfValues(Layer layer, ChainBuilder chain, int terms, Func<Requantization> factor, RoundingScheme rounding, FusedActivation activation)
    {
        var (first, second, result) = (chain.Type(layer.Inputs[0]), chain.Type(layer.Inputs[1]), layer.Type);
        var wraps = first.Kind() == ValueKind.Code && terms * LargestInput(ChainBuilder.ZeroPoint(first)) * LargestInput(ChainBuilder.ZeroPoint(second)) > int.MaxValue;
        var (sum, sumType) = wraps ? (Values.Wrapped(Scalar.Accumulator), ElementType.Int64) : (Scalar.Accumulator, ElementType.Int32);
        var (post, accumulator) = (first.Kind(), result.Kind()) switch
        {
            (ValueKind.Real, _) => (Scalar.Accumulator, ElementType.Float64),
            (ValueKind.Fixed, _) => (Values.Rescaled(Scalar.Accumulator, Values.Fraction(first) + Values.Fraction(second), Values.Fraction(result)), ElementType.Int64),
            (_, ValueKind.Fixed) => (sum, sumType),
            _ when rounding == RoundingScheme.OnnxHalfEven => (HalfEven(sum, first, Scalar.Real(second.Quantization!.Scale), result), sumType),
            _ => (Requantized(factor()), sumType),
        };
        return new(
            layer.Inputs[1],
            [],
            accumulator,
            chain.WithoutZeroPoint(layer.Inputs[0]),
            Scalar.Multiply(Scalar.Input, Offset(Scalar.Kernel, second.Kind() == ValueKind.Code ? ChainBuilder.ZeroPoint(second) : 0)),
            Clamped(post, activation, first, result));

        ScalarExpression Requantized(Requantization prepared) => Scalar.Add(
            Scalar.Requantize(rounding, sum, Scalar.Literal(prepared.Multiplier), Scalar.Literal(prepared.Shift)), Scalar.Literal(ChainBuilder.ZeroPoint(result)));
    }

    /// <summary>The ONNX requantisation: half_even_scale(sum, s, s_w, s') + z'.</summary>
    public static ScalarExpression HalfEven(ScalarExpression sum, TensorType input, ScalarExpression kernelScale, TensorType result) => Scalar.Add(
        Scalar.Call(ScalarFunction.HalfEvenScale, sum, Scalar.Real(input.Quantization!.Scale), kernelScale, Scalar.Real(result.Quantization!.Scale)),
        Scalar.Literal(ChainBuilder.ZeroPoint(result)));

    // Whether any input could lead to a sum beyond 32 bits.
    private static bool ExceedsInt32(TensorType result, TensorType input, Tensor weights, Quantization quantization, Tensor? bias)
    {
        var (zero, low, high) = (ChainBuilder.ZeroPoint(input), (long)quantization.ZeroPoints.Min(), (long)quantization.ZeroPoints.Max());
        var (least, most) = Extremes(weights.AsSpan<sbyte>());
        var largestWeight = Math.Max(most - low, high - least);
        var largestBias = 0L;
        foreach (var value in bias is null ? [] : bias.AsSpan<int>())
        {
            largestBias = Math.Max(largestBias, Math.Abs((long)value));
        }

        var terms = weights.Shape.Elements / result.Shape.Dimensions[^1];
        return (terms * largestWeight * LargestInput(zero)) + largestBias > int.MaxValue;
    }

    /// <summary>The least and the largest of some codes; there is one at least.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (sbyte Least, sbyte Most) Extremes(ReadOnlySpan<sbyte> codes)
    {
        var (least, most, rest) = (codes[0], codes[0], 0);
        if (codes.Length >= Vector<sbyte>.Count)
        {
            var (low, high) = (new Vector<sbyte>(codes), new Vector<sbyte>(codes));
            for (; rest <= codes.Length - Vector<sbyte>.Count; rest += Vector<sbyte>.Count)
            {
                var several = new Vector<sbyte>(codes[rest..]);
                (low, high) = (Vector.Min(low, several), Vector.Max(high, several));
            }

            for (var lane = 0; lane < Vector<sbyte>.Count; lane++)
            {
                (least, most) = (Math.Min(least, low[lane]), Math.Max(most, high[lane]));
            }
        }

        foreach (var code in codes[rest..])
        {
            (least, most) = (Math.Min(least, code), Math.Max(most, code));
        }

        return (least, most);
    }

    private static long LargestInput(int zero) => Math.Max(sbyte.MaxValue - (long)zero, zero - (long)sbyte.MinValue);

    // A raw sum is what the accumulator is.
    private static ScalarExpression Clamped(ScalarExpression post, FusedActivation activation, TensorType input, TensorType result) =>
        (input.Kind(), result.Kind(), activation) is (ValueKind.Code, ValueKind.Fixed, FusedActivation.None) ? post : Values.Clamp(post, activation, result);

    private static ScalarExpression Offset(ScalarExpression value, int zeroPoint) => zeroPoint == 0 ? value : Scalar.Subtract(value, Scalar.Literal(zeroPoint));

    private static Tensor Scales(Quantization quantization, int channels) => Tensor.From<float>(
        ElementType.Float32, Shape.Of(channels), Enumerable.Range(0, channels).Select(channel => quantization.Scales[quantization.Scales.Count > 1 ? channel : 0]).ToArray());

    private static Tensor Centred(Tensor weights, Quantization quantization)
    {
        var inner = 1L;
        for (var d = quantization.Axis + 1; d < weights.Shape.Rank; d++)
        {
            inner *= weights.Shape[d];
        }

        var values = new short[weights.Shape.Elements];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (short)(weights.GetInteger(i) - quantization.ZeroPoints[(int)(i / inner % weights.Shape[quantization.Axis])]);
        }

        return Tensor.From<short>(ElementType.Int16, weights.Shape, values);
    }
}
