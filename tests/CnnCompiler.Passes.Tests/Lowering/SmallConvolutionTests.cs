using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Passes.Tests.Lowering;

/// <summary>All small convolutions, at network and GCONV level.</summary>
public sealed class SmallConvolutionTests
{
    private const int LayersPerNetwork = 64;

    private static readonly Pipeline Lowering = new(new LowerToGconv());

    [Fact]
    public void Every_small_convolution_keeps_its_integers()
    {
        // 25 images, 9 kernels, 4 strides, 4 dilations, up to 3 paddings, 4 forms of channels; about a fifth has no output.
        Assert.InRange(SmallConvolutions.All.Count, 25_000, 43_200);
        foreach (var (network, _) in SmallConvolutions.Pack(SmallConvolutions.All, LayersPerNetwork))
        {
            Assert.True(TranslationValidation.Difference(Lowering, new NetworkModule(network), 1) is var difference && difference is null, $"{network.Name}: {difference}");
        }
    }
}
