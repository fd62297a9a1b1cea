using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;
using Builder = CnnCompiler.Frontend.Tests.Tflite.TfliteModelBuilder;

namespace CnnCompiler.Frontend.Tests.Tflite;

/// <summary>What is not imported is refused with its name, the reason and a remedy.</summary>
public sealed class TfliteReaderRefusalTests
{
    /// <summary>Changes to a model of one convolution (operator 0; input t0, weights t1, bias t2, output t3) and what must be said about them.</summary>
    private static readonly Dictionary<string, (Action<Convolution> Change, string Code, string[] Parts)> Convolutions = new()
    {
        ["weights are uint8"] = (c => c.Model.Tensors[c.W][1] = Builder.UInt8, "CNN0324", ["operator 0, CONV_2D", "t3 'y'", "t1 'weights'", "UINT8 instead of INT8"]),
        ["weights are not constant"] = (c => c.Model.Tensors[c.W][2] = 0, "CNN0328", ["CONV_2D", "reads tensor t1 'weights' before"]),
        ["weights have a zero point"] = (c => c.Model.Tensors[c.W][4] = Builder.Quantization(1, 3), "CNN0324", ["zero point other than 0"]),
        ["weights have scales of their inputs"] = (c => c.Model.Tensors[c.W][4] = Builder.PerAxis(3, 1, 2), "CNN0324", ["dimension 3 instead of 0"]),
        ["weights have no scale"] = (c => c.Model.Tensors[c.W].Fields.Remove(4), "CNN0324", ["have no scale"]),
        ["weights have three dimensions"] = (c => c.Model.Tensors[c.W][0] = new[] { 4, 9, 2 }, "CNN0327", ["4x9x2"]),
        ["weights have fewer bytes than their shape says"] = (c => c.Model.Tensors[c.W][0] = new[] { 4, 3, 3, 3 }, "CNN0321", ["needs 108 bytes", "holds 72"]),
        ["scales don't fit the channels"] = (c => c.Model.Tensors[c.W][4] = Builder.PerAxis(0, 1, 2), "CNN0321", ["2 scales along dimension 0", "4x3x3x2"]),
        ["a scale is no number"] = (c => c.Model.Tensors[c.W][4] = Builder.Quantization(float.NaN, 0), "CNN0321", ["NaN is no scale"]),
        ["a zero point needs 64 bits"] = (c => c.Model.Tensors[c.X][4] = Builder.Quantization(1, 1L << 40), "CNN0321", ["1099511627776"]),
        ["zero points don't match scales"] = (c => c.Model.Tensors[c.W][4] = new FlatObject { [2] = new[] { 1f, 1, 1, 1 }, [3] = new long[3] }, "CNN0321", ["3 zero points for 4 scales"]),
        ["the quantisation is custom"] = (c => c.Model.Tensors[c.X][4] = new FlatObject { [2] = new[] { 1f }, [4] = (byte)1, [5] = new FlatObject() }, "CNN0326", ["t0 'x'", "custom quantisation"]),
        ["the bias is float"] = (c => c.Model.Tensors[c.B][1] = Builder.Float32, "CNN0324", ["bias", "FLOAT32 instead of INT32"]),
        ["the bias is too short"] = (c => c.Model.Operators[0][1] = new[] { c.X, c.W, c.Model.Numbers("short", [2], 1, 2) }, "CNN0327", ["bias has shape 2 for 4"]),
        ["weights are sparse"] = (c => c.Model.Tensors[c.W][6] = new FlatObject(), "CNN0326", ["t1 'weights'", "sparse"]),
        ["the input is a variable"] = (c => c.Model.Tensors[c.X][5] = true, "CNN0326", ["t0 'x'", "variable"]),
        ["the image size is free"] = (c => c.Model.Tensors[c.X][7] = new[] { 1, -1, -1, 2 }, "CNN0326", ["t0 'x'", "1x-1x-1x2", "not known before run time"]),
        ["an extent is 0"] = (c => c.Model.Tensors[c.X][0] = new[] { 1, 0, 8, 2 }, "CNN0326", ["1x0x8x2"]),
        ["an extent is negative"] = (c => c.Model.Tensors[c.X][0] = new[] { -1, 8, 8, 2 }, "CNN0326", ["-1x8x8x2"]),
        ["the input is enormous"] = (c => c.Model.Tensors[c.X][0] = new[] { 16777216, 16777216, 16777216, 16777216, 16777216, 16777216 }, "CNN0326", ["too large"]),
        ["the input has seven dimensions"] = (c => c.Model.Tensors[c.X][0] = new[] { 1, 1, 1, 1, 8, 8, 2 }, "CNN0326", ["7 dimensions"]),
        ["the input has no scale"] = (c => c.Model.Tensors[c.X].Fields.Remove(4), "CNN0326", ["t0 'x'", "int8 but has no scale"]),
        ["the output has no scale"] = (c => c.Model.Tensors[c.Y].Fields.Remove(4), "CNN0326", ["t3 'y'", "has no scale"]),
        ["the output has scale 0"] = (c => c.Model.Tensors[c.Y][4] = Builder.Quantization(0, 0), "CNN0326", ["t3 'y'", "scale is 0"]),
        ["the output's zero point is no int8"] = (c => c.Model.Tensors[c.Y][4] = Builder.Quantization(1, 200), "CNN0326", ["t3 'y'", "200"]),
        ["the input has a scale for each channel"] = (c => c.Model.Tensors[c.X][4] = Builder.PerAxis(3, 1, 2), "CNN0326", ["t0 'x'", "for each channel"]),
        ["the output has the wrong shape"] = (c => c.Model.Tensors[c.Y][0] = new[] { 1, 8, 8, 5 }, "CNN0327", ["1x8x8x4", "1x8x8x5"]),
        ["the stride is 0"] = (c => c.Options[1] = 0, "CNN0327", ["stride is 1x0"]),
        ["the dilation is enormous"] = (c => c.Options[5] = int.MaxValue, "CNN0327", ["dilation is 2147483647x1"]),
        ["the window is larger than the image"] = (c => (c.Options[0], c.Options[5]) = ((byte)1, 4), "CNN0327", ["window of 3 (dilation 4)", "8 elements"]),
        ["the padding is unknown"] = (c => c.Options[0] = (byte)7, "CNN0327", ["unknown padding, 7"]),
        ["TANH is fused"] = (c => c.Options[3] = (byte)4, "CNN0324", ["TANH"]),
        ["the accumulator is 64 bits wide"] = (c => c.Options[6] = Builder.Int64, "CNN0324", ["INT64 instead of INT32"]),
        ["the options are those of a pool"] = (c => c.Model.Operators[0][3] = (byte)5, "CNN0327", ["union member 5 instead of 1"]),
        ["there are no options"] = (c => c.Model.Operators[0].Fields.Remove(4), "CNN0327", ["options"]),
        ["the depths don't divide"] = (c => c.Model.Operators[0][1] = new[] { c.X, c.Model.Weights([4, 3, 3, 5]), c.B }, "CNN0327", ["filter depth 5"]),
        ["there are two outputs"] = (c => c.Model.Operators[0][2] = new[] { c.Y, c.Model.Value("z", [1]) }, "CNN0327", ["2 outputs"]),
        ["the weights are missing"] = (c => c.Model.Operators[0][1] = new[] { c.X }, "CNN0327", ["input 1 is missing"]),
        ["a tensor is out of range"] = (c => c.Model.Operators[0][1] = new[] { c.X, 77, c.B }, "CNN0328", ["tensor 77 of 4"]),
        ["a buffer is out of range"] = (c => c.Model.Tensors[c.W][2] = 55, "CNN0321", ["model.subgraphs[0].tensors[1].buffer", "buffer 55 of 3"]),
        ["a code is out of range"] = (c => c.Model.Operators[0][0] = 5, "CNN0321", ["operators[0].opcode_index", "code 5 of 1"]),
        ["the output is a constant"] = (c => (c.Model.Tensors[c.Y][2], c.Model.Tensors[c.Y][0]) = (1, new[] { 72 }), "CNN0328", ["t3 'y'", "there before"]),
        ["the schema is older"] = (c => c.Model.Model[0] = 2, "CNN0330", ["version 2"]),
        ["there is no subgraph"] = (c => c.Model.Subgraphs.Clear(), "CNN0321", ["model.subgraphs"]),
        ["the factor is out of range"] = (c => c.Model.Tensors[c.Y][4] = Builder.Quantization(1e-38f, 0), "CNN01", ["conv2d 'y'"]),
    };

