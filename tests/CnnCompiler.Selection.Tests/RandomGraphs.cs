using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Fuzzing;
using CnnCompiler.Passes.Selection;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Selection.Tests;

/// <summary>Random cost graphs.</summary>
internal static class RandomGraphs
{
    /// <summary>Any edges at all, parallel ones too; illegal costs in some graphs rarely, in some often.</summary>
    public static CostGraph Any(SeededRandom random, int maxCombinations)
    {
        var counts = Counts(random, random.Next(1, 12), maxCombinations);
        var edges = new List<(int, int)>();
        if (counts.Length > 1)
        {
            for (var i = random.Next(0, counts.Length * 3); i > 0; i--)
            {
                var from = random.Next(0, counts.Length - 1);
                edges.Add((from, (from + random.Next(1, counts.Length - 1)) % counts.Length));
            }
        }

        return Fill(random, counts, edges);
    }

    /// <summary>Series and parallel compositions of edges, with dangling trees.</summary>
    public static CostGraph SeriesParallel(SeededRandom random, int maxCombinations)
    {
        var counts = Counts(random, random.Next(2, 12), maxCombinations);
        var edges = new List<(int From, int To)> { (0, Math.Min(1, counts.Length - 1)) };
        if (counts.Length == 1)
        {
            edges.Clear();
        }

        for (var v = 2; v < counts.Length; v++)
        {
            var at = random.Next(0, edges.Count - 1);
            var (from, to) = edges[at];
            switch (random.Next(0, 2))
            {
                case 0:
                    edges[at] = (from, v);
                    edges.Add((v, to));
                    break;
                case 1:
                    edges.Add((from, v));
                    edges.Add((v, to));
                    break;
                default:
                    edges.Add((v, from));
                    break;
            }
        }

        return Fill(random, counts, edges);
    }

    /// <summary>Every vertex joined with every other.</summary>
    public static CostGraph Complete(SeededRandom random, int vertices, int candidates)
    {
        var counts = new int[vertices];
        Array.Fill(counts, candidates);
        var edges = new List<(int, int)>();
        for (var i = 0; i < vertices; i++)
        {
            for (var j = i + 1; j < vertices; j++)
            {
                edges.Add((i, j));
            }
        }

        return Fill(random, counts, edges);
    }

    /// <summary>Costs for a given shape.</summary>
    public static CostGraph Fill(SeededRandom random, int[] counts, IEnumerable<(int From, int To)> edges, int? illegalOneIn = null)
    {
        var rare = illegalOneIn ?? random.Choose(0, 0, 30, 8, 3);
        var most = random.Choose(1, 5, 100, 1_000_000);
        long Cost() => rare > 0 && random.OneIn(rare) ? SelectionCost.Illegal : random.Next(0, most);
        long[] Costs(int count) => [.. Enumerable.Range(0, count).Select(_ => Cost())];
        var vertices = counts.Select((count, v) => new CostVertex(
            "v" + v.ToString(CultureInfo.InvariantCulture),
            DecisionKind.Step,
            Enumerable.Range(0, count).Select(k => "c" + k.ToString(CultureInfo.InvariantCulture)).ToEquatableArray(),
            Costs(count).ToEquatableArray())).ToEquatableArray();
        return new("cycles", vertices, edges.Select(edge => new CostEdge(edge.From, edge.To, Costs(counts[edge.From] * counts[edge.To]).ToEquatableArray())).ToEquatableArray());
    }

    private static int[] Counts(SeededRandom random, int vertices, int maxCombinations)
    {
        var counts = new List<int>();
        var combinations = 1;
        for (var v = 0; v < vertices; v++)
        {
            var count = random.Next(1, 5);
            if ((long)combinations * count > maxCombinations)
            {
                break;
            }

            combinations *= count;
            counts.Add(count);
        }

        return [.. counts];
    }
}
