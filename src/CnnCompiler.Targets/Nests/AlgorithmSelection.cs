using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Targets.Nests;

/// <summary>
/// Chooses for each convolution whether it is one operator or what an algorithm makes of it, by the cycles of all operators' best mappings, then by their energy. An algorithm whose operators can't be
/// faster together than what was found before (<see cref="NestModel.LeastCycles"/>) is not looked at, nor one whose products or sums need more bits than the machine's and the convolution's own.
/// </summary>
internal sealed class AlgorithmSelection
{
    /// <summary>The convolution as it is.</summary>
    private const string Direct = "direct";

    private const int BitsPerByte = 8;

    /// <summary>Unrollings in a row without gain after which the search of an algorithm's mapping ends, as long as it isn't chosen.</summary>
    private const int Patience = 6;

    private readonly NestPlans _plans;
    private readonly NestPlans _quick;
    private readonly ConvolutionRewrite _rewrite;
    private readonly ChainTensors _tensors;
    private readonly DescriptorBuilder _builder;

    private AlgorithmSelection(GconvProgram program, NestPlans plans)
    {
        (_plans, _quick, _rewrite, _tensors) = (plans, new(plans.Machine, Patience), new(program), new(program));
        _builder = new(_tensors.Shape, _tensors.Element, _ => 0);
    }

    /// <summary>A way to compute a convolution; a chain of null is the convolution as it is.</summary>
    private sealed record Way(string Name, AlgorithmChain? Chain, long Cycles, Int128 Energy);

    /// <summary>The chain with its convolutions as chosen and what was rejected, or null after reporting a choice that can't be forced.</summary>
    /// <param name="program">The chain.</param>
    /// <param name="plans">Takes the mappings found.</param>
    /// <param name="forced">What the user chose.</param>
    /// <param name="isAuto">False where all other convolutions stay as they are.</param>
    /// <param name="context">Diagnostics and cancellation.</param>
    public static (GconvProgram Program, SelectionExplanation? Explanation)? Choose(GconvProgram program, NestPlans plans, IReadOnlyList<ForcedChoice> forced, bool isAuto, PassContext context)
    {
        var selection = new AlgorithmSelection(program, plans);
        var wanted = forced.GroupBy(choice => choice.Vertex, StringComparer.Ordinal).ToDictionary(choices => choices.Key, choices => choices.Last().Candidate, StringComparer.Ordinal);
        var chains = new Dictionary<string, AlgorithmChain>(StringComparer.Ordinal);
        var (vertices, total) = (new List<VertexExplanation>(), 0L);
        foreach (var operation in program.Steps.OfType<GconvOperator>())
        {
            context.Cancellation.ThrowIfCancellationRequested();
            if (selection.Cost(Direct, null, [operation], plans) is not { } direct)
            {
                continue;
            }

            var ways = new List<Way> { direct };
            var isForced = wanted.Remove(operation.Name, out var name);
            if (isForced && name != Direct)
            {
                if (selection.Forced(operation, name!, context) is not { } way)
                {
                    continue;
                }

                ways.Add(way);
            }
            else if (isAuto && !isForced)
            {
                selection.AddFaster(operation, ways);
            }

            var found = isForced ? ways[^1] : ways.MinBy(way => (way.Cycles, way.Energy))!;
            var best = found.Chain is null ? found : selection.Cost(found.Name, found.Chain, found.Chain.Steps, plans)!;
            total += best.Cycles;
            if (best.Chain is { } chain)
            {
                chains.Add(operation.Name, chain);
            }

            if (ways.Count > 1)
            {
                var rejected = ways.Where(way => way != found).Select(way => new RejectedCandidate(way.Name, way.Cycles, way.Cycles, true, []));
                vertices.Add(new(operation.Name, DecisionKind.Step, best.Name, best.Cycles, isForced, rejected.ToEquatableArray()));
            }
        }

        foreach (var name in wanted.Keys)
        {
            context.Diagnostics.Report(SelectionDiagnostics.UnknownVertex(name, [.. program.Steps.OfType<GconvOperator>().Select(operation => operation.Name)]));
        }

        return context.Diagnostics.HasErrors ? null : (chains.Count == 0 ? program : selection._rewrite.Replace(chains), Explain(vertices, total));
    }

