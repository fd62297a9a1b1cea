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
