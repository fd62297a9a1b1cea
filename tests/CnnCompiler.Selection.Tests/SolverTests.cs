using CnnCompiler.Core;
using CnnCompiler.Fuzzing;
using CnnCompiler.Passes.Selection;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Selection.Tests;

/// <summary>The solver against brute force, the greedy choice and its checker.</summary>
public class SolverTests
{
    private const int Graphs = 2000;

    [Fact]
    public void Two_thousand_random_graphs_cost_what_brute_force_says_and_infeasible_ones_are_told()
    {
        var random = new SeededRandom(4);
        var (infeasible, searched, reduced, dominated) = (0, 0, 0, 0);
        for (var i = 0; i < Graphs; i++)
        {
            var graph = i % 2 == 0 ? RandomGraphs.Any(random, 50_000) : RandomGraphs.SeriesParallel(random, 50_000);
            var selection = CheckAgainstBruteForce(graph);
            infeasible += selection is null ? 1 : 0;
            searched += selection?.Statistics.Core > 0 ? 1 : 0;
            reduced += selection?.Statistics.Degree2 > 0 ? 1 : 0;
            dominated += selection?.Statistics.Dominated > 0 ? 1 : 0;
            if (i % 2 == 1 && selection is not null)
            {
                Assert.Equal(0, selection.Statistics.Core);
            }
        }

        // The graphs reach every part of the solver.
        Assert.True(infeasible > 50 && searched > 50 && reduced > 500 && dominated > 50, $"{infeasible} {searched} {reduced} {dominated}");
    }

    [Fact]
    public void Ten_graphs_of_ten_million_combinations_cost_what_brute_force_says()
    {
        var random = new SeededRandom(5);
        for (var i = 0; i < 10; i++)
        {
            // 10^7 combinations, every vertex joined with every other: nothing reduces.
            var graph = RandomGraphs.Complete(random, 7, 10);
            CheckAgainstBruteForce(graph);
        }
    }

    [Fact]
    public void Dense_graphs_of_many_vertices_cost_what_brute_force_says()
    {
        var random = new SeededRandom(6);
        for (var i = 0; i < 50; i++)
        {
            CheckAgainstBruteForce(RandomGraphs.Complete(random, 13, 2));
        }
    }

    [Fact]
    public void A_search_that_ends_early_states_a_bound_that_holds_and_is_never_above_greedy()
    {
        var random = new SeededRandom(7);
        var open = 0;
        for (var i = 0; i < 200; i++)
        {
            var graph = RandomGraphs.Complete(random, 8, 4);
            var best = BruteForce.Cost(graph);
            var early = SelectionSolver.Solve(graph, new(SearchNodes: random.Next(1, 60))).Selection;
            if (early is null)
            {
                continue;
            }

            Assert.Empty(SelectionChecker.Check(graph, early));
            Assert.True(early.LowerBound <= best && best <= early.Cost, $"graph {i}: {early.LowerBound} {best} {early.Cost}");
            Assert.True(GreedySelector.Choose(graph) is not { } greedy || early.Cost <= greedy.Cost);
            open += early.IsOptimal ? 0 : 1;
        }

        Assert.True(open > 20, $"{open}");
    }

    [Fact]
    public void A_chain_of_ten_thousand_steps_and_a_grid_are_solved_without_running_out_of_stack()
    {
        var random = new SeededRandom(8);
        var counts = new int[10_000];
        Array.Fill(counts, 4);
        var chain = RandomGraphs.Fill(random, counts, Enumerable.Range(0, counts.Length - 1).Select(v => (v, v + 1)), 0);
        Check(chain, optimal: true);

        // 40 x 40 vertices, each with four neighbours: the search is 1,600 deep and ends at its limit.
        var grid = RandomGraphs.Fill(
            random,
            counts[..1600],
            Enumerable.Range(0, 1600).SelectMany(v => ((int, int)[])[(v, v % 40 == 39 ? v - 39 : v + 1), (v, (v + 40) % 1600)]),
            0);
        Check(grid, optimal: false);
    }

    [Fact]
    public void The_same_graph_gives_the_same_choices_and_the_first_of_equal_candidates()
    {
        var graph = RandomGraphs.Any(new(9), 50_000);
        Assert.Equal(SelectionSolver.Solve(graph), SelectionSolver.Solve(graph));
        var even = new CostGraph("cycles", [new("a", DecisionKind.Step, ["x", "y"], [3, 3]), new("b", DecisionKind.Step, ["x", "y"], [1, 1])], [new(0, 1, [0, 0, 0, 0])]);
        Assert.Equal([0, 0], SelectionSolver.Solve(even).Selection!.Choices);
    }

    [Fact]
    public void Nothing_to_decide_costs_nothing() => Assert.Equal(0, SelectionSolver.Solve(new("cycles", [], [])).Selection!.Cost);

