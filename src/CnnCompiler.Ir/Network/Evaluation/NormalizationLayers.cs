using System.Runtime.InteropServices;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>
/// Softmax, layer_norm and lrn. Reals: in binary64, left to right as stated, one rounding at the end. Fixed point, of x with f bits after the binary point and a result with f': products are rounded half
/// up, quotients half away from zero (<see cref="FixedMath"/>), what lies between 0 and 1 and parameters have 30 bits, the result is saturated.
/// </summary>
internal static class NormalizationLayers
{
    private const int Unit = 30;
    private const int NormalBits = 24;

    /// <summary>
    /// Rows of the last dimension. Codes: section 3.8 of <c>int8-arithmetic.md</c>. Reals: exp(beta * (x - largest)) over the sum of them. Fixed point: the same, of beta with 30 bits, the argument with
    /// f + 30. Returns the first row that has no defined result, or -1.
    /// </summary>
    public static int Softmax(Softmax l, TensorType input, Tensor tensor, byte[] output)
    {
        var length = l.Type.Shape.Dimensions[^1];
        switch (input.Form())
        {
            case NumberForm.Real:
                var x = tensor.AsSpan<float>();
                var y = MemoryMarshal.Cast<byte, float>(output.AsSpan());
                var row = new double[length];
                for (var start = 0; start < x.Length; start += length)
                {
                    for (var i = 0; i < length; i++)
                    {
                        row[i] = x[start + i];
                    }

                    SoftmaxRow(row, l.Beta);
                    for (var i = 0; i < length; i++)
                    {
                        y[start + i] = (float)row[i];
                    }
                }

                return -1;
            case NumberForm.Fixed:
                var (from, to, beta) = (LayerArithmetic.Fraction(input), LayerArithmetic.Fraction(l.Type), NumberConversion.ToFixed(l.Beta, Unit));
                var numbers = tensor.AsSpan<int>();
                var results = MemoryMarshal.Cast<byte, int>(output.AsSpan());
                var fixedRow = new long[length];
                for (var start = 0; start < numbers.Length; start += length)
                {
                    for (var i = 0; i < length; i++)
                    {
                        fixedRow[i] = numbers[start + i];
                    }

                    SoftmaxRow(fixedRow, difference => FixedMath.Exp(FixedMath.Multiply(difference, beta, 0), from + Unit, Unit), to);
                    for (var i = 0; i < length; i++)
                    {
                        results[start + i] = NumberForms.Saturate(fixedRow[i]);
                    }
                }

                return -1;
            default:
                return OfCodes(l, input, tensor, MemoryMarshal.Cast<byte, sbyte>(output.AsSpan()));
        }
    }

    /// <summary>exp(beta * (x - largest)) over the sum of them, in place.</summary>
    public static void SoftmaxRow(Span<double> row, double beta)
    {
        var largest = double.NegativeInfinity;
        foreach (var value in row)
        {
            largest = Math.Max(largest, value);
        }

        var sum = 0.0;
        foreach (ref var value in row)
        {
            value = Math.Exp(beta * (value - largest));
            sum += value;
        }

        foreach (ref var value in row)
        {
            value /= sum;
        }
    }

    /// <summary>The same in fixed point.</summary>
    /// <param name="row">Numbers, then their probabilities.</param>
    /// <param name="exponential">The exponential of the difference to the largest, with 30 bits.</param>
    /// <param name="to">Bits of the result.</param>
    public static void SoftmaxRow(Span<long> row, Func<long, long> exponential, int to)
    {
        var largest = long.MinValue;
        foreach (var value in row)
        {
            largest = Math.Max(largest, value);
        }

        var sum = 0L;
        foreach (ref var value in row)
        {
            value = exponential(value - largest);
            sum += value;
        }

        foreach (ref var value in row)
        {
            value = FixedMath.Divide(value, sum, to);
        }
    }

    /// <summary>
    /// Reals: mean = sum / n, c = x - mean, deviation = sqrt(sum of c * c / n + epsilon), scale * c / deviation + offset. Fixed point: the mean with f bits, the variance (half away from zero) with 2 f and
    /// at least one unit, 1 / deviation with min(30, 50 - f), c times it with 24; then times the scale, with as many bits as <see cref="NumberConversion.ParameterBits"/> says.
    /// </summary>
    public static void LayerNorm(LayerNorm l, TensorType input, Tensor tensor, byte[] output)
    {
        var length = input.Shape.Extent(l.Axis, input.Shape.Rank);
        if (input.Form() == NumberForm.Real)
        {
            OfReals(l, length, tensor.AsSpan<float>(), MemoryMarshal.Cast<byte, float>(output.AsSpan()));
            return;
        }

        var (from, to) = (LayerArithmetic.Fraction(input), LayerArithmetic.Fraction(l.Type));
        var rootBits = Math.Min(Unit, 50 - from);
        var (scale, scaleBits) = Parameters(l.Scale, null);
        var (offset, _) = Parameters(l.Offset, to);
        var x = tensor.AsSpan<int>();
        var y = MemoryMarshal.Cast<byte, int>(output.AsSpan());
        for (var start = 0; start < x.Length; start += length)
        {
            var (sum, squares) = (0L, 0L);
            foreach (var value in x.Slice(start, length))
            {
                sum += value;
            }

            var mean = FixedMath.Divide(sum, checked((long)length << from), from);
            foreach (var value in x.Slice(start, length))
            {
                squares = checked(squares + ((value - mean) * (value - mean)));
            }

            var variance = checked(((squares + (length / 2)) / length) + NumberConversion.ToFixed(l.Epsilon, 2 * from));
            var reciprocal = FixedMath.ReciprocalSqrt(Math.Max(variance, 1), 2 * from, rootBits);
            for (var i = 0; i < length; i++)
            {
                var normal = FixedMath.Multiply(x[start + i] - mean, reciprocal, from + rootBits - NormalBits);
                var scaled = FixedMath.Multiply(normal, scale is null ? 1 : scale[i], NormalBits + scaleBits - to);
                y[start + i] = NumberForms.Saturate(offset is null ? scaled : checked(scaled + offset[i]));
            }
        }
    }

