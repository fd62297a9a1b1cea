using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Frontend.Syntax;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Binding;

/// <summary>Padding as written: a word, or four amounts.</summary>
/// <param name="IsSame">True for <c>same</c>, which needs the extents of the input.</param>
/// <param name="Explicit">The amounts otherwise.</param>
internal readonly record struct PaddingChoice(bool IsSame, Padding Explicit);

/// <summary>Padding of a volume as written.</summary>
/// <param name="IsSame">True for <c>same</c>.</param>
/// <param name="Explicit">The amounts otherwise.</param>
internal readonly record struct VolumePaddingChoice(bool IsSame, VolumePadding Explicit);

/// <summary>Reads the attributes of one layer. A mistake is reported, <see cref="Failed"/> is set and a harmless value is given, so that all are found.</summary>
internal sealed class AttributeReader
{
    private static readonly string[] _paddingWords = ["same", "valid"];

    private readonly LayerStatement _layer;
    private readonly DiagnosticBag _diagnostics;
    private readonly Dictionary<string, ValueSyntax> _values = new(StringComparer.Ordinal);
    private readonly HashSet<string> _wrong = new(StringComparer.Ordinal);

    public AttributeReader(LayerStatement layer, IReadOnlyList<string> known, DiagnosticBag diagnostics)
    {
        (_layer, _diagnostics) = (layer, diagnostics);
        foreach (var attribute in layer.Attributes)
        {
            var name = attribute.Name.Text;
            if (!known.Contains(name, StringComparer.Ordinal))
            {
                var near = Suggestions.Near(name, known, diagnostics);
                Report(LanguageDiagnostics.UnknownAttribute(attribute.Name.Span, layer.Kind.Text, name, near, known));

                // A name that is spelt wrongly isn't reported as missing as well.
                _wrong.Add(near ?? name);
            }
            else if (attribute.Value is WrongValue)
            {
                Failed = true;
                _wrong.Add(name);
            }
            else if (!_values.TryAdd(name, attribute.Value))
            {
                Report(LanguageDiagnostics.DuplicateAttribute(attribute.Name.Span, name));
            }
        }
    }

    /// <summary>True once anything was wrong.</summary>
    public bool Failed { get; private set; }

    /// <summary>An integer; <paramref name="otherwise"/> null makes it required.</summary>
    public int Integer(string name, long low, long high, int? otherwise, string example = "1")
    {
        if (Value(name, otherwise is null, example) is not { } value)
        {
            return otherwise ?? 1;
        }

        return value is NumberValue number ? Integer(name, number, low, high) : Wrong(name, "an integer", value, 1);
    }

    /// <summary>Height and width: <c>5x3</c>, <c>(5, 3)</c>, or <c>5</c> for both.</summary>
    public Spatial Spatial(string name, Spatial? otherwise, int low = 1)
    {
        switch (Value(name, otherwise is null, "3x3"))
        {
            case null:
                return otherwise ?? new(1, 1);
            case NumberValue number:
                var both = Integer(name, number, low, NetworkLimits.Attribute);
                return new(both, both);
            case ListValue { Items: [NumberValue height, NumberValue width] }:
                return new(Integer(name, height, low, NetworkLimits.Attribute), Integer(name, width, low, NetworkLimits.Attribute));
            case var value:
                return Wrong(name, "height x width, such as 3x3", value, new Spatial(1, 1));
        }
    }

    /// <summary>Depth, height and width: <c>3x5x5</c>, or one number for all.</summary>
    public Volume Volume(string name, Volume? otherwise)
    {
        switch (Value(name, otherwise is null, "3x3x3"))
        {
            case null:
                return otherwise ?? new(1, 1, 1);
            case NumberValue number:
                var all = Integer(name, number, 1, NetworkLimits.Attribute);
                return new(all, all, all);
            case ListValue { Items: [NumberValue depth, NumberValue height, NumberValue width] }:
                return new(Integer(name, depth, 1, NetworkLimits.Attribute), Integer(name, height, 1, NetworkLimits.Attribute), Integer(name, width, 1, NetworkLimits.Attribute));
            case var value:
                return Wrong(name, "depth x height x width, such as 3x3x3", value, new Volume(1, 1, 1));
        }
    }

