using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Network;

/// <summary>
/// The integers that layers compute with, prepared from scales exactly as the reference does (<c>int8-arithmetic.md</c> section 3.1). The evaluator
/// and the lowering both take them from here.
/// </summary>
public static class LayerArithmetic
{
    /// <summary>Clamp range of an activation on codes of <paramref name="type"/>.</summary>
    public static ActivationRange Range(FusedActivation activation, TensorType type)
    {
        var quantization = Required(type);
        return activation switch
        {
            FusedActivation.None => ActivationRange.Int8,
            FusedActivation.Relu => ActivationRange.Relu(quantization.ZeroPoint),
            FusedActivation.Relu6 => ActivationRange.Relu6(quantization.Scale, quantization.ZeroPoint),
            FusedActivation.ReluN1To1 => ActivationRange.ReluN1To1(quantization.Scale, quantization.ZeroPoint),
            _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "unknown activation"),
        };
    }

    /// <summary>Factor of each output channel of a convolution; one scale for all weights gives equal factors.</summary>
    public static Requantization[] Factors(Conv2D layer, TensorType input) =>
        ConvolutionFactors(layer.WeightQuantization, input, layer.Type, layer.Weights.Shape[0]);

    /// <summary>Factor of each output channel of a depthwise convolution.</summary>
    public static Requantization[] Factors(DepthwiseConv2D layer, TensorType input) =>
        ConvolutionFactors(layer.WeightQuantization, input, layer.Type, layer.Weights.Shape[3]);

    /// <summary>Factor of each output of a dense layer. One scale for all weights takes the binary32 product (section 3.1).</summary>
    public static Requantization[] Factors(Dense layer, TensorType input)
    {
        var weights = Required(layer.WeightQuantization);
        if (weights.Scales.Count > 1)
        {
            return ConvolutionFactors(weights, input, layer.Type, layer.Weights.Shape[0]);
        }

        var factors = new Requantization[layer.Weights.Shape[0]];
        Array.Fill(factors, RequantizationFactors.Quantize(RequantizationFactors.DensePerTensor(Required(input).Scale, weights.Scale, Required(layer.Type).Scale)));
        return factors;
    }

    /// <summary>Factors of an addition (section 3.5).</summary>
    public static AdditionFactors Factors(Add layer, TensorType first, TensorType second) =>
        RequantizationFactors.Addition(Required(first).Scale, Required(second).Scale, Required(layer.Type).Scale);

    /// <summary>Factor of each output channel of a 3-D convolution.</summary>
    public static Requantization[] Factors(Conv3D layer, TensorType input) =>
        ConvolutionFactors(layer.WeightQuantization, input, layer.Type, layer.Weights.Shape[0]);

    /// <summary>Factor of each output channel of a transposed convolution (TRANSPOSE_CONV prepares as CONV_2D does).</summary>
    public static Requantization[] Factors(Conv2DTranspose layer, TensorType input) =>
        ConvolutionFactors(layer.WeightQuantization, input, layer.Type, layer.Weights.Shape[0]);

    /// <summary>Factor of a product of two values (BATCH_MATMUL prepares as FULLY_CONNECTED with one scale does).</summary>
    public static Requantization Factor(MatMul layer, TensorType first, TensorType second) =>
        RequantizationFactors.Quantize(RequantizationFactors.DensePerTensor(Required(first).Scale, Required(second).Scale, Required(layer.Type).Scale));

    /// <summary>Factors of a subtraction, which are those of an addition.</summary>
    public static AdditionFactors Factors(Sub layer, TensorType first, TensorType second) =>
        RequantizationFactors.Addition(Required(first).Scale, Required(second).Scale, Required(layer.Type).Scale);

    /// <summary>Factor of an element-wise product.</summary>
    public static Requantization Factor(Mul layer, TensorType first, TensorType second) =>
        RequantizationFactors.Product(Required(first).Scale, Required(second).Scale, Required(layer.Type).Scale);

    /// <summary>Factor of a mean of so many elements.</summary>
    public static Requantization Factor(Mean layer, TensorType input, long count) =>
        RequantizationFactors.Mean(Required(input).Scale, Required(layer.Type).Scale, count);

    /// <summary>Bits after the binary point of a fixed-point value, whose scale is 2^-f.</summary>
    public static int Fraction(TensorType type) => Fraction(Required(type).Scale);

    /// <summary>Bits after the binary point of a fixed-point scale 2^-f.</summary>
    public static int Fraction(float scale) => -Math.ILogB(scale);

    /// <summary>Range that an activation clamps fixed-point numbers to: at most that of i32.</summary>
    public static (long Low, long High) FixedRange(FusedActivation activation, TensorType type) => activation switch
    {
        FusedActivation.Relu => (0, int.MaxValue),
        FusedActivation.Relu6 => (0, Math.Min(6L << Fraction(type), int.MaxValue)),
        FusedActivation.ReluN1To1 => (-1L << Fraction(type), 1L << Fraction(type)),
        _ => (int.MinValue, int.MaxValue),
    };

    /// <summary>
    /// True where no sum of products of stored fixed-point weights with any i32 values exceeds 63 bits, the rounding of the rescaling included. Each output sums over the dimensions
    /// <paramref name="from"/> to <paramref name="to"/> (exclusive) of the weights.
    /// </summary>
    /// <param name="weights">i32 weights.</param>
    /// <param name="from">First dimension that is summed over.</param>
    /// <param name="to">The dimension after the last.</param>
    /// <param name="shift">Bits that the sum is shifted right by, 0 to 62.</param>
    public static bool FixedSumsFit(Tensor weights, int from, int to, int shift)
    {
        var dimensions = weights.Shape.Dimensions.AsSpan();
        var (terms, inner) = (Product(dimensions[from..to]), Product(dimensions[to..]));
        var values = weights.AsSpan<int>();
        var limit = (((Int128)1 << 63) - 1 - (shift > 0 ? (Int128)1 << (shift - 1) : 0)) >> 31;
        for (var start = 0; start < values.Length; start += terms * inner)
        {
            for (var column = 0; column < inner; column++)
            {
                var sum = 0L;
                for (var term = 0; term < terms; term++)
                {
                    sum += Math.Abs((long)values[start + (term * inner) + column]);
                }

                if (sum > limit)
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>Prepared integers of a softmax (section 3.8).</summary>
    public static (int Multiplier, int LeftShift, int DiffMin) Prepare(Softmax layer, TensorType input) =>
        Int8Softmax.Prepare(layer.Beta, Required(input).Scale);

    /// <summary>Scale of one channel's weights.</summary>
    internal static float ScaleOf(Quantization weights, int channel) => weights.Scales.Count > 1 ? weights.Scales[channel] : weights.Scale;

    /// <summary>The quantisation that a verified graph has.</summary>
    internal static Quantization Required(TensorType type) => Required(type.Quantization);

    /// <summary>The quantisation that a verified graph has.</summary>
    internal static Quantization Required(Quantization? quantization) =>
        quantization ?? throw new InvalidOperationException("a value without quantisation passed the verifier");

    private static int Product(ReadOnlySpan<int> extents)
    {
        var product = 1;
        foreach (var extent in extents)
        {
            product *= extent;
        }

        return product;
    }

    private static Requantization[] ConvolutionFactors(Quantization? weightQuantization, TensorType input, TensorType output, int channels)
    {
        var weights = Required(weightQuantization);
        var (inputScale, outputScale) = (Required(input).Scale, Required(output).Scale);
        var factors = new Requantization[channels];
        for (var channel = 0; channel < channels; channel++)
        {
            factors[channel] = RequantizationFactors.Quantize(RequantizationFactors.Convolution(inputScale, ScaleOf(weights, channel), outputScale));
        }

        return factors;
    }
}