    private static SelectionExplanation? Explain(List<VertexExplanation> vertices, long total) => vertices.Count == 0 ? null : new(
        "cycles",
        total,
        total,
        total,
        vertices.Select(vertex => vertex with
        {
            Rejected = vertex.Rejected.Select(rejected => rejected with { ForcedCost = total - vertex.OwnCost + rejected.OwnCost }).ToEquatableArray(),
        }).ToEquatableArray());

    /// <summary>What the user wants, or null after reporting why it can't be.</summary>
    private Way? Forced(GconvOperator operation, string name, PassContext context)
    {
        if (ConvolutionAlgorithm.Find(name) is not { } algorithm)
        {
            context.Diagnostics.Report(SelectionDiagnostics.UnknownCandidate(operation.Name, name, [Direct, .. ConvolutionAlgorithm.All.Select(known => known.Name)]));
            return null;
        }

        if (_rewrite.Try(operation, algorithm, out var refusal) is not { } chain || Cost(name, chain, chain.Steps, _plans) is not { } way)
        {
            context.Diagnostics.Report(AlgorithmDiagnostics.Refused(operation, algorithm, refusal.Length > 0 ? refusal : "an element of its operands does not fit the buffers"));
            return null;
        }

        return way;
    }

    /// <summary>Adds the algorithms that may be faster than all ways so far, the most promising first.</summary>
    private void AddFaster(GconvOperator operation, List<Way> ways)
    {
        var bounds = new List<(ConvolutionAlgorithm Algorithm, long Cycles)>();
        foreach (var algorithm in ConvolutionAlgorithm.All)
        {
            if (_rewrite.Outline(operation, algorithm) is { } outline && Fits(outline, operation))
            {
                bounds.Add((algorithm, Descriptors(outline, outline.Steps).Sum(descriptor => NestModel.LeastCycles(descriptor, _plans.Machine))));
            }
        }

        // along rows and along columns mostly come to the same: of equal bounds the first
        foreach (var (algorithm, cycles) in bounds.DistinctBy(bound => bound.Cycles).OrderBy(bound => bound.Cycles))
        {
            if (cycles < ways.Min(way => way.Cycles) && _rewrite.Try(operation, algorithm, out _) is { } chain && Fits(chain, operation) && Cost(algorithm.Name, chain, chain.Steps, _quick) is { } way)
            {
                ways.Add(way);
            }
        }
    }

    /// <summary>True where the machine's multipliers take both operands of the product, and its accumulators all sums; or the convolution's own are as wide.</summary>
    private bool Fits(AlgorithmChain chain, GconvOperator operation)
    {
        var description = _plans.Machine.Systolic!;
        var (tensors, product) = (Types(chain), chain.Steps.OfType<GconvOperator>().First(step => step.Name == chain.Product));
        return Operands(product) <= Math.Max(description[SystolicKeys.OperandBits], Operands(operation))
            && chain.Steps.OfType<GconvOperator>().Max(step => step.Accumulator.Size()) * BitsPerByte <= Math.Max(description[SystolicKeys.SumBits], operation.Accumulator.Size() * BitsPerByte);

        int Operands(GconvOperator step) => Math.Max(tensors.Element(step.Input.Tensor).Size(), tensors.Element(step.Kernel!.Tensor).Size()) * BitsPerByte;
    }

    private Way? Cost(string name, AlgorithmChain? chain, IEnumerable<GconvStep> steps, NestPlans plans)
    {
        var (cycles, energy) = (0L, (Int128)0);
        foreach (var descriptor in Descriptors(chain, steps))
        {
            if (plans.Of(descriptor) is not { } plan)
            {
                return null;
            }

            var cost = NestMapper.Cost(plan, descriptor, _plans.Machine);
            (cycles, energy) = (cycles + cost.Cycles, energy + cost.Energy);
        }

        return new(name, chain, cycles, energy);
    }

    private List<SystolicOperator> Descriptors(AlgorithmChain? chain, IEnumerable<GconvStep> steps)
    {
        _ = chain is null ? _tensors : Types(chain);
        return [.. steps.OfType<GconvOperator>().Select(step => _builder.Build(step, -1, null))];
    }

    /// <summary>The tensors with those of an algorithm's steps; names of another algorithm's for the same operator are taken over.</summary>
    private ChainTensors Types(AlgorithmChain chain)
    {
        foreach (var constant in chain.Constants)
        {
            _tensors.Add(constant);
        }

        foreach (var step in chain.Steps.SkipLast(1))
        {
            _tensors.Add(step);
        }

        return _tensors;
    }
}
