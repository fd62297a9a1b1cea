using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>Plans of <see cref="StarKernel"/>'s passes that were made before: a program is mapped many times while its mapping is chosen, by several threads at a time.</summary>
public sealed class StarPlans
{
    private readonly ConcurrentDictionary<string, Lazy<StarPlan?>> _plans = new(StringComparer.Ordinal);

    /// <summary>Plans that were searched for.</summary>
    public int Count => _plans.Count;

    /// <inheritdoc cref="StarPlan.Make"/>
    public StarPlan? Make(StarWalk walk, IReadOnlyList<int[]> weights, IReadOnlyList<int> firsts, (int Fewest, int Most) limits, int mostPasses)
    {
        int[] content = [walk.Step, walk.Back is null ? 0 : 1, walk.Back ?? 0, limits.Fewest, limits.Most, mostPasses, walk.Offsets.Count, firsts.Count, .. walk.Offsets, .. firsts, .. weights.SelectMany(w => w)];
        var key = Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(content.AsSpan())));
        return _plans.GetOrAdd(key, _ => new(() => StarPlan.Make(walk, weights, firsts, limits, mostPasses))).Value;
    }
}
