using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// add, one operator: the first value is the input, the second the kernel operand; one loop a dimension of the result, dimensions aligned at the last.
/// <code>
///   dimension             kind   input   kernel   output
///   both values have it   g      i       i        i
///   the first alone       opc    i       0        i
///   the second alone      op     0       i        i
/// </code>
/// With the prepared factors of <c>int8-arithmetic.md</c> section 3.5: pre = requantize((x - z1) &lt;&lt; 20, m1, s1), main = pre + requantize((k - z2) &lt;&lt; 20, m2, s2),
/// post = clamp(requantize(acc, mo, so) + z, low, high). The subtractions are there even where a zero point is 0.
/// </summary>
internal static class AddLowering
{
    public static void Lower(Add layer, ChainBuilder chain)
    {
        var (first, second) = (chain.Type(layer.Inputs[0]), chain.Type(layer.Inputs[1]));
        var result = layer.Type.Shape;
        var loops = new GconvLoop[result.Rank];
        for (var d = 0; d < loops.Length; d++)
        {
            var kind = (Has(first.Shape, d, result), Has(second.Shape, d, result)) switch
            {
                (true, false) => LoopKind.OutputPosition,
                (false, true) => LoopKind.OutputParallel,
                _ => LoopKind.Group,
            };
            loops[d] = new(LoopNest.DimensionName(d, result.Rank), kind, result[d]);
        }

        var nest = new LoopNest(loops);
        var factors = LayerArithmetic.Factors(layer, first, second);
        var code = Scalar.Add(
            Scalar.Requantize(layer.Rounding, Scalar.Accumulator, Scalar.Literal(factors.Output.Multiplier), Scalar.Literal(factors.Output.Shift)),
            Scalar.Literal(ChainBuilder.ZeroPoint(layer.Type)));
        chain.Add(layer, new GconvOperator(
            layer.Name,
            layer.Type,
            nest.Loops,
            new(layer.Inputs[0], Index(first.Shape, result, nest)),
            new(layer.Inputs[1], Index(second.Shape, result, nest)),
            [],
            ElementType.Int32,
            Rescaled(Scalar.Input, first, factors.First, layer.Rounding),
            Scalar.Add(Scalar.Input, Rescaled(Scalar.Kernel, second, factors.Second, layer.Rounding)),
            GconvReduction.None,
            ChainBuilder.Clamp(code, layer.Activation, layer.Type),
            nest.Identity()));
    }

    private static ScalarExpression Rescaled(ScalarExpression code, TensorType type, Requantization factor, RoundingScheme rounding) => Scalar.Requantize(
        rounding,
        Scalar.ShiftLeft(Scalar.Subtract(code, Scalar.Literal(ChainBuilder.ZeroPoint(type))), Int8Addition.LeftShift),
        Scalar.Literal(factor.Multiplier),
        Scalar.Literal(factor.Shift));

    // Whether an operand varies along a dimension of the result; one of extent 1 is had by both.
    private static bool Has(Shape operand, int dimension, Shape result)
    {
        var own = dimension - (result.Rank - operand.Rank);
        return result[dimension] == 1 || (own >= 0 && operand[own] != 1);
    }

    private static EquatableArray<AffineExpression> Index(Shape operand, Shape result, LoopNest nest)
    {
        var missing = result.Rank - operand.Rank;
        return Enumerable.Range(0, operand.Rank).Select(d => Has(operand, d + missing, result) ? nest.At(d + missing) : nest.At(0, [])).ToEquatableArray();
    }
}

/// <summary>
/// pad, one operator that copies: all loops opc, the input at [i - before, ...], which yields the fill code outside.
/// </summary>
internal static class PadLowering
{
    public static void Lower(Pad layer, ChainBuilder chain)
    {
        var nest = LoopNest.Over(layer.Type.Shape, LoopKind.OutputPosition);
        var index = Enumerable.Range(0, layer.Type.Shape.Rank).Select(d => nest.At(-layer.Before[d], (d, 1))).ToEquatableArray();
        chain.Add(layer, Copying.Operator(
            layer.Name, layer.Type, nest, new(layer.Inputs[0], index, OutOfRange.Fill, layer.Value), Scalar.Accumulator, nest.Identity(), null));
    }
}

/// <summary>
/// concat: an operator a source that copies it, <c>layer.0</c>, <c>layer.1</c>, ..., all loops opc and the source's offset along the axis in the output index; then the join of these pieces, which
/// costs nothing.
/// </summary>
internal static class ConcatLowering
{
    public static void Lower(Concat layer, ChainBuilder chain)
    {
        var pieces = new List<string>();
        var offset = 0;
        foreach (var source in layer.Inputs)
        {
            var shape = chain.Type(source).Shape;
            var nest = LoopNest.Over(shape, LoopKind.OutputPosition);
            var start = offset;
            var output = Enumerable.Range(0, shape.Rank).Select(d => nest.At(d == layer.Axis ? start : 0, (d, 1))).ToEquatableArray();
            pieces.Add(chain.NameFor(layer, pieces.Count.ToString(System.Globalization.CultureInfo.InvariantCulture)));
            chain.Add(layer, Copying.Operator(
                pieces[^1], layer.Type with { Shape = shape }, nest, new(source, nest.Identity()), Scalar.Accumulator, output, layer.Name));
            offset += shape[layer.Axis];
        }

        chain.Add(layer, new GconvView(layer.Name, layer.Type, ViewKind.Join, pieces.ToEquatableArray()));
    }
}

/// <summary>activation, one operator that copies and clamps: all loops opc, post = clamp(acc, low, high).</summary>
internal static class ActivationLowering
{
    public static void Lower(Activation layer, ChainBuilder chain)
    {
        var nest = LoopNest.Over(layer.Type.Shape, LoopKind.OutputPosition);
        var post = ChainBuilder.Clamp(Scalar.Accumulator, layer.Function, layer.Type);
        chain.Add(layer, Copying.Operator(layer.Name, layer.Type, nest, new(layer.Inputs[0], nest.Identity()), post, nest.Identity(), null));
    }
}

/// <summary>Operators without kernel operand and reduction.</summary>
internal static class Copying
{
    public static GconvOperator Operator(
        string name, TensorType type, LoopNest nest, OperandAccess input, ScalarExpression post, EquatableArray<AffineExpression> output, string? destination) =>
        new(name, type, nest.Loops, input, null, [], ElementType.Int32, Scalar.Input, Scalar.Input, GconvReduction.None, post, output, destination);
}
