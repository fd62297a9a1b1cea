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
        var refused = Cnnc.Run("compile", Cnnc.Lenet5, "-t", "arrayflex", "-o", _scratch["x.cnnb"], "--effort", "2").Exits(2);
        Assert.Contains("arrayflex", refused.Error, StringComparison.Ordinal);
    }

    private byte[] Compile(string output, params string[] options)
    {
        Run(output, options).Exits(0);
        return File.ReadAllBytes(_scratch[output]);
    }

    private CnncResult Run(string output, params string[] options) => Cnnc.Run(["compile", Cnnc.Lenet5, "-t", "openedge", "-o", _scratch[output], .. options]);
}
