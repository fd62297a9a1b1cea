using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests.Chip;

namespace CnnCompiler.Targets.Nests.Reproduction;

/// <summary>What executes the steps that a machine without general convolutions can't.</summary>
public enum Baseline
{
    /// <summary>The host, over a link.</summary>
    HostOffload,

    /// <summary>A vector unit on the chip.</summary>
    VectorUnit,

    /// <summary>Units for pooling and normalisation; the host for the rest.</summary>
    DedicatedUnits,
}

/// <summary>The values that issue 9 fixes for the baselines, and what they leave open.</summary>
/// <param name="LinkBytesPerSecond">The link between host and accelerator.</param>
/// <param name="VectorLanes">Lanes of the vector unit, an operation a cycle each.</param>
public sealed record BaselineParameters(double LinkBytesPerSecond = 3.2e9, int VectorLanes = 16)
{
    /// <summary>Seconds that a transfer takes besides its bytes.</summary>
    public const double TransferSeconds = 5e-6;

    /// <summary>Operations of the host in a second.</summary>
    public const double HostOperationsPerSecond = 50e9;

    /// <summary>Assumed: energy of an operation of the host in operations of the vector unit; fetch, decode and caches of a processor.</summary>
    public const int HostEnergyFactor = 64;

    /// <summary>Assumed: a word over the link costs two of DRAM, one at each end, and the link itself nothing. What the host reads and writes costs a word of its memory each besides.</summary>
    public const int LinkEnergyFactor = 2;
}

/// <summary>Time and energy of a network on a machine.</summary>
/// <param name="Seconds">Time in all.</param>
/// <param name="OtherSeconds">Of that, what is no convolution, transfers included.</param>
/// <param name="Joules">Energy.</param>
/// <param name="ArrayBound">Seconds in which the array is the slowest.</param>
/// <param name="UnitBound">Seconds in which the units behind it are.</param>
/// <param name="DramBound">Seconds in which DRAM is.</param>
/// <param name="OtherJoules">Energy of what is no convolution, transfers included.</param>
public readonly record struct ComparedRun(double Seconds, double OtherSeconds, double Joules, double ArrayBound, double UnitBound, double DramBound, double OtherJoules)
{
    /// <summary>Times as fast as it would be if all but the convolutions took no time.</summary>
    public double FastestTimes => Seconds / (Seconds - OtherSeconds);

    /// <summary>Times less energy that it would need if all but the convolutions needed none.</summary>
    public double LeastTimes => Joules / (Joules - OtherJoules);
}

/// <summary>Where a chain's convolutions lie under the roof of a machine, seconds each.</summary>
/// <param name="Array">With every element of the array in use all the time.</param>
/// <param name="Dram">With every operand moved once.</param>
/// <param name="Both">With the slower of these for each operator: no mapping is faster.</param>
/// <param name="Reached">As mapped.</param>
/// <param name="TapsPerByte">Terms for each byte that has to move.</param>
public readonly record struct ComparedRoof(double Array, double Dram, double Both, double Reached, double TapsPerByte);

/// <summary>A machine with the mappings it was compared with: equal operators are mapped once.</summary>
/// <param name="machine">The machine with what GCONV adds.</param>
public sealed class GconvComparison(MachineDescription machine)
{
    /// <summary>Unrollings in a row without gain after which the search of a mapping ends here: steps of training have thousands of different operators.</summary>
    private const int Patience = 6;

    private const string AdditionMark = "an addition for GCONV";
    private readonly Dictionary<(bool Plain, string Key), NestPlan> _mapped = [];
    private readonly Dictionary<(ComparedNetwork Network, Baseline? Baseline, int Lanes), IReadOnlyList<ComparedCost>> _costs = [];
    private readonly NestChipPlans _kept = new(machine, Patience);
    private readonly NestChipPlans _plainKept = new(WithoutAdditions(machine), Patience);
    private readonly MachineDescription _plain = WithoutAdditions(machine);

    /// <summary>The machine.</summary>
    public MachineDescription Machine => machine;

