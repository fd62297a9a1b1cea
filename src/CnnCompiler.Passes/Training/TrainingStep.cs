using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;

namespace CnnCompiler.Passes.Training;

/// <summary>A training step as a chain.</summary>
/// <param name="Chain">
/// Forward step, gradients and update. Inputs are those of the network and <c>NAME.targets</c> for each output that is learnt; outputs are the network's and then the new weights.
/// </param>
/// <param name="Left">Layers that are no general convolutions, with their gradients: what they give is an input of the chain, and gradients end there.</param>
public sealed record TrainingProgram(GconvProgram Chain, EquatableArray<string> Left);

/// <summary>
/// One step of training of a network: the forward step with batch normalisation by the statistics of its batch, gradients of all weights from the last layer to the first, and a step of gradient descent.
/// The loss is the cross entropy of a softmax that is an output, and half the squared error of any other output and of what regions are proposed from: the gradient is y - t for all.
/// </summary>
public sealed class TrainingStep
{
    private readonly NetworkGraph _graph;
    private readonly TrainingChain _chain;
    private readonly double _rate;
    private readonly Statistics _statistics;
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<string>> _gradients = new(StringComparer.Ordinal);
    private readonly HashSet<string> _given = new(StringComparer.Ordinal);
    private readonly List<(Layer Layer, Action<string> Backward)> _backward = [];
    private readonly List<string> _updated = [];
    private readonly List<string> _left = [];

    private TrainingStep(NetworkGraph graph, TrainingNumbers numbers, double rate, Statistics statistics) =>
        (_graph, _chain, _rate, _statistics) = (graph, new($"{graph.Name}_training", numbers), rate, statistics);

    /// <summary>The chain of a step.</summary>
    /// <param name="graph">The network, of f32.</param>
    /// <param name="numbers">What the step computes with.</param>
    /// <param name="rate">Learning rate.</param>
    /// <param name="statistics">How batch normalisation takes its statistics.</param>
    /// <exception cref="ArgumentException">A layer has no training step here; which have is what the cases of this class say.</exception>
    public static TrainingProgram Of(NetworkGraph graph, TrainingNumbers numbers, double rate, Statistics statistics)
    {
        var step = new TrainingStep(graph, numbers, rate, statistics);
        return new(step.Build(), step._left.ToEquatableArray());
    }

    private GconvProgram Build()
    {
        foreach (var input in _graph.Inputs)
        {
            _values[input.Name] = _chain.Input(input.Name, input.Type.Shape);
            _given.Add(input.Name);
        }

        foreach (var layer in _graph.Layers)
        {
            _chain.Layer = layer.Name;
            var (value, backward) = Forward(layer);
            _values[layer.Name] = value;
            _backward.Add((layer, backward));
        }

        foreach (var output in _graph.Outputs.Concat(_graph.Layers.OfType<Proposal>().SelectMany(layer => layer.Inputs)).Distinct(StringComparer.Ordinal).Where(output => !_left.Contains(output)))
        {
            var targets = _chain.Input($"{output}.targets", _chain.Shape(_values[output]));
            _chain.Layer = output;
            var gradient = SoftmaxTraining.CrossEntropyGradient(_chain, $"d.{output}", _values[output], targets);
            var isSoftmax = _graph.Layers.FirstOrDefault(layer => layer.Name == output) is Softmax;
            Contribute(isSoftmax ? _graph.Layers.First(layer => layer.Name == output).Inputs[0] : output, gradient);
        }

        foreach (var (layer, backward) in Enumerable.Reverse(_backward))
        {
            _chain.Layer = layer.Name;
            if (Gradient(layer.Name) is { } gradient)
            {
                backward(gradient);
            }
        }

        return _chain.Build(_graph.Outputs.Where(output => !_left.Contains(output)).Select(output => _values[output]).Concat(_updated));
    }

