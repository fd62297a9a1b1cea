using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Arithmetic;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// conv3d, one operator: conv2d with a dimension more.
/// <code>
///       Ng   Nop   Nopc   Nks     input                          kernel            output
///   n              N              n.opc                                            n.opc
///   d              OD     KD      d.opc*s + d.ks*dil - front     d.ks              d.opc
///   h              OH     KH      h.opc*s + h.ks*dil - top       h.ks              h.opc
///   w              OW     KW      w.opc*s + w.ks*dil - left      w.ks              w.opc
///   c   G    K/G          C/G     c.g*C/G + c.ks                 c.g*K/G + c.op    c.g*K/G + c.op
/// </code>
/// Loops in the order n.opc, d.opc, h.opc, w.opc, c.g, c.op, d.ks, h.ks, w.ks, c.ks; kernel [K, KD, KH, KW, C / G]. Slots as <see cref="ContractionSlots"/> says.
/// </summary>
internal static class Conv3DLowering
{
    private const int N = 0;
    private const int D = 1;
    private const int H = 2;
    private const int W = 3;
    private const int Group = 4;
    private const int Output = 5;
    private const int KernelD = 6;
    private const int KernelH = 7;
    private const int KernelW = 8;
    private const int Channel = 9;

    public static void Lower(Conv3D layer, ChainBuilder chain)
    {
        var source = layer.Inputs[0];
        var input = chain.Type(source);
        var (weights, result) = (layer.Weights.Shape, layer.Type.Shape);
        var outputsPerGroup = weights[0] / layer.Groups;
        var nest = new LoopNest(
            new GconvLoop("n", LoopKind.OutputPosition, result[0]),
            new GconvLoop("d", LoopKind.OutputPosition, result[1]),
            new GconvLoop("h", LoopKind.OutputPosition, result[2]),
            new GconvLoop("w", LoopKind.OutputPosition, result[3]),
            new GconvLoop("c", LoopKind.Group, layer.Groups),
            new GconvLoop("c", LoopKind.OutputParallel, outputsPerGroup),
            new GconvLoop("d", LoopKind.KernelSize, weights[1]),
            new GconvLoop("h", LoopKind.KernelSize, weights[2]),
            new GconvLoop("w", LoopKind.KernelSize, weights[3]),
            new GconvLoop("c", LoopKind.KernelSize, weights[4]));
        var outputChannel = nest.At(0, (Group, outputsPerGroup), (Output, 1));
        var slots = ContractionSlots.Of(
            layer, chain, (layer.Weights, layer.WeightQuantization), layer.Bias, () => LayerFactors.Convolution(layer.WeightQuantization!, input, layer.Type, weights[0]), outputChannel, layer.Rounding, layer.Activation);
        var operation = new GconvOperator(
            layer.Name,
            layer.Type,
            nest.Loops,
            nest.Padded(
                source,
                input.Shape,
                [
                    nest.At(N),
                    nest.At(-layer.Padding.Front, (D, layer.Stride.Depth), (KernelD, layer.Dilation.Depth)),
                    nest.At(-layer.Padding.Plane.Top, (H, layer.Stride.Height), (KernelH, layer.Dilation.Height)),
                    nest.At(-layer.Padding.Plane.Left, (W, layer.Stride.Width), (KernelW, layer.Dilation.Width)),
                    nest.At(0, (Group, weights[4]), (Channel, 1)),
                ]),
            new(slots.Kernel, [outputChannel, nest.At(KernelD), nest.At(KernelH), nest.At(KernelW), nest.At(Channel)]),
            slots.Extra,
            slots.Accumulator,
            slots.Pre,
            slots.Main,
            GconvReduction.Add,
            slots.Post,
            [nest.At(N), nest.At(D), nest.At(H), nest.At(W), outputChannel]);
        chain.Add(layer, operation, result.Elements * weights[1] * weights[2] * weights[3] * weights[4]);
    }
}

/// <summary>
/// conv2d_transpose, one operator: the taps of a result are those input elements that the forward stride lands on, an index that has to divide evenly (<see cref="AffineExpression.Divisor"/>).
/// <code>
///       Ng   Nop   Nopc   Nks     input                                kernel            output
///   n              N              n.opc                                                  n.opc
///   h              OH     KH      (h.opc - h.ks*d + top) / s           h.ks              h.opc
///   w              OW     KW      (w.opc - w.ks*d + left) / s          w.ks              w.opc
///   c   G    K/G          C/G     c.g*C/G + c.ks                       c.g*K/G + c.op    c.g*K/G + c.op
/// </code>
/// Loops in the order of conv2d; kernel [K, KH, KW, C / G]. One operator and not s^2 phases with a dense kernel each: the chain keeps the layer whole, and a target that has no such taps splits
/// it. Slots as <see cref="ContractionSlots"/> says.
/// </summary>
internal static class Conv2DTransposeLowering
{
    private const int N = 0;
    private const int H = 1;
    private const int W = 2;
    private const int Group = 3;
    private const int Output = 4;
    private const int KernelH = 5;
    private const int KernelW = 6;
    private const int Channel = 7;

    public static void Lower(Conv2DTranspose layer, ChainBuilder chain)
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
            layer, chain, (layer.Weights, layer.WeightQuantization), layer.Bias, () => LayerFactors.Convolution(layer.WeightQuantization!, input, layer.Type, weights[0]), outputChannel, layer.Rounding, layer.Activation);
        var operation = new GconvOperator(
            layer.Name,
            layer.Type,
            nest.Loops,
            nest.Padded(
                source,
                input.Shape,
                [
                    nest.At(N),
                    nest.At(layer.Padding.Top, (H, 1), (KernelH, -layer.Dilation.Height)) with { Divisor = layer.Stride.Height },
                    nest.At(layer.Padding.Left, (W, 1), (KernelW, -layer.Dilation.Width)) with { Divisor = layer.Stride.Width },
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
        chain.Add(layer, operation, input.Shape.Elements * outputsPerGroup * weights[1] * weights[2]);
    }
}

/// <summary>Prepared factors of the TFLite roundings (<c>int8-arithmetic.md</c> section 3.1).</summary>
internal static class LayerFactors
{
    /// <summary>Factor of each output channel: s_in * s_w / s_out.</summary>
    public static Requantization[] Convolution(Quantization weights, TensorType input, TensorType output, int channels)
    {
        var factors = new Requantization[channels];
        for (var channel = 0; channel < channels; channel++)
        {
            var scale = weights.Scales[weights.Scales.Count > 1 ? channel : 0];
            factors[channel] = RequantizationFactors.Quantize(RequantizationFactors.Convolution(input.Quantization!.Scale, scale, output.Quantization!.Scale));
        }

        return factors;
    }
}
