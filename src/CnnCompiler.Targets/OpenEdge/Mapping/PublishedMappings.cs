using CnnCompiler.Targets.OpenEdge.Kernels.Published;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>The mappings of arXiv 2403.01236 by their names there (<c>research/openedge_paper.md</c> 1.4).</summary>
public static class PublishedMappings
{
    /// <summary>Direct convolution, weights spread over cells.</summary>
    public const string WeightParallel = "conv-wp";

    /// <summary>Direct convolution, output channels spread over cells.</summary>
    public const string OutputParallel = "conv-op";

    /// <summary>The same over a copy of the window.</summary>
    public const string PatchOutputParallel = "im2col-op";

    /// <summary>Inputs of a copy of the window spread over cells.</summary>
    public const string PatchInputParallel = "im2col-ip";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> Names { get; } = [WeightParallel, OutputParallel, PatchOutputParallel, PatchInputParallel];

    /// <summary>True for a candidate that is a published mapping: it is offered where it is forced only, because it never wins and would only be measured.</summary>
    public static bool IsPublished(string candidate) => Names.Contains(candidate, StringComparer.Ordinal);

    /// <summary>The kernel of a mapping.</summary>
    public static string StrategyOf(string name) => name switch
    {
        WeightParallel => WeightParallelKernel.Strategy,
        OutputParallel => ChannelParallelKernel.Strategy,
        PatchOutputParallel => ChannelParallelKernel.PatchStrategy,
        _ => InputParallelKernel.Strategy,
    };

    /// <summary>True for the kernel of a published mapping.</summary>
    public static bool IsStrategy(string kernel) => Names.Any(name => StrategyOf(name) == kernel);
}
