using System.Globalization;
using System.Text;
using CnnCompiler.Ir.Network.Operators;

namespace CnnCompiler.Fuzzing;

/// <summary>The page on a target's operators, from what the target does with layers of each.</summary>
public static class TargetOperatorsPage
{
    /// <summary>The page in Markdown.</summary>
    public static string Write(CompilerTarget target, CancellationToken cancellation = default)
    {
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $"# Operators on `-t {target.Name}`\n\n")
            .Append(CultureInfo.InvariantCulture, $"Generated (`CNNC_ACCEPT=1`): {OperatorProbe.Layers} layers of each operator and kind of numbers, with attributes, extents and rounding schemes of all kinds, are compiled for the machine `{target.DefaultMachine.Name}`;\n")
            .Append("what became of them stands here, and `cnnc operators` asks the same. A test compares both and tries other layers. What an operator computes is in [operators.md](../operators.md).\n\n")
            .Append("| operator | numbers | attributes | compiles | lowered to | runs as | refused |\n|---|---|---|---|---|---|---|\n");
        foreach (var row in OperatorTable.All.SelectMany(definition => OperatorProbe.Ask(target, definition, cancellation: cancellation)))
        {
            page.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", Cells(row).Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal)))} |\n");
        }

        return page.ToString();
    }

    /// <summary>The cells of a row: operator, numbers, attributes, how many compile, what it is lowered to, what it runs as, why layers are refused.</summary>
    public static IReadOnlyList<string> Cells(OperatorSupport row) =>
    [
        row.Operator.Keyword,
        ValueFormNames.Of(row.Form),
        string.Join(", ", row.Operator.Attributes.Select(attribute => attribute.Name)),
        row.Compiled == row.Tried ? "yes" : row.Compiled == 0 ? "no" : "in part",
        string.Join(", ", row.Lowered),
        string.Join(", ", row.Mapped),
        string.Join("; ", row.Refusals.Select(refusal => $"{refusal.Code}: {refusal.Why}")),
    ];
}
