using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Nests;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests;
using CnnCompiler.Targets.Overlay;

namespace CnnCompiler.Targets.Systolic;

/// <summary>
/// A program at the mapped level of systolic machines: the chain with its matrix products in the array's form, and a plan for each. It is executed as the
/// chain that it is.
/// </summary>
/// <param name="Program">The chain.</param>
/// <param name="Plans">Plans of the operators that the array executes; all others run in the vector unit.</param>
/// <param name="Machine">The machine.</param>
public sealed record SystolicModule(GconvProgram Program, EquatableArray<MatrixPlan> Plans, MachineDescription Machine) : IrModule, IExplainedModule
{
    /// <inheritdoc/>
    public SelectionExplanation? Selection { get; init; }

    /// <inheritdoc/>
    public IReadOnlyList<LayerPrediction> Predicted
    {
        get
        {
            var decided = (Selection?.Vertices ?? []).Where(vertex => vertex.Kind == DecisionKind.Step);
            var algorithms = decided.GroupBy(vertex => LayerOf(vertex.Vertex), StringComparer.Ordinal).ToDictionary(layer => layer.Key, layer => string.Join(", ", layer.Select(vertex => vertex.Chosen).Distinct(StringComparer.Ordinal)), StringComparer.Ordinal);
            var costs = Nests.Count > 0 ? NestPredictions.Select(nest => (nest.Operator, Algorithm: algorithms.GetValueOrDefault(LayerOf(nest.Operator), ConvolutionAlgorithm.Direct), Cost: nest.Counts.Cycles(Machine)))
                : Conversions.Count > 0 ? Predictions.Select(plan => (plan.Operator, Algorithm: $"{plan.Algorithm} {plan.Dataflow}", Cost: plan.Cycles))
                : decided.Select(vertex => (Operator: vertex.Vertex, Algorithm: vertex.Chosen, Cost: vertex.OwnCost));
            return [.. costs.GroupBy(cost => LayerOf(cost.Operator), StringComparer.Ordinal)
                .Select(layer => new LayerPrediction(layer.Key, string.Join(", ", layer.Select(cost => cost.Algorithm).Distinct(StringComparer.Ordinal)), layer.Sum(cost => cost.Cost)))];
        }
    }

    /// <summary>Convolutions on an overlay's unit; empty on a systolic array.</summary>
    internal EquatableArray<OverlayPlan> Conversions { get; init; } = [];

    /// <summary>Loop nests of the operators on an accelerator of general convolutions; empty on other machines.</summary>
    public EquatableArray<NestPlan> Nests { get; init; } = [];

    /// <summary>What the model says that each operator does on an accelerator, in the order of the program.</summary>
    public IReadOnlyList<(string Operator, NestCounts Counts)> NestPredictions => [.. NestMapper.Predict(this).Select(prediction => (prediction.Step.Name, prediction.Counts))];

    /// <summary>Convolutions on an overlay with the cycles that the cost model predicts, what brings their inputs into form included, in the order of the program.</summary>
    public IReadOnlyList<(string Operator, string Algorithm, string Dataflow, long Cycles)> Predictions =>
        [.. Program.Steps.Select(step => Conversions.FirstOrDefault(plan => plan.Operator == step.Name)).OfType<OverlayPlan>().Select(plan => (plan.Operator, plan.Algorithm.Name, OverlayPlan.NameOf(plan.Dataflow), plan.Predicted))];

    /// <inheritdoc/>
    public string LayerOf(string step) => Program.Steps.FirstOrDefault(operation => operation.Name == step)?.Origin.Value.Layer ?? step;

    /// <inheritdoc/>
    public override IrLevel Level => IrLevel.Mapped;

    /// <inheritdoc/>
    public override EquatableArray<NetworkInput> Inputs => Program.Inputs;

    /// <inheritdoc/>
    public override IEnumerable<(string Name, TensorType Type)> Tensors => Program.Steps.Select(step => (step.Name, step.Type));

    /// <inheritdoc/>
    public override IEnumerable<string> Outputs => Program.Outputs;

    /// <inheritdoc/>
    public override IReadOnlyList<Diagnostic> Verify() => GconvVerifier.Check(Program) is { Count: > 0 } problems ? problems : PlanVerifier.Check(this);

    /// <inheritdoc/>
    public override ModuleText Text(Func<string, IEnumerable<string>>? notes = null) => Machine.IsaRevision switch
    {
        SystolicKeys.OverlayRevision => OverlayText.Print(this, notes),
        SystolicKeys.NestRevision => NestText.Print(this, notes),
        _ => SystolicText.Print(this, notes),
    };

    /// <inheritdoc/>
    public override ModuleEvaluation? Evaluate(IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics, CancellationToken cancellation) =>
        GconvEvaluator.Evaluate(Program, inputs, diagnostics, cancellation: cancellation) is { } evaluation ? new(evaluation.Values, evaluation.Outputs) : null;
}
