using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Network.Operators;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>The network that an import makes: typed layers in order, values in the layout and numbers that an operator asks for.</summary>
/// <param name="file">The file as the user named it.</param>
internal sealed class OnnxNetworkBuilder(string file)
{
    // Networks of up to this many layers; unrolled loops of hostile graphs end here.
    private const int MostLayers = 1 << 16;

    private readonly List<Layer> _layers = [];
    private readonly Dictionary<string, TensorType> _types = new(StringComparer.Ordinal);
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Name, string What), string> _converted = [];
    private readonly Dictionary<string, string> _labels = new(StringComparer.Ordinal);

    public IReadOnlyList<Layer> Layers => _layers;

    /// <summary>The file's names of values, by the network's.</summary>
    public IReadOnlyDictionary<string, string> Labels => _labels;

    /// <summary>The file name of the value that is being made; names of new layers come from it.</summary>
    public string Label { get; set; } = "v";

    public SourceSpan Span { get; } = SourceSpan.WholeFile(file);

    public TensorType TypeOf(string name) => _types[name];

    /// <summary>Declares a network input.</summary>
    public OnnxValue Input(string label, TensorType type, ElementType element, out NetworkInput input)
    {
        input = new(Fresh(label), type) { Span = Span };
        _types.Add(input.Name, type);
        _labels[input.Name] = label;
        return new(label, type.Shape, element) { Name = input.Name, Type = type };
    }

    /// <summary>Adds a layer whose type is left open: its shape follows from the operator's rule.</summary>
    public string Add(Layer layer, ElementType element, Quantization? quantization = null)
    {
        if (_layers.Count >= MostLayers)
        {
            throw new DiagnosticException(OnnxDiagnostics.TooLarge(file, "the number of layers", _layers.Count + 1, MostLayers));
        }

        var diagnostics = new DiagnosticBag();
        var shape = NetworkShapes.Infer(layer with { Name = Label }, layer.Inputs.Select(TypeOf).ToArray(), diagnostics)
            ?? throw new DiagnosticException(diagnostics.Diagnostics[0]);
        var name = Fresh(Label);
        var made = layer with { Name = name, Type = new(element, shape, quantization), Span = Span };
        _layers.Add(made);
        _types.Add(name, made.Type);
        _labels[name] = Label;
        return name;
    }

    /// <summary>As <see cref="Add"/> with the numbers of the layer's first input.</summary>
    public string AddLike(Layer layer) => Add(layer, TypeOf(layer.Inputs[0]).Element, TypeOf(layer.Inputs[0]).Quantization);

    /// <summary>A type with only what an operator whose attribute is the shape reads.</summary>
    public static TensorType Open(params ReadOnlySpan<int> shape) => new(ElementType.Int8, Shape.Of(shape));

    /// <summary>The same value under another shape.</summary>
    public string Reshape(string name, params ReadOnlySpan<int> shape) => TypeOf(name).Shape == Shape.Of(shape) ? name : Once(name, $"reshape {Shape.Of(shape)}", [.. shape], (n, s) => AddLike(new Reshape(string.Empty, [n], Open(s))));

    /// <summary>The same value with its dimensions in another order.</summary>
    public string Transpose(string name, int[] permutation)
    {
        if (permutation.AsSpan().SequenceEqual(Enumerable.Range(0, permutation.Length).ToArray()))
        {
            return name;
        }

        // Where only dimensions of extent 1 change places, the elements stay where they are.
        var shape = TypeOf(name).Shape;
        var moved = permutation.Where(d => shape[d] != 1).ToArray();
        return moved.SequenceEqual(moved.Order())
            ? Reshape(name, permutation.Select(d => shape[d]).ToArray())
            : Once(name, "transpose " + string.Join(',', permutation), permutation, (n, p) => AddLike(new Transpose(string.Empty, [n], Open(), p.ToEquatableArray())));
    }

    /// <summary>A stored value as a layer.</summary>
    public string Constant(Tensor value, Quantization? quantization = null) => Add(new Constant(string.Empty, [], Open(), value), value.Element, quantization);

    /// <summary>Real numbers of codes.</summary>
    public string Dequantize(string name) =>
        TypeOf(name).Element == ElementType.Float32 ? name : Once(name, "dequantize", [], (n, _) => Add(new Dequantize(string.Empty, [n], Open()), ElementType.Float32));

    /// <summary>Makes a conversion of a value one time only.</summary>
    private string Once(string name, string what, int[] numbers, Func<string, int[], string> make)
    {
        if (!_converted.TryGetValue((name, what), out var made))
        {
            made = make(name, numbers);
            _converted.Add((name, what), made);
        }

        return made;
    }

    /// <summary>Gives the network's value of an output the file's name; further outputs of the same value, and inputs that are outputs, get a copy.</summary>
    public string NameOutput(string name, string label, HashSet<string> taken)
    {
        var wanted = Tidy(label);
        var at = _layers.FindIndex(layer => layer.Name == name);
        if (at < 0 || !taken.Add(name))
        {
            Label = label;
            name = AddLike(new Reshape(string.Empty, [name], TypeOf(name)));
            taken.Add(name);
            at = _layers.Count - 1;
        }

        if (name == wanted)
        {
            return name;
        }

        // Whoever has the name already gets the one that becomes free.
        var other = _layers.FindIndex(layer => layer.Name == wanted);
        if (other < 0 && _names.Contains(wanted))
        {
            return name;
        }

        Swap(name, wanted);
        taken.Remove(name);
        taken.Add(wanted);
        return wanted;
    }

    private void Swap(string first, string second)
    {
        string Renamed(string name) => name == first ? second : name == second ? first : name;
        for (var i = 0; i < _layers.Count; i++)
        {
            _layers[i] = _layers[i] with { Name = Renamed(_layers[i].Name), Inputs = _layers[i].Inputs.Select(Renamed).ToEquatableArray() };
        }

        var (label, otherLabel) = (_labels[first], _labels.GetValueOrDefault(second));
        var (type, otherType) = (_types[first], _types.GetValueOrDefault(second));
        (_labels[second], _types[second]) = (label, type);
        if (otherType is not null && otherLabel is not null)
        {
            (_labels[first], _types[first]) = (otherLabel, otherType);
        }
        else
        {
            _labels.Remove(first);
            _types.Remove(first);
        }

        _names.Add(second);
    }

    private string Fresh(string label)
    {
        var name = Tidy(label);
        var unique = name;
        for (var i = 2; !_names.Add(unique); i++)
        {
            unique = string.Create(CultureInfo.InvariantCulture, $"{name}_{i}");
        }

        return unique;
    }

    /// <summary>A label as an identifier that is no keyword.</summary>
    private static string Tidy(string label)
    {
        const int Longest = 60;
        var name = string.Concat(label.Take(Longest).Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return name.Length == 0 || !char.IsAsciiLetter(name[0]) || OperatorTable.Find(name) is not null ? $"v_{name}".TrimEnd('_') : name;
    }
}
