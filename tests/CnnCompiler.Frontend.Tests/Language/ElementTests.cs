using CnnCompiler.Core;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>Element types of the language: one text in i8, f32 and fixed point; arrays as each of them wants them; every layer through IR text.</summary>
public sealed class ElementTests
{
    private static readonly Quantization _fixed12 = Quantization.PerTensor(1f / 4096, 0);

    public static TheoryData<string> Elements => ["i8", "f32", "fixed0", "fixed12", "fixed16"];

    [Theory]
    [MemberData(nameof(Elements))]
    public void A_network_of_values_is_read_in_every_element_type(string name)
    {
        var elements = NetworkElements.Parse(name)!.Value;
        Assert.Equal(name, elements.ToString());
        var graph = Parse(LanguageDocumentTests.Text("any_elements"), null, elements);
        Assert.All(graph.Layers.Select(layer => layer.Type).Append(graph.Inputs[0].Type), type => Assert.Equal(elements.Element, type.Element));
        Assert.Equal(["image", "features", "left", "right", "sum", "logits"], graph.Inputs.Select(input => input.Name).Concat(graph.Layers.Select(layer => layer.Name)));
        if (elements != NetworkElements.Int8)
        {
            Assert.All(graph.Layers, layer => Assert.Equal(elements.Quantization, layer.Type.Quantization));
        }
    }

    [Theory]
    [InlineData("fixed31")]
    [InlineData("fixed")]
    [InlineData("fixed07")]
    [InlineData("fixed-1")]
    [InlineData("i32")]
    [InlineData("value")]
    public void Other_names_choose_no_elements(string name) => Assert.Null(NetworkElements.Parse(name));

    [Fact]
    public void The_three_readings_have_the_same_weights_but_for_their_rounding()
    {
        var text = LanguageDocumentTests.Text("any_elements");
        var codes = (Conv2D)Parse(text, null).Layers[0];
        var real = (Conv2D)Parse(text, null, NetworkElements.Float32).Layers[0];
        var fixedPoint = (Conv2D)Parse(text, null, NetworkElements.Fixed(12)).Layers[0];
        Assert.Null(real.WeightQuantization);
        Assert.Equal(_fixed12, fixedPoint.WeightQuantization);
        var inner = codes.Weights.Shape.Elements / 8;
        for (var i = 0; i < codes.Weights.Shape.Elements; i++)
        {
            var expected = codes.Weights.GetInteger(i) * codes.WeightQuantization!.Scales[(int)(i / inner)];
            Assert.Equal(expected, real.Weights.AsSpan<float>()[i]);
            Assert.Equal((int)Math.Floor((expected * 4096.0) + 0.5), fixedPoint.Weights.AsSpan<int>()[i]);
        }

        for (var i = 0; i < 8; i++)
        {
            Assert.Equal(codes.Bias!.GetInteger(i) / 32768f, real.Bias!.AsSpan<float>()[i]);
            Assert.Equal((int)Math.Floor((codes.Bias.GetInteger(i) / 8.0) + 0.5), fixedPoint.Bias!.AsSpan<int>()[i]);
        }
    }

    [Fact]
    public void Stored_f32_arrays_are_taken_as_they_are_and_rounded_in_fixed_point()
    {
        var arrays = new Dictionary<string, Tensor>(StringComparer.Ordinal)
        {
            ["d.weights"] = Tensor.From<float>(ElementType.Float32, Shape.Of(2, 2), [0.5f, -0.25f, 1.00012207f, float.NaN]),
            ["d.bias"] = Tensor.From<float>(ElementType.Float32, Shape.Of(2), [1e9f, -0.375f]),
        };
        const string text = "network n { weights \"example.npz\" input x : value[1x2] d = dense(x, units=2) output d }";
        var real = (Dense)Parse(text, arrays, NetworkElements.Float32).Layers[0];
        Assert.Equal((arrays["d.weights"], arrays["d.bias"]), (real.Weights, real.Bias));
        var fixedPoint = (Dense)Parse(text, arrays, NetworkElements.Fixed(12)).Layers[0];
        Assert.Equal([2048, -1024, 4097, 0], fixedPoint.Weights.AsSpan<int>().ToArray());
        Assert.Equal([int.MaxValue, -1536], fixedPoint.Bias!.AsSpan<int>().ToArray());
        Assert.Equal((_fixed12, _fixed12), (fixedPoint.WeightQuantization, fixedPoint.Type.Quantization));
    }

