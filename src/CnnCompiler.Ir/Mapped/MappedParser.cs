using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Mapped;

/// <summary>
/// Reads what <see cref="MappedPrinter"/> writes. It checks the text; whether the program is sound is <see cref="MappedVerifier"/>'s. Each bad statement is one
/// diagnostic, and the statements after it are read on.
/// </summary>
public static class MappedParser
{
    /// <summary>The program of a text, or null and diagnostics.</summary>
    /// <param name="text">The text.</param>
    /// <param name="file">Its name in diagnostics.</param>
    /// <param name="constants">The companion it was written with.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static MappedProgram? Parse(string text, string file, ConstantStore constants, DiagnosticBag diagnostics)
    {
        var own = new DiagnosticBag();
        var program = new Parser(new(text, file, constants, own)).Program();
        diagnostics.Report(own.Diagnostics);
        return own.HasErrors ? null : program;
    }

    private sealed class Parser(IrTextReader reader)
    {
        private readonly List<MappedBuffer> _buffers = [];
        private readonly List<MappedConstant> _constants = [];
        private readonly List<MappedStep> _steps = [];
        private readonly List<MappedPort> _inputs = [];
        private readonly List<MappedPort> _outputs = [];
        private readonly List<MappedValue> _values = [];
        private string _name = string.Empty;
        private GconvOrigin _origin;

        public MappedProgram Program()
        {
            reader.Recover(() =>
            {
                reader.Word("mapped");
                _name = Name();
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
            return new(
                _name,
                _buffers.ToEquatableArray(),
                _constants.ToEquatableArray(),
                _steps.ToEquatableArray(),
                _inputs.ToEquatableArray(),
                _outputs.ToEquatableArray(),
                _values.ToEquatableArray());
        }

        // False at the closing brace.
        private bool Statement()
        {
            if (reader.TryPunctuation("}"))
            {
                return false;
            }

            if (reader.TryWord("buffer"))
            {
                _buffers.Add(Buffer());
            }
            else if (reader.TryWord("constant"))
            {
                var name = reader.Value();
                reader.Punctuation("=");
                _constants.Add(new(name, reader.Constant()));
            }
            else if (reader.TryWord("input"))
            {
                _inputs.Add(Port());
            }
            else if (reader.TryWord("output"))
            {
                _outputs.Add(Port());
            }
            else if (reader.TryWord("value"))
            {
                _values.Add(Value());
            }
            else
            {
                _origin = OriginText.Read(reader);
                if (reader.TryWord("softmax"))
                {
                    Add(Softmax());
                }
                else
                {
                    reader.Require(reader.TryWord("nest"), "buffer, constant, input, nest, softmax, output, value or '}'");
                    Nest();
                }
            }

            return true;
        }

        private void Add(MappedStep step) => _steps.Add(step with { Origin = OriginText.Of(_origin, step.Name) });

        private string Name() => reader.Take(IrTokenKind.String, "a name in quotation marks");

        private int Attribute(string name)
        {
            reader.Word(name);
            return reader.Int32();
        }

        private MappedBuffer Buffer()
        {
            var name = reader.Value();
            var span = reader.Span;
            var word = reader.Take(IrTokenKind.Word, "a role");
            if (MappedNames.Role(word) is not { } role)
            {
                throw new DiagnosticException(IrDiagnostics.Expected(span, "input, output, activation or accumulator", $"'{word}'"));
            }

            var shape = reader.List(reader.Int32);
            var lanes = Attribute("lanes");
            reader.Word("pitch");
            var pitch = reader.List(reader.Int32);
            var before = Enumerable.Repeat(0, shape.Count).ToEquatableArray();
            var after = before;
            if (reader.TryWord("halo"))
            {
                before = reader.List(reader.Int32);
                after = reader.List(reader.Int32);
            }

            int? fill = reader.TryWord("fill") ? reader.Int32() : null;
            return new(name, role, new(shape, lanes, before, after, pitch, fill), Attribute("words"));
        }

        private MappedPort Port()
        {
            var name = Name();
            reader.Punctuation("=");
            var buffer = reader.Value();
            reader.Punctuation(":");
            return new(name, reader.Type(), buffer);
        }

        private MappedValue Value()
        {
            var name = Name();
            reader.Punctuation("=");
            return new(name, reader.Value(), reader.List(reader.Int32), Attribute("after"));
        }

        private MappedSoftmax Softmax()
        {
            var name = Name();
            var source = reader.Value();
            reader.Punctuation("->");
            return new(name, source, reader.Value(), Attribute("rows"), Attribute("columns"), Attribute("multiplier"), Attribute("shift"), Attribute("diff"));
        }

        // A fault inside the braces is reported once and the rest of them skipped.
        private void Nest()
        {
            var name = Name();
            reader.Word("kernel");
            var kernel = Name();
            reader.Punctuation("{");
            var sound = reader.Recover(() =>
            {
                Add(Body(name, kernel));
                reader.Punctuation("}");
            });
            while (!sound && !reader.AtEnd && !reader.TryPunctuation("}"))
            {
                reader.Take();
            }
        }

        private MappedNest Body(string name, string kernel)
        {
            var names = new List<string>();
            reader.Word("for");
            var loops = reader.List(() => Loop(names));
            var guards = new List<MappedGuard>();
            while (reader.TryWord("if"))
            {
                var value = AffineText.Parse(reader, names);
                reader.Punctuation("<");
                guards.Add(new(value, reader.Int32()));
            }

            var operands = new List<MappedAccess>();
            while (reader.TryWord("read"))
            {
                operands.Add(Access(names));
            }

            reader.Word("term");
            var term = ScalarText.Parse(reader);
            reader.Word("reduce");
            var span = reader.Span;
            var word = reader.Take(IrTokenKind.Word, "a reduction (none, add, max)");
            if (GconvNames.Reduction(word) is not { } reduce)
            {
                throw new DiagnosticException(IrDiagnostics.Expected(span, "a reduction (none, add, max)", $"'{word}'"));
            }

            reader.Word("post");
            var post = ScalarText.Parse(reader);
            reader.Word("write");
            return new(name, kernel, loops, guards.ToEquatableArray(), operands.ToEquatableArray(), Access(names), reduce, term, post);
        }

        private MappedLoop Loop(List<string> names)
        {
            var name = reader.Take(IrTokenKind.Word, "a loop");
            names.Add(name);
            var own = reader.Current.Kind == IrTokenKind.String ? reader.Take().Text : name;
            return new(own, reader.Int32(), reader.TryWord("reduced"));
        }

        private MappedAccess Access(List<string> names)
        {
            var target = reader.Value();
            reader.Punctuation("[");
            var element = AffineText.Parse(reader, names);
            reader.Punctuation("]");
            return new(target, element);
        }
    }
}
