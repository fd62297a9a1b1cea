using System.Runtime.InteropServices;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>
/// Squashing and dynamic routing (Sabour et al. 2017, eq. 1 and procedure 1), in binary64 or in fixed point: couplings and what lies between 0 and 1 have 30 bits, sums of products are shifted right, half
/// up.
/// </summary>
internal static class CapsuleLayers
{
    private const int Unit = 30;

    /// <summary>Vectors of the last dimension. Reals: q / (1 + q) * s / sqrt(q) with q the sum of squares, 0 where it is 0. Fixed point: s * (sqrt(q) / (1 + q)).</summary>
    public static void Squash(Squash l, TensorType input, Tensor tensor, byte[] output)
    {
        var length = l.Type.Shape.Dimensions[^1];
        if (input.Form() == NumberForm.Real)
        {
            var x = tensor.AsSpan<float>();
            var y = MemoryMarshal.Cast<byte, float>(output.AsSpan());
            var vector = new double[length];
            for (var start = 0; start < x.Length; start += length)
            {
                for (var i = 0; i < length; i++)
                {
                    vector[i] = x[start + i];
                }

                Squash(vector);
                Store(vector, y.Slice(start, length));
            }

            return;
        }

        var (from, to) = (LayerArithmetic.Fraction(input), LayerArithmetic.Fraction(l.Type));
        var numbers = tensor.AsSpan<int>();
        var results = MemoryMarshal.Cast<byte, int>(output.AsSpan());
        var fixedVector = new long[length];
        for (var start = 0; start < numbers.Length; start += length)
        {
            for (var i = 0; i < length; i++)
            {
                fixedVector[i] = numbers[start + i];
            }

            Squash(fixedVector, from, to);
            Store(fixedVector, results.Slice(start, length));
        }
    }

    /// <summary>
    /// Predictions [N, I, J, E] to capsules [N, J, E]. The first couplings are 1 / J; in each iteration the capsules are the squashed sums over i of coupling times prediction, then the logits grow by the
    /// sums over e of prediction times capsule, and couplings are the softmax of logits over j.
    /// </summary>
    public static void Routing(Routing l, TensorType input, Tensor tensor, byte[] output)
    {
        var size = input.Shape.Extent(1, 4);
        var result = input.Shape[2] * input.Shape[3];
        for (var n = 0; n < input.Shape[0]; n++)
        {
            if (input.Form() == NumberForm.Real)
            {
                var capsules = Route(tensor.AsSpan<float>().Slice(n * size, size), (input.Shape[1], input.Shape[2], input.Shape[3]), l.Iterations);
                Store(capsules, MemoryMarshal.Cast<byte, float>(output.AsSpan()).Slice(n * result, result));
            }
            else
            {
                var bits = (LayerArithmetic.Fraction(input), LayerArithmetic.Fraction(l.Type));
                var capsules = Route(tensor.AsSpan<int>().Slice(n * size, size), (input.Shape[1], input.Shape[2], input.Shape[3]), l.Iterations, bits);
                Store(capsules, MemoryMarshal.Cast<byte, int>(output.AsSpan()).Slice(n * result, result));
            }
        }
    }

    private static double[] Route(ReadOnlySpan<float> u, (int I, int J, int E) extents, int iterations)
    {
        var (inputs, outputs, length) = extents;
        var (logits, couplings, capsules) = (new double[inputs * outputs], new double[inputs * outputs], new double[outputs * length]);
        Array.Fill(couplings, 1.0 / outputs);
        for (var iteration = 0; ; iteration++)
        {
            capsules.AsSpan().Clear();
            for (var row = 0; row < couplings.Length; row++)
            {
                var capsule = row % outputs * length;
                for (var e = 0; e < length; e++)
                {
                    capsules[capsule + e] += couplings[row] * u[(row * length) + e];
                }
            }

            for (var j = 0; j < outputs; j++)
            {
                Squash(capsules.AsSpan(j * length, length));
            }

            if (iteration == iterations - 1)
            {
                return capsules;
            }

            for (var row = 0; row < logits.Length; row++)
            {
                var agreement = 0.0;
                for (var e = 0; e < length; e++)
                {
                    agreement += u[(row * length) + e] * capsules[(row % outputs * length) + e];
                }

                logits[row] = iteration == 0 ? agreement : agreement + logits[row];
            }

            logits.CopyTo(couplings, 0);
            for (var i = 0; i < inputs; i++)
            {
                NormalizationLayers.SoftmaxRow(couplings.AsSpan(i * outputs, outputs), 1);
            }
        }
    }

