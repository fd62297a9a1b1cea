using System.Runtime.InteropServices;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Network.Evaluation;

/// <summary>Layers of one element: functions, clamps, conversions.</summary>
internal static class ElementLayers
{
    /// <summary>A function. Codes: <see cref="Int8Functions"/>; the ONNX rounding dequantises, applies the function in reals and quantises.</summary>
    public static void Unary(Unary l, TensorType input, Tensor tensor, byte[] output)
    {
        switch (input.Form())
        {
            case NumberForm.Real:
                var x = tensor.AsSpan<float>();
                var y = MemoryMarshal.Cast<byte, float>(output.AsSpan());
                for (var i = 0; i < y.Length; i++)
                {
                    y[i] = (float)UnaryFunctions.OfReal(l.Function, l.Alpha, x[i]);
                }

                break;
            case NumberForm.Fixed:
                var (from, to) = (LayerArithmetic.Fraction(input), LayerArithmetic.Fraction(l.Type));
                var numbers = tensor.AsSpan<int>();
                var results = MemoryMarshal.Cast<byte, int>(output.AsSpan());
                for (var i = 0; i < results.Length; i++)
                {
                    results[i] = NumberForms.Saturate(UnaryFunctions.OfFixed(l.Function, l.Alpha, numbers[i], from, to));
                }

                break;
            default:
                Map(tensor, code => UnaryCode(l, code, LayerArithmetic.Required(input), LayerArithmetic.Required(l.Type)), output);
                break;
        }
    }

    /// <summary>Clamped by an activation.</summary>
    public static void Activation(Activation l, Tensor tensor, byte[] output)
    {
        switch (l.Type.Form())
        {
            case NumberForm.Real:
                Clamp(tensor, value => (float)NumberForms.Activate(value, l.Function), output);
                break;
            case NumberForm.Fixed:
                Clamp(tensor, LayerArithmetic.FixedRange(l.Function, l.Type), output);
                break;
            default:
                var range = LayerArithmetic.Range(l.Function, l.Type);
                Map(tensor, code => range.Clamp(code), output);
                break;
        }
    }

    /// <summary>Clamped to the bounds; of codes, to those that the bounds round to (half away from zero), of fixed-point numbers likewise (half to even).</summary>
    public static void Clip(Clip l, Tensor tensor, byte[] output)
    {
        if (l.Type.Form() == NumberForm.Real)
        {
            Clamp(tensor, value => (float)Math.Min(Math.Max((double)value, l.Low), l.High), output);
            return;
        }

        var (low, high) = l.Type.Element.Range();
        var quantization = LayerArithmetic.Required(l.Type);
        if (l.Type.Form() == NumberForm.Fixed)
        {
            Clamp(tensor, (Bound(l.Low), Bound(l.High)), output);
            return;
        }

        var bounds = (Low: Code(l.Low), High: Code(l.High));
        Map(tensor, code => (int)Math.Min(Math.Max(code, bounds.Low), bounds.High), output);

        long Bound(float bound) => NumberForms.Saturate(NumberConversion.ToFixed(bound, LayerArithmetic.Fraction(l.Type)));

        long Code(float bound) => NumberConversion.Quantize(bound, quantization.Scale, quantization.ZeroPoint, MidpointRounding.AwayFromZero, low, high);
    }

