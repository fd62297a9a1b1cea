using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>The sums of depthwise convolutions that slide, in one pass or in several.</content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>The sums of some channels that slide.</summary>
    /// <param name="Sums">Their buffer; the program has it unless all codes are made.</param>
    /// <param name="Done">Channels from the first on whose codes are made of planes at once, so that they have no sums.</param>
    /// <param name="Adding">The nests that would make these sums.</param>
    private sealed record SlidingSums(MappedBuffer Sums, int Done, IReadOnlyList<(MappedBuffer Buffer, MappedNest Nest)> Adding);

    /// <summary>
    /// The sums of some channels, [quad][line][pixel][lane] with the channels of a pixel side by side: a nest for every sixteen channels, whose code holds their weights; or where the window is too
    /// large, for each of its parts one that leaves a plane, and one that adds the planes or makes codes of them. The lines lie side by side, so that what requantises walks them all as one, unless
    /// that would be too far for the code.
    /// </summary>
    private SlidingSums AddSlidingSums(Contraction contraction, SlidingPlan plan, int first, int count, string suffix)
    {
        var (operation, positions) = (contraction.Operation, contraction.Positions);
        var pixel = RoundUp(count, SlidingKernel.Channels);
        var planes = plan.Passes.Count;
        var plane = planes > 1 ? planes * SlidingKernel.Channels : 0;
        var all = positions.Outer * positions.Lines;

        // planes of all lines, or of as many as may be there at a time
        var tiles = positions.Outer > 1 || planes == 1 ? 1 : Tiles(plan.Sums * plane);
        var isNear = tiles == 1 && SlidingKernel.IsNear(all * Math.Max(pixel, plane), contraction.Strategy == SlidingKernel.PackedStrategy);
        BufferLayout Layout(int words, int lines) => SlidingLayout(words, positions with { Lines = lines }, plan.Sums, isNear);
        var layout = Layout(pixel, positions.Lines);
        var sums = new MappedBuffer($"{operation.Name}{suffix}.sums", BufferRole.Accumulator, layout, layout.Elements);
        var done = 0;
        var untaken = new List<(MappedBuffer Buffer, MappedNest Nest)>();
        for (var from = 0; from < count; from += SlidingKernel.Channels)
        {
            var channels = Math.Min(SlidingKernel.Channels, count - from);
            var name = FormattableString.Invariant($"{suffix}.{from / SlidingKernel.Channels}");
            var origin = operation.Origin.Value.Part(first + from, channels, contraction.Channels.Extent);
            MappedAccess SumOf(LoopMap map, int line) =>
                new(sums.Name, SumElement(map, sums) with { Constant = from + (plan.Before * sums.Layout.Pitch[4]) + ((long)line * sums.Layout.Pitch[3]) });
            if (planes == 1)
            {
                _steps.Add(SlidingNest(contraction, plan, plan.Passes[0], first + from, channels, (0, positions.Lines), name, map => SumOf(map, 0), origin));
                continue;
            }

            for (var tile = 0; tile < tiles; tile++)
            {
                var line = (int)((long)tile * positions.Lines / tiles);
                var lines = (int)((tile + 1L) * positions.Lines / tiles) - line;
                var part = tiles == 1 ? name : FormattableString.Invariant($"{name}.{tile}");
                var buffer = AddBuffer($"{operation.Name}.planes{part}", BufferRole.Accumulator, Layout(plane, lines));
                MappedAccess PlaneOf(LoopMap map, int index) =>
                    new(buffer.Name, SumElement(map, buffer) with { Constant = (index * SlidingKernel.Channels) + (plan.Before * buffer.Layout.Pitch[4]) });
                MappedAccess Planes(LoopMap map) => PlaneOf(map, 0) is var access
                    ? access with { Element = Plus(access.Element, map.Over(loop => loop == PlanesKernel.Plane ? SlidingKernel.Channels : 0)) } : access;
                var summed = 0L;
                var terms = plan.Passes.Sum(p => (long)p.Taps * p.Lines);
                foreach (var (pass, index) in plan.Passes.Select((p, i) => (p, i)))
                {
                    var macs = origin.Part(line, lines, positions.Lines).Part(summed, (long)pass.Taps * pass.Lines, terms);
                    _steps.Add(SlidingNest(contraction, plan, pass, first + from, channels, (line, lines), FormattableString.Invariant($"{part}.{index}"), map => PlaneOf(map, index), macs));
                    summed += (long)pass.Taps * pass.Lines;
                }

                LoopMap Adding()
                {
                    var map = SlidingMap(contraction, positions, first + from, channels, line, lines);
                    map.Add(PlanesKernel.Plane, planes, reduced: true, -1);
                    return map;
                }

                var adding = Adding();
                var nest = new MappedNest(
                    $"{operation.Name}.sums{part}",
                    SlidingPlanesKernel.Strategy,
                    adding.Loops,
                    [adding.ChannelGuard(channels)],
                    [Planes(adding)],
                    SumOf(adding, line),
                    GconvReduction.Add,
                    new ScalarExtra(0),
                    new ScalarAccumulator())
                {
                    Origin = operation.Origin.Value with { Macs = 0 },
                };
                if (HasConstants(contraction) && contraction is { Stored: null, Steps: null } && channels == SlidingKernel.Channels && CodesOfPlanes(contraction, Adding(), Planes, part) is { } codes)
                {
                    untaken.Add((sums, nest));
                    Add(codes, operation.Origin.Value);
                    done = from + channels;
                }
                else
                {
                    _steps.Add(nest);
                }
            }
        }

        if (done < count)
        {
            _buffers.Add(sums.Name, sums);
        }

        return new(sums, done, untaken);

        int Tiles(int words)
        {
            var lines = Math.Clamp(_choices.AccumulatorWords / words, 1, positions.Lines);
            return (positions.Lines + lines - 1) / lines;
        }
    }

    /// <summary>[quad][outer][line][sum][lane], <paramref name="words"/> for each sum of a line: the lines side by side, or one after the other.</summary>
    private static BufferLayout SlidingLayout(int words, Positions positions, int sums, bool isNear)
    {
        int[] extents = [1, words / LoopMap.Lanes, positions.Outer, positions.Lines, sums, LoopMap.Lanes];
        var all = positions.Outer * positions.Lines;
        var (line, next) = isNear ? (words, all * words) : (sums * words, words);
        return new(
            extents.ToEquatableArray(),
            1,
            new int[extents.Length].ToEquatableArray(),
            new int[extents.Length].ToEquatableArray(),
            [all * sums * words, LoopMap.Lanes, positions.Lines * line, line, next, 1],
            null);
    }

    /// <summary>The nest that makes codes of sixteen channels' planes; null where there is no such code.</summary>
    private MappedNest? CodesOfPlanes(Contraction contraction, LoopMap map, Func<LoopMap, MappedAccess> planes, string name)
    {
        var codes = WithRanges(contraction, CodesOf(contraction, map, planes, SlidingKernel.Channels, name)) with
        {
            Kernel = RequantizeConstantsKernel.Strategy,
            Reduce = GconvReduction.Add,
            Term = new ScalarExtra(0),
            Post = Requantized(new ScalarBinary(ScalarBinaryOperator.Add, new ScalarAccumulator(), new ScalarExtra(1)), contraction.Form!),
        };
        return RequantizeConstantsKernel.Fits(codes) && RequantizeConstantsKernel.HasPlanes(codes, ConstantNamed) ? codes : null;
    }

    private static AffineExpression Plus(AffineExpression element, AffineExpression other) =>
        new([.. element.Coefficients.Zip(other.Coefficients, (a, b) => a + b)], element.Constant + other.Constant);

    /// <summary>The loops over some channels and lines.</summary>
    private static LoopMap SlidingMap(Contraction contraction, Positions positions, int first, int channels, int line, int lines)
    {
        var map = new LoopMap(contraction.Operation.Loops.Count);
        map.AddQuads(channels, contraction.Channels.Loop);
        map.Offset(contraction.Channels.Loop, first);
        AddPositions(map, positions with { Lines = lines });
        if (positions.LineLoop >= 0)
        {
            map.Offset(positions.LineLoop, line);
        }

        return map;
    }

    /// <summary>A pass over at most sixteen channels.</summary>
    private MappedNest SlidingNest(
        Contraction contraction,
        SlidingPlan plan,
        SlidingPass pass,
        int first,
        int channels,
        (int First, int Count) lines,
        string name,
        Func<LoopMap, MappedAccess> output,
        GconvOrigin origin)
    {
        var (operation, shape, positions) = (contraction.Operation, contraction.Shape, contraction.Positions);
        var map = SlidingMap(contraction, positions with { Pixels = pass.Sums }, first, channels, lines.First, lines.Count);
        var slide = SlideLoop(operation, shape, positions.PixelLoop);
        map.Add(SlidingKernel.Slide, pass.Taps, reduced: true, slide);
        if (slide >= 0)
        {
            map.Offset(slide, pass.FirstTap);
        }

        foreach (var (loop, index) in SlidingLoops(shape, slide).Select((l, i) => (l, i)))
        {
            map.Add(operation.Loops[loop].Name, index == plan.Cut ? pass.Lines : operation.Loops[loop].Extent, reduced: true, loop);
            map.Offset(loop, index == plan.Cut ? pass.FirstLine : 0);
        }

        map.Add(SlidingKernel.Marks, 1, reduced: false, -1);
        var element = map.Map(contraction.Input.Element);
        var elements = _buffers[contraction.Input.Buffer].Layout.Elements;
        var marks = (contraction.Strategy == SlidingKernel.PackedStrategy ? EndOfMarks() : elements) - element.Constant;
        var pixels = map.Over(loop => loop == NestView.Pixel ? 1 : 0);
        return new(
            $"{operation.Name}.sums{name}",
            contraction.Strategy,
            map.Loops,
            [map.ChannelGuard(channels), .. pass.Sums > positions.Pixels ? [new MappedGuard(pixels, positions.Pixels)] : (MappedGuard[])[]],
            [new(contraction.Input.Buffer, Plus(element, map.Over(loop => loop == SlidingKernel.Marks ? marks : 0))), new(contraction.Weights, map.Map(ConstantElement(operation, operation.Kernel!)))],
            output(map),
            GconvReduction.Add,
            new ScalarBinary(ScalarBinaryOperator.Multiply, new ScalarExtra(0), new ScalarExtra(1)),
            new ScalarAccumulator())
        {
            // every channel has the same number of MACs
            Origin = origin,
        };

        // a row behind all that is there or read in advance: the same place for all passes of an operator
        long EndOfMarks()
        {
            var input = contraction.Input.Element;
            long Of(int loop) => loop < 0 ? 0 : input.Coefficients[loop];
            var others = Enumerable.Range(0, operation.Loops.Count).Where(l => l != positions.PixelLoop && l != slide && l != contraction.Channels.Loop);
            var read = input.Constant + others.Sum(l => (operation.Loops[l].Extent - 1) * Of(l)) + plan.Passes.Max(p => (p.FirstTap * Of(slide)) + (p.Steps * Of(positions.PixelLoop)));
            var row = slide >= 0 ? Of(slide) : Of(positions.PixelLoop);
            return RoundUp((int)(Math.Max(read + SlidingKernel.Channels, elements) + row)) + (plan.Passes.Max(p => p.Steps) * PackedRuns.Lanes);
        }
    }
}
