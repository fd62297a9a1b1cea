using CnnCompiler.Frontend;

namespace CnnCompiler.Cli.Tests;

/// <summary><c>cnnc operators</c>; that its rows are right is tested with the generator of layers and with the importers.</summary>
public sealed class OperatorsCommandTests
{
    [Fact]
    public void The_operators_of_every_model_format_are_listed()
    {
        var lines = Cnnc.Run("operators").Exits(0).Out.Split('\n');
        Assert.All(ImportedOperator.All, row => Assert.Single(lines, line => line.Contains($"| {row.Format} ", StringComparison.Ordinal) && line.Contains($"| {row.Name} ", StringComparison.Ordinal) && line.Contains($" {row.Becomes} ", StringComparison.Ordinal)));
        Assert.Equal(["onnx", "tflite"], ImportedOperator.All.Select(row => row.Format).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_target_says_how_an_operator_runs_and_why_not()
    {
        var result = Cnnc.Run("operators", "-t", "openedge", "max_pool2d", "SOFTMAX").Exits(0).Out;
        Assert.Matches(@"\| max_pool2d +\| i8 +\| [^|]*\| yes +\| loops +\| [^|]*window-columns-are-channels", result);
        Assert.Matches(@"\| max_pool2d +\| f32 +\| [^|]*\| no +\| loops +\| +\| CNN0800: it computes with floating-point numbers", result);
        Assert.Matches(@"\| softmax +\| i8 +\| beta +\| yes +\| softmax step +\| [^|]*softmax on the host", result);
        Assert.DoesNotContain("conv2d", result, StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_targets_and_operators_are_named()
    {
        Assert.Contains("CNN0002", Cnnc.Run("operators", "-t", "open").Exits(2).Error, StringComparison.Ordinal);
        Assert.Contains("did you mean 'CONV_2D'", Cnnc.Run("operators", "CONV2D").Exits(2).Error, StringComparison.Ordinal);
        Assert.Contains("did you mean 'conv2d'", Cnnc.Run("operators", "-t", "overlay", "conv2").Exits(2).Error, StringComparison.Ordinal);
    }
}
