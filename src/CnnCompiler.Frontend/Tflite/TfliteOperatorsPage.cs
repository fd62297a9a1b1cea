using System.Text;

namespace CnnCompiler.Frontend.Tflite;

/// <summary>The table of TFLite operators for docs, from the rows that the importer uses.</summary>
public static class TfliteOperatorsPage
{
    /// <summary>The page in Markdown.</summary>
    public static string Write()
    {
        var page = new StringBuilder("# TFLite operators\n\nGenerated from the importer's rows (`TfliteOperators`); a test keeps both equal. Quantised values have one scale. ")
            .Append("Operators that are not listed are refused by name.\n\n| operator | options | types | becomes |\n|---|---|---|---|\n");
        foreach (var row in TfliteOperators.All)
        {
            page.Append("| ").Append(row.Name).Append(" | ").Append(row.Attributes.Replace(" ", ", ", StringComparison.Ordinal)).Append(" | ").Append(row.Types).Append(" | ").Append(row.Becomes).Append(" |\n");
        }

        return page.ToString();
    }
}
