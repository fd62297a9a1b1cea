using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Image.Overlay;

/// <summary>What stays in the overlay's processing elements while the rest streams (DYNAMAP, arXiv 2012.00912).</summary>
public enum OverlayDataflow : byte
{
    /// <summary>NS: nothing but sums; an element a sum, [P1 rows of the left operand] x [P2 columns of the right one].</summary>
    NonStationary = 1,

    /// <summary>WS: weights, [P1 terms] x [P2 columns]; rows of the left operand stream.</summary>
    WeightStationary = 2,

    /// <summary>IS: the left operand, [P1 terms] x [P2 of its rows]; columns of weights stream.</summary>
    InputStationary = 3,
}

/// <summary>
/// One direction of a convolution as a minimal filtering algorithm F(m, r): y = A^T ((B^T d) * (G g)). G is in the weights already. m = 1 with one point is
/// the plain sum of products.
/// </summary>
/// <param name="Input">Extent of the input.</param>
/// <param name="Output">Extent of the output.</param>
/// <param name="Step">Distance of two elements of a window: the convolution's stride.</param>
/// <param name="Tile">m: outputs of a tile.</param>
/// <param name="InputMatrix">[points, points] B^T, row after row; its side is the window's length m + r - 1.</param>
/// <param name="OutputMatrix">[m, points] A^T, row after row.</param>
/// <param name="Divisor">What A^T's result is divided by, exactly: the scale that made G whole numbers.</param>
public sealed record OverlayAxis(int Input, int Output, int Step, int Tile, IReadOnlyList<int> InputMatrix, IReadOnlyList<int> OutputMatrix, int Divisor)
{
    /// <summary>Points of the transformed window, m + r - 1.</summary>
    public int Points => OutputMatrix.Count / Tile;

    /// <summary>Tiles that cover the output.</summary>
    public int Tiles => ((Output - 1) / Tile) + 1;

    /// <summary>True where nothing is transformed.</summary>
    public bool IsPlain => Points == 1 && InputMatrix[0] == 1;
}

/// <summary>A part of the kernel: the window's first element of tile (0, 0), from which tile i's is Step * m * i further.</summary>
/// <param name="Row">Row of the input.</param>
/// <param name="Column">Column of the input.</param>
public readonly record struct OverlayRound(int Row, int Column);

/// <summary>
/// The left operand of a convolution's products: for each point, group and tile its terms, [points, groups, tiles, rounds * channels of a group]. im2col is
/// the plain form with a round a tap; Winograd transforms windows. Elements outside the input are the fill value.
/// </summary>
/// <param name="Batch">Images.</param>
/// <param name="Rows">Vertical direction.</param>
/// <param name="Columns">Horizontal direction.</param>
/// <param name="Channels">Channels of the input, all groups.</param>
/// <param name="Groups">Groups.</param>
/// <param name="Rounds">Parts of the kernel.</param>
/// <param name="Fill">Element outside.</param>
public sealed record OverlayWindow(int Batch, OverlayAxis Rows, OverlayAxis Columns, int Channels, int Groups, IReadOnlyList<OverlayRound> Rounds, int Fill)
{
    /// <summary>Points of both directions.</summary>
    public int Points => Rows.Points * Columns.Points;

    /// <summary>Channels of a group.</summary>
    public int GroupChannels => Channels / Groups;

    /// <summary>Rows of tiles, images one after the other.</summary>
    public int TileRows => Batch * Rows.Tiles;

    /// <summary>True where the operand is the tensor as it lies: nothing is gathered.</summary>
    public bool IsTensor => Rounds.Count == 1 && Rounds[0] == default && Groups == 1 && Rows is { IsPlain: true, Step: 1 } && Columns is { IsPlain: true, Step: 1 }
        && Rows.Input == Rows.Output && Columns.Input == Columns.Output;

    /// <summary>Element of the form: transformed windows have 16 bits.</summary>
    public SystolicElement Element => Rows.IsPlain && Columns.IsPlain ? SystolicElement.Int8 : SystolicElement.Int16;

