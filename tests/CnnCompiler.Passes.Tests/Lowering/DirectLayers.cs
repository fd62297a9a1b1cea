using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Passes.Tests.Lowering;

/// <summary>
/// What layers mean in real numbers, in the plainest way: every result element worked out by itself in binary64 from the formula of the layer, before any rounding. It shares no code with the levels.
/// </summary>
internal static class DirectLayers
{
    private delegate double At(params int[] index);

    /// <summary>The real values of a tensor.</summary>
    public static double[] Reals(Tensor tensor, Quantization? quantization, int axis = -1) => [.. Enumerable.Range(0, (int)tensor.Shape.Elements).Select(i =>
    {
        if (tensor.Element.IsReal())
        {
            return tensor.GetReal(i);
        }

        var channel = 0;
        if (quantization is { Scales.Count: > 1 })
        {
            var inner = tensor.Shape.Dimensions.Skip(axis + 1).Aggregate(1, (product, extent) => product * extent);
            channel = i / inner % tensor.Shape[axis];
        }

        return quantization is null ? tensor.GetInteger(i) : (tensor.GetInteger(i) - quantization.ZeroPoints[channel]) * (double)quantization.Scales[channel];
    })];

    /// <summary>The result of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="types">Types of its inputs.</param>
    /// <param name="inputs">Its inputs.</param>
    public static double[] Evaluate(Layer layer, TensorType[] types, Tensor[] inputs)
    {
        var values = inputs.Select((input, i) => Reals(input, types[i].Quantization)).ToArray();
        var (shape, result) = (types.Length > 0 ? types[0].Shape : default, layer.Type.Shape);
        At x = index => Element(values[0], shape, index);
        return layer switch
        {
            Conv2D l => Each(result, o => Convolution(l, x, types[0], l.Weights, l.WeightQuantization, 0, l.Bias, o[3], l.Weights.Shape, l.Activation, (k, c) =>
                [o[0], (o[1] * l.Stride.Height) + (k[0] * l.Dilation.Height) - l.Padding.Top, (o[2] * l.Stride.Width) + (k[1] * l.Dilation.Width) - l.Padding.Left, (o[3] / (result[3] / l.Groups) * l.Weights.Shape[3]) + c])),
            Conv3D l => Each(result, o => Convolution(l, x, types[0], l.Weights, l.WeightQuantization, 0, l.Bias, o[4], l.Weights.Shape, l.Activation, (k, c) =>
                [
                    o[0],
                    (o[1] * l.Stride.Depth) + (k[0] * l.Dilation.Depth) - l.Padding.Front,
                    (o[2] * l.Stride.Height) + (k[1] * l.Dilation.Height) - l.Padding.Plane.Top,
                    (o[3] * l.Stride.Width) + (k[2] * l.Dilation.Width) - l.Padding.Plane.Left,
                    (o[4] / (result[4] / l.Groups) * l.Weights.Shape[4]) + c,
                ])),
            Conv2DTranspose l => Each(result, o => Convolution(l, x, types[0], l.Weights, l.WeightQuantization, 0, l.Bias, o[3], l.Weights.Shape, l.Activation, (k, c) =>
                [
                    o[0],
                    Exactly(o[1] + l.Padding.Top - (k[0] * l.Dilation.Height), l.Stride.Height),
                    Exactly(o[2] + l.Padding.Left - (k[1] * l.Dilation.Width), l.Stride.Width),
                    (o[3] / (result[3] / l.Groups) * l.Weights.Shape[3]) + c,
                ])),
            DepthwiseConv2D l => Depthwise(l, values[0], types[0]),
            Dense l => Dense(l, values[0], types[0]),
            MatMul l => MatMul(l, values, types),
            CapsuleTransform l => Capsules(l, x, shape),
            MaxPool2D l => Pool(l.Type, values[0], shape, Window(l.Kernel, l.Stride, l.Padding), null, l.Activation),
            MaxPool3D l => Pool(l.Type, values[0], shape, Window(l.Kernel, l.Stride, l.Padding), null, l.Activation),
            AveragePool2D l => Pool(l.Type, values[0], shape, Window(l.Kernel, l.Stride, l.Padding), l.CountPadding, l.Activation),
            AveragePool3D l => Pool(l.Type, values[0], shape, Window(l.Kernel, l.Stride, l.Padding), l.CountPadding, l.Activation),
            Mean l => Mean(l, values[0], shape),
            Constant l => Reals(l.Value, l.Type.Quantization),
            Add l => Binary(l, values, types, (a, b) => Activate(a + b, l.Activation)),
            Sub l => Binary(l, values, types, (a, b) => Activate(a - b, l.Activation)),
            Mul l => Binary(l, values, types, (a, b) => Activate(a * b, l.Activation)),
            Unary l => [.. values[0].Select(v => Unary(l, v))],
            Activation l => [.. values[0].Select(v => Activate(v, l.Function))],
            Clip l => [.. values[0].Select(v => Math.Min(Math.Max(v, l.Low), l.High))],
            BatchNorm l => Each(result, o => (Parameter(l.Scale, o[^1]) * (x(o) - Parameter(l.Mean, o[^1])) / Math.Sqrt(Parameter(l.Variance, o[^1]) + l.Epsilon)) + Parameter(l.Offset, o[^1])),
            LayerNorm l => LayerNorm(l, values[0], shape),
            Lrn l => Each(result, o => x(o) / Math.Pow(l.Bias + ((double)l.Alpha / l.Size * Enumerable.Range(0, l.Size).Sum(k => Square(x([.. o[..^1], o[^1] + k - ((l.Size - 1) / 2)])))), l.Beta)),
            Softmax l => Softmax(values[0], shape.Dimensions[^1], l.Beta),
            Ir.Network.Squash => Squash(values[0], shape.Dimensions[^1]),
            Routing l => Routing(l, values[0], shape),
            Quantize or Dequantize or Reshape => values[0],
            Concat l => Each(result, o => Part(l, values, types, o)),
            Pad l => Each(result, o => x([.. o.Select((at, d) => at - l.Before[d])])),
            Transpose l => Each(result, o => x([.. Enumerable.Range(0, o.Length).Select(d => o[IndexOf(l.Permutation, d)])])),
            StridedSlice l => Each(result, o => x([.. o.Select((at, d) => l.Begin[d] + (at * l.Stride[d]))])),
            Split l => Each(result, o => x([.. o.Select((at, d) => d == l.Axis ? at + (l.Index * result[d]) : at)])),
            Resize => Each(result, o => x(o[0], o[1] * shape[1] / result[1], o[2] * shape[2] / result[2], o[3])),
            _ => throw new InvalidOperationException($"no case for {layer.Keyword}"),
        };
    }

