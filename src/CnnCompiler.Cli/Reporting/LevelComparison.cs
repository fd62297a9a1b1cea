using System.Globalization;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Cli.Reporting;

/// <summary>Where two levels differ first.</summary>
/// <param name="Tensor">Name of the value.</param>
/// <param name="Place">Coordinates in the value's shape, or empty where the shapes differ.</param>
/// <param name="Expected">What the level that is compared with has there.</param>
/// <param name="Actual">What the level has there.</param>
/// <param name="Elements">Number of elements that differ in this tensor.</param>
internal sealed record TensorDifference(string Tensor, string Place, string Expected, string Actual, long Elements);

/// <summary>One tensor of a comparison.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Value">The tensor that is compared with.</param>
/// <param name="Elements">Elements that differ; all where shapes or types do.</param>
/// <param name="Largest">Largest difference of two elements; NaN where they can't be subtracted.</param>
internal sealed record TensorComparison(string Name, Tensor Value, long Elements, double Largest);

/// <summary>The result of comparing one level.</summary>
/// <param name="Level">Its name.</param>
/// <param name="Tensors">Values compared, in the order of the network.</param>
/// <param name="Difference">The first difference; null where there is none.</param>
internal sealed record LevelComparison(string Level, IReadOnlyList<TensorComparison> Tensors, TensorDifference? Difference)
{
    /// <summary>Elements compared.</summary>
    public long Elements => Tensors.Sum(tensor => tensor.Value.Shape.Elements);

    /// <summary>Compares the values that both have, in the given order.</summary>
    /// <param name="level">Name of the level.</param>
    /// <param name="order">Names of values in the order in which the network computes them.</param>
    /// <param name="expected">Values of the level compared with.</param>
    /// <param name="actual">Values of the level.</param>
    public static LevelComparison Of(string level, IEnumerable<string> order, IReadOnlyDictionary<string, Tensor> expected, IReadOnlyDictionary<string, Tensor> actual)
    {
        var tensors = new List<TensorComparison>();
        TensorDifference? first = null;
        foreach (var name in order)
        {
            if (!expected.TryGetValue(name, out var left) || !actual.TryGetValue(name, out var right))
            {
                continue;
            }

            var (compared, difference) = Compare(name, left, right);
            tensors.Add(compared);
            first ??= difference;
        }

        return new(level, tensors, first);
    }

    private static (TensorComparison Compared, TensorDifference? Difference) Compare(string name, Tensor expected, Tensor actual)
    {
        // a level may see the same elements under another shape, and hold codes in whole words
        if (expected.Shape.Elements != actual.Shape.Elements || (expected.Element != actual.Element && (IsReal(expected) || IsReal(actual))))
        {
            return (new(name, expected, expected.Shape.Elements, double.NaN), new(name, string.Empty, expected.ToString(), actual.ToString(), 0));
        }

        if (expected.Element == actual.Element && expected.Bytes.SequenceEqual(actual.Bytes))
        {
            return (new(name, expected, 0, 0), null);
        }

        var (first, count, largest) = (-1L, 0L, 0.0);
        for (var index = 0L; index < expected.Shape.Elements; index++)
        {
            if (!Same(expected, actual, index))
            {
                first = first < 0 ? index : first;
                count++;
                largest = Math.Max(largest, IsReal(expected) ? Math.Abs(expected.GetReal(index) - actual.GetReal(index)) : Math.Abs((double)expected.GetInteger(index) - actual.GetInteger(index)));
            }
        }

        return (new(name, expected, count, largest), first < 0 ? null : new(name, Coordinates(expected.Shape, first), Value(expected, first), Value(actual, first), count));
    }

    private static bool IsReal(Tensor tensor) => tensor.Element == ElementType.Float32;

    /// <summary>Equal codes, or equal bits of reals.</summary>
    private static bool Same(Tensor expected, Tensor actual, long index) => IsReal(expected)
        ? BitConverter.SingleToInt32Bits(expected.AsSpan<float>()[(int)index]) == BitConverter.SingleToInt32Bits(actual.AsSpan<float>()[(int)index])
        : expected.GetInteger(index) == actual.GetInteger(index);

    private static string Coordinates(Shape shape, long index)
    {
        var coordinates = new long[shape.Rank];
        for (var dimension = shape.Rank - 1; dimension >= 0; dimension--)
        {
            coordinates[dimension] = index % shape[dimension];
            index /= shape[dimension];
        }

        return $"[{string.Join(", ", coordinates.Select(coordinate => coordinate.ToString(CultureInfo.InvariantCulture)))}]";
    }

    private static string Value(Tensor tensor, long index) => IsReal(tensor)
        ? tensor.AsSpan<float>()[(int)index].ToString("R", CultureInfo.InvariantCulture)
        : tensor.GetInteger(index).ToString(CultureInfo.InvariantCulture);
}
