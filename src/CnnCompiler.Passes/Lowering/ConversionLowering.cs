using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Primitives.HostFunctions;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// quantize, one operator: all loops opc.
/// <code>
///   8 bits to 8 bits           post lookup(extra0, acc - lowest code), <see cref="EightBitTable"/>
///   f32 to codes               post clamp(round(single(acc / s)), low - z, high - z) + z, round half to even under onnx-half-even, half away from zero under tflite-*
///   f32 to fixed point         the same with s = 2^-f and z = 0
///   integers to codes          post clamp(requantize(acc - z, multiplier, shift) + z', low, high), or half_even_scale(acc - z, s, 1, s')
///   fixed to fixed point       post clamp(rescaled from f to f')
/// </code>
/// </summary>
internal static class QuantizeLowering
{
    public static void Lower(Quantize layer, ChainBuilder chain)
    {
        var (input, result) = (chain.Type(layer.Inputs[0]), layer.Type);
        if (input.Kind() == ValueKind.Code)
        {
            EightBitTable.Lower(layer, chain);
            return;
        }

        chain.Map(layer, result, layer.Name, layer.Inputs[0], input.Kind() == ValueKind.Real ? FromReal(layer, result) : FromInteger(layer, input, result));
    }

    private static ScalarExpression FromReal(Quantize layer, TensorType result)
    {
        var (low, high) = result.Element.Range();
        var zero = result.Quantization!.ZeroPoint;
        var ratio = Scalar.Call(ScalarFunction.Single, Scalar.Quotient(Scalar.Accumulator, Scalar.Real(result.Quantization.Scale)));

        // Clamped before the rounding, which keeps integers as they are: what is infinite saturates.
        var rounded = Scalar.Call(
            layer.Rounding == RoundingScheme.OnnxHalfEven ? ScalarFunction.RoundHalfEven : ScalarFunction.RoundHalfAway, Scalar.Clamp(ratio, (double)(low - zero), high - zero));
        return zero == 0 ? rounded : Scalar.Add(rounded, Scalar.Literal(zero));
    }

    private static ScalarExpression FromInteger(Quantize layer, TensorType input, TensorType result)
    {
        if (result.Kind() == ValueKind.Fixed)
        {
            return Values.Clamp(Values.Rescaled(Scalar.Accumulator, Values.Fraction(input), Values.Fraction(result)), FusedActivation.None, result);
        }

        var zero = input.Quantization!.ZeroPoint;
        var value = zero == 0 ? Scalar.Accumulator : Scalar.Subtract(Scalar.Accumulator, Scalar.Literal(zero));
        if (layer.Rounding == RoundingScheme.OnnxHalfEven)
        {
            return Clamped(ContractionSlots.HalfEven(value, input, Scalar.Real(1), result), result);
        }

        var factor = RequantizationFactors.Quantize((double)input.Quantization.Scale / result.Quantization!.Scale);
        return Clamped(
            Scalar.Add(Scalar.Requantize(layer.Rounding, value, Scalar.Literal(factor.Multiplier), Scalar.Literal(factor.Shift)), Scalar.Literal(result.Quantization.ZeroPoint)), result);
    }

    private static ScalarExpression Clamped(ScalarExpression code, TensorType type)
    {
        var (low, high) = type.Element.Range();
        return Scalar.Clamp(code, low, high);
    }
}

/// <summary>dequantize, one operator: all loops opc, post = real(acc - z) * s.</summary>
internal static class DequantizeLowering
{
    public static void Lower(Dequantize layer, ChainBuilder chain)
    {
        var quantization = chain.Type(layer.Inputs[0]).Quantization!;
        var code = quantization.ZeroPoint == 0 ? Scalar.Accumulator : Scalar.Subtract(Scalar.Accumulator, Scalar.Literal(quantization.ZeroPoint));
        chain.Map(layer, layer.Type, layer.Name, layer.Inputs[0], Scalar.Multiply(Scalar.Call(ScalarFunction.Real, code), Scalar.Real(quantization.Scale)));
    }
}

/// <summary>
/// resize. nearest along a dimension that repeats each element so many times, or takes every so manyth, is affine; where both dimensions are, it is one operator without kernel operand
/// (<c>research/gconv.md</c> section 1, limit 1):
/// <code>
///        Nop       Nopc    input          output
///   n              N       n.opc          n.opc
///   h    OH / H    H       h.opc          h.opc * OH / H + h.op      repeated
///   w              OW      w.opc*s + b    w.opc                      every sth, from b on
///   c              C       c.opc          c.opc
/// </code>
/// Others have indexes that are not affine or weights that differ from place to place: a host step. What the indexes are is asked of their definition, <see cref="Resampling"/>.
/// </summary>
internal static class ResizeLowering
{
    public static void Lower(Resize layer, ChainBuilder chain)
    {
        var (from, to) = (chain.Type(layer.Inputs[0]).Shape, layer.Type.Shape);
        if (Affine(layer, from[1], to[1]) is not { } rows || Affine(layer, from[2], to[2]) is not { } columns)
        {
            chain.Add(layer, new GconvHostLayer(layer));
            return;
        }

        var nest = new LoopNest(
            new GconvLoop("n", LoopKind.OutputPosition, from[0]),
            new GconvLoop("h", LoopKind.OutputPosition, to[1] / rows.Copies),
            new GconvLoop("h", LoopKind.OutputParallel, rows.Copies),
            new GconvLoop("w", LoopKind.OutputPosition, to[2] / columns.Copies),
            new GconvLoop("w", LoopKind.OutputParallel, columns.Copies),
            new GconvLoop("c", LoopKind.OutputPosition, from[3]));
        chain.Add(layer, Copying.Operator(
            layer.Name,
            layer.Type,
            nest,
            new(layer.Inputs[0], [nest.At(0), nest.At(rows.First, (1, rows.Step)), nest.At(columns.First, (3, columns.Step)), nest.At(5)]),
            [nest.At(0), nest.At(0, (1, rows.Copies), (2, 1)), nest.At(0, (3, columns.Copies), (4, 1)), nest.At(5)],
            null));
    }

    // index(i) = first + step * floor(i / copies), or null.
    private static (int First, int Step, int Copies)? Affine(Resize layer, int input, int output)
    {
        if (layer.Mode != ResizeMode.Nearest)
        {
            return null;
        }

        var indexes = Enumerable.Range(0, output)
            .Select(i => Resampling.Nearest(i, input, output, layer.Coordinates == ResizeCoordinates.AlignCorners, layer.Coordinates == ResizeCoordinates.HalfPixel))
            .ToArray();
        var copies = indexes.TakeWhile(index => index == indexes[0]).Count();
        var step = copies < output ? indexes[copies] - indexes[0] : 0;
        return output % copies == 0 && Enumerable.Range(0, output).All(i => indexes[i] == indexes[0] + (step * (i / copies))) ? (indexes[0], step, copies) : null;
    }
}