    private static double Square(double value) => value * value;

    // 0 outside.
    private static double Element(double[] values, Shape shape, int[] index)
    {
        var flat = Flat(shape, index);
        return flat < 0 ? 0 : values[flat];
    }

    private static int Flat(Shape shape, int[] index)
    {
        var flat = 0;
        for (var d = 0; d < shape.Rank; d++)
        {
            if (index[d] < 0 || index[d] >= shape[d])
            {
                return -1;
            }

            flat = (flat * shape[d]) + index[d];
        }

        return flat;
    }

    private static IEnumerable<int[]> Indexes(Shape shape)
    {
        for (var i = 0; i < shape.Elements; i++)
        {
            var index = new int[shape.Rank];
            var rest = i;
            for (var d = shape.Rank - 1; d >= 0; d--)
            {
                (rest, index[d]) = Math.DivRem(rest, shape[d]);
            }

            yield return index;
        }
    }

    private static double[] Each(Shape shape, Func<int[], double> value) => [.. Indexes(shape).Select(value)];

    private static int Exactly(int value, int divisor) => value % divisor == 0 ? value / divisor : -1;

    private static double Convolution(
        Layer layer, At x, TensorType input, Tensor weights, Quantization? quantization, int axis, Tensor? bias, int channel, Shape kernel, FusedActivation activation, Func<int[], int, int[]> place)
    {
        var reals = Reals(weights, quantization, axis);
        var spatial = new Shape([.. kernel.Dimensions.Skip(1).Take(kernel.Rank - 2)]);
        var sum = 0.0;
        foreach (var k in Indexes(spatial))
        {
            for (var c = 0; c < kernel.Dimensions[^1]; c++)
            {
                sum += x(place(k, c)) * Element(reals, kernel, [channel, .. k, c]);
            }
        }

        return Activate(sum + Bias(layer, bias, channel, BiasScale(layer.Type, input.Quantization, quantization, channel)), activation);
    }

    private static double Bias(Layer layer, Tensor? bias, int channel, double scale) => bias is null ? 0
        : bias.Element.IsReal() ? bias.GetReal(channel)
        : bias.GetInteger(channel) * (scale > 0 ? scale : layer.Type.Quantization!.Scale);

    private static double[] Depthwise(DepthwiseConv2D l, double[] values, TensorType input)
    {
        var shape = input.Shape;
        var weights = Reals(l.Weights, l.WeightQuantization, 3);
        return Each(l.Type.Shape, o =>
        {
            var sum = 0.0;
            for (var ky = 0; ky < l.Weights.Shape[1]; ky++)
            {
                for (var kx = 0; kx < l.Weights.Shape[2]; kx++)
                {
                    sum += Element(values, shape, [o[0], (o[1] * l.Stride.Height) + ky - l.Padding.Top, (o[2] * l.Stride.Width) + kx - l.Padding.Left, o[3] / l.Multiplier])
                        * Element(weights, l.Weights.Shape, [0, ky, kx, o[3]]);
                }
            }

            return Activate(sum + Bias(l, l.Bias, o[3], BiasScale(l.Type, input.Quantization, l.WeightQuantization, o[3])), l.Activation);
        });
    }

