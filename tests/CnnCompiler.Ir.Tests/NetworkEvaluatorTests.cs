using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Ir.Tests;

public sealed class NetworkEvaluatorTests
{
    public static TheoryData<LayerKind, RoundingScheme> KindsAndSchemes()
    {
        var data = new TheoryData<LayerKind, RoundingScheme>();
        foreach (var kind in RandomNetworks.Kinds.Where(kind => kind != LayerKind.Softmax))
        {
            foreach (var scheme in Enum.GetValues<RoundingScheme>())
            {
                data.Add(kind, scheme);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(KindsAndSchemes))]
    public void Random_layers_equal_the_naive_definition(LayerKind kind, RoundingScheme scheme)
    {
        var options = RandomNetworkOptions.Default with { Rounding = scheme };
        for (var seed = 0; seed < 150; seed++)
        {
            var graph = RandomNetworks.Layer(kind, seed, options);
            AssertEqualsNaive(graph, RandomNetworks.Inputs(graph, seed));
        }
    }

    [Fact]
    public void Random_networks_equal_the_naive_definition_in_every_value()
    {
        for (var seed = 0; seed < 60; seed++)
        {
            var graph = RandomNetworks.Network(seed, RandomNetworkOptions.Default with { Softmax = false });
            AssertEqualsNaive(graph, RandomNetworks.Inputs(graph, seed));
        }
    }

    [Fact]
    public void Rounding_schemes_differ_on_random_layers()
    {
        foreach (var kind in (LayerKind[])[LayerKind.Conv2D, LayerKind.DepthwiseConv2D, LayerKind.Dense, LayerKind.Add])
        {
            foreach (var other in (RoundingScheme[])[RoundingScheme.TfliteSingle, RoundingScheme.OnnxHalfEven])
            {
                var differ = Enumerable.Range(0, 150).Count(seed => !Run(kind, seed, other).Equals(Run(kind, seed, RoundingScheme.TfliteDouble)));
                Assert.True(differ > 0, $"no random {kind} separates {other} from {RoundingScheme.TfliteDouble}");
            }
        }

        static Tensor Run(LayerKind kind, int seed, RoundingScheme scheme)
        {
            var graph = RandomNetworks.Layer(kind, seed, RandomNetworkOptions.Default with { Rounding = scheme });
            return Evaluate(graph, RandomNetworks.Inputs(graph, seed)).Outputs[0];
        }
    }

    [Fact]
    public void Evaluation_keeps_every_value_by_name_and_the_outputs_in_order()
    {
        var graph = RandomNetworks.Network(11);
        var inputs = RandomNetworks.Inputs(graph, 0);
        var result = Evaluate(graph, inputs);
        Assert.Equal(graph.Inputs.Select(i => i.Name).Concat(graph.Layers.Select(l => l.Name)).Order(), result.Values.Keys.Order());
        Assert.Equal(graph.Outputs.Select(name => result.Values[name]), result.Outputs);
        Assert.Equal(inputs[0], result.Values[graph.Inputs[0].Name]);
        Assert.All(graph.Layers, layer => Assert.Equal(layer.Type.Shape, result.Values[layer.Name].Shape));
    }

    [Fact]
    public void Inputs_that_do_not_fit_are_diagnostics()
    {
        var graph = RandomNetworks.Layer(LayerKind.Conv2D, 1);
        var input = RandomNetworks.Inputs(graph, 0)[0];
        Assert.Equal("CNN0134", Refused(graph, []));
        Assert.Equal("CNN0134", Refused(graph, [input, input]));
        Assert.Equal("CNN0135", Refused(graph, [Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1), [0])]));
        Assert.Equal("CNN0135", Refused(graph, [new Tensor(ElementType.UInt8, input.Shape, input.Bytes.ToArray())]));

        // Another shape with as many elements is a file without its shape: taken.
        Assert.Equal(Evaluate(graph, [input]).Outputs, Evaluate(graph, [input.Reshape(Shape.Of((int)input.Shape.Elements))]).Outputs);
    }

    [Fact]
    public void A_graph_that_the_verifier_refuses_is_not_evaluated()
    {
        var graph = RandomNetworks.Layer(LayerKind.Conv2D, 1);
        Assert.Equal("CNN0926", Refused(graph with { Outputs = ["nothing"] }, RandomNetworks.Inputs(graph, 0)));
    }

    [Fact]
    public void A_softmax_row_without_a_result_is_a_diagnostic()
    {
        var type = new TensorType(ElementType.Int8, Shape.Of(2, 600), Quantization.PerTensor(0.1f, 0));
        var graph = new NetworkGraph(
            "wide", [new("x", type)], [new Softmax("y", ["x"], type with { Quantization = Quantization.PerTensor(1f / 256, -128) }, 1)], ["y"]);
        var codes = new sbyte[1200];
        Array.Fill(codes, (sbyte)-128, 0, 599);
        Assert.Equal("CNN0133", Refused(graph, [Tensor.From<sbyte>(ElementType.Int8, type.Shape, codes)]));
    }

    [Fact]
    public void Accumulators_wrap()
    {
        // 2^31 - 1 from the bias and 1 from the product.
        var type = new TensorType(ElementType.Int8, Shape.Of(1, 1), Quantization.PerTensor(1, 0));
        var graph = new NetworkGraph(
            "wrap",
            [new("x", type)],
            [
                new Dense(
                    "y",
                    ["x"],
                    type with { Quantization = Quantization.PerTensor(1 << 28, 0) },
                    Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, 1), [1]),
                    Quantization.PerTensor(1, 0),
                    Tensor.From<int>(ElementType.Int32, Shape.Of(1), [int.MaxValue]),
                    FusedActivation.None,
                    RoundingScheme.TfliteDouble),
            ],
            ["y"]);
        Assert.Equal(-8, Evaluate(graph, [Tensor.From<sbyte>(ElementType.Int8, type.Shape, [1])]).Outputs[0].GetInteger(0));
        Assert.Equal(8, Evaluate(graph, [Tensor.From<sbyte>(ElementType.Int8, type.Shape, [0])]).Outputs[0].GetInteger(0));
    }

    private static void AssertEqualsNaive(NetworkGraph graph, Tensor[] inputs)
    {
        var values = Evaluate(graph, inputs).Values;
        var types = graph.Inputs.Select(input => (input.Name, input.Type)).Concat(graph.Layers.Select(layer => (layer.Name, layer.Type))).ToDictionary();
        foreach (var layer in graph.Layers)
        {
            var expected = NaiveNetwork.Evaluate(layer, [.. layer.Inputs.Select(name => types[name])], [.. layer.Inputs.Select(name => values[name])]);
            if (!expected.Equals(values[layer.Name]))
            {
                var at = Enumerable.Range(0, (int)expected.Shape.Elements).First(i => expected.GetInteger(i) != values[layer.Name].GetInteger(i));
                Assert.Fail($"{graph.Name}, {layer.Keyword} {layer.Name}, element {at}: {values[layer.Name].GetInteger(at)}, expected {expected.GetInteger(at)}\n{NetworkPrinter.Print(graph).Text}");
            }
        }
    }

    private static string Refused(NetworkGraph graph, Tensor[] inputs)
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(NetworkEvaluator.Evaluate(graph, inputs, diagnostics));
        return Assert.Single(diagnostics.Diagnostics).Code;
    }

    private static NetworkEvaluation Evaluate(NetworkGraph graph, Tensor[] inputs)
    {
        var diagnostics = new DiagnosticBag();
        var result = NetworkEvaluator.Evaluate(graph, inputs, diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return result!;
    }
}
