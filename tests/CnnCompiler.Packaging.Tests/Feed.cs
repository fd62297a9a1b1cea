using System.Diagnostics;
using System.Text;
using CnnCompiler.TestSupport;

[assembly: AssemblyFixture(typeof(CnnCompiler.Packaging.Tests.Feed))]

namespace CnnCompiler.Packaging.Tests;

/// <summary>What a process gave.</summary>
public sealed record ProcessResult(int ExitCode, string Output)
{
    /// <summary>Ends the test with everything that was printed where the exit code is another.</summary>
    public ProcessResult Exits(int code)
    {
        Assert.True(ExitCode == code, $"exit code {ExitCode}, expected {code}\n{Output}");
        return this;
    }
}

/// <summary>All packages, packed once from the sources into a folder that serves as a feed; and folders of their own for those who use them.</summary>
public sealed class Feed : IDisposable
{
    private const string Version = "0.0.0-test";
    private readonly string _root = Directory.CreateTempSubdirectory("cnnc-packages-").FullName;

    public Feed() =>
        // Binaries of their own: other tests run from the usual ones meanwhile.
        Run(SharedMaterial.Repository, "dotnet", "pack", "CnnCompiler.sln", "-c", "Release", "--nologo", "-v", "q", "-o", Folder, "--artifacts-path", Path.Combine(_root, "artifacts"), $"-p:Version={Version}").Exits(0);

    /// <summary>The feed.</summary>
    public string Folder => Path.Combine(_root, "feed");

    /// <summary>A new folder with a nuget.config that knows the feed, and no file of the repository above it.</summary>
    public string NewProject(string name)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_root, name)).FullName;
        File.WriteAllText(Path.Combine(folder, "nuget.config"), $"""<configuration><packageSources><add key="cnnc" value="{Folder}" /></packageSources></configuration>""");
        return folder;
    }

    /// <summary>Text in which VERSION stands for the version of the packages, as a file.</summary>
    public static void Write(string folder, string name, string text) => File.WriteAllText(Path.Combine(folder, name), text.Replace("VERSION", Version, StringComparison.Ordinal));

    /// <summary>Runs a program to its end, with a package cache that no other run has filled.</summary>
    public ProcessResult Run(string folder, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.Environment["NUGET_PACKAGES"] = folder == SharedMaterial.Repository ? Environment.GetEnvironmentVariable("NUGET_PACKAGES") : Path.Combine(_root, "packages");
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        var output = new StringBuilder();
        using var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Append(output, line.Data);
        process.ErrorDataReceived += (_, line) => Append(output, line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        process.WaitForExit();
        return new(process.ExitCode, output.ToString());
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static void Append(StringBuilder output, string? line)
    {
        lock (output)
        {
            output.Append(line).Append('\n');
        }
    }
}
