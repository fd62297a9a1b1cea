using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Nests;

/// <summary>
/// Executes a general convolution as its descriptor says: boxes of operands come into buffers, elements of the array take operands from there and keep them, partial results lie in accumulators, and what
/// is counted is what happens. Nothing here comes from the compiler's model.
/// </summary>
internal sealed class NestUnit
{
    private readonly NestStep _nest;
    private readonly SystolicOperator _operation;
    private readonly OperandBuffer _input;
    private readonly OperandBuffer? _kernel;
    private readonly (OperandBuffer Buffer, bool IsTable, long Bytes, bool IsOnChip)[] _extras;
    private readonly OutputUnit _output;
    private readonly ScalarMachine _pre;
    private readonly ScalarMachine _main;
    private readonly bool _keepsInput;
    private readonly bool _takesTiles;
    private readonly Odometer _outer;
    private readonly bool _keepsKernel;
    private readonly int _stored;
    private readonly int _kept;
    private readonly bool _needsExtras;
    private readonly bool _isSum;
    private readonly bool _real;
    private readonly LaneSet _lanes;
    private readonly int[] _inputShare;
    private readonly int[] _kernelShare;
    private readonly int[] _sumShare;
    private readonly Func<string, DiagnosticException> _fail;
    private readonly CancellationToken _cancellation;
    private readonly int[] _start;
    private readonly int[] _length;
    private readonly long[] _outerAt;
    private readonly long[] _innerAt;
    private readonly long[] _sumStrides;
    private readonly long[] _laneSums;
    private readonly Int128[] _sums;
    private readonly long[] _taps;
    private readonly bool[] _started;
    private NestCounts _counts;