    /// <summary><c>same</c>, <c>valid</c>, one amount for all sides, or <c>(top, bottom, left, right)</c>; valid where it is not given.</summary>
    public PaddingChoice Padding()
    {
        const string name = "padding";
        const string expected = "same, valid, or the amounts (top, bottom, left, right)";
        switch (Value(name, required: false, string.Empty))
        {
            case null or WordValue { Text: "valid" }:
                return default;
            case WordValue { Text: "same" }:
                return new(true, default);
            case WordValue word:
                Report(LanguageDiagnostics.UnknownWord(word.Span, name, word.Text, Suggestions.Near(word.Text, _paddingWords, _diagnostics), [.. _paddingWords, "or (top, bottom, left, right)"]));
                return default;
            case NumberValue number:
                var all = Integer(name, number, 0, NetworkLimits.Attribute);
                return new(false, new(all, all, all, all));
            case ListValue { Items: [NumberValue top, NumberValue bottom, NumberValue left, NumberValue right] }:
                return new(false, new(Amount(top), Amount(bottom), Amount(left), Amount(right)));
            case var value:
                return Wrong(name, expected, value, default(PaddingChoice));
        }

        int Amount(NumberValue number) => Integer(name, number, 0, NetworkLimits.Attribute);
    }

    /// <summary>As <see cref="Padding"/>, with amounts <c>(front, back, top, bottom, left, right)</c>.</summary>
    public VolumePaddingChoice VolumePadding()
    {
        const string name = "padding";
        switch (Value(name, required: false, string.Empty))
        {
            case null or WordValue { Text: "valid" }:
                return default;
            case WordValue { Text: "same" }:
                return new(true, default);
            case WordValue word:
                Report(LanguageDiagnostics.UnknownWord(word.Span, name, word.Text, Suggestions.Near(word.Text, _paddingWords, _diagnostics), [.. _paddingWords, "or (front, back, top, bottom, left, right)"]));
                return default;
            case NumberValue number:
                var all = Integer(name, number, 0, NetworkLimits.Attribute);
                return new(false, new(all, all, new(all, all, all, all)));
            case ListValue { Items.Count: 6 } list when list.Items.All(item => item is NumberValue):
                var amounts = list.Items.Select(item => Integer(name, (NumberValue)item, 0, NetworkLimits.Attribute)).ToArray();
                return new(false, new(amounts[0], amounts[1], new(amounts[2], amounts[3], amounts[4], amounts[5])));
            case var value:
                return Wrong(name, "same, valid, or the amounts (front, back, top, bottom, left, right)", value, default(VolumePaddingChoice));
        }
    }

    /// <summary>A list of integers; one number alone is a list of one.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="low">Least.</param>
    /// <param name="high">Largest.</param>
    /// <param name="example">A list, for messages.</param>
    /// <param name="otherwise">The list where none is written; null makes it required.</param>
    public EquatableArray<int> Integers(string name, long low, long high, string example, EquatableArray<int>? otherwise = null)
    {
        switch (Value(name, otherwise is null, example))
        {
            case null:
                return otherwise ?? [];
            case NumberValue number:
                return [Integer(name, number, low, high)];
            case ListValue list when list.Items.All(item => item is NumberValue):
                return list.Items.Select(item => Integer(name, (NumberValue)item, low, high)).ToEquatableArray();
            case var value:
                return Wrong(name, $"a list of integers, such as {example}", value, default(EquatableArray<int>));
        }
    }

    /// <summary>A finite float32 number; <paramref name="otherwise"/> null makes it required.</summary>
    public float Real(string name, float? otherwise) => Value(name, otherwise is null, "0.5") switch
    {
        null => otherwise ?? 1,
        var value => Real(value) ?? Wrong(name, "a finite float32 number", value, otherwise ?? 1),
    };

