using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>
/// Convolutions by Winograd's algorithms across the lines: lines of inputs are combined to points, each point is a convolution along the line with weights combined alike
/// (<see cref="DirectKernel"/>), and products are combined to lines of sums.
/// </content>
public sealed partial class OpenEdgeMapper
{
    private const string Round = "round";

    /// <summary>Largest magnitude of a code.</summary>
    internal const long LargestCode = -(long)sbyte.MinValue;

    /// <summary>Passes of an operator that are offered at most where they are longer than what loads their code; else <see cref="MostPasses"/>.</summary>
    private const int MostLongPasses = 384;

    /// <summary>About the cycles in which the host loads what is new in the code of a pass.</summary>
    private const int LoadCycles = 1000;

    /// <summary>The same of a pass of eight output channels and a point: 128 words, four cycles each.</summary>
    private const int MatrixLoadCycles = 512;

    /// <summary>Neighbouring tiles of one algorithm.</summary>
    /// <param name="Transform">The algorithm.</param>
    /// <param name="First">First line of outputs.</param>
    /// <param name="Count">Tiles.</param>
    private sealed record LineTiles(RowTransform Transform, int First, int Count);

    /// <summary>The first value and number of iterations of the reduced loops in one pass.</summary>
    private sealed record PointPass(int Tap, int Taps, int Round, int Rounds, int Block, int Blocks);

    /// <summary>A convolution whose lines are transformed.</summary>
    /// <param name="Transform">The algorithm of most tiles.</param>
    /// <param name="Along">The reduced loop along the line.</param>
    /// <param name="Across">The reduced loop across lines.</param>
    /// <param name="Channel">The reduced loop over channels, -1 for none.</param>
    /// <param name="Rounds">Taps of every round across lines.</param>
    /// <param name="Columns">Inputs of a line.</param>
    /// <param name="Channels">Input channels.</param>
    /// <param name="Lanes">Neighbouring channels that are transformed together.</param>
    /// <param name="Passes">Passes of a point and four output channels.</param>
    /// <param name="Tiles">All tiles; where the last ones aren't full they begin before the end of those before.</param>
    private sealed record WinogradShape(
        RowTransform Transform, int Along, int Across, int Channel, int[] Rounds, int Columns, int Channels, int Lanes, List<PointPass> Passes, IReadOnlyList<LineTiles> Tiles)
    {
        public int Blocks => Channels / Lanes;

        /// <summary>Words of an input of a line, all points.</summary>
        public int ColumnWords => Channels * Transform.Points;

        /// <summary>Words of a tile's transformed inputs.</summary>
        public int TileWords => Columns * ColumnWords;

        public int AllTiles => Tiles.Sum(t => t.Count);
    }

    /// <summary>A convolution whose lines may be transformed, without passes; null where its form isn't one that can be.</summary>
    /// <param name="operation">The convolution.</param>
    /// <param name="shape">Its loops.</param>
    /// <param name="positions">Its lines.</param>
    /// <param name="element">Where its input lies.</param>
    /// <param name="transform">The algorithm.</param>
    /// <param name="shorter">The algorithm for two lines that are left over, where that is another.</param>
    private static WinogradShape? LinesOf(
        GconvOperator operation, OperatorShape shape, Positions positions, AffineExpression element, RowTransform transform, RowTransform shorter)
    {
        if (positions is not { Outer: 1, LineLoop: >= 0, PixelLoop: >= 0 } || positions.Lines < transform.Tile)
        {
            return null;
        }

        var reduced = shape.Loops(LoopKind.KernelSize).ToArray();
        var (step, lineStep) = (element.Coefficients[positions.PixelLoop], element.Coefficients[positions.LineLoop]);
        var (along, across) = (reduced.Where(l => element.Coefficients[l] == step).ToArray(), reduced.Where(l => element.Coefficients[l] == lineStep).ToArray());
        var channel = reduced.Except(along).Except(across).ToArray();
        if (step <= 0 || lineStep <= 0 || lineStep == step || along.Length != 1 || across.Length != 1 || channel.Length > 1 || (channel.Length == 1 && element.Coefficients[channel[0]] != 1))
        {
            return null;
        }

        int Extent(int loop) => operation.Loops[loop].Extent;
        var channels = channel.Length == 0 ? 1 : Extent(channel[0]);
        var lanes = Enumerable.Range(1, LoopMap.Lanes).Last(n => channels % n == 0);
        var (blocks, columns) = (channels / lanes, positions.Pixels + Extent(along[0]) - 1);
        if (blocks > 1 && step != channels)
        {
            return null;
        }

        var rounds = Rounds(Extent(across[0]), transform.Taps);
        var (full, rest) = (positions.Lines / transform.Tile, positions.Lines % transform.Tile);
        var last = rest <= shorter.Tile ? shorter : transform;
        LineTiles[] tiles = rest == 0 ? [new(transform, 0, full)] : [new(transform, 0, full), new(last, positions.Lines - last.Tile, 1)];
        return tiles.All(t => RowsInKernel.Fits(t.Transform, columns * blocks, lanes, lineStep))
            ? new(transform, along[0], across[0], channel.Length == 0 ? -1 : channel[0], rounds, columns, channels, lanes, [], tiles) : null;
    }

