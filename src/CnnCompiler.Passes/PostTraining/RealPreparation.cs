using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Passes.PostTraining;

/// <summary>
/// Makes an f32 network ready to be quantised without changing what it computes beyond the last bits: batch normalisation is folded into the weights before it (Jacob et al. 2018, section 3.2) or becomes
/// a depthwise 1x1 convolution, and activations are fused into the layer before them, so that no range has to hold what is cut off.
/// </summary>
public static class RealPreparation
{
    /// <summary>The network made ready; values that remain keep their names.</summary>
    /// <param name="graph">A verified network.</param>
    public static NetworkGraph Prepare(NetworkGraph graph)
    {
        var uses = LayerEdits.Uses(graph);
        var layers = new List<Layer>();
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var layer in graph.Layers)
        {
            var before = layer.Inputs is [var name] && uses[name] == 1 && places.TryGetValue(name, out var place) ? place : -1;
            var merged = before < 0 ? null : Merge(layers[before], layer);
            if (merged is not null)
            {
                // Nothing else reads the layer before, so that its place may be this one's.
                layers[before] = merged with { Name = layer.Name };
                places.Remove(layer.Inputs[0]);
                places[layer.Name] = before;
            }
            else
            {
                places[layer.Name] = layers.Count;
                layers.Add(layer is BatchNorm { Type.Shape.Rank: 4 } normalization ? AsDepthwise(normalization) : layer);
            }
        }

        return graph with { Layers = [.. layers] };
    }

    private static Layer? Merge(Layer before, Layer layer) => layer switch
    {
        BatchNorm normalization => Fold(before, normalization),
        Activation { Function: var function } => Fuse(before, function),
        Clip { Low: 0, High: float.PositiveInfinity } => Fuse(before, FusedActivation.Relu),
        Clip { Low: 0, High: 6 } => Fuse(before, FusedActivation.Relu6),
        Clip { Low: -1, High: 1 } => Fuse(before, FusedActivation.ReluN1To1),
        _ => null,
    };

    private static Layer? Fuse(Layer before, FusedActivation function) =>
        before is not Activation && before.Attribute(LayerEdits.Activation) is FusedActivation.None ? before.With((LayerEdits.Activation, function)) : null;

    // y = gamma * (w x + b - mean) / sqrt(variance + epsilon) + offset
    private static Layer? Fold(Layer before, BatchNorm normalization)
    {
        if (before.StoredWeights() is not var (weights, axis) || before.Attribute(LayerEdits.Activation) is not FusedActivation.None || weights.Shape[axis] != normalization.Scale.Shape.Elements)
        {
            return null;
        }

        var (factors, offsets) = Affine(normalization);
        var folded = weights.AsSpan<float>().ToArray();
        for (var i = 0; i < folded.Length; i++)
        {
            folded[i] = (float)(folded[i] * factors[LayerEdits.ChannelOf(weights, axis, i)]);
        }

        var biases = (before.Attribute(LayerEdits.Bias) as Tensor)?.AsSpan<float>().ToArray() ?? new float[factors.Length];
        for (var c = 0; c < biases.Length; c++)
        {
            biases[c] = (float)((biases[c] * factors[c]) + offsets[c]);
        }

        return before.With((LayerEdits.Weights, LayerEdits.Real(weights.Shape, folded)), (LayerEdits.Bias, LayerEdits.Real(Shape.Of(biases.Length), biases)));
    }

    private static DepthwiseConv2D AsDepthwise(BatchNorm normalization)
    {
        var (factors, offsets) = Affine(normalization);
        var channels = factors.Length;
        return new(
            normalization.Name,
            normalization.Inputs,
            normalization.Type,
            LayerEdits.Real(Shape.Of(1, 1, 1, channels), Array.ConvertAll(factors, factor => (float)factor)),
            null,
            LayerEdits.Real(Shape.Of(channels), Array.ConvertAll(offsets, offset => (float)offset)),
            new(1, 1),
            new(1, 1),
            default,
            1,
            FusedActivation.None,
            RoundingScheme.TfliteDouble) { Span = normalization.Span };
    }

    private static (double[] Factors, double[] Offsets) Affine(BatchNorm normalization)
    {
        var scale = normalization.Scale.AsSpan<float>();
        var offset = normalization.Offset.AsSpan<float>();
        var mean = normalization.Mean.AsSpan<float>();
        var variance = normalization.Variance.AsSpan<float>();
        var (factors, offsets) = (new double[scale.Length], new double[scale.Length]);
        for (var c = 0; c < factors.Length; c++)
        {
            factors[c] = scale[c] / Math.Sqrt((double)variance[c] + normalization.Epsilon);
            offsets[c] = offset[c] - (mean[c] * factors[c]);
        }

        return (factors, offsets);
    }
}
