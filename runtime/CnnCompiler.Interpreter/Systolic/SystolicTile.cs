using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>
/// One use of the array: its weights are loaded, then vectors of activations are streamed through. Weights lie in the top left corner; rows and columns
/// beyond it are not used.
/// </summary>
/// <param name="Configuration">The array and its groups.</param>
/// <param name="Rows">Rows used: elements of a vector of activations, 1 to R.</param>
/// <param name="Columns">Columns used: results of a vector, 1 to C.</param>
/// <param name="Vectors">Vectors streamed: T, 1 or more.</param>
/// <param name="Weights">int8 [Rows, Columns], row-major.</param>
/// <param name="Activations">int8 [Vectors, Rows], row-major.</param>
public sealed record SystolicTile(
    SystolicConfiguration Configuration, int Rows, int Columns, int Vectors, ReadOnlyMemory<sbyte> Weights, ReadOnlyMemory<sbyte> Activations)
{
    /// <summary>
    /// False: all R rows are loaded and the tile ends when the last of all C columns would be out, whatever is used (the paper, SCALE-Sim). True: only the
    /// rows used are loaded and the tile ends with the last result of a column that is used.
    /// </summary>
    public bool Trimmed { get; init; }
}

/// <summary>What a tile gave.</summary>
/// <param name="Sums">int32 [Vectors, Columns], row-major, modulo 2^32.</param>
/// <param name="Cycles">
/// [Vectors, Columns]: the cycle at whose end the sum is written into the register below the last row, counted from 0 at the pass's first cycle. For a tile
/// alone that is R + vector + (row groups - 1) + group of the column.
/// </param>
/// <param name="Start">Cycle in which the first activation enters.</param>
/// <param name="End">First cycle after the tile.</param>
public sealed record SystolicTileResult(int[] Sums, long[] Cycles, long Start, long End);

/// <summary>What a sequence of tiles gave.</summary>
/// <param name="Tiles">Each tile's results.</param>
/// <param name="Cycles">Cycles from the first weight row's entry to the end of the last tile.</param>
/// <param name="Events">What happened in the array.</param>
public sealed record SystolicPass(IReadOnlyList<SystolicTileResult> Tiles, long Cycles, SystolicEvents Events);
