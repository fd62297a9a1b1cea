using System.Numerics;
using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>Contractions that compute two halves of their output lines with every multiplication.</content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>
    /// True where the lines can be halved: there are at least two, nothing lies outside them, and exactly one dimension of the input moves forward with
    /// them, as every dimension does with every loop.
    /// </summary>
    private static bool CanHalve(GconvOperator operation, Positions positions) =>
        positions is { LineLoop: >= 0, Outer: 1, Lines: > 1 }
        && operation.Input.Index.Count(i => i.Coefficients[positions.LineLoop] != 0) == 1
        && operation.Input.Index.All(i => i.Coefficients.All(c => c >= 0));

    /// <summary>Name of the buffer in which an operator's packed input lies, where it has one.</summary>
    public static string HalvesOf(string operation) => $"{operation}.halves";

    private static Positions Halved(Positions positions)
    {
        var lines = (positions.Lines + HalvesKernel.Halves - 1) / HalvesKernel.Halves;
        return positions with { Outer = HalvesKernel.Halves, Lines = lines, Distance = positions.Lines - lines };
    }

    private long LargestWeight(GconvOperator operation) => WeightFacts.Of(ConstantOf(operation.Kernel!)).Largest;

    /// <summary>With an odd number of lines the second half does not write the middle one again, nor a tile lines of the one before.</summary>
    private static IEnumerable<MappedGuard> LineGuards(LoopMap map, Positions positions) =>
        positions.Overlap > 0 ? [new(map.Over(loop => loop == NestView.OuterLine ? -1 : 0), 1 - positions.Overlap)]
            : positions.Distance > 0 && positions.Distance < positions.Lines
            ? [new(map.Over(loop => loop switch { NestView.OuterLine => 1, NestView.Line => -1, _ => 0 }), 1)]
            : [];

    /// <summary>The input's element over a nest's loops; of a packed input the half is the lane.</summary>
    private static AffineExpression InputElement(LoopMap map, Contraction contraction)
    {
        var element = map.Map(contraction.Input.Element);
        return contraction.Positions.Distance == 0 ? element : WithHalf(map, element, 1);
    }

    /// <summary>
    /// Packs the part of the input that a halved operator reads, where it isn't stored so: word [i0, i1, ...] holds the input there and at the same place of the second half.
    /// </summary>
    /// <returns>The buffer, and the element that the operator reads in the first half, over its loops.</returns>
    private (string Buffer, AffineExpression Element) Halve(GconvOperator operation, Positions positions, string source, BufferLayout layout)
    {
        var packed = PackedInput(operation, positions);
        if (_stored.ContainsKey(operation.Input.Tensor))
        {
            return (source, packed.Element);
        }

        var target = AddBuffer(HalvesOf(operation.Name), BufferRole.Activation, packed.Layout);
        Pack(operation, positions, packed, source, layout, target, HalvesPairsKernel.Strategy, HalvesKernel.Strategy);
        return (target.Name, packed.Element);
    }

    /// <summary>The nest that packs the part of an input that an operator reads halved.</summary>
    private void Pack(
        GconvOperator operation,
        Positions positions,
        (BufferLayout Layout, (long First, int Step)[] Ranges, AffineExpression Element) packed,
        string source,
        BufferLayout layout,
        MappedBuffer target,
        string inPairs,
        string otherwise)
    {
        var index = operation.Input.Index;
        var dimensions = index.Count;
        var ranges = packed.Ranges;
        var map = new LoopMap(dimensions + 1);
        for (var d = 0; d < dimensions; d++)
        {
            map.Add(FormattableString.Invariant($"d{d}"), packed.Layout.Shape[d], reduced: false, d);
        }

        map.Add(NestView.OuterLine, HalvesKernel.Halves, reduced: false, dimensions);
        long[] Pitch(IEnumerable<int> pitch) => [.. pitch.Select(p => (long)p)];
        var step = Enumerable.Range(0, dimensions).Sum(d => index[d].Coefficients[positions.LineLoop] * layout.Pitch[d]) * positions.Distance;
        var first = layout.Origin + Enumerable.Range(0, dimensions).Sum(d => ranges[d].First * layout.Pitch[d]);
        AddHalves(
            map,
            new(source, map.Map(new([.. Pitch(layout.Pitch.Select((p, d) => p * ranges[d].Step)), step], first))),
            new(target.Name, map.Map(new(Pitch(packed.Layout.Pitch).ToEquatableArray(), 0))),
            operation.Origin.Value,
            inPairs,
            otherwise);
    }

    /// <summary>The nest that packs halves, with one kernel where its lines fit it, else with the other.</summary>
    private void AddHalves(LoopMap map, MappedAccess from, MappedAccess to, GconvOrigin origin, string inPairs, string otherwise)
    {
        var nest = new MappedNest(to.Target, otherwise, map.Loops, [], [from], to, GconvReduction.None, new ScalarExtra(0), new ScalarAccumulator());
        Add(HalvesPairsKernel.Fits(nest) ? nest with { Kernel = inPairs } : nest, origin);
    }

    /// <summary>
    /// How the part of the input that a halved operator reads lies packed: along each dimension from the first index that is read, every step-th one; and the element that it reads in the
    /// first half, over its loops.
    /// </summary>
    /// <param name="operation">The operator.</param>
    /// <param name="positions">Which loop is halved, and how.</param>
    /// <param name="spaced">A dimension whose indices lie an odd number of words apart, so that columns at several of them are at different banks; -1 for none.</param>
    private static (BufferLayout Layout, (long First, int Step)[] Ranges, AffineExpression Element) PackedInput(GconvOperator operation, Positions positions, int spaced = -1)
    {
        var index = operation.Input.Index;
        var halved = operation with
        {
            Loops = operation.Loops.Select((l, i) => i == positions.LineLoop ? l with { Extent = positions.Lines } : l).ToEquatableArray(),
        };
        var ranges = index.Select(i => OperatorShape.Range(halved, i)).ToArray();
        int[] steps = [.. index.Select(i => i.Divisor > 1 ? 1 : Math.Max(1, (int)i.Coefficients.Where((_, loop) => halved.Loops[loop].Extent > 1).Aggregate(BigInteger.Zero, (divisor, c) => BigInteger.GreatestCommonDivisor(divisor, c))))];
        var packed = BufferLayout.Dense([.. ranges.Select((r, d) => (int)((r.Max - r.Min) / steps[d]) + 1), HalvesKernel.Halves], HalvesKernel.Halves);
        if (spaced >= 0)
        {
            int[] pitch = [.. packed.Pitch];
            for (var d = spaced; d >= 0; d--)
            {
                pitch[d] = packed.Shape[d + 1] * pitch[d + 1];
                pitch[d] += d == spaced && pitch[d] / HalvesKernel.Halves % 2 == 0 ? HalvesKernel.Halves : 0;
            }

            packed = packed with { Pitch = pitch.ToEquatableArray() };
        }

        var shifted = index.Select((i, d) => i with
        {
            Constant = (i.Constant - ranges[d].Min) / steps[d],
            Coefficients = i.Coefficients.Select(c => c / steps[d]).ToEquatableArray(),
        }).ToEquatableArray();
        return (packed, [.. ranges.Select((r, d) => (r.Min, steps[d]))], LoopMap.Flatten(shifted, [.. packed.Pitch.Select(p => (long)p)], 0, operation.Loops.Count));
    }
}
