using CnnCompiler.Core;
using CnnCompiler.Passes.Selection;

namespace CnnCompiler.Selection.Tests;

/// <summary>From a description to a graph: forks, joins, refusals.</summary>
public class BuilderTests
{
    private static readonly EquatableArray<string> Layouts = ["nhwc", "nchw"];

    [Fact]
    public void A_fork_has_one_layout_that_its_producer_and_all_consumers_agree_on()
    {
        // The producer makes nhwc; three consumers want nchw. Converting once at the store (5) beats converting at each load (3 x 3).
        var problem = Fork(3);
        var graph = CostGraphBuilder.Build(problem, new Conversions(store: 5, load: 3)).Graph!;
        var fork = graph.IndexOf("fork");
        Assert.Equal(DecisionKind.Layout, graph.Vertices[fork].Kind);
        Assert.Equal(4, graph.Edges.Count(edge => edge.From == fork || edge.To == fork));
        var selection = SelectionSolver.Solve(graph).Selection!;
        Assert.Equal("nchw", graph.Vertices[fork].Candidates[selection.Choices[fork]]);
        Assert.Equal(5, selection.Cost);

        // With dear stores every load converts.
        graph = CostGraphBuilder.Build(problem, new Conversions(store: 10, load: 3)).Graph!;
        Assert.Equal(9, SelectionSolver.Solve(graph).Selection!.Cost);
    }

    [Fact]
    public void A_join_has_an_edge_for_each_operand_and_a_tensor_read_twice_counts_twice()
    {
        var problem = new SelectionProblem(
            "cycles",
            [new("x", Layouts), new("y", [])],
            [new("conv", [new("nchw", 1)], [0], [1]), new("add", [new("nhwc", 1)], [0, 1, 0], [])]);
        var graph = CostGraphBuilder.Build(problem, new Conversions(store: 0, load: 7)).Graph!;
        Assert.Equal(4, graph.Edges.Count);
        // x as nhwc: the convolution converts once (7), the direct operand costs 2, the steps 1 each; as nchw the two reads of add would convert.
        Assert.Equal(11, SelectionSolver.Solve(graph).Selection!.Cost);
    }

    [Fact]
    public void Descriptions_without_meaning_are_refused()
    {
        void Refused(EquatableArray<SelectionTensor> tensors, params SelectionStep[] steps) => Assert.Contains(
            CostGraphBuilder.Build(new("cycles", tensors, steps.ToEquatableArray()), new Conversions(1, 1)).Diagnostics,
            diagnostic => diagnostic.Code == "CNN0841");

        EquatableArray<SelectionCandidate> one = [new("nhwc", 1)];
        Refused([new("t", [])], new SelectionStep("a", one, [], [0]), new("b", one, [0], []), new("c", one, [0], []));
        Refused([new("t", [])], new SelectionStep("a", one, [0], []));
        Refused([new("t", Layouts)], new SelectionStep("a", one, [], [0]), new("b", one, [], [0]));
        Refused([], new SelectionStep("a", one, [0], []));
        Refused([new("a", Layouts)], new SelectionStep("a", one, [0], []));
    }

    [Fact]
    public void Too_many_transition_costs_are_refused_before_any_is_asked_for()
    {
        var many = Enumerable.Range(0, 1000).Select(k => new SelectionCandidate($"c{k}", 1)).ToEquatableArray();
        var tensors = Enumerable.Range(0, 40).Select(t => new SelectionTensor($"t{t}", [])).ToEquatableArray();
        var steps = Enumerable.Range(0, 41).Select(s => new SelectionStep($"s{s}", many, s == 0 ? [] : [s - 1], s == 40 ? [] : [s])).ToEquatableArray();
        Assert.Equal("CNN0840", Assert.Single(CostGraphBuilder.Build(new("cycles", tensors, steps), null!).Diagnostics).Code);
    }

    [Fact]
    public void A_measured_cost_is_measured_once_a_key()
    {
        var measured = new MeasuredCosts();
        var times = 0;
        Assert.Equal(42, measured.Get("conv 3x3", () => 42 + times++));
        Assert.Equal(42, measured.Get("conv 3x3", () => 42 + times++));
        Assert.Equal(43, measured.Get("conv 5x5", () => 42 + times++));
        Assert.Equal(2, measured.Count);
    }

    private static SelectionProblem Fork(int consumers) => new(
        "cycles",
        [new("fork", Layouts)],
        [new("make", [new("nhwc", 0)], [], [0]), .. Enumerable.Range(0, consumers).Select(i => new SelectionStep($"use{i}", [new("nchw", 0)], [0], []))]);

    private sealed class Conversions(long store, long load) : ITransitionCosts
    {
        public long Store(CandidateOf producer, SelectionTensor tensor, int layout) => producer.Name == tensor.Layouts[layout] ? 0 : store;

        public long Load(SelectionTensor tensor, int layout, CandidateOf consumer, int operand) => consumer.Name == tensor.Layouts[layout] ? 0 : load;

        public long Pass(CandidateOf producer, SelectionTensor tensor, CandidateOf consumer, int operand) => 2;
    }
}
