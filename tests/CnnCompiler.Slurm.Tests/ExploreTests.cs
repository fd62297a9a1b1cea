using System.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Slurm.Tests;

/// <summary>The job array of <c>samples/slurm</c> on a Slurm of one node.</summary>
public class ExploreTests
{
    private const int Parts = 3;
    private static readonly string Samples = Path.Combine(SharedMaterial.Repository, "samples");
    private static readonly string Script = Path.Combine(Samples, "slurm", "explore.sh");
    private static readonly string Network = Path.Combine(Samples, "lenet5.cnn");

    [Fact]
    public void A_job_array_finds_what_one_run_finds_and_a_part_that_fails_leaves_no_result()
    {
        using var slurm = OneNodeSlurm.Start();
        var output = Path.Combine(slurm.Folder, "front.csv");
        var (status, said) = slurm.Run("bash", Script, output, "3", Network, "--elements", "24", "--machine", "overlay-16x16");
        Assert.True(status == 0 && File.Exists(output), said);
        for (var part = 1; part <= Parts; part++)
        {
            Assert.Contains($"; part {part}/{Parts}\n", File.ReadAllText(Path.Combine($"{output}.parts", $"{part}.csv")), StringComparison.Ordinal);
        }

        using var whole = new StringWriter { NewLine = "\n" };
        Assert.Equal(0, Cli.Program.Run(["explore", Network, "--elements", "24", "--machine", "overlay-16x16"], new Cli.CliEnvironment(whole, TextWriter.Null, TestContext.Current.CancellationToken)));
        Assert.Equal(whole.ToString(), File.ReadAllText(output));

        var failed = Path.Combine(slurm.Folder, "failed.csv");
        Assert.NotEqual(0, slurm.Run("bash", Script, failed, "2", Path.Combine(slurm.Folder, "absent.cnn")).Status);
        Assert.False(File.Exists(failed));
        Assert.Contains("absent.cnn", File.ReadAllText(Path.Combine($"{failed}.parts", "1.log")), StringComparison.Ordinal);
    }

    [Fact]
    public void The_script_says_how_it_is_called()
    {
        using var process = Process.Start(new ProcessStartInfo("bash", [Script, "front.csv", "none", Network]) { UseShellExecute = false, RedirectStandardError = true })!;
        Assert.Contains("usage:", process.StandardError.ReadToEnd(), StringComparison.Ordinal);
        process.WaitForExit();
        Assert.Equal(2, process.ExitCode);
    }
}
