using System.Globalization;

namespace CnnCompiler.Interpreter.OpenEdge;

/// <summary>Why the array stopped.</summary>
public enum ArrayStop
{
    /// <summary>The kernel ended.</summary>
    Done,

    /// <summary>It has not ended yet; <see cref="OpenEdgeArray.Continue"/> goes on.</summary>
    Paused,

    /// <summary>The low four bits of KERNEL_ID are 0: the controller ignores the request for ever.</summary>
    BadKernelId,

    /// <summary>The configuration word's column mask is 0: the controller hangs for ever (<c>openedge.md</c> section 8.1).</summary>
    NoColumns,

    /// <summary>The memory refused an access; see <see cref="OpenEdgeArray.Fault"/>.</summary>
    BadAddress,

    /// <summary>
    /// A store's response arrives while a load of the column waits: the hardware takes it as the load's data (<c>openedge.md</c>
    /// section 6.6). What it reads then is not specified.
    /// </summary>
    StoreResponseTakenAsData,

    /// <summary>The memory model goes on refusing a request.</summary>
    NeverGranted,
}

/// <summary>Four numbers, one a column.</summary>
/// <param name="Column0">Column 0.</param>
/// <param name="Column1">Column 1.</param>
/// <param name="Column2">Column 2.</param>
/// <param name="Column3">Column 3.</param>
public readonly record struct PerColumn(long Column0, long Column1, long Column2, long Column3)
{
    /// <summary>The number of a column, 0 to 3.</summary>
    public long this[int column] => column switch
    {
        0 => Column0,
        1 => Column1,
        2 => Column2,
        3 => Column3,
        _ => throw new ArgumentOutOfRangeException(nameof(column), column, "columns are 0 to 3"),
    };

    /// <summary>The sum.</summary>
    public long Sum => Column0 + Column1 + Column2 + Column3;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"[{Column0}, {Column1}, {Column2}, {Column3}]");

    internal static PerColumn From(ReadOnlySpan<long> numbers) => new(numbers[0], numbers[1], numbers[2], numbers[3]);
}

/// <summary>What one launch did, in the terms of <c>golden/openedge/README.md</c>. Cycle 0 is the one in which the write of KERNEL_ID is accepted.</summary>
/// <param name="ExecFirst">First EXEC cycle X.</param>
/// <param name="Done">Cycle of the interrupt D.</param>
/// <param name="Exec">Cycles each column spent in EXEC.</param>
/// <param name="Conf">Cycles each column spent in CONF.</param>
/// <param name="Reads">Words read from memory.</param>
/// <param name="Writes">Words written to memory.</param>
/// <param name="Counters">The performance counters after the launch.</param>
public readonly record struct LaunchOutcome(
    long ExecFirst, long Done, PerColumn Exec, PerColumn Conf, long Reads, long Writes, PerformanceCounters Counters);

/// <summary>The performance counters (<c>openedge.md</c> section 10), enabled from the start and never reset.</summary>
/// <param name="Kernels">PERF_CNT_TOTAL_KERNELS.</param>
/// <param name="Active">PERF_CNT_COL_c_ACTIVE_CYCLES.</param>
/// <param name="Stall">PERF_CNT_COL_c_STALL_CYCLES.</param>
public readonly record struct PerformanceCounters(long Kernels, PerColumn Active, PerColumn Stall);

/// <summary>The access or the cell a launch stopped at.</summary>
/// <param name="Row">Row of the cell.</param>
/// <param name="Column">Column of the cell.</param>
/// <param name="Address">Byte address.</param>
/// <param name="IsWrite">True for a store.</param>
public readonly record struct ArrayFault(int Row, int Column, uint Address, bool IsWrite);