    /// <summary>The shape of a convolution, or null where the algorithm of so many lines doesn't fit it.</summary>
    private WinogradShape? WinogradOf(GconvOperator operation, OperatorShape shape, Positions positions, AffineExpression element, RowTransform transform)
    {
        if (LinesOf(operation, shape, positions, element, transform, transform) is not { } lines)
        {
            return null;
        }

        var (taps, blocks, rounds) = (operation.Loops[lines.Along].Extent, lines.Blocks, lines.Rounds.Length);
        var passes = new List<PointPass>();
        var (blocksOfPass, roundsOfPass) = (Math.Min(blocks, LoopMap.Lanes), Math.Max(1, LoopMap.Lanes / blocks));
        for (var tap = 0; tap < taps; tap += DirectKernel.Taps)
        {
            for (var round = 0; round < rounds; round += roundsOfPass)
            {
                for (var block = 0; block < blocks && passes.Count <= MostPasses; block += blocksOfPass)
                {
                    passes.Add(new(
                        tap, Math.Min(DirectKernel.Taps, taps - tap), round, Math.Min(roundsOfPass, rounds - round), block, Math.Min(blocksOfPass, blocks - block)));
                }
            }
        }

        // two lines more don't need six points, where each point has a single plane
        var shorter = transform == RowTransform.Four && passes.Count == 1 ? RowTransform.Two : transform;
        if ((shorter == transform ? lines : LinesOf(operation, shape, positions, element, transform, shorter)) is not { } found)
        {
            return null;
        }

        var winograd = found with { Passes = passes };
        var weight = LargestWeight(operation) * transform.WeightReach;
        var fits = ArrayProgramBuilder.FitsImmediate(weight)
            && weight * transform.InputReach * LargestCode * winograd.Channels * taps * rounds < RowsOutKernel.Bound
            && DirectKernel.Fits(
                winograd.AllTiles, positions.Pixels, winograd.TileWords, winograd.ColumnWords, 1, (long)transform.Points * passes.Count * LoopMap.Lanes);
        return fits ? winograd : null;
    }

    /// <summary>Taps across lines in rounds of three, and two where that doesn't come out even.</summary>
    private static int[] Rounds(int taps, int full)
    {
        var shorter = (full - (taps % full)) % full;
        var whole = ((taps + full - 1) / full) - shorter;
        return [.. Enumerable.Repeat(full, whole), .. Enumerable.Repeat(full - 1, shorter)];
    }

