using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.OpenEdge;

/// <content>Executes kernels that were translated to IL, and decides which are.</content>
public sealed partial class OpenEdgeArray
{
    /// <summary>
    /// Cycles that a kernel is interpreted for before it is translated: about what its translation takes (1 to 4 ms) at the interpreter's speed.
    /// </summary>
    internal const long CyclesBeforeTranslation = 150_000;

    /// <summary>Operations above which a kernel is not translated: 32 steps on 16 cells are 512, times the states of the shared bus's pointer.</summary>
    private const int MostOperations = 8192;

    /// <summary>Operations of one method; beyond, throughput falls (<c>dotnet-stack.md</c> section 8).</summary>
    private const int OperationsOfMethod = 1024;

    private readonly Dictionary<string, KernelHistory> _history = new(StringComparer.Ordinal);
    private KernelHistory? _current;

    /// <summary>How steps are executed.</summary>
    public KernelEngine Engine { get; init; }

    /// <summary>True where kernels can be translated here: a runtime that has a compiler.</summary>
    public static bool CanTranslate => RuntimeFeature.IsDynamicCodeSupported && RuntimeFeature.IsDynamicCodeCompiled;

    /// <summary>Launches, or parts of them, in which translated code ran; for tests.</summary>
    internal long TranslatedRuns { get; private set; }

    internal bool IsBanked => _walk == BusWalk.Banks;

    internal BusDescription Bus => _bus;

    private ArrayStop ExecuteWithEngine<TMemory>(ref TMemory memory, long untilCycle)
        where TMemory : struct, IWordMemory
    {
        if (Engine == KernelEngine.Interpreted || _walk == BusWalk.Cycles || !CanTranslate)
        {
            return Execute(ref memory, untilCycle);
        }

        _current ??= History();
        if (Engine == KernelEngine.Automatic && _current.Cycles < CyclesBeforeTranslation)
        {
            var before = _cycle;
            var stop = Execute(ref memory, Math.Min(untilCycle, before + CyclesBeforeTranslation));
            _current.Cycles += _cycle - before;
            if (stop != ArrayStop.Paused || _cycle >= untilCycle)
            {
                return stop;
            }
        }

        return _current.For<TMemory>(this) is { } kernel ? ExecuteCompiled(kernel, ref memory, untilCycle) : Execute(ref memory, untilCycle);
    }

    private ArrayStop ExecuteCompiled<TMemory>(CompiledKernel<TMemory> kernel, ref TMemory memory, long untilCycle)
        where TMemory : struct, IWordMemory
    {
        Span<long> state = stackalloc long[CompiledState.Count + CompiledState.Blocks];
        state.Clear();
        var stop = Translated(kernel, ref memory, untilCycle, state);
        CountSteps(kernel.Blocks, state[CompiledState.Count..]);
        return stop;
    }

    /// <summary>Every run of a block ran each of its steps once.</summary>
    private void CountSteps(IReadOnlyList<KernelBlock> blocks, ReadOnlySpan<long> runs)
    {
        for (var i = 0; i < blocks.Count; i++)
        {
            var block = blocks[i];
            if (runs[block.First] != 0)
            {
                for (var j = 0; j < block.States.Count; j++)
                {
                    _executed[block.States[j] >> 2] += runs[block.First];
                }
            }
        }
    }

