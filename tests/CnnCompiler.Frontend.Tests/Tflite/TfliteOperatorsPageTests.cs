using CnnCompiler.Frontend.Tflite;
using CnnCompiler.TestSupport;
using Xunit;

namespace CnnCompiler.Frontend.Tests.Tflite;

/// <summary>docs/operators-tflite.md is written from the rows that the importer uses.</summary>
public sealed class TfliteOperatorsPageTests
{
    [Fact]
    public void The_page_says_what_the_rows_say()
    {
        var file = Path.Combine(SharedMaterial.Repository, "docs", "operators-tflite.md");
        var page = TfliteOperatorsPage.Write();
        if (Environment.GetEnvironmentVariable("CNNC_ACCEPT") == "1")
        {
            File.WriteAllText(file, page);
        }

        Assert.Equal(File.ReadAllText(file), page);
    }
}
