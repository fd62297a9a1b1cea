using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Image.Nests;
using CnnCompiler.Passes.Memory;
using CnnCompiler.Passes.Selection;

namespace CnnCompiler.Targets.Nests.Chip;

/// <summary>What a step costs with its operands where they are.</summary>
/// <param name="Cycles">Cycles.</param>
/// <param name="Energy">Energy, attojoules.</param>
/// <param name="Boxes">Bytes of the buffer of activations that its boxes take.</param>
internal readonly record struct ChipCost(long Cycles, Int128 Energy, long Boxes);

/// <summary>Prices steps.</summary>
internal interface IChipCosts
{
    /// <summary>False for a step that reads and writes DRAM alone.</summary>
    bool UsesChip(int step);

    /// <summary>The step's cost, or null where it can't run so.</summary>
    /// <param name="step">Number of the step.</param>
    /// <param name="place">Which operands are on the chip.</param>
    /// <param name="free">Bytes of the buffer that are left for its boxes.</param>
    ChipCost? Of(int step, NestPlacement place, long free);
}

/// <summary>How a step runs.</summary>
/// <param name="Place">Which operands are on the chip.</param>
/// <param name="Free">Bytes of the buffer that its boxes may take.</param>
/// <param name="Cost">What it costs.</param>
/// <param name="Chip">The addresses; null where nothing is kept while it runs, and of a step that does not use the chip.</param>
internal sealed record ChipChoice(NestPlacement Place, long Free, ChipCost Cost, NestChip? Chip);

/// <summary>
/// Chooses the tensors that stay in the buffer of activations between the steps that write and read them. A tensor may stay from its first writer to its last reader, or, where it has several readers and
/// is stored besides, up to one of them. A decision for each step is which of the tensors that are live there are on the chip; its cost is that of the best mapping with these operands there and
/// with what is left of the buffer. Decisions of neighbouring steps have to agree, which makes a path: <see cref="SelectionSolver"/> finds the fewest cycles and then the least energy exactly.
/// </summary>
internal sealed class ChipSelector
{
    /// <summary>Tensors about which is decided at a step; of more those that save the fewest bytes for each step they stay are left in DRAM.</summary>
    private const int MostLive = 4;

    /// <summary>Parts of the buffer; where addresses can't be found the next try has one less.</summary>
    private const int Parts = 8;

    private readonly ChipProgram _program;
    private readonly IChipCosts _costs;
    private readonly long _capacity;
    private readonly Life[] _lives;
    private readonly int[][] _live;

    private ChipSelector(ChipProgram program, long capacity, IChipCosts costs)
    {
        (_program, _costs, _capacity) = (program, costs, capacity);
        _lives = Lives();
        _live = Filtered();
    }

    /// <summary>Where a tensor is while a step runs.</summary>
    private enum Place : byte
    {
        /// <summary>In DRAM.</summary>
        Dram,

        /// <summary>On the chip alone.</summary>
        Chip,

        /// <summary>On the chip and, as far as it has been written, in DRAM.</summary>
        Both,
    }

    /// <summary>How each step of a program runs.</summary>
    /// <param name="program">The program.</param>
    /// <param name="capacity">Bytes of the buffer of activations.</param>
    /// <param name="costs">The costs of its steps; each runs with everything in DRAM.</param>
    public static IReadOnlyList<ChipChoice> Choose(ChipProgram program, long capacity, IChipCosts costs)
    {
        var selector = new ChipSelector(program, capacity, costs);
        for (var parts = Parts; parts > 0; parts--)
        {
            if (selector.Solve(capacity / Parts * parts) is { } found && selector.Addressed(found) is { } choices)
            {
                return choices;
            }
        }

        return [.. program.Steps.Select((_, i) => new ChipChoice(NestPlacement.Dram, capacity, costs.Of(i, NestPlacement.Dram, capacity)!.Value, null))];
    }

    /// <summary>When tensors live, and what may be done with them.</summary>
    private Life[] Lives()
    {
        var lives = _program.Tensors.Select(tensor => new Life { First = int.MaxValue, Last = -1, IsStored = tensor.IsOutput, IsKept = tensor.Bytes <= _capacity }).ToArray();
        for (var i = 0; i < _program.Steps.Count; i++)
        {
            var (step, isOnChip) = (_program.Steps[i], _costs.UsesChip(i));
            foreach (var read in step.Reads.Where(tensor => tensor >= 0).Distinct())
            {
                var life = lives[read];
                (life.Last, life.Readers, life.IsStored) = (i, life.Readers + 1, life.IsStored || !isOnChip);
            }

            var written = lives[step.Written];
            (written.First, written.Last, written.IsKept) = (Math.Min(written.First, i), Math.Max(written.Last, i), written.IsKept && isOnChip);
        }

        return lives;
    }