    private ArrayStop Translated<TMemory>(CompiledKernel<TMemory> kernel, ref TMemory memory, long untilCycle, Span<long> state)
        where TMemory : struct, IWordMemory
    {
        var flat = ViewOf(ref memory);
        TranslatedRuns++;
        while (_cycle < untilCycle)
        {
            if (kernel.Entries[(_pc << 2) | _sharedPointer] is not { } blocks)
            {
                if (Execute(ref memory, untilCycle, toBranch: true) is var reached && reached != ArrayStop.Paused)
                {
                    return reached;
                }

                continue;
            }

            state[..CompiledState.Count].Clear();
            state[CompiledState.Next] = (_pc << 2) | _sharedPointer;
            state[CompiledState.Cycle] = _cycle;
            state[CompiledState.Cleared] = _cleared;
            state[CompiledState.TemporaryCleared] = _temporaryCleared;
            var stop = blocks(
                this, ref MemoryMarshal.GetArrayDataReference(_values), ref memory, ref flat, ref MemoryMarshal.GetArrayDataReference(_bankPointer), ref state[0], untilCycle);
            _pc = (int)state[CompiledState.Next] >> 2;
            _sharedPointer = (int)state[CompiledState.Next] & 3;
            _cycle = state[CompiledState.Cycle];
            _cleared = (int)state[CompiledState.Cleared];
            _temporaryCleared = (int)state[CompiledState.TemporaryCleared];
            _reads += state[CompiledState.Reads];
            _writes += state[CompiledState.Writes];
            _groupStall += state[CompiledState.Stall];
            switch (stop)
            {
                case CompiledStop.Done:
                    return ArrayStop.Done;
                case CompiledStop.BadAddress:
                    return ArrayStop.BadAddress;
                case CompiledStop.NearLimit:
                    return Execute(ref memory, untilCycle);
            }
        }

        return ArrayStop.Paused;
    }

    private static FlatView ViewOf<TMemory>(ref TMemory memory)
        where TMemory : struct, IWordMemory
    {
        if (typeof(TMemory) == typeof(FlatMemory))
        {
            ref var flat = ref Unsafe.As<TMemory, FlatMemory>(ref memory);
            return new FlatView(
                ref MemoryMarshal.GetArrayDataReference(flat.Words), ref Unsafe.NullRef<ulong>(), ref Unsafe.NullRef<ulong>(), (uint)flat.Words.Length, (uint)flat.ReservedWords);
        }

        if (typeof(TMemory) == typeof(TrackedMemory<FlatMemory>))
        {
            ref var tracked = ref Unsafe.As<TMemory, TrackedMemory<FlatMemory>>(ref memory);
            var flat = tracked.Inner;
            return new FlatView(
                ref MemoryMarshal.GetArrayDataReference(flat.Words),
                ref MemoryMarshal.GetArrayDataReference(tracked.Touched.ReadBits),
                ref MemoryMarshal.GetArrayDataReference(tracked.Touched.WrittenBits),
                (uint)flat.Words.Length,
                (uint)flat.ReservedWords);
        }

        return default;
    }

    /// <summary>What is known about the code the columns hold; the same code under another id or after a reload is the same kernel.</summary>
    private KernelHistory History()
    {
        var code = new char[2 + (Slots.Cells * Slots.Steps * 2)];
        var length = 0;
        code[length++] = (char)(_mask | ((int)_walk << 4));
        for (var cell = 0; cell < Slots.Cells; cell++)
        {
            for (var step = 0; step < Slots.Steps && (_mask >> (cell & 3) & 1) != 0; step++)
            {
                var word = _store[(cell << 5) | step];
                code[length++] = (char)word;
                code[length++] = (char)(word >> 16);
            }
        }

        var key = new string(code, 0, length);
        if (!_history.TryGetValue(key, out var history))
        {
            _history.Add(key, history = new KernelHistory());
        }

        return history;
    }

    /// <summary>Translates the loaded kernel from the step it stands at.</summary>
    private CompiledKernel<TMemory>? Translate<TMemory>()
        where TMemory : struct, IWordMemory
    {
        var graph = KernelGraph.Build([0, (_pc << 2) | _sharedPointer], StepOf, BranchesOf);
        if (graph.Blocks.Sum(b => b.Operations) > MostOperations || !CanTranslate)
        {
            return null;
        }

        var kernel = new CompiledKernel<TMemory> { Blocks = graph.Blocks };
        var observed = ObservedFlags();
        foreach (var group in graph.Groups(OperationsOfMethod))
        {
            var blocks = new KernelTranslator<TMemory>(this, observed).Translate(group);
            foreach (var block in group)
            {
                kernel.Entries[block.First] = blocks;
            }
        }

        return kernel;
    }

