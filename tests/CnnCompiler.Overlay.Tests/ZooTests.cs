using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Overlay.Tests;

/// <summary>GoogLeNet at reduced resolution: bit-exact at every value, in the cycles predicted.</summary>
public class ZooTests
{
    private static readonly Dictionary<string, int> Sizes = new(StringComparer.Ordinal) { ["googlenet"] = 64 };

    public static TheoryData<string> Names => [.. Sizes.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_network_gives_the_bits_of_its_definition_in_the_cycles_predicted(string name)
    {
        var network = Networks.Zoo(name, Sizes[name]);
        var random = new SeededRandom(1);
        var codes = new sbyte[network.Inputs[0].Type.Shape.Elements];
        for (var i = 0; i < codes.Length; i++)
        {
            codes[i] = random.NextCode();
        }

        Tensor[] inputs = [Tensor.From<sbyte>(ElementType.Int8, network.Inputs[0].Type.Shape, codes)];
        var diagnostics = new DiagnosticBag();
        var image = OverlayLevels.Compile(network, BuiltInMachines.Overlay[0], diagnostics);
        Assert.True(image is not null, string.Join('\n', diagnostics.Diagnostics));
        Assert.Null(OverlayLevels.FirstDifference(network, image, inputs));
        Assert.Empty(OverlayLevels.WrongPredictions(image, inputs));
        var chosen = image.Mapped.Predictions.Select(plan => $"{plan.Algorithm} {plan.Dataflow}").GroupBy(plan => plan, StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal);
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join(", ", chosen.Select(group => $"{group.Count()} {group.Key}")));
    }
}
