namespace CnnCompiler.Ir.Network;

/// <summary>The one dispatch over layers: a new layer breaks every caller at compile time.</summary>
public static class LayerMatch
{
    /// <summary>Calls the case of the layer's kind.</summary>
    public static T Match<T>(
        this Layer layer,
        Func<Conv2D, T> conv2D,
        Func<DepthwiseConv2D, T> depthwiseConv2D,
        Func<Dense, T> dense,
        Func<MaxPool2D, T> maxPool2D,
        Func<AveragePool2D, T> averagePool2D,
        Func<Add, T> add,
        Func<Concat, T> concat,
        Func<Pad, T> pad,
        Func<Reshape, T> reshape,
        Func<Activation, T> activation,
        Func<Softmax, T> softmax) => layer switch
        {
            Conv2D l => conv2D(l),
            DepthwiseConv2D l => depthwiseConv2D(l),
            Dense l => dense(l),
            MaxPool2D l => maxPool2D(l),
            AveragePool2D l => averagePool2D(l),
            Add l => add(l),
            Concat l => concat(l),
            Pad l => pad(l),
            Reshape l => reshape(l),
            Activation l => activation(l),
            Softmax l => softmax(l),
            _ => throw new InvalidOperationException($"no case for {layer.GetType().Name}"),
        };
}
