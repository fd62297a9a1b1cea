using System.Text.Json;
using System.Text.Json.Nodes;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

public class VerifyVectorsCommandTests
{
    [Fact]
    public void All_vectors_of_the_repository_pass_and_the_last_line_counts_them()
    {
        var folder = SharedMaterial.Vectors("openedge");
        var vectors = Directory.EnumerateFiles(folder, "*.json").Sum(file => JsonNode.Parse(File.ReadAllText(file))!.AsArray().Count);
        var result = Cnnc.Run("verify-vectors", folder).Exits(0);
        Assert.Equal(FormattableString.Invariant($"{vectors} passed, 0 failed"), result.LastLine);
    }

    [Fact]
    public void A_vector_with_another_expectation_fails_by_name_and_field()
    {
        using var scratch = new Scratch();
        var vector = JsonNode.Parse(File.ReadAllText(SharedMaterial.Vectors("openedge", "directed.json")))![0]!.DeepClone();
        var expect = vector["launches"]![0]!["expect"]!;
        expect["done"] = expect["done"]!.GetValue<long>() + 1;
        var file = scratch.Write("one.json", new JsonArray(vector).ToJsonString());
        var result = Cnnc.Run("verify-vectors", file).Exits(1);
        Assert.Contains($"FAILED {vector["name"]!.GetValue<string>()}: launch 0: done is ", result.Out, StringComparison.Ordinal);
        Assert.Equal("0 passed, 1 failed", result.LastLine);
    }

    [Fact]
    public void No_vectors_at_all_is_a_failure()
    {
        using var scratch = new Scratch();
        var result = Cnnc.Run("verify-vectors", scratch.Folder).Exits(1);
        Assert.Contains("CNN0015", result.Error, StringComparison.Ordinal);
        Assert.Equal("0 passed, 0 failed", result.LastLine);
    }

    [Fact]
    public void Files_that_are_missing_or_are_no_vectors_count_as_failures()
    {
        using var scratch = new Scratch();
        var broken = scratch.Write("broken.json", "[{]");
        var result = Cnnc.Run("verify-vectors", broken, scratch["missing.json"]).Exits(1);
        Assert.Contains("CNN0003", result.Error, StringComparison.Ordinal);
        Assert.Contains($"{broken}(1,", result.Error, StringComparison.Ordinal);
        Assert.Equal("0 passed, 2 failed", result.LastLine);
    }
}
