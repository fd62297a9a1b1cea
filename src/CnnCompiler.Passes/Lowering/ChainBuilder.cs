using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Passes.Lowering;

/// <summary>The chain that a network is being lowered to. Layers keep their names; what is added is named after the layer.</summary>
internal sealed class ChainBuilder
{
    private readonly NetworkGraph _graph;
    private readonly HashSet<string> _names;
    private readonly Dictionary<string, TensorType> _types;
    private readonly List<GconvConstant> _constants = [];
    private readonly List<GconvStep> _steps = [];

    public ChainBuilder(NetworkGraph graph)
    {
        _graph = graph;
        _types = graph.Inputs.ToDictionary(input => input.Name, input => input.Type, StringComparer.Ordinal);
        foreach (var layer in graph.Layers)
        {
            _types.Add(layer.Name, layer.Type);
        }

        _names = [.. _types.Keys];
    }

    /// <summary>The chain so far.</summary>
    public GconvProgram Build() => new(_graph.Name, _graph.Inputs, _constants.ToEquatableArray(), _steps.ToEquatableArray(), _graph.Outputs);

    /// <summary>Type of a value of the network or of a step that was added.</summary>
    public TensorType Type(string name) => _types[name];

    /// <summary>Remembers the type of a step.</summary>
    public void Define(string name, TensorType type) => _types[name] = type;

    /// <summary>A name for something that belongs to a layer: <c>layer.part</c>, numbered where the network uses that name itself.</summary>
    public string NameFor(Layer layer, string part)
    {
        var name = $"{layer.Name}.{part}";
        for (var number = 2; !_names.Add(name); number++)
        {
            name = string.Create(CultureInfo.InvariantCulture, $"{layer.Name}.{part}.{number}");
        }

        return name;
    }

    /// <summary>Adds a constant of a layer and returns its name.</summary>
    public string Constant(Layer layer, string part, Tensor value)
    {
        var name = NameFor(layer, part);
        _constants.Add(new(name, value));
        return name;
    }

    /// <summary>Adds a step of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="step">The step.</param>
    /// <param name="macs">The layer's nominal MACs if this is the step that multiplies.</param>
    public void Add(Layer layer, GconvStep step, long macs = 0) =>
        _steps.Add(step with { Origin = new GconvOrigin(layer.Name, layer.Keyword, macs), Span = layer.Span });

    /// <summary>input - zero point of the input, or the input alone where that is 0 or there is none.</summary>
    public ScalarExpression WithoutZeroPoint(string input)
    {
        var zeroPoint = Type(input).Kind() == ValueKind.Code ? ZeroPoint(Type(input)) : 0;
        return zeroPoint == 0 ? Scalar.Input : Scalar.Subtract(Scalar.Input, Scalar.Literal(zeroPoint));
    }

    /// <summary>Zero point of a quantised value.</summary>
    public static int ZeroPoint(TensorType type) => type.Quantization!.ZeroPoint;
}