    /// <summary>The machine without the unrollings that GCONV adds.</summary>
    public static MachineDescription WithoutAdditions(MachineDescription machine) => machine with
    {
        Systolic = SystolicKeys.All.Where(key => machine.Systolic!.Find(key) is { } value && value.Source.Contains(AdditionMark, StringComparison.Ordinal))
            .Aggregate(machine.Systolic!, (description, key) => description.With(key, new(0, "without GCONV"))),
    };

    /// <summary>Every general convolution on the accelerator; what is none on the host.</summary>
    public ComparedRun Chain(ComparedNetwork network, BaselineParameters parameters) => Run(network, null, parameters);

    /// <summary>Convolutions on the accelerator, the rest as the baseline says.</summary>
    public ComparedRun Without(ComparedNetwork network, Baseline baseline, BaselineParameters parameters) => Run(network, baseline, parameters);

    /// <summary>What bounds every mapping of the chain's convolutions.</summary>
    public ComparedRoof Roof(ComparedNetwork network)
    {
        var (period, roof, operations, bytes) = (1e-6 / machine.Systolic![SystolicKeys.Clock(1)], default(ComparedRoof), 0L, 0L);
        foreach (var step in network.Steps.Where(step => step.Descriptor is not null))
        {
            var operation = step.Descriptor!;
            var least = NestModel.LeastBytes(operation, NestPlacement.Dram);
            var array = (double)NestModel.Taps(operation) * NestModel.CyclesPerTap(operation, machine) / ((long)machine.Rows * machine.Columns) * period;
            var dram = (double)least / machine.Systolic[SystolicKeys.OffChipBytes] * period;
            var counts = NestModel.Count(Map(operation, isPlain: false).Encode(operation, machine), machine);
            roof = new(roof.Array + array, roof.Dram + dram, roof.Both + Math.Max(array, dram), roof.Reached + (counts.Cycles(machine) * period), 0);
            (operations, bytes) = (operations + NestModel.Taps(operation), bytes + least);
        }

        return roof with { TapsPerByte = (double)operations / bytes };
    }

    /// <summary>Descriptors of a chain and their room.</summary>
    public (int Count, DescriptorSize Size) Code(ComparedNetwork network) => Costs(network, null, new()).Select(cost => cost.Nest).OfType<NestStep>()
        .Aggregate((Count: 0, Size: default(DescriptorSize)), (sum, nest) => (sum.Count + 1, sum.Size + DescriptorSize.Of(nest)));

    private ComparedRun Run(ComparedNetwork network, Baseline? baseline, BaselineParameters parameters)
    {
        var description = machine.Systolic!;
        var (period, link) = (1e-6 / description[SystolicKeys.Clock(1)], new Link(parameters));
        var run = default(ComparedRun);
        foreach (var (step, cost) in network.Steps.Zip(Costs(network, baseline, parameters)))
        {
            var place = PlaceOf(step, baseline);
            var transfers = link.Bring(step, toHost: place == Place.Host);
            var (seconds, joules) = (cost.Cycles * period, (double)cost.Energy * 1e-18);
            if (cost.Nest is { } nest)
            {
                var counts = NestModel.Count(nest, machine);
                run = counts.TransferCycles(machine) >= Math.Max(counts.ArrayCycles, counts.PostCycles) ? run with { DramBound = run.DramBound + seconds }
                    : counts.PostCycles > counts.ArrayCycles ? run with { UnitBound = run.UnitBound + seconds }
                    : run with { ArrayBound = run.ArrayBound + seconds };
            }
            else if (place == Place.Host)
            {
                (seconds, joules) = (
                    step.Operations / BaselineParameters.HostOperationsPerSecond,
                    1e-18 * (((double)step.Operations * BaselineParameters.HostEnergyFactor * description[SystolicKeys.VectorOperation]) + (step.Bytes / 4.0 * description[SystolicKeys.DramWord])));
            }

            var moved = transfers.Seconds;
            var carried = transfers.Bytes / 4.0 * BaselineParameters.LinkEnergyFactor * description[SystolicKeys.DramWord] * 1e-18;
            var isOther = step.Kind != ComparedKind.Convolution;
            run = run with
            {
                Seconds = run.Seconds + seconds + moved,
                OtherSeconds = run.OtherSeconds + moved + (isOther ? seconds : 0),
                Joules = run.Joules + joules + carried,
                OtherJoules = run.OtherJoules + carried + (isOther ? joules : 0),
            };
        }

        return run;
    }

