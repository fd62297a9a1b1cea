using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Passes.Tests.Lowering;

/// <summary>The chain computes what the network computes, in every tensor.</summary>
public sealed class LoweringTests
{
    private const int SeedsPerKind = 300;
    private const int RandomGraphs = 200;

    private static readonly Pipeline Lowering = new(new LowerToGconv());

    public static TheoryData<LayerKind> Kinds => [.. RandomNetworks.Kinds];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_kind_of_layer_keeps_its_integers_at_random_shapes(LayerKind kind)
    {
        for (var seed = 0; seed < SeedsPerKind; seed++)
        {
            // Every rounding scheme.
            var options = RandomNetworkOptions.Default with { Rounding = (RoundingScheme)(seed % 3) };
            Check(RandomNetworks.Layer(kind, seed, options), seed);
        }
    }

    [Fact]
    public void Random_networks_keep_their_integers_in_every_tensor()
    {
        for (var seed = 0; seed < RandomGraphs; seed++)
        {
            Check(RandomNetworks.Network(seed), seed);
        }
    }

    [Fact]
    public void Convolutions_keep_their_integers_over_kernels_strides_dilations_paddings_and_groups()
    {
        var cases = 0;
        foreach (var kernel in new Spatial[] { new(1, 1), new(2, 2), new(3, 3), new(1, 3), new(4, 1) })
        {
            foreach (var stride in new Spatial[] { new(1, 1), new(2, 2), new(3, 1) })
            {
                foreach (var dilation in new Spatial[] { new(1, 1), new(2, 2) })
                {
                    foreach (var padding in new Padding[] { default, new(0, 1, 1, 0), new(1, 1, 1, 1), new(2, 0, 0, 3) })
                    {
                        foreach (var groups in (int[])[1, 2, 4])
                        {
                            cases += CheckConvolution(kernel, stride, dilation, padding, groups, cases) ? 1 : 0;
                        }
                    }
                }
            }
        }

        Assert.InRange(cases, 300, int.MaxValue);
    }

    private static bool CheckConvolution(Spatial kernel, Spatial stride, Spatial dilation, Padding padding, int groups, int seed)
    {
        var random = new SeededRandom((ulong)seed);
        var weights = new sbyte[8 * kernel.Height * kernel.Width * 4 / groups];
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = random.NextCode();
        }

        var input = new NetworkInput("x", new(ElementType.Int8, Shape.Of(1, 6, 5, 4), Quantization.PerTensor(0.5f, random.NextCode())));
        var layer = new Conv2D(
            "y",
            ["x"],
            new(ElementType.Int8, default, Quantization.PerTensor(40f, random.NextCode())),
            Tensor.From<sbyte>(ElementType.Int8, Shape.Of(8, kernel.Height, kernel.Width, 4 / groups), weights),
            Quantization.PerTensor(0.25f, 0),
            Tensor.From<int>(ElementType.Int32, Shape.Of(8), [1, -2, 300, -400, 5000, -6000, 70000, -80000]),
            stride,
            dilation,
            padding,
            groups,
            FusedActivation.None,
            RoundingScheme.TfliteDouble);
        if (NetworkShapes.Infer(layer, [input.Type], new()) is not { } shape)
        {
            return false;
        }

        Check(new("stratified", [input], [layer with { Type = layer.Type with { Shape = shape } }], ["y"]), seed);
        return true;
    }

    private static void Check(NetworkGraph graph, int seed)
    {
        var difference = TranslationValidation.Difference(Lowering, new NetworkModule(graph), [RandomNetworks.Inputs(graph, seed)]);
        Assert.True(difference is null, $"{graph.Name}, seed {seed}: {difference}");

        var diagnostics = new DiagnosticBag();
        var program = LowerToGconv.Lower(graph, diagnostics)!;
        var inputs = RandomNetworks.Inputs(graph, seed + 1);
        var fast = GconvEvaluator.Evaluate(program, inputs, diagnostics);
        var written = GconvEvaluator.Evaluate(program, inputs, diagnostics, contractions: false);
        Assert.Empty(diagnostics.Diagnostics);
        Assert.All(graph.Layers, layer => Assert.True(fast!.Values.ContainsKey(layer.Name), $"{graph.Name} has lost {layer.Name}"));
        Assert.All(written!.Values, value => Assert.Equal(value.Value, fast!.Values[value.Key]));
        CheckText(program);
    }

    private static void CheckText(GconvProgram program)
    {
        var diagnostics = new DiagnosticBag();
        var text = GconvPrinter.Print(program);
        var read = GconvParser.Parse(text.Text, "chain.gconv", text.Constants, diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        Assert.Equal(program, read);
    }
}