    /// <summary>For each step the tensors about which is decided there.</summary>
    private int[][] Filtered()
    {
        var starts = Enumerable.Range(0, _lives.Length).Where(i => _lives[i] is { IsKept: true, Readers: > 0 }).ToLookup(i => _lives[i].First);
        var (now, dropped) = (new List<int>(), new HashSet<int>());
        var live = new List<int>[_program.Steps.Count];
        for (var step = 0; step < live.Length; step++)
        {
            now.AddRange(starts[step]);
            while (now.Count > MostLive)
            {
                var least = now.MinBy(Worth);
                now.Remove(least);
                dropped.Add(least);
            }

            live[step] = [.. now];
            now.RemoveAll(tensor => _lives[tensor].Last == step);
        }

        return [.. live.Select(all => all.Where(tensor => !dropped.Contains(tensor)).ToArray())];

        double Worth(int tensor) => (double)_program.Tensors[tensor].Bytes * (_lives[tensor].Readers + 1) / (_lives[tensor].Last - _lives[tensor].First + 1);
    }

    /// <summary>The cheapest states, where so many bytes of the buffer may be used by steps that keep anything.</summary>
    private List<State>? Solve(long room)
    {
        var states = _live.Select((_, step) => States(step, room)).ToList();
        var (mostCycles, mostEnergy) = (Int128.One, Int128.One);
        foreach (var all in states)
        {
            (mostCycles, mostEnergy) = (mostCycles + all.Max(state => state.Cost.Cycles), mostEnergy + all.Max(state => state.Cost.Energy));
        }

        // cycles weigh more than all energy together
        var weight = SelectionCost.Limit / 2 / mostCycles;
        if (weight < 1)
        {
            return null;
        }

        var unit = (mostEnergy / weight) + 1;
        var vertices = states.Select((all, step) => new CostVertex(
            _program.Steps[step].Name,
            DecisionKind.Step,
            all.Select(state => state.Name).ToEquatableArray(),
            all.Select(state => (long)((state.Cost.Cycles * weight) + (state.Cost.Energy / unit))).ToEquatableArray()));
        var edges = Enumerable.Range(0, Math.Max(0, states.Count - 1)).Select(step => new CostEdge(step, step + 1, Agreement(step, states[step], states[step + 1])));
        return SelectionSolver.Solve(new("cycles, then energy", vertices.ToEquatableArray(), edges.ToEquatableArray())).Selection is { } selection
            ? [.. states.Select((all, step) => all[selection.Choices[step]])]
            : null;
    }

    /// <summary>The states that a step may be in, with what they cost.</summary>
    private List<State> States(int step, long room)
    {
        var states = new List<State>();
        var places = new Place[_live[step].Length];
        Choose(0, 0);
        return states;

        void Choose(int at, long used)
        {
            if (at < places.Length)
            {
                var tensor = _live[step][at];
                var (life, bytes) = (_lives[tensor], _program.Tensors[tensor].Bytes);
                places[at] = Place.Dram;
                Choose(at + 1, used);
                if (used + bytes <= room && !life.IsStored)
                {
                    places[at] = Place.Chip;
                    Choose(at + 1, used + bytes);
                }

                if (used + bytes <= room && (life.IsStored || life.Readers > 1))
                {
                    places[at] = Place.Both;
                    Choose(at + 1, used + bytes);
                }

                return;
            }

            var (place, free) = (PlacementOf(step, places), used == 0 ? _capacity : room - used);
            if (_costs.Of(step, place, free) is { } cost)
            {
                states.Add(new([.. places], place, free, cost));
            }
        }
    }

    private NestPlacement PlacementOf(int step, Place[] places)
    {
        var (reads, extras) = (_program.Steps[step].Reads, 0UL);
        if (!_costs.UsesChip(step))
        {
            return NestPlacement.Dram;
        }

        for (var i = ChipStep.Extras; i < reads.Length; i++)
        {
            extras |= IsOnChip(reads[i]) ? 1UL << (i - ChipStep.Extras) : 0;
        }

        var written = Array.IndexOf(_live[step], _program.Steps[step].Written) is >= 0 and var at ? places[at] : Place.Dram;
        return new(IsOnChip(reads[ChipStep.Input]), IsOnChip(reads[ChipStep.Kernel]), extras, written != Place.Dram, written != Place.Chip);

        bool IsOnChip(int tensor) => Array.IndexOf(_live[step], tensor) is >= 0 and var found && places[found] != Place.Dram;
    }

