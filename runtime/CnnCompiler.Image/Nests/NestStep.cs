using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Image.Nests;

/// <summary>How a loop of a general convolution is cut.</summary>
/// <param name="Rows">Its trips side by side along the rows of the array; 1 for none.</param>
/// <param name="Columns">Its trips side by side along the columns; 1 for none. With both, a row's trips are <paramref name="Columns"/> apart.</param>
/// <param name="Tile">Its trips in a tile on the chip: a multiple of <see cref="Lanes"/>, which may go beyond the last trip.</param>
public readonly record struct NestLoop(int Rows, int Columns, int Tile)
{
    /// <summary>Trips side by side.</summary>
    public long Lanes => (long)Rows * Columns;
}

/// <summary>
/// For each transfer how many loops of its order, from the outside, cause it when they step; the others leave what is there. It always happens at the beginning, which is all where this is 0.
/// </summary>
/// <param name="LoadInput">Of the outer loops: the input's box comes from DRAM.</param>
/// <param name="LoadKernel">Of the outer loops: the kernel's box comes from DRAM.</param>
/// <param name="FetchInput">Of the inner loops: the elements take inputs from the buffer.</param>
/// <param name="FetchKernel">Of the inner loops: the elements take kernel values from the buffer.</param>
/// <param name="SwitchSums">Of the inner loops: the elements put their partial results away and take others.</param>
public readonly record struct NestDepths(int LoadInput, int LoadKernel, int FetchInput, int FetchKernel, int SwitchSums);

/// <summary>
/// Where tensors that stay on the chip lie in the buffer of activations, as byte addresses; <see cref="Dram"/> for what lies in DRAM. Elements take inputs from there, boxes of a kernel come from there into
/// the buffer of kernels, further operands go from there to the units behind the array. Tensors are there as a whole, or, between a step and the next one, a window of them.
/// </summary>
/// <param name="Boxes">Where the boxes of an input that comes from DRAM lie, twice the largest one; of no meaning where the input is on the chip.</param>
/// <param name="Input">The input.</param>
/// <param name="Kernel">The kernel.</param>
/// <param name="Extras">Each further operand.</param>
/// <param name="Output">What is written.</param>
/// <param name="Stores">True where results go to DRAM too; they do where <paramref name="Output"/> is no address.</param>
public sealed record NestChip(int Boxes, int Input, int Kernel, IReadOnlyList<int> Extras, int Output, bool Stores)
{
    /// <summary>Stands for an operand in DRAM.</summary>
    public const int Dram = -1;

    /// <summary>Where a tensor comes tile by tile from the step before: what of it lies on the chip, and which operands read it there; null where none comes so.</summary>
    public NestTaken? Taken { get; init; }

    /// <summary>Where results go tile by tile to the step behind: what of them lies at <see cref="Output"/>; null where they stay there as a whole.</summary>
    public NestWindow? OutputWindow { get; init; }
}

/// <summary>
/// The part of a tensor that lies on the chip at a time where it goes from a step to the next tile by tile (<see cref="NestHandover"/>): dense and row-major, an index along a dimension modulo the window's extent.
/// </summary>
/// <param name="Loops">So many of their outermost loops both steps go through together.</param>
/// <param name="Extents">Its extents, one a dimension of the tensor.</param>
public sealed record NestWindow(int Loops, IReadOnlyList<int> Extents);

/// <summary>A tensor that a step takes tile by tile from the one before it.</summary>
/// <param name="Window">What of it lies on the chip.</param>
/// <param name="Input">The step's input reads it.</param>
/// <param name="Extras">Numbers of the further operands that read it; none is a table.</param>
public sealed record NestTaken(NestWindow Window, bool Input, IReadOnlyList<int> Extras);

