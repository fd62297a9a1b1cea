using System.Globalization;
using System.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>What can be wrong with a TFLite model: CNN0320 to CNN0339 of the import area.</summary>
public static class TfliteDiagnostics
{
    /// <summary>CNN0320: no TFLite model at all.</summary>
    public static Diagnostic NotAModel(string file, string why) =>
        Error("CNN0320", file, $"this is not a TFLite model: {why}", "give a .tflite file as TensorFlow's TFLiteConverter writes it");

    /// <summary>CNN0321: a damaged file.</summary>
    public static Diagnostic Malformed(string file, string part, string why) =>
        Error("CNN0321", file, $"the TFLite file is damaged at {part}: {why}", "convert or download the model again");

    /// <summary>CNN0322: a file whose parts share bytes to describe far more than it holds.</summary>
    public static Diagnostic TooMuch(string file, string part, long length, long limit) => Error(
        "CNN0322", file, Text($"the file of {length} bytes describes more than {limit} bytes of tables and constants (reached at {part})"), "its parts share bytes in a way that no converter produces: convert the model again");

    /// <summary>CNN0323: an operator that is not supported at all.</summary>
    public static Diagnostic UnsupportedOperator(string file, int index, string name, string tensor, string why, string remedy) =>
        Error("CNN0323", file, Text($"operator {index}, {name}, which makes {tensor}, is not supported: {why}"), remedy);

    /// <summary>CNN0324: a supported operator used in a way that is not.</summary>
    public static Diagnostic UnsupportedUse(string file, int index, string name, string tensor, string why, string remedy) =>
        Error("CNN0324", file, Text($"operator {index}, {name}, which makes {tensor}, can't be used like this: {why}"), remedy);

    /// <summary>CNN0325: values of a type that is not int8.</summary>
    public static Diagnostic UnsupportedType(string file, string type, string tensor, int others, string remedy) => Error(
        "CNN0325", file, Text($"{tensor} is {type}{(others == 0 ? string.Empty : Text($", and so are {others} more"))}; only int8 values are supported at run time"), remedy);

    /// <summary>CNN0326: a tensor that is sparse, variable, of unknown shape or not quantised.</summary>
    public static Diagnostic UnsupportedTensor(string file, string tensor, string why, string remedy) =>
        Error("CNN0326", file, $"{tensor} can't be used: {why}", remedy);

    /// <summary>CNN0327: shapes or numbers of one operator that contradict each other.</summary>
    public static Diagnostic Inconsistent(string file, int index, string name, string why) =>
        Error("CNN0327", file, Text($"operator {index}, {name}, contradicts itself: {why}"), "convert the model again; if it was edited by hand, make shapes and options agree");

    /// <summary>CNN0328: an order of operators, or graph inputs and outputs, that no network has.</summary>
    public static Diagnostic BadGraph(string file, string why) =>
        Error("CNN0328", file, $"the graph is not one that can run: {why}", "convert the model again");

    /// <summary>CNN0329 (a warning): further subgraphs are left out.</summary>
    public static Diagnostic OtherSubgraphs(string file, int count) => new(
        "CNN0329", DiagnosticSeverity.Warning, SourceSpan.WholeFile(file), Text($"the model has {count} subgraphs; only the first, the main one, is compiled"), "export the other subgraphs as models of their own if they are needed");

    /// <summary>CNN0330: a schema version that is unknown.</summary>
    public static Diagnostic UnknownVersion(string file, uint version) =>
        Error("CNN0330", file, Text($"the model uses version {version} of the TFLite schema; only version 3 is known"), "convert the model with TensorFlow 2");

    /// <summary>CNN0331: too much is refused to name it all.</summary>
    public static Diagnostic MoreRefusals(string file, int listed) =>
        Error("CNN0331", file, Text($"more than {listed} operators and tensors are refused; the rest is not listed"), "mend those above first");

    /// <summary>True for refusals after which the other operators can still be looked at.</summary>
    internal static bool ConcernsOneOperator(Diagnostic diagnostic) => diagnostic.Code is "CNN0324" or "CNN0327";

    /// <summary>Text of a file as a message may show it: quoted, short, without control characters.</summary>
    internal static string Quote(string text)
    {
        const int Longest = 60;
        var shown = new StringBuilder("'");
        foreach (var rune in text.EnumerateRunes().Take(Longest))
        {
            shown.Append(Rune.IsControl(rune) || rune == Rune.ReplacementChar ? new Rune('?') : rune);
        }

        return shown.Append(text.Length > Longest ? "...'" : "'").ToString();
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static Diagnostic Error(string code, string file, string message, string remedy) =>
        new(code, DiagnosticSeverity.Error, SourceSpan.WholeFile(file), message, remedy);
}
