namespace CnnCompiler.Targets.Overlay;

/// <summary>
/// A minimal filtering algorithm F(m, r) (Winograd; Lavin and Gray, arXiv 1509.09308) in whole numbers: G is multiplied by <see cref="Scale"/>, by which the result is divided
/// exactly.
/// </summary>
/// <param name="Tile">m.</param>
/// <param name="Taps">r.</param>
/// <param name="Input">[points, points] B^T.</param>
/// <param name="Kernel">[points, r] Scale * G.</param>
/// <param name="Output">[m, points] A^T.</param>
/// <param name="Scale">What G is multiplied by.</param>
internal sealed record WinogradTransform(int Tile, int Taps, int[] Input, int[] Kernel, int[] Output, int Scale)
{
    /// <summary>F(1, 1): the plain product.</summary>
    public static WinogradTransform Plain { get; } = new(1, 1, [1], [1], [1], 1);

    /// <summary>F(2, 3), points 0, 1, -1 and infinity.</summary>
    public static WinogradTransform Two { get; } = new(
        2,
        3,
        [1, 0, -1, 0, 0, 1, 1, 0, 0, -1, 1, 0, 0, 1, 0, -1],
        [2, 0, 0, 1, 1, 1, 1, -1, 1, 0, 0, 2],
        [1, 1, 1, 0, 0, 1, -1, -1],
        2);

    /// <summary>F(4, 3), points 0, 1, -1, 2, -2 and infinity.</summary>
    public static WinogradTransform Four { get; } = new(
        4,
        3,
        [4, 0, -5, 0, 1, 0, 0, -4, -4, 1, 1, 0, 0, 4, -4, -1, 1, 0, 0, -2, -1, 2, 1, 0, 0, 2, -1, -2, 1, 0, 0, 4, 0, -5, 0, 1],
        [6, 0, 0, -4, -4, -4, -4, 4, -4, 1, 2, 4, 1, -2, 4, 0, 0, 24],
        [1, 1, 1, 1, 1, 0, 0, 1, -1, 2, -2, 0, 0, 1, 1, 4, 4, 0, 0, 1, -1, 8, -8, 1],
        24);

    /// <summary>m + r - 1.</summary>
    public int Points => Tile + Taps - 1;

    /// <summary>Largest sum of absolute values in a row of a matrix: by how much it makes numbers larger.</summary>
    public static long Reach(int[] matrix, int columns) => matrix.Chunk(columns).Max(row => row.Sum(value => (long)Math.Abs(value)));
}
