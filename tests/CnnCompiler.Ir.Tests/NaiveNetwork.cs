using System.Numerics;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Ir.Tests;

/// <summary>
/// The layers defined a second time, from the other end: each output element is a function of its index, a padded element is read as the zero point,
/// and every rounding is of an exact rational. Shares nothing with the evaluator but the scales.
/// </summary>
internal static class NaiveNetwork
{
    public static Tensor Evaluate(Layer layer, TensorType[] types, Tensor[] inputs)
    {
        var shape = layer.Type.Shape;
        var codes = new sbyte[shape.Elements];
        for (var i = 0; i < codes.Length; i++)
        {
            var index = IndexOf(i, shape);
            codes[i] = checked((sbyte)(layer switch
            {
                Conv2D l => Convolution(l, types[0], inputs[0], index),
                DepthwiseConv2D l => Depthwise(l, types[0], inputs[0], index),
                Dense l => Dense(l, types[0], inputs[0], index),
                MaxPool2D l => Clamp(Window(inputs[0], index, l.Kernel, l.Stride, l.Padding).Max(), l.Activation, l.Type),
                AveragePool2D l => Clamp(Average(Window(inputs[0], index, l.Kernel, l.Stride, l.Padding)), l.Activation, l.Type),
                Add l => Sum(l, types, inputs, index),
                Concat l => Joined(l, inputs, index),
                Pad l => Padded(l, inputs[0], index),
                Reshape => inputs[0].GetInteger(i),
                Activation l => Clamp(inputs[0].GetInteger(i), l.Function, l.Type),
                _ => throw new InvalidOperationException($"{layer.Keyword} is defined in NaiveLayers or has tests of its own"),
            }));
        }

        return Tensor.From<sbyte>(ElementType.Int8, shape, codes);
    }

    private static long Convolution(Conv2D l, TensorType type, Tensor input, int[] at)
    {
        var sum = l.Bias is null ? BigInteger.Zero : l.Bias.GetInteger(at[3]);
        var group = at[3] / (l.Weights.Shape[0] / l.Groups);
        var depth = l.Weights.Shape[3];
        for (var c = 0; c < depth; c++)
        {
            for (var kx = 0; kx < l.Weights.Shape[2]; kx++)
            {
                for (var ky = 0; ky < l.Weights.Shape[1]; ky++)
                {
                    var y = (at[1] * l.Stride.Height) + (ky * l.Dilation.Height) - l.Padding.Top;
                    var x = (at[2] * l.Stride.Width) + (kx * l.Dilation.Width) - l.Padding.Left;
                    sum += (Element(input, type, at[0], y, x, (group * depth) + c) - type.Quantization!.ZeroPoint) * At(l.Weights, at[3], ky, kx, c);
                }
            }
        }

        return Requantize(sum, l.Rounding, Convolved(type, l.WeightQuantization!, at[3], l.Type), l.Activation, l.Type, Exact(type, l.WeightQuantization!, at[3], l.Type));
    }

    private static long Depthwise(DepthwiseConv2D l, TensorType type, Tensor input, int[] at)
    {
        var sum = l.Bias is null ? BigInteger.Zero : l.Bias.GetInteger(at[3]);
        for (var kx = 0; kx < l.Weights.Shape[2]; kx++)
        {
            for (var ky = 0; ky < l.Weights.Shape[1]; ky++)
            {
                var y = (at[1] * l.Stride.Height) + (ky * l.Dilation.Height) - l.Padding.Top;
                var x = (at[2] * l.Stride.Width) + (kx * l.Dilation.Width) - l.Padding.Left;
                sum += (Element(input, type, at[0], y, x, at[3] / l.Multiplier) - type.Quantization!.ZeroPoint) * At(l.Weights, 0, ky, kx, at[3]);
            }
        }

        return Requantize(sum, l.Rounding, Convolved(type, l.WeightQuantization!, at[3], l.Type), l.Activation, l.Type, Exact(type, l.WeightQuantization!, at[3], l.Type));
    }

