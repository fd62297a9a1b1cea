using System.Text.Json;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Primitives.Machines;

/// <summary>A JSON value with its place. Arrays and nulls are kept without content: no machine key takes one.</summary>
internal sealed record JsonValue(JsonTokenType Type, SourceSpan Span, string Text = "", IReadOnlyList<JsonMember>? Members = null);

/// <summary>A member of a JSON object; the span is the key's.</summary>
internal sealed record JsonMember(string Name, SourceSpan Span, JsonValue Value);

/// <summary>Reads JSON text into values that know their lines and columns. Throws <see cref="DiagnosticException"/>.</summary>
internal ref struct JsonText
{
    private readonly ReadOnlySpan<byte> _text;
    private readonly string _file;
    private Utf8JsonReader _reader;

    // Places are asked for in ascending order, so that counting lines is one pass over the text.
    private int _countedTo;
    private int _line = 1;
    private int _column = 1;

    private JsonText(ReadOnlySpan<byte> text, string file)
    {
        _text = text;
        _file = file;
        _reader = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = 16 });
    }

    public static JsonValue Read(ReadOnlySpan<byte> text, string file)
    {
        if (text.StartsWith("\uFEFF"u8))
        {
            text = text["\uFEFF"u8.Length..];
        }

        var json = new JsonText(text, file);
        try
        {
            json._reader.Read();
            var value = json.Value();
            json._reader.Read(); // reports what stands behind the value
            return value;
        }
        catch (JsonException problem)
        {
            var line = (int)(problem.LineNumber ?? 0) + 1;
            var column = (int)(problem.BytePositionInLine ?? 0) + 1;
            throw new DiagnosticException(MachineDiagnostics.NotJson(SourceSpan.At(file, line, column)));
        }
    }

    private JsonValue Value()
    {
        var span = Here();
        switch (_reader.TokenType)
        {
            case JsonTokenType.StartObject:
                var members = new List<JsonMember>();
                while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
                {
                    var keySpan = Here();
                    var name = String(keySpan);
                    _reader.Read();
                    members.Add(new(name, keySpan, Value()));
                }

                return new(JsonTokenType.StartObject, span, Members: members);
            case JsonTokenType.StartArray:
                _reader.Skip();
                return new(JsonTokenType.StartArray, span);
            case JsonTokenType.String:
                return new(JsonTokenType.String, span, String(span));
            case JsonTokenType.Number:
                return new(JsonTokenType.Number, span, System.Text.Encoding.UTF8.GetString(_reader.ValueSpan));
            default:
                return new(_reader.TokenType, span);
        }
    }

    private readonly string String(SourceSpan span)
    {
        try
        {
            return _reader.GetString() ?? string.Empty;
        }
        catch (InvalidOperationException)
        {
            // Invalid UTF-8 or half a surrogate pair: the reader looks only when the string is taken.
            throw new DiagnosticException(MachineDiagnostics.NotJson(span));
        }
    }

    private SourceSpan Here()
    {
        var start = (int)_reader.TokenStartIndex;
        for (; _countedTo < start; _countedTo++)
        {
            var unit = _text[_countedTo];
            if (unit == '\n')
            {
                _line++;
                _column = 1;
            }
            else if ((unit & 0xC0) != 0x80)
            {
                // Columns are UTF-16 units: continuation bytes count nothing, four-byte sequences two.
                _column += unit >= 0xF0 ? 2 : 1;
            }
        }

        return SourceSpan.At(_file, _line, _column);
    }
}