    /// <summary>0 for states that may follow each other: a tensor that lives on stays where it is, or is given up where DRAM has it.</summary>
    private EquatableArray<long> Agreement(int step, List<State> before, List<State> after)
    {
        var shared = _live[step].Select((tensor, from) => (From: from, To: Array.IndexOf(_live[step + 1], tensor))).Where(pair => pair.To >= 0).ToList();
        var matrix = new long[before.Count * after.Count];
        for (var i = 0; i < before.Count; i++)
        {
            for (var j = 0; j < after.Count; j++)
            {
                foreach (var (from, to) in shared)
                {
                    var (old, next) = (before[i].Places[from], after[j].Places[to]);
                    if (old != next && (old, next) != (Place.Both, Place.Dram))
                    {
                        matrix[(i * after.Count) + j] = SelectionCost.Illegal;
                        break;
                    }
                }
            }
        }

        return matrix.ToEquatableArray();
    }

    /// <summary>The choices with addresses, or null where tensors and boxes can't be placed beside each other.</summary>
    private List<ChipChoice>? Addressed(List<State> states)
    {
        var ranges = new Dictionary<int, PlannedRange>();
        var boxes = new List<PlannedRange>();
        for (var step = 0; step < states.Count; step++)
        {
            for (var i = 0; i < _live[step].Length; i++)
            {
                var tensor = _live[step][i];
                if (states[step].Places[i] != Place.Dram)
                {
                    ranges[tensor] = ranges.TryGetValue(tensor, out var range) ? range with { LastStep = step } : new($"t{tensor}", _program.Tensors[tensor].Bytes, step, step, ChipProgram.Alignment);
                }
            }

            if (states[step].KeepsAny && _costs.UsesChip(step))
            {
                boxes.Add(new($"b{step}", states[step].Cost.Boxes, step, step, ChipProgram.Alignment));
            }
        }

        if (MemoryPlanner.Plan([.. ranges.Values, .. boxes], _capacity, 0).Plan is not { } plan)
        {
            return null;
        }

        return [.. states.Select((state, step) => new ChipChoice(state.Placement, state.Free, state.Cost, state.KeepsAny && _costs.UsesChip(step) ? ChipOf(step, state) : null))];

        NestChip ChipOf(int step, State state)
        {
            var (reads, place) = (_program.Steps[step].Reads, state.Placement);
            return new(
                place.Input ? 0 : (int)plan.AddressOf($"b{step}"),
                AddressOf(place.Input, reads[ChipStep.Input]),
                AddressOf(place.Kernel, reads[ChipStep.Kernel]),
                reads.Skip(ChipStep.Extras).Select((tensor, i) => AddressOf((place.Extras >> i & 1) == 1, tensor)).ToEquatableArray(),
                AddressOf(place.Keeps, _program.Steps[step].Written),
                place.Stores);
        }

        int AddressOf(bool isOnChip, int tensor) => isOnChip ? (int)plan.AddressOf($"t{tensor}") : NestChip.Dram;
    }

    /// <summary>A tensor's life.</summary>
    private sealed class Life
    {
        public int First { get; set; }

        public int Last { get; set; }

        /// <summary>Steps that read it.</summary>
        public int Readers { get; set; }

        /// <summary>It has to be in DRAM whatever else.</summary>
        public bool IsStored { get; set; }

        /// <summary>It may be on the chip.</summary>
        public bool IsKept { get; set; }
    }

    /// <summary>A way to run a step.</summary>
    /// <param name="Places">[tensors decided about] where they are.</param>
    /// <param name="Placement">Where the operands are.</param>
    /// <param name="Free">Bytes left for its boxes.</param>
    /// <param name="Cost">What it costs.</param>
    private sealed record State(Place[] Places, NestPlacement Placement, long Free, ChipCost Cost)
    {
        /// <summary>True where anything lies on the chip meanwhile.</summary>
        public bool KeepsAny => Places.Any(place => place != Place.Dram);

        /// <summary>The places as digits.</summary>
        public string Name => Places.Length == 0 ? "-" : string.Concat(Places.Select(place => ((int)place).ToString(CultureInfo.InvariantCulture)));
    }
}
