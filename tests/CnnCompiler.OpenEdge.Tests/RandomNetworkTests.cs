using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Random layers and networks: every level and every shipped machine give the same integers.</summary>
public class RandomNetworkTests
{
    private const int SeedsPerKind = 40;
    private const int Networks = 60;

    public static TheoryData<LayerKind> Kinds() => [.. RandomNetworks.Kinds];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Layers_of_a_kind_compute_the_same_at_every_level(LayerKind kind)
    {
        for (var seed = 0; seed < SeedsPerKind; seed++)
        {
            Check(() => RandomNetworks.Layer(kind, seed), seed);
        }
    }

    [Fact]
    public void Networks_compute_the_same_at_every_level()
    {
        for (var seed = 0; seed < Networks; seed++)
        {
            Check(() => RandomNetworks.Network(seed), seed);
        }
    }

    [Fact]
    public void Networks_of_every_rounding_compute_the_same_at_every_level()
    {
        for (var seed = 0; seed < Networks; seed++)
        {
            Check(() => RandomNetworks.Network(seed, RandomNetworkOptions.Default with { Rounding = (Ir.Network.RoundingScheme)(seed % 3) }), seed);
        }
    }

    private static void Check(Func<Ir.Network.NetworkGraph> make, int seed)
    {
        var network = make();
        var diagnostics = new DiagnosticBag();
        var levels = AllLevels.Compile(network, diagnostics);
        Assert.True(levels is not null, $"{network.Name}: {string.Join('\n', diagnostics.Diagnostics)}");
        Assert.True(levels.FirstDifference(RandomNetworks.Inputs(network, seed)) is var difference && difference is null, $"{network.Name}: {difference}");
    }
}
