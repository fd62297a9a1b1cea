using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Onnx.Wire;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Onnx;

/// <summary>What the builder of one node sees: attributes, values in the layout it asks for, and the ways to refuse it.</summary>
/// <param name="import">The import.</param>
/// <param name="node">The node.</param>
/// <param name="index">Its number in the file.</param>
internal sealed class OnnxNode(OnnxImport import, NodeProto node, int index)
{
    private const string FreezeWeights = "export the model with its weights as initializers";

    public OnnxNetworkBuilder Net => import.Net;

    /// <summary>Version of the operator set that the node is of.</summary>
    public long Opset => import.OpsetOf(node.Domain);

    public int InputCount => node.Input.Count;

    public string OutputLabel => node.Output.Count > 0 ? node.Output[0] : string.Empty;

    public int OutputCount => node.Output.Count(name => name.Length > 0);

    public string OutputName(int output) => node.Output[output];

    public string OpType => node.OpType;

    /// <summary>The import; for the operators that look at their neighbours.</summary>
    public OnnxImport Import => import;

    public bool HasInput(int input) => input < node.Input.Count && node.Input[input].Length > 0;

    /// <summary>An input.</summary>
    public OnnxValue Input(int input) => HasInput(input) ? import.ValueOf(node.Input[input]) : throw Inconsistent(FormattableString.Invariant($"its input {input} is missing"));

    /// <summary>A constant input.</summary>
    public Tensor Constant(int input, string what) =>
        Input(input) is { Constant: { } value, ConstantCodes: null } ? value : throw Unsupported($"{what} is not constant", FreezeWeights);

    /// <summary>A constant f32 input; codes are dequantised.</summary>
    public Tensor RealConstant(int input, string what)
    {
        var value = Input(input);
        return value.Constant is null ? throw Unsupported($"{what} is not constant", FreezeWeights) : Reals(value, what);
    }

    /// <summary>A constant as f32.</summary>
    public Tensor Reals(OnnxValue value, string what)
    {
        var tensor = value.Constant!;
        if (value.ConstantCodes is { } codes)
        {
            return OnnxQuantization.Dequantize(tensor, codes);
        }

        return tensor.Element == ElementType.Float32 ? tensor : throw Unsupported($"{what} is {tensor.Element.Name()} instead of f32", "export the model with float weights, or quantised ones");
    }

    /// <summary>The one number of a constant input.</summary>
    public float Scalar(int input, string what)
    {
        var tensor = RealConstant(input, what);
        return tensor.Shape.Elements == 1 ? tensor.AsSpan<float>()[0] : throw Unsupported($"{what} has {tensor.Shape} elements instead of one", "use one number for the whole tensor");
    }

    /// <summary>The integers of a constant input or, in older operator sets, of an attribute; null where there is neither.</summary>
    public long[]? Integers(int input, string attribute)
    {
        if (HasInput(input))
        {
            var tensor = Constant(input, attribute);
            return tensor.Element.IsReal() ? throw Inconsistent($"{attribute} is not made of integers") : OnnxTensors.Integers(tensor);
        }

        return Ints(attribute);
    }

    public long Int(string name, long otherwise) => Find(name)?.I ?? otherwise;

    public float Float(string name, float otherwise) => Find(name)?.F ?? otherwise;

    public string Text(string name, string otherwise) => Find(name)?.S.ToStringUtf8() ?? otherwise;

    public long[]? Ints(string name) => Find(name)?.Ints.ToArray();

    public AttributeProto? Find(string name) => node.Attribute.FirstOrDefault(attribute => attribute.Name == name);

    /// <summary>A dimension counted from either end.</summary>
    public int Axis(long axis, int rank, bool endIsAllowed = false)
    {
        var result = axis < 0 ? axis + rank : axis;
        return result >= 0 && result < rank + (endIsAllowed ? 1 : 0) ? (int)result : throw Inconsistent(FormattableString.Invariant($"axis {axis} of a value with {rank} dimensions"));
    }

    /// <summary>A small number.</summary>
    public int Small(long value, string what, int least = 0) =>
        value >= least && value <= NetworkLimits.Attribute ? (int)value : throw Inconsistent(FormattableString.Invariant($"its {what} is {value}"));

    /// <summary>The network's value of an f32 operand in the file's order, codes dequantised.</summary>
    public string Real(OnnxValue value) => Net.Dequantize(NeedReal(value) is { IsConstant: true } ? Net.Constant(Reals(value, "an operand")) : First(value));

    /// <summary>The network's value of an f32 operand channels last, codes dequantised.</summary>
    public string RealLast(OnnxValue value) => Net.Dequantize(Last(NeedReal(value)));

    /// <summary>The network's value in the file's order; codes stay codes.</summary>
    public string First(OnnxValue value)
    {
        if (value.Flattened is { } image)
        {
            return Net.Reshape(First(image), [.. value.Shape.Dimensions]);
        }

        var name = Runtime(value).Name;
        return value.ChannelsLast ? Net.Transpose(name, OnnxValue.ToFirst(value.Shape.Rank)) : name;
    }

    /// <summary>The network's value with the dimensions N, spatial ones, C; codes stay codes.</summary>
    public string Last(OnnxValue value)
    {
        if (value.ChannelsLast)
        {
            return value.Name;
        }

        var name = First(value);
        return value.Shape.Rank > 2 ? Net.Transpose(name, OnnxValue.ToLast(value.Shape.Rank)) : name;
    }

    /// <summary>Ends the node with the network's value of its result in the file's order.</summary>
    public OnnxValue MadeFirst(string name, ElementType? element = null) => Made(name, false, element);

    /// <summary>Ends the node with a channels-last result.</summary>
    public OnnxValue MadeLast(string name, ElementType? element = null) => Made(name, Net.TypeOf(name).Shape.Rank > 2, element);

    /// <summary>Ends the node with a result that has the numbers of an input.</summary>
    public OnnxValue MadeLike(OnnxValue input, string name, bool channelsLast) => Made(name, channelsLast && input.Shape.Rank > 2, input.Element) with { IsDequantized = input.IsDequantized };

    /// <summary>A value at run time.</summary>
    public OnnxValue Runtime(OnnxValue value) =>
        value.IsConstant ? throw Unsupported($"its input {OnnxDiagnostics.Quote(value.Label)} is a constant", "fold constants before exporting (onnxsim, or the exporter's constant folding)") : value;

    public DiagnosticException Inconsistent(string why) => new(OnnxDiagnostics.Inconsistent(import.File, index, node.OpType, why));

    public DiagnosticException Unsupported(string why, string remedy) => new(OnnxDiagnostics.UnsupportedUse(import.File, index, node.OpType, OutputLabel, why, remedy));

    /// <summary>Refuses attributes with other values than those that are known.</summary>
    public void Require(bool condition, string why, string remedy)
    {
        if (!condition)
        {
            throw Unsupported(why, remedy);
        }
    }

    private OnnxValue NeedReal(OnnxValue value) => value.Element == ElementType.Float32
        ? value
        : throw Unsupported($"it is asked for {value.Element.Name()} numbers, {OnnxDiagnostics.Quote(value.Label)}", "use float tensors, or quantise with QuantizeLinear and DequantizeLinear around each operator");

    private OnnxValue Made(string name, bool channelsLast, ElementType? element)
    {
        var type = Net.TypeOf(name);
        var shape = channelsLast ? new Shape(OnnxValue.ToFirst(type.Shape.Rank).Select(d => type.Shape[d]).ToEquatableArray()) : type.Shape;
        return new(OutputLabel, shape, element ?? type.Element) { Name = name, Type = type, ChannelsLast = channelsLast };
    }
}
