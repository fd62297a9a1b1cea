using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Efforts, schedules and kept costs.</summary>
public sealed class SearchTests
{
    private const int Seeds = 8;

    private static MachineDescription Machine => BuiltInMachines.Default;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_schedule_makes_the_same_program_without_a_search(int effort)
    {
        var written = 0;
        for (var seed = 0; seed < Seeds; seed++)
        {
            var program = Program(seed);
            var selected = Select(program, new() { Effort = effort })!;
            if (selected.Schedule is not { } schedule)
            {
                continue;
            }

            written++;
            var again = Select(program, new() { Schedule = schedule })!;
            Assert.Equal(MappedPrinter.Print(selected.Program).Text, MappedPrinter.Print(again.Program).Text);
            Assert.Equal(schedule, again.Schedule);
        }

        Assert.Equal(Seeds, written);
    }

    [Fact]
    public void What_progress_throws_ends_the_search_as_it_was_thrown() =>
        Assert.Throws<NotSupportedException>(() => Select(Program(0), new() { Progress = _ => throw new NotSupportedException() }));

    [Fact]
    public void A_launch_costs_what_it_costs_alone_whatever_was_measured_before()
    {
        foreach (var machine in BuiltInMachines.All)
        {
            for (var seed = 0; seed < Seeds; seed++)
            {
                var program = OpenEdgeMapper.Map(Program(seed), MappingChoices.Defaults, new(), default)!.Program;
                var timer = new KernelTimer(machine);
                Assert.All(program.Steps.OfType<MappedNest>(), nest => Assert.Equal(new KernelTimer(machine).ArrayCost(nest, program), timer.ArrayCost(nest, program)));
            }
        }
    }

    [Fact]
    public void A_search_over_the_whole_program_tells_what_it_changed()
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var program = Program(seed);
            var diagnostics = new DiagnosticBag();
            var searched = MappingSelector.Select(program, Machine, [], diagnostics, default, new() { Effort = 2 })!.Schedule;
            Assert.Equal(searched != Select(program, new())!.Schedule, diagnostics.Diagnostics.Any(diagnostic => diagnostic.Code == "CNN0827"));
        }
    }

    [Fact]
    public void More_effort_is_never_slower_in_the_whole_program_than_the_choice_by_layers()
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var program = Program(seed);
            var timer = new KernelTimer(Machine);
            var cycles = Enumerable.Range(1, 3).Select(effort => ImageEmitter.Estimate(Select(program, new() { Effort = effort })!.Program, Machine, timer)!.Cycles).ToArray();
            Assert.True(cycles[1] <= cycles[0] && cycles[2] <= cycles[1], string.Join(' ', cycles));
        }
    }

    [Fact]
    public void A_schedule_that_does_not_fit_is_refused_with_what_does_not()
    {
        var program = Program(1);
        var schedule = Select(program, new())!.Schedule!;
        foreach (var (broken, code) in new (string, string)[]
        {
            (schedule.Replace(Machine.Name, "another", StringComparison.Ordinal), "CNN0826"),
            (schedule.Replace("\"choices\": {", "\"choices\": {\n    \"nowhere\": \"contract-n\",", StringComparison.Ordinal), "CNN0826"),
            (schedule.Replace("\"bands\": {", "\"bands\": {\"nowhere\": 2", StringComparison.Ordinal), "CNN0826"),
            (schedule.Replace("\"packedBefore\": {", "\"packedBefore\": {\"nowhere\": \"\"", StringComparison.Ordinal), "CNN0826"),
            (schedule.Replace("\"accumulatorWords\": ", "\"accumulatorWords\": -", StringComparison.Ordinal), "CNN0826"),
            (schedule.Replace("\"planeWords\": ", "\"planeWords\": -1", StringComparison.Ordinal), "CNN0826"),
            (schedule.Replace("\"cnncSchedule\": 2", "\"cnncSchedule\": 99", StringComparison.Ordinal), "CNN0825"),
            (schedule[..(schedule.Length / 2)], "CNN0825"),
            ("[]", "CNN0825"),
            ("{\"cnncSchedule\": 2}", "CNN0825"),
        })
        {
            Assert.NotEqual(schedule, broken);
            var diagnostics = new DiagnosticBag();
            Assert.Null(MappingSelector.Select(program, Machine, [], diagnostics, default, new() { Schedule = broken }));
            Assert.Equal([code], diagnostics.Diagnostics.Select(d => d.Code));
        }
    }

    [Fact]
    public void Kept_costs_give_the_same_schedule_and_nothing_is_measured_twice()
    {
        foreach (var machine in BuiltInMachines.All)
        {
            var store = new Store();
            for (var seed = 0; seed < 3; seed++)
            {
                var program = Program(seed);
                var plain = MappingSelector.Select(program, machine, [], new(), default)!.Schedule;
                Assert.Equal(plain, MappingSelector.Select(program, machine, [], new(), default, new() { Costs = store })!.Schedule);
                var kept = store.Costs.Count;
                Assert.Equal(plain, MappingSelector.Select(program, machine, [], new(), default, new() { Costs = store })!.Schedule);
                Assert.Equal(kept, store.Costs.Count);
            }

            Assert.NotEmpty(store.Costs);
        }
    }

    [Fact]
    public void Energies_are_kept_with_the_cycles_so_that_nothing_runs_again_for_them()
    {
        var store = new Store();
        var program = Select(Program(0), new() { Costs = store })!.Program;
        var before = ImageEmitter.Estimate(program, Machine, new KernelTimer(Machine, store))!;
        var energies = store.Costs.Keys.Where(key => key.Contains(" energy ", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(energies);
        foreach (var key in energies)
        {
            store.Costs[key] *= 2;
        }

        var after = ImageEmitter.Estimate(program, Machine, new KernelTimer(Machine, store))!;
        Assert.Equal(before.Cycles, after.Cycles);
        Assert.True(after.Femtojoules > before.Femtojoules);

        // with other energies it is another cost
        var other = Machine with { Energy = EnergyDescription.Published.With(EnergyKeys.RamRead, new(1, "test")) };
        Assert.True(ImageEmitter.Estimate(program, other, new KernelTimer(other, store))!.Femtojoules < before.Femtojoules);
    }

    private static GconvProgram Program(int seed) => LowerToGconv.Lower(RandomNetworks.Network(seed), new())!;

    private static SelectedMapping? Select(GconvProgram program, SearchOptions search)
    {
        var diagnostics = new DiagnosticBag();
        var selected = MappingSelector.Select(program, Machine, [], diagnostics, default, search);
        Assert.False(diagnostics.HasErrors, string.Join('\n', diagnostics.Diagnostics));
        return selected;
    }

    private sealed class Store : ICostStore
    {
        public Dictionary<string, long> Costs { get; } = new(StringComparer.Ordinal);

        public long? Find(string key) => Costs.TryGetValue(key, out var cost) ? cost : null;

        public void Keep(string key, long cost) => Costs.Add(key, cost);
    }
}
