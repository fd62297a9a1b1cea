using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network.Operators;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Network;

/// <summary>The attributes of a layer in text, <c>key=value</c> in any order, read as its operator declares them.</summary>
internal sealed class NetworkAttributes(IrTextReader reader, Operator definition)
{
    // Scales of weights are written as several keys.
    private const string ScaleKey = "scale";
    private const string ScalesKey = "scales";
    private const string AxisKey = "axis";
    private const string ZerosKey = "zeros";

    private readonly Dictionary<string, (object Value, SourceSpan Span)> _values = new(StringComparer.Ordinal);
    private readonly OperatorAttribute? _weights = definition.Attributes.FirstOrDefault(attribute => attribute.Kind == AttributeKind.WeightQuantization);

    /// <summary>Reads one.</summary>
    public void Read()
    {
        var span = reader.Span;
        var key = reader.Take(IrTokenKind.Word, "an attribute");
        reader.Punctuation("=");
        object value = _weights is not null && key is ScaleKey or ScalesKey or AxisKey or ZerosKey
            ? WeightsKey(key)
            : definition.Attributes.FirstOrDefault(attribute => attribute.TextName == key && attribute != _weights) is { } attribute
                ? Value(attribute.Kind)
                : throw new DiagnosticException(IrDiagnostics.Attribute(span, key, $"not one of {definition.Keyword}"));
        if (!_values.TryAdd(key, (value, span)))
        {
            throw new DiagnosticException(IrDiagnostics.Attribute(span, key, "given twice"));
        }
    }

    /// <summary>A value for each attribute of the operator.</summary>
    /// <exception cref="DiagnosticException">One is missing.</exception>
    public Dictionary<string, object?> Values(SourceSpan layer)
    {
        var values = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var attribute in definition.Attributes)
        {
            if (attribute == _weights)
            {
                values.Add(attribute.Name, WeightQuantization(layer));
            }
            else if (_values.TryGetValue(attribute.TextName, out var given))
            {
                values.Add(attribute.Name, given.Value);
            }
            else if (attribute.IsRequired || attribute.IsAlwaysPrinted)
            {
                throw new DiagnosticException(IrDiagnostics.Attribute(layer, attribute.TextName, "missing"));
            }
            else
            {
                values.Add(attribute.Name, attribute.Default);
            }
        }

        return values;
    }

    private object WeightsKey(string key) => key switch
    {
        ScaleKey => reader.Float(),
        ScalesKey => reader.Constant(),
        AxisKey => reader.Int32(),
        _ => reader.List(reader.Int32),
    };

    private object Value(AttributeKind kind) => kind switch
    {
        AttributeKind.Integer => reader.Int32(),
        AttributeKind.Real => reader.Float(),
        AttributeKind.Flag => Named("yes or no", text => text switch { "yes" => true, "no" => false, _ => (bool?)null }),
        AttributeKind.Integers => reader.List(reader.Int32),
        AttributeKind.Reals => reader.List(reader.Float),
        AttributeKind.Spatial => Extents(2) is [var height, var width] ? new Spatial(height, width) : default,
        AttributeKind.Volume => Extents(3) is [var depth, var height, var width] ? new Volume(depth, height, width) : default,
        AttributeKind.Padding => Sides(4) is [var top, var bottom, var left, var right] ? new Padding(top, bottom, left, right) : default,
        AttributeKind.VolumePadding => Sides(6) is [var front, var back, var top, var bottom, var left, var right] ? new VolumePadding(front, back, new(top, bottom, left, right)) : default,
        AttributeKind.Activation => Named("an activation", NetworkNames.Activation),
        AttributeKind.Rounding => Named("a rounding scheme", NetworkNames.Rounding),
        AttributeKind.ResizeMode => Named("nearest or bilinear", NetworkNames.Mode),
        AttributeKind.ResizeCoordinates => Named("asymmetric, half_pixel or align_corners", NetworkNames.Coordinates),
        AttributeKind.Tensor or AttributeKind.OptionalTensor => reader.Constant(),
        _ => throw new InvalidOperationException($"no text for {kind}"),
    };

    /// <summary>Either <c>scale=</c>, or <c>scales= axis=</c> and <c>zeros=</c> where they aren't all 0; null without any.</summary>
    private Quantization? WeightQuantization(SourceSpan layer)
    {
        if (_values.TryGetValue(ScaleKey, out var scale))
        {
            return Quantization.PerTensor((float)scale.Value, 0);
        }

        if (!_values.TryGetValue(ScalesKey, out var entry))
        {
            return null;
        }

        var scales = (Tensor)entry.Value;
        if (scales.Element != ElementType.Float32)
        {
            throw new DiagnosticException(IrDiagnostics.Attribute(entry.Span, ScalesKey, $"{scales}, not f32"));
        }

        var axis = _values.TryGetValue(AxisKey, out var given) ? (int)given.Value : throw new DiagnosticException(IrDiagnostics.Attribute(layer, AxisKey, "missing"));
        var zeros = _values.TryGetValue(ZerosKey, out var list) ? (EquatableArray<int>)list.Value : EquatableArray.Create<int>(new int[scales.Shape.Elements]);
        return new(EquatableArray.Create(scales.AsSpan<float>()), zeros, axis);
    }

    private int[] Extents(int count)
    {
        var example = string.Join('x', Enumerable.Repeat("3", count));
        reader.Require(reader.Current.Kind == IrTokenKind.Extents, $"extents such as {example}");
        var span = reader.Span;
        return reader.Extents() is var extents && extents.Length == count
            ? extents
            : throw new DiagnosticException(IrDiagnostics.Expected(span, $"extents such as {example}", "another number of them"));
    }

    private int[] Sides(int count)
    {
        var sides = new int[count];
        for (var i = 0; i < count; i++)
        {
            if (i > 0)
            {
                reader.Punctuation(",");
            }

            sides[i] = reader.Int32();
        }

        return sides;
    }

    private object Named<T>(string expected, Func<string, T?> find)
        where T : struct
    {
        var value = reader.Current.Kind == IrTokenKind.Word ? find(reader.Current.Text) : null;
        reader.Require(value is not null, expected);
        reader.Take();
        return value!.Value;
    }
}
