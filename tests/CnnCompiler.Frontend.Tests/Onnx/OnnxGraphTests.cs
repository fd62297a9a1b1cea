using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Onnx;
using CnnCompiler.Frontend.Onnx.Wire;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;
using Google.Protobuf;
using Xunit;

namespace CnnCompiler.Frontend.Tests.Onnx;

/// <summary>Graphs of several nodes: layouts, and patterns of DequantizeLinear and QuantizeLinear, against plain loops over the file's order of dimensions.</summary>
public sealed class OnnxGraphTests
{
    private const float InputScale = 0.05f;
    private const float WeightScale = 0.02f;
    private const float ResultScale = 0.1f;

    [Fact]
    public void A_chain_of_images_is_transposed_at_its_edges_only()
    {
        var model = new Builder([1, 3, 6, 5]);
        model.Add("w", [4, 3, 3, 3]);
        model.Add("v", [2, 4, 1, 1]);
        model.Node("Conv", "a", "x", "w");
        model.Node("Relu", "b", "a");
        model.Node("Conv", "y", "b", "v");
        Assert.Equal(["transpose", "conv2d", "activation", "conv2d", "transpose"], model.Read().Layers.Select(layer => layer.Keyword));
    }

    [Fact]
    public void A_flattened_image_is_not_transposed_before_a_dense_layer_and_gives_the_same_numbers()
    {
        var model = new Builder([1, 2, 3, 4]);
        model.Add("k", [2, 2, 1, 1]);
        model.Add("m", [5, 2 * 3 * 4]);
        model.Node("Conv", "a", "x", "k");
        model.Node("Flatten", "f", "a");
        model.Node("Gemm", "y", "f", "m").Attribute.Add(new AttributeProto { Name = "transB", I = 1 });
        var graph = model.Read();
        Assert.Equal(["transpose", "conv2d", "reshape", "dense"], graph.Layers.Select(layer => layer.Keyword));

        var x = model.Reals(2 * 3 * 4);
        var actual = Evaluate(graph, Tensor.From<float>(ElementType.Float32, Shape.Of(1, 2, 3, 4), x));
        var (k, m) = (model.Values["k"], model.Values["m"]);
        for (var o = 0; o < 5; o++)
        {
            var sum = 0.0;
            for (var c = 0; c < 2; c++)
            {
                for (var p = 0; p < 12; p++)
                {
                    sum += ((k[c * 2] * (double)x[p]) + (k[(c * 2) + 1] * (double)x[12 + p])) * m[(o * 24) + (c * 12) + p];
                }
            }

            Assert.Equal(sum, actual.GetReal(o), 1e-5 * Math.Max(1, Math.Abs(sum)));
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void A_quantised_convolution_is_one_integer_layer_that_rounds_half_to_even(bool unsigned, bool relu)
    {
        var model = new Builder([1, 2, 4, 4], unsigned ? 2 : 3);
        var zero = unsigned ? 131 : 3;
        var weights = model.Codes("w", [3, 2, 2, 2]);
        var bias = model.Integers("b", [3], [40, -70, 5]);
        model.Scale("xs", InputScale);
        model.Zero("xz", zero, unsigned);
        model.Scale("ws", WeightScale);
        model.Zero("wz", 0, false);
        model.Scale("bs", InputScale * WeightScale);
        model.Scale("ys", ResultScale);
        model.Zero("yz", unsigned ? 120 : -8, unsigned);
        model.Node("DequantizeLinear", "xd", "x", "xs", "xz");
        model.Node("DequantizeLinear", "wd", "w", "ws", "wz");
        model.Node("DequantizeLinear", "bd", "b", "bs");
        model.Node("Conv", "c", "xd", "wd", "bd");
        if (relu)
        {
            model.Node("Relu", "r", "c");
        }

        model.Node("QuantizeLinear", "y", relu ? "r" : "c", "ys", "yz");
        var graph = model.Read();
        Assert.DoesNotContain(graph.Layers, layer => layer is Dequantize || layer.Type.Element == ElementType.Float32);
        Assert.Equal(RoundingScheme.OnnxHalfEven, Assert.Single(graph.Layers.OfType<Conv2D>()).Rounding);

        var codes = Enumerable.Range(0, 32).Select(i => (i * 37 % 251) - (unsigned ? 0 : 125)).ToArray();
        var element = unsigned ? ElementType.UInt8 : ElementType.Int8;
        var actual = Evaluate(graph, new(element, Shape.Of(1, 2, 4, 4), codes.Select(code => unchecked((byte)code)).ToArray()));
        Assert.Equal(element, actual.Element);
        Assert.Equal(Shape.Of(1, 3, 3, 3), actual.Shape);
        var (low, high) = element.Range();
        var factor = (double)((float)((double)InputScale * WeightScale) / ResultScale);
        for (var i = 0; i < 27; i++)
        {
            var (k, row, column) = (i / 9, i / 3 % 3, i % 3);
            var sum = bias[k];
            for (var tap = 0; tap < 8; tap++)
            {
                var (c, dy, dx) = (tap / 4, tap / 2 % 2, tap % 2);
                sum += (codes[(c * 16) + ((row + dy) * 4) + column + dx] - zero) * weights[(k * 8) + tap];
            }

            var real = relu ? Math.Max(0, sum * factor) : sum * factor;
            var expected = Math.Clamp((long)Math.Round(real, MidpointRounding.ToEven) + (unsigned ? 120 : -8), low, high);
            Assert.Equal(expected, actual.GetInteger(i));
        }
    }

    [Fact]
    public void A_quantised_sum_is_one_integer_layer()
    {
        var model = new Builder([2, 8], 3);
        model.Scale("xs", InputScale);
        model.Zero("xz", -5, false);
        model.Scale("ys", ResultScale);
        model.Zero("yz", 7, false);
        model.Node("DequantizeLinear", "a", "x", "xs", "xz");
        model.Node("Add", "c", "a", "a2");
        model.Node("QuantizeLinear", "y", "c", "ys", "yz");
        model.Node("DequantizeLinear", "a2", "x", "xs", "xz");
        var graph = model.Read();
        Assert.Equal(["add"], graph.Layers.Select(layer => layer.Keyword));
        var codes = Enumerable.Range(0, 16).Select(i => (sbyte)((i * 16) - 128)).ToArray();
        var actual = Evaluate(graph, Tensor.From<sbyte>(ElementType.Int8, Shape.Of(2, 8), codes));
        for (var i = 0; i < codes.Length; i++)
        {
            Assert.Equal(Math.Clamp((long)Math.Round((codes[i] + 5) * (2.0 * InputScale / ResultScale), MidpointRounding.ToEven) + 7, -128, 127), actual.GetInteger(i));
        }
    }

    [Fact]
    public void A_value_that_is_read_with_two_scales_is_refused()
    {
        var model = new Builder([4], 3);
        model.Scale("s", InputScale);
        model.Scale("t", ResultScale);
        model.Zero("z", 0, false);
        model.Node("DequantizeLinear", "a", "x", "s", "z");
        model.Node("DequantizeLinear", "b", "x", "t", "z");
        model.Node("Add", "y", "a", "b");
        Assert.Contains("another scale", model.Refusal(), StringComparison.Ordinal);
    }

    private static Tensor Evaluate(NetworkGraph graph, Tensor input)
    {
        var diagnostics = new DiagnosticBag();
        var result = NetworkEvaluator.Evaluate(graph, [input], diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return Assert.Single(result!.Outputs);
    }

    /// <summary>A model of input x and output y.</summary>
    private sealed class Builder
    {
        private readonly SeededRandom _random = new(7);
        private readonly GraphProto _graph = new() { Output = { new ValueInfoProto { Name = "y" } } };

        public Builder(int[] shape, int type = 1)
        {
            var dims = new TensorShapeProto();
            dims.Dim.AddRange(shape.Select(extent => new TensorShapeProto.Types.Dimension { DimValue = extent }));
            _graph.Input.Add(new ValueInfoProto { Name = "x", Type = new() { TensorType = new() { ElemType = type, Shape = dims } } });
        }

        public Dictionary<string, float[]> Values { get; } = new(StringComparer.Ordinal);

        public float[] Reals(int count) => Enumerable.Range(0, count).Select(_ => (_random.Below(2001) - 1000) / 500f).ToArray();

        public void Add(string name, int[] shape)
        {
            Values[name] = Reals(shape.Aggregate(1, (a, b) => a * b));
            var tensor = Tensor(name, 1, shape);
            tensor.FloatData.AddRange(Values[name]);
        }

        public int[] Codes(string name, int[] shape)
        {
            var codes = Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).Select(_ => _random.Below(255) - 127).ToArray();
            Tensor(name, 3, shape).Int32Data.AddRange(codes);
            return codes;
        }

        public int[] Integers(string name, int[] shape, int[] values)
        {
            Tensor(name, 6, shape).Int32Data.AddRange(values);
            return values;
        }

        public void Scale(string name, float scale) => Tensor(name, 1, []).FloatData.Add(scale);

        public void Zero(string name, int zero, bool unsigned) => Tensor(name, unsigned ? 2 : 3, []).Int32Data.Add(zero);

        public NodeProto Node(string operation, string output, params string[] inputs)
        {
            var node = new NodeProto { OpType = operation, Output = { output } };
            node.Input.AddRange(inputs);
            _graph.Node.Add(node);
            return node;
        }

        public NetworkGraph Read()
        {
            var diagnostics = new DiagnosticBag();
            var model = OnnxReader.Read(Bytes(), "m.onnx", diagnostics);
            Assert.Empty(diagnostics.Diagnostics);
            Assert.Equal(["x"], model!.Graph.Inputs.Select(input => input.Name));
            Assert.Equal(["y"], model.Graph.Outputs);
            return model.Graph;
        }

        public string Refusal()
        {
            var diagnostics = new DiagnosticBag();
            Assert.Null(OnnxReader.Read(Bytes(), "m.onnx", diagnostics));
            return diagnostics.Diagnostics[0].Message;
        }

        private byte[] Bytes() => new ModelProto { Graph = _graph, OpsetImport = { new OperatorSetIdProto { Version = 17 } } }.ToByteArray();

        private TensorProto Tensor(string name, int type, int[] shape)
        {
            var tensor = new TensorProto { Name = name, DataType = type };
            tensor.Dims.AddRange(shape.Select(extent => (long)extent));
            _graph.Initializer.Add(tensor);
            return tensor;
        }
    }
}