    private static long Dense(Dense l, TensorType type, Tensor input, int[] at)
    {
        var depth = l.Weights.Shape[1];
        var sum = l.Bias is null ? BigInteger.Zero : l.Bias.GetInteger(at[1]);
        for (var c = 0; c < depth; c++)
        {
            sum += (input.GetInteger((at[0] * depth) + c) - type.Quantization!.ZeroPoint) * l.Weights.GetInteger((at[1] * depth) + c);
        }

        var weights = l.WeightQuantization!;
        var factor = weights.Scales.Count > 1
            ? Convolved(type, weights, at[1], l.Type)
            : (double)(float)((double)type.Quantization!.Scale * weights.Scales[0]) / l.Type.Quantization!.Scale;
        return Requantize(sum, l.Rounding, factor, l.Activation, l.Type, Exact(type, weights, at[1], l.Type));
    }

    private static List<long> Window(Tensor input, int[] at, Spatial kernel, Spatial stride, Padding padding)
    {
        var codes = new List<long>();
        for (var y = (at[1] * stride.Height) - padding.Top; y < (at[1] * stride.Height) - padding.Top + kernel.Height; y++)
        {
            for (var x = (at[2] * stride.Width) - padding.Left; x < (at[2] * stride.Width) - padding.Left + kernel.Width; x++)
            {
                if (y >= 0 && y < input.Shape[1] && x >= 0 && x < input.Shape[2])
                {
                    codes.Add(At(input, at[0], y, x, at[3]));
                }
            }
        }

        return codes;
    }

    private static long Average(List<long> codes) => (long)Math.Round((decimal)codes.Sum() / codes.Count, MidpointRounding.AwayFromZero);

    private static long Sum(Add l, TensorType[] types, Tensor[] inputs, int[] at)
    {
        var (a, b) = (Broadcast(inputs[0], at) - types[0].Quantization!.ZeroPoint, Broadcast(inputs[1], at) - types[1].Quantization!.ZeroPoint);
        double s1 = types[0].Quantization!.Scale, s2 = types[1].Quantization!.Scale, s3 = l.Type.Quantization!.Scale;
        BigInteger result;
        if (l.Rounding == RoundingScheme.OnnxHalfEven)
        {
            result = HalfEven((a * Units(s1)) + (b * Units(s2)), Units(s3));
        }
        else
        {
            var twice = 2 * Math.Max(s1, s2);
            var sum = Scaled(a << 20, s1 / twice, l.Rounding) + Scaled(b << 20, s2 / twice, l.Rounding);
            result = Scaled(sum, twice / (1048576.0 * s3), l.Rounding);
        }

        return Clamp((long)BigInteger.Clamp(result, int.MinValue, int.MaxValue) + l.Type.Quantization!.ZeroPoint, l.Activation, l.Type);
    }

    private static long Broadcast(Tensor tensor, int[] at)
    {
        long flat = 0;
        for (var d = 0; d < tensor.Shape.Rank; d++)
        {
            var i = at[at.Length - tensor.Shape.Rank + d];
            flat = (flat * tensor.Shape[d]) + (tensor.Shape[d] == 1 ? 0 : i);
        }

        return tensor.GetInteger(flat);
    }

    private static long Joined(Concat l, Tensor[] inputs, int[] at)
    {
        var index = (int[])at.Clone();
        foreach (var input in inputs)
        {
            if (index[l.Axis] < input.Shape[l.Axis])
            {
                return At(input, index);
            }

            index[l.Axis] -= input.Shape[l.Axis];
        }

        throw new InvalidOperationException("index beyond the inputs");
    }

    private static long Padded(Pad l, Tensor input, int[] at)
    {
        var index = at.Select((i, d) => i - l.Before[d]).ToArray();
        return index.Where((i, d) => i < 0 || i >= input.Shape[d]).Any() ? l.Value : At(input, index);
    }

    private static long Element(Tensor input, TensorType type, int n, int y, int x, int c) =>
        y < 0 || y >= input.Shape[1] || x < 0 || x >= input.Shape[2] ? type.Quantization!.ZeroPoint : At(input, n, y, x, c);

    private static long At(Tensor tensor, params ReadOnlySpan<int> index)
    {
        long flat = 0;
        for (var d = 0; d < index.Length; d++)
        {
            flat = (flat * tensor.Shape[d]) + index[d];
        }

        return tensor.GetInteger(flat);
    }

