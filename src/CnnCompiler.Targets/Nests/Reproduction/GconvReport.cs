using System.Globalization;
using System.Text;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic.Reproduction;

namespace CnnCompiler.Targets.Nests.Reproduction;

/// <summary>The report of <c>cnnc reproduce gconv</c>: networks at full resolution on every machine, beside three baselines, by the model that the interpreter's counts confirm.</summary>
public static class GconvReport
{
    private static readonly double[] Links = [0.8e9, 3.2e9, 12.8e9, 51.2e9];
    private static readonly int[] Lanes = [4, 16, 64, 256];

    /// <summary>The sections.</summary>
    /// <param name="inference">The networks; asked for once, when a section is worked out.</param>
    /// <param name="training">Steps of training of them; the same.</param>
    /// <param name="lines">Counts the compiler's lines.</param>
    /// <param name="cost">Inputs of the whole-life cost.</param>
    public static IReadOnlyList<ReproductionSection> Sections(Func<IReadOnlyList<GconvNetwork>> inference, Func<IReadOnlyList<GconvNetwork>> training, Func<LayerLines> lines, WholeLifeCost cost)
    {
        var machines = new Lazy<IReadOnlyList<GconvComparison>>(() => [.. BuiltInMachines.Gconv.Select(machine => new GconvComparison(machine))]);
        var (first, second) = (new Lazy<IReadOnlyList<GconvNetwork>>(inference), new Lazy<IReadOnlyList<GconvNetwork>>(training));
        return
        [
            .. Suite("Inference", first),
            new("Code: descriptors of general convolutions beside one instruction a layer", () => Code(first.Value, machines.Value[0])),
            .. Suite("One step of training", second),
            new("How the averages of the performance depend on the link and on the vector unit: inference", () => Sensitivity(first.Value, machines.Value)),
            new("One step of training: how the averages depend on them", () => Sensitivity(second.Value, machines.Value)),
            new("What a layer costs in the compiler: lines of code, counted from its sources", () => WholeLifeReport.Lines(lines())),
            new("Whole-life cost: dollars a device for purchase, energy of inference, and layers that are new", () => WholeLifeReport.Cost(first.Value, machines.Value, lines(), cost)),
        ];

        IEnumerable<ReproductionSection> Suite(string name, Lazy<IReadOnlyList<GconvNetwork>> networks) =>
        [
            .. BuiltInMachines.Gconv.Select((machine, i) => new ReproductionSection(
                Text($"{name} on {machine.Name}, {machine.Rows} by {machine.Columns}"), () => Table(networks.Value, machines.Value[i]))),
            new($"{name}: averages over all machines and networks (the paper's abstract: 3.4 times the performance, 3.2 times the energy efficiency; how it averages is not known)", () => Averages(networks.Value, machines.Value)),
            new($"{name}: what each pass on the chain gains, times as long and as much energy without it (geometric mean over the machines)", () => Passes(networks.Value, machines.Value)),
            new($"{name}: roofline of operators one by one with everything in DRAM, milliseconds with the whole array busy, with each operand moved once, with the slower of both for each operator, and reached", () => Roofs(networks.Value, machines.Value)),
        ];
    }

    private static string Table(IReadOnlyList<GconvNetwork> networks, GconvComparison comparison)
    {
        var text = new StringBuilder();
        text.Append("                    GCONV chain                 |     times faster     |  times less energy   | share of other layers\n");
        text.Append("network               ms   array  units  DRAM   |  host  vector  units |  host  vector  units |  host  vector  units\n");
        foreach (var network in networks)
        {
            var chain = comparison.Chain(network.Chain, new());
            var others = Enum.GetValues<Baseline>().Select(baseline => comparison.Without(network.Layers, baseline, new())).ToList();
            text.Append(Text($"{network.Name,-16}{chain.Seconds * 1e3,9:F3}{100 * chain.ArrayBound / chain.Seconds,6:F0} %{100 * chain.UnitBound / chain.Seconds,5:F0} %{100 * chain.DramBound / chain.Seconds,5:F0} %  |"));
            text.AppendJoin(' ', others.Select(other => Text($"{other.Seconds / chain.Seconds,6:F2}"))).Append(" |");
            text.AppendJoin(' ', others.Select(other => Text($"{other.Joules / chain.Joules,6:F2}"))).Append(" |");
            text.AppendJoin(' ', others.Select(other => Text($"{100 * other.OtherSeconds / other.Seconds,5:F0} %"))).Append('\n');
        }

        return text.ToString();
    }

