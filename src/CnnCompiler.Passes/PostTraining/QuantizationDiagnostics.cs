using System.Globalization;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.PostTraining;

/// <summary>Diagnostics of post-training quantisation: CNN0180 to CNN0199.</summary>
public static class QuantizationDiagnostics
{
    /// <summary>CNN0180: a value that is not f32.</summary>
    public static Diagnostic NotReal(SourceSpan span, string name, TensorType type) => Error(
        "CNN0180", span, $"'{name}' is {type}, and only networks of f32 values can be quantised", "give the float model that this one was made from, or compile it as it is");

    /// <summary>CNN0181: an operator that has no arithmetic on i8.</summary>
    public static Diagnostic NoInt8Form(Layer layer) => Error(
        "CNN0181",
        layer.Span.Value,
        $"{layer.Keyword} '{layer.Name}' has no int8 arithmetic, so that the network can't be quantised",
        layer is BatchNorm
            ? "put it behind a convolution or dense layer that nothing else reads, into which it is folded; or compile the network in fixed point (docs/language.md, element types)"
            : "train the network without it, or compile the network in fixed point (docs/language.md, element types)");

    /// <summary>CNN0182: nothing to calibrate with.</summary>
    public static Diagnostic NoSamples(string network) =>
        Error("CNN0182", SourceSpan.None, $"there are no samples to calibrate network '{network}' with", "give an array [samples, ...] with some 50 to 500 typical inputs");

    /// <summary>CNN0183: a value that is not a number, or infinite, on some sample.</summary>
    public static Diagnostic NotFinite(string name, int sample) => Error(
        "CNN0183",
        SourceSpan.None,
        string.Create(CultureInfo.InvariantCulture, $"'{name}' has elements that are not finite on sample {sample}"),
        "check that the samples are scaled as the network was trained with them");

    /// <summary>CNN0184: samples of another form than the inputs.</summary>
    public static Diagnostic WrongSample(NetworkInput input, string got, string remedy) =>
        Error("CNN0184", SourceSpan.None, $"samples for input '{input.Name}', {input.Type}, are {got}", remedy);

    /// <summary>CNN0185: a percentile that keeps nothing.</summary>
    public static Diagnostic WrongPercentile(double percentile) => Error(
        "CNN0185", SourceSpan.None, string.Create(CultureInfo.InvariantCulture, $"a percentile of {percentile} keeps no range"), "give one above 50 and at most 100, such as 99.99");

    /// <summary>CNN0186: weights that are not finite.</summary>
    public static Diagnostic WeightsNotFinite(Layer layer) =>
        Error("CNN0186", layer.Span.Value, $"{layer.Keyword} '{layer.Name}' has weights that are not finite", "export the model again from sound weights");

    private static Diagnostic Error(string code, SourceSpan span, string message, string remedy) => new(code, DiagnosticSeverity.Error, span, message, remedy);
}
