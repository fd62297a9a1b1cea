using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Kernels.Published;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>The published mappings, under their names. They are candidates that only <c>--force</c> takes (<see cref="PublishedMappings"/>).</content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>Launches of a layer in a published mapping, at most: each has a parameter block in flash and a step of the host program.</summary>
    private const int MostPublishedLaunches = 1 << 17;

    /// <summary>The reduced loops across lines, along a line and over channels (-1 for none), or null where there are others.</summary>
    private static (int Across, int Along, int Channel)? WindowOf(GconvOperator operation, OperatorShape shape, Positions positions)
    {
        var reduced = shape.Loops(LoopKind.KernelSize).ToArray();
        int Of(int position) => position < 0 ? -1 : reduced.FirstOrDefault(l => operation.Loops[l].Dimension == operation.Loops[position].Dimension, -1);
        var (across, along) = (Of(positions.LineLoop), Of(positions.PixelLoop));
        var rest = reduced.Where(l => l != across && l != along && operation.Loops[l].Extent > 1).ToList();

        // where there is a single line or position, the window's loop stands alone; channels are the innermost
        if (rest.Count > 1 && along < 0)
        {
            along = rest[^2];
            rest.RemoveAt(rest.Count - 2);
        }

        if (rest.Count > 1 && across < 0)
        {
            across = rest[^2];
            rest.RemoveAt(rest.Count - 2);
        }

        return rest.Count > 1 ? null : (across, along, rest.Count == 1 ? rest[0] : -1);
    }

    private IEnumerable<Spread> PublishedSpreads(GconvOperator operation, OperatorShape shape, int channels, IReadOnlyList<Spread> spreads)
    {
        var layout = PaddedLayout(operation, shape);
        var element = Element(operation, operation.Input, layout);
        long Coefficient(int loop) => loop < 0 ? 0 : element.Coefficients[loop];
        var along = spreads.Select(s => s.Positions).Where(p => p.Outer == 1 && WindowOf(operation, shape, p) is not null)
            .OrderByDescending(p => p.PixelLoop).FirstOrDefault();
        if (along is null || WindowOf(operation, shape, along) is not var (_, alongLoop, channelLoop))
        {
            return [];
        }

        var positions = (long)along.Lines * along.Pixels;
        var inputs = channelLoop < 0 ? 1L : operation.Loops[channelLoop].Extent;
        var taps = shape.Loops(LoopKind.KernelSize).Aggregate(1L, (n, l) => n * operation.Loops[l].Extent);
        var names = new List<string>();
        var single = alongLoop < 0 || operation.Loops[alongLoop].Extent == 1;
        if (WeightParallelKernel.Fits(Coefficient(along.PixelLoop), single ? 0 : Coefficient(alongLoop), Math.Max(along.Lines, along.Pixels)) && channels * taps <= MostPublishedLaunches
            && channels * inputs <= MostPublishedLaunches)
        {
            names.Add(PublishedMappings.WeightParallel);
        }

        if (positions * channels <= MostPublishedLaunches)
        {
            names.AddRange([PublishedMappings.OutputParallel, PublishedMappings.PatchOutputParallel, PublishedMappings.PatchInputParallel]);
        }

        return names.Select(name => new Spread(new(name, $"the published mapping {name}; only where it is forced"), PublishedMappings.StrategyOf(name), along));
    }

    /// <summary>The sums of some output channels: weights brought into RAM, or sums begun at 0; then the mapping's launches.</summary>
    private void AddPublishedSums(Contraction contraction, MappedBuffer sums, LoopMap map, AffineExpression sum, int first, int count, string suffix)
    {
        var (operation, positions) = (contraction.Operation, contraction.Positions);
        var (across, along, channel) = WindowOf(operation, contraction.Shape, positions)!.Value;
        int Extent(int loop) => loop < 0 ? 1 : operation.Loops[loop].Extent;
        map.Add(PublishedLoops.Across, Extent(across), reduced: true, across);
        map.Add(PublishedLoops.Along, Extent(along), reduced: true, along);
        map.Add(PublishedLoops.Channel, Extent(channel), reduced: true, channel);

        // the map has loops now that the sum doesn't run over
        var output = sum with { Coefficients = sum.Coefficients.Concat(new long[map.Loops.Count - sum.Coefficients.Count]).ToEquatableArray() };
        MappedAccess weights;
        var element = map.Map(ConstantElement(operation, operation.Kernel!));
        if (contraction.Strategy == WeightParallelKernel.Strategy)
        {
            Fill(sums with { Words = sums.Words + PublishedLoops.WordsBefore }, 0, operation.Origin.Value);
            weights = new(contraction.Weights, element);
        }
        else
        {
            var taps = Extent(across) * Extent(along) * Extent(channel);
            var pitch = (taps + InputParallelKernel.Group - 1) / InputParallelKernel.Group * InputParallelKernel.Group;
            var buffer = AddBuffer($"{operation.Name}.streamed{suffix}", BufferRole.Activation, BufferLayout.Dense([count, pitch], 1));
            Add(
                new(
                    $"{buffer.Name}.write",
                    ConstantKernel.Strategy,
                    [new("element", count * pitch, Reduced: false)],
                    [],
                    [new(AddConstant(buffer.Name + ".words", InOrder(contraction, map, element, count, pitch)), new([1], 0))],
                    new(buffer.Name, new([1], 0)),
                    GconvReduction.None,
                    new ScalarExtra(0),
                    new ScalarAccumulator()),
                operation.Origin.Value);
            weights = new(buffer.Name, map.Over(loop => loop switch
            {
                NestView.Quad => LoopMap.Lanes * pitch,
                NestView.Lane => pitch,
                PublishedLoops.Across => Extent(along) * Extent(channel),
                PublishedLoops.Along => Extent(channel),
                PublishedLoops.Channel => 1,
                _ => 0,
            }));
        }

        _steps.Add(new MappedNest(
            $"{operation.Name}.sums{suffix}",
            contraction.Strategy,
            map.Loops,
            [map.ChannelGuard(count)],
            [new(contraction.Input.Buffer, map.Map(contraction.Input.Element)), weights],
            new(sums.Name, output),
            GconvReduction.Add,
            new ScalarBinary(ScalarBinaryOperator.Multiply, new ScalarExtra(0), new ScalarExtra(1)),
            new ScalarAccumulator())
        {
            Origin = operation.Origin.Value.Part(first, count, contraction.Channels.Extent),
        });
    }

    /// <summary>The weights of some channels in the order of the window, each channel's filled up with 0 to a pitch.</summary>
    private Tensor InOrder(Contraction contraction, LoopMap map, AffineExpression element, int count, int pitch)
    {
        var constant = ConstantOf(contraction.Operation.Kernel!);
        var loops = map.Loops;
        int IndexOf(string name) => loops.Select((l, i) => (l.Name, i)).First(l => l.Name == name).i;
        var (quad, lane, across, along, channel) =
            (IndexOf(NestView.Quad), IndexOf(NestView.Lane), IndexOf(PublishedLoops.Across), IndexOf(PublishedLoops.Along), IndexOf(PublishedLoops.Channel));
        var words = new int[count * pitch];
        for (var k = 0; k < count; k++)
        {
            var next = k * pitch;
            var first = element.Constant + (k / LoopMap.Lanes * element.Coefficients[quad]) + (k % LoopMap.Lanes * element.Coefficients[lane]);
            for (var a = 0; a < loops[across].Extent; a++)
            {
                for (var b = 0; b < loops[along].Extent; b++)
                {
                    for (var c = 0; c < loops[channel].Extent; c++)
                    {
                        words[next++] = (int)constant.GetInteger(first + (a * element.Coefficients[across]) + (b * element.Coefficients[along]) + (c * element.Coefficients[channel]));
                    }
                }
            }
        }

        return Tensor.From<int>(ElementType.Int32, Shape.Of(words.Length), words);
    }
}
