using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler;

/// <summary>What the facade itself refuses: CNN0089 to CNN0099.</summary>
public static class CompilerDiagnostics
{
    /// <summary>CNN0089: inputs of the whole-life cost that can't be used.</summary>
    public static Diagnostic NotCostInputs(string problem) => new(
        "CNN0089",
        DiagnosticSeverity.Error,
        SourceSpan.None,
        $"the file does not say the inputs of the whole-life cost: {problem}",
        "write each input as \"name\": { \"value\": number, \"source\": \"where it is from\" }; docs/targets/gconv.md lists them");

    /// <summary>CNN0090: a source of no known kind.</summary>
    public static Diagnostic UnknownSource(string file, string kinds) =>
        new("CNN0090", DiagnosticSeverity.Error, SourceSpan.WholeFile(file), "this is neither a network description nor a model that cnnc reads", $"it reads {kinds}");

    /// <summary>CNN0091: no such target.</summary>
    public static Diagnostic UnknownTarget(string target, IEnumerable<string> known) =>
        new("CNN0091", DiagnosticSeverity.Error, SourceSpan.None, $"there is no target '{target}'", $"choose one of {string.Join(", ", known)}");

    /// <summary>CNN0092: IR text of another level than was said, or no IR text at all.</summary>
    public static Diagnostic NotLevelText(string file, string expected, string? found) => new(
        "CNN0092",
        DiagnosticSeverity.Error,
        SourceSpan.WholeFile(file),
        found is null ? $"this is not the text of a program: it begins with none of {expected}" : $"this is the text of the {found} level, not of the {expected} level",
        found is null ? "give a file that cnnc compile --emit wrote" : $"say --from {found}, or leave --from out");

    /// <summary>CNN0093: a level to stop at that lies before the one to go on from.</summary>
    public static Diagnostic StopsBeforeStart(string from, string stop) => new(
        "CNN0093", DiagnosticSeverity.Error, SourceSpan.None, $"a program of the {from} level can't become one of the {stop} level: that comes before it", $"emit {from} or a later level");

    /// <summary>CNN0094: no such pass.</summary>
    public static Diagnostic UnknownPass(string pass, string target, IEnumerable<string> known) =>
        new("CNN0094", DiagnosticSeverity.Error, SourceSpan.None, $"target {target} has no pass '{pass}'", $"choose from {string.Join(", ", known)}");

    /// <summary>CNN0095: a pass that can't read what it would be given.</summary>
    public static Diagnostic PassOutOfPlace(string pass, string reads, string given) => new(
        "CNN0095", DiagnosticSeverity.Error, SourceSpan.None, $"pass {pass} reads a program of the {reads} level and would be given one of the {given} level", "run the passes between them first (see cnnc passes)");

    /// <summary>CNN0099: a pass without which there is no program of the next level.</summary>
    public static Diagnostic PassNeeded(string pass, string from, string to, IEnumerable<string> others) => new(
        "CNN0099",
        DiagnosticSeverity.Error,
        SourceSpan.None,
        $"pass {pass} can't be left out: it makes the program of the {to} level from that of the {from} level",
        $"of this target's passes {string.Join(", ", others)} can be left out");

    /// <summary>CNN0096: a machine that the target doesn't compile for.</summary>
    public static Diagnostic OtherMachine(string machine, string target) => new(
        "CNN0096", DiagnosticSeverity.Error, SourceSpan.None, $"target {target} does not compile for machine '{machine}', which is of another kind", "choose one that cnnc targets lists for it, or the other target");

    /// <summary>CNN0098: a program mapped for machines of another kind.</summary>
    public static Diagnostic OtherTarget(string file, string level, string target, IEnumerable<string> others) => new(
        "CNN0098",
        DiagnosticSeverity.Error,
        SourceSpan.WholeFile(file),
        $"this is the text of the {level} level of another target than {target}",
        string.Join(" or ", others) is { Length: > 0 } names ? $"compile it with -t {names}, or go on from the gconv level" : "give a file that cnnc compile --emit wrote for this target");

    /// <summary>CNN0097: a file that holds no results of SCALE-Sim.</summary>
    public static Diagnostic NotScaleSim() => new(
        "CNN0097",
        DiagnosticSeverity.Error,
        SourceSpan.None,
        "the file of SCALE-Sim results is not a table with the columns topology, layer, dataflow, array_rows, array_cols, bw_mode, M_ofpx, N_filters, K_window, sim_total_cycles and wall_s",
        "give a CSV with these columns and a header line");
}
