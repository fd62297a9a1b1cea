using System.Runtime.CompilerServices;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>Convolutions over packed input with the weights in the code, in passes of a few output channels.</content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>Passes of an operator that are offered at most: each has code of its own.</summary>
    private const int MostStarPasses = 640;

    /// <summary>The places of plans' items, made once: code is shared by kernels of the same constants.</summary>
    private static readonly ConditionalWeakTable<StarPlan, Tensor> KnownPlaces = [];

    /// <summary>A convolution's loops along the line and of its items, and the plan of every two or six output channels. Where cells are channels there is no loop along the line (-1).</summary>
    private sealed record StarShape(int Along, int[] Items, int Pitch, IReadOnlyList<StarPlan> Plans);

    /// <summary>The shape of a convolution whose lines are halved, or null where the kernel doesn't fit it.</summary>
    /// <param name="operation">The operator.</param>
    /// <param name="shape">Its loops.</param>
    /// <param name="positions">Halved positions.</param>
    /// <param name="first">First output channel.</param>
    /// <param name="channels">Output channels.</param>
    /// <param name="channelLoop">Their loop.</param>
    /// <param name="strategy">What cells are.</param>
    private StarShape? StarOf(GconvOperator operation, OperatorShape shape, Positions positions, int first, int channels, int channelLoop, string strategy)
    {
        var isPoint = strategy == StarKernel.PointStrategy;
        var channelsOfPass = StarKernel.Channels(strategy);
        var (_, _, element) = PackedInput(operation, positions);
        var words = element.Coefficients.Select(c => c / HalvesKernel.Halves).ToArray();
        var step = positions.PixelLoop < 0 ? 0 : words[positions.PixelLoop];
        var reduced = shape.Loops(LoopKind.KernelSize).ToArray();
        var along = reduced.Where(l => operation.Loops[l].Extent is > 1 and <= StarKernel.Taps && words[l] == step).ToArray();
        if (step <= 0 || (along.Length != 1 && !isPoint) || channelLoop < 0)
        {
            return null;
        }

        // the positions between lines are computed for nothing: few, or as many as the others at most; else each line is a loop of its own
        var lineStep = words[positions.LineLoop];
        var isLinear = positions.Lines == 1 || (lineStep % step == 0 && lineStep / step >= positions.Pixels && lineStep / step <= (isPoint ? positions.Pixels + StarKernel.Ahead(strategy) : 2L * positions.Pixels));
        var pitch = positions.Lines == 1 ? positions.Pixels : isLinear ? lineStep / step : positions.Pixels + StarKernel.Ahead(strategy);
        var alongLoop = isPoint ? -1 : along[0];
        int[] items = [.. reduced.Where(l => l != alongLoop)];
        var count = items.Aggregate(1L, (n, l) => n * operation.Loops[l].Extent);
        var groups = (channels + channelsOfPass - 1) / channelsOfPass;
        var mostSlots = isLinear ? StarPlan.MostSlots : StarKernel.MostSlotsOfLines;
        var fewest = (count + (StarPlan.Streams * mostSlots) - 1) / (StarPlan.Streams * mostSlots);
        if ((!isLinear && !isPoint) || !StarKernel.Fits(((positions.Lines - 1) * pitch) + positions.Pixels)
            || fewest * groups > MostStarPasses || fewest > StarPlanesKernel.MostPlanes)
        {
            return null;
        }

        var weight = ConstantElement(operation, operation.Kernel!);
        var constant = _constants[operation.Kernel!.Tensor];
        (int Offset, long Weight)[] places = [(0, weight.Constant)];
        foreach (var loop in items)
        {
            places =
            [
                .. places.SelectMany(p => Enumerable.Range(0, operation.Loops[loop].Extent)
                    .Select(i => (p.Offset + (int)(i * words[loop] * NestView.WordBytes), p.Weight + (i * weight.Coefficients[loop])))),
            ];
        }

        int[] offsets = [.. places.Select(p => p.Offset)];
        var back = isLinear ? null : StarKernel.Back(lineStep, step, positions.Lines, positions.Pixels);
        if (!isLinear && back is null)
        {
            return null;
        }

        var walk = new StarWalk(offsets, (int)(step * NestView.WordBytes), back);
        var plans = new List<StarPlan>();
        var passes = 0;
        for (var from = 0; from < channels; from += channelsOfPass)
        {
            var cells = new List<int[]>();
            var firsts = new List<int>();
            for (var cell = 0; cell < StarKernel.PairChannels * StarKernel.Taps; cell++)
            {
                var (channel, tap) = isPoint ? (cell, 0) : (cell / StarKernel.Taps, cell % StarKernel.Taps);
                var isUsed = from + channel < channels && (isPoint || tap < operation.Loops[alongLoop].Extent);
                var start = ((first + from + channel) * weight.Coefficients[channelLoop]) + (isPoint ? 0 : tap * weight.Coefficients[alongLoop]);
                cells.Add([.. places.Select(p => isUsed ? (int)constant.GetInteger(p.Weight + start) : 0)]);
                firsts.Add(StarKernel.FirstSlot(strategy, cell));
            }

            if (_plans.Make(walk, cells, firsts, (StarKernel.FewestSlots(strategy), mostSlots), StarPlanesKernel.MostPlanes) is not { } plan
                || (passes += plan.Passes) > MostStarPasses)
            {
                return null;
            }

            plans.Add(plan);
        }

        return new(alongLoop, items, (int)pitch, plans);
    }

    private IEnumerable<Spread> StarSpreads(GconvOperator operation, OperatorShape shape, int channelLoop, int channels, IEnumerable<Spread> spreads) =>
        from strategy in (string[])[StarKernel.Strategy, StarKernel.PointStrategy]
        from positions in spreads.Select(s => s.Positions).Where(p => CanHalve(operation, p))
        let star = StarOf(operation, shape, Halved(positions), 0, channels, channelLoop, strategy)
        where star is not null
        let canDoWithoutSums = ScalarForms.AsRequantize(operation.Post) is not null && star.Plans.All(plan => plan.Passes <= StarCodesKernel.MostPlanes)
        from hasSums in canDoWithoutSums ? (bool[])[false, true] : [false]
        select new Spread(
            MappingCandidates.Of((strategy == StarKernel.Strategy ? "star" : "starpoint") + (hasSums ? "sums" : string.Empty), operation, positions.PixelLoop), strategy, Halved(positions))
        {
            HasSums = hasSums,
        };

    /// <summary>
    /// The sums of some output channels, [quad][line][position][half][lane] or, where all channels of a pass are added up together, [line][position][half][channel], lines as long as the packed
    /// input's: a few channels after the other. Null where
    /// codes are made of what the passes leave, so that there are no sums.
    /// </summary>
    private MappedBuffer? AddStarSums(Contraction contraction, int first, int count, string suffix)
    {
        var (operation, positions) = (contraction.Operation, contraction.Positions);
        var star = StarOf(operation, contraction.Shape, positions, first, count, contraction.Channels.Loop, contraction.Strategy)!;
        var (words, ahead, channelsOfPass) = (StarKernel.Words(contraction.Strategy), StarKernel.Ahead(contraction.Strategy), StarKernel.Channels(contraction.Strategy));
        var all = ((positions.Lines - 1) * star.Pitch) + positions.Pixels;
        var quads = (count + LoopMap.Lanes - 1) / LoopMap.Lanes;
        var inOneNest = StarPlanesKernel.IsNear(contraction.Strategy, Odd(HalvesKernel.Halves * quads * LoopMap.Lanes));
        var half = inOneNest ? quads * LoopMap.Lanes : LoopMap.Lanes;
        var pixel = inOneNest ? Odd(HalvesKernel.Halves * half) : HalvesKernel.Halves * half;
        var line = star.Pitch * pixel;
        var codes = StarCodes(contraction, first, count, suffix, star);
        var sums = codes is null ? AddSums() : null;
        var extents = star.Items.Select(l => operation.Loops[l].Extent).ToArray();
        var items = extents.Aggregate(1, (n, e) => n * e);
        for (int group = 0, next; group < star.Plans.Count; group = next)
        {
            // passes follow each other as long as there is room for what they leave
            var room = (long)_choices.PlaneWords;
            for (next = group; next < star.Plans.Count && (next == group || room >= PlanesOfGroup(next).Elements); next++)
            {
                room -= PlanesOfGroup(next).Elements;
            }

            var together = Enumerable.Range(group, next - group).Select(g => (Group: g, Planes: AddBuffer(PlanesOf(operation, Name(g)), BufferRole.Accumulator, PlanesOfGroup(g)))).ToArray();
            foreach (var (g, planes) in together)
            {
                AddPasses(g, planes);
            }

            foreach (var (g, planes) in together)
            {
                AddPlanes(g, planes);
            }
        }

        return sums;

        string Name(int group) => FormattableString.Invariant($"{suffix}.{group}");
        BufferLayout PlanesOfGroup(int group)
        {
            var dense = BufferLayout.Dense([ahead + all, star.Plans[group].Passes, channelsOfPass, HalvesKernel.Halves], 1);
            return dense with { Pitch = [PlanePitch(star.Plans[group], contraction.Strategy), .. dense.Pitch.Skip(1)] };
        }

        int ChannelsOfGroup(int group) => Math.Min(channelsOfPass, count - (group * channelsOfPass));

        void AddPasses(int group, MappedBuffer planes)
        {
            var (plan, name, from, channels) = (star.Plans[group], Name(group), group * channelsOfPass, ChannelsOfGroup(group));
            var places = AddConstant($"{operation.Name}.places{name}", Places(plan, items));
            var origin = operation.Origin.Value.Part(first + from, channels, contraction.Channels.Extent);
            var done = 0;
            for (var pass = 0; pass < plan.Passes; pass++)
            {
                var map = StarMap(contraction, first + from, channelsOfPass);
                var summed = plan.Slots[pass].Sum(stream => stream.Count(item => item >= 0));
                if (star.Along >= 0)
                {
                    map.Add(DirectKernel.Along, operation.Loops[star.Along].Extent, reduced: true, star.Along);
                }

                for (var i = 0; i < extents.Length; i++)
                {
                    map.Add(Item(i), extents[i], reduced: true, star.Items[i]);
                }

                var pitch = extents.Select((_, i) => extents.Skip(i + 1).Aggregate(1L, (n, e) => n * e)).ToArray();
                var place = map.Over(loop => Enumerable.Range(0, extents.Length).Where(i => Item(i) == loop).Sum(i => pitch[i])) with { Constant = pass * items };
                _steps.Add(new MappedNest(
                    FormattableString.Invariant($"{operation.Name}.sums{name}.{pass}"),
                    contraction.Strategy,
                    map.Loops,
                    [new(map.Over(loop => loop == NestView.Lane ? 1 : 0), channels)],
                    [
                        new(contraction.Input.Buffer, InputElement(map, contraction)),
                        new(contraction.Weights, map.Map(ConstantElement(operation, operation.Kernel!))),
                        new(places, place),
                    ],
                    new(planes.Name, PlaneElement(map, star, plan, contraction.Strategy, pass * words)),
                    GconvReduction.Add,
                    new ScalarBinary(
                        ScalarBinaryOperator.Multiply,
                        new ScalarBinary(ScalarBinaryOperator.Multiply, new ScalarExtra(0), new ScalarExtra(1)),
                        new ScalarClamp(new ScalarExtra(2), new ScalarLiteral(0), new ScalarLiteral(1))),
                    new ScalarAccumulator())
                {
                    Origin = origin.Part(done, summed, items),
                });
                done += summed;
            }
        }

        void AddPlanes(int group, MappedBuffer planes)
        {
            var (plan, name, from, channels) = (star.Plans[group], Name(group), group * channelsOfPass, ChannelsOfGroup(group));
            if (sums is null)
            {
                // the first ones fill the halo before
                _ = BufferFor(operation.Destination ?? operation.Name, operation.Origin.Value);
                _steps.AddRange(codes![(from / StarKernel.PairChannels)..((from + channels + 1) / StarKernel.PairChannels)]);
                return;
            }

            var most = inOneNest ? channelsOfPass : StarKernel.PairChannels;
            for (var start = 0; start < channels; start += most)
            {
                var adding = StarMap(contraction, first + from + start, most);
                adding.Add(PlanesKernel.Plane, plan.Passes, reduced: true, -1);
                var (quad, lane) = ((from + start) / LoopMap.Lanes, (from + start) % LoopMap.Lanes);
                _steps.Add(new MappedNest(
                    channels > most ? FormattableString.Invariant($"{operation.Name}.sums{name}.add{start}") : $"{operation.Name}.sums{name}",
                    contraction.Strategy == StarKernel.PointStrategy ? StarPlanesKernel.PointStrategy : StarPlanesKernel.Strategy,
                    adding.Loops,
                    [new(adding.Over(loop => loop == NestView.Lane ? 1 : 0), Math.Min(most, channels - start))],
                    [new(planes.Name, PlaneElement(adding, star, plan, contraction.Strategy, start * HalvesKernel.Halves))],
                    new(sums.Name, SumElement(adding, sums) with { Constant = ((long)quad * sums.Layout.Pitch[1]) + lane }),
                    GconvReduction.Add,
                    new ScalarExtra(0),
                    new ScalarAccumulator())
                {
                    Origin = operation.Origin.Value with { Macs = 0 },
                });
            }
        }

        MappedBuffer AddSums()
        {
            int[] shape = [1, quads, positions.Outer, positions.Lines, positions.Pixels, LoopMap.Lanes];
            return AddBuffer(
                $"{operation.Name}{suffix}.sums",
                BufferRole.Accumulator,
                new(
                    shape.ToEquatableArray(),
                    1,
                    new int[shape.Length].ToEquatableArray(),
                    new int[shape.Length].ToEquatableArray(),
                    [inOneNest ? positions.Lines * line : quads * positions.Lines * line, inOneNest ? LoopMap.Lanes : positions.Lines * line, half, line, pixel, 1],
                    null));
        }

        static string Item(int index) => FormattableString.Invariant($"item{index}");
    }

    /// <summary>For every pass and item 0, or where the pass has the item, one more than its place.</summary>
    private static Tensor Places(StarPlan plan, int items) => KnownPlaces.GetValue(plan, p => PlacesOf(p, items));

    private static Tensor PlacesOf(StarPlan plan, int items)
    {
        var places = new int[plan.Passes * items];
        for (var pass = 0; pass < plan.Passes; pass++)
        {
            for (var stream = 0; stream < StarPlan.Streams; stream++)
            {
                for (var slot = 0; slot < plan.Slots[pass][stream].Count; slot++)
                {
                    if (plan.Slots[pass][stream][slot] is >= 0 and var item)
                    {
                        places[(pass * items) + item] = (stream * StarPlan.MostSlots) + slot + 1;
                    }
                }
            }
        }

        return Tensor.From<int>(ElementType.Int32, Shape.Of(plan.Passes, items), places);
    }
}
