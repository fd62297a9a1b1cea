using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Targets.OpenEdge.ArrayPrograms;

/// <summary>A scheduled kernel: for every step the operation of each cell, and where each block begins.</summary>
/// <param name="Program">The program.</param>
/// <param name="Steps">Steps in order; 16 entries each, by cell index, null where the cell does nothing.</param>
/// <param name="BlockStart">First step of each block.</param>
public sealed record ArraySchedule(ArrayProgram Program, IReadOnlyList<ArrayOperation?[]> Steps, IReadOnlyDictionary<ArrayBlock, int> BlockStart);

/// <summary>
/// Places the groups of every block into steps: in program order, each as early as its operands, the values still waiting in ROUT registers, the
/// order of the memory streams and the cells allow. An independent check of the words that come out is the launch-list checker's.
/// </summary>
public static class ArrayScheduler
{
    /// <summary>Schedules a program.</summary>
    /// <exception cref="InvalidOperationException">The program reads a value that is no longer in ROUT, or that no neighbour holds: an error of its generator.</exception>
    public static ArraySchedule Schedule(ArrayProgram program)
    {
        var steps = new List<ArrayOperation?[]>();
        var starts = new Dictionary<ArrayBlock, int>();
        foreach (var block in program.Blocks)
        {
            starts[block] = steps.Count;
            steps.AddRange(new BlockScheduler(program.Name, block).Run());
        }

        return new(program, steps, starts);
    }

    private sealed class BlockScheduler(string program, ArrayBlock block)
    {
        private readonly List<ArrayOperation?[]> _steps = [];
        private readonly Dictionary<ArrayOperation, int> _stepOf = [];
        private readonly Dictionary<VirtualRegister, (int Written, int Read)> _registers = [];
        private readonly Dictionary<string, (int Loaded, int Stored)> _buffers = new(StringComparer.Ordinal);
        private readonly RoutState[] _rout = [.. Enumerable.Repeat(new RoutState(null, -1, -1), Cell.Side * Cell.Side)];
        private readonly (int Step, int Row)[] _readPointer = [.. Enumerable.Repeat((-1, -1), Cell.Side)];
        private readonly (int Step, int Row)[] _writePointer = [.. Enumerable.Repeat((-1, -1), Cell.Side)];

        public List<ArrayOperation?[]> Run()
        {
            foreach (var group in block.Groups)
            {
                var step = group.Max(Earliest);
                while (group.Any(o => !IsFree(o.Cell, step)))
                {
                    step++;
                }

                foreach (var operation in group.OrderBy(o => o.Cell.Row))
                {
                    Place(operation, step);
                }
            }

            return _steps;
        }

        private bool IsFree(Cell cell, int step) => step >= _steps.Count || _steps[step][cell.Index] is null;

        /// <summary>The first step at which everything an operation needs holds, the cell itself left aside.</summary>
        private int Earliest(ArrayOperation operation)
        {
            var step = 0;
            foreach (var operand in (ReadOnlySpan<ArrayOperand>)[operation.A, operation.B])
            {
                step = operand.Kind switch
                {
                    ArrayOperandKind.Value => Math.Max(step, AfterValue(operation, operand.Producer!)),
                    ArrayOperandKind.Register => Math.Max(step, AfterRegister(operation, operand.Register!)),
                    ArrayOperandKind.Carried => Math.Max(step, AtBeginning(operation, operand.Holder)),
                    _ => step,
                };
            }

            if (operation.Flags is { } flags)
            {
                step = Math.Max(step, AfterValue(operation, flags));
            }

            if (operation.WritesRout)
            {
                var rout = _rout[operation.Cell.Index];
                step = Math.Max(step, Math.Max(rout.Step + 1, rout.LastRead));
            }

            if (operation.Destination is { } destination && _registers.TryGetValue(destination, out var use))
            {
                step = Math.Max(step, Math.Max(use.Written + 1, use.Read));
            }

            step = operation.Opcode switch
            {
                OpenEdgeOpcode.Lwd => Math.Max(step, AfterPointer(_readPointer[operation.Cell.Column], operation.Cell.Row)),
                OpenEdgeOpcode.Swd => Math.Max(step, AfterPointer(_writePointer[operation.Cell.Column], operation.Cell.Row)),
                _ => step,
            };

            if ((operation.IsLoad || operation.IsStore) && _buffers.TryGetValue(operation.Buffer, out var buffer))
            {
                step = Math.Max(step, operation.IsLoad ? buffer.Stored + 1 : Math.Max(buffer.Loaded, buffer.Stored) + 1);
            }

            // a branch is the block's last step; EXIT comes with it or after it
            return operation.IsBranch || operation.Opcode == OpenEdgeOpcode.Exit ? Math.Max(step, _steps.Count - 1) : step;
        }

