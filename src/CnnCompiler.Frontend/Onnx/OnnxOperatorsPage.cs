using System.Text;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>The table of ONNX operators for docs, from the rows that the importer uses.</summary>
public static class OnnxOperatorsPage
{
    /// <summary>The page in Markdown.</summary>
    public static string Write()
    {
        var page = new StringBuilder("# ONNX operators\n\nGenerated from the importer's rows (`OnnxOperators`); a test keeps both equal. Operator sets 7 to 25. Images become channels last inside the network; inputs and outputs keep the file's order of dimensions. ")
            .Append("Quantised layers round once, half to even, and saturate. Operators that are not listed are refused by name.\n\n| operator | attributes | becomes |\n|---|---|---|\n");
        foreach (var row in OnnxOperators.All)
        {
            page.Append("| ").Append(row.Domain.Length == 0 ? row.Name : $"{row.Domain}.{row.Name}").Append(" | ").Append(row.Attributes.Replace(" ", ", ", StringComparison.Ordinal)).Append(" | ").Append(row.Becomes).Append(" |\n");
        }

        return page.ToString();
    }
}