    /// <summary>Another representation of the same real values.</summary>
    public static void Quantize(Quantize l, TensorType input, Tensor tensor, byte[] output)
    {
        var (low, high) = l.Type.Element.Range();
        var result = LayerArithmetic.Required(l.Type);
        switch (input.Form(), l.Type.Form())
        {
            case (NumberForm.Real, _):
                var ties = l.Rounding == RoundingScheme.OnnxHalfEven ? MidpointRounding.ToEven : MidpointRounding.AwayFromZero;
                var reals = tensor.AsSpan<float>();
                for (var i = 0; i < reals.Length; i++)
                {
                    Store(output, l.Type.Element, i, float.IsNaN(reals[i])
                        ? throw new DiagnosticException(NetworkDiagnostics.NotANumber(l))
                        : NumberConversion.Quantize(reals[i], result.Scale, result.ZeroPoint, ties, low, high));
                }

                break;
            case (NumberForm.Fixed, NumberForm.Fixed):
                var numbers = tensor.AsSpan<int>();
                var rescale = Rescaling(l, input);
                for (var i = 0; i < numbers.Length; i++)
                {
                    Store(output, l.Type.Element, i, NumberForms.Saturate(rescale(numbers[i])));
                }

                break;
            case (NumberForm.Fixed, _):
                var sums = tensor.AsSpan<int>();
                for (var i = 0; i < sums.Length; i++)
                {
                    output[i] = (byte)Math.Clamp((long)Requantized(l, sums[i], input) + result.ZeroPoint, low, high);
                }

                break;
            case (_, NumberForm.Fixed):
                var table = Enumerable.Range(0, 256).Select(code => FixedCode(l, (input.Element == ElementType.Int8 ? (sbyte)code : code) - input.ZeroPoint(), input)).ToArray();
                for (var i = 0; i < tensor.Bytes.Length; i++)
                {
                    Store(output, l.Type.Element, i, table[tensor.Bytes[i]]);
                }

                break;
            default:
                Map(tensor, code => (int)Math.Clamp((long)Requantized(l, code - input.ZeroPoint(), input) + result.ZeroPoint, low, high), output);
                break;
        }
    }

    /// <summary>scale * (code - zero point), rounded once.</summary>
    public static void Dequantize(TensorType input, Tensor tensor, byte[] output)
    {
        var quantization = LayerArithmetic.Required(input);
        var results = MemoryMarshal.Cast<byte, float>(output.AsSpan());
        for (var i = 0; i < results.Length; i++)
        {
            results[i] = (float)((double)(tensor.GetInteger(i) - quantization.ZeroPoint) * quantization.Scale);
        }
    }

    /// <summary>
    /// Reals: scale * (x - mean) / sqrt(variance + epsilon) + offset in binary64, left to right. Fixed point: x * a + b, with a = scale / sqrt(variance + epsilon) with as many bits as
    /// <see cref="NumberConversion.ParameterBits"/> says and b = offset - mean * a with the bits of the result, worked out in binary64; the product is rounded half up.
    /// </summary>
    public static void BatchNorm(BatchNorm l, TensorType input, Tensor tensor, byte[] output)
    {
        var scale = l.Scale.AsSpan<float>();
        var offset = l.Offset.AsSpan<float>();
        var mean = l.Mean.AsSpan<float>();
        var variance = l.Variance.AsSpan<float>();
        if (l.Type.Form() == NumberForm.Real)
        {
            var x = tensor.AsSpan<float>();
            var y = MemoryMarshal.Cast<byte, float>(output.AsSpan());
            for (var i = 0; i < y.Length; i++)
            {
                var c = i % scale.Length;
                y[i] = (float)((scale[c] * ((double)x[i] - mean[c]) / Math.Sqrt((double)variance[c] + l.Epsilon)) + offset[c]);
            }

            return;
        }

        var factors = new double[scale.Length];
        for (var c = 0; c < factors.Length; c++)
        {
            factors[c] = scale[c] / Math.Sqrt((double)variance[c] + l.Epsilon);
        }

        var (bits, to) = (NumberConversion.ParameterBits(factors), LayerArithmetic.Fraction(l.Type));
        var (a, b) = (new long[factors.Length], new long[factors.Length]);
        for (var c = 0; c < factors.Length; c++)
        {
            a[c] = NumberConversion.ToFixed(factors[c], bits);
            b[c] = NumberConversion.ToFixed(offset[c] - (mean[c] * factors[c]), to);
        }

        var shift = LayerArithmetic.Fraction(input) + bits - to;
        var numbers = tensor.AsSpan<int>();
        var results = MemoryMarshal.Cast<byte, int>(output.AsSpan());
        for (var i = 0; i < results.Length; i++)
        {
            var c = i % a.Length;
            results[i] = NumberForms.Saturate(checked(FixedMath.Multiply(numbers[i], a[c], shift) + b[c]));
        }
    }

