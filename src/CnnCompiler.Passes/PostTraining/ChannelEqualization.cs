using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Passes.PostTraining;

/// <summary>
/// Brings the channels of a value that one layer makes and one other reads to like ranges: a factor that the first layer's weights lose is put into the second's (Nagel et al. 2019, section 4.1). The network
/// computes the same, but all channels use the codes of their one scale. Weights before have a scale a channel, so that only the channels' ranges and the weights behind are to be balanced: the factor is
/// sqrt(range / weight), as Xiao et al. 2023 choose it (SmoothQuant, eq. 4).
/// </summary>
internal static class ChannelEqualization
{
    // Beyond, a channel is as good as unused.
    private const double MostFactor = 64;

    /// <summary>Values whose channels can be brought to like ranges.</summary>
    public static IReadOnlySet<string> Candidates(NetworkGraph graph) => Pairs(graph).Select(pair => pair.First.Name).ToHashSet(StringComparer.Ordinal);

    /// <summary>The network with like ranges.</summary>
    /// <param name="graph">A network made ready.</param>
    /// <param name="largest">Largest magnitude of each channel (the last dimension) of each candidate.</param>
    public static NetworkGraph Equalize(NetworkGraph graph, IReadOnlyDictionary<string, float[]> largest)
    {
        var layers = graph.Layers.ToDictionary(layer => layer.Name, StringComparer.Ordinal);
        foreach (var (first, second) in Pairs(graph))
        {
            var (before, behind) = (layers[first.Name], layers[second.Name]);
            var factors = Factors(largest[first.Name], InputMagnitudes(behind));
            var (weights, axis) = before.StoredWeights()!.Value;
            var scaled = weights.AsSpan<float>().ToArray();
            for (var i = 0; i < scaled.Length; i++)
            {
                scaled[i] = (float)(scaled[i] / factors[LayerEdits.ChannelOf(weights, axis, i)]);
            }

            var bias = (before.Attribute(LayerEdits.Bias) as Tensor)?.AsSpan<float>().ToArray();
            for (var c = 0; c < bias?.Length; c++)
            {
                bias[c] = (float)(bias[c] / factors[c]);
            }

            layers[first.Name] = before.With((LayerEdits.Weights, LayerEdits.Real(weights.Shape, scaled)), (LayerEdits.Bias, bias is null ? null : LayerEdits.Real(Shape.Of(bias.Length), bias)));
            var reading = behind.StoredWeights()!.Value.Weights;
            var numbers = reading.AsSpan<float>().ToArray();
            for (var i = 0; i < numbers.Length; i++)
            {
                // Input channels are the last dimension of all weights here.
                numbers[i] = (float)(numbers[i] * factors[i % factors.Length]);
            }

            layers[second.Name] = behind.With((LayerEdits.Weights, LayerEdits.Real(reading.Shape, numbers)));
        }

        return graph with { Layers = [.. graph.Layers.Select(layer => layers[layer.Name])] };
    }

    // A clamp at 0 lets factors through, one elsewhere doesn't.
    private static IEnumerable<(Layer First, Layer Second)> Pairs(NetworkGraph graph)
    {
        var uses = LayerEdits.Uses(graph);
        var made = new Dictionary<string, Layer>(StringComparer.Ordinal);
        foreach (var layer in graph.Layers)
        {
            if (layer.Inputs is [var name] && uses[name] == 1 && made.TryGetValue(name, out var before) && Reads(layer, before.Type.Shape.Dimensions[^1]))
            {
                yield return (before, layer);
            }

            if (layer is Conv2D or DepthwiseConv2D or Dense or Conv3D && layer.Attribute(LayerEdits.Activation) is FusedActivation.None or FusedActivation.Relu)
            {
                made.Add(layer.Name, layer);
            }
        }
    }

    private static bool Reads(Layer layer, int channels) => layer switch
    {
        Conv2D { Groups: 1 } or Conv3D { Groups: 1 } => true,
        DepthwiseConv2D { Multiplier: 1 } => true,
        Dense dense => dense.Weights.Shape[1] == channels,
        _ => false,
    };

    private static double[] InputMagnitudes(Layer layer)
    {
        var weights = layer.StoredWeights()!.Value.Weights;
        var largest = new double[weights.Shape.Dimensions[^1]];
        var numbers = weights.AsSpan<float>();
        for (var i = 0; i < numbers.Length; i++)
        {
            largest[i % largest.Length] = Math.Max(largest[i % largest.Length], Math.Abs((double)numbers[i]));
        }

        return largest;
    }

    private static double[] Factors(float[] ranges, double[] weights)
    {
        var logarithms = ranges.Select((range, c) => range > 0 && weights[c] > 0 ? Math.Log(range / weights[c]) / 2 : (double?)null).ToArray();
        var mean = logarithms.Average() ?? 0;
        return Array.ConvertAll(logarithms, logarithm => Math.Clamp(Math.Exp((logarithm ?? mean) - mean), 1 / MostFactor, MostFactor));
    }
}
