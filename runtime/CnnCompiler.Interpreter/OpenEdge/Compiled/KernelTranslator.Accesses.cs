using System.Reflection.Emit;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.OpenEdge;

/// <content>Memory accesses.</content>
internal sealed partial class KernelTranslator<TMemory>
{
    private const int BanksInMask = 32;

    private readonly List<LocalBuilder> _addresses = [];
    private readonly List<LocalBuilder> _banks = [];

    /// <summary>The accesses of a step whose order is part of it. Returns its cycles.</summary>
    private int Accesses(int state, Step step)
    {
        var accesses = array.AccessesOf(step);
        for (var i = 0; i < accesses.Length; i++)
        {
            LoadSlot(accesses[i].Address);
            _il.Emit(OpCodes.Stloc, _address);
            Access(accesses[i], accesses[i].Temporary, state, _address);
        }

        KeepTemporaryFlags(step.TemporaryWritten);
        _stall += step.Stall;
        return step.Duration;
    }

    private void KeepTemporaryFlags(int written)
    {
        if ((written & observedFlags) is var observed and not 0)
        {
            StoreState(CompiledState.TemporaryCleared, () =>
            {
                LoadState(CompiledState.TemporaryCleared);
                _il.Emit(OpCodes.Ldc_I8, (long)~observed);
                _il.Emit(OpCodes.And);
            });
        }
    }

    /// <summary>
    /// The accesses of a step on banks: in the order of columns that all get theirs at once where no two of a cycle want the same bank, else by the walk. Returns the cycles of the former.
    /// </summary>
    private int BankedAccesses(int state, Step step)
    {
        var accesses = array.AccessesOf(step);
        var turns = Turns(accesses, out var last);
        var duration = Math.Max(step.Duration, last + 2);
        PutAddresses(accesses);
        var index = state;
        var counted = last + 1;
        var done = _il.DefineLabel();
        var failed = Fault(state, null, null);
        var conflict = Stub(() =>
        {
            Load(Argument.Array);
            Load(Argument.Memory);
            _il.Emit(OpCodes.Ldc_I4, index);
            _il.Emit(OpCodes.Ldc_I4, counted);
            Load(Argument.State);
            _il.Emit(OpCodes.Call, ((WalkBanks)OpenEdgeArray.WalkBanksOf).Method);
            _il.Emit(OpCodes.Stloc, _value);
            _il.Emit(OpCodes.Ldloc, _value);
            _il.Emit(OpCodes.Brfalse, failed);
            _il.Emit(OpCodes.Ldloc, _cycle);
            _il.Emit(OpCodes.Ldloc, _value);
            _il.Emit(OpCodes.Ldc_I4, duration);
            _il.Emit(OpCodes.Sub);
            _il.Emit(OpCodes.Conv_I8);
            _il.Emit(OpCodes.Add);
            _il.Emit(OpCodes.Stloc, _cycle);
            _il.Emit(OpCodes.Br, done);
        });
        for (var turn = 0; turn <= last; turn++)
        {
            CheckBanks([.. Enumerable.Range(0, accesses.Length).Where(i => turns[i] == turn)], conflict);
        }

        var written = 0;
        for (var turn = 0; turn <= last; turn++)
        {
            MovePointers([.. Enumerable.Range(0, accesses.Length).Where(i => turns[i] == turn)], accesses);
            for (var stores = 0; stores < 2; stores++)
            {
                for (var i = 0; i < accesses.Length; i++)
                {
                    if (turns[i] == turn && accesses[i].IsLoad == (stores == 0))
                    {
                        var kept = accesses[i].IsLoad && turn + 2 < duration;
                        written |= kept ? 1 << accesses[i].Cell : 0;
                        Access(accesses[i], kept ? Slots.Temporary + accesses[i].Cell : Slots.Discard, state, _addresses[i]);
                    }
                }
            }
        }

        KeepTemporaryFlags(written);
        _il.MarkLabel(done);
        _stall += counted;
        return duration;
    }

    /// <summary>Which of its column's accesses each is, and the last.</summary>
    private static int[] Turns(ReadOnlySpan<MemoryAccess> accesses, out int last)
    {
        Span<int> next = stackalloc int[Slots.Columns];
        next.Clear();
        var turns = new int[accesses.Length];
        last = 0;
        for (var i = 0; i < accesses.Length; i++)
        {
            turns[i] = next[accesses[i].Cell & 3]++;
            last = Math.Max(last, turns[i]);
        }

        return turns;
    }

