using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Binding;
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
    private readonly UniqueNames _names = new();
    private readonly Dictionary<(string Name, string What), string> _converted = [];
    private readonly HashSet<string> _inputs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _reserved = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _renamed = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _labels = new(StringComparer.Ordinal);

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
        _inputs.Add(input.Name);
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

    /// <summary>Keeps the names of outputs free for them.</summary>
    public void Reserve(IEnumerable<string> labels)
    {
        foreach (var label in labels)
        {
            if (_names.TryTake(Tidy(label)))
            {
                _reserved.TryAdd(label, Tidy(label));
            }
        }
    }

    /// <summary>The final name of an output: the file's. Further outputs of the same value, and inputs that are outputs, get a copy.</summary>
    public string NameOutput(string name, string label)
    {
        if (_inputs.Contains(name) || _renamed.ContainsKey(name))
        {
            Label = label;
            name = AddLike(new Reshape(string.Empty, [name], TypeOf(name)));
        }

        var wanted = _reserved.Remove(label, out var reserved) ? reserved : name;
        _renamed.Add(name, wanted);
        _labels.Remove(name);
        _labels[wanted] = label;
        return wanted;
    }

    /// <summary>The layers with outputs under their names.</summary>
    public List<Layer> Finish()
    {
        string Renamed(string name) => _renamed.GetValueOrDefault(name, name);
        return _layers.Select(layer => layer with { Name = Renamed(layer.Name), Inputs = layer.Inputs.Select(Renamed).ToEquatableArray() }).ToList();
    }

    private string Fresh(string label) => _names.Take(Tidy(label));

    /// <summary>A label as an identifier that is no keyword.</summary>
    private static string Tidy(string label)
    {
        var name = Identifiers.Of(label);
        return OperatorTable.Find(name) is not null ? $"v_{name}" : name;
    }
}
