using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Overlay.Exploration;

namespace CnnCompiler.Overlay.Tests;

/// <summary>Exploration of shapes: the same front as without any bound, and as from parts.</summary>
public class ExplorationTests
{
    [Fact]
    public void The_front_of_the_published_model_is_that_of_evaluating_every_shape()
    {
        var model = new PublishedShapeModel(300);
        Check(model, 60);
        Assert.All(ShapeExplorer.Shapes(60), shape => Assert.True(model.LowerBound(shape) <= model.Cost(shape), $"{shape}"));
    }

    [Fact]
    public void The_front_of_a_network_is_that_of_evaluating_every_shape_and_no_bound_is_above_a_cost()
    {
        var model = new NetworkShapeModel([Networks.Lenet5(), Networks.Lenet5()], BuiltInMachines.Overlay[1]);
        Check(model, 24);
        Assert.All(ShapeExplorer.Shapes(24), shape => Assert.True(model.LowerBound(shape) <= model.Cost(shape), $"{shape}"));
    }

    [Fact]
    public void Networks_are_optimised_together()
    {
        var one = new NetworkShapeModel([Networks.Lenet5()], BuiltInMachines.Overlay[1]);
        var two = new NetworkShapeModel([Networks.Lenet5(), Networks.Lenet5()], BuiltInMachines.Overlay[1]);
        Assert.Equal(2 * one.Cost(new(7, 5)), two.Cost(new(7, 5)));
    }

    [Fact]
    public void The_fastest_shape_within_the_published_budget_needs_few_evaluations()
    {
        var found = ShapeExplorer.Explore(new PublishedShapeModel(300), 6084, fastestOnly: true, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(new OverlayShape(62, 98), Assert.Single(found.Front).Shape);
        Assert.InRange(found.Evaluated, 1, found.Shapes / 20);
    }

    private static void Check(IShapeModel model, int elements)
    {
        List<ExploredShape> expected = [];
        foreach (var shape in ShapeExplorer.Shapes(elements).OrderBy(shape => shape.Elements).ThenBy(shape => shape.Rows))
        {
            var cost = model.Cost(shape);
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
