using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>What is written is what the network has: every layer, every attribute, every default.</summary>
public sealed class LayerTests
{
    private static readonly Quantization _tenth = Quantization.PerTensor(0.1f, -128);

    [Fact]
    public void Every_layer_and_attribute_becomes_its_node()
    {
        var arrays = Examples.Documented["every_layer"];
        var graph = LanguageDocumentTests.Parse("every_layer");
        Assert.Equal([new NetworkInput("image", new(ElementType.Int8, Shape.Of(1, 8, 8, 4), Quantization.PerTensor(0.05f, -3)))], graph.Inputs);
        Assert.Equal(["classes"], graph.Outputs);
        Layer[] expected =
        [
            new Conv2D(
                "grouped", ["image"], Type(1, 4, 8, 8), arrays["grouped.weights"], Scales("grouped", 0), arrays["grouped.bias"], new(2, 1), new(1, 2), new(0, 1, 2, 2), 2,
                FusedActivation.Relu6, RoundingScheme.TfliteSingle),
            new Conv2D(
                "explicit", ["image"], Type(1, 4, 8, 8), arrays["explicit.weights"], Scales("explicit", 0), null, new(2, 1), new(1, 1), new(1, 0, 1, 1), 1,
                FusedActivation.None, RoundingScheme.TfliteDouble),
            new DepthwiseConv2D(
                "depthwise", ["image"], Type(1, 4, 8, 8), arrays["depthwise.weights"], Scales("depthwise", 3), arrays["depthwise.bias"], new(2, 1), new(1, 1), new(2, 2, 1, 1), 2,
                FusedActivation.ReluN1To1, RoundingScheme.OnnxHalfEven),
            new Add("sum", ["grouped", "explicit"], Type(1, 4, 8, 8), FusedActivation.Relu, RoundingScheme.TfliteDouble),
            new Concat("joined", ["sum", "depthwise"], Type(1, 4, 8, 16), 3),
            new MaxPool2D("largest", ["joined"], Type(1, 2, 4, 16), new(3, 3), new(2, 2), new(0, 1, 0, 1), FusedActivation.None),
            new Pad("padded", ["largest"], Type(1, 3, 5, 16), [0, 1, 1, 0], [0, 0, 0, 0], -128),
            new AveragePool2D("average", ["padded"], Type(1, 4, 6, 16), new(2, 2), new(1, 1), new(1, 1, 1, 1), FusedActivation.Relu),
            new Activation("clamped", ["average"], Type(1, 4, 6, 16), FusedActivation.Relu6),
            new Reshape("flat", ["clamped"], Type(1, 384)),
            new Dense(
                "logits", ["flat"], new(ElementType.Int8, Shape.Of(1, 10), Quantization.PerTensor(0.2f, 5)), arrays["logits.weights"], Quantization.PerTensor(0.01f, 0), arrays["logits.bias"],
                FusedActivation.None, RoundingScheme.TfliteDouble),
            new Softmax("classes", ["logits"], new(ElementType.Int8, Shape.Of(1, 10), Quantization.PerTensor(1f / 256, -128)), 1.5f),
        ];
        Assert.Equal(expected, graph.Layers);

        Quantization Scales(string name, int axis)
        {
            var scales = EquatableArray.Create(arrays[$"{name}.weights_scale"].AsSpan<float>());
            return new(scales, EquatableArray.Create<int>(new int[scales.Count]), axis);
        }

        static TensorType Type(params int[] extents) => new(ElementType.Int8, Shape.Of(extents), _tenth);
    }

    [Fact]
    public void Attributes_that_are_not_written_have_the_documented_defaults()
    {
        var graph = Parse(
            """
            c = conv2d(x, filters=2, kernel=3x2) : scale 1
            d = depthwise_conv2d(x, kernel=3x2) : scale 1
            p = max_pool2d(x, kernel=4x2)
            q = avg_pool2d(x, kernel=4x2)
            a = add(x, x) : scale 1
            z = pad(x, before=(0, 1, 0, 0), after=(0, 0, 0, 0))
            n = activation(x, function=none)
            s = softmax(x)
            output c, d, p, q, a, z, n, s
            """,
            Examples.Join(Examples.Layer("c", 0, 2, 3, 2, 2), Examples.Layer("d", 3, 1, 3, 2, 2)));
        var conv = (Conv2D)graph.Layers[0];
        Assert.Equal((new Spatial(1, 1), new Spatial(1, 1), default(Padding), 1), (conv.Stride, conv.Dilation, conv.Padding, conv.Groups));
        Assert.Equal((FusedActivation.None, RoundingScheme.TfliteDouble, true), (conv.Activation, conv.Rounding, conv.Bias is not null));
        Assert.Equal(Quantization.PerTensor(1, 0), conv.Type.Quantization);
        var depthwise = (DepthwiseConv2D)graph.Layers[1];
        Assert.Equal((new Spatial(1, 1), new Spatial(1, 1), default(Padding), 1), (depthwise.Stride, depthwise.Dilation, depthwise.Padding, depthwise.Multiplier));
        Assert.Equal(new Spatial(4, 2), ((MaxPool2D)graph.Layers[2]).Stride);
        Assert.Equal(new Spatial(4, 2), ((AveragePool2D)graph.Layers[3]).Stride);
        Assert.Equal((FusedActivation.None, RoundingScheme.TfliteDouble), (((Add)graph.Layers[4]).Activation, ((Add)graph.Layers[4]).Rounding));
        Assert.Equal(7, ((Pad)graph.Layers[5]).Value);
        Assert.Equal(FusedActivation.None, ((Activation)graph.Layers[6]).Function);
        Assert.Equal(1f, ((Softmax)graph.Layers[7]).Beta);
        Assert.All(graph.Layers.Skip(2).Where(layer => layer is not (Add or Softmax)), layer => Assert.Equal(graph.Inputs[0].Type.Quantization, layer.Type.Quantization));
    }

