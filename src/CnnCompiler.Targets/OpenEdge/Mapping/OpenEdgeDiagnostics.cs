using System.Globalization;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>What OpenEdgeCGRA can't do: CNN0800 to CNN0829, each naming the layer, the resource and the amounts.</summary>
public static class OpenEdgeDiagnostics
{
    /// <summary>CNN0800: an operator that no kernel executes.</summary>
    public static Diagnostic NoKernel(GconvStep step, string why) =>
        Error("CNN0800", step, $"{Layer(step)} can't run on OpenEdgeCGRA: {why}", IsMadeOfConvolution(step)
            ? $"choose an algorithm of this target instead, for example --force {step.Origin.Value.Layer}=winograd-4x1" : "replace the layer, or run it on another target");

    /// <summary>True for what a pass before made of a layer of convolution, where values inside are wider than codes.</summary>
    private static bool IsMadeOfConvolution(GconvStep step) =>
        step is GconvOperator { Type.Element: Core.Tensors.ElementType.Int16 or Core.Tensors.ElementType.Int32 } && step.Origin.Value is { Layer: { } layer, Keyword: "conv2d" } && step.Name != layer;

    /// <summary>CNN0801: an accumulator that may leave the range in which the array requantises exactly.</summary>
    public static Diagnostic AccumulatorTooLarge(GconvStep step, int channel, long bound, long limit) =>
        Error(
            "CNN0801",
            step,
            $"{Layer(step)}, channel {channel}: the accumulator may reach {bound}, the array requantises exactly below {limit}",
            "use smaller weights or bias in this channel, or fewer input channels");

    /// <summary>CNN0802: a kernel exceeds the array.</summary>
    public static Diagnostic ResourceExceeded(string layer, string keyword, ArrayResourceException cause) =>
        new(
            "CNN0802",
            DiagnosticSeverity.Error,
            SourceSpan.None,
            Text($"layer {layer} ({keyword}) needs {cause.Needed} {cause.Resource}, the machine has {cause.Available}"),
            "use a smaller kernel, stride or dilation in this layer");

    /// <summary>CNN0803: an element type the array has no kernels for.</summary>
    public static Diagnostic ElementType(string tensor, string type) =>
        new("CNN0803", DiagnosticSeverity.Error, SourceSpan.None, Text($"tensor {tensor} is {type}; OpenEdgeCGRA executes i8 networks"), "quantise the network to int8");

    /// <summary>CNN0804: flash is full.</summary>
    public static Diagnostic FlashTooSmall(long needed, long available) =>
        new(
            "CNN0804",
            DiagnosticSeverity.Error,
            SourceSpan.None,
            Text($"code, tables and weights need {needed} bytes of flash, the machine has {available}, {needed - available} too few"),
            "use fewer weights, or a machine with more flash");

    /// <summary>CNN0805: two readers want different padding around the same tensor.</summary>
    public static Diagnostic ConflictingPadding(GconvStep step, string tensor, int first, int second) =>
        Error(
            "CNN0805",
            step,
            $"{Layer(step)} reads {tensor} padded with code {second}, another layer with code {first}",
            "put a layer of its own between them, for example a pad layer");

    /// <summary>CNN0806: the cheapest mapping needs more memory than there is.</summary>
    /// <param name="network">The network.</param>
    /// <param name="cost">Cost of that mapping.</param>
    /// <param name="unit">What that is: cycles, fJ.</param>
    /// <param name="layers">Layers mapped by default instead; none where all are.</param>
    public static Diagnostic SelectionDoesNotFit(string network, long cost, string unit, params IReadOnlyList<string> layers) =>
        new(
            "CNN0806",
            DiagnosticSeverity.Note,
            SourceSpan.None,
            Text($"the {(unit == "cycles" ? "fastest" : "best")} mapping of {network} ({cost} {unit}) does not fit the memory; the default mapping is taken{(layers.Count == 0 ? "" : " for ")}{string.Join(", ", layers)}"),
            "use --force to choose the mapping of single layers");

