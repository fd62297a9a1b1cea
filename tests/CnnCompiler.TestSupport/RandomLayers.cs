using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.TestSupport;

/// <summary>What the values of a random layer are made of.</summary>
public enum Elements
{
    /// <summary>f32.</summary>
    Real,

    /// <summary>i32 with a power of two as scale.</summary>
    Fixed,

    /// <summary>i8 with scale and zero point.</summary>
    Code,
}

/// <summary>A network of one layer 'y' with small random shapes, attributes, weights and inputs.</summary>
/// <param name="Graph">The network.</param>
/// <param name="Inputs">Its inputs.</param>
public sealed record RandomLayer(NetworkGraph Graph, Tensor[] Inputs)
{
    /// <summary>The layer.</summary>
    public Layer Layer => Graph.Layers[0];
}

/// <summary>Random layers of every kind.</summary>
public sealed class RandomLayers
{
    private readonly SeededRandom _random;
    private readonly Elements _elements;
    private readonly RoundingScheme _rounding;
    private readonly List<NetworkInput> _inputs = [];
    private readonly List<Tensor> _tensors = [];

    private RandomLayers(int seed, Elements elements)
    {
        _random = new((ulong)seed);
        _elements = elements;
        _rounding = (RoundingScheme)(seed % 3);
    }

    private static readonly Dictionary<string, Func<RandomLayers, Layer>> Makers = new(StringComparer.Ordinal)
    {
        ["conv2d"] = r => r.Conv2D(),
        ["depthwise_conv2d"] = r => r.Depthwise(),
        ["dense"] = r => r.Dense(),
        ["conv3d"] = r => r.Conv3D(),
        ["conv2d_transpose"] = r => r.Transposed(),
        ["matmul"] = r => r.MatMul(),
        ["capsule_transform"] = r => r.Capsules(),
        ["max_pool2d"] = r => r.Pool2D(false),
        ["avg_pool2d"] = r => r.Pool2D(true),
        ["max_pool3d"] = r => r.Pool3D(false),
        ["avg_pool3d"] = r => r.Pool3D(true),
        ["mean"] = r => r.Mean(),
        ["constant"] = r => r.Constant(),
        ["add"] = r => r.Binary((inputs, type) => new Add("y", inputs, type, r.Activation(), r._rounding)),
        ["sub"] = r => r.Binary((inputs, type) => new Sub("y", inputs, type, r.Activation(), r._rounding)),
        ["mul"] = r => r.Binary((inputs, type) => new Mul("y", inputs, type, r.Activation(), r._rounding)),
        ["logistic"] = r => r.Unary(UnaryFunction.Logistic),
        ["tanh"] = r => r.Unary(UnaryFunction.Tanh),
        ["hard_swish"] = r => r.Unary(UnaryFunction.HardSwish),
        ["leaky_relu"] = r => r.Unary(UnaryFunction.LeakyRelu),
        ["gelu"] = r => r.Unary(UnaryFunction.Gelu),
        ["gelu_tanh"] = r => r.Unary(UnaryFunction.GeluTanh),
        ["exp"] = r => r.Unary(UnaryFunction.Exp),
        ["sqrt"] = r => r.Unary(UnaryFunction.Sqrt),
        ["activation"] = r => new Activation("y", [r.Input(r.Shape(4))], r.Same(), r._random.Choose(FusedActivation.Relu, FusedActivation.Relu6, FusedActivation.ReluN1To1)),
        ["clip"] = r => new Clip("y", [r.Input(r.Shape(3))], r.Same(), r._random.Choose(float.NegativeInfinity, -1.5f, 0), r._random.Choose(float.PositiveInfinity, 0.75f, 3)),
        ["batch_norm"] = r => r.BatchNorm(),
        ["layer_norm"] = r => r.LayerNorm(),
        ["lrn"] = r => new Lrn("y", [r.Input(r.Shape(4))], r.Like(0), r._random.Next(1, 5), r._random.Choose(1f, 0.001f, 0.5f), r._random.Choose(0.75f, 0.5f), r._random.Choose(1f, 2f)),
        ["softmax"] = r => new Softmax("y", [r.Input(r.Shape(r._random.Next(1, 3)))], r.LikeWith(1f / 256, -128), r._random.Choose(1f, 0.5f)),
        ["squash"] = r => new Squash("y", [r.Input(r.Shape(3))], r.Like(0)),
        ["routing"] = r => r.Routing(),
        ["quantize"] = r => r.Quantize(),
        ["dequantize"] = r => new Dequantize("y", [r.Input(r._elements == Elements.Real ? r.Codes(r.Shape(3)) : r.Type(r.Shape(3)))], new(ElementType.Float32, r._inputs[0].Type.Shape)),
        ["concat"] = r => r.Concat(),
        ["pad"] = r => r.Pad(),
        ["reshape"] = r => new Reshape("y", [r.Input(Core.Tensors.Shape.Of(2, 3, 4))], r.Same() with { Shape = Core.Tensors.Shape.Of(4, 6) }),
        ["transpose"] = r => r.Transpose(),
        ["strided_slice"] = r => r.Slice(),
        ["split"] = r => r.Split(),
        ["resize"] = r => r.Resize(),
    };

