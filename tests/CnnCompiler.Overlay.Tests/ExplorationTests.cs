using CnnCompiler.Core;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Published;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Overlay;
using CnnCompiler.Targets.Overlay.Exploration;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Overlay.Tests;

/// <summary>Exploration of shapes: the same front as without any bound, and as from parts.</summary>
public class ExplorationTests
{
    private static readonly EquatableArray<DynamapDataflow> Dataflows = [DynamapDataflow.NS, DynamapDataflow.WS, DynamapDataflow.IS];

    [Fact]
    public void The_front_of_the_published_model_is_that_of_evaluating_every_shape() => Check(PublishedShapeModel.GoogLeNet(300), 60);

    [Fact]
    public void The_published_cost_of_chains_is_that_of_the_selection_problem()
    {
        var chains = PublishedChains.Of(DynamapNetworks.Definition("googlenet"));
        Assert.Equal(57, chains.Convolutions);
        foreach (var (rows, columns) in (ReadOnlySpan<(int, int)>)[(92, 66), (62, 98), (1, 1), (7, 300), (78, 78)])
        {
            var overlay = new DynamapOverlay(rows, columns, 300, Dataflows);
            var instance = PublishedGoogLeNet.On(overlay);
            var solved = SelectionSolver.Solve(CostGraphBuilder.Build(instance.Problem, instance).Graph!).Selection!.Cost;
            Assert.Equal(solved, PublishedShapeModel.GoogLeNet(300).Cost(new(rows, columns), long.MaxValue));
            Assert.Equal(solved, chains.Picoseconds(new(overlay)));
        }
    }

    [Fact]
    public void The_front_of_a_network_is_that_of_evaluating_every_shape_and_no_bound_is_above_a_cost()
    {
        var model = new NetworkShapeModel([Networks.Lenet5(), Networks.Lenet5()], BuiltInMachines.Overlay[1]);
        Check(model, 24);
        Assert.All(ShapeExplorer.Shapes(24), shape => Assert.True(model.LowerBound(shape) <= model.Cost(shape, long.MaxValue), $"{shape}"));
    }

    [Fact]
    public void A_shape_costs_what_the_compiler_predicts_for_it()
    {
        var network = Networks.Zoo("googlenet", 64);
        var program = Networks.Gconv(network);
        foreach (var machine in (MachineDescription[])[OverlayLevels.Machine(5, 7), BuiltInMachines.Overlay[1], BuiltInMachines.Overlay[0] with { Rows = 31, Columns = 196 }])
        {
            var diagnostics = new DiagnosticBag();
            var mapped = PassRunner.Run(new Pipeline(new MapToOverlay(machine, [])), new GconvModule(program), new PassContext { Diagnostics = diagnostics });
            var model = new NetworkShapeModel([program], machine);
            var cost = model.Cost(new(machine.Rows, machine.Columns), long.MaxValue);
            Assert.Equal(((SystolicModule)mapped!).Selection!.Cost, cost);
            Assert.Null(model.Cost(new(machine.Rows, machine.Columns), cost!.Value));
            Assert.True(model.LowerBound(new(machine.Rows, machine.Columns)) <= cost);
        }
    }

    [Fact]
    public void Networks_are_optimised_together()
    {
        var one = new NetworkShapeModel([Networks.Lenet5()], BuiltInMachines.Overlay[1]);
        var two = new NetworkShapeModel([Networks.Lenet5(), Networks.Lenet5()], BuiltInMachines.Overlay[1]);
        Assert.Equal(2 * one.Cost(new(7, 5), long.MaxValue), two.Cost(new(7, 5), long.MaxValue));
    }

    [Fact]
    public void The_fastest_shape_within_the_published_budget_needs_few_evaluations()
    {
        var found = ShapeExplorer.Explore(PublishedShapeModel.GoogLeNet(300), 6084, fastestOnly: true, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(new OverlayShape(62, 98), Assert.Single(found.Front).Shape);
        Assert.InRange(found.Evaluated, 1, found.Shapes / 20);
    }

    [Fact]
    public void A_budget_of_buffers_and_bandwidth_is_divided_so_that_no_other_division_is_better()
    {
        const long buffers = 49152;
        const long bandwidth = 64;
        var divisions = OverlayDivision.Of(buffers, bandwidth);
        Assert.Equal(21 * 7, divisions.Count);
        Assert.All(divisions, division => Assert.InRange(division.ActivationBytes + division.WeightBytes + division.SumBytes, 1, buffers));
        Assert.All(divisions, division => Assert.InRange(division.ReadBytes + division.WriteBytes, 1, bandwidth));
        var (network, shape) = (Networks.Lenet5(), new OverlayShape(6, 9));
        var model = new NetworkShapeModel([network], BuiltInMachines.Overlay[1], divisions);
        var costs = divisions.Select(division => new NetworkShapeModel([network], division.On(BuiltInMachines.Overlay[1] with { Rows = 6, Columns = 9 })).Cost(shape, long.MaxValue)!.Value).ToList();
        Assert.Equal(costs.Min(), model.Cost(shape, long.MaxValue));
        Assert.True(costs.Max() > costs.Min());
        Assert.True(model.LowerBound(shape) <= costs.Min());
        Assert.Equal(costs.Min(), new NetworkShapeModel([network], model.Machine(shape)).Cost(shape, long.MaxValue));
        Check(model, 8);
    }

    private static void Check(IShapeModel model, int elements)
    {
        List<ExploredShape> expected = [];
        foreach (var shape in ShapeExplorer.Shapes(elements).OrderBy(shape => shape.Elements).ThenBy(shape => shape.Rows))
        {
            var cost = model.Cost(shape, long.MaxValue)!.Value;
            if (expected.TrueForAll(known => known.Cost > cost))
            {
                expected.RemoveAll(known => known.Shape.Elements == shape.Elements);
                expected.Add(new(shape, cost));
            }
        }

        var token = TestContext.Current.CancellationToken;
        Assert.Equal(expected, ShapeExplorer.Explore(model, elements, fastestOnly: false, cancellation: token).Front);
        Assert.Equal(expected[^1], Assert.Single(ShapeExplorer.Explore(model, elements, fastestOnly: true, cancellation: token).Front));
        var parts = Enumerable.Range(0, 3).Select(shard => ShapeExplorer.Explore(model, elements, fastestOnly: false, shard, 3, cancellation: token)).ToList();
        var merged = ExplorationResult.Merge(parts);
        Assert.Equal(expected, merged.Front);
        Assert.Equal(ShapeExplorer.Shapes(elements).Count(), merged.Shapes);
    }
}
