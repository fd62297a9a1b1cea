using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.OpenEdge;

/// <summary>
/// The 4x4 array, bit- and cycle-exact for one kernel at a time (<c>openedge.md</c>; cycles count from the write of KERNEL_ID). What
/// persists between launches on the hardware persists here: cell instruction stores, resident kernel ids, context and configuration memory,
/// pointer registers, the columns' last groups and the performance counters.
/// </summary>
/// <remarks>
/// A step is decoded when it first runs after a kernel load, into instructions whose operands are indices into one array of values
/// (<see cref="Slots"/>). Without refusals, delays and long latencies the accesses of a step need no cycle loop: on the ideal and the
/// shared bus their order and the duration are part of the decoded step, on the banked bus a short walk over the accesses finds them.
/// All other memory models, and <see cref="AlwaysWalkCycles"/>, take a loop over cycles; tests hold the two together.
/// </remarks>
public sealed partial class OpenEdgeArray
{
    private readonly BusDescription _bus;
    private readonly uint[] _context = new uint[4 * 128];
    private readonly ushort[] _configuration = new ushort[16];
    private readonly uint[] _store = new uint[Slots.Cells * Slots.Steps];
    private readonly int[] _residentId = new int[Slots.Columns];
    private readonly int[] _group = new int[Slots.Columns];
    private readonly uint[] _readRegister = new uint[Slots.Columns];
    private readonly uint[] _writeRegister = new uint[Slots.Columns];
    private readonly long[] _active = new long[Slots.Columns];
    private readonly long[] _stall = new long[Slots.Columns];
    private long _kernels;

    // The launch under way.
    private readonly long[] _conf = new long[Slots.Columns];
    private int _mask;
    private int _steps;
    private long _execFirst;
    private long _cycle;
    private long _groupStall;
    private long _reads;
    private long _writes;
    private int _pc;
    private bool _running;
    private ArrayFault _fault;

    /// <summary>Creates an array as it is after power-up: stores, registers and counters are 0.</summary>
    /// <param name="bus">How the columns reach memory.</param>
    public OpenEdgeArray(BusDescription bus)
    {
        if (bus.Banks < 1 || bus.ReadLatency < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(bus), bus, "a bus has at least one bank and answers at least a cycle later");
        }