    /// <summary>All addresses of a step: none depends on what it loads, and the pointers move by constants.</summary>
    private void PutAddresses(ReadOnlySpan<MemoryAccess> accesses)
    {
        var moved = new Dictionary<int, int>();
        for (var i = 0; i < accesses.Length; i++)
        {
            if (_addresses.Count == i)
            {
                _addresses.Add(_il.DeclareLocal(typeof(int)));
                _banks.Add(_il.DeclareLocal(typeof(int)));
            }

            LoadSlot(accesses[i].Address);
            if (accesses[i].Pointer != Slots.Discard)
            {
                var before = moved.GetValueOrDefault(accesses[i].Pointer);
                _il.Emit(OpCodes.Ldc_I4, before);
                _il.Emit(OpCodes.Add);
                moved[accesses[i].Pointer] = before + accesses[i].Increment;
            }

            _il.Emit(OpCodes.Stloc, _addresses[i]);
            _il.Emit(OpCodes.Ldloc, _addresses[i]);
            _il.Emit(OpCodes.Ldc_I4, array.Bus.Shift);
            _il.Emit(OpCodes.Shr_Un);
            _il.Emit(OpCodes.Ldc_I4, array.Bus.Banks);
            _il.Emit(OpCodes.Rem_Un);
            _il.Emit(OpCodes.Stloc, _banks[i]);
        }
    }

    private void CheckBanks(int[] together, Label conflict)
    {
        if (together.Length < 2)
        {
            return;
        }

        if (array.Bus.Banks > BanksInMask)
        {
            for (var i = 0; i < together.Length; i++)
            {
                for (var j = 0; j < i; j++)
                {
                    _il.Emit(OpCodes.Ldloc, _banks[together[i]]);
                    _il.Emit(OpCodes.Ldloc, _banks[together[j]]);
                    _il.Emit(OpCodes.Beq, conflict);
                }
            }

            return;
        }

        Bit(together[0]);
        _il.Emit(OpCodes.Stloc, _value);
        for (var i = 1; i < together.Length; i++)
        {
            _il.Emit(OpCodes.Ldloc, _value);
            Bit(together[i]);
            _il.Emit(OpCodes.And);
            _il.Emit(OpCodes.Brtrue, conflict);
            _il.Emit(OpCodes.Ldloc, _value);
            Bit(together[i]);
            _il.Emit(OpCodes.Or);
            _il.Emit(OpCodes.Stloc, _value);
        }

        void Bit(int access)
        {
            _il.Emit(OpCodes.Ldc_I4_1);
            _il.Emit(OpCodes.Ldloc, _banks[access]);
            _il.Emit(OpCodes.Shl);
        }
    }

    /// <summary>A bank that one column asks grants it, and its pointer goes there (<see cref="BusArbiter.RoundRobin"/> of one).</summary>
    private void MovePointers(int[] together, ReadOnlySpan<MemoryAccess> accesses)
    {
        if (array.Bus.Arbitration == BusArbitration.Fixed)
        {
            return;
        }

        foreach (var i in together)
        {
            Load(Argument.Banks);
            _il.Emit(OpCodes.Ldloc, _banks[i]);
            _il.Emit(OpCodes.Conv_I);
            _il.Emit(OpCodes.Ldc_I4, sizeof(int));
            _il.Emit(OpCodes.Mul);
            _il.Emit(OpCodes.Add);
            _il.Emit(OpCodes.Ldc_I4, accesses[i].Cell & 3);
            _il.Emit(OpCodes.Stind_I4);
        }
    }

    private void Access(MemoryAccess access, int temporary, int state, LocalBuilder address)
    {
        if (access.Pointer != Slots.Discard)
        {
            LoadSlot(access.Pointer);
            _il.Emit(OpCodes.Ldc_I4, (int)access.Increment);
            _il.Emit(OpCodes.Add);
            StoreSlots(access.Pointer);
        }

        var fault = Fault(state, access, address);
        if (Flat)
        {
            FlatAccess(access, fault, address);
        }
        else
        {
            Load(Argument.Memory);
            _il.Emit(OpCodes.Ldloc, address);
            if (access.IsLoad)
            {
                _il.Emit(OpCodes.Ldloca, _word);
                _il.Emit(OpCodes.Call, ((ReadWord)MemoryCalls.TryRead).Method);
                _il.Emit(OpCodes.Brfalse, fault);
                _il.Emit(OpCodes.Ldloc, _word);
            }
            else
            {
                LoadSlot(access.Data);
                _il.Emit(OpCodes.Call, ((WriteWord)MemoryCalls.TryWrite).Method);
                _il.Emit(OpCodes.Brfalse, fault);
            }
        }

        if (access.IsLoad)
        {
            StoreSlots(temporary, access.Register, access.Result);
        }
    }

