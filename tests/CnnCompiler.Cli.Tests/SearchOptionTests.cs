namespace CnnCompiler.Cli.Tests;

/// <summary>--effort, --schedule, --schedule-out and --cost-cache.</summary>
public sealed class SearchOptionTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void A_schedule_gives_the_image_that_it_was_written_with()
    {
        var image = Compile("first.cnnb", "--schedule-out", _scratch["net.schedule"], "--effort", "2");
        Assert.Equal(image, Compile("second.cnnb", "--schedule", _scratch["net.schedule"]));
    }

    [Fact]
    public void Kept_costs_give_the_same_image_and_damaged_ones_are_measured_again_with_a_note()
    {
        var image = Compile("first.cnnb");
        Assert.Equal(image, Compile("second.cnnb", "--cost-cache", _scratch["costs"]));
        var files = Directory.GetFiles(_scratch["costs"]);
        Assert.NotEmpty(files);
        foreach (var file in files)
        {
            var text = File.ReadAllText(file);
            File.WriteAllText(file, text.Replace("before 0", "before 1", StringComparison.Ordinal) + "?");
        }

        var third = Run("third.cnnb", "--cost-cache", _scratch["costs"]).Exits(0);
        Assert.Single(third.Error.Split('\n'), line => line.Contains("CNN0020", StringComparison.Ordinal));
        Assert.Equal(image, File.ReadAllBytes(_scratch["third.cnnb"]));
        Assert.DoesNotContain("CNN0020", Run("fourth.cnnb", "--cost-cache", _scratch["costs"]).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_cannot_be_used_costs_measurements_and_not_the_image()
    {
        var image = Compile("first.cnnb");
        var result = Run("second.cnnb", "--cost-cache", _scratch["first.cnnb"]).Exits(0);
        Assert.Contains("CNN0021", result.Error, StringComparison.Ordinal);
        Assert.Equal(image, File.ReadAllBytes(_scratch["second.cnnb"]));
    }

    [Fact]
    public void Efforts_outside_the_range_and_a_target_that_does_not_search_are_refused()
    {
        Run("x.cnnb", "--effort", "4").Exits(2);
        Run("x.cnnb", "--effort", "-1").Exits(2);
        var refused = Cnnc.Run("compile", Cnnc.Lenet5, "-t", "overlay", "-o", _scratch["x.cnnb"], "--effort", "2").Exits(2);
        Assert.Contains("overlay", refused.Error, StringComparison.Ordinal);
        Cnnc.Run("compile", Cnnc.Lenet5, "-t", "gconv", "-o", _scratch["x.cnnb"], "--optimize", "energy").Exits(2);
    }

    /// <summary>Where nothing is measured effort 0 leaves algorithms out, and the others are alike.</summary>
    [Theory]
    [InlineData("gconv", "map-to-nests", true)]
    [InlineData("arrayflex", "map-to-systolic", false)]
    public void Effort_0_leaves_algorithms_out(string target, string pass, bool pays)
    {
        File.WriteAllText(_scratch["n.cnn"], "network n { weights seed 1\n input x : i8[1, 28, 28, 64] scale 0.5 zero 3\n c = conv2d(x, filters=64, kernel=3, padding=same, activation=relu)\n output c }");
        byte[] Image(params string[] options)
        {
            Cnnc.Run(["compile", _scratch["n.cnn"], "-t", target, "-o", _scratch["n.cnnb"], .. options]).Exits(0);
            return File.ReadAllBytes(_scratch["n.cnnb"]);
        }

        var (none, chosen) = (Image("--effort", "0"), Image("--effort", "3"));
        Assert.Equal(Image("--set", $"{pass}.algorithms=direct"), none);
        Assert.Equal(Image(), chosen);
        Assert.Equal(pays, !none.SequenceEqual(chosen));
        var choices = Cnnc.Run("compile", _scratch["n.cnn"], "-t", target, "--emit", "choices", "--effort", "1").Exits(0).Out;
        Assert.Contains("winograd", choices, StringComparison.Ordinal);
        Assert.DoesNotContain("winograd", Cnnc.Run("compile", _scratch["n.cnn"], "-t", target, "--emit", "choices", "--effort", "0").Out, StringComparison.Ordinal);
    }

    private byte[] Compile(string output, params string[] options)
    {
        Run(output, options).Exits(0);
        return File.ReadAllBytes(_scratch[output]);
    }

    private CnncResult Run(string output, params string[] options) => Cnnc.Run(["compile", Cnnc.Lenet5, "-t", "openedge", "-o", _scratch[output], .. options]);
}
