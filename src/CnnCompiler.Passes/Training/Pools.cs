using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Lowering;

namespace CnnCompiler.Passes.Training;

/// <summary>Windows of a pooling over the dimensions between the first and the last one.</summary>
/// <param name="Kernel">Extents of a window.</param>
/// <param name="Strides">Steps between windows.</param>
/// <param name="Before">Padding before the input.</param>
public sealed record PoolShape(IReadOnlyList<int> Kernel, IReadOnlyList<int> Strides, IReadOnlyList<int> Before)
{
    internal int Between => Kernel.Count;

    internal static string Name(int d, int between) => "dhw".Substring(3 - between + d, 1);
}

/// <summary>
/// Maximum and average over windows, one operator; i stands for each dimension in between:
/// <code>
///       Nopc   Nks     input                    output
///   n   N              n.opc                    n.opc
///   i   O      T       i.opc*s + i.ks - before  i.opc
///   c   C              c.opc                    c.opc
/// </code>
/// reduce max; or add, with the number of terms that are inside as divisor.
/// </summary>
public static class PoolForward
{
    /// <summary>Adds the operator.</summary>
    public static string Add(TrainingChain chain, string name, string x, PoolShape windows, Shape result, bool isMaximum)
    {
        var nest = new LoopNest(
        [
            new("n", LoopKind.OutputPosition, result[0]),
            .. Enumerable.Range(0, windows.Between).Select(d => new GconvLoop(PoolShape.Name(d, windows.Between), LoopKind.OutputPosition, result[d + 1])),
            new("c", LoopKind.OutputPosition, result.Dimensions[^1]),
            .. Enumerable.Range(0, windows.Between).Select(d => new GconvLoop(PoolShape.Name(d, windows.Between), LoopKind.KernelSize, windows.Kernel[d])),
        ]);
        var last = windows.Between + 1;
        AffineExpression[] index = [nest.At(0), .. Enumerable.Range(0, windows.Between).Select(d => nest.At(-windows.Before[d], (d + 1, windows.Strides[d]), (last + 1 + d, 1))), nest.At(last)];
        return chain.Add(
            name,
            isMaximum ? "max_pool" : "average_pool",
            result,
            nest,
            new(nest.Padded(x, chain.Shape(x), [.. index]), null)
            {
                Reduce = isMaximum ? GconvReduction.Maximum : GconvReduction.Add,
                Post = isMaximum ? Scalar.Accumulator : chain.Numbers.IsReal ? Scalar.Quotient(Scalar.Accumulator, Scalar.Call(ScalarFunction.Real, Scalar.TapCount)) : Scalar.Divide(Scalar.Accumulator, Scalar.TapCount),
            },
            [.. Enumerable.Range(0, result.Rank).Select(d => nest.At(d))]);
    }
}

