using System.Runtime.InteropServices;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>
/// Max and average pooling over the taps inside, and means. Codes are pooled as they are (<c>int8-arithmetic.md</c> section 3.6); where padding counts, the taps in it are zeros, which are zero points
/// in the sum of codes. Averages of codes and fixed-point numbers are rounded half away from zero, those of reals divided in binary64.
/// </summary>
internal static class PoolLayers
{
    // What becomes of the reduced values of a pixel, one for each channel.
    private delegate void Finish<TSum>(ReadOnlySpan<TSum> reduced, int count, int position);

    public static void MaxPool2D(MaxPool2D l, TensorType input, Tensor tensor, byte[] output) => Largest(l, Plane(input, l.Type, l.Kernel, l.Stride, l.Padding), tensor, l.Activation, output);

    public static void MaxPool3D(MaxPool3D l, TensorType input, Tensor tensor, byte[] output) => Largest(l, Volume(input, l.Type, l.Kernel, l.Stride, l.Padding), tensor, l.Activation, output);

    public static void AveragePool2D(AveragePool2D l, TensorType input, Tensor tensor, byte[] output) =>
        Average(l, Plane(input, l.Type, l.Kernel, l.Stride, l.Padding), tensor, l.CountPadding, l.Activation, output);

    public static void AveragePool3D(AveragePool3D l, TensorType input, Tensor tensor, byte[] output) =>
        Average(l, Volume(input, l.Type, l.Kernel, l.Stride, l.Padding), tensor, l.CountPadding, l.Activation, output);

    /// <summary>
    /// Mean over some dimensions, added in the order of the elements. Codes: section 3.7, or sum * s_in / (n * s_out) in binary64, half to even, under ONNX's rounding; fixed point: <see cref="FixedMath.Divide"/>; reals: in binary64.
    /// </summary>
    public static void Mean(Mean l, TensorType input, Tensor tensor, byte[] output)
    {
        var walk = new ReductionWalk(input.Shape, l.Axes);
        var count = input.Shape.Elements / l.Type.Shape.Elements;
        switch (input.Form())
        {
            case NumberForm.Real:
                var reals = new double[l.Type.Shape.Elements];
                foreach (var value in tensor.AsSpan<float>())
                {
                    reals[walk.Next()] += value;
                }

                new RealWriter(null, FusedActivation.None, output).Write(Array.ConvertAll(reals, sum => sum / count), 0);
                break;
            case NumberForm.Fixed:
                var sums = new long[l.Type.Shape.Elements];
                foreach (var value in tensor.AsSpan<int>())
                {
                    sums[walk.Next()] += value;
                }

                var (from, to) = (LayerArithmetic.Fraction(input), LayerArithmetic.Fraction(l.Type));
                var results = MemoryMarshal.Cast<byte, int>(output.AsSpan());
                for (var i = 0; i < results.Length; i++)
                {
                    results[i] = NumberForms.Saturate(FixedMath.Divide(sums[i], checked(count * (1L << from)), to));
                }

                break;
            default:
                var codes = new int[l.Type.Shape.Elements];
                foreach (var value in tensor.AsSpan<sbyte>())
                {
                    codes[walk.Next()] += value - input.ZeroPoint();
                }

                Means(l, input, count, codes, output);
                break;
        }
    }

    private static void Means(Mean l, TensorType input, long count, int[] sums, byte[] output)
    {
        var factor = LayerArithmetic.Factor(l, input, count);
        var (inputScale, outputScale) = (LayerArithmetic.Required(input).Scale, LayerArithmetic.Required(l.Type).Scale);
        for (var i = 0; i < sums.Length; i++)
        {
            long value = l.Rounding switch
            {
                RoundingScheme.TfliteDouble => FixedPoint.MultiplyByQuantizedMultiplier(sums[i], factor.Multiplier, factor.Shift),
                RoundingScheme.TfliteSingle => FixedPoint.MultiplyByQuantizedMultiplierSingleRounding(sums[i], factor.Multiplier, factor.Shift),
                _ => (long)Math.Round(sums[i] * (double)inputScale / ((double)count * outputScale), MidpointRounding.ToEven),
            };
            output[i] = (byte)(sbyte)Math.Clamp(value + l.Type.ZeroPoint(), sbyte.MinValue, sbyte.MaxValue);
        }
    }

    private static void Largest(Layer l, Windows windows, Tensor tensor, FusedActivation activation, byte[] output)
    {
        var channels = l.Type.Shape.Dimensions[^1];
        switch (l.Type.Form())
        {
            case NumberForm.Real:
                var reals = new RealWriter(null, activation, output);
                Pool<float, double, RealNumbers>(windows, tensor.AsSpan<float>(), channels, double.NegativeInfinity, largest: true, (values, _, position) => reals.Write(values, position));
                break;
            case NumberForm.Fixed:
                var fixedRange = LayerArithmetic.FixedRange(activation, l.Type);
                Pool<int, long, FixedNumbers>(windows, tensor.AsSpan<int>(), channels, int.MinValue, largest: true, (values, _, position) => WriteFixed(values, fixedRange, output, position));
                break;
            default:
                var range = LayerArithmetic.Range(activation, l.Type);
                Pool<short, int, CodeNumbers>(windows, Widened(tensor), channels, sbyte.MinValue, largest: true, (values, _, position) => WriteCodes(values, range, output, position));
                break;
        }
    }