    /// <summary>Prepares a nest.</summary>
    /// <param name="nest">The nest.</param>
    /// <param name="memory">DRAM.</param>
    /// <param name="chip">The buffer of activations.</param>
    /// <param name="collected">Takes all results besides; null where nobody asks for them.</param>
    /// <param name="fail">Makes an error of a fault.</param>
    /// <param name="cancellation">Ends early.</param>
    public NestUnit(NestStep nest, byte[] memory, byte[] chip, byte[]? collected, Func<string, DiagnosticException> fail, CancellationToken cancellation)
    {
        (_nest, _operation, _fail, _cancellation, Collected) = (nest, nest.Operation, fail, cancellation, collected);
        var loops = _operation.Loops.Count;
        var (kept, stores) = (nest.Chip ?? new(0, NestChip.Dram, NestChip.Dram, [.. _operation.Extras.Select(_ => NestChip.Dram)], NestChip.Dram, true), nest.Chip?.Stores ?? true);
        (_keepsInput, _keepsKernel, _takesTiles) = (kept.Input != NestChip.Dram, kept.Kernel != NestChip.Dram, kept.Taken is { Input: true });
        _input = new(At(_operation.Input, kept.Input), loops, MemoryOf(kept.Input), kept.Taken is { Input: true } ? kept.Taken.Window : null);
        _kernel = _operation.Kernel is { } kernel ? new(At(kernel, kept.Kernel), loops, MemoryOf(kept.Kernel)) : null;

        // boxes are held by the operands' buffers here: what lay at their place is gone all the same
        chip.AsSpan(kept.Boxes, (int)nest.BoxBytes).Fill(byte.MaxValue);
        _extras = [.. _operation.Extras.Select((extra, i) => (
            new OperandBuffer(At(extra, kept.Extras[i]), loops, MemoryOf(kept.Extras[i])),
            _operation.IsTable(i),
            ChipContents.Bytes(extra),
            kept.Extras[i] != NestChip.Dram))];
        List<AffineAccess> outputs = stores ? [new(_operation.Output, loops, memory)] : [];
        if (kept.Output != NestChip.Dram)
        {
            outputs.Add(new(At(_operation.Output, kept.Output), loops, chip, kept.OutputWindow?.Extents));
        }

        if (collected is not null)
        {
            outputs.Add(new(At(_operation.Output, 0), loops, collected));
        }

        (_stored, _kept) = (stores ? _operation.Output.Element.Size() : 0, kept.Output == NestChip.Dram ? 0 : _operation.Output.Element.Size());
        _output = new(_operation, [.. _operation.Extras.Select((extra, i) => new AffineAccess(At(extra, kept.Extras[i]), loops, MemoryOf(kept.Extras[i]), kept.Taken is { } taken && taken.Extras.Contains(i) ? taken.Window.Extents : null))], [.. outputs]);
        (_pre, _main) = (new(_operation.Pre), new(_operation.Main));
        _needsExtras = _operation.Pre.Concat(_operation.Main).Any(instruction => instruction.Opcode is ScalarOpcode.Extra or ScalarOpcode.Lookup);
        _real = _operation.Accumulator.IsReal();
        _isSum = !_real && !_needsExtras && _operation.Reduce == SystolicReduction.Add
            && _operation.Main.Select(instruction => instruction.Opcode).SequenceEqual([ScalarOpcode.Input, ScalarOpcode.Kernel, ScalarOpcode.Multiply]);
        _lanes = new(nest);
        _inputShare = _lanes.Share(loop => NestStep.Indexes(_operation.Input, loop));
        _kernelShare = _lanes.Share(loop => _operation.Kernel is { } access && NestStep.Indexes(access, loop));
        _sumShare = _lanes.Share(loop => _operation.Loops[loop].Role != SystolicRole.Row);
        (_start, _length, _outerAt, _innerAt, _sumStrides) = (new int[loops], new int[loops], new long[loops], new long[loops], new long[loops]);
        var stride = 1L;
        for (var loop = loops - 1; loop >= 0; loop--)
        {
            if (_operation.Loops[loop].Role != SystolicRole.Row)
            {
                _sumStrides[loop] = stride;
                stride *= Math.Min(nest.Loops[loop].Tile, _operation.Loops[loop].Extent);
            }
        }

        _laneSums = new long[_lanes.Count];
        for (var lane = 0; lane < _laneSums.Length; lane++)
        {
            for (var loop = 0; loop < loops; loop++)
            {
                _laneSums[lane] += _lanes.Offsets(lane)[loop] * _sumStrides[loop];
            }
        }

        (_sums, _taps, _started) = (new Int128[stride], new long[stride], new bool[stride]);
        _outer = new(nest.Outer);
        _outer.Reset(nest.OuterTrips);
        _outer.Store(_outerAt);

        byte[] MemoryOf(int place) => place == NestChip.Dram ? memory : chip;

        static SystolicAccess At(SystolicAccess access, int place) => place == NestChip.Dram ? access : access with { Address = place };
    }

    /// <summary>All results, where they are collected.</summary>
    public byte[]? Collected { get; }

    /// <summary>True behind the last tile.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Which tile of each loop comes next.</summary>
    public ReadOnlySpan<long> Next => _outerAt;

    /// <summary>True where the next tile is not behind a tile along the outermost loops.</summary>
    /// <param name="target">The tile of each of the outermost loops.</param>
    public bool IsUpTo(ReadOnlySpan<long> target)
    {
        for (var i = 0; i < target.Length && !IsDone; i++)
        {
            if (_outerAt[_nest.Outer[i]] != target[i])
            {
                return _outerAt[_nest.Outer[i]] < target[i];
            }
        }

        return !IsDone;
    }

    /// <summary>Runs the next tile.</summary>
    public void RunTile()
    {
        _cancellation.ThrowIfCancellationRequested();
        if (_outer.Stepped < 0)
        {
            Begin();
        }

        Tile(_outer.Stepped);
        IsDone = !_outer.Next();
        _outer.Store(_outerAt);
    }

