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
    public override IReadOnlyList<Diagnostic> Verify() => NetworkVerifier.Check(Graph);

    /// <inheritdoc/>
    public override string Print() => NetworkPrinter.Print(Graph).Text;

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
    public override IReadOnlyList<Diagnostic> Verify() => GconvVerifier.Check(Program);

    /// <inheritdoc/>
    public override string Print() => GconvPrinter.Print(Program).Text;

    /// <inheritdoc/>
    public override ModuleEvaluation? Evaluate(IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics, CancellationToken cancellation) =>
        GconvEvaluator.Evaluate(Program, inputs, diagnostics, cancellation: cancellation) is { } evaluation ? new(evaluation.Values, evaluation.Outputs) : null;
}
