using System.Globalization;
using System.Runtime.InteropServices;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Text;

/// <summary>
/// What the recursive-descent parsers of all levels share: a position in the tokens, expectations, and the parts that
/// <see cref="IrTextFormat"/> writes. A part that isn't there throws a <see cref="DiagnosticException"/>; parsers catch it a statement at a time, in <see cref="Recover"/>.
/// </summary>
/// <param name="text">The text.</param>
/// <param name="file">Its name in diagnostics.</param>
/// <param name="constants">The companion.</param>
/// <param name="diagnostics">Takes what is wrong.</param>
public sealed class IrTextReader(string text, string file, ConstantStore constants, DiagnosticBag diagnostics)
{
    /// <summary>After so many statements that can't be read the rest is not tried: each costs an exception.</summary>
    public const int MaximumMistakes = 100;

    private readonly IReadOnlyList<IrToken> _tokens = IrLexer.Tokenize(text, file, diagnostics);
    private int _position;
    private int _mistakes;

    /// <summary>The next token.</summary>
    public IrToken Current => _tokens[_position];

    /// <summary>The token after it.</summary>
    public IrToken Following => _tokens[Math.Min(_position + 1, _tokens.Count - 1)];

    /// <summary>Place of the next token.</summary>
    public SourceSpan Span => Current.Span(file);

    /// <summary>True at the end of the text.</summary>
    public bool AtEnd => Current.Kind == IrTokenKind.End;

    /// <summary>Place from <paramref name="first"/> to the token before the next one.</summary>
    public SourceSpan SpanFrom(IrToken first)
    {
        var last = _tokens[Math.Max(_position - 1, 0)];
        return first.Span(file) with { EndLine = last.Line, EndColumn = last.EndColumn };
    }

    /// <summary>Takes a token.</summary>
    public IrToken Take()
    {
        var token = Current;
        _position = Math.Min(_position + 1, _tokens.Count - 1);
        return token;
    }

    /// <summary>Runs the parser of a statement; where it fails, reports why, skips to the next line and returns false.</summary>
    public bool Recover(Action statement)
    {
        var first = _position;
        try
        {
            statement();
            return true;
        }
        catch (DiagnosticException exception)
        {
            diagnostics.Report(exception.Diagnostic);
            if (++_mistakes == MaximumMistakes)
            {
                diagnostics.Report(IrDiagnostics.TooManyMistakes(Span, MaximumMistakes));
                _position = _tokens.Count - 1;
                return false;
            }

            var line = Math.Max(_tokens[first].Line, _tokens[Math.Max(_position - 1, first)].Line);
            while (!AtEnd && (Current.Line <= line || _position == first))
            {
                _position++;
            }

            return false;
        }
    }

    /// <summary>True, and taken, if the next token is this punctuation.</summary>
    public bool TryPunctuation(string punctuation) => TryTake(IrTokenKind.Punctuation, punctuation);

    /// <summary>True, and taken, if the next token is this word.</summary>
    public bool TryWord(string word) => TryTake(IrTokenKind.Word, word);

    /// <summary>Takes this punctuation.</summary>
    public void Punctuation(string punctuation) => Require(TryPunctuation(punctuation), $"'{punctuation}'");

    /// <summary>Takes this word.</summary>
    public void Word(string word) => Require(TryWord(word), $"'{word}'");

    /// <summary>Takes a token of a kind and returns its text.</summary>
    public string Take(IrTokenKind kind, string expected)
    {
        Require(Current.Kind == kind, expected);
        return Take().Text;
    }

    /// <summary>Takes a value's name.</summary>
    public string Value() => Take(IrTokenKind.Value, "a value (%name)");

    /// <summary>Takes a whole number, with a minus sign or without.</summary>
    public long Integer(long low = long.MinValue, long high = long.MaxValue, string type = "i64")
    {
        var span = Span;
        var sign = TryPunctuation("-") ? "-" : string.Empty;
        var number = sign + Take(IrTokenKind.Number, "a whole number");
        return long.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= low && value <= high
            ? value
            : throw new DiagnosticException(IrDiagnostics.NumberOutOfRange(span, number, type));
    }

    /// <summary>Takes a whole number of 32 bits.</summary>
    public int Int32() => (int)Integer(int.MinValue, int.MaxValue, "i32");

    /// <summary>Takes a floating-point number.</summary>
    public float Float()
    {
        var span = Span;
        var negative = TryPunctuation("-");
        if (Current.Kind == IrTokenKind.Word && Current.Text is "nan" or "inf")
        {
            var special = Take().Text == "nan" ? float.NaN : float.PositiveInfinity;
            return negative ? -special : special;
        }

        var number = Take(IrTokenKind.Number, "a number");
        var value = float.Parse(number, NumberStyles.Float, CultureInfo.InvariantCulture);
        if (float.IsInfinity(value))
        {
            throw new DiagnosticException(IrDiagnostics.NumberOutOfRange(span, number, "f32"));
        }

        return negative ? -value : value;
    }

    /// <summary>Takes a floating-point number of 64 bits.</summary>
    public double Double()
    {
        var span = Span;
        var negative = TryPunctuation("-");
        if (Current.Kind == IrTokenKind.Word && Current.Text is "nan" or "inf")
        {
            var special = Take().Text == "nan" ? double.NaN : double.PositiveInfinity;
            return negative ? -special : special;
        }

        var number = Take(IrTokenKind.Number, "a number");
        var value = double.Parse(number, NumberStyles.Float, CultureInfo.InvariantCulture);
        if (double.IsInfinity(value))
        {
            throw new DiagnosticException(IrDiagnostics.NumberOutOfRange(span, number, "f64"));
        }

        return negative ? -value : value;
    }