    private static long[] Route(ReadOnlySpan<int> u, (int I, int J, int E) extents, int iterations, (int From, int To) bits)
    {
        var (inputs, outputs, length) = extents;
        var (logits, couplings, capsules) = (new long[inputs * outputs], new long[inputs * outputs], new long[outputs * length]);
        Array.Fill(couplings, FixedMath.Divide(1, outputs, Unit));
        for (var iteration = 0; ; iteration++)
        {
            var last = iteration == iterations - 1;
            capsules.AsSpan().Clear();
            for (var row = 0; row < couplings.Length; row++)
            {
                var capsule = row % outputs * length;
                for (var e = 0; e < length; e++)
                {
                    capsules[capsule + e] = checked(capsules[capsule + e] + (couplings[row] * u[(row * length) + e]));
                }
            }

            for (var j = 0; j < outputs; j++)
            {
                var capsule = capsules.AsSpan(j * length, length);
                foreach (ref var value in capsule)
                {
                    value = NumberConversion.Rescale(value, Unit, 0);
                }

                Squash(capsule, bits.From, last ? bits.To : bits.From);
            }

            if (last)
            {
                return capsules;
            }

            for (var row = 0; row < logits.Length; row++)
            {
                var agreement = 0L;
                for (var e = 0; e < length; e++)
                {
                    agreement = checked(agreement + (u[(row * length) + e] * capsules[(row % outputs * length) + e]));
                }

                logits[row] = checked(NumberConversion.Rescale(agreement, bits.From, 0) + logits[row]);
            }

            logits.CopyTo(couplings, 0);
            for (var i = 0; i < inputs; i++)
            {
                NormalizationLayers.SoftmaxRow(couplings.AsSpan(i * outputs, outputs), difference => FixedMath.Exp(difference, bits.From, Unit), Unit);
                foreach (ref var coupling in couplings.AsSpan(i * outputs, outputs))
                {
                    coupling = NumberForms.Saturate(coupling);
                }
            }
        }
    }

    private static void Squash(Span<double> vector)
    {
        var square = 0.0;
        foreach (var value in vector)
        {
            square += value * value;
        }

        foreach (ref var value in vector)
        {
            value = 0 - square >= 0 ? 0 : square / (1 + square) * value / Math.Sqrt(square);
        }
    }

    private static void Squash(Span<long> vector, int from, int to)
    {
        var square = 0L;
        foreach (var value in vector)
        {
            square = checked(square + (value * value));
        }

        // The root is defined up to 2^62.
        if (square > FixedMath.Largest)
        {
            throw new OverflowException();
        }

        var factor = FixedMath.Divide(FixedMath.Sqrt(square, 2 * from, Unit), checked((1L << (2 * from)) + square), 2 * from);
        foreach (ref var value in vector)
        {
            value = NumberForms.Saturate(FixedMath.Multiply(value, factor, from + Unit - to));
        }
    }

    private static void Store(ReadOnlySpan<double> values, Span<float> results)
    {
        for (var i = 0; i < results.Length; i++)
        {
            results[i] = (float)values[i];
        }
    }

    private static void Store(ReadOnlySpan<long> values, Span<int> results)
    {
        for (var i = 0; i < results.Length; i++)
        {
            results[i] = NumberForms.Saturate(values[i]);
        }
    }
}
