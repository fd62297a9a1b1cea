using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Passes.Memory;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Nests.Chip;

/// <summary>A step and how it runs.</summary>
/// <param name="Chip">Where its operands lie on the chip; null where all are in DRAM and nothing else is on the chip.</param>
/// <param name="Operation">Its operator, where the array executes it.</param>
/// <param name="Plan">The operator's mapping.</param>
internal sealed record TurnStep(NestChip? Chip, SystolicOperator? Operation, NestPlan? Plan);

/// <summary>
/// Chooses steps that run in turn. Of each pair of steps that follow each other the outermost loops and tiles are looked at that both can have (<see cref="TurnOptions"/>); those that are better than others in
/// time or room are a step's variants, of which <see cref="TurnPath"/> takes the cheapest path. Where addresses can't be found the next try gives out less of the buffer. Tensors that stay on the chip as a whole
/// stay, or become windows.
/// </summary>
internal sealed class TurnSelector : ITurnSteps
{
    /// <summary>Parts of the buffer; where addresses can't be found the next try has one less.</summary>
    private const int Parts = 8;

    private readonly ChipProgram _program;
    private readonly IReadOnlyList<TurnStep> _steps;
    private readonly NestChipPlans _plans;
    private readonly CancellationToken _cancellation;
    private readonly long _capacity;
    private readonly (int First, int Last)[] _whole;
    private readonly NestSpace?[] _spaces;
    private readonly ChipCost[] _now;
    private readonly TileTakers[] _takers;
    private readonly bool[] _hands;
    private readonly List<EquatableArray<NestLead>>[] _variants;
    private readonly Dictionary<(int Step, int From, int To), TileWindow?> _windows = [];
    private readonly Dictionary<(NestSpace, NestSpace, TileTakers), TileWindows> _between = [];

    /// <summary>Works out the variants of steps.</summary>
    public TurnSelector(ChipProgram program, IReadOnlyList<TurnStep> steps, MachineDescription machine, NestChipPlans plans, CancellationToken cancellation)
    {
        (_program, _steps, _plans, _cancellation) = (program, steps, plans, cancellation);
        _capacity = machine.Systolic![SystolicKeys.ActivationBytes];
        _spaces = [.. steps.Select(step => step.Operation is { } operation ? plans.Space(operation) : null)];
        _now = [.. steps.Select((step, i) => step.Plan is { } plan ? NestChipPlans.Priced(_spaces[i]!, plan, NestPlacement.Of(step.Chip)).Cost : default)];
        _whole = Whole();
        _takers = [.. steps.Select((_, i) => i == 0 ? default : TakersOf(i))];
        _hands = [.. Enumerable.Range(0, steps.Count).Select(MayHand)];
        _variants = AllVariants();
    }

    /// <inheritdoc/>
    public int Count => _steps.Count;

    /// <inheritdoc/>
    public ChipCost Now(int step) => _now[step];

    /// <inheritdoc/>
    public bool Hands(int step) => _hands[step];

    /// <inheritdoc/>
    public int Variants(int step) => _variants[step].Count;

    /// <summary>How each step runs: as before, or in turn with others.</summary>
    /// <param name="program">The program.</param>
    /// <param name="steps">How its steps run one after the other.</param>
    /// <param name="machine">The machine.</param>
    /// <param name="plans">Mappings on it.</param>
    /// <param name="cancellation">Ends early.</param>
    public static IReadOnlyList<TurnStep> Choose(ChipProgram program, IReadOnlyList<TurnStep> steps, MachineDescription machine, NestChipPlans plans, CancellationToken cancellation)
    {
        var selector = new TurnSelector(program, steps, machine, plans, cancellation);
        for (var parts = Parts; parts > 0; parts--)
        {
            var found = TurnPath.Cheapest(selector, selector._capacity / Parts * parts, cancellation);
            if (found.All(path => path.Plan is null))
            {
                return steps;
            }

            if (selector.Addressed(found) is { } chosen)
            {
                return chosen;
            }
        }

        return steps;
    }

    /// <summary>For each tensor the steps during which it is on the chip as a whole; (0, -1) where it is not.</summary>
    private (int, int)[] Whole()
    {
        var whole = Enumerable.Repeat((First: 0, Last: -1), _program.Tensors.Count).ToArray();
        for (var i = 0; i < _steps.Count; i++)
        {
            var (reads, place) = (_program.Steps[i].Reads, NestPlacement.Of(_steps[i].Chip));
            for (var operand = 0; operand < reads.Length && _steps[i].Chip is not null; operand++)
            {
                if (place.Has(operand))
                {
                    whole[reads[operand]].Last = i;
                }
            }

            if (place.Keeps)
            {
                ref var life = ref whole[_program.Steps[i].Written];
                life = life.Last < 0 ? (i, i) : (life.First, i);
            }
        }

        return whole;
    }

