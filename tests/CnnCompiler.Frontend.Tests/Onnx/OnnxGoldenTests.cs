using CnnCompiler.TestSupport;
using Xunit;

namespace CnnCompiler.Frontend.Tests.Onnx;

/// <summary>Every case of <c>golden/onnx</c>: it passes at network level, or is on the accepted list with why it doesn't.</summary>
public sealed class OnnxGoldenTests
{
    [Fact]
    public void Every_case_passes_or_is_listed_with_its_reason()
    {
        Assert.SkipUnless(SharedMaterial.Exists, SharedMaterial.Reason);
        var results = OnnxCase.Folders.Select(folder => new OnnxCase(folder)).Select(test => (test.Name, Problem: test.Run())).ToList();
        Assert.NotEmpty(results);

        var page = string.Concat(results.Where(result => result.Problem is not null).Select(result => $"{result.Name}\t{result.Problem}\n"));
        var file = SharedMaterial.Vectors("onnx", "refused-golden-cases.tsv");
        if (Environment.GetEnvironmentVariable("CNNC_ACCEPT") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, page);
        }

        Assert.Equal(File.ReadAllText(file), page);
    }
}
