using CnnCompiler.Image.Nests;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests;
using CnnCompiler.Targets.Nests.Chip;

namespace CnnCompiler.Nests.Tests;

/// <summary>The path chosen through steps in turn is the cheapest of all that there are: all are looked at here, each from its definition.</summary>
public class TurnPathTests
{
    /// <summary>Random chains whose costs, windows and conflicts have nothing to do with each other, so that what is best up to a step often is not what is best in the end.</summary>
    [Fact]
    public void No_combination_is_cheaper_than_the_path_chosen()
    {
        var (inTurn, limited, alone) = (0, 0, 0);
        for (var seed = 0; seed < 6000; seed++)
        {
            var steps = new RandomSteps(new Random(seed));
            var found = TurnPath.Cheapest(steps, steps.Room, default);
            var best = AllPaths(steps, steps.Room).Min();
            Assert.Equal((seed, best.Cycles, best.Energy), (seed, found[^1].Cycles, found[^1].Energy));
            Assert.Equal(Enumerable.Range(0, steps.Count), found.Select(path => path.Step));
            inTurn += found.Any(path => path.Window is not null) ? 1 : 0;
            limited += AllPaths(steps, long.MaxValue).Min() != best ? 1 : 0;
            alone += found.All(path => path.Plan is null) ? 1 : 0;
        }

        // something is chosen, the room matters, and there are chains in which nothing is worth it
        Assert.True(inTurn > 1500 && limited > 750 && alone > 75, $"{inTurn} {limited} {alone}");
    }

    /// <summary>The same for chains of real operators with the variants that the selector looks at.</summary>
    [Theory]
    [MemberData(nameof(NestLevels.Machines), MemberType = typeof(NestLevels))]
    public void No_combination_of_variants_of_a_network_is_cheaper(string name)
    {
        var inTurn = 0;
        foreach (var (layers, i) in TurnTests.Networks.Select((layers, i) => (layers, i)))
        {
            var machine = NestLevels.Small(name, 3, 5, 480L << (i % 3), 64);
            var module = TurnTests.Mapped(TurnTests.Read(layers, "i8[1, 17, 12, 6] scale 0.5 zero 3"), machine, ["exchange-loops"]);
            var operators = NestMapper.Descriptors(module.Program).ToDictionary(entry => entry.Step.Name, entry => entry.Descriptor, StringComparer.Ordinal);
            var program = ChipProgram.Of(module.Program);
            var steps = program.Steps.Zip(module.Nests, (step, plan) => new TurnStep(plan.Chip, operators[step.Name], plan)).ToList();
            var selector = new TurnSelector(program, steps, machine, new(machine, ExchangeLoops.Patience), default);
            foreach (var room in (long[])[96, 240, 480, 960])
            {
                var found = TurnPath.Cheapest(selector, room, default);
                var best = AllPaths(selector, room).Min();
                Assert.Equal(best, (found[^1].Cycles, found[^1].Energy));
                inTurn += found.Any(path => path.Window is not null) ? 1 : 0;
            }
        }

        Assert.True(inTurn >= 3, $"{inTurn}");
    }

