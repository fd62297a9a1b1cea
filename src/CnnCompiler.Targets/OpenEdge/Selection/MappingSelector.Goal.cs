using CnnCompiler.Passes.Selection;

namespace CnnCompiler.Targets.OpenEdge.Selection;

/// <content>What is made small.</content>
public static partial class MappingSelector
{
    /// <summary>Weights tried for a product; a network has fewer corners between its fastest and its most frugal mapping, or they hardly differ.</summary>
    private const int MostWeights = 12;

    /// <summary>
    /// The solution for a goal. Cycles and energy add up over layers, so the solver takes them as they are. The product of both sums doesn't; but over all choices it is least at a
    /// corner of their convex hull (it is quasi-concave where both are positive), and each corner is the cheapest choice at some weights of both: corners are looked for from the
    /// fastest and the most frugal choice inwards, as long as one lies below the line through its neighbours.
    /// </summary>
    private static (Solution Best, CostWeights Weights) ForGoal(OptimizationGoal goal, KernelTimer timer, Func<KernelTimer, Solution> solve)
    {
        if (goal != OptimizationGoal.EnergyDelay)
        {
            var weights = goal == OptimizationGoal.Energy ? CostWeights.OfEnergy : CostWeights.OfCycles;
            return (solve(timer.With(weights)), weights);
        }

        var fast = (Solution: solve(timer), Weights: CostWeights.OfCycles);
        if (fast.Solution.Estimate is null)
        {
            return fast;
        }

        var best = fast;
        var tries = 1;
        var frugal = Try(CostWeights.OfEnergy);
        var open = new Queue<((Solution Solution, CostWeights Weights) Fast, (Solution Solution, CostWeights Weights) Frugal)>();
        open.Enqueue((fast, frugal));
        while (open.TryDequeue(out var pair) && tries < MostWeights)
        {
            var (left, right) = (Point(pair.Fast.Solution), Point(pair.Frugal.Solution));
            if (left.Cycles >= right.Cycles || left.Energy <= right.Energy)
            {
                continue;
            }

            var weights = CostWeights.Between(left, right);
            var middle = Try(weights);
            var point = Point(middle.Solution);
            if (middle.Solution.Estimate is not null && weights.Of(point.Cycles, point.Energy) < weights.Of(left.Cycles, left.Energy))
            {
                open.Enqueue((pair.Fast, middle));
                open.Enqueue((middle, pair.Frugal));
            }
        }

        return best;

        (Solution Solution, CostWeights Weights) Try(CostWeights weights)
        {
            tries++;
            var found = (Solution: solve(timer.With(weights)), Weights: weights);
            if (found.Solution.Estimate?.Measure(goal) < best.Solution.Estimate!.Measure(goal))
            {
                best = found;
            }

            return found;
        }

        static (long Cycles, long Energy) Point(Solution solution) => (solution.Estimate?.Cycles ?? long.MaxValue, solution.Estimate?.Femtojoules ?? long.MaxValue);
    }
}
