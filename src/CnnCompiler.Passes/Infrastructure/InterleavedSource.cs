using System.Globalization;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Passes.Infrastructure;

/// <summary>The lines of a network description that each layer was written in, as comments for the text of a level: <c>12: conv1 = conv2d(image, ...)</c>.</summary>
public sealed class InterleavedSource
{
    private readonly Dictionary<string, (int First, int Last)> _lines = new(StringComparer.Ordinal);
    private readonly string[] _source;

    /// <summary>Makes the comments of a network.</summary>
    /// <param name="source">Text of the description.</param>
    /// <param name="graph">The network that was read from it.</param>
    public InterleavedSource(string source, NetworkGraph graph)
    {
        _source = source.ReplaceLineEndings("\n").Split('\n');
        foreach (var layer in graph.Layers)
        {
            _lines.TryAdd(layer.Name, (layer.Span.Value.Line, Math.Max(layer.Span.Value.Line, layer.Span.Value.EndLine)));
        }
    }

    /// <summary>The lines of a layer; none for a name that no layer has (inputs and outputs).</summary>
    public IEnumerable<string> Of(string layer)
    {
        if (!_lines.TryGetValue(layer, out var lines))
        {
            yield break;
        }

        for (var line = Math.Max(1, lines.First); line <= Math.Min(lines.Last, _source.Length); line++)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{line}: {_source[line - 1].Trim()}");
        }
    }
}
