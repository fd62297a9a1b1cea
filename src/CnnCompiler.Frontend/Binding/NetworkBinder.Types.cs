using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Syntax;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;

namespace CnnCompiler.Frontend.Binding;

/// <summary>Types of inputs and results, and the layers that have them.</summary>
internal sealed partial class NetworkBinder
{
    private const string SplitKeyword = "split";

    private readonly NetworkElements _elements;
    private readonly bool _isInstance;

    private void Bind(InputStatement input)
    {
        var element = ElementNames.Parse(input.ElementType.Text, _elements);
        if (element is null)
        {
            _diagnostics.Report(LanguageDiagnostics.UnknownElementType(
                input.ElementType.Span, input.ElementType.Text, Suggestions.Near(input.ElementType.Text, ElementNames.Known, _diagnostics)));
        }

        var shape = BindShape(input.Name.Text, input.Shape);
        var quantization = BindQuantization(input, element);
        TensorType? type = element is { } known && shape is { } extents && quantization is { } scales ? new(known.Element, extents, scales.Value) : null;
        if (Define(input.Name, input.Name.Text, type) && type is not null)
        {
            _inputs.Add(new(input.Name.Text, type) { Span = input.Span });
        }
    }

    /// <summary>The quantisation of an input, which f32 has none of; null where it is missing or wrong, which is reported.</summary>
    private (Quantization? Value, bool IsRight)? BindQuantization(InputStatement input, (ElementType Element, Quantization? Quantization)? element)
    {
        if (element is { Quantization: { } fixedPoint })
        {
            return AcceptsWritten(input.Name, input.Quantization, "fixed point") ? (fixedPoint, true) : null;
        }

        if (element is { Element: ElementType.Float32 })
        {
            return AcceptsWritten(input.Name, input.Quantization, "f32") ? (null, true) : null;
        }

        return BindQuantization(input.Name, input.Quantization, element?.Element ?? ElementType.Int8) is { } bound ? (bound, true) : null;
    }

    /// <summary>A quantisation is for another reading of the file, or a mistake.</summary>
    private bool AcceptsWritten(NameSyntax name, QuantizationSyntax? written, string what)
    {
        if (written is null || _isInstance)
        {
            return true;
        }

        _diagnostics.Report(LanguageDiagnostics.QuantizedReal(written.Scale.Span, name.Text, what));
        return false;
    }

    /// <summary>Binds <c>a, b = split(x, axis=3)</c>: one layer for each name, parts and index being theirs.</summary>
    private void BindParts(LayerStatement statement)
    {
        // All are made before one is defined: the operand may have the name of a part.
        var parts = statement.Names.Count;
        var layers = new List<Layer>();
        for (var index = 0; index < parts; index++)
        {
            var name = statement.Names[index];
            if (index > 0 && _networkNames++ >= LanguageLimits.Layers)
            {
                Stop(LanguageDiagnostics.UnfoldsTooFar(statement.Span, "layers", LanguageLimits.Layers));
            }

            if (!Step(1, statement.Span) || NetworkName(name) is not { } networkName)
            {
                return;
            }

            if (Make(statement with { Names = [name], Attributes = [.. statement.Attributes, Attribute("parts", parts), Attribute("index", index)] }, networkName) is not { } layer)
            {
                DefineUnknown(statement.Names);
                return;
            }

            layers.Add(layer);
        }

        for (var index = 0; index < parts; index++)
        {
            if (Define(statement.Names[index], layers[index].Name, layers[index].Type))
            {
                _layers.Add(layers[index]);
                RememberOrigin(layers[index]);
            }
        }

        AttributeSyntax Attribute(string key, int value) =>
            new(new(key, statement.Names[0].Span), new NumberValue(statement.Names[0].Span, value.ToString(System.Globalization.CultureInfo.InvariantCulture)));
    }

