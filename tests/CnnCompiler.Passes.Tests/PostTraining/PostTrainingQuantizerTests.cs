using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.PostTraining;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Tests.PostTraining;

/// <summary>Float networks become int8 networks that compute nearly the same, and what can't is refused by name.</summary>
public sealed class PostTrainingQuantizerTests
{
    private const string Mixed = """
        network mixed {
            weights seed 7
            input image : f32[1x8x8x4]
            wide     = conv2d(image, filters=8, kernel=3, padding=same)
            normal   = batch_norm(wide)
            features = activation(normal, function=relu)
            depth    = depthwise_conv2d(features, kernel=3, padding=same, activation=relu)
            middle   = batch_norm(depth)
            left     = max_pool2d(middle, kernel=2)
            right    = avg_pool2d(features, kernel=2)
            gate     = logistic(right)
            joined   = concat(left, right, gate, axis=3)
            padded   = pad(joined, before=(0, 1, 1, 0), after=(0, 1, 1, 0))
            moved    = add(padded, padded, activation=relu6)
            flat     = reshape(moved, shape=1x864)
            logits   = dense(flat, units=10)
            classes  = softmax(logits)
            output classes
        }
        """;

    public static TheoryData<CalibrationMethod, bool, bool> Choices
    {
        get
        {
            var choices = new TheoryData<CalibrationMethod, bool, bool>();
            foreach (var method in Enum.GetValues<CalibrationMethod>())
            {
                choices.Add(method, true, true);
                choices.Add(method, false, false);
            }

            return choices;
        }
    }

    [Theory]
    [MemberData(nameof(Choices))]
    public void Every_value_keeps_most_of_its_signal(CalibrationMethod method, bool equalize, bool correct)
    {
        var graph = Parse(Mixed);
        var (quantized, samples) = Quantize(graph, new() { Method = method, EqualizeChannels = equalize, CorrectBias = correct });
        var noise = SignalToNoise.Measure(quantized, samples, new DiagnosticBag(), TestContext.Current.CancellationToken)!;
        Assert.All(noise.Values.Where(value => value.Keyword != "softmax"), value => Assert.True(value.Decibels > (method == CalibrationMethod.Entropy ? 12 : 24), $"{value}"));
        Assert.Equal(samples.Samples.Count, noise.Samples);
    }