    private static double BiasScale(TensorType type, Quantization? input, Quantization? weights, int channel) =>
        type.Element == ElementType.Int8 ? input!.Scale * (double)weights!.Scales[weights.Scales.Count > 1 ? channel : 0] : 0;

    private static double[] Dense(Dense l, double[] values, TensorType input)
    {
        var weights = Reals(l.Weights, l.WeightQuantization, 0);
        var depth = l.Weights.Shape[1];
        return Each(l.Type.Shape, o =>
        {
            var sum = 0.0;
            for (var c = 0; c < depth; c++)
            {
                sum += values[(o[0] * depth) + c] * weights[(o[1] * depth) + c];
            }

            return Activate(sum + Bias(l, l.Bias, o[1], BiasScale(l.Type, input.Quantization, l.WeightQuantization, o[1])), l.Activation);
        });
    }

    private static double[] MatMul(MatMul l, double[][] values, TensorType[] types) => Each(l.Type.Shape, o =>
    {
        var sum = 0.0;
        var depth = types[0].Shape.Dimensions[l.TransposeFirst ? ^2 : ^1];
        for (var k = 0; k < depth; k++)
        {
            sum += Of(0, l.TransposeFirst, o[^2], k) * Of(1, l.TransposeSecond, k, o[^1]);
        }

        return Activate(sum, l.Activation);

        double Of(int operand, bool transposed, int row, int column)
        {
            var shape = types[operand].Shape;
            return Element(values[operand], shape, [.. o[..^2].Select((at, d) => shape[d] == 1 ? 0 : at), .. transposed ? (int[])[column, row] : [row, column]]);
        }
    });

    private static double[] Capsules(CapsuleTransform l, At x, Shape shape)
    {
        var weights = Reals(l.Weights, l.WeightQuantization, 0);
        return Each(l.Type.Shape, o =>
        {
            var sum = 0.0;
            for (var d = 0; d < shape[2]; d++)
            {
                sum += x(o[0], o[1], d) * Element(weights, l.Weights.Shape, [o[1], o[2], d, o[3]]);
            }

            return sum;
        });
    }

    private static (int Kernel, int Stride, int Before)[] Window(Spatial kernel, Spatial stride, Padding padding) => [(kernel.Height, stride.Height, padding.Top), (kernel.Width, stride.Width, padding.Left)];

    private static (int Kernel, int Stride, int Before)[] Window(Volume kernel, Volume stride, VolumePadding padding) =>
        [(kernel.Depth, stride.Depth, padding.Front), (kernel.Height, stride.Height, padding.Plane.Top), (kernel.Width, stride.Width, padding.Plane.Left)];

    private static double[] Pool(TensorType type, double[] values, Shape shape, (int Kernel, int Stride, int Before)[] window, bool? countPadding, FusedActivation activation) => Each(type.Shape, o =>
    {
        var (largest, sum, taps, all) = (double.NegativeInfinity, 0.0, 0, 0);
        foreach (var k in Indexes(new([.. window.Select(w => w.Kernel)])))
        {
            all++;
            var flat = Flat(shape, [o[0], .. window.Select((w, i) => (o[i + 1] * w.Stride) + k[i] - w.Before), o[^1]]);
            if (flat >= 0)
            {
                (largest, sum, taps) = (Math.Max(largest, values[flat]), sum + values[flat], taps + 1);
            }
        }

        return Activate(countPadding is { } count ? sum / (count ? all : taps) : largest, activation);
    });

    private static double[] Mean(Mean l, double[] values, Shape shape)
    {
        var (sums, counts) = (new double[l.Type.Shape.Elements], new int[l.Type.Shape.Elements]);
        var i = 0;
        foreach (var at in Indexes(shape))
        {
            var flat = Flat(l.Type.Shape, [.. l.KeepDimensions ? at.Select((v, d) => l.Axes.Contains(d) ? 0 : v) : at.Where((_, d) => !l.Axes.Contains(d))]);
            sums[flat] += values[i++];
            counts[flat]++;
        }

        return [.. sums.Zip(counts, (sum, count) => sum / count)];
    }

