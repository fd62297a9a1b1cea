using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests.Reproduction;

namespace CnnCompiler.Targets.Nests;

/// <summary>What all searches for mappings of an operator on a machine have in common, wherever its operands lie.</summary>
internal sealed class NestSpace
{
    private readonly Lazy<NestSpace?>? _withoutAdditions;
    private IReadOnlyList<Unrolling>? _unrollings;

    /// <summary>Prepares an operator.</summary>
    public NestSpace(SystolicOperator operation, MachineDescription machine)
        : this(operation, machine, null) => _withoutAdditions = new(() => GconvComparison.WithoutAdditions(machine) is var plain && plain != machine ? new(operation, plain, this) : null);

    private NestSpace(SystolicOperator operation, MachineDescription machine, NestSpace? same)
    {
        (Operation, Machine) = (operation, machine);
        IsOrdered = operation.Accumulator.IsReal() && operation.Reduce == SystolicReduction.Add;
        (Input, Kernel, Extras) = same is not null ? (same.Input, same.Kernel, same.Extras)
            : (new(operation, operation.Input), operation.Kernel is { } kernel ? new(operation, kernel) : null, NestModel.Extras(operation));
        (Outputs, CyclesPerTap, Energy) = (NestModel.Outputs(operation), NestModel.CyclesPerTap(operation, machine), new(operation, machine));
        PostCycles = NestModel.PostCycles(operation, Outputs, machine);
        Extents = [.. operation.Loops.Select(loop => loop.Extent)];
        for (var i = 0; i < Extents.Length; i++)
        {
            Rows |= operation.Loops[i].Role == SystolicRole.Row ? 1UL << i : 0;
        }
    }

    /// <summary>The operator.</summary>
    public SystolicOperator Operation { get; }

    /// <summary>The machine.</summary>
    public MachineDescription Machine { get; }

    /// <summary>Its sums keep the order of the loops.</summary>
    public bool IsOrdered { get; }

    /// <summary>Its input.</summary>
    public NestOperand Input { get; }

    /// <summary>Its kernel, or null.</summary>
    public NestOperand? Kernel { get; }

    /// <summary>Its further operands.</summary>
    public IReadOnlyList<NestExtra> Extras { get; }

    /// <summary>Results.</summary>
    public long Outputs { get; }

    /// <summary>Cycles of an element of the array for a tap.</summary>
    public long CyclesPerTap { get; }

    /// <summary>Cycles of the units behind the array.</summary>
    public long PostCycles { get; }

    /// <summary>What its mappings draw.</summary>
    public NestEnergy Energy { get; }

    /// <summary>Trips of each loop.</summary>
    public int[] Extents { get; }

    /// <summary>A bit for each loop that reduces.</summary>
    public ulong Rows { get; }

    /// <summary>The same on the machine without the unrollings that GCONV adds; null where it adds none.</summary>
    public NestSpace? WithoutAdditions => _withoutAdditions?.Value;

    /// <summary>What may lie side by side on the array.</summary>
    public IReadOnlyList<Unrolling> Unrollings => _unrollings ??= Unrolling.All(Operation, Machine);
}