    private static string Averages(IReadOnlyList<GconvNetwork> networks, IReadOnlyList<GconvComparison> machines)
    {
        var text = new StringBuilder("                                  performance                         |  energy\n");
        text.Append("baseline                          arithmetic  geometric  ceiling      |  arithmetic  geometric  ceiling\n");
        foreach (var baseline in Enum.GetValues<Baseline>())
        {
            Row(baseline.ToString(), machines, baseline);
        }

        foreach (var machine in machines)
        {
            foreach (var baseline in Enum.GetValues<Baseline>())
            {
                Row(Text($"  {machine.Machine.Name,-14}{baseline,-16}"), [machine], baseline);
            }
        }

        text.Append("\nceiling: geometric mean of what a machine would gain on which all that is no convolution took no time and no energy, and convolutions what they take in the baseline\n");
        foreach (var machine in machines)
        {
            var (runs, units) = (networks.Select(network => machine.Chain(network.Chain, new())).ToList(), networks.Select(network => machine.Without(network.Layers, Baseline.DedicatedUnits, new())).ToList());
            var (array, post, dram) = (runs.Average(run => run.ArrayBound / run.Seconds), runs.Average(run => run.UnitBound / run.Seconds), runs.Average(run => run.DramBound / run.Seconds));
            text.Append(Text($"{machine.Machine.Name,-14}  the chain waits for the array {100 * array:F0} %, for the units behind it {100 * post:F0} %, for DRAM {100 * dram:F0} % of the time; with dedicated units {100 * units.Average(run => run.OtherSeconds / run.Seconds):F0} % of the time and {100 * units.Average(run => run.OtherJoules / run.Joules):F0} % of the energy are for other layers\n"));
        }

        return text.ToString();

        void Row(string name, IReadOnlyList<GconvComparison> of, Baseline baseline)
        {
            var pairs = Pairs(networks, of, baseline, new());
            var others = of.SelectMany(_ => networks, (machine, network) => machine.Without(network.Layers, baseline, new())).ToList();
            text.Append(Text($"{name,-32}{pairs.Average(pair => pair.Time),12:F2}{Geometric(pairs.Select(pair => pair.Time)),11:F2}{Geometric(others.Select(other => other.FastestTimes)),9:F2}      |"));
            text.Append(Text($"{pairs.Average(pair => pair.Energy),12:F2}{Geometric(pairs.Select(pair => pair.Energy)),11:F2}{Geometric(others.Select(other => other.LeastTimes)),9:F2}\n"));
        }
    }

    private static string Sensitivity(IReadOnlyList<GconvNetwork> networks, IReadOnlyList<GconvComparison> machines)
    {
        var text = new StringBuilder("link, GB/s     host: arithmetic  geometric   dedicated units: arithmetic  geometric\n");
        foreach (var link in Links)
        {
            var parameters = new BaselineParameters(LinkBytesPerSecond: link);
            var host = Pairs(networks, machines, Baseline.HostOffload, parameters).Select(pair => pair.Time).ToList();
            var units = Pairs(networks, machines, Baseline.DedicatedUnits, parameters).Select(pair => pair.Time).ToList();
            text.Append(Text($"{link / 1e9,10:F1}{host.Average(),21:F2}{Geometric(host),11:F2}{units.Average(),30:F2}{Geometric(units),11:F2}\n"));
        }

        text.Append("\nlanes        vector unit: arithmetic  geometric\n");
        foreach (var lanes in Lanes)
        {
            var vector = Pairs(networks, machines, Baseline.VectorUnit, new(VectorLanes: lanes)).Select(pair => pair.Time).ToList();
            text.Append(Text($"{lanes,5}{vector.Average(),31:F2}{Geometric(vector),11:F2}\n"));
        }

        return text.ToString();
    }

