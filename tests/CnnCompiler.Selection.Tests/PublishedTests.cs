using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Published;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Selection.Tests;

/// <summary>The figures of the research notes on DYNAMAP, sections 9 and 10.</summary>
public class PublishedTests
{
    private const DynamapDataflow NS = DynamapDataflow.NS;
    private const DynamapDataflow WS = DynamapDataflow.WS;
    private const DynamapDataflow IS = DynamapDataflow.IS;

    /// <summary>Defaults of the published tool.</summary>
    private static readonly PublishedDynamapCosts Tool = new(new(92, 64, 200, [NS, WS]));

    [Theory]
    [InlineData(1, 192, 96, ".019920")]
    [InlineData(1, 192, 16, ".011040")]
    [InlineData(1, 192, 64, ".011184")]
    [InlineData(3, 96, 128, ".090072", ".077760", ".046320")]
    [InlineData(5, 16, 32, ".023100", ".018000", ".011333")]
    [InlineData(1, 192, 32, ".011088")]
    public void Inception_3a_costs_what_the_published_test_case_says(int kernel, int inputs, int outputs, params string[] milliseconds)
    {
        var layer = new DynamapConvolution(28, 28, kernel, kernel, inputs, outputs);
        Assert.Equal(milliseconds, layer.Algorithms.Select(algorithm => Six(Tool.Milliseconds(layer, algorithm))));
    }

    [Theory]
    [InlineData(96, 9, ".010584", ".001176", ".004900")]
    [InlineData(16, 25, ".004900", ".000196", ".000980")]
    public void Inception_3a_transitions_cost_what_the_published_test_case_says(int channels, int kernel, params string[] milliseconds) => Assert.Equal(
        milliseconds,
        Enum.GetValues<DynamapAlgorithm>().Select(to => Six(Tool.TransitionMilliseconds(28, 28, channels, kernel, DynamapAlgorithm.Im2col, to))));

    [Fact]
    public void Transitions_are_paid_twice_where_the_memory_is_too_slow_for_double_buffering()
    {
        var slow = new PublishedDynamapCosts(new(92, 64, 500, [NS, WS]));
        Assert.Equal(2 * Tool.TransitionMilliseconds(28, 28, 96, 9, null, null), slow.TransitionMilliseconds(28, 28, 96, 9, null, null));
        Assert.Equal(".001176", Six(Tool.TransitionMilliseconds(28, 28, 96, 9, DynamapAlgorithm.Winograd, DynamapAlgorithm.Winograd)));
    }

    [Theory]
    [InlineData(92, 66, 286, new[] { NS, WS, IS }, 0.924, 1.488, 1.297, 0.924)]
    [InlineData(92, 66, 286, new[] { NS, WS }, 0.961, 1.566, 1.343, 0.961)]
    [InlineData(92, 66, 286, new[] { NS }, 1.120, 1.757, 1.453, 1.181)]
    [InlineData(92, 64, 200, new[] { NS, WS }, 1.269, 2.019, 1.830, 1.269)]
    [InlineData(78, 78, 200, new[] { NS, WS }, 1.365, 2.229, 2.009, 1.365)]
    public void GoogLeNet_costs_what_the_notes_say(int rows, int columns, double megahertz, DynamapDataflow[] dataflows, double optimum, double im2col, double kn2row, double winograd)
    {
        var graph = Build(PublishedGoogLeNet.On(new(rows, columns, megahertz, dataflows.ToEquatableArray())));
        Assert.Equal(optimum, Cost(graph, null));
        Assert.Equal(im2col, Cost(graph, DynamapAlgorithm.Im2col));
        Assert.Equal(kn2row, Cost(graph, DynamapAlgorithm.Kn2row));
        Assert.Equal(winograd, Cost(graph, DynamapAlgorithm.Winograd));
    }

    [Fact]
    public void GoogLeNet_layer_by_layer_is_the_table_of_the_notes()
    {
        var file = SharedMaterial.Find("research", "dynamap_googlenet_model.csv");
        Assert.SkipUnless(file is not null, SharedMaterial.Reason);
        var network = PublishedGoogLeNet.On(new(92, 66, 286, [NS, WS, IS]));
        var graph = Build(network);
        var choices = SelectionSolver.Solve(graph).Selection!.Choices;
        var rows = File.ReadLines(file!).Skip(1).Select(line => line.Split(',')).ToList();
        Assert.Equal(network.Layers.Keys.Order(StringComparer.Ordinal), rows.Select(row => row[0]).Order(StringComparer.Ordinal));
        Assert.All(rows, row =>
        {
            var vertex = graph.Vertices[graph.IndexOf(row[0])];
            var choice = choices[graph.IndexOf(row[0])];
            var algorithm = row[1] == "wino" ? "Winograd" : "Im2col";
            Assert.StartsWith(algorithm, vertex.Candidates[choice], StringComparison.Ordinal);
            // Where two dataflows cost the same, the table has the alphabet's first and the solver the menu's first.
            Assert.Equal(vertex.Costs[choice], vertex.Costs[vertex.Candidates.AsSpan().IndexOf($"{algorithm} {row[2]}")]);
            Assert.Equal(row[3], (vertex.Costs[choice] / 1e9).ToString("0.000000", CultureInfo.InvariantCulture));
        });
    }

    [Fact]
    public void GoogLeNet_is_series_parallel_and_its_certificate_holds()
    {
        var graph = Build(PublishedGoogLeNet.On(new(92, 66, 286, [NS, WS, IS])));
        var selection = SelectionSolver.Solve(graph).Selection!;
        Assert.True(selection.IsOptimal);
        Assert.Equal(0, selection.Statistics.Core);
        Assert.Empty(SelectionChecker.Check(graph, selection));
    }

    private static CostGraph Build(PublishedDynamapInstance instance)
    {
        var result = CostGraphBuilder.Build(instance.Problem, instance);
        Assert.Empty(result.Diagnostics);
        return result.Graph!;
    }

    /// <summary>Milliseconds as the notes round them; with an algorithm, that one is forced wherever a layer has it and im2col elsewhere.</summary>
    private static double Cost(CostGraph graph, DynamapAlgorithm? first)
    {
        var vertices = graph.Vertices.Select(vertex =>
        {
            var kept = new[] { first, DynamapAlgorithm.Im2col }.FirstOrDefault(algorithm => vertex.Candidates.Any(name => name.StartsWith($"{algorithm} ", StringComparison.Ordinal)));
            return first is null || kept is null ? vertex : vertex with
            {
                Costs = vertex.Costs.Select((cost, k) => vertex.Candidates[k].StartsWith($"{kept} ", StringComparison.Ordinal) ? cost : SelectionCost.Illegal).ToEquatableArray(),
            };
        });
        // The notes' figures were rounded to four digits, then to three: 1.119491 is 1.120 there, 1.180454 is 1.181.
        return Math.Round(Math.Round(SelectionSolver.Solve(graph with { Vertices = vertices.ToEquatableArray() }).Selection!.Cost / 1e9, 4), 3, MidpointRounding.AwayFromZero);
    }

    private static string Six(double milliseconds) => milliseconds.ToString(".000000", CultureInfo.InvariantCulture);
}