    private static Place PlaceOf(ComparedStep step, Baseline? baseline) => (step.Kind, baseline) switch
    {
        (ComparedKind.Host, _) => Place.Host,
        (_, null) or (ComparedKind.Convolution, _) => Place.Array,
        (_, Baseline.VectorUnit) => Place.Vector,
        (ComparedKind.PoolOrNorm, Baseline.DedicatedUnits) => Place.Unit,
        _ => Place.Host,
    };

    /// <summary>What steps on the chip cost where values between them stay on it, whatever unit executes them; worked out once.</summary>
    private IReadOnlyList<ComparedCost> Costs(ComparedNetwork network, Baseline? baseline, BaselineParameters parameters)
    {
        var key = (network, baseline, parameters.VectorLanes);
        if (!_costs.TryGetValue(key, out var costs))
        {
            var prices = new Prices(this, network, baseline, parameters);
            var choices = network.Keeps
                ? ChipSelector.Choose(network.Chip, machine.Systolic![SystolicKeys.ActivationBytes], prices)
                : [.. network.Steps.Select((_, i) => new ChipChoice(NestPlacement.Dram, long.MaxValue, prices.Of(i, NestPlacement.Dram, long.MaxValue)!.Value, null))];
            costs = [.. choices.Select((choice, i) => new ComparedCost(choice.Cost.Cycles, choice.Cost.Energy, prices.Nest(i, choice)))];
            _costs.Add(key, costs = network.Exchanges ? InTurn(network, choices, costs, baseline) : costs);
        }

        return costs;
    }

    /// <summary>The same with steps of the array that follow each other in turn.</summary>
    private List<ComparedCost> InTurn(ComparedNetwork network, IReadOnlyList<ChipChoice> choices, IReadOnlyList<ComparedCost> costs, Baseline? baseline)
    {
        List<TurnStep> steps = [.. choices.Select((choice, i) => new TurnStep(
            choice.Chip, costs[i].Nest is null ? null : network.Steps[i].Descriptor, costs[i].Nest is { } nest ? new(network.Chip.Steps[i].Name, [.. nest.Loops], [.. nest.Outer], [.. nest.Inner]) : null))];
        var of = baseline is null ? machine : _plain;
        var chosen = TurnSelector.Choose(network.Chip, steps, of, baseline is null ? _kept : _plainKept, default);
        return [.. costs.Select((cost, i) =>
        {
            if (chosen[i] == steps[i] || chosen[i] is not { Operation: { } operation, Plan: { } plan })
            {
                return cost;
            }

            var nest = (plan with { Chip = chosen[i].Chip }).Encode(operation, of);
            var counts = NestModel.Count(nest, of);
            return new(counts.Cycles(of), new NestEnergy(operation, of).Of(counts), nest);
        })];
    }

    private NestPlan Map(SystolicOperator operation, bool isPlain)
    {
        var key = (isPlain, NestMapper.Key(operation));
        if (!_mapped.TryGetValue(key, out var mapped))
        {
            mapped = NestMapper.Best(operation, isPlain ? _plain : machine, Patience) ?? throw new InvalidOperationException($"an element does not fit the buffers of {machine.Name}");
            _mapped.Add(key, mapped);
        }

        return mapped;
    }

    /// <summary>What a step on the chip costs: cycles, attojoules, and its nest where the array executes it. Nothing for a step of the host.</summary>
    private readonly record struct ComparedCost(long Cycles, Int128 Energy, NestStep? Nest);

    /// <summary>The array's mappings, and units beside it, which take values from the chip as the array does.</summary>
    private sealed class Prices(GconvComparison comparison, ComparedNetwork network, Baseline? baseline, BaselineParameters parameters) : IChipCosts
    {
        private readonly NestChipPlans _plans = baseline is null ? comparison._kept : comparison._plainKept;
        private readonly NestSpace?[] _spaces = [.. network.Steps.Select(step =>
            step.Descriptor is { } operation && PlaceOf(step, baseline) == Place.Array ? (baseline is null ? comparison._kept : comparison._plainKept).Space(operation) : null)];

