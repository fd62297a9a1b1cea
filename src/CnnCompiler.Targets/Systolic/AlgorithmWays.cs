using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Targets.Systolic;

/// <summary>What an operator costs.</summary>
/// <param name="Cost">The cost.</param>
/// <param name="Tie">What tells apart ways that cost the same.</param>
/// <param name="IsLeast">It costs this or more, and how much was not looked at.</param>
internal readonly record struct OperatorCost(long Cost, Int128 Tie, bool IsLeast = false);

/// <summary>What operators cost on a machine, in one unit.</summary>
internal interface IOperatorCosts
{
    /// <summary>The operator runs in no way that costs less.</summary>
    long Least(GconvOperator operation, ChainTensors tensors);

    /// <summary>The cost of the best way to run it, null where there is none. Above the limit a bound is enough.</summary>
    OperatorCost? Best(GconvOperator operation, ChainTensors tensors, long limit);

    /// <summary>Why the machine can't run what an algorithm makes of an operator, or null.</summary>
    string? Refusal(AlgorithmChain chain, GconvOperator operation, ChainTensors tensors);
}

/// <summary>A way to compute a convolution.</summary>
/// <param name="Name">Name of the algorithm, or <see cref="AlgorithmWays.Direct"/>.</param>
/// <param name="Cost">What all its operators cost, in the unit of <see cref="IOperatorCosts"/>.</param>
/// <param name="Tie">Tells apart ways of the same cost.</param>
/// <param name="IsLeast">It costs this or more, and was not looked at further.</param>
internal sealed record AlgorithmWay(string Name, long Cost, Int128 Tie = default, bool IsLeast = false)
{
    /// <summary>As a candidate that was not chosen; what forcing it costs is told where the total is known.</summary>
    public RejectedCandidate Rejected => new(Name, Cost, Cost, true, []) { IsLeast = IsLeast };
}

/// <summary>How a convolution is computed.</summary>
/// <param name="Operation">The convolution.</param>
/// <param name="Chosen">The way chosen.</param>
/// <param name="IsForced">The user chose it.</param>
/// <param name="Rejected">The others.</param>
/// <param name="Chain">What takes its place, or null where it is computed as it is.</param>
internal sealed record AlgorithmDecision(GconvOperator Operation, AlgorithmWay Chosen, bool IsForced, EquatableArray<AlgorithmWay> Rejected, AlgorithmChain? Chain)
{
    /// <summary>As a decision of a report.</summary>
    public VertexExplanation Explanation => new(Operation.Name, DecisionKind.Step, Chosen.Name, Chosen.Cost, IsForced, Rejected.Select(way => way.Rejected).ToEquatableArray());
}

/// <summary>
/// What algorithms make of the convolutions of a chain, with what it costs on a machine. Costs are asked for only where they may be below the best found: first come bounds of each operator, then the costs
/// of operators whose types are as narrow as weights could leave them, then those with the types that the weights need.
/// </summary>
/// <param name="program">The chain.</param>
/// <param name="tensors">Its tensors; those of algorithms' steps are added, where algorithms of one operator have names in common the last one's.</param>
/// <param name="costs">The machine's costs.</param>
internal sealed class AlgorithmWays(GconvProgram program, ChainTensors tensors, IOperatorCosts costs)
{
    /// <summary>The convolution as it is.</summary>
    public const string Direct = ConvolutionAlgorithm.Direct;

    private readonly ConvolutionRewrite _rewrite = new(program);
    private readonly Dictionary<string, List<string>> _refused = new(StringComparer.Ordinal);

    /// <summary>For each reason the convolutions that have no algorithm for it, as lines of a report.</summary>
    public EquatableArray<string> Notes => _refused.Select(entry =>
        FormattableString.Invariant($"no algorithm for {entry.Value[0]}{(entry.Value.Count > 1 ? FormattableString.Invariant($" and {entry.Value.Count - 1} more") : string.Empty)}: {entry.Key}")).ToEquatableArray();

    /// <summary>Decides about an operator: what costs least, then what has the least tie, or what the user chose. Null where it can't run, or after reporting that it can't be what the user wants.</summary>
    /// <param name="operation">The operator.</param>
    /// <param name="forced">The user's choice: an algorithm or <see cref="Direct"/>; null for none.</param>
    /// <param name="isAuto">False where an operator without such a choice stays as it is.</param>
    /// <param name="diagnostics">Takes what is wrong with the choice.</param>
    public AlgorithmDecision? Decide(GconvOperator operation, string? forced, bool isAuto, DiagnosticBag diagnostics)
    {
        if (costs.Best(operation, tensors, long.MaxValue) is not var (cost, tie, _))
        {
            return null;
        }

        var direct = new AlgorithmWay(Direct, cost, tie);
        if (forced is not null)
        {
            return forced == Direct ? new(operation, direct, true, [], null) : Forced(operation, forced, diagnostics) is { } way ? new(operation, way, true, [direct], Chain(operation, way)) : null;
        }

        var ways = isAuto ? Of(operation, cost).Prepend(direct).ToList() : [direct];
        var best = ways.Where(way => !way.IsLeast).MinBy(way => (way.Cost, way.Tie))!;
        return new(operation, best, false, ways.Where(way => way != best).ToEquatableArray(), Chain(operation, best));
    }

