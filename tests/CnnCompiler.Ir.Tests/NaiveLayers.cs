using System.Numerics;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Ir.Tests;

/// <summary>
/// Layers of any numbers defined a second time: each element of the result by itself, a sum as the list of its terms. Codes and fixed-point numbers are exact integers of any size with every rounding that of
/// an exact rational, reals are binary64 added in the order of the terms. Functions of one element have tests of their own.
/// </summary>
internal static class NaiveLayers
{
    /// <summary>Keywords of the layers that are defined here.</summary>
    public static readonly string[] Kinds =
    [
        "conv2d", "depthwise_conv2d", "dense", "conv3d", "conv2d_transpose", "matmul", "capsule_transform", "max_pool2d", "avg_pool2d", "max_pool3d", "avg_pool3d", "mean", "constant", "add", "sub", "mul",
        "activation", "clip", "quantize", "dequantize", "concat", "pad", "reshape", "transpose", "strided_slice", "split", "resize",
    ];

    /// <summary>The result of a layer: an integer of any size, or a real.</summary>
    public static (BigInteger Integer, double Real)[] Evaluate(Layer layer, TensorType[] types, Tensor[] inputs) =>
        [.. Enumerable.Range(0, (int)layer.Type.Shape.Elements).Select(flat => Element(layer, types, inputs, NaiveNetwork.IndexOf(flat, layer.Type.Shape), flat))];

