using CnnCompiler.Interpreter.OpenEdge;

namespace CnnCompiler.Interpreter.Execution;

/// <summary>What happened on behalf of each layer, besides its times.</summary>
/// <param name="layers">Number of layers.</param>
internal sealed class ActivityCounter(int layers)
{
    private readonly Counts[] _counts = [.. Enumerable.Range(0, layers + 1).Select(_ => new Counts())];

    /// <summary>The launch that ended.</summary>
    public void AddLaunch(int layer, OpenEdgeArray array)
    {
        var counts = _counts[layer + 1];
        array.AddOperations(counts.Operations);
        counts.Executing += array.Executing;
    }

    /// <summary>Words that the host moved.</summary>
    public void AddHost(int layer, long ramReads = 0, long ramWrites = 0, long flash = 0, long context = 0)
    {
        var counts = _counts[layer + 1];
        counts.RamReads += ramReads;
        counts.RamWrites += ramWrites;
        counts.Flash += flash;
        counts.Context += context;
    }

    /// <summary>What a layer did; -1 for what belongs to none.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="cycles">Its cycles.</param>
    /// <param name="beside">Cycles in which the host works while its launches run.</param>
    public ArrayActivity Of(int layer, RunCycles cycles, long beside)
    {
        const int Cells = 16;
        var counts = _counts[layer + 1];
        return new()
        {
            Operations = [.. counts.Operations],
            ExecutingCellCycles = counts.Executing,
            IdleCellCycles = (Cells * cycles.Total) - counts.Executing,
            RamReads = cycles.Reads + counts.RamReads,
            RamWrites = cycles.Writes + counts.RamWrites,
            FlashWords = counts.Flash,
            ContextWords = counts.Context,
            HostCycles = cycles.ExposedHost + cycles.HiddenHost,
            HostWaitCycles = cycles.Array - beside,
        };
    }

    private sealed class Counts
    {
        public long[] Operations { get; } = new long[ArrayActivity.Opcodes];

        public long Executing { get; set; }

        public long RamReads { get; set; }

        public long RamWrites { get; set; }

        public long Flash { get; set; }

        public long Context { get; set; }
    }
}