    internal static int[] IndexOf(int flat, Shape shape)
    {
        var index = new int[shape.Rank];
        for (var d = shape.Rank - 1; d >= 0; d--)
        {
            (flat, index[d]) = Math.DivRem(flat, shape[d]);
        }

        return index;
    }

    private static double Convolved(TensorType input, Quantization weights, int channel, TensorType output) =>
        (double)input.Quantization!.Scale * weights.Scales[weights.Scales.Count > 1 ? channel : 0] / output.Quantization!.Scale;

    private static (BigInteger Numerator, BigInteger Denominator) Exact(TensorType input, Quantization weights, int channel, TensorType output) =>
        (Units(input.Quantization!.Scale) * Units(weights.Scales[weights.Scales.Count > 1 ? channel : 0]), Units(output.Quantization!.Scale) << 149);

    internal static long Requantize(
        BigInteger sum, RoundingScheme rounding, double factor, FusedActivation activation, TensorType type, (BigInteger Numerator, BigInteger Denominator) exact)
    {
        Assert.True(sum >= int.MinValue && sum <= int.MaxValue, "the generator made an accumulator beyond 32 bits");
        var value = rounding == RoundingScheme.OnnxHalfEven ? HalfEven(sum * exact.Numerator, exact.Denominator) : Scaled(sum, factor, rounding);
        return Clamp((long)BigInteger.Clamp(value, int.MinValue, int.MaxValue) + type.Quantization!.ZeroPoint, activation, type);
    }

    // int8-arithmetic.md 3.1 and 3.2 over rationals.
    internal static BigInteger Scaled(BigInteger value, double factor, RoundingScheme rounding)
    {
        var shift = 0;
        while (factor >= 1)
        {
            factor /= 2;
            shift++;
        }

        while (factor is < 0.5 and > 0)
        {
            factor *= 2;
            shift--;
        }

        var multiplier = (BigInteger)Math.Floor((factor * 2147483648.0) + 0.5);
        if (shift < -31 && multiplier < BigInteger.One << 31)
        {
            return 0;
        }

        if (rounding == RoundingScheme.TfliteSingle)
        {
            return Floor((2 * value * multiplier) + (BigInteger.One << (31 - shift)), BigInteger.One << (32 - shift));
        }

        var left = value << Math.Max(0, shift);
        Assert.True(left >= int.MinValue && left <= int.MaxValue, "the generator made a left shift beyond 32 bits");
        var high = Floor((2 * left * multiplier) + (BigInteger.One << 31), BigInteger.One << 32);
        var power = BigInteger.One << Math.Max(0, -shift);
        return high.Sign * ((2 * BigInteger.Abs(high)) + power) / (2 * power);
    }

    internal static BigInteger HalfEven(BigInteger numerator, BigInteger denominator)
    {
        var down = Floor(numerator, denominator);
        var twiceRest = 2 * (numerator - (down * denominator));
        return twiceRest > denominator || (twiceRest == denominator && !down.IsEven) ? down + 1 : down;
    }

    internal static BigInteger Floor(BigInteger numerator, BigInteger denominator)
    {
        var quotient = BigInteger.DivRem(numerator, denominator, out var remainder);
        return remainder.Sign < 0 ? quotient - 1 : quotient;
    }

    // A float32 as a number of 2^-149.
    internal static BigInteger Units(double scale) => (BigInteger)Math.ScaleB(scale, 149);

    internal static long Clamp(long code, FusedActivation activation, TensorType type)
    {
        var q = type.Quantization!;
        long Code(float real) => q.ZeroPoint + (long)Math.Clamp(Math.Round((double)(real / q.Scale), MidpointRounding.AwayFromZero), -1e9, 1e9);
        var (low, high) = activation switch
        {
            FusedActivation.Relu => (q.ZeroPoint, 127),
            FusedActivation.Relu6 => (q.ZeroPoint, Code(6)),
            FusedActivation.ReluN1To1 => (Code(-1), Code(1)),
            _ => (-128L, 127L),
        };
        return Math.Min(Math.Max(code, Math.Max(low, -128)), Math.Min(high, 127));
    }
}