    private static (BigInteger, double) Element(Layer layer, TensorType[] types, Tensor[] inputs, int[] at, int flat) => layer switch
    {
        Conv2D l => Sum(l, types[0], inputs[0], l.Weights, l.WeightQuantization, l.Bias, at[3], l.Rounding, l.Activation, Taps(l.Weights.Shape, at[3], (k, c) =>
            [at[0], Place(at[1], k[0], l.Stride.Height, l.Dilation.Height, l.Padding.Top), Place(at[2], k[1], l.Stride.Width, l.Dilation.Width, l.Padding.Left), Channel(l.Weights, l.Groups, at[3], c)])),
        Conv3D l => Sum(l, types[0], inputs[0], l.Weights, l.WeightQuantization, l.Bias, at[4], l.Rounding, l.Activation, Taps(l.Weights.Shape, at[4], (k, c) =>
            [
                at[0],
                Place(at[1], k[0], l.Stride.Depth, l.Dilation.Depth, l.Padding.Front),
                Place(at[2], k[1], l.Stride.Height, l.Dilation.Height, l.Padding.Plane.Top),
                Place(at[3], k[2], l.Stride.Width, l.Dilation.Width, l.Padding.Plane.Left),
                Channel(l.Weights, l.Groups, at[4], c),
            ])),
        Conv2DTranspose l => Sum(l, types[0], inputs[0], l.Weights, l.WeightQuantization, l.Bias, at[3], l.Rounding, l.Activation, Taps(l.Weights.Shape, at[3], (k, c) =>
            [
                at[0],
                Reached(types[0].Shape[1], at[1], k[0], l.Stride.Height, l.Dilation.Height, l.Padding.Top),
                Reached(types[0].Shape[2], at[2], k[1], l.Stride.Width, l.Dilation.Width, l.Padding.Left),
                Channel(l.Weights, l.Groups, at[3], c),
            ])),
        DepthwiseConv2D l => Sum(l, types[0], inputs[0], l.Weights, l.WeightQuantization, l.Bias, at[3], l.Rounding, l.Activation, Indexes(l.Weights.Shape[1], l.Weights.Shape[2]).Select(k =>
            ((int[])[at[0], Place(at[1], k[0], l.Stride.Height, l.Dilation.Height, l.Padding.Top), Place(at[2], k[1], l.Stride.Width, l.Dilation.Width, l.Padding.Left), at[3] / l.Multiplier],
            (int[])[0, k[0], k[1], at[3]]))),
        Dense l => Sum(l, types[0] with { Shape = Shape.Of(at[0] + 1, l.Weights.Shape[1]) }, inputs[0], l.Weights, l.WeightQuantization, l.Bias, at[1], l.Rounding, l.Activation, Indexes(l.Weights.Shape[1]).Select(c =>
            ((int[])[at[0], c[0]], (int[])[at[1], c[0]]))),
        CapsuleTransform l => Sum(l, types[0], inputs[0], l.Weights, l.WeightQuantization, null, 0, l.Rounding, FusedActivation.None, Indexes(l.Weights.Shape[2]).Select(d =>
            ((int[])[at[0], at[1], d[0]], (int[])[at[1], at[2], d[0], at[3]]))),
        MatMul l => Sum(l, types[0], inputs[0], inputs[1].Reshape(types[1].Shape), types[1].Quantization, null, 0, l.Rounding, l.Activation, Indexes(types[0].Shape.Dimensions[l.TransposeFirst ? ^2 : ^1]).Select(k => (
            Broadcast(types[0].Shape, [.. at[..^2], .. l.TransposeFirst ? (int[])[k[0], at[^2]] : [at[^2], k[0]]]),
            Broadcast(types[1].Shape, [.. at[..^2], .. l.TransposeSecond ? (int[])[at[^1], k[0]] : [k[0], at[^1]]])))),
        MaxPool2D l => Largest(l, inputs[0], Pooled(types[0].Shape, at, (l.Kernel.Height, l.Stride.Height, l.Padding.Top), (l.Kernel.Width, l.Stride.Width, l.Padding.Left)), l.Activation),
        MaxPool3D l => Largest(l, inputs[0], Pooled(types[0].Shape, at, Windows(l.Kernel, l.Stride, l.Padding)), l.Activation),
        AveragePool2D l => Average(l, inputs[0], Pooled(types[0].Shape, at, (l.Kernel.Height, l.Stride.Height, l.Padding.Top), (l.Kernel.Width, l.Stride.Width, l.Padding.Left)), l.CountPadding, l.Activation),
        AveragePool3D l => Average(l, inputs[0], Pooled(types[0].Shape, at, Windows(l.Kernel, l.Stride, l.Padding)), l.CountPadding, l.Activation),
        Mean l => Mean(l, types[0], inputs[0], at),
        Add l => Binary(l, types, inputs, at, l.Rounding, l.Activation, (a, b) => a + b, (a, b) => a + b),
        Sub l => Binary(l, types, inputs, at, l.Rounding, l.Activation, (a, b) => a - b, (a, b) => a - b),
        Mul l => Product(l, types, inputs, at),
        Activation l => Activate(l.Type, Value(inputs[0], flat), l.Function),
        Clip l => Clip(l, Value(inputs[0], flat)),
        Quantize l => Quantize(l, types[0], Value(inputs[0], flat)),
        Dequantize => (0, (double)(Value(inputs[0], flat).Integer - types[0].Quantization!.ZeroPoint) * types[0].Quantization!.Scale),
        Constant l => Value(l.Value, flat),
        Reshape => Value(inputs[0], flat),
        Concat l => Joined(l, inputs, at),
        Pad l => Inside(types[0].Shape, [.. at.Select((i, d) => i - l.Before[d])]) is var place and >= 0 ? Value(inputs[0], place) : (l.Value, l.Value),
        Transpose l => Value(inputs[0], Inside(types[0].Shape, [.. Enumerable.Range(0, at.Length).Select(d => at[l.Permutation.ToList().IndexOf(d)])])),
        StridedSlice l => Value(inputs[0], Inside(types[0].Shape, [.. at.Select((i, d) => l.Begin[d] + (i * l.Stride[d]))])),
        Split l => Value(inputs[0], Inside(types[0].Shape, [.. at.Select((i, d) => d == l.Axis ? (l.Index * l.Type.Shape[d]) + i : i)])),
        Resize l => Resized(l, types[0].Shape, inputs[0], at),
        _ => throw new InvalidOperationException($"{layer.Keyword} has tests of its own"),
    };