/// <summary>
/// The gradient of a maximum over windows, which may overlap, two operators: what each window gives to each of its places, then for each element the sum over the windows that it is in. t stands for a
/// place in a window, i for each dimension in between.
/// <code>
///   dx.share     n.g, i.g O, c.g, i.opc T   input x at i.g*s + i.opc - before, filled outside    kernel y at i.g, extra dy there
///                main dy where input = kernel, else 0      written at [n, i.g ..., i.opc ..., c]
///   dx           n.opc, i.opc, c.opc, i.ks T     add       input dx.share at [n, (i.opc - i.ks + before) / s ..., i.ks ..., c], other taps skipped
/// </code>
/// Equal largest elements of a window get its gradient each.
/// </summary>
public static class MaxPoolGradient
{
    /// <summary>Adds the operators and returns the gradient's name.</summary>
    public static string Add(TrainingChain chain, string name, string x, string y, string dy, PoolShape windows)
    {
        var (input, result, between) = (chain.Shape(x), chain.Shape(y), windows.Between);
        var nest = new LoopNest(
        [
            new("n", LoopKind.Group, result[0]),
            .. Enumerable.Range(0, between).Select(d => new GconvLoop(PoolShape.Name(d, between), LoopKind.Group, result[d + 1])),
            .. Enumerable.Range(0, between).Select(d => new GconvLoop(PoolShape.Name(d, between), LoopKind.OutputPosition, windows.Kernel[d])),
            new("c", LoopKind.Group, result.Dimensions[^1]),
        ]);
        var channel = (2 * between) + 1;
        EquatableArray<AffineExpression> window = [nest.At(0), .. Enumerable.Range(0, between).Select(d => nest.At(d + 1)), nest.At(channel)];
        EquatableArray<AffineExpression> index =
        [
            nest.At(0), .. Enumerable.Range(0, between).Select(d => nest.At(-windows.Before[d], (d + 1, windows.Strides[d]), (d + 1 + between, 1))), nest.At(channel),
        ];
        var isInside = nest.Padded(x, input, index).OutOfRange == OutOfRange.Never;
        var share = chain.Add(
            $"{name}.share",
            "max_pool_gradient",
            Shape.Of([result[0], .. Enumerable.Range(0, between).Select(d => result[d + 1]), .. windows.Kernel, result.Dimensions[^1]]),
            nest,
            new(isInside ? new(x, index) : new(x, index, OutOfRange.Fill, int.MinValue), new(y, window))
            {
                Extra = [new(dy, window)],
                Main = Scalar.Select(Scalar.Subtract(Scalar.Input, Scalar.Kernel), Scalar.Extra(0), chain.Numbers.Number(0)),
            },
            [nest.At(0), .. Enumerable.Range(1, 2 * between).Select(d => nest.At(d)), nest.At(channel)]);
        return WindowGradients.Gather(chain, name, "max_pool_gradient", share, input, windows, hasPlaces: true, chain.Numbers.Result(Scalar.Accumulator));
    }
}

/// <summary>
/// The gradient of an average over windows: dy by the number of elements of its window, one operator where that differs (at padding), and for each element the sum over the windows that it is in:
/// <code>
///   dx.share   n.opc, i.g, c.opc            main input * kernel                     of dy, kernel 1 over the number of elements [i ..., 1]
///   dx         n.opc, i.opc, c.opc, i.ks    add   post acc / T where it is the same     input at [n, (i.opc - i.ks + before) / s ..., c], other taps skipped
/// </code>
/// </summary>
public static class AveragePoolGradient
{
    /// <summary>Adds the operators and returns the gradient's name.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="name">Name of the gradient.</param>
    /// <param name="dy">Gradient of the averages.</param>
    /// <param name="input">Shape of the input.</param>
    /// <param name="windows">The windows.</param>
    public static string Add(TrainingChain chain, string name, string dy, Shape input, PoolShape windows)
    {
        var (result, numbers) = (chain.Shape(dy), chain.Numbers);
        var counts = Counts(input, result, windows);
        if (counts.AsSpan().IndexOfAnyExcept(counts[0]) < 0)
        {
            return WindowGradients.Gather(chain, name, "average_pool_gradient", dy, input, windows, hasPlaces: false, numbers.Result(numbers.Times(Scalar.Accumulator, 1.0 / counts[0])));
        }

        var each = chain.Constant($"{name}.each", numbers.Tensor(Shape.Of([.. result.Dimensions.Skip(1).SkipLast(1), 1]), Array.ConvertAll(counts, count => 1.0 / count)));
        var share = chain.Elements($"{name}.share", "average_pool_gradient", dy, each, numbers.Product(Scalar.Input, Scalar.Kernel), numbers.Result(Scalar.Accumulator));
        return WindowGradients.Gather(chain, name, "average_pool_gradient", share, input, windows, hasPlaces: false, numbers.Result(Scalar.Accumulator));
    }

