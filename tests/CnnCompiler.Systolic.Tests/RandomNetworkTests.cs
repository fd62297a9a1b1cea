using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Systolic.Tests;

/// <summary>Random layers and networks: every level, several arrays and both engines give the same integers; both engines the same cycles and events.</summary>
public class RandomNetworkTests
{
    private const int SeedsPerKind = 30;
    private const int Networks = 40;
    private static readonly MachineDescription[] Machines = [AllLevels.Machine(5, 7), AllLevels.Machine(16, 16), BuiltInMachines.ArrayFlex[0]];

    private static readonly Dictionary<string, string>[] Options =
    [
        [],
        new() { ["map-to-systolic.vector-products"] = "off", ["map-to-systolic.pack-groups"] = "off" },
        new() { ["map-to-systolic.vector-products"] = "off", ["map-to-systolic.asymmetric"] = "on", ["map-to-systolic.double-buffered"] = "on" },
        new() { ["map-to-systolic.vector-products"] = "off", ["map-to-systolic.trimmed"] = "on", ["map-to-systolic.depth-per-tile"] = "on" },
    ];

    public static TheoryData<LayerKind> Kinds() => [.. RandomNetworks.Kinds];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Layers_of_a_kind_compute_the_same_at_every_level_and_on_both_engines(LayerKind kind)
    {
        for (var seed = 0; seed < SeedsPerKind; seed++)
        {
            Check(RandomNetworks.Layer(kind, seed), seed);
        }
    }

    [Fact]
    public void Networks_compute_the_same_at_every_level_and_on_both_engines()
    {
        for (var seed = 0; seed < Networks; seed++)
        {
            Check(RandomNetworks.Network(seed), seed);
        }
    }

    private static void Check(NetworkGraph network, int seed)
    {
        var machine = Machines[seed % Machines.Length];
        var options = Options[seed / Machines.Length % Options.Length];
        var diagnostics = new DiagnosticBag();
        var image = AllLevels.Compile(network, machine, diagnostics, options);
        Assert.True(image is not null, $"{network.Name}: {string.Join('\n', diagnostics.Diagnostics)}");
        var inputs = RandomNetworks.Inputs(network, seed);
        Assert.True(AllLevels.FirstDifference(network, image, inputs) is var difference && difference is null, $"{network.Name} on {machine.Name}: {difference}");
        if (machine.Rows > 16)
        {
            return;
        }

        var (fast, stepped) = (AllLevels.Run(image, inputs), AllLevels.Run(image, inputs, stepped: true));
        Assert.Equal(fast.Systolic, stepped.Systolic);
        Assert.Equal(fast.Outputs.Select(output => output.ToArray()), stepped.Outputs.Select(output => output.ToArray()));
    }
}
