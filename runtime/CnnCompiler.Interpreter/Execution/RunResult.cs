using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Interpreter.Execution;

/// <summary>What a run gave.</summary>
/// <param name="Diagnostics">What went wrong; after an error the rest describes the run up to it.</param>
/// <param name="Outputs">The network's outputs in graph order: dense, row-major, in the model's own layout. Empty after an error.</param>
/// <param name="Cycles">Cycles of the run.</param>
/// <param name="Layers">The same for each layer of the image, in its order.</param>
/// <param name="Outside">The same for steps that belong to no layer.</param>
/// <param name="Launches">The launches in the order in which they ran.</param>
/// <param name="Ram">RAM at the end, from byte address 0.</param>
public sealed record RunResult(
    IReadOnlyList<Diagnostic> Diagnostics,
    IReadOnlyList<ReadOnlyMemory<byte>> Outputs,
    RunCycles Cycles,
    IReadOnlyList<LayerReport> Layers,
    RunCycles Outside,
    IReadOnlyList<LaunchReport> Launches,
    ReadOnlyMemory<uint> Ram)
{
    /// <summary>On a systolic machine, what each layer of the image cost; empty on others. RAM and launches are empty there.</summary>
    public IReadOnlyList<SystolicLayerRun> Systolic { get; init; } = [];

    /// <summary>On OpenEdgeCGRA, what each layer of the image did, as far as it costs energy; empty on others.</summary>
    public IReadOnlyList<ArrayActivity> Activities { get; init; } = [];

    /// <summary>The same of steps that belong to no layer.</summary>
    public ArrayActivity OutsideActivity { get; init; } = ArrayActivity.None;

    /// <summary>True where the run went to its end.</summary>
    public bool Succeeded => Diagnostics.All(d => d.Severity != DiagnosticSeverity.Error);

    /// <summary>Words of RAM at the end of the run.</summary>
    /// <param name="address">Byte address, a multiple of 4.</param>
    /// <param name="words">Number of words.</param>
    public ReadOnlySpan<uint> ReadRam(int address, int words) => Ram.Span.Slice(address / 4, words);

    /// <summary>Bytes of RAM at the end of the run, low byte of a word first.</summary>
    /// <param name="address">Byte address.</param>
    /// <param name="bytes">Number of bytes.</param>
    public byte[] ReadRamBytes(int address, int bytes)
    {
        var result = new byte[bytes];
        var ram = Ram.Span;
        for (var i = 0; i < bytes; i++)
        {
            result[i] = (byte)(ram[(address + i) >> 2] >> (8 * ((address + i) & 3)));
        }

        return result;
    }
}

/// <summary>Cycles and counts of a run or of one layer (<c>openedge-system.md</c>).</summary>
/// <param name="Array">Cycles in which a launch runs, launch to done.</param>
/// <param name="HiddenHost">Host cycles while the array runs.</param>
/// <param name="ExposedHost">Host cycles while the array is idle.</param>
/// <param name="Launches">Launches.</param>
/// <param name="Reads">Words the array read.</param>
/// <param name="Writes">Words the array wrote.</param>
/// <param name="Macs">Nominal MACs, padding taps included.</param>
public sealed record RunCycles(long Array, long HiddenHost, long ExposedHost, int Launches, long Reads, long Writes, long Macs)
{
    /// <summary>Cycles from the first host action to the last output word.</summary>
    public long Total => Array + ExposedHost;

    /// <summary>Nominal MACs over total cycles; 0 where there are no cycles.</summary>
    public double MacsPerCycle => Total == 0 ? 0 : (double)Macs / Total;
}

/// <summary>One layer's part of a run.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Cycles">Its cycles.</param>
public sealed record LayerReport(LayerInfo Layer, RunCycles Cycles);

/// <summary>One executed launch.</summary>
/// <param name="Launch">Index into the image's launches.</param>
/// <param name="Layer">Layer of the host step, -1 for none.</param>
/// <param name="Start">Cycle of the run in which KERNEL_ID was written.</param>
/// <param name="BusWaits">Cycles by which the host's words on the shared bus lengthened it.</param>
/// <param name="Outcome">What the array did; its cycles count from <paramref name="Start"/>.</param>
public sealed record LaunchReport(int Launch, int Layer, long Start, long BusWaits, LaunchOutcome Outcome);
