using System.Globalization;
using System.Text;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Frontend;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Files;

/// <summary>Writes networks in the language: a .cnn and, where there are weights, the .npz that it names.</summary>
internal static class NetworkFiles
{
    private const string WeightsExtension = ".npz";

    /// <summary>Where the weights of a .cnn go.</summary>
    public static string WeightsOf(string output) => Path.ChangeExtension(output, WeightsExtension);

    /// <summary>Refuses a result over another one, or over one of the sources.</summary>
    /// <exception cref="DiagnosticException">There is one.</exception>
    public static void RequireOwnNames(string output, string weights, IEnumerable<string> sources)
    {
        foreach (var result in (string[])[output, weights])
        {
            if (sources.Append(result == output ? weights : output).Any(other => Path.GetFullPath(other) == Path.GetFullPath(result)))
            {
                throw new DiagnosticException(FileDiagnostics.SameOutput(result));
            }
        }
    }

    /// <summary>Writes both files, each whole or not at all, and says what was written; null, and the reasons printed, where the language has no room for the network.</summary>
    /// <exception cref="DiagnosticException">A file can't be written.</exception>
    public static string? Write(CliSession session, NetworkGraph graph, string output, string weights)
    {
        var text = CnnWriter.Write(graph, Path.GetFileName(weights));
        var bytes = text.Arrays.Count > 0 ? NpzFile.Write(text.Arrays) : null;

        // The language has limits of its own (characters, layers): what can't be read is not written.
        var problems = new DiagnosticBag();
        if (CnnFrontend.Parse(text.Text, output, _ => bytes, problems) is null)
        {
            session.Printer.Print(problems.Diagnostics);
            return null;
        }

        if (bytes is not null)
        {
            CliSession.Write(weights, bytes);
        }

        CliSession.Write(output, Encoding.UTF8.GetBytes(text.Text));
        return string.Create(
            CultureInfo.InvariantCulture, $"{output}: {graph.Layers.Count:N0} layers{(bytes is null ? ", no weights" : $"; {weights}: {bytes.Length:N0} bytes of weights")}");
    }
}
