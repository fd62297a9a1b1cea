using CnnCompiler.Core;
using CnnCompiler.Ir.Network;

namespace CnnCompiler.Passes.Selection.Published;

/// <summary>
/// A network's convolutions as chains between stored tensors: as forks and joins are stored (the research notes, section 6), a chain's choices concern no other chain, and its optimum is that of
/// <see cref="PublishedDynamapInstance"/> without a solver.
/// </summary>
public sealed class PublishedChains
{
    private readonly List<(DynamapConvolution[] Layers, EquatableArray<DynamapAlgorithm>[] Menus, int Count)> _chains = [];

    private PublishedChains(IEnumerable<IReadOnlyList<DynamapConvolution>> chains)
    {
        // equal chains cost the same
        foreach (var group in chains.GroupBy(chain => chain.ToEquatableArray()))
        {
            _chains.Add(([.. group.Key], [.. group.Key.Select(layer => layer.Algorithms)], group.Count()));
        }
    }

    /// <summary>The chains of a published instance's network.</summary>
    public static PublishedChains Of(PublishedDynamapInstance instance) => new(instance.Chains);

    /// <summary>
    /// The chains of a network: a convolution whose result one other convolution reads, and nothing else, is followed by that one. What is no ungrouped convolution costs nothing here.
    /// </summary>
    public static PublishedChains Of(NetworkGraph network)
    {
        var readers = network.Layers.SelectMany(layer => layer.Inputs).Concat(network.Outputs).GroupBy(name => name, StringComparer.Ordinal).ToDictionary(group => group.Key, group => group.Count(), StringComparer.Ordinal);
        var chains = new Dictionary<string, List<DynamapConvolution>>(StringComparer.Ordinal);
        var found = new List<List<DynamapConvolution>>();
        foreach (var layer in network.Layers)
        {
            if (layer is not Conv2D { Groups: 1 } convolution)
            {
                continue;
            }

            var (kernel, map) = (convolution.Weights.Shape, convolution.Type.Shape);
            if (!chains.TryGetValue(layer.Inputs[0], out var chain) || readers[layer.Inputs[0]] > 1)
            {
                chain = [];
                found.Add(chain);
            }

            chain.Add(new(map[1], map[2], kernel[1], kernel[2], kernel[3], map[3]));
            chains.Add(layer.Name, chain);
        }

        return new(found);
    }

    /// <summary>Convolutions.</summary>
    public int Convolutions => _chains.Sum(chain => chain.Count * chain.Layers.Length);

    /// <summary>Multiplications of the definition, whatever the algorithm.</summary>
    public long Multiplications => _chains.Sum(chain => chain.Count * chain.Layers.Sum(layer => (long)layer.Height * layer.Width * layer.KernelHeight * layer.KernelWidth * layer.Inputs * layer.Outputs));

    /// <summary>Least time of all chains, in ps.</summary>
    /// <param name="costs">Costs on an overlay.</param>
    /// <param name="menu">Algorithms that a layer may use; null for all it has.</param>
    public long Picoseconds(PublishedDynamapCosts costs, Func<DynamapConvolution, EquatableArray<DynamapAlgorithm>>? menu = null)
    {
        var sum = 0L;
        foreach (var (layers, menus, count) in _chains)
        {
            sum += count * OfChain(layers, menu is null ? menus : [.. layers.Select(menu)], costs);
        }

        return sum;
    }

    private static long OfChain(DynamapConvolution[] layers, EquatableArray<DynamapAlgorithm>[] menus, PublishedDynamapCosts costs)
    {
        const int algorithms = 3;
        Span<long> before = stackalloc long[algorithms];
        Span<long> here = stackalloc long[algorithms];
        for (var i = 0; i < layers.Length; i++)
        {
            var layer = layers[i];
            here.Fill(SelectionCost.Illegal);
            foreach (var to in menus[i].AsSpan())
            {
                var reached = SelectionCost.Illegal;
                if (i == 0)
                {
                    reached = Transition(costs, layer, null, to);
                }
                else
                {
                    for (var from = 0; from < algorithms; from++)
                    {
                        if (before[from] < SelectionCost.Illegal)
                        {
                            reached = Math.Min(reached, before[from] + Transition(costs, layer, (DynamapAlgorithm)from, to));
                        }
                    }
                }

                var own = long.MaxValue;
                foreach (var dataflow in costs.Overlay.Dataflows.AsSpan())
                {
                    own = Math.Min(own, PublishedDynamapInstance.Whole(costs.Milliseconds(layer, to, dataflow)));
                }

                here[(int)to] = reached + own;
            }

            here.CopyTo(before);
        }

        var last = layers[^1];
        var least = SelectionCost.Illegal;
        for (var from = 0; from < algorithms; from++)
        {
            if (before[from] < SelectionCost.Illegal)
            {
                least = Math.Min(least, before[from] + PublishedDynamapInstance.Whole(costs.TransitionMilliseconds(last.Height, last.Width, last.Outputs, 1, (DynamapAlgorithm)from, null)));
            }
        }

        return least;
    }

    private static long Transition(PublishedDynamapCosts costs, DynamapConvolution layer, DynamapAlgorithm? from, DynamapAlgorithm to) =>
        PublishedDynamapInstance.Whole(costs.TransitionMilliseconds(layer.Height, layer.Width, layer.Inputs, layer.KernelHeight * layer.KernelWidth, from, to));
}