    /// <summary>Bytes of the tensor that the form is made from.</summary>
    public long InputBytes => (long)Batch * Rows.Input * Columns.Input * Channels;

    /// <summary>Bytes of the form.</summary>
    public long Bytes => (long)Points * TileRows * Columns.Tiles * Rounds.Count * Channels * Element.Size();
}

/// <summary>Brings a tensor in DRAM into the form that a convolution reads: the layout transformation (and linear transform) units between DRAM and DRAM.</summary>
/// <param name="Layer">Layer.</param>
/// <param name="Source">RAM byte address of the tensor, [N, H, W, C] of i8.</param>
/// <param name="Destination">RAM byte address of the form.</param>
/// <param name="Window">The form.</param>
public sealed record OverlayTransform(int Layer, int Source, int Destination, OverlayWindow Window) : SystolicStep(Layer);

/// <summary>
/// A convolution on the overlay's P1 x P2 unit, pass after pass: a pass loads the left operand of some rows of tiles and the weights of some columns, multiplies at every point,
/// transforms or adds up the products, and stores what post makes of the sums. Buffers are double: a pass's operands come while the one before it is computed, results leave while the next one is.
/// </summary>
/// <param name="Operation">
/// What is computed: its parallel loops, post, further operands and output. Its input is the tensor (or the form, where it is stored), its kernel the weights in the
/// order of the passes: [groups, chunks of columns, points, terms, columns of the chunk].
/// </param>
/// <param name="Window">The left operand.</param>
/// <param name="IsSeparate">kn2row: each round is a product of its own over the positions at which it lies inside the input, and the accumulators are where they are added (pad and accumulate).</param>
/// <param name="IsStored">The input lies in DRAM in its form; else it is transformed while it is loaded.</param>
/// <param name="Dataflow">Dataflow of the unit.</param>
/// <param name="RowsPerPass">Rows of tiles in a pass.</param>
/// <param name="ColumnsPerPass">Columns of weights in a pass.</param>
/// <param name="ColumnsOuter">True where the loop over columns is the outer one: weights come once, the left operand for every chunk of columns.</param>
/// <param name="Corrections">RAM byte address of what the zero point adds, i32: [rounds or 1, groups, columns].</param>
/// <param name="Loops">Indices of Operation's loops over batch, rows, columns, groups and channels; -1 for none.</param>
public sealed record OverlayConvolution(
    SystolicOperator Operation,
    OverlayWindow Window,
    bool IsSeparate,
    bool IsStored,
    OverlayDataflow Dataflow,
    int RowsPerPass,
    int ColumnsPerPass,
    bool ColumnsOuter,
    int Corrections,
    OverlayLoops Loops) : SystolicStep(Operation.Layer)
{
    /// <summary>Output channels of a group.</summary>
    public int GroupColumns => Loops.Channel < 0 ? 1 : Operation.Loops[Loops.Channel].Extent;

    /// <summary>Terms of a sum in one product.</summary>
    public int Terms => IsSeparate ? Window.GroupChannels : Window.Rounds.Count * Window.GroupChannels;

    /// <summary>Bytes of <see cref="Corrections"/>.</summary>
    public long CorrectionBytes => sizeof(int) * (IsSeparate ? Window.Rounds.Count : 1L) * Window.Groups * GroupColumns;

    /// <summary>Elements of the weights in the order of the passes.</summary>
    public long WeightElements => (long)Window.Groups * GroupColumns * Products * Terms;

    /// <summary>Products of a pass.</summary>
    public int Products => IsSeparate ? Window.Rounds.Count : Window.Points;
}

/// <summary>Which loop of an operator is which direction of the convolution.</summary>
/// <param name="Batch">Images, or -1.</param>
/// <param name="Row">Output rows, or -1.</param>
/// <param name="Column">Output columns, or -1.</param>
/// <param name="Group">Groups, or -1.</param>
/// <param name="Channel">Output channels of a group, or -1.</param>
public readonly record struct OverlayLoops(int Batch, int Row, int Column, int Group, int Channel);
