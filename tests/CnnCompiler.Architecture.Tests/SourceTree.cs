using CnnCompiler.TestSupport;

namespace CnnCompiler.Architecture.Tests;

/// <summary>The repository's own files, without what builds put there.</summary>
internal static class SourceTree
{
    private static readonly string[] NotOurs = ["artifacts", "bin", "obj", "node_modules", ".git", "Generated"];

    /// <summary>Files of these folders with an ending, as paths relative to the repository with forward slashes, in a fixed order.</summary>
    public static IReadOnlyList<string> Files(string ending, params ReadOnlySpan<string> folders)
    {
        var files = new List<string>();
        foreach (var folder in folders)
        {
            Collect(new DirectoryInfo(Path.Combine(SharedMaterial.Repository, folder)), ending, files);
        }

        files.Sort(StringComparer.Ordinal);
        return files;
    }

    public static string Read(string relative) => File.ReadAllText(Path.Combine(SharedMaterial.Repository, relative));

    private static void Collect(DirectoryInfo folder, string ending, List<string> files)
    {
        if (!folder.Exists)
        {
            return;
        }

        files.AddRange(folder.EnumerateFiles()
            .Where(file => file.Name.EndsWith(ending, StringComparison.Ordinal))
            .Select(file => Path.GetRelativePath(SharedMaterial.Repository, file.FullName).Replace('\\', '/')));
        foreach (var inner in folder.EnumerateDirectories().Where(inner => !NotOurs.Contains(inner.Name, StringComparer.Ordinal)))
        {
            Collect(inner, ending, files);
        }
    }
}
