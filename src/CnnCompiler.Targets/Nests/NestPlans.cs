using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Nests;

/// <summary>The best mappings on a machine; equal operators are mapped once.</summary>
/// <param name="machine">The machine.</param>
/// <param name="patience">Unrollings in a row that gain no cycles after which a search ends.</param>
internal sealed class NestPlans(MachineDescription machine, int patience = int.MaxValue)
{
    private readonly Dictionary<string, NestPlan?> _known = new(StringComparer.Ordinal);

    /// <summary>The machine.</summary>
    public MachineDescription Machine => machine;

    /// <summary>The best mapping, or null where not even an element at a time fits the buffers.</summary>
    public NestPlan? Of(SystolicOperator operation)
    {
        var key = NestMapper.Key(operation);
        if (!_known.TryGetValue(key, out var plan))
        {
            plan = NestMapper.Best(operation, machine, patience);
            _known.Add(key, plan);
        }

        return plan;
    }
}
