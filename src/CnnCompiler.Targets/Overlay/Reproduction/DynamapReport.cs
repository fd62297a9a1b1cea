using System.Globalization;
using System.Text;
using CnnCompiler.Core;
using CnnCompiler.Passes.Selection.Published;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Overlay.Exploration;
using CnnCompiler.Targets.Systolic.Reproduction;

namespace CnnCompiler.Targets.Overlay.Reproduction;

/// <summary>The report of <c>cnnc reproduce dynamap</c>.</summary>
public static class DynamapReport
{
    private const int Elements = 6084;
    private const double Picoseconds = 1e9;
    private static readonly EquatableArray<DynamapDataflow> AllDataflows = [DynamapDataflow.NS, DynamapDataflow.WS, DynamapDataflow.IS];

    /// <summary>Overlays of the published costs: the shape that the paper names at its clock and with a notebook's, the tool's defaults, the square within the same elements.</summary>
    private static readonly (string Name, int Rows, int Columns, double Megahertz)[] PublishedOverlays =
        [("92 x 66, 286 MHz", 92, 66, 286), ("92 x 64, 200 MHz", 92, 64, 200), ("78 x 78, 286 MHz", 78, 78, 286)];

    private static readonly (string Name, DynamapDataflow[] Dataflows)[] DataflowMenus =
        [("NS WS IS", [DynamapDataflow.NS, DynamapDataflow.WS, DynamapDataflow.IS]), ("NS WS", [DynamapDataflow.NS, DynamapDataflow.WS]), ("NS", [DynamapDataflow.NS]), ("WS", [DynamapDataflow.WS]), ("IS", [DynamapDataflow.IS])];

    /// <summary>The sections.</summary>
    /// <param name="networks">Compiles the networks; called once a section needs them.</param>
    public static IReadOnlyList<ReproductionSection> Sections(Func<IReadOnlyList<DynamapNetwork>> networks)
    {
        var all = new Lazy<IReadOnlyList<DynamapNetwork>>(networks);
        return
        [
            new("Published costs: each algorithm alone, greedy, and chosen together", () => string.Concat(PublishedOverlays.Select(overlay => Algorithms(all.Value, overlay)))),
            new("Published costs: fixed dataflows, 92 x 66 at 286 MHz", () => Dataflows(all.Value)),
            new("Realistic costs on overlay-u200, convolutions alone: predicted cycles, which are those that the interpreter counts", () => string.Concat(all.Value.Select(network => Realistic(network, BuiltInMachines.Overlay[0])))),
            new(string.Create(CultureInfo.InvariantCulture, $"Shapes within {Elements} elements"), () => Shapes(all.Value)),
            new("What was published, and what of it can be checked", () => Claims(all.Value)),
        ];
    }

    /// <summary>GoogLeNet and Inception-v4 under the published costs on one overlay.</summary>
    private static string Algorithms(IReadOnlyList<DynamapNetwork> networks, (string Name, int Rows, int Columns, double Megahertz) overlay)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{overlay.Name,-24} {"network",-14} {"ms",8} {"utilisation",12} {"speed-up of the choice",23}\n");
        foreach (var network in networks)
        {
            var chains = PublishedChains.Of(network.Definition);
            var costs = new PublishedDynamapCosts(new(overlay.Rows, overlay.Columns, overlay.Megahertz, AllDataflows));
            var best = chains.Picoseconds(costs);
            foreach (var (name, menu) in DynamapReproduction.PublishedMenus)
            {
                var time = chains.Picoseconds(costs, layer => menu(costs, layer).ToEquatableArray());
                var utilisation = chains.Multiplications / (time / Picoseconds * overlay.Megahertz * 1000 * overlay.Rows * overlay.Columns);
                text.Append(CultureInfo.InvariantCulture, $"  {name,-22} {network.Title,-14} {time / Picoseconds,8:0.000} {100 * utilisation,10:0.0} % {(double)time / best,22:0.00}x\n");
            }
        }

