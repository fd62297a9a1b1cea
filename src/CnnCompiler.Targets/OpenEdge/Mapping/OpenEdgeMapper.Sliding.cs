using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>Depthwise convolutions that slide along a line of outputs.</content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>The reduced loop along the line of a sliding operator, or -1 where there is none.</summary>
    private static int SlideLoop(GconvOperator operation, OperatorShape shape, int pixelLoop) =>
        operation.Input.Index.FirstOrDefault(i => i.Coefficients[pixelLoop] != 0) is { } index
            ? shape.Loops(LoopKind.KernelSize).Where(l => index.Coefficients[l] != 0).DefaultIfEmpty(-1).First()
            : -1;

    private static bool IsSliding(string strategy) => strategy is SlidingKernel.Strategy or SlidingKernel.PackedStrategy;

    /// <summary>The lines along which a depthwise operator can slide, over an input of words and over one of four channels a word.</summary>
    private IEnumerable<Spread> SlidingSpreads(GconvOperator operation, OperatorShape shape, int channelLoop, IReadOnlyList<Spread> spreads)
    {
        foreach (var spread in SlidingSpreads(operation, shape, channelLoop, spreads, PaddedLayout(operation, shape), "slide", SlidingKernel.Strategy))
        {
            yield return spread;
        }

        // words are packed in whole quads: behind the last channel there have to be words, too
        var type = TypeOf(operation.Input.Tensor).Shape.Dimensions;
        if (QuadForm.ReadBy(operation, shape, type) is { } quads && LayoutOf(operation.Input.Tensor).Pitch[^2] >= RoundUp(type[^1]))
        {
            foreach (var spread in SlidingSpreads(operation, shape, channelLoop, spreads, quads.Words, "slidequads", SlidingKernel.PackedStrategy))
            {
                yield return spread;
            }
        }
    }

    /// <summary>
    /// The lines along which a depthwise operator can slide: along the outermost dimension of its input's buffer, so that what comes behind a line's
    /// last input lies behind the buffer's end.
    /// </summary>
    private static IEnumerable<Spread> SlidingSpreads(
        GconvOperator operation, OperatorShape shape, int channelLoop, IReadOnlyList<Spread> spreads, BufferLayout layout, string kernel, string strategy)
    {
        var element = Element(operation, operation.Input, layout);
        foreach (var positions in spreads.Select(s => s.Positions).Where(p => p.PixelLoop >= 0))
        {
            var along = operation.Input.Index.Where(i => i.Coefficients[positions.PixelLoop] != 0).ToArray();
            var slide = SlideLoop(operation, shape, positions.PixelLoop);
            if (along.Length != 1 || element.Coefficients.Any(c => c < 0) || element.Coefficients[channelLoop] != 1
                || Enumerable.Range(0, operation.Loops.Count).Any(l => l != positions.PixelLoop && l != slide && operation.Loops[l].Extent > 1 && along[0].Coefficients[l] != 0)
                || (slide >= 0 && along[0].Coefficients[slide] != 1))
            {
                continue;
            }

            var (taps, stride) = slide >= 0 ? (operation.Loops[slide].Extent, (int)along[0].Coefficients[positions.PixelLoop]) : (1, 1);
            var steps = SlidingKernel.Steps(positions.Pixels, SlidingKernel.UnderWay(taps, stride));
            int[] across = [0];
            foreach (var loop in shape.Loops(LoopKind.KernelSize).Where(l => l != slide))
            {
                across = [.. across.SelectMany(a => Enumerable.Range(0, operation.Loops[loop].Extent).Select(i => a + (i * (int)element.Coefficients[loop] / layout.Lanes)))];
            }

            var channels = RoundUp(operation.Loops[channelLoop].Extent, SlidingKernel.Channels);
            var pitch = (int)element.Coefficients[slide >= 0 ? slide : positions.PixelLoop] / layout.Lanes;
            if (SlidingKernel.Fits(taps, stride, pitch, across, channels, layout.Lanes > 1) && element.Constant + (steps * element.Coefficients[positions.PixelLoop]) >= layout.Elements)
            {
                yield return new(MappingCandidates.Of(kernel, operation, positions.PixelLoop), strategy, positions);
            }
        }
    }

    /// <summary>
    /// An operator's input, four channels a word inside the halo that it needs: as it is stored, or packed here.
    /// </summary>
    /// <returns>The buffer, and the element that the operator reads, over its loops.</returns>
    private (string Buffer, AffineExpression Element) Quads(GconvOperator operation, OperatorShape shape)
    {
        var tensor = operation.Input.Tensor;
        var type = TypeOf(tensor).Shape.Dimensions;
        var form = QuadForm.ReadBy(operation, shape, type) ?? throw new InvalidOperationException($"{operation.Name} does not read whole quads");
        var element = Element(operation, operation.Input, form.Words);
        if (_stored.ContainsKey(tensor))
        {
            return (_bufferOf[tensor], element);
        }

        var target = AddBuffer(HalvesOf(operation.Name), BufferRole.Activation, form.Words);
        if (form.Words.HaloFill is { } fill)
        {
            FillHalo(target, fill, operation.Origin.Value);
        }

        EquatableArray<int> whole = [.. type.SkipLast(1), RoundUp(type[^1])];
        Add(Box(target.Name, PackLinesKernel.Strategy, whole, At(_buffers[_bufferOf[tensor]], LayoutOf(tensor), 0), At(target, form.Words, 0)), operation.Origin.Value);
        return (target.Name, element);
    }

    private static void AddSliding(LoopMap map, GconvOperator operation, OperatorShape shape, int pixelLoop)
    {
        var slide = SlideLoop(operation, shape, pixelLoop);
        map.Add(SlidingKernel.Slide, slide >= 0 ? operation.Loops[slide].Extent : 1, reduced: true, slide);
        foreach (var loop in shape.Loops(LoopKind.KernelSize).Where(l => l != slide))
        {
            map.Add(operation.Loops[loop].Name, operation.Loops[loop].Extent, reduced: true, loop);
        }
    }

    /// <summary>
    /// The buffer of raw sums, [quad][line][pixel][lane] with the channels of a pixel side by side: as many pixels a line as the kernel takes steps. The lines lie side by side, so that what
    /// requantises walks them all as one, unless that would be too far for the code.
    /// </summary>
    private MappedBuffer AddSlidingSums(string name, GconvOperator operation, OperatorShape shape, Positions positions, int channels, bool isPacked)
    {
        var steps = SlidingSteps(operation, shape, positions);
        var pixel = RoundUp(channels, SlidingKernel.Channels);
        int[] extents = [1, pixel / LoopMap.Lanes, positions.Outer, positions.Lines, steps, LoopMap.Lanes];
        var all = positions.Outer * positions.Lines;
        var (line, next) = SlidingKernel.IsNear(all * pixel, isPacked) ? (pixel, all * pixel) : (steps * pixel, pixel);
        return AddBuffer(
            $"{name}.sums",
            BufferRole.Accumulator,
            new(
                extents.ToEquatableArray(),
                1,
                new int[extents.Length].ToEquatableArray(),
                new int[extents.Length].ToEquatableArray(),
                [all * steps * pixel, LoopMap.Lanes, positions.Lines * line, line, next, 1],
                null));
    }

    private static int SlidingSteps(GconvOperator operation, OperatorShape shape, Positions positions) =>
        SlidingKernel.Steps(positions.Pixels, SumsUnderWay(operation, shape, positions));

    private static int SumsUnderWay(GconvOperator operation, OperatorShape shape, Positions positions)
    {
        var slide = SlideLoop(operation, shape, positions.PixelLoop);
        var index = operation.Input.Index.First(i => i.Coefficients[positions.PixelLoop] != 0);
        return slide >= 0 ? SlidingKernel.UnderWay(operation.Loops[slide].Extent, (int)index.Coefficients[positions.PixelLoop]) : 1;
    }
}
