using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>Accumulator of an output channel to its code, under a rounding scheme: factor, zero point, clamp.</summary>
internal sealed class ChannelRequantizer
{
    private readonly RoundingScheme _rounding;
    private readonly Requantization[] _factors;
    private readonly HalfEvenFactor[] _exactFactors = [];
    private readonly int _zeroPoint;
    private readonly ActivationRange _range;

    public ChannelRequantizer(
        RoundingScheme rounding, Requantization[] factors, Quantization weights, TensorType input, TensorType output, FusedActivation activation)
    {
        (_rounding, _factors) = (rounding, factors);
        _zeroPoint = LayerArithmetic.Required(output).ZeroPoint;
        _range = LayerArithmetic.Range(activation, output);
        if (rounding == RoundingScheme.OnnxHalfEven)
        {
            _exactFactors = new HalfEvenFactor[factors.Length];
            for (var channel = 0; channel < factors.Length; channel++)
            {
                _exactFactors[channel] = new(
                    LayerArithmetic.Required(input).Scale, LayerArithmetic.ScaleOf(weights, channel), LayerArithmetic.Required(output).Scale);
            }
        }
    }

    public sbyte Apply(int accumulator, int channel)
    {
        var value = _rounding switch
        {
            RoundingScheme.TfliteDouble => FixedPoint.MultiplyByQuantizedMultiplier(accumulator, _factors[channel].Multiplier, _factors[channel].Shift),
            RoundingScheme.TfliteSingle => FixedPoint.MultiplyByQuantizedMultiplierSingleRounding(accumulator, _factors[channel].Multiplier, _factors[channel].Shift),
            _ => _exactFactors[channel].Apply(accumulator),
        };

        // In 64 bits: a factor above 1 saturates a large accumulator beyond what a zero point may be added to in 32.
        return (sbyte)Math.Clamp((long)value + _zeroPoint, _range.Low, _range.High);
    }
}
