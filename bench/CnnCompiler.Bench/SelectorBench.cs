using System.Diagnostics;
using CnnCompiler.Core;
using CnnCompiler.Passes.Selection;

namespace CnnCompiler.Bench;

/// <summary>
/// Prints how long the selector takes on graphs of the size of known networks, and how much choosing step by step would lose. Costs are pseudo-random:
/// only the shapes are those of the networks.
/// </summary>
internal static class SelectorBench
{
    private const int Warm = 3;
    private const int Runs = 9;
    private static readonly EquatableArray<string> Layouts = ["nhwc", "blocked", "tiles"];

    /// <summary>Runs all.</summary>
    public static void Run()
    {
        Console.WriteLine($"{"graph",-34} {"vertices",8} {"edges",8} {"core",6} {"nodes",9} {"first ms",9} {"median ms",9} {"greedy/optimum",14} {"bound/cost",10}");
        Measure("Inception-v4-like", Inception(14, 9));
        Measure("DenseNet-121-like, concat chain", DenseNet(direct: false));
        Measure("DenseNet-121-like, all to all", DenseNet(direct: true));
        Measure("chain of 10,000 steps", Chain(10_000));
    }

    private static void Measure(string name, SelectionProblem problem)
    {
        var graph = CostGraphBuilder.Build(problem, new Transitions()).Graph ?? throw new InvalidOperationException(name);
        var times = new List<double>();
        var selection = default(CandidateSelection);
        for (var i = 0; i < Warm + Runs; i++)
        {
            var start = Stopwatch.GetTimestamp();
            selection = SelectionSolver.Solve(graph).Selection ?? throw new InvalidOperationException(name);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        if (SelectionChecker.Check(graph, selection!).Count > 0)
        {
            throw new InvalidOperationException(name);
        }

        var median = times.Skip(Warm).Order().ElementAt(Runs / 2);
        var greedy = GreedySelector.Choose(graph) is { } choice ? (double)choice.Cost / selection!.Cost : double.PositiveInfinity;
        Console.WriteLine(
            $"{name,-34} {graph.Vertices.Count,8} {graph.Edges.Count,8} {selection!.Statistics.Core,6} {selection.Statistics.SearchNodes,9} {times[0],9:0.00} {median,9:0.00} {greedy,14:0.000} {(double)selection.LowerBound / selection.Cost,10:0.000}");
    }

    /// <summary>A stem and modules of four branches of one to four convolutions: 3 + 14 x 11 = 157 convolutions.</summary>
    private static SelectionProblem Inception(int modules, int candidates)
    {
        var net = new Network(candidates);
        var map = net.Step(net.Step(net.Step(net.Input())));
        for (var m = 0; m < modules; m++)
        {
            var fork = net.Store(map);
            map = net.Join([net.Step(fork), net.Chain(fork, 2), net.Chain(fork, 3), net.Chain(fork, 5)]);
        }

        return net.Finish(map);
    }

    /// <summary>Four blocks of 6, 12, 24 and 16 pairs of convolutions with three transitions.</summary>
    private static SelectionProblem DenseNet(bool direct)
    {
        var net = new Network(4);
        var map = net.Step(net.Input());
        foreach (var pairs in (ReadOnlySpan<int>)[6, 12, 24, 16])
        {
            var maps = new List<int> { net.Store(map) };
            for (var p = 0; p < pairs; p++)
            {
                var made = net.Store(net.Chain(direct ? net.Join(maps) : maps[0], 2));
                maps = direct ? [.. maps, made] : [net.Store(net.Join([maps[0], made]))];
            }

            map = net.Step(direct ? net.Join(maps) : maps[0]);
        }

        return net.Finish(map);
    }

    private static SelectionProblem Chain(int steps)
    {
        var net = new Network(4);
        return net.Finish(net.Chain(net.Input(), steps));
    }

    private static long Hash(string text, int most)
    {
        // FNV-1a: the same costs on every run.
        var hash = 2166136261u;
        foreach (var letter in text)
        {
            hash = (hash ^ letter) * 16777619;
        }

        return hash % most;
    }

    /// <summary>Builds a description; every result goes to one reader or is stored.</summary>
    private sealed class Network(int candidates)
    {
        private readonly List<SelectionTensor> _tensors = [];
        private readonly List<(int Candidates, List<int> Inputs, int Output)> _steps = [];

        public int Input() => Tensor(stored: true);

        public int Step(int input) => Add(candidates, [input]);

        public int Join(List<int> inputs) => Add(Layouts.Count, inputs);

        public int Chain(int map, int length)
        {
            for (var i = 0; i < length; i++)
            {
                map = Step(map);
            }

            return map;
        }

        /// <summary>Gives a result a layout of its own.</summary>
        public int Store(int map)
        {
            _tensors[map] = _tensors[map] with { Layouts = Layouts };
            return map;
        }

        public SelectionProblem Finish(int map)
        {
            Store(map);
            var steps = _steps.Select((step, s) => new SelectionStep(
                $"s{s}",
                Enumerable.Range(0, step.Candidates).Select(k => new SelectionCandidate($"c{k}", 1000 + Hash($"{s} {k}", 1000))).ToEquatableArray(),
                step.Inputs.ToEquatableArray(),
                [step.Output]));
            return new("cycles", _tensors.ToEquatableArray(), steps.ToEquatableArray());
        }

        private int Add(int count, List<int> inputs)
        {
            var output = Tensor(stored: false);
            _steps.Add((count, inputs, output));
            return output;
        }

        private int Tensor(bool stored)
        {
            _tensors.Add(new($"t{_tensors.Count}", stored ? Layouts : []));
            return _tensors.Count - 1;
        }
    }

    /// <summary>Candidate k works in layout k mod 3; converting costs 200 to 1,199.</summary>
    private sealed class Transitions : ITransitionCosts
    {
        public long Store(CandidateOf producer, SelectionTensor tensor, int layout) => Convert(producer.Candidate, layout, tensor);

        public long Load(SelectionTensor tensor, int layout, CandidateOf consumer, int operand) => Convert(layout, consumer.Candidate, tensor);

        public long Pass(CandidateOf producer, SelectionTensor tensor, CandidateOf consumer, int operand) => Convert(producer.Candidate, consumer.Candidate, tensor);

        private static long Convert(int from, int to, SelectionTensor tensor) =>
            from % Layouts.Count == to % Layouts.Count ? 0 : 200 + Hash($"{tensor.Name} {from % Layouts.Count} {to % Layouts.Count}", 1000);
    }
}
