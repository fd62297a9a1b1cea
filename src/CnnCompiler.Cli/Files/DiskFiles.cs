using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Files;

/// <summary>The files on the disk.</summary>
public sealed class DiskFiles : IFileStore
{
    /// <summary>The only one that is needed: it has no state.</summary>
    public static DiskFiles Instance { get; } = new();

    /// <inheritdoc/>
    public byte[]? Read(string path, string kind, long limit, DiagnosticBag diagnostics) => InputFiles.Read(path, kind, limit, diagnostics);

    /// <inheritdoc/>
    public bool Write(string path, ReadOnlySpan<byte> bytes, DiagnosticBag diagnostics) => OutputFiles.Write(path, bytes, diagnostics);

    /// <inheritdoc/>
    public bool IsFile(string path) => File.Exists(path);

    /// <inheritdoc/>
    public bool IsFolder(string path) => Directory.Exists(path);

    /// <inheritdoc/>
    public IReadOnlyList<string> FilesOf(string folder, string extension)
    {
        try
        {
            return [.. Directory.EnumerateFiles(folder, "*" + extension).Order(StringComparer.Ordinal)];
        }
        catch (Exception exception) when (InputFiles.IsFileError(exception))
        {
            throw new DiagnosticException(FileDiagnostics.CannotRead(folder, InputFiles.Reason(exception)));
        }
    }

    /// <inheritdoc/>
    public void MakeFolder(string path)
    {
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception exception) when (InputFiles.IsFileError(exception))
        {
            throw new DiagnosticException(FileDiagnostics.CannotWrite(path, InputFiles.Reason(exception)));
        }
    }
}
