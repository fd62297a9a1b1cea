using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Network.Operators;

/// <summary>Normalisations, softmax and capsules.</summary>
internal static class NormalizationOperators
{
    private const ValueForms Reals = ValueForms.Fixed | ValueForms.Real;
    private const float DefaultEpsilon = 1e-5f;

    public static IEnumerable<Operator> All => [Softmax, BatchNorm, LayerNorm, Lrn, Squash, Routing];

    private static Operator Softmax => Declare<Softmax>.Of(
        "softmax",
        "exp(beta * x) over its sum along the last dimension",
        ValueForms.Quantized | Reals,
        [Attributes<Softmax>.Real("beta", l => l.Beta, "factor of the exponent", 1)],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<float>("beta")),
        (_, inputs, rules) => rules.LastDimension(inputs[0].Shape, "the classes"),
        (l, inputs, rules) => rules.Softmax(l.Beta, inputs[0]),
        quantization: ResultQuantization.OfOperator,
        fixedQuantization: Quantization.PerTensor(1f / 256, sbyte.MinValue));

    private static Operator BatchNorm => Declare<BatchNorm>.Of(
        "batch_norm",
        "scale * (x - mean) / sqrt(variance + epsilon) + offset for each channel, the last dimension",
        Reals,
        [
            Attributes<BatchNorm>.Tensor("scale", l => l.Scale, "f32 [C]") with { TextName = "gamma" }, Attributes<BatchNorm>.Tensor("offset", l => l.Offset, "f32 [C]"),
            Attributes<BatchNorm>.Tensor("mean", l => l.Mean, "f32 [C]"), Attributes<BatchNorm>.Tensor("variance", l => l.Variance, "f32 [C]"),
            Attributes<BatchNorm>.Real("epsilon", l => l.Epsilon, "added to the variance", DefaultEpsilon),
        ],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<Tensor>("scale"), a.Get<Tensor>("offset"), a.Get<Tensor>("mean"), a.Get<Tensor>("variance"), a.Get<float>("epsilon")),
        (l, inputs, rules) => rules.PerChannel(inputs[0].Shape, ("scale", l.Scale), ("offset", l.Offset), ("mean", l.Mean), ("variance", l.Variance)),
        (l, _, rules) => rules.Real("epsilon", l.Epsilon, l.Epsilon >= 0, "0 or more"));

    private static Operator LayerNorm => Declare<LayerNorm>.Of(
        "layer_norm",
        "scale * (x - mean) / sqrt(variance + epsilon) + offset, mean and variance over the dimensions from axis on",
        Reals,
        [
            Attributes<LayerNorm>.Integer("axis", l => l.Axis, "first dimension that is normalised over", null, 0, NetworkLimits.Rank - 1),
            Attributes<LayerNorm>.OptionalTensor("scale", l => l.Scale, "f32, of the extents from axis on") with { TextName = "gamma" },
            Attributes<LayerNorm>.OptionalTensor("offset", l => l.Offset, "f32, of the extents from axis on"), Attributes<LayerNorm>.Real("epsilon", l => l.Epsilon, "added to the variance", DefaultEpsilon),
        ],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<int>("axis"), a.Optional<Tensor>("scale"), a.Optional<Tensor>("offset"), a.Get<float>("epsilon")),
        (l, inputs, rules) => rules.LayerNorm(l, inputs[0].Shape),
        (l, _, rules) => rules.Real("epsilon", l.Epsilon, l.Epsilon >= 0, "0 or more"));

    private static Operator Lrn => Declare<Lrn>.Of(
        "lrn",
        "x / (bias + alpha / size * sum of squares over size channels around) ^ beta",
        Reals,
        [
            Attributes<Lrn>.Integer("size", l => l.Size, "channels summed over"), Attributes<Lrn>.Real("alpha", l => l.Alpha, "factor of the sum", 1e-4f),
            Attributes<Lrn>.Real("beta", l => l.Beta, "exponent", 0.75f), Attributes<Lrn>.Real("bias", l => l.Bias, "added to the sum", 1) with { TextName = "plus" },
        ],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<int>("size"), a.Get<float>("alpha"), a.Get<float>("beta"), a.Get<float>("bias")),
        (_, inputs, rules) => rules.LastDimension(inputs[0].Shape, "the channels"),
        (l, _, rules) => rules.Real("bias", l.Bias, l.Bias > 0, "above 0") && rules.Real("alpha", l.Alpha, l.Alpha >= 0, "0 or more") && rules.Real("beta", l.Beta, true, "finite") && rules.Costs(Math.Max(1, l.Size)));

    private static Operator Squash => Declare<Squash>.Of(
        "squash",
        "|s|^2 / (1 + |s|^2) * s / |s| over the last dimension (Sabour et al. 2017, eq. 1)",
        Reals,
        [],
        (h, _) => new(h.Name, h.Inputs, h.Type),
        (_, inputs, rules) => rules.LastDimension(inputs[0].Shape, "the vector"),
        (_, _, _) => true);

    private static Operator Routing => Declare<Routing>.Of(
        "routing",
        "dynamic routing: predictions [N, I, J, E] give [N, J, E] (Sabour et al. 2017, procedure 1)",
        Reals,
        [Attributes<Routing>.Integer("iterations", l => l.Iterations, "rounds of routing", 3, 1, 64)],
        (h, a) => new(h.Name, h.Inputs, h.Type, a.Get<int>("iterations")),
        (_, inputs, rules) => rules.Routing(inputs[0].Shape),
        (l, inputs, rules) => rules.Costs(2L * l.Iterations * inputs[0].Shape[1]));
}