    /// <summary>Keywords of the kinds there are.</summary>
    public static IEnumerable<string> Kinds => Makers.Keys;

    /// <summary>A random layer.</summary>
    public static RandomLayer Make(string kind, Elements elements, int seed)
    {
        var random = new RandomLayers(seed, elements);
        var layer = random.Summed(Makers[kind](random));
        return new(new($"{kind} of {elements}, seed {seed}", random._inputs.ToEquatableArray(), [layer], ["y"]), [.. random._tensors]);
    }

    /// <summary>A resize to any size in any mode; the layers of <see cref="Make"/> repeat each element a whole number of times.</summary>
    public static RandomLayer MakeResize(Elements elements, int seed)
    {
        var random = new RandomLayers(seed, elements);
        var source = random.Input(random.Shape(4));
        var size = new Spatial(random._random.Next(1, 9), random._random.Next(1, 9));
        var shape = random.Same().Shape;
        var layer = new Resize(
            "y",
            [source],
            random.Same() with { Shape = Core.Tensors.Shape.Of(shape[0], size.Height, size.Width, shape[3]) },
            size,
            random._random.Choose<ResizeMode>(Enum.GetValues<ResizeMode>()),
            random._random.Choose<ResizeCoordinates>(Enum.GetValues<ResizeCoordinates>()),
            random._rounding);
        return new(new($"resize of {elements}, seed {seed}", random._inputs.ToEquatableArray(), [layer], ["y"]), [.. random._tensors]);
    }

    private TensorType Type(Shape shape) => _elements switch
    {
        Elements.Real => new(ElementType.Float32, shape),
        Elements.Fixed => new(ElementType.Int32, shape, Quantization.PerTensor(MathF.Pow(2, -_random.Next(10, 20)), 0)),
        _ => Codes(shape),
    };

    private TensorType Codes(Shape shape) => new(ElementType.Int8, shape, Quantization.PerTensor(_random.Next(10, 40) / 500f, _random.NextCode()));

    // The type of an input with the same quantisation, or its shape with one of its own.
    private TensorType Same(int input = 0) => _inputs[input].Type;

    private TensorType Like(int input) => Type(_inputs[input].Type.Shape);

    // The type of an input with a quantisation of its own, which is given where it is one of codes.
    private TensorType LikeWith(float scale, int zeroPoint) => _elements == Elements.Code ? Same() with { Quantization = Quantization.PerTensor(scale, zeroPoint) } : Like(0);

    // Some sums of products of codes stay sums.
    private Layer Summed(Layer layer)
    {
        if (_elements != Elements.Code || !_random.OneIn(4))
        {
            return layer;
        }

        return layer switch
        {
            Conv2D { WeightQuantization.Scales.Count: 1 } l => l with { Type = SumOf(l.Type, l.WeightQuantization), Activation = FusedActivation.None },
            DepthwiseConv2D { WeightQuantization.Scales.Count: 1 } l => l with { Type = SumOf(l.Type, l.WeightQuantization), Activation = FusedActivation.None },
            Dense { WeightQuantization.Scales.Count: 1 } l => l with { Type = SumOf(l.Type, l.WeightQuantization), Activation = FusedActivation.None },
            MatMul l => l with { Type = SumOf(l.Type, _inputs[1].Type.Quantization!), Activation = FusedActivation.None },
            _ => layer,
        };
    }

