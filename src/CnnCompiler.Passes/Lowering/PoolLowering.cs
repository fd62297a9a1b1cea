using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// max_pool2d and avg_pool2d, one operator without a kernel operand. Channels are opc: no operand besides the input and output varies with them.
/// <code>
///       Ng   Nop   Nopc   Nks     input                    output
///   n              N              n.opc                    n.opc
///   h              OH     KH      h.opc*s + h.ks - top     h.opc
///   w              OW     KW      w.opc*s + w.ks - left    w.opc
///   c              C              c.opc                    c.opc
/// </code>
/// Loops in the order n.opc, h.opc, w.opc, c.opc, h.ks, w.ks. Codes are reduced as they are (<c>int8-arithmetic.md</c> section 3.6): the maximum from -128, or the sum divided by the number of taps inside.
/// </summary>
internal static class PoolLowering
{
    private const int N = 0;
    private const int H = 1;
    private const int W = 2;
    private const int C = 3;
    private const int KernelH = 4;
    private const int KernelW = 5;

    public static void Lower(MaxPool2D layer, ChainBuilder chain) => Lower(
        layer, chain, layer.Kernel, layer.Stride, layer.Padding, ElementType.Int8, GconvReduction.Maximum, ChainBuilder.Clamp(Scalar.Accumulator, layer.Activation, layer.Type));

    public static void Lower(AveragePool2D layer, ChainBuilder chain) => Lower(
        layer,
        chain,
        layer.Kernel,
        layer.Stride,
        layer.Padding,
        ElementType.Int32,
        GconvReduction.Add,
        ChainBuilder.Clamp(Scalar.Divide(Scalar.Accumulator, Scalar.TapCount), layer.Activation, layer.Type));

    private static void Lower(
        Layer layer, ChainBuilder chain, Spatial kernel, Spatial stride, Padding padding, ElementType accumulator, GconvReduction reduce, ScalarExpression post)
    {
        var result = layer.Type.Shape;
        var nest = new LoopNest(
            new GconvLoop("n", LoopKind.OutputPosition, result[0]),
            new GconvLoop("h", LoopKind.OutputPosition, result[1]),
            new GconvLoop("w", LoopKind.OutputPosition, result[2]),
            new GconvLoop("c", LoopKind.OutputPosition, result[3]),
            new GconvLoop("h", LoopKind.KernelSize, kernel.Height),
            new GconvLoop("w", LoopKind.KernelSize, kernel.Width));
        var source = layer.Inputs[0];
        chain.Add(layer, new GconvOperator(
            layer.Name,
            layer.Type,
            nest.Loops,
            nest.Padded(
                source,
                chain.Type(source).Shape,
                [nest.At(N), nest.At(-padding.Top, (H, stride.Height), (KernelH, 1)), nest.At(-padding.Left, (W, stride.Width), (KernelW, 1)), nest.At(C)]),
            null,
            [],
            accumulator,
            Scalar.Input,
            Scalar.Input,
            reduce,
            post,
            [nest.At(N), nest.At(H), nest.At(W), nest.At(C)]));
    }
}