    [Fact]
    public void Preparation_folds_batch_normalisation_and_activations_and_computes_the_same()
    {
        var graph = Parse(Mixed);
        var prepared = RealPreparation.Prepare(graph);
        Assert.DoesNotContain(prepared.Layers, layer => layer is BatchNorm or Activation);
        Assert.Equal(FusedActivation.Relu, Assert.IsType<Conv2D>(prepared.Layers.Single(layer => layer.Name == "features")).Activation);

        // behind an activation it can't be folded
        Assert.IsType<DepthwiseConv2D>(prepared.Layers.Single(layer => layer.Name == "middle"));
        foreach (var sample in Samples(graph, 3, 5).Samples)
        {
            Assert.All(Run(graph, sample).Zip(Run(prepared, sample)), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
        }
    }

    [Fact]
    public void Values_whose_codes_are_copied_share_a_scale_and_fixed_scales_are_kept()
    {
        var (quantized, _) = Quantize(Parse(Mixed), new());
        var types = quantized.Graph.Layers.ToDictionary(layer => layer.Name, layer => layer.Type.Quantization!, StringComparer.Ordinal);
        Assert.All(["left", "right", "joined", "padded", "features"], name => Assert.Equal(types["joined"], types[name]));
        Assert.Equal(types["moved"], types["flat"]);
        Assert.Equal(Quantization.PerTensor(1f / 256, -128), types["gate"]);
        Assert.Equal(Quantization.PerTensor(1f / 256, -128), types["classes"]);
        var joined = quantized.Graph.Layers.Single(layer => layer.Name == "joined");
        Assert.Equal(["left", "right", "joined_operand2"], joined.Inputs);
        Assert.IsType<Quantize>(quantized.Graph.Layers.Single(layer => layer.Name == "joined_operand2"));
    }

    [Fact]
    public void Weights_have_a_symmetric_scale_a_channel_and_biases_the_product_of_scales()
    {
        var (quantized, _) = Quantize(Parse(Mixed), new() { CorrectBias = false, EqualizeChannels = false });
        var real = (Conv2D)quantized.Real.Layers[0];
        var codes = (Conv2D)quantized.Graph.Layers[0];
        var input = quantized.Graph.Inputs[0].Type.Quantization!.Scale;
        Assert.Equal(8, codes.WeightQuantization!.Scales.Count);
        Assert.All(codes.WeightQuantization.ZeroPoints, zero => Assert.Equal(0, zero));
        for (var i = 0; i < codes.Weights.Shape.Elements; i++)
        {
            var scale = codes.WeightQuantization.Scales[i / 36];
            Assert.InRange(codes.Weights.GetInteger(i), -127, 127);
            Assert.Equal(real.Weights.GetReal(i), codes.Weights.GetInteger(i) * scale, (scale / 2) + 1e-6);
        }

        for (var c = 0; c < 8; c++)
        {
            var scale = (double)input * codes.WeightQuantization.Scales[c];
            Assert.Equal(real.Bias!.GetReal(c), codes.Bias!.GetInteger(c) * scale, scale);
        }
    }

    [Fact]
    public void Weights_that_are_not_finite_are_refused_though_no_value_shows_them()
    {
        // Only the middle of the kernel ever meets the image of one pixel.
        var graph = Parse("network one {\n    weights seed 3\n    input image : f32[1x1x1x4]\n    y = conv2d(image, filters=2, kernel=3, padding=same)\n    output y\n}\n");
        var layer = (Conv2D)graph.Layers[0];
        var weights = layer.Weights.AsSpan<float>().ToArray();
        weights[0] = float.PositiveInfinity;
        graph = graph with { Layers = [layer with { Weights = Tensor.From<float>(ElementType.Float32, layer.Weights.Shape, weights) }] };
        var problems = new DiagnosticBag();
        Assert.Null(PostTrainingQuantizer.Quantize(graph, Samples(graph, 2, 1), new() { EqualizeChannels = false }, problems, TestContext.Current.CancellationToken));
        var diagnostic = Assert.Single(problems.Diagnostics);
        Assert.Equal("CNN0186", diagnostic.Code);
        Assert.Contains("conv2d 'y'", diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bias_correction_takes_the_mean_error_out_of_a_layer()
    {
        const string Text = """
            network one {
                weights seed 3
                input image : f32[1x1x1x64]
                y = conv2d(image, filters=32, kernel=1)
                output y
            }
            """;
        var graph = Parse(Text);
        Assert.True(MeanError(correct: true) < MeanError(correct: false) / 2, $"{MeanError(correct: true)} {MeanError(correct: false)}");

        double MeanError(bool correct)
        {
            // With a mean far from 0, rounded weights shift the result.
            var samples = new SampleSet([.. Samples(graph, 40, 11).Samples.Select(sample => (IReadOnlyList<Tensor>)[Tensor.From<float>(ElementType.Float32, sample[0].Shape, Array.ConvertAll(sample[0].AsSpan<float>().ToArray(), x => 4 + (x / 8)))])]);
            var problems = new DiagnosticBag();
            var quantized = PostTrainingQuantizer.Quantize(graph, samples, new() { Method = CalibrationMethod.MinMax, CorrectBias = correct }, problems, TestContext.Current.CancellationToken)!;
            var layer = (Conv2D)quantized.Graph.Layers[0];
            var real = (Conv2D)quantized.Real.Layers[0];
            var input = quantized.Graph.Inputs[0].Type.Quantization!.Scale;
            var error = 0.0;
            for (var c = 0; c < 32; c++)
            {
                var scale = layer.WeightQuantization!.Scales[c];
                var shift = (layer.Bias!.GetInteger(c) * (double)scale * input) - real.Bias!.GetReal(c);
                for (var i = 0; i < 64; i++)
                {
                    shift += ((layer.Weights.GetInteger((c * 64) + i) * (double)scale) - real.Weights.GetReal((c * 64) + i)) * samples.Samples.Average(sample => sample[0].GetReal(i));
                }

                error += Math.Abs(shift);
            }

            return error;
        }
    }

    [Theory]
    [InlineData("lrn(image, size=3)", "CNN0181", "lrn 'y'")]
    [InlineData("layer_norm(image, axis=3)", "CNN0181", "layer_norm 'y'")]
    [InlineData("quantize(image) : scale 0.1", "CNN0180", "'y' is i8")]
    public void What_has_no_int8_arithmetic_is_refused_by_name(string layer, string code, string part)
    {
        var graph = Parse($"network n {{ weights seed 1 input image : f32[1x4x4x4] y = {layer} output y }}");
        var problems = new DiagnosticBag();
        Assert.Null(PostTrainingQuantizer.Quantize(graph, Samples(graph, 2, 1), new(), problems, TestContext.Current.CancellationToken));
        var diagnostic = Assert.Single(problems.Diagnostics);
        Assert.Equal(code, diagnostic.Code);
        Assert.Contains(part, diagnostic.Message, StringComparison.Ordinal);
        Assert.NotEmpty(diagnostic.Remedy);
    }

    [Fact]
    public void Samples_that_are_missing_shaped_otherwise_or_not_finite_are_refused()
    {
        var graph = Parse(Mixed);
        var image = new Tensor(ElementType.UInt8, Shape.Of(3, 8, 8, 4), new byte[3 * 256]);
        Assert.Equal(3, From(("any", image))!.Samples.Count);
        Assert.Null(From(("any", new(ElementType.UInt8, Shape.Of(3, 8, 4, 8), new byte[3 * 256]))));
        Assert.Null(From());
        Assert.Null(From(("image", new(ElementType.UInt8, Shape.Of(0, 8, 8, 4), []))));
        Assert.Null(From(("one", image), ("two", image)));

        var problems = new DiagnosticBag();
        var odd = new SampleSet([[Tensor.From<float>(ElementType.Float32, Shape.Of(1, 8, 8, 4), Enumerable.Repeat(float.NaN, 256).ToArray())]]);
        Assert.Null(PostTrainingQuantizer.Quantize(graph, odd, new() { EqualizeChannels = false }, problems, TestContext.Current.CancellationToken));
        Assert.Equal("CNN0183", Assert.Single(problems.Diagnostics).Code);
        problems = new();
        Assert.Null(PostTrainingQuantizer.Quantize(graph, Samples(graph, 1, 1), new() { Percentile = 40 }, problems, TestContext.Current.CancellationToken));
        Assert.Equal("CNN0185", Assert.Single(problems.Diagnostics).Code);

        SampleSet? From(params (string Name, Tensor Value)[] arrays)
        {
            var bag = new DiagnosticBag();
            var samples = SampleSet.From(graph, arrays.ToDictionary(array => array.Name, array => array.Value, StringComparer.Ordinal), bag);
            Assert.Equal(samples is null, bag.HasErrors);
            return samples;
        }
    }

    private static NetworkGraph Parse(string text)
    {
        var diagnostics = new DiagnosticBag();
        var graph = CnnFrontend.Parse(text, "test.cnn", _ => null, diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return graph!;
    }

    private static (QuantizedNetwork Network, SampleSet Samples) Quantize(NetworkGraph graph, QuantizationOptions options)
    {
        var (samples, problems) = (Samples(graph, 20, 1), new DiagnosticBag());
        var quantized = PostTrainingQuantizer.Quantize(graph, samples, options, problems, TestContext.Current.CancellationToken);
        Assert.Empty(problems.Diagnostics);
        Assert.Empty(NetworkVerifier.Check(quantized!.Graph));
        return (quantized, samples);
    }

    private static float[] Run(NetworkGraph graph, IReadOnlyList<Tensor> sample)
    {
        var problems = new DiagnosticBag();
        var result = NetworkEvaluator.Evaluate(graph, sample, problems);
        Assert.Empty(problems.Diagnostics);
        return result!.Outputs[0].AsSpan<float>().ToArray();
    }

    // A multiplicative generator (Park and Miller 1988); numbers from -2 to 2.
    private static SampleSet Samples(NetworkGraph graph, int count, long seed)
    {
        var samples = new List<IReadOnlyList<Tensor>>();
        for (var i = 0; i < count; i++)
        {
            var numbers = new float[graph.Inputs[0].Type.Shape.Elements];
            for (var j = 0; j < numbers.Length; j++)
            {
                seed = seed * 48271 % int.MaxValue;
                numbers[j] = (float)((seed / (double)int.MaxValue * 4) - 2);
            }

            samples.Add([Tensor.From<float>(ElementType.Float32, graph.Inputs[0].Type.Shape, numbers)]);
        }

        return new(samples);
    }
}
