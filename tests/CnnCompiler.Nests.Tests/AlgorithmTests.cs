using CnnCompiler.Fuzzing;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Nests.Tests;

/// <summary>Convolutions that are rewritten as algorithms say run on the accelerators with the same integers and the counts predicted.</summary>
public sealed class AlgorithmTests
{
    public static TheoryData<string> Names => [.. ConvolutionAlgorithm.All.Select(algorithm => algorithm.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Rewritten_convolutions_keep_their_integers(string name)
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal) { ["convolution-algorithms.choose"] = $"*={name}" };
        var rewritten = 0;
        foreach (var (network, layers) in SmallConvolutions.Pack(SmallConvolutions.Spread(120), 8))
        {
            var image = NestLevels.Check(network, NestLevels.Small("nlr", 3, 5, 256, 16), RandomNetworks.Inputs(network, 1), options);
            rewritten += image.Mapped.NestPredictions.Count - layers.Count;
        }

        Assert.InRange(rewritten, 10, 1000);
    }
}
