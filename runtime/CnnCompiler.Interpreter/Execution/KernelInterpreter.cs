using System.Globalization;
using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Execution;

/// <summary>What a single kernel left behind.</summary>
/// <param name="Outcome">Cycles and counts of its launch.</param>
/// <param name="Memory">Memory at its end.</param>
/// <param name="WritePointers">Byte address behind each column's last SWD.</param>
public sealed record KernelRun(LaunchOutcome Outcome, SparseWords Memory, IReadOnlyList<uint> WritePointers);

/// <summary>Executes one launch of one kernel in a memory of all 32-bit addresses, without an image around it.</summary>
public static class KernelInterpreter
{
    private const int KernelId = 1;
    private const int Columns = 4;

    /// <summary>Runs a kernel.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="bus">How the columns reach memory.</param>
    /// <param name="memory">Memory before the launch; it is changed. What was never written reads as 0.</param>
    /// <param name="readPointers">For each column the byte address of its first LWD.</param>
    /// <param name="writePointers">For each column the byte address of its first SWD.</param>
    /// <param name="options">Cycle limit, trace and file name count.</param>
    /// <param name="diagnostics">Gets what went wrong.</param>
    /// <param name="cancellation">Stops the run with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>Null where it failed.</returns>
    public static KernelRun? Run(
        KernelImage kernel,
        BusDescription bus,
        SparseWords memory,
        IReadOnlyList<uint> readPointers,
        IReadOnlyList<uint> writePointers,
        RunOptions options,
        DiagnosticBag diagnostics,
        CancellationToken cancellation = default)
    {
        const long slice = 1 << 16;
        var array = new OpenEdgeArray(bus) { AlwaysWalkCycles = options.AlwaysWalkCycles };
        for (var row = 0; row < kernel.Rows.Count; row++)
        {
            for (var word = 0; word < kernel.Rows[row].Count; word++)
            {
                array.WriteContext(row, word, kernel.Rows[row][word]);
            }
        }

        array.WriteConfiguration(KernelId, (ushort)((kernel.Steps - 1) | (kernel.ColumnMask << 12)));
        for (var column = 0; column < Columns; column++)
        {
            array.WriteReadPointer(column, readPointers[column]);
            array.WriteWritePointer(column, writePointers[column]);
        }

        var words = new SparseMemory(memory);
        var stop = array.Begin(KernelId);
        while (stop == ArrayStop.Paused && array.Cycle < options.MaxCycles)
        {
            cancellation.ThrowIfCancellationRequested();
            var until = Math.Min(options.MaxCycles, array.Cycle + slice);
            stop = options.Trace is { } trace ? array.ContinueTraced(ref words, until, trace) : array.Continue(ref words, until);
        }

        if (stop == ArrayStop.Done)
        {
            return new(array.Outcome, memory, array.WritePointers);
        }

        var span = options.FileName.Length == 0 ? SourceSpan.None : SourceSpan.WholeFile(options.FileName);
        var place = new LaunchPlace(0, kernel.Name, string.Empty);
        diagnostics.Report(stop switch
        {
            ArrayStop.NoColumns => ExecutionDiagnostics.KernelHasNoColumns(span, place),
            ArrayStop.NeverGranted => ExecutionDiagnostics.NeverGranted(span, place, array.ProgramCounter),
            ArrayStop.StoreResponseTakenAsData => ExecutionDiagnostics.StoreResponseTakenAsData(span, place, array.ProgramCounter, array.Fault.Row, array.Fault.Column),
            ArrayStop.BadAddress => ExecutionDiagnostics.SparseMemoryFull(
                span, string.Create(CultureInfo.InvariantCulture, $"{place}, step {array.ProgramCounter}"), array.Fault.Address, SparseWords.MaxPages * (long)SparseWords.PageBytes),
            _ => ExecutionDiagnostics.KernelNeverEnds(span, place, array.ProgramCounter, options.MaxCycles),
        });
        return null;
    }
}
