using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;
using CnnCompiler.Targets.Systolic.Reproduction;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Systolic.Tests;

/// <summary>How plans are chosen and what they cost.</summary>
public class PlanTests
{
    private static readonly MachineDescription Large = ArrayFlexReproduction.Machines[0];
    private static readonly SystolicOptions Plain = new() { PackGroups = false, VectorProducts = false };

    /// <summary>Cycles of the paper's closed form: ceil(K/R) * ceil(N/C) * (R + ceil(R/k) + ceil(C/k) + M - 2).</summary>
    private static long ClosedForm(ProductLayer layer, MachineDescription machine, int k)
    {
        static long Up(long a, long b) => (a + b - 1) / b;
        return layer.Groups * Up(layer.Rows, machine.Rows) * Up(layer.Columns, machine.Columns) * (machine.Rows + Up(machine.Rows, k) + Up(machine.Columns, k) + layer.Positions - 2);
    }

    [Fact]
    public void Counted_cycles_of_every_layer_and_depth_are_those_of_the_closed_form() => Assert.All(
        from machine in ArrayFlexReproduction.Machines from list in LayerList.ArrayFlex from layer in list.Layers select (machine, layer),
        entry =>
        {
            var candidates = new PlanChooser(entry.machine, Plain).Candidates(entry.layer.Operator(), entry.layer.Name, null);
            Assert.Equal(["k1", "k2", "k4"], candidates.Select(candidate => candidate.Name));
            Assert.All(candidates, candidate => Assert.Equal(ClosedForm(entry.layer, entry.machine, candidate.Plan!.Inner.Vertical), candidate.Cost.ArrayCycles));
        });

    [Fact]
    public void The_choice_is_the_best_depth_of_the_closed_form_and_next_to_the_continuous_optimum()
    {
        int[] depths = [1, 2, 4];
        foreach (var layer in LayerList.ArrayFlex.SelectMany(list => list.Layers))
        {
            var best = PlanChooser.Best(new PlanChooser(Large, Plain).Candidates(layer.Operator(), layer.Name, null)).Plan!.Inner.Vertical;
            Assert.Equal(depths.MinBy(k => ClosedForm(layer, Large, k) * Large.Systolic!.PeriodFemtoseconds(k, k)), best);

            // k^ = sqrt((R + C) / (R + T - 2) * D / d); the clocks do not lie on one line: D / d is 9.5 to 16
            var (low, high) = (Optimum(9.5), Optimum(16));
            Assert.True(best >= low / 2 && best <= 2 * high, $"{layer}: {best} for {low:0.0} to {high:0.0}");
            double Optimum(double ratio) => Math.Sqrt((Large.Rows + Large.Columns) / (double)(Large.Rows + layer.Positions - 2) * ratio);
        }
    }

    [Fact]
    public void Every_objective_is_the_best_of_all_candidates_by_its_own_measure()
    {
        var random = new SeededRandom(11);
        var machine = AllLevels.Machine(16, 16);
        for (var i = 0; i < 200; i++)
        {
            var layer = new ProductLayer("x", false, random.Next(1, 8), random.Next(1, 3000), random.Next(1, 40), random.Next(1, 60));
            foreach (var objective in Enum.GetValues<SystolicObjective>())
            {
                var options = new SystolicOptions(objective) { Asymmetric = random.OneIn(2), Trimmed = random.OneIn(2), DoubleBuffered = random.OneIn(2), VectorProducts = false };
                var candidates = new PlanChooser(machine, options).Candidates(layer.Operator(), "x", null);
                var best = PlanChooser.Best(candidates);
                Assert.All(candidates, candidate => Assert.True(Of(best.Cost) <= Of(candidate.Cost) * 1.000001));
                double Of(SystolicLayerRun cost)
                {
                    var (time, energy) = ((double)cost.Femtoseconds, (double)cost.EnergyAttojoules(machine.Systolic!));
                    return objective switch { SystolicObjective.Latency => time, SystolicObjective.Energy => energy, _ => Math.Floor(time / 1000) * Math.Floor(energy / 1e6) };
                }
            }
        }
    }

    [Fact]
    public void Depths_of_single_tiles_are_exact_where_costs_add_up()
    {
        var random = new SeededRandom(5);
        var machine = AllLevels.Machine(8, 8);
        for (var i = 0; i < 60; i++)
        {
            var layer = new ProductLayer("x", false, 1, random.Next(1, 400), random.Next(1, 20), random.Next(1, 20));
            var options = new SystolicOptions { Trimmed = true, DepthPerTile = true, VectorProducts = false };
            var chooser = new PlanChooser(machine, options);
            var best = PlanChooser.Best(chooser.Candidates(layer.Operator(), "x", null));
            CollapseDepth[] depths = [new(1, 1), new(2, 2), new(4, 4)];
            var all = from a in depths from b in depths from c in depths from d in depths
                      select chooser.CostOf(layer.Operator(), best.Plan! with { Inner = a, LastColumns = b, LastRows = c, LastBoth = d }).Femtoseconds;
            Assert.Equal(all.Min(), best.Cost.Femtoseconds);
        }
    }

    [Fact]
    public void Groups_are_packed_as_blocks_on_the_diagonal_where_that_is_better()
    {
        var layer = new ProductLayer("dw", true, 64, 196, 1, 9);
        var packed = PlanChooser.Best(new PlanChooser(Large, new() { VectorProducts = false }).Candidates(layer.Operator(), "dw", null));
        Assert.Equal(14, packed.Plan!.GroupsPacked);
        Assert.Equal(5, packed.Cost.Tiles);
        Assert.Equal(14 * 9 * 14 * 196 * 4 + (8 * 9 * 8 * 196), packed.Cost.Events.Multiplications);
        Assert.Equal("k2+14-groups", packed.Name);
    }

    [Fact]
    public void Vectors_are_cut_where_the_accumulators_end_and_the_better_order_is_taken()
    {
        var machine = AllLevels.Machine(16, 16);
        var layer = new ProductLayer("x", false, 1, 5000, 64, 40);
        var candidates = new PlanChooser(machine, Plain).Candidates(layer.Operator(), "x", null);
        Assert.Equal(6, candidates.Count);
        Assert.All(candidates, candidate => Assert.Equal((1024, 5 * 4 * 3), (candidate.Plan!.VectorsPerTile, (int)candidate.Cost.Tiles)));

        // activations of 200 KB do not fit 64 KB: columns outside reads them once for each of four column tiles, vectors outside once
        var (columns, vectors) = (candidates.First(c => c.Plan!.Order == SystolicOrder.ColumnsOuter).Cost.DramReads, candidates.First(c => c.Plan!.Order == SystolicOrder.VectorsOuter).Cost.DramReads);
        Assert.True(vectors < columns);
        Assert.Equal(3 * 5000 * 40 / 4, columns - vectors);
    }

    [Fact]
    public void Double_buffering_hides_all_loads_but_the_first_behind_streams_that_are_longer()
    {
        var layer = new ProductLayer("x", false, 1, 500, 256, 256);
        var plain = PlanChooser.Best(new PlanChooser(Large, Plain with { ForcedDepth = 2 }).Candidates(layer.Operator(), "x", null)).Cost;
        var doubled = PlanChooser.Best(new PlanChooser(Large, Plain with { ForcedDepth = 2, DoubleBuffered = true }).Candidates(layer.Operator(), "x", null)).Cost;
        Assert.Equal(4, plain.Tiles);
        Assert.Equal(3 * 128, plain.ArrayCycles - doubled.ArrayCycles);
    }
}
