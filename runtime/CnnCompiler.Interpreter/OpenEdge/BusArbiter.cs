namespace CnnCompiler.Interpreter.OpenEdge;

/// <summary>Who is granted (<c>openedge.md</c> section 14).</summary>
internal static class BusArbiter
{
    private static readonly byte[] RoundRobinTable = BuildTable();

    /// <summary>Round-robin tree over a non-empty set of requesting columns; moves the pointer.</summary>
    public static int RoundRobin(int requests, ref int pointer)
    {
        var entry = RoundRobinTable[(requests << 2) | pointer];
        pointer = entry >> 2;
        return entry & 3;
    }

    /// <summary>True where the test bench refuses column <paramref name="column"/>'s request in a cycle counted from the launch.</summary>
    public static bool Denies(uint seed, int probability, long cycle, int column)
    {
        unchecked
        {
            var x = seed ^ ((uint)((cycle * 4) + column) * 0x9E3779B1u);
            x ^= x >> 16;
            x *= 0x7feb352du;
            x ^= x >> 15;
            x *= 0x846ca68bu;
            x ^= x >> 16;
            return (x & 255) < (uint)probability;
        }
    }

    private static byte[] BuildTable()
    {
        var table = new byte[16 * 4];
        for (var requests = 1; requests < 16; requests++)
        {
            for (var pointer = 0; pointer < 4; pointer++)
            {
                var lower = requests & 3;
                var upper = requests >> 2;
                var takeUpper = lower == 0 || (upper != 0 && (pointer & 2) != 0);
                var pair = takeUpper ? upper : lower;
                var takeOdd = (pair & 1) == 0 || ((pair & 2) != 0 && (pointer & 1) != 0);
                var winner = (takeUpper ? 2 : 0) + (takeOdd ? 1 : 0);

                var beyond = requests & ~((2 << pointer) - 1);
                var next = int.TrailingZeroCount(beyond != 0 ? beyond : requests);
                table[(requests << 2) | pointer] = (byte)(winner | (next << 2));
            }
        }

        return table;
    }
}
