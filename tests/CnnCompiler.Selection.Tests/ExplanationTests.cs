using System.Text.Json;
using CnnCompiler.Core;
using CnnCompiler.Fuzzing;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Selection.Tests;

/// <summary>What is said about a selection.</summary>
public class ExplanationTests
{
    private static readonly CostGraph Small = new(
        "cycles",
        [
            new("conv1", DecisionKind.Step, ["direct", "winograd", "fft"], [10, 6, SelectionCost.Illegal]),
            new("map", DecisionKind.Layout, ["nhwc", "tiles"], [0, 0]),
            new("conv2", DecisionKind.Step, ["direct", "winograd"], [10, 7]),
        ],
        [new(0, 1, [0, 9, 5, 0, 0, 0]), new(1, 2, [0, 4, SelectionCost.Illegal, 0])]);

    [Fact]
    public void Every_rejected_candidate_has_the_cost_that_brute_force_gives_when_it_is_forced()
    {
        var random = new SeededRandom(10);
        var explained = 0;
        for (var i = 0; i < 300; i++)
        {
            var graph = RandomGraphs.Any(random, 2000);
            if (SelectionSolver.Solve(graph).Selection is not { } selection)
            {
                continue;
            }

            foreach (var vertex in SelectionExplainer.Explain(graph, selection).Vertices)
            {
                var v = graph.IndexOf(vertex.Vertex);
                Assert.Equal(graph.Vertices[v].Candidates.Count - 1, vertex.Rejected.Count);
                foreach (var rejected in vertex.Rejected)
                {
                    var k = graph.Vertices[v].Candidates.AsSpan().IndexOf(rejected.Candidate);
                    Assert.Equal(BruteForce.Cost(graph.Force(v, k)) ?? SelectionCost.Illegal, rejected.ForcedCost);
                    Assert.True(rejected.IsExact && rejected.ForcedCost >= selection.Cost);
                    explained++;
                    if (rejected.ForcedCost < SelectionCost.Illegal)
                    {
                        CheckChanges(graph, selection, v, k, rejected);
                    }
                }
            }
        }

        Assert.True(explained > 1000, $"{explained}");
    }

    [Fact]
    public void The_table_is_as_people_read_it() => Snapshot.Check("tests/CnnCompiler.Selection.Tests/ExplanationTests.table.verified.txt", SelectionReport.Table(Explain()));

    [Fact]
    public void The_json_has_a_version_and_illegal_costs_are_null()
    {
        var text = SelectionReport.Json(Explain());
        Snapshot.Check("tests/CnnCompiler.Selection.Tests/ExplanationTests.json.verified.txt", text);
        using var json = JsonDocument.Parse(text);
        Assert.Equal(SelectionReport.SchemaVersion, json.RootElement.GetProperty("schemaVersion").GetInt32());
        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("decisions")[0].GetProperty("rejected")[1].GetProperty("ownCost").ValueKind);
    }

    [Fact]
    public void A_forced_choice_is_kept_and_said_and_its_alternatives_are_still_priced()
    {
        ForcedChoice[] forced = [ForcedChoice.Parse("conv1=direct")!];
        var graph = ForcedChoice.Apply(Small, forced).Graph!;
        var selection = SelectionSolver.Solve(graph).Selection!;
        Assert.Equal(20, selection.Cost);
        var explanation = SelectionExplainer.Explain(Small, selection, forced);
        Assert.True(explanation.Vertices[0].IsForced);
        Assert.Equal("direct", explanation.Vertices[0].Chosen);
        Assert.Equal([13L, SelectionCost.Illegal], explanation.Vertices[0].Rejected.Select(rejected => rejected.ForcedCost));
        Assert.Equal(26, explanation.Vertices[1].Rejected[0].ForcedCost);
        Assert.Contains("! direct", SelectionReport.Table(explanation), StringComparison.Ordinal);
    }

    [Fact]
    public void Forced_choices_that_name_nothing_are_told_with_what_was_meant()
    {
        Assert.Null(ForcedChoice.Parse("conv1"));
        Assert.Null(ForcedChoice.Parse("=direct"));
        Assert.Null(ForcedChoice.Parse("conv1="));
        var diagnostics = ForcedChoice.Apply(Small, [new("conv", "direct"), new("conv2", "winogrd")]).Diagnostics;
        Assert.Equal(["CNN0845", "CNN0846"], diagnostics.Select(diagnostic => diagnostic.Code));
        Assert.Contains("'winograd'", diagnostics[1].Remedy, StringComparison.Ordinal);
    }

    private static SelectionExplanation Explain() => SelectionExplainer.Explain(Small, SelectionSolver.Solve(Small).Selection!);

    private static void CheckChanges(CostGraph graph, CandidateSelection selection, int v, int k, RejectedCandidate rejected)
    {
        var choices = selection.Choices.ToArray();
        choices[v] = k;
        foreach (var change in rejected.Changes)
        {
            var other = graph.IndexOf(change.Vertex);
            Assert.Equal(graph.Vertices[other].Candidates[choices[other]], change.From);
            choices[other] = graph.Vertices[other].Candidates.AsSpan().IndexOf(change.To);
        }

        Assert.Empty(SelectionChecker.Check(graph, selection with { Choices = choices.ToEquatableArray(), Cost = rejected.ForcedCost, LowerBound = rejected.ForcedCost }));
    }
}
