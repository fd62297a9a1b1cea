using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network.Operators;

/// <summary>Operators on each element by itself.</summary>
internal static class ElementwiseOperators
{
    private const ValueForms Numbers = ValueForms.Quantized | ValueForms.Fixed | ValueForms.Real;
    private const ValueForms Anything = Numbers | ValueForms.Unsigned | ValueForms.Sums;

    private static readonly (UnaryFunction Function, string Summary, Quantization? Result)[] Functions =
    [
        (UnaryFunction.Logistic, "1 / (1 + exp(-x)) of each element", Quantization.PerTensor(1f / 256, sbyte.MinValue)),
        (UnaryFunction.Tanh, "hyperbolic tangent of each element", Quantization.PerTensor(1f / 128, 0)),
        (UnaryFunction.HardSwish, "x * min(max(x + 3, 0), 6) / 6 of each element", null),
        (UnaryFunction.LeakyRelu, "x where it is not below 0, alpha * x else", null),
        (UnaryFunction.Gelu, "x * (1 + erf(x / sqrt 2)) / 2 of each element", null),
        (UnaryFunction.GeluTanh, "GELU by its tanh approximation, of each element", null),
        (UnaryFunction.Exp, "exp(x) of each element", null),
        (UnaryFunction.Sqrt, "square root of each element", null),
    ];

    public static IEnumerable<Operator> All => [Add, Sub, Mul, Activation, Clip, .. Functions.Select(Unary), Constant, Quantize, Dequantize];

    private static Operator Add => Declare<Add>.Of(
        "add",
        "sum of two values; extents of 1 broadcast",
        Numbers,
        [Attributes<Add>.Activation(l => l.Activation), Attributes<Add>.Rounding(l => l.Rounding)],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<FusedActivation>("activation"), a.Get<RoundingScheme>("rounding")),
        (_, inputs, rules) => rules.Broadcast(inputs[0].Shape, inputs[1].Shape),
        (_, inputs, rules) => rules.Sums(inputs[0], inputs[1]),
        inputs: 2,
        quantization: ResultQuantization.Own);

    private static Operator Sub => Declare<Sub>.Of(
        "sub",
        "difference of two values; extents of 1 broadcast",
        Numbers,
        [Attributes<Sub>.Activation(l => l.Activation), Attributes<Sub>.Rounding(l => l.Rounding)],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<FusedActivation>("activation"), a.Get<RoundingScheme>("rounding")),
        (_, inputs, rules) => rules.Broadcast(inputs[0].Shape, inputs[1].Shape),
        (_, inputs, rules) => rules.Sums(inputs[0], inputs[1]),
        inputs: 2,
        quantization: ResultQuantization.Own);

    private static Operator Mul => Declare<Mul>.Of(
        "mul",
        "product of two values; extents of 1 broadcast",
        Numbers,
        [Attributes<Mul>.Activation(l => l.Activation), Attributes<Mul>.Rounding(l => l.Rounding)],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<FusedActivation>("activation"), a.Get<RoundingScheme>("rounding")),
        (_, inputs, rules) => rules.Broadcast(inputs[0].Shape, inputs[1].Shape),
        (l, inputs, rules) => rules.Products(inputs[0], inputs[1], l.Activation),
        inputs: 2,
        quantization: ResultQuantization.Own);

    private static Operator Activation => Declare<Activation>.Of(
        "activation",
        "a clamp as a layer of its own: relu, relu6, relu_n1_to_1",
        Numbers,
        [Attributes<Activation>.Activation(l => l.Function) with { Name = "function" }],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<FusedActivation>("function")),
        (_, inputs, _) => inputs[0].Shape,
        (_, inputs, rules) => rules.KeepsQuantization(inputs));

    private static Operator Clip => Declare<Clip>.Of(
        "clip",
        "clamp to [low, high], real values",
        Numbers,
        [Attributes<Clip>.Real("low", l => l.Low, "least value", float.NegativeInfinity), Attributes<Clip>.Real("high", l => l.High, "largest value", float.PositiveInfinity)],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<float>("low"), a.Get<float>("high")),
        (_, inputs, _) => inputs[0].Shape,
        (l, inputs, rules) => rules.Bounds(l.Low, l.High) && rules.KeepsQuantization(inputs));

    private static Operator Constant => Declare<Constant>.Of(
        "constant",
        "a stored value; it reads nothing",
        Anything,
        [Attributes<Constant>.Tensor("value", l => l.Value, "the value")],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<Tensor>("value")),
        (l, _, _) => l.Value.Shape,
        (l, _, rules) => rules.ConstantFits(l.Value),
        inputs: 0,
        rule: FormRule.Conversion,
        quantization: ResultQuantization.Own);

    private static Operator Quantize => Declare<Quantize>.Of(
        "quantize",
        "the same real values as i8, u8 or fixed point, rounded and saturated",
        Anything,
        [Attributes<Quantize>.Rounding(l => l.Rounding)],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<RoundingScheme>("rounding")),
        (_, inputs, _) => inputs[0].Shape,
        (_, inputs, rules) => rules.Quantizes(inputs[0]),
        rule: FormRule.Conversion,
        quantization: ResultQuantization.Own);

    private static Operator Dequantize => Declare<Dequantize>.Of(
        "dequantize",
        "the real values of codes, as f32",
        Anything & ~ValueForms.Real,
        [],
        (h, _) => new(h.Name, h.Inputs, h.Type),
        (_, inputs, _) => inputs[0].Shape,
        (_, inputs, rules) => rules.Dequantizes(inputs[0]),
        rule: FormRule.Conversion,
        quantization: ResultQuantization.None);

    private static Operator Unary((UnaryFunction Function, string Summary, Quantization? Result) row)
    {
        OperatorAttribute[] slope = row.Function == UnaryFunction.LeakyRelu ? [Attributes<Unary>.Real("alpha", l => l.Alpha, "slope below 0", 0.01f)] : [];
        return Declare<Unary>.Of(
            NetworkNames.Of(row.Function),
            row.Summary,
            Numbers,
            [.. slope, Attributes<Unary>.Rounding(l => l.Rounding)],
            (h, a) => new(h.Name, h.Inputs, h.Type, row.Function, slope.Length > 0 ? a.Get<float>("alpha") : 0, a.Get<RoundingScheme>("rounding")),
            (_, inputs, _) => inputs[0].Shape,
            (l, inputs, rules) => rules.Real("alpha", l.Alpha, slope.Length > 0 || l.Alpha == 0, slope.Length > 0 ? "finite" : "0, which only leaky_relu has otherwise")
                && (row.Result is null ? rules.Rescales(inputs[0]) : rules.HasResult(row.Result)),
            quantization: row.Result is null ? ResultQuantization.Own : ResultQuantization.OfOperator,
            fixedQuantization: row.Result);
    }
}
