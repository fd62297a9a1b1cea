using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Passes.Tests.Lowering;

/// <summary>Every kind of layer in every element type it has: the chain computes bit by bit what the network level computes.</summary>
public sealed class LayerTranslationTests
{
    private const int Seeds = 100;

    private static readonly Pipeline Lowering = new(new LowerToGconv());

    // Kinds without a definition in i8.
    private static readonly string[] NotInCodes = ["capsule_transform", "batch_norm", "layer_norm", "lrn", "squash", "routing"];

    public static TheoryData<string, Elements> Layers =>
        [.. from kind in RandomLayers.Kinds from elements in Enum.GetValues<Elements>() where elements != Elements.Code || !NotInCodes.Contains(kind) select (kind, elements)];

    [Theory]
    [MemberData(nameof(Layers))]
    public void The_chain_of_a_layer_equals_the_layer_bit_by_bit(string kind, Elements elements)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var random = RandomLayers.Make(kind, elements, seed);
            var problems = NetworkVerifier.Check(random.Graph);
            Assert.True(problems.Count == 0, $"{random.Graph.Name}: {string.Join(Environment.NewLine, problems)}");
            var difference = TranslationValidation.Difference(Lowering, new NetworkModule(random.Graph), [random.Inputs]);
            Assert.True(difference is null, $"{random.Graph.Name}: {difference}");
        }
    }

    [Fact]
    public void A_resize_is_affine_or_a_host_step_and_equal_either_way()
    {
        var (affine, host) = (0, 0);
        foreach (var elements in Enum.GetValues<Elements>())
        {
            for (var seed = 0; seed < Seeds; seed++)
            {
                var random = RandomLayers.MakeResize(elements, seed);
                var difference = TranslationValidation.Difference(Lowering, new NetworkModule(random.Graph), [random.Inputs]);
                Assert.True(difference is null, $"{random.Graph.Name}: {difference}");
                var program = LowerToGconv.Lower(random.Graph, new())!;
                var isHost = program.Steps[0] is GconvHostLayer;
                (affine, host) = (affine + (isHost ? 0 : 1), host + (isHost ? 1 : 0));
                Assert.True(!isHost || ((Resize)random.Layer).Mode == ResizeMode.Bilinear || random.Graph.Inputs[0].Type.Shape[1] > 1 || random.Graph.Inputs[0].Type.Shape[2] > 1);

                var text = GconvPrinter.Print(program);
                Assert.Equal(program, GconvParser.Parse(text.Text, "resize.gconv", text.Constants, new()));
            }
        }

        Assert.InRange(affine, 20, int.MaxValue);
        Assert.InRange(host, 20, int.MaxValue);
    }

    [Fact]
    public void A_host_step_that_its_layer_would_refuse_is_refused()
    {
        var random = RandomLayers.MakeResize(Elements.Real, 1);
        var layer = (Resize)random.Layer with { Mode = ResizeMode.Bilinear };
        GconvProgram Program(Resize changed) => new("host", random.Graph.Inputs, [], [new GconvHostLayer(changed)], ["y"]);

        Assert.Empty(GconvVerifier.Check(Program(layer)));
        Assert.Contains(
            GconvVerifier.Check(Program(layer with { Size = new(layer.Size.Height + 1, layer.Size.Width) })),
            problem => problem.Message.StartsWith("host step 'y' breaks the invariant host-layer", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_operator_is_drawn_or_always_a_host_step()
    {
        var drawn = RandomLayers.Kinds.ToHashSet(StringComparer.Ordinal);

        Assert.Equal(["proposal", "roi_pool"], OperatorTable.All.Select(operation => operation.Keyword).Where(keyword => !drawn.Contains(keyword)).Order(StringComparer.Ordinal));
    }
}
