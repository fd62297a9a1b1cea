using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Network;

/// <summary>The attributes of a layer in text, <c>key=value</c> in any order, read by the type that the key has wherever it occurs.</summary>
internal sealed class NetworkAttributes(IrTextReader reader)
{
    private readonly Dictionary<string, (object Value, SourceSpan Span)> _values = new(StringComparer.Ordinal);

    /// <summary>Reads one.</summary>
    public void Read()
    {
        var span = reader.Span;
        var key = reader.Take(IrTokenKind.Word, "an attribute");
        reader.Punctuation("=");
        object value = key switch
        {
            "weights" or "bias" or "scales" => reader.Constant(),
            "scale" or "beta" => reader.Float(),
            "zeros" or "before" or "after" => reader.List(reader.Int32),
            "axis" or "groups" or "multiplier" or "value" => reader.Int32(),
            "stride" or "dilation" or "kernel" => Pair(),
            "pad" => Sides(),
            "act" => Named("an activation", NetworkNames.Activation),
            "round" => Named("a rounding scheme", NetworkNames.Rounding),
            _ => throw new DiagnosticException(IrDiagnostics.Attribute(span, key, "not known")),
        };
        if (!_values.TryAdd(key, (value, span)))
        {
            throw new DiagnosticException(IrDiagnostics.Attribute(span, key, "given twice"));
        }
    }

    public Tensor Tensor(string key, SourceSpan layer) => Required<Tensor>(key, layer);

    public Tensor? OptionalTensor(string key) => TryTake(key, out var value) ? (Tensor)value : null;

    public Spatial Pair(string key, SourceSpan layer) => Required<Spatial>(key, layer);

    public Spatial PairOrOne(string key) => TryTake(key, out var value) ? (Spatial)value : new(1, 1);

    public Padding Padding(SourceSpan layer) => Required<Padding>("pad", layer);

    public int Integer(string key, SourceSpan layer) => Required<int>(key, layer);

    public int Integer(string key, int usual) => TryTake(key, out var value) ? (int)value : usual;

    public float Float(string key, SourceSpan layer) => Required<float>(key, layer);

    public EquatableArray<int> List(string key, SourceSpan layer) => Required<EquatableArray<int>>(key, layer);

    public FusedActivation Activation() => TryTake("act", out var value) ? (FusedActivation)value : FusedActivation.None;

    public RoundingScheme Rounding(SourceSpan layer) => Required<RoundingScheme>("round", layer);

    /// <summary>Either <c>scale=</c>, or <c>scales= axis=</c> and <c>zeros=</c> where they aren't all 0; null without any.</summary>
    public Quantization? WeightQuantization()
    {
        if (TryTake("scale", out var scale))
        {
            return Quantization.PerTensor((float)scale, 0);
        }

        if (!_values.TryGetValue("scales", out var entry))
        {
            return null;
        }

        var scales = Required<Tensor>("scales", entry.Span);
        if (scales.Element != ElementType.Float32)
        {
            throw new DiagnosticException(IrDiagnostics.Attribute(entry.Span, "scales", $"{scales}, not f32"));
        }

        var axis = Required<int>("axis", entry.Span);
        var zeros = TryTake("zeros", out var given) ? (EquatableArray<int>)given : EquatableArray.Create<int>(new int[scales.Shape.Elements]);
        return new(EquatableArray.Create(scales.AsSpan<float>()), zeros, axis);
    }

    /// <summary>Refuses attributes that the layer didn't take.</summary>
    public void RefuseUnused()
    {
        foreach (var (key, (_, span)) in _values)
        {
            throw new DiagnosticException(IrDiagnostics.Attribute(span, key, "not one of this layer"));
        }
    }

    private T Required<T>(string key, SourceSpan layer) =>
        TryTake(key, out var value) ? (T)value : throw new DiagnosticException(IrDiagnostics.Attribute(layer, key, "missing"));

    private bool TryTake(string key, out object value)
    {
        var found = _values.Remove(key, out var entry);
        value = entry.Value;
        return found;
    }

    private Spatial Pair()
    {
        reader.Require(reader.Current.Kind == IrTokenKind.Extents, "two extents such as 3x3");
        var span = reader.Span;
        return reader.Extents() is [var height, var width]
            ? new(height, width)
            : throw new DiagnosticException(IrDiagnostics.Expected(span, "two extents such as 3x3", "another number of them"));
    }

    private Padding Sides()
    {
        Span<int> sides = stackalloc int[4];
        for (var i = 0; i < 4; i++)
        {
            if (i > 0)
            {
                reader.Punctuation(",");
            }

            sides[i] = reader.Int32();
        }

        return new(sides[0], sides[1], sides[2], sides[3]);
    }

    private T Named<T>(string expected, Func<string, T?> find)
        where T : struct
    {
        var value = reader.Current.Kind == IrTokenKind.Word ? find(reader.Current.Text) : null;
        reader.Require(value is not null, expected);
        reader.Take();
        return value!.Value;
    }
}
