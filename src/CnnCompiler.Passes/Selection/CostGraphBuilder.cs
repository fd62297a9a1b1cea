using CnnCompiler.Core;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Selection;

/// <summary>A cost graph, or why there is none.</summary>
/// <param name="Graph">The graph, or null.</param>
/// <param name="Diagnostics">Errors; empty where there is a graph.</param>
public sealed record CostGraphResult(CostGraph? Graph, EquatableArray<Diagnostic> Diagnostics);

/// <summary>
/// Makes the cost graph of a description: a vertex a step, then a vertex a tensor with layouts. A fork is a tensor that several steps read: its layout is
/// one decision with an edge to its producer and to every consumer, so that all agree. A join is a step with several operands and an edge for each.
/// </summary>
public static class CostGraphBuilder
{
    /// <summary>Builds the graph. Vertex i below the number of steps is step i.</summary>
    public static CostGraphResult Build(SelectionProblem problem, ITransitionCosts transitions)
    {
        var errors = Malformed(problem);
        if (errors.HasErrors)
        {
            return new(null, errors.Diagnostics.ToEquatableArray());
        }

        var vertices = problem.Steps.Select(step => new CostVertex(
            step.Name,
            DecisionKind.Step,
            step.Candidates.Select(candidate => candidate.Name).ToEquatableArray(),
            step.Candidates.Select(candidate => candidate.Cost).ToEquatableArray())).ToList();
        var stored = new int[problem.Tensors.Count];
        for (var t = 0; t < stored.Length; t++)
        {
            var tensor = problem.Tensors[t];
            if (tensor.Layouts.Count > 0)
            {
                stored[t] = vertices.Count;
                vertices.Add(new(tensor.Name, DecisionKind.Layout, tensor.Layouts, new long[tensor.Layouts.Count].ToEquatableArray()));
            }
        }

        var graph = new CostGraph(problem.Unit, vertices.ToEquatableArray(), Edges(problem, transitions, stored).ToEquatableArray());
        errors.Report(graph.Check());
        return errors.HasErrors ? new(null, errors.Diagnostics.ToEquatableArray()) : new(graph, []);
    }

    private static List<CostEdge> Edges(SelectionProblem problem, ITransitionCosts transitions, int[] stored)
    {
        var producers = new int[stored.Length];
        for (var s = 0; s < problem.Steps.Count; s++)
        {
            foreach (var t in problem.Steps[s].Outputs)
            {
                producers[t] = s;
            }
        }

        var edges = new List<CostEdge>();
        for (var s = 0; s < problem.Steps.Count; s++)
        {
            var step = problem.Steps[s];
            for (var operand = 0; operand < step.Inputs.Count; operand++)
            {
                var (t, index) = (step.Inputs[operand], operand);
                var tensor = problem.Tensors[t];
                if (tensor.Layouts.Count > 0)
                {
                    edges.Add(Edge(stored[t], tensor.Layouts.Count, s, step.Candidates.Count, (l, c) => transitions.Load(tensor, l, new(step, c), index)));
                }
                else
                {
                    var producer = problem.Steps[producers[t]];
                    edges.Add(Edge(producers[t], producer.Candidates.Count, s, step.Candidates.Count, (p, c) => transitions.Pass(new(producer, p), tensor, new(step, c), index)));
                }
            }

            foreach (var t in step.Outputs.Where(t => problem.Tensors[t].Layouts.Count > 0))
            {
                var tensor = problem.Tensors[t];
                edges.Add(Edge(s, step.Candidates.Count, stored[t], tensor.Layouts.Count, (p, l) => transitions.Store(new(step, p), tensor, l)));
            }
        }

        return edges;
    }

    private static CostEdge Edge(int from, int rows, int to, int columns, Func<int, int, long> cost)
    {
        var matrix = new long[rows * columns];
        for (var i = 0; i < matrix.Length; i++)
        {
            matrix[i] = cost(i / columns, i % columns);
        }

        return new(from, to, matrix.ToEquatableArray());
    }

    private static DiagnosticBag Malformed(SelectionProblem problem)
    {
        var found = new DiagnosticBag();
        var writers = new int[problem.Tensors.Count];
        var readers = new int[problem.Tensors.Count];
        foreach (var step in problem.Steps)
        {
            if (step.Inputs.Concat(step.Outputs).Any(t => (uint)t >= (uint)writers.Length))
            {
                found.Report(SelectionDiagnostics.Malformed(step.Name, "uses a tensor that isn't there"));
                return found;
            }

            foreach (var t in step.Inputs)
            {
                readers[t]++;
            }

            foreach (var t in step.Outputs)
            {
                writers[t]++;
            }

            if (step.Candidates.Count > CostGraph.MaxCandidates)
            {
                found.Report(SelectionDiagnostics.TooLarge($"candidates of {step.Name}", step.Candidates.Count, CostGraph.MaxCandidates));
            }
        }

        for (var t = 0; t < writers.Length; t++)
        {
            var tensor = problem.Tensors[t];
            if (writers[t] > 1)
            {
                found.Report(SelectionDiagnostics.Malformed(tensor.Name, "is written by several steps"));
            }

            if (tensor.Layouts.Count == 0 && (writers[t], readers[t]) is not (1, 1))
            {
                found.Report(SelectionDiagnostics.Malformed(tensor.Name, "has no layouts although it isn't written by one step and read by one"));
            }

            if (tensor.Layouts.Count > CostGraph.MaxCandidates)
            {
                found.Report(SelectionDiagnostics.TooLarge($"layouts of {tensor.Name}", tensor.Layouts.Count, CostGraph.MaxCandidates));
            }
        }

        // Before anything is allocated.
        if (!found.HasErrors && MatrixEntries(problem) is > CostGraph.MaxMatrixEntries and var entries)
        {
            found.Report(SelectionDiagnostics.TooLarge("transition costs", entries, CostGraph.MaxMatrixEntries));
        }

        return found;
    }

    private static long MatrixEntries(SelectionProblem problem)
    {
        // Rows of a tensor's edges: its layouts, or its producer's candidates.
        var rows = problem.Tensors.Select(tensor => (long)tensor.Layouts.Count).ToArray();
        foreach (var step in problem.Steps)
        {
            foreach (var t in step.Outputs.Where(t => problem.Tensors[t].Layouts.Count == 0))
            {
                rows[t] = step.Candidates.Count;
            }
        }

        return problem.Steps.Sum(step => step.Candidates.Count
            * (step.Inputs.Sum(t => rows[t]) + step.Outputs.Sum(t => (long)problem.Tensors[t].Layouts.Count)));
    }
}
