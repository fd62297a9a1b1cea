using System.Runtime.InteropServices;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>What becomes of sums of products, one for each output channel.</summary>
/// <typeparam name="TSum">The sums.</typeparam>
internal abstract class ResultWriter<TSum>
{
    /// <summary>Writes the results of all channels from a flat position on.</summary>
    public abstract void Write(ReadOnlySpan<TSum> sums, int position);
}

/// <summary>Codes: bias, factor, zero point, clamp (<c>int8-arithmetic.md</c> sections 3.2 and 3.3; ONNX: <see cref="HalfEvenFactor"/>).</summary>
internal sealed class CodeWriter : ResultWriter<int>
{
    private readonly RoundingScheme _rounding;
    private readonly Requantization[] _factors;
    private readonly HalfEvenFactor[] _exactFactors = [];
    private readonly Tensor? _bias;
    private readonly int _zeroPoint;
    private readonly ActivationRange _range;
    private readonly byte[] _output;

    /// <summary>Makes a writer.</summary>
    /// <param name="rounding">Rounding scheme.</param>
    /// <param name="factors">A factor for each channel.</param>
    /// <param name="scales">Scales of input and weights: one, or one for each channel.</param>
    /// <param name="bias">A bias for each channel, or null.</param>
    /// <param name="type">Type of the result.</param>
    /// <param name="activation">Fused activation.</param>
    /// <param name="output">Bytes of the result.</param>
    public CodeWriter(
        RoundingScheme rounding, Requantization[] factors, (float Input, Quantization Weights) scales, Tensor? bias, TensorType type, FusedActivation activation, byte[] output)
    {
        (_rounding, _factors, _bias, _output) = (rounding, factors, bias, output);
        _zeroPoint = LayerArithmetic.Required(type).ZeroPoint;
        _range = LayerArithmetic.Range(activation, type);
        if (rounding == RoundingScheme.OnnxHalfEven)
        {
            _exactFactors = new HalfEvenFactor[factors.Length];
            for (var channel = 0; channel < factors.Length; channel++)
            {
                _exactFactors[channel] = new(scales.Input, LayerArithmetic.ScaleOf(scales.Weights, channel), LayerArithmetic.Required(type).Scale);
            }
        }
    }

    public override void Write(ReadOnlySpan<int> sums, int position)
    {
        var bias = _bias is null ? default : _bias.AsSpan<int>();
        for (var channel = 0; channel < sums.Length; channel++)
        {
            var value = Requantize(sums[channel] + (bias.IsEmpty ? 0 : bias[channel]), channel);

            // In 64 bits: a factor above 1 saturates a large accumulator beyond what a zero point may be added to in 32.
            _output[position + channel] = (byte)(sbyte)Math.Clamp((long)value + _zeroPoint, _range.Low, _range.High);
        }
    }

    private int Requantize(int sum, int channel) => _rounding switch
    {
        RoundingScheme.TfliteDouble => FixedPoint.MultiplyByQuantizedMultiplier(sum, _factors[channel].Multiplier, _factors[channel].Shift),
        RoundingScheme.TfliteSingle => FixedPoint.MultiplyByQuantizedMultiplierSingleRounding(sum, _factors[channel].Multiplier, _factors[channel].Shift),
        _ => _exactFactors[channel].Apply(sum),
    };
}

/// <summary>Sums of products of codes as they are, i32.</summary>
internal sealed class SumWriter(Tensor? bias, byte[] output) : ResultWriter<int>
{
    public override void Write(ReadOnlySpan<int> sums, int position)
    {
        var results = MemoryMarshal.Cast<byte, int>(output.AsSpan()).Slice(position, sums.Length);
        sums.CopyTo(results);
        if (bias is not null)
        {
            var values = bias.AsSpan<int>();
            for (var channel = 0; channel < results.Length; channel++)
            {
                results[channel] += values[channel];
            }
        }
    }
}

/// <summary>Fixed point: one rounding, half up; bias, clamp.</summary>
internal sealed class FixedWriter(int from, Tensor? bias, TensorType type, FusedActivation activation, byte[] output) : ResultWriter<long>
{
    private readonly int _to = LayerArithmetic.Fraction(type);
    private readonly (long Low, long High) _range = LayerArithmetic.FixedRange(activation, type);

    public override void Write(ReadOnlySpan<long> sums, int position)
    {
        var results = MemoryMarshal.Cast<byte, int>(output.AsSpan()).Slice(position, sums.Length);
        var values = bias is null ? default : bias.AsSpan<int>();
        for (var channel = 0; channel < results.Length; channel++)
        {
            var value = checked(NumberConversion.Rescale(sums[channel], from, _to) + (values.IsEmpty ? 0 : values[channel]));
            results[channel] = (int)Math.Clamp(value, _range.Low, _range.High);
        }
    }
}

/// <summary>Reals: bias, activation, one rounding to binary32.</summary>
internal sealed class RealWriter(Tensor? bias, FusedActivation activation, byte[] output) : ResultWriter<double>
{
    public override void Write(ReadOnlySpan<double> sums, int position)
    {
        var results = MemoryMarshal.Cast<byte, float>(output.AsSpan()).Slice(position, sums.Length);
        var values = bias is null ? default : bias.AsSpan<float>();
        for (var channel = 0; channel < results.Length; channel++)
        {
            results[channel] = (float)NumberForms.Activate(values.IsEmpty ? sums[channel] : sums[channel] + values[channel], activation);
        }
    }
}