    private IEnumerable<Spread> WinogradSpreads(GconvOperator operation, OperatorShape shape, int channels, IEnumerable<Spread> spreads)
    {
        var element = Element(operation, operation.Input, PaddedLayout(operation, shape));
        var quads = (channels + LoopMap.Lanes - 1) / LoopMap.Lanes;
        foreach (var positions in spreads.Select(s => s.Positions))
        {
            foreach (var transform in (RowTransform[])[RowTransform.Four, RowTransform.Two])
            {
                if (WinogradOf(operation, shape, positions, element, transform) is { } winograd
                    && (long)winograd.Passes.Count * transform.Points * quads <= (winograd.AllTiles * positions.Pixels * DirectKernel.LeastCycles < LoadCycles ? MostPasses : MostLongPasses)
                    && Pays(positions, winograd, quads, DirectOf(operation, shape, positions, element)?.Passes.Count ?? MostPasses))
                {
                    var tile = positions.LineLoop < positions.PixelLoop ? FormattableString.Invariant($"{transform.Tile}x1") : FormattableString.Invariant($"1x{transform.Tile}");
                    yield return new(
                        new($"winograd-{tile}", $"{transform.Points} products for {transform.Tile} lines of three taps, lines along {operation.Loops[positions.PixelLoop].Dimension}"),
                        RowsOutKernel.Strategy,
                        positions with { Tile = transform.Tile });
                    break;
                }
            }
        }
    }

    /// <summary>True where the passes that are saved in a tile take longer than the least that its transforms take: their accesses.</summary>
    private static bool Pays(Positions positions, WinogradShape winograd, int quads, int directPasses)
    {
        var transform = winograd.Transform;
        var saved = ((long)directPasses * transform.Tile) - (winograd.Passes.Count * transform.Points);
        var accesses = ((long)winograd.Columns * winograd.Channels * winograd.Rounds.Sum(taps => transform.Window(taps) + transform.Points))
            + ((long)positions.Pixels * quads * LoopMap.Lanes * (transform.Tile + transform.Points));
        return saved * quads * positions.Pixels * DirectKernel.LeastCycles > accesses;
    }

    /// <summary>The lines of inputs of all tiles at their points, [round][tile][column][block][point][lane].</summary>
    /// <returns>The buffer.</returns>
    private string AddRows(GconvOperator operation, WinogradShape winograd, Positions positions, string input, AffineExpression element)
    {
        var (lanes, points) = (winograd.Lanes, winograd.Transform.Points);
        var rows = AddBuffer(
            $"{operation.Name}.rows",
            BufferRole.Activation,
            BufferLayout.Dense([winograd.Rounds.Length, winograd.AllTiles, winograd.Columns, winograd.Blocks, points, lanes], 1));
        var (step, line) = (element.Coefficients[positions.PixelLoop], element.Coefficients[positions.LineLoop]);
        for (var round = 0; round < winograd.Rounds.Length; round++)
        {
            var tile = 0;
            foreach (var tiles in winograd.Tiles)
            {
                var taps = winograd.Rounds[round];
                var map = new LoopMap(0);
                map.Add(NestView.Line, tiles.Count, reduced: false, -1);
                map.Add(NestView.Pixel, winograd.Columns, reduced: false, -1);
                map.Add(RowsInKernel.Block, winograd.Blocks, reduced: false, -1);
                map.Add(RowsInKernel.Point, tiles.Transform.Points, reduced: false, -1);
                map.Add(NestView.Lane, lanes, reduced: false, -1);
                map.Add(RowsInKernel.Row, tiles.Transform.Window(taps), reduced: true, -1);
                var read = map.Over(loop => loop switch
                {
                    NestView.Line => tiles.Transform.Tile * line,
                    NestView.Pixel => step,
                    RowsInKernel.Block => lanes,
                    NestView.Lane => 1,
                    RowsInKernel.Row => line,
                    _ => 0,
                }) with { Constant = element.Constant + ((tiles.First + winograd.Rounds.Take(round).Sum()) * line) };
                var write = map.Over(loop => loop switch
                {
                    NestView.Line => winograd.TileWords,
                    NestView.Pixel => winograd.ColumnWords,
                    RowsInKernel.Block => points * lanes,
                    RowsInKernel.Point => lanes,
                    NestView.Lane => 1,
                    _ => 0,
                }) with { Constant = ((round * winograd.AllTiles) + tile) * (long)winograd.TileWords };
                var matrix = AddConstant(FormattableString.Invariant($"winograd.in.{tiles.Transform.Tile}.{taps}"), tiles.Transform.InputMatrix(taps));
                Add(
                    Combination(
                        FormattableString.Invariant($"{rows.Name}.{round}.{tile}"), RowsInKernel.Strategy, map, new(input, read), new(matrix, MatrixElement(map, RowsInKernel.Point, RowsInKernel.Row)), new(rows.Name, write)),
                    operation.Origin.Value);
                tile += tiles.Count;
            }
        }

        return rows.Name;
    }

