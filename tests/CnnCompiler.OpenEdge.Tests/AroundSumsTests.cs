using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Targets.OpenEdge.Kernels;
using static CnnCompiler.OpenEdge.Tests.LayerInputs;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>What lies around the sums of a layer: halos, inputs in their place, sums over whole maps, requantisation in one multiplication; each kernel is taken and exact.</summary>
public class AroundSumsTests
{
    /// <summary>Height, width, channels: blocks of sixteen, a part of one, less than a quad, a map of one line.</summary>
    public static TheoryData<int, int, int> Maps() => new()
    {
        { 25, 5, 32 },
        { 8, 8, 20 },
        { 4, 7, 3 },
        { 1, 9, 16 },
    };

    [Theory]
    [MemberData(nameof(Maps))]
    public void A_pool_over_a_whole_map_sums_sixteen_channels_at_a_time(int height, int width, int channels)
    {
        NetworkGraph network = new(
            "pool",
            [new("x", Type(height, width, channels, 0.5f, 3))],
            [new AveragePool2D("y", ["x"], Type(1, 1, channels, 0.5f, 3), new(height, width), new(1, 1), new(0, 0, 0, 0), FusedActivation.None)],
            ["y"]);
        foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "mixed"])
        {
            Assert.Single(ForcedMappings.Check(network, "none", TotalsKernel.Strategy, [Codes(network, codes)]));
        }
    }

    /// <summary>Height, width, channels, outputs, kernel, activation.</summary>
    public static TheoryData<int, int, int, int, int, FusedActivation> Layers() => new()
    {
        { 16, 12, 8, 8, 3, FusedActivation.Relu },
        { 16, 12, 8, 6, 3, FusedActivation.None },
        { 20, 20, 4, 4, 5, FusedActivation.None },
        { 9, 30, 4, 5, 3, FusedActivation.Relu },
    };

    [Theory]
    [MemberData(nameof(Layers))]
    public void Halos_are_filled_between_lines_inputs_unpacked_into_them_and_sums_requantised_with_one_multiplication(
        int height, int width, int inputs, int outputs, int kernel, FusedActivation activation)
    {
        var reach = kernel / 2;
        var weights = Enumerable.Range(0, outputs * kernel * kernel * inputs).Select(i => (sbyte)((i * 37 % 255) - 127)).ToArray();
        NetworkGraph network = new(
            "layer",
            [new("x", Type(height, width, inputs, 0.5f, 5))],
            [
                new Conv2D(
                    "y",
                    ["x"],
                    Type(height, width, outputs, 0.5f * 0.1f * kernel * kernel * inputs * 40, activation == FusedActivation.None ? -4 : -128),
                    Tensor.From<sbyte>(ElementType.Int8, Shape.Of(outputs, kernel, kernel, inputs), weights),
                    Quantization.PerTensor(0.1f, 0),
                    null,
                    new(1, 1),
                    new(1, 1),
                    new(reach, reach, reach, reach),
                    1,
                    activation,
                    RoundingScheme.TfliteDouble),
            ],
            ["y"]);
        foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "mixed"])
        {
            var input = Codes(network, codes);
            Assert.Equal(3, ForcedMappings.Check(network, "halves-w", FillRunsKernel.Strategy, [input]).Count);
            Assert.Single(ForcedMappings.Check(network, "halves-h", UnpackLinesKernel.Strategy, [input]));
            Assert.Single(ForcedMappings.Check(network, "contract-w", RequantizeShortKernel.Strategy, [input]));
        }
    }
}
