using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.OpenEdge;

/// <content>Decodes the words in the cells' stores, a step at a time, when a step first runs.</content>
public sealed partial class OpenEdgeArray
{
    private readonly int _banks;
    private readonly Step[] _decoded = new Step[Slots.Steps * 4];
    private readonly MemoryAccess[] _accesses = new MemoryAccess[Slots.Steps * 4 * Slots.Cells];
    private readonly CellInstruction[] _instructions = new CellInstruction[Slots.Steps * Slots.Cells];
    private readonly Commit[] _commits = new Commit[Slots.Steps * Slots.Cells];
    private int _decodedMask; // column mask the decoded steps are for; 0 = none

    private enum BusWalk
    {
        None,

        /// <summary>Order and duration are part of the decoded step.</summary>
        Static,

        /// <summary>Bank conflicts depend on addresses.</summary>
        Banks,

        /// <summary>Cycle by cycle.</summary>
        Cycles,
    }

    private BusWalk _walk;

    private void StartDecoding()
    {
        if (_decodedMask != _mask)
        {
            Array.Clear(_decoded);
            _decodedMask = _mask;
            _current = null;
        }
    }

    /// <summary>Decodes a step for one state of the shared bus's pointer (0 where there is none).</summary>
    private void Decode(int pc, int pointer)
    {
        ref var step = ref _decoded[(pc << 2) | pointer];
        step = default;
        step.InstructionStart = step.CommitStart = pc * Slots.Cells;
        step.AccessStart = ((pc << 2) | pointer) * Slots.Cells;

        Span<ushort> readers = stackalloc ushort[Slots.Cells];
        readers.Clear();
        Span<byte> rowsOfColumn = stackalloc byte[Slots.Columns];
        rowsOfColumn.Clear();
        var computing = 0;
        var storing = 0;
        for (var cell = 0; cell < Slots.Cells; cell++)
        {
            if ((_mask >> (cell & 3) & 1) == 0)
            {
                continue;
            }

            var instruction = At(cell, pc);
            var row = OpenEdgeInstructionSet.Get(instruction);
            _values[Slots.Immediate + (pc * Slots.Cells) + cell] = instruction.Immediate;
            NoteReads(instruction, row, cell, readers);
            if (row.IsMemory)
            {
                rowsOfColumn[cell & 3] |= (byte)(1 << (cell >> 2));
                storing |= row.IsStore ? 1 << cell : 0;
                step.Loads += row.IsLoad ? (byte)1 : (byte)0;
                step.FlagsWritten |= row.IsLoad ? (ushort)(1 << cell) : (ushort)0;
            }
            else if (row.Kind != OpenEdgeInstructionKind.Nop || instruction.WritesRegister)
            {
                computing |= 1 << cell;
                step.HasExit |= row.Kind == OpenEdgeInstructionKind.Exit;
                step.HasMultiply |= row.Kind == OpenEdgeInstructionKind.Multiply;
                step.EndsOrBranches |= row.Kind is OpenEdgeInstructionKind.Branch or OpenEdgeInstructionKind.Jump or OpenEdgeInstructionKind.Exit;
            }
        }

        step.FlagsFromTemporary = (ushort)storing;
        OrderInstructions(ref step, pc, computing, readers);
        OrderAccesses(ref step, pc, pointer, readers, rowsOfColumn);
        for (var cell = 0; cell < Slots.Cells; cell++)
        {
            if ((storing >> cell & 1) != 0)
            {
                AddCommit(ref step, Slots.Temporary + cell, Slots.Rout + cell);
            }
        }
    }

    private OpenEdgeInstruction At(int cell, int pc) => new(_store[(cell << 5) | pc]);

