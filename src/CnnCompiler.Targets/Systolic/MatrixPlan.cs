using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Targets.Systolic;

/// <summary>Depths of the two directions: columns (kh) and rows (kv) that data cross in a cycle.</summary>
/// <param name="Horizontal">kh.</param>
/// <param name="Vertical">kv.</param>
public readonly record struct CollapseDepth(int Horizontal, int Vertical)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Horizontal}x{Vertical}");
}

/// <summary>How the array executes a matrix product: what <see cref="SystolicMatrix"/> says, with depths instead of configurations.</summary>
/// <param name="Operator">Name of the operator.</param>
/// <param name="GroupsPacked">Groups on the array's diagonal together.</param>
/// <param name="VectorsPerTile">Positions streamed for one load of weights.</param>
/// <param name="Order">Order of tiles.</param>
/// <param name="DoubleBuffered">Weights of the next tile are loaded beside a tile.</param>
/// <param name="Trimmed">Tiles load and wait for what they use only.</param>
/// <param name="Inner">Depth of tiles that are last in neither direction.</param>
/// <param name="LastColumns">Depth of the last tile of columns.</param>
/// <param name="LastRows">Depth of the last tile of rows.</param>
/// <param name="LastBoth">Depth of the tile that is last in both.</param>
public sealed record MatrixPlan(
    string Operator,
    int GroupsPacked,
    int VectorsPerTile,
    SystolicOrder Order,
    bool DoubleBuffered,
    bool Trimmed,
    CollapseDepth Inner,
    CollapseDepth LastColumns,
    CollapseDepth LastRows,
    CollapseDepth LastBoth)
{
    /// <summary>The depths, by class of tile.</summary>
    public IEnumerable<CollapseDepth> Depths => [Inner, LastColumns, LastRows, LastBoth];

    /// <summary>The same with one depth for all tiles.</summary>
    public MatrixPlan With(CollapseDepth depth) => this with { Inner = depth, LastColumns = depth, LastRows = depth, LastBoth = depth };

    /// <summary>The image's form.</summary>
    /// <param name="configuration">Index of a depth's configuration.</param>
    public SystolicMatrix Encode(Func<CollapseDepth, int> configuration) => new(
        GroupsPacked, VectorsPerTile, Order, DoubleBuffered, Trimmed, configuration(Inner), configuration(LastColumns), configuration(LastRows), configuration(LastBoth));
}