    public static TheoryData<string> ConvolutionCases => [.. Convolutions.Keys];

    public static TheoryData<byte, string, string> Types => new()
    {
        { 1, "FLOAT16", "TFLITE_BUILTINS_INT8" },
        { Builder.UInt8, "UINT8", "signed" },
        { Builder.Int16, "INT16", "16x8" },
        { Builder.Int32, "INT32", "fixed input shapes" },
        { 17, "INT4", "int8" },
        { 99, "element type 99", "int8" },
    };

    [Theory]
    [MemberData(nameof(ConvolutionCases))]
    public void A_convolution_that_can_not_be_imported_is_refused_with_the_reason(string name)
    {
        var (change, code, parts) = Convolutions[name];
        var convolution = new Convolution();
        Assert.Empty(TryImport(convolution.Model.Build([convolution.X], [convolution.Y])));
        change(convolution);
        var diagnostic = Assert.Single(Refuse(convolution.Model.Build([convolution.X], [convolution.Y])));
        Assert.StartsWith(code, diagnostic.Code, StringComparison.Ordinal);
        Assert.All(parts, part => Assert.Contains(part, diagnostic.Message, StringComparison.Ordinal));
        Assert.NotEmpty(diagnostic.Remedy);
        Assert.Equal("m.tflite", diagnostic.Span.File);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Values_that_are_not_int8_are_refused_once_for_each_type(byte type, string name, string remedy)
    {
        var model = new Builder();
        var values = Enumerable.Range(0, 4).Select(i => model.Value($"v{i}", [1, 7], type)).ToArray();
        for (var i = 0; i < 3; i++)
        {
            model.Operator(19, [values[i]], [values[i + 1]]);
        }

        var diagnostic = Assert.Single(Refuse(model.Build([values[0]], [values[3]])));
        Assert.Equal("CNN0325", diagnostic.Code);
        Assert.Contains($"tensor t0 'v0' is {name}, and so are 3 more", diagnostic.Message, StringComparison.Ordinal);
        Assert.Contains(remedy, diagnostic.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void The_float_models_become_networks_of_f32()
    {
        Assert.SkipUnless(SharedMaterial.Exists, SharedMaterial.Reason);
        var files = Directory.GetFiles(SharedMaterial.Find("models", "float")!, "*.tflite");
        Assert.NotEmpty(files);
        foreach (var file in files)
        {
            var diagnostics = new DiagnosticBag();
            var graph = TfliteReader.Read(File.ReadAllBytes(file), "m.tflite", diagnostics);
            Assert.Empty(diagnostics.Diagnostics);
            Assert.All(graph!.Layers, layer => Assert.Equal(new(ElementType.Float32, layer.Type.Shape), layer.Type));
        }
    }

    [Fact]
    public void An_operator_with_float_and_int8_values_is_refused()
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [1, 7], Builder.Float32), model.Value("y", [1, 7]));
        model.Operator(19, [x], [y]);
        var diagnostic = Assert.Single(Refuse(model.Build([x], [y])));
        Assert.Equal("CNN0324", diagnostic.Code);
        Assert.Contains("t0 'x' is FLOAT32 and its output is INT8", diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_unsupported_operator_is_named_with_its_number_its_tensor_and_a_remedy()
    {
        var model = new Builder();
        var codes = new (int Code, string Name)[] { (57, "MINIMUM"), (101, "ABS"), (19, ""), (42, "DIV"), (32, "custom operator 'MyOp'"), (205, "REDUCE_WINDOW"), (5000, "builtin operator number 5000") };
        var values = Enumerable.Range(0, codes.Length + 1).Select(i => model.Value($"v{i}", [1, 7])).ToArray();
        for (var i = 0; i < codes.Length; i++)
        {
            model.Operator(codes[i].Code, [values[i]], [values[i + 1]]);
            model.LastCode[1] = "MyOp";
        }

        var expected = codes.Select((c, i) => (c.Name, Text: $"operator {i}, {c.Name}, which makes tensor t{i + 1} 'v{i + 1}', is not supported")).Where(e => e.Name.Length > 0).ToArray();
        var diagnostics = Refuse(model.Build([values[0]], [values[^1]]));
        Assert.Equal(expected.Length, diagnostics.Count);
        Assert.All(diagnostics.Zip(expected), d => Assert.True(d.First is { Code: "CNN0323", Remedy.Length: > 10 } && d.First.Message.StartsWith(d.Second.Text, StringComparison.Ordinal), d.First.Message));
    }

    [Theory]
    [InlineData(39, new[] { 0, 0 })]
    [InlineData(39, new[] { 0, 2 })]
    [InlineData(39, new[] { 0 })]
    [InlineData(40, new[] { 2 })]
    [InlineData(40, new[] { -3 })]
    [InlineData(40, new[] { 0, 1 })]
    public void Axes_that_are_no_order_or_outside_or_give_another_shape_contradict_the_operator(int code, int[] numbers)
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [2, 7]), model.Value("y", [7, 2]));
        model.Operator(code, [x, model.Numbers("axes", [numbers.Length], numbers)], [y], (byte)(code == 40 ? 27 : 26), new());
        Assert.Equal("CNN0327", Assert.Single(Refuse(model.Build([x], [y]))).Code);
    }

    [Fact]
    public void Hybrid_models_and_constants_in_16_bits_are_refused_by_name()
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [1, 3], Builder.Float32), model.Value("y", [1, 4], Builder.Float32));
        model.Operator(9, [x, model.Weights([4, 3])], [y], 8, new());
        var diagnostic = Assert.Single(Refuse(model.Build([x], [y])));
        Assert.Equal("CNN0324", diagnostic.Code);
        Assert.Contains("hybrid", diagnostic.Message, StringComparison.Ordinal);
        Assert.Contains("representative dataset", diagnostic.Remedy, StringComparison.Ordinal);

        model = new Builder();
        var (a, b) = (model.Value("a", [1, 2], Builder.Float32), model.Value("b", [1, 2], Builder.Float32));
        model.Operator(6, [model.Constant("half", [1, 2], 1, new byte[4])], [b]);
        diagnostic = Assert.Single(Refuse(model.Build([a], [b])));
        Assert.Equal("CNN0324", diagnostic.Code);
        Assert.Contains("FLOAT16", diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_of_uint8_is_refused_by_what_is_no_conversion()
    {
        var model = new Builder();
        var (x, y) = (model.Value("x", [1, 7], Builder.UInt8), model.Value("y", [1, 7]));
        model.Operator(19, [x], [y]);
        Assert.Equal("CNN0325", Assert.Single(Refuse(model.Build([x], [y]))).Code);
    }

    /// <summary>One operator from x to y with one thing wrong: code, inputs' and output's shapes, options and what must be said.</summary>
    public static TheoryData<string> SmallCases => [.. Smalls.Keys];

    private static readonly Dictionary<string, (Func<Builder, int[], FlatObject> Add, int[] Shape, string Code, string Part)> Smalls = new()
    {
        ["a constant of int32 is added"] = ((m, o) => m.Operator(0, [0, m.Numbers("c", [1], 3)], o, 11, new()), [1, 8], "CNN0324", "INT32 instead of INT8"),
        ["a constant without a scale is added"] = ((m, o) => m.Operator(0, [0, m.Constant("c", [1], Builder.Int8, [1])], o, 11, new()), [1, 8], "CNN0324", "no quantisation"),
        ["a slice takes nothing"] = ((m, o) => m.Operator(45, [0, m.Numbers("b", [2], 0, 3), m.Numbers("e", [2], 1, 3), m.Numbers("s", [2], 1, 1)], o, 32, new()), [1, 8], "CNN0327", "dimension 1"),
        ["a slice has an ellipsis"] = ((m, o) => m.Operator(45, [0, m.Numbers("b", [2], 0, 0), m.Numbers("e", [2], 1, 3), m.Numbers("s", [2], 1, 1)], o, 32, new() { [2] = 1 }), [1, 8], "CNN0324", "ellipsis"),
        ["a slice has no step"] = ((m, o) => m.Operator(45, [0, m.Numbers("b", [2], 0, 0), m.Numbers("e", [2], 1, 3), m.Numbers("s", [2], 1, 0)], o, 32, new()), [1, 3], "CNN0327", "steps of [1, 0]"),
        ["a split is uneven"] = ((m, o) => m.Operator(49, [m.Numbers("a", [1], 1), 0], o, 35, new() { [0] = 3 }), [1, 8], "CNN0327", "3 parts for 1 outputs"),
        ["values are packed along no axis"] = ((m, o) => m.Operator(83, [0], o, 59, new() { [0] = 1, [1] = 5 }), [1, 1, 8], "CNN0327", "axis 5"),
        ["a resize gets no image"] = ((m, o) => m.Operator(23, [0, m.Numbers("s", [2], 2, 4)], o, 15, new()), [1, 8], "CNN0327", "1x8 can't be resized"),
        ["a resize aligns corners and pixels"] = ((m, o) => m.Operator(97, [0, m.Numbers("s", [2], 2, 4)], o, 74, new() { [0] = true, [1] = true }), [1, 8], "CNN0327", "at once"),
        ["a transposed convolution asks for another shape"] = ((m, o) => m.Operator(67, [m.Numbers("s", [4], 1, 4, 4, 4), m.Weights([4, 2, 2, 8]), 0], o, 49, new() { [1] = 2, [2] = 2 }), [1, 8], "CNN0327", "[1, 4, 4, 4]"),
        ["matrices don't fit"] = ((m, o) => m.Operator(126, [0, m.Value("z", [7, 3])], o, 101, new()), [1, 3], "CNN0327", "8"),
        ["a quantisation makes floats"] = ((m, o) => { m.Tensors[o[0]][1] = Builder.Float32; return m.Operator(114, [0], o); }, [1, 8], "CNN0324", "FLOAT32"),
        ["a value is dequantised to codes"] = ((m, o) => m.Operator(6, [0], o), [1, 8], "CNN0324", "INT8 of INT8"),
        ["shapes don't broadcast"] = ((m, o) => m.Operator(0, [0, 0], o, 11, new()), [8, 8], "CNN0327", "1x8"),
        ["an activation is fused into a concatenation"] = ((m, o) => m.Operator(2, [0, 0], o, 10, new() { [0] = 1, [1] = (byte)1 }), [1, 16], "CNN0324", "activation"),
        ["the axis is out of range"] = ((m, o) => m.Operator(2, [0, 0], o, 10, new() { [0] = -3 }), [1, 16], "CNN0327", "axis -3 of 2"),
        ["joined shapes don't fit"] = ((m, o) => m.Operator(2, [0, 0], o, 10, new() { [0] = 1 }), [2, 16], "CNN0327", "1x8"),
        ["joined extents don't add up"] = ((m, o) => m.Operator(2, [0, 0], o, 10, new() { [0] = 1 }), [1, 17], "CNN0327", "16 elements along axis 1, its output 17"),
        ["nothing is joined"] = ((m, o) => m.Operator(2, [], o, 10, new() { [0] = 1 }), [1, 16], "CNN0327", "0 values"),
        ["elements are lost by a reshape"] = ((m, o) => m.Operator(22, [0], o), [2, 5], "CNN0327", "1x8 can't be reshaped to 2x5"),
        ["a reshape asks for another shape"] = ((m, o) => m.Operator(22, [0, m.Numbers("s", [2], 4, -1)], o), [2, 4], "CNN0327", "[4, -1]"),
        ["a reshape is computed at run time"] = ((m, o) => m.Operator(22, [0, 0], o), [2, 4], "CNN0324", "computed at run time"),
        ["a softmax has another scale"] = ((m, o) => m.Operator(25, [0], o, 9, new() { [0] = 1f }), [1, 8], "CNN0324", "1/256"),
        ["a softmax has no beta"] = ((m, o) => m.Operator(25, [0], o, 9, new()), [1, 8], "CNN0327", "beta is 0"),
        ["paddings are negative"] = ((m, o) => m.Operator(34, [0, m.Numbers("p", [2, 2], 0, 0, -1, 1)], o), [1, 8], "CNN0327", "[0, 0, -1, 1]"),
        ["paddings are for fewer dimensions"] = ((m, o) => m.Operator(34, [0, m.Numbers("p", [1, 2], 0, 0)], o), [1, 8], "CNN0327", "1 dimensions"),
        ["paddings are float"] = ((m, o) => m.Operator(34, [0, m.Constant("p", [2, 2], Builder.Float32, new byte[16])], o), [1, 8], "CNN0324", "FLOAT32 instead of INT32 or INT64"),
        ["there are very many paddings"] = ((m, o) => m.Operator(34, [0, m.Numbers("p", [50, 2], new int[100])], o), [1, 8], "CNN0327", "50x2"),
        ["a pool gets no image"] = ((m, o) => m.Operator(17, [0], o, 5, new() { [1] = 1, [2] = 1, [3] = 1, [4] = 1 }), [1, 8], "CNN0327", "not [N, H, W, C]"),
        ["a pool has no window"] = ((m, o) => m.Operator(1, [0], o, 5, new() { [1] = 1, [2] = 1 }), [1, 8], "CNN0327", "window is 0x0"),
        ["dense weights don't fit"] = ((m, o) => m.Operator(9, [0, m.Weights([4, 3])], o, 8, new()), [1, 4], "CNN0327", "1x8"),
        ["dense weights are shuffled"] = ((m, o) => m.Operator(9, [0, m.Weights([4, 8])], o, 8, new() { [1] = (byte)1 }), [1, 4], "CNN0324", "shuffled"),
        ["depthwise weights don't fit"] = ((m, o) => m.Operator(4, [0, m.Weights([2, 1, 1, 8])], o, 2, new() { [1] = 1, [2] = 1 }), [1, 1, 1, 8], "CNN0327", "[N, H, W, C]"),
        ["a reshape changes the scale"] = ((m, o) => m.Operator(22, [m.Value("z", [1, 8], scale: 2)], o), [1, 8], "CNN0324", "scale 2"),
    };

    [Theory]
    [MemberData(nameof(SmallCases))]
    public void Other_operators_that_can_not_be_imported_are_refused_with_the_reason(string name)
    {
        var (add, shape, code, part) = Smalls[name];
        var model = new Builder();
        var (x, y) = (model.Value("x", [1, 8]), model.Value("y", shape));
        add(model, [y]);
        int[] inputs = [x, .. Enumerable.Range(2, model.Tensors.Count - 2).Where(t => model.Tensors[t].Fields[2] is 0)];
        var diagnostic = Assert.Single(Refuse(model.Build(inputs, [y])));
        Assert.Equal(code, diagnostic.Code);
        Assert.Contains(part, diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Graphs_that_can_not_run_are_refused()
    {
        foreach (var (inputs, outputs, operators, part) in new (int[], int[], int[][], string)[]
        {
            ([0], [2], [[0, 1]], "nothing produces its output tensor t2"),
            ([0], [1], [[2, 1], [0, 2]], "reads tensor t2 'v2' before"),
            ([0], [1], [[0, 1], [0, 1]], "operator 1, RELU, makes tensor t1 'v1', which was there before"),
            ([0], [0], [[0, 0]], "which was there before"),
            ([0, 0], [1], [[0, 1]], "listed twice"),
            ([9], [1], [[0, 1]], "tensor 9 of 3"),
        })
        {
            var model = new Builder();
            _ = Enumerable.Range(0, 3).Select(i => model.Value($"v{i}", [1, 7])).ToArray();
            foreach (var operation in operators)
            {
                model.Operator(19, [operation[0]], [operation[1]]);
            }

            var diagnostic = Assert.Single(Refuse(model.Build(inputs, outputs)));
            Assert.Equal("CNN0328", diagnostic.Code);
            Assert.Contains(part, diagnostic.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Names_in_the_file_can_not_put_control_characters_into_messages()
    {
        var model = new Builder();
        var (x, y) = (model.Value("x\u001b[31m", [1, 7]), model.Value("y\n\u0007" + new string('z', 500), [1, 7]));
        model.Operator(18, [x], [y]);
        var diagnostic = Assert.Single(Refuse(model.Build([x], [y])));
        Assert.DoesNotContain(diagnostic.ToString(), char.IsControl);
        Assert.InRange(diagnostic.Message.Length, 1, 300);
    }

    internal static IReadOnlyList<Diagnostic> Refuse(byte[] bytes)
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(TfliteReader.Read(bytes, "m.tflite", diagnostics));
        Assert.True(diagnostics.HasErrors);
        return diagnostics.Diagnostics;
    }

    private static IReadOnlyList<Diagnostic> TryImport(byte[] bytes)
    {
        var diagnostics = new DiagnosticBag();
        _ = TfliteReader.Read(bytes, "m.tflite", diagnostics);
        return diagnostics.Diagnostics;
    }

    /// <summary>A model of one 3x3 convolution that is right.</summary>
    private sealed class Convolution
    {
        public Convolution()
        {
            X = Model.Value("x", [1, 8, 8, 2]);
            W = Model.Weights([4, 3, 3, 2]);
            B = Model.Numbers("bias", [4], 1, 2, 3, 4);
            Y = Model.Value("y", [1, 8, 8, 4]);
            Model.Operator(3, [X, W, B], [Y], 1, Options);
        }

        public Builder Model { get; } = new();

        public FlatObject Options { get; } = new() { [0] = (byte)0, [1] = 1, [2] = 1 };

        public int X { get; }

        public int W { get; }

        public int B { get; }

        public int Y { get; }
    }
}
