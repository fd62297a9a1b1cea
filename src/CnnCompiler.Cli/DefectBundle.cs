using System.IO.Compression;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using CnnCompiler.Cli.Files;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli;

/// <summary>A file in a report of a defect.</summary>
/// <param name="Path">Its name on the command line, or as a file named there named it.</param>
/// <param name="Entry">The part of the report that holds it; null where it was too large for the report.</param>
internal sealed record BundledFile(string Path, string? Entry);

/// <summary>A report of a defect (<see cref="CrashReport"/>) as it is read back: a command line and everything that it saw.</summary>
/// <param name="Version">The version of cnnc that failed.</param>
/// <param name="Arguments">Its command line.</param>
/// <param name="OutRedirected">True where results went to a file or pipe.</param>
/// <param name="ErrorRedirected">True where diagnostics went to a file or pipe.</param>
/// <param name="Files">Contents of the files that it read, by the path under which it did.</param>
/// <param name="Defect">The exception's type and first line.</param>
internal sealed record DefectBundle(
    string Version, IReadOnlyList<string> Arguments, bool OutRedirected, bool ErrorRedirected, IReadOnlyDictionary<string, byte[]> Files, string Defect)
{
    /// <summary>The part that says how the others belong together.</summary>
    public const string ManifestName = "bundle.json";

    /// <summary>The part with the exception; its first line is <see cref="Defect"/>.</summary>
    public const string ExceptionName = "exception.txt";

    /// <summary>Most bytes of all files together, unpacked.</summary>
    public const long LargestContents = 512L << 20;

    private const int Format = 1;
    private const int MostFiles = 100_000;
    private const int LargestText = 16 << 20;
    private static readonly JsonWriterOptions Json = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The bytes of <see cref="ManifestName"/>.</summary>
    public static byte[] WriteManifest(string version, IReadOnlyList<string> arguments, CliEnvironment environment, IReadOnlyList<BundledFile> files)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Json))
        {
            json.WriteStartObject();
            json.WriteNumber("format", Format);
            json.WriteString("version", version);
            json.WriteStartArray("arguments");
            foreach (var argument in arguments)
            {
                json.WriteStringValue(argument);
            }

            json.WriteEndArray();
            json.WriteBoolean("outRedirected", environment.OutRedirected);
            json.WriteBoolean("errorRedirected", environment.ErrorRedirected);
            json.WriteStartArray("files");
            foreach (var file in files)
            {
                json.WriteStartObject();
                json.WriteString("path", file.Path);
                json.WriteString("entry", file.Entry);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    /// <summary>The report in the bytes of its file.</summary>
    /// <exception cref="DiagnosticException">It is none, it is damaged, or it lacks a file (CNN0022).</exception>
    public static DefectBundle Read(string file, byte[] bytes)
    {
        try
        {
            using var archive = new ZipArchive(new MemoryStream(bytes, writable: false), ZipArchiveMode.Read);
            if (archive.Entries.Count > MostFiles)
            {
                throw Wrong(file, "it has too many parts");
            }

            using var manifest = JsonDocument.Parse(Part(archive, file, ManifestName, LargestText));
            var root = manifest.RootElement;
            if (root.GetProperty("format").GetInt32() != Format)
            {
                throw Wrong(file, "it was written by a later cnnc");
            }

            var contents = new Dictionary<string, byte[]>(StringComparer.Ordinal);
            var room = LargestContents;
            foreach (var listed in root.GetProperty("files").EnumerateArray())
            {
                var path = Text(listed.GetProperty("path"));
                var entry = listed.GetProperty("entry").GetString() ?? throw Wrong(file, $"{path} was too large to be kept in it");
                contents[path] = Part(archive, file, entry, room);
                room -= contents[path].LongLength;
            }

            string[] arguments = [.. root.GetProperty("arguments").EnumerateArray().Select(Text)];
            return new(
                Text(root.GetProperty("version")),
                arguments is [ReplayVerb, ..] ? throw Wrong(file, "its command replays another report") : arguments,
                root.GetProperty("outRedirected").GetBoolean(),
                root.GetProperty("errorRedirected").GetBoolean(),
                contents,
                Encoding.UTF8.GetString(Part(archive, file, ExceptionName, LargestText)).Split('\n')[0]);
        }
        catch (Exception exception) when (exception is InvalidDataException or JsonException or KeyNotFoundException or InvalidOperationException or FormatException or IOException or NotSupportedException)
        {
            throw Wrong(file, "it is damaged");
        }
    }

    /// <summary>The verb that runs reports; one can't be what a report runs.</summary>
    public const string ReplayVerb = "replay";

    private static string Text(JsonElement element) => element.GetString() ?? throw new JsonException();

    private static byte[] Part(ZipArchive archive, string file, string name, long limit)
    {
        using var stream = (archive.GetEntry(name) ?? throw Wrong(file, $"it has no part {name}")).Open();
        using var contents = new MemoryStream();
        var buffer = new byte[1 << 16];
        int read;
        while ((read = stream.Read(buffer)) > 0)
        {
            if (contents.Length + read > limit)
            {
                throw Wrong(file, $"its part {name} is too large");
            }

            contents.Write(buffer, 0, read);
        }

        return contents.ToArray();
    }

    private static DiagnosticException Wrong(string file, string why) => new(FileDiagnostics.NoBundle(file, why));
}
