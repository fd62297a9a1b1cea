using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Passes.Lowering;

/// <summary>The operators that layers of several steps are made of. Each adds one operator of the layer and returns its name.</summary>
internal static class StepBuilder
{
    /// <summary>
    /// A function of each element: all loops opc, post on what is read. Further operands are aligned at the last dimension, as in broadcasting, or are tables.
    /// </summary>
    public static string Map(this ChainBuilder chain, Layer layer, TensorType type, string name, string source, ScalarExpression post, params ReadOnlySpan<(string Tensor, Shape Shape)> extras)
    {
        var nest = LoopNest.Over(type.Shape, LoopKind.OutputPosition);
        chain.Add(layer, new GconvOperator(
            name,
            type,
            nest.Loops,
            new(source, nest.Identity()),
            null,
            Operands(extras, type.Shape, nest),
            Values.Accumulator(chain.Type(source)),
            Scalar.Input,
            Scalar.Input,
            GconvReduction.None,
            post,
            nest.Identity()));
        chain.Define(name, type);
        return name;
    }

    /// <summary>A function of the elements of two tensors, broadcast (<see cref="Broadcast"/>): the first is the input, the second the kernel operand.</summary>
    public static string Combine(
        this ChainBuilder chain, Layer layer, TensorType type, string name, string first, string second, ScalarExpression main, ScalarExpression post, params ReadOnlySpan<(string Tensor, Shape Shape)> extras)
    {
        var (left, right) = (chain.Type(first), chain.Type(second));
        var nest = Broadcast.Nest(left.Shape, right.Shape, type.Shape);
        chain.Add(layer, new GconvOperator(
            name,
            type,
            nest.Loops,
            new(first, Broadcast.Index(left.Shape, type.Shape, nest)),
            new(second, Broadcast.Index(right.Shape, type.Shape, nest)),
            Operands(extras, type.Shape, nest),
            left.Kind() == ValueKind.Real ? ElementType.Float64 : ElementType.Int64,
            Scalar.Input,
            main,
            GconvReduction.None,
            post,
            nest.Identity()));
        chain.Define(name, type);
        return name;
    }

    /// <summary>
    /// A reduction over some dimensions, which have extent 1 in the result or are left out: their loops are ks, the others opc, in the order of the dimensions.
    /// </summary>
    /// <param name="chain">The chain.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="type">Type of the result.</param>
    /// <param name="name">Name of the result.</param>
    /// <param name="source">What is reduced.</param>
    /// <param name="axes">The reduced dimensions.</param>
    /// <param name="reduce">Sum or maximum.</param>
    /// <param name="pre">Program of an element.</param>
    /// <param name="post">Program of the result.</param>
    /// <param name="accumulator">Type of the accumulator.</param>
    public static string Reduce(
        this ChainBuilder chain,
        Layer layer,
        TensorType type,
        string name,
        string source,
        IReadOnlyCollection<int> axes,
        GconvReduction reduce,
        ScalarExpression pre,
        ScalarExpression post,
        ElementType accumulator)
    {
        var shape = chain.Type(source).Shape;
        var nest = new LoopNest([.. shape.Dimensions.Select((extent, d) => new GconvLoop(
            LoopNest.DimensionName(d, shape.Rank), axes.Contains(d) ? LoopKind.KernelSize : LoopKind.OutputPosition, extent))]);
        var kept = Enumerable.Range(0, shape.Rank).Where(d => !axes.Contains(d) || type.Shape.Rank == shape.Rank);
        chain.Add(layer, new GconvOperator(
            name,
            type,
            nest.Loops,
            new(source, nest.Identity()),
            null,
            [],
            accumulator,
            pre,
            Scalar.Input,
            reduce,
            post,
            kept.Select(d => axes.Contains(d) ? nest.At(0, []) : nest.At(d)).ToEquatableArray()));
        chain.Define(name, type);
        return name;
    }

    private static EquatableArray<OperandAccess> Operands(ReadOnlySpan<(string Tensor, Shape Shape)> extras, Shape result, LoopNest nest)
    {
        var operands = new List<OperandAccess>();
        foreach (var (tensor, shape) in extras)
        {
            operands.Add(new(tensor, Broadcast.Index(shape, result, nest)));
        }

        return operands.ToEquatableArray();
    }
}
