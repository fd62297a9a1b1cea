using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>
/// A value of an ONNX graph during import: a constant, or a value of the network. u8 codes are kept as i8 (code and zero point less 128, which is exact); images may be kept channels last.
/// </summary>
/// <param name="Label">Name in the file.</param>
/// <param name="Shape">Extents in the file's order of dimensions.</param>
/// <param name="Element">Element type as the file has it: codes that were dequantised and not yet read are f32.</param>
internal sealed record OnnxValue(string Label, Shape Shape, ElementType Element)
{
    /// <summary>The elements of a constant in the file's order, or null.</summary>
    public Tensor? Constant { get; init; }

    /// <summary>What the codes of a dequantised constant mean; the axis counts the file's dimensions.</summary>
    public Quantization? ConstantCodes { get; init; }

    /// <summary>Name of the network's value; empty for a constant.</summary>
    public string Name { get; init; } = string.Empty;

    /// <summary>Type of the network's value.</summary>
    public TensorType? Type { get; init; }

    /// <summary>True where the network's value has the dimensions N, spatial ones, C.</summary>
    public bool ChannelsLast { get; init; }

    /// <summary>The channels-last image that this value is, flattened to [N, rest] in the file's order; then there is no name yet.</summary>
    public OnnxValue? Flattened { get; init; }

    /// <summary>True for codes that a DequantizeLinear made real numbers of and that are still codes in the network.</summary>
    public bool IsDequantized { get; init; }

    /// <summary>True for a constant.</summary>
    public bool IsConstant => Constant is not null;

    /// <summary>The permutation from the file's order to channels last: 0, 2, ..., 1.</summary>
    public static int[] ToLast(int rank) => [0, .. Enumerable.Range(2, rank - 2), 1];

    /// <summary>The permutation back: 0, rank - 1, 1, ...</summary>
    public static int[] ToFirst(int rank) => [0, rank - 1, .. Enumerable.Range(1, rank - 2)];
}
