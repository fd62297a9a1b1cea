using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Files;

/// <summary>The files of a report of a defect, under the names that the command line gave them. Results are dropped: nothing of the disk is read or changed.</summary>
/// <param name="contents">Contents by path.</param>
internal sealed class BundledFiles(IReadOnlyDictionary<string, byte[]> contents) : IFileStore
{
    /// <inheritdoc/>
    public byte[]? Read(string path, string kind, long limit, DiagnosticBag diagnostics)
    {
        if (!contents.TryGetValue(path, out var bytes))
        {
            diagnostics.Report(FileDiagnostics.NotFound(path, near: null));
            return null;
        }

        if (bytes.LongLength > limit)
        {
            diagnostics.Report(FileDiagnostics.TooLarge(path, kind, limit));
            return null;
        }

        return bytes;
    }

    /// <inheritdoc/>
    public bool Write(string path, ReadOnlySpan<byte> bytes, DiagnosticBag diagnostics) => true;

    /// <inheritdoc/>
    public bool IsFile(string path) => contents.ContainsKey(path);

    /// <inheritdoc/>
    public bool IsFolder(string path) => contents.Keys.Any(file => IsIn(file, path));

    /// <inheritdoc/>
    public IReadOnlyList<string> FilesOf(string folder, string extension) =>
        [.. contents.Keys.Where(file => IsIn(file, folder) && file.EndsWith(extension, StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal)];

    /// <inheritdoc/>
    public void MakeFolder(string path)
    {
    }

    private static bool IsIn(string file, string folder) => Path.GetFileName(file) is var name && Path.Join(folder, name) == file;
}
