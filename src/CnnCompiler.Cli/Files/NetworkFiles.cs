using System.Globalization;
using System.Text;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Frontend;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Files;

/// <summary>A network as two files: a <c>.cnn</c>, and its weights in an <c>.npz</c> beside it.</summary>
internal sealed class NetworkFiles
{
    private const string WeightsExtension = ".npz";

    private readonly CliSession _session;
    private readonly string _text;
    private readonly string _weights;

    /// <summary>Takes the names.</summary>
    /// <param name="session">The invocation.</param>
    /// <param name="output">The <c>.cnn</c>.</param>
    /// <param name="sources">Files that are read, which neither may be.</param>
    /// <exception cref="DiagnosticException">A source would be overwritten, or both are one file (CNN0018).</exception>
    public NetworkFiles(CliSession session, string output, IReadOnlyList<string> sources)
    {
        (_session, _text, _weights) = (session, output, Path.ChangeExtension(output, WeightsExtension));
        foreach (var result in (string[])[_text, _weights])
        {
            if (sources.Append(result == _text ? _weights : _text).Any(other => Path.GetFullPath(other) == Path.GetFullPath(result)))
            {
                throw new DiagnosticException(FileDiagnostics.SameOutput(result));
            }
        }
    }

    /// <summary>Writes the network.</summary>
    /// <param name="graph">The network.</param>
    /// <param name="labels">The model's own names of values, which become comments.</param>
    /// <returns>What was written, for the user.</returns>
    /// <exception cref="DiagnosticException">The text would be longer than the language's front end reads (CNN0200).</exception>
    public string Write(NetworkGraph graph, IReadOnlyDictionary<string, string> labels)
    {
        var text = CnnWriter.Write(graph, Path.GetFileName(_weights), labels);
        var source = Encoding.UTF8.GetBytes(text.Text);
        if (source.Length > LanguageLimits.Bytes)
        {
            throw new DiagnosticException(LanguageDiagnostics.FileTooLong(_text, source.Length, "bytes"));
        }

        if (text.Arrays.Count == 0)
        {
            _session.Write(_text, source);
            return $"{_text}: {Layers(graph)}";
        }

        // Weights first: a text never names weights that aren't there.
        var bytes = NpzFile.Write(text.Arrays);
        _session.Write(_weights, bytes);
        _session.Write(_text, source);
        return string.Create(CultureInfo.InvariantCulture, $"{_text}, {_weights}: {Layers(graph)}, {bytes.Length:N0} bytes of weights");
    }

    private static string Layers(NetworkGraph graph) => string.Create(CultureInfo.InvariantCulture, $"{graph.Layers.Count:N0} layer{(graph.Layers.Count == 1 ? string.Empty : "s")}");
}
