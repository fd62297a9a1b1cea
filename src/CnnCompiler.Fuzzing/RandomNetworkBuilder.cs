using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Fuzzing;

/// <summary>Grows one random network, value by value.</summary>
internal sealed class RandomNetworkBuilder(SeededRandom random, RandomNetworkOptions options)
{
    private static readonly TensorType Untyped = new(ElementType.Int8, default);
    private static readonly FusedActivation[] Activations = Enum.GetValues<FusedActivation>();

    // With beta at least 0.5 the arithmetic of a softmax has a factor (int8-arithmetic.md section 3.8).
    private const float LeastSoftmaxScale = 1f / (1 << 25);

    private readonly List<NetworkInput> _inputs = [];
    private readonly List<Layer> _layers = [];
    private readonly Dictionary<string, TensorType> _types = new(StringComparer.Ordinal);
    private readonly RandomWeights _weights = new(random);

    /// <summary>The network so far. Every value that nothing reads is an output, and sometimes an inner one too.</summary>
    public NetworkGraph Build(string name)
    {
        var read = _layers.SelectMany(layer => layer.Inputs).ToHashSet(StringComparer.Ordinal);
        var outputs = _layers.Select(layer => layer.Name).Where(value => !read.Contains(value) || random.OneIn(12));
        return new(name, _inputs.ToEquatableArray(), _layers.ToEquatableArray(), outputs.ToEquatableArray());
    }