    [Fact]
    public void Stored_fixed_point_has_its_own_scales()
    {
        var arrays = new Dictionary<string, Tensor>(StringComparer.Ordinal)
        {
            ["d.weights"] = Tensor.From<int>(ElementType.Int32, Shape.Of(2, 2), [1, 2, 3, 4]),
            ["d.weights_scale"] = Tensor.From<float>(ElementType.Float32, Shape.Of(), [0.25f]),
            ["d.bias"] = Tensor.From<int>(ElementType.Int32, Shape.Of(2), [5, 6]),
        };
        var dense = (Dense)Parse("network n { weights \"example.npz\" input x : i32[1x2] scale 0.5 d = dense(x, units=2) : scale 0.125 output d }", arrays).Layers[0];
        Assert.Equal(arrays["d.weights"], dense.Weights);
        Assert.Equal((Quantization.PerTensor(0.25f, 0), Quantization.PerTensor(0.125f, 0)), (dense.WeightQuantization, dense.Type.Quantization));
    }

    [Fact]
    public void Zero_points_of_weights_are_read_with_the_rounding_that_has_them()
    {
        var arrays = Examples.Join(Examples.Layer("c", 0, 2, 1, 1, 4), new(StringComparer.Ordinal) { ["c.weights_zero_point"] = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(2), [3, -128]) });
        const string text = "network n { weights \"example.npz\" input x : i8[1x2x2x4] scale 1 c = conv2d(x, filters=2, kernel=1, rounding=\"onnx-half-even\") : scale 9 output c }";
        Assert.Equal([3, -128], ((Conv2D)Parse(text, arrays).Layers[0]).WeightQuantization!.ZeroPoints);
        Assert.Equal("CNN0236", Assert.Single(Examples.Diagnose(text.Replace(", rounding=\"onnx-half-even\"", string.Empty, StringComparison.Ordinal), arrays)).Code);
        arrays["c.weights_zero_point"] = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(3), [0, 0, 0]);
        Assert.Equal("CNN0234", Assert.Single(Examples.Diagnose(text, arrays)).Code);
    }

    [Fact]
    public void Sums_have_the_product_of_the_scales()
    {
        var graph = Parse(LanguageDocumentTests.Text("quantised_layers"), null);
        var sums = (Conv2D)graph.Layers.Single(layer => layer.Name == "sums");
        Assert.Equal(new(ElementType.Int32, Shape.Of(1, 8, 8, 4), Quantization.PerTensor(0.05f * sums.WeightQuantization!.Scale, 0)), sums.Type);
    }

    [Fact]
    public void Parts_of_a_split_are_layers_of_their_own()
    {
        var graph = Parse("network n { input x : i8[1x4x6] scale 1 a, b, c = split(x, axis=-1) repeat 2 { a, d = split(a, axis=1) } output a, b, c }", null);
        Assert.Equal(
            ["a 0/3 4x2", "b 1/3 4x2", "c 2/3 4x2", "a.1 0/2 2x2", "d.1 1/2 2x2", "a.2 0/2 1x2"],
            graph.Layers.Take(6).Cast<Split>().Select(split => FormattableString.Invariant($"{split.Name} {split.Index}/{split.Parts} {split.Type.Shape[1]}x{split.Type.Shape[2]}")));
    }

    [Theory]
    [InlineData(4, 3, 2)]
    [InlineData(5, 2, 3)]
    [InlineData(7, 4, 2)]
    [InlineData(3, 1, 4)]
    public void Same_padding_of_a_transposed_convolution_gives_the_input_times_the_stride(int input, int kernel, int stride)
    {
        var graph = Parse(FormattableString.Invariant($"network n {{ weights seed 1 input x : f32[1x{input}x{input}x2] y = conv2d_transpose(x, filters=3, kernel={kernel}, stride={stride}, padding=same) output y }}"), null);
        Assert.Equal(Shape.Of(1, input * stride, input * stride, 3), graph.Layers[0].Type.Shape);
    }

    [Fact]
    public void Every_layer_of_the_examples_round_trips_in_the_text_of_the_level()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var network in LanguageDocumentTests.Networks)
        {
            var graph = LanguageDocumentTests.Parse(network.Data);
            var text = NetworkPrinter.Print(graph);
            var diagnostics = new DiagnosticBag();
            var read = NetworkParser.Parse(text.Text, "t", text.Constants, diagnostics);
            Assert.Empty(diagnostics.Diagnostics);
            Assert.Equal(graph, read);
            Assert.Equal(text.Text, NetworkPrinter.Print(read!).Text);
            seen.UnionWith(graph.Layers.Select(layer => layer.Keyword));
        }

        Assert.Equal(OperatorTable.All.Select(definition => definition.Keyword).Order(StringComparer.Ordinal), seen.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_attribute_of_every_layer_is_refused_beyond_the_range_that_its_operator_declares()
    {
        var checkedAttributes = new HashSet<string>(StringComparer.Ordinal);
        foreach (var graph in LanguageDocumentTests.Networks.Select(network => LanguageDocumentTests.Parse(network.Data)))
        {
            var types = graph.Inputs.ToDictionary(input => input.Name, input => input.Type, StringComparer.Ordinal);
            foreach (var layer in graph.Layers)
            {
                var definition = OperatorTable.Of(layer);
                Assert.Empty(NetworkVerifier.Check(Alone(layer, types)));
                foreach (var attribute in definition.Attributes)
                {
                    foreach (var wrong in Beyond(attribute, layer))
                    {
                        var values = definition.Attributes.ToDictionary(other => other.Name, other => other == attribute ? wrong : other.Get(layer), StringComparer.Ordinal);
                        var changed = definition.Create(new(layer.Name, layer.Inputs, layer.Type), values);
                        Assert.True(NetworkVerifier.Check(Alone(changed, types)).Count > 0, $"{layer.Keyword} with {attribute.Name} {wrong}");
                        checkedAttributes.Add($"{layer.Keyword}.{attribute.Name}");
                    }
                }

                types.Add(layer.Name, layer.Type);
            }
        }

        // Every operator was there, so every attribute with a range was.
        Assert.Equal(
            OperatorTable.All.SelectMany(definition => definition.Attributes.Where(HasRange).Select(attribute => $"{definition.Keyword}.{attribute.Name}")).Order(StringComparer.Ordinal),
            checkedAttributes.Order(StringComparer.Ordinal));
    }

    private static bool HasRange(OperatorAttribute attribute) => attribute.Kind is not (AttributeKind.Flag or AttributeKind.Tensor or AttributeKind.OptionalTensor or AttributeKind.WeightQuantization);

    private static IEnumerable<object> Beyond(OperatorAttribute attribute, Layer layer)
    {
        var (low, high) = ((int)Math.Max(attribute.Low - 1L, int.MinValue), (int)Math.Min(attribute.High + 1L, int.MaxValue));
        return (attribute.Kind, attribute.Get(layer)) switch
        {
            (AttributeKind.Integer, _) => [low, high],
            (AttributeKind.Real, _) => attribute.Name is "low" or "high" ? [float.NaN] : [float.NaN, float.PositiveInfinity],
            (AttributeKind.Integers, EquatableArray<int> list) => [With(list, low), With(list, high), list.Append(0).ToEquatableArray()],
            (AttributeKind.Reals, EquatableArray<float> list) => [default(EquatableArray<float>), list.Append(1f).ToEquatableArray(), With(list, float.NaN), With(list, 0f), With(list, -1f)],
            (AttributeKind.Spatial, Spatial pair) => [pair with { Height = low }, pair with { Width = low }, pair with { Height = high }, pair with { Width = high }],
            (AttributeKind.Volume, Volume volume) => [volume with { Depth = low }, volume with { Height = low }, volume with { Width = low }, volume with { Depth = high }, volume with { Height = high }, volume with { Width = high }],
            (AttributeKind.Padding, Padding sides) => [.. Sides(sides, low), .. Sides(sides, high)],
            (AttributeKind.VolumePadding, VolumePadding sides) =>
                [sides with { Front = low }, sides with { Back = high }, .. Sides(sides.Plane, low).Concat(Sides(sides.Plane, high)).Select(plane => (object)(sides with { Plane = (Padding)plane }))],
            (AttributeKind.Activation, _) => [(FusedActivation)9],
            (AttributeKind.Rounding, _) => [(RoundingScheme)9],
            (AttributeKind.ResizeMode, _) => [(ResizeMode)9],
            (AttributeKind.ResizeCoordinates, _) => [(ResizeCoordinates)9],
            _ => [],
        };
    }

    private static EquatableArray<T> With<T>(EquatableArray<T> list, T first) => list.Skip(1).Prepend(first).ToEquatableArray();

    private static object[] Sides(Padding sides, int value) => [sides with { Top = value }, sides with { Bottom = value }, sides with { Left = value }, sides with { Right = value }];

    private static NetworkGraph Alone(Layer layer, Dictionary<string, TensorType> types)
    {
        var read = layer.Inputs.Distinct(StringComparer.Ordinal).Select(name => new NetworkInput(name, types[name])).ToList();
        return new("n", read.Count > 0 ? read.ToEquatableArray() : [new("unread", new(ElementType.Float32, Shape.Of(1)))], [layer], [layer.Name]);
    }

    private static NetworkGraph Parse(string text, Dictionary<string, Tensor>? arrays, NetworkElements? elements = null)
    {
        var diagnostics = new DiagnosticBag();
        var graph = CnnFrontend.Parse(text, "test.cnn", Examples.Folder(arrays ?? []), diagnostics, elements);
        Assert.DoesNotContain(diagnostics.Diagnostics, diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
        return Assert.IsType<NetworkGraph>(graph);
    }
}
