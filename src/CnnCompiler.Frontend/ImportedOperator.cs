using CnnCompiler.Frontend.Onnx;
using CnnCompiler.Frontend.Tflite;

namespace CnnCompiler.Frontend;

/// <summary>An operator of a model format as its importer's row states it.</summary>
/// <param name="Format">The format: tflite, onnx.</param>
/// <param name="Name">The format's name of the operator.</param>
/// <param name="Attributes">Attributes or options that are read, separated by spaces.</param>
/// <param name="Types">Types of its values at run time.</param>
/// <param name="Becomes">What it becomes, and what of it is refused.</param>
public sealed record ImportedOperator(string Format, string Name, string Attributes, string Types, string Becomes)
{
    /// <summary>The rows that the importers use, format by format.</summary>
    public static IReadOnlyList<ImportedOperator> All { get; } =
    [
        .. TfliteOperators.All.Select(row => new ImportedOperator("tflite", row.Name, row.Attributes, row.Types, row.Becomes)),
        .. OnnxOperators.All.Select(row => new ImportedOperator("onnx", row.Domain.Length == 0 ? row.Name : $"{row.Domain}.{row.Name}", row.Attributes, OnnxTypes(row), row.Becomes)),
    ];

    private static string OnnxTypes(OnnxOperatorRow row) => row switch
    {
        { Build: null } => "none",
        { Domain.Length: > 0 } => "int8, uint8",
        _ when row.Name.StartsWith("QLinear", StringComparison.Ordinal) || row.Name.EndsWith("Integer", StringComparison.Ordinal) => "int8, uint8",
        { KeepsCodes: true } or { Name: "DequantizeLinear" or "QuantizeLinear" } => "float, int8, uint8",
        _ => "float",
    };
}
