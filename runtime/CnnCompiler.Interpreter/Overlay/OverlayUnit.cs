using CnnCompiler.Image.Overlay;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Overlay;

/// <summary>Takes the values of an operator's loops and the sum there: post and store.</summary>
internal delegate void OverlayFinish(ReadOnlySpan<int> loops, long sum);

/// <summary>
/// Executes the overlay's words: moves data through the forms they name, multiplies, transforms back, stores, and counts cycles by stepping tiles, passes and buffers. Nothing here comes
/// from the compiler's cost model.
/// </summary>
internal sealed class OverlayUnit(MachineDescription machine, byte[] memory, CancellationToken cancellation)
{
    private readonly SystolicDescription _systolic = machine.Systolic!;

    /// <summary>Brings a tensor into a form in DRAM; reading, transforming and writing run beside each other.</summary>
    /// <param name="step">Its words.</param>
    /// <param name="check">Told, before the work, how many cycles it takes at least; ends a run that takes too long.</param>
    public SystolicLayerRun Run(OverlayTransform step, Action<long> check)
    {
        var window = step.Window;
        check(window.Bytes / window.Element.Size() / _systolic[SystolicKeys.TransformLanes]);
        var loader = new WindowLoader(window, memory, step.Source);
        var (read, write, elements) = (new BurstCounter(_systolic[SystolicKeys.BurstBytes]), new BurstCounter(_systolic[SystolicKeys.BurstBytes]), 0L);
        var tiles = window.Columns.Tiles;
        var form = new short[checked(tiles * loader.TileElements)];
        for (var group = 0; group < window.Groups; group++)
        {
            for (var row = 0; row < window.TileRows; row++)
            {
                cancellation.ThrowIfCancellationRequested();
                loader.Load(group, row, 1, form);
                WindowLoader.Write(window, memory, step.Destination, group, row * tiles, tiles, form);
                elements += form.Length;
            }
        }

        foreach (var row in loader.Touched)
        {
            read.Move(step.Source + ((long)row * window.Columns.Input * window.Channels), (long)window.Columns.Input * window.Channels);
            read.End();
        }

        write.Move(step.Destination, window.Element == SystolicElement.Int8 ? elements : 2 * elements);
        long[] times = [Over(read.Bytes, _systolic[SystolicKeys.OffChipBytes]), Over(elements, _systolic[SystolicKeys.TransformLanes]), Over(write.Bytes, _systolic[SystolicKeys.WriteBytes])];
        check(times.Max());
        return new(0, times.Max(), 0, 0, 0, default, elements, 0, Words(read.Bytes), Words(write.Bytes), times.Max() * _systolic.PeriodFemtoseconds(1, 1));
    }

    /// <summary>Runs a convolution.</summary>
    /// <param name="step">Its words.</param>
    /// <param name="finish">Post and store.</param>
    /// <param name="check">Told, before each pass, how many cycles the convolution takes at least; ends a run that takes too long.</param>
    public SystolicLayerRun Run(OverlayConvolution step, OverlayFinish finish, Action<long> check)
    {
        var run = new ConvolutionRun(machine, memory, step, finish);
        var (rowChunks, columnChunks) = (Chunks(step.Window.TileRows, step.RowsPerPass), Chunks(step.GroupColumns, step.ColumnsPerPass));
        for (var group = 0; group < step.Window.Groups; group++)
        {
            for (var outer = 0; outer < (step.ColumnsOuter ? columnChunks : rowChunks); outer++)
            {
                for (var inner = 0; inner < (step.ColumnsOuter ? rowChunks : columnChunks); inner++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    check(run.CyclesBefore);
                    run.Pass(group, step.ColumnsOuter ? inner : outer, step.ColumnsOuter ? outer : inner);
                }
            }
        }

        var result = run.Result();
        check(result.Cycles);
        return result;
    }

    internal static long Over(long amount, long each) => (amount + each - 1) / each;

    internal static long Words(long bytes) => (bytes + 3) / 4;

    private static int Chunks(int extent, int chunk) => ((extent - 1) / chunk) + 1;
}