    private Layer? Make(LayerStatement written, string name)
    {
        var inputs = written.Operands.Select(Read).ToList();
        if (LayerKinds.Find(written.Kind.Text) is not { } kind)
        {
            var known = LayerKinds.All.Select(row => row.Keyword).Concat(_blocks.Keys);
            _diagnostics.Report(LanguageDiagnostics.UnknownLayer(written.Kind.Span, written.Kind.Text, Suggestions.Layer(written.Kind.Text, known, _diagnostics)));
            return null;
        }

        // Names and constants are those of the network from here on.
        var statement = written with
        {
            Names = [new NameSyntax(name, written.Name.Span)],
            Operands = inputs.Select((input, i) => new NameSyntax(input?.Name ?? written.Operands[i].Text, written.Operands[i].Span)).ToEquatableArray(),
            Attributes = Resolve(written.Attributes),
        };
        var attributes = new AttributeReader(statement, kind.Names, _diagnostics);
        var definition = kind.Definition;
        if (inputs.Count < definition.MinimumInputs || inputs.Count > definition.MaximumInputs)
        {
            attributes.Report(LanguageDiagnostics.WrongNumberOfOperands(statement.Kind.Span, kind.Keyword, inputs.Count, kind.Operands));
        }

        var types = inputs.Select(input => input?.Type).OfType<TensorType>().ToArray();
        var usable = types.Length == inputs.Count && types.Length >= Math.Min(1, definition.MinimumInputs) ? types : null;
        var builder = new LayerBuilder(kind, statement, attributes, usable, new(_weights, statement, usable), _elements);
        var fixedResult = usable is [{ Element: ElementType.Int32 }, ..] ? FixedResult(statement, usable[0]) : null;
        var layer = builder.Build(() => fixedResult);
        var (quantization, isRight) = ResultQuantizationOf(kind, statement, builder, layer, usable, fixedResult);
        if (layer is null || attributes.Failed || usable is null)
        {
            return null;
        }

        layer = layer with { Span = statement.Span };
        return definition.Accepts(layer, usable, _diagnostics) && NetworkShapes.Infer(layer, usable, _diagnostics) is { } shape && isRight
            ? layer with { Type = new(ResultElement(kind, builder, usable), shape, quantization) }
            : null;
    }

    private static ElementType ResultElement(LayerKind kind, LayerBuilder builder, TensorType[] inputs) => kind.Definition.Quantization switch
    {
        ResultQuantization.None => ElementType.Float32,
        _ when builder.WrittenElement is { } written => written.Element,
        _ when builder.AreSums => ElementType.Int32,
        _ => inputs[0].Element,
    };

    /// <summary>In fixed point a result has the scale that is written, or that of the first operand.</summary>
    private Quantization? FixedResult(LayerStatement statement, TensorType operand) =>
        statement.Quantization is { } written && !_isInstance ? BindQuantization(statement.Name, written) : operand.Quantization;

