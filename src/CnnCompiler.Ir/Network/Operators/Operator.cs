using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Network.Operators;

/// <summary>What kind of numbers a value holds.</summary>
[Flags]
public enum ValueForms
{
    /// <summary>None that a value may have.</summary>
    None = 0,

    /// <summary>i8 codes with one scale and zero point.</summary>
    Quantized = 1,

    /// <summary>u8 codes with one scale and zero point: at the edges of a network only.</summary>
    Unsigned = 2,

    /// <summary>Fixed point: i32 with a scale of 2^-f, f from 0 to 30, and zero point 0.</summary>
    Fixed = 4,

    /// <summary>i32 sums of products with another scale, and zero point 0.</summary>
    Sums = 8,

    /// <summary>f32.</summary>
    Real = 16,
}

/// <summary>Which numbers operands and result of an operator hold.</summary>
public enum FormRule
{
    /// <summary>All the same.</summary>
    Same,

    /// <summary>All the same; sums of products of quantised operands may be the result themselves.</summary>
    SameOrSums,

    /// <summary>Operand and result are what the operator is about; its check says which.</summary>
    Conversion,
}

/// <summary>Where the scale and zero point of a result come from in the language.</summary>
public enum ResultQuantization
{
    /// <summary>They are written after the layer, or are in the weight file.</summary>
    Own,

    /// <summary>Those of the first operand.</summary>
    OfOperand,

    /// <summary>Fixed by the operator: <see cref="Operator.FixedQuantization"/>.</summary>
    OfOperator,

    /// <summary>None: the result is f32.</summary>
    None,
}

/// <summary>Name, inputs and type of a layer that is being made.</summary>
/// <param name="Name">Name of its value.</param>
/// <param name="Inputs">Values that it reads.</param>
/// <param name="Type">Type of its result.</param>
public readonly record struct LayerHead(string Name, EquatableArray<string> Inputs, TensorType Type);

/// <summary>
/// An operator, declared once: the language, IR text, the verifier, the generator of random networks and docs/operators.md derive from it. What it computes is in the evaluator, how it is said as
/// loops in the lowering.
/// </summary>
public sealed class Operator
{
    internal Operator(
        string keyword,
        string summary,
        ValueForms forms,
        IReadOnlyList<OperatorAttribute> attributes,
        Func<LayerHead, AttributeValues, Layer> make,
        Func<Layer, IReadOnlyList<TensorType>, ShapeRules, Shape?> shape,
        Func<Layer, IReadOnlyList<TensorType>, LayerRules, bool> check) =>
        (Keyword, Summary, Forms, Attributes, Make, Shape, Check) = (keyword, summary, forms, attributes, make, shape, check);

    /// <summary>Its name in language and text.</summary>
    public string Keyword { get; }

    /// <summary>One line for docs.</summary>
    public string Summary { get; }

    /// <summary>Numbers that its first operand may hold (of constant: its result).</summary>
    public ValueForms Forms { get; }

    /// <summary>Its attributes in the order of the text.</summary>
    public IReadOnlyList<OperatorAttribute> Attributes { get; }

    /// <summary>Fewest values it reads.</summary>
    public int MinimumInputs { get; init; } = 1;

    /// <summary>Most values it reads.</summary>
    public int MaximumInputs { get; init; } = 1;

    /// <summary>What operands and result hold.</summary>
    public FormRule FormRule { get; init; }

    /// <summary>Where the result's quantisation comes from in the language.</summary>
    public ResultQuantization Quantization { get; init; } = ResultQuantization.OfOperand;

    /// <summary>The quantisation of an i8 result with <see cref="ResultQuantization.OfOperator"/>.</summary>
    public Quantization? FixedQuantization { get; init; }

    /// <summary>Makes a layer from its attributes.</summary>
    internal Func<LayerHead, AttributeValues, Layer> Make { get; }

    /// <summary>The shape rule.</summary>
    internal Func<Layer, IReadOnlyList<TensorType>, ShapeRules, Shape?> Shape { get; }

    /// <summary>What else is required, of a layer whose shape is right.</summary>
    internal Func<Layer, IReadOnlyList<TensorType>, LayerRules, bool> Check { get; }

    /// <summary>Makes a layer.</summary>
    /// <param name="head">Name, inputs, type.</param>
    /// <param name="values">A value for each of <see cref="Attributes"/>.</param>
    public Layer Create(LayerHead head, IReadOnlyDictionary<string, object?> values) => Make(head, new(values));

    /// <summary>True where each number of each attribute is in the range that is declared; reports the first that isn't.</summary>
    internal bool IsInRange(Layer layer, DiagnosticBag diagnostics)
    {
        foreach (var attribute in Attributes)
        {
            foreach (var number in OperatorAttribute.Numbers(attribute.Get(layer)))
            {
                if (number < attribute.Low || number > attribute.High)
                {
                    diagnostics.Report(NetworkDiagnostics.AttributeOutOfRange(layer, attribute.Name, number, attribute.Low, attribute.High));
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>True where the operator is defined on what the operands hold; reports what is wrong.</summary>
    /// <param name="layer">A layer of the operator.</param>
    /// <param name="inputs">Types of its operands.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public bool Accepts(Layer layer, IReadOnlyList<TensorType> inputs, DiagnosticBag diagnostics)
    {
        for (var i = 0; i < inputs.Count; i++)
        {
            if (!Forms.HasFlag(FormOf(inputs[i])))
            {
                diagnostics.Report(NetworkDiagnostics.FormNotDefined(layer, inputs[i], ValueFormNames.Of(Forms)));
                return false;
            }

            if (FormOf(inputs[i]) != FormOf(inputs[0]))
            {
                diagnostics.Report(NetworkDiagnostics.FormsDiffer(layer, $"operand '{layer.Inputs[i]}'", inputs[i], inputs[0]));
                return false;
            }
        }

        return true;
    }

    /// <summary>What a value of a type holds; <see cref="ValueForms.None"/> for a type that values can't have.</summary>
    public static ValueForms FormOf(TensorType type) => (type.Element, type.Quantization) switch
    {
        (ElementType.Float32, null) => ValueForms.Real,
        (ElementType.Int8, { Axis: -1, Scales.Count: 1, ZeroPoints.Count: 1 }) => ValueForms.Quantized,
        (ElementType.UInt8, { Axis: -1, Scales.Count: 1, ZeroPoints.Count: 1 }) => ValueForms.Unsigned,
        (ElementType.Int32, { Axis: -1, Scales.Count: 1, ZeroPoints: [0] } q) => IsFixedPoint(q.Scale) ? ValueForms.Fixed : ValueForms.Sums,
        _ => ValueForms.None,
    };

    /// <summary>True for 2^-f with f from 0 to 30.</summary>
    public static bool IsFixedPoint(float scale) => scale is > 0 and <= 1 && scale >= Math.ScaleB(1, -30) && Math.ScaleB(1, Math.ILogB(scale)) == scale;
}