    /// <summary>What has been done; the nest is done.</summary>
    public NestCounts Counts(MachineDescription machine)
    {
        var (lanes, stages) = (machine.Columns, machine.Systolic![SystolicKeys.OutputStages]);
        var passes = (Math.Max(1, ScalarInstructionSet.Operations(_operation.Post)) + stages - 1) / stages;
        return _counts with { ArrayCycles = _counts.ArrayCycles * CyclesPerTap(machine), PostCycles = (_counts.Outputs + lanes - 1) / lanes * passes };
    }

    /// <summary>What the layer cost, in the terms of every machine.</summary>
    public SystolicLayerRun Cost(NestCounts counts, MachineDescription machine)
    {
        var cycles = counts.Cycles(machine);
        long perTap = ScalarInstructionSet.Operations(_operation.Pre) + ScalarInstructionSet.Operations(_operation.Main);
        long post = ScalarInstructionSet.Operations(_operation.Post);
        var buffers = (counts.InputReads * _operation.Input.Element.Size()) + (counts.KernelReads * (_operation.Kernel?.Element.Size() ?? 0))
            + ((counts.SumReads + counts.SumWrites) * _operation.Accumulator.Size()) + counts.DramBytes + counts.ChipBytes;
        var busy = Math.Max(counts.ArrayCycles, counts.PostCycles);
        return new(
            counts.ArrayCycles,
            busy - counts.ArrayCycles,
            cycles - busy,
            Math.Min(busy, counts.TransferCycles(machine)),
            counts.Tiles,
            default(SystolicEvents) with { Multiplications = counts.Taps, CarryPropagateAdds = counts.Taps },
            (Math.Max(0, perTap - 1) * counts.Taps) + (post * counts.Outputs),
            (buffers + 3) / 4,
            (counts.DramBytes - counts.OutputBytes + 3) / 4,
            (counts.OutputBytes + 3) / 4,
            cycles * machine.Systolic!.PeriodFemtoseconds(1, 1));
    }

    /// <summary>What comes before the first tile.</summary>
    private void Begin()
    {
        foreach (var (_, isTable, bytes, isOnChip) in _extras)
        {
            Bring(isTable ? bytes : 0, isOnChip);
        }

        if (_keepsInput && !_takesTiles)
        {
            _input.LoadAll();
        }
    }

    private long CyclesPerTap(MachineDescription machine)
    {
        var operations = machine.Systolic![SystolicKeys.CellOperations];
        return Math.Max(1, (ScalarInstructionSet.Operations(_operation.Pre) + ScalarInstructionSet.Operations(_operation.Main) + operations - 1) / operations);
    }

    private void Tile(int stepped)
    {
        var (isFirst, isLast) = (true, true);
        for (var loop = 0; loop < _start.Length; loop++)
        {
            var (extent, tile) = (_operation.Loops[loop].Extent, _nest.Loops[loop].Tile);
            _start[loop] = (int)(_outerAt[loop] * tile);
            _length[loop] = Math.Min(tile, extent - _start[loop]);
            if (_operation.Loops[loop].Role == SystolicRole.Row)
            {
                isFirst &= _outerAt[loop] == 0;
                isLast &= _start[loop] + _length[loop] == extent;
            }
        }

        var input = stepped < _nest.Depths.LoadInput && !_keepsInput ? _input.Load(_start, _length, copies: true) : 0;
        if (_takesTiles)
        {
            // from the window, where the array takes it in place
            _input.Load(_start, _length, copies: true);
        }

        var kernel = stepped < _nest.Depths.LoadKernel && _kernel is not null ? _kernel.Load(_start, _length, copies: true) : 0;
        _counts = _counts with
        {
            Tiles = _counts.Tiles + 1,
            InputBytes = _counts.InputBytes + input,
            KernelBytes = _counts.KernelBytes + (_keepsKernel ? 0 : kernel),
            ChipBytes = _counts.ChipBytes + (_keepsKernel ? kernel + kernel : 0),
        };
        if (isFirst)
        {
            Array.Fill(_sums, _operation.Reduce == SystolicReduction.Maximum ? (_real ? BitConverter.DoubleToInt64Bits(double.NegativeInfinity) : _operation.Accumulator.Range().Min) : 0);
            Array.Clear(_taps);
            Array.Clear(_started);
        }

        Reduce();
        if (isLast)
        {
            Finish();
        }
    }