    /// <summary>
    /// Reals: x / power(bias + alpha / size * sum, beta), of the sum of squares over channels c - floor((size - 1) / 2) onwards. Fixed point: x * exp(log(b) * -beta) with b = bias + sum * (alpha / size), all
    /// with 30 bits and b at least one unit.
    /// </summary>
    public static void Lrn(Lrn l, TensorType input, Tensor tensor, byte[] output)
    {
        var channels = l.Type.Shape.Dimensions[^1];
        var before = (l.Size - 1) / 2;
        if (input.Form() == NumberForm.Real)
        {
            var x = tensor.AsSpan<float>();
            var y = MemoryMarshal.Cast<byte, float>(output.AsSpan());
            var factor = (double)l.Alpha / l.Size;
            for (var i = 0; i < y.Length; i++)
            {
                var sum = 0.0;
                var (first, end) = Around(i, channels, before, l.Size);
                foreach (var value in x[first..end])
                {
                    sum += (double)value * value;
                }

                y[i] = (float)(x[i] / Math.Pow(l.Bias + (factor * sum), l.Beta));
            }

            return;
        }

        var (from, to) = (LayerArithmetic.Fraction(input), LayerArithmetic.Fraction(l.Type));
        double[] parameter = [(double)l.Alpha / l.Size];
        var bits = NumberConversion.ParameterBits(parameter);
        var (alpha, exponent, bias) = (NumberConversion.ToFixed(parameter[0], bits), NumberConversion.ToFixed(-l.Beta, Unit), NumberConversion.ToFixed(l.Bias, Unit));
        var numbers = tensor.AsSpan<int>();
        var results = MemoryMarshal.Cast<byte, int>(output.AsSpan());
        for (var i = 0; i < results.Length; i++)
        {
            var sum = 0L;
            var (first, end) = Around(i, channels, before, l.Size);
            foreach (var value in numbers[first..end])
            {
                sum = checked(sum + ((long)value * value));
            }

            var root = Math.Max(checked(bias + FixedMath.Multiply(sum, alpha, (2 * from) + bits - Unit)), 1);
            var power = FixedMath.Exp(FixedMath.Multiply(FixedMath.Log(root, Unit, Unit), exponent, Unit), Unit, Unit);
            results[i] = NumberForms.Saturate(FixedMath.Multiply(numbers[i], power, from + Unit - to));
        }
    }

    private static void OfReals(LayerNorm l, int length, ReadOnlySpan<float> x, Span<float> y)
    {
        var scale = l.Scale is null ? default : l.Scale.AsSpan<float>();
        var offset = l.Offset is null ? default : l.Offset.AsSpan<float>();
        for (var start = 0; start < x.Length; start += length)
        {
            var (sum, squares) = (0.0, 0.0);
            foreach (var value in x.Slice(start, length))
            {
                sum += value;
            }

            var mean = sum / length;
            foreach (var value in x.Slice(start, length))
            {
                squares += (value - mean) * (value - mean);
            }

            var deviation = Math.Sqrt((squares / length) + l.Epsilon);
            for (var i = 0; i < length; i++)
            {
                var centred = x[start + i] - mean;
                var normal = (scale.IsEmpty ? centred : scale[i] * centred) / deviation;
                y[start + i] = (float)(offset.IsEmpty ? normal : normal + offset[i]);
            }
        }
    }

    // The channels around an element, as flat indexes.
    private static (int First, int End) Around(int index, int channels, int before, int size)
    {
        var channel = index % channels;
        var first = Math.Max(0, channel - before);
        var end = Math.Min(channels, (long)channel - before + size);
        return (index - channel + first, index - channel + (int)Math.Max(end, first));
    }

    private static (long[]? Values, int Bits) Parameters(Tensor? tensor, int? bits)
    {
        if (tensor is null)
        {
            return (null, 0);
        }

        var reals = Array.ConvertAll(tensor.AsSpan<float>().ToArray(), value => (double)value);
        var number = bits ?? NumberConversion.ParameterBits(reals);
        return (Array.ConvertAll(reals, value => NumberConversion.ToFixed(value, number)), number);
    }

    private static int OfCodes(Softmax l, TensorType input, Tensor tensor, Span<sbyte> output)
    {
        var (multiplier, leftShift, diffMin) = LayerArithmetic.Prepare(l, input);
        var length = l.Type.Shape.Dimensions[^1];
        var codes = tensor.AsSpan<sbyte>();
        for (var start = 0; start < codes.Length; start += length)
        {
            if (!Int8Softmax.Row(codes.Slice(start, length), output.Slice(start, length), multiplier, leftShift, diffMin))
            {
                return start / length;
            }
        }

        return -1;
    }
}
