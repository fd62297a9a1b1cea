using CnnCompiler.Fuzzing;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Nests.Tests;

/// <summary>Random layers and networks, int8 and f32, on every machine: bit-exact, and the model's counts are those of the interpreter.</summary>
public class NetworkTests
{
    private const int Seeds = 12;

    public static TheoryData<LayerKind> Kinds() => [.. RandomNetworks.Kinds];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Layers_of_a_kind_compute_the_same_and_do_what_is_predicted(LayerKind kind)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var network = RandomNetworks.Layer(kind, seed);
            NestLevels.Check(network, Machine(seed), RandomNetworks.Inputs(network, seed));
        }
    }

    [Fact]
    public void Networks_compute_the_same_and_do_what_is_predicted()
    {
        for (var seed = 0; seed < 2 * Seeds; seed++)
        {
            var network = RandomNetworks.Network(seed);
            NestLevels.Check(network, Machine(seed), RandomNetworks.Inputs(network, seed));
        }
    }

    // The shipped machines in turn, large and so small that nothing fits at once.
    private static MachineDescription Machine(int seed)
    {
        var name = BuiltInMachines.Gconv[seed % BuiltInMachines.Gconv.Count].Name;
        return (seed / BuiltInMachines.Gconv.Count % 3) switch
        {
            0 => NestLevels.Small(name, 3, 5, 256, 16),
            1 => NestLevels.Small(name, 4, 4, 64, 4),
            _ => NestLevels.Machine(name),
        };
    }
}
