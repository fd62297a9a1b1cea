using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary>Passes that can be left out, Timeloop's text and inputs of the whole-life cost, on the command line.</summary>
public class GconvCommandsTests
{
    private const string Text = """
        network n {
            weights seed 1
            input x : f32[1, 4, 4, 2]
            c = conv2d(x, filters=2, kernel=3, padding=same)
            s = add(c, x)
            output s
        }
        """;

    [Fact]
    public void A_pass_is_left_out()
    {
        using var scratch = new Scratch();
        var network = scratch["n.cnn"];
        File.WriteAllText(network, Text);
        Assert.DoesNotContain("%c = gconv", Cnnc.Run("compile", network, "-t", "gconv", "--emit", "gconv").Exits(0).Out, StringComparison.Ordinal);
        Assert.Contains("%c = gconv", Cnnc.Run("compile", network, "-t", "gconv", "--emit", "gconv", "--disable", "fuse-elementwise").Exits(0).Out, StringComparison.Ordinal);
        Assert.Contains("CNN0094", Cnnc.Run("compile", network, "-t", "gconv", "--disable", "nothing").Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0099", Cnnc.Run("compile", network, "-t", "gconv", "--disable", "lower-to-gconv").Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("of this target's passes remove-dead-channels can be left out", Cnnc.Run("compile", network, "-t", "overlay", "--disable", "lower-to-gconv").Exits(1).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Problems_and_mappings_are_written_for_Timeloop()
    {
        using var scratch = new Scratch();
        var network = scratch["n.cnn"];
        File.WriteAllText(network, Text);
        var text = Cnnc.Run("compile", network, "-t", "gconv", "--emit", "timeloop", "--disable", "fuse-elementwise").Exits(0).Out;
        Assert.Equal(2, text.Split("\nproblem:\n").Length - 1);
        Assert.Contains("- [ [H_OPC], [H_KS] ]   # - 1", text, StringComparison.Ordinal);
        Assert.Contains("-t gconv", Cnnc.Run("compile", Cnnc.Lenet5, "-t", "openedge", "--emit", "timeloop").Exits(2).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Inputs_of_the_cost_that_say_nothing_are_refused()
    {
        using var scratch = new Scratch();
        File.WriteAllText(scratch["cost.json"], "{}");
        Assert.Contains("CNN0089", Cnnc.Run("reproduce", "gconv", "--cost", scratch["cost.json"]).Exits(1).Error, StringComparison.Ordinal);
    }
}
