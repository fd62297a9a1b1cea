using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.TestSupport;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Small convolutions of every form, from network to image.</summary>
public class SmallConvolutionTests
{
    private const int Count = 2000;
    private const int LayersPerNetwork = 20;

    [Fact]
    public void Two_thousand_small_convolutions_compute_the_same_from_their_images()
    {
        var checkedLayers = 0;
        foreach (var (network, layers) in SmallConvolutions.Pack(SmallConvolutions.Spread(Count), LayersPerNetwork))
        {
            var diagnostics = new DiagnosticBag();
            var levels = AllLevels.Compile(network, diagnostics, [BuiltInMachines.Default]);
            Assert.True(levels is not null, $"{layers[0]}: {string.Join('\n', diagnostics.Diagnostics)}");
            Assert.True(levels.FirstDifference(RandomNetworks.Inputs(network, layers[0].Index)) is var difference && difference is null, $"{network.Name}: {difference}");
            checkedLayers += layers.Count;
        }

        Assert.Equal(Count, checkedLayers);
    }
}
