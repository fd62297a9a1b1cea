using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler;

/// <summary>A pass and the targets whose pipelines have it.</summary>
/// <param name="Description">What it says of itself.</param>
/// <param name="Targets">Names of the targets.</param>
public sealed record CompilerPass(PassDescription Description, IReadOnlyList<string> Targets);

/// <summary>The passes of all targets, from their pipelines.</summary>
public static class CompilerPasses
{
    /// <summary>All of them, in the order of the levels that they read.</summary>
    public static IReadOnlyList<CompilerPass> All { get; } =
    [
        .. CompilerTargets.All
            .SelectMany(target => target.Pipeline(target.DefaultMachine, []).Passes.Select(pass => (Target: target.Name, pass.Description)))
            .GroupBy(entry => entry.Description.Name, StringComparer.Ordinal)
            .Select(group => new CompilerPass(group.First().Description, [.. group.Select(entry => entry.Target)]))
            .OrderBy(pass => pass.Description.From)
            .ThenBy(pass => pass.Description.Name, StringComparer.Ordinal),
    ];
}
