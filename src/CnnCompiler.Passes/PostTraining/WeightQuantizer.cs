using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.PostTraining;

/// <summary>
/// Weights as int8 with a scale for each output channel and zero point 0, biases as int32 of scale input * weight (<c>int8-arithmetic.md</c> section 2). Codes are -127 to 127.
/// </summary>
internal static class WeightQuantizer
{
    // A bias beyond would leave no room for the sums of products.
    private const double LargestBias = 1 << 30;

    /// <summary>The layer on int8.</summary>
    /// <param name="layer">A layer with f32 weights; its type is already that of the result.</param>
    /// <param name="input">Quantisation of its operand.</param>
    /// <param name="mean">Mean of its operand over the samples, with which the bias makes up for the rounding of weights; null to leave it.</param>
    /// <param name="inputShape">Shape of its operand.</param>
    public static Layer Quantize(Layer layer, Quantization input, Tensor? mean, Shape inputShape)
    {
        var (weights, axis) = layer.StoredWeights()!.Value;
        var channels = weights.Shape[axis];
        var bias = (layer.Attribute(LayerEdits.Bias) as Tensor)?.AsSpan<float>().ToArray();
        var scales = Scales(layer, weights.AsSpan<float>(), axis, channels, bias, input.Scale);
        var codes = new sbyte[weights.Shape.Elements];
        var errors = new float[codes.Length];
        var real = weights.AsSpan<float>();
        for (var i = 0; i < codes.Length; i++)
        {
            var scale = scales[LayerEdits.ChannelOf(weights, axis, i)];
            codes[i] = (sbyte)Math.Clamp(Math.Round((double)real[i] / scale, MidpointRounding.AwayFromZero), -sbyte.MaxValue, sbyte.MaxValue);
            errors[i] = (float)(real[i] - ((double)codes[i] * scale));
        }

        if (mean is not null)
        {
            bias ??= new float[channels];
            var shifts = Shifts(layer, LayerEdits.Real(weights.Shape, errors), mean, inputShape, channels);
            for (var c = 0; c < channels; c++)
            {
                bias[c] = (float)(bias[c] + shifts[c]);
            }
        }

        var biases = bias is null ? null : Array.ConvertAll(Enumerable.Range(0, channels).ToArray(), c => Bias(bias[c], (double)input.Scale * scales[c]));
        return layer.With(
            (LayerEdits.Weights, Tensor.From<sbyte>(ElementType.Int8, weights.Shape, codes)),
            (LayerEdits.Scales, new Quantization(EquatableArray.Create<float>(scales), EquatableArray.Create<int>(new int[channels]), axis)),
            (LayerEdits.Bias, biases is null ? null : Tensor.From<int>(ElementType.Int32, Shape.Of(channels), biases)),
            (LayerEdits.Rounding, RoundingScheme.TfliteDouble));
    }

    private static float[] Scales(Layer layer, ReadOnlySpan<float> weights, int axis, int channels, float[]? bias, float input)
    {
        var largest = new double[channels];
        for (var i = 0; i < weights.Length; i++)
        {
            if (!float.IsFinite(weights[i]))
            {
                throw new DiagnosticException(QuantizationDiagnostics.WeightsNotFinite(layer));
            }

            var channel = axis == 0 ? i / (weights.Length / channels) : i % channels;
            largest[channel] = Math.Max(largest[channel], Math.Abs((double)weights[i]));
        }

        var scales = new float[channels];
        for (var c = 0; c < channels; c++)
        {
            // A channel of small weights has a scale large enough for its bias; one of zeros has a factor of 1.
            var scale = Math.Max(largest[c] / sbyte.MaxValue, bias is null ? 0 : Math.Abs((double)bias[c]) / (input * LargestBias));
            scales[c] = (float)(scale > 1e-30 ? scale : (double)layer.Type.Quantization!.Scale / input);
        }

        return scales;
    }

    private static int Bias(double value, double scale) => (int)Math.Clamp(Math.Round(value / scale, MidpointRounding.AwayFromZero), -LargestBias, LargestBias);

    // A layer is linear: what the errors of its weights add to the mean of its result is what they make of the mean of its operand (Nagel et al. 2019, section 4.2, with the borders as they are).
    private static double[] Shifts(Layer layer, Tensor errors, Tensor mean, Shape inputShape, int channels)
    {
        var input = new TensorType(ElementType.Float32, inputShape);
        var real = (layer with { Type = new(ElementType.Float32, layer.Type.Shape) })
            .With((LayerEdits.Weights, errors), (LayerEdits.Scales, null), (LayerEdits.Bias, null), (LayerEdits.Activation, FusedActivation.None));
        var problems = new DiagnosticBag();
        var shifts = new double[channels];
        if (NetworkEvaluator.EvaluateLayer(real, [input], [mean.Reshape(inputShape)], problems) is not { } result)
        {
            throw new DiagnosticException(problems.Diagnostics[0]);
        }

        var results = result.AsSpan<float>();
        for (var i = 0; i < results.Length; i++)
        {
            shifts[i % channels] += results[i];
        }

        for (var c = 0; c < channels; c++)
        {
            shifts[c] /= results.Length / channels;
        }

        return shifts;
    }
}