    private (string Value, Action<string> Backward) Forward(Layer layer) => layer switch
    {
        Conv2D l => Convolution(l, l.Weights, l.Bias, new(
            Shape(l.Inputs[0]), l.Weights.Shape, l.Type.Shape, [l.Stride.Height, l.Stride.Width], [l.Dilation.Height, l.Dilation.Width], [l.Padding.Top, l.Padding.Left], l.Groups), l.Activation),
        DepthwiseConv2D l => Depthwise(l),
        Conv3D l => Convolution(l, l.Weights, l.Bias, new(
            Shape(l.Inputs[0]),
            l.Weights.Shape,
            l.Type.Shape,
            [l.Stride.Depth, l.Stride.Height, l.Stride.Width],
            [l.Dilation.Depth, l.Dilation.Height, l.Dilation.Width],
            [l.Padding.Front, l.Padding.Plane.Top, l.Padding.Plane.Left],
            l.Groups), l.Activation),
        Dense l => Dense(l),
        MaxPool2D { Activation: FusedActivation.None } l => MaximumPool(l, Windows(l.Kernel, l.Stride, l.Padding)),
        MaxPool3D { Activation: FusedActivation.None } l => MaximumPool(l, Windows(l.Kernel, l.Stride, l.Padding)),
        AveragePool2D { Activation: FusedActivation.None, CountPadding: false } l => AveragePool(l, Windows(l.Kernel, l.Stride, l.Padding)),
        Mean l when l.Axes.SequenceEqual(Enumerable.Range(1, Shape(l.Inputs[0]).Rank - 2)) => GlobalMean(l),
        Concat l => Concatenation(l),
        Reshape l => View(l),
        Add { Activation: FusedActivation.None } l when Shape(l.Inputs[0]) == Shape(l.Inputs[1]) => (Sum.Add(_chain, l.Name, _values[l.Inputs[0]], _values[l.Inputs[1]]), dy => Contribute(l.Inputs, dy)),
        Activation { Function: FusedActivation.Relu or FusedActivation.Relu6 } l => Rectified(l),
        Unary { Function: UnaryFunction.Logistic } l => Function(l, Logistic.Add(_chain, l.Name, _values[l.Inputs[0]]), (dy, y) => Logistic.Gradient(_chain, $"d.{l.Inputs[0]}", dy, y)),
        Softmax l => Function(l, SoftmaxTraining.Add(_chain, l.Name, _values[l.Inputs[0]]), (dy, y) => SoftmaxTraining.Gradient(_chain, $"d.{l.Inputs[0]}", dy, y)),
        BatchNorm l => Normalization(l, l.Scale, l.Offset, l.Epsilon, isBatch: true),
        LayerNorm { Scale: { } scale, Offset: { } offset } l when l.Axis == Shape(l.Inputs[0]).Rank - 1 => Normalization(l, scale, offset, l.Epsilon, isBatch: false),
        Lrn l => LocalResponse(l),
        Squash l => Squashed(l),
        CapsuleTransform l => Predictions(l),
        Routing l => Routed(l),
        Proposal or RoiPool => Left(layer),
        _ => throw Unsupported(layer),
    };

    private static ArgumentException Unsupported(Layer layer) => new($"{layer.Keyword} '{layer.Name}' has no training step", nameof(layer));

    private Shape Shape(string value) => _chain.Shape(_values[value]);

    private void Contribute(string value, string gradient)
    {
        if (!_given.Contains(value))
        {
            (_gradients.TryGetValue(value, out var all) ? all : _gradients[value] = []).Add(gradient);
        }
    }

    private void Contribute(IEnumerable<string> values, string gradient)
    {
        foreach (var value in values)
        {
            Contribute(value, gradient);
        }
    }

    private string? Gradient(string value) => _gradients.GetValueOrDefault(value)?.Aggregate((sum, next) => Sum.Add(_chain, $"d.{value}.sum", sum, next));

    /// <summary>A gradient of the input is worked out only where a weight before it needs it.</summary>
    private void Contribute(string value, Func<string> gradient)
    {
        if (!_given.Contains(value))
        {
            Contribute(value, gradient());
        }
    }

    private string Weights(Layer layer, string part, Tensor value) =>
        _chain.Constant($"{layer.Name}.{part}", _chain.Numbers.IsReal && value.Element == ElementType.Float32 ? value : _chain.Numbers.Tensor(value.Shape, Reals(value)));

    private static double[] Reals(Tensor value)
    {
        var reals = new double[value.Shape.Elements];
        for (var i = 0; i < reals.Length; i++)
        {
            reals[i] = value.GetReal(i);
        }

        return reals;
    }

    private void Update(string weights, string gradient) => _updated.Add(SgdUpdate.Add(_chain, $"{weights}.new", weights, gradient, _rate));

    private (string Value, Action<string> Backward) Convolution(Layer layer, Tensor weights, Tensor? bias, ConvolutionShape shape, FusedActivation activation, string? view = null)
    {
        var x = view ?? _values[layer.Inputs[0]];
        double? upper = activation switch
        {
            FusedActivation.None => null,
            FusedActivation.Relu => double.PositiveInfinity,
            FusedActivation.Relu6 => 6,
            _ => throw Unsupported(layer),
        };
        var (w, b) = (Weights(layer, "weights", weights), bias is null ? null : Weights(layer, "bias", bias));
        var y = ConvolutionForward.Add(_chain, layer.Name, x, w, b, shape, upper);
        return (y, dy =>
        {
            var sum = upper is { } end ? Rectifier.Gradient(_chain, $"d.{layer.Name}.sum", dy, y, end) : dy;
            Update(w, ConvolutionWeightGradient.Add(_chain, $"d.{w}", x, sum, shape));
            if (b is not null)
            {
                Update(b, BiasGradient.Add(_chain, $"d.{b}", sum));
            }

            Contribute(layer.Inputs[0], () =>
            {
                var dx = ConvolutionInputGradient.Add(_chain, $"d.{layer.Inputs[0]}", sum, w, shape);
                return view is null ? dx : _chain.Reshape(dx, Shape(layer.Inputs[0]));
            });
        });
    }