    /// <summary>
    /// Puts each cell behind the cells that read its ROUT, so that it can write ROUT at once; where they read one another in a circle,
    /// one result is put aside until the end of the step.
    /// </summary>
    private void OrderInstructions(ref Step step, int pc, int computing, ReadOnlySpan<ushort> readers)
    {
        var left = computing;
        while (left != 0)
        {
            var cell = int.TrailingZeroCount(left);
            var deferred = true;
            for (var candidates = left; candidates != 0; candidates &= candidates - 1)
            {
                var candidate = int.TrailingZeroCount(candidates);
                if ((readers[candidate] & left & ~(1 << candidate)) == 0)
                {
                    cell = candidate;
                    deferred = false;
                    break;
                }
            }

            left &= ~(1 << cell);
            var source = At(cell, pc);
            ref var instruction = ref _instructions[step.InstructionStart + step.InstructionCount++];
            instruction = DecodeInstruction(source, cell, pc);
            if (source.Opcode != OpenEdgeOpcode.Nop)
            {
                step.FlagsWritten |= (ushort)(1 << cell);
                instruction.Result = (ushort)((deferred ? Slots.Deferred : Slots.Rout) + cell);
                if (deferred)
                {
                    AddCommit(ref step, Slots.Deferred + cell, Slots.Rout + cell);
                }
            }
        }
    }

    private static CellInstruction DecodeInstruction(OpenEdgeInstruction source, int cell, int pc)
    {
        var result = new CellInstruction
        {
            A = Operand(source.A, cell, pc),
            B = Operand(source.B, cell, pc),
            Result = Slots.Discard,
            Register = RegisterSlot(source, cell),
            Opcode = source.Opcode,
        };
        if (OpenEdgeInstructionSet.Get(source).UsesFlag)
        {
            if (FlagCell(source.Flag, cell) is { } flags)
            {
                result.Extra = (ushort)(Slots.Rout + flags);
                result.FlagCell = (byte)flags;
            }
            else
            {
                // Both flags read as 0: always b.
                result.Opcode = OpenEdgeOpcode.LOr;
                result.A = Slots.Zero;
            }
        }
        else
        {
            result.Extra = (ushort)source.BranchTarget;
        }

        return result;
    }

    /// <summary>
    /// Lists the accesses in the order in which they happen and, where the bus allows it, with their grant cycles: row order within a
    /// column (section 6.2), arbitration between columns, loads before stores in a cycle (section 14).
    /// </summary>
    private void OrderAccesses(ref Step step, int pc, int pointer, ReadOnlySpan<ushort> readers, Span<byte> rowsOfColumn)
    {
        Span<byte> grants = stackalloc byte[Slots.Cells];
        var waiting = 0;
        for (var column = 0; column < Slots.Columns; column++)
        {
            step.ColumnAccesses |= (uint)int.PopCount(rowsOfColumn[column]) << (8 * column);
            waiting |= rowsOfColumn[column] != 0 ? 1 << column : 0;
        }

        if (_walk != BusWalk.Static)
        {
            // Column after column; the walk decides about the cycles.
            for (var column = 0; column < Slots.Columns; column++)
            {
                for (; rowsOfColumn[column] != 0; rowsOfColumn[column] &= (byte)(rowsOfColumn[column] - 1))
                {
                    AddAccess(ref step, (int.TrailingZeroCount((int)rowsOfColumn[column]) << 2) | column, pc, readers);
                }
            }

            step.Duration = step.HasMultiply ? 3 : 1;
            return;
        }

        var cycle = 0;
        for (; waiting != 0; cycle++)
        {
            var granted = waiting;
            if (_bus.Kind != BusKind.Ideal)
            {
                granted = 1 << (_bus.Arbitration == BusArbitration.Fixed
                    ? int.TrailingZeroCount(waiting)
                    : BusArbiter.RoundRobin(waiting, ref pointer));
            }

            for (var stores = 0; stores < 2; stores++)
            {
                for (var column = 0; column < Slots.Columns; column++)
                {
                    if ((granted >> column & 1) == 0 || rowsOfColumn[column] == 0)
                    {
                        continue;
                    }

                    var cell = (int.TrailingZeroCount((int)rowsOfColumn[column]) << 2) | column;
                    if (OpenEdgeInstructionSet.Get(At(cell, pc)).IsLoad == (stores == 0))
                    {
                        grants[step.AccessCount] = (byte)cycle;
                        AddAccess(ref step, cell, pc, readers);
                        rowsOfColumn[column] &= (byte)(rowsOfColumn[column] - 1);
                        granted &= ~(1 << column);
                        waiting &= rowsOfColumn[column] == 0 ? ~(1 << column) : ~0;
                    }
                }
            }
        }

        step.NextPointer = (byte)pointer;
        step.Stall = cycle;
        step.Duration = Math.Max(step.HasMultiply ? 3 : 1, cycle > 0 ? cycle + 1 : 1);
        for (var i = 0; i < step.AccessCount; i++)
        {
            // TMP takes a load's data unless it arrives in the last cycle (section 6.4).
            ref var access = ref _accesses[step.AccessStart + i];
            if (access.IsLoad && grants[i] + 2 < step.Duration)
            {
                access.Temporary = (ushort)(Slots.Temporary + access.Cell);
                step.TemporaryWritten |= (ushort)(1 << access.Cell);
            }
        }
    }