    /// <summary>The sums of some output channels, [quad][tile][position][line][lane], for each kind of tiles: the positions of their codes, and the buffer.</summary>
    private IEnumerable<(Positions Positions, MappedBuffer Sums, string Suffix)> AddWinogradSums(Contraction contraction, int first, int count, string suffix)
    {
        var (operation, positions) = (contraction.Operation, contraction.Positions);
        var winograd = WinogradOf(operation, contraction.Shape, positions, contraction.Input.Element, RowTransform.OfTile(positions.Tile))!;
        var (points, all) = (winograd.Transform.Points, winograd.AllTiles);
        var quads = (count + LoopMap.Lanes - 1) / LoopMap.Lanes;
        var (pixelWords, tileWords) = (points * LoopMap.Lanes, positions.Pixels * points * LoopMap.Lanes);
        var products = AddBuffer(
            $"{operation.Name}.products{suffix}", BufferRole.Accumulator, BufferLayout.Dense([quads, all, positions.Pixels, points, LoopMap.Lanes], 1));
        var name = $"{operation.Name}.winograd.{winograd.Transform.Tile}";
        var weights = _newConstants.Exists(c => c.Name == name) ? name : AddConstant(name, PointWeights(operation, winograd, contraction.Channels));
        for (var quad = 0; quad < quads; quad++)
        {
            AddProducts(contraction, winograd, products, weights, quad, first, Math.Min(LoopMap.Lanes, count - (quad * LoopMap.Lanes)), suffix);
        }

        var (done, behind) = (0, 0);
        foreach (var tiles in winograd.Tiles)
        {
            var lines = tiles.Transform.Tile;
            var part = done == 0 ? suffix : $"{suffix}.rest";
            int[] shape = [1, quads, lines, tiles.Count, positions.Pixels, LoopMap.Lanes];
            var (record, tile) = (lines * LoopMap.Lanes, positions.Pixels * lines * LoopMap.Lanes);
            var sums = AddBuffer(
                $"{operation.Name}{part}.sums",
                BufferRole.Accumulator,
                new(shape.ToEquatableArray(), 1, new int[shape.Length].ToEquatableArray(), new int[shape.Length].ToEquatableArray(), [quads * tiles.Count * tile, tiles.Count * tile, LoopMap.Lanes, tile, record, 1], null));
            var map = new LoopMap(0);
            map.AddQuads(count, -1);
            map.Add(RowsOutKernel.Row, lines, reduced: false, -1);
            map.Add(NestView.Line, tiles.Count, reduced: false, -1);
            map.Add(NestView.Pixel, positions.Pixels, reduced: false, -1);
            map.Add(RowsInKernel.Point, tiles.Transform.Points, reduced: true, -1);
            var read = map.Over(loop => loop switch
            {
                NestView.Quad => all * tileWords,
                NestView.Line => tileWords,
                NestView.Pixel => pixelWords,
                NestView.Lane => 1,
                RowsInKernel.Point => LoopMap.Lanes,
                _ => 0,
            }) with { Constant = (long)done * tileWords };
            var matrix = AddConstant(FormattableString.Invariant($"winograd.out.{lines}"), tiles.Transform.OutputMatrix());
            var nest = Combination(
                $"{operation.Name}.sums{part}", RowsOutKernel.Strategy, map, new(products.Name, read), new(matrix, MatrixElement(map, RowsOutKernel.Row, RowsInKernel.Point)), new(sums.Name, SumElement(map, sums)));
            Add(
                nest with
                {
                    Guards = [map.ChannelGuard(count)],
                    Post = Scalar.Divide(Scalar.Accumulator, Scalar.Literal(tiles.Transform.Scale)),
                },
                operation.Origin.Value);
            yield return (positions with { Outer = lines, Lines = tiles.Count, Tile = lines, First = tiles.First, Overlap = behind - tiles.First }, sums, part);
            done += tiles.Count;
            behind = tiles.First + (tiles.Count * lines);
        }
    }

