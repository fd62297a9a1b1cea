using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary>What one invocation gave.</summary>
internal sealed record CnncResult(int ExitCode, string Out, string Error)
{
    public string LastLine => Out.TrimEnd('\n').Split('\n')[^1];

    /// <summary>Ends the test with everything that was printed where the exit code is another.</summary>
    public CnncResult Exits(int code)
    {
        Assert.True(ExitCode == code, $"exit code {ExitCode}, expected {code}\n{Error}\n{Out}");
        return this;
    }
}

/// <summary>Calls the command line in process.</summary>
internal static class Cnnc
{
    public static string Lenet5 => Path.Combine(SharedMaterial.Repository, "samples", "lenet5.cnn");

    public static string Digit(int digit) => Path.Combine(SharedMaterial.Repository, "samples", "digits", $"{digit}.npy");

    public static CnncResult Run(params string[] args) => Run(environment => environment, args);

    public static CnncResult Run(Func<CliEnvironment, CliEnvironment> change, params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var environment = new CliEnvironment(output, error, TestContext.Current.CancellationToken) { CrashFolder = Path.Combine(Path.GetTempPath(), "cnnc-tests-keep-no-reports") };
        var code = Program.Run(args, change(environment));
        return new(code, output.ToString().ReplaceLineEndings("\n"), error.ToString().ReplaceLineEndings("\n"));
    }
}

/// <summary>A folder of its own for a test, removed with everything in it.</summary>
internal sealed class Scratch : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("cnnc-test-").FullName;

    public string this[string name] => Path.Combine(Folder, name);

    public IEnumerable<string> Names => Directory.EnumerateFileSystemEntries(Folder).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal);

    public string Write(string name, string text)
    {
        File.WriteAllText(this[name], text);
        return this[name];
    }

    public string Write(string name, byte[] bytes)
    {
        File.WriteAllBytes(this[name], bytes);
        return this[name];
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
