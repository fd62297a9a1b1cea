using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Systolic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Interpreter.Tests;

/// <summary>The two engines of the systolic array: what they compute, when, and that they agree.</summary>
public class SystolicEngineTests
{
    private const int Passes = 400;

    [Fact]
    public void Both_engines_agree_in_sums_cycles_and_events_for_random_arrays_groups_and_tiles()
    {
        for (var seed = 0; seed < Passes; seed++)
        {
            var random = new SeededRandom((ulong)seed);
            var (rows, columns) = (random.Next(1, 17), random.Next(1, 17));
            var tiles = Enumerable.Range(0, random.Next(1, 4)).Select(_ => Tile(random, rows, columns)).ToList();
            var doubleBuffered = random.OneIn(2);
            var stepped = SteppedArray.Run(tiles, doubleBuffered);
            var fast = FastArray.Run(tiles, doubleBuffered);
            Assert.Equal(stepped.Cycles, fast.Cycles);
            Assert.Equal(stepped.Events, fast.Events);
            for (var i = 0; i < tiles.Count; i++)
            {
                Assert.Equal(Product(tiles[i]), stepped.Tiles[i].Sums);
                Assert.Equal(stepped.Tiles[i].Sums, fast.Tiles[i].Sums);
                Assert.Equal(stepped.Tiles[i].Cycles, fast.Tiles[i].Cycles);
                Assert.Equal((stepped.Tiles[i].Start, stepped.Tiles[i].End), (fast.Tiles[i].Start, fast.Tiles[i].End));
            }
        }
    }

    [Theory]
    [InlineData(8, 8, 1)]
    [InlineData(8, 8, 2)]
    [InlineData(8, 8, 4)]
    [InlineData(7, 10, 3)]
    [InlineData(5, 5, 4)]
    public void A_tile_takes_the_cycles_of_the_papers_closed_form(int rows, int columns, int depth)
    {
        var random = new SeededRandom(7);
        for (var vectors = 1; vectors < 12; vectors++)
        {
            var tile = Tile(random, rows, columns) with { Configuration = SystolicConfiguration.Of(rows, columns, depth, depth), Trimmed = false, Vectors = vectors };
            tile = tile with { Activations = Codes(random, vectors * tile.Rows) };
            var expected = rows + ((rows + depth - 1) / depth) + ((columns + depth - 1) / depth) + vectors - 2;
            Assert.Equal(expected, SteppedArray.Run(tile).Cycles);
            Assert.Equal(expected, FastArray.Run([tile], doubleBuffered: false).Cycles);
        }
    }

    [Fact]
    public void Sums_of_extreme_codes_wrap_at_32_bits_only()
    {
        var tile = new SystolicTile(
            SystolicConfiguration.Of(64, 2, 1, 4), 64, 2, 1, Enumerable.Repeat(sbyte.MinValue, 128).ToArray(), Enumerable.Repeat(sbyte.MinValue, 64).ToArray());
        Assert.Equal([64 * 16384, 64 * 16384], SteppedArray.Run(tile).Tiles[0].Sums);
    }

    [Fact]
    public void Deeper_groups_gate_more_registers_and_need_fewer_carry_propagate_additions()
    {
        var tile = Tile(new SeededRandom(3), 8, 8) with { Configuration = SystolicConfiguration.Of(8, 8, 1, 1) };
        var shallow = SteppedArray.Run(tile with { Configuration = SystolicConfiguration.Of(8, 8, 4, 4) }).Events;
        var deep = SteppedArray.Run(tile).Events;
        Assert.Equal(deep.Multiplications, shallow.Multiplications);
        Assert.Equal(deep.CarryPropagateAdds, 4 * shallow.CarryPropagateAdds);
        Assert.True(shallow.HorizontalClocks < deep.HorizontalClocks && shallow.VerticalClocks < deep.VerticalClocks);
    }

    [Fact]
    public void A_configuration_tells_its_groups_and_bits()
    {
        var configuration = SystolicConfiguration.Of(7, 4, 4, 3);
        Assert.Equal([0, 0, 0, 1, 1, 1, 2], Enumerable.Range(0, 7).Select(configuration.RowGroup));
        Assert.Equal([true, true, true, false], Enumerable.Range(0, 4).Select(configuration.BypassesColumn));
        Assert.Equal((3, 1, 3, 4), (configuration.RowGroups, configuration.ColumnGroups, configuration.VerticalDepth, configuration.HorizontalDepth));
        Assert.Throws<ArgumentException>(() => new SystolicConfiguration([true], [false]));
    }

    private static SystolicTile Tile(SeededRandom random, int rows, int columns)
    {
        var (used, usedColumns, vectors) = (random.Next(1, rows), random.Next(1, columns), random.Next(1, 20));
        return new(
            SystolicConfiguration.Of(rows, columns, random.Next(1, 5), random.Next(1, 5)), used, usedColumns, vectors, Codes(random, used * usedColumns), Codes(random, vectors * used))
        {
            Trimmed = random.OneIn(2),
        };
    }

    private static sbyte[] Codes(SeededRandom random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.OneIn(4) ? sbyte.MinValue : random.NextCode())];

    private static int[] Product(SystolicTile tile)
    {
        var sums = new int[tile.Vectors * tile.Columns];
        for (var i = 0; i < sums.Length; i++)
        {
            for (var k = 0; k < tile.Rows; k++)
            {
                sums[i] += tile.Activations.Span[(i / tile.Columns * tile.Rows) + k] * tile.Weights.Span[(k * tile.Columns) + (i % tile.Columns)];
            }
        }

        return sums;
    }
}
