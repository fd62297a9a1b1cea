using System.Text.Json;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary>The systolic target on the command line, and <c>cnnc reproduce</c>.</summary>
public class SystolicCommandsTests
{
    private static readonly string Network = Cnnc.Lenet5;
    private static readonly string Digit = Cnnc.Digit(7);

    [Fact]
    public void A_network_runs_and_reports_array_units_and_energy()
    {
        var run = Cnnc.Run("run", Network, "-t", "arrayflex", "--input", Digit).Exits(0);
        Assert.StartsWith("recognised: 7 ", run.LastLine, StringComparison.Ordinal);
        Assert.Contains("DRAM stalls", run.Out, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(Cnnc.Run("run", Network, "-t", "arrayflex", "--machine", "arrayflex-16x16", "--input", Digit, "--json").Exits(0).Out);
        var layer = json.RootElement.GetProperty("layers")[0];
        Assert.True(layer.GetProperty("systolic").GetProperty("energyFemtojoules").GetInt64() > 0);
        Assert.Equal(layer.GetProperty("macs").GetInt64(), layer.GetProperty("systolic").GetProperty("multiplications").GetInt64());
    }

    [Fact]
    public void Energy_that_a_machine_does_not_model_is_not_shown()
    {
        var run = Cnnc.Run("run", Network, "-t", "overlay", "--input", Digit).Exits(0);
        Assert.StartsWith("recognised: 7 ", run.LastLine, StringComparison.Ordinal);
        Assert.Contains("energy is not modelled (docs/targets/overlay.md)", run.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("0.00\n", run.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("energyFemtojoules", Cnnc.Run("run", Network, "-t", "overlay", "--input", Digit, "--json").Exits(0).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void All_levels_are_equal() =>
        Assert.Equal("all levels are equal", Cnnc.Run("compare", Network, "-t", "arrayflex", "--machine", "arrayflex-32x32", "--input", Digit).Exits(0).LastLine);

    [Fact]
    public void An_image_is_disassembled_and_runs_from_its_file()
    {
        using var scratch = new Scratch();
        var image = scratch["lenet5.cnnb"];
        Cnnc.Run("compile", Network, "-t", "arrayflex", "-o", image).Exits(0);
        Assert.Contains("horizontal bypass bits 128", Cnnc.Run("disasm", image).Exits(0).Out, StringComparison.Ordinal);
        Assert.StartsWith("recognised: 7 ", Cnnc.Run("run", image, "--input", Digit).Exits(0).LastLine, StringComparison.Ordinal);
        Assert.Contains("--set", Cnnc.Run("run", image, "--input", Digit, "--set", "map-to-systolic.depth=1").Exits(2).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Products_and_choices_are_printed_and_options_set()
    {
        Assert.Contains("gemm groups 1 M 784 N 6 K 25", Cnnc.Run("compile", Network, "-t", "arrayflex", "--emit", "mapped").Exits(0).Out, StringComparison.Ordinal);
        Assert.Contains("vector-unit", Cnnc.Run("compile", Network, "-t", "arrayflex", "--emit", "choices").Exits(0).Out, StringComparison.Ordinal);
        Assert.Contains("depths [4 4, 4 4", Cnnc.Run("compile", Network, "-t", "arrayflex", "--emit", "mapped", "--set", "map-to-systolic.depth=4").Exits(0).Out, StringComparison.Ordinal);
        Assert.Contains("CNN0980", Cnnc.Run("compile", Network, "-t", "arrayflex", "--emit", "mapped", "--set", "nothing.at=all").Exits(1).Error, StringComparison.Ordinal);
        Cnnc.Run("compile", Network, "-t", "arrayflex", "--emit", "mapped", "--set", "nothing").Exits(2);
    }

    [Fact]
    public void Targets_lists_the_machines_and_says_what_is_assumed()
    {
        var text = Cnnc.Run("targets").Exits(0).Out;
        Assert.Contains("arrayflex-256x256", text, StringComparison.Ordinal);
        Assert.Contains("(assumed)", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Reproduce_prints_figures_with_the_time_they_took()
    {
        var run = Cnnc.Run("reproduce", "arrayflex").Exits(0).Out;
        Assert.Contains("11.05 %", run, StringComparison.Ordinal);
        Assert.Contains("(computed in ", run, StringComparison.Ordinal);
        Assert.DoesNotContain("SCALE-Sim", run, StringComparison.Ordinal);
        Assert.Contains("did you mean 'arrayflex'", Cnnc.Run("reproduce", "arayflex").Exits(2).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0097", Cnnc.Run("reproduce", "arrayflex", "--scalesim", Network).Exits(1).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Reproduce_compares_with_SCALE_Sim()
    {
        var results = SharedMaterial.Find("research", "scalesim_results.csv");
        Assert.SkipWhen(results is null, SharedMaterial.Reason);
        Assert.Contains("175 of 175 stall-free layers are exact, 165 of them counted by the engine", Cnnc.Run("reproduce", "arrayflex", "--scalesim", results!).Exits(0).Out, StringComparison.Ordinal);
    }
}
