using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.OpenEdge.ArrayPrograms;

/// <summary>A kernel's words: for each row bank, step i of column j at j * Steps + i.</summary>
/// <param name="Name">Name for people.</param>
/// <param name="Steps">Steps a column.</param>
/// <param name="Rows">Words of the row banks.</param>
public sealed record ArrayAssembly(string Name, int Steps, IReadOnlyList<IReadOnlyList<uint>> Rows);

/// <summary>Schedules, allocates and encodes array programs.</summary>
public static class ArrayAssembler
{
    /// <summary>Assembles a program for all four columns of a machine.</summary>
    /// <exception cref="ArrayResourceException">Steps, registers or constants that the machine doesn't have.</exception>
    public static ArrayAssembly Assemble(ArrayProgram program, MachineDescription machine)
    {
        var schedule = ArrayScheduler.Schedule(program);
        var limit = Math.Min(machine.StepsPerKernel, machine.ContextWordsPerRow / Cell.Side);
        if (schedule.Steps.Count > limit)
        {
            throw new ArrayResourceException(program.Name, "steps of a kernel", schedule.Steps.Count, limit);
        }

        var registers = ArrayRegisterAllocator.Allocate(schedule);
        var count = Math.Max(schedule.Steps.Count, machine.MinStepsPerKernel);
        var rows = Enumerable.Range(0, Cell.Side).Select(_ => new uint[Cell.Side * count]).ToArray();
        for (var step = 0; step < schedule.Steps.Count; step++)
        {
            foreach (var operation in schedule.Steps[step].OfType<ArrayOperation>())
            {
                rows[operation.Cell.Row][(operation.Cell.Column * count) + step] = Encode(operation, schedule, registers).Word;
            }
        }

        return new(program.Name, count, rows);
    }

    private static OpenEdgeInstruction Encode(ArrayOperation operation, ArraySchedule schedule, IReadOnlyDictionary<VirtualRegister, int> registers) =>
        OpenEdgeInstruction.Encode(
            operation.Opcode,
            Source(operation, operation.A, registers),
            Source(operation, operation.B, registers),
            operation.Destination is { } destination ? registers[destination] : null,
            operation.Target is { } target ? schedule.BlockStart[target] : operation.Immediate,
            operation.Flags is { } flags ? FlagSource(operation.Cell.SourceOf(flags.Cell)!.Value) : OpenEdgeFlagSource.Own);

    private static OpenEdgeSource Source(ArrayOperation operation, ArrayOperand operand, IReadOnlyDictionary<VirtualRegister, int> registers) => operand.Kind switch
    {
        ArrayOperandKind.Immediate => OpenEdgeSource.Immediate,
        ArrayOperandKind.Register => OpenEdgeSource.R0 + (byte)registers[operand.Register!],
        ArrayOperandKind.Value => operation.Cell.SourceOf(operand.Producer!.Cell)!.Value,
        ArrayOperandKind.Carried => operation.Cell.SourceOf(operand.Holder)!.Value,
        _ => OpenEdgeSource.Zero,
    };

    private static OpenEdgeFlagSource FlagSource(OpenEdgeSource source) => source switch
    {
        OpenEdgeSource.Left => OpenEdgeFlagSource.Left,
        OpenEdgeSource.Right => OpenEdgeFlagSource.Right,
        OpenEdgeSource.Top => OpenEdgeFlagSource.Top,
        OpenEdgeSource.Bottom => OpenEdgeFlagSource.Bottom,
        _ => OpenEdgeFlagSource.Own,
    };
}
