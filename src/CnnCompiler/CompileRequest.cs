using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler;

/// <summary>What to compile, for what, and how far. Bytes in: the compiler opens no files.</summary>
/// <param name="FileName">Name of the source, for messages and, by its extension, the choice of the front end.</param>
/// <param name="Source">Contents of the source.</param>
/// <param name="Target">Name of the target, one of <see cref="CompilerTargets.All"/>.</param>
public sealed record CompileRequest(string FileName, ReadOnlyMemory<byte> Source, string Target)
{
    /// <summary>Contents of a file that the source names (weights), or null where there is none. Names are as written in the source. May be called from the calling thread only.</summary>
    public Func<string, ReadOnlyMemory<byte>?> Companion { get; init; } = static _ => null;

    /// <summary>The machine; null for the target's default.</summary>
    public MachineDescription? Machine { get; init; }

    /// <summary>Choices of the mapping that are made here instead of by the compiler: a layer and one of its candidates.</summary>
    public IReadOnlyList<ForcedChoice> Forced { get; init; } = [];

    /// <summary>
    /// The level whose text the source is (as <see cref="ModuleText"/> prints it), where compilation goes on from there; null for a network description or a model. Constants that the text
    /// does not hold are in the companion named like the source with <c>.npz</c> behind it.
    /// </summary>
    public IrLevel? From { get; init; }

    /// <summary>What the type <c>value</c> of a network description is; null for i8. Other sources say the types of their values themselves.</summary>
    public NetworkElements? Elements { get; init; }

    /// <summary>Names of the passes to run, in order, in place of the target's whole pipeline; null for that.</summary>
    public IReadOnlyList<string>? Passes { get; init; }

    /// <summary>Names of passes of the target's pipeline that are left out; each has to stay at its level.</summary>
    public IReadOnlyList<string> Disabled { get; init; } = [];

    /// <summary>Last level to make.</summary>
    public IrLevel StopLevel { get; init; } = IrLevel.Image;

    /// <summary>Verify after every pass. The network is verified in any case.</summary>
    public bool VerifyEach { get; init; }

    /// <summary>Called with the network as it was read, before anything is done with it.</summary>
    public Action<IrModule>? AfterFrontend { get; init; }

    /// <summary>Called after every pass, before its result is verified.</summary>
    public Action<PassSnapshot>? AfterPass { get; init; }

    /// <summary>Values of pass options that differ from their defaults, by <c>pass.option</c>.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>How much targets that search look for a better mapping, and what they know already.</summary>
    public SearchOptions Search { get; init; } = new();

    /// <summary>Ends a compilation early with <see cref="OperationCanceledException"/>.</summary>
    public CancellationToken Cancellation { get; init; }
}

/// <summary>What a compilation gave.</summary>
/// <param name="Diagnostics">In the order in which they were found.</param>
/// <param name="Modules">The last program of every level that was reached.</param>
/// <param name="Image">Bytes of the image (<c>.cnnb</c>); null where the compilation failed or stopped before.</param>
/// <param name="TensorNames">The model's own names of values, by the names they have in the levels, where they differ.</param>
public sealed record CompileResult(
    IReadOnlyList<Diagnostic> Diagnostics,
    IReadOnlyDictionary<IrLevel, IrModule> Modules,
    ReadOnlyMemory<byte>? Image,
    IReadOnlyDictionary<string, string> TensorNames)
{
    /// <summary>Numbers that values have in the model's file, by the names they have in the levels; empty for sources that don't number them.</summary>
    public IReadOnlyDictionary<string, int> TensorIndices { get; init; } = new Dictionary<string, int>(StringComparer.Ordinal);

    /// <summary>True where no diagnostic is an error.</summary>
    public bool Succeeded => Diagnostics.All(diagnostic => diagnostic.Severity != DiagnosticSeverity.Error);
}