    private static (BigInteger Integer, double Real) Value(Tensor tensor, int flat) => tensor.Element.IsReal() ? (0, tensor.GetReal(flat)) : (tensor.GetInteger(flat), 0);

    private static bool IsCode(TensorType type) => type.Element is ElementType.Int8 or ElementType.UInt8;

    private static int Fraction(float scale)
    {
        var bits = 0;
        for (; scale < 1; scale *= 2)
        {
            bits++;
        }

        return bits;
    }

    // Places and kernels ---------------------------------------------------------------------------------------------

    private static int Place(int at, int tap, int stride, int dilation, int before) => (at * stride) + (tap * dilation) - before;

    // The input that the tap spreads to this place, or -1: input i goes to i * stride + tap * dilation - before.
    private static int Reached(int extent, int at, int tap, int stride, int dilation, int before) =>
        Enumerable.Range(0, extent).Where(i => (i * stride) + (tap * dilation) - before == at).DefaultIfEmpty(-1).Single();

    private static int Channel(Tensor weights, int groups, int output, int channel) => (output / (weights.Shape[0] / groups) * weights.Shape.Dimensions[^1]) + channel;

    private static IEnumerable<int[]> Indexes(params int[] extents) =>
        Enumerable.Range(0, extents.Aggregate(1, (product, extent) => product * extent)).Select(flat => NaiveNetwork.IndexOf(flat, Shape.Of(extents)));

    private static IEnumerable<(int[] Input, int[] Weight)> Taps(Shape weights, int output, Func<int[], int, int[]> place) =>
        from k in Indexes([.. weights.Dimensions.Skip(1).Take(weights.Rank - 2)])
        from c in Enumerable.Range(0, weights.Dimensions[^1])
        select (place(k, c), (int[])[output, .. k, c]);

    // The flat index, or -1 outside.
    private static int Inside(Shape shape, int[] at)
    {
        var flat = 0;
        for (var d = 0; d < at.Length; d++)
        {
            if (at[d] < 0 || at[d] >= shape[d])
            {
                return -1;
            }

            flat = (flat * shape[d]) + at[d];
        }

        return flat;
    }

    private static int[] Broadcast(Shape shape, int[] at) => [.. at[(at.Length - shape.Rank)..].Select((i, d) => shape[d] == 1 ? 0 : i)];

    private static (int Kernel, int Stride, int Before)[] Windows(Volume kernel, Volume stride, VolumePadding padding) =>
        [(kernel.Depth, stride.Depth, padding.Front), (kernel.Height, stride.Height, padding.Plane.Top), (kernel.Width, stride.Width, padding.Plane.Left)];

    // Flat indexes of a window's taps, -1 for those outside.
    private static int[] Pooled(Shape shape, int[] at, params (int Kernel, int Stride, int Before)[] windows) =>
        [.. Indexes([.. windows.Select(w => w.Kernel)]).Select(k => Inside(shape, [at[0], .. windows.Select((w, d) => (at[d + 1] * w.Stride) + k[d] - w.Before), at[^1]]))];

    // Sums of products -----------------------------------------------------------------------------------------------

