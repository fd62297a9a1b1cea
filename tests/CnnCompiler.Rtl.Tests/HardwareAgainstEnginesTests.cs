using System.Globalization;
using CnnCompiler.Interpreter.Systolic;

namespace CnnCompiler.Rtl.Tests;

/// <summary>The hardware, simulated by Verilator, against both engines: every sum, the cycle it leaves in, the end of every tile.</summary>
public class HardwareAgainstEnginesTests(ITestOutputHelper output)
{
    private const int Passes = 40;

    /// <summary>Arrays with a side of 1, square and not, sides that 2, 3 and 4 do not divide, the plain array, two weight registers, sums that wrap.</summary>
    public static TheoryData<ArrayShape> Shapes => new((ArrayShape[])
    [
        new(1, 1), new(1, 7), new(9, 1), new(4, 4), new(5, 7), new(8, 8), new(13, 6), new(16, 16), new(32, 32),
        new(4, 4, Configurable: false), new(5, 7, Configurable: false), new(1, 1, DoubleBuffered: true), new(5, 7, DoubleBuffered: true), new(8, 8, DoubleBuffered: true),
        new(6, 5, Configurable: false, DoubleBuffered: true), new(16, 3, SumWidth: 17),
    ]);

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_sum_leaves_with_the_value_and_in_the_cycle_of_both_engines(ArrayShape shape)
    {
        RtlTier.Require();
        var model = ArrayModel.Of(shape);
        var passes = Enumerable.Range(0, Passes).Select(seed => RandomPasses.Pass(shape, seed)).Append(RandomPasses.EveryDepth(shape)).Append(RandomPasses.Extremes(shape)).ToList();
        var (sums, cycles) = (0L, 0L);
        foreach (var pass in passes)
        {
            Assert.Null(Difference(shape, pass, model.Run(pass)));
            sums += pass.Sum(tile => (long)tile.Vectors * tile.Columns);
            cycles += SteppedArray.Run(pass, shape.DoubleBuffered).Cycles;
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{shape}: {passes.Sum(pass => pass.Count)} tiles, {sums} sums, {cycles} cycles"));
    }

    [Fact]
    public void Sums_wrap_at_the_width_of_the_hardware()
    {
        RtlTier.Require();
        var shape = new ArrayShape(16, 3, SumWidth: 17);
        var pass = RandomPasses.Extremes(shape);
        var wide = FastArray.Run(pass, doubleBuffered: false).Tiles.SelectMany(tile => tile.Sums);
        Assert.Contains(wide, sum => Wrap(sum, shape.SumWidth) != sum);
        Assert.Null(Difference(shape, pass, ArrayModel.Of(shape).Run(pass)));
    }

    /// <summary>What differs first between the hardware and one of the engines, or null.</summary>
    internal static string? Difference(ArrayShape shape, IReadOnlyList<SystolicTile> tiles, HardwarePass hardware)
    {
        foreach (var (engine, pass) in new[] { ("stepped", SteppedArray.Run(tiles, shape.DoubleBuffered)), ("fast", FastArray.Run(tiles, shape.DoubleBuffered)) })
        {
            var expected = Expected(shape, tiles, pass).ToList();
            var (wanted, found) = expected.Zip(hardware.Sums).FirstOrDefault(pair => pair.First != pair.Second);
            if (wanted != found)
            {
                return $"{shape}, {engine} engine: expected {wanted}, the hardware gave {found}";
            }

            if (expected.Count != hardware.Sums.Count)
            {
                return $"{shape}, {engine} engine: expected {expected.Count} sums, the hardware gave {hardware.Sums.Count}";
            }

            if (!pass.Tiles.Select(tile => tile.End).SequenceEqual(hardware.Ends))
            {
                return $"{shape}, {engine} engine: expected the tiles to end at {string.Join(", ", pass.Tiles.Select(tile => tile.End))}, they ended at {string.Join(", ", hardware.Ends)}";
            }
        }

        return null;
    }

    private static IEnumerable<LeavingSum> Expected(ArrayShape shape, IReadOnlyList<SystolicTile> tiles, SystolicPass pass) =>
        from tile in Enumerable.Range(0, tiles.Count)
        from column in Enumerable.Range(0, tiles[tile].Columns)
        from vector in Enumerable.Range(0, tiles[tile].Vectors)
        let at = (vector * tiles[tile].Columns) + column
        select new LeavingSum(tile, vector, column, pass.Tiles[tile].Cycles[at], Wrap(pass.Tiles[tile].Sums[at], shape.SumWidth));

    private static long Wrap(int sum, int width) => (long)sum << (64 - width) >> (64 - width);
}
