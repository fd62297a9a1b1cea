using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using Builder = CnnCompiler.Frontend.Tests.Tflite.TfliteModelBuilder;

namespace CnnCompiler.Frontend.Tests.Tflite;

/// <summary>What the golden models don't show of the operators that are imported.</summary>
public sealed class TfliteReaderOperatorTests
{
    [Fact]
    public void A_filter_shallower_than_the_input_means_groups()
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [1, 4, 4, 6]), model.Value("y", [1, 2, 1, 4]));
        var w = model.Weights([4, 3, 2, 3], Builder.PerAxis(0, 1, 2, 3, 4));
        model.Operator(3, [x, w], [y], 1, new() { [0] = (byte)1, [1] = 3, [2] = 1, [3] = (byte)3, [4] = 1, [5] = 1 });
        var conv = Assert.IsType<Conv2D>(Assert.Single(Import(model, x, y).Layers));
        Assert.Equal(2, conv.Groups);
        Assert.Equal(new Spatial(1, 3), conv.Stride);
        Assert.Equal(new Spatial(1, 1), conv.Dilation);
        Assert.Equal(default, conv.Padding);
        Assert.Equal(FusedActivation.Relu6, conv.Activation);
        Assert.Equal(RoundingScheme.TfliteDouble, conv.Rounding);
        Assert.Null(conv.Bias);
        Assert.Equal(new Quantization([1, 2, 3, 4], [0, 0, 0, 0], 0), conv.WeightQuantization);
        Assert.Equal(Shape.Of(4, 3, 2, 3), conv.Weights.Shape);
        Assert.Equal(71, conv.Weights.GetInteger(71));
    }

    [Fact]
    public void Dilation_and_stride_are_height_and_width_the_right_way_round_and_default_to_one()
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [1, 9, 11, 2]), model.Value("y", [1, 5, 4, 6]));
        var w = model.Weights([1, 3, 2, 6], Builder.PerAxis(3, 1, 1, 1, 1, 1, 1));
        var b = model.Numbers("bias", [6], 1, 2, 3, 4, 5, -6);
        model.Operator(4, [x, w, b], [y], 2, new() { [1] = 3, [2] = 2, [3] = 99, [4] = (byte)2 });
        var conv = Assert.IsType<DepthwiseConv2D>(Assert.Single(Import(model, x, y).Layers));
        Assert.Equal(new Spatial(2, 3), conv.Stride);
        Assert.Equal(new Spatial(1, 1), conv.Dilation);
        Assert.Equal(new Padding(1, 1, 0, 0), conv.Padding);
        Assert.Equal(3, conv.Multiplier);
        Assert.Equal(FusedActivation.ReluN1To1, conv.Activation);
        Assert.Equal(-6, conv.Bias!.GetInteger(5));
    }

    [Theory]
    [InlineData(true, new[] { -1, 1, 3 }, new[] { 2, 1, 5, 1 })]
    [InlineData(false, new[] { 1 }, new[] { 2, 5, 4 })]
    public void The_axes_of_a_mean_may_be_negative_or_repeated_and_are_kept_or_left_out(bool keep, int[] axes, int[] shape)
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [2, 3, 5, 4]), model.Value("y", shape, scale: 0.25f));
        model.Operator(40, [x, model.Numbers("axes", [axes.Length], axes)], [y], 27, new() { [0] = (byte)(keep ? 1 : 0) });
        var mean = Assert.IsType<Mean>(Assert.Single(Import(model, x, y).Layers));
        Assert.Equal(keep ? [1, 3] : [1], mean.Axes);
        Assert.Equal(keep, mean.KeepDimensions);
    }

    [Theory]
    [InlineData(14, UnaryFunction.Logistic, 1f / 256, -128)]
    [InlineData(28, UnaryFunction.Tanh, 1f / 128, 0)]
    [InlineData(98, UnaryFunction.LeakyRelu, 0.75f, 3)]
    [InlineData(117, UnaryFunction.HardSwish, 0.75f, 3)]
    public void A_function_of_each_element_keeps_the_output_scale(int code, UnaryFunction function, float scale, int zeroPoint)
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [2, 3]), model.Value("y", [2, 3], scale: scale, zeroPoint: zeroPoint));
        var slope = code == 98 ? 0.125f : 0;
        model.Operator(code, [x], [y], (byte)(code == 98 ? 75 : 0), code == 98 ? new() { [0] = slope } : null);
        var unary = Assert.IsType<Unary>(Assert.Single(Import(model, x, y).Layers));
        Assert.Equal((function, slope), (unary.Function, unary.Alpha));
        Assert.Equal(Quantization.PerTensor(scale, zeroPoint), unary.Type.Quantization);
    }

    [Theory]
    [InlineData(18)]
    [InlineData(41)]
    public void Products_and_differences_broadcast_after_a_change_of_scale(int code)
    {
        var model = new Builder();
        var (x, one, y, z) = (model.Value("x", [2, 3, 4]), model.Value("mean", [2, 1, 4]), model.Value("y", [2, 1, 4], scale: 2, zeroPoint: 5), model.Value("z", [2, 3, 4]));
        model.Operator(40, [x, model.Numbers("axes", [1], 1)], [one], 27, new() { [0] = (byte)1 });
        model.Operator(114, [one], [y]);
        model.Operator(code, [x, y], [z], (byte)(code == 18 ? 21 : 28), new() { [0] = (byte)3 });
        var layers = Import(model, x, z).Layers;
        Assert.Equal(Quantization.PerTensor(2, 5), Assert.IsType<Quantize>(layers[1]).Type.Quantization);
        Assert.Equal(FusedActivation.Relu6, layers[2] is Mul mul ? mul.Activation : Assert.IsType<Sub>(layers[2]).Activation);
        Assert.Equal(code == 18, layers[2] is Mul);
    }

    [Theory]
    [InlineData(43, new[] { 3, 2 })]
    [InlineData(70, new[] { 3, 1, 1, 2 })]
    public void Extents_of_one_come_and_go(int code, int[] shape)
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [3, 1, 2]), model.Value("y", shape));
        model.Operator(code, [x], [y]);
        Assert.IsType<Reshape>(Assert.Single(Import(model, x, y).Layers));
    }

    [Fact]
    public void A_transposition_has_the_order_of_its_constant()
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [2, 3, 5]), model.Value("y", [5, 2, 3]));
        model.Operator(39, [x, model.Numbers("order", [3], -1, 0, 1)], [y]);
        Assert.Equal([2, 0, 1], Assert.IsType<Transpose>(Assert.Single(Import(model, x, y).Layers)).Permutation);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_bias_may_be_absent_or_have_more_dimensions(bool absent)
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [2, 3]), model.Value("y", [2, 4]));
        var w = model.Weights([4, 3]);
        var b = absent ? -1 : model.Numbers("bias", [1, 1, 4], 5, 6, 7, 8);
        model.Operator(9, [x, w, b], [y], 8, new() { [0] = (byte)1 });
        var dense = Assert.IsType<Dense>(Assert.Single(Import(model, x, y).Layers));
        Assert.Equal(absent ? null : Tensor.From<int>(ElementType.Int32, Shape.Of(4), [5, 6, 7, 8]), dense.Bias);
        Assert.Equal(FusedActivation.Relu, dense.Activation);
    }

    [Fact]
    public void A_dense_layer_that_keeps_dimensions_is_followed_by_a_reshape()
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [2, 5, 3]), model.Value("y", [2, 5, 4], scale: 2));
        model.Operator(9, [x, model.Weights([4, 3], Builder.PerAxis(0, 1, 2, 3, 4))], [y], 8, new() { [2] = true });
        var graph = Import(model, x, y);
        Assert.Equal(Shape.Of(10, 3), Assert.IsType<Reshape>(graph.Layers[0]).Type.Shape);
        var dense = Assert.IsType<Dense>(graph.Layers[1]);
        Assert.Equal(Shape.Of(10, 4), dense.Type.Shape);
        var reshape = Assert.IsType<Reshape>(graph.Layers[2]);
        Assert.Equal([dense.Name], reshape.Inputs);
        Assert.Equal("y", reshape.Name);
        Assert.Equal(Shape.Of(2, 5, 4), reshape.Type.Shape);
        Assert.Equal(["y"], graph.Outputs);
    }

    [Theory]
    [InlineData(19, FusedActivation.Relu)]
    [InlineData(20, FusedActivation.ReluN1To1)]
    [InlineData(21, FusedActivation.Relu6)]
    public void Activations_of_their_own_are_layers(int code, FusedActivation function)
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [1, 7]), model.Value("y", [1, 7]));
        model.Operator(code, [x], [y]);
        Assert.Equal(function, Assert.IsType<Activation>(Assert.Single(Import(model, x, y).Layers)).Function);
    }

    [Fact]
    public void Padding_with_a_value_keeps_its_code_and_64_bit_paddings_are_read()
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [2, 2]), model.Value("y", [3, 6]));
        var paddings = model.Constant("paddings", [2, 2], Builder.Int64, [.. new long[] { 0, 1, 3, 1 }.SelectMany(BitConverter.GetBytes)]);
        var value = model.Constant("value", [], Builder.Int8, [0xFB], Builder.Quantization(0.5f, 0));
        model.Operator(60, [x, paddings, value], [y]);
        var graph = Import(model, x, y);
        var evaluation = NetworkEvaluator.Evaluate(graph, [Tensor.From<sbyte>(ElementType.Int8, Shape.Of(2, 2), [1, 2, 3, 4])], new DiagnosticBag())!;
        Assert.Equal([-5, -5, -5, 1, 2, -5, -5, -5, -5, 3, 4, -5, -5, -5, -5, -5, -5, -5], evaluation.Outputs[0].AsSpan<sbyte>().ToArray());
    }

    [Fact]
    public void A_broadcast_addition_and_a_concatenation_along_a_negative_axis_are_read()
    {
        var model = new Builder();
        var (x, s, sum, y) = (model.Value("x", [2, 3, 4]), model.Value("s", [3, 1]), model.Value("sum", [2, 3, 4]), model.Value("y", [2, 3, 8]));
        model.Operator(0, [x, s], [sum], 11, new() { [0] = (byte)3 });
        model.Operator(2, [x, sum], [y], 10, new() { [0] = -1 });
        var graph = Import(model.Build([x, s], [y, sum]));
        Assert.Equal(FusedActivation.Relu6, Assert.IsType<Add>(graph.Layers[0]).Activation);
        Assert.Equal(2, Assert.IsType<Concat>(graph.Layers[1]).Axis);
        Assert.Equal(["x", "s"], graph.Inputs.Select(i => i.Name));
        Assert.Equal(["y", "sum"], graph.Outputs);
    }

    [Fact]
    public void A_reshape_takes_its_shape_from_a_constant_from_its_options_or_from_its_output()
    {
        foreach (var kind in Enumerable.Range(0, 3))
        {
            var model = new Builder();
            var (x, y) = (model.Value("x", [2, 6]), model.Value("y", [3, 4]));
            var inputs = kind == 0 ? new[] { x, model.Numbers("shape", [2], 3, -1) } : [x];
            _ = kind == 1 ? model.Operator(22, inputs, [y], 17, new() { [0] = new[] { -1, 4 } }) : model.Operator(22, inputs, [y]);
            Assert.Equal(Shape.Of(3, 4), Assert.IsType<Reshape>(Assert.Single(Import(model, x, y).Layers)).Type.Shape);
        }
    }

    [Theory]
    [InlineData(19, null)]
    [InlineData(null, 19)]
    [InlineData(127, 19)]
    public void The_operator_code_is_the_larger_of_the_old_and_the_new_field(int? old, int? current)
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [1, 7]), model.Value("y", [1, 7]));
        model.Operator(19, [x], [y]);
        model.LastCode.Fields.Clear();
        if (old is { } first)
        {
            model.LastCode[0] = (byte)first;
        }

        if (current is { } second)
        {
            model.LastCode[3] = second;
        }

        // 127 is a placeholder of the schema: above 19, so the larger of both is no RELU.
        if (old == 127)
        {
            Assert.Contains("PLACEHOLDER_FOR_GREATER_OP_CODES", Assert.Single(TfliteReaderRefusalTests.Refuse(model.Build([x], [y]))).Message, StringComparison.Ordinal);
        }
        else
        {
            Assert.IsType<Activation>(Assert.Single(Import(model, x, y).Layers));
        }
    }

    [Fact]
    public void Buffers_may_be_shared_by_tensors_and_a_free_batch_is_what_the_shape_says()
    {
        var model = new Builder();
        var (x, m, y) = (model.Value("x", [1, 3]), model.Value("m", [1, 3]), model.Value("y", [1, 3]));
        var b = model.Numbers("bias", [3], 1, 2, 3);
        var alias = model.Numbers("alias", [3], 0, 0, 0);
        model.Tensors[alias][2] = 1;
        model.Tensors[x][7] = new[] { -1, 3 };
        model.Operator(9, [x, model.Weights([3, 3]), b], [m], 8, new());
        model.Operator(9, [m, model.Weights([3, 3]), alias], [y], 8, new());
        Assert.All(Import(model, x, y).Layers, layer => Assert.Equal(3, Assert.IsType<Dense>(layer).Bias!.GetInteger(2)));
    }

    [Fact]
    public void Constants_behind_the_FlatBuffer_are_read()
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [1, 2]), model.Value("y", [1, 2]));
        var paddings = model.Numbers("paddings", [2, 2], 0, 0, 0, 0);
        model.Operator(34, [x, paddings], [y]);
        var whole = model.Build([x], [y]);
        model.Tensors[paddings][2] = 2;
        var buffers = new FlatObject[] { new(), new(), new() { [1] = (long)whole.Length * 2, [2] = 16L } };
        model.Build([x], [y]);
        model.Model[4] = buffers;
        var file = FlatBufferWriter.Write(model.Model, "TFL3");
        Assert.InRange(file.Length, 1, whole.Length * 2);
        var longer = new byte[(whole.Length * 2) + 16];
        file.CopyTo(longer, 0);
        Assert.Equal([0, 0], Assert.IsType<Pad>(Assert.Single(Import(longer).Layers)).Before);
        var shorter = Assert.Single(TfliteReaderRefusalTests.Refuse(longer[..^1]));
        Assert.Equal("CNN0321", shorter.Code);
    }

    [Fact]
    public void Only_the_first_of_several_subgraphs_is_taken_and_that_is_said()
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [1, 7]), model.Value("y", [1, 7]));
        model.Operator(19, [x], [y]);
        model.Subgraphs.Add(new());
        var diagnostics = new DiagnosticBag();
        Assert.NotNull(TfliteReader.Read(model.Build([x], [y]), "m.tflite", diagnostics));
        var warning = Assert.Single(diagnostics.Diagnostics);
        Assert.Equal(("CNN0329", DiagnosticSeverity.Warning), (warning.Code, warning.Severity));
        Assert.Contains("2 subgraphs", warning.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dir/resnet-8 (v2).tflite", "resnet_8__v2_")]
    [InlineData("8.tflite", "network_8")]
    [InlineData("", "network")]
    public void The_network_is_named_after_the_file(string file, string name)
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [1, 7]), model.Value("the output", [1, 7]));
        model.Operator(19, [x], [y]);
        var imported = TfliteReader.ReadModel(model.Build([x], [y]), file, new DiagnosticBag())!;
        Assert.Equal(name, imported.Graph.Name);
        Assert.Equal("the output", imported.TensorNames["the_output"]);
        Assert.Equal(1, imported.TensorIndices["the_output"]);
        Assert.Equal(file, imported.Graph.Layers[0].Span.Value.File);
    }

    [Theory]
    [InlineData("model/conv2d_1/Relu;model/conv2d_1/BiasAdd", "conv2d_1")]
    [InlineData("MobilenetV1/Conv2d_0/Relu6", "Conv2d_0")]
    [InlineData("serving_default_input_5:0", "input_5")]
    [InlineData("model/add_1/add", "add_1")]
    [InlineData("image_int8", "image")]
    [InlineData("StatefulPartitionedCall:0", "activation")]
    [InlineData("scale", "v_scale")]
    [InlineData("", "activation")]
    [InlineData("x", "x_2")]
    [InlineData("a/b c-d", "b_c_d")]
    [InlineData("4d", "v_4d")]
    public void Values_are_named_after_the_layers_of_the_model(string label, string name)
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [1, 7]), model.Value(label, [1, 7]));
        model.Operator(19, [x], [y]);
        Assert.Equal(name, Import(model, x, y).Outputs[0]);
    }

    private static NetworkGraph Import(Builder model, int input, int output) => Import(model.Build([input], [output]));

    private static NetworkGraph Import(byte[] bytes)
    {
        var diagnostics = new DiagnosticBag();
        var graph = TfliteReader.Read(bytes, "m.tflite", diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        Assert.NotNull(graph);
        return graph;
    }
}
