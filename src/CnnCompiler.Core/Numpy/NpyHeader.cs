using System.Globalization;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Core.Numpy;

/// <summary>
/// The header of a <c>.npy</c> file: a Python dictionary literal with the keys <c>descr</c>, <c>fortran_order</c> and <c>shape</c>
/// (NumPy's format specification, <c>numpy.lib.format</c>).
/// </summary>
/// <param name="Element">Element type.</param>
/// <param name="Shape">Extents.</param>
internal sealed record NpyHeader(ElementType Element, Shape Shape)
{
    /// <summary>NumPy itself stops at 64 dimensions (32 before version 2).</summary>
    private const int MaximumRank = 32;

    /// <summary>The literal that NumPy writes for an array, without its padding.</summary>
    public static string Format(ElementType element, Shape shape)
    {
        var extents = string.Join(", ", shape.Dimensions.Select(e => e.ToString(CultureInfo.InvariantCulture)));
        var tuple = shape.Rank == 1 ? $"({extents},)" : $"({extents})";
        return $"{{'descr': '{Describe(element)}', 'fortran_order': False, 'shape': {tuple}, }}";
    }

    /// <summary>Parses the literal. The number of elements is at most <paramref name="maximumBytes"/> over the element size, whatever extents are 0.</summary>
    /// <exception cref="DiagnosticException">The literal is not a header, or names what can't be read.</exception>
    public static NpyHeader Parse(string text, string file, long maximumBytes)
    {
        var parser = new Parser(text, file);
        var (description, fortran, extents) = parser.ParseDictionary();
        var element = ParseElement(description, file);
        if (fortran)
        {
            throw new DiagnosticException(NumpyDiagnostics.FortranOrder(file));
        }

        // Extents of 0 don't excuse the others: no later product may overflow.
        var product = (long)element.Size();
        foreach (var extent in extents)
        {
            product = extent == 0 ? product : SaturatingMultiply(product, extent);
        }

        if (extents.Count > MaximumRank || product > Math.Min(maximumBytes, int.MaxValue))
        {
            var shown = string.Join(", ", extents.Take(MaximumRank).Select(e => e.ToString(CultureInfo.InvariantCulture)));
            throw new DiagnosticException(NumpyDiagnostics.ShapeTooLarge(file, shown, maximumBytes));
        }

        return new(element, new Shape(extents.Select(e => (int)e).ToEquatableArray()));
    }

    private static long SaturatingMultiply(long left, long right) => left > long.MaxValue / right ? long.MaxValue : left * right;

    private static string Describe(ElementType element) => element switch
    {
        ElementType.Int8 => "|i1",
        ElementType.UInt8 => "|u1",
        ElementType.Int16 => "<i2",
        ElementType.Int32 => "<i4",
        ElementType.Int64 => "<i8",
        ElementType.Float32 => "<f4",
        ElementType.Float64 => "<f8",
        _ => throw new ArgumentOutOfRangeException(nameof(element), element, "unknown element type"),
    };

    private static ElementType ParseElement(string description, string file)
    {
        return description switch
        {
            "|i1" or "<i1" or ">i1" => ElementType.Int8,
            "|u1" or "<u1" or ">u1" => ElementType.UInt8,
            "<i2" => ElementType.Int16,
            "<i4" => ElementType.Int32,
            "<i8" => ElementType.Int64,
            "<f4" => ElementType.Float32,
            "<f8" => ElementType.Float64,
            ">i2" or ">i4" or ">i8" or ">f4" or ">f8" => throw Unsupported($"save a.astype('<{description[1..]}') instead"),
            _ => throw Unsupported("save the array with one of these types"),
        };

        DiagnosticException Unsupported(string remedy) => new(NumpyDiagnostics.UnsupportedElementType(file, description, remedy));
    }

    /// <summary>Reads the subset of Python literals that NumPy writes: no nesting beyond the shape's tuple, so no recursion.</summary>
    private sealed class Parser(string text, string file)
    {
        private int _at;

        public (string Description, bool FortranOrder, List<long> Extents) ParseDictionary()
        {
            string? description = null;
            bool? fortran = null;
            List<long>? extents = null;
            Expect('{');
            while (!Take('}'))
            {
                var key = ParseString();
                Expect(':');
                switch (key)
                {
                    case "descr" when description is null:
                        description = ParseDescription();
                        break;
                    case "fortran_order" when fortran is null:
                        fortran = ParseBoolean();
                        break;
                    case "shape" when extents is null:
                        extents = ParseTuple();
                        break;
                    default:
                        throw Bad($"key {NumpyDiagnostics.Quote(key)} is unknown or written twice");
                }

                if (!Take(','))
                {
                    Expect('}');
                    break;
                }
            }

            SkipSpace();
            if (_at != text.Length)
            {
                throw Bad("something follows the dictionary");
            }

            return description is null || fortran is not { } order || extents is null
                ? throw Bad("it needs the keys 'descr', 'fortran_order' and 'shape'")
                : (description, order, extents);
        }

        /// <summary>The type string; a structured type is a list, which no caller can use: shown as it stands.</summary>
        private string ParseDescription()
        {
            SkipSpace();
            if (_at < text.Length && text[_at] is '[' or '(')
            {
                throw new DiagnosticException(NumpyDiagnostics.UnsupportedElementType(file, text[_at..], "save one array for each field"));
            }

            return ParseString();
        }

        private string ParseString()
        {
            SkipSpace();
            if (_at >= text.Length || text[_at] is not ('\'' or '"'))
            {
                throw Bad(Expected("a string"));
            }

            var end = text.IndexOf(text[_at], _at + 1);
            if (end < 0)
            {
                throw Bad("a string has no end");
            }

            var value = text[(_at + 1)..end];
            _at = end + 1;
            return value;
        }

        private bool ParseBoolean()
        {
            SkipSpace();
            foreach (var (word, value) in ((string, bool)[])[("True", true), ("False", false)])
            {
                if (text.AsSpan(_at).StartsWith(word, StringComparison.Ordinal))
                {
                    _at += word.Length;
                    return value;
                }
            }

            throw Bad(Expected("True or False"));
        }

        private List<long> ParseTuple()
        {
            var extents = new List<long>();
            Expect('(');
            while (!Take(')'))
            {
                extents.Add(ParseExtent());
                if (!Take(','))
                {
                    Expect(')');
                    break;
                }
            }

            return extents;
        }

        private long ParseExtent()
        {
            SkipSpace();
            var start = _at;
            while (_at < text.Length && char.IsAsciiDigit(text[_at]))
            {
                _at++;
            }

            if (_at == start)
            {
                throw Bad(Expected("an extent, 0 or more"));
            }

            // Python 2 wrote 3L.
            var digits = text.AsSpan(start, _at - start);
            _ = Take('L');
            return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : long.MaxValue;
        }

        private void Expect(char c)
        {
            if (!Take(c))
            {
                throw Bad(Expected($"'{c}'"));
            }
        }

        private bool Take(char c)
        {
            SkipSpace();
            if (_at >= text.Length || text[_at] != c)
            {
                return false;
            }

            _at++;
            return true;
        }

        private void SkipSpace()
        {
            while (_at < text.Length && text[_at] is ' ' or '\n' or '\t' or '\r')
            {
                _at++;
            }
        }

        private string Expected(string what) => string.Create(CultureInfo.InvariantCulture, $"{what} is expected at character {_at + 1}");

        private DiagnosticException Bad(string why) => new(NumpyDiagnostics.BadHeader(file, why));
    }
}
