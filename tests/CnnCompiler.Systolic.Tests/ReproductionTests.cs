using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;
using CnnCompiler.Targets.Systolic.Reproduction;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Systolic.Tests;

/// <summary>The ArrayFlex paper and SCALE-Sim, computed again (issue 7's acceptance).</summary>
public class ReproductionTests
{
    private static readonly SystolicOptions Paper = new() { PackGroups = false, VectorProducts = false };

    /// <summary>Array, network, microseconds of the fixed and the configurable array, layers at k = 1, 2, 4: <c>research/arrayflex.md</c> section 4.</summary>
    public static TheoryData<int, string, double, double, int[]> Remembered() => new()
    {
        { 128, "ResNet-34", 401.8, 363.7, [7, 20, 7] },
        { 128, "MobileNet", 78.3, 70.3, [4, 8, 3] },
        { 128, "ConvNeXt", 482.3, 427.4, [7, 26, 8] },
        { 256, "ResNet-34", 205.0, 181.0, [1, 14, 19] },
        { 256, "MobileNet", 45.3, 41.4, [2, 4, 9] },
        { 256, "ConvNeXt", 247.6, 210.1, [0, 14, 27] },
    };

    [Theory]
    [MemberData(nameof(Remembered))]
    public void Times_and_depths_without_depthwise_layers_are_those_that_are_remembered(int side, string network, double fixedTime, double time, int[] layers)
    {
        var figure = ArrayFlexReproduction.Measure(Network(network), Machine(side), Paper, depthwise: false, fixedToo: true);
        Assert.Equal(fixedTime, figure.FixedFemtoseconds / 1e9, 1);
        Assert.Equal(time, figure.Femtoseconds / 1e9, 1);
        Assert.Equal(layers, new[] { 1, 2, 4 }.Select(k => figure.LayersPerDepth.GetValueOrDefault(new(k, k))));
    }

    [Fact]
    public void The_average_saving_without_extensions_and_depthwise_layers_is_that_of_the_abstract() =>
        Assert.InRange(Saving(Paper, depthwise: false), 0.105, 0.115);

    [Fact]
    public void With_extensions_the_average_saving_is_at_least_12_percent_also_against_a_fixed_array_that_has_them_too()
    {
        var all = ArrayFlexReport.Extensions[^1].Options;
        Assert.InRange(Saving(all, depthwise: false), 0.12, 1);
        Assert.InRange(Saving(Paper with { Asymmetric = true }, depthwise: false), 0.12, 1);
        Assert.All(ArrayFlexReport.Extensions, extension => Assert.True(
            ArrayFlexReproduction.All(extension.Options, depthwise: false, fixedToo: false).Average(figure => figure.Saving) >= Saving(Paper, depthwise: false), extension.Name));
    }

    [Fact]
    public void With_depthwise_layers_packed_groups_beat_lowering_channel_by_channel()
    {
        Assert.Equal(0.088, Saving(Paper, depthwise: true), 3);
        Assert.InRange(Saving(Paper with { PackGroups = true }, depthwise: true), 0.0885, 1);
        foreach (var machine in ArrayFlexReproduction.Machines)
        {
            var (alone, packed) = (Measure(false), Measure(true));
            Assert.True(packed.Femtoseconds < alone.Femtoseconds / 2);
            ArrayFlexFigure Measure(bool pack) => ArrayFlexReproduction.Measure(Network("MobileNet"), machine, Paper with { PackGroups = pack }, depthwise: true, fixedToo: true);
        }
    }

    [Fact]
    public void Power_and_energy_come_from_the_events_that_were_counted()
    {
        var machine = Machine(128);
        var figure = ArrayFlexReproduction.Measure(Network("ResNet-34"), machine, Paper, depthwise: false, fixedToo: true);
        var cheap = machine with { Systolic = machine.Systolic!.With(SystolicKeys.RegisterBit, new(0, "test")).With(SystolicKeys.GatedBit, new(0, "test")) };
        var without = ArrayFlexReproduction.Measure(Network("ResNet-34"), cheap, Paper, depthwise: false, fixedToo: true);
        Assert.Equal(figure.Femtoseconds, without.Femtoseconds);
        Assert.True(without.Attojoules < figure.Attojoules && without.FixedAttojoules < figure.FixedAttojoules);

        // what is saved is registers' clocks: without their energy the carry-save adders cost more than they save
        Assert.True(figure.PowerSaving > without.PowerSaving);
        var events = new SystolicEvents { Multiplications = 2, CarrySaveAdds = 3, CarryPropagateAdds = 5, HorizontalClocks = 7, HorizontalGated = 11, VerticalClocks = 13, VerticalGated = 17, WeightShifts = 19 };
        Assert.Equal((2 * 200_000) + (3 * 50_000) + (5 * 100_000) + (((7 + 19) * 8) + (13 * 32)) * 3000 + (((11 * 8) + (17 * 32)) * 150), SystolicEnergy.Array(events, machine.Systolic!, isFixed: false));
        Assert.Equal(3 * 50_000, SystolicEnergy.Array(events, machine.Systolic!, isFixed: false) - SystolicEnergy.Array(events, machine.Systolic!, isFixed: true));
    }