    private static int[] Counts(Shape input, Shape result, PoolShape windows)
    {
        var counts = new int[result.Elements / result[0] / result.Dimensions[^1]];
        for (var at = 0; at < counts.Length; at++)
        {
            var (rest, count) = (at, 1);
            for (var d = windows.Between - 1; d >= 0; d--)
            {
                (rest, var place) = Math.DivRem(rest, result[d + 1]);
                var first = (place * windows.Strides[d]) - windows.Before[d];
                count *= Math.Min(first + windows.Kernel[d], input[d + 1]) - Math.Max(first, 0);
            }

            counts[at] = count;
        }

        return counts;
    }
}

/// <summary>The last operator of gradients of windows.</summary>
internal static class WindowGradients
{
    /// <summary>For each element the sum over the windows that it is in.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="name">Name of the gradient.</param>
    /// <param name="keyword">Keyword of the layer.</param>
    /// <param name="share">What windows give: [N, O..., C], or [N, O..., T..., C] where each of their places gets something else.</param>
    /// <param name="input">Shape of the gradient.</param>
    /// <param name="windows">The windows.</param>
    /// <param name="hasPlaces">True for the second form.</param>
    /// <param name="post">Program of a sum.</param>
    public static string Gather(TrainingChain chain, string name, string keyword, string share, Shape input, PoolShape windows, bool hasPlaces, ScalarExpression post)
    {
        var between = windows.Between;
        var nest = new LoopNest(
        [
            new("n", LoopKind.OutputPosition, input[0]),
            .. Enumerable.Range(0, between).Select(d => new GconvLoop(PoolShape.Name(d, between), LoopKind.OutputPosition, input[d + 1])),
            new("c", LoopKind.OutputPosition, input.Dimensions[^1]),
            .. Enumerable.Range(0, between).Select(d => new GconvLoop(PoolShape.Name(d, between), LoopKind.KernelSize, windows.Kernel[d])),
        ]);
        var channel = between + 1;
        EquatableArray<AffineExpression> index =
        [
            nest.At(0),
            .. Enumerable.Range(0, between).Select(d => nest.At(windows.Before[d], (d + 1, 1), (channel + 1 + d, -1)) with { Divisor = windows.Strides[d] }),
            .. hasPlaces ? Enumerable.Range(0, between).Select(d => nest.At(channel + 1 + d)) : [],
            nest.At(channel),
        ];
        return chain.Add(
            name, keyword, input, nest, new(nest.Padded(share, chain.Shape(share), index), null) { Post = post, Reduce = GconvReduction.Add }, [.. Enumerable.Range(0, input.Rank).Select(d => nest.At(d))]);
    }
}

/// <summary>The gradient of a mean over all dimensions in between, one operator: n.opc, c.opc, i.op: post acc / (product of the I), written to every place.</summary>
public static class GlobalMeanGradient
{
    /// <summary>Adds the operator and returns the gradient's name.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="name">Name of the gradient.</param>
    /// <param name="dy">Gradient of the mean, [N, C].</param>
    /// <param name="input">Shape of the input, [N, I..., C].</param>
    public static string Add(TrainingChain chain, string name, string dy, Shape input)
    {
        var nest = new LoopNest([.. input.Dimensions.Select((extent, d) => new GconvLoop(
            LoopNest.DimensionName(d, input.Rank), d == 0 || d == input.Rank - 1 ? LoopKind.OutputPosition : LoopKind.OutputParallel, extent))]);
        var elements = input.Elements / input[0] / input.Dimensions[^1];
        return chain.Add(
            name,
            "mean_gradient",
            input,
            nest,
            new(new(dy, [nest.At(0), nest.At(input.Rank - 1)]), null) { Post = chain.Numbers.Result(chain.Numbers.Times(Scalar.Accumulator, 1.0 / elements)) },
            [.. nest.Identity()]);
    }
}