    private TensorType SumOf(TensorType type, Quantization weights) => new(ElementType.Int32, type.Shape, Quantization.PerTensor(Same().Quantization!.Scale * weights.Scale, 0));

    private Shape Shape(int rank) => new(Enumerable.Range(0, rank).Select(_ => _random.Next(1, 5)).ToEquatableArray());

    private string Input(Shape shape) => Input(Type(shape));

    private string Input(TensorType type)
    {
        var name = $"x{_inputs.Count}";
        _inputs.Add(new(name, type));
        _tensors.Add(Values(type));
        return name;
    }

    private Tensor Values(TensorType type, double magnitude = 4)
    {
        var count = (int)type.Shape.Elements;
        return type.Element switch
        {
            ElementType.Float32 => Tensor.From<float>(type.Element, type.Shape, [.. Enumerable.Range(0, count).Select(_ => (float)(Number() * magnitude))]),
            ElementType.Int32 => Tensor.From<int>(type.Element, type.Shape, [.. Enumerable.Range(0, count).Select(_ => (int)(Number() * magnitude / type.Quantization!.Scale))]),
            _ => Tensor.From<sbyte>(type.Element, type.Shape, [.. Enumerable.Range(0, count).Select(_ => _random.NextCode())]),
        };
    }

    private double Number() => _random.NextInt32() / 2147483648.0;

    private Tensor Reals(int count, double low, double high) =>
        Tensor.From<float>(ElementType.Float32, Core.Tensors.Shape.Of(count), [.. Enumerable.Range(0, count).Select(_ => (float)(low + ((high - low) * _random.NextBits() / 4294967296.0)))]);

    private FusedActivation Activation() => _random.Choose<FusedActivation>(Enum.GetValues<FusedActivation>());

    private (Tensor Values, Quantization? Quantization) Weights(Shape shape, int axis)
    {
        switch (_elements)
        {
            case Elements.Real:
                return (Values(new(ElementType.Float32, shape), 1), null);
            case Elements.Fixed:
                var type = new TensorType(ElementType.Int32, shape, Quantization.PerTensor(MathF.Pow(2, -_random.Next(10, 16)), 0));
                return (Values(type, 1), type.Quantization);
            default:
                var channels = _random.OneIn(2) ? shape[axis] : 1;
                var zeros = _rounding == RoundingScheme.OnnxHalfEven;
                return (
                    Values(new(ElementType.Int8, shape)),
                    new(
                        Enumerable.Range(0, channels).Select(_ => _random.Next(1, 9) / 800f).ToEquatableArray(),
                        Enumerable.Range(0, channels).Select(_ => zeros ? _random.Next(-9, 9) : 0).ToEquatableArray(),
                        channels > 1 ? axis : -1));
        }
    }

    private Tensor? Bias(int channels, TensorType result) => _random.OneIn(3) ? null : _elements switch
    {
        Elements.Real => Values(new(ElementType.Float32, Core.Tensors.Shape.Of(channels))),
        Elements.Fixed => Values(result with { Shape = Core.Tensors.Shape.Of(channels) }),
        _ => Tensor.From<int>(ElementType.Int32, Core.Tensors.Shape.Of(channels), [.. Enumerable.Range(0, channels).Select(_ => _random.Next(-2000, 2000))]),
    };

    private static int Extent(int input, int before, int after, int kernel, int stride, int dilation) => ((input + before + after - ((kernel - 1) * dilation) - 1) / stride) + 1;