    private static void Average(Layer l, Windows windows, Tensor tensor, bool countPadding, FusedActivation activation, byte[] output)
    {
        var channels = l.Type.Shape.Dimensions[^1];
        switch (l.Type.Form())
        {
            case NumberForm.Real:
                var reals = new RealWriter(null, activation, output);
                var quotients = new double[channels];
                Pool<float, double, RealNumbers>(windows, tensor.AsSpan<float>(), channels, 0, largest: false, (values, count, position) =>
                {
                    for (var c = 0; c < values.Length; c++)
                    {
                        quotients[c] = values[c] / (countPadding ? windows.Kernel : count);
                    }

                    reals.Write(quotients, position);
                });
                break;
            case NumberForm.Fixed:
                var fixedRange = LayerArithmetic.FixedRange(activation, l.Type);
                var means = new long[channels];
                Pool<int, long, FixedNumbers>(windows, tensor.AsSpan<int>(), channels, 0, largest: false, (values, count, position) =>
                {
                    Divide(values, countPadding ? windows.Kernel : count, 0, means);
                    WriteFixed(means, fixedRange, output, position);
                });
                break;
            default:
                var range = LayerArithmetic.Range(activation, l.Type);
                var (codes, widened) = (new int[channels], new long[channels]);
                Pool<short, int, CodeNumbers>(windows, Widened(tensor), channels, 0, largest: false, (values, count, position) =>
                {
                    for (var c = 0; c < values.Length; c++)
                    {
                        widened[c] = values[c];
                    }

                    Divide(widened, countPadding ? windows.Kernel : count, countPadding ? (long)(windows.Kernel - count) * l.Type.ZeroPoint() : 0, widened);
                    for (var c = 0; c < codes.Length; c++)
                    {
                        codes[c] = (int)widened[c];
                    }

                    WriteCodes(codes, range, output, position);
                });
                break;
        }
    }

    // (sum + added) / count, half away from zero.
    private static void Divide(ReadOnlySpan<long> sums, long count, long added, Span<long> means)
    {
        for (var c = 0; c < sums.Length; c++)
        {
            var sum = sums[c] + added;
            means[c] = (sum > 0 ? sum + (count / 2) : sum - (count / 2)) / count;
        }
    }

    private static void Pool<T, TSum, TNumbers>(Windows windows, ReadOnlySpan<T> input, int channels, TSum start, bool largest, Finish<TSum> finish)
        where T : unmanaged
        where TSum : unmanaged
        where TNumbers : struct, INumbers<T, TSum>
    {
        var reduced = new TSum[channels];
        var pixels = input.Length / channels;
        var position = 0;
        for (var first = 0; first < pixels; first += windows.Inputs)
        {
            for (var output = 0; output < windows.Outputs; output++)
            {
                reduced.AsSpan().Fill(start);
                var taps = windows.At(output);
                foreach (var tap in taps)
                {
                    Reduce<T, TSum, TNumbers>(input.Slice((first + tap.Pixel) * channels, channels), reduced, largest);
                }

                finish(reduced, taps.Length, position);
                position += channels;
            }
        }
    }

    private static void Reduce<T, TSum, TNumbers>(ReadOnlySpan<T> pixel, Span<TSum> reduced, bool largest)
        where TNumbers : struct, INumbers<T, TSum>
    {
        if (largest)
        {
            for (var c = 0; c < pixel.Length && c < reduced.Length; c++)
            {
                reduced[c] = TNumbers.Larger(reduced[c], pixel[c]);
            }
        }
        else
        {
            for (var c = 0; c < pixel.Length && c < reduced.Length; c++)
            {
                reduced[c] = TNumbers.Add(reduced[c], pixel[c]);
            }
        }
    }

    private static void WriteCodes(ReadOnlySpan<int> values, ActivationRange range, byte[] output, int position)
    {
        for (var c = 0; c < values.Length; c++)
        {
            output[position + c] = (byte)(sbyte)range.Clamp(values[c]);
        }
    }

    private static void WriteFixed(ReadOnlySpan<long> values, (long Low, long High) range, byte[] output, int position)
    {
        var results = MemoryMarshal.Cast<byte, int>(output.AsSpan()).Slice(position, values.Length);
        for (var c = 0; c < results.Length; c++)
        {
            results[c] = (int)Math.Clamp(values[c], range.Low, range.High);
        }
    }

    private static short[] Widened(Tensor tensor)
    {
        var codes = tensor.AsSpan<sbyte>();
        var values = new short[codes.Length];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = codes[i];
        }

        return values;
    }

    private static Windows Plane(TensorType input, TensorType output, Spatial kernel, Spatial stride, Padding padding) => new(
        WindowAxis.None,
        new(input.Shape[1], output.Shape[1], kernel.Height, stride.Height, 1, padding.Top),
        new(input.Shape[2], output.Shape[2], kernel.Width, stride.Width, 1, padding.Left));

    private static Windows Volume(TensorType input, TensorType output, Volume kernel, Volume stride, VolumePadding padding) => new(
        new(input.Shape[1], output.Shape[1], kernel.Depth, stride.Depth, 1, padding.Front),
        new(input.Shape[2], output.Shape[2], kernel.Height, stride.Height, 1, padding.Plane.Top),
        new(input.Shape[3], output.Shape[3], kernel.Width, stride.Width, 1, padding.Plane.Left));
}