/// <summary>
/// Nearest-neighbour upsampling of [N, H, W, C] by r, and its gradient, one operator each:
/// <code>
///   y    n.opc, h.opc, h.op r, w.opc, w.op r, c.opc    input [n, h.opc, w.opc, c]    written at [n, h.opc*r + h.op, w.opc*r + w.op, c]
///   dx   n.opc, h.opc, h.ks r, w.opc, w.ks r, c.opc    add    input dy at [n, h.opc*r + h.ks, w.opc*r + w.ks, c]
/// </code>
/// </summary>
public static class Upsampling
{
    /// <summary>Adds the upsampling.</summary>
    public static string Add(TrainingChain chain, string name, string x, int factor) => Operator(chain, name, x, chain.Shape(x), factor, isGradient: false);

    /// <summary>Adds the gradient.</summary>
    public static string Gradient(TrainingChain chain, string name, string dy, int factor) =>
        Operator(chain, name, dy, Shape.Of(chain.Shape(dy)[0], chain.Shape(dy)[1] / factor, chain.Shape(dy)[2] / factor, chain.Shape(dy)[3]), factor, isGradient: true);

    private static string Operator(TrainingChain chain, string name, string input, Shape small, int factor, bool isGradient)
    {
        var kind = isGradient ? LoopKind.KernelSize : LoopKind.OutputParallel;
        var nest = new LoopNest(
            new GconvLoop("n", LoopKind.OutputPosition, small[0]),
            new("h", LoopKind.OutputPosition, small[1]),
            new("h", kind, factor),
            new("w", LoopKind.OutputPosition, small[2]),
            new("w", kind, factor),
            new("c", LoopKind.OutputPosition, small[3]));
        AffineExpression[] one = [nest.At(0), nest.At(1), nest.At(3), nest.At(5)];
        AffineExpression[] many = [nest.At(0), nest.At(0, (1, factor), (2, 1)), nest.At(0, (3, factor), (4, 1)), nest.At(5)];
        return isGradient
            ? chain.Add(name, "upsampling_gradient", small, nest, new(new(input, [.. many]), null) { Reduce = GconvReduction.Add }, one)
            : chain.Add(name, "upsampling", Shape.Of(small[0], small[1] * factor, small[2] * factor, small[3]), nest, new(new(input, [.. one]), null), many);
    }
}

/// <summary>
/// Maximum pooling of one region of one image into bins of equal extent, one operator; region and bins are known when the chain is made.
/// <code>
///   h.opc B, h.ks T, w.opc, w.ks, c.opc    max    input [image, top + h.opc*T + h.ks, left + w.opc*T' + w.ks, c]    written at [0, h.opc, w.opc, c]
/// </code>
/// Bins of unequal extent, and regions that a network finds itself, are host steps.
/// </summary>
public static class RegionMaximum
{
    /// <summary>Adds the operator.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="name">Name of the result, [1, bins, bins, C].</param>
    /// <param name="x">The images, [N, H, W, C].</param>
    /// <param name="image">Which of them.</param>
    /// <param name="corner">First row and column of the region.</param>
    /// <param name="bin">Rows and columns of a bin.</param>
    /// <param name="bins">Bins along rows and columns.</param>
    public static string Add(TrainingChain chain, string name, string x, int image, (int Row, int Column) corner, (int Rows, int Columns) bin, (int Rows, int Columns) bins)
    {
        var channels = chain.Shape(x)[3];
        var nest = new LoopNest(
            new GconvLoop("h", LoopKind.OutputPosition, bins.Rows),
            new("w", LoopKind.OutputPosition, bins.Columns),
            new("c", LoopKind.OutputPosition, channels),
            new("h", LoopKind.KernelSize, bin.Rows),
            new("w", LoopKind.KernelSize, bin.Columns));
        return chain.Add(
            name,
            "region_maximum",
            Shape.Of(1, bins.Rows, bins.Columns, channels),
            nest,
            new(new(x, [nest.At(image, []), nest.At(corner.Row, (0, bin.Rows), (3, 1)), nest.At(corner.Column, (1, bin.Columns), (4, 1)), nest.At(2)]), null) { Reduce = GconvReduction.Maximum },
            [nest.At(0, []), nest.At(0), nest.At(1), nest.At(2)]);
    }
}
