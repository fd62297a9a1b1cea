using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Rtl.Tests;

/// <summary>Passes of tiles: every kind of configuration, partial tiles, random data and extremes.</summary>
internal static class RandomPasses
{
    /// <summary>A pass for an array; equal seeds give equal passes.</summary>
    public static IReadOnlyList<SystolicTile> Pass(ArrayShape shape, int seed)
    {
        var random = new SeededRandom((ulong)seed);
        return [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => Tile(random, shape, Configuration(random, shape)))];
    }

    /// <summary>One full tile for each pair of depths up to the array's sides, the last ones included that do not divide them; on the plain array, of depth 1.</summary>
    public static IReadOnlyList<SystolicTile> EveryDepth(ArrayShape shape)
    {
        var random = new SeededRandom(0x5EED);
        return [..
            from vertical in Depths(shape, shape.Rows)
            from horizontal in Depths(shape, shape.Columns)
            select Full(random, shape, SystolicConfiguration.Of(shape.Rows, shape.Columns, horizontal, vertical), random.Next(1, 6), random.NextCode)];
    }

    /// <summary>Tiles that use all of the array, with every operand at an end of its range.</summary>
    public static IReadOnlyList<SystolicTile> Extremes(ArrayShape shape)
    {
        var random = new SeededRandom(0xE0);
        return [..
            from depth in Depths(shape, Math.Max(shape.Rows, shape.Columns))
            from codes in (sbyte[][])[[sbyte.MinValue], [sbyte.MaxValue], [sbyte.MinValue, sbyte.MaxValue], [sbyte.MinValue, -1, 0, 1, sbyte.MaxValue]]
            select Full(random, shape, SystolicConfiguration.Of(shape.Rows, shape.Columns, depth, depth), 3, () => random.Choose<sbyte>(codes))];
    }

    private static IEnumerable<int> Depths(ArrayShape shape, int side) => shape.Configurable ? Enumerable.Range(1, side).Where(depth => depth <= 6 || depth == side) : [1];

    private static SystolicTile Full(SeededRandom random, ArrayShape shape, SystolicConfiguration configuration, int vectors, Func<sbyte> code) => new(
        configuration, shape.Rows, shape.Columns, vectors, Codes(shape.Rows * shape.Columns, code), Codes(vectors * shape.Rows, code)) { Trimmed = random.OneIn(2) };

    private static SystolicTile Tile(SeededRandom random, ArrayShape shape, SystolicConfiguration configuration)
    {
        var (rows, columns, vectors) = (random.Next(1, shape.Rows), random.Next(1, shape.Columns), random.Next(1, 24));
        var extreme = random.OneIn(4);
        sbyte Code() => extreme && random.OneIn(2) ? random.Choose<sbyte>(sbyte.MinValue, sbyte.MaxValue) : random.NextCode();
        return new(configuration, rows, columns, vectors, Codes(rows * columns, Code), Codes(vectors * rows, Code)) { Trimmed = random.OneIn(2) };
    }

    /// <summary>Groups of equal depth, of different depths in the two directions, or any pattern of bypass bits.</summary>
    private static SystolicConfiguration Configuration(SeededRandom random, ArrayShape shape)
    {
        if (!shape.Configurable)
        {
            return SystolicConfiguration.Of(shape.Rows, shape.Columns, 1, 1);
        }

        return random.Next(0, 2) switch
        {
            0 when random.Choose(1, 2, 3, 4) is var depth => SystolicConfiguration.Of(shape.Rows, shape.Columns, depth, depth),
            1 => SystolicConfiguration.Of(shape.Rows, shape.Columns, random.Next(1, shape.Columns), random.Next(1, shape.Rows)),
            _ => new(Bits(random, shape.Columns), Bits(random, shape.Rows)),
        };
    }

    private static bool[] Bits(SeededRandom random, int side) => [.. Enumerable.Range(0, side - 1).Select(_ => random.OneIn(2)), false];

    private static sbyte[] Codes(int count, Func<sbyte> code) => [.. Enumerable.Range(0, count).Select(_ => code())];
}