    private Ir.Network.Conv2D Conv2D()
    {
        var (kernel, stride, dilation, padding) = (new Spatial(_random.Next(1, 3), _random.Next(1, 3)), new Spatial(_random.Next(1, 2), _random.Next(1, 3)), new Spatial(_random.Next(1, 2), 1), Padding(1));
        var (groups, depth, outputs) = (_random.Next(1, 2), _random.Next(1, 3), _random.Next(1, 3));
        var input = Core.Tensors.Shape.Of(_random.Next(1, 2), _random.Next(5, 6), _random.Next(5, 7), depth * groups);
        var source = Input(input);
        var type = Type(Core.Tensors.Shape.Of(
            input[0],
            Extent(input[1], padding.Top, padding.Bottom, kernel.Height, stride.Height, dilation.Height),
            Extent(input[2], padding.Left, padding.Right, kernel.Width, stride.Width, dilation.Width),
            outputs * groups));
        var weights = Weights(Core.Tensors.Shape.Of(outputs * groups, kernel.Height, kernel.Width, depth), 0);
        return new Conv2D("y", [source], type, weights.Values, weights.Quantization, Bias(outputs * groups, type), stride, dilation, padding, groups, Activation(), _rounding);
    }

    private Ir.Network.DepthwiseConv2D Depthwise()
    {
        var (kernel, stride, padding, multiplier) = (new Spatial(_random.Next(1, 3), _random.Next(1, 3)), new Spatial(_random.Next(1, 2), _random.Next(1, 2)), Padding(2), _random.Next(1, 3));
        var input = Core.Tensors.Shape.Of(1, _random.Next(3, 6), _random.Next(3, 6), _random.Next(1, 3));
        var source = Input(input);
        var type = Type(Core.Tensors.Shape.Of(
            1, Extent(input[1], padding.Top, padding.Bottom, kernel.Height, stride.Height, 1), Extent(input[2], padding.Left, padding.Right, kernel.Width, stride.Width, 1), input[3] * multiplier));
        var weights = Weights(Core.Tensors.Shape.Of(1, kernel.Height, kernel.Width, input[3] * multiplier), 3);
        return new DepthwiseConv2D("y", [source], type, weights.Values, weights.Quantization, Bias(input[3] * multiplier, type), stride, new(1, 1), padding, multiplier, Activation(), _rounding);
    }

    private Ir.Network.Dense Dense()
    {
        var (batch, depth, outputs) = (_random.Next(1, 3), _random.Next(1, 9), _random.Next(1, 5));
        var source = Input(_random.OneIn(2) ? Core.Tensors.Shape.Of(batch, depth) : Core.Tensors.Shape.Of(batch, 1, depth));
        var type = Type(Core.Tensors.Shape.Of(batch, outputs));
        var weights = Weights(Core.Tensors.Shape.Of(outputs, depth), 0);
        return new Dense("y", [source], type, weights.Values, weights.Quantization, Bias(outputs, type), Activation(), _rounding);
    }

    private Ir.Network.Conv3D Conv3D()
    {
        var (kernel, stride, dilation) = (new Volume(_random.Next(1, 3), _random.Next(1, 2), _random.Next(1, 3)), new Volume(_random.Next(1, 2), _random.Next(1, 2), 1), new Volume(1, _random.Next(1, 2), 1));
        var padding = new VolumePadding(_random.Next(0, 1), _random.Next(0, 1), Padding(1));
        var (groups, depth, outputs) = (_random.Next(1, 2), _random.Next(1, 2), _random.Next(1, 3));
        var input = Core.Tensors.Shape.Of(1, _random.Next(3, 4), _random.Next(3, 5), _random.Next(3, 5), depth * groups);
        var source = Input(input);
        var type = Type(Core.Tensors.Shape.Of(
            1,
            Extent(input[1], padding.Front, padding.Back, kernel.Depth, stride.Depth, dilation.Depth),
            Extent(input[2], padding.Plane.Top, padding.Plane.Bottom, kernel.Height, stride.Height, dilation.Height),
            Extent(input[3], padding.Plane.Left, padding.Plane.Right, kernel.Width, stride.Width, dilation.Width),
            outputs * groups));
        var weights = Weights(Core.Tensors.Shape.Of(outputs * groups, kernel.Depth, kernel.Height, kernel.Width, depth), 0);
        return new Conv3D("y", [source], type, weights.Values, weights.Quantization, Bias(outputs * groups, type), stride, dilation, padding, groups, Activation(), _rounding);
    }

