using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// max_pool2d, avg_pool2d, max_pool3d and avg_pool3d, one operator without a kernel operand. Channels are opc: no operand besides the input and output varies with them.
/// <code>
///       Ng   Nop   Nopc   Nks     input                    output
///   n              N              n.opc                    n.opc
///   d              OD     KD      d.opc*s + d.ks - front   d.opc       (3-D)
///   h              OH     KH      h.opc*s + h.ks - top     h.opc
///   w              OW     KW      w.opc*s + w.ks - left    w.opc
///   c              C              c.opc                    c.opc
/// </code>
/// Loops in the order n.opc, d.opc, h.opc, w.opc, c.opc, d.ks, h.ks, w.ks. Codes are reduced as they are (<c>int8-arithmetic.md</c> section 3.6): the maximum from -128, or the sum divided by the
/// number of taps inside; where padding counts, the absent taps are zero points in the sum of codes, and zero in others. Reals are divided in binary64, integers to the nearest, half away from zero.
/// </summary>
internal static class PoolLowering
{
    public static void Lower(MaxPool2D layer, ChainBuilder chain) => Maximum(layer, chain, Windows(layer.Kernel, layer.Stride, layer.Padding), layer.Activation);

    public static void Lower(MaxPool3D layer, ChainBuilder chain) => Maximum(layer, chain, Windows(layer.Kernel, layer.Stride, layer.Padding), layer.Activation);

    public static void Lower(AveragePool2D layer, ChainBuilder chain) =>
        Average(layer, chain, Windows(layer.Kernel, layer.Stride, layer.Padding), layer.CountPadding, layer.Activation);

    public static void Lower(AveragePool3D layer, ChainBuilder chain) =>
        Average(layer, chain, Windows(layer.Kernel, layer.Stride, layer.Padding), layer.CountPadding, layer.Activation);

    private static void Maximum(Layer layer, ChainBuilder chain, Window[] windows, FusedActivation activation)
    {
        var accumulator = layer.Type.Element == ElementType.Int8 ? ElementType.Int8 : Values.Accumulator(layer.Type);
        var post = activation == FusedActivation.None && layer.Type.Kind() == ValueKind.Fixed ? Scalar.Accumulator : Values.Clamp(Scalar.Accumulator, activation, layer.Type);
        Pool(layer, chain, windows, accumulator, GconvReduction.Maximum, post);
    }

    private static void Average(Layer layer, ChainBuilder chain, Window[] windows, bool countPadding, FusedActivation activation)
    {
        var taps = windows.Aggregate(1L, (product, window) => product * window.Kernel);
        var (sum, count) = (Scalar.Accumulator, Scalar.TapCount);
        if (countPadding)
        {
            count = Scalar.Literal(taps);
            var zero = layer.Type.Kind() == ValueKind.Code ? ChainBuilder.ZeroPoint(layer.Type) : 0;
            sum = zero == 0 ? sum : Scalar.Add(sum, Scalar.Multiply(Scalar.Subtract(count, Scalar.TapCount), Scalar.Literal(zero)));
        }

        var (accumulator, mean) = layer.Type.Kind() switch
        {
            ValueKind.Real => (ElementType.Float64, Scalar.Quotient(sum, Scalar.Call(ScalarFunction.Real, count))),
            ValueKind.Fixed => (ElementType.Int64, Scalar.Divide(sum, count)),
            _ => (ElementType.Int32, Scalar.Divide(sum, count)),
        };
        Pool(layer, chain, windows, accumulator, GconvReduction.Add, Values.Clamp(mean, activation, layer.Type));
    }

    private static void Pool(Layer layer, ChainBuilder chain, Window[] windows, ElementType accumulator, GconvReduction reduce, ScalarExpression post)
    {
        var result = layer.Type.Shape;
        var parallel = Enumerable.Range(0, result.Rank).Select(d => new GconvLoop(LoopNest.DimensionName(d, result.Rank), LoopKind.OutputPosition, result[d]));
        var reduced = windows.Select((window, i) => new GconvLoop(LoopNest.DimensionName(i + 1, result.Rank), LoopKind.KernelSize, window.Kernel));
        var nest = new LoopNest([.. parallel, .. reduced]);
        var index = Enumerable.Range(0, result.Rank).Select(d => d >= 1 && d <= windows.Length
            ? nest.At(-windows[d - 1].Before, (d, windows[d - 1].Stride), (result.Rank + d - 1, 1))
            : nest.At(d));
        var source = layer.Inputs[0];
        chain.Add(layer, new GconvOperator(
            layer.Name,
            layer.Type,
            nest.Loops,
            nest.Padded(source, chain.Type(source).Shape, index.ToEquatableArray()),
            null,
            [],
            accumulator,
            Scalar.Input,
            Scalar.Input,
            reduce,
            post,
            Enumerable.Range(0, result.Rank).Select(d => nest.At(d)).ToEquatableArray()));
    }

    private static Window[] Windows(Spatial kernel, Spatial stride, Padding padding) =>
        [new(kernel.Height, stride.Height, padding.Top), new(kernel.Width, stride.Width, padding.Left)];

    private static Window[] Windows(Volume kernel, Volume stride, VolumePadding padding) =>
        [new(kernel.Depth, stride.Depth, padding.Front), .. Windows(new(kernel.Height, kernel.Width), new Spatial(stride.Height, stride.Width), padding.Plane)];

    private readonly record struct Window(int Kernel, int Stride, int Before);
}
