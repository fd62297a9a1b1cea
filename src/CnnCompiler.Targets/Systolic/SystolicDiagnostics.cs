using System.Globalization;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Targets.Systolic;

/// <summary>What systolic machines can't do: CNN0890 to CNN0899, each naming the layer.</summary>
public static class SystolicDiagnostics
{
    /// <summary>CNN0891: a step that no unit executes.</summary>
    public static Diagnostic NoUnit(GconvStep step, string why) => new(
        "CNN0891",
        DiagnosticSeverity.Error,
        step.Span.Value,
        Text($"layer {step.Origin.Value.Layer} ({step.Origin.Value.Keyword}) can't run on a systolic machine: {why}"),
        "replace the layer, or run the network on another target");

    /// <summary>CNN0892: an input or output of a type that images have no edges of.</summary>
    public static Diagnostic EdgeType(string tensor, string type) => new(
        "CNN0892", DiagnosticSeverity.Error, SourceSpan.None, Text($"input or output {tensor} is {type}; images have edges of i8, u8, i16, i32, i64 and f32"), "end the network in a layer of such a type");

    /// <summary>CNN0894: the text of a program that was mapped for another machine.</summary>
    public static Diagnostic OtherMachine(SourceSpan span, string mappedFor, string machine) => new(
        "CNN0894",
        DiagnosticSeverity.Error,
        span,
        $"this was mapped for machine {IrTextFormat.String(mappedFor)}, not for {IrTextFormat.String(machine)}",
        "compile it for the machine it was mapped for (--machine), or go on from the gconv level");

    /// <summary>CNN0895: a plan that the machine can't execute.</summary>
    public static Diagnostic UnsoundPlan(string operation, string what) => new(
        "CNN0895",
        DiagnosticSeverity.Error,
        SourceSpan.None,
        $"the plan of {IrTextFormat.String(operation)} can't be executed: {what}",
        "this is a fault of whatever made the program; please report it where that was cnnc");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
