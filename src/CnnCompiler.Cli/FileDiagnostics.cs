using System.Globalization;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli;

/// <summary>Files and the command line: CNN0001 to CNN0099.</summary>
public static class FileDiagnostics
{
    /// <summary>CNN0001: the command line can't be understood.</summary>
    public static Diagnostic Usage(string message, string remedy) => Error("CNN0001", string.Empty, message, remedy);

    /// <summary>CNN0002: a word on the command line that isn't one of those known.</summary>
    public static Diagnostic UnknownName(string what, string given, IReadOnlyCollection<string> known)
    {
        var near = Suggestions.Nearest(given, known);
        return Error("CNN0002", string.Empty, $"there is no {what} '{given}'", near is null ? $"choose one of {string.Join(", ", known)}" : $"did you mean '{near}'? There are {string.Join(", ", known)}");
    }

    /// <summary>CNN0003: no such file.</summary>
    public static Diagnostic NotFound(string file, string? near) =>
        Error("CNN0003", file, "the file does not exist", near is null ? "check the path" : $"did you mean '{near}'?");

    /// <summary>CNN0004: a folder where a file is wanted.</summary>
    public static Diagnostic IsDirectory(string file) => Error("CNN0004", file, "this is a folder", "name a file");

    /// <summary>CNN0005: a file that can't be read.</summary>
    public static Diagnostic CannotRead(string file, string reason) => Error("CNN0005", file, $"the file can't be read: {reason}", "check its permissions");

    /// <summary>CNN0006: a file beyond the limit of its kind.</summary>
    public static Diagnostic TooLarge(string file, string kind, long limit) =>
        Error("CNN0006", file, string.Create(CultureInfo.InvariantCulture, $"the file has more than {limit:N0} bytes, the most that {kind} may have"), "check that it is the right file");

    /// <summary>CNN0007: a file that can't be written.</summary>
    public static Diagnostic CannotWrite(string file, string reason) =>
        Error("CNN0007", file, $"the file can't be written: {reason}", "check that its folder exists and may be written to");

    /// <summary>CNN0008: neither a source nor an image.</summary>
    public static Diagnostic UnknownKind(string file, string wanted) => Error("CNN0008", file, $"this is not {wanted}", "check that it is the right file");

    /// <summary>CNN0010: a run without inputs.</summary>
    public static Diagnostic InputsMissing(string file, int given, IReadOnlyCollection<string> inputs) => Error(
        "CNN0010",
        file,
        string.Create(CultureInfo.InvariantCulture, $"the network has {Count(inputs.Count, "input")} and {given} {(given == 1 ? "was" : "were")} given; it takes {string.Join(", ", inputs)}"),
        "give one --input FILE (.npy, or raw .bin) for each, in this order");

    /// <summary>CNN0011: an array of another type or shape than the input.</summary>
    public static Diagnostic InputMismatch(string file, string input, string expected, string got, string remedy) =>
        Error("CNN0011", file, $"input '{input}' is {expected}; the file holds {got}", remedy);

    /// <summary>CNN0012: raw data of another size than the input.</summary>
    public static Diagnostic InputSize(string file, string input, string type, long expected, long got) => Error(
        "CNN0012",
        file,
        string.Create(CultureInfo.InvariantCulture, $"input '{input}' is {type}, {expected:N0} bytes; the file has {got:N0}"),
        "write the elements dense and row-major, without a header; or give an .npy file");

    /// <summary>CNN0013: more outputs asked than the network has.</summary>
    public static Diagnostic TooManyOutputs(string file, int given, IReadOnlyCollection<string> outputs) => Error(
        "CNN0013",
        file,
        string.Create(CultureInfo.InvariantCulture, $"{Count(given, "--output")} for a network with {Count(outputs.Count, "output")}: {string.Join(", ", outputs)}"),
        "give at most one --output FILE for each, in this order");

    /// <summary>CNN0014: a machine file without the variant asked for.</summary>
    public static Diagnostic UnknownVariant(string file, string given, IReadOnlyCollection<string> known) =>
        Error("CNN0014", file, $"the file describes no machine '{given}'", $"choose one of {string.Join(", ", known)}");

    /// <summary>CNN0015: a folder without vectors.</summary>
    public static Diagnostic NoVectors(string file) => Error("CNN0015", file, "there are no vectors here", "name a folder with .json files in the format of golden/openedge, or such a file");

    /// <summary>CNN0016: a reference with none of the network's tensors.</summary>
    public static Diagnostic NoReference(string file, string wanted) => Error("CNN0016", file, "the reference has no tensor of this network", $"it may hold {wanted}");

    /// <summary>CNN0017: a defect of the compiler.</summary>
    public static Diagnostic Internal(string what, string report) => Error(
        "CNN0017",
        string.Empty,
        $"internal error: {what}",
        report.Length == 0 ? "please report it with the input" : $"please report it with {report}, which holds the input, the options and the details; cnnc replay {report} shows it again");

    /// <summary>CNN0018: two results under one name.</summary>
    public static Diagnostic SameOutput(string file) => Error("CNN0018", file, "two results would be written to this file, or a result over its source", "give each its own name");

    /// <summary>CNN0019: a text that can't be rewritten without losing bytes.</summary>
    public static Diagnostic NotUtf8(string file) => Error("CNN0019", file, "the file is not UTF-8 text", "save it as UTF-8");

    /// <summary>CNN0020: a kept cost that is damaged.</summary>
    public static Diagnostic DamagedCost(string file) =>
        new("CNN0020", DiagnosticSeverity.Note, SourceSpan.WholeFile(file), "this kept cost is damaged; it was measured again", "nothing has to be done: it is replaced");

    /// <summary>CNN0021: a folder of costs that can't be used.</summary>
    public static Diagnostic CostsNotKept(string folder, string reason) =>
        new("CNN0021", DiagnosticSeverity.Note, SourceSpan.WholeFile(folder), $"measured costs can't be kept here: {reason}", "check that the folder may be written to, or leave --cost-cache out");

    /// <summary>CNN0022: a file that <c>cnnc replay</c> can't run.</summary>
    public static Diagnostic NoBundle(string file, string why) =>
        Error("CNN0022", file, $"this is no report of a defect that can be replayed: {why}", "name a cnnc-crash-(hash).zip that cnnc wrote when it failed");

    /// <summary>CNN0023: a report of a defect of another version.</summary>
    public static Diagnostic OtherVersion(string file, string made, string here) =>
        new("CNN0023", DiagnosticSeverity.Note, SourceSpan.WholeFile(file), $"the report was made by {made}, this is {here}", $"run {made} to see exactly what was reported");

    private static string Count(int number, string noun) => string.Create(CultureInfo.InvariantCulture, $"{number} {noun}{(number == 1 ? string.Empty : "s")}");

    private static Diagnostic Error(string code, string file, string message, string remedy) =>
        new(code, DiagnosticSeverity.Error, file.Length == 0 ? SourceSpan.None : SourceSpan.WholeFile(file), message, remedy);
}
