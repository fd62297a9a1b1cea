using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>A tensor of a TFLite file: a value at run time, or a constant where its buffer has data.</summary>
/// <param name="Index">Index in the subgraph.</param>
/// <param name="Label">Name in the file.</param>
/// <param name="TypeCode">Element type as the schema numbers it.</param>
/// <param name="Shape">Extents; all positive.</param>
/// <param name="Quantization">What the codes mean, or null.</param>
/// <param name="Data">The constant's bytes; empty for a value at run time.</param>
/// <param name="Unusable">Why no operator may use the tensor, with a remedy, or null.</param>
internal sealed record TfliteTensor(
    int Index, string Label, byte TypeCode, Shape Shape, Quantization? Quantization, ReadOnlyMemory<byte> Data, (string Why, string Remedy)? Unusable)
{
    /// <summary>Name of the value in a network: <c>t</c> and the index, unique whatever the file's names are.</summary>
    public string ValueName => string.Create(CultureInfo.InvariantCulture, $"t{Index}");

    /// <summary>True where the file holds the elements.</summary>
    public bool IsConstant => !Data.IsEmpty;

    /// <summary>Element type, or null where we have none.</summary>
    public ElementType? Element => TfliteSchema.ElementTypeOf(TypeCode);

    /// <summary>As messages name it: tensor t22 'conv/Relu'.</summary>
    public string Display => $"tensor {ValueName} {TfliteDiagnostics.Quote(Label)}";

    /// <summary>True for a FLOAT32 tensor.</summary>
    public bool IsReal => TypeCode == TfliteSchema.Float32Type;

    /// <summary>Type of the value; only for INT8, UINT8 and FLOAT32 tensors.</summary>
    public TensorType Type => IsReal ? new(ElementType.Float32, Shape) : new(TypeCode == TfliteSchema.UInt8Type ? ElementType.UInt8 : ElementType.Int8, Shape, Quantization);

    /// <summary>Scale and zero point as messages show them.</summary>
    public string DisplayQuantization => Quantization is { } q
        ? string.Create(CultureInfo.InvariantCulture, $"scale {q.Scale:R} and zero point {q.ZeroPoint}")
        : "no quantisation";
}