        private static int AfterPointer((int Step, int Row) last, int row) => row > last.Row ? Math.Max(last.Step, 0) : last.Step + 1;

        private int AfterValue(ArrayOperation reader, ArrayOperation producer)
        {
            if (!ReferenceEquals(_rout[producer.Cell.Index].Owner, producer))
            {
                throw new InvalidOperationException($"{program}, block {block.Name}: {reader} reads {producer}, whose ROUT was overwritten or is undefined");
            }

            if (reader.Cell.SourceOf(producer.Cell) is null)
            {
                throw new InvalidOperationException($"{program}, block {block.Name}: {reader} is no neighbour of {producer}");
            }

            return _stepOf[producer] + 1;
        }

        private int AtBeginning(ArrayOperation reader, Cell holder) =>
            _rout[holder.Index].Step >= 0 ? throw new InvalidOperationException($"{program}, block {block.Name}: {reader} reads what {holder} held, which was overwritten")
            : reader.Cell.SourceOf(holder) is null ? throw new InvalidOperationException($"{program}, block {block.Name}: {reader} is no neighbour of {holder}")
            : 0;

        private int AfterRegister(ArrayOperation reader, VirtualRegister register)
        {
            if (register.Cell != reader.Cell)
            {
                throw new InvalidOperationException($"{program}, block {block.Name}: {reader} reads the register {register} of another cell");
            }

            return _registers.TryGetValue(register, out var use) ? use.Written + 1 : 0;
        }

        private void Place(ArrayOperation operation, int step)
        {
            while (_steps.Count <= step)
            {
                _steps.Add(new ArrayOperation?[Cell.Side * Cell.Side]);
            }

            _steps[step][operation.Cell.Index] = operation;
            _stepOf[operation] = step;
            foreach (var operand in (ReadOnlySpan<ArrayOperand>)[operation.A, operation.B])
            {
                if (operand.Kind == ArrayOperandKind.Value)
                {
                    NoteRead(operand.Producer!, step);
                }
                else if (operand.Kind == ArrayOperandKind.Carried)
                {
                    var rout = _rout[operand.Holder.Index];
                    _rout[operand.Holder.Index] = rout.Step < 0 ? rout with { LastRead = Math.Max(rout.LastRead, step) } : rout;
                }
                else if (operand.Kind == ArrayOperandKind.Register)
                {
                    var use = _registers.GetValueOrDefault(operand.Register!, (-1, -1));
                    _registers[operand.Register!] = (use.Item1, Math.Max(use.Item2, step));
                }
            }

            if (operation.Flags is { } flags)
            {
                NoteRead(flags, step);
            }

            if (operation.WritesRout)
            {
                _rout[operation.Cell.Index] = new(operation.LeavesRoutUndefined ? null : operation, step, step);
            }

            if (operation.Destination is { } destination)
            {
                var use = _registers.GetValueOrDefault(destination, (-1, -1));
                _registers[destination] = (step, use.Item2);
            }

            if (operation.Opcode == OpenEdgeOpcode.Lwd)
            {
                _readPointer[operation.Cell.Column] = (step, operation.Cell.Row);
            }
            else if (operation.Opcode == OpenEdgeOpcode.Swd)
            {
                _writePointer[operation.Cell.Column] = (step, operation.Cell.Row);
            }

            if (operation.IsLoad || operation.IsStore)
            {
                var (loaded, stored) = _buffers.GetValueOrDefault(operation.Buffer, (-1, -1));
                _buffers[operation.Buffer] = operation.IsLoad ? (Math.Max(loaded, step), stored) : (loaded, Math.Max(stored, step));
            }
        }

        private void NoteRead(ArrayOperation producer, int step)
        {
            var rout = _rout[producer.Cell.Index];

            // the reader may itself have replaced the value in this very step
            if (ReferenceEquals(rout.Owner, producer))
            {
                _rout[producer.Cell.Index] = rout with { LastRead = Math.Max(rout.LastRead, step) };
            }
        }

        /// <summary>Whose result is in a cell's ROUT, since which step, and the last step that reads it.</summary>
        private readonly record struct RoutState(ArrayOperation? Owner, int Step, int LastRead);
    }
}
