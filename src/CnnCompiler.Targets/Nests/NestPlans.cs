using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Nests;

/// <summary>The best mappings on a machine; equal operators are mapped once.</summary>
/// <param name="machine">The machine.</param>
/// <param name="patience">Unrollings in a row that gain no cycles after which a search ends.</param>
internal sealed class NestPlans(MachineDescription machine, int patience = int.MaxValue)
{
    private readonly Dictionary<string, (NestFound? Best, long Limit)> _known = new(StringComparer.Ordinal);

    /// <summary>The machine.</summary>
    public MachineDescription Machine => machine;

    /// <summary>The best mapping, or null where not even an element at a time fits the buffers.</summary>
    public NestPlan? Of(SystolicOperator operation) => Within(operation, long.MaxValue).Best?.Plan;

    /// <summary>The best mapping; or none, where not even an element at a time fits the buffers, or where none is known and every one takes more cycles than the limit.</summary>
    public (NestFound? Best, bool IsAbove) Within(SystolicOperator operation, long limit)
    {
        var key = NestMapper.Key(operation);
        if (!_known.TryGetValue(key, out var known) || (known.Best is null && known.Limit < limit))
        {
            _known[key] = known = (NestMapper.Best(new NestSpace(operation, machine), patience, limit: limit), limit);
        }

        return (known.Best, known.Best is null && known.Limit < long.MaxValue);
    }
}
