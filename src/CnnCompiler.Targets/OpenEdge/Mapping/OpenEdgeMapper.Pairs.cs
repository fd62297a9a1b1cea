using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>Contractions that read their input packed, two elements a word that one output adds up.</content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>Name of the buffer in which the pairs of an operator's input lie.</summary>
    private static string PairsOf(string operation) => $"{operation}.pairs";

    /// <summary>Packs the input of a fully connected layer, [outer, line, pair, 2]: element i with element i + n / 2 of the same position.</summary>
    /// <returns>The buffer.</returns>
    private MappedBuffer PairUp(GconvOperator operation, Positions positions, int tapLoop, string source, AffineExpression element)
    {
        var pairs = operation.Loops[tapLoop].Extent / HalvesKernel.Halves;
        var layout = BufferLayout.Dense([positions.Outer, positions.Lines, pairs, HalvesKernel.Halves], HalvesKernel.Halves);
        var target = AddBuffer(PairsOf(operation.Name), BufferRole.Activation, layout);
        var map = new LoopMap(operation.Loops.Count);
        map.Add("outer", positions.Outer, reduced: false, positions.OuterLoop);
        map.Add("inner", positions.Lines, reduced: false, positions.LineLoop);
        map.Add("element", pairs, reduced: false, tapLoop);
        map.Add(NestView.OuterLine, HalvesKernel.Halves, reduced: false, tapLoop, pairs);
        AddHalves(
            map, new(source, map.Map(element)), new(target.Name, new(layout.Pitch.Select(p => (long)p).ToEquatableArray(), 0)), operation.Origin.Value, HalvesPairsKernel.Strategy, HalvesKernel.Strategy);
        return target;
    }

    /// <summary>
    /// The reduced loop whose halves <see cref="InputPairsKernel"/> multiplies at once, of those that alone move along a dimension of the input and have an even number of trips the last one:
    /// the input channels. -1 where there is none.
    /// </summary>
    private static int PairedLoop(GconvOperator operation, OperatorShape shape) => operation.Input.Index.All(i => i.Coefficients.All(c => c >= 0))
        ? shape.Loops(LoopKind.KernelSize)
            .LastOrDefault(loop => operation.Loops[loop].Extent % HalvesKernel.Halves == 0 && HalvedForm.DimensionOf(operation, operation.Input.Index, loop) >= 0, -1)
        : -1;

    /// <summary>Packs the part of an input that a contraction reads: word [i0, i1, ...] holds the input there and half of the paired loop behind it. Lines of positions lie an odd number of words apart.</summary>
    /// <returns>The buffer, and the element of the first half that the operator reads, over its loops.</returns>
    private (string Buffer, AffineExpression Element) PairUp(GconvOperator operation, OperatorShape shape, Positions positions, string source, BufferLayout layout)
    {
        var loop = PairedLoop(operation, shape);
        var half = operation.Loops[loop].Extent / HalvesKernel.Halves;
        var halves = positions with { LineLoop = loop, Lines = half, Distance = half };
        var line = Enumerable.Range(0, operation.Input.Index.Count).FirstOrDefault(d => positions.LineLoop >= 0 && operation.Input.Index[d].Coefficients[positions.LineLoop] != 0, -1);
        var packed = PackedInput(operation, halves, line);
        var target = AddBuffer(PairsOf(operation.Name), BufferRole.Activation, packed.Layout);
        Pack(operation, halves, packed, source, layout, target, HalvesPairsKernel.InputsStrategy, HalvesKernel.InputsStrategy);
        return (target.Name, packed.Element);
    }

    /// <summary>
    /// The parts of the paired loop's half whose sums <see cref="InputPairsKernel"/> adds up at once, as few as the weights allow: the first trip and number of trips of each. Null where even
    /// one trip is too much.
    /// </summary>
    private (int First, int Count)[]? PairParts(GconvOperator operation, OperatorShape shape)
    {
        var loop = PairedLoop(operation, shape);
        var (channelLoop, channels) = shape.Single(LoopKind.OutputParallel)!.Value;
        var half = operation.Loops[loop].Extent / HalvesKernel.Halves;
        var facts = WeightFacts.Of(ConstantOf(operation.Kernel!));
        var weightOf = ConstantElement(operation, operation.Kernel!);
        AffineExpression channelOf = new(Enumerable.Range(0, operation.Loops.Count).Select(l => l == channelLoop ? 1L : 0).ToEquatableArray(), 0);
        for (var size = half; size > 0; size = size > 1 ? (size + 1) / 2 : 0)
        {
            (int First, int Count)[] parts = [.. Enumerable.Range(0, (half + size - 1) / size).Select(i => (i * size, Math.Min(size, half - (i * size))))];
            if (parts.All(Holds))
            {
                return parts;
            }
        }

        return null;

        bool Holds((int First, int Count) part)
        {
            var (first, second) = (Magnitudes(part, 0), Magnitudes(part, half));
            return Enumerable.Range(0, channels).All(c => first[c] + second[c] <= InputPairsKernel.LargestSum);
        }

        EquatableArray<long> Magnitudes((int First, int Count) part, int from) => facts.Sums(
            operation.Loops.Select((l, i) => i == loop ? l with { Extent = part.Count } : l).ToEquatableArray(),
            channelOf,
            weightOf with { Constant = weightOf.Constant + ((from + part.First) * weightOf.Coefficients[loop]) },
            channels).Magnitudes;
    }

    /// <summary>True where <see cref="InputPairsKernel"/> is offered: more than four channels, more than one position, and positions that constants of its code lead around.</summary>
    private bool CanPair(GconvOperator operation, OperatorShape shape, int channels, Positions positions)
    {
        var count = positions.Outer * (long)positions.Lines * positions.Pixels;
        return channels > LoopMap.Lanes && count > 1 && InputPairsKernel.Reaches(count, LoopMap.Lanes)
            && PairedLoop(operation, shape) >= 0 && PairParts(operation, shape) is { } parts && InputPairsKernel.Reaches(count, parts.Length * LoopMap.Lanes);
    }

    /// <summary>The loops that a contraction reduces over whose input is packed, two of its elements a word.</summary>
    private static void AddPairs(LoopMap map, GconvOperator operation, OperatorShape shape, int paired, (int First, int Count)? part = null)
    {
        foreach (var loop in shape.Loops(LoopKind.KernelSize))
        {
            var extent = operation.Loops[loop].Extent;
            if (loop == paired)
            {
                map.Add(DensePairsKernel.Half, HalvesKernel.Halves, reduced: true, loop, extent / HalvesKernel.Halves);
                map.Add(DensePairsKernel.Pair, part?.Count ?? extent / HalvesKernel.Halves, reduced: true, loop);
                map.Offset(loop, part?.First ?? 0);
            }
            else
            {
                map.Add(operation.Loops[loop].Name, extent, reduced: true, loop);
            }
        }
    }

    /// <summary>The sums of some output channels: at once, or in passes, each with a plane of its own, and a nest for every quad that adds the planes.</summary>
    private void AddPairSums(Contraction contraction, MappedBuffer sums, int first, int count, string suffix)
    {
        var (operation, shape, positions) = (contraction.Operation, contraction.Shape, contraction.Positions);
        var (paired, parts) = (PairedLoop(operation, shape), PairParts(operation, shape)!);
        var quads = (count + LoopMap.Lanes - 1) / LoopMap.Lanes;
        var buffer = parts.Length == 1 ? sums : AddBuffer(
            $"{operation.Name}.planes{suffix}", BufferRole.Accumulator, BufferLayout.Dense([quads, positions.Outer, positions.Lines, positions.Pixels, parts.Length, LoopMap.Lanes], 1));
        var half = operation.Loops[paired].Extent / HalvesKernel.Halves;
        for (var plane = 0; plane < parts.Length; plane++)
        {
            var map = Map(0, count);
            AddPairs(map, operation, shape, paired, parts[plane]);
            _steps.Add(new MappedNest(
                parts.Length == 1 ? $"{operation.Name}.sums{suffix}" : FormattableString.Invariant($"{operation.Name}.sums{suffix}.{plane}"),
                InputPairsKernel.Strategy,
                map.Loops,
                [map.ChannelGuard(count)],
                [
                    new(contraction.Input.Buffer, WithHalf(map, map.Map(contraction.Input.Element), 1, DensePairsKernel.Half)),
                    new(contraction.Weights, map.Map(ConstantElement(operation, operation.Kernel!))),
                ],
                new(buffer.Name, parts.Length == 1 ? SumElement(map, sums) : PlaneOf(map) with { Constant = plane * LoopMap.Lanes }),
                GconvReduction.Add,
                new ScalarBinary(ScalarBinaryOperator.Multiply, new ScalarExtra(0), new ScalarExtra(1)),
                new ScalarAccumulator())
            {
                Origin = operation.Origin.Value.Part(first, count, contraction.Channels.Extent).Part(parts[plane].First, parts[plane].Count, half),
            });
        }

        for (var quad = 0; parts.Length > 1 && quad < quads; quad++)
        {
            var map = Map(quad * LoopMap.Lanes, Math.Min(LoopMap.Lanes, count - (quad * LoopMap.Lanes)));
            map.Add(PlanesKernel.Plane, parts.Length, reduced: true, -1);
            _steps.Add(new MappedNest(
                FormattableString.Invariant($"{operation.Name}.sums{suffix}.quad{quad}"),
                PlanesKernel.Strategy,
                map.Loops,
                [map.ChannelGuard(Math.Min(LoopMap.Lanes, count - (quad * LoopMap.Lanes)))],
                [new(buffer.Name, PlaneOf(map) with { Constant = (long)quad * buffer.Layout.Pitch[0] })],
                new(sums.Name, SumElement(map, sums) with { Constant = (long)quad * sums.Layout.Pitch[1] }),
                GconvReduction.Add,
                new ScalarExtra(0),
                new ScalarAccumulator())
            {
                Origin = operation.Origin.Value with { Macs = 0 },
            });
        }

        LoopMap Map(int from, int channels)
        {
            var map = new LoopMap(operation.Loops.Count);
            map.AddQuads(channels, contraction.Channels.Loop);
            map.Offset(contraction.Channels.Loop, first + from);
            AddPositions(map, positions);
            return map;
        }

        AffineExpression PlaneOf(LoopMap map) => map.Over(loop => loop switch
        {
            NestView.Quad => buffer.Layout.Pitch[0],
            NestView.OuterLine => buffer.Layout.Pitch[1],
            NestView.Line => buffer.Layout.Pitch[2],
            NestView.Pixel => buffer.Layout.Pitch[3],
            PlanesKernel.Plane => buffer.Layout.Pitch[4],
            NestView.Lane => 1,
            _ => 0,
        });
    }

    /// <summary>The packed input's element over the loops of a nest.</summary>
    private AffineExpression PairElement(LoopMap map, string buffer)
    {
        var pitch = _buffers[buffer].Layout.Pitch;
        return map.Over(loop => loop switch
        {
            NestView.OuterLine => pitch[0],
            NestView.Line => pitch[1],
            DensePairsKernel.Pair => pitch[2],
            DensePairsKernel.Half => pitch[3],
            _ => 0,
        });
    }
}