    /// <summary>A list of finite float32 numbers; one alone is a list of one.</summary>
    public EquatableArray<float> Reals(string name)
    {
        const string example = "(0.5, 1, 2)";
        switch (Value(name, required: true, example))
        {
            case null:
                return [];
            case ListValue list when list.Items.All(item => Real(item) is not null):
                return list.Items.Select(item => Real(item) ?? 0).ToEquatableArray();
            case var value:
                return Real(value) is { } one ? [one] : Wrong(name, $"a list of finite float32 numbers, such as {example}", value, default(EquatableArray<float>));
        }
    }

    /// <summary><c>yes</c> or <c>no</c>, which is the default.</summary>
    public bool Flag(string name) => Word(name, [("no", false), ("yes", true)]);

    /// <summary>A word as it is written, or null.</summary>
    public (string Text, SourceSpan Span)? Text(string name) => Value(name, required: false, string.Empty) switch
    {
        null => null,
        WordValue word => (word.Text, word.Span),
        TextValue quoted => (quoted.Text, quoted.Span),
        var value => Wrong<(string, SourceSpan)?>(name, "a word", value, null),
    };

    /// <summary>One of a list of words, written bare or quoted; the first is the default, unless <paramref name="required"/>.</summary>
    public T Word<T>(string name, (string Word, T Value)[] words, bool required = false)
    {
        var value = Value(name, required, words[^1].Word);
        var text = value switch { null => words[0].Word, WordValue word => word.Text, TextValue quoted => quoted.Text, _ => null };
        if (text is null)
        {
            return Wrong(name, $"one of {string.Join(", ", words.Select(word => word.Word))}", value!, words[0].Value);
        }

        foreach (var (word, meaning) in words)
        {
            if (word == text)
            {
                return meaning;
            }
        }

        var known = words.Select(word => word.Word).ToArray();
        Report(LanguageDiagnostics.UnknownWord(value!.Span, name, text, Suggestions.Near(text, known, _diagnostics), known));
        return words[0].Value;
    }

    /// <summary>A constant for a parameter of a block: an integer, or a word; null where it is neither, or not given and without a default, which is reported.</summary>
    public ValueSyntax? Constant(string name, bool isWord, bool required)
    {
        switch (Value(name, required, isWord ? "same" : "1"))
        {
            case null:
                return null;
            case NumberValue number when !isWord && LanguageNumbers.Integer(number, long.MinValue, long.MaxValue) is not null:
                return number;
            case WordValue or TextValue when isWord:
                return _values[name];
            case var value:
                return Wrong<ValueSyntax?>(name, isWord ? "a word" : "an integer", value, null);
        }
    }

    /// <summary>Reports, and remembers that something is wrong.</summary>
    public void Report(Diagnostic diagnostic)
    {
        Failed = true;
        _diagnostics.Report(diagnostic);
    }

    private ValueSyntax? Value(string name, bool required, string example)
    {
        if (!_values.TryGetValue(name, out var value) && required && !_wrong.Contains(name))
        {
            Report(LanguageDiagnostics.MissingAttribute(_layer.Kind.Span, _layer.Kind.Text, name, example));
        }

        return value;
    }

    private static float? Real(ValueSyntax value) =>
        value is NumberValue number && float.TryParse(number.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var real) && float.IsFinite(real) ? real : null;

    private int Integer(string name, NumberValue number, long low, long high)
    {
        if (LanguageNumbers.Integer(number, low, high) is { } integer)
        {
            return (int)integer;
        }

        Report(LanguageDiagnostics.NumberOutOfRange(number.Span, $"'{name}'", number.Text, low, high));
        return (int)Math.Max(low, 1);
    }

    private T Wrong<T>(string name, string expected, ValueSyntax value, T otherwise)
    {
        Report(LanguageDiagnostics.WrongValue(value.Span, name, expected, value.Describe()));
        return otherwise;
    }
}