    /// <summary>The operands of a step that read what the step before it writes; none where another one does that needs it as a whole.</summary>
    private TileTakers TakersOf(int step)
    {
        var (tensor, reads, takers) = (_program.Steps[step - 1].Written, _program.Steps[step].Reads, default(TileTakers));
        if (_steps[step].Operation is not { } operation || (reads.Length > ChipStep.Kernel && reads[ChipStep.Kernel] == tensor))
        {
            return takers;
        }

        for (var i = 0; i < reads.Length; i++)
        {
            if (reads[i] == tensor && i >= ChipStep.Extras && operation.IsTable(i - ChipStep.Extras))
            {
                return default;
            }

            takers = reads[i] != tensor ? takers : i == ChipStep.Input ? takers with { Input = true } : takers with { Extras = takers.Extras | (1UL << (i - ChipStep.Extras)) };
        }

        return takers;
    }

    /// <summary>True where a step can hand its result over to the next one: it alone writes it, the next one reads it tile by tile, and it is not on the chip for others too.</summary>
    private bool MayHand(int step)
    {
        var tensor = _program.Steps[step].Written;
        return step + 1 < _steps.Count && _steps[step].Operation is not null && _takers[step + 1] != default
            && _program.Steps.Count(other => other.Written == tensor) == 1
            && (_whole[tensor].Last < 0 || _whole[tensor] == (step, step + 1));
    }

    /// <summary>Where the operands of a step are that takes tiles, or hands them over.</summary>
    private NestPlacement PlacementOf(int step, bool takes, bool hands)
    {
        var (now, tensor) = (NestPlacement.Of(_steps[step].Chip), _program.Steps[step].Written);

        // in DRAM besides where others read it there
        var stores = now.Keeps ? now.Stores : _program.Tensors[tensor].IsOutput || _program.Steps.Where((_, i) => i != step + 1).Any(other => other.Reads.Contains(tensor));
        var takers = takes ? _takers[step] : default;
        return now with { Input = now.Input || takers.Input, Extras = now.Extras | takers.Extras, Keeps = now.Keeps || hands, Stores = hands ? stores : now.Stores };
    }

    private (NestPlan Plan, ChipCost Cost)? Mapped(int step, bool takes, bool hands, EquatableArray<NestLead> leads, long free) =>
        _plans.Of(_spaces[step]!, _steps[step].Plan!, PlacementOf(step, takes, hands), free, leads);

    /// <summary>The outermost loops that are looked at for each step.</summary>
    private List<EquatableArray<NestLead>>[] AllVariants()
    {
        var variants = _steps.Select(_ => new List<EquatableArray<NestLead>>()).ToArray();
        var known = new Dictionary<(NestSpace, NestSpace, TileTakers, NestPlacement, NestPlacement, ChipCost, ChipCost), IReadOnlyList<TurnOption>>();
        for (var i = 0; i < _steps.Count; i++)
        {
            _cancellation.ThrowIfCancellationRequested();
            if (!_hands[i])
            {
                continue;
            }

            var key = (_spaces[i]!, _spaces[i + 1]!, _takers[i + 1], PlacementOf(i, false, true), PlacementOf(i + 1, true, false), _now[i], _now[i + 1]);
            if (!known.TryGetValue(key, out var options))
            {
                known.Add(key, options = TurnOptions.Of(WindowsOf(i), CostsOf(i, key.Item4), CostsOf(i + 1, key.Item5), (_now[i].Cycles + _now[i + 1].Cycles, _now[i].Energy + _now[i + 1].Energy)));
            }

            variants[i].AddRange(options.Select(option => option.From).Except(variants[i]).ToList());
            variants[i + 1].AddRange(options.Select(option => option.To).Distinct());
        }

        return variants;
    }

    private TurnCosts CostsOf(int step, NestPlacement place) => new(_plans, _spaces[step]!, _steps[step].Plan!, place);

    /// <summary>The windows between a step and the next one; equal steps have the same.</summary>
    private TileWindows WindowsOf(int step)
    {
        var key = (_spaces[step]!, _spaces[step + 1]!, _takers[step + 1]);
        return _between.TryGetValue(key, out var windows) ? windows : _between[key] = new(key.Item1.Operation, key.Item2.Operation, key.Item3);
    }

    /// <inheritdoc/>
    public IEnumerable<TurnWay> First(int step, int variant) => Ways(step, variant, false, true);

    /// <inheritdoc/>
    public IEnumerable<TurnWay> Behind(int step, int variant, bool hands) => Ways(step, variant, true, hands);

    private IEnumerable<TurnWay> Ways(int step, int variant, bool takes, bool hands)
    {
        // the fewer bytes boxes take, the slower, mostly
        for (var level = 0; level <= (PlacementOf(step, takes, hands).Input ? 0 : NestChipPlans.Halvings); level++)
        {
            if (Mapped(step, takes, hands, _variants[step][variant], _capacity >> level) is var (plan, cost))
            {
                yield return new(cost, WholeBytes(step, !takes, takes, hands) + ChipProgram.Aligned(cost.Boxes), plan);
            }
        }
    }