    private static int UnaryCode(Unary l, int code, Quantization input, Quantization output)
    {
        var (value, single) = (code - input.ZeroPoint, l.Rounding == RoundingScheme.TfliteSingle);
        if (l.Rounding == RoundingScheme.OnnxHalfEven)
        {
            var result = Real();
            return float.IsNaN(result) ? output.ZeroPoint : (int)NumberConversion.Quantize(result, output.Scale, output.ZeroPoint, MidpointRounding.ToEven, sbyte.MinValue, sbyte.MaxValue);
        }

        return l.Function switch
        {
            UnaryFunction.Logistic => Int8Functions.Logistic(value, input.Scale, single),
            UnaryFunction.Tanh => Int8Functions.Tanh(value, input.Scale, single),
            UnaryFunction.HardSwish => Int8Functions.HardSwish(value, input.Scale, output.Scale, output.ZeroPoint),
            UnaryFunction.LeakyRelu => Int8Functions.LeakyRelu(value, l.Alpha, input.Scale, output.Scale, output.ZeroPoint, single),
            _ => Int8Functions.FromReal(Real(), output.Scale, output.ZeroPoint),
        };

        float Real() => (float)UnaryFunctions.OfReal(l.Function, l.Alpha, (float)(input.Scale * value));
    }

    private static int Requantized(Quantize l, int value, TensorType input)
    {
        var (from, to) = (LayerArithmetic.Required(input).Scale, LayerArithmetic.Required(l.Type).Scale);
        if (l.Rounding == RoundingScheme.OnnxHalfEven)
        {
            return new HalfEvenFactor(from, 1, to).Apply(value);
        }

        var factor = RequantizationFactors.Quantize((double)from / to);
        return l.Rounding == RoundingScheme.TfliteDouble
            ? FixedPoint.MultiplyByQuantizedMultiplier(value, factor.Multiplier, factor.Shift)
            : FixedPoint.MultiplyByQuantizedMultiplierSingleRounding(value, factor.Multiplier, factor.Shift);
    }

    // Sums of products have any scale; fixed-point numbers a power of two.
    private static Func<int, long> Rescaling(Quantize l, TensorType input)
    {
        var scale = LayerArithmetic.Required(input).Scale;
        return Math.ScaleB(1, Math.ILogB(scale)) == scale
            ? value => NumberConversion.Rescale(value, LayerArithmetic.Fraction(input), LayerArithmetic.Fraction(l.Type))
            : value => FixedCode(l, value, input);
    }

    // The real value, exact in binary64 for codes, to the nearest.
    private static int FixedCode(Quantize l, long value, TensorType input)
    {
        var ties = l.Rounding == RoundingScheme.OnnxHalfEven ? MidpointRounding.ToEven : MidpointRounding.AwayFromZero;
        return (int)Math.Clamp(Math.Round(value * (double)LayerArithmetic.Required(input).Scale / LayerArithmetic.Required(l.Type).Scale, ties), int.MinValue, int.MaxValue);
    }

    private static void Store(byte[] output, ElementType element, int index, long value)
    {
        if (element == ElementType.Int32)
        {
            MemoryMarshal.Cast<byte, int>(output.AsSpan())[index] = (int)value;
        }
        else
        {
            output[index] = (byte)value;
        }
    }

    // A function of a code as a table of all 256.
    private static void Map(Tensor tensor, Func<int, int> function, byte[] output)
    {
        var table = new byte[256];
        for (var code = 0; code < table.Length; code++)
        {
            table[code] = (byte)function(tensor.Element == ElementType.Int8 ? (sbyte)code : code);
        }

        var codes = tensor.Bytes;
        for (var i = 0; i < codes.Length && i < output.Length; i++)
        {
            output[i] = table[codes[i]];
        }
    }

    private static void Clamp(Tensor tensor, Func<float, float> clamp, byte[] output)
    {
        var x = tensor.AsSpan<float>();
        var y = MemoryMarshal.Cast<byte, float>(output.AsSpan());
        for (var i = 0; i < y.Length; i++)
        {
            y[i] = clamp(x[i]);
        }
    }

    private static void Clamp(Tensor tensor, (long Low, long High) range, byte[] output)
    {
        var x = tensor.AsSpan<int>();
        var y = MemoryMarshal.Cast<byte, int>(output.AsSpan());
        for (var i = 0; i < y.Length; i++)
        {
            y[i] = (int)Math.Min(Math.Max(x[i], range.Low), range.High);
        }
    }
}
