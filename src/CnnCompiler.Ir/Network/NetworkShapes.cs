using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network.Operators;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Network;

/// <summary>
/// The shape rule of each layer, stated once: shape of the result from shapes of the inputs, weights and attributes. Front ends call it to type a layer
/// they build (with any placeholder as its type), the verifier to check one that is typed.
/// </summary>
public static class NetworkShapes
{
    /// <summary>
    /// Shape of the result of <paramref name="layer"/> by the rule that its operator declares, or null and diagnostics where inputs and attributes don't fit together. The layer's own type is not
    /// read, except by reshape, whose attribute it is.
    /// </summary>
    /// <param name="layer">The layer; it has as many inputs as its kind wants.</param>
    /// <param name="inputs">Types of its inputs.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    public static Shape? Infer(Layer layer, IReadOnlyList<TensorType> inputs, DiagnosticBag diagnostics)
    {
        for (var i = 0; i < inputs.Count; i++)
        {
            // The rules multiply extents.
            if (!NetworkLimits.Allows(inputs[i].Shape))
            {
                diagnostics.Report(NetworkDiagnostics.TooManyElements(layer.Span.Value, layer.Inputs[i], inputs[i].Shape));
                return null;
            }
        }

        var definition = OperatorTable.Of(layer);
        return definition.IsInRange(layer, diagnostics) ? definition.Shape(layer, inputs, new(layer, diagnostics)) : null;
    }

    /// <summary>
    /// Positions of a window along one dimension: floor((input + before + after - effective kernel) / stride) + 1, with an effective kernel of
    /// (kernel - 1) * dilation + 1. Zero or less where the kernel doesn't fit.
    /// </summary>
    public static long WindowPositions(int input, int kernel, int stride, int dilation, int before, int after)
    {
        var room = (long)input + before + after - EffectiveKernel(kernel, dilation);
        return room < 0 ? 0 : (room / stride) + 1;
    }

    /// <summary>Extent that a dilated kernel spans.</summary>
    public static long EffectiveKernel(int kernel, int dilation) => ((long)(kernel - 1) * dilation) + 1;
}
