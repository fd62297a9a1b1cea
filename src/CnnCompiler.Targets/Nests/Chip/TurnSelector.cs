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
/// time or room are a step's variants. A path through the variants is the cheapest one, cycles first: at each step the cheapest way to have come there with so much of the buffer in use by the steps
/// in turn; steps in turn never need more energy than one after the other. That is exact among the variants; where addresses can't be found the next try gives out less of the buffer. Tensors that stay on the chip as a whole stay, or become windows.
/// </summary>
internal sealed class TurnSelector
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
    private readonly bool[] _hands;
    private readonly List<EquatableArray<NestLead>>[] _variants;
    private readonly Dictionary<(int Step, int From, int To), TileWindow?> _windows = [];
    private readonly Dictionary<(NestSpace, NestSpace), TileWindows> _between = [];

    private TurnSelector(ChipProgram program, IReadOnlyList<TurnStep> steps, MachineDescription machine, NestChipPlans plans, CancellationToken cancellation)
    {
        (_program, _steps, _plans, _cancellation) = (program, steps, plans, cancellation);
        _capacity = machine.Systolic![SystolicKeys.ActivationBytes];
        _spaces = [.. steps.Select(step => step.Operation is { } operation ? plans.Space(operation) : null)];
        _now = [.. steps.Select((step, i) => step.Plan is { } plan ? NestChipPlans.Priced(_spaces[i]!, plan, NestPlacement.Of(step.Chip)).Cost : default)];
        _whole = Whole();
        _hands = [.. Enumerable.Range(0, steps.Count).Select(Hands)];
        _variants = Variants();
    }

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
            var found = selector.Cheapest(selector._capacity / Parts * parts);
            if (found.TrueForAll(label => label.Plan is null))
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

    /// <summary>True where a step can hand its result over to the next one: it alone writes it, the next one reads it as its input, and it is not on the chip for others too.</summary>
    private bool Hands(int step)
    {
        var tensor = _program.Steps[step].Written;
        return step + 1 < _steps.Count && _steps[step].Operation is not null && _steps[step + 1].Operation is not null
            && _program.Steps[step + 1].Reads is var reads && reads[ChipStep.Input] == tensor && reads.Count(read => read == tensor) == 1
            && _program.Steps.Count(other => other.Written == tensor) == 1
            && (_whole[tensor].Last < 0 || _whole[tensor] == (step, step + 1));
    }

    /// <summary>Where the operands of a step are that takes tiles, or hands them over.</summary>
    private NestPlacement PlacementOf(int step, bool takes, bool hands)
    {
        var (now, tensor) = (NestPlacement.Of(_steps[step].Chip), _program.Steps[step].Written);

        // in DRAM besides where others read it there
        var stores = now.Keeps ? now.Stores : _program.Tensors[tensor].IsOutput || _program.Steps.Where((_, i) => i != step + 1).Any(other => other.Reads.Contains(tensor));
        return now with { Input = now.Input || takes, Keeps = now.Keeps || hands, Stores = hands ? stores : now.Stores };
    }

    private (NestPlan Plan, ChipCost Cost)? Mapped(int step, bool takes, bool hands, EquatableArray<NestLead> leads, long free) =>
        _plans.Of(_spaces[step]!, _steps[step].Plan!, PlacementOf(step, takes, hands), free, leads);

    /// <summary>The outermost loops that are looked at for each step.</summary>
    private List<EquatableArray<NestLead>>[] Variants()
    {
        var variants = _steps.Select(_ => new List<EquatableArray<NestLead>>()).ToArray();
        var known = new Dictionary<(NestSpace, NestSpace, NestPlacement, NestPlacement, ChipCost, ChipCost), IReadOnlyList<TurnOption>>();
        for (var i = 0; i < _steps.Count; i++)
        {
            _cancellation.ThrowIfCancellationRequested();
            if (!_hands[i])
            {
                continue;
            }

            var key = (_spaces[i]!, _spaces[i + 1]!, PlacementOf(i, false, true), PlacementOf(i + 1, true, false), _now[i], _now[i + 1]);
            if (!known.TryGetValue(key, out var options))
            {
                known.Add(key, options = TurnOptions.Of(WindowsOf(i), CostsOf(i, key.Item3), CostsOf(i + 1, key.Item4), (_now[i].Cycles + _now[i + 1].Cycles, _now[i].Energy + _now[i + 1].Energy)));
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
        var key = (_spaces[step]!, _spaces[step + 1]!);
        return _between.TryGetValue(key, out var windows) ? windows : _between[key] = new(key.Item1.Operation, key.Item2.Operation);
    }

    /// <summary>The window between variants of a step and the next one, or null.</summary>
    private TileWindow? Window(int step, int from, int to)
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
            var isWindow = (hands && tensor == _program.Steps[step].Written) || (takes && tensor == _program.Steps[step].Reads[ChipStep.Input]);
            bytes += first <= step && step <= last && (isFirst || first == step) && !isWindow ? _program.Tensors[tensor].Bytes : 0;
        }

        return bytes;
    }

    /// <summary>True where a step can run in turn with those before it: none reads from DRAM, or writes there, what another one writes there.</summary>
    private bool IsApart(int first, int step, bool hands)
    {
        var place = PlacementOf(step, true, hands);
        return Enumerable.Range(first, step - first).All(other => PlacementOf(other, other > first, true) is var earlier
            && !_program.Touches(step, place, other, earlier) && !_program.Touches(other, earlier, step, place));
    }

    /// <summary>The cheapest path, where steps in turn may use so many bytes of the buffer.</summary>
    private List<TurnLabel> Cheapest(long room)
    {
        var energy = new Int128[_steps.Count + 1];
        for (var i = 0; i < _steps.Count; i++)
        {
            energy[i + 1] = energy[i] + _now[i].Energy;
        }

        var closed = new TurnLabel(null, -1, -1, null, null, 0, 0, 0, 0);
        var open = new List<TurnLabel>();
        for (var i = 0; i < _steps.Count; i++)
        {
            _cancellation.ThrowIfCancellationRequested();
            var (step, end, next) = (i, closed.Then(i, -1, null, null, _now[i], 0, 0), new List<TurnLabel>());
            for (var variant = 0; _hands[i] && variant < _variants[i].Count; variant++)
            {
                // the fewer bytes boxes take, the slower, mostly
                for (var level = 0; level <= (NestPlacement.Of(_steps[i].Chip).Input ? 0 : NestChipPlans.Halvings); level++)
                {
                    if (Mapped(i, false, true, _variants[i][variant], _capacity >> level) is var (plan, cost))
                    {
                        Add(closed.Then(i, variant, plan, null, cost, WholeBytes(i, true, false, true) + Up(cost.Boxes), 1));
                    }
                }
            }

            foreach (var before in open.Where(label => label.InTurn < ChipContents.MostInTurn))
            {
                var (mayHand, mayEnd) = (_hands[step] && IsApart(step - before.InTurn, step, true), IsApart(step - before.InTurn, step, false));
                for (var variant = 0; variant < _variants[i].Count; variant++)
                {
                    if (Window(i - 1, before.Variant, variant) is not { } window)
                    {
                        continue;
                    }

                    var used = before.Used + Up(window.Bytes);
                    if (mayHand && Mapped(i, true, true, _variants[i][variant], _capacity) is var (plan, cost))
                    {
                        Add(before.Then(i, variant, plan, window, cost, used + WholeBytes(i, false, true, true), before.InTurn + 1));
                    }

                    if (mayEnd && used + WholeBytes(i, false, true, false) <= room && Mapped(i, true, false, _variants[i][variant], _capacity) is var (lastPlan, lastCost)
                        && before.Then(i, variant, lastPlan, window, lastCost, 0, 0) is var last && last.Energy - before.Begin.Energy <= energy[i + 1] - energy[before.Begin.Step + 1] && last.Cost.CompareTo(end.Cost) < 0)
                    {
                        end = last;
                    }
                }
            }

            (closed, open) = (end, next);

            void Add(TurnLabel label)
            {
                if (label.Used <= room && !next.Exists(other => other.IsNoWorse(label)))
                {
                    next.RemoveAll(label.IsNoWorse);
                    next.Add(label);
                }
            }
        }

        var path = new List<TurnLabel>();
        for (var label = closed; label is { Step: >= 0 }; label = label.Before!)
        {
            path.Add(label);
        }

        path.Reverse();
        return path;
    }

    /// <summary>The steps with addresses, or null where windows, tensors and boxes can't be placed beside each other.</summary>
    private List<TurnStep>? Addressed(List<TurnLabel> path)
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
            if (_steps[step].Operation is not null && (chip is not null || label.Plan is not null) && label.Window is null)
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
    private TurnStep StepOf(TurnLabel label, TileWindow? handed, MemoryPlan plan)
    {
        var (step, now) = (label.Step, _steps[label.Step]);
        if (now.Chip is null && label.Plan is null)
        {
            return now;
        }

        var (reads, place) = (_program.Steps[step].Reads, PlacementOf(step, label.Window is not null, handed is not null));
        var chip = new NestChip(
            place.Input || now.Operation is null ? 0 : (int)plan.AddressOf(Name('b', step)),
            label.Window is not null ? (int)plan.AddressOf(Name('w', step)) : AddressOf(ChipStep.Input),
            AddressOf(ChipStep.Kernel),
            Enumerable.Range(ChipStep.Extras, Math.Max(0, reads.Length - ChipStep.Extras)).Select(AddressOf).ToEquatableArray(),
            handed is not null ? (int)plan.AddressOf(Name('w', step + 1)) : place.Keeps ? (int)plan.AddressOf(Name('t', _program.Steps[step].Written)) : NestChip.Dram,
            place.Stores)
        {
            InputWindow = label.Window?.Window,
            OutputWindow = handed?.Window,
        };
        return now with { Chip = chip, Plan = label.Plan is { } mapped ? mapped with { Operator = now.Plan!.Operator } : now.Plan };

        int AddressOf(int operand) => operand < reads.Length && place.Has(operand) ? (int)plan.AddressOf(Name('t', reads[operand])) : NestChip.Dram;
    }

    private static string Name(char kind, int number) => string.Create(CultureInfo.InvariantCulture, $"{kind}{number}");

    /// <summary>Bytes as they count in a plan of addresses.</summary>
    private static long Up(long bytes) => (bytes + ChipProgram.Alignment - 1) / ChipProgram.Alignment * ChipProgram.Alignment;

    /// <summary>A way to have come to a step.</summary>
    /// <param name="Before">The way to the step before.</param>
    /// <param name="Step">The step.</param>
    /// <param name="Variant">Its outermost loops.</param>
    /// <param name="Plan">Its mapping in turn with others; null where it runs as before.</param>
    /// <param name="Window">The window that it takes tiles from.</param>
    /// <param name="Cycles">Cycles up to the step.</param>
    /// <param name="Energy">Energy up to it, attojoules.</param>
    /// <param name="Used">Bytes of the buffer that the steps in turn use up to it, where it hands tiles over.</param>
    /// <param name="InTurn">Number of these steps.</param>
    private sealed record TurnLabel(TurnLabel? Before, int Step, int Variant, NestPlan? Plan, TileWindow? Window, long Cycles, Int128 Energy, long Used, int InTurn)
    {
        /// <summary>Cycles, then energy.</summary>
        public (long, Int128) Cost => (Cycles, Energy);

        /// <summary>The step before those in turn.</summary>
        public TurnLabel Begin => InTurn == 0 ? this : Before!.Begin;

        /// <summary>True where another way to the same variant is of no use.</summary>
        public bool IsNoWorse(TurnLabel other) => Variant == other.Variant && Used <= other.Used && Cycles <= other.Cycles && Energy <= other.Energy && InTurn <= other.InTurn;

        /// <summary>Bytes of the boxes of its input.</summary>
        public long Boxes { get; private init; }

        public TurnLabel Then(int step, int variant, NestPlan? plan, TileWindow? window, ChipCost cost, long used, int inTurn) =>
            new(this, step, variant, plan, window, Cycles + cost.Cycles, Energy + cost.Energy, used, inTurn) { Boxes = cost.Boxes };
    }
}