    [Fact]
    public void Nodes_know_where_they_are_written()
    {
        var graph = Parse("a = activation(x, function=relu)\n  b = activation(a,\n    function=none)\noutput b", []);
        Assert.Equal((2, 1, 2, 33), Place(graph.Layers[0]));
        Assert.Equal((3, 3, 4, 19), Place(graph.Layers[1]));
        Assert.Equal("test.cnn(1,13)", graph.Inputs[0].Span.Value.ToString());

        static (int, int, int, int) Place(Layer layer) => (layer.Span.Value.Line, layer.Span.Value.Column, layer.Span.Value.EndLine, layer.Span.Value.EndColumn);
    }

    [Fact]
    public void Written_quantisation_wins_over_a_stored_one()
    {
        var arrays = Examples.Join(Examples.Result("a", 0.5f, 3), Examples.Result("b", 0.25f, -4), Examples.Result("x", 9f, 9));
        var graph = Parse("a = add(x, x) : scale 2\n b = add(x, x)\n output a, b", arrays, warnings: true);
        Assert.Equal(Quantization.PerTensor(2, 0), graph.Layers[0].Type.Quantization);
        Assert.Equal(Quantization.PerTensor(0.25f, -4), graph.Layers[1].Type.Quantization);
        Assert.Equal(Quantization.PerTensor(1, 7), graph.Inputs[0].Type.Quantization);
    }

    [Fact]
    public void Scales_are_read_back_bit_by_bit_from_their_shortest_text()
    {
        var random = new SeededRandom(1);
        for (var i = 0; i < 2_000; i++)
        {
            var scale = BitConverter.UInt32BitsToSingle(random.NextBits() >> 1);
            if (!float.IsFinite(scale) || scale <= 0)
            {
                continue;
            }

            var text = scale.ToString("R", System.Globalization.CultureInfo.InvariantCulture);
            var diagnostics = new Primitives.Diagnostics.DiagnosticBag();
            var graph = CnnFrontend.Parse($"network n {{ input x : i8[4] scale {text} output x }}", "test.cnn", _ => null, diagnostics);
            Assert.Equal(BitConverter.SingleToUInt32Bits(scale), BitConverter.SingleToUInt32Bits(graph!.Inputs[0].Type.Quantization!.Scale));
        }
    }

    [Fact]
    public void Any_layout_of_the_text_and_any_comments_give_the_same_network()
    {
        var text = LanguageDocumentTests.Text("every_layer");
        var arrays = Examples.Folder(Examples.Documented["every_layer"]);
        var expected = LanguageDocumentTests.Parse("every_layer");
        var uncommented = string.Join('\n', text.Split('\n').Select(line => line.Split("//")[0]));
        string[] layouts =
        [
            text.ReplaceLineEndings("\r\n"),
            uncommented.ReplaceLineEndings(" "),
            "\uFEFF" + text.Replace(",", " /* a * b ** */ ,\n\t// },)\n", StringComparison.Ordinal),
        ];
        foreach (var layout in layouts)
        {
            var diagnostics = new Primitives.Diagnostics.DiagnosticBag();
            Assert.Equal(expected, CnnFrontend.Parse(layout, "test.cnn", arrays, diagnostics));
            Assert.Empty(diagnostics.Diagnostics);
        }
    }

    /// <summary>A network whose input is x: i8[1x4x4x2] scale 1 zero 7, in line 1.</summary>
    private static NetworkGraph Parse(string statements, Dictionary<string, Tensor> arrays, bool warnings = false)
    {
        var diagnostics = new Primitives.Diagnostics.DiagnosticBag();
        var text = $"network n {{ input x : i8[1x4x4x2] scale 1 zero 7 weights \"example.npz\"\n{statements}\n}}";
        var graph = CnnFrontend.Parse(text, "test.cnn", Examples.Folder(arrays), diagnostics);
        if (!warnings)
        {
            Assert.Empty(diagnostics.Diagnostics);
        }

        return Assert.IsType<NetworkGraph>(graph);
    }
}
