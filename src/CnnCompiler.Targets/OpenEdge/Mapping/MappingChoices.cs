using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>A way to execute a step, or to lay a tensor out.</summary>
/// <param name="Name">Name, as <c>--force</c> takes it and reports print it.</param>
/// <param name="Summary">One line.</param>
public sealed record MappingCandidate(string Name, string Summary);

/// <summary>A decision of the mapping: which of several legal candidates.</summary>
/// <param name="Name">The step's or tensor's name.</param>
/// <param name="IsLayout">True for the layout of a tensor, false for the mapping of a step.</param>
/// <param name="Candidates">All legal candidates, the default first.</param>
public sealed record MappingDecision(string Name, bool IsLayout, IReadOnlyList<MappingCandidate> Candidates)
{
    /// <summary>The decision's key in <see cref="MappingChoices"/>: steps and layouts have names of their own.</summary>
    public string Key => IsLayout ? LayoutKey(Name) : Name;

    /// <summary>The key of a tensor's layout.</summary>
    public static string LayoutKey(string tensor) => $"{tensor}:layout";
}

/// <summary>The candidates taken, by decision; a decision that isn't named takes its default.</summary>
/// <param name="Taken">Candidate names by <see cref="MappingDecision.Key"/>.</param>
public sealed record MappingChoices(IReadOnlyDictionary<string, string> Taken)
{
    /// <summary>
    /// The most words of accumulators at a time: a layer with more is cut into tiles of output channels, each summed and requantised before the next.
    /// </summary>
    public int AccumulatorWords { get; init; } = int.MaxValue;

    /// <summary>
    /// The fewest output positions of a sliding operator whose requantisation has its parameters in the code, too: code takes more room and longer to load.
    /// </summary>
    public int FewestPositionsOfConstants { get; init; }

    /// <summary>
    /// Words of planes of <see cref="Kernels.StarKernel"/> at a time: as many passes as leave no more follow each other before what they left is added up, at least those of one group of channels.
    /// The more, the less often does the code change between the two kinds of kernel; but planes take room.
    /// </summary>
    public int PlaneWords { get; init; }

    /// <summary>In <see cref="PackedBefore"/>: from the beginning.</summary>
    public const string Always = "";

    /// <summary>
    /// Tensors that lie packed, four elements a word, by the name of their buffer: from the beginning (<see cref="Always"/>), or for the step of the chain
    /// named and all after it.
    /// </summary>
    public IReadOnlyDictionary<string, string> PackedBefore { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Operators that are split into bands of output rows, each with the number of its bands.</summary>
    public IReadOnlyDictionary<string, int> Bands { get; init; } = new Dictionary<string, int>(StringComparer.Ordinal);

    /// <summary>All defaults.</summary>
    public static MappingChoices Defaults { get; } = new(new Dictionary<string, string>(StringComparer.Ordinal));

    /// <summary>The candidate of a decision, or null for the default.</summary>
    public string? Of(string key) => Taken.GetValueOrDefault(key);

    /// <summary>These choices and one more.</summary>
    public MappingChoices With(string key, string candidate) =>
        this with { Taken = new Dictionary<string, string>(Taken, StringComparer.Ordinal) { [key] = candidate } };

    /// <summary>These choices, and a tensor packed.</summary>
    public MappingChoices Packed(string buffer, string before) =>
        this with { PackedBefore = new Dictionary<string, string>(PackedBefore, StringComparer.Ordinal) { [buffer] = before } };

    /// <summary>These choices, and an operator split.</summary>
    public MappingChoices Split(string operation, int bands) =>
        this with { Bands = new Dictionary<string, int>(Bands, StringComparer.Ordinal) { [operation] = bands } };
}

/// <summary>Names of the candidates.</summary>
public static class MappingCandidates
{
    /// <summary>A tensor lies inside the halo that its padded readers need.</summary>
    public static readonly MappingCandidate Halo = new("halo", "inside the halo its padded readers need; they read it in place");

    /// <summary>A tensor lies dense; a padded reader copies it into a halo of its own.</summary>
    public static readonly MappingCandidate Dense = new("dense", "without halo; every padded reader copies it into a halo of its own");

    /// <summary>A tensor lies as its reader multiplies it, an element and the one half the extent of a dimension behind it in a word.</summary>
    /// <param name="dimension">The dimension.</param>
    public static MappingCandidate Packed(string dimension) => new($"packed-{dimension}", $"halves of {dimension} in the two lanes of a word, as its reader multiplies them");

    /// <summary>A tensor lies as the depthwise convolution that reads it takes it, four channels in the bytes of a word.</summary>
    public static readonly MappingCandidate Quads = new("quads", "four channels in the bytes of a word, inside the halo that its reader needs");

    /// <summary>True for a layout of several elements a word.</summary>
    public static bool IsPacked(MappingCandidate layout) => layout != Halo && layout != Dense;

    /// <summary>A kernel with its lines along the loop that makes them.</summary>
    /// <param name="kernel">Short name of the kernel: contract, window, dense.</param>
    /// <param name="operation">The operator.</param>
    /// <param name="pixelLoop">Loop that runs along a line, or -1 for none.</param>
    public static MappingCandidate Of(string kernel, GconvOperator operation, int pixelLoop)
    {
        var along = pixelLoop < 0 ? "point" : operation.Loops[pixelLoop].Dimension;
        return new($"{kernel}-{along}", $"kernel {kernel}, lines along {along}");
    }
}
