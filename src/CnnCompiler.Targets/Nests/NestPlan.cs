using CnnCompiler.Core;
using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.Nests;

/// <summary>How an accelerator executes a general convolution.</summary>
/// <param name="Operator">Name of the operator.</param>
/// <param name="Loops">How each of its loops is cut.</param>
/// <param name="Outer">Loops over tiles, the outermost first.</param>
/// <param name="Inner">Loops inside a tile, the outermost first.</param>
public sealed record NestPlan(string Operator, EquatableArray<NestLoop> Loops, EquatableArray<int> Outer, EquatableArray<int> Inner)
{
    /// <summary>Where operands lie on the chip, with a list of values; null where all are in DRAM.</summary>
    public NestChip? Chip { get; init; }

    /// <summary>The descriptor: operands move as seldom as the orders and the machine's elements allow.</summary>
    public NestStep Encode(SystolicOperator operation, MachineDescription machine)
    {
        bool Input(int loop) => NestStep.Indexes(operation.Input, loop);
        bool Kernel(int loop) => operation.Kernel is { } kernel && NestStep.Indexes(kernel, loop);
        bool Output(int loop) => operation.Loops[loop].Role != SystolicRole.Row;
        int Inside(Func<int, bool> indexes, SystolicKey keeps) => machine.Systolic![keeps] == 1 ? NestChecker.Needed(Inner, indexes) : Inner.Count;
        return new(operation, [.. Loops], [.. Outer], [.. Inner], new(
            NestChecker.Needed(Outer, Input),
            NestChecker.Needed(Outer, Kernel),
            Inside(Input, SystolicKeys.KeepsInput),
            Inside(Kernel, SystolicKeys.KeepsKernel),
            Inside(Output, SystolicKeys.KeepsSum)))
        {
            Chip = Chip,
        };
    }
}

/// <summary>An outermost loop of a nest and its trips in a tile.</summary>
/// <param name="Loop">The loop.</param>
/// <param name="Tile">Its trips in a tile; it has two tiles or more.</param>
internal readonly record struct NestLead(int Loop, int Tile);
