using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Files;

/// <summary>The files that a verb sees: those on the disk (<see cref="DiskFiles"/>), or those of a report of a defect (<see cref="BundledFiles"/>).</summary>
public interface IFileStore
{
    /// <summary>The whole file, or null and a diagnostic.</summary>
    /// <param name="path">The file as the user named it.</param>
    /// <param name="kind">What it is read as, for the message about its size.</param>
    /// <param name="limit">Most bytes.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    byte[]? Read(string path, string kind, long limit, DiagnosticBag diagnostics);

    /// <summary>Writes a result, whole or not at all; false and a diagnostic where that fails.</summary>
    bool Write(string path, ReadOnlySpan<byte> bytes, DiagnosticBag diagnostics);

    /// <summary>True for a file that is there.</summary>
    bool IsFile(string path);

    /// <summary>True for a folder that is there.</summary>
    bool IsFolder(string path);

    /// <summary>Paths of the files right in a folder whose names end like this, in ordinal order.</summary>
    /// <exception cref="DiagnosticException">It can't be read.</exception>
    IReadOnlyList<string> FilesOf(string folder, string extension);

    /// <summary>Makes a folder where there is none.</summary>
    /// <exception cref="DiagnosticException">It can't be made.</exception>
    void MakeFolder(string path);
}