    [Fact]
    public void Published_power_and_energy_delay_lie_between_narrow_and_wide_operands()
    {
        var narrow = ArrayFlexReproduction.All(Paper, depthwise: false, fixedToo: true);
        var wide = ArrayFlexReproduction.All(Paper, depthwise: false, fixedToo: true, ArrayFlexReproduction.WideMachines);
        Assert.True(wide.Average(f => f.PowerSaving) < 0.13 && narrow.Average(f => f.PowerSaving) > 0.23);
        Assert.True(wide.Average(f => f.EnergyDelayGain) < 1.4 && narrow.Average(f => f.EnergyDelayGain) > 1.8);
    }

    [Fact]
    public void All_175_stall_free_layers_of_SCALE_Sim_are_exact()
    {
        var figures = ScaleSim().Select(ScaleSimComparison.Count).ToList();
        Assert.Equal(180, figures.Count);
        var compared = figures.Where(figure => figure.Row.IsStallFree).ToList();
        Assert.Equal(175, compared.Count);
        Assert.Equal(165, compared.Count(figure => figure.ByEngine));
        Assert.All(compared, figure => Assert.True(figure.Agrees, $"{figure.Row}: {figure.Cycles}"));
        Assert.All(figures.Except(compared), figure => Assert.True(figure.Row.Cycles > figure.Cycles));
    }

    [Fact]
    public void A_fold_of_SCALE_Sim_takes_as_long_in_the_stepping_engine()
    {
        // one fold of each length that is quickly stepped; all folds of a layer take the same cycles
        var rows = ScaleSim().Where(row => row is { Dataflow: "ws", IsStallFree: true, Positions: < 800 }).DistinctBy(row => row.Positions).ToList();
        Assert.NotEmpty(rows);
        foreach (var row in rows)
        {
            var tile = new SystolicTile(SystolicConfiguration.Of(row.Rows, row.Columns, 1, 1), row.Rows, row.Columns, (int)row.Positions, new sbyte[row.Rows * row.Columns], new sbyte[row.Rows * row.Positions]);
            var folds = ((row.Window + row.Rows - 1) / row.Rows) * ((row.Filters + row.Columns - 1) / row.Columns);
            Assert.Equal(row.Cycles + 1, folds * SteppedArray.Run(tile).Cycles);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("topology,layer\n")]
    [InlineData("topology,layer,dataflow,array_rows,array_cols,bw_mode,M_ofpx,N_filters,K_window,sim_total_cycles,wall_s\na,b,ws,32,32,CALC,1,1,1,x,1\n")]
    [InlineData("topology,layer,dataflow,array_rows,array_cols,bw_mode,M_ofpx,N_filters,K_window,sim_total_cycles,wall_s\na,b,ws,32,32000,CALC,1,1,1,1,1\n")]
    [InlineData("topology,layer,dataflow,array_rows,array_cols,bw_mode,M_ofpx,N_filters,K_window,sim_total_cycles,wall_s\na,b\n")]
    public void What_is_no_table_of_results_is_refused(string text) => Assert.Null(ScaleSimComparison.Parse(text));

    [Fact]
    public void Every_section_of_the_report_has_a_text() => Assert.All(ArrayFlexReport.Sections([]), section => Assert.NotEmpty(section.Text()));

    [Fact]
    public void The_page_of_figures_is_what_is_computed()
    {
        var sections = ArrayFlexReport.Sections(null).Select(section => $"## {section.Title}\n\n```\n{section.Text().TrimEnd()}\n```\n");
        Snapshot.Check("docs/figures-arrayflex.md", $"# ArrayFlex: figures\n\nWritten by a test from what `cnnc reproduce arrayflex` computes ([targets/arrayflex.md](targets/arrayflex.md) says what is compared).\n\n{string.Join('\n', sections)}");
    }

    private static IReadOnlyList<ScaleSimRow> ScaleSim()
    {
        var path = SharedMaterial.Find("research", "scalesim_results.csv");
        Assert.SkipWhen(path is null, SharedMaterial.Reason);
        return ScaleSimComparison.Parse(File.ReadAllText(path!))!;
    }

    private static double Saving(SystolicOptions options, bool depthwise) => ArrayFlexReproduction.All(options, depthwise, fixedToo: true).Average(figure => figure.Saving);

    private static LayerList Network(string name) => LayerList.ArrayFlex.Single(list => list.Name == name);

    private static MachineDescription Machine(int side) => ArrayFlexReproduction.Machines.Single(machine => machine.Rows == side);
}
