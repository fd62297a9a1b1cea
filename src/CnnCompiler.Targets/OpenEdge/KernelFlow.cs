using System.Globalization;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.OpenEdge;

/// <summary>
/// Checks the code of one kernel by its control flow (<c>specs/openedge.md</c> sections 5 and 6.4): branches, exits, and that what a store leaves in ROUT and
/// the flags is never read. A branch counts as possible unless its operands decide it.
/// </summary>
internal sealed class KernelFlow
{
    private readonly KernelImage _kernel;
    private readonly MachineDescription _machine;
    private readonly int _columns;
    private readonly List<Diagnostic> _faults = [];

    // For each step the steps that may follow; an exit adds none.
    private readonly List<int>[] _next;
    private readonly bool[] _exits;

    private KernelFlow(KernelImage kernel, MachineDescription machine)
    {
        (_kernel, _machine) = (kernel, machine);
        _columns = System.Numerics.BitOperations.PopCount((uint)kernel.ColumnMask);
        _next = [.. Enumerable.Range(0, kernel.Steps).Select(_ => new List<int>())];
        _exits = new bool[kernel.Steps];
    }

    private enum Taken
    {
        Never,
        Sometimes,
        Always,
    }

    /// <summary>The faults of a kernel with a prefix mask and all its words.</summary>
    public static IReadOnlyList<Diagnostic> Check(KernelImage kernel, MachineDescription machine)
    {
        var flow = new KernelFlow(kernel, machine);
        for (var step = 0; step < kernel.Steps; step++)
        {
            flow.FindSuccessors(step);
        }

        var reachable = flow.Reachable();
        flow.CheckExits(reachable);
        flow.CheckStores(reachable);
        return flow._faults;
    }

    private OpenEdgeInstruction At(int step, int row, int column) => new(_kernel.Rows[row][(column * _kernel.Steps) + step]);

    private static string Cell(int row, int column) => string.Create(CultureInfo.InvariantCulture, $"({row},{column})");

    private void FindSuccessors(int step)
    {
        (string Cell, Taken Taken, int Target)? branch = null;
        var exit = false;
        for (var row = 0; row < _machine.Rows; row++)
        {
            for (var column = 0; column < _columns; column++)
            {
                var instruction = At(step, row, column);
                var kind = OpenEdgeInstructionSet.Get(instruction).Kind;
                exit |= kind == OpenEdgeInstructionKind.Exit;
                CheckWord(step, row, column, instruction, kind);
                if (kind is not (OpenEdgeInstructionKind.Branch or OpenEdgeInstructionKind.Jump) || IsTaken(instruction, kind) is var taken && taken == Taken.Never)
                {
                    continue;
                }

                var cell = Cell(row, column);
                if (branch is { } other)
                {
                    _faults.Add(LaunchListDiagnostics.TwoBranches(_kernel.Name, step, other.Cell, cell));
                    continue;
                }

                branch = (cell, taken, Target(step, cell, instruction, kind));
            }
        }

        if (branch is { Target: >= 0 } b)
        {
            _next[step].Add(b.Target);
        }

        if (branch is { Taken: Taken.Always })
        {
            return;
        }

        _exits[step] = exit;
        if (!exit)
        {
            _next[step].Add(step + 1);
        }
    }

    private void CheckWord(int step, int row, int column, OpenEdgeInstruction instruction, OpenEdgeInstructionKind kind)
    {
        if (kind == OpenEdgeInstructionKind.Reserved)
        {
            _faults.Add(LaunchListDiagnostics.Reserved(_kernel.Name, step, Cell(row, column), instruction.Word));
        }

        if (kind == OpenEdgeInstructionKind.StoreIndirect && Constant(instruction, instruction.B) is { } address)
        {
            var where = string.Create(CultureInfo.InvariantCulture, $"kernel {_kernel.Name}, step {step}, cell {Cell(row, column)}");
            var bytes = (uint)address;
            if (bytes < _machine.Ram.ReservedBytes)
            {
                _faults.Add(LaunchListDiagnostics.WritesReserve(where, "a store", bytes, _machine.Ram.ReservedBytes));
            }
            else if (bytes + 4L > _machine.Ram.Bytes)
            {
                _faults.Add(LaunchListDiagnostics.Outside(where, "a store", bytes, bytes + 4L, "RAM", _machine.Ram.Bytes));
            }
        }
    }

    // -1 where the target is not a step, which is reported.
    private int Target(int step, string cell, OpenEdgeInstruction instruction, OpenEdgeInstructionKind kind)
    {
        var target = instruction.BranchTarget;
        if (kind == OpenEdgeInstructionKind.Jump)
        {
            if (Constant(instruction, instruction.A) is not { } a || Constant(instruction, instruction.B) is not { } b)
            {
                _faults.Add(LaunchListDiagnostics.ComputedJump(_kernel.Name, step, cell));
                return -1;
            }

            target = (a + b) & 31;
        }

        if (target < _kernel.Steps)
        {
            return target;
        }

        _faults.Add(LaunchListDiagnostics.BranchTarget(_kernel.Name, step, cell, target, _kernel.Steps));
        return -1;
    }

