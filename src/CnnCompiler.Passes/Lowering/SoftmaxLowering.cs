using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// softmax. i8: the host step with the prepared integers of <c>int8-arithmetic.md</c> section 3.8 (its exponential and reciprocal are fixed point of their own). Else four operators over the last
/// dimension, c (<c>research/gconv.md</c> section 2):
/// <code>
///   layer.max   c.ks, others opc    max                                    the largest
///   layer.exp   c.opc, others g     main input - kernel                    post exp(beta * acc)   kernel layer.max
///   layer.sum   c.ks, others opc    add
///   layer       c.opc, others g     main input / kernel                    of layer.exp, kernel layer.sum
/// </code>
/// f32: the values inside are f64. Fixed point: they are i64, layer.exp = fixed_exp(fixed_multiply(acc, beta, 0) of f + 30 bits) with 30 bits, and the last main is
/// fixed_divide(input, kernel, f').
/// </summary>
internal static class SoftmaxLowering
{
    public static void Lower(Softmax layer, ChainBuilder chain)
    {
        var input = chain.Type(layer.Inputs[0]);
        if (input.Kind() == ValueKind.Code)
        {
            var (multiplier, leftShift, diffMin) = LayerArithmetic.Prepare(layer, input);
            chain.Add(layer, new GconvHostSoftmax(layer.Name, layer.Type, layer.Inputs[0], multiplier, leftShift, diffMin));
            return;
        }

        var exponential = input.Kind() == ValueKind.Real
            ? Scalar.Call(ScalarFunction.Exp, Scalar.Multiply(Scalar.Real(layer.Beta), Scalar.Accumulator))
            : FixedForms.Call(
                ScalarFunction.FixedExp,
                FixedForms.Multiply(Scalar.Accumulator, FixedForms.Parameter(layer.Beta), 0),
                Values.Fraction(input) + FixedForms.Unit,
                FixedForms.Unit);
        Rows(layer, chain, layer.Type, layer.Name, string.Empty, layer.Inputs[0], exponential, layer.Type.Kind() == ValueKind.Fixed ? Values.Fraction(layer.Type) : 0);
    }

    /// <summary>A softmax over the last dimension as part of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="chain">The chain.</param>
    /// <param name="type">Type of the result.</param>
    /// <param name="name">Name of the result.</param>
    /// <param name="suffix">What the parts' names end in.</param>
    /// <param name="source">The logits.</param>
    /// <param name="exponential">The exponential, of the difference to the largest as acc.</param>
    /// <param name="to">Bits of the result after the binary point, in fixed point.</param>
    public static string Rows(Layer layer, ChainBuilder chain, TensorType type, string name, string suffix, string source, ScalarExpression exponential, int to)
    {
        var shape = type.Shape;
        var last = shape.Rank - 1;
        var inside = Values.Inside(type, shape);
        var reduced = Values.Inside(type, Shape.Of([.. shape.Dimensions.Take(last), 1]));
        var accumulator = type.Kind() == ValueKind.Real ? ElementType.Float64 : ElementType.Int64;
        var largest = chain.Reduce(
            layer, reduced, chain.NameFor(layer, $"max{suffix}"), source, [last], GconvReduction.Maximum, Scalar.Input, Scalar.Accumulator, accumulator);
        var exp = chain.Combine(
            layer, inside, chain.NameFor(layer, $"exp{suffix}"), source, largest, Scalar.Subtract(Scalar.Input, Scalar.Kernel), exponential);
        var sum = chain.Reduce(layer, reduced, chain.NameFor(layer, $"sum{suffix}"), exp, [last], GconvReduction.Add, Scalar.Input, Scalar.Accumulator, accumulator);
        return type.Kind() == ValueKind.Real
            ? chain.Combine(layer, type, name, exp, sum, Scalar.Quotient(Scalar.Input, Scalar.Kernel), Scalar.Accumulator)
            : chain.Combine(layer, type, name, exp, sum, FixedForms.Divide(Scalar.Input, Scalar.Kernel, to), FixedForms.Saturated(Scalar.Accumulator));
    }
}
