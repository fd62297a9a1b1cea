using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Targets.Nests.Reproduction;

namespace CnnCompiler.Nests.Tests;

/// <summary>How much room code takes: as it is counted and as it lies in an image.</summary>
public class DescriptorSizeTests
{
    [Fact]
    public void Descriptors_are_as_large_as_an_image_is_larger_with_them()
    {
        for (var seed = 0; seed < 10; seed++)
        {
            var image = NestLevels.Compile(RandomNetworks.Network(seed), NestLevels.Machine("nlr")).Image;
            var counted = image.Systolic!.Steps.Aggregate(default(DescriptorSize), (sum, step) => sum + DescriptorSize.Of(step));
            var without = image with { Systolic = new SystolicProgram(image.Systolic.Configurations, []) };

            // sections are aligned
            Assert.InRange(ImageWriter.Write(image).Length - ImageWriter.Write(without).Length, counted.Words - 64, counted.Words + 64);
            Assert.InRange(counted.Packed, counted.Words / 8, counted.Words);
        }
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(63, 1)]
    [InlineData(-64, 1)]
    [InlineData(64, 2)]
    [InlineData(8191, 2)]
    [InlineData(-8193, 3)]
    [InlineData(long.MaxValue, 10)]
    public void A_packed_number_has_seven_bits_a_byte(long value, int bytes) => Assert.Equal(bytes, DescriptorSize.PackedBytes(value));

    [Fact]
    public void Layer_code_counts_every_layer_but_views()
    {
        var network = RandomNetworks.Network(3);
        var bytes = LayerCode.Bytes(network);
        Assert.InRange(bytes, network.Layers.Count, 100L * network.Layers.Count);
        Assert.True(LayerCode.Bytes(network with { Layers = [network.Layers[0]] }) < bytes);
    }
}
