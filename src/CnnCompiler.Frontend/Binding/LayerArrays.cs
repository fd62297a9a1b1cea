using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Syntax;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Binding;

/// <summary>What the weights of a layer have to be.</summary>
/// <param name="Shape">Their shape, or null where it is not known.</param>
/// <param name="Channels">Output channels, or null where they are not known.</param>
/// <param name="Axis">Dimension of the weights that the channels are, or -1 where all have one scale.</param>
/// <param name="HasOneSeededScale">True where weights from a seed have one scale.</param>
/// <param name="Activation">What follows, for the magnitude of seeded weights.</param>
/// <param name="Rounding">Zero points of weights are read with ONNX's alone.</param>
internal readonly record struct WeightsWanted(Shape? Shape, int? Channels, int Axis, bool HasOneSeededScale, FusedActivation Activation, RoundingScheme Rounding);

/// <summary>
/// Arrays of one layer from the weight file or the seed, as what its operand holds wants them: i8 with scales, f32, or fixed point, to which f32 arrays are rounded. Null where one is
/// missing or wrong, of which the first is reported.
/// </summary>
/// <param name="weights">The weight file.</param>
/// <param name="layer">The layer.</param>
/// <param name="inputs">Types of its operands, or null where they are not known.</param>
internal sealed class LayerArrays(WeightsFile weights, LayerStatement layer, TensorType[]? inputs)
{
    private readonly TensorType? _input = inputs is [var first, ..] ? first : null;

    /// <summary>True where there is a seed and no file.</summary>
    public bool IsSeeded => weights.Seed is not null;

    private string Name => layer.Name.Text;

    private bool IsReal => _input?.Element == ElementType.Float32;

    private bool IsFixed => _input?.Element == ElementType.Int32;

    /// <summary>Weights, and their quantisation unless they are f32.</summary>
    public (Tensor Weights, Quantization? Scales)? Weights(WeightsWanted wanted)
    {
        var name = $"{Name}.weights";
        if (weights.Seed is { } seed)
        {
            return inputs is null ? null : Seeded(seed, name, wanted);
        }

        ReadOnlySpan<Shape> shapes = wanted.Shape is { } known ? [known] : [];
        var stored = weights.Find(name)?.Element;
        if (IsReal || (stored == ElementType.Float32 && (IsFixed || _input is null)))
        {
            var real = weights.Require(name, layer.Kind, ElementType.Float32, shapes);
            return real is null ? null : IsFixed ? (FixedPointArrays.Round(real, _input!.Quantization!), _input.Quantization) : (real, null);
        }

        var tensor = weights.Require(name, layer.Kind, IsFixed ? ElementType.Int32 : ElementType.Int8, shapes);
        ReadOnlySpan<Shape> counts = wanted is { Axis: >= 0, Channels: { } many } && !IsFixed ? [Shape.Of(), Shape.Of(1), Shape.Of(many)] : wanted.Axis < 0 || IsFixed ? [Shape.Of(), Shape.Of(1)] : [];
        var scales = tensor is null ? null : weights.Require($"{Name}.weights_scale", layer.Kind, ElementType.Float32, counts);
        if (tensor is null || scales is null)
        {
            return null;
        }

        // One channel with one scale may be either; per axis is what the layers with many have.
        var values = scales.AsSpan<float>();
        var isOne = wanted.Axis < 0 || IsFixed || scales.Shape.Rank == 0 || (values.Length == 1 && wanted.Channels != 1);
        var zeroPoints = new int[isOne ? 1 : values.Length];
        if (wanted.Rounding == RoundingScheme.OnnxHalfEven && !ReadZeroPoints(zeroPoints))
        {
            return null;
        }

        return (tensor, new Quantization(isOne ? [values[0]] : EquatableArray.Create(values), EquatableArray.Create<int>(zeroPoints), isOne ? -1 : wanted.Axis));
    }

    /// <summary>One value an output channel: i32 sums for i8, f32 for f32, of the result's scale in fixed point.</summary>
    public Tensor? Bias(int? channels, Quantization? result)
    {
        var name = $"{Name}.bias";
        if (weights.Seed is { } seed)
        {
            var codes = SeededWeights.Bias(seed, name, channels ?? 1);
            return IsReal || IsFixed ? Converted(SeededWeights.Real(codes, SeededWeights.RealBiasScale), result) : codes;
        }

        ReadOnlySpan<Shape> shapes = channels is { } all ? [Shape.Of(all)] : [];
        var isReal = IsReal || (weights.Find(name)?.Element == ElementType.Float32 && (IsFixed || _input is null));
        var tensor = weights.Require(name, layer.Kind, isReal ? ElementType.Float32 : ElementType.Int32, shapes);
        return tensor is not null && isReal ? Converted(tensor, result) : tensor;
    }

