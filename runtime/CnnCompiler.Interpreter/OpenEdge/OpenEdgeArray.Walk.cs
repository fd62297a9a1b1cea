using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.OpenEdge;

/// <content>The accesses of a step where their timing depends on addresses or on the test bench's refusals and delays.</content>
public sealed partial class OpenEdgeArray
{
    private readonly int[] _bankPointer;

    /// <summary>
    /// Banked bus: every waiting column asks in every cycle and one is granted a bank and cycle, so only the order is to be found.
    /// </summary>
    private ArrayStop WalkBanks<TMemory>(ref TMemory memory, ref Step step, ref int duration, ref long stall)
        where TMemory : struct, IWordMemory
    {
        Span<int> next = stackalloc int[Slots.Columns];
        Span<int> end = stackalloc int[Slots.Columns];
        Span<uint> address = stackalloc uint[Slots.Columns];
        Span<uint> bank = stackalloc uint[Slots.Columns];
        Span<byte> granted = stackalloc byte[Slots.Cells];
        Span<uint> loaded = stackalloc uint[Slots.Cells];
        var waiting = 0;
        var asking = 0;
        var first = step.AccessStart;
        for (var column = 0; column < Slots.Columns; column++)
        {
            next[column] = first;
            first += (int)(step.ColumnAccesses >> (8 * column)) & 255;
            end[column] = first;
            asking |= next[column] < first ? 1 << column : 0;
        }

        waiting = asking;
        var cycle = 0;
        for (; waiting != 0; cycle++)
        {
            for (; asking != 0; asking &= asking - 1)
            {
                var column = int.TrailingZeroCount(asking);
                address[column] = (uint)_values[_accesses[next[column]].Address];
                bank[column] = BankOf(address[column]);
            }

            var grants = 0;
            for (var rest = waiting; rest != 0;)
            {
                var column = int.TrailingZeroCount(rest);
                var same = 1 << column;
                for (var other = column + 1; other < Slots.Columns; other++)
                {
                    same |= (rest >> other & 1) != 0 && bank[other] == bank[column] ? 1 << other : 0;
                }

                rest &= ~same;
                grants |= 1 << Arbitrate(same, bank[column]);
            }

            // Within a cycle all loads see memory before that cycle's stores.
            for (var stores = 0; stores < 2; stores++)
            {
                for (var left = grants & waiting; left != 0; left &= left - 1)
                {
                    var column = int.TrailingZeroCount(left);
                    ref var access = ref _accesses[next[column]];
                    if (access.IsLoad != (stores == 0))
                    {
                        continue;
                    }

                    if (!Perform(ref memory, ref access, address[column], out loaded[access.Cell]))
                    {
                        return ArrayStop.BadAddress;
                    }

                    granted[access.Cell] = (byte)cycle;
                    grants &= ~(1 << column);
                    asking |= 1 << column;
                }
            }

            for (var left = asking; left != 0; left &= left - 1)
            {
                var column = int.TrailingZeroCount(left);
                if (++next[column] == end[column])
                {
                    waiting &= ~(1 << column);
                    asking &= ~(1 << column);
                }
            }
        }

        stall += cycle;
        duration = Math.Max(duration, cycle + 1);
        if (duration > 2 && step.Loads != 0)
        {
            for (var i = step.AccessStart; i < first; i++)
            {
                var cell = _accesses[i].Cell;
                if (_accesses[i].IsLoad && granted[cell] + 2 < duration)
                {
                    WriteTemporary(cell, loaded[cell]);
                }
            }
        }

        return ArrayStop.Done;
    }

