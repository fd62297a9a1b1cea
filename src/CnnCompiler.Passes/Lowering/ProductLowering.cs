using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// matmul, one operator: the first value is the input, the second the kernel operand.
/// <code>
///                                  input    kernel   output
///   b0, b1, ...  as in add         i or 0   i or 0   i
///   m            Nopc = M          m.opc             m.opc
///   n            Nop = N                    n.op     n.op
///   k            Nks = K           k.ks     k.ks
/// </code>
/// Loops in the order b0, b1, ..., m.opc, n.op, k.ks. A transposed operand has its last two indexes the other way round. Slots as <see cref="ContractionSlots"/> says.
/// </summary>
internal static class MatMulLowering
{
    public static void Lower(MatMul layer, ChainBuilder chain)
    {
        var (first, second) = (chain.Type(layer.Inputs[0]), chain.Type(layer.Inputs[1]));
        var result = layer.Type.Shape;
        var batch = result.Rank - 2;
        var depth = first.Shape.Dimensions[layer.TransposeFirst ? ^2 : ^1];
        var loops = Enumerable.Range(0, batch)
            .Select(d => new GconvLoop($"b{d.ToString(System.Globalization.CultureInfo.InvariantCulture)}", Broadcast.Kind(Leading(first.Shape), Leading(second.Shape), d, Leading(result)), result[d]))
            .Append(new("m", LoopKind.OutputPosition, result.Dimensions[^2]))
            .Append(new("n", LoopKind.OutputParallel, result.Dimensions[^1]))
            .Append(new("k", LoopKind.KernelSize, depth));
        var nest = new LoopNest([.. loops]);
        var (m, n, k) = (nest.At(batch), nest.At(batch + 1), nest.At(batch + 2));
        var slots = ContractionSlots.OfValues(
            layer,
            chain,
            depth,
            () => RequantizationFactors.Quantize(RequantizationFactors.DensePerTensor(first.Quantization!.Scale, second.Quantization!.Scale, layer.Type.Quantization!.Scale)),
            layer.Rounding,
            layer.Activation);
        var operation = new GconvOperator(
            layer.Name,
            layer.Type,
            nest.Loops,
            new(layer.Inputs[0], Index(first.Shape, layer.TransposeFirst ? [k, m] : [m, k])),
            new(slots.Kernel, Index(second.Shape, layer.TransposeSecond ? [n, k] : [k, n])),
            slots.Extra,
            slots.Accumulator,
            slots.Pre,
            slots.Main,
            GconvReduction.Add,
            slots.Post,
            nest.Identity().Take(batch).Concat([m, n]).ToEquatableArray());
        chain.Add(layer, operation, result.Elements * depth);

        EquatableArray<AffineExpression> Index(Shape operand, AffineExpression[] last) =>
            Broadcast.Index(Leading(operand), Leading(result), nest).Concat(last).ToEquatableArray();
    }

    private static Shape Leading(Shape shape) => Shape.Of([.. shape.Dimensions.Take(shape.Rank - 2)]);
}

/// <summary>
/// capsule_transform, one operator: a product of its own for each input capsule.
/// <code>
///       Ng   Nop   Nopc   Nks     input    kernel   output
///   n              N              n.opc             n.opc
///   i   I                         i.g      i.g      i.g
///   j        J                             j.op     j.op
///   e        E                             e.op     e.op
///   d                     D       d.ks     d.ks
/// </code>
/// Loops in the order n.opc, i.g, j.op, e.op, d.ks; kernel [I, J, D, E] at [i.g, j.op, d.ks, e.op]. Slots as <see cref="ContractionSlots"/> says.
/// </summary>
internal static class CapsuleTransformLowering
{
    public static void Lower(CapsuleTransform layer, ChainBuilder chain)
    {
        var (input, weights) = (chain.Type(layer.Inputs[0]).Shape, layer.Weights.Shape);
        var nest = new LoopNest(
            new GconvLoop("n", LoopKind.OutputPosition, input[0]),
            new GconvLoop("i", LoopKind.Group, weights[0]),
            new GconvLoop("j", LoopKind.OutputParallel, weights[1]),
            new GconvLoop("e", LoopKind.OutputParallel, weights[3]),
            new GconvLoop("d", LoopKind.KernelSize, weights[2]));
        var (n, i, j, e, d) = (nest.At(0), nest.At(1), nest.At(2), nest.At(3), nest.At(4));
        var slots = ContractionSlots.Of(
            layer, chain, (layer.Weights, layer.WeightQuantization), null, () => throw new InvalidOperationException("capsule_transform has no definition in i8"), i, layer.Rounding, FusedActivation.None);
        var operation = new GconvOperator(
            layer.Name,
            layer.Type,
            nest.Loops,
            new(layer.Inputs[0], [n, i, d]),
            new(slots.Kernel, [i, j, d, e]),
            slots.Extra,
            slots.Accumulator,
            slots.Pre,
            slots.Main,
            GconvReduction.Add,
            slots.Post,
            [n, i, j, e]);
        chain.Add(layer, operation, layer.Type.Shape.Elements * weights[2]);
    }
}
