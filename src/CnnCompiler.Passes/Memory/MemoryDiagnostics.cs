using System.Globalization;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Memory;

/// <summary>Diagnostics of the memory planner (CNN0830 to CNN0834) and of its checker (CNN0835 to CNN0839; those are errors of the compiler).</summary>
public static class MemoryDiagnostics
{
    private const string Internal = "this is an error of the compiler: please report it with the network that shows it";

    /// <summary>CNN0830: what is live at one step does not fit.</summary>
    public static Diagnostic TooLittleMemory(string resource, long needed, long available, string step, string biggest) =>
        Error(
            "CNN0830",
            $"{resource} is too small: {needed} bytes are needed at {step}, {available} bytes are available, {needed - available} too few; live there: {biggest}",
            "use a smaller input or fewer channels there, or a machine with more memory");

    /// <summary>CNN0831: it would fit step by step, but no arrangement was found.</summary>
    public static Diagnostic NoArrangement(string resource, long needed, long available, long live, string step, string biggest) =>
        Error(
            "CNN0831",
            $"{resource} is too small: the best arrangement found needs {needed} bytes, {available} bytes are available, {needed - available} too few (at most {live} bytes are live at once, at {step}: {biggest})",
            "use a slightly smaller input or fewer channels there, or a machine with more memory");

    /// <summary>CNN0832: a range without meaning.</summary>
    public static Diagnostic BadRange(string name, long bytes, int first, int last, int alignment) =>
        Error("CNN0832", $"memory range {name} of {bytes} bytes, live from step {first} to {last}, alignment {alignment}, has no meaning", Internal);

    /// <summary>CNN0833: two ranges of one name.</summary>
    public static Diagnostic DuplicateRange(string name) => Error("CNN0833", $"there are two memory ranges {name}", Internal);

    /// <summary>CNN0834: more ranges than the planner takes.</summary>
    public static Diagnostic TooManyRanges(int count, int limit) =>
        Error("CNN0834", $"{count} memory ranges are more than the {limit} the planner arranges", "split the network");

    /// <summary>CNN0835: ranges that are live together overlap.</summary>
    public static Diagnostic Overlap(PlannedRange first, long firstAddress, PlannedRange second, long secondAddress) =>
        Error(
            "CNN0835",
            $"{first.Name} (bytes {firstAddress} to {firstAddress + first.Bytes}) and {second.Name} (bytes {secondAddress} to {secondAddress + second.Bytes}) overlap and are both live at step {Math.Max(first.FirstStep, second.FirstStep)}",
            Internal);

    /// <summary>CNN0836: a range at an unaligned address.</summary>
    public static Diagnostic Unaligned(PlannedRange range, long address) =>
        Error("CNN0836", $"{range.Name} lies at {address}, which is not a multiple of {range.Alignment}", Internal);

    /// <summary>CNN0837: a range outside the memory.</summary>
    public static Diagnostic Outside(PlannedRange range, long address, long baseAddress, long end) =>
        Error("CNN0837", $"{range.Name} (bytes {address} to {address + range.Bytes}) lies outside the memory (bytes {baseAddress} to {end})", Internal);

    /// <summary>CNN0838: ranges and placements are not the same.</summary>
    public static Diagnostic NotPlacedOnce(string name, int times) => Error("CNN0838", $"{name} is placed {times} times", Internal);

    /// <summary>CNN0839: a figure of the plan is wrong.</summary>
    public static Diagnostic WrongFigure(string figure, long stated, long actual) =>
        Error("CNN0839", $"the plan's {figure} is {stated}, recomputed it is {actual}", Internal);

    private static Diagnostic Error(string code, FormattableString message, string remedy) =>
        new(code, DiagnosticSeverity.Error, SourceSpan.None, message.ToString(CultureInfo.InvariantCulture), remedy);
}