    /// <summary>Cells whose zero flag some step of the columns' stores reads: of the others it doesn't matter whether their flags are those of a clear.</summary>
    private int ObservedFlags()
    {
        var observed = 0;
        for (var cell = 0; cell < Slots.Cells; cell++)
        {
            for (var pc = 0; pc < Slots.Steps && (_mask >> (cell & 3) & 1) != 0; pc++)
            {
                var instruction = At(cell, pc);
                if (instruction.Opcode == OpenEdgeOpcode.Bzfa && FlagCell(instruction.Flag, cell) is { } flags)
                {
                    observed |= 1 << flags;
                }
            }
        }

        return observed;
    }

    internal Step StepOf(int state)
    {
        if (_decoded[state].Duration == 0)
        {
            Decode(state >> 2, state & 3);
        }

        return _decoded[state];
    }

    internal ReadOnlySpan<MemoryAccess> AccessesOf(Step step) => _accesses.AsSpan(step.AccessStart, step.AccessCount);

    internal ReadOnlySpan<CellInstruction> InstructionsOf(Step step) => _instructions.AsSpan(step.InstructionStart, step.InstructionCount);

    internal ReadOnlySpan<Commit> CommitsOf(Step step) => _commits.AsSpan(step.CommitStart, step.CommitCount);

    internal int ConstantAt(int slot) => _values[slot];

    private List<int> BranchesOf(int state)
    {
        var targets = new List<int>();
        foreach (var instruction in InstructionsOf(StepOf(state)))
        {
            switch (instruction.Opcode)
            {
                case OpenEdgeOpcode.Beq or OpenEdgeOpcode.Bne or OpenEdgeOpcode.Blt or OpenEdgeOpcode.Bge:
                    targets.Add(instruction.Extra);
                    break;
                case OpenEdgeOpcode.Jump when IsConstant(instruction.A) && IsConstant(instruction.B):
                    targets.Add((_values[instruction.A] + _values[instruction.B]) & 31);
                    break;
            }
        }

        return targets;
    }

    internal static bool IsConstant(int slot) => slot is Slots.Zero or >= Slots.Immediate;

    /// <summary>Notes the access a translated step failed at.</summary>
    internal static void RefuseAt(OpenEdgeArray array, int cell, int isWrite, int address) =>
        array._fault = new ArrayFault(cell >> 2, cell & 3, (uint)address, isWrite != 0);

    /// <summary>
    /// The accesses of a step whose banks conflict. Returns its cycles, 0 where the memory refused one; the stall beyond <paramref name="counted"/> is added.
    /// </summary>
    internal static int WalkBanksOf<TMemory>(OpenEdgeArray array, ref TMemory memory, int index, int counted, ref long state)
        where TMemory : struct, IWordMemory
    {
        // the code may have been loaded again since it was translated
        array.StepOf(index);
        ref var step = ref array._decoded[index];
        var duration = step.Duration;
        long stall = 0;
        array._temporaryCleared = (int)Unsafe.Add(ref state, CompiledState.TemporaryCleared);
        var stop = array.WalkBanks(ref memory, ref step, ref duration, ref stall);
        Unsafe.Add(ref state, CompiledState.TemporaryCleared) = array._temporaryCleared;
        if (stop != ArrayStop.Done)
        {
            return 0;
        }

        Unsafe.Add(ref state, CompiledState.Stall) += stall - counted;
        return duration;
    }

    /// <summary>What is known about a kernel: how long it was interpreted, and its translations.</summary>
    private sealed class KernelHistory
    {
        private readonly List<object?> _translations = [];
        private readonly List<Type> _memories = [];

        public long Cycles { get; set; }

        /// <summary>The translation for a kind of memory; null where the kernel is too large.</summary>
        public CompiledKernel<TMemory>? For<TMemory>(OpenEdgeArray array)
            where TMemory : struct, IWordMemory
        {
            var index = _memories.IndexOf(typeof(TMemory));
            if (index < 0)
            {
                index = _memories.Count;
                _memories.Add(typeof(TMemory));
                _translations.Add(array.Translate<TMemory>());
            }

            return (CompiledKernel<TMemory>?)_translations[index];
        }
    }
}
