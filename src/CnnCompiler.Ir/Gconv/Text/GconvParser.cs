using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Gconv;

/// <summary>
/// Reads what <see cref="GconvPrinter"/> writes. It checks the text, tables included; whether the chain is sound is <see cref="GconvVerifier"/>'s. Each bad
/// statement is one diagnostic, and the statements after it are read on.
/// </summary>
public static class GconvParser
{
    /// <summary>The chain of a text, or null and diagnostics (CNN0901 to CNN0919, CNN0953 to CNN0955).</summary>
    /// <param name="text">The text.</param>
    /// <param name="file">Its name in diagnostics and spans.</param>
    /// <param name="constants">The companion it was written with.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static GconvProgram? Parse(string text, string file, ConstantStore constants, DiagnosticBag diagnostics)
    {
        var own = new DiagnosticBag();
        var reader = new IrTextReader(text, file, constants, own);
        var program = Read(reader);
        reader.Recover(() => reader.Require(reader.AtEnd, "the end of the text"));
        diagnostics.Report(own.Diagnostics);
        return own.HasErrors ? null : program;
    }

    /// <summary>The chain that comes next in a longer text; of use where the reader reported nothing.</summary>
    public static GconvProgram Read(IrTextReader reader) => new Parser(reader).Program();

    private sealed class Parser(IrTextReader reader)
    {
        private readonly List<NetworkInput> _inputs = [];
        private readonly List<GconvConstant> _constants = [];
        private readonly List<GconvStep> _steps = [];
        private readonly List<string> _outputs = [];
        private string _name = string.Empty;
        private GconvOrigin _origin;

        public GconvProgram Program()
        {
            reader.Recover(() =>
            {
                reader.Word("gconv");
                _name = reader.Take(IrTokenKind.String, "the network's name in quotation marks");
                reader.Punctuation("{");
            });
            var closed = false;
            while (!closed && !reader.AtEnd)
            {
                reader.Recover(() => closed = !Statement());
            }

            reader.Recover(() => reader.Require(closed, "'}'"));
            return new(_name, _inputs.ToEquatableArray(), _constants.ToEquatableArray(), _steps.ToEquatableArray(), _outputs.ToEquatableArray());
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
            else if (reader.TryWord("constant"))
            {
                var name = reader.Value();
                reader.Punctuation("=");
                _constants.Add(new(name, reader.Constant()));
            }
            else if (reader.TryWord("output"))
            {
                _outputs.Add(reader.Value());
            }
            else
            {
                _origin = OriginText.Read(reader);
                first = reader.Current;
                if (reader.TryWord("host"))
                {
                    Add(new GconvHostLayer(NetworkParser.ReadLayer(reader)), first);
                    return true;
                }

                reader.Require(first.Kind == IrTokenKind.Value, "an input, a constant, a step (%name = ...), host, an output or '}'");
                Step(first);
            }

            return true;
        }

        private void Step(IrToken first)
        {
            var name = reader.Value();
            reader.Punctuation("=");
            if (reader.TryWord("gconv"))
            {
                Operator(name, first);
            }
            else if (reader.TryWord("softmax"))
            {
                Add(Softmax(name), first);
            }
            else if (reader.TryWord(GconvNames.Of(ViewKind.Reshape)))
            {
                Add(View(name, ViewKind.Reshape), first);
            }
            else
            {
                reader.Require(reader.TryWord(GconvNames.Of(ViewKind.Join)), "gconv, reshape, join or softmax");
                Add(View(name, ViewKind.Join), first);
            }
        }

        private void Add(GconvStep step, IrToken first) => _steps.Add(step with { Origin = OriginText.Of(_origin, step.Name), Span = reader.SpanFrom(first) });

        private GconvHostSoftmax Softmax(string name)
        {
            var source = reader.Value();
            var (multiplier, shift, diff) = (Attribute("multiplier"), Attribute("shift"), Attribute("diff"));
            reader.Punctuation(":");
            return new(name, reader.Type(), source, multiplier, shift, diff);
        }

