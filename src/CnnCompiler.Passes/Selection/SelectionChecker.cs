using System.Globalization;
using System.Numerics;
using CnnCompiler.Core;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Selection;

/// <summary>
/// Recomputes a selection edge by edge in unbounded integers. It shares nothing with the solver but the graph; that no selection is cheaper
/// (the lower bound) is not recomputed here.
/// </summary>
public static class SelectionChecker
{
    /// <summary>What is wrong with a selection; empty for a sound one.</summary>
    public static EquatableArray<Diagnostic> Check(CostGraph graph, CandidateSelection selection)
    {
        if (selection.Choices.Count != graph.Vertices.Count)
        {
            return [SelectionDiagnostics.WrongFigure("number of choices", Text(selection.Choices.Count), Text(graph.Vertices.Count))];
        }

        var found = new DiagnosticBag();
        BigInteger cost = 0;
        for (var v = 0; v < graph.Vertices.Count; v++)
        {
            var vertex = graph.Vertices[v];
            var choice = selection.Choices[v];
            if (choice < 0 || choice >= vertex.Costs.Count || vertex.Costs[choice] >= SelectionCost.Illegal)
            {
                found.Report(SelectionDiagnostics.BadChoice(vertex.Name, choice));
                continue;
            }

            cost += vertex.Costs[choice];
        }

        if (found.HasErrors)
        {
            return found.Diagnostics.ToEquatableArray();
        }

        foreach (var edge in graph.Edges.AsSpan())
        {
            var width = graph.Vertices[edge.To].Candidates.Count;
            var pair = edge.Matrix[(selection.Choices[edge.From] * width) + selection.Choices[edge.To]];
            if (pair >= SelectionCost.Illegal)
            {
                found.Report(SelectionDiagnostics.IllegalPair(graph.Vertices[edge.From].Name, graph.Vertices[edge.To].Name));
            }

            cost += pair;
        }

        if (!found.HasErrors && cost != selection.Cost)
        {
            found.Report(SelectionDiagnostics.WrongFigure("cost", Text(selection.Cost), Text(cost)));
        }

        if (selection.LowerBound > selection.Cost)
        {
            found.Report(SelectionDiagnostics.WrongFigure("lower bound", Text(selection.LowerBound), "at most " + Text(selection.Cost)));
        }

        return found.Diagnostics.ToEquatableArray();
    }

    private static string Text(BigInteger number) => number.ToString(CultureInfo.InvariantCulture);
}
