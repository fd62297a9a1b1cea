using CnnCompiler.Core;

namespace CnnCompiler.Passes.Algorithms;

/// <summary>
/// A filtering algorithm in whole numbers: <see cref="Tile"/> neighbouring outputs of a filter of <see cref="Taps"/> taps from <see cref="Points"/> products,
/// Output ((Kernel g) * (Input x)), * element by element. Kernel is multiplied by <see cref="Scale"/>, by which the result is divided exactly.
/// </summary>
/// <param name="Tile">m: outputs of a tile.</param>
/// <param name="Taps">r: taps of the filter.</param>
/// <param name="Input">[points, window] what multiplies the inputs (B^T of Winograd's algorithms).</param>
/// <param name="Kernel">[points, r] what multiplies the taps (Scale * G).</param>
/// <param name="Output">[m, points] what multiplies the products (A^T).</param>
/// <param name="Scale">What the kernel's matrix is multiplied by.</param>
public sealed record FilterTransform(int Tile, int Taps, EquatableArray<int> Input, EquatableArray<int> Kernel, EquatableArray<int> Output, int Scale)
{
    /// <summary>F(1, 1): the plain product.</summary>
    public static FilterTransform Plain { get; } = new(1, 1, [1], [1], [1], 1);

    /// <summary>F(2, 3) of Winograd (Lavin and Gray, arXiv 1509.09308), points 0, 1, -1 and infinity.</summary>
    public static FilterTransform Two { get; } = new(
        2,
        3,
        [1, 0, -1, 0, 0, 1, 1, 0, 0, -1, 1, 0, 0, 1, 0, -1],
        [2, 0, 0, 1, 1, 1, 1, -1, 1, 0, 0, 2],
        [1, 1, 1, 0, 0, 1, -1, -1],
        2);

    /// <summary>F(4, 3) of Winograd, points 0, 1, -1, 2, -2 and infinity.</summary>
    public static FilterTransform Four { get; } = new(
        4,
        3,
        [4, 0, -5, 0, 1, 0, 0, -4, -4, 1, 1, 0, 0, 4, -4, -1, 1, 0, 0, -2, -1, 2, 1, 0, 0, 2, -1, -2, 1, 0, 0, 4, 0, -5, 0, 1],
        [6, 0, 0, -4, -4, -4, -4, 4, -4, 1, 2, 4, 1, -2, 4, 0, 0, 24],
        [1, 1, 1, 1, 1, 0, 0, 1, -1, 2, -2, 0, 0, 1, 1, 4, 4, 0, 0, 1, -1, 8, -8, 1],
        24);

    /// <summary>
    /// Two outputs of three taps from five products without a division: the first two taps are a Toeplitz block, which takes three products, (x0 - x1) g0, x1 (g0 + g1) and (x2 - x1) g1, the
    /// third tap two (<c>openedge-conv-c16x4.md</c> section 4, e5).
    /// </summary>
    public static FilterTransform Toeplitz { get; } = new(
        2,
        3,
        [1, -1, 0, 0, 0, 1, 0, 0, 0, -1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1],
        [1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1],
        [1, 1, 0, 1, 0, 0, 1, 1, 0, 1],
        1);

    /// <summary>Inputs of a tile: m + r - 1.</summary>
    public int Window => Tile + Taps - 1;

    /// <summary>Products of a tile.</summary>
    public int Points => Kernel.Count / Taps;

    /// <summary>Largest sum of absolute values in a row of a matrix: by how much it makes numbers larger.</summary>
    public static long Reach(EquatableArray<int> matrix, int columns) => matrix.Chunk(columns).Max(row => row.Sum(value => (long)Math.Abs(value)));
}
