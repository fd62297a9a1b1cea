using CnnCompiler.Fuzzing;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Reproduction;
using CnnCompiler.Targets.OpenEdge.Selection;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Energy: what is counted on an image, what the selector expects, and choices that make it small.</summary>
public class EnergyTests
{
    [Fact]
    public void Expected_energy_is_the_counted_one_up_to_what_the_plan_of_copies_leaves_open()
    {
        foreach (var machine in BuiltInMachines.All)
        {
            for (var seed = 0; seed < 2; seed++)
            {
                var network = RandomNetworks.Network(700 + seed);
                var gconv = LowerToGconv.Lower(network, new())!;
                var selected = MappingSelector.Select(gconv, machine, [], new(), default, new() { Goal = OptimizationGoal.Energy })!;
                Assert.NotEmpty(selected.Predicted);
                Assert.All(selected.Predicted, layer => Assert.Equal(layer.Femtojoules, layer.Cost));
                var counted = Counted(network, selected, machine);
                var expected = selected.Predicted.Sum(layer => layer.Cost);

                // registers that a launch leaves as they are, and words that lengthen a launch on the bus, are not in the expectation
                Assert.InRange(expected / (double)counted, 0.9, 1.1);
            }
        }
    }

    [Fact]
    public void The_chosen_measure_is_what_becomes_small()
    {
        // a RAM that costs nothing beside cells that wait, or the other way round, makes other mappings the best
        var dear = BuiltInMachines.Find("openedge-ideal")! with { Energy = EnergyDescription.Published.With(EnergyKeys.RamRead, new(500_000, "test")).With(EnergyKeys.RamWrite, new(500_000, "test")) };
        for (var seed = 0; seed < 3; seed++)
        {
            var gconv = LowerToGconv.Lower(RandomNetworks.Layer(LayerKind.Conv2D, 900 + seed), new())!;
            var by = Enum.GetValues<OptimizationGoal>().ToDictionary(goal => goal, goal => Measured(gconv, dear, goal));
            Assert.True(by[OptimizationGoal.Cycles].NestCycles <= by[OptimizationGoal.Energy].NestCycles);
            Assert.True(by[OptimizationGoal.Energy].NestEnergy <= by[OptimizationGoal.Cycles].NestEnergy);
            double Product(OptimizationGoal goal) => (double)by[goal].Cycles * by[goal].Energy;
            Assert.True(Product(OptimizationGoal.EnergyDelay) <= Product(OptimizationGoal.Cycles));
            Assert.True(Product(OptimizationGoal.EnergyDelay) <= Product(OptimizationGoal.Energy));
        }
    }

    [Fact]
    public void The_fastest_mapping_of_a_convolution_is_not_the_one_with_the_least_energy()
    {
        // weights in the code save cycles, and write them all into context memory: where that is dear, they are better read from RAM
        var gconv = LowerToGconv.Lower(ConvolutionPoint.Baseline.Network(), new())!;
        var machine = BuiltInMachines.Find("openedge-ideal")! with { Energy = EnergyDescription.Published.With(EnergyKeys.ContextWord, new(500_000, "test")) };
        var (cycles, energy) = (Measured(gconv, machine, OptimizationGoal.Cycles), Measured(gconv, machine, OptimizationGoal.Energy));
        Assert.NotEqual(cycles.Text, energy.Text);
        Assert.True(cycles.NestCycles < energy.NestCycles && energy.NestEnergy < cycles.NestEnergy);
        Assert.True(cycles.Cycles < energy.Cycles && energy.Energy < cycles.Energy);
    }

