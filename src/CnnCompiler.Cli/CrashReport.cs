using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using CnnCompiler.Cli.Files;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli;

/// <summary>
/// What is needed to see a defect of cnnc again: command line, version, exception, every file that was read and the last sound program. Written as
/// <c>cnnc-crash-(hash).zip</c>, which <c>cnnc replay</c> runs (<see cref="DefectBundle"/>); the same command on the same files gives the same name.
/// </summary>
public sealed class CrashReport
{
    private const int HashLetters = 12;
    private static readonly DateTimeOffset FixedTime = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly List<(string Path, ReadOnlyMemory<byte> Bytes)> _inputs = [];
    private readonly HashSet<string> _paths = new(StringComparer.Ordinal);
    private IrModule? _lastProgram;

    /// <summary>Keeps a file that the command read; one that is read again counts as it was at first.</summary>
    public void AddInput(string path, ReadOnlyMemory<byte> bytes)
    {
        if (_paths.Add(path))
        {
            _inputs.Add((path, bytes));
        }
    }

    /// <summary>Keeps the program that the last pass made instead of the one before; it is printed only if there is something to report.</summary>
    public void SetLastProgram(IrModule module) => _lastProgram = module;

    /// <summary>Type and first line of a defect: by this it is known again.</summary>
    public static string Line(Exception exception) => $"{exception.GetType().FullName}: {exception.Message.Split('\n')[0].TrimEnd()}";

    /// <summary>Writes the report; its path, or an empty string where it could not be written.</summary>
    /// <param name="environment">Where to, and what the command saw of the world.</param>
    /// <param name="arguments">The command line.</param>
    /// <param name="version">Version of cnnc.</param>
    /// <param name="exception">The defect.</param>
    public string Write(CliEnvironment environment, IReadOnlyList<string> arguments, string version, Exception exception)
    {
        var parts = new SortedDictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        var files = new List<BundledFile>();
        long size = 0;
        foreach (var (input, bytes) in _inputs)
        {
            var entry = string.Create(CultureInfo.InvariantCulture, $"inputs/{files.Count}-{Path.GetFileName(input)}");
            var fits = size + bytes.Length <= DefectBundle.LargestContents;
            files.Add(new(input, fits ? entry : null));
            if (fits)
            {
                parts[entry] = bytes;
                size += bytes.Length;
            }
        }

        AddLastProgram(parts);
        parts[DefectBundle.ManifestName] = DefectBundle.WriteManifest(version, arguments, environment, files);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (name, bytes) in parts)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{name} {bytes.Length}\n")));
            hash.AppendData(bytes.Span);
        }

        parts[DefectBundle.ExceptionName] = Encoding.UTF8.GetBytes($"{Line(exception)}\n\n{exception}\n");
        var path = Path.Join(environment.CrashFolder, $"cnnc-crash-{Convert.ToHexStringLower(hash.GetHashAndReset())[..HashLetters]}.zip");
        return environment.Files.Write(path, Zip(parts), new DiagnosticBag()) ? path : string.Empty;
    }

    private void AddLastProgram(SortedDictionary<string, ReadOnlyMemory<byte>> parts)
    {
        if (_lastProgram is null)
        {
            return;
        }

        var name = $"last-{_lastProgram.Level.Name()}";
        try
        {
            var text = _lastProgram.Text();
            var file = name + (ModuleText.Levels.Contains(_lastProgram.Level) ? ".cnnir" : ".txt");
            if (text.Constants.Constants.Count > 0)
            {
                parts[file + ".npz"] = NpzFile.Write(text.Constants.Constants.Select(constant => new KeyValuePair<string, Tensor>(constant.Name, constant.Value)));
            }

            parts[file] = Encoding.UTF8.GetBytes(text.Text);
        }
#pragma warning disable CA1031 // the program may be what is broken: the report is worth more than its reason
        catch (Exception exception)
#pragma warning restore CA1031
        {
            parts[name + ".txt"] = Encoding.UTF8.GetBytes($"can't be printed: {exception}");
        }
    }

    private static byte[] Zip(SortedDictionary<string, ReadOnlyMemory<byte>> parts)
    {
        using var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, bytes) in parts)
            {
                var entry = archive.CreateEntry(name);
                entry.LastWriteTime = FixedTime;
                using var contents = entry.Open();
                contents.Write(bytes.Span);
            }
        }

        return stream.ToArray();
    }
}
