using CnnCompiler.Fuzzing;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

public class FuzzCommandTests
{
    [Fact]
    public void Networks_that_all_levels_agree_about_are_counted_by_operator_and_refusal()
    {
        var result = Cnnc.Run("fuzz", "--seed", "0", "--count", "6").Exits(0);
        Assert.StartsWith("6 networks, ", result.Out, StringComparison.Ordinal);
        Assert.Contains("conv2d ", result.Out, StringComparison.Ordinal);
        Assert.Contains("refused by openedge with CNN0800: ", result.Out, StringComparison.Ordinal);
        Assert.Equal(result, Cnnc.Run("fuzz", "--seed", "0", "--count", "6"));
    }

    [Fact]
    public void A_target_is_chosen_by_name() =>
        Assert.DoesNotContain("openedge", Cnnc.Run("fuzz", "--count", "3", "-t", "arrayflex").Exits(0).Out, StringComparison.Ordinal);

    [Fact]
    public void A_difference_ends_it_and_leaves_the_network_with_its_inputs_to_run_again()
    {
        using var scratch = new Scratch();
        var file = scratch["failing.cnnir"];
        var result = Cnnc.Run(WithFault, "fuzz", "--seed", "2", "--count", "50", "-o", file).Exits(1);
        Assert.StartsWith($"seed 2, network '{NetworkFuzzer.Network(2).Name}' fails: {FaultyTargets.Wrong}: gconv: output 0", result.Out, StringComparison.Ordinal);
        Assert.Contains("cnnc fuzz --seed 2 --count 1 runs it again", result.Out, StringComparison.Ordinal);
        Assert.Contains("1 networks, ", result.Out, StringComparison.Ordinal);

        // The file holds the network: it compiles and runs on the inputs beside it.
        var inputs = scratch.Names.Where(name => name.EndsWith(".npy", StringComparison.Ordinal)).SelectMany(name => (string[])["--input", scratch[name]]);
        Cnnc.Run(["compare", file, .. inputs]).Exits(0);
    }

    [Fact]
    public void Every_network_that_fails_is_listed_where_it_is_to_go_on()
    {
        using var scratch = new Scratch();
        var result = Cnnc.Run(WithFault, "fuzz", "--seed", "2", "--count", "4", "--keep-going", "-o", scratch["failing.cnnir"]).Exits(1);
        Assert.Contains("seed 2, ", result.Out, StringComparison.Ordinal);
        Assert.Contains("seed 5, ", result.Out, StringComparison.Ordinal);
        Assert.Contains("4 networks, ", result.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("fuzz", "--count", "0")]
    [InlineData("fuzz", "--seed", "-1")]
    [InlineData("fuzz", "--seed", "2147483647", "--count", "2")]
    [InlineData("fuzz", "-t", "openege")]
    public void Wrong_numbers_and_names_are_usage_errors(params string[] args) => Cnnc.Run(args).Exits(2);

    private static CliEnvironment WithFault(CliEnvironment environment) => environment with { FuzzMachines = [FuzzMachine.All[0], FaultyTargets.Wrong] };
}