    private static double[] Binary(Layer layer, double[][] values, TensorType[] types, Func<double, double, double> function) => Each(layer.Type.Shape, o =>
    {
        return function(Of(0), Of(1));

        double Of(int operand)
        {
            var shape = types[operand].Shape;
            return Element(values[operand], shape, [.. o[(o.Length - shape.Rank)..].Select((at, d) => shape[d] == 1 ? 0 : at)]);
        }
    });

    private static double Activate(double value, FusedActivation activation) => activation switch
    {
        FusedActivation.Relu => Math.Max(value, 0),
        FusedActivation.Relu6 => Math.Min(Math.Max(value, 0), 6),
        FusedActivation.ReluN1To1 => Math.Min(Math.Max(value, -1), 1),
        _ => value,
    };

    private static double Unary(Unary layer, double x) => layer.Function switch
    {
        UnaryFunction.Logistic => 1 / (1 + Math.Exp(-x)),
        UnaryFunction.Tanh => Math.Tanh(x),
        UnaryFunction.HardSwish => x * Math.Min(Math.Max(x + 3, 0), 6) / 6,
        UnaryFunction.LeakyRelu => x >= 0 ? x : layer.Alpha * x,
        UnaryFunction.Gelu => x * (1 + ErrorFunction.Erf(x / Math.Sqrt(2))) / 2,
        UnaryFunction.GeluTanh => x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))) / 2,
        UnaryFunction.Exp => Math.Exp(x),
        _ => Math.Sqrt(x),
    };

    private static double Parameter(Tensor? tensor, int index, double otherwise = 0) => tensor is null ? otherwise : tensor.GetReal(index);

    private static double[] LayerNorm(LayerNorm l, double[] values, Shape shape)
    {
        var length = shape.Dimensions.Skip(l.Axis).Aggregate(1, (product, extent) => product * extent);
        var result = new double[values.Length];
        for (var start = 0; start < values.Length; start += length)
        {
            var mean = values[start..(start + length)].Sum() / length;
            var deviation = Math.Sqrt((values[start..(start + length)].Sum(v => Square(v - mean)) / length) + l.Epsilon);
            for (var i = 0; i < length; i++)
            {
                result[start + i] = (Parameter(l.Scale, i, 1) * (values[start + i] - mean) / deviation) + Parameter(l.Offset, i);
            }
        }

        return result;
    }

    private static double[] Softmax(double[] values, int length, double beta)
    {
        var result = new double[values.Length];
        for (var start = 0; start < values.Length; start += length)
        {
            var row = values[start..(start + length)];
            var largest = row.Max();
            var exponentials = row.Select(v => Math.Exp(beta * (v - largest))).ToArray();
            exponentials.Select(e => e / exponentials.Sum()).ToArray().CopyTo(result, start);
        }

        return result;
    }

    private static double[] Squash(double[] values, int length)
    {
        var result = new double[values.Length];
        for (var start = 0; start < values.Length; start += length)
        {
            var q = values[start..(start + length)].Sum(Square);
            for (var i = start; i < start + length; i++)
            {
                result[i] = q > 0 ? q / (1 + q) * values[i] / Math.Sqrt(q) : 0;
            }
        }

        return result;
    }

    private static double[] Routing(Routing l, double[] u, Shape shape)
    {
        var (n, i, j, e) = (shape[0], shape[1], shape[2], shape[3]);
        var logits = new double[n * i * j];
        for (var t = 0; ; t++)
        {
            var coupling = Softmax(logits, j, 1);
            var weighted = Each(Shape.Of(n, j, e), o =>
            {
                var sum = 0.0;
                for (var k = 0; k < i; k++)
                {
                    sum += coupling[(((o[0] * i) + k) * j) + o[1]] * Element(u, shape, [o[0], k, o[1], o[2]]);
                }

                return sum;
            });
            var squashed = Squash(weighted, e);
            if (t == l.Iterations - 1)
            {
                return squashed;
            }

            logits = [.. Indexes(Shape.Of(n, i, j)).Select((o, at) =>
            {
                var sum = 0.0;
                for (var k = 0; k < e; k++)
                {
                    sum += Element(u, shape, [o[0], o[1], o[2], k]) * squashed[(((o[0] * j) + o[2]) * e) + k];
                }

                return logits[at] + sum;
            })];
        }
    }

    private static double Part(Concat l, double[][] values, TensorType[] types, int[] at)
    {
        var index = at.ToArray();
        var part = 0;
        for (; index[l.Axis] >= types[part].Shape[l.Axis]; part++)
        {
            index[l.Axis] -= types[part].Shape[l.Axis];
        }

        return Element(values[part], types[part].Shape, index);
    }

    private static int IndexOf(Core.EquatableArray<int> values, int value)
    {
        for (var i = 0; i < values.Count; i++)
        {
            if (values[i] == value)
            {
                return i;
            }
        }

        return -1;
    }
}
