using CnnCompiler.Frontend.Onnx;
using CnnCompiler.TestSupport;
using Xunit;

namespace CnnCompiler.Frontend.Tests.Onnx;

/// <summary>docs/operators-onnx.md is written from the rows that the importer uses.</summary>
public sealed class OnnxOperatorsPageTests
{
    [Fact]
    public void The_page_says_what_the_rows_say()
    {
        var file = Path.Combine(SharedMaterial.Repository, "docs", "operators-onnx.md");
        var page = OnnxOperatorsPage.Write();
        if (Environment.GetEnvironmentVariable("CNNC_ACCEPT") == "1")
        {
            File.WriteAllText(file, page);
        }

        Assert.Equal(File.ReadAllText(file), page);
    }
}