    /// <summary>Inputs and one layer.</summary>
    public void SingleLayer(LayerKind kind)
    {
        switch (kind)
        {
            case LayerKind.Conv2D:
                Conv2D(Image());
                break;
            case LayerKind.DepthwiseConv2D:
                DepthwiseConv2D(Image());
                break;
            case LayerKind.Dense:
                Dense(random.OneIn(2) ? Image() : Input(Shape.Of(random.Next(1, options.MaximumBatch), random.Next(1, 70))));
                break;
            case LayerKind.MaxPool2D:
                Pool(Image(), average: false);
                break;
            case LayerKind.AveragePool2D:
                Pool(Image(), average: true);
                break;
            case LayerKind.Add:
                AddOfInputs();
                break;
            case LayerKind.Concat:
                ConcatOfInputs();
                break;
            case LayerKind.Pad:
                Pad(random.OneIn(3) ? Input(AnyShape()) : Image());
                break;
            case LayerKind.Reshape:
                Reshape(random.OneIn(3) ? Input(AnyShape()) : Image());
                break;
            case LayerKind.Activation:
                Activation(random.OneIn(3) ? Input(AnyShape()) : Image());
                break;
            case LayerKind.Softmax:
                Softmax(Input(Shape.Of(random.Next(1, 3), random.Next(1, 40)), (float)random.NextLogarithmic(0.001, 2)));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(kind), kind, "unknown kind");
        }
    }

    /// <summary>An image, then layers; branches join again.</summary>
    public void SeveralLayers()
    {
        var value = Image();
        var count = random.Next(2, options.MaximumLayers);
        while (_layers.Count < count)
        {
            value = random.Next(0, 10) switch
            {
                0 or 1 or 2 => Conv2D(value),
                3 or 4 => DepthwiseConv2D(value),
                5 => Pool(value, random.OneIn(2)),
                6 or 7 => Residual(value),
                8 => Branches(value),
                _ => random.Next(0, 2) switch { 0 => Pad(value), 1 => Activation(value), _ => Reshape(value, rank: 4) },
            };
        }

        if (random.OneIn(2))
        {
            value = Dense(random.OneIn(2) ? Reshape(value, rank: 2) : value);
            if (options.Softmax && random.OneIn(2) && _types[value].Quantization!.Scale > LeastSoftmaxScale)
            {
                Softmax(value);
            }
        }
    }

    private string Image() => Input(Shape.Of(
        random.Next(1, options.MaximumBatch), random.Next(1, options.MaximumExtent), random.Next(1, options.MaximumExtent), random.Next(1, options.MaximumChannels)));

    private Shape AnyShape()
    {
        var extents = new int[random.Next(1, 4)];
        for (var i = 0; i < extents.Length; i++)
        {
            extents[i] = random.Next(1, 6);
        }

        return Shape.Of(extents);
    }

    private string Input(Shape shape, float? scale = null, Quantization? quantization = null)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"in{_inputs.Count}");
        var type = new TensorType(ElementType.Int8, shape, quantization ?? Quantization.PerTensor(scale ?? (float)random.NextLogarithmic(0.004, 1), ZeroPoint()));
        _inputs.Add(new(name, type));
        _types.Add(name, type);
        return name;
    }

    private int ZeroPoint() => random.Next(0, 4) switch { 0 => -128, 1 => 127, 2 => 0, _ => random.NextCode() };

    private FusedActivation AnyActivation() => random.OneIn(2) ? FusedActivation.None : random.Choose<FusedActivation>(Activations);

    private string Conv2D(string input, Shape? wanted = null, Quantization? result = null)
    {
        var shape = _types[input].Shape;
        var groups = wanted is null && random.OneIn(3) ? random.Choose(Divisors(shape[3])) : 1;
        var channels = wanted?[3] ?? groups * random.Next(1, Math.Max(1, options.MaximumChannels / groups));
        var window = wanted is null ? Window(shape) : new(new(1, 1), new(1, 1), new(1, 1), default);
        var weights = _weights.Make(
            Shape.Of(channels, window.Kernel.Height, window.Kernel.Width, shape[3] / groups), 0, _types[input].Quantization!, result, perChannel: random.Next(0, 4) > 0);
        return Append(
            new Conv2D(
                NextName(), [input], Typed(weights.Output), weights.Weights, weights.Scales, weights.Bias, window.Stride, window.Dilation, window.Padding, groups, weights.Activation, options.Rounding));
    }

    private string DepthwiseConv2D(string input)
    {
        var shape = _types[input].Shape;
        var multiplier = random.OneIn(3) && shape[3] <= options.MaximumChannels ? random.Next(2, 3) : 1;
        var window = Window(shape);
        var weights = _weights.Make(
            Shape.Of(1, window.Kernel.Height, window.Kernel.Width, shape[3] * multiplier), 3, _types[input].Quantization!, null, perChannel: random.Next(0, 4) > 0);
        return Append(
            new DepthwiseConv2D(
                NextName(), [input], Typed(weights.Output), weights.Weights, weights.Scales, weights.Bias, window.Stride, window.Dilation, window.Padding, multiplier, weights.Activation, options.Rounding));
    }

    private string Dense(string input)
    {
        var shape = _types[input].Shape;
        var batch = shape.Rank > 1 ? shape[0] : 1;
        var weights = _weights.Make(
            Shape.Of(random.Next(1, options.MaximumChannels + 3), (int)(shape.Elements / batch)), 0, _types[input].Quantization!, null, perChannel: random.OneIn(4));
        return Append(new Dense(NextName(), [input], Typed(weights.Output), weights.Weights, weights.Scales, weights.Bias, weights.Activation, options.Rounding));
    }

    private string Pool(string input, bool average)
    {
        var type = _types[input];
        var (kernel, stride, _, padding) = Window(type.Shape, pool: true);
        return Append(average
            ? new AveragePool2D(NextName(), [input], Typed(type.Quantization!), kernel, stride, padding, AnyActivation())
            : new MaxPool2D(NextName(), [input], Typed(type.Quantization!), kernel, stride, padding, AnyActivation()));
    }

    private string Add(string first, string second)
    {
        var (a, b) = (_types[first].Quantization!, _types[second].Quantization!);

        // A power of two between the scales makes ties of both signs.
        var scale = random.OneIn(3) ? Math.Max(a.Scale, b.Scale) * random.Choose(1f, 2f, 4f) : (float)((a.Scale + b.Scale) * random.NextLogarithmic(0.3, 2));
        return Append(new Add(NextName(), [first, second], Typed(Quantization.PerTensor(scale, ZeroPoint())), AnyActivation(), options.Rounding));
    }

    private void AddOfInputs()
    {
        var first = Image();
        if (random.OneIn(6))
        {
            Add(first, first);
            return;
        }

        var shape = _types[first].Shape.Dimensions.ToArray();
        var mode = random.Next(0, 3);
        for (var i = 0; i < 4 && mode == 0; i++)
        {
            shape[i] = random.OneIn(2) ? 1 : shape[i];
        }

        // Scales that differ up to a thousandfold leave one input below a code of the output.
        var ratio = random.OneIn(3) ? MathF.ScaleB(1, random.Next(-4, 4)) : (float)random.NextLogarithmic(0.001, 1000);
        var second = Input(Shape.Of(mode == 1 ? shape[3..] : shape), _types[first].Quantization!.Scale * ratio);
        if (random.OneIn(2))
        {
            Add(first, second);
        }
        else
        {
            Add(second, first);
        }
    }

    // value + convolution(value), as in a residual network.
    private string Residual(string value)
    {
        var branch = Conv2D(value, wanted: _types[value].Shape);
        return random.OneIn(2) ? Add(value, branch) : Add(branch, value);
    }

    // Two convolutions of the same value, joined along the channels.
    private string Branches(string value)
    {
        var quantization = Quantization.PerTensor((float)random.NextLogarithmic(0.004, 1), ZeroPoint());
        var shape = _types[value].Shape;
        var names = new string[random.Next(2, 3)];
        for (var i = 0; i < names.Length; i++)
        {
            names[i] = Conv2D(value, Shape.Of(shape[0], shape[1], shape[2], random.Next(1, 5)), quantization);
        }

        return Append(new Concat(NextName(), names.ToEquatableArray(), Typed(quantization), 3));
    }

    private void ConcatOfInputs()
    {
        var shape = random.OneIn(3) ? AnyShape() : _types[Image()].Shape;
        var axis = random.Next(0, shape.Rank - 1);
        var quantization = Quantization.PerTensor((float)random.NextLogarithmic(0.004, 1), ZeroPoint());
        _inputs.Clear();
        _types.Clear();
        var names = new string[random.Next(1, 4)];
        for (var i = 0; i < names.Length; i++)
        {
            var extents = shape.Dimensions.ToArray();
            extents[axis] = random.Next(1, 6);
            names[i] = i > 0 && random.OneIn(5) ? names[0] : Input(Shape.Of(extents), null, quantization);
        }

        Append(new Concat(NextName(), names.ToEquatableArray(), Typed(quantization), axis));
    }

    private string Pad(string input)
    {
        var type = _types[input];
        int[] Amounts() => [.. type.Shape.Dimensions.Select((_, dimension) => dimension == 0 && type.Shape.Rank > 1 ? 0 : random.Next(0, 3) % 3)];
        return Append(new Pad(
            NextName(),
            [input],
            Typed(type.Quantization!),
            Amounts().ToEquatableArray(),
            Amounts().ToEquatableArray(),
            random.OneIn(3) ? random.NextCode() : type.Quantization!.ZeroPoint));
    }

    private string Reshape(string input, int rank = 0)
    {
        var type = _types[input];
        var rest = (int)type.Shape.Elements;
        var extents = new int[rank > 0 ? rank : random.Next(1, 5)];
        for (var i = 0; i < extents.Length; i++)
        {
            // A network keeps its batch, so that a dense layer behind it isn't huge.
            extents[i] = i == extents.Length - 1 ? rest : i == 0 && rank > 0 ? type.Shape[0] : random.Choose(Divisors(rest));
            rest /= extents[i];
        }

        return Append(new Reshape(NextName(), [input], new(ElementType.Int8, Shape.Of(extents), type.Quantization)));
    }

    private string Activation(string input) =>
        Append(new Activation(NextName(), [input], Typed(_types[input].Quantization!), random.Choose<FusedActivation>(Activations)));

    private string Softmax(string input) =>
        Append(new Softmax(NextName(), [input], Typed(Quantization.PerTensor(1f / 256, -128)), random.OneIn(3) ? (float)random.NextLogarithmic(0.5, 2) : 1f));

    private (Spatial Kernel, Spatial Stride, Spatial Dilation, Padding Padding) Window(Shape input, bool pool = false)
    {
        var dilated = !pool && random.OneIn(4);
        var (kernelHeight, strideHeight, dilationHeight, top, bottom) = Along(input[1], pool, dilated);
        var (kernelWidth, strideWidth, dilationWidth, left, right) = Along(input[2], pool, dilated);
        return (new(kernelHeight, kernelWidth), new(strideHeight, strideWidth), new(dilationHeight, dilationWidth), new(top, bottom, left, right));
    }

    private (int Kernel, int Stride, int Dilation, int Before, int After) Along(int input, bool pool, bool dilated)
    {
        var dilation = dilated ? random.Next(1, 3) : 1;
        var kernel = random.Next(1, random.OneIn(4) ? 6 : 3);
        var stride = random.OneIn(2) ? 1 : random.Next(1, 4);
        var effective = ((kernel - 1) * dilation) + 1;

        // Mostly less padding than kernel; a convolution may have more, and windows that lie in it altogether.
        var most = !pool && random.OneIn(12) ? effective + 1 : effective - 1;
        var (before, after) = random.Next(0, 2) switch { 0 => (0, 0), 1 => (most / 2, most - (most / 2)), _ => (random.Next(0, most), random.Next(0, most)) };
        if (effective > input + before + after)
        {
            return (Math.Min(kernel, input), stride, 1, 0, 0);
        }

        return (kernel, stride, dilation, before, after);
    }

    private static int[] Divisors(int number) => [.. Enumerable.Range(1, number).Where(divisor => number % divisor == 0)];

    private static TensorType Typed(Quantization quantization) => Untyped with { Quantization = quantization };

    private string NextName() => string.Create(CultureInfo.InvariantCulture, $"t{_layers.Count}");

    private string Append(Layer layer)
    {
        var diagnostics = new DiagnosticBag();
        var shape = NetworkShapes.Infer(layer, [.. layer.Inputs.Select(name => _types[name])], diagnostics)
            ?? throw new InvalidOperationException($"the generator made a layer that doesn't fit: {diagnostics.Diagnostics[0]}");
        var typed = layer with { Type = layer.Type with { Shape = shape } };
        _layers.Add(typed);
        _types.Add(typed.Name, typed.Type);
        return typed.Name;
    }
}