    /// <summary>As <see cref="FlatMemory"/>: the two low address bits, rotated to the top, make the index huge.</summary>
    private void FlatAccess(MemoryAccess access, Label fault, LocalBuilder address)
    {
        _il.Emit(OpCodes.Ldloc, address);
        _il.Emit(OpCodes.Ldc_I4_2);
        _il.Emit(OpCodes.Shr_Un);
        _il.Emit(OpCodes.Ldloc, address);
        _il.Emit(OpCodes.Ldc_I4, 30);
        _il.Emit(OpCodes.Shl);
        _il.Emit(OpCodes.Or);
        _il.Emit(OpCodes.Stloc, _index);
        _il.Emit(OpCodes.Ldloc, _index);
        _il.Emit(OpCodes.Ldloc, _length);
        _il.Emit(OpCodes.Bge_Un, fault);
        if (access.IsLoad)
        {
            Word();
            _il.Emit(OpCodes.Ldind_I4);
        }
        else
        {
            _il.Emit(OpCodes.Ldloc, _index);
            Load(Argument.Flat);
            _il.Emit(OpCodes.Ldfld, typeof(FlatView).GetField(nameof(FlatView.Reserved))!);
            _il.Emit(OpCodes.Blt_Un, fault);
            Word();
            LoadSlot(access.Data);
            _il.Emit(OpCodes.Stind_I4);
        }

        if (Tracked)
        {
            Note(access.IsLoad ? _read : _written);
        }

        void Word()
        {
            _il.Emit(OpCodes.Ldloc, _words);
            _il.Emit(OpCodes.Ldloc, _index);
            _il.Emit(OpCodes.Conv_U);
            _il.Emit(OpCodes.Ldc_I4, sizeof(uint));
            _il.Emit(OpCodes.Mul);
            _il.Emit(OpCodes.Add);
        }
    }

    /// <summary>As <see cref="TouchedWords"/>: one bit a word.</summary>
    private void Note(LocalBuilder bits)
    {
        _il.Emit(OpCodes.Ldloc, bits);
        _il.Emit(OpCodes.Ldloc, _index);
        _il.Emit(OpCodes.Ldc_I4, 6);
        _il.Emit(OpCodes.Shr_Un);
        _il.Emit(OpCodes.Conv_U);
        _il.Emit(OpCodes.Ldc_I4, sizeof(ulong));
        _il.Emit(OpCodes.Mul);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Dup);
        _il.Emit(OpCodes.Ldind_I8);
        _il.Emit(OpCodes.Ldc_I8, 1L);
        _il.Emit(OpCodes.Ldloc, _index);
        _il.Emit(OpCodes.Ldc_I4, 63);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Shl);
        _il.Emit(OpCodes.Or);
        _il.Emit(OpCodes.Stind_I8);
    }

    /// <summary>Where a refused access goes: the counts of the steps before, and the place.</summary>
    private Label Fault(int state, MemoryAccess? access, LocalBuilder? address)
    {
        var (cycles, reads, writes, stall) = (_cycles, _reads, _writes, _stall);
        return Stub(() =>
        {
            if (access is { } refused)
            {
                Load(Argument.Array);
                _il.Emit(OpCodes.Ldc_I4, (int)refused.Cell);
                _il.Emit(refused.IsLoad ? OpCodes.Ldc_I4_0 : OpCodes.Ldc_I4_1);
                _il.Emit(OpCodes.Ldloc, address!);
                _il.Emit(OpCodes.Call, ((Action<OpenEdgeArray, int, int, int>)OpenEdgeArray.RefuseAt).Method);
            }

            (_cycles, _reads, _writes, _stall) = (cycles, reads, writes, stall);
            AddCounts();
            Leave(state, CompiledStop.BadAddress);
        });
    }

    /// <summary>The memory's members as methods that can be called by address.</summary>
    private static class MemoryCalls
    {
        public static bool TryRead(ref TMemory memory, uint address, out uint word) => memory.TryRead(address, out word);

        public static bool TryWrite(ref TMemory memory, uint address, uint word) => memory.TryWrite(address, word);
    }
}
