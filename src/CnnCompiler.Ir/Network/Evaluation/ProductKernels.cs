namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>
/// Sums of products of any numbers. The terms of a sum are added in the row-major order of the kernel (depth, height, width, channel); a tap outside the input adds nothing, which is what a padded
/// element equal to the zero point would add.
/// </summary>
/// <typeparam name="T">Elements.</typeparam>
/// <typeparam name="TSum">Sums.</typeparam>
/// <typeparam name="TNumbers">Their arithmetic.</typeparam>
internal static class ProductKernels<T, TSum, TNumbers>
    where T : unmanaged
    where TSum : unmanaged
    where TNumbers : struct, INumbers<T, TSum>
{
    /// <summary>Input [N, pixels, C], weights [K, taps, C / groups], results [N, pixels, K].</summary>
    public static void Convolve(Windows windows, ReadOnlySpan<T> input, ReadOnlySpan<T> weights, int outputs, int groups, ResultWriter<TSum> writer)
    {
        var depth = weights.Length / outputs / windows.Kernel;
        var (channels, outputsPerGroup) = (depth * groups, outputs / groups);
        var sums = new TSum[outputs];
        var pixels = input.Length / channels;
        var position = 0;
        for (var first = 0; first < pixels; first += windows.Inputs)
        {
            for (var output = 0; output < windows.Outputs; output++)
            {
                var taps = windows.At(output);
                for (var group = 0; group < groups; group++)
                {
                    var source = input[((first * channels) + (group * depth))..];
                    var ofGroup = sums.AsSpan(group * outputsPerGroup, outputsPerGroup);
                    Dots(source, channels, taps, weights.Slice(group * outputsPerGroup * windows.Kernel * depth, outputsPerGroup * windows.Kernel * depth), windows.Kernel, depth, ofGroup);
                }

                writer.Write(sums, position);
                position += outputs;
            }
        }
    }

    /// <summary>Input [N, pixels, C], weights [taps, C * multiplier], results [N, pixels, C * multiplier].</summary>
    public static void ConvolveDepthwise(Windows windows, ReadOnlySpan<T> input, ReadOnlySpan<T> weights, int multiplier, ResultWriter<TSum> writer)
    {
        var outputs = weights.Length / windows.Kernel;
        var channels = outputs / multiplier;
        var sums = new TSum[outputs];
        var pixels = input.Length / channels;
        var position = 0;
        for (var first = 0; first < pixels; first += windows.Inputs)
        {
            for (var output = 0; output < windows.Outputs; output++)
            {
                sums.AsSpan().Clear();
                foreach (var tap in windows.At(output))
                {
                    MultiplyAdd(input.Slice((first + tap.Pixel) * channels, channels), weights.Slice(tap.Kernel * outputs, outputs), multiplier, sums);
                }

                writer.Write(sums, position);
                position += outputs;
            }
        }
    }

    /// <summary>Input [N, I, D], weights [I, J, D, E], results [N, I, J, E].</summary>
    public static void Capsules(ReadOnlySpan<T> input, ReadOnlySpan<T> weights, (int I, int J, int D, int E) extents, ResultWriter<TSum> writer)
    {
        var (inputs, capsules, depth, length) = extents;
        var sums = new TSum[capsules * length];
        var position = 0;
        for (var vector = 0; vector < input.Length / depth; vector++)
        {
            sums.AsSpan().Clear();
            var x = input.Slice(vector * depth, depth);
            var w = weights.Slice(vector % inputs * capsules * depth * length, capsules * depth * length);
            for (var j = 0; j < capsules; j++)
            {
                for (var d = 0; d < depth; d++)
                {
                    Scale(x[d], w.Slice(((j * depth) + d) * length, length), 1, sums.AsSpan(j * length, length));
                }
            }

            writer.Write(sums, position);
            position += sums.Length;
        }
    }

    /// <summary>One product of matrices of a batch: [M, K] by [K, N].</summary>
    /// <param name="first">The first, from its first element on.</param>
    /// <param name="firstSteps">Steps along M and K.</param>
    /// <param name="second">The second.</param>
    /// <param name="secondSteps">Steps along K and N.</param>
    /// <param name="extents">M, K and N.</param>
    /// <param name="writer">Takes rows of N.</param>
    /// <param name="position">Flat position of the first result.</param>
    public static void MatMul(
        ReadOnlySpan<T> first, (int Row, int Column) firstSteps, ReadOnlySpan<T> second, (int Row, int Column) secondSteps, (int M, int K, int N) extents, ResultWriter<TSum> writer, int position)
    {
        var sums = new TSum[extents.N];
        for (var m = 0; m < extents.M; m++)
        {
            sums.AsSpan().Clear();
            for (var k = 0; k < extents.K; k++)
            {
                Scale(first[(m * firstSteps.Row) + (k * firstSteps.Column)], second[(k * secondSteps.Row)..], secondSteps.Column, sums);
            }

            writer.Write(sums, position + (m * extents.N));
        }
    }

    // Each sum runs in order by itself; four run side by side, so that none waits for its own last addition.
    private static void Dots(ReadOnlySpan<T> input, int channels, ReadOnlySpan<Tap> taps, ReadOnlySpan<T> weights, int kernel, int depth, Span<TSum> sums)
    {
        var size = kernel * depth;
        var k = 0;
        for (; k + 4 <= sums.Length; k += 4)
        {
            var (sum0, sum1, sum2, sum3) = (default(TSum), default(TSum), default(TSum), default(TSum));
            foreach (var tap in taps)
            {
                var x = input.Slice(tap.Pixel * channels, depth);
                var start = (k * size) + (tap.Kernel * depth);
                var w0 = weights.Slice(start, depth);
                var w1 = weights.Slice(start + size, depth);
                var w2 = weights.Slice(start + (2 * size), depth);
                var w3 = weights.Slice(start + (3 * size), depth);
                for (var c = 0; c < x.Length && c < w0.Length && c < w1.Length && c < w2.Length && c < w3.Length; c++)
                {
                    sum0 = TNumbers.MultiplyAdd(sum0, x[c], w0[c]);
                    sum1 = TNumbers.MultiplyAdd(sum1, x[c], w1[c]);
                    sum2 = TNumbers.MultiplyAdd(sum2, x[c], w2[c]);
                    sum3 = TNumbers.MultiplyAdd(sum3, x[c], w3[c]);
                }
            }

            (sums[k], sums[k + 1], sums[k + 2], sums[k + 3]) = (sum0, sum1, sum2, sum3);
        }

        for (; k < sums.Length; k++)
        {
            var sum = default(TSum);
            foreach (var tap in taps)
            {
                var x = input.Slice(tap.Pixel * channels, depth);
                var w = weights.Slice((k * size) + (tap.Kernel * depth), depth);
                for (var c = 0; c < x.Length && c < w.Length; c++)
                {
                    sum = TNumbers.MultiplyAdd(sum, x[c], w[c]);
                }
            }

            sums[k] = sum;
        }
    }

    private static void MultiplyAdd(ReadOnlySpan<T> input, ReadOnlySpan<T> weights, int multiplier, Span<TSum> sums)
    {
        if (multiplier == 1)
        {
            for (var c = 0; c < input.Length && c < weights.Length && c < sums.Length; c++)
            {
                sums[c] = TNumbers.MultiplyAdd(sums[c], input[c], weights[c]);
            }

            return;
        }

        for (var c = 0; c < input.Length; c++)
        {
            Scale(input[c], weights.Slice(c * multiplier, multiplier), 1, sums.Slice(c * multiplier, multiplier));
        }
    }

    private static void Scale(T x, ReadOnlySpan<T> weights, int step, Span<TSum> sums)
    {
        if (step == 1)
        {
            for (var i = 0; i < sums.Length && i < weights.Length; i++)
            {
                sums[i] = TNumbers.MultiplyAdd(sums[i], x, weights[i]);
            }

            return;
        }

        for (var i = 0; i < sums.Length; i++)
        {
            sums[i] = TNumbers.MultiplyAdd(sums[i], x, weights[i * step]);
        }
    }
}