    /// <summary>What every path costs: each step alone, or from each on as many in turn as can be, in each of their variants.</summary>
    private static IEnumerable<(long Cycles, Int128 Energy)> AllPaths(ITurnSteps steps, long room, int from = 0)
    {
        if (from == steps.Count)
        {
            return [(0, 0)];
        }

        var now = steps.Now(from);
        var groups = new List<(int Next, long Cycles, Int128 Energy)> { (from + 1, now.Cycles, now.Energy) };
        for (var variant = 0; steps.Hands(from) && variant < steps.Variants(from); variant++)
        {
            foreach (var way in steps.First(from, variant))
            {
                Extend(from, variant, way.Cost.Cycles, way.Cost.Energy, way.Bytes);
            }
        }

        var rests = groups.Select(group => group.Next).Distinct().ToDictionary(next => next, next => AllPaths(steps, room, next).Min());
        return groups.Select(group => (group.Cycles + rests[group.Next].Cycles, group.Energy + rests[group.Next].Energy));

        void Extend(int last, int variant, long cycles, Int128 energy, long bytes)
        {
            for (var (step, next) = (last + 1, 0); step < steps.Count && next < steps.Variants(step); next++)
            {
                if (steps.Window(last, variant, next) is not { } window)
                {
                    continue;
                }

                var used = bytes + ((window.Bytes + ChipProgram.Alignment - 1) / ChipProgram.Alignment * ChipProgram.Alignment);
                foreach (var way in steps.Behind(step, next, false))
                {
                    if (used + way.Bytes <= room && steps.IsApart(from, step, false)
                        && energy + way.Cost.Energy <= Enumerable.Range(from, step + 1 - from).Aggregate(Int128.Zero, (sum, i) => sum + steps.Now(i).Energy))
                    {
                        groups.Add((step + 1, cycles + way.Cost.Cycles, energy + way.Cost.Energy));
                    }
                }

                foreach (var way in steps.Hands(step) && steps.IsApart(from, step, true) ? steps.Behind(step, next, true) : [])
                {
                    Extend(step, next, cycles + way.Cost.Cycles, energy + way.Cost.Energy, used + way.Bytes);
                }
            }
        }
    }

    /// <summary>Steps with drawn costs.</summary>
    private sealed class RandomSteps : ITurnSteps
    {
        private static readonly NestPlan Plan = new("step", [], [], []);
        private readonly ChipCost[] _now;
        private readonly bool[] _hands;
        private readonly bool[,,] _apart;
        private readonly TileWindow?[,,] _windows;
        private readonly TurnWay[,][] _first;
        private readonly TurnWay[,,][] _behind;
        private readonly int[] _variants;
        private readonly int _most;

        public RandomSteps(Random random)
        {
            // few cycles make ties, of which energy tells
            (Count, Room, _most, var conflicts) = (random.Next(1, 7), random.Next(20, 120), random.Next(2) == 0 ? 4 : 11, random.Next(2) == 0 ? 3 : 12);
            (_now, _hands, _variants) = (new ChipCost[Count], new bool[Count], new int[Count]);
            (_apart, _windows, _first, _behind) = (new bool[Count, Count, 2], new TileWindow?[Count, 3, 3], new TurnWay[Count, 3][], new TurnWay[Count, 3, 2][]);
            for (var i = 0; i < Count; i++)
            {
                (_now[i], _hands[i], _variants[i]) = (new(random.Next(3, _most + 1), random.Next(4, 12), 0), i + 1 < Count && random.Next(6) > 0, random.Next(1, 4));
                for (var a = 0; a < 3; a++)
                {
                    _first[i, a] = [.. Enumerable.Range(0, random.Next(3)).Select(_ => Way(random))];
                    (_behind[i, a, 0], _behind[i, a, 1]) = ([.. Enumerable.Range(0, random.Next(3)).Select(_ => Way(random))], [.. Enumerable.Range(0, random.Next(3)).Select(_ => Way(random))]);
                    for (var b = 0; b < 3; b++)
                    {
                        _windows[i, a, b] = random.Next(5) > 0 ? new(new NestWindow(1, [1]), random.Next(1, 40)) : null;
                    }
                }

                for (var other = 0; other < Count; other++)
                {
                    (_apart[i, other, 0], _apart[i, other, 1]) = (random.Next(conflicts) > 0, random.Next(conflicts) > 0);
                }
            }
        }

        public int Count { get; }

        public long Room { get; }

        public ChipCost Now(int step) => _now[step];

        public bool Hands(int step) => _hands[step];

        public int Variants(int step) => _variants[step];

        public TileWindow? Window(int step, int from, int to) => _windows[step, from, to];

        public IEnumerable<TurnWay> First(int step, int variant) => _first[step, variant];

        public IEnumerable<TurnWay> Behind(int step, int variant, bool hands) => _behind[step, variant, hands ? 1 : 0];

        public bool IsApart(int first, int step, bool hands) => Enumerable.Range(first, step - first).All(other => _apart[step, other, hands ? 1 : 0]);

        private TurnWay Way(Random random) => new(new(random.Next(2, _most), random.Next(2, 13), 0), random.Next(20), Plan);
    }
}
