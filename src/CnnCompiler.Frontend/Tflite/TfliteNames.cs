using CnnCompiler.Core;
using CnnCompiler.Frontend.Binding;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>
/// Names that people can read for the values of an imported model, from the model's own: of <c>model/conv2d_1/Relu;model/conv2d_1/BiasAdd</c> remains <c>conv2d_1</c>. Tensors that the converter
/// named after nothing (<c>StatefulPartitionedCall:0</c>) are called as what makes them.
/// </summary>
internal static class TfliteNames
{
    private const int LongestReadable = 40;
    private const string Served = "serving_default_";
    private const string Quantized = "_int8";
    private const string Made = "_";
    private const string Unnamed = "values";

    /// <summary>Last parts of a path that say an operation, not a layer; numbers may follow.</summary>
    private static readonly HashSet<string> Operations = new(
        [
            "Relu", "BiasAdd", "Conv2D", "Conv", "depthwise", "separable_conv2d", "MatMul", "FusedBatchNorm", "FusedBatchNormV", "Softmax", "add", "Add", "AddV", "add_", "mul", "mul_", "sub",
            "Reshape", "AvgPool", "MaxPool", "Mean", "Pad", "concat", "Sigmoid", "Tanh", "LeakyRelu", "Squeeze", "transpose", "conv2d_transpose", "ResizeBilinear", "ResizeNearestNeighbor", "convolution", "Maximum",
        ],
        StringComparer.Ordinal);

    private static readonly HashSet<string> Nameless = new(["StatefulPartitionedCall", "PartitionedCall", "Identity"], StringComparer.Ordinal);

    /// <summary>The graph with readable names instead of <c>t</c> and the tensor's index.</summary>
    /// <param name="graph">The network as the operators' builders made it.</param>
    /// <param name="labels">The model's names, by value name.</param>
    /// <param name="renamed">Takes the new names, by the old.</param>
    public static NetworkGraph Rename(NetworkGraph graph, IReadOnlyDictionary<string, string> labels, Dictionary<string, string> renamed)
    {
        var names = new UniqueNames();

        // Inputs and outputs first: a layer on the way doesn't take an output's name.
        var makers = graph.Layers.ToDictionary(layer => layer.Name, layer => layer.Keyword, StringComparer.Ordinal);
        foreach (var value in graph.Inputs.Select(input => input.Name).Concat(graph.Outputs).Concat(graph.Layers.Select(layer => layer.Name)))
        {
            if (!renamed.ContainsKey(value))
            {
                // What a builder adds on the way is named after the operator's result: t7_flat.
                var mark = value.IndexOf(Made, StringComparison.Ordinal);
                var (owner, rest) = mark < 0 ? (value, string.Empty) : (value[..mark], value[mark..]);
                var name = (labels.TryGetValue(owner, out var label) ? Readable(label) : null) ?? makers.GetValueOrDefault(owner, Unnamed);
                renamed.Add(value, names.Take(Identifiers.Of(name + rest)));
            }
        }

        string New(string name) => renamed[name];
        return graph with
        {
            Inputs = graph.Inputs.Select(input => input with { Name = New(input.Name) }).ToEquatableArray(),
            Layers = graph.Layers.Select(layer => layer with { Name = New(layer.Name), Inputs = layer.Inputs.Select(New).ToEquatableArray() }).ToEquatableArray(),
            Outputs = graph.Outputs.Select(New).ToEquatableArray(),
        };
    }

    /// <summary>The part of a label that names a layer, or null where there is none.</summary>
    private static string? Readable(string label)
    {
        var end = label.AsSpan().IndexOfAny(';', ':');
        var parts = (end < 0 ? label : label[..end]).Split('/', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var last = parts.Length - 1;
        if (last > 0 && Operations.Contains(parts[last].TrimEnd('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')))
        {
            last--;
        }

        if (last < 0)
        {
            return null;
        }

        var name = parts[last].StartsWith(Served, StringComparison.Ordinal) ? parts[last][Served.Length..] : parts[last];
        name = name.EndsWith(Quantized, StringComparison.Ordinal) ? name[..^Quantized.Length] : name;
        return Nameless.Contains(name) ? null : name.Length is > 0 and <= LongestReadable && name.Any(char.IsAsciiLetterOrDigit) ? name : null;
    }
}