    private void Reduce()
    {
        var inner = new Odometer(_nest.Inner);
        inner.Reset(loop => (_length[loop] + _nest.Loops[loop].Lanes - 1) / _nest.Loops[loop].Lanes);

        // what elements keep: those that get the same value have it in one place here
        var (inputs, skips, kernels) = (new long[_lanes.Count], new bool[_lanes.Count], new long[_lanes.Count]);
        var (inputSeen, kernelSeen, sumSeen) = (new long[_lanes.Count], new long[_lanes.Count], new long[_lanes.Count]);
        var loops = new int[_start.Length];
        var (cycle, taps, inputReads, kernelReads, sumReads, sumWrites) = (0L, 0L, 0L, 0L, 0L, 0L);
        do
        {
            cycle++;
            inner.Store(_innerAt);
            var (all, first) = BeginCycle();
            var fetchesInput = inner.Stepped < _nest.Depths.FetchInput;
            var fetchesKernel = inner.Stepped < _nest.Depths.FetchKernel && _kernel is not null;
            var switches = inner.Stepped < _nest.Depths.SwitchSums;
            for (var lane = 0; lane < _lanes.Count; lane++)
            {
                if (!all && !IsActive(lane))
                {
                    continue;
                }

                taps++;
                var (input, kernel, sum) = (_inputShare[lane], _kernelShare[lane], first + _laneSums[lane]);
                if (fetchesInput && inputSeen[input] != cycle)
                {
                    (inputSeen[input], inputReads) = (cycle, inputReads + 1);
                    Move(lane, loops);
                    inputs[input] = Fetch(loops, out skips[input]);
                }

                if (fetchesKernel && kernelSeen[kernel] != cycle)
                {
                    (kernelSeen[kernel], kernelReads) = (cycle, kernelReads + 1);
                    Move(lane, loops);
                    kernels[kernel] = _kernel!.Read(loops, out _);
                }

                if (switches && sumSeen[_sumShare[lane]] != cycle)
                {
                    (sumSeen[_sumShare[lane]], sumWrites) = (cycle, sumWrites + 1);
                    sumReads += _started[sum] ? 1 : 0;
                    _started[sum] = true;
                }

                if (skips[input])
                {
                    continue;
                }

                var (element, factor) = (inputs[input], kernels[kernel]);
                if (_isSum && element == (int)element && factor == (int)factor)
                {
                    _taps[sum]++;
                    _sums[sum] += element * factor;
                }
                else
                {
                    Move(lane, loops);
                    Add(sum, element, factor, loops);
                }
            }
        }
        while (inner.Next());
        _counts = _counts with
        {
            ArrayCycles = _counts.ArrayCycles + cycle,
            Taps = _counts.Taps + taps,
            InputReads = _counts.InputReads + inputReads,
            KernelReads = _counts.KernelReads + kernelReads,
            SumReads = _counts.SumReads + sumReads,
            SumWrites = _counts.SumWrites + sumWrites,
        };
    }

    /// <summary>Whether all elements have work in this cycle, and the accumulator of the first one.</summary>
    private (bool All, long First) BeginCycle()
    {
        var (all, first) = (true, 0L);
        for (var loop = 0; loop < _length.Length; loop++)
        {
            var at = _innerAt[loop] * _nest.Loops[loop].Lanes;
            all &= at + _nest.Loops[loop].Lanes <= _length[loop];
            first += at * _sumStrides[loop];
        }

        return (all, first);
    }