    private static string Passes(IReadOnlyList<GconvNetwork> networks, IReadOnlyList<GconvComparison> machines)
    {
        var names = networks.SelectMany(network => network.Without).Select(variant => variant.Pass).Distinct(StringComparer.Ordinal).ToList();
        var text = new StringBuilder(new string(' ', 25));
        text.AppendJoin(string.Empty, names.Select(name => Text($" | without {name,-20}"))).Append(Text($"\n{"network",-16}{"steps",9}"));
        text.AppendJoin(string.Empty, names.Select(_ => Text($" | {"steps",10}{"time",9}{"energy",9}"))).Append('\n');
        foreach (var network in networks)
        {
            text.Append(Text($"{network.Name,-16}{Steps(network.Chain),9}"));
            foreach (var name in names)
            {
                if (network.Without.FirstOrDefault(variant => variant.Pass == name).Chain is not { } chain)
                {
                    text.Append(Text($" | {"-",10}{"-",9}{"-",9}"));
                    continue;
                }

                var runs = machines.Select(machine => (With: machine.Chain(network.Chain, new()), Without: machine.Chain(chain, new()))).ToList();
                text.Append(Text($" | {Steps(chain),10}{Geometric(runs.Select(run => run.Without.Seconds / run.With.Seconds)),9:F3}{Geometric(runs.Select(run => run.Without.Joules / run.With.Joules)),9:F3}"));
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    private static int Steps(ComparedNetwork network) => network.Steps.Count;

    private static string Roofs(IReadOnlyList<GconvNetwork> networks, IReadOnlyList<GconvComparison> machines)
    {
        var text = new StringBuilder("machine        network          terms/byte     array      DRAM      both   reached  of the roof\n");
        foreach (var machine in machines)
        {
            foreach (var network in networks)
            {
                var roof = machine.Roof(network.Chain);
                text.Append(Text($"{machine.Machine.Name,-15}{network.Name,-16}{roof.TapsPerByte,11:F1}{1e3 * roof.Array,10:F3}{1e3 * roof.Dram,10:F3}{1e3 * roof.Both,10:F3}{1e3 * roof.Reached,10:F3}{100 * roof.Both / roof.Reached,11:F0} %\n"));
            }
        }

        return text.ToString();
    }

    private static string Code(IReadOnlyList<GconvNetwork> networks, GconvComparison machine)
    {
        var text = new StringBuilder("network           descriptors   bytes in the image   bytes packed   bytes of layer code   times\n");
        foreach (var network in networks)
        {
            var (count, size) = machine.Code(network.Chain);
            text.Append(Text($"{network.Name,-16}{count,13}{size.Words,21}{size.Packed,15}{network.LayerCode,22}{(double)size.Packed / network.LayerCode,8:F1}\n"));
        }

        return text.ToString();
    }

    private static List<(double Time, double Energy)> Pairs(IReadOnlyList<GconvNetwork> networks, IReadOnlyList<GconvComparison> machines, Baseline baseline, BaselineParameters parameters) =>
        [.. machines.SelectMany(_ => networks, (machine, network) =>
        {
            var (chain, other) = (machine.Chain(network.Chain, parameters), machine.Without(network.Layers, baseline, parameters));
            return (other.Seconds / chain.Seconds, other.Joules / chain.Joules);
        })];

    private static double Geometric(IEnumerable<double> values) => Math.Exp(values.Average(Math.Log));

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
