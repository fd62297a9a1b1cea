using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.TestSupport;

/// <summary>One convolution of the exhaustive set.</summary>
/// <param name="Index">Its place in the set.</param>
/// <param name="Input">Extents of the input, one image.</param>
/// <param name="Kernel">Kernel.</param>
/// <param name="Stride">Stride.</param>
/// <param name="Dilation">Dilation.</param>
/// <param name="Padding">Padding.</param>
/// <param name="Channels">Input channels.</param>
/// <param name="Filters">Output channels.</param>
/// <param name="Groups">Groups.</param>
public sealed record SmallConvolution(int Index, Spatial Input, Spatial Kernel, Spatial Stride, Spatial Dilation, Padding Padding, int Channels, int Filters, int Groups)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"convolution {Index}: {Input.Height}x{Input.Width}x{Channels} to {Filters} channels, kernel {Kernel.Height}x{Kernel.Width}, stride {Stride.Height}x{Stride.Width}, dilation {Dilation.Height}x{Dilation.Width}, padding {Padding.Top},{Padding.Bottom},{Padding.Left},{Padding.Right}, {Groups} groups");
}

/// <summary>
/// Every convolution with images of at most 5x5, kernels of at most 3x3, strides and dilations of at most 2, each in both directions; without padding, padded to the same size, and padded
/// unevenly; with one channel, with odd numbers of them, and in groups.
/// </summary>
public static class SmallConvolutions
{
    private const int LargestExtent = 5;
    private const int LargestKernel = 3;
    private const int LargestStep = 2;
    private const int SomeRewritten = 60;
    private const int LayersTogether = 8;

    private static readonly (int Channels, int Filters, int Groups)[] ChannelForms = [(1, 1, 1), (3, 5, 1), (4, 6, 2), (3, 6, 3)];

    /// <summary>All that have an output, in an order that never changes.</summary>
    public static IReadOnlyList<SmallConvolution> All { get; } = Enumerate().ToList();

    /// <summary>Some of them, the same distance apart, so that every form occurs.</summary>
    public static IEnumerable<SmallConvolution> Spread(int count)
    {
        for (var i = 0; i < count; i++)
        {
            yield return All[(int)(i * (long)All.Count / count)];
        }
    }

    /// <summary>Networks that hold the convolutions as layers of equal inputs, each an output: fewer and larger programs for the same layers.</summary>
    public static IEnumerable<(NetworkGraph Network, IReadOnlyList<SmallConvolution> Layers)> Pack(IEnumerable<SmallConvolution> convolutions, int layersPerNetwork)
    {
        foreach (var same in convolutions.GroupBy(convolution => (convolution.Input, convolution.Channels)))
        {
            foreach (var chunk in same.Chunk(layersPerNetwork))
            {
                yield return (Network(chunk), chunk);
            }
        }
    }

    /// <summary>Compiles and runs some of them with an algorithm for every convolution that has it; how many more operators than layers there are.</summary>
    /// <param name="algorithm">The algorithm's name.</param>
    /// <param name="run">Compiles a network with options, checks what it computes, and tells how many operators it has.</param>
    public static int Rewritten(string algorithm, Func<NetworkGraph, IReadOnlyDictionary<string, string>, int> run)
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal) { ["convolution-algorithms.choose"] = $"*={algorithm}" };
        return Pack(Spread(SomeRewritten), LayersTogether).Sum(packed => run(packed.Network, options) - packed.Layers.Count);
    }

    private static NetworkGraph Network(SmallConvolution[] convolutions)
    {
        var first = convolutions[0];
        var random = new SeededRandom((ulong)first.Index);
        var input = new TensorType(
            ElementType.Int8, Shape.Of(1, first.Input.Height, first.Input.Width, first.Channels), Quantization.PerTensor((float)random.NextLogarithmic(0.01, 1), random.Choose(-128, 0, 5, 127)));
        var weights = new RandomWeights(random);
        var layers = convolutions.Select<SmallConvolution, Layer>(convolution => Layer(convolution, input, weights)).ToEquatableArray();
        return new(
            string.Create(CultureInfo.InvariantCulture, $"convolutions-{first.Index}"), [new("x", input)], layers, layers.Select(layer => layer.Name).ToEquatableArray());
    }

    private static Conv2D Layer(SmallConvolution c, TensorType input, RandomWeights weights)
    {
        var set = weights.Make(Shape.Of(c.Filters, c.Kernel.Height, c.Kernel.Width, c.Channels / c.Groups), 0, input.Quantization!, null, perChannel: c.Index % 2 == 0);
        var shape = Shape.Of(1, Positions(c.Input.Height, c.Kernel.Height, c.Stride.Height, c.Dilation.Height, c.Padding.Top, c.Padding.Bottom), Positions(c.Input.Width, c.Kernel.Width, c.Stride.Width, c.Dilation.Width, c.Padding.Left, c.Padding.Right), c.Filters);
        return new Conv2D(
            string.Create(CultureInfo.InvariantCulture, $"c{c.Index}"), ["x"], new(ElementType.Int8, shape, set.Output), set.Weights, set.Scales, set.Bias, c.Stride, c.Dilation, c.Padding, c.Groups, set.Activation, RoundingScheme.TfliteDouble);
    }

    private static IEnumerable<SmallConvolution> Enumerate()
    {
        var index = 0;
        foreach (var input in Pairs(LargestExtent))
        {
            foreach (var kernel in Pairs(LargestKernel))
            {
                foreach (var stride in Pairs(LargestStep))
                {
                    foreach (var dilation in Pairs(LargestStep))
                    {
                        foreach (var padding in Paddings(input, kernel, stride, dilation))
                        {
                            if (Positions(input.Height, kernel.Height, stride.Height, dilation.Height, padding.Top, padding.Bottom) < 1
                                || Positions(input.Width, kernel.Width, stride.Width, dilation.Width, padding.Left, padding.Right) < 1)
                            {
                                continue;
                            }

                            foreach (var (channels, filters, groups) in ChannelForms)
                            {
                                yield return new(index++, input, kernel, stride, dilation, padding, channels, filters, groups);
                            }
                        }
                    }
                }
            }
        }
    }

    private static IEnumerable<Padding> Paddings(Spatial input, Spatial kernel, Spatial stride, Spatial dilation) =>
        new Padding[] { default, Padding.Same(input.Height, input.Width, kernel, stride, dilation), new(1, 0, 0, 2) }.Distinct();

    private static IEnumerable<Spatial> Pairs(int most) =>
        from height in Enumerable.Range(1, most) from width in Enumerable.Range(1, most) select new Spatial(height, width);

    private static int Positions(int input, int kernel, int stride, int dilation, int before, int after) =>
        (int)NetworkShapes.WindowPositions(input, kernel, stride, dilation, before, after);
}
