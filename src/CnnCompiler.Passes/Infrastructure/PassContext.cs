using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Infrastructure;

/// <summary>What is shown of a pass that just ran.</summary>
/// <param name="Index">Place of the pass in the pipeline, from 0.</param>
/// <param name="Pass">The pass.</param>
/// <param name="Before">What it read.</param>
/// <param name="After">What it made.</param>
public sealed record PassSnapshot(int Index, Pass Pass, IrModule Before, IrModule After);

/// <summary>What passes and their runner share in one compilation.</summary>
public sealed record PassContext
{
    /// <summary>Takes what passes report.</summary>
    public DiagnosticBag Diagnostics { get; init; } = new();

    /// <summary>Verify after every pass. What a pipeline is given is always verified: it comes from outside.</summary>
    public bool VerifyEach { get; init; }

    /// <summary>Called after each pass, before its result is verified, so that a broken result can still be seen.</summary>
    public Action<PassSnapshot>? AfterPass { get; init; }

    /// <summary>Ends a compilation early: the runner and long passes throw <see cref="OperationCanceledException"/>.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Values of options that differ from their defaults, by <c>pass.option</c>; see <see cref="Pipeline.CheckOptions"/>.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>How much targets that search look for a better mapping.</summary>
    public SearchOptions Search { get; init; } = new();

    /// <summary>The value of an option of a pass.</summary>
    public string Value(Pass pass, PassOption option) => Options.GetValueOrDefault($"{pass.Description.Name}.{option.Name}", option.Default);
}