    private Ir.Network.Conv2DTranspose Transposed()
    {
        var (kernel, stride, dilation) = (new Spatial(_random.Next(2, 3), _random.Next(2, 4)), new Spatial(_random.Next(1, 3), _random.Next(1, 2)), new Spatial(_random.Next(1, 2), 1));
        var (padding, more) = (Padding(1), new Spatial(_random.Next(0, stride.Height - 1), _random.Next(0, stride.Width - 1)));
        var (groups, depth, outputs) = (_random.Next(1, 2), _random.Next(1, 2), _random.Next(1, 3));
        var input = Core.Tensors.Shape.Of(1, _random.Next(2, 4), _random.Next(2, 4), depth * groups);
        var source = Input(input);
        var type = Type(Core.Tensors.Shape.Of(
            1,
            ((input[1] - 1) * stride.Height) + ((kernel.Height - 1) * dilation.Height) + 1 - padding.Top - padding.Bottom + more.Height,
            ((input[2] - 1) * stride.Width) + ((kernel.Width - 1) * dilation.Width) + 1 - padding.Left - padding.Right + more.Width,
            outputs * groups));
        var weights = Weights(Core.Tensors.Shape.Of(outputs * groups, kernel.Height, kernel.Width, depth), 0);
        return new Conv2DTranspose("y", [source], type, weights.Values, weights.Quantization, Bias(outputs * groups, type), stride, dilation, padding, more, groups, Activation(), _rounding);
    }

    private Ir.Network.MatMul MatMul()
    {
        var (m, n, k) = (_random.Next(1, 4), _random.Next(1, 4), _random.Next(1, 5));
        var (first, second) = (_random.OneIn(2), _random.OneIn(2));
        int[] batch = _random.OneIn(3) ? [] : [_random.Next(1, 2), _random.Next(1, 3)];
        int[] left = [.. batch, .. first ? (int[])[k, m] : [m, k]];
        int[] right = [.. batch.Select(extent => _random.OneIn(3) ? 1 : extent), .. second ? (int[])[n, k] : [k, n]];
        return new MatMul("y", [Input(Core.Tensors.Shape.Of(left)), Input(Core.Tensors.Shape.Of(right))], Type(Core.Tensors.Shape.Of([.. batch, m, n])), first, second, Activation(), _rounding);
    }

    private Ir.Network.CapsuleTransform Capsules()
    {
        var (n, i, j, d, e) = (_random.Next(1, 2), _random.Next(1, 4), _random.Next(1, 3), _random.Next(1, 4), _random.Next(1, 3));
        var source = Input(Core.Tensors.Shape.Of(n, i, d));
        var weights = Weights(Core.Tensors.Shape.Of(i, j, d, e), 0);
        return new CapsuleTransform("y", [source], Type(Core.Tensors.Shape.Of(n, i, j, e)), weights.Values, weights.Quantization, _rounding);
    }

    private Layer Pool2D(bool average)
    {
        var (kernel, stride) = (new Spatial(_random.Next(2, 3), _random.Next(2, 3)), new Spatial(_random.Next(1, 2), _random.Next(1, 2)));
        var padding = Padding(1);
        var input = Core.Tensors.Shape.Of(_random.Next(1, 2), _random.Next(3, 5), _random.Next(3, 5), _random.Next(1, 3));
        var source = Input(input);
        var type = Same() with
        {
            Shape = Core.Tensors.Shape.Of(
                input[0], Extent(input[1], padding.Top, padding.Bottom, kernel.Height, stride.Height, 1), Extent(input[2], padding.Left, padding.Right, kernel.Width, stride.Width, 1), input[3]),
        };
        return average ? new AveragePool2D("y", [source], type, kernel, stride, padding, Activation()) { CountPadding = _random.OneIn(2) } : new MaxPool2D("y", [source], type, kernel, stride, padding, Activation());
    }

