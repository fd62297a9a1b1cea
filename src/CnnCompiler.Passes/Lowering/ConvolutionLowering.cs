using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// conv2d, one operator (<c>research/gconv.md</c> section 2). G groups, K outputs, C inputs, stride s, dilation d, padding p:
/// <code>
///       Ng   Nop   Nopc   Nks     input                          kernel            output
///   n              N              n.opc                                            n.opc
///   h              OH     KH      h.opc*s + h.ks*d - top         h.ks              h.opc
///   w              OW     KW      w.opc*s + w.ks*d - left        w.ks              w.opc
///   c   G    K/G          C/G     c.g*C/G + c.ks                 c.g*K/G + c.op    c.g*K/G + c.op
/// </code>
/// Loops in the order n.opc, h.opc, w.opc, c.g, c.op, h.ks, w.ks, c.ks; kernel [K, KH, KW, C / G] at [output channel, h.ks, w.ks, c.ks]. Taps in the padding are skipped.
/// </summary>
internal static class Conv2DLowering
{
    private const int N = 0;
    private const int H = 1;
    private const int W = 2;
    private const int Group = 3;
    private const int Output = 4;
    private const int KernelH = 5;
    private const int KernelW = 6;
    private const int Channel = 7;

    public static void Lower(Conv2D layer, ChainBuilder chain)
    {
        var source = layer.Inputs[0];
        var input = chain.Type(source);
        var (weights, result) = (layer.Weights.Shape, layer.Type.Shape);
        var outputsPerGroup = weights[0] / layer.Groups;
        var nest = new LoopNest(
            new GconvLoop("n", LoopKind.OutputPosition, result[0]),
            new GconvLoop("h", LoopKind.OutputPosition, result[1]),
            new GconvLoop("w", LoopKind.OutputPosition, result[2]),
            new GconvLoop("c", LoopKind.Group, layer.Groups),
            new GconvLoop("c", LoopKind.OutputParallel, outputsPerGroup),
            new GconvLoop("h", LoopKind.KernelSize, weights[1]),
            new GconvLoop("w", LoopKind.KernelSize, weights[2]),
            new GconvLoop("c", LoopKind.KernelSize, weights[3]));
        var outputChannel = nest.At(0, (Group, outputsPerGroup), (Output, 1));
        var slots = ContractionSlots.Of(
            layer, chain, (layer.Weights, layer.WeightQuantization), layer.Bias, () => LayerArithmetic.Factors(layer, input), outputChannel, layer.Rounding, layer.Activation);
        var operation = new GconvOperator(
            layer.Name,
            layer.Type,
            nest.Loops,
            nest.Padded(
                source,
                input.Shape,
                [
                    nest.At(N),
                    nest.At(-layer.Padding.Top, (H, layer.Stride.Height), (KernelH, layer.Dilation.Height)),
                    nest.At(-layer.Padding.Left, (W, layer.Stride.Width), (KernelW, layer.Dilation.Width)),
                    nest.At(0, (Group, weights[3]), (Channel, 1)),
                ]),
            new(slots.Kernel, [outputChannel, nest.At(KernelH), nest.At(KernelW), nest.At(Channel)]),
            slots.Extra,
            slots.Accumulator,
            slots.Pre,
            slots.Main,
            GconvReduction.Add,
            slots.Post,
            [nest.At(N), nest.At(H), nest.At(W), outputChannel]);
        chain.Add(layer, operation, result.Elements * weights[1] * weights[2] * weights[3]);
    }
}

/// <summary>
/// depthwise_conv2d, one operator: a convolution of C groups with m (the multiplier) outputs and one input each.
/// <code>
///       Ng   Nop   Nopc   Nks     input                          kernel            output
///   n              N              n.opc                                            n.opc
///   h              OH     KH      h.opc*s + h.ks*d - top         h.ks              h.opc
///   w              OW     KW      w.opc*s + w.ks*d - left        w.ks              w.opc
///   c   C    m                    c.g                            c.g*m + c.op      c.g*m + c.op
/// </code>
/// Loops as in conv2d, a c.ks of one trip included; kernel [1, KH, KW, C * m] at [0, h.ks, w.ks, output channel].
/// </summary>
internal static class DepthwiseConv2DLowering
{
    private const int N = 0;
    private const int H = 1;
    private const int W = 2;
    private const int Group = 3;
    private const int Output = 4;
    private const int KernelH = 5;
    private const int KernelW = 6;

