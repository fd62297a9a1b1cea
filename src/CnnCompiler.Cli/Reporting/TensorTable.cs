using System.Globalization;
using CnnCompiler.Core.Tensors;
using Spectre.Console;

namespace CnnCompiler.Cli.Reporting;

/// <summary>The tensors of a comparison as a table: which differ, in how many elements, and by how much at most.</summary>
internal static class TensorTable
{
    /// <summary>Makes the table.</summary>
    /// <param name="result">The comparison.</param>
    /// <param name="labels">The model's own names of tensors, by theirs.</param>
    /// <param name="redirected">True where the output is not a terminal.</param>
    public static Table Of(LevelComparison result, IReadOnlyDictionary<string, string> labels, bool redirected)
    {
        var table = new Table().Border(redirected ? TableBorder.Ascii : TableBorder.Simple);
        table.AddColumn("tensor");
        table.AddColumn("shape");
        table.AddColumn("type");
        table.AddColumn(new TableColumn("elements that differ").RightAligned());
        table.AddColumn(new TableColumn("largest difference").RightAligned());
        foreach (var tensor in result.Tensors)
        {
            var name = labels.TryGetValue(tensor.Name, out var label) ? DiagnosticPrinter.OneLine($"{tensor.Name} ({label})") : tensor.Name;
            var elements = string.Create(CultureInfo.InvariantCulture, $"{tensor.Elements:N0} of {tensor.Value.Shape.Elements:N0}");
            table.AddRow(Markup.Escape(name), tensor.Value.Shape.ToString(), tensor.Value.Element.Name(), tensor.Elements == 0 ? "-" : elements, Largest(tensor));
        }

        return table;
    }

    private static string Largest(TensorComparison tensor) =>
        tensor.Elements == 0 ? "-" : double.IsNaN(tensor.Largest) ? "not comparable" : tensor.Largest.ToString("G6", CultureInfo.InvariantCulture);
}
