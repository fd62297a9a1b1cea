using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using CnnCompiler.Cli.Files;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli;

/// <summary>
/// What is needed to see a defect of cnnc again: command line, version, exception, input files and the last sound program. Written as
/// <c>cnnc-crash-(hash).zip</c>; the same command on the same files gives the same name.
/// </summary>
public sealed class CrashReport
{
    private const int LargestPart = 64 << 20;
    private const int HashLetters = 12;
    private static readonly DateTimeOffset FixedTime = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private IrModule? _lastProgram;
    private readonly SortedDictionary<string, byte[]> _parts = new(StringComparer.Ordinal);

    /// <summary>Keeps a file that the command read.</summary>
    public void AddInput(string path, ReadOnlyMemory<byte> bytes) => Add($"inputs/{_parts.Count}-{Path.GetFileName(path)}", bytes);

    /// <summary>Keeps the program that the last pass made instead of the one before; it is printed only if there is something to report.</summary>
    public void SetLastProgram(IrModule module) => _lastProgram = module;

    /// <summary>Writes the report; its path, or an empty string where it could not be written.</summary>
    public string Write(string folder, IReadOnlyList<string> arguments, string version, Exception exception)
    {
        var commandLine = string.Join('\n', arguments) + "\n";
        Add("arguments.txt", Encoding.UTF8.GetBytes(commandLine));
        Add("version.txt", Encoding.UTF8.GetBytes($"{version}\n"));
        AddLastProgram();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (name, bytes) in _parts)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{name} {bytes.Length}\n")));
            hash.AppendData(bytes);
        }

        Add("exception.txt", Encoding.UTF8.GetBytes($"{exception}\n"));
        var path = Path.Join(folder, $"cnnc-crash-{Convert.ToHexStringLower(hash.GetHashAndReset())[..HashLetters]}.zip");
        var ignored = new DiagnosticBag();
        return OutputFiles.Write(path, Zip(), ignored) ? path : string.Empty;
    }

    private void AddLastProgram()
    {
        if (_lastProgram is null)
        {
            return;
        }

        string text;
        try
        {
            text = _lastProgram.Print();
        }
#pragma warning disable CA1031 // the program may be what is broken: the report is worth more than its reason
        catch (Exception exception)
#pragma warning restore CA1031
        {
            text = $"can't be printed: {exception}";
        }

        Add($"last-{_lastProgram.Level.Name()}.txt", Encoding.UTF8.GetBytes(text));
    }

    private void Add(string name, ReadOnlyMemory<byte> bytes) => _parts[name] = bytes[..Math.Min(bytes.Length, LargestPart)].ToArray();

    private byte[] Zip()
    {
        using var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, bytes) in _parts)
            {
                var entry = archive.CreateEntry(name);
                entry.LastWriteTime = FixedTime;
                using var contents = entry.Open();
                contents.Write(bytes);
            }
        }

        return stream.ToArray();
    }
}