    private static (BigInteger, double) Sum(
        Layer l, TensorType type, Tensor input, Tensor weights, Quantization? quantization, Tensor? bias, int channel, RoundingScheme rounding, FusedActivation activation, IEnumerable<(int[] Input, int[] Weight)> terms)
    {
        var (sum, real) = (BigInteger.Zero, 0.0);
        var many = quantization is { Axis: >= 0 };
        foreach (var (x, w) in terms)
        {
            var (from, weight) = (Inside(type.Shape, x), Inside(weights.Shape, w));
            if (from < 0)
            {
                continue;
            }

            if (input.Element.IsReal())
            {
                real += input.GetReal(from) * weights.GetReal(weight);
            }
            else
            {
                var zero = IsCode(type) ? (x: type.Quantization!.ZeroPoint, w: quantization!.ZeroPoints[many ? channel : 0]) : default;
                sum += (BigInteger)(input.GetInteger(from) - zero.x) * (weights.GetInteger(weight) - zero.w);
            }
        }

        if (input.Element.IsReal())
        {
            return (0, Activate(bias is null ? real : real + bias.GetReal(channel), activation));
        }

        var added = bias?.GetInteger(channel) ?? 0;
        if (!IsCode(type))
        {
            return (Saturate(Shifted(sum, Fraction(type.Quantization!.Scale) + Fraction(quantization!.Scale), Fraction(l.Type.Quantization!.Scale)) + added, activation, l.Type), 0);
        }

        if (!IsCode(l.Type))
        {
            return (sum + added, 0);
        }

        double input32 = type.Quantization!.Scale, weight32 = quantization!.Scales[many ? channel : 0], output32 = l.Type.Quantization!.Scale;
        var factor = l is MatMul || (l is Dense && !many) ? (double)(float)(input32 * weight32) / output32 : input32 * weight32 / output32;
        var exact = (NaiveNetwork.Units(input32) * NaiveNetwork.Units(weight32), NaiveNetwork.Units(output32) << 149);
        return (NaiveNetwork.Requantize(sum + added, rounding, factor, activation, l.Type, exact), 0);
    }

    // Half up.
    private static BigInteger Shifted(BigInteger value, int from, int to) => from >= to ? NaiveNetwork.Floor((2 * value) + (BigInteger.One << (from - to)), BigInteger.One << (from - to + 1)) : value << (to - from);

    private static BigInteger Saturate(BigInteger value, FusedActivation activation, TensorType type)
    {
        var one = BigInteger.One << Fraction(type.Quantization!.Scale);
        var clamped = activation switch
        {
            FusedActivation.Relu => BigInteger.Max(value, 0),
            FusedActivation.Relu6 => BigInteger.Max(BigInteger.Min(value, 6 * one), 0),
            FusedActivation.ReluN1To1 => BigInteger.Max(BigInteger.Min(value, one), -one),
            _ => value,
        };
        return BigInteger.Clamp(clamped, int.MinValue, int.MaxValue);
    }

    private static double Activate(double value, FusedActivation activation) => activation switch
    {
        FusedActivation.Relu => value > 0 ? value : 0,
        FusedActivation.Relu6 => value > 6 ? 6 : value > 0 ? value : 0,
        FusedActivation.ReluN1To1 => value > 1 ? 1 : value < -1 ? -1 : value,
        _ => value,
    };

    private static (BigInteger, double) Activate(TensorType type, (BigInteger Integer, double Real) value, FusedActivation activation) =>
        type.Element.IsReal() ? (0, Activate(value.Real, activation))
        : IsCode(type) ? (NaiveNetwork.Clamp((long)value.Integer, activation, type), 0)
        : (Saturate(value.Integer, activation, type), 0);

    // Pools ----------------------------------------------------------------------------------------------------------

    private static (BigInteger, double) Largest(Layer l, Tensor input, int[] taps, FusedActivation activation)
    {
        var values = taps.Where(flat => flat >= 0).Select(flat => Value(input, flat)).ToList();
        return Activate(l.Type, (values.Max(value => value.Integer), values.Max(value => value.Real)), activation);
    }

    private static (BigInteger, double) Average(Layer l, Tensor input, int[] taps, bool countPadding, FusedActivation activation)
    {
        var values = (countPadding ? taps : taps.Where(flat => flat >= 0)).Select(flat => flat >= 0 ? Value(input, flat) : (IsCode(l.Type) ? l.Type.Quantization!.ZeroPoint : 0, 0)).ToList();
        var sum = values.Aggregate(BigInteger.Zero, (total, value) => total + value.Integer);
        return Activate(l.Type, (HalfAway(sum, values.Count), values.Aggregate(0.0, (total, value) => total + value.Real) / values.Count), activation);
    }

    private static BigInteger HalfAway(BigInteger numerator, BigInteger denominator) =>
        numerator.Sign * NaiveNetwork.Floor((2 * BigInteger.Abs(numerator)) + denominator, 2 * denominator);

