using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Files;

/// <summary>Writes results: whole or not at all.</summary>
public static class OutputFiles
{
    /// <summary>Writes the bytes under a temporary name beside <paramref name="path"/> and renames; false and a diagnostic where that fails, and then nothing is left behind.</summary>
    public static bool Write(string path, ReadOnlySpan<byte> bytes, DiagnosticBag diagnostics)
    {
        string? temporary = null;
        try
        {
            if (Directory.Exists(path))
            {
                diagnostics.Report(FileDiagnostics.IsDirectory(path));
                return false;
            }

            if (IsDevice(path))
            {
                using var device = new FileStream(path, FileMode.Open, FileAccess.Write);
                device.Write(bytes);
                return true;
            }

            // through a link the file it names is replaced, not the link
            var target = File.Exists(path) && File.ResolveLinkTarget(path, returnFinalTarget: true) is { } link ? link.FullName : path;
            temporary = TemporaryName(target);
            using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                file.Write(bytes);
            }

            File.Move(temporary, target, overwrite: true);
            return true;
        }
        catch (Exception exception) when (InputFiles.IsFileError(exception))
        {
            Remove(temporary);
            diagnostics.Report(FileDiagnostics.CannotWrite(path, InputFiles.Reason(exception)));
            return false;
        }
    }

    /// <summary>A device (/dev/null, /dev/stdout) is written to, not replaced.</summary>
    private static bool IsDevice(string path) => !OperatingSystem.IsWindows() && path.StartsWith("/dev/", StringComparison.Ordinal) && File.Exists(path);

    private static string TemporaryName(string path) => FormattableString.Invariant($"{path}.{Environment.ProcessId}-{Environment.CurrentManagedThreadId}.tmp");

    private static void Remove(string? temporary)
    {
        try
        {
            if (temporary is not null)
            {
                File.Delete(temporary);
            }
        }
        catch (Exception exception) when (InputFiles.IsFileError(exception))
        {
            // what failed first is what the user is told
        }
    }
}
