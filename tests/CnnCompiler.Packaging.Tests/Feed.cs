using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
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

/// <summary>All packages, packed once into a folder that serves as a feed; the tool, installed once from there; and folders of their own for those who use them.</summary>
public sealed partial class Feed : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("cnnc-packages-").FullName;
    private readonly Lazy<string> _tool;

    public Feed()
    {
        _tool = new(InstallTool);

        // What the build of this project has built is packed as it is; only the tool is compiled again, for its platforms, beside what other tests run from.
        var projects = Directory.EnumerateFiles(SharedMaterial.Repository, "*.csproj", SearchOption.AllDirectories).Where(file => File.ReadAllText(file).Contains("<IsPackable>true<", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
        var tool = projects.Single(file => Path.GetFileName(file) == "CnnCompiler.Cli.csproj");
        var pack = Path.Combine(_root, "pack.proj");
        File.WriteAllText(pack, $"""
            <Project>
              <Target Name="Pack">
                <MSBuild Projects="{string.Join(';', projects.Where(file => file != tool))}" Targets="Pack" BuildInParallel="true" Properties="Configuration={Configuration};NoBuild=true;PackageOutputPath={Folder}" />
                <MSBuild Projects="{tool}" Targets="Pack" Properties="Configuration={Configuration};BuildProjectReferences=false;RunAnalyzers=false;PackageOutputPath={Folder}" />
              </Target>
            </Project>
            """);
        Run(SharedMaterial.Repository, "dotnet", "msbuild", pack, "-t:Pack", "-nologo", "-v:q", "-m").Exits(0);
        Version = ToolPackage().Match(string.Join('\n', Directory.EnumerateFiles(Folder).Select(Path.GetFileName))).Groups["version"].Value;
    }

    /// <summary>The feed.</summary>
    public string Folder => Path.Combine(_root, "feed");

    /// <summary>The version of all packages.</summary>
    public string Version { get; }

    /// <summary>The installed tool.</summary>
    public string Tool => _tool.Value;

    private static string Configuration => Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)) == "debug" ? "Debug" : "Release";

    /// <summary>A new folder with a nuget.config that knows the feed, and no file of the repository above it.</summary>
    public string NewProject(string name)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_root, name)).FullName;

        // Neither a look at lists of vulnerabilities nor analyzers: they are about what is not tested here.
        File.WriteAllText(Path.Combine(folder, "Directory.Build.props"), "<Project><PropertyGroup><NuGetAudit>false</NuGetAudit><RunAnalyzers>false</RunAnalyzers></PropertyGroup></Project>");
        File.WriteAllText(Path.Combine(folder, "nuget.config"), $"""<configuration><packageSources><add key="cnnc" value="{Folder}" /></packageSources></configuration>""");
        return folder;
    }

    /// <summary>Text in which VERSION stands for the version of the packages, as a file.</summary>
    public void Write(string folder, string name, string text) => File.WriteAllText(Path.Combine(folder, name), text.Replace("VERSION", Version, StringComparison.Ordinal));

    /// <summary>Runs a program to its end, with a package cache that no other run has filled.</summary>
    public ProcessResult Run(string folder, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.Environment["NUGET_PACKAGES"] = folder == SharedMaterial.Repository ? Environment.GetEnvironmentVariable("NUGET_PACKAGES") : Path.Combine(_root, "packages");
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_NUGET_SIGNATURE_VERIFICATION"] = "false";
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

    [GeneratedRegex(@"^cnnc\.(?<version>\d.*)\.nupkg$", RegexOptions.Multiline)]
    private static partial Regex ToolPackage();

    private string InstallTool()
    {
        var folder = NewProject("tool");
        Run(folder, "dotnet", "tool", "install", "cnnc", "--tool-path", "bin", "--add-source", Folder, "--prerelease").Exits(0);
        return Path.Combine(folder, "bin", "cnnc");
    }

    private static void Append(StringBuilder output, string? line)
    {
        lock (output)
        {
            output.Append(line).Append('\n');
        }
    }
}
