using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Algorithms;

/// <summary>Diagnostics of the choice of convolution algorithms: CNN0990 and CNN0991.</summary>
public static class AlgorithmDiagnostics
{
    /// <summary>CNN0990: a layer that an algorithm can't compute.</summary>
    public static Diagnostic Refused(GconvOperator operation, ConvolutionAlgorithm algorithm, string why) =>
        new("CNN0990", DiagnosticSeverity.Error, operation.Span.Value, $"'{operation.Name}' can't be {algorithm.Name}: {why}", "choose another algorithm or none for it");

    /// <summary>CNN0991: a choice that isn't written as one.</summary>
    public static Diagnostic NoPair(string text) =>
        new("CNN0991", DiagnosticSeverity.Error, SourceSpan.None, $"'{text}' names no layer and algorithm", "write LAYER=ALGORITHM, with commas between several");
}
