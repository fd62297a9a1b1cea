using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Passes.Algorithms;

/// <summary>
/// im2col: a copy with an element for each trip of the loops that index the input, the zero point where that is outside; and the operator on the copy, where each loop indexes a dimension of its own.
/// A tap outside then adds 0 instead of nothing.
/// </summary>
internal static class PatchRewrite
{
    /// <summary>Adds the steps; null, or why there are none.</summary>
    public static string? Apply(ConvolutionNest nest, ChainPieces chain)
    {
        var (operation, range) = (nest.Operation, nest.Input.Element.Range());
        var isPadded = operation.Input.OutOfRange != OutOfRange.Never;
        if (isPadded && (nest.Zero < range.Min || nest.Zero > range.Max))
        {
            return FormattableString.Invariant($"no {nest.Input.Element.Name()} is its zero point {nest.Zero}");
        }

        var builder = new LoopBuilder(operation.Loops.Count);
        var read = Enumerable.Range(0, operation.Loops.Count).Where(loop => operation.Loops[loop].Extent > 1 && operation.Input.Index.DependsOn(loop)).ToList();
        foreach (var loop in read)
        {
            var (dimension, kind, extent) = operation.Loops[loop];
            builder.Take(loop, kind == LoopKind.OutputPosition ? dimension : $"{dimension}_{kind.Name()}", LoopKind.OutputPosition, extent);
        }

        var copy = new GconvOperator(
            chain.NameFor("patches"),
            nest.Input with { Shape = Shape.Of([.. read.Select(loop => operation.Loops[loop].Extent)]) },
            builder.Loops,
            new(operation.Input.Tensor, builder.Over(operation.Input.Index), isPadded ? OutOfRange.Fill : OutOfRange.Never, isPadded ? nest.Zero : 0),
            null,
            [],
            nest.Input.Element == ElementType.Int64 ? ElementType.Int64 : ElementType.Int32,
            Scalar.Input,
            Scalar.Input,
            GconvReduction.None,
            Scalar.Accumulator,
            [.. Enumerable.Range(0, read.Count).Select(builder.At)]);
        chain.Add(copy);
        chain.Add(operation with { Input = new(copy.Name, [.. read.Select(only => new AffineExpression(Enumerable.Range(0, operation.Loops.Count).Select(loop => loop == only ? 1L : 0).ToEquatableArray(), 0))]) }, multiplies: true);
        return null;
    }
}