        return text.Append('\n').ToString();
    }

    private static string Dataflows(IReadOnlyList<DynamapNetwork> networks)
    {
        var text = new StringBuilder();
        var (_, rows, columns, megahertz) = PublishedOverlays[0];
        text.Append(CultureInfo.InvariantCulture, $"{"dataflows",-12} {"network",-14} {"ms",8} {"speed-up of all three",22}\n");
        foreach (var network in networks)
        {
            var chains = PublishedChains.Of(network.Definition);
            var best = chains.Picoseconds(new(new(rows, columns, megahertz, AllDataflows)));
            foreach (var (name, dataflows) in DataflowMenus)
            {
                var time = chains.Picoseconds(new(new(rows, columns, megahertz, dataflows.ToEquatableArray())));
                text.Append(CultureInfo.InvariantCulture, $"{name,-12} {network.Title,-14} {time / Picoseconds,8:0.000} {(double)time / best,21:0.00}x\n");
            }
        }

        return text.ToString();
    }

    private static string Realistic(DynamapNetwork network, MachineDescription machine)
    {
        var text = new StringBuilder();
        var figures = DynamapReproduction.Mappings.Select(mapping => DynamapReproduction.Measure(network.Program, machine, mapping.Name, mapping.Options)).ToList();
        var best = figures[0];
        text.Append(CultureInfo.InvariantCulture, $"{network.Title,-24} {"cycles",10} {"ms",7} {"GOP/s",7} {"busy",7} {"effective",10} {"speed-up of the choice",23}  convolutions by algorithm; by dataflow; stored forms\n");
        foreach (var figure in figures)
        {
            var elements = (double)figure.Cycles * machine.Rows * machine.Columns;
            var milliseconds = Milliseconds(figure.Cycles, machine);
            text.Append(
                CultureInfo.InvariantCulture,
                $"  {figure.Mapping,-22} {figure.Cycles,10} {milliseconds,7:0.000} {2 * figure.Multiplications / milliseconds / 1e6,7:0} {100 * figure.Executed / elements,5:0.0} % {100 * figure.Multiplications / elements,8:0.0} % {(double)figure.Cycles / best.Cycles,22:0.00}x  {List(figure.Algorithms)}; {List(figure.Dataflows)}; {figure.Forms}\n");
        }

        var greedy = DynamapReproduction.Greedy(network.Program, machine);
        return text.Append(CultureInfo.InvariantCulture, $"  {"greedy",-22} {greedy,10} {Milliseconds(greedy, machine),7:0.000} {string.Empty,7} {string.Empty,7} {string.Empty,10} {(double)greedy / best.Cycles,22:0.00}x\n\n").ToString();
    }

    private static string Shapes(IReadOnlyList<DynamapNetwork> networks)
    {
        var text = new StringBuilder();
        var machine = BuiltInMachines.Overlay[0];
        var together = networks.Select(network => network.Title).Aggregate((a, b) => $"{a} and {b}");
        text.Append(CultureInfo.InvariantCulture, $"{"costs",-10} {"networks",-28} {"fastest",10} {"ms",8} {"92 x 66",9} {"78 x 78",9}\n");
        foreach (var (title, chosen) in networks.Select(network => (network.Title, (IReadOnlyList<DynamapNetwork>)[network])).Append((together, networks)))
        {
            Add("published", title, new PublishedShapeModel([.. chosen.Select(network => PublishedChains.Of(network.Definition))], machine.Systolic![SystolicKeys.Clock(1)]), cost => cost / Picoseconds);
            Add("realistic", title, new NetworkShapeModel([.. chosen.Select(network => network.Program)], machine), cost => Milliseconds(cost, machine));
        }

        return text.ToString();

        void Add(string costs, string title, IShapeModel model, Func<long, double> milliseconds)
        {
            var (shape, cost) = ShapeExplorer.Explore(model, Elements, fastestOnly: true).Front[^1];
            var (paper, square) = (model.Cost(new(92, 66), long.MaxValue)!.Value, model.Cost(new(78, 78), long.MaxValue)!.Value);
            var name = string.Create(CultureInfo.InvariantCulture, $"{shape.Rows} x {shape.Columns}");
            text.Append(CultureInfo.InvariantCulture, $"{costs,-10} {title,-28} {name,10} {milliseconds(cost),8:0.000} {milliseconds(paper),9:0.000} {milliseconds(square),9:0.000}\n");
        }
    }

    private static string Claims(IReadOnlyList<DynamapNetwork> networks)
    {
        var machine = BuiltInMachines.Overlay[0];
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{"network",-14} {"published speed-up",19} {"over single algorithms",23} {"over fixed dataflows",21} {"over greedy",12} {"over im2col on NS",18}\n");
        foreach (var (network, claim) in networks.Zip((string[])["up to 2.8x", "up to 1.4x"]))
        {
            var figures = DynamapReproduction.Mappings.ToDictionary(mapping => mapping.Name, mapping => DynamapReproduction.Measure(network.Program, machine, mapping.Name, mapping.Options).Cycles, StringComparer.Ordinal);
            var best = (double)figures[DynamapReproduction.Chosen];
            string Range(params string[] names) => string.Create(CultureInfo.InvariantCulture, $"{names.Min(name => figures[name] / best):0.00} to {names.Max(name => figures[name] / best):0.00}x");
            text.Append(
                CultureInfo.InvariantCulture,
                $"{network.Title,-14} {claim,19} {Range("im2col only", "kn2row, else im2col", "Winograd, else im2col"),23} {Range("NS only", "WS only", "IS only"),21} {DynamapReproduction.Greedy(network.Program, machine) / best,11:0.00}x {figures["im2col, NS only"] / best,17:0.00}x\n");
        }

        return text.Append(
            """

            The published speed-ups are over other designs on other FPGAs: what those designs measured stands in tables of the paper that could not be read, and no hardware is here; they are neither
            confirmed nor refuted. What can be compared is the choice against what the same overlay does without it, above, under costs that are counted cycle by cycle.

            Checked: the costs in the authors' code, digit by digit where it prints any (Inception-3a's vectors and transitions), and the 92 x 66, 286 MHz figures derived from it.
            Not checked, for want of a readable source: latencies of 1.34 ms (GoogLeNet) and 4.39 ms (Inception-v4), 286 MHz, about 6,200 DSPs, the array of Inception-v4 (95 x 64), choices
            and utilisation of layers, gains over single algorithms in per cent, time of the solver. All of these are remembered or from secondary notes.
            Not repeated: the notebook's argmin 92 x 66 and its 1.034 ms, which count K^2 twice for kn2row and Winograd; with each layer's true cost another shape is fastest (above).

            busy: multiplications done, a cycle and element; effective: multiplications of the convolutions' definition, which Winograd needs fewer of. Realistic costs have what the published ones leave out: whole
            rounds of Winograd, volume of transforms, fill and drain, bursts, buffers and their double use; vector unit and host (pooling, softmax) are in neither.

            """).ToString();
    }

    private static double Milliseconds(long cycles, MachineDescription machine) => cycles / (machine.Systolic![SystolicKeys.Clock(1)] * 1000.0);

    private static string List(IReadOnlyDictionary<string, int> counts) => string.Join(", ", counts.Select(entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Value} {entry.Key}")));
}