    /// <summary>The quantisation of a result, and whether it is right: f32 has none.</summary>
    private (Quantization? Quantization, bool IsRight) ResultQuantizationOf(
        LayerKind kind, LayerStatement statement, LayerBuilder builder, Layer? layer, TensorType[]? inputs, Quantization? fixedResult)
    {
        var element = inputs is null ? ElementType.Int8 : ResultElement(kind, builder, inputs);
        if (element == ElementType.Float32)
        {
            return (null, AcceptsWritten(statement.Name, statement.Quantization, "f32"));
        }

        if (builder.WrittenElement is { Quantization: { } fixedPoint })
        {
            return (fixedPoint, AcceptsWritten(statement.Name, statement.Quantization, "fixed point"));
        }

        if (inputs is [{ Element: ElementType.Int32 }, ..] && builder.WrittenElement is null)
        {
            return (fixedResult, fixedResult is not null);
        }

        if (builder.AreSums && statement.Quantization is null)
        {
            // The scale of the sums is the product of those of what is multiplied.
            var second = builder.WeightQuantization ?? (inputs is [_, { Quantization: { } other }] ? other : null);
            return inputs is [{ Quantization: { } first }, ..] && second is not null ? (Quantization.PerTensor(first.Scale * second.Scale, 0), true) : (null, false);
        }

        var operand = inputs is [{ Quantization: { } known }, ..] ? known : null;
        var quantization = kind.Definition.Quantization switch
        {
            _ when statement.Quantization is not null => BindQuantization(statement.Name, statement.Quantization, element),
            ResultQuantization.OfOperand => operand,
            ResultQuantization.OfOperator => kind.Definition.FixedQuantization,
            _ when _weights.Seed is not null && inputs is null => null,
            _ when _weights.Seed is not null && kind.Keyword == "constant" => Quantization.PerTensor(SeededWeights.ConstantScale, 0),
            _ when _weights.Seed is not null && operand is not null => layer is null ? null : SeededWeights.Result(layer, operand),
            _ => BindQuantization(statement.Name, null, element),
        };
        return (quantization, quantization is not null);
    }

    /// <summary>Scale and zero point as written, or from the weight file; null where they are missing or wrong, which is reported.</summary>
    private Quantization? BindQuantization(NameSyntax name, QuantizationSyntax? written, ElementType element = ElementType.Int8)
    {
        var (low, high) = element == ElementType.UInt8 ? (byte.MinValue, byte.MaxValue) : ((int)sbyte.MinValue, (int)sbyte.MaxValue);
        if (written is null)
        {
            return StoredQuantization(name, low, high);
        }

        var scale = LanguageNumbers.Scale(written.Scale);
        if (scale is null)
        {
            _diagnostics.Report(LanguageDiagnostics.WrongScale(written.Scale.Span, written.Scale.Text));
        }

        long? zeroPoint = 0;
        if (written.ZeroPoint is { } value)
        {
            var number = Constants().Resolve(value);
            zeroPoint = number is NumberValue integer ? LanguageNumbers.Integer(integer, low, high) : null;
            if (zeroPoint is null && number is not WrongValue)
            {
                _diagnostics.Report(number is NumberValue { Text: var text }
                    ? LanguageDiagnostics.NumberOutOfRange(number.Span, "the zero point", text, low, high)
                    : LanguageDiagnostics.WrongValue(number.Span, "zero", FormattableString.Invariant($"an integer from {low} to {high}"), number.Describe()));
            }
        }

        return scale is { } s && zeroPoint is { } z ? Quantization.PerTensor(s, (int)z) : null;
    }

    private Quantization? StoredQuantization(NameSyntax name, int low, int high)
    {
        var (scaleName, zeroName) = ($"{name.Text}.scale", $"{name.Text}.zero_point");
        if (_weights.IsUnreadable)
        {
            return null;
        }

        if (_weights.Find(scaleName) is not { } scale)
        {
            _diagnostics.Report(LanguageDiagnostics.NoQuantization(name.Span, name.Text, _weights.Path));
            return null;
        }

        if (scale.Element != ElementType.Float32 || scale.Shape.Elements != 1)
        {
            _diagnostics.Report(LanguageDiagnostics.WrongArray(name.Span, scaleName, scale, "one f32 number"));
            return null;
        }

        var zeroPoint = 0L;
        if (_weights.Find(zeroName) is { } zero)
        {
            if (zero.Element == ElementType.Float32 || zero.Shape.Elements != 1 || zero.GetInteger(0) < low || zero.GetInteger(0) > high)
            {
                _diagnostics.Report(LanguageDiagnostics.WrongArray(name.Span, zeroName, zero, FormattableString.Invariant($"one integer from {low} to {high}")));
                return null;
            }

            zeroPoint = zero.GetInteger(0);
        }

        return Quantization.PerTensor(scale.AsSpan<float>()[0], (int)zeroPoint);
    }
}