    /// <inheritdoc/>
    public TileWindow? Window(int step, int from, int to)
    {
        if (!_windows.TryGetValue((step, from, to), out var window))
        {
            _windows.Add((step, from, to), window = WindowsOf(step).LeastWorth(_variants[step][from], _variants[step + 1][to], _capacity));
        }

        return window;
    }

    /// <summary>Bytes of the tensors that are on the chip as a whole at a step and come there then, or, at the first of the steps in turn, are there.</summary>
    private long WholeBytes(int step, bool isFirst, bool takes, bool hands)
    {
        var bytes = 0L;
        for (var tensor = 0; tensor < _whole.Length; tensor++)
        {
            var (first, last) = _whole[tensor];
            var isWindow = (hands && tensor == _program.Steps[step].Written) || (takes && tensor == _program.Steps[step - 1].Written);
            bytes += first <= step && step <= last && (isFirst || first == step) && !isWindow ? _program.Tensors[tensor].Bytes : 0;
        }

        return bytes;
    }

    /// <inheritdoc/>
    public bool IsApart(int first, int step, bool hands)
    {
        var place = PlacementOf(step, true, hands);
        return Enumerable.Range(first, step - first).All(other => PlacementOf(other, other > first, true) is var earlier
            && !_program.Touches(step, place, other, earlier) && !_program.Touches(other, earlier, step, place));
    }

    /// <summary>The steps with addresses, or null where windows, tensors and boxes can't be placed beside each other.</summary>
    private List<TurnStep>? Addressed(IReadOnlyList<TurnPath> path)
    {
        // what runs in turn is there all the time
        var turns = new (int First, int Last)[path.Count];
        for (var i = 0; i < path.Count; i++)
        {
            turns[i] = (path[i].Window is null ? i : turns[i - 1].First, i);
        }

        for (var i = path.Count - 2; i >= 0; i--)
        {
            turns[i].Last = path[i + 1].Window is null ? i : turns[i + 1].Last;
        }

        var windows = path.Where(label => label.Window is not null).Select(label => _program.Steps[label.Step - 1].Written).ToHashSet();
        var ranges = new List<PlannedRange>();
        for (var tensor = 0; tensor < _whole.Length; tensor++)
        {
            var (first, last) = _whole[tensor];
            if (last >= 0 && !windows.Contains(tensor))
            {
                ranges.Add(new(Name('t', tensor), _program.Tensors[tensor].Bytes, turns[first].First, turns[last].Last, ChipProgram.Alignment));
            }
        }

        foreach (var label in path)
        {
            var (step, chip) = (label.Step, _steps[label.Step].Chip);
            var turn = turns[step];
            if (_steps[step].Operation is not null && (chip is not null || label.Plan is not null) && (label.Window is null || !_takers[step].Input))
            {
                ranges.Add(new(Name('b', step), label.Plan is null ? _now[step].Boxes : label.Boxes, turn.First, turn.Last, ChipProgram.Alignment));
            }

            if (label.Window is { } window)
            {
                ranges.Add(new(Name('w', step), window.Bytes, turn.First, turn.Last, ChipProgram.Alignment));
            }
        }

        return MemoryPlanner.Plan(ranges, _capacity, 0).Plan is { } plan ? [.. path.Select((label, i) => StepOf(label, i + 1 < path.Count ? path[i + 1].Window : null, plan))] : null;
    }

    /// <summary>A step with its addresses.</summary>
    private TurnStep StepOf(TurnPath label, TileWindow? handed, MemoryPlan plan)
    {
        var (step, now) = (label.Step, _steps[label.Step]);
        if (now.Chip is null && label.Plan is null)
        {
            return now;
        }

        var (reads, place) = (_program.Steps[step].Reads, PlacementOf(step, label.Window is not null, handed is not null));
        var chip = new NestChip(
            place.Input || now.Operation is null ? 0 : (int)plan.AddressOf(Name('b', step)),
            AddressOf(ChipStep.Input),
            AddressOf(ChipStep.Kernel),
            Enumerable.Range(ChipStep.Extras, Math.Max(0, reads.Length - ChipStep.Extras)).Select(AddressOf).ToEquatableArray(),
            handed is not null ? (int)plan.AddressOf(Name('w', step + 1)) : place.Keeps ? (int)plan.AddressOf(Name('t', _program.Steps[step].Written)) : NestChip.Dram,
            place.Stores)
        {
            Taken = label.Window is { } taken ? new(taken.Window, _takers[step].Input, _takers[step].Numbers) : null,
            OutputWindow = handed?.Window,
        };
        return now with { Chip = chip, Plan = label.Plan is { } mapped ? mapped with { Operator = now.Plan!.Operator } : now.Plan };

        int AddressOf(int operand) => operand >= reads.Length || !place.Has(operand) ? NestChip.Dram
            : (int)plan.AddressOf(label.Window is not null && reads[operand] == _program.Steps[step - 1].Written ? Name('w', step) : Name('t', reads[operand]));
    }

    private static string Name(char kind, int number) => string.Create(CultureInfo.InvariantCulture, $"{kind}{number}");
}
