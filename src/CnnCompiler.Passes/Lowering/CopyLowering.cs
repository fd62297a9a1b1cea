using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Passes.Lowering;

/// <summary>Operators that copy: all loops opc, the input at affine places.</summary>
internal static class Copying
{
    public static void Lower(Layer layer, ChainBuilder chain, LoopNest nest, OperandAccess input) =>
        chain.Add(layer, Operator(layer.Name, layer.Type, nest, input, nest.Identity(), null));

    public static GconvOperator Operator(string name, TensorType type, LoopNest nest, OperandAccess input, EquatableArray<AffineExpression> output, string? destination) => new(
        name, type, nest.Loops, input, null, [], Values.Accumulator(type), Scalar.Input, Scalar.Input, GconvReduction.None, Scalar.Accumulator, output, destination);
}

/// <summary>pad, one operator that copies: the input at [i - before, ...], which yields the fill code outside.</summary>
internal static class PadLowering
{
    public static void Lower(Pad layer, ChainBuilder chain)
    {
        var nest = LoopNest.Over(layer.Type.Shape, LoopKind.OutputPosition);
        var index = Enumerable.Range(0, layer.Type.Shape.Rank).Select(d => nest.At(-layer.Before[d], (d, 1))).ToEquatableArray();
        Copying.Lower(layer, chain, nest, new(layer.Inputs[0], index, OutOfRange.Fill, layer.Value));
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
            pieces.Add(chain.NameFor(layer, pieces.Count.ToString(CultureInfo.InvariantCulture)));
            chain.Add(layer, Copying.Operator(pieces[^1], layer.Type with { Shape = shape }, nest, new(source, nest.Identity()), output, layer.Name));
            offset += shape[layer.Axis];
        }

        chain.Add(layer, new GconvView(layer.Name, layer.Type, ViewKind.Join, pieces.ToEquatableArray()));
    }
}

/// <summary>
/// transpose: a reshape, which is free, where only dimensions of extent 1 move; else one operator that copies: loop d of the result indexes dimension permutation[d] of the input.
/// </summary>
internal static class TransposeLowering
{
    public static void Lower(Transpose layer, ChainBuilder chain)
    {
        var shape = layer.Type.Shape;
        var moving = layer.Permutation.Where(d => chain.Type(layer.Inputs[0]).Shape[d] > 1).ToArray();
        if (moving.SequenceEqual(moving.Order()))
        {
            chain.Add(layer, new GconvView(layer.Name, layer.Type, ViewKind.Reshape, layer.Inputs));
            return;
        }

        var nest = LoopNest.Over(shape, LoopKind.OutputPosition);
        var index = new AffineExpression[shape.Rank];
        for (var d = 0; d < shape.Rank; d++)
        {
            index[layer.Permutation[d]] = nest.At(d);
        }

        Copying.Lower(layer, chain, nest, new(layer.Inputs[0], index.ToEquatableArray()));
    }
}

/// <summary>
/// strided_slice and split, one operator that copies: the input at [begin + stride * i, ...], a split being a slice that begins at index * size along its axis; a reshape, which is free, where that is the
/// whole input.
/// </summary>
internal static class SliceLowering
{
    public static void Lower(StridedSlice layer, ChainBuilder chain) => Lower(layer, chain, layer.Begin, layer.Stride);

    public static void Lower(Split layer, ChainBuilder chain)
    {
        var rank = layer.Type.Shape.Rank;
        Lower(
            layer,
            chain,
            Enumerable.Range(0, rank).Select(d => d == layer.Axis ? layer.Index * layer.Type.Shape[d] : 0).ToEquatableArray(),
            Enumerable.Repeat(1, rank).ToEquatableArray());
    }

    private static void Lower(Layer layer, ChainBuilder chain, EquatableArray<int> begin, EquatableArray<int> stride)
    {
        var nest = LoopNest.Over(layer.Type.Shape, LoopKind.OutputPosition);
        var index = Enumerable.Range(0, layer.Type.Shape.Rank).Select(d => nest.At(begin[d], (d, stride[d]))).ToEquatableArray();
        if (chain.Type(layer.Inputs[0]).Shape == layer.Type.Shape && stride.Zip(layer.Type.Shape.Dimensions, (step, extent) => step == 1 || extent == 1).All(whole => whole))
        {
            chain.Add(layer, new GconvView(layer.Name, layer.Type, ViewKind.Reshape, layer.Inputs));
            return;
        }

        Copying.Lower(layer, chain, nest, new(layer.Inputs[0], index));
    }
}

/// <summary>constant: the tensor <c>layer.value</c>, and a reshape, which is free, that gives it its quantisation.</summary>
internal static class ConstantLowering
{
    public static void Lower(Constant layer, ChainBuilder chain) =>
        chain.Add(layer, new GconvView(layer.Name, layer.Type, ViewKind.Reshape, [chain.Constant(layer, "value", layer.Value)]));
}
