using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Infrastructure;

/// <summary>A program at the network level.</summary>
/// <param name="Graph">The network.</param>
public sealed record NetworkModule(NetworkGraph Graph) : IrModule
{
    /// <inheritdoc/>
    public override IrLevel Level => IrLevel.Network;

    /// <inheritdoc/>
    public override EquatableArray<NetworkInput> Inputs => Graph.Inputs;

    /// <inheritdoc/>
    public override IEnumerable<(string Name, TensorType Type)> Tensors => Graph.Layers.Select(layer => (layer.Name, layer.Type));

    /// <inheritdoc/>
    public override IEnumerable<string> Outputs => Graph.Outputs;

    /// <inheritdoc/>
    public override IReadOnlyList<Diagnostic> Verify() => NetworkVerifier.Check(Graph);

    /// <inheritdoc/>
    public override ModuleText Text(Func<string, IEnumerable<string>>? notes = null)
    {
        var text = NetworkPrinter.Print(Graph, notes);
        return new(text.Text, text.Constants);
    }

    /// <inheritdoc/>
    public override ModuleEvaluation? Evaluate(IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        return NetworkEvaluator.Evaluate(Graph, inputs, diagnostics) is { } evaluation ? new(evaluation.Values, evaluation.Outputs) : null;
    }
}

/// <summary>A program at the GCONV level.</summary>
/// <param name="Program">The chain.</param>
public sealed record GconvModule(GconvProgram Program) : IrModule
{
    /// <inheritdoc/>
    public override IrLevel Level => IrLevel.Gconv;

    /// <inheritdoc/>
    public override EquatableArray<NetworkInput> Inputs => Program.Inputs;

    /// <inheritdoc/>
    public override IEnumerable<(string Name, TensorType Type)> Tensors => Program.Steps.Select(step => (step.Name, step.Type));

    /// <inheritdoc/>
    public override IEnumerable<string> Outputs => Program.Outputs;

    /// <inheritdoc/>
    public override IReadOnlyList<Diagnostic> Verify() => GconvVerifier.Check(Program);

    /// <inheritdoc/>
    public override ModuleText Text(Func<string, IEnumerable<string>>? notes = null)
    {
        var text = GconvPrinter.Print(Program, notes);
        return new(text.Text, text.Constants);
    }

    /// <inheritdoc/>
    public override ModuleEvaluation? Evaluate(IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics, CancellationToken cancellation) =>
        GconvEvaluator.Evaluate(Program, inputs, diagnostics, cancellation: cancellation) is { } evaluation ? new(evaluation.Values, evaluation.Outputs) : null;
}
