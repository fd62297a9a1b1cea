using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Ir.Tests;

public sealed class NetworkTextTests
{
    private static readonly TensorType Small = new(ElementType.Int8, Shape.Of(1, 2), Quantization.PerTensor(0.5f, -3));

    public static TheoryData<LayerKind> Kinds() => new(RandomNetworks.Kinds);

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Layers_of_every_kind_round_trip(LayerKind kind)
    {
        foreach (var rounding in Enum.GetValues<RoundingScheme>())
        {
            for (var seed = 0; seed < 60; seed++)
            {
                AssertRoundTrips(RandomNetworks.Layer(kind, seed, RandomNetworkOptions.Default with { Rounding = rounding }));
            }
        }
    }

    [Fact]
    public void Networks_round_trip()
    {
        for (var seed = 0; seed < 100; seed++)
        {
            AssertRoundTrips(RandomNetworks.Network(seed));
        }
    }

    [Theory]
    [InlineData("t0")]
    [InlineData("0")]
    [InlineData("model/conv2d/Relu;StatefulPartitionedCall:0")]
    [InlineData("with space")]
    [InlineData("\"quoted\\\"")]
    [InlineData("größe\u2028\n\t\0\ud800")]
    [InlineData("//")]
    [InlineData("-")]
    [InlineData(" : i8[1x2] }")]
    public void Any_name_round_trips(string name)
    {
        var graph = new NetworkGraph(name, [new(name, Small)], [new Reshape(name + "'", [name], Small), new Reshape("b", [name + "'"], Small)], [name + "'", "b"]);
        AssertRoundTrips(graph);
    }

    [Theory]
    [InlineData(1.17549435E-38f)]
    [InlineData(1E-45f)]
    [InlineData(3.40282347E+38f)]
    [InlineData(0.1f)]
    [InlineData(16777216f)]
    [InlineData(-0f)]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void Any_scale_round_trips(float scale) =>
        AssertRoundTrips(new("n", [new("x", Small with { Quantization = Quantization.PerTensor(scale, 0) })], [], ["x"]));

    [Fact]
    public void Types_of_all_kinds_round_trip()
    {
        foreach (var element in Enum.GetValues<ElementType>())
        {
            foreach (var shape in (Shape[])[default, Shape.Of(0), Shape.Of(7), Shape.Of(1, 2, 3, 4, 5)])
            {
                foreach (var quantization in (Quantization?[])[null, Quantization.PerTensor(2, 1), new([1f, 2f], [3, -4], 0), new([1f], [0], 2), new([], [], -1)])
                {
                    AssertRoundTrips(new("n", [new("x", new(element, shape, quantization))], [], []));
                }
            }
        }
    }

    [Fact]
    public void Weights_round_trip_without_and_with_every_quantisation_and_constants_in_every_element_type()
    {
        foreach (var quantization in (Quantization?[])[null, Quantization.PerTensor(2, 0), Quantization.PerTensor(2, 1), new([1f, 2f], [0, 0], 0), new([1f, 2f], [0, 5], 3), new([1f], [0], 0)])
        {
            foreach (var element in Enum.GetValues<ElementType>())
            {
                foreach (var length in (int[])[3, 16, 17, 100])
                {
                    var bytes = new byte[length * element.Size()];
                    for (var i = 0; i < bytes.Length; i++)
                    {
                        bytes[i] = (byte)(i * 37);
                    }

                    var weights = new Tensor(element, Shape.Of(1, length), bytes);
                    var layer = new Dense("y", ["x"], Small, weights, quantization, null, FusedActivation.Relu6, RoundingScheme.OnnxHalfEven);
                    AssertRoundTrips(new("n", [new("x", Small)], [layer], ["y"]));
                }
            }
        }
    }

