using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Network.Operators;

/// <summary>The requirements beyond shapes that operators are declared with; each reports what is wrong and gives false.</summary>
/// <param name="layer">The layer; shape and form of its result are right.</param>
/// <param name="diagnostics">Takes what is wrong.</param>
/// <param name="costs">Adds to the multiplications of the network; false, and reported, where they are too many.</param>
internal sealed class LayerRules(Layer layer, DiagnosticBag diagnostics, Func<Layer, long, bool> costs)
{
    // Beyond it the left shift before the multiplication exceeds 30 (FixedPoint.MultiplyByQuantizedMultiplier).
    private const double MaximumFactor = 1 << 29;
    private const int MostShift = 62;

    private ValueForms Result => Operator.FormOf(layer.Type);

    /// <summary>Multiplications an element of the result.</summary>
    public bool Costs(long operationsPerElement) => costs(layer, operationsPerElement);

    /// <summary>Weights, scales and rounding of a product with stored weights, whatever its numbers are.</summary>
    public bool Products(TensorType input, Tensor weights, Quantization? quantization, int channels, int axis, RoundingScheme rounding, FusedActivation activation) => Operator.FormOf(input) switch
    {
        ValueForms.Real => quantization is null || Report(NetworkDiagnostics.WeightScales(layer, quantization, channels, axis)),
        ValueForms.Fixed => FixedWeights(quantization, channels, axis) && FixedShift(input, LayerArithmetic.Required(quantization).Scale) && FixedSums(input, weights, LayerArithmetic.Required(quantization).Scale),
        _ => QuantizedWeights(quantization, channels, axis, rounding)
            && (Result == ValueForms.Quantized
                ? FactorsFit(LayerArithmetic.Required(quantization).Scales.Max(), input)
                : SumsScale(input, LayerArithmetic.Required(quantization), activation)),
    };

    /// <summary>Scales of a product of two values.</summary>
    public bool Products(TensorType first, TensorType second, FusedActivation activation) => Operator.FormOf(first) switch
    {
        ValueForms.Real => true,
        ValueForms.Fixed => FixedShift(first, Scale(second)),
        _ => Result == ValueForms.Quantized ? FactorsFit(Scale(second), first) : SumsScale(first, LayerArithmetic.Required(second), activation),
    };

    /// <summary>Scales of a sum or difference of two values.</summary>
    public bool Sums(TensorType first, TensorType second)
    {
        if (Result != ValueForms.Quantized)
        {
            return true;
        }

        var twiceLarger = 2.0 * Math.Max(Scale(first), Scale(second));
        var factor = twiceLarger / Scale(layer.Type) / (1 << Int8Addition.LeftShift);
        return factor <= MaximumFactor || Report(NetworkDiagnostics.FactorTooLarge(layer, "the sum", factor));
    }

    /// <summary>A rescaling of one value.</summary>
    public bool Rescales(TensorType input)
    {
        if (Result is not (ValueForms.Quantized or ValueForms.Unsigned) || Operator.FormOf(input) is ValueForms.Real)
        {
            return true;
        }

        var factor = (double)Scale(input) / Scale(layer.Type);
        return factor <= MaximumFactor || Report(NetworkDiagnostics.FactorTooLarge(layer, "the value", factor));
    }

    /// <summary>A layer that copies codes keeps their meaning.</summary>
    public bool KeepsQuantization(IReadOnlyList<TensorType> inputs)
    {
        for (var i = 0; i < inputs.Count; i++)
        {
            if (inputs[i].Quantization != layer.Type.Quantization)
            {
                return Report(NetworkDiagnostics.QuantizationMustBeKept(layer, layer.Inputs[i], inputs[i]));
            }
        }

        return true;
    }

    /// <summary>The one quantisation that an i8 result of the operator has.</summary>
    public bool HasResult(Quantization expected) =>
        Result != ValueForms.Quantized || layer.Type.Quantization == expected || Report(NetworkDiagnostics.FixedResultQuantization(layer, expected));

    /// <summary>Beta, scale and result of a softmax (<c>int8-arithmetic.md</c> section 3.8).</summary>
    public bool Softmax(float beta, TensorType input)
    {
        if (Result != ValueForms.Quantized)
        {
            return Real("beta", beta, beta is > 0 and <= 1 << 10, "above 0 and at most 1024");
        }

        if (LayerArithmetic.Required(layer.Type) != Quantization.PerTensor(1f / 256, sbyte.MinValue))
        {
            return Report(NetworkDiagnostics.SoftmaxOutputQuantization(layer));
        }

        // Section 3.8: the prepared left shift has to be above 0, that is beta * scale * 2^26 at least 1.
        var scale = Scale(input);
        return (float.IsFinite(beta) && (double)beta * scale * (1 << 26) > 1) || Report(NetworkDiagnostics.SoftmaxFactorTooSmall(layer, beta, scale));
    }

    /// <summary>The fill code of a pad.</summary>
    public bool FillFits(int value)
    {
        var (low, high) = Result == ValueForms.Quantized ? (sbyte.MinValue, sbyte.MaxValue) : (int.MinValue, int.MaxValue);
        return (value >= low && value <= high) || Report(NetworkDiagnostics.AttributeOutOfRange(layer, "value", value, low, high));
    }