    private Layer Pool3D(bool average)
    {
        var (kernel, stride) = (new Volume(_random.Next(2, 3), 2, _random.Next(2, 3)), new Volume(_random.Next(1, 2), _random.Next(1, 2), 1));
        var padding = new VolumePadding(_random.Next(0, 1), 1, Padding(1));
        var input = Core.Tensors.Shape.Of(1, _random.Next(2, 4), _random.Next(3, 5), _random.Next(3, 5), _random.Next(1, 3));
        var source = Input(input);
        var type = Same() with
        {
            Shape = Core.Tensors.Shape.Of(
                1,
                Extent(input[1], padding.Front, padding.Back, kernel.Depth, stride.Depth, 1),
                Extent(input[2], padding.Plane.Top, padding.Plane.Bottom, kernel.Height, stride.Height, 1),
                Extent(input[3], padding.Plane.Left, padding.Plane.Right, kernel.Width, stride.Width, 1),
                input[4]),
        };
        return average
            ? new AveragePool3D("y", [source], type, kernel, stride, padding, _random.OneIn(2), Activation())
            : new MaxPool3D("y", [source], type, kernel, stride, padding, Activation());
    }

    private Ir.Network.Mean Mean()
    {
        var shape = Shape(_random.Next(2, 4));
        var axes = Enumerable.Range(0, shape.Rank).Where(_ => _random.OneIn(2)).DefaultIfEmpty(1).ToArray();
        var keep = _random.OneIn(2);
        var kept = keep ? shape.Dimensions.Select((extent, d) => axes.Contains(d) ? 1 : extent) : shape.Dimensions.Where((_, d) => !axes.Contains(d));
        return new Mean("y", [Input(shape)], Type(new(kept.ToEquatableArray())), axes.ToEquatableArray(), keep, _rounding);
    }

    private Ir.Network.Constant Constant()
    {
        Input(Shape(1));
        var type = Type(Shape(3));
        return new Constant("y", [], type, Values(type));
    }

    private Layer Binary(Func<EquatableArray<string>, TensorType, Layer> make)
    {
        var shape = Shape(_random.Next(1, 4));
        var second = Core.Tensors.Shape.Of([.. shape.Dimensions.Skip(_random.Next(0, shape.Rank - 1)).Select(extent => _random.OneIn(3) ? 1 : extent)]);
        return _random.OneIn(2) ? make([Input(shape), Input(second)], Type(shape)) : make([Input(second), Input(shape)], Type(shape));
    }

    private Ir.Network.Unary Unary(UnaryFunction function)
    {
        var source = Input(Shape(3));
        var type = function switch { UnaryFunction.Logistic => LikeWith(1f / 256, -128), UnaryFunction.Tanh => LikeWith(1f / 128, 0), _ => Like(0) };
        return new Unary("y", [source], type, function, function == UnaryFunction.LeakyRelu ? _random.Choose(0.1f, 0.3f, 1.5f) : 0, _rounding);
    }

    private Ir.Network.BatchNorm BatchNorm()
    {
        var source = Input(Shape(_random.Next(2, 4)));
        var channels = _inputs[0].Type.Shape.Dimensions[^1];
        return new BatchNorm("y", [source], Like(0), Reals(channels, -2, 2), Reals(channels, -1, 1), Reals(channels, -1, 1), Reals(channels, 0.1, 3), 0.001f);
    }

    private Ir.Network.LayerNorm LayerNorm()
    {
        var shape = Shape(3);
        var axis = _random.Next(1, 2);
        var source = Input(shape);
        var part = new Shape(shape.Dimensions.Skip(axis).ToEquatableArray());
        Tensor? Part() => _random.OneIn(3) ? null : Reals((int)part.Elements, -2, 2).Reshape(part);
        return new LayerNorm("y", [source], Like(0), axis, Part(), Part(), 0.01f);
    }

    private Ir.Network.Routing Routing()
    {
        var shape = Core.Tensors.Shape.Of(_random.Next(1, 2), _random.Next(1, 5), _random.Next(1, 4), _random.Next(1, 4));
        var source = Input(shape);
        return new Routing("y", [source], Type(Core.Tensors.Shape.Of(shape[0], shape[2], shape[3])), _random.Next(1, 3));
    }