    [Fact]
    public void A_run_counts_every_cell_in_every_cycle_once()
    {
        var network = RandomNetworks.Network(41);
        var machine = BuiltInMachines.Default;
        var selected = MappingSelector.Select(LowerToGconv.Lower(network, new())!, machine, [], new(), default)!;
        var result = Run(network, selected, machine);
        var all = result.Activities.Aggregate(result.OutsideActivity, (sum, layer) => sum + layer);
        Assert.Equal(16 * result.Cycles.Total, all.ExecutingCellCycles + all.IdleCellCycles);
        Assert.Equal(all.ExecutingCellCycles, all.OperationCycles + all.WaitCellCycles);
        Assert.Equal(result.Cycles.ExposedHost + result.Cycles.HiddenHost, all.HostCycles);
        Assert.Equal(result.Cycles.Total, all.HostCycles + all.HostWaitCycles);
        Assert.All(result.Activities, layer => Assert.True(layer is { WaitCellCycles: >= 0, IdleCellCycles: >= 0, HostWaitCycles: >= 0 }));
        Assert.True(all.RamReads > result.Cycles.Reads || all.RamWrites > result.Cycles.Writes || all.FlashWords == 0);
        var energy = all.Energy(machine.Energy);
        Assert.Equal(result.Activities.Sum(layer => layer.Energy(machine.Energy).Total) + result.OutsideActivity.Energy(machine.Energy).Total, energy.Total);
        Assert.All((long[])[energy.Operations, energy.Waiting, energy.Ram, energy.Host], part => Assert.True(part > 0));
    }

    [Fact]
    public void Every_event_of_the_table_costs_what_it_says()
    {
        var published = EnergyDescription.Published;
        var activity = new ArrayActivity
        {
            Operations = [.. Enumerable.Range(0, 32).Select(i => i < 26 ? 1000L + i : 0)],
            ExecutingCellCycles = 100_000,
            IdleCellCycles = 17,
            RamReads = 19,
            RamWrites = 23,
            FlashWords = 29,
            ContextWords = 31,
            HostCycles = 37,
            HostWaitCycles = 41,
        };
        var before = activity.Energy(published).Total;
        foreach (var key in EnergyKeys.All)
        {
            var counted = activity.Energy(published.With(key, new(published[key] + 1, "test"))).Total - before;
            Assert.True(counted > 0, key.Name);
        }
    }

    /// <summary>What the image is expected to cost, and what the selector adds up: nests, without loading code that they share.</summary>
    private static (long Cycles, long Energy, long NestCycles, long NestEnergy, string Text) Measured(GconvProgram gconv, MachineDescription machine, OptimizationGoal goal)
    {
        var selected = MappingSelector.Select(gconv, machine, [], new(), default, new() { Goal = goal })!;
        var estimate = ImageEmitter.Estimate(selected.Program, machine, new KernelTimer(machine))!;
        var timer = new KernelTimer(machine);
        var nests = selected.Program.Steps.OfType<Ir.Mapped.MappedNest>().ToList();
        return (
            estimate.Cycles,
            estimate.Femtojoules,
            nests.Sum(nest => timer.Cost(nest, selected.Program).At(selected.Place, CostWeights.OfCycles)),
            nests.Sum(nest => timer.Cost(nest, selected.Program, withEnergy: true).At(selected.Place, CostWeights.OfEnergy)),
            Ir.Mapped.MappedPrinter.Print(selected.Program).Text);
    }

    private static long Counted(NetworkGraph network, SelectedMapping selected, MachineDescription machine)
    {
        var result = Run(network, selected, machine);
        return (result.Activities.Aggregate(result.OutsideActivity, (sum, layer) => sum + layer)).Energy(machine.Energy).Total;
    }

    private static RunResult Run(NetworkGraph network, SelectedMapping selected, MachineDescription machine)
    {
        var diagnostics = new DiagnosticBag();
        var image = ImageEmitter.Emit(selected.Program, machine, diagnostics, default);
        Assert.True(image is not null, string.Join('\n', diagnostics.Diagnostics));
        var result = ImageInterpreter.Run(image, [.. RandomNetworks.Inputs(network, 1).Select(t => (ReadOnlyMemory<byte>)t.Bytes.ToArray())]);
        Assert.Empty(result.Diagnostics);
        return result;
    }
}