    /// <summary>A real attribute.</summary>
    public bool Real(string attribute, float value, bool isRight, string range) =>
        (float.IsFinite(value) && isRight) || Report(NetworkDiagnostics.RealOutOfRange(layer, attribute, value, range));

    /// <summary>Real numbers that are sizes or ratios.</summary>
    public bool Above0(string attribute, IEnumerable<float> values) => values.All(value => Real(attribute, value, value > 0, "above 0"));

    /// <summary>The bounds of a clip: either may be infinite, none NaN, and low is not above high.</summary>
    public bool Bounds(float low, float high) => low <= high || Report(NetworkDiagnostics.RealOutOfRange(layer, "low", low, "a number that is not above high"));

    /// <summary>Quantize makes i8, u8 or fixed point of anything.</summary>
    public bool Quantizes(TensorType input) =>
        Result is ValueForms.Quantized or ValueForms.Unsigned or ValueForms.Fixed
            ? Rescales(input)
            : Report(NetworkDiagnostics.WrongConversion(layer, input, "quantize makes i8, u8 or fixed point"));

    /// <summary>Dequantize makes f32 of codes.</summary>
    public bool Dequantizes(TensorType input) =>
        Result == ValueForms.Real && Operator.FormOf(input) != ValueForms.Real ? true : Report(NetworkDiagnostics.WrongConversion(layer, input, "dequantize makes f32 of codes"));

    /// <summary>A constant has the type of its value.</summary>
    public bool ConstantFits(Tensor value) =>
        value.Element == layer.Type.Element && value.Shape == layer.Type.Shape ? true : Report(NetworkDiagnostics.ConstantType(layer, value));

    /// <summary>True for a scale that arithmetic can use.</summary>
    public static bool IsScale(float scale) => float.IsFinite(scale) && scale > 0;

    private static float Scale(TensorType type) => LayerArithmetic.Required(type).Scale;

    private bool QuantizedWeights(Quantization? quantization, int channels, int axis, RoundingScheme rounding)
    {
        var count = quantization?.Scales.Count ?? 0;
        if (quantization is null || quantization.ZeroPoints.Count != count || (quantization.IsPerAxis ? count != channels || quantization.Axis != axis : count != 1))
        {
            return Report(NetworkDiagnostics.WeightScales(layer, quantization, channels, axis));
        }

        for (var channel = 0; channel < count; channel++)
        {
            // ONNX subtracts them; TFLite's reference kernels take weights to be symmetric.
            var zeroPoint = quantization.ZeroPoints[channel];
            if (rounding == RoundingScheme.OnnxHalfEven ? zeroPoint is < sbyte.MinValue or > sbyte.MaxValue : zeroPoint != 0)
            {
                return Report(NetworkDiagnostics.WeightZeroPoint(layer, channel, zeroPoint));
            }

            if (!IsScale(quantization.Scales[channel]))
            {
                return Report(NetworkDiagnostics.ScaleOrZeroPointOutOfRange(
                    layer.Span.Value, $"{layer.Keyword} '{layer.Name}': weight channel {channel.ToString(System.Globalization.CultureInfo.InvariantCulture)}", quantization.Scales[channel], 0));
            }
        }

        return true;
    }

    private bool FixedWeights(Quantization? quantization, int channels, int axis) =>
        quantization is { Axis: -1, Scales: [var scale], ZeroPoints: [0] } && Operator.IsFixedPoint(scale) ? true : Report(NetworkDiagnostics.WeightScales(layer, quantization, channels, axis));

    // Products of codes have the product of the scales; the result is coarser, or as fine.
    private bool FixedShift(TensorType first, float second)
    {
        var shift = Math.ILogB(Scale(layer.Type)) - Math.ILogB(Scale(first)) - Math.ILogB(second);
        return shift is >= 0 and <= MostShift || Report(NetworkDiagnostics.FixedPointShift(layer, shift));
    }

    // What the weights allow for any input; a capsule's sums are over the third dimension, depthwise sums over rows and columns, others over all but the first.
    private bool FixedSums(TensorType input, Tensor weights, float scale)
    {
        var (from, to) = layer switch { CapsuleTransform => (2, 3), DepthwiseConv2D => (1, 3), _ => (1, weights.Shape.Rank) };
        var shift = Math.ILogB(Scale(layer.Type)) - Math.ILogB(Scale(input)) - Math.ILogB(scale);
        return LayerArithmetic.FixedSumsFit(weights, from, to, shift) || Report(NetworkDiagnostics.FixedPointSums(layer));
    }

    private bool FactorsFit(float largest, TensorType input)
    {
        var factor = RequantizationFactors.Convolution(Scale(input), largest, Scale(layer.Type));
        return factor <= MaximumFactor || Report(NetworkDiagnostics.FactorTooLarge(layer, "the accumulator", factor));
    }

    private bool SumsScale(TensorType input, Quantization second, FusedActivation activation)
    {
        var expected = Scale(input) * second.Scale;
        return second.Scales.All(scale => scale == second.Scale) && activation == FusedActivation.None && layer.Type.Quantization == Quantization.PerTensor(expected, 0)
            ? true
            : Report(NetworkDiagnostics.SumsScale(layer, expected));
    }

    private bool Report(Diagnostic diagnostic)
    {
        diagnostics.Report(diagnostic);
        return false;
    }
}
