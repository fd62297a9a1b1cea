using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Systolic.Tests;

/// <summary>Every kind of layer in codes, fixed point and f32: the image gives the bits of the GCONV level, values between included.</summary>
public class LayerTests
{
    private const int Seeds = 9;

    public static TheoryData<string, Elements> Layers()
    {
        var data = new TheoryData<string, Elements>();
        foreach (var kind in RandomLayers.Kinds)
        {
            foreach (var elements in Enum.GetValues<Elements>())
            {
                data.Add(kind, elements);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void An_image_gives_the_bits_of_the_chain(string kind, Elements elements)
    {
        MachineDescription[] machines = [AllLevels.Machine(5, 7), AllLevels.Machine(16, 16), BuiltInMachines.ArrayFlex[0]];
        for (var seed = 0; seed < Seeds; seed++)
        {
            var diagnostics = new DiagnosticBag();
            var layer = RandomLayers.Make(kind, elements, seed);
            if (NetworkVerifier.Check(layer.Graph).Any(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error))
            {
                // a kind without a definition in these elements
                return;
            }

            var chain = LowerToGconv.Lower(layer.Graph, diagnostics)!;

            var image = AllLevels.Compile(layer.Graph, machines[seed % machines.Length], diagnostics);
            Assert.True(image is not null, string.Join('\n', diagnostics.Diagnostics));
            var expected = new GconvModule(chain).Evaluate(layer.Inputs, diagnostics, default);
            var actual = image.Evaluate(layer.Inputs, diagnostics, default);
            Assert.True(expected is not null == actual is not null, $"{layer.Graph.Name}: {string.Join('\n', diagnostics.Diagnostics)}");
            if (expected is null)
            {
                continue;
            }

            Assert.All(expected.Values, value => Assert.True(value.Value.Bytes.SequenceEqual(actual!.Values[value.Key].Bytes), $"{layer.Graph.Name}: {value.Key} {value.Value}"));
            Assert.Equal(expected.Outputs, actual!.Outputs);
        }
    }

    [Theory]
    [InlineData(Elements.Code)]
    [InlineData(Elements.Fixed)]
    [InlineData(Elements.Real)]
    public void A_resize_to_any_size_runs_on_the_host_or_in_the_vector_unit(Elements elements)
    {
        var onHost = 0;
        for (var seed = 0; seed < 40; seed++)
        {
            var diagnostics = new DiagnosticBag();
            var layer = RandomLayers.MakeResize(elements, seed);
            var image = AllLevels.Compile(layer.Graph, AllLevels.Machine(5, 7), diagnostics)!;
            var expected = new NetworkModule(layer.Graph).Evaluate(layer.Inputs, diagnostics, default)!;
            Assert.Equal(expected.Outputs, image.Evaluate(layer.Inputs, diagnostics, default)!.Outputs);
            var run = AllLevels.Run(image, layer.Inputs);
            Assert.True(run.Cycles.ExposedHost > 0, layer.Graph.Name);
            onHost += image.Image.Systolic!.Steps.OfType<SystolicHostStep>().Count();
        }

        Assert.InRange(onHost, 10, 39);
    }

    [Theory]
    [InlineData(3, 100, true)]
    [InlineData(-60, 100, false)]
    public void Weights_with_a_zero_point_run_on_the_array_where_their_differences_are_int8(int zero, int largest, bool onArray)
    {
        var random = new SeededRandom(8);
        sbyte[] weights = [.. Enumerable.Range(0, 4 * 40).Select(i => i == 0 ? (sbyte)largest : (sbyte)random.Next(-50, 50))];
        var input = new NetworkInput("x", new(ElementType.Int8, Shape.Of(3, 40), Quantization.PerTensor(0.5f, 7)));
        var layer = new Dense(
            "y",
            ["x"],
            new(ElementType.Int8, Shape.Of(3, 4), Quantization.PerTensor(20, -2)),
            Tensor.From<sbyte>(ElementType.Int8, Shape.Of(4, 40), weights),
            Quantization.PerTensor(0.25f, zero),
            null,
            FusedActivation.None,
            RoundingScheme.OnnxHalfEven);
        var network = new NetworkGraph("n", [input], [layer], ["y"]);
        var diagnostics = new DiagnosticBag();
        var image = AllLevels.Compile(network, AllLevels.Machine(16, 16), diagnostics, new Dictionary<string, string> { ["map-to-systolic.vector-products"] = "off" });
        Assert.True(image is not null, string.Join('\n', diagnostics.Diagnostics));
        Assert.Equal(onArray ? 1 : 0, image.Mapped.Plans.Count);
        Assert.Null(AllLevels.FirstDifference(network, image, RandomNetworks.Inputs(network, 1)));
    }
}