    private bool IsActive(int lane)
    {
        var offsets = _lanes.Offsets(lane);
        for (var loop = 0; loop < _length.Length; loop++)
        {
            if ((_innerAt[loop] * _nest.Loops[loop].Lanes) + offsets[loop] >= _length[loop])
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The trips that an element does in this cycle.</summary>
    private void Move(int lane, Span<int> loops)
    {
        var offsets = _lanes.Offsets(lane);
        for (var loop = 0; loop < loops.Length; loop++)
        {
            loops[loop] = _start[loop] + (int)(_innerAt[loop] * _nest.Loops[loop].Lanes) + offsets[loop];
        }
    }

    /// <summary>An input from the buffer; pre is done on it at once where it takes nothing else.</summary>
    private long Fetch(ReadOnlySpan<int> loops, out bool skipped)
    {
        var element = _input.Read(loops, out skipped);
        if (skipped || _needsExtras || _pre.Single is not null)
        {
            return element;
        }

        string? fault = null;
        element = _pre.Run(new(element, 0, 0, 0), [], [], ref fault);
        return fault is null ? element : throw _fail(fault);
    }

    private void Add(long sum, long element, long kernel, ReadOnlySpan<int> loops)
    {
        string? fault = null;
        if (_needsExtras)
        {
            _output.MoveTo(loops);
            element = _pre.Single is not null ? element : _pre.Run(new(element, 0, 0, 0), _output.Extras, _output.Tables, ref fault);
        }

        var term = _main.Single == ScalarOpcode.Input ? element : _main.Run(new(element, kernel, 0, 0), _output.Extras, _output.Tables, ref fault);
        if (fault is not null)
        {
            throw _fail(fault);
        }

        _taps[sum]++;
        _sums[sum] = (_operation.Reduce, _real) switch
        {
            (SystolicReduction.Add, false) => _sums[sum] + term,
            (SystolicReduction.Maximum, false) => Int128.Max(_sums[sum], term),
            (SystolicReduction.Add, true) => BitConverter.DoubleToInt64Bits(Real(_sums[sum]) + Real(term)),
            (SystolicReduction.Maximum, true) => BitConverter.DoubleToInt64Bits(Math.Max(Real(_sums[sum]), Real(term))),
            _ => term,
        };
    }

    /// <summary>Post, on every result of the tile.</summary>
    private void Finish()
    {
        var outputs = 0L;
        foreach (var (buffer, isTable, _, isOnChip) in _extras)
        {
            Bring(isTable ? 0 : buffer.Load(_start, _length, copies: false), isOnChip);
        }

        var results = new Odometer([.. Enumerable.Range(0, _start.Length).Where(loop => _operation.Loops[loop].Role != SystolicRole.Row)]);
        results.Reset(loop => _length[loop]);
        var (at, loops) = (new long[_start.Length], new int[_start.Length]);
        do
        {
            results.Store(at);
            var sum = 0L;
            for (var loop = 0; loop < loops.Length; loop++)
            {
                loops[loop] = _start[loop] + (int)at[loop];
                sum += at[loop] * _sumStrides[loop];
            }

            for (var loop = 0; loop < loops.Length; loop++)
            {
                loops[loop] = _operation.Loops[loop].Role == SystolicRole.Row ? 0 : loops[loop];
            }

            _output.MoveTo(loops);
            if (_output.Write(loops, _sums[sum], _taps[sum]) is { } fault)
            {
                throw _fail(fault);
            }

            outputs++;
        }
        while (results.Next());
        _counts = _counts with
        {
            Outputs = _counts.Outputs + outputs,
            OutputBytes = _counts.OutputBytes + (outputs * _stored),
            ChipBytes = _counts.ChipBytes + (outputs * _kept),
        };
    }

    /// <summary>Counts what comes of a further operand.</summary>
    private void Bring(long bytes, bool isOnChip) =>
        _counts = isOnChip ? _counts with { ChipBytes = _counts.ChipBytes + bytes } : _counts with { ExtraBytes = _counts.ExtraBytes + bytes };

    private static double Real(Int128 bits) => BitConverter.Int64BitsToDouble((long)bits);
}
