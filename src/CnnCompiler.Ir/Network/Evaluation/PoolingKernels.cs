using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>Max and average pooling over the taps inside the image, on raw codes (<c>int8-arithmetic.md</c> section 3.6).</summary>
internal static class PoolingKernels
{
    /// <summary>Input [N, H, W, C], result [N, OH, OW, C].</summary>
    public static void MaxPool2D(MaxPool2D layer, TensorType inputType, Tensor input, Span<sbyte> output) =>
        Pool(layer.Kernel, layer.Stride, layer.Padding, LayerArithmetic.Range(layer.Activation, layer.Type), inputType.Shape, layer.Type.Shape, input, output, average: false);

    /// <summary>Input [N, H, W, C], result [N, OH, OW, C].</summary>
    public static void AveragePool2D(AveragePool2D layer, TensorType inputType, Tensor input, Span<sbyte> output) =>
        Pool(layer.Kernel, layer.Stride, layer.Padding, LayerArithmetic.Range(layer.Activation, layer.Type), inputType.Shape, layer.Type.Shape, input, output, average: true);

    private static void Pool(
        Spatial kernel, Spatial stride, Padding padding, ActivationRange range, Shape inputShape, Shape outputShape, Tensor tensor, Span<sbyte> output, bool average)
    {
        var input = tensor.AsSpan<sbyte>();
        var (height, width, channels) = (inputShape[1], inputShape[2], inputShape[3]);
        var reduced = new int[channels];
        var position = 0;
        for (var n = 0; n < outputShape[0]; n++)
        {
            for (var oy = 0; oy < outputShape[1]; oy++)
            {
                var rows = Taps.Of((oy * stride.Height) - padding.Top, 1, kernel.Height, height);
                for (var ox = 0; ox < outputShape[2]; ox++)
                {
                    var columns = Taps.Of((ox * stride.Width) - padding.Left, 1, kernel.Width, width);
                    reduced.AsSpan().Fill(average ? 0 : sbyte.MinValue);
                    for (var ky = rows.First; ky < rows.End; ky++)
                    {
                        for (var kx = columns.First; kx < columns.End; kx++)
                        {
                            var pixel = input.Slice(((((n * height) + rows.Index(ky)) * width) + columns.Index(kx)) * channels, channels);
                            Reduce(pixel, reduced, average);
                        }
                    }

                    var count = rows.Count * columns.Count;
                    foreach (var value in reduced)
                    {
                        output[position++] = (sbyte)range.Clamp(average ? FixedPoint.DivideRoundHalfAway(value, count) : value);
                    }
                }
            }
        }
    }

    private static void Reduce(ReadOnlySpan<sbyte> pixel, Span<int> reduced, bool average)
    {
        if (average)
        {
            for (var c = 0; c < pixel.Length && c < reduced.Length; c++)
            {
                reduced[c] += pixel[c];
            }
        }
        else
        {
            for (var c = 0; c < pixel.Length && c < reduced.Length; c++)
            {
                reduced[c] = Math.Max(reduced[c], pixel[c]);
            }
        }
    }
}
