using CnnCompiler.Core;
using CnnCompiler.Passes.Selection.Published;

namespace CnnCompiler.Targets.Overlay.Exploration;

/// <summary>The published, idealised model: algorithms, all three dataflows and transitions chosen together.</summary>
/// <param name="networks">The networks, optimised together.</param>
/// <param name="megahertz">Clock.</param>
public sealed class PublishedShapeModel(IReadOnlyList<PublishedChains> networks, double megahertz) : IShapeModel
{
    private static readonly EquatableArray<DynamapDataflow> Dataflows = [DynamapDataflow.NS, DynamapDataflow.WS, DynamapDataflow.IS];

    /// <summary>GoogLeNet as the published code has it.</summary>
    public static PublishedShapeModel GoogLeNet(double megahertz) => new([PublishedChains.Of(PublishedGoogLeNet.On(new(1, 1, 1, Dataflows)))], megahertz);

    /// <inheritdoc/>
    public string Unit => "ps";

    /// <summary>The cost itself: to compute it takes no longer than a bound would.</summary>
    public long LowerBound(OverlayShape shape)
    {
        var costs = new PublishedDynamapCosts(new(shape.Rows, shape.Columns, megahertz, Dataflows));
        var sum = 0L;
        foreach (var network in networks)
        {
            sum += network.Picoseconds(costs);
        }

        return sum;
    }

    /// <inheritdoc/>
    public long? Cost(OverlayShape shape, long limit) => LowerBound(shape) is var cost && cost < limit ? cost : null;
}
