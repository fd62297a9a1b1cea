using System.Globalization;
using System.Text;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
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

    /// <summary>Convolutions on an overlay's unit; empty on a systolic array.</summary>
    internal EquatableArray<OverlayPlan> Conversions { get; init; } = [];

    /// <summary>Convolutions on an overlay with the cycles that the cost model predicts, what brings their inputs into form included, in the order of the program.</summary>
    public IReadOnlyList<(string Operator, string Algorithm, string Dataflow, long Cycles)> Predictions =>
        [.. Program.Steps.Select(step => Conversions.FirstOrDefault(plan => plan.Operator == step.Name)).OfType<OverlayPlan>().Select(plan => (plan.Operator, plan.Algorithm.Name, OverlayPlan.NameOf(plan.Dataflow), plan.Predicted))];

    /// <inheritdoc/>
    public override IrLevel Level => IrLevel.Mapped;

    /// <inheritdoc/>
    public override EquatableArray<NetworkInput> Inputs => Program.Inputs;

    /// <inheritdoc/>
    public override IReadOnlyList<Diagnostic> Verify() => GconvVerifier.Check(Program);

    /// <inheritdoc/>
    public override string Print()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"// {Program.Name} on {Machine.Name}: {Machine.Rows} rows, {Machine.Columns} columns\n");
        var plans = Plans.ToDictionary(plan => plan.Operator, StringComparer.Ordinal);
        var conversions = Conversions.ToDictionary(plan => plan.Operator, StringComparer.Ordinal);
        foreach (var step in Program.Steps)
        {
            var what = step.Match(
                operation => plans.TryGetValue(operation.Name, out var plan) ? Product(operation, plan) : conversions.TryGetValue(operation.Name, out var conversion) ? conversion.Print() : Vector(operation),
                view => $"{view.Kind.ToString().ToLowerInvariant()} of {string.Join(", ", view.Sources)}",
                softmax => $"softmax of {softmax.Source}, in the vector unit",
                host => $"{host.Layer.Keyword} of {string.Join(", ", host.Layer.Inputs)}, a step of the host");
            text.Append(CultureInfo.InvariantCulture, $"{step.Name}: {step.Type} = {what}\n");
        }

        return text.Append("\n// the chain\n").Append(GconvPrinter.Print(Program).Text).ToString();
    }

    /// <inheritdoc/>
    public override ModuleEvaluation? Evaluate(IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics, CancellationToken cancellation) =>
        GconvEvaluator.Evaluate(Program, inputs, diagnostics, cancellation: cancellation) is { } evaluation ? new(evaluation.Values, evaluation.Outputs) : null;

    private static string Product(GconvOperator operation, MatrixPlan plan)
    {
        var depths = plan.Depths.Distinct().Count() == 1
            ? $"k {plan.Inner}"
            : $"k {plan.Inner} inside, {plan.LastColumns} last columns, {plan.LastRows} last rows, {plan.LastBoth} both";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"gemm groups {Extent(operation, LoopKind.Group)} M {Extent(operation, LoopKind.OutputPosition)} N {Extent(operation, LoopKind.OutputParallel)} K {Extent(operation, LoopKind.KernelSize)}")
            + $"; {depths}"
            + string.Create(CultureInfo.InvariantCulture, $"; {plan.GroupsPacked} groups together, {plan.VectorsPerTile} vectors a tile, {Words(plan.Order.ToString())}")
            + (plan.DoubleBuffered ? ", double-buffered" : string.Empty)
            + (plan.Trimmed ? ", trimmed" : string.Empty)
            + $"\n    m = {Loops(operation, LoopKind.OutputPosition)}; n = {Loops(operation, LoopKind.OutputParallel)}; k = {Loops(operation, LoopKind.KernelSize)}"
            + $"\n    A[m, k] = {operation.Input.Tensor}{(operation.Input.OutOfRange == OutOfRange.Never ? string.Empty : string.Create(CultureInfo.InvariantCulture, $", {operation.Input.FillValue} outside"))}"
            + $"; B[k, n] = {operation.Kernel!.Tensor}";
    }

    private static string Vector(GconvOperator operation) => string.Create(
        CultureInfo.InvariantCulture,
        $"vector unit, {AffineExpressions.Product(operation.Loops.Where(loop => loop.Kind.IsParallel()).Select(loop => loop.Extent))} outputs of {Extent(operation, LoopKind.KernelSize)} taps");

    private static long Extent(GconvOperator operation, LoopKind kind) => AffineExpressions.Product(operation.Loops.Where(loop => loop.Kind == kind).Select(loop => loop.Extent));

    private static string Loops(GconvOperator operation, LoopKind kind) =>
        string.Join(' ', operation.Loops.Where(loop => loop.Kind == kind).Select(loop => string.Create(CultureInfo.InvariantCulture, $"{loop.Name}[{loop.Extent}]"))) is { Length: > 0 } text ? text : "1";

    private static string Words(string name) => name == nameof(Image.Systolic.SystolicOrder.ColumnsOuter) ? "columns outside" : "vectors outside";
}