    private static (BigInteger, double) Mean(Mean l, TensorType type, Tensor input, int[] at)
    {
        var kept = at.AsEnumerable().GetEnumerator();
        var place = new int[type.Shape.Rank];
        for (var d = 0; d < place.Length; d++)
        {
            var reduced = l.Axes.Contains(d);
            if (l.KeepDimensions || !reduced)
            {
                kept.MoveNext();
            }

            place[d] = reduced ? -1 : kept.Current;
        }

        var values = Indexes([.. type.Shape.Dimensions]).Where(index => index.Where((i, d) => place[d] >= 0 && place[d] != i).Any() is false).Select(index => Value(input, Inside(type.Shape, index))).ToList();
        var zero = IsCode(type) ? type.Quantization!.ZeroPoint : 0;
        var sum = values.Aggregate(BigInteger.Zero, (total, value) => total + value.Integer - zero);
        if (type.Element.IsReal())
        {
            return (0, values.Aggregate(0.0, (total, value) => total + value.Real) / values.Count);
        }

        double from = type.Quantization!.Scale, to = l.Type.Quantization!.Scale;
        if (!IsCode(type))
        {
            var (one, two) = (Fraction((float)from), Fraction((float)to));
            return (Saturate(HalfAway(sum << two, (BigInteger)values.Count << one), FusedActivation.None, l.Type), 0);
        }

        if (l.Rounding == RoundingScheme.OnnxHalfEven)
        {
            return (NaiveNetwork.Clamp((long)Math.Round((double)sum * from / (values.Count * to), MidpointRounding.ToEven) + l.Type.Quantization.ZeroPoint, FusedActivation.None, l.Type), 0);
        }

        // int8-arithmetic.md section 3.7.
        var (q, shift) = Multiplier(from / to);
        var k = Math.Min((int)Math.Floor(Math.Log2(values.Count)), Math.Min(32, 31 + shift));
        var (multiplier, right) = ((q << k) / values.Count, k - shift);
        BigInteger scaled;
        if (l.Rounding == RoundingScheme.TfliteSingle)
        {
            scaled = Shifted(sum * multiplier, 31 + right, 0);
        }
        else
        {
            var left = right < 0 ? sum << -right : sum;
            scaled = HalfAway(Shifted(left * multiplier, 31, 0), BigInteger.One << Math.Max(right, 0));
        }

        return (NaiveNetwork.Clamp((long)BigInteger.Clamp(scaled, int.MinValue, int.MaxValue) + l.Type.Quantization.ZeroPoint, FusedActivation.None, l.Type), 0);
    }

    private static (BigInteger Multiplier, int Shift) Multiplier(double factor)
    {
        var shift = 0;
        for (; factor >= 1; factor /= 2)
        {
            shift++;
        }

        for (; factor < 0.5; factor *= 2)
        {
            shift--;
        }

        return ((BigInteger)Math.Floor((factor * 2147483648.0) + 0.5), shift);
    }

    // Two values -----------------------------------------------------------------------------------------------------

    private static (BigInteger Integer, double Real)[] Operands(TensorType[] types, Tensor[] inputs, int[] at) =>
        [.. inputs.Select((input, i) => Value(input, Inside(types[i].Shape, Broadcast(types[i].Shape, at))))];