    /// <summary>Takes numbers joined by x, or one alone.</summary>
    public int[] Extents()
    {
        var span = Span;
        Require(Current.Kind is IrTokenKind.Extents or IrTokenKind.Number, "extents such as 3x3");
        var parts = Take().Text.Split('x');
        var extents = new int[parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out extents[i]))
            {
                throw new DiagnosticException(IrDiagnostics.NumberOutOfRange(span, parts[i], "i32"));
            }
        }

        return extents;
    }

    /// <summary>Takes a list in brackets.</summary>
    public EquatableArray<T> List<T>(Func<T> element) => Sequence("[", "]", element);

    /// <summary>Takes an element type and a shape: <c>i8[1x2x3]</c>, <c>i32[]</c>.</summary>
    public (ElementType Element, Shape Shape) ElementAndShape()
    {
        var element = Current.Kind == IrTokenKind.Word ? ElementTypes.Parse(Current.Text) : null;
        Require(element is not null, "an element type (i8, u8, i16, i32, i64, f32, f64)");
        Take();
        Punctuation("[");
        var shape = Current is { Kind: IrTokenKind.Punctuation, Text: "]" } ? default : Shape.Of(Extents());
        Punctuation("]");
        return (element!.Value, shape);
    }

    /// <summary>Takes a type as <see cref="IrTextFormat.Type"/> writes it.</summary>
    public TensorType Type()
    {
        var (element, shape) = ElementAndShape();
        if (TryWord("scale"))
        {
            var scale = Float();
            Word("zero");
            return new(element, shape, Quantization.PerTensor(scale, Int32()));
        }

        if (!TryWord("scales"))
        {
            return new(element, shape);
        }

        var scales = List(Float);
        Word("zeros");
        var zeroPoints = List(Int32);
        Word("axis");
        return new(element, shape, new(scales, zeroPoints, Int32()));
    }

    /// <summary>Takes a constant as <see cref="IrTextFormat.Constant(Tensor, string, ConstantStoreBuilder)"/> writes it, and checks it against the companion.</summary>
    public Tensor Constant()
    {
        var span = Span;
        if (Current.Kind != IrTokenKind.Constant)
        {
            return InlineConstant();
        }

        var name = Take().Text;
        var hash = Take(IrTokenKind.Hash, "the hash of the constant (#0123...)");
        Punctuation(":");
        var (element, shape) = ElementAndShape();
        if (constants.Find(name) is not { } value)
        {
            throw new DiagnosticException(IrDiagnostics.UnknownConstant(span, name));
        }

        if (value.Element != element || value.Shape != shape)
        {
            throw new DiagnosticException(IrDiagnostics.ConstantTypeMismatch(span, name, $"{element.Name()}[{shape}]", value.ToString()));
        }

        var actual = value.Hash();
        return actual.StartsWith(hash, StringComparison.Ordinal) && hash.Length == IrTextFormat.HashDigits
            ? value
            : throw new DiagnosticException(IrDiagnostics.ConstantHashMismatch(span, name, hash, actual[..IrTextFormat.HashDigits]));
    }

    /// <summary>Throws what was expected and what is there instead, unless <paramref name="condition"/> holds.</summary>
    public void Require(bool condition, string expected)
    {
        if (!condition)
        {
            throw new DiagnosticException(IrDiagnostics.Expected(Span, expected, Current.Describe()));
        }
    }

    private Tensor InlineConstant()
    {
        var span = Span;
        var (element, shape) = ElementAndShape();
        byte[] bytes;
        int count;
        if (element == ElementType.Float32)
        {
            var values = Sequence("{", "}", Float);
            (bytes, count) = (MemoryMarshal.AsBytes(values.AsSpan()).ToArray(), values.Count);
        }
        else if (element == ElementType.Float64)
        {
            var values = Sequence("{", "}", Double);
            (bytes, count) = (MemoryMarshal.AsBytes(values.AsSpan()).ToArray(), values.Count);
        }
        else
        {
            var (low, high) = element.Range();
            var values = Sequence("{", "}", () => Integer(low, high, element.Name()));
            (bytes, count) = (new byte[values.Count * element.Size()], values.Count);
            for (var i = 0; i < count; i++)
            {
                var value = values[i];
                MemoryMarshal.AsBytes(new ReadOnlySpan<long>(in value))[..element.Size()].CopyTo(bytes.AsSpan(i * element.Size()));
            }
        }

        // Elements can't overflow where the limit allows the shape; a shape that it doesn't allow can't have been written in place.
        var elements = NetworkLimits.Allows(shape) ? shape.Elements : -1;
        return elements == count
            ? new Tensor(element, shape, bytes)
            : throw new DiagnosticException(IrDiagnostics.ConstantElements(span, $"{element.Name()}[{shape}]", count));
    }

    private EquatableArray<T> Sequence<T>(string open, string close, Func<T> element)
    {
        Punctuation(open);
        var values = new List<T>();
        if (!TryPunctuation(close))
        {
            do
            {
                values.Add(element());
            }
            while (TryPunctuation(","));
            Punctuation(close);
        }

        return values.ToEquatableArray();
    }

    private bool TryTake(IrTokenKind kind, string value)
    {
        if (Current.Kind != kind || Current.Text != value)
        {
            return false;
        }

        Take();
        return true;
    }
}
