using CnnCompiler.Fuzzing;
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
                var best = NestMapper.Cost(NestMapper.Best(operation, machine)!, operation, machine);
                Assert.True(NestMapper.Cost(NestMapper.Best(new NestSpace(operation, machine), limit: best.Cycles)!, operation, machine).CompareTo(best) <= 0);
                Assert.Null(NestMapper.Best(new NestSpace(operation, machine), limit: best.Cycles - 1));
                var plans = new NestPlans(machine);
                Assert.Equal((null, true), plans.Within(operation, best.Cycles - 1));
                Assert.Equal((null, true), plans.Within(operation, best.Cycles / 2));
                Assert.NotNull(plans.Within(operation, best.Cycles).Plan);
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
                var (plan, cycles, energy) = NestSearch.Best(space)!.Value;
                Assert.Equal(NestSearch.Best(space, prunes: false)!.Value.Cycles, cycles);
                Assert.Equal(NestMapper.Cost(plan, operation, machine), (cycles, energy));
            }
        }
    }
}
