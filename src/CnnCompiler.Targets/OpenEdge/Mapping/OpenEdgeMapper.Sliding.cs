using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>Depthwise convolutions that slide along a line of outputs.</content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>Passes of an operator that are offered at most: each has code of its own.</summary>
    private const int MostSlidingPasses = 128;

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

    /// <summary>The lines along which a depthwise operator can slide.</summary>
    private static IEnumerable<Spread> SlidingSpreads(
        GconvOperator operation, OperatorShape shape, int channelLoop, IReadOnlyList<Spread> spreads, BufferLayout layout, string kernel, string strategy)
    {
        var element = Element(operation, operation.Input, layout);
        return spreads.Select(s => s.Positions).Where(p => SlidingOf(operation, shape, channelLoop, p, element, layout) is { } plan && plan.Passes.Count * Blocks(operation, channelLoop) <= MostSlidingPasses)
            .Select(p => new Spread(MappingCandidates.Of(kernel, operation, p.PixelLoop), strategy, p));
    }

    private static int Blocks(GconvOperator operation, int channelLoop) => RoundUp(operation.Loops[channelLoop].Extent, SlidingKernel.Channels) / SlidingKernel.Channels;

    /// <summary>
    /// How a depthwise operator slides along its lines, or null where it can't: they have to run along the outermost dimension of its input's buffer, so that what comes behind
    /// a line's last input lies behind the buffer's end.
    /// </summary>
    /// <param name="operation">The operator.</param>
    /// <param name="shape">Its loops.</param>
    /// <param name="channelLoop">Its loop over channels.</param>
    /// <param name="positions">Its positions.</param>
    /// <param name="element">The input's element over its loops.</param>
    /// <param name="layout">How the input lies.</param>
    private static SlidingPlan? SlidingOf(GconvOperator operation, OperatorShape shape, int channelLoop, Positions positions, AffineExpression element, BufferLayout layout)
    {
        var along = positions.PixelLoop < 0 ? [] : operation.Input.Index.Where(i => i.Coefficients[positions.PixelLoop] != 0).ToArray();
        if (along.Length != 1 || element.Coefficients.Any(c => c < 0) || element.Coefficients[channelLoop] != 1)
        {
            return null;
        }

        var slide = SlideLoop(operation, shape, positions.PixelLoop);
        if (Enumerable.Range(0, operation.Loops.Count).Any(l => l != positions.PixelLoop && l != slide && operation.Loops[l].Extent > 1 && along[0].Coefficients[l] != 0)
            || (slide >= 0 && along[0].Coefficients[slide] != 1))
        {
            return null;
        }

        // a line whose inputs are further from each other than all others ends where the buffer does
        var (taps, stride) = slide >= 0 ? (operation.Loops[slide].Extent, (int)along[0].Coefficients[positions.PixelLoop]) : (1, 1);
        var pitch = (int)element.Coefficients[slide >= 0 ? slide : positions.PixelLoop];
        var inputs = (int)((layout.Elements - element.Constant + pitch - 1) / pitch);
        var window = new SlidingWindow(
            taps,
            stride,
            pitch / layout.Lanes,
            [.. SlidingLoops(shape, slide).Select(l => (operation.Loops[l].Extent, (int)element.Coefficients[l] / layout.Lanes))],
            positions.Pixels,
            inputs,
            RoundUp(operation.Loops[channelLoop].Extent, SlidingKernel.Channels),
            layout.Lanes > 1);
        return inputs <= ((positions.Pixels + 1) * stride) + taps ? SlidingPlan.Find(window) : null;
    }

    /// <summary>The reduced loops across the line.</summary>
    private static IEnumerable<int> SlidingLoops(OperatorShape shape, int slide) => shape.Loops(LoopKind.KernelSize).Where(l => l != slide);

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

        // whole words are packed, but behind the last channel there needn't be codes
        EquatableArray<int> whole = [.. type.SkipLast(1), RoundUp(type[^1])];
        var channel = new AffineExpression([.. Enumerable.Range(0, whole.Count).Select(d => d == whole.Count - 1 ? 1L : 0)], 0);
        Add(
            Box(target.Name, PackLinesKernel.Strategy, whole, At(_buffers[_bufferOf[tensor]], LayoutOf(tensor), 0), At(target, form.Words, 0)) with
            {
                Guards = whole[^1] > type[^1] ? [new(channel, type[^1])] : [],
            },
            operation.Origin.Value);
        return (target.Name, element);
    }
}
