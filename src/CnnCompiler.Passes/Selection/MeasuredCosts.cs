namespace CnnCompiler.Passes.Selection;

/// <summary>
/// Costs that were measured, by what was measured: a key names everything the cost depends on (machine, step, candidate, shapes), so that equal
/// work is measured once.
/// </summary>
public sealed class MeasuredCosts
{
    private readonly Dictionary<string, long> _costs = new(StringComparer.Ordinal);

    /// <summary>Keys measured.</summary>
    public int Count => _costs.Count;

    /// <summary>The cost kept for a key; measures it where there is none.</summary>
    /// <param name="key">What the cost depends on.</param>
    /// <param name="measure">Measures; must give the same for the same key.</param>
    public long Get(string key, Func<long> measure)
    {
        if (!_costs.TryGetValue(key, out var cost))
        {
            cost = measure();
            _costs.Add(key, cost);
        }

        return cost;
    }
}
