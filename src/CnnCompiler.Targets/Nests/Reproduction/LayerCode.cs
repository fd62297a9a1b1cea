using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;

namespace CnnCompiler.Targets.Nests.Reproduction;

/// <summary>
/// The size of code with one instruction a layer, for a machine that has a unit for each kind of layer: an operation code, addresses, extents of operands and result, attributes. Packed as
/// <see cref="DescriptorSize.Packed"/> is: as many bytes a number as it needs, four for an address or a real number.
/// </summary>
public static class LayerCode
{
    private const int AddressBytes = 4;

    /// <summary>Bytes of a network's instructions; views (reshape) have none.</summary>
    public static long Bytes(NetworkGraph network)
    {
        var types = network.Inputs.Select(input => (input.Name, input.Type)).Concat(network.Layers.Select(layer => (layer.Name, layer.Type))).ToDictionary(tensor => tensor.Name, tensor => tensor.Type.Shape, StringComparer.Ordinal);
        return network.Layers.Where(layer => layer is not Reshape).Sum(layer =>
            1L + layer.Inputs.Append(layer.Name).Sum(tensor => AddressBytes + types[tensor].Dimensions.Sum(extent => DescriptorSize.PackedBytes(extent)))
            + OperatorTable.Of(layer).Attributes.Sum(attribute => Bytes(attribute.Get(layer))));
    }

    private static long Bytes(object? value) => value switch
    {
        null => 1,
        int number => DescriptorSize.PackedBytes(number),
        EquatableArray<int> numbers => 1 + numbers.Sum(number => DescriptorSize.PackedBytes(number)),
        Spatial => 2,
        Volume => 3,
        Padding => 4,
        VolumePadding => 6,
        Quantization => 2 * AddressBytes,
        bool or Enum => 1,
        _ => AddressBytes,
    };
}