    private void AddAccess(ref Step step, int cell, int pc, ReadOnlySpan<ushort> readers)
    {
        var source = At(cell, pc);
        var row = OpenEdgeInstructionSet.Get(source);
        ref var access = ref _accesses[step.AccessStart + step.AccessCount++];
        access = default;
        access.Cell = (byte)cell;
        access.IsLoad = row.IsLoad;
        access.Register = access.IsLoad ? RegisterSlot(source, cell) : (ushort)Slots.Discard;
        access.Temporary = Slots.Discard;
        if (row.B == OpenEdgeOperandUse.Address)
        {
            access.Address = Operand(source.B, cell, pc);
            access.Pointer = Slots.Discard;
        }
        else
        {
            access.Address = access.Pointer = (ushort)((access.IsLoad ? Slots.ReadPointer : Slots.WritePointer) + (cell & 3));
            access.Increment = (short)source.Immediate;
        }

        if (!access.IsLoad)
        {
            access.Data = Operand(source.A, cell, pc);
            return;
        }

        var unread = (readers[cell] & ~(1 << cell)) == 0;
        access.Result = (ushort)((unread ? Slots.Rout : Slots.Deferred) + cell);
        if (!unread)
        {
            AddCommit(ref step, Slots.Deferred + cell, Slots.Rout + cell);
        }
    }

    private void AddCommit(ref Step step, int from, int to) =>
        _commits[step.CommitStart + step.CommitCount++] = new Commit { From = (ushort)from, To = (ushort)to };

    private static ushort RegisterSlot(OpenEdgeInstruction source, int cell) =>
        (ushort)(source.WritesRegister ? Slots.Registers + (cell << 2) + source.Register : Slots.Discard);

    private static ushort Operand(OpenEdgeSource source, int cell, int pc)
    {
        if ((int)source >= OpenEdgeInstructionSet.Sources.Count)
        {
            return Slots.Zero;
        }

        var row = OpenEdgeInstructionSet.Sources[(int)source];
        return (ushort)(row switch
        {
            { IsRout: true } => Slots.Rout + Neighbour(cell, row.RowOffset, row.ColumnOffset),
            { Register: >= 0 } => Slots.Registers + (cell << 2) + row.Register,
            { Source: OpenEdgeSource.Immediate } => Slots.Immediate + (pc * Slots.Cells) + cell,
            _ => Slots.Zero,
        });
    }

    private static int Neighbour(int cell, int rows, int columns) => ((cell + (4 * rows)) & 12) | ((cell + columns) & 3);

    private static int? FlagCell(OpenEdgeFlagSource flag, int cell)
    {
        if ((int)flag >= OpenEdgeInstructionSet.Flags.Count)
        {
            return null;
        }

        var row = OpenEdgeInstructionSet.Flags[(int)flag];
        return Neighbour(cell, row.RowOffset, row.ColumnOffset);
    }

    /// <summary>Adds the cell to the readers of every ROUT that it reads in this step.</summary>
    private static void NoteReads(OpenEdgeInstruction source, OpenEdgeInstructionRow row, int cell, Span<ushort> readers)
    {
        NoteRead(row.A == OpenEdgeOperandUse.None ? Slots.Zero : Operand(source.A, cell, 0), cell, readers);
        NoteRead(row.B == OpenEdgeOperandUse.None ? Slots.Zero : Operand(source.B, cell, 0), cell, readers);
        if (row.UsesFlag && FlagCell(source.Flag, cell) is { } flags)
        {
            NoteRead(Slots.Rout + flags, cell, readers);
        }
    }

    private static void NoteRead(int slot, int cell, Span<ushort> readers)
    {
        if (slot is >= Slots.Rout and < Slots.Rout + Slots.Cells)
        {
            readers[slot - Slots.Rout] |= (ushort)(1 << cell);
        }
    }
}