    [Fact]
    public void What_excludes_everything_is_named()
    {
        var graph = new CostGraph("cycles", [new("a", DecisionKind.Step, ["x"], [3]), new("conv2", DecisionKind.Step, ["x", "y"], [1, 1])], [new(0, 1, [SelectionCost.Illegal, SelectionCost.Illegal])]);
        var diagnostic = Assert.Single(SelectionSolver.Solve(graph).Diagnostics);
        Assert.Equal("CNN0843", diagnostic.Code);
        Assert.Contains("conv2", diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_search_that_ends_before_it_finds_anything_legal_says_so_and_that_there_may_be_something()
    {
        // Colourings with three colours: there is one, and whoever goes down once rarely meets it.
        var random = new SeededRandom(12);
        var open = 0;
        for (var i = 0; i < 20; i++)
        {
            var hidden = Enumerable.Range(0, 30).Select(_ => random.Next(0, 2)).ToArray();
            long[] different = [.. Enumerable.Range(0, 9).Select(pair => pair / 3 == pair % 3 ? SelectionCost.Illegal : 0)];
            var edges = Enumerable.Range(0, 30).SelectMany(a => Enumerable.Range(a + 1, 29 - a).Where(b => hidden[a] != hidden[b] && random.Next(0, 2) == 0).Select(b => new CostEdge(a, b, different.ToEquatableArray())));
            var graph = new CostGraph("cycles", hidden.Select((_, v) => new CostVertex($"v{v}", DecisionKind.Step, ["r", "g", "b"], [0, 1, 2])).ToEquatableArray(), edges.ToEquatableArray());
            Assert.NotNull(SelectionSolver.Solve(graph).Selection);
            var result = SelectionSolver.Solve(graph, new(SearchNodes: 1));
            if (result.Selection is null)
            {
                open++;
                var diagnostic = Assert.Single(result.Diagnostics);
                Assert.Equal("CNN0844", diagnostic.Code);
                Assert.Contains("search steps; there may be one", diagnostic.Message, StringComparison.Ordinal);
            }
        }

        Assert.True(open > 0);
    }

    [Fact]
    public void Unsound_graphs_are_refused()
    {
        CostVertex Vertex(string name, params long[] costs) => new(name, DecisionKind.Step, costs.Select((_, k) => $"c{k}").ToEquatableArray(), costs.ToEquatableArray());
        void Refused(string code, EquatableArray<CostVertex> vertices, params CostEdge[] edges) =>
            Assert.Contains(SelectionSolver.Solve(new("cycles", vertices, edges.ToEquatableArray())).Diagnostics, d => d.Code == code);

        Refused("CNN0841", [Vertex("a", 1), Vertex("a", 1)]);
        Refused("CNN0841", [Vertex("a")]);
        Refused("CNN0841", [Vertex("a", -1)]);
        Refused("CNN0841", [Vertex("a", long.MaxValue)]);
        Refused("CNN0841", [new("a", DecisionKind.Step, ["x", "x"], [1, 1])]);
        Refused("CNN0841", [new("a", DecisionKind.Step, ["x"], [1, 1])]);
        Refused("CNN0841", [Vertex("a", 1)], new CostEdge(0, 0, [0]));
        Refused("CNN0841", [Vertex("a", 1)], new CostEdge(0, 1, [0]));
        Refused("CNN0841", [Vertex("a", 1), Vertex("b", 1)], new CostEdge(0, 1, [0, 0]));
        Refused("CNN0842", [Vertex("a", SelectionCost.Limit), Vertex("b", 1)]);
        Refused("CNN0840", [Vertex("a", new long[CostGraph.MaxCandidates + 1])]);
    }

    [Fact]
    public void The_checker_finds_wrong_costs_bounds_choices_and_illegal_pairs()
    {
        var graph = new CostGraph(
            "cycles",
            [new("a", DecisionKind.Step, ["x", "y"], [3, SelectionCost.Illegal]), new("b", DecisionKind.Step, ["x", "y"], [1, 0])],
            [new(0, 1, [5, SelectionCost.Illegal, 0, 0])]);
        var right = SelectionSolver.Solve(graph).Selection!;
        Assert.Equal(9, right.Cost);
        Assert.Empty(SelectionChecker.Check(graph, right));
        void Finds(string code, CandidateSelection wrong) => Assert.Equal(code, Assert.Single(SelectionChecker.Check(graph, wrong)).Code);
        Finds("CNN0849", right with { Cost = 10 });
        Finds("CNN0849", right with { LowerBound = 10 });
        Finds("CNN0849", right with { Choices = [0] });
        Finds("CNN0847", right with { Choices = [1, 0] });
        Finds("CNN0847", right with { Choices = [0, 2] });
        Finds("CNN0848", right with { Choices = [0, 1] });
    }

    private static CandidateSelection? CheckAgainstBruteForce(CostGraph graph)
    {
        var result = SelectionSolver.Solve(graph);
        Assert.Equal(BruteForce.Cost(graph), result.Selection?.Cost);
        if (result.Selection is not { } selection)
        {
            Assert.Equal("CNN0843", Assert.Single(result.Diagnostics).Code);
            return null;
        }

        Assert.True(selection.IsOptimal);
        Assert.Empty(SelectionChecker.Check(graph, selection));
        Assert.True(GreedySelector.Choose(graph) is not { } greedy || selection.Cost <= greedy.Cost);
        return selection;
    }

    private static void Check(CostGraph graph, bool optimal)
    {
        var selection = SelectionSolver.Solve(graph, new(SearchNodes: 20_000)).Selection!;
        Assert.Equal(optimal, selection.IsOptimal);
        Assert.Empty(SelectionChecker.Check(graph, selection));
        Assert.True(selection.Cost <= GreedySelector.Choose(graph)!.Value.Cost);
    }
}
