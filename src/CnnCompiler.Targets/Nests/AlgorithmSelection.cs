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
/// Chooses for each convolution whether it is one operator or what an algorithm makes of it, by the cycles of all operators' best mappings, then by their energy (<see cref="AlgorithmWays"/>). No
/// algorithm is one whose products or sums need more bits than the machine's and the convolution's own.
/// </summary>
internal sealed class AlgorithmSelection : IOperatorCosts
{
    private const int BitsPerByte = 8;

    private readonly NestPlans _plans;

    private AlgorithmSelection(NestPlans plans) => _plans = plans;

    /// <summary>The chain with its convolutions as chosen and what was rejected, or null after reporting a choice that can't be forced.</summary>
    /// <param name="program">The chain.</param>
    /// <param name="plans">Takes the mappings found.</param>
    /// <param name="forced">What the user chose.</param>
    /// <param name="isAuto">False where all other convolutions stay as they are.</param>
    /// <param name="context">Diagnostics and cancellation.</param>
    public static (GconvProgram Program, SelectionExplanation? Explanation)? Choose(GconvProgram program, NestPlans plans, IReadOnlyList<ForcedChoice> forced, bool isAuto, PassContext context)
    {
        if (!isAuto && forced.Count == 0)
        {
            return (program, null);
        }

        var (costs, tensors) = (new AlgorithmSelection(plans), new ChainTensors(program));
        var ways = new AlgorithmWays(program, tensors, costs);
        var wanted = forced.GroupBy(choice => choice.Vertex, StringComparer.Ordinal).ToDictionary(choices => choices.Key, choices => choices.Last().Candidate, StringComparer.Ordinal);
        var decisions = new List<AlgorithmDecision>();
        foreach (var operation in program.Steps.OfType<GconvOperator>())
        {
            context.Cancellation.ThrowIfCancellationRequested();
            wanted.Remove(operation.Name, out var name);
            if (ways.Decide(operation, name, isAuto, context.Diagnostics) is { } decision)
            {
                decisions.Add(decision);
            }
        }

        foreach (var name in wanted.Keys)
        {
            context.Diagnostics.Report(SelectionDiagnostics.UnknownVertex(name, [.. program.Steps.OfType<GconvOperator>().Select(operation => operation.Name)]));
        }

        return context.Diagnostics.HasErrors ? null
            : (ways.Apply(decisions), SelectionExplanation.OneByOne("cycles", decisions.Sum(decision => decision.Chosen.Cost), decisions.Select(decision => decision.Explanation)) with { Notes = ways.Notes });
    }

    /// <inheritdoc/>
    public long Least(GconvOperator operation, ChainTensors tensors) => NestModel.LeastCycles(Descriptor(operation, tensors), _plans.Machine);

    /// <inheritdoc/>
    public OperatorCost? Best(GconvOperator operation, ChainTensors tensors, long limit)
    {
        var (found, isAbove) = _plans.Within(Descriptor(operation, tensors), limit);
        return found is { } best ? new(best.Cycles, best.Energy) : isAbove ? new(limit + 1, 0, IsLeast: true) : null;
    }

    /// <inheritdoc/>
    public string? Refusal(AlgorithmChain chain, GconvOperator operation, ChainTensors tensors)
    {
        var (description, steps) = (_plans.Machine.Systolic!, chain.Steps.OfType<GconvOperator>().ToList());
        var product = steps.First(step => step.Name == chain.Product);
        return Operands(product) > Math.Max(description[SystolicKeys.OperandBits], Operands(operation)) ? "its products have operands wider than the machine's multipliers take"
            : steps.Max(step => step.Accumulator.Size()) * BitsPerByte > Math.Max(description[SystolicKeys.SumBits], operation.Accumulator.Size() * BitsPerByte) ? "its sums are wider than the machine's accumulators"
            : null;

        int Operands(GconvOperator step) => Math.Max(tensors.Element(step.Input.Tensor).Size(), tensors.Element(step.Kernel!.Tensor).Size()) * BitsPerByte;
    }

    private static SystolicOperator Descriptor(GconvOperator operation, ChainTensors tensors) => new DescriptorBuilder(tensors.Shape, tensors.Element, _ => 0).Build(operation, -1, null);
}
