using CnnCompiler.Core;

namespace CnnCompiler.Passes.Algorithms;

/// <summary>How an algorithm says a convolution as several general convolutions.</summary>
public enum AlgorithmKind
{
    /// <summary>A copy of all windows, then one product without overlapping windows.</summary>
    Patches,

    /// <summary>A product for each tap at every input, then the sum of the shifted results.</summary>
    Taps,

    /// <summary>Transforms of inputs and weights, a product for each point, and the transform of the results.</summary>
    Transform,
}

/// <summary>An algorithm for a convolution of whole numbers, the same sums in another order.</summary>
/// <param name="Name">Its name: <c>im2col</c>, <c>kn2row</c>, <c>winograd-1x4</c> (tiles of so many rows x columns), <c>toeplitz-2x1</c>.</param>
/// <param name="Kind">Kind.</param>
/// <param name="Summary">What it does, for help.</param>
/// <param name="Rows">Transform along the dimension h.</param>
/// <param name="Columns">Transform along the dimension w.</param>
public sealed record ConvolutionAlgorithm(string Name, AlgorithmKind Kind, string Summary, FilterTransform Rows, FilterTransform Columns)
{
    /// <summary>What takes the place of an algorithm's name where the convolution stays as it is.</summary>
    public const string Direct = "direct";

    /// <summary>All algorithms.</summary>
    public static EquatableArray<ConvolutionAlgorithm> All { get; } =
    [
        new("im2col", AlgorithmKind.Patches, "copies every window, so that the product reads each element once", FilterTransform.Plain, FilterTransform.Plain),
        new("kn2row", AlgorithmKind.Taps, "multiplies every input by every tap, then adds the shifted products", FilterTransform.Plain, FilterTransform.Plain),
        Transformed("toeplitz", FilterTransform.Plain, FilterTransform.Toeplitz),
        Transformed("toeplitz", FilterTransform.Toeplitz, FilterTransform.Plain),
        Transformed("winograd", FilterTransform.Plain, FilterTransform.Two),
        Transformed("winograd", FilterTransform.Two, FilterTransform.Plain),
        Transformed("winograd", FilterTransform.Plain, FilterTransform.Four),
        Transformed("winograd", FilterTransform.Four, FilterTransform.Plain),
        Transformed("winograd", FilterTransform.Two, FilterTransform.Two),
        Transformed("winograd", FilterTransform.Four, FilterTransform.Four),
    ];

    /// <summary>The algorithm of this name, or null.</summary>
    public static ConvolutionAlgorithm? Find(string name) => All.FirstOrDefault(algorithm => algorithm.Name == name);

    private static ConvolutionAlgorithm Transformed(string family, FilterTransform rows, FilterTransform columns) => new(
        FormattableString.Invariant($"{family}-{rows.Tile}x{columns.Tile}"),
        AlgorithmKind.Transform,
        FormattableString.Invariant($"{rows.Points * columns.Points} products for {rows.Tile * columns.Tile} outputs of {rows.Taps * columns.Taps} taps"),
        rows,
        columns);
}
