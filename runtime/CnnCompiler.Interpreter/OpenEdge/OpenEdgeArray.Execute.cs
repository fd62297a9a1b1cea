using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Interpreter.OpenEdge;

/// <content>Runs decoded steps.</content>
public sealed partial class OpenEdgeArray
{
    private readonly int[] _values = new int[Slots.Count];
    private int _sharedPointer;

    /// <summary>Cells whose flags are those of a clear: ROUT is 0 and ZF too (section 2). All other flags follow from ROUT.</summary>
    private int _cleared;

    /// <summary>The same of TMP.</summary>
    private int _temporaryCleared;

    /// <summary>Interprets steps until one doesn't begin before a cycle or, <paramref name="toBranch"/>, until one was executed that can branch.</summary>
    private ArrayStop Execute<TMemory>(ref TMemory memory, long untilCycle, bool toBranch = false)
        where TMemory : struct, IWordMemory
    {
        // Decoding emits only slots below Slots.Count and step ranges inside the arrays, so the loop goes without bounds checks.
        ref var values = ref MemoryMarshal.GetArrayDataReference(_values);
        ref var decoded = ref MemoryMarshal.GetArrayDataReference(_decoded);
        ref var executed = ref MemoryMarshal.GetArrayDataReference(_executed);
        var pc = _pc;
        var pointer = _sharedPointer;
        var cycle = _cycle;
        var cleared = _cleared;
        long reads = 0;
        long writes = 0;
        long stall = 0;
        var stop = ArrayStop.Paused;
        while (cycle < untilCycle)
        {
            ref var step = ref Unsafe.Add(ref decoded, (nint)((pc << 2) | pointer));
            if (step.Duration == 0)
            {
                Decode(pc, pointer);
            }

            var duration = step.Duration;
            if (step.AccessCount != 0)
            {
                if (_walk == BusWalk.Static)
                {
                    if (!Access(ref memory, ref values, ref step))
                    {
                        stop = ArrayStop.BadAddress;
                        break;
                    }

                    stall += step.Stall;
                }
                else
                {
                    stop = _walk == BusWalk.Banks
                        ? WalkBanks(ref memory, ref step, ref duration, ref stall)
                        : WalkCycles(ref memory, ref step, cycle, ref duration);
                    if (stop != ArrayStop.Done)
                    {
                        break;
                    }

                    stop = ArrayStop.Paused;
                }

                reads += step.Loads;
                writes += step.AccessCount - step.Loads;
            }

            Unsafe.Add(ref executed, (nint)pc)++;
            var taken = 0;
            var target = 0;
            ref var instruction = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_instructions), step.InstructionStart);
            ref var end = ref Unsafe.Add(ref instruction, step.InstructionCount);
            while (Unsafe.IsAddressLessThan(ref instruction, ref end))
            {
                var a = Unsafe.Add(ref values, (nint)instruction.A);
                var b = Unsafe.Add(ref values, (nint)instruction.B);
                int result;
                switch (instruction.Opcode)
                {
                    case OpenEdgeOpcode.SAdd:
                        result = a + b;
                        break;
                    case OpenEdgeOpcode.SSub:
                        result = a - b;
                        break;
                    case OpenEdgeOpcode.SMul:
                        result = a * b;
                        break;
                    case OpenEdgeOpcode.FxpMul:
                        result = (int)(((long)a * b) >> 15);
                        break;
                    case OpenEdgeOpcode.Sll:
                        result = a << b;
                        break;
                    case OpenEdgeOpcode.Srl:
                        result = a >>> b;
                        break;
                    case OpenEdgeOpcode.Sra:
                        result = a >> b;
                        break;
                    case OpenEdgeOpcode.LAnd:
                        result = a & b;
                        break;
                    case OpenEdgeOpcode.LOr:
                        result = a | b;
                        break;
                    case OpenEdgeOpcode.LXor:
                        result = a ^ b;
                        break;
                    case OpenEdgeOpcode.LNand:
                        result = ~(a & b);
                        break;
                    case OpenEdgeOpcode.LNor:
                        result = ~(a | b);
                        break;
                    case OpenEdgeOpcode.LXnor:
                        result = ~(a ^ b);
                        break;
                    case OpenEdgeOpcode.Bsfa:
                        result = Unsafe.Add(ref values, (nint)instruction.Extra) < 0 ? a : b;
                        break;
                    case OpenEdgeOpcode.Bzfa:
                        result = Unsafe.Add(ref values, (nint)instruction.Extra) == 0 && (cleared >> instruction.FlagCell & 1) == 0 ? a : b;
                        break;
                    case OpenEdgeOpcode.Beq:
                        result = a == b ? 1 : 0;
                        goto Branch;
                    case OpenEdgeOpcode.Bne:
                        result = a != b ? 1 : 0;
                        goto Branch;
                    case OpenEdgeOpcode.Blt:
                        result = a < b ? 1 : 0;
                        goto Branch;
                    case OpenEdgeOpcode.Bge:
                        result = a >= b ? 1 : 0;
                    Branch:
                        taken += result;
                        target = result != 0 ? instruction.Extra : target;
                        break;
                    case OpenEdgeOpcode.Jump:
                        result = a + b;
                        taken++;
                        target = result & 31;
                        break;
                    default: // NOP that clears a register, EXIT, reserved
                        result = 0;
                        break;
                }

                Unsafe.Add(ref values, (nint)instruction.Result) = result;
                Unsafe.Add(ref values, (nint)instruction.Register) = result;
                instruction = ref Unsafe.Add(ref instruction, 1);
            }

