using System.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Rtl.Tests;

/// <summary>
/// Tests that need Verilator or Yosys belong to the tier <c>rtl</c>: <c>.ci/run --tier rtl</c> installs both and sets CNNC_TIER. In any other tier these
/// tests are skipped with <see cref="Reason"/>, which <c>.ci/run</c> knows; in this one a missing tool fails them.
/// </summary>
internal static class RtlTier
{
    /// <summary>Why a test is skipped outside the tier. <c>.ci/run</c> lists it.</summary>
    public const string Reason = "needs --tier rtl";

    /// <summary>The folder of the hardware's sources.</summary>
    public static string Sources { get; } = Path.Combine(SharedMaterial.Repository, "runtime", "rtl");

    /// <summary>Skips the test outside the tier.</summary>
    public static void Require() => Assert.SkipUnless(Environment.GetEnvironmentVariable("CNNC_TIER") == "rtl", Reason);

    /// <summary>All modules, in a fixed order.</summary>
    public static IReadOnlyList<string> Modules()
    {
        var modules = Directory.GetFiles(Sources, "*.sv");
        Array.Sort(modules, StringComparer.Ordinal);
        return modules;
    }

    /// <summary>An empty folder below the build's own.</summary>
    public static string NewFolder(string name)
    {
        var folder = Path.Combine(SharedMaterial.Repository, "artifacts", "rtl", name);
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        Directory.CreateDirectory(folder);
        return folder;
    }

    /// <summary>Runs a program to its end; fails the test where it is missing or does not exit with 0.</summary>
    /// <returns>What it wrote to the standard output.</returns>
    public static string Run(string folder, string program, params ReadOnlySpan<string> arguments)
    {
        var (status, output, errors) = TryRun(folder, program, arguments);
        Assert.True(status == 0, $"{program} ended with {status} in {folder}:\n{errors}\n{output}");
        return output;
    }

    /// <summary>Runs a program to its end; fails the test where it is missing.</summary>
    public static (int Status, string Output, string Errors) TryRun(string folder, string program, params ReadOnlySpan<string> arguments)
    {
        var start = new ProcessStartInfo(program) { WorkingDirectory = folder, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using var process = new Process { StartInfo = start };
        try
        {
            process.Start();
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            Assert.Fail($"{program} is missing ({error.Message}): apt-get install verilator yosys g++ make");
        }

        // Read beside each other, so that neither pipe fills up and stops the program.
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.GetAwaiter().GetResult());
    }
}