    /// <summary>f32 parameters of a normalisation.</summary>
    public Tensor? Parameters(string array, Shape? shape)
    {
        var name = $"{Name}.{array}";
        if (weights.Seed is { } seed)
        {
            // An input from which no shape follows is for NetworkShapes to report.
            return inputs is null ? null : shape is not { } known ? SeededWeights.Parameters(seed, name, array, Shape.Of(1)) : weights.Reserve(layer.Kind, Name, known) ? SeededWeights.Parameters(seed, name, array, known) : null;
        }

        ReadOnlySpan<Shape> shapes = shape is { } wanted ? [wanted] : [];
        return weights.Require(name, layer.Kind, ElementType.Float32, shapes);
    }

    /// <summary>The value of a constant.</summary>
    public Tensor? Value(Shape shape, ElementType element, Quantization? fixedPoint)
    {
        var name = $"{Name}.value";
        if (weights.Seed is { } seed)
        {
            if (!weights.Reserve(layer.Kind, Name, shape))
            {
                return null;
            }

            var codes = SeededWeights.Weights(seed, name, shape);
            return element switch
            {
                ElementType.Int8 => codes,
                ElementType.UInt8 => new(ElementType.UInt8, shape, codes.Bytes.ToArray()),
                ElementType.Float32 => SeededWeights.Real(codes, SeededWeights.ConstantScale),
                _ => FixedPointArrays.Round(SeededWeights.Real(codes, SeededWeights.ConstantScale), fixedPoint ?? Quantization.PerTensor(1, 0)),
            };
        }

        if (fixedPoint is not null && weights.Find(name)?.Element == ElementType.Float32)
        {
            return weights.Require(name, layer.Kind, ElementType.Float32, shape) is { } real ? FixedPointArrays.Round(real, fixedPoint) : null;
        }

        return weights.Require(name, layer.Kind, element, shape);
    }

    private Tensor Converted(Tensor real, Quantization? result) => IsFixed && result is not null ? FixedPointArrays.Round(real, result) : real;

    private bool ReadZeroPoints(int[] zeroPoints)
    {
        var name = $"{Name}.weights_zero_point";
        if (weights.Find(name) is not { } stored)
        {
            return true;
        }

        if (stored.Element == ElementType.Float32 || stored.Shape.Elements != zeroPoints.Length)
        {
            weights.Refuse(LanguageDiagnostics.WrongArray(layer.Kind.Span, name, stored, FormattableString.Invariant($"an integer for each of {zeroPoints.Length} scales")));
            return false;
        }

        for (var i = 0; i < zeroPoints.Length; i++)
        {
            zeroPoints[i] = (int)Math.Clamp(stored.GetInteger(i), int.MinValue, int.MaxValue);
        }

        return true;
    }

    private (Tensor Weights, Quantization? Scales)? Seeded(ulong seed, string name, WeightsWanted wanted)
    {
        // An input from which no shape follows is for NetworkShapes to report.
        if (wanted.Shape is not { } known)
        {
            return (new Tensor(_input?.Element ?? ElementType.Int8, Shape.Of(1, 1, 1, 1), new byte[(_input?.Element ?? ElementType.Int8).Size()]), Quantization.PerTensor(1, 0));
        }

        if (!weights.Reserve(layer.Kind, Name, known))
        {
            return null;
        }

        var codes = SeededWeights.Weights(seed, name, known);
        var products = wanted.Axis < 0 ? known[2] : known.Elements / known[wanted.Axis];
        var scales = SeededWeights.Scales(seed, $"{name}_scale", wanted.Axis < 0 ? 1 : known[wanted.Axis], wanted.HasOneSeededScale || wanted.Axis < 0 ? null : wanted.Axis, products, wanted.Activation);
        if (!IsReal && !IsFixed)
        {
            return (codes, scales);
        }

        var real = SeededWeights.Real(codes, scales);
        return IsFixed ? (FixedPointArrays.Round(real, _input!.Quantization!), _input.Quantization) : (real, null);
    }
}

/// <summary>f32 arrays as fixed point.</summary>
internal static class FixedPointArrays
{
    /// <summary>Each number over the scale, to the nearest integer (half up), saturated to i32; NaN becomes 0.</summary>
    public static Tensor Round(Tensor real, Quantization quantization)
    {
        var values = real.AsSpan<float>();
        var codes = new int[values.Length];
        for (var i = 0; i < codes.Length; i++)
        {
            // A power of two: the quotient is exact.
            codes[i] = double.IsNaN(values[i]) ? 0 : (int)Math.Clamp(Math.Floor((values[i] / (double)quantization.Scale) + 0.5), int.MinValue, int.MaxValue);
        }

        return Tensor.From<int>(ElementType.Int32, real.Shape, codes);
    }
}
