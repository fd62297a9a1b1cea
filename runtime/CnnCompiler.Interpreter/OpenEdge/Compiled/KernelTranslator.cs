using System.Reflection.Emit;
using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Interpreter.OpenEdge;

/// <summary>
/// Translates blocks of a decoded kernel into one method. It says what <see cref="OpenEdgeArray"/>'s loop over decoded steps does, with operands, constants, order and durations in the code:
/// values are IL locals where no step needs a walk over banks, and stay in the array's values where one may; cycles and counts are added once a block.
/// </summary>
/// <param name="array">The array that decoded the kernel.</param>
/// <param name="observedFlags">Cells whose zero flag is read.</param>
internal sealed partial class KernelTranslator<TMemory>(OpenEdgeArray array, int observedFlags)
    where TMemory : struct, IWordMemory
{
    private static readonly bool Flat = typeof(TMemory) == typeof(FlatMemory) || typeof(TMemory) == typeof(TrackedMemory<FlatMemory>);
    private static readonly bool Tracked = typeof(TMemory) == typeof(TrackedMemory<FlatMemory>);

    private readonly Dictionary<int, LocalBuilder> _slots = [];
    private readonly Dictionary<int, Label> _labels = [];
    private readonly List<Action> _stubs = [];
    private ILGenerator _il = null!;
    private LocalBuilder _next = null!;
    private LocalBuilder _cycle = null!;
    private LocalBuilder _cleared = null!;
    private LocalBuilder _address = null!;
    private LocalBuilder _index = null!;
    private LocalBuilder _word = null!;
    private LocalBuilder _value = null!;
    private LocalBuilder _stop = null!;
    private LocalBuilder _words = null!;
    private LocalBuilder _length = null!;
    private LocalBuilder _read = null!;
    private LocalBuilder _written = null!;
    private Label _exit;

    // What the steps of the block so far add.
    private long _cycles;
    private long _reads;
    private long _writes;
    private long _stall;

    private delegate bool ReadWord(ref TMemory memory, uint address, out uint word);

    private delegate bool WriteWord(ref TMemory memory, uint address, uint word);

    private delegate int WalkBanks(OpenEdgeArray array, ref TMemory memory, int index, int counted, ref long state);

    /// <summary>The arguments of <see cref="CompiledBlocks{TMemory}"/>.</summary>
    private enum Argument
    {
        Array,
        Values,
        Memory,
        Flat,
        Banks,
        State,
        Until,
    }

    private bool InMemory => array.IsBanked;

    /// <summary>A method with these blocks.</summary>
    public CompiledBlocks<TMemory> Translate(IReadOnlyList<KernelBlock> blocks)
    {
        var method = new DynamicMethod(
            "kernel",
            typeof(int),
            [
                typeof(OpenEdgeArray), typeof(int).MakeByRefType(), typeof(TMemory).MakeByRefType(), typeof(FlatView).MakeByRefType(), typeof(int).MakeByRefType(),
                typeof(long).MakeByRefType(), typeof(long),
            ],
            typeof(OpenEdgeArray),
            skipVisibility: true);
        _il = method.GetILGenerator(1 << 16);
        _next = _il.DeclareLocal(typeof(int));
        _cycle = _il.DeclareLocal(typeof(long));
        _cleared = _il.DeclareLocal(typeof(int));
        _address = _il.DeclareLocal(typeof(int));
        _index = _il.DeclareLocal(typeof(uint));
        _word = _il.DeclareLocal(typeof(uint));
        _value = _il.DeclareLocal(typeof(int));
        _stop = _il.DeclareLocal(typeof(int));
        _exit = _il.DefineLabel();
        foreach (var block in blocks)
        {
            _labels.Add(block.First, _il.DefineLabel());
        }

        Enter(blocks);
        foreach (var block in blocks)
        {
            Block(block);
        }

        for (var i = 0; i < _stubs.Count; i++)
        {
            _stubs[i]();
        }

        Exit();
        return method.CreateDelegate<CompiledBlocks<TMemory>>();
    }

    private void Enter(IReadOnlyList<KernelBlock> blocks)
    {
        if (Flat)
        {
            _words = Field(nameof(FlatView.Words), typeof(uint).MakeByRefType());
            _length = Field(nameof(FlatView.Length), typeof(uint));
        }

        if (Tracked)
        {
            _read = Field(nameof(FlatView.Read), typeof(ulong).MakeByRefType());
            _written = Field(nameof(FlatView.Written), typeof(ulong).MakeByRefType());
        }

        if (!InMemory)
        {
            foreach (var slot in blocks.SelectMany(b => b.States).SelectMany(SlotsOf).Where(s => s > Slots.Discard && !OpenEdgeArray.IsConstant(s)).Distinct().Order())
            {
                _slots.Add(slot, _il.DeclareLocal(typeof(int)));
                AddressOf(Argument.Values, slot, sizeof(int));
                _il.Emit(OpCodes.Ldind_I4);
                _il.Emit(OpCodes.Stloc, _slots[slot]);
            }
        }

        LoadState(CompiledState.Cycle);
        _il.Emit(OpCodes.Stloc, _cycle);
        LoadState(CompiledState.Cleared);
        _il.Emit(OpCodes.Conv_I4);
        _il.Emit(OpCodes.Stloc, _cleared);
        LoadState(CompiledState.Next);
        _il.Emit(OpCodes.Conv_I4);
        _il.Emit(OpCodes.Stloc, _next);
        _il.Emit(OpCodes.Ldc_I4, CompiledStop.Left);
        _il.Emit(OpCodes.Stloc, _stop);
        _il.Emit(OpCodes.Ldloc, _next);
        _il.Emit(OpCodes.Switch, [.. Enumerable.Range(0, Slots.Steps * 4).Select(s => _labels.GetValueOrDefault(s, _exit))]);
        _il.Emit(OpCodes.Br, _exit);

        LocalBuilder Field(string name, Type type)
        {
            var local = _il.DeclareLocal(type);
            Load(Argument.Flat);
            _il.Emit(OpCodes.Ldfld, typeof(FlatView).GetField(name)!);
            _il.Emit(OpCodes.Stloc, local);
            return local;
        }
    }

    private IEnumerable<int> SlotsOf(int state)
    {
        var step = array.StepOf(state);
        var slots = new List<int>();
        foreach (var access in array.AccessesOf(step))
        {
            slots.AddRange([access.Address, access.Pointer, access.Data, access.Result, access.Register, access.Temporary]);
        }

        foreach (var instruction in array.InstructionsOf(step))
        {
            slots.AddRange([instruction.A, instruction.B, instruction.Result, instruction.Register]);
            if (instruction.Opcode is OpenEdgeOpcode.Bsfa or OpenEdgeOpcode.Bzfa)
            {
                slots.Add(instruction.Extra);
            }
        }

        foreach (var commit in array.CommitsOf(step))
        {
            slots.AddRange([commit.From, commit.To]);
        }

        return slots;
    }

    private void Exit()
    {
        _il.MarkLabel(_exit);
        foreach (var (slot, local) in _slots.Where(s => s.Key is < Slots.Deferred or >= Slots.ReadPointer))
        {
            AddressOf(Argument.Values, slot, sizeof(int));
            _il.Emit(OpCodes.Ldloc, local);
            _il.Emit(OpCodes.Stind_I4);
        }

        StoreState(CompiledState.Cycle, () => _il.Emit(OpCodes.Ldloc, _cycle));
        StoreState(CompiledState.Cleared, () => Wide(_cleared));
        StoreState(CompiledState.Next, () => Wide(_next));
        _il.Emit(OpCodes.Ldloc, _stop);
        _il.Emit(OpCodes.Ret);

        void Wide(LocalBuilder local)
        {
            _il.Emit(OpCodes.Ldloc, local);
            _il.Emit(OpCodes.Conv_I8);
        }
    }

    private void Block(KernelBlock block)
    {
        _cycles = _reads = _writes = _stall = 0;
        _il.MarkLabel(_labels[block.First]);
        var near = Stub(() => Leave(block.First, CompiledStop.NearLimit));
        _il.Emit(OpCodes.Ldloc, _cycle);
        _il.Emit(OpCodes.Ldc_I8, block.States.Sum(s => (long)LongestOf(array.StepOf(s))));
        _il.Emit(OpCodes.Add);
        Load(Argument.Until);
        _il.Emit(OpCodes.Bgt, near);
        for (var i = 0; i < block.States.Count; i++)
        {
            Step(block.States[i], block.First, i == block.States.Count - 1);
        }
    }

    private int LongestOf(Step step) => Math.Max(step.Duration, array.IsBanked && step.AccessCount > 0 ? step.AccessCount + 1 : 0);

    private void Step(int state, int first, bool last)
    {
        var step = array.StepOf(state);
        var duration = step.Duration;
        if (step.AccessCount > 0)
        {
            duration = InMemory ? BankedAccesses(state, step) : Accesses(state, step);
            _reads += step.Loads;
            _writes += step.AccessCount - step.Loads;
        }

        var branches = new List<Branching>();
        foreach (ref readonly var instruction in array.InstructionsOf(step))
        {
            Instruction(instruction, branches);
        }

        foreach (var commit in array.CommitsOf(step))
        {
            LoadSlot(commit.From);
            StoreSlots(commit.To);
        }

        Flags(step);
        _cycles += duration;
        if (!last)
        {
            return;
        }

        AddCounts();
        AddRun(first);
        if (step.EndsOrBranches)
        {
            Branches(branches, step);
            if (step.HasExit)
            {
                Leave(state, CompiledStop.Done);
                return;
            }
        }

        GoTo(KernelGraph.Following(state, step));
    }

    /// <summary>ROUT's flags are those of a clear until something writes ROUT; stores bring TMP's.</summary>
    private void Flags(Step step)
    {
        if ((step.FlagsWritten & observedFlags) is var written and not 0)
        {
            _il.Emit(OpCodes.Ldloc, _cleared);
            _il.Emit(OpCodes.Ldc_I4, ~written);
            _il.Emit(OpCodes.And);
            _il.Emit(OpCodes.Stloc, _cleared);
        }

        if ((step.FlagsFromTemporary & observedFlags) is var stored and not 0)
        {
            _il.Emit(OpCodes.Ldloc, _cleared);
            _il.Emit(OpCodes.Ldc_I4, ~stored);
            _il.Emit(OpCodes.And);
            LoadState(CompiledState.TemporaryCleared);
            _il.Emit(OpCodes.Conv_I4);
            _il.Emit(OpCodes.Ldc_I4, stored);
            _il.Emit(OpCodes.And);
            _il.Emit(OpCodes.Or);
            _il.Emit(OpCodes.Stloc, _cleared);
        }
    }

    /// <summary>Exactly one taken branch counts (<c>openedge.md</c> section 5).</summary>
    private void Branches(List<Branching> branches, Step step)
    {
        var pointer = step.NextPointer;
        if (branches.Count == 1)
        {
            Take(branches[0], pointer);
            return;
        }

        if (branches.Count == 0)
        {
            return;
        }

        var none = _il.DefineLabel();
        for (var i = 0; i < branches.Count; i++)
        {
            LoadTaken(branches[i]);
            if (i > 0)
            {
                _il.Emit(OpCodes.Add);
            }
        }

        _il.Emit(OpCodes.Ldc_I4_1);
        _il.Emit(OpCodes.Bne_Un, none);
        foreach (var branch in branches)
        {
            Take(branch, pointer);
        }

        _il.MarkLabel(none);
    }

    private void LoadTaken(Branching branch)
    {
        if (branch.Always)
        {
            _il.Emit(OpCodes.Ldc_I4_1);
        }
        else
        {
            _il.Emit(OpCodes.Ldloc, branch.Result);
        }
    }

    private void Take(Branching branch, byte pointer)
    {
        var not = _il.DefineLabel();
        if (!branch.Always)
        {
            _il.Emit(OpCodes.Ldloc, branch.Result);
            _il.Emit(OpCodes.Brfalse, not);
        }

        if (branch.Target is { } target)
        {
            GoTo((target << 2) | pointer);
        }
        else
        {
            _il.Emit(OpCodes.Ldloc, branch.Result);
            _il.Emit(OpCodes.Ldc_I4, 31);
            _il.Emit(OpCodes.And);
            _il.Emit(OpCodes.Ldc_I4_2);
            _il.Emit(OpCodes.Shl);
            _il.Emit(OpCodes.Ldc_I4, (int)pointer);
            _il.Emit(OpCodes.Or);
            _il.Emit(OpCodes.Stloc, _next);
            Stop(CompiledStop.Left);
        }

        _il.MarkLabel(not);
    }

    private void GoTo(int state)
    {
        if (_labels.TryGetValue(state, out var label))
        {
            _il.Emit(OpCodes.Br, label);
        }
        else
        {
            Leave(state, CompiledStop.Left);
        }
    }

    private void Leave(int state, int stop)
    {
        _il.Emit(OpCodes.Ldc_I4, state);
        _il.Emit(OpCodes.Stloc, _next);
        Stop(stop);
    }

    private void Stop(int stop)
    {
        _il.Emit(OpCodes.Ldc_I4, stop);
        _il.Emit(OpCodes.Stloc, _stop);
        _il.Emit(OpCodes.Br, _exit);
    }

    /// <summary>Code away from the straight way.</summary>
    private Label Stub(Action code)
    {
        var label = _il.DefineLabel();
        _stubs.Add(() =>
        {
            _il.MarkLabel(label);
            code();
        });
        return label;
    }

    private void AddCounts()
    {
        Count(CompiledState.Reads, _reads);
        Count(CompiledState.Writes, _writes);
        Count(CompiledState.Stall, _stall);
        if (_cycles != 0)
        {
            _il.Emit(OpCodes.Ldloc, _cycle);
            _il.Emit(OpCodes.Ldc_I8, _cycles);
            _il.Emit(OpCodes.Add);
            _il.Emit(OpCodes.Stloc, _cycle);
        }

        void Count(int place, long amount)
        {
            if (amount != 0)
            {
                StoreState(place, () =>
                {
                    LoadState(place);
                    _il.Emit(OpCodes.Ldc_I8, amount);
                    _il.Emit(OpCodes.Add);
                });
            }
        }
    }

    private void AddRun(int first) => StoreState(CompiledState.Count + first, () =>
    {
        LoadState(CompiledState.Count + first);
        _il.Emit(OpCodes.Ldc_I4_1);
        _il.Emit(OpCodes.Conv_I8);
        _il.Emit(OpCodes.Add);
    });

    private void LoadState(int place)
    {
        AddressOf(Argument.State, place, sizeof(long));
        _il.Emit(OpCodes.Ldind_I8);
    }

    private void StoreState(int place, Action value)
    {
        AddressOf(Argument.State, place, sizeof(long));
        value();
        _il.Emit(OpCodes.Stind_I8);
    }

    private void Load(Argument argument) => _il.Emit(OpCodes.Ldarg, (short)argument);

    private void AddressOf(Argument first, int index, int size)
    {
        Load(first);
        _il.Emit(OpCodes.Ldc_I4, index * size);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
    }

    private void LoadSlot(int slot)
    {
        if (OpenEdgeArray.IsConstant(slot))
        {
            _il.Emit(OpCodes.Ldc_I4, array.ConstantAt(slot));
        }
        else if (InMemory)
        {
            AddressOf(Argument.Values, slot, sizeof(int));
            _il.Emit(OpCodes.Ldind_I4);
        }
        else
        {
            _il.Emit(OpCodes.Ldloc, _slots[slot]);
        }
    }

    /// <summary>Puts what is on the stack into slots; those that nobody reads are left out.</summary>
    private void StoreSlots(params ReadOnlySpan<int> slots)
    {
        _il.Emit(OpCodes.Stloc, _value);
        foreach (var slot in slots)
        {
            if (slot == Slots.Discard)
            {
                continue;
            }

            if (InMemory)
            {
                AddressOf(Argument.Values, slot, sizeof(int));
                _il.Emit(OpCodes.Ldloc, _value);
                _il.Emit(OpCodes.Stind_I4);
            }
            else
            {
                _il.Emit(OpCodes.Ldloc, _value);
                _il.Emit(OpCodes.Stloc, _slots[slot]);
            }
        }
    }

    /// <summary>A branch of a step: what decides (or for a computed jump where it goes), and where it goes where that is fixed.</summary>
    private sealed record Branching(LocalBuilder Result, bool Always, int? Target);
}