    /// <summary>Any memory model, cycle by cycle as the ports work (sections 6.3 to 6.5 and 14). Counts each column's stalls itself.</summary>
    private ArrayStop WalkCycles<TMemory>(ref TMemory memory, ref Step step, long firstCycle, ref int duration)
        where TMemory : struct, IWordMemory
    {
        Span<Port> ports = stackalloc Port[Slots.Columns];
        var first = step.AccessStart;
        for (var column = 0; column < Slots.Columns; column++)
        {
            ports[column] = new Port { Next = first, Loading = -1, LastStore = long.MinValue / 2 };
            first += (int)(step.ColumnAccesses >> (8 * column)) & 255;
            ports[column].End = first;
        }

        for (var cycle = firstCycle; ; cycle++)
        {
            if (cycle - firstCycle > Patience)
            {
                return ArrayStop.NeverGranted;
            }

            var requesting = 0;
            var eligible = 0;
            var delivered = 0;
            for (var column = 0; column < Slots.Columns; column++)
            {
                ref var port = ref ports[column];
                if (port.Loading >= 0 && port.Due <= cycle)
                {
                    delivered |= 1 << column;
                }

                if (port.Next == port.End)
                {
                    continue;
                }

                requesting |= 1 << column;
                if (port.Loading >= 0 && port.Due > cycle)
                {
                    port.Waited = 0;
                    continue;
                }

                port.Address = (uint)_values[_accesses[port.Next].Address];
                if (port.Waited++ >= _bus.GrantDelay && !(_bus.DenyProbability > 0 && BusArbiter.Denies(_bus.DenySeed, _bus.DenyProbability, cycle, column)))
                {
                    eligible |= 1 << column;
                }
            }

            var grants = _bus.Kind == BusKind.Ideal ? eligible : 0;
            for (var rest = eligible & ~grants; rest != 0;)
            {
                var bank = BankOf(ports[int.TrailingZeroCount(rest)].Address);
                var same = 0;
                for (var column = 0; column < Slots.Columns; column++)
                {
                    same |= (rest >> column & 1) != 0 && BankOf(ports[column].Address) == bank ? 1 << column : 0;
                }

                rest &= ~same;
                grants |= 1 << Arbitrate(same, bank);
            }

            for (var left = delivered; left != 0; left &= left - 1)
            {
                ref var port = ref ports[int.TrailingZeroCount(left)];
                port.ArrivedWord = port.Word;
                port.ArrivedCell = port.Loading;
                port.Loading = -1;
            }

            for (var stores = 0; stores < 2; stores++)
            {
                for (var left = grants; left != 0; left &= left - 1)
                {
                    var column = int.TrailingZeroCount(left);
                    ref var port = ref ports[column];
                    ref var access = ref _accesses[port.Next];
                    if (access.IsLoad != (stores == 0))
                    {
                        continue;
                    }

                    if (!Perform(ref memory, ref access, port.Address, out port.Word))
                    {
                        return ArrayStop.BadAddress;
                    }

                    if (access.IsLoad)
                    {
                        port.Loading = access.Cell;
                        port.Due = cycle + _bus.ReadLatency;
                        if (port.LastStore + _bus.ReadLatency > cycle && StoresGetResponses)
                        {
                            Refuse(ref access, port.Address);
                            return ArrayStop.StoreResponseTakenAsData;
                        }
                    }
                    else
                    {
                        port.LastStore = cycle;
                    }

                    port.Waited = 0;
                    port.Next++;
                    grants &= ~(1 << column);
                }
            }

            var stalling = requesting;
            for (var column = 0; column < Slots.Columns; column++)
            {
                stalling |= ports[column].Loading >= 0 ? 1 << column : 0;
            }

            if (stalling != 0)
            {
                for (var column = 0; column < Slots.Columns; column++)
                {
                    _stall[column] += (_group[column] & stalling) != 0 ? 1 : 0;
                }
            }

            duration = (int)(cycle - firstCycle + 1);
            if (stalling == 0 && (!step.HasMultiply || duration >= 3))
            {
                return ArrayStop.Done;
            }

            for (; delivered != 0; delivered &= delivered - 1)
            {
                ref var port = ref ports[int.TrailingZeroCount(delivered)];
                WriteTemporary(port.ArrivedCell, port.ArrivedWord);
            }
        }
    }

    private uint BankOf(uint address) => (address >> _bus.Shift) % (uint)_banks;

    private int Arbitrate(int requests, uint bank) => _bus.Arbitration == BusArbitration.Fixed
        ? int.TrailingZeroCount(requests)
        : BusArbiter.RoundRobin(requests, ref _bankPointer[bank]);

    /// <summary>Cycles after which a step counts as refused for ever: far beyond what its 16 accesses need.</summary>
    private long Patience => (1L << 20) + (16L * (_bus.GrantDelay + (long)_bus.ReadLatency));

    /// <summary>One column's memory port within a step.</summary>
    private struct Port
    {
        public int Next;
        public int End;
        public uint Address;
        public int Waited;

        /// <summary>Cell whose load waits for its response; -1 for none.</summary>
        public int Loading;

        public long Due;
        public uint Word;
        public long LastStore;
        public uint ArrivedWord;
        public int ArrivedCell;
    }
}
