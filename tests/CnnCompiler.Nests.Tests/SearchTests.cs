using CnnCompiler.Core;
using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Targets.Nests;

namespace CnnCompiler.Nests.Tests;

/// <summary>Pruning loses nothing: the search finds as few cycles as looking at every candidate; and it counts as the model does.</summary>
public class SearchTests
{
    /// <summary>A limit that is reached finds what a search without finds, one below finds nothing; what is asked for again with a higher limit is found then.</summary>
    [Theory]
    [MemberData(nameof(NestLevels.Machines), MemberType = typeof(NestLevels))]
    public void A_limit_loses_nothing(string name)
    {
        for (var seed = 0; seed < 16; seed++)
        {
            var machine = NestLevels.Small(name, 3, 4, 96 << (seed % 3), 4 << (seed % 4));
            foreach (var (_, operation) in NestMapper.Descriptors(NestTests.Map(RandomNetworks.Layer(RandomNetworks.Kinds[seed % RandomNetworks.Kinds.Count], seed), machine).Program))
            {
                var space = new NestSpace(operation, machine);
                var best = NestMapper.Best(space)!.Value;
                Assert.Equal(NestMapper.Cost(best.Plan, space), (best.Cycles, best.Energy));
                Assert.Equal(2 * (long)best.Plan.Encode(operation, machine).BoxElements(operation.Input) * operation.Input.Element.Size(), best.Boxes);
                Assert.True(NestMapper.Best(space, limit: best.Cycles) is { } limited && (limited.Cycles, limited.Energy).CompareTo((best.Cycles, best.Energy)) <= 0);
                Assert.Null(NestMapper.Best(space, limit: best.Cycles - 1));
                var plans = new NestPlans(machine);
                Assert.Equal((null, true), plans.Within(operation, best.Cycles - 1));
                Assert.Equal((null, true), plans.Within(operation, best.Cycles / 2));
                Assert.NotNull(plans.Within(operation, best.Cycles).Best);
                Assert.False(plans.Within(operation, 1).IsAbove);
            }
        }
    }

    [Theory]
    [MemberData(nameof(NestLevels.Machines), MemberType = typeof(NestLevels))]
    public void Pruning_finds_the_cycles_of_the_whole_space(string name)
    {
        for (var seed = 0; seed < 16; seed++)
        {
            var machine = NestLevels.Small(name, 3, 4, 96 << (seed % 3), 4 << (seed % 4));
            var kind = seed % 2 == 0 ? LayerKind.Conv2D : RandomNetworks.Kinds[seed % RandomNetworks.Kinds.Count];
            foreach (var (_, operation) in NestMapper.Descriptors(NestTests.Map(RandomNetworks.Layer(kind, seed), machine).Program))
            {
                var space = new NestSpace(operation, machine);
                var (plan, cycles, energy, _) = NestSearch.Best(space)!.Value;
                Assert.Equal(NestSearch.Best(space, prunes: false)!.Value.Cycles, cycles);
                Assert.Equal(NestMapper.Cost(plan, space), (cycles, energy));
            }
        }
    }

    /// <summary>What is not searched because it would take too long anyway could not have been faster, wherever operands lie and whichever loops are outermost; and the bound says more than that each operand comes once.</summary>
    [Theory]
    [MemberData(nameof(NestLevels.Machines), MemberType = typeof(NestLevels))]
    public void No_mapping_is_below_the_bound(string name)
    {
        var (met, again) = (0, 0);
        for (var seed = 0; seed < 24; seed++)
        {
            // all sizes from hardly anything to all of an operand
            var machine = NestLevels.Small(name, 3, 4, 96 << (seed % 6), 4 << (seed % 8));
            foreach (var (_, operation) in NestMapper.Descriptors(NestTests.Map(RandomNetworks.Layer(RandomNetworks.Kinds[seed % RandomNetworks.Kinds.Count], seed), machine).Program))
            {
                var space = new NestSpace(operation, machine);
                var loops = Enumerable.Range(0, operation.Loops.Count).Where(loop => operation.Loops[loop] is { Extent: > 1, Role: not SystolicRole.Row }).ToList();
                foreach (var (outer, inner) in loops.SelectMany(_ => loops, (first, second) => (first, second)))
                {
                    EquatableArray<NestLead> leads = outer == inner ? [new(outer, 1)] : [new(outer, Up(operation.Loops[outer].Extent, 2)), new(inner, 1)];
                    foreach (var place in (NestPlacement[])[NestPlacement.Dram, new(true, false, 0, true, false), new(false, false, 0, true, seed % 2 == 0)])
                    {
                        var free = 48L << (seed % 6);
                        var least = space.LeastCycles(place, free, leads.AsSpan());
                        if (NestMapper.Best(space, place: place, free: free, leads: leads) is { } best)
                        {
                            Assert.True(least <= best.Cycles);
                            met += least == best.Cycles ? 1 : 0;
                            again += space.LeastBytes(place, free, leads.AsSpan()) > space.LeastBytes(place, free, []) ? 1 : 0;
                        }
                    }
                }
            }
        }

        Assert.True(met > 100 && again > 50, $"{met} {again}");

        static int Up(int value, int by) => (value + by - 1) / by;
    }
}