        public bool UsesChip(int step) => PlaceOf(network.Steps[step], baseline) != Place.Host;

        public ChipCost? Of(int step, NestPlacement place, long free) => PlaceOf(network.Steps[step], baseline) switch
        {
            Place.Host => default(ChipCost),
            Place.Array => Mapped(step, place, free)?.Cost,
            var unit => Unit(step, unit, place),
        };

        /// <summary>The nest of a step of the array.</summary>
        public NestStep? Nest(int step, ChipChoice choice) => PlaceOf(network.Steps[step], baseline) == Place.Array && Mapped(step, choice.Place, choice.Free) is var (plan, _)
            ? (plan with { Chip = choice.Chip }).Encode(network.Steps[step].Descriptor!, baseline is null ? comparison.Machine : comparison._plain)
            : null;

        private (NestPlan Plan, ChipCost Cost)? Mapped(int step, NestPlacement place, long free) =>
            _plans.Of(_spaces[step]!, comparison.Map(network.Steps[step].Descriptor!, baseline is not null), place, free);

        /// <summary>A unit beside the array: DRAM is shared by all units of the chip.</summary>
        private ChipCost Unit(int number, Place unit, NestPlacement place)
        {
            var (step, machine) = (network.Steps[number], comparison.Machine);
            var (reads, kept) = (network.Chip.Steps[number].Reads, place.Keeps ? step.WrittenBytes : 0);
            var names = reads.Where((tensor, i) => tensor >= 0 && (i == ChipStep.Input ? place.Input : i == ChipStep.Kernel ? place.Kernel : (place.Extras >> (i - ChipStep.Extras) & 1) == 1))
                .Select(tensor => network.Chip.Tensors[tensor].Name).ToHashSet(StringComparer.Ordinal);
            var taken = step.Reads.Where(read => names.Contains(read.Name)).Sum(read => read.Bytes);
            var dram = step.Bytes - taken - (place.Stores ? 0 : step.WrittenBytes);
            var compute = unit == Place.Vector ? Up(step.Operations, parameters.VectorLanes) : Up(NestModel.Taps(step.Descriptor!), machine.Columns);
            return new(
                Math.Max(compute, Up(dram, machine.Systolic![SystolicKeys.OffChipBytes])),
                ((Int128)step.Operations * machine.Systolic[SystolicKeys.VectorOperation]) + ((Int128)dram * machine.Systolic[SystolicKeys.DramWord] / 4) + ((Int128)(taken + kept) * machine.Systolic[SystolicKeys.BufferWord] / 4),
                0);
        }
    }

    private static long Up(long value, long by) => (value + by - 1) / by;

    private enum Place
    {
        Array,
        Vector,
        Unit,
        Host,
    }

    /// <summary>Where tensors are: a tensor crosses the link when it is needed on the other side for the first time.</summary>
    private sealed class Link(BaselineParameters parameters)
    {
        private readonly HashSet<string> _onHost = new(StringComparer.Ordinal);
        private readonly HashSet<string> _onChip = new(StringComparer.Ordinal);

        public (double Seconds, long Bytes) Bring(ComparedStep step, bool toHost)
        {
            var (seconds, moved) = (0.0, 0L);
            var (here, there) = toHost ? (_onHost, _onChip) : (_onChip, _onHost);
            foreach (var (name, bytes) in step.Reads)
            {
                // inputs of the network and what steps on the chip wrote lie there
                var isHere = here.Contains(name) || (!toHost && !there.Contains(name));
                if (!isHere)
                {
                    seconds += BaselineParameters.TransferSeconds + (bytes / parameters.LinkBytesPerSecond);
                    moved += bytes;
                    here.Add(name);
                }
            }

            // pieces of a joined tensor may come from both sides
            if (there.Contains(step.Writes) && !here.Contains(step.Writes))
            {
                seconds += BaselineParameters.TransferSeconds + (step.WrittenBytes / parameters.LinkBytesPerSecond);
                moved += step.WrittenBytes;
            }
            else
            {
                here.Add(step.Writes);
            }

            return (seconds, moved);
        }
    }
}
