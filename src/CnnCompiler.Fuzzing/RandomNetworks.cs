using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Fuzzing;

/// <summary>Kinds of layer that <see cref="RandomNetworks"/> makes: those that every target has in int8. <see cref="AnyNetworks"/> makes all.</summary>
public enum LayerKind
{
    /// <summary>A convolution.</summary>
    Conv2D,

    /// <summary>A depthwise convolution.</summary>
    DepthwiseConv2D,

    /// <summary>A dense layer.</summary>
    Dense,

    /// <summary>A maximum pool.</summary>
    MaxPool2D,

    /// <summary>An average pool.</summary>
    AveragePool2D,

    /// <summary>A sum.</summary>
    Add,

    /// <summary>A concatenation.</summary>
    Concat,

    /// <summary>A pad.</summary>
    Pad,

    /// <summary>A reshape.</summary>
    Reshape,

    /// <summary>A clamp.</summary>
    Activation,

    /// <summary>A softmax.</summary>
    Softmax,
}

/// <summary>What random networks may contain, for levels and targets that have limits.</summary>
/// <param name="MaximumExtent">Largest height and width of an input.</param>
/// <param name="MaximumChannels">Largest number of channels of inputs and convolutions; concatenations and depthwise multipliers go up to three times that.</param>
/// <param name="MaximumBatch">Largest batch.</param>
/// <param name="MaximumLayers">Most layers of a network.</param>
/// <param name="Rounding">Rounding scheme of all layers.</param>
/// <param name="Softmax">Whether networks may end in a softmax.</param>
public sealed record RandomNetworkOptions(
    int MaximumExtent = 9, int MaximumChannels = 9, int MaximumBatch = 2, int MaximumLayers = 8, RoundingScheme Rounding = RoundingScheme.TfliteDouble, bool Softmax = true)
{
    /// <summary>What most tests take.</summary>
    public static RandomNetworkOptions Default { get; } = new();
}

/// <summary>
/// Seeded networks that pass the verifier, small and awkward on purpose: odd extents, channels that aren't multiples of 4, strides, dilation, groups,
/// multipliers, asymmetric padding, batches, extreme weights and zero points, dead channels with biases around 2^30, factors from 2^-31 to above 1.
/// Accumulators, and their left shifts, always fit 32 bits: no case rests on an overflow. Equal arguments give equal networks for ever.
/// </summary>
public static class RandomNetworks
{
    /// <summary>All kinds.</summary>
    public static IReadOnlyList<LayerKind> Kinds { get; } = Enum.GetValues<LayerKind>();

    /// <summary>A network of one layer.</summary>
    public static NetworkGraph Layer(LayerKind kind, int seed, RandomNetworkOptions? options = null)
    {
        var builder = new RandomNetworkBuilder(new SeededRandom(Seed(seed, (int)kind + 1)), options ?? RandomNetworkOptions.Default);
        builder.SingleLayer(kind);
        return builder.Build(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{kind}-{seed}"));
    }

    /// <summary>A network of several layers, with branches that join again in additions and concatenations.</summary>
    public static NetworkGraph Network(int seed, RandomNetworkOptions? options = null)
    {
        var builder = new RandomNetworkBuilder(new SeededRandom(Seed(seed, 0)), options ?? RandomNetworkOptions.Default);
        builder.SeveralLayers();
        return builder.Build(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"network-{seed}"));
    }

    /// <summary>
    /// Inputs for a network: uniform codes, extremes only, one code everywhere, ramps, or near the zero point, by the seed.
    /// </summary>
    public static Tensor[] Inputs(NetworkGraph graph, int seed)
    {
        var random = new SeededRandom(Seed(seed, 1000));
        return [.. graph.Inputs.Select(input => Input(input.Type, random))];
    }

    private static Tensor Input(TensorType type, SeededRandom random)
    {
        var codes = new sbyte[type.Shape.Elements];
        var mode = random.Next(0, 6);
        var constant = random.Choose(sbyte.MinValue, sbyte.MaxValue, random.NextCode());
        var zeroPoint = type.Quantization!.ZeroPoint;
        for (var i = 0; i < codes.Length; i++)
        {
            codes[i] = mode switch
            {
                0 => random.OneIn(2) ? sbyte.MinValue : sbyte.MaxValue,
                1 => constant,
                2 => (sbyte)(i + constant),
                3 => (sbyte)Math.Clamp(zeroPoint + random.Next(-2, 2), sbyte.MinValue, sbyte.MaxValue),
                _ => random.NextCode(),
            };
        }

        return Tensor.From<sbyte>(ElementType.Int8, type.Shape, codes);
    }

    private static ulong Seed(int seed, int stream) => ((ulong)(uint)stream << 32) | (uint)seed;
}