        _bus = bus;
        _banks = bus.Kind == BusKind.Banked ? bus.Banks : 1;
        _bankPointer = new int[_banks];
    }

    /// <summary>True to take the loop over cycles where a shorter way exists; results are the same.</summary>
    public bool AlwaysWalkCycles { get; init; }

    /// <summary>True where the bus answers stores too, as X-HEEP's does; it matters only where answers take more than one cycle.</summary>
    public bool StoresGetResponses { get; init; } = true;

    /// <summary>Column mask of the last launch.</summary>
    public int Mask => _mask;

    /// <summary>Steps n of the last launch's configuration word.</summary>
    public int StepsPerColumn => _steps;

    /// <summary>First EXEC cycle X of the last launch.</summary>
    public long ExecFirst => _execFirst;

    /// <summary>Cycle the running launch has reached.</summary>
    public long Cycle => _cycle;

    /// <summary>Program counter of the step that runs or would run next.</summary>
    public int ProgramCounter => _pc;

    /// <summary>Where the launch stopped, after <see cref="ArrayStop.BadAddress"/> and <see cref="ArrayStop.StoreResponseTakenAsData"/>.</summary>
    public ArrayFault Fault => _fault;

    /// <summary>The performance counters.</summary>
    public PerformanceCounters Counters => new(_kernels, PerColumn.From(_active), PerColumn.From(_stall));

    /// <summary>The outcome of the last launch, once it is done.</summary>
    public LaunchOutcome Outcome
    {
        get
        {
            Span<long> exec = stackalloc long[Slots.Columns];
            exec.Clear();
            for (var column = 0; column < Slots.Columns; column++)
            {
                exec[column] = (_mask >> column & 1) != 0 ? _cycle - _execFirst : 0;
            }

            return new(_execFirst, _cycle, PerColumn.From(exec), PerColumn.From(_conf), _reads, _writes, Counters);
        }
    }

    /// <summary>Writes an instruction word into context memory. Addresses wrap at 128 words.</summary>
    /// <param name="row">Row bank, 0 to 3.</param>
    /// <param name="address">Word of the bank.</param>
    /// <param name="word">The word.</param>
    public void WriteContext(int row, int address, uint word) => _context[((row & 3) << 7) | (address & 127)] = word;

    /// <summary>A context word.</summary>
    /// <param name="row">Row bank, 0 to 3.</param>
    /// <param name="address">Word in it, modulo 128.</param>
    public uint ReadContext(int row, int address) => _context[((row & 3) << 7) | (address & 127)];

    /// <summary>Writes a kernel configuration word: n-1, start and column mask (<c>openedge.md</c> section 8.1).</summary>
    /// <param name="id">Kernel id, 0 to 15.</param>
    /// <param name="word">The word.</param>
    public void WriteConfiguration(int id, ushort word) => _configuration[id & 15] = word;

    /// <summary>Writes PTR_IN_COL.</summary>
    public void WriteReadPointer(int column, uint value) => _readRegister[column] = value;

    /// <summary>Writes PTR_OUT_COL.</summary>
    public void WriteWritePointer(int column, uint value) => _writeRegister[column] = value;

    /// <summary>A word of a cell's instruction store.</summary>
    public uint Store(int row, int column, int step) => _store[StoreIndex(row, column, step)];

    /// <summary>
    /// Requests a kernel and loads its columns: everything before the first EXEC cycle. <see cref="Continue"/> executes it.
    /// </summary>
    /// <param name="kernelId">Value written to KERNEL_ID; its low four bits count.</param>
    /// <returns><see cref="ArrayStop.Paused"/>, or why there is nothing to execute.</returns>
    public ArrayStop Begin(int kernelId)
    {
        _running = false;
        var id = kernelId & 15;
        if (id == 0)
        {
            return ArrayStop.BadKernelId;
        }

        int word = _configuration[id];
        _steps = (word & 31) + 1;
        _mask = word >> 12;
        if (_mask == 0)
        {
            return ArrayStop.NoColumns;
        }

        var address = (word >> 5) & 127;
        long exec = 6;
        var rank = 0;
        Array.Clear(_values, Slots.Rout, Slots.Immediate - Slots.Rout);
        for (var column = 0; column < Slots.Columns; column++)
        {
            _conf[column] = 0;
            if ((_mask >> column & 1) == 0)
            {
                continue;
            }

            _conf[column] = _residentId[column] == id ? 1 : LoadColumn(column, ref address);
            exec += _conf[column] + 1;
            _values[Slots.ReadPointer + column] = (int)_readRegister[rank];
            _values[Slots.WritePointer + column] = (int)_writeRegister[rank];
            rank++;
            _residentId[column] = id;
            _group[column] = _mask;
        }

        _execFirst = exec;
        ChooseWalk();
        StartDecoding();
        Array.Clear(_bankPointer);
        Array.Clear(_executed);
        _sharedPointer = 0;
        _cleared = _temporaryCleared = 0xFFFF;
        _kernels++;
        _reads = _writes = _groupStall = 0;
        _pc = 0;
        _cycle = exec + 1; // the first EXEC cycle fetches (section 9)
        _running = true;
        return ArrayStop.Paused;
    }

    /// <summary>Executes the launch that <see cref="Begin"/> prepared.</summary>
    /// <param name="memory">What the columns read and write.</param>
    /// <param name="untilCycle">Pauses at the first step that does not begin before this cycle.</param>
    public ArrayStop Continue<TMemory>(ref TMemory memory, long untilCycle)
        where TMemory : struct, IWordMemory
    {
        if (!_running)
        {
            throw new InvalidOperationException("no launch is under way");
        }

        var stop = ExecuteWithEngine(ref memory, untilCycle);
        if (stop != ArrayStop.Paused)
        {
            _running = false;
        }

        if (stop == ArrayStop.Done)
        {
            for (var column = 0; column < Slots.Columns; column++)
            {
                if ((_mask >> column & 1) != 0)
                {
                    _active[column] += _cycle - 3;
                }

                // A column counts the stalls of its last group even while idle (section 10). Partial overlaps took the loop over cycles.
                if ((_group[column] & _mask) != 0)
                {
                    _stall[column] += _groupStall;
                }
            }
        }

        return stop;
    }

    private static int StoreIndex(int row, int column, int step) => (((row << 2) | column) << 5) | step;

    /// <summary>Loads a column that is not resident: cycles in CONF (section 8.3, with the short kernels' faults).</summary>
    private int LoadColumn(int column, ref int address)
    {
        var (loaded, advanced, cycles) = _steps switch
        {
            1 => (0, 1, 2),
            2 => (1, 1, 4),
            _ => (_steps, _steps, _steps + 2),
        };
        for (var row = 0; row < 4; row++)
        {
            for (var step = 0; step < loaded; step++)
            {
                _store[StoreIndex(row, column, step)] = _context[(row << 7) | ((address + step) & 127)];
            }
        }

        address = (address + advanced) & 127;
        _decodedMask = 0;
        return cycles;
    }

    private void ChooseWalk()
    {
        var exact = AlwaysWalkCycles || _bus.DenyProbability > 0 || _bus.GrantDelay > 0 || _bus.ReadLatency > 1;
        for (var column = 0; column < Slots.Columns; column++)
        {
            var common = _group[column] & _mask;
            exact |= common != 0 && common != _mask;
        }

        var walk = exact ? BusWalk.Cycles : _banks > 1 ? BusWalk.Banks : BusWalk.Static;
        if (walk != _walk)
        {
            _walk = walk;
            _decodedMask = 0;
        }
    }
}