    private static (BigInteger, double) Binary(
        Layer l, TensorType[] types, Tensor[] inputs, int[] at, RoundingScheme rounding, FusedActivation activation, Func<double, double, double> reals, Func<BigInteger, BigInteger, BigInteger> integers)
    {
        var operands = Operands(types, inputs, at);
        if (l.Type.Element.IsReal())
        {
            return (0, Activate(reals(operands[0].Real, operands[1].Real), activation));
        }

        if (!IsCode(l.Type))
        {
            var (one, two) = (Fraction(types[0].Quantization!.Scale), Fraction(types[1].Quantization!.Scale));
            return (Saturate(Shifted(integers(operands[0].Integer << (30 - one), operands[1].Integer << (30 - two)), 30, Fraction(l.Type.Quantization!.Scale)), activation, l.Type), 0);
        }

        var (a, b) = (operands[0].Integer - types[0].Quantization!.ZeroPoint, operands[1].Integer - types[1].Quantization!.ZeroPoint);
        double s1 = types[0].Quantization!.Scale, s2 = types[1].Quantization!.Scale, s3 = l.Type.Quantization!.Scale;
        BigInteger result;
        if (rounding == RoundingScheme.OnnxHalfEven)
        {
            result = NaiveNetwork.HalfEven(integers(a * NaiveNetwork.Units(s1), b * NaiveNetwork.Units(s2)), NaiveNetwork.Units(s3));
        }
        else
        {
            var twice = 2 * Math.Max(s1, s2);
            var sum = integers(NaiveNetwork.Scaled(a << 20, s1 / twice, rounding), NaiveNetwork.Scaled(b << 20, s2 / twice, rounding));
            result = NaiveNetwork.Scaled(sum, twice / (1048576.0 * s3), rounding);
        }

        return (NaiveNetwork.Clamp((long)BigInteger.Clamp(result, int.MinValue, int.MaxValue) + l.Type.Quantization!.ZeroPoint, activation, l.Type), 0);
    }

    private static (BigInteger, double) Product(Mul l, TensorType[] types, Tensor[] inputs, int[] at)
    {
        var operands = Operands(types, inputs, at);
        if (l.Type.Element.IsReal())
        {
            return (0, Activate(operands[0].Real * operands[1].Real, l.Activation));
        }

        float s1 = types[0].Quantization!.Scale, s2 = types[1].Quantization!.Scale, s3 = l.Type.Quantization!.Scale;
        if (!IsCode(l.Type))
        {
            return (Saturate(Shifted(operands[0].Integer * operands[1].Integer, Fraction(s1) + Fraction(s2), Fraction(s3)), l.Activation, l.Type), 0);
        }

        var product = (operands[0].Integer - types[0].Quantization!.ZeroPoint) * (operands[1].Integer - types[1].Quantization!.ZeroPoint);
        var exact = (NaiveNetwork.Units(s1) * NaiveNetwork.Units(s2), NaiveNetwork.Units(s3) << 149);
        return (NaiveNetwork.Requantize(product, l.Rounding, (double)s1 * s2 / s3, l.Activation, l.Type, exact), 0);
    }

    // One value ------------------------------------------------------------------------------------------------------

    private static (BigInteger, double) Clip(Clip l, (BigInteger Integer, double Real) value)
    {
        if (l.Type.Element.IsReal())
        {
            return (0, value.Real < l.Low ? l.Low : value.Real > l.High ? l.High : value.Real);
        }

        var q = l.Type.Quantization!;
        var (low, high) = l.Type.Element.Range();
        BigInteger Bound(float bound) => float.IsNegativeInfinity(bound) ? low : float.IsPositiveInfinity(bound) ? high
            : (BigInteger)Math.Clamp(Math.Round((double)(bound / q.Scale), IsCode(l.Type) ? MidpointRounding.AwayFromZero : MidpointRounding.ToEven) + q.ZeroPoint, low, high);
        return (BigInteger.Min(BigInteger.Max(value.Integer, Bound(l.Low)), Bound(l.High)), 0);
    }

