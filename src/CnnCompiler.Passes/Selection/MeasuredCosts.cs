using System.Collections.Concurrent;

namespace CnnCompiler.Passes.Selection;

/// <summary>
/// Costs that were measured, by what was measured: a key names everything the cost depends on (machine, step, candidate, shapes), so that equal
/// work is measured once; may be asked by several threads, of which one measures and the others wait.
/// </summary>
/// <param name="store">Costs of other compilations; null for none.</param>
public sealed class MeasuredCosts(ICostStore? store = null)
{
    private readonly ConcurrentDictionary<string, Lazy<long>> _costs = new(StringComparer.Ordinal);
    private readonly Lock _storing = new();

    /// <summary>Keys measured.</summary>
    public int Count => _costs.Count;

    /// <summary>The cost kept for a key; measures it where there is none.</summary>
    /// <param name="key">What the cost depends on.</param>
    /// <param name="measure">Measures; must give the same for the same key.</param>
    /// <param name="content">What is measured, to the last bit: the key in the store. Null where the store is not to be asked.</param>
    public long Get(string key, Func<long> measure, Func<string>? content = null) =>
        _costs.GetOrAdd(key, _ => new(() => store is null || content is null ? measure() : Stored(content(), measure))).Value;

    private long Stored(string content, Func<long> measure)
    {
        lock (_storing)
        {
            if (store!.Find(content) is { } known)
            {
                return known;
            }
        }

        var cost = measure();
        lock (_storing)
        {
            store.Keep(content, cost);
        }

        return cost;
    }
}
