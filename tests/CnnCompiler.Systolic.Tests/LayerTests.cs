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
            if (image is null)
            {
                // indices that depend on data, or are not affine
                Assert.All(diagnostics.Diagnostics.Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error), diagnostic => Assert.Equal("CNN0891", diagnostic.Code));
                Assert.True(kind is "resize" or "proposal" or "roi_pool", kind);
                continue;
            }

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
}
