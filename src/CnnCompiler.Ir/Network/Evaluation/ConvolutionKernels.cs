using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>
/// Conv2D, DepthwiseConv2D and Dense, as the sums of <c>int8-arithmetic.md</c> sections 3.3 and 3.4 are written: a tap outside the image adds nothing, which is
/// what a padded element equal to the zero point would add. Accumulators are int32; a sum beyond 32 bits wraps.
/// </summary>
internal static class ConvolutionKernels
{
    /// <summary>Input [N, H, W, C], weights [K, KH, KW, C / groups], result [N, OH, OW, K].</summary>
    public static void Conv2D(Conv2D layer, TensorType inputType, Tensor inputTensor, Span<sbyte> output)
    {
        var input = inputTensor.AsSpan<sbyte>();
        var weights = layer.Weights.AsSpan<sbyte>();
        var bias = layer.Bias is null ? default : layer.Bias.AsSpan<int>();
        var zeroPoint = LayerArithmetic.Required(inputType).ZeroPoint;
        var requantizer = new ChannelRequantizer(
            layer.Rounding, LayerArithmetic.Factors(layer, inputType), LayerArithmetic.Required(layer.WeightQuantization), inputType, layer.Type, layer.Activation);
        var (height, width, channels) = (inputType.Shape[1], inputType.Shape[2], inputType.Shape[3]);
        var (outputs, kernelHeight, kernelWidth, depth) = (layer.Weights.Shape[0], layer.Weights.Shape[1], layer.Weights.Shape[2], layer.Weights.Shape[3]);
        var outputsPerGroup = outputs / layer.Groups;
        var shape = layer.Type.Shape;
        var position = 0;
        for (var n = 0; n < shape[0]; n++)
        {
            for (var oy = 0; oy < shape[1]; oy++)
            {
                var rows = Taps.Of((oy * layer.Stride.Height) - layer.Padding.Top, layer.Dilation.Height, kernelHeight, height);
                for (var ox = 0; ox < shape[2]; ox++)
                {
                    var columns = Taps.Of((ox * layer.Stride.Width) - layer.Padding.Left, layer.Dilation.Width, kernelWidth, width);
                    for (var k = 0; k < outputs; k++)
                    {
                        var accumulator = bias.IsEmpty ? 0 : bias[k];
                        var firstChannel = k / outputsPerGroup * depth;
                        for (var ky = rows.First; ky < rows.End; ky++)
                        {
                            var row = ((((n * height) + rows.Index(ky)) * width) + columns.Origin) * channels;
                            var weightRow = ((k * kernelHeight) + ky) * kernelWidth;
                            for (var kx = columns.First; kx < columns.End; kx++)
                            {
                                accumulator += Dot(
                                    input.Slice(row + (kx * columns.Step * channels) + firstChannel, depth),
                                    weights.Slice((weightRow + kx) * depth, depth),
                                    zeroPoint);
                            }
                        }

                        output[position++] = requantizer.Apply(accumulator, k);
                    }
                }
            }
        }
    }

    /// <summary>Input [N, H, W, C], weights [1, KH, KW, C * multiplier], result [N, OH, OW, C * multiplier].</summary>
    public static void DepthwiseConv2D(DepthwiseConv2D layer, TensorType inputType, Tensor inputTensor, Span<sbyte> output)
    {
        var input = inputTensor.AsSpan<sbyte>();
        var weights = layer.Weights.AsSpan<sbyte>();
        var bias = layer.Bias is null ? default : layer.Bias.AsSpan<int>();
        var zeroPoint = LayerArithmetic.Required(inputType).ZeroPoint;
        var requantizer = new ChannelRequantizer(
            layer.Rounding, LayerArithmetic.Factors(layer, inputType), LayerArithmetic.Required(layer.WeightQuantization), inputType, layer.Type, layer.Activation);
        var (height, width, channels) = (inputType.Shape[1], inputType.Shape[2], inputType.Shape[3]);
        var (kernelHeight, kernelWidth, outputs) = (layer.Weights.Shape[1], layer.Weights.Shape[2], layer.Weights.Shape[3]);
        var shape = layer.Type.Shape;
        var accumulators = new int[outputs];
        var position = 0;
        for (var n = 0; n < shape[0]; n++)
        {
            for (var oy = 0; oy < shape[1]; oy++)
            {
                var rows = Taps.Of((oy * layer.Stride.Height) - layer.Padding.Top, layer.Dilation.Height, kernelHeight, height);
                for (var ox = 0; ox < shape[2]; ox++)
                {
                    var columns = Taps.Of((ox * layer.Stride.Width) - layer.Padding.Left, layer.Dilation.Width, kernelWidth, width);
                    accumulators.AsSpan().Clear();
                    bias.CopyTo(accumulators);
                    for (var ky = rows.First; ky < rows.End; ky++)
                    {
                        var row = (((n * height) + rows.Index(ky)) * width) + columns.Origin;
                        for (var kx = columns.First; kx < columns.End; kx++)
                        {
                            MultiplyAdd(
                                input.Slice((row + (kx * columns.Step)) * channels, channels),
                                weights.Slice(((ky * kernelWidth) + kx) * outputs, outputs),
                                zeroPoint,
                                layer.Multiplier,
                                accumulators);
                        }
                    }

                    for (var k = 0; k < outputs; k++)
                    {
                        output[position++] = requantizer.Apply(accumulators[k], k);
                    }
                }
            }
        }
    }

