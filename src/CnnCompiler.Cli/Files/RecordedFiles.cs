using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Files;

/// <summary>Another store's files, of which every one that is read goes into the report of a defect.</summary>
/// <param name="files">The other store.</param>
/// <param name="report">The report.</param>
internal sealed class RecordedFiles(IFileStore files, CrashReport report) : IFileStore
{
    /// <inheritdoc/>
    public byte[]? Read(string path, string kind, long limit, DiagnosticBag diagnostics)
    {
        var bytes = files.Read(path, kind, limit, diagnostics);
        if (bytes is not null)
        {
            report.AddInput(path, bytes);
        }

        return bytes;
    }

    /// <inheritdoc/>
    public bool Write(string path, ReadOnlySpan<byte> bytes, DiagnosticBag diagnostics) => files.Write(path, bytes, diagnostics);

    /// <inheritdoc/>
    public bool IsFile(string path) => files.IsFile(path);

    /// <inheritdoc/>
    public bool IsFolder(string path) => files.IsFolder(path);

    /// <inheritdoc/>
    public IReadOnlyList<string> FilesOf(string folder, string extension) => files.FilesOf(folder, extension);

    /// <inheritdoc/>
    public void MakeFolder(string path) => files.MakeFolder(path);
}
