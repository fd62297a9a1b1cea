using System.Text.Json;

namespace CnnCompiler.Cli.Tests;

/// <summary><c>--emit choices</c> explains the mapping, <c>--force</c> overrules it.</summary>
public class ChoicesTests
{
    [Fact]
    public void Choices_list_every_decision_with_its_rejected_candidates_and_their_cost()
    {
        var table = Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", "choices").Exits(0).Out;
        Assert.Contains("dense-point", table, StringComparison.Ordinal);
        Assert.Contains("contract-point", table, StringComparison.Ordinal);
        Assert.Contains("nothing is cheaper", table, StringComparison.Ordinal);

        using var json = JsonDocument.Parse(Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", "choices.json").Exits(0).Out);
        Assert.Equal(JsonValueKind.Object, json.RootElement.ValueKind);
        Assert.Contains("contract-point", json.RootElement.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_forced_choice_changes_the_mapping_and_not_the_result()
    {
        var forced = Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", "mapped", "--force", "dense1=dense-point").Exits(0).Out;
        var free = Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", "mapped").Exits(0).Out;
        Assert.NotEqual(free, forced);
        var run = Cnnc.Run("run", Cnnc.Lenet5, "-t", "openedge", "--input", Cnnc.Digit(7), "--force", "dense1=dense-point").Exits(0).Out;
        Assert.Contains("recognised: 7", run, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dense1=systolic")]
    [InlineData("dense9=dense-point")]
    public void A_choice_that_does_not_exist_is_refused_with_the_ones_that_do(string choice)
    {
        var result = Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", "choices", "--force", choice).Exits(1);
        Assert.Contains(choice.StartsWith("dense1", StringComparison.Ordinal) ? "dense-point" : "dense1", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_choice_without_a_candidate_is_a_usage_error() =>
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--force", "dense1").Exits(2);
}
