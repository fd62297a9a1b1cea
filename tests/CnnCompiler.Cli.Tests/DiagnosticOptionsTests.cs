using System.Text.Json;

namespace CnnCompiler.Cli.Tests;

/// <summary>Warnings as the user wants them, and the log for tools.</summary>
public class DiagnosticOptionsTests
{
    // 'y' is read by nothing: CNN0226.
    private const string Warns =
        "network n {\n    weights seed 7\n    input x : i8[1x4x4x4] scale 0.5 zero 0\n    y = max_pool2d(x, kernel=2x2)\n    z = max_pool2d(x, kernel=2x2)\n    output z\n}\n";

    private const string Wrong = "network n {\n    input x : i8[1x4x4x4] scale 0.5 zero 0\n    z = max_pool2d(x, kernel=2x2)\n    y = max_pool2d(q, kernel=2x2)\n    output y, z\n}\n";

    [Fact]
    public void Warnings_are_told_and_change_nothing()
    {
        using var scratch = new Scratch();
        var result = Cnnc.Run("compile", scratch.Write("n.cnn", Warns), "-t", "openedge").Exits(0);
        Assert.Contains("n.cnn(4,5): warning CNN0226: ", result.Error, StringComparison.Ordinal);
        Assert.Contains("n.cnnb", scratch.Names);
    }

    [Theory]
    [InlineData("--warnaserror")]
    [InlineData("--warnaserror", "CNN0236,cnn0226")]
    public void Warnings_as_errors_fail_and_nothing_is_written(params string[] options)
    {
        using var scratch = new Scratch();
        var result = Cnnc.Run(["compile", scratch.Write("n.cnn", Warns), "-t", "openedge", .. options]).Exits(1);
        Assert.Contains("n.cnn(4,5): error CNN0226: ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("n.cnnb", scratch.Names);
        Assert.Contains("error CNN0226", Cnnc.Run(["check", scratch["n.cnn"], .. options]).Exits(1).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_warnings_stay_warnings() => WithWarning(file =>
        Assert.Contains("warning CNN0226", Cnnc.Run("check", file, "--warnaserror", "CNN0236").Exits(0).Error, StringComparison.Ordinal));

    [Fact]
    public void Dropped_warnings_are_not_told_and_errors_cannot_be_dropped() => WithWarning(file =>
    {
        Assert.Empty(Cnnc.Run("check", file, "--nowarn", "CNN0226", "--warnaserror").Exits(0).Error);
        File.WriteAllText(file, Wrong);
        var code = Cnnc.Run("check", file).Exits(1).Error.Split("error ")[1][..7];
        Assert.Contains(code, Cnnc.Run("check", file, "--nowarn", code).Exits(1).Error, StringComparison.Ordinal);
    });

    [Fact]
    public void A_code_that_is_none_is_refused() => WithWarning(file => Cnnc.Run("check", file, "--nowarn", "226").Exits(2));

    [Fact]
    public void A_sarif_log_has_every_diagnostic_with_its_place()
    {
        using var scratch = new Scratch();
        var file = scratch.Write("my net.cnn", Wrong);
        Cnnc.Run("check", file, "--sarif", scratch["log.sarif"]).Exits(1);
        using var log = JsonDocument.Parse(File.ReadAllBytes(scratch["log.sarif"]));
        Assert.Equal("2.1.0", log.RootElement.GetProperty("version").GetString());
        var run = log.RootElement.GetProperty("runs")[0];
        Assert.Equal("cnnc", run.GetProperty("tool").GetProperty("driver").GetProperty("name").GetString());
        var result = run.GetProperty("results")[0];
        var rule = run.GetProperty("tool").GetProperty("driver").GetProperty("rules")[result.GetProperty("ruleIndex").GetInt32()];
        Assert.Equal(result.GetProperty("ruleId").GetString(), rule.GetProperty("id").GetString());
        Assert.Equal("error", result.GetProperty("level").GetString());
        Assert.Contains("'q'", result.GetProperty("message").GetProperty("text").GetString(), StringComparison.Ordinal);
        var place = result.GetProperty("locations")[0].GetProperty("physicalLocation");
        Assert.EndsWith("/my%20net.cnn", place.GetProperty("artifactLocation").GetProperty("uri").GetString(), StringComparison.Ordinal);
        Assert.Equal(4, place.GetProperty("region").GetProperty("startLine").GetInt32());
        Assert.Equal(20, place.GetProperty("region").GetProperty("startColumn").GetInt32());
    }

    [Fact]
    public void A_log_without_results_is_written_too_and_one_that_cannot_be_written_fails() => WithWarning(file =>
    {
        var log = Path.ChangeExtension(file, ".sarif");
        Cnnc.Run("check", file, "--nowarn", "CNN0226", "--sarif", log).Exits(0);
        using var document = JsonDocument.Parse(File.ReadAllBytes(log));
        Assert.Equal(0, document.RootElement.GetProperty("runs")[0].GetProperty("results").GetArrayLength());
        Cnnc.Run("check", file, "--sarif", Path.Combine(file, "no")).Exits(1);
    });

    private static void WithWarning(Action<string> test)
    {
        using var scratch = new Scratch();
        test(scratch.Write("n.cnn", Warns));
    }
}