        private int Attribute(string name)
        {
            reader.Word(name);
            reader.Punctuation("=");
            return reader.Int32();
        }

        private GconvView View(string name, ViewKind kind)
        {
            var sources = new List<string>();
            do
            {
                sources.Add(reader.Value());
            }
            while (reader.TryPunctuation(","));
            reader.Punctuation(":");
            return new(name, reader.Type(), kind, sources.ToEquatableArray());
        }

        // A fault is reported once, and the rest up to the closing brace skipped.
        private void Operator(string name, IrToken first)
        {
            var sound = reader.Recover(() =>
            {
                var loops = reader.List(Loop);
                reader.Punctuation(":");
                var type = reader.Type();
                var destination = reader.TryWord("into") ? reader.Value() : null;
                var span = reader.SpanFrom(first);
                if (loops.Count > GconvVerifier.MostLoops)
                {
                    throw new DiagnosticException(GconvDiagnostics.TooManyLoops(span, name, loops.Count, GconvVerifier.MostLoops));
                }

                reader.Punctuation("{");
                Add(Body(name, type, loops, destination, span), first);
                reader.Punctuation("}");
            });
            while (!sound && !reader.AtEnd && !reader.TryPunctuation("}"))
            {
                reader.Take();
            }
        }

        private GconvOperator Body(string name, TensorType type, EquatableArray<GconvLoop> loops, string? destination, SourceSpan span)
        {
            var names = loops.Select(loop => loop.Name).ToArray();
            var table = GconvTable.Parse(reader);
            reader.Word("read");
            var input = Access(names);
            var kernel = reader.TryWord("kernel") ? Access(names) : null;
            var extra = new List<OperandAccess>();
            while (reader.TryWord("extra"))
            {
                extra.Add(Access(names));
            }

            reader.Word("pre");
            var pre = ScalarText.Parse(reader);
            reader.Word("main");
            var main = ScalarText.Parse(reader);
            reader.Word("reduce");
            var (reduce, accumulator) = Reduction();
            reader.Word("post");
            var post = ScalarText.Parse(reader);
            reader.Word("write");
            var output = AffineText.ParseIndex(reader, names);
            var operation = new GconvOperator(name, type, loops, input, kernel, extra.ToEquatableArray(), accumulator, pre, main, reduce, post, output, destination);
            return table is null || table == GconvTable.Of(operation)
                ? operation
                : throw new DiagnosticException(GconvDiagnostics.WrongTable(span, name));
        }

        private GconvLoop Loop()
        {
            var span = reader.Span;
            var name = reader.Take(IrTokenKind.Word, "a loop (dimension.g, .op, .opc or .ks)");
            var dot = name.LastIndexOf('.');
            return dot > 0 && GconvNames.Kind(name[(dot + 1)..]) is { } kind
                ? new(name[..dot], kind, reader.Int32())
                : throw new DiagnosticException(IrDiagnostics.Expected(span, "a loop (dimension.g, .op, .opc or .ks)", $"'{name}'"));
        }

        private OperandAccess Access(string[] loops)
        {
            var tensor = reader.Value();
            var index = AffineText.ParseIndex(reader, loops);
            if (reader.TryWord("skip"))
            {
                return new(tensor, index, OutOfRange.SkipTap);
            }

            return reader.TryWord("fill") ? new(tensor, index, OutOfRange.Fill, reader.Int32()) : new(tensor, index);
        }

        private (GconvReduction Reduce, ElementType Accumulator) Reduction()
        {
            var span = reader.Span;
            var name = reader.Take(IrTokenKind.Word, "a reduction (none, add, max)");
            if (GconvNames.Reduction(name) is not { } reduce)
            {
                throw new DiagnosticException(IrDiagnostics.Expected(span, "a reduction (none, add, max)", $"'{name}'"));
            }

            span = reader.Span;
            var type = reader.Take(IrTokenKind.Word, "the accumulator's element type");
            return ElementTypes.Parse(type) is { } element
                ? (reduce, element)
                : throw new DiagnosticException(IrDiagnostics.Expected(span, "the accumulator's element type", $"'{type}'"));
        }
    }
}
