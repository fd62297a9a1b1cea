using System.Text;
using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Text;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Overlay;

/// <summary>
/// The text form of an overlay's mapped level: what was chosen for each decision, and then the chain as the GCONV level writes it. Reading it maps the chain with these choices forced, which gives
/// the same plans.
/// <code>
/// mapped overlay "lenet5" on "overlay-u200" {
///   // winograd-2x2 WS of pool1; 16 products of 24 terms, ...
///   choose "conv2" "winograd-2x2-WS"
/// }
/// gconv "lenet5" {
///   ...
/// }
/// </code>
/// </summary>
public static class OverlayText
{
    /// <summary>The word between the level's name and the network's.</summary>
    public const string Dialect = "overlay";

    private const string Choose = "choose";

    /// <summary>Text and companion of a module.</summary>
    /// <param name="module">The module.</param>
    /// <param name="notes">Comment lines before the steps of a layer, by its name; null for none.</param>
    public static ModuleText Print(SystolicModule module, Func<string, IEnumerable<string>>? notes)
    {
        var text = new StringBuilder();
        text.Append($"{IrLevel.Mapped.Name()} {Dialect} {IrTextFormat.String(module.Program.Name)} on {IrTextFormat.String(module.Machine.Name)} {{\n");
        var plans = module.Conversions.ToDictionary(plan => plan.Operator, StringComparer.Ordinal);
        var chosen = plans.Values.ToDictionary(plan => plan.Operator, plan => $"{plan.Algorithm.Name}-{OverlayPlan.NameOf(plan.Dataflow)}", StringComparer.Ordinal);
        foreach (var vertex in module.Selection?.Vertices ?? [])
        {
            chosen[vertex.Vertex] = vertex.Chosen;
        }

        foreach (var (vertex, candidate) in chosen.OrderBy(choice => choice.Key, StringComparer.Ordinal))
        {
            text.Append(plans.TryGetValue(vertex, out var plan) ? $"  // {plan.Print()}\n" : string.Empty);
            text.Append($"  {Choose} {IrTextFormat.String(vertex)} {IrTextFormat.String(candidate)}\n");
        }

        var chain = GconvPrinter.Print(module.Program, notes);
        return new(text.Append("}\n").Append(chain.Text).ToString(), chain.Constants);
    }

    /// <summary>The module of a text, or null and diagnostics.</summary>
    /// <param name="text">The text.</param>
    /// <param name="file">Its name in diagnostics and spans.</param>
    /// <param name="constants">The companion it was written with.</param>
    /// <param name="machine">The machine that it was mapped for.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static SystolicModule? Parse(string text, string file, ConstantStore constants, MachineDescription machine, DiagnosticBag diagnostics)
    {
        var own = new DiagnosticBag();
        var reader = new IrTextReader(text, file, constants, own);
        var forced = new List<ForcedChoice>();
        reader.Recover(() =>
        {
            reader.Word(IrLevel.Mapped.Name());
            reader.Word(Dialect);
            reader.Take(IrTokenKind.String, "the network's name in quotation marks");
            reader.Word("on");
            var span = reader.Span;
            var name = reader.Take(IrTokenKind.String, "the machine's name in quotation marks");
            if (name != machine.Name)
            {
                throw new DiagnosticException(SystolicDiagnostics.OtherMachine(span, name, machine.Name));
            }

            reader.Punctuation("{");
        });
        var closed = false;
        while (!closed && !reader.AtEnd && !own.HasErrors)
        {
            reader.Recover(() =>
            {
                closed = reader.TryPunctuation("}");
                if (!closed)
                {
                    reader.Word(Choose);
                    forced.Add(new(reader.Take(IrTokenKind.String, "a decision in quotation marks"), reader.Take(IrTokenKind.String, "a candidate in quotation marks")));
                }
            });
        }

        var program = own.HasErrors ? null : GconvParser.Read(reader);
        if (program is not null)
        {
            reader.Recover(() => reader.Require(reader.AtEnd, "the end of the text"));
            own.Report(GconvVerifier.Check(program));
        }

        diagnostics.Report(own.Diagnostics);
        return own.HasErrors || program is null ? null : OverlayMapper.Map(program, machine, new(), forced, diagnostics, default);
    }
}