    /// <summary>The products of four output channels: a nest for each point and pass, and where there are several passes one that adds their planes.</summary>
    private void AddProducts(Contraction contraction, WinogradShape winograd, MappedBuffer products, string weights, int quad, int first, int channels, string suffix)
    {
        var (operation, positions) = (contraction.Operation, contraction.Positions);
        var (points, planes, all) = (winograd.Transform.Points, winograd.Passes.Count, winograd.AllTiles);
        var name = FormattableString.Invariant($"{suffix}.{quad}");
        var start = quad * products.Layout.Pitch[0];
        var buffer = planes == 1 ? products : AddBuffer(
            $"{operation.Name}.planes{name}", BufferRole.Accumulator, BufferLayout.Dense([all, positions.Pixels, points, planes, LoopMap.Lanes], 1));
        var (channelsIn, taps) = (winograd.Channels, operation.Loops[winograd.Along].Extent);
        var channelWeights = (long)winograd.Rounds.Length * taps * channelsIn;
        var origin = operation.Origin.Value.Part(first + (quad * LoopMap.Lanes), channels, contraction.Channels.Extent);
        for (var step = 0; step < points * planes; step++)
        {
            var (point, plane) = (step / planes, step % planes);
            var pass = winograd.Passes[plane];
            var map = new LoopMap(0);
            map.AddQuads(channels, -1);
            map.Add(NestView.Line, winograd.Tiles.Where(t => point < t.Transform.Points).Sum(t => t.Count), reduced: false, -1);
            map.Add(NestView.Pixel, positions.Pixels, reduced: false, -1);
            map.Add(Round, pass.Rounds, reduced: true, -1);
            map.Add(RowsInKernel.Block, pass.Blocks, reduced: true, -1);
            map.Add(DirectKernel.Along, pass.Taps, reduced: true, -1);
            map.Add(MovingProductsKernel.Stream, winograd.Lanes, reduced: true, -1);
            var read = map.Over(loop => loop switch
            {
                NestView.Line => winograd.TileWords,
                NestView.Pixel or DirectKernel.Along => winograd.ColumnWords,
                Round => all * winograd.TileWords,
                RowsInKernel.Block => points * winograd.Lanes,
                MovingProductsKernel.Stream => 1,
                _ => 0,
            }) with
            {
                Constant = (((long)pass.Round * all * winograd.TileWords) + (pass.Tap * winograd.ColumnWords)) + (((pass.Block * points) + point) * winograd.Lanes),
            };
            var weight = map.Over(loop => loop switch
            {
                NestView.Lane => channelWeights,
                Round => taps * channelsIn,
                DirectKernel.Along => channelsIn,
                RowsInKernel.Block => winograd.Lanes,
                MovingProductsKernel.Stream => 1,
                _ => 0,
            }) with
            {
                Constant = ((((long)point * contraction.Channels.Extent) + first + (quad * LoopMap.Lanes)) * channelWeights)
                    + (((pass.Round * taps) + pass.Tap) * channelsIn) + (pass.Block * winograd.Lanes),
            };
            var write = map.Over(loop => loop switch
            {
                NestView.Line => (long)positions.Pixels * points * planes * LoopMap.Lanes,
                NestView.Pixel => points * planes * LoopMap.Lanes,
                NestView.Lane => 1,
                _ => 0,
            }) with { Constant = (planes == 1 ? start : 0) + (step * LoopMap.Lanes) };
            var nest = Combination(
                FormattableString.Invariant($"{operation.Name}.products{name}.{point}.{plane}"), DirectKernel.Strategy, map, new(contraction.Rows!, read), new(weights, weight), new(buffer.Name, write));
            _steps.Add(nest with
            {
                Guards = [map.ChannelGuard(channels)],
                Origin = origin.Part(step, 1, points * planes),
            });
        }

        if (planes > 1)
        {
            var map = new LoopMap(0);
            map.AddQuads(channels, -1);
            map.Add(NestView.Line, all, reduced: false, -1);
            map.Add(NestView.Pixel, positions.Pixels * points, reduced: false, -1);
            map.Add(PlanesKernel.Plane, planes, reduced: true, -1);
            AffineExpression Element(int pixel) => map.Over(loop => loop switch
            {
                NestView.Line => positions.Pixels * points * pixel,
                NestView.Pixel => pixel,
                PlanesKernel.Plane => pixel > LoopMap.Lanes ? LoopMap.Lanes : 0,
                NestView.Lane => 1,
                _ => 0,
            });
            Add(
                new(
                    $"{operation.Name}.products{name}",
                    PlanesKernel.Strategy,
                    map.Loops,
                    [map.ChannelGuard(channels)],
                    [new(buffer.Name, Element(planes * LoopMap.Lanes))],
                    new(products.Name, Element(LoopMap.Lanes) with { Constant = start }),
                    GconvReduction.Add,
                    new ScalarExtra(0),
                    new ScalarAccumulator()),
                operation.Origin.Value);
        }
    }

