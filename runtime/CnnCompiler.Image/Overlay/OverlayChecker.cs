using CnnCompiler.Image.Systolic;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.Overlay;

/// <summary>The rules that an overlay's words keep beyond the ranges of their fields: what is executed never leaves memory, buffers or widths.</summary>
/// <param name="machine">The machine.</param>
/// <param name="require">Ends with the text where the condition does not hold.</param>
/// <param name="memory">Ends where an address with so many bytes is outside RAM.</param>
internal sealed class OverlayChecker(MachineDescription machine, Action<bool, string> require, Action<int, long, string> memory)
{
    private const long MostTrips = 1L << 48;

    /// <summary>The rules of a transform.</summary>
    public void Check(OverlayTransform step)
    {
        Window(step.Window);
        memory(step.Source, step.Window.InputBytes, "source");
        memory(step.Destination, step.Window.Bytes, "destination");
        require(step.Destination % step.Window.Element.Size() == 0, "has a destination that is not a multiple of its element's size");
        require(step.Destination + step.Window.Bytes <= step.Source || step.Source + step.Window.InputBytes <= step.Destination, "writes over what it reads");
    }

    /// <summary>The rules of a convolution, whose operation has been checked.</summary>
    public void Check(OverlayConvolution step)
    {
        var window = step.Window;
        Window(window);
        require(step.Operation is { Array: null, Kernel: not null, Reduce: SystolicReduction.None, Accumulator: SystolicElement.Int32 }, "is no operation of the overlay's unit");
        require(!step.Operation.Post.Any(instruction => instruction.Opcode == ScalarOpcode.TapCount), "counts taps behind the unit");
        (int Index, int Extent)[] loops =
        [
            (step.Loops.Batch, window.Batch), (step.Loops.Row, window.Rows.Output), (step.Loops.Column, window.Columns.Output), (step.Loops.Group, window.Groups), (step.Loops.Channel, step.Loops.Channel < 0 ? 1 : -1),
        ];
        foreach (var (index, extent) in loops)
        {
            require(index < step.Operation.Loops.Count, "names a loop that is not there");
            require(index < 0 ? extent == 1 : extent < 0 || step.Operation.Loops[index].Extent == extent, "has loops that are not its window's");
        }

        var named = loops.Select(loop => loop.Index).Where(index => index >= 0).ToList();
        require(named.Distinct().Count() == named.Count, "names a loop twice");
        require(step.Operation.Loops.Where((loop, i) => loop.Extent > 1 && !named.Contains(i)).Any() is false, "has a loop that its window does not have");
        require(!step.IsSeparate || (window is { Points: 1, Rows.IsPlain: true, Columns.IsPlain: true } && !step.IsStored), "adds up rounds that are transformed or stored");
        require(step.RowsPerPass <= window.TileRows && step.ColumnsPerPass <= step.GroupColumns, "has passes larger than the convolution");
        require(step.WeightElements <= int.MaxValue && (long)step.RowsPerPass * window.Columns.Tiles * window.Points * step.ColumnsPerPass <= int.MaxValue, "has a pass that is too large");
        require(Elements(step.Operation.Kernel!) == step.WeightElements, "has weights of another size");
        var input = step.Operation.Input;
        var (elements, element) = step.IsStored ? (window.Bytes / window.Element.Size(), window.Element) : (window.InputBytes, SystolicElement.Int8);
        require(Elements(input) == elements && input.Element == element, "has an input of another size");
        require((Int128)step.WeightElements * window.TileRows * window.Columns.Tiles <= MostTrips, "has more products than 2^48");
        require(step.Corrections % sizeof(int) == 0, "has corrections at an address that is not a multiple of 4");
        memory(step.Corrections, step.CorrectionBytes, "corrections");
        var use = OverlayBuffers.Of(step);
        require(2 * use.Operand <= machine.Systolic![SystolicKeys.ActivationBytes], "needs a larger buffer for activations");
        require(2 * use.Weights <= machine.Systolic[SystolicKeys.WeightBytes], "needs a larger buffer for weights");
        require(use.Sums <= machine.Systolic[SystolicKeys.AccumulatorRows] * machine.Columns, "needs more accumulators than there are");
    }

    private static long Elements(SystolicAccess access) => access.Dimensions.Aggregate(1L, (product, dimension) => product * dimension.Extent);

    private void Window(OverlayWindow window)
    {
        require(machine.Systolic!.Find(SystolicKeys.WeightBits) is not null, "is for an overlay, which the machine is not");
        foreach (var axis in (OverlayAxis[])[window.Rows, window.Columns])
        {
            require(axis.OutputMatrix.Count > 0 && axis.OutputMatrix.Count % axis.Tile == 0 && axis.InputMatrix.Count == axis.Points * axis.Points, "has matrices that do not fit each other");
        }

        require(window.Channels % window.Groups == 0 && window.Rounds.Count > 0, "has groups that do not divide its channels, or no rounds");
        var size = (Int128)window.Points * window.Batch * window.Rows.Tiles * window.Columns.Tiles * window.Rounds.Count * window.Channels;
        require(size <= MostTrips && (Int128)window.Batch * window.Rows.Input * window.Columns.Input * window.Channels <= int.MaxValue && (Int128)window.Batch * window.Rows.Output <= int.MaxValue, "has a window that is too large");
        require(Reach(window.Rows) * Reach(window.Columns) * 128 <= short.MaxValue, "has a transform whose result does not fit 16 bits");
    }

    private static long Reach(OverlayAxis axis) =>
        Enumerable.Range(0, axis.Points).Max(point => Enumerable.Range(0, axis.Points).Sum(i => (long)Math.Abs(axis.InputMatrix[(point * axis.Points) + i])));
}