    private static (BigInteger, double) Quantize(Quantize l, TensorType type, (BigInteger Integer, double Real) value)
    {
        var q = l.Type.Quantization!;
        var (low, high) = l.Type.Element.Range();
        BigInteger code;
        if (type.Element.IsReal())
        {
            // The exact quotient rounded to binary32 first.
            code = (BigInteger)Math.Round((double)((float)value.Real / q.Scale), l.Rounding == RoundingScheme.OnnxHalfEven ? MidpointRounding.ToEven : MidpointRounding.AwayFromZero);
        }
        else if (!IsCode(type) && !IsCode(l.Type))
        {
            code = Shifted(value.Integer, Fraction(type.Quantization!.Scale), Fraction(q.Scale));
        }
        else
        {
            var (from, centred) = (type.Quantization!.Scale, value.Integer - type.Quantization.ZeroPoint);
            code = l.Rounding == RoundingScheme.OnnxHalfEven
                ? NaiveNetwork.HalfEven(centred * NaiveNetwork.Units(from), NaiveNetwork.Units(q.Scale))
                : NaiveNetwork.Scaled(centred, (double)from / q.Scale, l.Rounding);
        }

        return (BigInteger.Clamp(code + q.ZeroPoint, low, high), 0);
    }

    private static (BigInteger, double) Joined(Concat l, Tensor[] inputs, int[] at)
    {
        var index = (int[])at.Clone();
        foreach (var input in inputs)
        {
            if (index[l.Axis] < input.Shape[l.Axis])
            {
                return Value(input, Inside(input.Shape, index));
            }

            index[l.Axis] -= input.Shape[l.Axis];
        }

        throw new InvalidOperationException("index beyond the inputs");
    }

    private static (BigInteger, double) Resized(Resize l, Shape shape, Tensor input, int[] at)
    {
        var (align, half) = (l.Coordinates == ResizeCoordinates.AlignCorners, l.Coordinates == ResizeCoordinates.HalfPixel);
        var extents = (Rows: l.Type.Shape[1], Columns: l.Type.Shape[2]);
        if (l.Mode == ResizeMode.Nearest)
        {
            return Value(input, Inside(shape, [at[0], Nearest(at[1], shape[1], extents.Rows), Nearest(at[2], shape[2], extents.Columns), at[3]]));
        }

        if (input.Element.IsReal())
        {
            var (y, x) = (Real(at[1], shape[1], extents.Rows), Real(at[2], shape[2], extents.Columns));
            double Corner(int i, int j) => Value(input, Inside(shape, [at[0], Math.Min((int)y + i, shape[1] - 1), Math.Min((int)x + j, shape[2] - 1), at[3]])).Item2;
            var (down, across) = (y - Math.Floor(y), x - Math.Floor(x));
            return (0, (((Corner(0, 0) * (1 - across)) + (Corner(0, 1) * across)) * (1 - down)) + (((Corner(1, 0) * (1 - across)) + (Corner(1, 1) * across)) * down));
        }

        // Hat functions of width 1 around each element, in units of 1/1024.
        var (row, column) = (Scaled(at[1], shape[1], extents.Rows), Scaled(at[2], shape[2], extents.Columns));
        var sum = BigInteger.Zero;
        for (var i = 0; i < shape[1]; i++)
        {
            for (var j = 0; j < shape[2]; j++)
            {
                sum += Math.Max(0, 1024 - Math.Abs(row - (1024 * i))) * Math.Max(0, 1024 - Math.Abs(column - (1024 * j))) * Value(input, Inside(shape, [at[0], i, j, at[3]])).Integer;
            }
        }

        return (HalfAway(sum, 1 << 20), 0);

        int Nearest(int i, int from, int to)
        {
            var scale = align && to > 1 ? (from - 1f) / (to - 1f) : (float)from / to;
            var place = (i + (half ? 0.5f : 0)) * scale;
            return Math.Min(align ? (int)(place + 0.5f) : (int)place, from - 1);
        }

        double Real(int i, int from, int to) => Math.Clamp(half ? ((i + 0.5) * from / to) - 0.5 : align && to > 1 ? i * (from - 1.0) / (to - 1) : (double)i * from / to, 0, from - 1);

        long Scaled(int i, int from, int to)
        {
            var scale = align && to > 1 ? ((1024 * (from - 1)) + ((to - 1) / 2)) / (to - 1) : ((1024 * from) + (to / 2)) / to;
            return Math.Clamp((i * scale) + (half ? (scale / 2) - 512 : 0), 0, 1024 * (from - 1));
        }
    }
}
