using System.Globalization;
using System.Text;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Binding;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend;

/// <summary>A network as files.</summary>
/// <param name="Text">The <c>.cnn</c> text, in its one layout.</param>
/// <param name="Arrays">The arrays of its weight file by name.</param>
public sealed record CnnText(string Text, IReadOnlyList<KeyValuePair<string, Tensor>> Arrays);

/// <summary>
/// Writes networks in the <c>.cnn</c> language: what <see cref="CnnFrontend"/> reads from the result is the same network, but for names that are not identifiers (letters, digits and <c>_</c> remain of
/// them) and a reshape before a dense layer that takes its batch from another dimension than the first.
/// </summary>
public sealed class CnnWriter
{
    private const int LongestLabel = 80;

    // TFLite's converter joins the names of all nodes that became one.
    private const char NodesOfOneValue = ';';

    private readonly NetworkGraph _graph;
    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);
    private readonly UniqueNames _taken = new();
    private readonly Dictionary<string, TensorType> _types = new(StringComparer.Ordinal);
    private readonly List<KeyValuePair<string, Tensor>> _arrays = [];
    private readonly StringBuilder _text = new();

    private readonly IReadOnlyDictionary<string, string> _labels;

    private CnnWriter(NetworkGraph graph, IReadOnlyDictionary<string, string> labels) => (_graph, _labels) = (graph, labels);

    /// <summary>Writes a network.</summary>
    /// <param name="graph">A verified network.</param>
    /// <param name="weights">Path of the weight file, as the text names it.</param>
    public static CnnText Write(NetworkGraph graph, string weights) => Write(graph, weights, new Dictionary<string, string>(StringComparer.Ordinal));

    /// <summary>Writes a network with comments.</summary>
    /// <param name="graph">A verified network.</param>
    /// <param name="weights">Path of the weight file, as the text names it.</param>
    /// <param name="labels">What some values are called elsewhere, by name: a comment behind the line that defines them.</param>
    public static CnnText Write(NetworkGraph graph, string weights, IReadOnlyDictionary<string, string> labels) => new CnnWriter(graph, labels).Write(weights);

    private CnnText Write(string weights)
    {
        foreach (var input in _graph.Inputs)
        {
            Define(input.Name, input.Type);
        }

        var layers = new StringBuilder();
        foreach (var layer in _graph.Layers)
        {
            Write(layer, layers);
        }

        Line(_text, $"network {Identifiers.Of(_graph.Name)} {{");
        if (_arrays.Count > 0)
        {
            Line(_text, $"weights \"{weights}\"\n");
        }

        foreach (var input in _graph.Inputs)
        {
            Line(_text, $"input {_names[input.Name]} : {ElementOf(input.Type)}[{string.Join("x", input.Type.Shape.Dimensions)}]{(Operator.FormOf(input.Type) == ValueForms.Fixed ? string.Empty : Codes(input.Type))}{Label(input.Name)}");
        }

        Line(_text, $"\n{layers}\noutput {string.Join(", ", _graph.Outputs.Select(name => _names[name]))}\n}}");
        var text = _text.ToString();
        return new(CnnFormatter.Format(text, _graph.Name, new DiagnosticBag()) ?? text, _arrays);
    }

    private void Write(Layer layer, StringBuilder lines)
    {
        var types = layer.Inputs.Select(name => _types[name]).ToArray();
        List<string> arguments = [.. layer.Inputs.Select(name => _names[name])];
        if (layer is Dense dense && types[0].Shape.Rank != 1 && types[0].Shape[0] != dense.Type.Shape[0])
        {
            // The language takes the batch from the first dimension.
            var flat = _taken.Take(Identifiers.Of($"{layer.Name}_rows"));
            Line(lines, $"{flat} = reshape({arguments[0]}, shape={dense.Type.Shape[0]}x{dense.Weights.Shape[1]})");
            arguments[0] = flat;
        }

        Define(layer.Name, layer.Type);
        var name = _names[layer.Name];
        var kind = LayerKinds.Find(layer.Keyword)!;
        foreach (var attribute in kind.Attributes)
        {
            if ((attribute.Declared is null ? Added(attribute.Name, layer, types) : Declared(attribute.Declared, layer, types)) is { } value)
            {
                arguments.Add($"{attribute.Name}={value}");
            }
        }

        foreach (var attribute in kind.Definition.Attributes)
        {
            Store(name, attribute, attribute.Get(layer));
        }

        Line(lines, $"{name} = {layer.Keyword}({string.Join(", ", arguments)}){Result(layer, kind.Definition, types)}{Label(layer.Name)}");
    }

    private string Label(string name)
    {
        if (!_labels.TryGetValue(name, out var label) || label == _names[name])
        {
            return string.Empty;
        }

        var first = label.Split(NodesOfOneValue, 2)[0];
        var words = string.Concat(first.Take(LongestLabel).Select(c => char.IsControl(c) || char.IsSurrogate(c) || char.GetUnicodeCategory(c) is UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator ? ' ' : c));
        return $" // {words.Trim()}{(label.Length > Math.Min(first.Length, LongestLabel) ? "..." : string.Empty)}";
    }

    private static string? Added(string name, Layer layer, TensorType[] types)
    {
        var weights = OperatorTable.Of(layer).Attributes.FirstOrDefault(attribute => attribute.Name == "weights")?.Get(layer) as Tensor;
        return (name, layer) switch
        {
            ("filters" or "units", _) => Number(weights!.Shape[0]),
            ("kernel", _) => string.Join("x", weights!.Shape.Dimensions.Skip(1).Take(weights.Shape.Rank - 2)),
            ("capsules", _) => Number(weights!.Shape[1]),
            ("length", _) => Number(weights!.Shape[3]),
            ("shape", _) => layer.Type.Shape.Rank == 1 ? Number(layer.Type.Shape[0]) : string.Join("x", layer.Type.Shape.Dimensions),
            ("element", Quantize { Type.Element: ElementType.Int8 }) => null,
            ("element", _) => ElementOf(layer.Type),
            ("sums", _) => AreSums(layer, types) ? "yes" : null,
            _ => null,
        };
    }

    private static string? Declared(OperatorAttribute attribute, Layer layer, TensorType[] types)
    {
        var value = attribute.Get(layer);
        switch (attribute.Kind, value)
        {
            case (AttributeKind.OptionalTensor, null):
                return "none";
            case (AttributeKind.OptionalTensor, _):
                return null;
            case (_, Padding padding):
                return padding == default ? null : padding == Same(layer, types) ? "same" : $"({padding.Top}, {padding.Bottom}, {padding.Left}, {padding.Right})";
            case (_, VolumePadding { Plane: var plane } padding):
                return padding == default ? null : $"({padding.Front}, {padding.Back}, {plane.Top}, {plane.Bottom}, {plane.Left}, {plane.Right})";
            case (_, Spatial pair) when attribute.Name == "stride" && layer is MaxPool2D or AveragePool2D:
                return pair.Equals(OperatorTable.Of(layer).Attributes.First(other => other.Name == "kernel").Get(layer)) ? null : LanguageText.Of(pair);
            case (_, Volume steps) when attribute.Name == "stride" && layer is MaxPool3D or AveragePool3D:
                return steps.Equals(OperatorTable.Of(layer).Attributes.First(other => other.Name == "kernel").Get(layer)) ? null : LanguageText.Of(steps);
            case (_, Core.EquatableArray<int> list):
                return attribute.Name == "steps" && list.All(step => step == 1) ? null : List(list.Select(Number));
            case (_, Core.EquatableArray<float> list):
                return List(list.Select(Real));
            case (_, int code) when layer is Pad:
                return code == (layer.Type.Quantization?.ZeroPoint ?? 0) ? null : Number(code);
            case (_, float number):
                return number.Equals(attribute.Default) ? null : Real(number);
            default:
                return value!.Equals(attribute.Default) ? null : LanguageText.Of(value);
        }
    }

    private void Store(string name, OperatorAttribute attribute, object? value)
    {
        switch (value)
        {
            case Tensor tensor:
                _arrays.Add(new($"{name}.{attribute.TextName}", tensor));
                break;
            case Quantization { Scales: var scales, ZeroPoints: var zeros } quantization:
                // A scale without dimensions is one for all.
                _arrays.Add(new($"{name}.weights_scale", Tensor.From(ElementType.Float32, quantization.IsPerAxis ? Shape.Of(scales.Count) : Shape.Of(), scales.AsSpan())));
                if (zeros.Any(zero => zero != 0))
                {
                    _arrays.Add(new($"{name}.weights_zero_point", Tensor.From(ElementType.Int32, quantization.IsPerAxis ? Shape.Of(zeros.Count) : Shape.Of(), zeros.AsSpan())));
                }

                break;
        }
    }

    // What the layer itself doesn't say.
    private static string Result(Layer layer, Operator definition, TensorType[] types)
    {
        var follows = definition.Quantization switch
        {
            ResultQuantization.OfOperand => types is [{ Quantization: var operand }, ..] ? operand : null,
            ResultQuantization.OfOperator => layer.Type.Element == ElementType.Int8 ? definition.FixedQuantization : types[0].Quantization,
            _ => layer.Type.Element == ElementType.Int32 && types is [{ Element: ElementType.Int32, Quantization: var operand }, ..] ? operand : null,
        };
        var isSaid = layer.Type.Quantization is null || layer.Type.Quantization == follows || AreSums(layer, types) || (layer is Quantize or Constant && Operator.FormOf(layer.Type) == ValueForms.Fixed);
        return isSaid ? string.Empty : $" :{Codes(layer.Type)}";
    }

    private static bool AreSums(Layer layer, TensorType[] types) =>
        OperatorTable.Of(layer).FormRule == FormRule.SameOrSums && layer.Type.Element == ElementType.Int32 && types is [{ Element: ElementType.Int8 }, ..];

    private static Padding? Same(Layer layer, TensorType[] types) => (layer, types) switch
    {
        (Conv2D l, [{ Shape: var x }]) => Padding.Same(x[1], x[2], new(l.Weights.Shape[1], l.Weights.Shape[2]), l.Stride, l.Dilation),
        (DepthwiseConv2D l, [{ Shape: var x }]) => Padding.Same(x[1], x[2], new(l.Weights.Shape[1], l.Weights.Shape[2]), l.Stride, l.Dilation),
        (MaxPool2D l, [{ Shape: var x }]) => Padding.Same(x[1], x[2], l.Kernel, l.Stride, new(1, 1)),
        (AveragePool2D l, [{ Shape: var x }]) => Padding.Same(x[1], x[2], l.Kernel, l.Stride, new(1, 1)),
        _ => null,
    };

    private static string ElementOf(TensorType type) => Operator.FormOf(type) == ValueForms.Fixed
        ? FormattableString.Invariant($"fixed{LayerArithmetic.Fraction(type)}")
        : type.Element.Name();

    private static string Codes(TensorType type) => type.Quantization is not { } quantization
        ? string.Empty
        : string.Create(CultureInfo.InvariantCulture, $" scale {quantization.Scale:R}{(quantization.ZeroPoint == 0 ? string.Empty : $" zero {quantization.ZeroPoint.ToString(CultureInfo.InvariantCulture)}")}");

    private static string List(IEnumerable<string> items) => items.ToList() is [var single] ? single : $"({string.Join(", ", items)})";

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Real(float number) => float.IsInfinity(number) ? "none" : number.ToString("R", CultureInfo.InvariantCulture);

    private static void Line(StringBuilder text, FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');

    private void Define(string name, TensorType type)
    {
        _types.Add(name, type);
        _names.Add(name, _taken.Take(Identifiers.Of(name)));
    }
}
