using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Types of maps and inputs for networks of a few layers.</summary>
internal static class LayerInputs
{
    /// <summary>Type of a map of codes.</summary>
    public static TensorType Type(int height, int width, int channels, float scale, int zeroPoint) =>
        new(ElementType.Int8, Shape.Of(1, height, width, channels), Quantization.PerTensor(scale, zeroPoint));

    /// <summary>An input of the highest or the lowest codes, or of all.</summary>
    public static Tensor Codes(NetworkGraph network, string kind)
    {
        var shape = network.Inputs[0].Type.Shape;
        return Tensor.From<sbyte>(ElementType.Int8, shape, [.. Enumerable.Range(0, (int)shape.Elements).Select(i => kind switch
        {
            "highest" => sbyte.MaxValue,
            "lowest" => sbyte.MinValue,
            _ => (sbyte)((i * 89 % 256) - 128),
        })]);
    }
}
