using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.HostFunctions;

namespace CnnCompiler.Ir.Network;

/// <summary>The closed set of layers that may be host steps of a chain (<c>research/gconv.md</c> section 1, limit 4), and what is checked of them.</summary>
public static class HostLayers
{
    /// <summary>
    /// True for proposal and roi_pool, whose indexes depend on data, and for resize, whose indexes are affine only for some sizes.
    /// </summary>
    public static bool IsAdmitted(Layer layer) => layer is Proposal or RoiPool or Resize;

    /// <summary>What the host computes for a layer of the set.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="operands">Types of its operands, in order.</param>
    /// <exception cref="ArgumentException">The layer is not in the set.</exception>
    public static HostFunction FunctionOf(Layer layer, IReadOnlyList<TensorType> operands)
    {
        var (from, to) = (operands[0].Shape, layer.Type.Shape);
        return layer switch
        {
            Proposal l => new RegionProposals(from[1], from[2], l.Size.Height, l.Size.Width, l.FeatureStride, [.. l.Scales], [.. l.Ratios], l.Before, l.Count, l.Overlap, l.MinimumSize),
            RoiPool l => new RegionPooling(from[1], from[2], from[3], operands[1].Shape[0], l.Size.Height, l.Size.Width, l.SpatialScale),
            Resize l => new Resizing(
                layer.Type.Element switch
                {
                    ElementType.Int8 => ResizedElement.Int8,
                    ElementType.Int32 => ResizedElement.Int32,
                    _ => ResizedElement.Float32,
                },
                from[0],
                from[1],
                from[2],
                from[3],
                to[1],
                to[2],
                l.Mode == ResizeMode.Bilinear,
                l.Coordinates == ResizeCoordinates.AlignCorners,
                l.Coordinates == ResizeCoordinates.HalfPixel),
            _ => throw new ArgumentException($"{layer.Keyword} is no layer that the host executes", nameof(layer)),
        };
    }

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
