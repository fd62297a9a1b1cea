using CnnCompiler.Core;
using CnnCompiler.Ir.Network.Operators;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Network;

/// <summary>
/// Reads what <see cref="NetworkPrinter"/> writes. It checks the text only: whether the network is right is <see cref="NetworkVerifier"/>'s.
/// Each bad line is one diagnostic, and the lines after it are read on.
/// </summary>
public static class NetworkParser
{
    /// <summary>The network of a text, or null and diagnostics (CNN0901 to CNN0919).</summary>
    /// <param name="text">The text.</param>
    /// <param name="file">Its name in diagnostics and spans.</param>
    /// <param name="constants">The companion it was written with.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static NetworkGraph? Parse(string text, string file, ConstantStore constants, DiagnosticBag diagnostics)
    {
        var own = new DiagnosticBag();
        var graph = new Parser(new(text, file, constants, own)).Network();
        diagnostics.Report(own.Diagnostics);
        return own.HasErrors ? null : graph;
    }

    /// <summary>Takes a layer: <c>%name = keyword %inputs attributes : type</c>.</summary>
    /// <exception cref="DiagnosticException">There is none.</exception>
    internal static Layer ReadLayer(IrTextReader reader) => new Parser(reader).Layer(reader.Current);

    private sealed class Parser(IrTextReader reader)
    {
        private readonly List<NetworkInput> _inputs = [];
        private readonly List<Layer> _layers = [];
        private readonly List<string> _outputs = [];
        private string _name = string.Empty;

        public NetworkGraph Network()
        {
            reader.Recover(() =>
            {
                reader.Word("network");
                _name = reader.Take(IrTokenKind.String, "the network's name in quotation marks");
                reader.Punctuation("{");
            });
            var closed = false;
            while (!closed && !reader.AtEnd)
            {
                reader.Recover(() => closed = !Statement());
            }

            reader.Recover(() =>
            {
                reader.Require(closed, "'}'");
                reader.Require(reader.AtEnd, "the end of the text");
            });
            return new(_name, _inputs.ToEquatableArray(), _layers.ToEquatableArray(), _outputs.ToEquatableArray());
        }

        // False at the closing brace.
        private bool Statement()
        {
            if (reader.TryPunctuation("}"))
            {
                return false;
            }

            var first = reader.Current;
            if (reader.TryWord("input"))
            {
                var name = reader.Value();
                reader.Punctuation(":");
                _inputs.Add(new(name, reader.Type()) { Span = reader.SpanFrom(first) });
            }
            else if (reader.TryWord("output"))
            {
                _outputs.Add(reader.Value());
            }
            else
            {
                reader.Require(first.Kind == IrTokenKind.Value, "an input, a layer (%name = ...), an output or '}'");
                _layers.Add(Layer(first));
            }

            return true;
        }

        public Layer Layer(IrToken first)
        {
            var name = reader.Value();
            reader.Punctuation("=");
            var keyword = reader.Current;
            var keywordSpan = reader.Span;
            reader.Take(IrTokenKind.Word, "a layer's keyword");
            var inputs = new List<string>();
            if (reader.Current.Kind == IrTokenKind.Value)
            {
                do
                {
                    inputs.Add(reader.Value());
                }
                while (reader.TryPunctuation(","));
            }

            if (OperatorTable.Find(keyword.Text) is not { } definition)
            {
                throw new DiagnosticException(IrDiagnostics.Expected(keywordSpan, "a layer's keyword", keyword.Describe()));
            }

            var attributes = new NetworkAttributes(reader, definition);
            while (reader.Current.Kind == IrTokenKind.Word)
            {
                attributes.Read();
            }

            reader.Punctuation(":");
            var type = reader.Type();
            return definition.Create(new(name, inputs.ToEquatableArray(), type), attributes.Values(keywordSpan)) with { Span = reader.SpanFrom(first) };
        }
    }
}