    [Fact]
    public void A_network_reads_as_expected()
    {
        var weights = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(2, 3, 1, 1), [1, -2, 3, -4, 5, -128]);
        var large = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, 20), [.. Enumerable.Range(0, 20).Select(i => (sbyte)i)]);
        var input = new TensorType(ElementType.Int8, Shape.Of(1, 5, 2, 1), Quantization.PerTensor(0.03939355f, -128));
        var mid = new TensorType(ElementType.Int8, Shape.Of(1, 5, 2, 2), Quantization.PerTensor(1f, 4));
        var graph = new NetworkGraph(
            "tiny",
            [new("image", input)],
            [
                new Conv2D(
                    "t1", ["image"], mid, weights, new([0.5f, 0.25f], [0, 0], 0), Tensor.From<int>(ElementType.Int32, Shape.Of(2), [7, -1 << 30]), new(1, 1), new(1, 1), new(1, 1, 0, 0), 1, FusedActivation.Relu, RoundingScheme.TfliteDouble),
                new Dense("t2", ["t1"], Small, large, Quantization.PerTensor(0.1f, 0), null, FusedActivation.None, RoundingScheme.TfliteSingle),
            ],
            ["t2"]);
        var (text, constants) = NetworkPrinter.Print(graph);
        Assert.Equal(
            """
            network "tiny" {
              input %image : i8[1x5x2x1] scale 0.03939355 zero -128
              %t1 = conv2d %image weights=i8[2x3x1x1]{1, -2, 3, -4, 5, -128} scales=f32[2]{0.5, 0.25} axis=0 bias=i32[2]{7, -1073741824} stride=1x1 pad=1,1,0,0 act=relu round=tflite-double : i8[1x5x2x2] scale 1 zero 4
              %t2 = dense %t1 weights=@t2.weights#HASH:i8[1x20] scale=0.1 round=tflite-single : i8[1x2] scale 0.5 zero -3
              output %t2
            }

            """.ReplaceLineEndings("\n").Replace("HASH", large.Hash()[..16], StringComparison.Ordinal),
            text);
        Assert.Equal([new("t2.weights", large)], constants.Constants);
        AssertRoundTrips(graph);
    }

    [Fact]
    public void Spans_are_those_of_the_text()
    {
        const string text = "network \"n\" {\n  input %x : i8[1x2] scale 0.5 zero -3\n  %y = reshape %x : i8[1x2] scale 0.5 zero -3\n  output %y\n}\n";
        var graph = NetworkParser.Parse(text, "a.txt", ConstantStore.Empty, new DiagnosticBag())!;
        Assert.Equal(new SourceSpan("a.txt", 2, 3, 2, 39), graph.Inputs[0].Span.Value);
        Assert.Equal("a.txt(3,3)", graph.Layers[0].Span.Value.ToString());
        Assert.Equal(3, graph.Layers[0].Span.Value.EndLine);
    }

    [Theory]
    [InlineData("", 1, 1, "CNN0903")]
    [InlineData("network x {\n}", 1, 9, "CNN0903")]
    [InlineData("network \"n\" {\n", 2, 1, "CNN0903")]
    [InlineData("network \"n\" {\n}\n}", 3, 1, "CNN0903")]
    [InlineData("network \"n {\n}", 1, 9, "CNN0902")]
    [InlineData("network \"n\" {\n  $\n}", 2, 3, "CNN0901")]
    [InlineData("network \"n\" {\n  % x\n}", 2, 3, "CNN0901")]
    [InlineData("network \"n\" {\n  input x\n}", 2, 9, "CNN0903")]
    [InlineData("network \"n\" {\n  input %x : i9[1]\n}", 2, 14, "CNN0903")]
    [InlineData("network \"n\" {\n  input %x : i8[1x]\n}", 2, 18, "CNN0903")]
    [InlineData("network \"n\" {\n  input %x : i8[1x99999999999]\n}", 2, 17, "CNN0904")]
    [InlineData("network \"n\" {\n  input %x : i8[1] scale 1E99 zero 0\n}", 2, 26, "CNN0904")]
    [InlineData("network \"n\" {\n  input %x : i8[1] scale 1 zero 3000000000\n}", 2, 33, "CNN0904")]
    [InlineData("network \"n\" {\n  %y = conv9d %x : i8[1]\n}", 2, 8, "CNN0903")]
    [InlineData("network \"n\" {\n  %y = softmax %x : i8[1]\n}", 2, 8, "CNN0909")]
    [InlineData("network \"n\" {\n  %y = softmax %x beta=1 beta=2 : i8[1]\n}", 2, 26, "CNN0909")]
    [InlineData("network \"n\" {\n  %y = softmax %x beta=1 axis=2 : i8[1]\n}", 2, 26, "CNN0909")]
    [InlineData("network \"n\" {\n  %y = softmax %x betta=1 : i8[1]\n}", 2, 19, "CNN0909")]
    [InlineData("network \"n\" {\n  %y = activation %x act=gelu : i8[1]\n}", 2, 26, "CNN0903")]
    [InlineData("network \"n\" {\n  %y = add %x, %x round=up : i8[1]\n}", 2, 25, "CNN0903")]
    [InlineData("network \"n\" {\n  %y = max_pool2d %x kernel=2 stride=1x1 pad=0,0,0,0 : i8[1]\n}", 2, 29, "CNN0903")]
    [InlineData("network \"n\" {\n  %y = max_pool2d %x kernel=2x2x2 stride=1x1 pad=0,0,0,0 : i8[1]\n}", 2, 29, "CNN0903")]
    [InlineData("network \"n\" {\n  %y = dense %x weights=i8[1x2]{1} round=tflite-double : i8[1]\n}", 2, 25, "CNN0908")]
    [InlineData("network \"n\" {\n  %y = dense %x weights=i8[99999x99999x99999x99999x99999]{1} round=tflite-double : i8[1]\n}", 2, 25, "CNN0908")]
    [InlineData("network \"n\" {\n  %y = dense %x weights=i8[1x2]{1, 128} round=tflite-double : i8[1]\n}", 2, 36, "CNN0904")]
    [InlineData("network \"n\" {\n  %y = dense %x weights=i8[1x1]{1} scales=i8[1]{1} axis=0 round=tflite-double : i8[1]\n}", 2, 36, "CNN0909")]
    [InlineData("network \"n\" {\n  %y = dense %x weights=@w#00:i8[1x1] round=tflite-double : i8[1]\n}", 2, 25, "CNN0905")]
    public void Bad_text_is_one_diagnostic_with_its_place(string text, int line, int column, string code)
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(NetworkParser.Parse(text, "bad.txt", ConstantStore.Empty, diagnostics));
        var diagnostic = diagnostics.Diagnostics[0];
        Assert.Equal((code, "bad.txt", line, column), (diagnostic.Code, diagnostic.Span.File, diagnostic.Span.Line, diagnostic.Span.Column));
    }

    [Fact]
    public void Each_bad_line_is_reported()
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(NetworkParser.Parse("network \"n\" {\n  input x\n  output y\n  input %z : i8[1]\n  %t = what %z : i8[1]\n}", "bad.txt", ConstantStore.Empty, diagnostics));
        Assert.Equal([2, 3, 5], diagnostics.Diagnostics.Select(diagnostic => diagnostic.Span.Line));
    }

    [Fact]
    public void Constants_of_another_companion_are_refused()
    {
        var weights = new Tensor(ElementType.Int8, Shape.Of(2, 20), new byte[40]);
        var layer = new Dense("y", ["x"], Small, weights, null, null, FusedActivation.None, RoundingScheme.TfliteDouble);
        var (text, constants) = NetworkPrinter.Print(new("n", [new("x", Small)], [layer], ["y"]));
        Assert.Empty(Codes(text, constants));
        Assert.Equal(["CNN0905"], Codes(text, ConstantStore.Empty));
        var changed = weights.Bytes.ToArray();
        changed[39] = 1;
        Assert.Equal(["CNN0906"], Codes(text, new([new("y.weights", new Tensor(ElementType.Int8, weights.Shape, changed))])));
        Assert.Equal(["CNN0907"], Codes(text, new([new("y.weights", weights.Reshape(Shape.Of(40, 1)))])));
        Assert.Equal(["CNN0907"], Codes(text, new([new("y.weights", new Tensor(ElementType.UInt8, weights.Shape, new byte[40]))])));
    }

    [Fact]
    public void Damaged_text_never_throws_and_never_passes_silently_as_something_unreadable()
    {
        var random = new SeededRandom(8);
        for (var round = 0; round < 1500; round++)
        {
            var (text, constants) = NetworkPrinter.Print(RandomNetworks.Network(round % 30));
            var damaged = text.ToList();
            for (var change = random.Next(1, 4); change > 0; change--)
            {
                var at = random.Next(0, damaged.Count - 1);
                switch (random.Next(0, 3))
                {
                    case 0:
                        damaged.RemoveRange(at, Math.Min(random.Next(1, 20), damaged.Count - at));
                        break;
                    case 1:
                        damaged.Insert(at, random.Choose("%@#\"\\{}[](),:=-x19eE./\n \0é".ToCharArray()));
                        break;
                    case 2:
                        damaged[at] = (char)random.Next(0, 0x17F);
                        break;
                    default:
                        damaged.RemoveRange(at, damaged.Count - at);
                        damaged.Add('\n');
                        break;
                }
            }

            var diagnostics = new DiagnosticBag();
            var graph = NetworkParser.Parse(new string([.. damaged]), "damaged", constants, diagnostics);
            Assert.Equal(graph is null, diagnostics.HasErrors);
            Assert.All(diagnostics.Diagnostics, diagnostic => Assert.True(diagnostic.Span.Line > 0 && diagnostic.Span.Column > 0 && diagnostic.Code.StartsWith("CNN09", StringComparison.Ordinal)));
            if (graph is not null)
            {
                NetworkVerifier.Check(graph);
            }
        }
    }

    private static IEnumerable<string> Codes(string text, ConstantStore constants)
    {
        var diagnostics = new DiagnosticBag();
        NetworkParser.Parse(text, "n", constants, diagnostics);
        return diagnostics.Diagnostics.Select(diagnostic => diagnostic.Code);
    }

    private static void AssertRoundTrips(NetworkGraph graph)
    {
        var (text, constants) = NetworkPrinter.Print(graph);
        var diagnostics = new DiagnosticBag();
        var read = NetworkParser.Parse(text, "text", constants, diagnostics);
        Assert.True(read is not null, $"{string.Join('\n', diagnostics.Diagnostics)}\n{text}");
        Assert.Equal(graph, read);
        Assert.Equal(text, NetworkPrinter.Print(read!).Text);
    }
}
