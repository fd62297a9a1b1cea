using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Image.Overlay;

/// <summary>What a pass of a convolution needs on chip, once; operands have two such buffers.</summary>
/// <param name="Operand">Bytes of the left operand: its form, or (kn2row) the rows of the tensor.</param>
/// <param name="Weights">Bytes of the weights.</param>
/// <param name="Sums">Accumulators.</param>
public readonly record struct OverlayBuffers(long Operand, long Weights, long Sums)
{
    /// <summary>The buffers of a convolution's largest pass.</summary>
    public static OverlayBuffers Of(OverlayConvolution step) => Of(step.Window, step.IsSeparate, step.RowsPerPass, step.ColumnsPerPass, step.Operation.Kernel!.Element.Size());

    /// <summary>The buffers of a pass.</summary>
    /// <param name="window">The left operand.</param>
    /// <param name="isSeparate">See <see cref="OverlayConvolution.IsSeparate"/>.</param>
    /// <param name="rows">Rows of tiles.</param>
    /// <param name="columns">Columns of weights.</param>
    /// <param name="weightBytes">Bytes of a weight.</param>
    public static OverlayBuffers Of(OverlayWindow window, bool isSeparate, int rows, int columns, int weightBytes)
    {
        var tiles = (long)rows * window.Columns.Tiles;
        var terms = (long)window.Rounds.Count * window.GroupChannels;
        return new(
            isSeparate ? Span(window, rows) * window.Columns.Input * window.GroupChannels : window.Points * tiles * terms * window.Element.Size(),
            window.Points * terms * columns * weightBytes,
            window.Points * tiles * columns);
    }

    /// <summary>Most rows of the input under so many rows of outputs; passes may reach from an image into the next.</summary>
    private static long Span(OverlayWindow window, int rows)
    {
        var height = window.Rounds.Max(round => (long)round.Row) - window.Rounds.Min(round => (long)round.Row);
        return Math.Min((long)window.Batch * window.Rows.Input, ((rows - 1L) * window.Rows.Step) + 1 + height + (rows > 1 && window.Batch > 1 ? window.Rows.Input : 0));
    }
}
