using System.Globalization;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Selection;

/// <summary>Diagnostics of the selector (CNN0840 to CNN0846) and of its checker (CNN0847 to CNN0849; those are errors of the compiler).</summary>
public static class SelectionDiagnostics
{
    private const string Internal = "this is an error of the compiler: please report it with the network that shows it";

    /// <summary>CNN0840: more than the selector takes.</summary>
    public static Diagnostic TooLarge(string what, long count, long limit) =>
        Error("CNN0840", $"{count} {what} are more than the {limit} the selector takes", "split the network or offer fewer candidates");

    /// <summary>CNN0841: a graph or description without meaning.</summary>
    public static Diagnostic Malformed(string name, string problem) => Error("CNN0841", $"selection: {name} {problem}", Internal);

    /// <summary>CNN0842: sums of costs would not be exact.</summary>
    public static Diagnostic CostsTooLarge(string unit) =>
        Error("CNN0842", $"the costs come to more than {SelectionCost.Limit} {unit} together", "use a coarser unit or split the network");

    /// <summary>CNN0843: nothing is legal.</summary>
    public static Diagnostic NoLegalChoice(string vertex) =>
        Error("CNN0843", $"no combination of candidates is legal: none is left for '{vertex}'", "force fewer choices, or use a machine or layer sizes that leave a candidate there");

    /// <summary>CNN0844: the search ended before it found anything legal.</summary>
    public static Diagnostic NothingFound(string vertex, long nodes) =>
        Error("CNN0844", $"no legal combination of candidates was found around '{vertex}' in {nodes} search steps; there may be one", "force a choice there, or allow more search steps");

    /// <summary>CNN0845: a forced choice names no decision.</summary>
    public static Diagnostic UnknownVertex(string name, IReadOnlyCollection<string> known) =>
        Error("CNN0845", $"there is nothing to choose for '{name}'", Suggestions.DidYouMean(name, known));

    /// <summary>CNN0846: a forced choice names no candidate.</summary>
    public static Diagnostic UnknownCandidate(string vertex, string candidate, IReadOnlyCollection<string> known) =>
        Error("CNN0846", $"'{vertex}' has no candidate '{candidate}'", Suggestions.DidYouMean(candidate, known));

    /// <summary>CNN0847: a choice that isn't one.</summary>
    public static Diagnostic BadChoice(string vertex, int choice) =>
        Error("CNN0847", $"the selection's choice {choice} for '{vertex}' is not one of its legal candidates", Internal);

    /// <summary>CNN0848: two choices that exclude each other.</summary>
    public static Diagnostic IllegalPair(string from, string to) =>
        Error("CNN0848", $"the selection's choices for '{from}' and '{to}' exclude each other", Internal);

    /// <summary>CNN0849: a figure of the selection is wrong.</summary>
    public static Diagnostic WrongFigure(string figure, string stated, string actual) =>
        Error("CNN0849", $"the selection's {figure} is {stated}, recomputed it is {actual}", Internal);

    private static Diagnostic Error(string code, FormattableString message, string remedy) =>
        new(code, DiagnosticSeverity.Error, SourceSpan.None, message.ToString(CultureInfo.InvariantCulture), remedy);
}
