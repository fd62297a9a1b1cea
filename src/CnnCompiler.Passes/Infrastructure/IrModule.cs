using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Passes.Infrastructure;

/// <summary>The levels of the road from network to bytes, in order.</summary>
public enum IrLevel
{
    /// <summary>Typed graph of layers.</summary>
    Network,

    /// <summary>Chain of general convolutions.</summary>
    Gconv,

    /// <summary>Loop nests over laid-out buffers.</summary>
    Mapped,

    /// <summary>Bytes that run.</summary>
    Image,
}

/// <summary>Facts about levels.</summary>
public static class IrLevels
{
    /// <summary>The name on the command line and in dumps: network, gconv, mapped, image.</summary>
    public static string Name(this IrLevel level) => level switch
    {
        IrLevel.Network => "network",
        IrLevel.Gconv => "gconv",
        IrLevel.Mapped => "mapped",
        IrLevel.Image => "image",
        _ => throw new ArgumentOutOfRangeException(nameof(level), level, "unknown level"),
    };

    /// <summary>The level of a name, or null.</summary>
    public static IrLevel? Parse(string name) => name switch
    {
        "network" => IrLevel.Network,
        "gconv" => IrLevel.Gconv,
        "mapped" => IrLevel.Mapped,
        "image" => IrLevel.Image,
        _ => null,
    };
}

/// <summary>What one evaluation of a module yields.</summary>
/// <param name="Values">Tensors by name, as many as the level can tell: at least inputs and outputs. A tensor that two levels share has one name.</param>
/// <param name="Outputs">The network's outputs in graph order.</param>
public sealed record ModuleEvaluation(IReadOnlyDictionary<string, Tensor> Values, EquatableArray<Tensor> Outputs);

/// <summary>
/// A program at one level, as passes hand it on. Every level can be verified, printed and executed, and on the same input all give the same
/// integers.
/// </summary>
public abstract record IrModule
{
    /// <summary>The level.</summary>
    public abstract IrLevel Level { get; }

    /// <summary>The network's inputs in graph order.</summary>
    public abstract EquatableArray<NetworkInput> Inputs { get; }

    /// <summary>The tensors that levels may share, inputs left out, in the order of the program.</summary>
    public abstract IEnumerable<(string Name, TensorType Type)> Tensors { get; }

    /// <summary>Names of the outputs in graph order.</summary>
    public abstract IEnumerable<string> Outputs { get; }

    /// <summary>What the level's verifier finds; nothing for a sound module.</summary>
    public abstract IReadOnlyList<Diagnostic> Verify();

    /// <summary>The level's text form with the constants beside it; that of an image is a listing, which can't be read back.</summary>
    /// <param name="notes">Comment lines before what a layer became, by the layer's name (see <see cref="InterleavedSource"/>); null for none.</param>
    public abstract ModuleText Text(Func<string, IEnumerable<string>>? notes = null);

    /// <summary>The level's text form.</summary>
    public string Print() => Text().Text;

    /// <summary>Executes the module, or reports why it can't be executed and returns null.</summary>
    /// <param name="inputs">One tensor for each of <see cref="Inputs"/>.</param>
    /// <param name="diagnostics">Takes what is wrong.</param>
    /// <param name="cancellation">Ends a long execution early.</param>
    public abstract ModuleEvaluation? Evaluate(IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics, CancellationToken cancellation);
}
