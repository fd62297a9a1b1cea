using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Fuzzing;

/// <summary>Constants of one convolution or dense layer, and the quantisation of a result in which they show.</summary>
/// <param name="Weights">i8 weights.</param>
/// <param name="Scales">Their quantisation.</param>
/// <param name="Bias">i32 bias, or null.</param>
/// <param name="Output">Quantisation of the result.</param>
/// <param name="Activation">Fused activation.</param>
public sealed record RandomWeightSet(Tensor Weights, Quantization Scales, Tensor? Bias, Quantization Output, FusedActivation Activation);

/// <summary>Weights, biases and scales whose results use the range of the codes, or miss it on purpose.</summary>
public sealed class RandomWeights(SeededRandom random)
{
    /// <summary>Makes a set.</summary>
    /// <param name="shape">Shape of the weights.</param>
    /// <param name="axis">Dimension of the output channels.</param>
    /// <param name="input">Quantisation of the input.</param>
    /// <param name="result">Quantisation that the result has to have, or null.</param>
    /// <param name="perChannel">One scale a channel.</param>
    public RandomWeightSet Make(Shape shape, int axis, Quantization input, Quantization? result, bool perChannel)
    {
        var channels = shape[axis];
        var codes = Codes(shape);
        var squares = new double[channels];
        var bounds = new long[channels];
        var largestInput = Math.Max(127 - input.ZeroPoint, 128 + input.ZeroPoint);
        for (var i = 0; i < codes.Length; i++)
        {
            var channel = axis == 0 ? i / (codes.Length / channels) : i % channels;
            squares[channel] += (double)codes[i] * codes[i];
            bounds[channel] += Math.Abs((int)codes[i]) * (long)largestInput;
        }

        // Uniform codes around the zero point give accumulators of about this size.
        var spread = Math.Sqrt((74.0 * 74.0) + (input.ZeroPoint * (double)input.ZeroPoint));
        var typical = Math.Sqrt(Math.Max(1, squares.Max())) * spread;
        var bias = random.OneIn(5) ? null : new int[channels];
        for (var channel = 0; channel < channels && bias is not null; channel++)
        {
            var size = (int)typical + 1;
            bias[channel] = random.Next(-size, size);
            bounds[channel] += Math.Abs(bias[channel]);
        }

        var scales = new float[perChannel ? channels : 1];
        for (var i = 0; i < scales.Length; i++)
        {
            scales[i] = (float)random.NextLogarithmic(0.002, 0.02);
        }

        // The factor of the channel with the largest scale; the codes then spread over about 8 to 80.
        var factor = random.Next(0, 9) switch
        {
            0 => random.NextLogarithmic(1, 12), // left shifts
            1 => random.NextLogarithmic(1e-8, 1e-4), // next to nothing left
            2 => Math.ScaleB(1, (int)Math.Log2(40 / typical)), // a power of two: many ties
            _ => random.NextLogarithmic(8, 80) / typical,
        };
        factor = Math.Min(factor, Math.ScaleB(1, 29) / Math.Max(1, bounds.Max()));
        if (result is null)
        {
            var scale = (float)(input.Scale * (double)scales.Max() / factor);
            result = Quantization.PerTensor(scale, random.OneIn(2) ? -128 : random.Next(-128, 127));
        }
        else
        {
            // The result is given: the weights' scales follow.
            var largest = scales.Max();
            for (var i = 0; i < scales.Length; i++)
            {
                scales[i] = (float)(scales[i] / largest * factor * result.Scale / input.Scale);
            }
        }

        KillChannels(codes, axis, channels, bias, scales, input.Scale / result.Scale);
        return new(
            Tensor.From<sbyte>(ElementType.Int8, shape, codes),
            perChannel ? new(EquatableArray.Create<float>(scales), EquatableArray.Create<int>(new int[channels]), axis) : Quantization.PerTensor(scales[0], 0),
            bias is null ? null : Tensor.From<int>(ElementType.Int32, Shape.Of(channels), bias),
            result,
            random.OneIn(2) ? FusedActivation.None : random.Choose(FusedActivation.Relu, FusedActivation.Relu6, FusedActivation.ReluN1To1));
    }

    private sbyte[] Codes(Shape shape)
    {
        var codes = new sbyte[shape.Elements];
        var mode = random.Next(0, 7);
        for (var i = 0; i < codes.Length; i++)
        {
            codes[i] = mode switch
            {
                0 => random.Choose(sbyte.MinValue, sbyte.MaxValue),
                1 => (sbyte)random.Next(-2, 2),
                2 => random.OneIn(3) ? random.NextCode() : (sbyte)0,
                3 => random.OneIn(2) ? (sbyte)-128 : random.NextCode(),
                _ => (sbyte)random.Next(-127, 127),
            };
        }

        return codes;
    }

    // Channels as in vww_96 (int8-arithmetic.md section 1): no weights, a tiny scale, a bias around 2^30; the factor reaches 2^-31.
    private void KillChannels(sbyte[] codes, int axis, int channels, int[]? bias, float[] scales, double inputOverOutput)
    {
        if (bias is null || scales.Length != channels || !random.OneIn(4))
        {
            return;
        }

        for (var channel = 0; channel < channels; channel++)
        {
            if (!random.OneIn(3))
            {
                continue;
            }

            for (var i = 0; i < codes.Length; i++)
            {
                if ((axis == 0 ? i / (codes.Length / channels) : i % channels) == channel)
                {
                    codes[i] = 0;
                }
            }

            bias[channel] = random.Choose(-1, 1) * ((1 << 30) + random.Next(-192, 192));
            scales[channel] = (float)(random.NextLogarithmic(Math.ScaleB(1, -33), Math.ScaleB(1, -23)) / inputOverOutput);
        }
    }
}
