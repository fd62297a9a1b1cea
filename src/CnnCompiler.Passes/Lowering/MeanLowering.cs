using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// mean, one operator: the reduced dimensions are ks, the others opc, in the order of the dimensions; n is the number of elements of a mean.
/// <code>
///   i8, tflite-*   pre input - z   add i32   clamp(requantize(acc, q', shift') + z', -128, 127), q' and shift' of <c>int8-arithmetic.md</c> section 3.7
///   i8, onnx       pre input - z   add i32   clamp(round_half_even(real(acc) * s / (n * s')) + z', -128, 127) in binary64, left to right
///   fixed point    pre input       add i64   clamp(fixed_divide(acc, n &lt;&lt; f, f'))
///   f32            pre input       add f64   acc / n
/// </code>
/// </summary>
internal static class MeanLowering
{
    public static void Lower(Mean layer, ChainBuilder chain)
    {
        var source = layer.Inputs[0];
        var input = chain.Type(source);
        var count = layer.Axes.Aggregate(1L, (product, d) => product * input.Shape[d]);
        var (post, accumulator) = input.Kind() switch
        {
            ValueKind.Real => (Scalar.Quotient(Scalar.Accumulator, Scalar.Real(count)), ElementType.Float64),
            ValueKind.Fixed => (FixedForms.Mean(Scalar.Accumulator, count, Values.Fraction(input), Values.Fraction(layer.Type)), ElementType.Int64),
            _ => (Code(layer, input, count), ElementType.Int32),
        };
        chain.Reduce(
            layer, layer.Type, layer.Name, source, layer.Axes, GconvReduction.Add, chain.WithoutZeroPoint(source), Values.Clamp(post, FusedActivation.None, layer.Type), accumulator);
    }

    private static ScalarExpression Code(Mean layer, TensorType input, long count)
    {
        var zeroPoint = Scalar.Literal(ChainBuilder.ZeroPoint(layer.Type));
        if (layer.Rounding == RoundingScheme.OnnxHalfEven)
        {
            var ratio = Scalar.Quotient(
                Scalar.Multiply(Scalar.Call(ScalarFunction.Real, Scalar.Accumulator), Scalar.Real(input.Quantization!.Scale)), Scalar.Real((double)count * layer.Type.Quantization!.Scale));
            return Scalar.Add(Scalar.Call(ScalarFunction.RoundHalfEven, ratio), zeroPoint);
        }

        var (multiplier, shift) = RequantizationFactors.Mean(input.Quantization!.Scale, layer.Type.Quantization!.Scale, count);
        return Scalar.Add(
            Scalar.Requantize(layer.Rounding, Scalar.Accumulator, Scalar.Literal(multiplier), Scalar.Literal(shift)), zeroPoint);
    }
}
