using System.Globalization;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>What can be wrong with an ONNX model: CNN0350 to CNN0369 of the import area.</summary>
public static class OnnxDiagnostics
{
    /// <summary>CNN0350: no ONNX model, or a damaged one.</summary>
    public static Diagnostic NotAModel(string file, string why) =>
        Error("CNN0350", file, $"this is not an ONNX model that can be read: {why}", "give an .onnx file as exporters write it, or export the model again");

    /// <summary>CNN0351: sizes beyond every limit.</summary>
    public static Diagnostic TooLarge(string file, string what, long amount, long limit) =>
        Error("CNN0351", file, Text($"{what} is {amount}; at most {limit} is read"), "use a smaller model");

    /// <summary>CNN0352: an operator that is not supported at all.</summary>
    public static Diagnostic UnsupportedOperator(string file, int node, string name, string made, string why, string remedy) =>
        Error("CNN0352", file, Text($"node {node}, {Tidy(name)}, which makes {Quote(made)}, is not supported: {why}"), remedy);

    /// <summary>CNN0353: a supported operator used in a way that is not.</summary>
    public static Diagnostic UnsupportedUse(string file, int node, string name, string made, string why, string remedy) =>
        Error("CNN0353", file, Text($"node {node}, {Tidy(name)}, which makes {Quote(made)}, can't be used like this: {why}"), remedy);

    /// <summary>CNN0354: numbers of a type that networks have not.</summary>
    public static Diagnostic UnsupportedType(string file, string value, string type, string remedy) =>
        Error("CNN0354", file, $"{Quote(value)} holds {type}, which networks can't", remedy);

    /// <summary>CNN0355: shapes or attributes of one node that contradict each other.</summary>
    public static Diagnostic Inconsistent(string file, int node, string name, string why) =>
        Error("CNN0355", file, Text($"node {node}, {Tidy(name)}, contradicts itself: {why}"), "export the model again; if it was edited by hand, make shapes and attributes agree");

    /// <summary>CNN0356: a graph that can't run.</summary>
    public static Diagnostic BadGraph(string file, string why) =>
        Error("CNN0356", file, $"the graph is not one that can run: {why}", "export the model again");

    /// <summary>CNN0357: a shape that is only known at run time.</summary>
    public static Diagnostic UnknownShape(string file, string value) =>
        Error("CNN0357", file, $"the shape of the input {Quote(value)} is not fixed (only a batch of unknown size is taken, as 1)", "export the model with fixed input shapes");

    /// <summary>CNN0358: weights in another file.</summary>
    public static Diagnostic ExternalData(string file, string value) =>
        Error("CNN0358", file, $"the tensor {Quote(value)} is stored in another file (external data)", "save the model with all tensors inside (onnx.save with save_as_external_data=False)");

    /// <summary>CNN0359: too much is refused to name it all.</summary>
    public static Diagnostic MoreRefusals(string file, int listed) =>
        Error("CNN0359", file, Text($"more than {listed} nodes are refused; the rest is not listed"), "mend those above first");

    /// <summary>CNN0360: an operator set that is older or newer than those that are known.</summary>
    public static Diagnostic UnknownOpset(string file, long version, int oldest, int newest) =>
        Error("CNN0360", file, Text($"the model uses operator set {version} of ai.onnx; {oldest} to {newest} are known"), "convert the model with onnx.version_converter");

    /// <summary>Text of a file as a message may show it.</summary>
    internal static string Quote(string text) => TfliteDiagnostics.Quote(text);

    internal static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Tidy(string name) => name.Length <= 60 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or ':') ? name : Quote(name);

    private static Diagnostic Error(string code, string file, string message, string remedy) =>
        new(code, DiagnosticSeverity.Error, SourceSpan.WholeFile(file), message, remedy);
}
