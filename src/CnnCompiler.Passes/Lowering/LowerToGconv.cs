using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Lowering;

/// <summary>
/// Lowers a network to a chain of general convolutions, layer by layer. The tensor of a layer keeps the layer's name and meaning, so that both levels can be compared tensor by tensor; constants are
/// <c>layer.weights</c>, <c>layer.bias</c>, <c>layer.multiplier</c> and <c>layer.shift</c> (i32 [K]). How each kind of layer is said as loops is in the documentation of its class here.
/// </summary>
public sealed class LowerToGconv() : Pass<NetworkModule, GconvModule>(
    new("lower-to-gconv", "says each layer as affine loop operators, views and host steps", IrLevel.Network, IrLevel.Gconv))
{
    /// <summary>The chain of a verified network, or null and diagnostics for layers that can't be lowered.</summary>
    public static GconvProgram? Lower(NetworkGraph graph, DiagnosticBag diagnostics)
    {
        var refused = graph.Layers.Where(layer => Rounding(layer) == RoundingScheme.OnnxHalfEven).ToArray();
        diagnostics.Report(refused.Select(PassDiagnostics.RoundingNotLowered));
        if (refused.Length > 0)
        {
            return null;
        }

        var chain = new ChainBuilder(graph);
        foreach (var layer in graph.Layers)
        {
            Lower(layer, chain);
        }

        return chain.Build();
    }

    /// <inheritdoc/>
    protected override GconvModule? Transform(NetworkModule module, PassContext context) =>
        Lower(module.Graph, context.Diagnostics) is { } program ? new(program) : null;

    private static void Lower(Layer layer, ChainBuilder chain) => layer.Match<Action>(
        conv2D: l => () => Conv2DLowering.Lower(l, chain),
        depthwiseConv2D: l => () => DepthwiseConv2DLowering.Lower(l, chain),
        dense: l => () => DenseLowering.Lower(l, chain),
        maxPool2D: l => () => PoolLowering.Lower(l, chain),
        averagePool2D: l => () => PoolLowering.Lower(l, chain),
        add: l => () => AddLowering.Lower(l, chain),
        concat: l => () => ConcatLowering.Lower(l, chain),
        pad: l => () => PadLowering.Lower(l, chain),
        reshape: l => () => chain.Add(l, new GconvView(l.Name, l.Type, ViewKind.Reshape, l.Inputs)),
        activation: l => () => ActivationLowering.Lower(l, chain),
        softmax: l => () => Softmax(l, chain),
        conv3D: _ => throw new NotSupportedException(),
        conv2DTranspose: _ => throw new NotSupportedException(),
        matMul: _ => throw new NotSupportedException(),
        capsuleTransform: _ => throw new NotSupportedException(),
        maxPool3D: _ => throw new NotSupportedException(),
        averagePool3D: _ => throw new NotSupportedException(),
        mean: _ => throw new NotSupportedException(),
        constant: _ => throw new NotSupportedException(),
        sub: _ => throw new NotSupportedException(),
        mul: _ => throw new NotSupportedException(),
        unary: _ => throw new NotSupportedException(),
        clip: _ => throw new NotSupportedException(),
        batchNorm: _ => throw new NotSupportedException(),
        layerNorm: _ => throw new NotSupportedException(),
        lrn: _ => throw new NotSupportedException(),
        squash: _ => throw new NotSupportedException(),
        routing: _ => throw new NotSupportedException(),
        quantize: _ => throw new NotSupportedException(),
        dequantize: _ => throw new NotSupportedException(),
        transpose: _ => throw new NotSupportedException(),
        stridedSlice: _ => throw new NotSupportedException(),
        split: _ => throw new NotSupportedException(),
        resize: _ => throw new NotSupportedException(),
        proposal: _ => throw new NotSupportedException(),
        roiPool: _ => throw new NotSupportedException())();

    // The prepared integers of section 3.8; softmax is the one host step so far.
    private static void Softmax(Softmax layer, ChainBuilder chain)
    {
        var (multiplier, leftShift, diffMin) = LayerArithmetic.Prepare(layer, chain.Type(layer.Inputs[0]));
        chain.Add(layer, new GconvHostSoftmax(layer.Name, layer.Type, layer.Inputs[0], multiplier, leftShift, diffMin));
    }

    private static RoundingScheme? Rounding(Layer layer) => layer.Match<RoundingScheme?>(
        conv2D: l => l.Rounding,
        depthwiseConv2D: l => l.Rounding,
        dense: l => l.Rounding,
        maxPool2D: _ => null,
        averagePool2D: _ => null,
        add: l => l.Rounding,
        concat: _ => null,
        pad: _ => null,
        reshape: _ => null,
        activation: _ => null,
        softmax: _ => null,
        conv3D: _ => throw new NotSupportedException(),
        conv2DTranspose: _ => throw new NotSupportedException(),
        matMul: _ => throw new NotSupportedException(),
        capsuleTransform: _ => throw new NotSupportedException(),
        maxPool3D: _ => throw new NotSupportedException(),
        averagePool3D: _ => throw new NotSupportedException(),
        mean: _ => throw new NotSupportedException(),
        constant: _ => throw new NotSupportedException(),
        sub: _ => throw new NotSupportedException(),
        mul: _ => throw new NotSupportedException(),
        unary: _ => throw new NotSupportedException(),
        clip: _ => throw new NotSupportedException(),
        batchNorm: _ => throw new NotSupportedException(),
        layerNorm: _ => throw new NotSupportedException(),
        lrn: _ => throw new NotSupportedException(),
        squash: _ => throw new NotSupportedException(),
        routing: _ => throw new NotSupportedException(),
        quantize: _ => throw new NotSupportedException(),
        dequantize: _ => throw new NotSupportedException(),
        transpose: _ => throw new NotSupportedException(),
        stridedSlice: _ => throw new NotSupportedException(),
        split: _ => throw new NotSupportedException(),
        resize: _ => throw new NotSupportedException(),
        proposal: _ => throw new NotSupportedException(),
        roiPool: _ => throw new NotSupportedException());
}
