using CnnCompiler.Core.Tensors;
using CnnCompiler.Passes.Algorithms;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// A filtering algorithm along the lines of a convolution as the array computes it: all of the division is behind the products, so that transformed weights stay as
/// small as they can be (at most seven times the largest one). The point at infinity is the fourth, so that the points of F(2, 3) are the first ones of F(4, 3).
/// </summary>
internal sealed class RowTransform
{
    /// <summary>The fewest taps of a round.</summary>
    public const int FewestTaps = 2;

    /// <summary>The point at infinity.</summary>
    public const int Infinity = 3;

    private readonly FilterTransform _filter;
    private readonly int[] _order;
    private readonly int[] _factor;

    private RowTransform(FilterTransform filter)
    {
        _filter = filter;
        var last = filter.Points - 1;
        _order = [.. Enumerable.Range(0, Infinity), last, .. Enumerable.Range(Infinity, last - Infinity)];
        _factor = [.. filter.Kernel.Chunk(filter.Taps).Select(row => row.First(value => value != 0))];
    }

    /// <summary>F(2, 3).</summary>
    public static RowTransform Two { get; } = new(FilterTransform.Two);

    /// <summary>F(4, 3).</summary>
    public static RowTransform Four { get; } = new(FilterTransform.Four);

    /// <summary>Lines of outputs of a tile.</summary>
    public int Tile => _filter.Tile;

    /// <summary>Taps of a full round.</summary>
    public int Taps => _filter.Taps;

    /// <summary>Products of a tile.</summary>
    public int Points => _filter.Points;

    /// <summary>What results are divided by, evenly.</summary>
    public int Scale => _filter.Scale;

    /// <summary>By how much it makes inputs larger.</summary>
    public long InputReach => FilterTransform.Reach(_filter.Input, _filter.Window);

    /// <summary>By how much a point of a round makes inputs larger.</summary>
    public long ReachOf(int point, int taps) => Enumerable.Range(0, Window(taps)).Sum(line => (long)Math.Abs(Input(point, line, taps)));

    /// <summary>By how much it makes weights larger.</summary>
    public long WeightReach => Enumerable.Range(0, Points).Max(point => Enumerable.Range(0, Taps).Sum(tap => (long)Math.Abs(Weight(point, tap))));

    /// <summary>The algorithm with so many points.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public static RowTransform Of(int points) => points == Two.Points ? Two : points == Four.Points ? Four : throw new InvalidOperationException($"no algorithm has {points} points");

    /// <summary>The algorithm with tiles of so many lines.</summary>
    public static RowTransform OfTile(int lines) => lines == Two.Tile ? Two : Four;

    /// <summary>Lines of inputs that a tile reads in a round.</summary>
    public int Window(int taps) => Tile + taps - 1;

    /// <summary>
    /// What multiplies a line of inputs. In a round of two taps the point at infinity has weights of 0 only, and reads the second line in place of the last, which needn't exist.
    /// </summary>
    public int Input(int point, int line, int taps)
    {
        var row = _order[point] * _filter.Window;
        return _filter.Input[row + line] + (point == Infinity && taps == FewestTaps && line == 1 ? _filter.Input[row + _filter.Window - 1] : 0);
    }

    /// <summary>What multiplies a tap.</summary>
    public int Weight(int point, int tap) => _filter.Kernel[(_order[point] * Taps) + tap] / _factor[_order[point]];

    /// <summary>What multiplies a product, times <see cref="Scale"/>.</summary>
    public int Output(int line, int point) => _filter.Output[(line * Points) + _order[point]] * _factor[_order[point]];

    /// <summary>[points, lines] what multiplies the inputs of a round.</summary>
    public Tensor InputMatrix(int taps) => Matrix(Points, Window(taps), (point, line) => Input(point, line, taps));

    /// <summary>[lines, points] what multiplies the products.</summary>
    public Tensor OutputMatrix() => Matrix(Tile, Points, Output);

    private static Tensor Matrix(int rows, int columns, Func<int, int, int> value) => Tensor.From<int>(
        ElementType.Int32,
        Shape.Of(rows, columns),
        [.. from row in Enumerable.Range(0, rows) from column in Enumerable.Range(0, columns) select value(row, column)]);
}
