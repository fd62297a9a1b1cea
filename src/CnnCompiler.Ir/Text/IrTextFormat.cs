using System.Globalization;
using System.Text;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Text;

/// <summary>How IR text of every level writes names, numbers, types and constants; <see cref="IrTextReader"/> reads them back.</summary>
public static class IrTextFormat
{
    /// <summary>Constants of more elements go to the companion.</summary>
    public const int MaximumInlineElements = 16;

    /// <summary>Hex digits of a constant's SHA-256 in the text.</summary>
    public const int HashDigits = 16;

    /// <summary>A value's name: <c>%t0</c>, or quoted where it has other characters than letters, digits, underscores and dots.</summary>
    public static string Value(string name) => "%" + Quote(name);

    /// <summary>A constant's name.</summary>
    public static string Constant(string name) => "@" + Quote(name);

    /// <summary>A quoted text.</summary>
    public static string String(string text) => $"\"{Escape(text)}\"";

    /// <summary>A number, the shortest that reads back as the same.</summary>
    public static string Float(float value) => value.ToString("R", CultureInfo.InvariantCulture) switch
    {
        "NaN" => "nan",
        "Infinity" => "inf",
        "-Infinity" => "-inf",
        var text => text,
    };

    /// <summary>A number of 64 bits, the shortest that reads back as the same.</summary>
    public static string Double(double value) => value.ToString("R", CultureInfo.InvariantCulture) switch
    {
        "NaN" => "nan",
        "Infinity" => "inf",
        "-Infinity" => "-inf",
        var text => text,
    };

    /// <summary>A whole number.</summary>
    public static string Integer(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>A list: <c>[1, 2]</c>.</summary>
    public static string List(IEnumerable<int> values) => $"[{string.Join(", ", values.Select(value => Integer(value)))}]";

    /// <summary>A list: <c>[0.5, 2]</c>.</summary>
    public static string List(IEnumerable<float> values) => $"[{string.Join(", ", values.Select(Float))}]";

    /// <summary>
    /// A type: <c>i8[1x32x32x3] scale 0.5 zero -128</c>, without quantisation <c>i32[10]</c>, with several scales
    /// <c>i8[4x3] scales [1, 2, 3, 4] zeros [0, 0, 0, 0] axis 0</c>.
    /// </summary>
    public static string Type(TensorType type)
    {
        var text = $"{type.Element.Name()}[{type.Shape}]";
        return type.Quantization switch
        {
            null => text,
            { Axis: -1, Scales.Count: 1, ZeroPoints.Count: 1 } q => $"{text} scale {Float(q.Scale)} zero {Integer(q.ZeroPoint)}",
            var q => $"{text} scales {List(q.Scales)} zeros {List(q.ZeroPoints)} axis {Integer(q.Axis)}",
        };
    }

    /// <summary>
    /// A constant: in place where it is small, <c>i32[3]{1, 2, 3}</c>; otherwise put into <paramref name="constants"/> and named,
    /// <c>@name#0123456789abcdef:i8[16x3x3x3]</c>.
    /// </summary>
    /// <param name="value">The constant.</param>
    /// <param name="preferredName">Its name in the companion if it is free there.</param>
    /// <param name="constants">The companion.</param>
    public static string Constant(Tensor value, string preferredName, ConstantStoreBuilder constants)
    {
        if (value.Shape.Elements > MaximumInlineElements)
        {
            return $"{Constant(constants.Add(preferredName, value))}#{value.Hash()[..HashDigits]}:{value}";
        }

        var elements = value.Element switch
        {
            ElementType.Float32 => value.AsSpan<float>().ToArray().Select(Float),
            ElementType.Float64 => value.AsSpan<double>().ToArray().Select(Double),
            _ => Enumerable.Range(0, (int)value.Shape.Elements).Select(i => Integer(value.GetInteger(i))),
        };
        return $"{value}{{{string.Join(", ", elements)}}}";
    }

    /// <summary>Text as it stands between quotation marks: everything but printable ASCII is a <c>\uXXXX</c>.</summary>
    internal static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (c is '"' or '\\')
            {
                escaped.Append('\\').Append(c);
            }
            else if (c is >= ' ' and <= '~')
            {
                escaped.Append(c);
            }
            else
            {
                escaped.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
        }

        return escaped.ToString();
    }

    private static string Quote(string name) =>
        name.Length > 0 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.') ? name : String(name);

    /// <summary>Appends comment lines at the indentation of a statement.</summary>
    internal static StringBuilder AppendNotes(this StringBuilder text, IEnumerable<string>? lines)
    {
        foreach (var line in lines ?? [])
        {
            text.Append("  // ").Append(line).Append('\n');
        }

        return text;
    }
}