    /// <summary>The weights [1, KH, KW, C * m] of a depthwise convolution as those of one of C groups, [C * m, KH, KW, 1].</summary>
    private (string Value, Action<string> Backward) Depthwise(DepthwiseConv2D layer)
    {
        var (height, width, channels) = (layer.Weights.Shape[1], layer.Weights.Shape[2], layer.Weights.Shape[3]);
        var turned = new float[layer.Weights.Shape.Elements];
        for (var i = 0; i < turned.Length; i++)
        {
            turned[(i % channels * height * width) + (i / channels)] = (float)layer.Weights.GetReal(i);
        }

        var weights = Tensor.From<float>(ElementType.Float32, Core.Tensors.Shape.Of(channels, height, width, 1), turned);
        return Convolution(layer, weights, layer.Bias, new(
            Shape(layer.Inputs[0]),
            weights.Shape,
            layer.Type.Shape,
            [layer.Stride.Height, layer.Stride.Width],
            [layer.Dilation.Height, layer.Dilation.Width],
            [layer.Padding.Top, layer.Padding.Left],
            channels / layer.Multiplier), layer.Activation);
    }

    private (string Value, Action<string> Backward) Dense(Dense layer)
    {
        var x = _values[layer.Inputs[0]];
        var flat = Core.Tensors.Shape.Of(layer.Type.Shape[0], layer.Weights.Shape[1]);
        var view = _chain.Shape(x) == flat ? null : _chain.Reshape(x, flat);
        return Convolution(layer, layer.Weights, layer.Bias, ConvolutionShape.Dense(flat, layer.Weights.Shape), layer.Activation, view);
    }

    private (string Value, Action<string> Backward) MaximumPool(Layer layer, PoolShape windows)
    {
        var x = _values[layer.Inputs[0]];
        var y = PoolForward.Add(_chain, layer.Name, x, windows, layer.Type.Shape, isMaximum: true);
        return (y, dy => Contribute(layer.Inputs[0], () => MaxPoolGradient.Add(_chain, $"d.{layer.Inputs[0]}", x, y, dy, windows)));
    }

    private (string Value, Action<string> Backward) AveragePool(AveragePool2D layer, PoolShape windows) => (
        PoolForward.Add(_chain, layer.Name, _values[layer.Inputs[0]], windows, layer.Type.Shape, isMaximum: false),
        dy => Contribute(layer.Inputs[0], () => AveragePoolGradient.Add(_chain, $"d.{layer.Inputs[0]}", dy, Shape(layer.Inputs[0]), windows)));

    private (string Value, Action<string> Backward) GlobalMean(Mean layer)
    {
        var (x, numbers) = (_values[layer.Inputs[0]], _chain.Numbers);
        var shape = _chain.Shape(x);
        var elements = shape.Elements / shape[0] / shape.Dimensions[^1];
        var y = _chain.Reduce(layer.Name, "mean", x, null, [.. layer.Axes], layer.KeepDimensions, Scalar.Input, numbers.Result(numbers.Times(Scalar.Accumulator, 1.0 / elements)));
        return (y, dy => Contribute(layer.Inputs[0], () =>
            GlobalMeanGradient.Add(_chain, $"d.{layer.Inputs[0]}", layer.KeepDimensions ? _chain.Reshape(dy, Core.Tensors.Shape.Of(shape[0], shape.Dimensions[^1])) : dy, shape)));
    }

    private (string Value, Action<string> Backward) Concatenation(Concat layer)
    {
        var y = _chain.Join(layer.Name, "concat", layer.Type.Shape, layer.Axis, [.. layer.Inputs.Select(input => _values[input])]);
        return (y, dy =>
        {
            var offset = 0;
            foreach (var input in layer.Inputs)
            {
                var (shape, start) = (Shape(input), offset);
                Contribute(input, () =>
                {
                    var nest = LoopNest.Over(shape, LoopKind.OutputPosition);
                    var index = Enumerable.Range(0, shape.Rank).Select(d => nest.At(d == layer.Axis ? start : 0, (d, 1))).ToEquatableArray();
                    return _chain.Add($"d.{input}", "concat_gradient", shape, nest, new(new(dy, index), null), [.. nest.Identity()]);
                });
                offset += shape[layer.Axis];
            }
        });
    }