    /// <summary>CNN0807: tensors were packed and layers split into bands to fit the memory.</summary>
    /// <param name="network">The network.</param>
    /// <param name="packed">For each tensor packed a description with its bytes.</param>
    /// <param name="split">For each layer split its name and the number of bands.</param>
    /// <param name="cycles">Cycles that packing and unpacking take.</param>
    public static Diagnostic PackedToFit(string network, IReadOnlyList<string> packed, IReadOnlyList<string> split, long cycles)
    {
        string[] parts =
        [
            .. packed.Count == 0 ? (string[])[] : [$"packed four elements a word: {string.Join(", ", packed)}"],
            .. split.Count == 0 ? (string[])[] : [$"computed in bands of rows: {string.Join(", ", split)}"],
        ];
        return new(
            "CNN0807",
            DiagnosticSeverity.Note,
            SourceSpan.None,
            Text($"{network} does not fit the memory one element a word; {string.Join("; ", parts)}; packing and unpacking takes {cycles} cycles"),
            "use a smaller input or fewer channels, or a machine with more memory");
    }

    /// <summary>CNN0808: tensors that are needed at the same time and don't fit the memory, however they lie.</summary>
    /// <param name="step">The step that needs them.</param>
    /// <param name="machine">The machine.</param>
    /// <param name="needed">Bytes of the tensors, four elements a word.</param>
    /// <param name="available">Bytes of RAM above the reserve.</param>
    /// <param name="tensors">The tensors with their bytes, and why each is needed.</param>
    public static Diagnostic TensorsDoNotFit(GconvStep step, string machine, long needed, long available, IEnumerable<string> tensors) =>
        Error(
            "CNN0808",
            step,
            $"{Layer(step)} needs {needed} bytes for tensors even with four elements a word, RAM of {machine} has {available} for them, {needed - available} too few: {string.Join(", ", tensors)}",
            "use a smaller input or fewer channels there, or a machine with more memory");

    /// <summary>CNN0825: a schedule that can't be read.</summary>
    public static Diagnostic NotASchedule(string file, string why) =>
        new("CNN0825", DiagnosticSeverity.Error, File(file), $"this is not a schedule: {why}", "write one with --schedule-out");

    /// <summary>CNN0826: a schedule of another network, machine or version.</summary>
    public static Diagnostic ScheduleDoesNotFit(string file, string network, string why) =>
        new("CNN0826", DiagnosticSeverity.Error, File(file), $"the schedule doesn't fit {network}: {why}", "write it again with --schedule-out, or leave it out");

    /// <summary>CNN0827: what a search over the whole program changed.</summary>
    /// <param name="network">The network.</param>
    /// <param name="changes">Decisions with the candidates they now take.</param>
    /// <param name="before">Cycles before, about.</param>
    /// <param name="after">Cycles now, about.</param>
    public static Diagnostic Refined(string network, IEnumerable<string> changes, long before, long after) => new(
        "CNN0827",
        DiagnosticSeverity.Note,
        SourceSpan.None,
        Text($"in the whole of {network} another choice is faster, about {after} cycles instead of {before}: {string.Join(", ", changes)}"),
        "use --effort 1 to take the choice by the layers' own cycles");

    /// <summary>CNN0828: operators in bands of rows take other candidates.</summary>
    /// <param name="network">The network.</param>
    /// <param name="changes">Decisions with the candidates they now take.</param>
    /// <param name="before">Cycles before, about.</param>
    /// <param name="after">Cycles now, about.</param>
    public static Diagnostic OtherBands(string network, IEnumerable<string> changes, long before, long after) => new(
        "CNN0828",
        DiagnosticSeverity.Note,
        SourceSpan.None,
        Text($"the choice for {network} needs bands of rows; another one is faster in this memory, about {after} cycles instead of {before}: {string.Join(", ", changes)}"),
        "a machine with more memory runs the layers as they were chosen");

    private static SourceSpan File(string file) => file.Length == 0 ? SourceSpan.None : SourceSpan.WholeFile(file);

    private static string Layer(GconvStep step) => $"layer {step.Origin.Value.Layer} ({step.Origin.Value.Keyword})";

    private static Diagnostic Error(string code, GconvStep step, FormattableString message, string remedy) =>
        new(code, DiagnosticSeverity.Error, step.Span.Value, Text(message), remedy);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
