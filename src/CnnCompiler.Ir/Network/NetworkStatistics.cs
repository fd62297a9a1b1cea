using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network;

/// <summary>Sizes of a network by which people know it.</summary>
/// <param name="Parameters">Trained numbers: weights, biases, scales and offsets of normalisations, constants; not means and variances.</param>
/// <param name="Macs">Multiplications of weights, or of two values, with activations for one evaluation; every tap of a kernel counts, also where it meets padding.</param>
public readonly record struct NetworkStatistics(long Parameters, long Macs)
{
    /// <summary>Counts a verified network.</summary>
    public static NetworkStatistics Of(NetworkGraph graph)
    {
        var types = graph.Inputs.ToDictionary(input => input.Name, input => input.Type, StringComparer.Ordinal);
        var total = default(NetworkStatistics);
        foreach (var layer in graph.Layers)
        {
            var own = Of(layer, [.. layer.Inputs.Select(name => types[name])]);
            total = new(total.Parameters + own.Parameters, total.Macs + own.Macs);
            types[layer.Name] = layer.Type;
        }

        return total;
    }

    /// <summary>Counts one layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="inputs">Types of its inputs.</param>
    public static NetworkStatistics Of(Layer layer, IReadOnlyList<TensorType> inputs)
    {
        var result = layer.Type.Shape.Elements;
        return layer.Match(
            conv2D: l => Product(l.Weights, l.Bias, result, l.Weights.Shape[0]),
            depthwiseConv2D: l => Product(l.Weights, l.Bias, result, l.Weights.Shape[3]),
            dense: l => Product(l.Weights, l.Bias, result, l.Weights.Shape[0]),
            maxPool2D: _ => default,
            averagePool2D: _ => default,
            add: _ => default,
            concat: _ => default,
            pad: _ => default,
            reshape: _ => default,
            activation: _ => default,
            softmax: _ => default,
            conv3D: l => Product(l.Weights, l.Bias, result, l.Weights.Shape[0]),

            // Each element of the input meets the whole kernel of each output channel of its group.
            conv2DTranspose: l => new NetworkStatistics(Count(l.Weights, l.Bias), inputs[0].Shape.Elements / inputs[0].Shape[3] * l.Weights.Shape.Elements),
            matMul: l => new NetworkStatistics(0, result * (l.TransposeFirst ? inputs[0].Shape.Dimensions[^2] : inputs[0].Shape.Dimensions[^1])),
            capsuleTransform: l => new NetworkStatistics(l.Weights.Shape.Elements, result * l.Weights.Shape[2]),
            maxPool3D: _ => default,
            averagePool3D: _ => default,
            mean: _ => default,
            constant: l => new NetworkStatistics(l.Value.Shape.Elements, 0),
            sub: _ => default,
            mul: _ => default,
            unary: _ => default,
            clip: _ => default,
            batchNorm: l => new NetworkStatistics(Count(l.Scale, l.Offset), 0),
            layerNorm: l => new NetworkStatistics(Count(l.Scale, l.Offset), 0),
            lrn: _ => default,
            squash: _ => default,
            routing: _ => default,
            quantize: _ => default,
            dequantize: _ => default,
            transpose: _ => default,
            stridedSlice: _ => default,
            split: _ => default,
            resize: _ => default,
            proposal: _ => default,
            roiPool: _ => default);
    }

    private static NetworkStatistics Product(Tensor weights, Tensor? bias, long result, int channels) => new(Count(weights, bias), result * (weights.Shape.Elements / channels));

    private static long Count(params ReadOnlySpan<Tensor?> arrays)
    {
        var count = 0L;
        foreach (var array in arrays)
        {
            count += array?.Shape.Elements ?? 0;
        }

        return count;
    }
}
