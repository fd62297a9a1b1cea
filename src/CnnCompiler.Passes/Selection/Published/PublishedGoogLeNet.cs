namespace CnnCompiler.Passes.Selection.Published;

/// <summary>GoogLeNet (Szegedy et al., CVPR 2015, table 1) with the published costs: 57 convolutions, conv1 with its three input channels; no classifier.</summary>
public static class PublishedGoogLeNet
{
    // Map size, input channels, then #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj of the paper's table.
    private static readonly (string Name, int Map, int Inputs, int One, int Reduce3, int Three, int Reduce5, int Five, int Pool)[] Modules =
    [
        ("i3a", 28, 192, 64, 96, 128, 16, 32, 32),
        ("i3b", 28, 256, 128, 128, 192, 32, 96, 64),
        ("i4a", 14, 480, 192, 96, 208, 16, 48, 64),
        ("i4b", 14, 512, 160, 112, 224, 24, 64, 64),
        ("i4c", 14, 512, 128, 128, 256, 24, 64, 64),
        ("i4d", 14, 512, 112, 144, 288, 32, 64, 64),
        ("i4e", 14, 528, 256, 160, 320, 32, 128, 128),
        ("i5a", 7, 832, 256, 160, 320, 32, 128, 128),
        ("i5b", 7, 832, 384, 192, 384, 48, 128, 128),
    ];

    /// <summary>The network on an overlay.</summary>
    public static PublishedDynamapInstance On(DynamapOverlay overlay)
    {
        var network = new PublishedDynamapInstance(overlay);
        var map = network.Convolution("conv1", network.Stored("data"), new(112, 112, 7, 7, 3, 64));
        map = network.Convolution("conv2_1x1", network.Pool("pool1", map), new(56, 56, 1, 1, 64, 64));
        map = network.Join("pool2", [network.Convolution("conv2_3x3", map, new(56, 56, 3, 3, 64, 192))]);
        foreach (var m in Modules)
        {
            var reduced3 = network.Convolution(m.Name + "_3x3r", map, Square(m.Map, 1, m.Inputs, m.Reduce3));
            var reduced5 = network.Convolution(m.Name + "_5x5r", map, Square(m.Map, 1, m.Inputs, m.Reduce5));
            map = network.Join(
                m.Name + "_concat",
                [
                    network.Convolution(m.Name + "_1x1", map, Square(m.Map, 1, m.Inputs, m.One)),
                    network.Convolution(m.Name + "_3x3", reduced3, Square(m.Map, 3, m.Reduce3, m.Three)),
                    network.Convolution(m.Name + "_5x5", reduced5, Square(m.Map, 5, m.Reduce5, m.Five)),
                    network.Convolution(m.Name + "_pool", map, Square(m.Map, 1, m.Inputs, m.Pool)),
                ]);
        }

        return network;
    }

    private static DynamapConvolution Square(int map, int kernel, int inputs, int outputs) => new(map, map, kernel, kernel, inputs, outputs);
}