    public static void Lower(DepthwiseConv2D layer, ChainBuilder chain)
    {
        var source = layer.Inputs[0];
        var input = chain.Type(source);
        var (weights, result) = (layer.Weights.Shape, layer.Type.Shape);
        var nest = new LoopNest(
            new GconvLoop("n", LoopKind.OutputPosition, result[0]),
            new GconvLoop("h", LoopKind.OutputPosition, result[1]),
            new GconvLoop("w", LoopKind.OutputPosition, result[2]),
            new GconvLoop("c", LoopKind.Group, input.Shape[3]),
            new GconvLoop("c", LoopKind.OutputParallel, layer.Multiplier),
            new GconvLoop("h", LoopKind.KernelSize, weights[1]),
            new GconvLoop("w", LoopKind.KernelSize, weights[2]),
            new GconvLoop("c", LoopKind.KernelSize, 1));
        var outputChannel = nest.At(0, (Group, layer.Multiplier), (Output, 1));
        var slots = ContractionSlots.Of(
            layer, chain, (layer.Weights, layer.WeightQuantization), layer.Bias, () => LayerArithmetic.Factors(layer, input), outputChannel, layer.Rounding, layer.Activation);
        var operation = new GconvOperator(
            layer.Name,
            layer.Type,
            nest.Loops,
            nest.Padded(
                source,
                input.Shape,
                [
                    nest.At(N),
                    nest.At(-layer.Padding.Top, (H, layer.Stride.Height), (KernelH, layer.Dilation.Height)),
                    nest.At(-layer.Padding.Left, (W, layer.Stride.Width), (KernelW, layer.Dilation.Width)),
                    nest.At(Group),
                ]),
            new(slots.Kernel, [nest.At(0, []), nest.At(KernelH), nest.At(KernelW), outputChannel]),
            slots.Extra,
            slots.Accumulator,
            slots.Pre,
            slots.Main,
            GconvReduction.Add,
            slots.Post,
            [nest.At(N), nest.At(H), nest.At(W), outputChannel]);
        chain.Add(layer, operation, result.Elements * weights[1] * weights[2]);
    }
}

/// <summary>
/// dense, one operator, after a view [batch, in] where the input has another shape.
/// <code>
///       Ng   Nop   Nopc   Nks     input   kernel   output
///   n              N              n.opc            n.opc
///   c        K            C       c.ks    c.ks     c.op
/// </code>
/// Loops in the order n.opc, c.op, c.ks; kernel [out, in] at [c.op, c.ks].
/// </summary>
internal static class DenseLowering
{
    private const int N = 0;
    private const int Output = 1;
    private const int Channel = 2;

    public static void Lower(Dense layer, ChainBuilder chain)
    {
        var source = layer.Inputs[0];
        var input = chain.Type(source);
        var flat = Shape.Of(layer.Type.Shape[0], layer.Weights.Shape[1]);
        var name = source;
        if (input.Shape != flat)
        {
            name = chain.NameFor(layer, "flat");
            chain.Add(layer, new GconvView(name, input with { Shape = flat }, ViewKind.Reshape, [source]));
        }

        var nest = new LoopNest(
            new GconvLoop("n", LoopKind.OutputPosition, flat[0]),
            new GconvLoop("c", LoopKind.OutputParallel, layer.Weights.Shape[0]),
            new GconvLoop("c", LoopKind.KernelSize, flat[1]));
        var slots = ContractionSlots.Of(
            layer, chain, (layer.Weights, layer.WeightQuantization), layer.Bias, () => LayerArithmetic.Factors(layer, input), nest.At(Output), layer.Rounding, layer.Activation);
        var operation = new GconvOperator(
            layer.Name,
            layer.Type,
            nest.Loops,
            new(name, [nest.At(N), nest.At(Channel)]),
            new(slots.Kernel, [nest.At(Output), nest.At(Channel)]),
            slots.Extra,
            slots.Accumulator,
            slots.Pre,
            slots.Main,
            GconvReduction.Add,
            slots.Post,
            [nest.At(N), nest.At(Output)]);
        chain.Add(layer, operation, flat[0] * layer.Weights.Shape.Elements);
    }
}