    /// <summary>The chain with its convolutions as decided.</summary>
    public GconvProgram Apply(IEnumerable<AlgorithmDecision> decisions)
    {
        var chains = decisions.Where(decision => decision.Chain is not null).ToDictionary(decision => decision.Operation.Name, decision => decision.Chain!, StringComparer.Ordinal);
        return chains.Count == 0 ? program : _rewrite.Replace(chains);
    }

    private AlgorithmChain? Chain(GconvOperator operation, AlgorithmWay way) => ConvolutionAlgorithm.Find(way.Name) is { } algorithm ? Taken(_rewrite.Try(operation, algorithm, out _)!) : null;

    /// <summary>What an algorithm that the user wants costs, or null after reporting why it can't be.</summary>
    private AlgorithmWay? Forced(GconvOperator operation, string name, DiagnosticBag diagnostics)
    {
        if (ConvolutionAlgorithm.Find(name) is not { } algorithm)
        {
            diagnostics.Report(SelectionDiagnostics.UnknownCandidate(operation.Name, name, [Direct, .. ConvolutionAlgorithm.All.Select(known => known.Name)]));
            return null;
        }

        if (_rewrite.Try(operation, algorithm, out var refusal, WeightDetail.Ranges) is { } chain)
        {
            if (Cost(name, chain) is { } way)
            {
                return way;
            }

            refusal = "an element of its operands does not fit the buffers";
        }

        diagnostics.Report(AlgorithmDiagnostics.Refused(operation, algorithm, refusal));
        return null;
    }

    /// <summary>The algorithms that an operator has, from the least bound: with their costs, or where these can't be below the best one's with bounds.</summary>
    /// <param name="operation">The operator.</param>
    /// <param name="direct">What it costs as it is.</param>
    private List<AlgorithmWay> Of(GconvOperator operation, long direct)
    {
        if (operation is not { Reduce: GconvReduction.Add, Kernel: not null } || operation.Origin.Value.IsSettled)
        {
            return [];
        }

        var (open, ways, why) = (new List<(ConvolutionAlgorithm Algorithm, long Least)>(), new List<AlgorithmWay>(), string.Empty);
        foreach (var algorithm in ConvolutionAlgorithm.All)
        {
            if (_rewrite.Try(operation, algorithm, out var refusal, WeightDetail.None) is { } outline && (refusal = costs.Refusal(Taken(outline), operation, tensors) ?? string.Empty).Length == 0)
            {
                open.Add((algorithm, outline.Steps.OfType<GconvOperator>().Sum(step => costs.Least(step, tensors))));
            }

            why = why.Length == 0 ? refusal : why;
        }

        if (open.Count == 0)
        {
            (_refused.TryGetValue(why, out var names) ? names : _refused[why] = []).Add(operation.Name);
        }

        var best = direct;
        foreach (var (algorithm, least) in open.OrderBy(bound => bound.Least))
        {
            var way = new AlgorithmWay(algorithm.Name, least, IsLeast: true);
            foreach (var detail in (WeightDetail[])[WeightDetail.None, WeightDetail.Ranges])
            {
                if (way is null || way.Cost >= best)
                {
                    break;
                }

                way = _rewrite.Try(operation, algorithm, out _, detail) is { } chain && costs.Refusal(Taken(chain), operation, tensors) is null ? Cost(algorithm.Name, chain, best) : null;
                way = detail == WeightDetail.None && way is not null ? way with { IsLeast = true } : way;
            }

            if (way is not null)
            {
                ways.Add(way);
                best = way.IsLeast ? best : Math.Min(best, way.Cost);
            }
        }

        return ways;
    }

    /// <summary>What the operators cost together, or a bound from where it is known to reach a limit; null where one of them can't run.</summary>
    private AlgorithmWay? Cost(string name, AlgorithmChain chain, long limit = long.MaxValue)
    {
        Taken(chain);
        var steps = chain.Steps.OfType<GconvOperator>().ToList();
        var (cost, tie) = (steps.Sum(step => costs.Least(step, tensors)), (Int128)0);
        foreach (var step in steps)
        {
            if (cost >= limit)
            {
                return new(name, cost, IsLeast: true);
            }

            var others = cost - costs.Least(step, tensors);
            if (costs.Best(step, tensors, limit == long.MaxValue ? limit : limit - others) is not { } best)
            {
                return null;
            }

            (cost, tie) = (others + best.Cost, tie + best.Tie);
            if (best.IsLeast)
            {
                return new(name, cost, IsLeast: true);
            }
        }

        return new(name, cost, tie);
    }

    /// <summary>Takes an algorithm's tensors over; the last step has the operator's own, or writes a piece of it.</summary>
    private AlgorithmChain Taken(AlgorithmChain chain)
    {
        foreach (var constant in chain.Constants)
        {
            tensors.Add(constant);
        }

        foreach (var step in chain.Steps.SkipLast(1))
        {
            tensors.Add(step);
        }

        return chain;
    }
}
