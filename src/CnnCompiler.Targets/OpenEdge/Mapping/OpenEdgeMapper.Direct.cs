using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>Convolutions in passes of sixteen streams, four output channels and three taps along the line, with the weights in the code.</content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>Passes of an operator that are offered at most: each has code of its own, 2 KiB of flash and a load that has to hide behind the pass before.</summary>
    private const int MostPasses = 64;

    /// <summary>The first value and number of iterations of the reduced loops in one pass.</summary>
    private sealed record DirectPass(int FirstTap, int Taps, int FirstRow, int Rows, int FirstChannel, int Channels);

    /// <summary>How a convolution is cut into passes: the reduced loops along the line, across it (-1 for none) and over channels.</summary>
    private sealed record DirectLoops(int Along, int Across, int Channel, IReadOnlyList<DirectPass> Passes);

    /// <summary>The loops of a convolution whose positions run along a line, or null where the kernel doesn't fit them.</summary>
    private static DirectLoops? DirectOf(GconvOperator operation, OperatorShape shape, Positions positions, AffineExpression element)
    {
        var reduced = shape.Loops(LoopKind.KernelSize).ToArray();
        var step = positions.PixelLoop < 0 ? 0 : element.Coefficients[positions.PixelLoop];
        var along = reduced.Where(l => operation.Loops[l].Extent > 1 && element.Coefficients[l] == step).ToArray();
        if (step <= 0 || positions.Outer != 1 || along.Length != 1)
        {
            return null;
        }

        var channel = reduced.Where(l => l != along[0]).OrderBy(l => Math.Abs(element.Coefficients[l])).DefaultIfEmpty(-1).First();
        var rest = reduced.Where(l => l != along[0] && l != channel && operation.Loops[l].Extent > 1).ToArray();
        if (channel < 0 || rest.Length > 1)
        {
            return null;
        }

        var across = rest.Length == 1 ? rest[0] : -1;
        var lineStep = positions.LineLoop < 0 ? 0 : element.Coefficients[positions.LineLoop];
        if (!DirectKernel.Fits(positions.Lines, positions.Pixels, lineStep, step, element.Coefficients[channel], LoopMap.Lanes))
        {
            return null;
        }

        var (taps, channels, rows) = (operation.Loops[along[0]].Extent, operation.Loops[channel].Extent, across < 0 ? 1 : operation.Loops[across].Extent);
        var quads = (channels + LoopMap.Lanes - 1) / LoopMap.Lanes;
        var rowsOfPass = Math.Max(1, LoopMap.Lanes / quads);
        var channelsOfPass = LoopMap.Lanes * LoopMap.Lanes;
        var passes = new List<DirectPass>();
        for (var tap = 0; tap < taps; tap += DirectKernel.Taps)
        {
            for (var row = 0; row < rows; row += rowsOfPass)
            {
                for (var first = 0; first < channels && passes.Count <= MostPasses; first += channelsOfPass)
                {
                    passes.Add(new(
                        tap,
                        Math.Min(DirectKernel.Taps, taps - tap),
                        row,
                        Math.Min(rowsOfPass, rows - row),
                        first,
                        Math.Min(channelsOfPass, channels - first)));
                }
            }
        }

        return DirectKernel.Fits(1, 1, 0, 0, 0, (long)passes.Count * LoopMap.Lanes) ? new(along[0], across, channel, passes) : null;
    }

    private IEnumerable<Spread> DirectSpreads(GconvOperator operation, OperatorShape shape, int channels, IEnumerable<Spread> spreads)
    {
        var element = Element(operation, operation.Input, PaddedLayout(operation, shape));
        var quads = (channels + LoopMap.Lanes - 1) / LoopMap.Lanes;
        return spreads.Select(s => s.Positions)
            .Where(p => DirectOf(operation, shape, p, element) is { } direct && direct.Passes.Count * quads <= MostPasses)
            .Select(p => new Spread(MappingCandidates.Of("direct", operation, p.PixelLoop), DirectKernel.Strategy, p));
    }

    /// <summary>The sums of some output channels: for every quad its passes, each with a plane of its own, and a nest that adds the planes.</summary>
    private void AddDirectSums(Contraction contraction, MappedBuffer sums, int first, int count, string suffix)
    {
        var (operation, positions) = (contraction.Operation, contraction.Positions);
        var direct = DirectOf(operation, contraction.Shape, positions, contraction.Input.Element)!;
        var planes = direct.Passes.Count;
        for (var from = 0; from < count; from += LoopMap.Lanes)
        {
            var channels = Math.Min(LoopMap.Lanes, count - from);
            var quad = FormattableString.Invariant($"{suffix}.{from / LoopMap.Lanes}");
            LoopMap Map()
            {
                var map = new LoopMap(operation.Loops.Count);
                map.AddQuads(channels, contraction.Channels.Loop);
                if (contraction.Channels.Loop >= 0)
                {
                    map.Offset(contraction.Channels.Loop, first + from);
                }

                AddPositions(map, positions);
                return map;
            }

            AffineExpression SumOf(LoopMap map) =>
                SumElement(map, sums) is var element ? element with { Constant = (long)(from / LoopMap.Lanes) * sums.Layout.Pitch[1] } : element;
            var pixel = planes * LoopMap.Lanes;
            var buffer = planes == 1 ? sums : AddBuffer(
                $"{operation.Name}.planes{quad}",
                BufferRole.Accumulator,
                BufferLayout.Dense([positions.Lines, positions.Pixels, planes, LoopMap.Lanes], 1));
            long all = direct.Passes.Sum(p => p.Taps * p.Rows * p.Channels);
            var done = 0L;
            for (var plane = 0; plane < planes; plane++)
            {
                var map = Map();
                var pass = direct.Passes[plane];
                AddPass(map, direct, pass);
                var element = planes == 1 ? SumOf(map) : map.Over(loop => loop switch
                {
                    NestView.Line => positions.Pixels * pixel,
                    NestView.Pixel => pixel,
                    NestView.Lane => 1,
                    _ => 0,
                }) with { Constant = plane * LoopMap.Lanes };
                var terms = (long)pass.Taps * pass.Rows * pass.Channels;
                _steps.Add(new MappedNest(
                    FormattableString.Invariant($"{operation.Name}.sums{quad}.{plane}"),
                    DirectKernel.Strategy,
                    map.Loops,
                    [map.ChannelGuard(channels)],
                    [
                        new(contraction.Input.Buffer, map.Map(contraction.Input.Element)),
                        new(contraction.Weights, map.Map(ConstantElement(operation, operation.Kernel!))),
                    ],
                    new(buffer.Name, element),
                    GconvReduction.Add,
                    new ScalarBinary(ScalarBinaryOperator.Multiply, new ScalarExtra(0), new ScalarExtra(1)),
                    new ScalarAccumulator())
                {
                    Origin = operation.Origin.Value.Part(first + from, channels, contraction.Channels.Extent).Part(done, terms, all),
                });
                done += terms;
            }

            if (planes > 1)
            {
                var map = Map();
                map.Add(PlanesKernel.Plane, planes, reduced: true, -1);
                var element = map.Over(loop => loop switch
                {
                    NestView.Line => positions.Pixels * pixel,
                    NestView.Pixel => pixel,
                    PlanesKernel.Plane => LoopMap.Lanes,
                    NestView.Lane => 1,
                    _ => 0,
                });
                _steps.Add(new MappedNest(
                    $"{operation.Name}.sums{quad}",
                    PlanesKernel.Strategy,
                    map.Loops,
                    [map.ChannelGuard(channels)],
                    [new(buffer.Name, element)],
                    new(sums.Name, SumOf(map)),
                    GconvReduction.Add,
                    new ScalarExtra(0),
                    new ScalarAccumulator())
                {
                    Origin = operation.Origin.Value with { Macs = 0 },
                });
            }
        }

        static void AddPass(LoopMap map, DirectLoops direct, DirectPass pass)
        {
            void Part(string name, int loop, int start, int extent)
            {
                map.Add(name, extent, reduced: true, loop);
                if (loop >= 0)
                {
                    map.Offset(loop, start);
                }
            }

            Part("across", direct.Across, pass.FirstRow, pass.Rows);
            Part(DirectKernel.Along, direct.Along, pass.FirstTap, pass.Taps);
            Part(MovingProductsKernel.Stream, direct.Channel, pass.FirstChannel, pass.Channels);
        }
    }
}
