using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>
/// Convolutions of reals, 16 output channels side by side in vectors. Each sum has its terms in the order of <see cref="ProductKernels{T, TSum, TNumbers}"/>, and products of binary32 numbers are exact in
/// binary64, so that both give the same bits.
/// </summary>
internal static class RealConvolution
{
    private const int Lanes = 16;

    // Pixels that use a block of weights while it is near.
    private const int Tile = 16;

    // Where weights are used fewer times than this, packing them costs more than it saves.
    private const int FewestPixels = 8;

    /// <summary>Input [N, pixels, C], weights [K, taps, C / groups], results [N, pixels, K].</summary>
    public static void Convolve(Windows windows, ReadOnlySpan<float> input, ReadOnlySpan<float> weights, int outputs, int groups, ResultWriter<double> writer)
    {
        var depth = weights.Length / outputs / windows.Kernel;
        var (channels, outputsPerGroup) = (depth * groups, outputs / groups);
        var pixels = input.Length / channels;
        var blocks = (outputsPerGroup + Lanes - 1) / Lanes;
        var size = windows.Kernel * depth * Lanes;
        if ((long)pixels / windows.Inputs * windows.Outputs < FewestPixels || outputsPerGroup < Lanes / 4 || (long)groups * blocks * size > Array.MaxLength)
        {
            ProductKernels<float, double, RealNumbers>.Convolve(windows, input, weights, outputs, groups, writer);
            return;
        }

        var packed = Pack(weights, groups, outputsPerGroup, blocks, size);
        var sums = new double[Tile * outputs];
        Span<double> ofBlock = stackalloc double[Lanes];
        var position = 0;
        for (var first = 0; first < pixels; first += windows.Inputs)
        {
            for (var start = 0; start < windows.Outputs; start += Tile)
            {
                var count = Math.Min(Tile, windows.Outputs - start);
                for (var block = 0; block < groups * blocks; block++)
                {
                    var (group, ofGroup) = Math.DivRem(block, blocks);
                    var source = input[((first * channels) + (group * depth))..];
                    var lanes = Math.Min(Lanes, outputsPerGroup - (ofGroup * Lanes));
                    for (var pixel = 0; pixel < count; pixel++)
                    {
                        Dots(source, channels, windows.At(start + pixel), packed.AsSpan(block * size, size), depth, ofBlock);
                        ofBlock[..lanes].CopyTo(sums.AsSpan((pixel * outputs) + (group * outputsPerGroup) + (ofGroup * Lanes)));
                    }
                }

                for (var pixel = 0; pixel < count; pixel++)
                {
                    writer.Write(sums.AsSpan(pixel * outputs, outputs), position);
                    position += outputs;
                }
            }
        }
    }

    // [group, block, tap, channel, lane]; lanes without an output are 0.
    private static float[] Pack(ReadOnlySpan<float> weights, int groups, int outputsPerGroup, int blocks, int size)
    {
        var packed = new float[groups * blocks * size];
        var terms = size / Lanes;
        for (var output = 0; output < groups * outputsPerGroup; output++)
        {
            var (group, place) = Math.DivRem(output, outputsPerGroup);
            var target = (((group * blocks) + (place / Lanes)) * size) + (place % Lanes);
            foreach (var weight in weights.Slice(output * terms, terms))
            {
                packed[target] = weight;
                target += Lanes;
            }
        }

        return packed;
    }

    // Compiled at its best at once: a large layer would be over before the run time notices that it is worth it.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dots(ReadOnlySpan<float> input, int channels, ReadOnlySpan<Tap> taps, ReadOnlySpan<float> weights, int depth, Span<double> sums)
    {
        var (sum0, sum1, sum2, sum3) = (Vector256<double>.Zero, Vector256<double>.Zero, Vector256<double>.Zero, Vector256<double>.Zero);
        var vectors = MemoryMarshal.Cast<float, Vector256<float>>(weights);
        foreach (var tap in taps)
        {
            var x = input.Slice(tap.Pixel * channels, depth);
            var w = vectors.Slice(tap.Kernel * depth * 2, depth * 2);
            for (var c = 0; c < x.Length; c++)
            {
                var value = Vector256.Create((double)x[c]);
                var (low, high) = Vector256.Widen(w[2 * c]);
                sum0 += value * low;
                sum1 += value * high;
                (low, high) = Vector256.Widen(w[(2 * c) + 1]);
                sum2 += value * low;
                sum3 += value * high;
            }
        }

        sum0.CopyTo(sums);
        sum1.CopyTo(sums[4..]);
        sum2.CopyTo(sums[8..]);
        sum3.CopyTo(sums[12..]);
    }
}
