using System.Runtime.Intrinsics;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Samples.Digits;

namespace CnnCompiler.Samples.Training;

/// <summary>
/// Post-training quantisation in TFLite's scheme (Jacob and others, "Quantization and training of neural networks for efficient
/// integer-arithmetic-only inference", CVPR 2018, and TFLite's 8-bit quantisation specification): int8 weights, symmetric, with one scale for each
/// filter of a convolution and one for a dense layer; int8 activations, asymmetric, with the range seen on calibration digits; int32 biases of
/// scale input * weights.
/// </summary>
internal static class Quantizer
{
    /// <summary>Scale of the network's input: a grey value of 255 is 1.</summary>
    private const float InputScale = 1f / 255;

    /// <summary>
    /// The arrays of the weight file: for each layer with weights <c>weights</c> i8, <c>bias</c> i32, <c>weights_scale</c> f32, and <c>scale</c>
    /// f32 and <c>zero_point</c> i32 of its result.
    /// </summary>
    /// <param name="network">The trained network.</param>
    /// <param name="calibrationDigits">Number of training digits that set the ranges; a multiple of eight.</param>
    public static SortedDictionary<string, Tensor> Quantize(LeNet5 network, int calibrationDigits)
    {
        var ranges = Ranges(network, calibrationDigits);
        var arrays = new SortedDictionary<string, Tensor>(StringComparer.Ordinal);
        var inputScale = InputScale;
        for (var i = 0; i < network.Layers.Length; i++)
        {
            // Pooling keeps the quantisation of its input.
            if (network.Layers[i].Parameters is { } parameters)
            {
                var (scale, zeroPoint) = Asymmetric(ranges[i]);
                AddParameters(arrays, parameters, inputScale);
                arrays[$"{parameters.Name}.scale"] = Tensor.From(ElementType.Float32, Shape.Of(1), [scale]);
                arrays[$"{parameters.Name}.zero_point"] = Tensor.From(ElementType.Int32, Shape.Of(1), [zeroPoint]);
                inputScale = scale;
            }
        }

        return arrays;
    }

    /// <summary>Smallest and largest value of each layer's result.</summary>
    private static (float Low, float High)[] Ranges(LeNet5 network, int count)
    {
        var low = new Vector256<float>[network.Layers.Length];
        var high = new Vector256<float>[network.Layers.Length];
        var digits = new Digit[LeNet5.Lanes];
        for (var first = 0; first < count; first += digits.Length)
        {
            for (var lane = 0; lane < digits.Length; lane++)
            {
                digits[lane] = DigitGenerator.Generate(DigitSet.Training, first + lane);
            }

            network.Forward(digits);
            for (var i = 0; i < network.Layers.Length; i++)
            {
                foreach (var value in network.Layers[i].Output)
                {
                    low[i] = Vector256.Min(low[i], value);
                    high[i] = Vector256.Max(high[i], value);
                }
            }
        }

        return [.. low.Zip(high, (l, h) => (Lanes(l).Min(), Lanes(h).Max()))];
    }

    private static float[] Lanes(Vector256<float> vector)
    {
        var lanes = new float[Vector256<float>.Count];
        vector.CopyTo(lanes);
        return lanes;
    }

    /// <summary>Scale and zero point such that the range, widened to hold 0, fills -128 to 127 and 0 is a code.</summary>
    private static (float Scale, int ZeroPoint) Asymmetric((float Low, float High) range)
    {
        var low = Math.Min(range.Low, 0);
        var scale = (Math.Max(range.High, 0) - low) / 255;
        return (scale, (int)Math.Clamp(Math.Round(sbyte.MinValue - (low / scale)), sbyte.MinValue, sbyte.MaxValue));
    }

    private static void AddParameters(SortedDictionary<string, Tensor> arrays, Parameters parameters, float inputScale)
    {
        var isConvolution = parameters.Shape.Length == 4;
        var weights = parameters.Values.AsSpan(0, parameters.BiasStart);
        var scales = new float[isConvolution ? parameters.Outputs : 1];
        for (var i = 0; i < scales.Length; i++)
        {
            var share = weights.Length / scales.Length;
            var largest = 0f;
            foreach (var weight in weights.Slice(i * share, share))
            {
                largest = Math.Max(largest, Math.Abs(weight));
            }

            scales[i] = largest / sbyte.MaxValue;
        }

        var codes = new sbyte[weights.Length];
        for (var i = 0; i < codes.Length; i++)
        {
            codes[i] = (sbyte)Math.Round(weights[i] / scales[isConvolution ? i / parameters.FanIn : 0]);
        }

        var biases = new int[parameters.Outputs];
        for (var i = 0; i < biases.Length; i++)
        {
            var scale = (double)inputScale * scales[isConvolution ? i : 0];
            biases[i] = (int)Math.Round(parameters.Values[parameters.BiasStart + i] / scale);
        }

        arrays[$"{parameters.Name}.weights"] = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(parameters.Shape), codes);
        arrays[$"{parameters.Name}.weights_scale"] = Tensor.From<float>(ElementType.Float32, Shape.Of(scales.Length), scales);
        arrays[$"{parameters.Name}.bias"] = Tensor.From<int>(ElementType.Int32, Shape.Of(biases.Length), biases);
    }
}