    /// <summary>Input of any rank read as [batch, in], weights [out, in], result [batch, out].</summary>
    public static void Dense(Dense layer, TensorType inputType, Tensor inputTensor, Span<sbyte> output)
    {
        var input = inputTensor.AsSpan<sbyte>();
        var weights = layer.Weights.AsSpan<sbyte>();
        var bias = layer.Bias is null ? default : layer.Bias.AsSpan<int>();
        var zeroPoint = LayerArithmetic.Required(inputType).ZeroPoint;
        var requantizer = new ChannelRequantizer(
            layer.Rounding, LayerArithmetic.Factors(layer, inputType), LayerArithmetic.Required(layer.WeightQuantization), inputType, layer.Type, layer.Activation);
        var (outputs, depth) = (layer.Weights.Shape[0], layer.Weights.Shape[1]);
        var position = 0;
        for (var batch = 0; batch < layer.Type.Shape[0]; batch++)
        {
            var row = input.Slice(batch * depth, depth);
            for (var k = 0; k < outputs; k++)
            {
                var accumulator = (bias.IsEmpty ? 0 : bias[k]) + Dot(row, weights.Slice(k * depth, depth), zeroPoint);
                output[position++] = requantizer.Apply(accumulator, k);
            }
        }
    }

    private static int Dot(ReadOnlySpan<sbyte> input, ReadOnlySpan<sbyte> weights, int zeroPoint)
    {
        var sum = 0;
        for (var i = 0; i < input.Length && i < weights.Length; i++)
        {
            sum += (input[i] - zeroPoint) * weights[i];
        }

        return sum;
    }

    private static void MultiplyAdd(ReadOnlySpan<sbyte> input, ReadOnlySpan<sbyte> weights, int zeroPoint, int multiplier, Span<int> accumulators)
    {
        if (multiplier == 1)
        {
            for (var c = 0; c < input.Length && c < weights.Length && c < accumulators.Length; c++)
            {
                accumulators[c] += (input[c] - zeroPoint) * weights[c];
            }

            return;
        }

        for (var c = 0; c < input.Length; c++)
        {
            var value = input[c] - zeroPoint;
            for (var k = c * multiplier; k < (c + 1) * multiplier; k++)
            {
                accumulators[k] += value * weights[k];
            }
        }
    }
}

/// <summary>The taps of a window along one dimension that lie inside the image: tap k reads index Origin + k * Step.</summary>
/// <param name="Origin">Index of tap 0; may be outside.</param>
/// <param name="Step">Dilation.</param>
/// <param name="First">First tap inside.</param>
/// <param name="End">One past the last tap inside.</param>
internal readonly record struct Taps(int Origin, int Step, int First, int End)
{
    public static Taps Of(int origin, int step, int kernel, int extent)
    {
        var first = origin >= 0 ? 0 : (-origin + step - 1) / step;
        var end = origin >= extent ? 0 : Math.Min(kernel, ((extent - 1 - origin) / step) + 1);
        return new(origin, step, first, Math.Max(first, end));
    }

    public int Count => End - First;

    public int Index(int tap) => Origin + (tap * Step);
}
