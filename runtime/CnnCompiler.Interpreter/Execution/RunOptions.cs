using CnnCompiler.Image.Nests;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Interpreter.Systolic;

namespace CnnCompiler.Interpreter.Execution;

/// <summary>How an image is run.</summary>
public sealed record RunOptions
{
    /// <summary>Default of <see cref="MaxCycles"/>.</summary>
    public const long DefaultMaxCycles = 500_000_000;

    /// <summary>Cycles after which a launch counts as one that never ends.</summary>
    public long MaxCycles { get; init; } = DefaultMaxCycles;

    /// <summary>Stop when the last host step of this layer is done and the array idle; null to run to the end. For looking at intermediate tensors.</summary>
    public int? StopAfterLayer { get; init; }

    /// <summary>Name of the image file, for messages.</summary>
    public string FileName { get; init; } = string.Empty;

    /// <summary>Called after each launch and, in long launches, about every million cycles; null for none.</summary>
    public Action<RunProgress>? Progress { get; init; }

    /// <summary>Called for each stretch of time in which the host does one thing, in order; null for none. Launches are in <see cref="RunResult.Launches"/>.</summary>
    public Action<HostWork>? OnHostWork { get; init; }

    /// <summary>Index into the image's launches whose steps <see cref="Trace"/> is told; null for none.</summary>
    public int? TraceLaunch { get; init; }

    /// <summary>Called after each step of the array in launch <see cref="TraceLaunch"/>; results and cycles are the same as without.</summary>
    public Action<StepTrace>? Trace { get; init; }

    /// <summary>Called after each step of a systolic program with its index, the memory and what lies on the chip (the activation buffer of an accelerator of general convolutions); null for none. For looking at intermediate tensors.</summary>
    public Action<int, ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>? AfterSystolicStep { get; init; }

    /// <summary>
    /// Called after each step whose result goes to the next one tile by tile and nowhere else, with its index and all that it wrote, dense and row-major; null for none. Such a tensor is nowhere as a whole: it
    /// is collected while it is written, and only where this asks for it.
    /// </summary>
    public Action<int, ReadOnlyMemory<byte>>? AfterHandover { get; init; }

    /// <summary>Called after each step of a systolic program with its index and what it cost.</summary>
    public Action<int, SystolicLayerRun>? AfterSystolicStepCost { get; init; }

    /// <summary>Called after each general convolution on an accelerator with its step and what it did; null for none.</summary>
    public Action<int, NestCounts>? AfterNest { get; init; }

    /// <summary>
    /// Called after each operator that the stepping engine ran (<see cref="AlwaysWalkCycles"/>), with its tiles and what they gave; null for none. For comparing other implementations of the
    /// array with an image's own tiles.
    /// </summary>
    public Action<SteppedOperator>? AfterSteppedOperator { get; init; }

    /// <summary>
    /// True to take the array's loop over cycles everywhere; results are the same (<see cref="OpenEdge.OpenEdgeArray.AlwaysWalkCycles"/>; on a systolic machine
    /// <see cref="Systolic.SteppedArray"/> instead of <see cref="Systolic.FastArray"/>).
    /// </summary>
    public bool AlwaysWalkCycles { get; init; }

    /// <summary>How OpenEdgeCGRA's kernels are executed; results are the same.</summary>
    public OpenEdge.KernelEngine Engine { get; init; }
}

/// <summary>What the host is busy with.</summary>
public enum HostActivity
{
    /// <summary>Writes the registers of a launch.</summary>
    Registers,

    /// <summary>Writes a kernel into context memory.</summary>
    LoadKernel,

    /// <summary>Copies words from flash to RAM.</summary>
    CopyFlash,

    /// <summary>Copies words in RAM.</summary>
    CopyRam,

    /// <summary>Computes a softmax.</summary>
    Softmax,

    /// <summary>Serves the interrupt of a launch that ended.</summary>
    Interrupt,
}

/// <summary>A stretch of host time.</summary>
/// <param name="Activity">What the host does.</param>
/// <param name="Layer">For which layer, -1 for none.</param>
/// <param name="Start">Cycle of the run in which it begins.</param>
/// <param name="Cycles">How long it takes.</param>
public readonly record struct HostWork(HostActivity Activity, int Layer, long Start, long Cycles);

/// <summary>An operator as the stepping engine ran it.</summary>
/// <param name="Step">Its step in the program.</param>
/// <param name="DoubleBuffered">True where weights were loaded beside the tile before.</param>
/// <param name="Tiles">Its tiles, in the order of the machine, with their data.</param>
/// <param name="Pass">What they gave.</param>
public sealed record SteppedOperator(int Step, bool DoubleBuffered, IReadOnlyList<SystolicTile> Tiles, SystolicPass Pass);

/// <summary>How far a run is.</summary>
/// <param name="Step">Host step that is being executed.</param>
/// <param name="Steps">Number of host steps.</param>
/// <param name="Layer">Layer of the step, -1 for none.</param>
/// <param name="ArrayCycles">Array cycles executed so far.</param>
public readonly record struct RunProgress(int Step, int Steps, int Layer, long ArrayCycles);
