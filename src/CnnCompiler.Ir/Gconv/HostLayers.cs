using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Gconv;

/// <summary>The closed set of layers that may be host steps of a chain (<c>research/gconv.md</c> section 1, limit 4), and what is checked of them.</summary>
public static class HostLayers
{
    /// <summary>
    /// True for proposal and roi_pool, whose indexes depend on data, and for resize, whose indexes are affine only for some sizes.
    /// </summary>
    public static bool IsAdmitted(Layer layer) => layer is Proposal or RoiPool or Resize;

    /// <summary>What is wrong with a host step, or null: it is not in the set, or as the only layer of a network it would be refused.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="operands">Types of its operands, in order.</param>
    public static string? Problem(Layer layer, IReadOnlyList<TensorType> operands)
    {
        if (!IsAdmitted(layer))
        {
            return $"{layer.Keyword} is no layer that the host executes";
        }

        var inputs = layer.Inputs.Zip(operands, (name, type) => new NetworkInput(name, type)).DistinctBy(input => input.Name, StringComparer.Ordinal);
        var problems = NetworkVerifier.Check(new("host", inputs.ToEquatableArray(), [layer], [layer.Name]));
        return problems.FirstOrDefault(problem => problem.Severity == DiagnosticSeverity.Error)?.Message;
    }
}
