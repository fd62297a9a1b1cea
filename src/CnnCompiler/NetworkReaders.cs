using CnnCompiler.Frontend;
using CnnCompiler.Frontend.Onnx;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler;

/// <summary>A network as a front end gives it.</summary>
/// <param name="Graph">The network.</param>
/// <param name="TensorNames">The model's own names of values, where they differ from those in the graph.</param>
internal sealed record NetworkSource(NetworkGraph Graph, IReadOnlyDictionary<string, string> TensorNames)
{
    /// <summary>Numbers that values have in the model's file, where it numbers them.</summary>
    public IReadOnlyDictionary<string, int> TensorIndices { get; init; } = new Dictionary<string, int>(StringComparer.Ordinal);
}

/// <summary>One kind of source.</summary>
/// <param name="Extension">File extension with its dot.</param>
/// <param name="Summary">What it is, for messages.</param>
/// <param name="HasMagic">True for contents that can only be of this kind.</param>
/// <param name="Read">Reads it; null after reporting why not.</param>
internal sealed record NetworkReader(string Extension, string Summary, Func<ReadOnlyMemory<byte>, bool> HasMagic, Func<CompileRequest, DiagnosticBag, NetworkSource?> Read);

/// <summary>The table of front ends.</summary>
internal static class NetworkReaders
{
    private const int TfliteMagicOffset = 4;

    private static readonly Dictionary<string, string> NoNames = new(StringComparer.Ordinal);

    public static IReadOnlyList<NetworkReader> All { get; } =
    [
        new(".cnn", "a .cnn network description", static _ => false, ReadCnn),
        new(".tflite", "a .tflite model", static bytes => bytes.Length >= TfliteMagicOffset + 4 && bytes.Span.Slice(TfliteMagicOffset, 4).SequenceEqual("TFL3"u8), ReadTflite),
        new(".onnx", "an .onnx model", static _ => false, ReadOnnx),
    ];

    /// <summary>The reader for a source: by what the contents say, else by the file's extension; null where neither tells.</summary>
    public static NetworkReader? Choose(string file, ReadOnlyMemory<byte> bytes) =>
        All.FirstOrDefault(reader => reader.HasMagic(bytes)) ?? All.FirstOrDefault(reader => file.EndsWith(reader.Extension, StringComparison.OrdinalIgnoreCase));

    private static NetworkSource? ReadTflite(CompileRequest request, DiagnosticBag diagnostics) =>
        TfliteReader.ReadModel(request.Source, request.FileName, diagnostics) is { } model ? new(model.Graph, model.TensorNames) { TensorIndices = model.TensorIndices } : null;

    private static NetworkSource? ReadOnnx(CompileRequest request, DiagnosticBag diagnostics) =>
        OnnxReader.Read(request.Source, request.FileName, diagnostics) is { } model ? new(model.Graph, model.TensorNames) : null;

    private static NetworkSource? ReadCnn(CompileRequest request, DiagnosticBag diagnostics)
    {
        if (request.Source.Length > LanguageLimits.Bytes)
        {
            diagnostics.Report(LanguageDiagnostics.FileTooLong(request.FileName, request.Source.Length, "bytes"));
            return null;
        }

        return CnnFrontend.Parse(SourceText.Decode(request.Source.Span), request.FileName, name => request.Companion(name)?.ToArray(), diagnostics, request.Elements) is { } graph ? new(graph, NoNames) : null;
    }
}
