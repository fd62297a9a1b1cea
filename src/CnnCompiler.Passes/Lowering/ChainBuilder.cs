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

    /// <summary>Type of a value of the network.</summary>
    public TensorType Type(string name) => _types[name];

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

    /// <summary>
    /// What follows the sum of a convolution or dense layer: extra operands [bias, if any; multiplier; shift], each indexed by the output channel, and
    /// post = clamp(requantize(acc + bias, multiplier, shift) + zero point, low, high). One scale for all weights gives arrays of equal elements.
    /// </summary>
    public (EquatableArray<OperandAccess> Extra, ScalarExpression Post) RequantizedChannels(
        Layer layer, Tensor? bias, Requantization[] factors, AffineExpression channel, RoundingScheme rounding, FusedActivation activation)
    {
        var extra = new List<OperandAccess>();
        var sum = Scalar.Accumulator;
        if (bias is not null)
        {
            sum = Scalar.Add(sum, Operand("bias", bias));
        }

        var shape = Shape.Of(factors.Length);
        var multiplier = Operand("multiplier", Tensor.From<int>(ElementType.Int32, shape, factors.Select(factor => factor.Multiplier).ToArray()));
        var shift = Operand("shift", Tensor.From<int>(ElementType.Int32, shape, factors.Select(factor => factor.Shift).ToArray()));
        var code = Scalar.Add(Scalar.Requantize(rounding, sum, multiplier, shift), Scalar.Literal(ZeroPoint(layer.Type)));
        return (extra.ToEquatableArray(), Clamp(code, activation, layer.Type));

        ScalarExpression Operand(string part, Tensor value)
        {
            extra.Add(new(Constant(layer, part, value), [channel]));
            return Scalar.Extra(extra.Count - 1);
        }
    }

    /// <summary>input - zero point of the input, or the input alone where that is 0.</summary>
    public ScalarExpression WithoutZeroPoint(string input)
    {
        var zeroPoint = ZeroPoint(Type(input));
        return zeroPoint == 0 ? Scalar.Input : Scalar.Subtract(Scalar.Input, Scalar.Literal(zeroPoint));
    }

    /// <summary>A code clamped to an activation's range.</summary>
    public static ScalarExpression Clamp(ScalarExpression code, FusedActivation activation, TensorType type)
    {
        var range = LayerArithmetic.Range(activation, type);
        return Scalar.Clamp(code, range.Low, range.High);
    }

    /// <summary>Zero point of an activation.</summary>
    public static int ZeroPoint(TensorType type) => type.Quantization!.ZeroPoint;
}