    private (string Value, Action<string> Backward) View(Reshape layer)
    {
        var x = _values[layer.Inputs[0]];
        return (_chain.Reshape(x, layer.Type.Shape), dy => Contribute(layer.Inputs[0], () => _chain.Reshape(dy, _chain.Shape(x))));
    }

    private (string Value, Action<string> Backward) Rectified(Activation layer)
    {
        var upper = layer.Function == FusedActivation.Relu ? double.PositiveInfinity : 6;
        return Function(layer, Rectifier.Add(_chain, layer.Name, _values[layer.Inputs[0]], upper), (dy, y) => Rectifier.Gradient(_chain, $"d.{layer.Inputs[0]}", dy, y, upper));
    }

    private (string Value, Action<string> Backward) Function(Layer layer, string y, Func<string, string, string> gradient) => (y, dy => Contribute(layer.Inputs[0], () => gradient(dy, y)));

    private (string Value, Action<string> Backward) Normalization(Layer layer, Tensor scale, Tensor offset, double epsilon, bool isBatch)
    {
        var (x, s, o) = (_values[layer.Inputs[0]], Weights(layer, "scale", scale), Weights(layer, "offset", offset));
        var values = isBatch
            ? NormalizationForward.Batch(_chain, layer.Name, x, s, o, epsilon, _statistics)
            : NormalizationForward.Layer(_chain, layer.Name, x, s, o, epsilon, _statistics);
        return (values.Result, dy =>
        {
            var name = $"d.{layer.Inputs[0]}";
            var gradients = isBatch ? NormalizationBackward.Batch(_chain, name, dy, values, s) : NormalizationBackward.Layer(_chain, name, dy, values, s);
            Update(s, gradients.Scale);
            Update(o, gradients.Offset);
            Contribute(layer.Inputs[0], gradients.Input);
        });
    }

    private (string Value, Action<string> Backward) LocalResponse(Lrn layer)
    {
        var x = _values[layer.Inputs[0]];
        var values = LrnTraining.Add(_chain, layer.Name, x, layer.Size, layer.Alpha, layer.Beta, layer.Bias);
        return (values.Result, dy => Contribute(layer.Inputs[0], () => LrnTraining.Gradient(_chain, $"d.{layer.Inputs[0]}", dy, x, values, layer.Size, layer.Alpha, layer.Beta)));
    }

    private (string Value, Action<string> Backward) Squashed(Squash layer)
    {
        var x = _values[layer.Inputs[0]];
        var (y, norm) = SquashTraining.Add(_chain, layer.Name, x);
        return (y, dy => Contribute(layer.Inputs[0], () => SquashTraining.Gradient(_chain, $"d.{layer.Inputs[0]}", dy, x, norm)));
    }

    private (string Value, Action<string> Backward) Predictions(CapsuleTransform layer)
    {
        var (x, w) = (_values[layer.Inputs[0]], Weights(layer, "weights", layer.Weights));
        return (CapsuleTransformTraining.Add(_chain, layer.Name, x, w), du =>
        {
            Update(w, CapsuleTransformTraining.WeightGradient(_chain, $"d.{w}", x, du));
            Contribute(layer.Inputs[0], () => CapsuleTransformTraining.InputGradient(_chain, $"d.{layer.Inputs[0]}", du, w));
        });
    }

    private (string Value, Action<string> Backward) Routed(Routing layer)
    {
        var u = _values[layer.Inputs[0]];
        var values = RoutingTraining.Add(_chain, layer.Name, u, layer.Iterations);
        return (values.Result, dv => Contribute(layer.Inputs[0], () => RoutingTraining.Gradient(_chain, $"d.{layer.Inputs[0]}", dv, u, values)));
    }

    private (string Value, Action<string> Backward) Left(Layer layer)
    {
        _left.Add(layer.Name);
        _given.Add(layer.Name);
        return (_chain.Input(layer.Name, layer.Type.Shape), _ => { });
    }

    private static PoolShape Windows(Spatial kernel, Spatial stride, Padding padding) => new([kernel.Height, kernel.Width], [stride.Height, stride.Width], [padding.Top, padding.Left]);

    private static PoolShape Windows(Volume kernel, Volume stride, VolumePadding padding) => new(
        [kernel.Depth, kernel.Height, kernel.Width], [stride.Depth, stride.Height, stride.Width], [padding.Front, padding.Plane.Top, padding.Plane.Left]);
}
