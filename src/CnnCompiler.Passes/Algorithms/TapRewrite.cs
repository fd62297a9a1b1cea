using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Passes.Algorithms;

/// <summary>
/// kn2row: the product of every element of the input with every tap, without a window (the taps are loops op), then the sum of those products that the window of an output has, taps outside skipped.
/// </summary>
internal static class TapRewrite
{
    /// <summary>Adds the steps; null, or why there are none.</summary>
    /// <param name="nest">The convolution.</param>
    /// <param name="chain">Takes the steps.</param>
    /// <param name="detail">What is looked at of the weights.</param>
    public static string? Apply(ConvolutionNest nest, ChainPieces chain, WeightDetail detail)
    {
        if ((detail == WeightDetail.None ? IntegerRange.Zero : Range(nest)).Narrowest(ElementType.Int32) is not { } element)
        {
            return "the products of a tap could exceed 64 bits";
        }

        var operation = nest.Operation;
        var (products, sum) = (new LoopBuilder(operation.Loops.Count), new LoopBuilder(operation.Loops.Count));
        var taps = nest.Axes.Select(axis => axis.Tap).ToHashSet();

        // the product has a dimension for each loop of the sum
        var written = new List<(int Product, int Extent, Func<AffineExpression> Read)>();
        var every = new Dictionary<int, int>();
        foreach (var loop in Enumerable.Range(0, operation.Loops.Count).Where(loop => operation.Loops[loop].Extent > 1))
        {
            var (dimension, kind, extent) = operation.Loops[loop];
            if (nest.Axes.FirstOrDefault(axis => axis.Position == loop) is { } axis)
            {
                every.Add(axis.Dimension, products.Add(dimension, kind, nest.Input.Shape[axis.Dimension]));
                sum.Take(loop, dimension, kind, extent);
                written.Add((every[axis.Dimension], nest.Input.Shape[axis.Dimension], () => sum.Over(operation.Input.Index[axis.Dimension])));
                continue;
            }

            var product = products.Take(loop, dimension, taps.Contains(loop) ? LoopKind.OutputParallel : kind, extent);
            if (kind.IsParallel() || taps.Contains(loop))
            {
                var place = sum.Take(loop, dimension, taps.Contains(loop) ? kind : LoopKind.OutputPosition, extent);
                written.Add((product, extent, () => sum.At(place)));
            }
        }

        var (name, shape) = (chain.NameFor("products"), Shape.Of([.. written.Select(dimension => dimension.Extent)]));
        chain.Add(
            new GconvOperator(
                name,
                new(element, shape),
                products.Loops,
                products.Skipping(
                    operation.Input.Tensor,
                    nest.Input.Shape,
                    operation.Input.Index.Select((index, d) => every.TryGetValue(d, out var loop) ? products.At(loop) : products.Over(index)).ToEquatableArray()),
                products.Over(operation.Kernel!),
                [],
                element,
                operation.Pre,
                operation.Main,
                GconvReduction.Add,
                Scalar.Accumulator,
                [.. written.Select(dimension => products.At(dimension.Product))]),
            multiplies: true);
        chain.Add(operation with
        {
            Loops = sum.Loops,
            Input = sum.Skipping(name, shape, written.Select(dimension => dimension.Read()).ToEquatableArray()),
            Kernel = null,
            Extra = operation.Extra.Select(sum.Over).ToEquatableArray(),
            Pre = Scalar.Input,
            Main = Scalar.Input,
            OutputIndex = sum.Over(operation.OutputIndex),
        });
        return null;
    }

    /// <summary>What the sum of the products of a tap is within: it has as many terms as the loops that remain reduced have trips.</summary>
    private static IntegerRange Range(ConvolutionNest nest)
    {
        var operation = nest.Operation;
        var terms = AffineExpressions.Product(Enumerable.Range(0, operation.Loops.Count)
            .Where(loop => operation.Loops[loop].Kind == LoopKind.KernelSize && nest.Axes.All(axis => axis.Tap != loop)).Select(loop => operation.Loops[loop].Extent));
        var weights = IntegerRange.Zero;
        for (long i = 0, elements = nest.Weights.Shape.Elements; i < elements; i++)
        {
            var weight = nest.Weights.GetInteger(i) - nest.WeightZero;
            weights = weights.Union(new(weight, weight));
        }

        return ((nest.InputRange * weights.Low).Union(nest.InputRange * weights.High)) * terms;
    }
}
