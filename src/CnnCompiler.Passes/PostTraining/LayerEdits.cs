using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;

namespace CnnCompiler.Passes.PostTraining;

/// <summary>Layers made anew with other attributes, by the names that their operators declare.</summary>
internal static class LayerEdits
{
    public const string Weights = "weights";
    public const string Scales = "scales";
    public const string Bias = "bias";
    public const string Activation = "activation";
    public const string Rounding = "rounding";
    public const string Value = "value";

    /// <summary>The layer with other values of some attributes; attributes that its operator doesn't have are left out.</summary>
    public static Layer With(this Layer layer, params ReadOnlySpan<(string Name, object? Value)> changes)
    {
        var definition = OperatorTable.Of(layer);
        var values = definition.Attributes.ToDictionary(attribute => attribute.Name, attribute => attribute.Get(layer), StringComparer.Ordinal);
        foreach (var (name, value) in changes)
        {
            if (values.ContainsKey(name))
            {
                values[name] = value;
            }
        }

        return definition.Create(new(layer.Name, layer.Inputs, layer.Type), values) with { Span = layer.Span };
    }

    /// <summary>Value of an attribute, or null where the operator has none of that name.</summary>
    public static object? Attribute(this Layer layer, string name)
    {
        foreach (var attribute in OperatorTable.Of(layer).Attributes)
        {
            if (attribute.Name == name)
            {
                return attribute.Get(layer);
            }
        }

        return null;
    }

    /// <summary>Weights of a layer that sums products with stored ones, and the dimension of their output channels; null for others (capsules have no int8 form).</summary>
    public static (Tensor Weights, int Axis)? StoredWeights(this Layer layer) =>
        layer is not CapsuleTransform && layer.Attribute(Weights) is Tensor weights ? (weights, layer is DepthwiseConv2D ? 3 : 0) : null;

    /// <summary>For each weight, in their order, its output channel.</summary>
    public static int ChannelOf(Tensor weights, int axis, int index) => axis == 0 ? index / (int)(weights.Shape.Elements / weights.Shape[0]) : index % weights.Shape[axis];

    /// <summary>A tensor of f32.</summary>
    public static Tensor Real(Shape shape, ReadOnlySpan<float> elements) => Tensor.From(ElementType.Float32, shape, elements);

    /// <summary>Types of all values by name.</summary>
    public static Dictionary<string, TensorType> Types(NetworkGraph graph)
    {
        var types = graph.Inputs.ToDictionary(input => input.Name, input => input.Type, StringComparer.Ordinal);
        foreach (var layer in graph.Layers)
        {
            types[layer.Name] = layer.Type;
        }

        return types;
    }

    /// <summary>How often each value is read, outputs included.</summary>
    public static Dictionary<string, int> Uses(NetworkGraph graph) =>
        graph.Layers.SelectMany(layer => layer.Inputs).Concat(graph.Outputs).GroupBy(name => name, StringComparer.Ordinal).ToDictionary(group => group.Key, group => group.Count(), StringComparer.Ordinal);

    /// <summary>A row of names.</summary>
    public static EquatableArray<string> Names(params ReadOnlySpan<string> names) => EquatableArray.Create(names);
}
