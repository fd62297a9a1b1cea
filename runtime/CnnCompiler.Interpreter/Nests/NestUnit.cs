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
    private readonly (OperandBuffer Buffer, bool IsTable, long Bytes)[] _extras;
    private readonly OutputUnit _output;
    private readonly ScalarMachine _pre;
    private readonly ScalarMachine _main;
    private readonly bool _needsExtras;
    private readonly bool _isProduct;
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
    private readonly Int128[] _sums;
    private readonly long[] _taps;
    private readonly bool[] _started;
    private NestCounts _counts;

    public NestUnit(NestStep nest, byte[] memory, Func<string, DiagnosticException> fail, CancellationToken cancellation)
    {
        (_nest, _operation, _fail, _cancellation) = (nest, nest.Operation, fail, cancellation);
        var loops = _operation.Loops.Count;
        _input = new(_operation.Input, loops, memory);
        _kernel = _operation.Kernel is { } kernel ? new(kernel, loops, memory) : null;
        var code = _operation.Pre.Concat(_operation.Main).Concat(_operation.Post).ToList();
        _extras = [.. _operation.Extras.Select((extra, i) => (
            new OperandBuffer(extra, loops, memory),
            code.Any(instruction => instruction.Opcode == ScalarOpcode.Lookup && instruction.Value == i),
            extra.Dimensions.Aggregate((long)extra.Element.Size(), (bytes, dimension) => bytes * dimension.Extent)))];
        (_output, _pre, _main) = (new(_operation, memory), new(_operation.Pre), new(_operation.Main));
        _needsExtras = _operation.Pre.Concat(_operation.Main).Any(instruction => instruction.Opcode is ScalarOpcode.Extra or ScalarOpcode.Lookup);
        _isProduct = _operation.Main.Select(instruction => instruction.Opcode).SequenceEqual([ScalarOpcode.Input, ScalarOpcode.Kernel, ScalarOpcode.Multiply]);
        _real = _operation.Accumulator.IsReal();
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

        (_sums, _taps, _started) = (new Int128[stride], new long[stride], new bool[stride]);
    }

    /// <summary>Runs the nest.</summary>
    public NestCounts Run(MachineDescription machine)
    {
        _counts = default;
        var outer = new Odometer(_nest.Outer);
        outer.Reset(_nest.OuterTrips);
        foreach (var (_, isTable, bytes) in _extras)
        {
            _counts = _counts with { ExtraBytes = _counts.ExtraBytes + (isTable ? bytes : 0) };
        }

        do
        {
            _cancellation.ThrowIfCancellationRequested();
            outer.Store(_outerAt);
            Tile(outer.Stepped);
        }
        while (outer.Next());
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
            + ((counts.SumReads + counts.SumWrites) * _operation.Accumulator.Size()) + counts.DramBytes;
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

        var input = stepped < _nest.Depths.LoadInput ? _input.Load(_start, _length, copies: true) : 0;
        var kernel = stepped < _nest.Depths.LoadKernel && _kernel is not null ? _kernel.Load(_start, _length, copies: true) : 0;
        _counts = _counts with { Tiles = _counts.Tiles + 1, InputBytes = _counts.InputBytes + input, KernelBytes = _counts.KernelBytes + kernel };
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
        var (inputs, skips, kernels) = (new long[_lanes.Count], new bool[_lanes.Count], new long[_lanes.Count]);
        var (inputSeen, kernelSeen, sumSeen) = (new long[_lanes.Count], new long[_lanes.Count], new long[_lanes.Count]);
        var loops = new int[_start.Length];
        var (cycle, taps, inputReads, kernelReads, sumReads, sumWrites) = (0L, 0L, 0L, 0L, 0L, 0L);
        do
        {
            cycle++;
            inner.Store(_innerAt);
            var fetchesInput = inner.Stepped < _nest.Depths.FetchInput;
            var fetchesKernel = inner.Stepped < _nest.Depths.FetchKernel && _kernel is not null;
            var switches = inner.Stepped < _nest.Depths.SwitchSums;
            for (var lane = 0; lane < _lanes.Count; lane++)
            {
                if (!Move(lane, loops, out var sum))
                {
                    continue;
                }

                taps++;
                if (fetchesInput)
                {
                    inputs[lane] = _input.Read(loops, out skips[lane]);
                    inputReads += Once(inputSeen, _inputShare[lane], cycle);
                }

                if (fetchesKernel)
                {
                    kernels[lane] = _kernel!.Read(loops, out _);
                    kernelReads += Once(kernelSeen, _kernelShare[lane], cycle);
                }

                if (switches && Once(sumSeen, _sumShare[lane], cycle) == 1)
                {
                    sumWrites++;
                    sumReads += _started[sum] ? 1 : 0;
                    _started[sum] = true;
                }

                if (!skips[lane])
                {
                    Add(sum, inputs[lane], kernels[lane], loops);
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

    /// <summary>The trips of an element in this cycle, and its accumulator; false where it has nothing to do.</summary>
    private bool Move(int lane, Span<int> loops, out long sum)
    {
        sum = 0;
        var offsets = _lanes.Offsets(lane);
        for (var loop = 0; loop < loops.Length; loop++)
        {
            var at = (_innerAt[loop] * _nest.Loops[loop].Lanes) + offsets[loop];
            if (at >= _length[loop])
            {
                return false;
            }

            loops[loop] = _start[loop] + (int)at;
            sum += at * _sumStrides[loop];
        }

        return true;
    }

    private static int Once(long[] seen, int number, long cycle)
    {
        if (seen[number] == cycle)
        {
            return 0;
        }

        seen[number] = cycle;
        return 1;
    }

    private void Add(long sum, long element, long kernel, ReadOnlySpan<int> loops)
    {
        string? fault = null;
        if (_needsExtras)
        {
            _output.MoveTo(loops);
        }

        if (_pre.Single is null)
        {
            element = _pre.Run(new(element, 0, 0, 0), _output.Extras, _output.Tables, ref fault);
        }

        Int128 term = _isProduct ? (Int128)element * kernel
            : _main.Single == ScalarOpcode.Input ? element
            : _main.Run(new(element, kernel, 0, 0), _output.Extras, _output.Tables, ref fault);
        if (_isProduct && term != (long)term)
        {
            fault ??= "a value does not fit 64 bits";
        }

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
        var streamed = 0L;
        foreach (var (buffer, isTable, _) in _extras)
        {
            streamed += isTable ? 0 : buffer.Load(_start, _length, copies: false);
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
            ExtraBytes = _counts.ExtraBytes + streamed,
            OutputBytes = _counts.OutputBytes + (outputs * _operation.Output.Element.Size()),
        };
    }

    private static double Real(Int128 bits) => BitConverter.Int64BitsToDouble((long)bits);
}