    private static Taken IsTaken(OpenEdgeInstruction instruction, OpenEdgeInstructionKind kind)
    {
        if (kind == OpenEdgeInstructionKind.Jump)
        {
            return Taken.Always;
        }

        var (a, b) = (Constant(instruction, instruction.A), Constant(instruction, instruction.B));
        if (instruction.A == instruction.B)
        {
            // whatever is read, it is read twice
            (a, b) = (0, 0);
        }

        if (a is not { } left || b is not { } right)
        {
            return Taken.Sometimes;
        }

        var taken = instruction.Opcode switch
        {
            OpenEdgeOpcode.Beq => left == right,
            OpenEdgeOpcode.Bne => left != right,
            OpenEdgeOpcode.Blt => left < right,
            _ => left >= right,
        };
        return taken ? Taken.Always : Taken.Never;
    }

    private static int? Constant(OpenEdgeInstruction instruction, OpenEdgeSource source) => source switch
    {
        OpenEdgeSource.Immediate => instruction.Immediate,
        OpenEdgeSource.Zero or > OpenEdgeSource.Immediate => 0,
        _ => null,
    };

    private bool[] Reachable()
    {
        var reachable = new bool[_kernel.Steps];
        var open = new Stack<int>([0]);
        while (open.TryPop(out var step))
        {
            if (reachable[step])
            {
                continue;
            }

            reachable[step] = true;
            foreach (var next in _next[step])
            {
                if (next == _kernel.Steps)
                {
                    _faults.Add(LaunchListDiagnostics.PastTheEnd(_kernel.Name, step));
                }
                else
                {
                    open.Push(next);
                }
            }
        }

        return reachable;
    }

    // Backwards from the exits: a reachable step that is not found can never end.
    private void CheckExits(bool[] reachable)
    {
        var ends = _exits.ToArray();
        for (var changed = true; changed;)
        {
            changed = false;
            for (var step = 0; step < ends.Length; step++)
            {
                if (!ends[step] && _next[step].Any(next => next < ends.Length && ends[next]))
                {
                    changed = ends[step] = true;
                }
            }
        }

        for (var step = 0; step < ends.Length; step++)
        {
            if (reachable[step] && !ends[step])
            {
                _faults.Add(LaunchListDiagnostics.NoExit(_kernel.Name, step));
                return;
            }
        }
    }

    // For each step the cells whose ROUT and flags may be what a store left, as bits row * columns + column; to a fixed point.
    private void CheckStores(bool[] reachable)
    {
        var before = new ulong[_kernel.Steps];
        var open = new Queue<int>([0]);
        var queued = new bool[_kernel.Steps];
        var visited = new bool[_kernel.Steps];
        queued[0] = true;
        while (open.TryDequeue(out var step))
        {
            (queued[step], visited[step]) = (false, true);
            var after = After(step, before[step]);
            foreach (var next in _next[step])
            {
                if (next < _kernel.Steps && (!visited[next] || (after & ~before[next]) != 0) && !queued[next])
                {
                    open.Enqueue(next);
                    queued[next] = true;
                }

                if (next < _kernel.Steps)
                {
                    before[next] |= after;
                }
            }
        }

        for (var step = 0; step < _kernel.Steps; step++)
        {
            for (var cell = 0; reachable[step] && cell < _machine.Rows * _columns; cell++)
            {
                CheckReads(step, cell / _columns, cell % _columns, before[step]);
            }
        }
    }

    private ulong After(int step, ulong stored)
    {
        for (var row = 0; row < _machine.Rows; row++)
        {
            for (var column = 0; column < _columns; column++)
            {
                var bit = 1UL << ((row * _columns) + column);
                stored = OpenEdgeInstructionSet.Get(At(step, row, column)).Rout switch
                {
                    OpenEdgeRoutEffect.Kept => stored,
                    OpenEdgeRoutEffect.LoadBuffer => stored | bit,
                    _ => stored & ~bit,
                };
            }
        }

        return stored;
    }

    private void CheckReads(int step, int row, int column, ulong stored)
    {
        var instruction = At(step, row, column);
        var kind = OpenEdgeInstructionSet.Get(instruction);
        if (kind.A != OpenEdgeOperandUse.None)
        {
            Source(instruction.A);
        }

        if (kind.B != OpenEdgeOperandUse.None && instruction.B != instruction.A)
        {
            Source(instruction.B);
        }

        if (kind.UsesFlag && (int)instruction.Flag < OpenEdgeInstructionSet.Flags.Count)
        {
            var flag = OpenEdgeInstructionSet.Flags[(int)instruction.Flag];
            Read("the flags", flag.RowOffset, flag.ColumnOffset);
        }

        void Source(OpenEdgeSource source)
        {
            if (source == OpenEdgeSource.Rout)
            {
                Read("ROUT", 0, 0);
            }
            else if (source is OpenEdgeSource.Left or OpenEdgeSource.Right or OpenEdgeSource.Top or OpenEdgeSource.Bottom)
            {
                var neighbour = OpenEdgeInstructionSet.Sources[(int)source];
                Read("ROUT", neighbour.RowOffset, neighbour.ColumnOffset);
            }
        }

        void Read(string what, int rowOffset, int columnOffset)
        {
            var fromRow = (row + rowOffset + _machine.Rows) % _machine.Rows;
            var fromColumn = (column + columnOffset + _machine.Columns) % _machine.Columns;

            // columns outside the kernel are idle and hold 0
            if (fromColumn < _columns && (stored & (1UL << ((fromRow * _columns) + fromColumn))) != 0)
            {
                _faults.Add(LaunchListDiagnostics.ReadAfterStore(_kernel.Name, step, Cell(row, column), what, Cell(fromRow, fromColumn)));
            }
        }
    }
}
