using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Interpreter.OpenEdge;

/// <content>Runs step by step and shows the state behind each.</content>
public sealed partial class OpenEdgeArray
{
    /// <summary>For each column the byte address of its next SWD, had the last launch gone on.</summary>
    public IReadOnlyList<uint> WritePointers => Pointers(Slots.WritePointer);

    /// <summary>The same as <see cref="Continue"/>, and tells each step. Results and cycles are the same.</summary>
    /// <param name="memory">What the columns read and write.</param>
    /// <param name="untilCycle">Pauses at the first step that does not begin before this cycle.</param>
    /// <param name="sink">Gets each step behind its end.</param>
    public ArrayStop ContinueTraced<TMemory>(ref TMemory memory, long untilCycle, Action<StepTrace> sink)
        where TMemory : struct, IWordMemory
    {
        var stop = ArrayStop.Paused;
        while (stop == ArrayStop.Paused && _cycle < untilCycle)
        {
            var (step, cycle) = (_pc, _cycle);
            stop = Continue(ref memory, cycle + 1);
            if (stop is ArrayStop.Paused or ArrayStop.Done)
            {
                sink(Trace(step, cycle, stop == ArrayStop.Done ? -1 : _pc));
            }
        }

        return stop;
    }

    private StepTrace Trace(int step, long cycle, int next)
    {
        var cells = new List<CellTrace>(Slots.Cells);
        for (var cell = 0; cell < Slots.Cells; cell++)
        {
            if ((_mask >> (cell & 3) & 1) == 0)
            {
                continue;
            }

            var rout = _values[Slots.Rout + cell];
            var registers = _values.AsSpan(Slots.Registers + (OpenEdgeInstructionSet.Registers * cell), OpenEdgeInstructionSet.Registers);
            var zero = rout == 0 && (_cleared >> cell & 1) == 0;
            cells.Add(new(cell >> 2, cell & 3, At(cell, step), rout, registers[0], registers[1], registers[2], registers[3], zero, rout < 0));
        }

        return new(cycle, (int)(_cycle - cycle), step, next, cells, Pointers(Slots.ReadPointer), Pointers(Slots.WritePointer));
    }

    private uint[] Pointers(int first) => [.. _values.AsSpan(first, Slots.Columns).ToArray().Select(pointer => unchecked((uint)pointer))];
}
