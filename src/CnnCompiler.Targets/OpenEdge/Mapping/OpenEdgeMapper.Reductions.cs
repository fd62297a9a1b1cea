using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Kernels.Published;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>Operators that reduce: a first nest writes raw 32-bit sums or maxima, a second one makes codes of them.</content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>
    /// How positions are spread: which loops make lines, which one runs along a line. Where the lines are halved, the outer lines are the halves and
    /// the second begins <c>Distance</c> lines behind the first (with an odd number of lines both do the middle one).
    /// Where lines are in tiles, the outer lines are those of a tile; the first tile begins at line <c>First</c>, the first lines of which may be done already. <c>IsTiled</c> where lines
    /// themselves are cut into tiles, too.
    /// </summary>
    private sealed record Positions(int OuterLoop, int LineLoop, int PixelLoop, int Outer, int Lines, int Pixels, int Distance = 0, int Tile = 0, int First = 0, int Overlap = 0, bool IsTiled = false);

    /// <summary>A way to execute a reduction: the kernel and how it spreads the positions.</summary>
    private sealed record Spread(MappingCandidate Candidate, string Strategy, Positions Positions)
    {
        /// <summary>True where codes are made of sums that are stored, though they could be made at once.</summary>
        public bool HasSums { get; init; }
    }

    private string? MapContraction(GconvOperator operation, OperatorShape shape)
    {
        if (shape.Single(LoopKind.Group) is not var (groupLoop, groups) || shape.Single(LoopKind.OutputParallel) is not var (channelLoop, channels))
        {
            return "its channels are split over several loops";
        }

        if (Choose(operation, ContractionSpreads(operation, shape, groups, channels)) is not { } spread)
        {
            return "it has more than three dimensions of output positions";
        }

        var (_, strategy, positions) = spread;

        // every group has one channel, which reads inputs of its own: channels take the place of groups
        var depthwise = strategy is WindowKernel.Strategy || IsSliding(strategy);

        // requantised as the array does it where that is exact; else by thresholds
        (int, int) groupsOf = depthwise ? (-1, 1) : (groupLoop, groups);
        (int, int) channelsOf = depthwise ? (groupLoop, groups) : (channelLoop, channels);
        var form = ScalarForms.AsRequantize(operation.Post) is { Multiplier: ScalarExtra multiplier, Shift: ScalarExtra shift } found && BiasOf(found.Value) is { } bias
            && FoldChannels(operation, found, bias, multiplier.Index, shift.Index) is { } folded
                ? (Form: found, Folded: folded, Channel: operation.Extra[multiplier.Index])
                : ((RequantizeForm Form, Folded Folded, OperandAccess Channel)?)null;
        var steps = form is null ? StepsOf(operation, shape, groupsOf, channelsOf) : null;
        if (form is null && steps is null)
        {
            return null;
        }

        var (name, element) = InputOf(operation, shape, strategy, positions);
        if (FormRead(operation, strategy, positions) is { } read)
        {
            _packedReads[operation.Name] = read.Candidate.Name;
        }

        var contraction = new Contraction(
            operation,
            shape,
            form?.Form,
            positions,
            strategy,
            form is { } short1 && RequantizePairsKernel.Fits(short1.Folded.Bound, short1.Folded.Shift.AsSpan<int>(), positions.Outer * positions.Lines) ? RequantizePairsKernel.Strategy : RequantizeKernel.Strategy,
            form is { } short2 && RequantizePairsKernel.Fits(short2.Folded.Bound, short2.Folded.Shift.AsSpan<int>(), RequantizePairsKernel.Workers),
            (name, element),
            AddConstant(operation.Kernel!.Tensor, ConstantOf(operation.Kernel)),
            form is not { } parameters ? [] :
            [
                AddConstant($"{operation.Name}.folded.bias", parameters.Folded.Bias),
                AddConstant($"{operation.Name}.folded.multiplier", parameters.Folded.Multiplier),
                AddConstant($"{operation.Name}.folded.shift", parameters.Folded.Shift),
            ],
            form is not { } ranges ? [] :
            [
                AddConstant($"{operation.Name}.folded.lowest", ranges.Folded.Lowest),
                AddConstant($"{operation.Name}.folded.highest", ranges.Folded.Highest),
            ],
            form?.Channel,
            groupsOf,
            channelsOf)
        {
            Steps = steps,
            HasSums = spread.HasSums,
            Sliding = IsSliding(strategy)
                ? SlidingOf(operation, shape, groupLoop, positions, element, _buffers[name].Layout) ?? throw new InvalidOperationException($"{operation.Name} does not slide") : null,
            Rows = strategy == RowsOutKernel.Strategy ? AddPoints(operation, shape, channelsOf, positions, name, element) : null,
        };
        _ = MapStored(contraction) || MapTiles(contraction);
        return null;
    }

    /// <summary>The buffer that a contraction reads, made where its kernel needs one of its own, and the element that it reads, over its loops.</summary>
    private (string Buffer, AffineExpression Element) InputOf(GconvOperator operation, OperatorShape shape, string strategy, Positions positions)
    {
        if (strategy == SlidingKernel.PackedStrategy)
        {
            return Quads(operation, shape);
        }

        var (name, layout) = PaddedInput(operation, shape.InputZeroPoint!.Value);
        var element = Element(operation, operation.Input, layout);
        return IsHalved(strategy) ? Halve(operation, positions, name, layout)
            : strategy == InputPairsKernel.Strategy ? PairUp(operation, shape, positions, name, layout)
            : strategy == DensePairsKernel.Strategy ? (PairUp(operation, positions, shape.Loops(LoopKind.KernelSize).Single(), name, element).Name, element)
            : (name, element);
    }

    /// <summary>All tiles of a contraction; false where one of them can't be stored as asked.</summary>
    private bool MapTiles(Contraction contraction)
    {
        var tile = ChannelsOfTile(contraction);
        var total = contraction.Channels.Extent;
        return Enumerable.Range(0, (total + tile - 1) / tile).All(index =>
        {
            var suffix = tile == total ? string.Empty : FormattableString.Invariant($".{index}");
            return MapTile(contraction, index * tile, Math.Min(tile, total - (index * tile)), suffix);
        });
    }

    /// <summary>A contraction with everything that its tiles share.</summary>
    private sealed record Contraction(
        GconvOperator Operation,
        OperatorShape Shape,
        RequantizeForm? Form,
        Positions Positions,
        string Strategy,
        string Requantize,
        bool HasShortForm,
        (string Buffer, AffineExpression Element) Input,
        string Weights,
        string[] Parameters,
        string[] Ranges,
        OperandAccess? ChannelOperand,
        (int Loop, int Extent) Groups,
        (int Loop, int Extent) Channels)
    {
        /// <summary>Thresholds, where codes are found by them; else null.</summary>
        public ChannelSteps? Steps { get; init; }

        /// <inheritdoc cref="Spread.HasSums"/>
        public bool HasSums { get; init; }

        /// <summary>The passes, where it slides; else null.</summary>
        public SlidingPlan? Sliding { get; init; }

        /// <summary>The buffer of transformed inputs, where there is one; else null.</summary>
        public string? Rows { get; init; }

        /// <summary>The form in which codes are to be stored; null where they lie as readers of words find them.</summary>
        public StoredForm? Stored { get; init; }
    }

    /// <summary>Output channels that are summed before they are requantised: all, or as many whole quads as the accumulators may take.</summary>
    private int ChannelsOfTile(Contraction contraction)
    {
        var words = (long)QuadWords(contraction.Positions, contraction.Strategy) * contraction.Groups.Extent;
        var quads = Math.Max(1, _choices.AccumulatorWords / words);
        return (int)Math.Min(contraction.Channels.Extent, quads * LoopMap.Lanes);
    }

    /// <summary>One nest for the sums of some output channels, where they aren't there yet, and one for their codes; false where these can't be stored as asked.</summary>
    private bool MapTile(Contraction contraction, int first, int count, string suffix, MappedBuffer? ready = null)
    {
        if (contraction.Rows is not null && ready is null)
        {
            foreach (var (tiles, part, name) in (contraction.Positions.IsTiled ? AddWinogradTileSums(contraction, first, count, suffix) : AddWinogradSums(contraction, first, count, suffix)).ToArray())
            {
                MapTile(contraction with { Positions = tiles, Stored = null }, first, count, name, part);
            }

            return contraction.Stored is null;
        }

        var operation = contraction.Operation;
        var sliding = contraction.Sliding;
        LoopMap Map(bool reduced, int from = 0, int channels = 0)
        {
            var map = new LoopMap(operation.Loops.Count);
            if (contraction.Groups.Extent > 1)
            {
                map.Add(NestView.Group, contraction.Groups.Extent, reduced: false, contraction.Groups.Loop);
            }

            map.AddQuads(channels > 0 ? channels : count, contraction.Channels.Loop);
            if (contraction.Channels.Loop >= 0)
            {
                map.Offset(contraction.Channels.Loop, first + from);
            }

            AddPositions(map, contraction.Positions);
            if (reduced && contraction.Strategy == DensePairsKernel.Strategy)
            {
                AddPairs(map, operation, contraction.Shape, contraction.Shape.Loops(LoopKind.KernelSize).Single());
            }
            else if (reduced)
            {
                AddReduced(map, operation, contraction.Shape);
            }

            return map;
        }

        var starred = contraction.Strategy is StarKernel.Strategy or StarKernel.PointStrategy;
        var slid = sliding is null ? null : AddSlidingSums(contraction, sliding, first, count, suffix);
        if ((ready is not null ? ready : starred ? AddStarSums(contraction, first, count, suffix)
            : slid is not null ? slid.Sums
            : AddAccumulators(operation.Name + suffix, Map(reduced: true), contraction.Positions, contraction.Strategy)) is not { } sums)
        {
            return contraction.Stored is null;
        }

        var skipped = sliding is null ? 0 : sliding.Before * sums.Layout.Pitch[4];
        AffineExpression SumOf(LoopMap map, int from) =>
            SumElement(map, sums) is var element && sliding is not null ? element with { Constant = skipped + from }
            : PublishedMappings.IsStrategy(contraction.Strategy) ? element with { Constant = PublishedLoops.WordsBefore } : element;
        var isSummed = starred || ready is not null || sliding is not null;
        if (contraction.Strategy == DirectKernel.Strategy)
        {
            AddDirectSums(contraction, sums, first, count, suffix);
            isSummed = true;
        }

        if (contraction.Strategy == InputPairsKernel.Strategy)
        {
            AddPairSums(contraction, sums, first, count, suffix);
            isSummed = true;
        }

        if (PublishedMappings.IsStrategy(contraction.Strategy))
        {
            var map = Map(reduced: false);
            AddPublishedSums(contraction, sums, map, SumOf(map, 0), first, count, suffix);
            isSummed = true;
        }

        if (!isSummed)
        {
            var map = Map(reduced: true);
            _steps.Add(new MappedNest(
                $"{operation.Name}.sums{suffix}",
                contraction.Strategy,
                map.Loops,
                [map.ChannelGuard(count)],
                [
                    new(
                        contraction.Input.Buffer,
                        contraction.Strategy == DensePairsKernel.Strategy ? PairElement(map, contraction.Input.Buffer) : InputElement(map, contraction)),
                    new(contraction.Weights, map.Map(ConstantElement(operation, operation.Kernel!))),
                ],
                new(sums.Name, SumOf(map, 0)),
                GconvReduction.Add,
                new ScalarBinary(ScalarBinaryOperator.Multiply, new ScalarExtra(0), new ScalarExtra(1)),
                new ScalarAccumulator())
            {
                // every channel has the same number of MACs
                Origin = operation.Origin.Value.Part(first, count, contraction.Channels.Extent),
            });
        }

        if (contraction.Stored is { } form)
        {
            if (StoredCodes(contraction, sums, map => SumOf(map, 0), first, count, suffix, form, operation.Name) is not { } packed || !RequantizeHalvesKernel.HasForm(packed, ConstantNamed))
            {
                return false;
            }

            _steps.Add(packed);
            return true;
        }

        NoteStores(contraction, sums, map => SumOf(map, 0), first, count, suffix, slid?.Adding ?? []);

        // so does code that requantises them, sixteen side by side; what is left over has another kernel
        var done = slid?.Done ?? 0;
        var whole = HasConstants(contraction) ? count / SlidingKernel.Channels * SlidingKernel.Channels : 0;
        for (var from = done; from < whole; from += SlidingKernel.Channels)
        {
            if (Codes(from, SlidingKernel.Channels, FormattableString.Invariant($"{suffix}.{from / SlidingKernel.Channels}")) is var codes && RequantizeConstantsKernel.Fits(codes))
            {
                Add(WithRanges(contraction, codes) with { Kernel = RequantizeConstantsKernel.Strategy }, operation.Origin.Value);
            }
            else
            {
                whole = 0;
            }
        }

        whole = Math.Max(whole, done);
        if (whole < count)
        {
            var codes = Codes(whole, count - whole, suffix);
            Add(contraction.HasShortForm && sliding is null && RequantizeCellsKernel.Fits(codes) ? codes with { Kernel = RequantizeCellsKernel.Strategy } : Shortest(codes), operation.Origin.Value);
        }

        return true;

        // one multiplication instead of two or three, where it gives the same codes for all values
        MappedNest Shortest(MappedNest codes)
        {
            if (contraction.Steps is not null)
            {
                return codes;
            }

            var within = WithRanges(contraction, codes) with { Kernel = RequantizeShortKernel.Strategy };
            return RequantizeShortKernel.FormOf(within, ConstantNamed) is null ? codes : within;
        }

        MappedNest Codes(int from, int channels, string name) => CodesOf(contraction, Map(reduced: false, from, channels), map => new(sums.Name, SumOf(map, from)), channels, name);
    }

    /// <summary>True where whole blocks of sixteen channels that slide are requantised by code that has their parameters.</summary>
    private bool HasConstants(Contraction contraction) => contraction is { Sliding: not null, HasShortForm: true, Positions: var positions }
        && (long)positions.Outer * positions.Lines * positions.Pixels >= _choices.FewestPositionsOfConstants;

    private static MappedNest WithRanges(Contraction contraction, MappedNest codes) => codes with
    {
        Operands = [.. codes.Operands, .. contraction.Ranges.Select(r => new MappedAccess(r, codes.Operands[1].Element))],
    };

    /// <summary>The nest that makes codes of some channels' sums.</summary>
    private MappedNest CodesOf(Contraction contraction, LoopMap point, Func<LoopMap, MappedAccess> sums, int channels, string name)
    {
        var operation = contraction.Operation;
        var (buffer, element) = Output(operation);
        if (contraction.Steps is { } steps)
        {
            point.Add(StepTable.Loop, steps.Count, reduced: true, -1);
            return StepsNest(
                operation,
                operation.Name + name,
                point,
                [point.ChannelGuard(channels), .. LineGuards(point, contraction.Positions)],
                sums(point),
                new(buffer.Name, point.Map(element)),
                steps,
                contraction.Groups,
                contraction.Channels);
        }

        var channel = point.Map(ConstantElement(operation, contraction.ChannelOperand!));
        var form = contraction.Form!;
        return new(
            operation.Name + name,
            contraction.Requantize,
            point.Loops,
            [point.ChannelGuard(channels), .. LineGuards(point, contraction.Positions)],
            [sums(point), .. contraction.Parameters.Select(p => new MappedAccess(p, channel))],
            new(buffer.Name, point.Map(element)),
            GconvReduction.None,
            new ScalarBinary(ScalarBinaryOperator.Add, new ScalarExtra(0), new ScalarExtra(1)),
            Requantized(new ScalarAccumulator(), form));
    }

    /// <summary>The bias operand of acc + bias, -1 for acc alone, null for anything else.</summary>
    private static int? BiasOf(ScalarExpression value) => value switch
    {
        ScalarAccumulator => -1,
        ScalarBinary { Operator: ScalarBinaryOperator.Add, Left: ScalarAccumulator, Right: ScalarExtra extra } => extra.Index,
        _ => null,
    };

    /// <summary>The ways to execute contractions that were looked at.</summary>
    private readonly Dictionary<GconvOperator, List<Spread>> _spreads = new(ReferenceEqualityComparer.Instance);

    /// <summary>The legal ways to execute a contraction, the default first; none where there are too many dimensions of positions.</summary>
    private List<Spread> ContractionSpreads(GconvOperator operation, OperatorShape shape, int groups, int channels)
    {
        if (!_spreads.TryGetValue(operation, out var known))
        {
            _spreads.Add(operation, known = FindSpreads(operation, shape, groups, channels));
        }

        return known;
    }

    private List<Spread> FindSpreads(GconvOperator operation, OperatorShape shape, int groups, int channels)
    {
        var spreads = new List<Spread>();
        if (groups > 1 && channels == 1)
        {
            spreads.AddRange(Spreads(operation, shape, "window", WindowKernel.Strategy));
        }

        var windows = spreads.ToArray();

        var contract = Spreads(operation, shape, "contract", ContractKernel.Strategy);
        spreads.AddRange(contract);
        if (channels > 1 && HalvesContractKernel.LanesHold(LargestWeight(operation)))
        {
            spreads.AddRange(contract.Select(s => s.Positions).Where(p => CanHalve(operation, p))
                .Select(p => new Spread(MappingCandidates.Of("halves", operation, p.PixelLoop), HalvesContractKernel.Strategy, Halved(p))));
        }

        if (groups == 1)
        {
            spreads.AddRange(DirectSpreads(operation, shape, channels, contract));
            spreads.AddRange(WinogradSpreads(operation, shape, channels, contract));
            spreads.AddRange(WinogradTileSpreads(operation, shape, channels, contract));
            spreads.AddRange(StarSpreads(operation, shape, shape.Single(LoopKind.OutputParallel)!.Value.Loop, channels, contract));
            spreads.AddRange(PublishedSpreads(operation, shape, channels, contract));
        }

        if (shape.Single(LoopKind.Group) is var (channelLoop, _) && windows.Length > 0)
        {
            spreads.AddRange(SlidingSpreads(operation, shape, channelLoop, windows));
        }

        var taps = shape.Loops(LoopKind.KernelSize).ToArray();
        if (groups == 1 && taps.Length == 1 && Element(operation, operation.Input, LayoutOf(operation.Input.Tensor)).Coefficients[taps[0]] == 1
            && contract.FirstOrDefault(s => s.Positions.Pixels == 1)?.Positions is { } points)
        {
            var dense = new Spread(MappingCandidates.Of("dense", operation, -1), DenseKernel.Strategy, points);
            spreads = points.Outer * points.Lines == 1 ? [dense, .. spreads] : [.. spreads, dense];
            if (operation.Loops[taps[0]].Extent % HalvesKernel.Halves == 0 && DensePairsKernel.LanesHold(LargestWeight(operation)))
            {
                spreads.Add(new(MappingCandidates.Of("pairs", operation, -1), DensePairsKernel.Strategy, points));
            }
        }

        if (groups == 1 && contract is [{ Positions: var all }, ..] && CanPair(operation, shape, channels, all))
        {
            spreads.Add(new(MappingCandidates.Of("inputpairs", operation, all.PixelLoop), InputPairsKernel.Strategy, all));
        }

        return spreads;
    }

    /// <summary>The ways to spread the positions over a kernel's lines, the one with the fewest array steps first.</summary>
    private IReadOnlyList<Spread> Spreads(GconvOperator operation, OperatorShape shape, string kernel, string strategy)
    {
        var layout = _layouts.Of(operation.Name);
        var output = LoopMap.Flatten(operation.OutputIndex, layout.Pitch.Select(p => (long)p).ToArray(), layout.Origin, operation.Loops.Count);
        int Extent(int loop) => loop < 0 ? 1 : operation.Loops[loop].Extent;
        Positions Of(int outer, int line, int pixel) => new(outer, line, pixel, Extent(outer), Extent(line), Extent(pixel));

        // steps the array takes: four lines side by side, or four positions of a line; neighbours of a line far apart would cost code
        (bool Far, long Steps) Cost(Positions p)
        {
            var lines = p.Outer * p.Lines;
            var near = p.PixelLoop < 0 || PointLines.IsNear([(int)output.Coefficients[p.PixelLoop]]);
            return (!near, strategy == WindowKernel.Strategy ? (long)lines * RoundUp(p.Pixels) : (long)RoundUp(lines) * p.Pixels);
        }

        Positions[] positions = shape.Loops(LoopKind.OutputPosition).ToArray() switch
        {
            [] => [Of(-1, -1, -1)],
            [var a] => [Of(-1, -1, a), Of(-1, a, -1)],
            [var a, var b] => [Of(-1, a, b), Of(-1, b, a)],
            [var a, var b, var c] => [Of(a, b, c), Of(a, c, b)],
            _ => [],
        };
        return [.. positions.OrderBy(Cost).Select(p => new Spread(MappingCandidates.Of(kernel, operation, p.PixelLoop), strategy, p))];
    }

    /// <summary>The candidate that the choices name, else the first one; the decision is noted where there is one to make.</summary>
    private Spread? Choose(GconvOperator operation, IReadOnlyList<Spread> spreads)
    {
        if (spreads.Count == 0)
        {
            return null;
        }

        // the bands of an operator are decided together, by the first; one that is a single row spreads its positions otherwise
        var decision = new MappingDecision(OriginalOf(operation.Name), IsLayout: false, [.. spreads.Select(s => s.Candidate)]);
        if (_decisions.All(d => d.Key != decision.Key))
        {
            _decisions.Add(decision);
        }

        return Chosen(decision.Key, spreads);
    }

    /// <summary>The spread that the choices name, else one with its kernel, else the first.</summary>
    private Spread Chosen(string key, IReadOnlyList<Spread> spreads)
    {
        static string Kernel(string candidate) => candidate.Split('-')[0];
        return _choices.Of(key) is { } name
            ? spreads.FirstOrDefault(s => s.Candidate.Name == name) ?? spreads.FirstOrDefault(s => Kernel(s.Candidate.Name) == Kernel(name)) ?? spreads[0]
            : spreads[0];
    }

    /// <summary>The operator's input inside the halo it needs, of the value that the access fills with or else of <paramref name="fill"/>: in place where its layout has it, else copied into a halo of its own.</summary>
    private (string Buffer, BufferLayout Layout) PaddedInput(GconvOperator operation, int fill)
    {
        var tensor = operation.Input.Tensor;
        var layout = LayoutOf(tensor);
        fill = FillOf(operation, fill);
        if (IsCovered(operation, layout, fill))
        {
            return (_bufferOf[tensor], layout);
        }

        var padded = AddBuffer(operation.Name + PaddedSuffix, BufferRole.Activation, ValueLayouts.Around(layout.Shape, operation, fill));
        FillHalo(padded, fill, operation.Origin.Value);
        Copy(_buffers[_bufferOf[tensor]], padded, layout.Shape, operation.Origin.Value);
        return (padded.Name, padded.Layout);
    }

    /// <summary>How an operator's input will lie where all of its taps are read.</summary>
    private BufferLayout PaddedLayout(GconvOperator operation, OperatorShape shape)
    {
        var layout = LayoutOf(operation.Input.Tensor);
        var fill = FillOf(operation, shape.InputZeroPoint!.Value);
        return IsCovered(operation, layout, fill) ? layout : ValueLayouts.Around(layout.Shape, operation, fill);
    }

    private static int FillOf(GconvOperator operation, int fill) => operation.Input.OutOfRange == OutOfRange.Fill ? operation.Input.FillValue : fill;

    private static bool IsCovered(GconvOperator operation, BufferLayout layout, int fill) => operation.Input.OutOfRange switch
    {
        OutOfRange.Never => true,
        OutOfRange.SkipTap => ValueLayouts.Covers(layout, operation),
        _ => layout.HaloFill == fill && ValueLayouts.Covers(layout, operation),
    };

    private static int RoundUp(int count, int unit = LoopMap.Lanes) => (count + unit - 1) / unit * unit;

    private static void AddPositions(LoopMap map, Positions positions)
    {
        if (positions.Distance > 0)
        {
            map.Add(NestView.OuterLine, positions.Outer, reduced: false, positions.LineLoop, positions.Distance);
        }
        else
        {
            map.Add(NestView.OuterLine, positions.Outer, reduced: false, positions.Tile > 0 ? positions.LineLoop : positions.OuterLoop);
        }

        map.Add(NestView.Line, positions.Lines, reduced: false, positions.LineLoop, Math.Max(1, positions.Tile));
        if (positions.Tile > 0)
        {
            map.Offset(positions.LineLoop, positions.First);
        }

        map.Add(NestView.Pixel, positions.Pixels, reduced: false, positions.PixelLoop);
    }

    private static void AddReduced(LoopMap map, GconvOperator operation, OperatorShape shape)
    {
        var loops = shape.Loops(LoopKind.KernelSize).ToArray();
        foreach (var loop in loops)
        {
            map.Add(operation.Loops[loop].Name, operation.Loops[loop].Extent, reduced: true, loop);
        }

        if (loops.Length == 0)
        {
            map.Add("tap", 1, reduced: true, -1);
        }
    }

    /// <summary>
    /// The buffer of raw sums, [group][quad][line][pixel][lane]: lines are rounded up to whole columns where columns are lines, positions of a line
    /// to four where rows are positions.
    /// </summary>
    private MappedBuffer AddAccumulators(string name, LoopMap map, Positions positions, string strategy)
    {
        int Extent(string loop) => map.Loops.FirstOrDefault(l => l.Name == loop) is { Extent: > 0 } found ? found.Extent : 1;
        var linePitch = LineWords(positions, strategy);
        var (outerPitch, pixelPitch) = strategy == HalvesContractKernel.Strategy
            ? (LoopMap.Lanes, positions.Outer * LoopMap.Lanes)
            : (positions.Lines * linePitch, LoopMap.Lanes);
        var quadPitch = QuadWords(positions, strategy);
        var quads = Extent(NestView.Quad);
        int[] shape = [Extent(NestView.Group), quads, positions.Outer, positions.Lines, positions.Pixels, LoopMap.Lanes];
        return AddBuffer(
            $"{name}.sums",
            BufferRole.Accumulator,
            new(
                shape.ToEquatableArray(),
                1,
                new int[shape.Length].ToEquatableArray(),
                new int[shape.Length].ToEquatableArray(),
                [quads * quadPitch, quadPitch, outerPitch, linePitch, pixelPitch, 1],
                null));
    }

    private static int LineWords(Positions positions, string strategy) => strategy switch
    {
        WindowKernel.Strategy => RoundUp(positions.Pixels),
        HalvesContractKernel.Strategy or StarKernel.Strategy or StarKernel.PointStrategy => positions.Outer * positions.Pixels,
        _ => positions.Pixels,
    } * LoopMap.Lanes;

    private static int QuadWords(Positions positions, string strategy)
    {
        var lines = strategy is HalvesContractKernel.Strategy or StarKernel.Strategy or StarKernel.PointStrategy ? positions.Lines : positions.Outer * positions.Lines;
        return (strategy == ContractKernel.Strategy ? RoundUp(lines) : lines) * LineWords(positions, strategy);
    }

    private static AffineExpression SumElement(LoopMap map, MappedBuffer sums)
    {
        var pitch = sums.Layout.Pitch;
        return map.Over(loop => loop switch
        {
            NestView.Group => pitch[0],
            NestView.Quad => pitch[1],
            NestView.OuterLine => pitch[2],
            NestView.Line => pitch[3],
            NestView.Pixel => pitch[4],
            NestView.Lane => pitch[5],
            _ => 0,
        });
    }

    private string AddConstant(string name, Tensor value)
    {
        if (_newConstants.All(c => c.Name != name))
        {
            _newConstants.Add(new(name, value));
        }

        return name;
    }

    /// <summary>
    /// Per-channel bias, multiplier and shift for raw sums of codes: the input's zero point times the channel's weights goes into the bias. A channel
    /// without any weight other than 0 is a constant, whatever its bias: it is computed here. Null where a channel is too large.
    /// The bound is that of all sums with their biases.
    /// </summary>
    private Folded? FoldChannels(GconvOperator operation, RequantizeForm form, int bias, int multiplier, int shift)
    {
        var multipliers = ConstantOf(operation.Extra[multiplier]).AsSpan<int>().ToArray();
        var shifts = ConstantOf(operation.Extra[shift]).AsSpan<int>().ToArray();
        var biases = bias < 0 ? new int[multipliers.Length] : ConstantOf(operation.Extra[bias]).AsSpan<int>().ToArray();
        var zero = new OperatorShape(operation, _constants.ContainsKey).InputZeroPoint!.Value;
        var reach = Math.Max(sbyte.MaxValue - zero, zero - sbyte.MinValue);
        var (sums, magnitudes) = WeightFacts.Of(ConstantOf(operation.Kernel!)).Sums(
            operation.Loops, ConstantElement(operation, operation.Extra[multiplier]), ConstantElement(operation, operation.Kernel!), multipliers.Length);
        var (lowest, highest) = (new int[multipliers.Length], new int[multipliers.Length]);
        var largest = 0L;
        for (var channel = 0; channel < multipliers.Length; channel++)
        {
            if (magnitudes[channel] == 0)
            {
                // any value v as a requantisation of 4v: times 1/2, then a rounding shift by 1
                var code = FixedPoint.MultiplyByQuantizedMultiplier(biases[channel], multipliers[channel], shifts[channel]) + form.ZeroPoint;
                (biases[channel], multipliers[channel], shifts[channel]) = (4 * (Math.Clamp(code, form.Low, form.High) - form.ZeroPoint), 1 << 30, -1);
                largest = Math.Max(largest, Math.Abs((long)biases[channel]));
                lowest[channel] = highest[channel] = biases[channel];
                continue;
            }

            var bound = ((magnitudes[channel] * reach) + Math.Abs((long)biases[channel])) << Math.Max(shifts[channel], 0);
            if (bound >= RequantizeTail.Bound)
            {
                return null;
            }

            // codes less their zero point reach from -128 - z to 127 - z; weights above zero add up to half of magnitudes and sums together
            var (positive, negative) = ((magnitudes[channel] + sums[channel]) / 2, (magnitudes[channel] - sums[channel]) / 2);
            var (down, up) = ((long)sbyte.MinValue - zero, (long)sbyte.MaxValue - zero);
            lowest[channel] = (int)((positive * down) - (negative * up) + biases[channel]);
            highest[channel] = (int)((positive * up) - (negative * down) + biases[channel]);
            largest = Math.Max(largest, bound);
            biases[channel] = (int)(biases[channel] - (zero * sums[channel]));
        }

        var type = Shape.Of(multipliers.Length);
        return new(
            Tensor.From<int>(ElementType.Int32, type, biases),
            Tensor.From<int>(ElementType.Int32, type, multipliers),
            Tensor.From<int>(ElementType.Int32, type, shifts),
            largest,
            Tensor.From<int>(ElementType.Int32, type, lowest),
            Tensor.From<int>(ElementType.Int32, type, highest));
    }

    /// <summary>Parameters of a requantisation for each channel, for raw sums of codes.</summary>
    /// <param name="Bias">Bias.</param>
    /// <param name="Multiplier">Multiplier.</param>
    /// <param name="Shift">Shift.</param>
    /// <param name="Bound">Bound of the magnitude of all sums with their biases.</param>
    /// <param name="Lowest">Smallest value of each channel's sums with their bias.</param>
    /// <param name="Highest">Largest value.</param>
    private sealed record Folded(Tensor Bias, Tensor Multiplier, Tensor Shift, long Bound, Tensor Lowest, Tensor Highest);
}
