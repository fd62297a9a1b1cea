using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Systolic.Tests;

/// <summary>Convolutions that are rewritten as algorithms say run on the array and its vector unit with the same integers.</summary>
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
            var diagnostics = new DiagnosticBag();
            var image = AllLevels.Compile(network, AllLevels.Machine(5, 7), diagnostics, options);
            Assert.True(image is not null, string.Join('\n', diagnostics.Diagnostics));
            rewritten += image.Mapped.Program.Steps.OfType<GconvOperator>().Count() - layers.Count;
            Assert.Null(AllLevels.FirstDifference(network, image, RandomNetworks.Inputs(network, 1)));
        }

        Assert.InRange(rewritten, 10, 1000);
    }
}
