using System.Security;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Files;

/// <summary>Reads what users name; what can't be read is a diagnostic.</summary>
public static class InputFiles
{
    /// <summary>Most bytes of a network's source or weights.</summary>
    public const long LargestSource = 256L << 20;

    /// <summary>Most bytes of an image: flash and RAM are a few MiB, other parts are smaller.</summary>
    public const long LargestImage = 256L << 20;

    /// <summary>Most bytes of an input or reference tensor file.</summary>
    public const long LargestTensor = 256L << 20;

    /// <summary>Most bytes of a machine description, as it is read from disk.</summary>
    public const long LargestMachine = 1L << 20;

    /// <summary>Most bytes of a file of vectors.</summary>
    public const long LargestVectors = 512L << 20;

    /// <summary>Most bytes of a report of a defect, packed.</summary>
    public const long LargestBundle = 512L << 20;

    /// <summary>The whole file, or null and a diagnostic.</summary>
    /// <param name="path">The file as the user named it.</param>
    /// <param name="kind">What it is read as, for the message about its size.</param>
    /// <param name="limit">Most bytes; also of files that have no size, as devices and pipes.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static byte[]? Read(string path, string kind, long limit, DiagnosticBag diagnostics)
    {
        try
        {
            if (Directory.Exists(path))
            {
                diagnostics.Report(FileDiagnostics.IsDirectory(path));
                return null;
            }

            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 1);
            if (file.CanSeek && file.Length > limit)
            {
                diagnostics.Report(FileDiagnostics.TooLarge(path, kind, limit));
                return null;
            }

            using var contents = new MemoryStream(file.CanSeek ? (int)file.Length : 0);
            var buffer = new byte[1 << 16];
            int read;
            while ((read = file.Read(buffer)) > 0)
            {
                if (contents.Length + read > limit)
                {
                    diagnostics.Report(FileDiagnostics.TooLarge(path, kind, limit));
                    return null;
                }

                contents.Write(buffer, 0, read);
            }

            return contents.ToArray();
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            diagnostics.Report(FileDiagnostics.NotFound(path, Neighbour(path)));
        }
        catch (Exception exception) when (IsFileError(exception))
        {
            diagnostics.Report(FileDiagnostics.CannotRead(path, Reason(exception)));
        }

        return null;
    }

    /// <summary>True for what the file system throws at users.</summary>
    public static bool IsFileError(Exception exception) =>
        exception is IOException or UnauthorizedAccessException or SecurityException or ArgumentException or NotSupportedException;

    /// <summary>The reason in a user's words: the message without the path, which the diagnostic already names.</summary>
    public static string Reason(Exception exception) => exception switch
    {
        UnauthorizedAccessException => "access is denied",
        PathTooLongException => "its name is too long",
        DirectoryNotFoundException => "its folder does not exist",
        ArgumentException => "its name is not valid",
        _ => exception.Message.Split('\n')[0].TrimEnd('.', '\r'),
    };

    private static string? Neighbour(string path)
    {
        try
        {
            var folder = Path.GetDirectoryName(Path.GetFullPath(path));
            if (folder is null || !Directory.Exists(folder))
            {
                return null;
            }

            var names = Directory.EnumerateFiles(folder).Take(1000).Select(file => Path.GetFileName(file));
            var near = Suggestions.Nearest(Path.GetFileName(path), names);
            return near is null ? null : Path.Join(Path.GetDirectoryName(path), near);
        }
        catch (Exception exception) when (IsFileError(exception))
        {
            return null;
        }
    }
}
