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
        var chain = new ChainBuilder(graph);
        try
        {
            foreach (var layer in graph.Layers)
            {
                Lower(layer, chain);
            }
        }
        catch (DiagnosticException exception)
        {
            diagnostics.Report(exception.Diagnostic);
            return null;
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
        add: l => () => ArithmeticLowering.Lower(l, chain),
        concat: l => () => ConcatLowering.Lower(l, chain),
        pad: l => () => PadLowering.Lower(l, chain),
        reshape: l => () => chain.Add(l, new GconvView(l.Name, l.Type, ViewKind.Reshape, l.Inputs)),
        activation: l => () => ClampLowering.Lower(l, chain),
        softmax: l => () => SoftmaxLowering.Lower(l, chain),
        conv3D: l => () => Conv3DLowering.Lower(l, chain),
        conv2DTranspose: l => () => Conv2DTransposeLowering.Lower(l, chain),
        matMul: l => () => MatMulLowering.Lower(l, chain),
        capsuleTransform: l => () => CapsuleTransformLowering.Lower(l, chain),
        maxPool3D: l => () => PoolLowering.Lower(l, chain),
        averagePool3D: l => () => PoolLowering.Lower(l, chain),
        mean: l => () => MeanLowering.Lower(l, chain),
        constant: l => () => ConstantLowering.Lower(l, chain),
        sub: l => () => ArithmeticLowering.Lower(l, chain),
        mul: l => () => ArithmeticLowering.Lower(l, chain),
        unary: l => () => UnaryLowering.Lower(l, chain),
        clip: l => () => ClampLowering.Lower(l, chain),
        batchNorm: l => () => BatchNormLowering.Lower(l, chain),
        layerNorm: l => () => LayerNormLowering.Lower(l, chain),
        lrn: l => () => LrnLowering.Lower(l, chain),
        squash: l => () => SquashLowering.Lower(l, chain),
        routing: l => () => RoutingLowering.Lower(l, chain),
        quantize: l => () => QuantizeLowering.Lower(l, chain),
        dequantize: l => () => DequantizeLowering.Lower(l, chain),
        transpose: l => () => TransposeLowering.Lower(l, chain),
        stridedSlice: l => () => SliceLowering.Lower(l, chain),
        split: l => () => SliceLowering.Lower(l, chain),
        resize: l => () => ResizeLowering.Lower(l, chain),
        proposal: l => () => chain.Add(l, new GconvHostLayer(l)),
        roiPool: l => () => chain.Add(l, new GconvHostLayer(l)))();
}