            if (step.CommitCount != 0)
            {
                ref var commit = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_commits), step.CommitStart);
                ref var lastCommit = ref Unsafe.Add(ref commit, step.CommitCount);
                while (Unsafe.IsAddressLessThan(ref commit, ref lastCommit))
                {
                    Unsafe.Add(ref values, (nint)commit.To) = Unsafe.Add(ref values, (nint)commit.From);
                    commit = ref Unsafe.Add(ref commit, 1);
                }
            }

            cleared &= ~step.FlagsWritten;
            if (step.FlagsFromTemporary != 0)
            {
                cleared = (cleared & ~step.FlagsFromTemporary) | (_temporaryCleared & step.FlagsFromTemporary);
            }

            cycle += duration;
            pointer = step.NextPointer;
            if (step.EndsOrBranches)
            {
                // Exactly one taken branch counts, and only that cancels EXIT (section 5).
                if (taken == 1)
                {
                    pc = target;
                    untilCycle = toBranch ? 0 : untilCycle;
                    continue;
                }

                if (step.HasExit)
                {
                    stop = ArrayStop.Done;
                    break;
                }

                untilCycle = toBranch ? 0 : untilCycle;
            }

            pc = (pc + 1) & 31;
        }

        _pc = pc;
        _sharedPointer = pointer;
        _cycle = cycle;
        _cleared = cleared;
        _reads += reads;
        _writes += writes;
        _groupStall += stall;
        return stop;
    }

    /// <summary>The accesses of a step whose order is static.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool Access<TMemory>(ref TMemory memory, ref int values, ref Step step)
        where TMemory : struct, IWordMemory
    {
        ref var access = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_accesses), step.AccessStart);
        ref var end = ref Unsafe.Add(ref access, step.AccessCount);
        while (Unsafe.IsAddressLessThan(ref access, ref end))
        {
            var address = (uint)Unsafe.Add(ref values, (nint)access.Address);
            Unsafe.Add(ref values, (nint)access.Pointer) += access.Increment;
            if (access.IsLoad)
            {
                if (!memory.TryRead(address, out var word))
                {
                    return Refuse(ref access, address);
                }

                Unsafe.Add(ref values, (nint)access.Temporary) = (int)word;
                Unsafe.Add(ref values, (nint)access.Register) = (int)word;
                Unsafe.Add(ref values, (nint)access.Result) = (int)word;
            }
            else if (!memory.TryWrite(address, (uint)Unsafe.Add(ref values, (nint)access.Data)))
            {
                return Refuse(ref access, address);
            }

            access = ref Unsafe.Add(ref access, 1);
        }

        _temporaryCleared &= ~step.TemporaryWritten;
        return true;
    }

    /// <summary>Performs one access whose time has come.</summary>
    private bool Perform<TMemory>(ref TMemory memory, ref MemoryAccess access, uint address, out uint word)
        where TMemory : struct, IWordMemory
    {
        _values[access.Pointer] += access.Increment;
        if (access.IsLoad)
        {
            if (!memory.TryRead(address, out word))
            {
                return Refuse(ref access, address);
            }

            _values[access.Register] = _values[access.Result] = (int)word;
            return true;
        }

        word = 0;
        return memory.TryWrite(address, (uint)_values[access.Data]) || Refuse(ref access, address);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool Refuse(ref MemoryAccess access, uint address)
    {
        _fault = new ArrayFault(access.Cell >> 2, access.Cell & 3, address, !access.IsLoad);
        return false;
    }

    private void WriteTemporary(int cell, uint word)
    {
        _values[Slots.Temporary + cell] = (int)word;
        _temporaryCleared &= ~(1 << cell);
    }
}