    /// <summary>What was made of weights before: a program is mapped many times while its mapping is chosen.</summary>
    private static readonly ConditionalWeakTable<Tensor, ConcurrentDictionary<(RowTransform Transform, TileWeights.Places Places), Tensor>> KnownPointWeights = [];

    /// <summary>Where the weights of a convolution lie.</summary>
    private TileWeights.Places WeightPlaces(GconvOperator operation, WinogradShape winograd, (int Loop, int Extent) channels, int[] along)
    {
        var element = ConstantElement(operation, operation.Kernel!);
        long Step(int loop) => loop < 0 ? 0 : element.Coefficients[loop];
        return new(
            element.Constant,
            Step(channels.Loop),
            Step(winograd.Across),
            Step(winograd.Along),
            Step(winograd.Channel),
            channels.Extent,
            winograd.Channels,
            winograd.Rounds.ToEquatableArray(),
            along.ToEquatableArray());
    }

    /// <summary>[point, output channel, round, tap along the line, input channel].</summary>
    private Tensor PointWeights(GconvOperator operation, WinogradShape winograd, (int Loop, int Extent) channels)
    {
        var constant = _constants[operation.Kernel!.Tensor];
        return KnownPointWeights.GetOrCreateValue(constant).GetOrAdd(
            (winograd.Transform, WeightPlaces(operation, winograd, channels, [operation.Loops[winograd.Along].Extent])), key => PointWeightsOf(constant, key.Transform, key.Places));
    }

    private static Tensor PointWeightsOf(Tensor constant, RowTransform transform, TileWeights.Places places)
    {
        var (rounds, taps, inputs, outputs) = (places.RoundsAcross, places.RoundsAlong[0], places.Inputs, places.Outputs);
        var values = new int[transform.Points * outputs * rounds.Count * taps * inputs];
        var next = 0;
        for (var point = 0; point < transform.Points; point++)
        {
            for (var output = 0; output < outputs; output++)
            {
                for (var round = 0; round < rounds.Count; round++)
                {
                    for (var place = 0; place < taps * inputs; place++)
                    {
                        var at = places.First + (output * places.Output) + (place / inputs * places.Along) + (place % inputs * places.Input);
                        var row = rounds.Take(round).Sum();
                        for (var tap = 0; tap < rounds[round]; tap++)
                        {
                            values[next] += transform.Weight(point, tap) * (int)constant.GetInteger(at + ((row + tap) * places.Across));
                        }

                        next++;
                    }
                }
            }
        }

        return Tensor.From<int>(ElementType.Int32, Shape.Of(transform.Points, outputs, rounds.Count, taps, inputs), values);
    }

    private static AffineExpression MatrixElement(LoopMap map, string row, string column)
    {
        var columns = map.Loops.First(l => l.Name == column).Extent;
        return map.Over(loop => loop == row ? columns : loop == column ? 1 : 0);
    }

    /// <summary>A sum of products.</summary>
    private static MappedNest Combination(string name, string kernel, LoopMap map, MappedAccess input, MappedAccess factors, MappedAccess output) => new(
        name,
        kernel,
        map.Loops,
        [],
        [input, factors],
        output,
        GconvReduction.Add,
        new ScalarBinary(ScalarBinaryOperator.Multiply, new ScalarExtra(0), new ScalarExtra(1)),
        new ScalarAccumulator());
}
