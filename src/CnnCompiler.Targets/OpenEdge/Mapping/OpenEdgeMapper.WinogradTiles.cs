using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>
/// Convolutions by Winograd's algorithm in two dimensions: inputs are combined to points across the lines, then along them, each of the 36 points of a tile is a product of its input channels
/// with a matrix (<see cref="MatrixKernel"/>), and products are combined to sums along the lines, then across them.
/// </content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>Words of a position's six points along a line, of four output channels, and what keeps neighbouring points across lines from the same bank.</summary>
    private const int LinePointWords = 20;

    /// <summary>The rounds, one across and one along lines each, and the blocks of input channels of a pass.</summary>
    private sealed record MatrixPass(int Round, int Rounds, int Block, int Blocks);

    /// <summary>A convolution whose tiles are transformed.</summary>
    /// <param name="Rows">As its lines are transformed.</param>
    /// <param name="Along">Taps of every round along a line.</param>
    /// <param name="Columns">Tiles of a line; where they don't fill it the last one begins before the end of the one before.</param>
    /// <param name="Passes">Passes of a point and eight output channels.</param>
    /// <param name="Weights">The transformed weights.</param>
    private sealed record TileShape(WinogradShape Rows, int[] Along, IReadOnlyList<LineTiles> Columns, IReadOnlyList<MatrixPass> Passes, TileWeights Weights)
    {
        /// <summary>Points in each direction.</summary>
        public static int Points => RowTransform.Four.Points;

        /// <summary>Words of a tile's transformed inputs, of a block of channels.</summary>
        public int BlockWords => Points * Points * Rows.Lanes;

        /// <summary>Rounds in both directions.</summary>
        public int Rounds => Rows.Rounds.Length * Along.Length;

        /// <summary>All tiles.</summary>
        public int Tiles => Rows.AllTiles * Columns.Sum(c => c.Count);

        /// <summary>Words of a tile's products, of eight output channels.</summary>
        public static int ProductWords => Points * Points * MatrixKernel.Channels;
    }

    /// <summary>The shape of a convolution, or null where the algorithm doesn't fit it or doesn't pay.</summary>
    private TileShape? WinogradTilesOf(GconvOperator operation, OperatorShape shape, (int Loop, int Extent) channels, Positions positions, AffineExpression element)
    {
        var transform = RowTransform.Four;
        if (LinesOf(operation, shape, positions, element, transform, transform) is not { } rows || positions.Pixels < transform.Tile)
        {
            return null;
        }

        var along = Rounds(operation.Loops[rows.Along].Extent, transform.Taps);
        var (full, rest) = (positions.Pixels / transform.Tile, positions.Pixels % transform.Tile);
        LineTiles[] columns = rest == 0 ? [new(transform, 0, full)] : [new(transform, 0, full), new(transform, positions.Pixels - transform.Tile, 1)];
        var rounds = rows.Rounds.Length * along.Length;
        var passes = new List<MatrixPass>();
        var (blocksOfPass, roundsOfPass) = (Math.Min(rows.Blocks, LoopMap.Lanes), Math.Max(1, LoopMap.Lanes / rows.Blocks));
        for (var round = 0; round < rounds; round += roundsOfPass)
        {
            for (var block = 0; block < rows.Blocks && passes.Count <= MostPasses; block += blocksOfPass)
            {
                passes.Add(new(round, Math.Min(roundsOfPass, rounds - round), block, Math.Min(blocksOfPass, rows.Blocks - block)));
            }
        }

        // what is known without the weights comes first
        var (tiles, points) = (rows.AllTiles * (full + (rest > 0 ? 1 : 0)), transform.Points);
        var (pairs, blockWords) = ((channels.Extent + MatrixKernel.Channels - 1) / MatrixKernel.Channels, points * points * rows.Lanes);
        var (quadWords, elements) = ((long)points * points * passes.Count * LoopMap.Lanes, blocksOfPass * points);
        var fits = MatrixKernel.Fits(tiles, (long)blocksOfPass * blockWords, 2 * quadWords, quadWords)
            && RowsInKernel.Fits(transform, elements, rows.Lanes, rows.ColumnWords)
            && (long)passes.Count * points * points * pairs <= (tiles * MatrixKernel.LeastCycles < MatrixLoadCycles ? MostPasses : MostLongPasses)
            && Pays(DirectOf(operation, shape, positions, element)?.Passes.Count ?? MostPasses);
        if (!fits)
        {
            return null;
        }

        var weights = TileWeights.Of(_constants[operation.Kernel!.Tensor], WeightPlaces(operation, rows, channels, along));
        return weights.Values is null ? null : new(rows, along, columns, passes, weights);

        // the passes that are saved take longer than the least that transforms take: their accesses
        bool Pays(int directPasses)
        {
            var quads = (channels.Extent + LoopMap.Lanes - 1) / LoopMap.Lanes;
            var direct = (long)directPasses * quads * positions.Lines * positions.Pixels * DirectKernel.LeastCycles;
            var products = (long)passes.Count * points * points * pairs * tiles * MatrixKernel.LeastCycles;
            var inputs = (long)rows.Channels * 2 * points * ((rows.Columns * rows.AllTiles * rows.Rounds.Length) + (tiles * points * rounds));
            var outputs = (long)pairs * MatrixKernel.Channels * tiles * (points + transform.Tile) * (points + transform.Tile);
            return direct - products > inputs + outputs;
        }
    }

    private IEnumerable<Spread> WinogradTileSpreads(GconvOperator operation, OperatorShape shape, int channels, IEnumerable<Spread> spreads)
    {
        var element = Element(operation, operation.Input, PaddedLayout(operation, shape));
        var loop = shape.Single(LoopKind.OutputParallel)!.Value.Loop;
        return spreads.Select(s => s.Positions).Where(p => WinogradTilesOf(operation, shape, (loop, channels), p, element) is not null).Take(1)
            .Select(p => new Spread(
                new("winograd-4x4", "36 products for tiles of 4x4 outputs and windows of 3x3 taps"),
                RowsOutKernel.Strategy,
                p with { Tile = RowTransform.Four.Tile, IsTiled = true }));
    }

    /// <summary>The inputs of all tiles at their points.</summary>
    /// <returns>The buffer.</returns>
    private string AddPoints(GconvOperator operation, OperatorShape shape, (int Loop, int Extent) channels, Positions positions, string input, AffineExpression element)
    {
        if (!positions.IsTiled)
        {
            return AddRows(operation, WinogradOf(operation, shape, positions, element, RowTransform.OfTile(positions.Tile))!, positions, input, element);
        }

        var tiled = WinogradTilesOf(operation, shape, channels, positions, element)!;
        return AddColumns(operation, tiled, AddRows(operation, tiled.Rows, positions, input, element));
    }

    /// <summary>The inputs of all tiles at their points, [round][blocks of a pass][tile][block][point across][point along][lane], from lines at their points.</summary>
    /// <returns>The buffer.</returns>
    private string AddColumns(GconvOperator operation, TileShape tiled, string lines)
    {
        var (rows, points, transform) = (tiled.Rows, TileShape.Points, RowTransform.Four);
        var buffer = AddBuffer(
            $"{operation.Name}.points", BufferRole.Activation, BufferLayout.Dense([tiled.Rounds, rows.Blocks, tiled.Tiles, points, points, rows.Lanes], 1));
        var blocksOfPass = tiled.Passes[0].Blocks;
        var (whole, left) = (rows.Blocks / blocksOfPass, rows.Blocks % blocksOfPass);
        for (var round = 0; round < tiled.Rounds; round++)
        {
            var (across, along) = (round / tiled.Along.Length, round % tiled.Along.Length);
            var (taps, firstTap, done) = (tiled.Along[along], tiled.Along.Take(along).Sum(), 0);
            foreach (var columns in tiled.Columns)
            {
                AddPart(0, whole, blocksOfPass, "");
                if (left > 0)
                {
                    AddPart(whole * blocksOfPass, 1, left, ".rest");
                }

                done += columns.Count * rows.AllTiles;

                void AddPart(int block, int groups, int blocks, string suffix)
                {
                    // a line's tiles are a launch; where it has only one, the tiles of all lines are
                    var (outer, inner) = columns.Count > 1 ? (rows.AllTiles, columns.Count) : (1, rows.AllTiles);
                    var (nextTile, tileWords) = (columns.Count > 1 ? transform.Tile * rows.ColumnWords : rows.TileWords, blocks * tiled.BlockWords);
                    var map = new LoopMap(0);
                    map.Add(NestView.Group, groups, reduced: false, -1);
                    map.Add(NestView.OuterLine, outer, reduced: false, -1);
                    map.Add(NestView.Line, inner, reduced: false, -1);
                    map.Add(NestView.Pixel, blocks * points, reduced: false, -1);
                    map.Add(RowsInKernel.Point, points, reduced: false, -1);
                    map.Add(NestView.Lane, rows.Lanes, reduced: false, -1);
                    map.Add(RowsInKernel.Row, transform.Window(taps), reduced: true, -1);
                    var read = map.Over(loop => loop switch
                    {
                        NestView.Group => blocks * points * rows.Lanes,
                        NestView.OuterLine => rows.TileWords,
                        NestView.Line => nextTile,
                        NestView.Pixel => rows.Lanes,
                        NestView.Lane => 1,
                        RowsInKernel.Row => rows.ColumnWords,
                        _ => 0,
                    }) with
                    {
                        Constant = ((long)across * rows.AllTiles * rows.TileWords) + ((columns.First + firstTap) * rows.ColumnWords) + (block * points * rows.Lanes),
                    };
                    var write = map.Over(loop => loop switch
                    {
                        NestView.Group => tiled.Tiles * tileWords,
                        NestView.OuterLine => inner * tileWords,
                        NestView.Line => tileWords,
                        NestView.Pixel => points * rows.Lanes,
                        RowsInKernel.Point => rows.Lanes,
                        NestView.Lane => 1,
                        _ => 0,
                    }) with { Constant = ((((long)round * rows.Blocks) + block) * tiled.Tiles * tiled.BlockWords) + (done * tileWords) };
                    var matrix = AddConstant(FormattableString.Invariant($"winograd.in.{transform.Tile}.{taps}"), transform.InputMatrix(taps));
                    Add(
                        Combination(
                            FormattableString.Invariant($"{buffer.Name}.{round}.{done}{suffix}"),
                            RowsInKernel.Strategy,
                            map,
                            new(lines, read),
                            new(matrix, MatrixElement(map, RowsInKernel.Point, RowsInKernel.Row)),
                            new(buffer.Name, write)),
                        operation.Origin.Value);
                }
            }
        }

        return buffer.Name;
    }

    /// <summary>The sums of some output channels, [quad][tile][position][line][lane], for the tiles of lines that fill up and those that don't: the positions of their codes, and the buffer.</summary>
    private List<(Positions Positions, MappedBuffer Sums, string Suffix)> AddWinogradTileSums(Contraction contraction, int first, int count, string suffix)
    {
        var (operation, positions, points) = (contraction.Operation, contraction.Positions, TileShape.Points);
        var tiled = WinogradTilesOf(operation, contraction.Shape, contraction.Channels, positions, contraction.Input.Element)!;
        var (transform, tiles, lines) = (RowTransform.Four, tiled.Tiles, tiled.Rows.Tiles);
        var pairs = (count + MatrixKernel.Channels - 1) / MatrixKernel.Channels;
        var quads = pairs * MatrixKernel.Channels / LoopMap.Lanes;
        var (record, tile) = (transform.Tile * LoopMap.Lanes, positions.Pixels * transform.Tile * LoopMap.Lanes);
        var sums = new List<(Positions Positions, MappedBuffer Sums, string Suffix)>();
        var behind = 0;
        foreach (var group in lines)
        {
            var part = sums.Count == 0 ? suffix : $"{suffix}.rest";
            int[] shape = [1, quads, transform.Tile, group.Count, positions.Pixels, LoopMap.Lanes];
            var buffer = AddBuffer(
                $"{operation.Name}{part}.sums",
                BufferRole.Accumulator,
                new(shape.ToEquatableArray(), 1, new int[shape.Length].ToEquatableArray(), new int[shape.Length].ToEquatableArray(), [quads * group.Count * tile, group.Count * tile, LoopMap.Lanes, tile, record, 1], null));
            sums.Add((positions with { Outer = transform.Tile, Lines = group.Count, First = group.First, Overlap = behind - group.First }, buffer, part));
            behind = group.First + (group.Count * transform.Tile);
        }

        var matrix = AddConstant(FormattableString.Invariant($"winograd.out.{transform.Tile}"), transform.OutputMatrix());
        for (var pair = 0; pair < pairs; pair++)
        {
            var channels = Math.Min(MatrixKernel.Channels, count - (pair * MatrixKernel.Channels));
            var name = FormattableString.Invariant($"{suffix}.{pair}");
            var products = AddMatrixProducts(contraction, tiled, first + (pair * MatrixKernel.Channels), channels, name);

            // along the lines: [quad][tile][point across][position][lane]
            var columns = AddBuffer(
                $"{operation.Name}.columns{name}", BufferRole.Accumulator, BufferLayout.Dense([MatrixKernel.Channels / LoopMap.Lanes, tiles, points, LinePointWords], 1));
            var quadWords = tiles * points * LinePointWords;
            AddCombined(
                $"{operation.Name}.columns{name}",
                new(products, [(NestView.Quad, points * points * LoopMap.Lanes), (NestView.Line, TileShape.ProductWords), (NestView.Pixel, points * LoopMap.Lanes), (RowsInKernel.Point, LoopMap.Lanes)], 0),
                new(columns.Name, [(NestView.Quad, quadWords), (NestView.Line, points * LinePointWords), (NestView.Pixel, LinePointWords), (RowsOutKernel.Row, LoopMap.Lanes)], 0),
                (tiles, 1, points));

            // across the lines
            var (section, number) = (0, 0);
            foreach (var column in tiled.Columns)
            {
                var done = 0;
                foreach (var (group, (_, buffer, _)) in lines.Zip(sums))
                {
                    AddCombined(
                        FormattableString.Invariant($"{operation.Name}.sums{name}.{number++}"),
                        new(
                            columns.Name,
                            [
                                (NestView.Quad, quadWords), (NestView.Line, column.Count * points * LinePointWords), (RowsOutKernel.Column, points * LinePointWords),
                                (NestView.Pixel, LoopMap.Lanes), (RowsInKernel.Point, LinePointWords),
                            ],
                            (section + (done * column.Count)) * points * LinePointWords),
                        new(
                            buffer.Name,
                            [
                                (NestView.Quad, group.Count * tile), (NestView.Line, tile), (RowsOutKernel.Column, transform.Tile * record),
                                (NestView.Pixel, record), (RowsOutKernel.Row, LoopMap.Lanes),
                            ],
                            (pair * (MatrixKernel.Channels / LoopMap.Lanes) * group.Count * tile) + (column.First * record)),
                        (group.Count, column.Count, transform.Tile));
                    done += group.Count;
                }

                section += column.Count * tiled.Rows.AllTiles;
            }

            // combines points of two quads to lines or columns of a tile
            void AddCombined(string nestName, Steps from, Steps to, (int Lines, int Columns, int Pixels) extents)
            {
                var map = new LoopMap(0);
                map.Add(NestView.Quad, MatrixKernel.Channels / LoopMap.Lanes, reduced: false, -1);
                map.Add(NestView.Lane, LoopMap.Lanes, reduced: false, -1);
                map.Add(RowsOutKernel.Row, transform.Tile, reduced: false, -1);
                map.Add(NestView.Line, extents.Lines, reduced: false, -1);
                map.Add(RowsOutKernel.Column, extents.Columns, reduced: false, -1);
                map.Add(NestView.Pixel, extents.Pixels, reduced: false, -1);
                map.Add(RowsInKernel.Point, points, reduced: true, -1);
                var nest = Combination(nestName, RowsOutKernel.Strategy, map, from.Access(map), new(matrix, MatrixElement(map, RowsOutKernel.Row, RowsInKernel.Point)), to.Access(map));
                Add(nest with { Guards = [map.ChannelGuard(channels)], Post = Scalar.Divide(Scalar.Accumulator, Scalar.Literal(transform.Scale)) }, operation.Origin.Value);
            }
        }

        return sums;
    }

    /// <summary>The products of eight output channels, [tile][quad][point across][point along][lane]: a nest for each point and pass, and where there are several passes one that adds their planes.</summary>
    /// <returns>The buffer.</returns>
    private string AddMatrixProducts(Contraction contraction, TileShape tiled, int first, int channels, string suffix)
    {
        var (operation, rows, tiles, planes) = (contraction.Operation, tiled.Rows, tiled.Tiles, tiled.Passes.Count);
        var (points, quads) = (TileShape.Points * TileShape.Points, MatrixKernel.Channels / LoopMap.Lanes);
        var products = AddBuffer($"{operation.Name}.products{suffix}", BufferRole.Accumulator, BufferLayout.Dense([tiles, quads, points, LoopMap.Lanes], 1));
        var buffer = planes == 1 ? products : AddBuffer(
            $"{operation.Name}.planes{suffix}", BufferRole.Accumulator, BufferLayout.Dense([tiles, quads, points, planes, LoopMap.Lanes], 1));
        var weights = AddConstant($"{operation.Name}.winograd.4x4", tiled.Weights.Values!);
        var origin = operation.Origin.Value.Part(first, channels, contraction.Channels.Extent);
        var channelWeights = (long)tiled.Rounds * rows.Channels;
        for (var step = 0; step < points * planes; step++)
        {
            var (point, pass) = (step / planes, tiled.Passes[step % planes]);
            var map = new LoopMap(0);
            map.Add(NestView.Quad, quads, reduced: false, -1);
            map.Add(NestView.Lane, LoopMap.Lanes, reduced: false, -1);
            map.Add(NestView.Pixel, tiles, reduced: false, -1);
            map.Add(Round, pass.Rounds, reduced: true, -1);
            map.Add(RowsInKernel.Block, pass.Blocks, reduced: true, -1);
            map.Add(MovingProductsKernel.Stream, rows.Lanes, reduced: true, -1);
            var read = new Steps(
                contraction.Rows!,
                [(NestView.Pixel, pass.Blocks * tiled.BlockWords), (Round, tiles * rows.Blocks * tiled.BlockWords), (RowsInKernel.Block, tiled.BlockWords), (MovingProductsKernel.Stream, 1)],
                (((pass.Round * rows.Blocks) + pass.Block) * tiles * tiled.BlockWords) + (point * rows.Lanes),
                Lane: 0);
            var weight = new Steps(
                weights,
                [(NestView.Quad, LoopMap.Lanes * channelWeights), (Round, rows.Channels), (RowsInKernel.Block, rows.Lanes), (MovingProductsKernel.Stream, 1)],
                ((((long)point * contraction.Channels.Extent) + first) * channelWeights) + (pass.Round * rows.Channels) + (pass.Block * rows.Lanes),
                channelWeights);
            var write = new Steps(
                buffer.Name,
                [(NestView.Pixel, quads * points * planes * LoopMap.Lanes), (NestView.Quad, points * planes * LoopMap.Lanes)],
                step * LoopMap.Lanes);
            var nest = Combination(
                FormattableString.Invariant($"{operation.Name}.products{suffix}.{step}"), MatrixKernel.Strategy, map, read.Access(map), weight.Access(map), write.Access(map));
            _steps.Add(nest with { Guards = [map.ChannelGuard(channels)], Origin = origin.Part(step, 1, points * planes) });
        }

        if (planes > 1)
        {
            var map = new LoopMap(0);
            map.Add(NestView.OuterLine, tiles, reduced: false, -1);
            map.Add(NestView.Line, quads, reduced: false, -1);
            map.Add(NestView.Pixel, points, reduced: false, -1);
            map.Add(NestView.Lane, LoopMap.Lanes, reduced: false, -1);
            map.Add(PlanesKernel.Plane, planes, reduced: true, -1);
            Steps Of(string target, int pixel, int plane) => new(
                target, [(NestView.OuterLine, quads * points * pixel), (NestView.Line, points * pixel), (NestView.Pixel, pixel), (PlanesKernel.Plane, plane)], 0);
            Add(
                new(
                    $"{operation.Name}.products{suffix}",
                    PlanesKernel.Strategy,
                    map.Loops,
                    [new(map.Over(loop => loop switch { NestView.Line => LoopMap.Lanes, NestView.Lane => 1, _ => 0 }), channels)],
                    [Of(buffer.Name, planes * LoopMap.Lanes, LoopMap.Lanes).Access(map)],
                    Of(products.Name, LoopMap.Lanes, 0).Access(map),
                    GconvReduction.Add,
                    new ScalarExtra(0),
                    new ScalarAccumulator()),
                operation.Origin.Value);
        }

        return products.Name;
    }

    /// <summary>An access by the words between iterations of loops; those of other loops are 0.</summary>
    /// <param name="Target">Buffer or constant.</param>
    /// <param name="Loops">Words by name.</param>
    /// <param name="First">The first element.</param>
    /// <param name="Lane">Words between neighbouring lanes.</param>
    private sealed record Steps(string Target, (string Name, long Words)[] Loops, long First, long Lane = 1)
    {
        /// <summary>The access over the loops of a nest.</summary>
        public MappedAccess Access(LoopMap map) =>
            new(Target, map.Over(loop => loop == NestView.Lane ? Lane : Loops.FirstOrDefault(l => l.Name == loop).Words) with { Constant = First });
    }
}
