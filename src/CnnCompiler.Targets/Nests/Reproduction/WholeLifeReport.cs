using System.Globalization;
using System.Text;

namespace CnnCompiler.Targets.Nests.Reproduction;

/// <summary>Tables of what layers cost in the compiler and designs over their lives.</summary>
internal static class WholeLifeReport
{
    /// <summary>Lines of each layer.</summary>
    public static string Lines(LayerLines lines)
    {
        var text = new StringBuilder("layer               node   row  evaluation  lowering  cases  in all\n");
        foreach (var layer in lines.Layers)
        {
            text.Append(Text($"{layer.Layer,-18}{layer.Node,6}{layer.Row,6}{layer.Evaluation,12}{layer.Lowering,10}{LayerLine.Cases,7}{layer.Total,8}\n"));
        }

        return text.Append(Text($"\nmedian {lines.Median:F0}; the target has {lines.Target} lines, of which {lines.Mentions} make or ask for a layer by its kind\n")).ToString();
    }

    /// <summary>Costs of each machine, with the mean energy of an inference of all networks.</summary>
    public static string Cost(IReadOnlyList<GconvNetwork> networks, IReadOnlyList<GconvComparison> machines, LayerLines lines, WholeLifeCost cost)
    {
        var text = new StringBuilder("machine        design            J/inference  purchase    energy    layers    in all   times\n");
        foreach (var machine in machines)
        {
            var chain = 0.0;
            foreach (var baseline in (Baseline?[])[null, .. Enum.GetValues<Baseline>()])
            {
                var joules = networks.Average(network => baseline is { } other ? machine.Without(network.Layers, other, new()).Joules : machine.Chain(network.Chain, new()).Joules);
                var (purchase, energy, layers) = cost.Of(baseline, joules, lines.Median);
                var all = purchase + energy + layers;
                chain = baseline is null ? all : chain;
                text.Append(Text($"{machine.Machine.Name,-15}{baseline?.ToString() ?? "GCONV chain",-16}{joules,13:F4}{purchase,10:F2}{energy,10:F2}{layers,10:F2}{all,10:F2}{all / chain,8:F2}\n"));
            }
        }

        return text.Append("\ninputs: ").AppendJoin(", ", cost.Inputs.Select(input => Text($"{input.Name} {input.Value}"))).Append('\n').ToString();
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