/// <summary>
/// A general convolution on an accelerator: the descriptor of the operator and of its loop nest. Outer loops go over tiles, whose operands lie in the chip's buffers; inner loops over the trips of a
/// tile, so many of each loop side by side on the array. A loop that an order does not name has one trip in it.
/// </summary>
/// <param name="Operation">The operator; it has no <see cref="SystolicOperator.Array"/>.</param>
/// <param name="Loops">How each of its loops is cut.</param>
/// <param name="Outer">Loops over tiles, the outermost first; those of role row are the innermost ones.</param>
/// <param name="Inner">Loops inside a tile, the outermost first.</param>
/// <param name="Depths">When operands move.</param>
public sealed record NestStep(SystolicOperator Operation, IReadOnlyList<NestLoop> Loops, IReadOnlyList<int> Outer, IReadOnlyList<int> Inner, NestDepths Depths) : SystolicStep(Operation.Layer)
{
    /// <summary>Where operands lie on the chip; null where all are in DRAM and the boxes of the input at the buffer's beginning.</summary>
    public NestChip? Chip { get; init; }

    /// <summary>The operands with their places on the chip, and what of them is there where they are not there as a whole.</summary>
    public IEnumerable<(SystolicAccess Access, int Place, NestWindow? Window)> Reads
    {
        get
        {
            yield return (Operation.Input, Chip?.Input ?? NestChip.Dram, Chip?.Taken is { Input: true } taken ? taken.Window : null);
            if (Operation.Kernel is { } kernel)
            {
                yield return (kernel, Chip?.Kernel ?? NestChip.Dram, null);
            }

            for (var i = 0; i < Operation.Extras.Count; i++)
            {
                yield return (Operation.Extras[i], Chip?.Extras[i] ?? NestChip.Dram, Chip?.Taken is { } also && also.Extras.Contains(i) ? also.Window : null);
            }
        }
    }

    /// <summary>Where results lie in DRAM; null where none go there.</summary>
    public (long Start, long End)? StoredRange => Chip is { Stores: false } ? null : RangeOf(Operation.Output);

    /// <summary>Where lies what the step reads from DRAM or writes there.</summary>
    public IEnumerable<(long Start, long End)> DramRanges =>
        Reads.Where(read => read.Place == NestChip.Dram).Select(read => RangeOf(read.Access)).Concat(StoredRange is { } stored ? [stored] : []);

    /// <summary>Bytes that the boxes of the input take in the buffer: two of the largest, none where the input lies there as a whole.</summary>
    public Int128 BoxBytes => Chip is { Input: not NestChip.Dram } ? 0 : 2 * BoxElements(Operation.Input) * Operation.Input.Element.Size();

    /// <summary>Tiles along a loop.</summary>
    public long OuterTrips(int loop) => Up(Operation.Loops[loop].Extent, Loops[loop].Tile);

    /// <summary>Steps of a whole tile along a loop.</summary>
    public long InnerTrips(int loop) => Up(Math.Min(Operation.Loops[loop].Extent, Loops[loop].Tile), Loops[loop].Lanes);

    /// <summary>True where the loop indexes the access.</summary>
    public static bool Indexes(SystolicAccess access, int loop) => access.Dimensions.Any(dimension => dimension.Coefficients[loop] != 0);

    /// <summary>Most elements of an access that a tile needs: its box.</summary>
    public Int128 BoxElements(SystolicAccess access)
    {
        Int128 elements = 1;
        foreach (var dimension in access.Dimensions)
        {
            Int128 span = 0;
            for (var i = 0; i < Loops.Count; i++)
            {
                span += Int128.Abs((Int128)dimension.Coefficients[i]) * (Math.Min(Loops[i].Tile, Operation.Loops[i].Extent) - 1);
            }

            elements *= Int128.Min(dimension.Extent, (span / dimension.Divisor) + 1);
        }

        return elements;
    }

    private static (long Start, long End) RangeOf(SystolicAccess access) => (access.Address, access.Address + ChipContents.Bytes(access));

    private static long Up(long extent, long side) => (extent + side - 1) / side;
}
