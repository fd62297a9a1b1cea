using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Infrastructure;

/// <summary>A module whose mapping was chosen, of whichever target.</summary>
public interface IExplainedModule
{
    /// <summary>Why the program is mapped as it is, or null where nothing was chosen.</summary>
    SelectionExplanation? Selection { get; }

    /// <summary>What the layers were expected to cost, in the unit of the selection, as far as it was said.</summary>
    IReadOnlyList<LayerPrediction> Predicted { get; }

    /// <summary>The layer that a step of the selection belongs to.</summary>
    /// <param name="step">Name of the decision.</param>
    string LayerOf(string step) => step;
}

/// <summary>What one layer was expected to cost.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Algorithm">How it is computed, in the target's words.</param>
/// <param name="Cost">Its cost.</param>
public sealed record LayerPrediction(string Layer, string Algorithm, long Cost)
{
    /// <summary>Its energy in femtojoules, where that was worked out besides.</summary>
    public long? Femtojoules { get; init; }
}

/// <summary>A program at the mapped level.</summary>
/// <param name="Program">The loop nests and buffers.</param>
public sealed record MappedModule(MappedProgram Program) : IrModule, IExplainedModule
{
    /// <inheritdoc/>
    public SelectionExplanation? Selection { get; init; }

    /// <summary>The choices that made the program, as a text that makes it again without a search (<c>SearchOptions.Schedule</c>); null where the target writes none.</summary>
    public string? Schedule { get; init; }

    /// <inheritdoc/>
    public IReadOnlyList<LayerPrediction> Predicted { get; init; } = [];

    /// <inheritdoc/>
    public string LayerOf(string step) => Program.Values.FirstOrDefault(value => value.Tensor == step && value.CompletedBy >= 0) is { } value ? Program.Steps[value.CompletedBy].Origin.Value.Layer : step;

    /// <inheritdoc/>
    public override IrLevel Level => IrLevel.Mapped;

    /// <inheritdoc/>
    public override EquatableArray<NetworkInput> Inputs => Program.Inputs.Select(p => new NetworkInput(p.Name, p.Type)).ToEquatableArray();

    /// <inheritdoc/>
    public override IEnumerable<(string Name, TensorType Type)> Tensors => Program.Outputs.Select(port => (port.Name, port.Type));

    /// <inheritdoc/>
    public override IEnumerable<string> Outputs => Program.Outputs.Select(port => port.Name);

    /// <inheritdoc/>
    public override IReadOnlyList<Diagnostic> Verify() => MappedVerifier.Check(Program);

    /// <inheritdoc/>
    public override ModuleText Text(Func<string, IEnumerable<string>>? notes = null)
    {
        var text = MappedPrinter.Print(Program, notes);
        return new(text.Text, text.Constants);
    }

    /// <inheritdoc/>
    public override ModuleEvaluation? Evaluate(IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        return MappedEvaluator.Run(Program, inputs, diagnostics, keepValues: true) is { } evaluation ? new(evaluation.Values, evaluation.Outputs) : null;
    }
}