    private Ir.Network.Quantize Quantize()
    {
        var from = _random.Next(0, 3) switch
        {
            0 => new(ElementType.Float32, Shape(3)),
            1 when _elements == Elements.Code => new(ElementType.UInt8, Shape(3), Quantization.PerTensor(_random.Next(10, 40) / 500f, _random.Next(0, 255))),
            _ => Type(Shape(3)),
        };
        return new Quantize("y", [Input(from)], _elements == Elements.Real ? new(ElementType.Int8, from.Shape, Quantization.PerTensor(0.04f, _random.NextCode())) : Type(from.Shape), _rounding);
    }

    private Ir.Network.Concat Concat()
    {
        var axis = _random.Next(0, 2);
        var shape = Shape(3);
        var type = Type(shape);
        var parts = Enumerable.Range(0, _random.Next(1, 3)).Select(_ => new Shape(shape.Dimensions.Select((extent, d) => d == axis ? _random.Next(1, 3) : extent).ToEquatableArray())).ToArray();
        var names = parts.Select(part => Input(type with { Shape = part })).ToEquatableArray();
        return new Concat("y", names, type with { Shape = new(shape.Dimensions.Select((extent, d) => d == axis ? parts.Sum(part => part[axis]) : extent).ToEquatableArray()) }, axis);
    }

    private Ir.Network.Pad Pad()
    {
        var source = Input(Shape(3));
        var (before, after) = (Shape(3).Dimensions.Select(extent => extent - 1).ToEquatableArray(), Shape(3).Dimensions.Select(extent => extent / 2).ToEquatableArray());
        var shape = new Shape(Same().Shape.Dimensions.Select((extent, d) => extent + before[d] + after[d]).ToEquatableArray());
        return new Pad("y", [source], Same() with { Shape = shape }, before, after, _elements == Elements.Code ? Same().Quantization!.ZeroPoint : 0);
    }

    private Ir.Network.Transpose Transpose()
    {
        var source = Input(Shape(4));
        var permutation = Enumerable.Range(0, 4).OrderBy(_ => _random.NextBits()).ToEquatableArray();
        return new Transpose("y", [source], Same() with { Shape = new(permutation.Select(d => Same().Shape[d]).ToEquatableArray()) }, permutation);
    }

    private Ir.Network.StridedSlice Slice()
    {
        var source = Input(Shape(3));
        var shape = Same().Shape;
        var (begin, stride, size) = (new int[3], new int[3], new int[3]);
        for (var d = 0; d < 3; d++)
        {
            stride[d] = _random.Choose(1, 1, 2, -1, -2);
            begin[d] = _random.Next(0, shape[d] - 1);
            var most = stride[d] > 0 ? ((shape[d] - 1 - begin[d]) / stride[d]) + 1 : (begin[d] / -stride[d]) + 1;
            size[d] = _random.Next(1, most);
        }

        return new StridedSlice("y", [source], Same() with { Shape = Core.Tensors.Shape.Of(size) }, begin.ToEquatableArray(), stride.ToEquatableArray(), size.ToEquatableArray());
    }

    private Ir.Network.Split Split()
    {
        var (axis, parts) = (_random.Next(0, 2), _random.Next(1, 3));
        var part = Shape(3);
        var source = Input(new Shape(part.Dimensions.Select((extent, d) => d == axis ? extent * parts : extent).ToEquatableArray()));
        return new Split("y", [source], Same() with { Shape = part }, axis, parts, _random.Next(0, parts - 1));
    }

    private Ir.Network.Resize Resize()
    {
        var source = Input(Shape(4));
        var shape = Same().Shape;
        var size = new Spatial(shape[1] * _random.Next(1, 3), shape[2] * _random.Next(1, 3));
        return new Resize(
            "y",
            [source],
            Same() with { Shape = Core.Tensors.Shape.Of(shape[0], size.Height, size.Width, shape[3]) },
            size,
            ResizeMode.Nearest,
            _random.Choose(ResizeCoordinates.Asymmetric, ResizeCoordinates.HalfPixel),
            _rounding);
    }

    private Padding Padding(int most) => new(_random.Next(0, most), _random.Next(0, most), _random.Next(0, most), _random.Next(0, most));
}
