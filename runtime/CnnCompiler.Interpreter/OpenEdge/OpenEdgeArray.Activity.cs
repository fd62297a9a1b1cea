namespace CnnCompiler.Interpreter.OpenEdge;

/// <content>Counts what launches execute.</content>
public sealed partial class OpenEdgeArray
{
    /// <summary>How often each step ran in the launch.</summary>
    private readonly long[] _executed = new long[Slots.Steps];

    /// <summary>What the array did in the last launch: operations, cycles of cells, words of RAM. Nothing of the host.</summary>
    public ArrayActivity Activity
    {
        get
        {
            var operations = new long[ArrayActivity.Opcodes];
            AddOperations(operations);
            var executing = Executing;
            return new()
            {
                Operations = operations,
                ExecutingCellCycles = executing,
                IdleCellCycles = (Slots.Cells * _cycle) - executing,
                RamReads = _reads,
                RamWrites = _writes,
            };
        }
    }

    /// <summary>Cycles of the launch's cells in EXEC.</summary>
    internal long Executing => int.PopCount(_mask) * (Slots.Cells / Slots.Columns) * (_cycle - _execFirst);

    /// <summary>Adds the operations of the last launch, by opcode.</summary>
    internal void AddOperations(Span<long> operations)
    {
        for (var step = 0; step < Slots.Steps; step++)
        {
            if (_executed[step] == 0)
            {
                continue;
            }

            for (var cell = 0; cell < Slots.Cells; cell++)
            {
                if ((_mask >> (cell & 3) & 1) != 0)
                {
                    operations[(int)(_store[(cell << 5) | step] >> 19) & 31] += _executed[step];
                }
            }
        }
    }
}
