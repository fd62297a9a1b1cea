using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>Pooling: windows, whole maps and regions whose size varies.</content>
public sealed partial class OpenEdgeMapper
{
    private string? MapPooling(GconvOperator operation, OperatorShape shape)
    {
        if (operation.Extra.Count > 0)
        {
            return "a reduction without weights has further operands";
        }

        var channelLoop = ChannelLoop(operation);
        if (PoolRegion.Split(operation, TypeOf(operation.Input.Tensor).Shape) is not { } regions)
        {
            return "a position and a window share no dimension, or one has no tap inside its input";
        }

        foreach (var (region, index) in regions.Select((r, i) => (r, i)))
        {
            if (MapRegion(operation, region, channelLoop, index) is { } refusal)
            {
                return refusal;
            }
        }

        return null;
    }

    /// <summary>What becomes of a window's sum or maximum, where an ordinary kernel computes that: a clamp, of sums after a division by the taps.</summary>
    private static ScalarClamp? OrdinaryPost(GconvOperator operation, long taps)
    {
        if (operation.Pre is not ScalarInput || ScalarForms.AsClamp(operation.Post) is not var (value, low, high))
        {
            return null;
        }

        ScalarExpression? result = (operation.Reduce, value) switch
        {
            (GconvReduction.Maximum, ScalarAccumulator) => value,
            (GconvReduction.Add, ScalarBinary { Operator: ScalarBinaryOperator.DivideRoundHalfAway, Left: ScalarAccumulator, Right: ScalarTapCount })
                when taps <= PointKernel.LargestDivisor && PointKernel.Reciprocal((int)taps) is not null => new ScalarBinary(ScalarBinaryOperator.DivideRoundHalfAway, new ScalarAccumulator(), new ScalarLiteral(taps)),
            _ => null,
        };
        return result is null ? null : new ScalarClamp(result, new ScalarLiteral(low), new ScalarLiteral(high));
    }

    /// <summary>The codes of a window's raw sum or maximum.</summary>
    private static StepTable? WindowSteps(GconvOperator operation, int zeroPoint, long taps)
    {
        var terms = operation.Reduce == GconvReduction.Add ? taps : 1;
        return terms * byte.MaxValue < int.MaxValue && ResultFunction.Of(ResultFunction.WithTaps(operation.Post, taps), []) is { } function
            ? StepTable.Of(function, (sbyte.MinValue - zeroPoint) * terms, (sbyte.MaxValue - zeroPoint) * terms)?.Moved(zeroPoint * terms)
            : null;
    }

    /// <summary>
    /// The position loop whose values are the channels of a quad: the one along the innermost dimension of input and output, else the one that leaves the fewest lanes idle, without a quad that
    /// isn't whole (only innermost dimensions have room for its other lanes); -1 where there is none.
    /// </summary>
    private static int ChannelLoop(GconvOperator operation)
    {
        var loops = Enumerable.Range(0, operation.Loops.Count).Where(i => operation.Loops[i].Kind != LoopKind.KernelSize).ToArray();
        var innermost = loops.Where(i => operation.OutputIndex[^1].Coefficients[i] == 1 && operation.Input.Index[^1].Coefficients[i] == 1).ToArray();
        return innermost.Length == 1
            ? innermost[0]
            : loops.Where(i => operation.Loops[i].Extent is > 1 and var extent && (extent <= LoopMap.Lanes || extent % LoopMap.Lanes == 0)).OrderByDescending(i => operation.Loops[i].Extent / (double)RoundUp(operation.Loops[i].Extent)).FirstOrDefault(-1);
    }

    private string? MapRegion(GconvOperator operation, PoolRegion region, int channelLoop, int index)
    {
        var taps = region.Taps(operation);
        var ordinary = OrdinaryPost(operation, taps);
        var table = ordinary is null ? WindowSteps(operation, new OperatorShape(operation, _constants.ContainsKey).InputZeroPoint!.Value, taps) : null;
        if (ordinary is null && table is null)
        {
            return "its result isn't proved never to fall where the sum of a window rises";
        }

        var channels = channelLoop < 0 ? 1 : region.Extents[channelLoop];
        var within = operation with
        {
            Loops = operation.Loops.Select((l, i) => l with { Extent = region.Extents[i] }).ToEquatableArray(),
        };
        var withinShape = new OperatorShape(
            within with { Loops = within.Loops.Select((l, i) => i == channelLoop ? l with { Kind = LoopKind.Group } : l).ToEquatableArray() },
            _constants.ContainsKey);
        var spreads = Spreads(within, withinShape, "window", WindowKernel.Strategy);
        if (spreads.Count == 0)
        {
            return "it has more than three dimensions of output positions";
        }

        // the regions of one window are decided together, by the first
        var positions = (index == 0 ? Choose(operation, spreads)! : Chosen(OriginalOf(operation.Name), spreads))
            .Positions;

        LoopMap Map(bool reduced)
        {
            var map = new LoopMap(operation.Loops.Count);
            for (var i = 0; i < operation.Loops.Count; i++)
            {
                map.Offset(i, region.Firsts[i]);
            }

            map.AddQuads(channels, channelLoop);
            AddPositions(map, positions);
            if (reduced)
            {
                AddReduced(map, within, withinShape);
            }

            return map;
        }

        var reduction = Map(reduced: true);
        var suffix = index == 0 ? string.Empty : FormattableString.Invariant($".{index}");
        var sums = AddAccumulators(operation.Name + suffix, reduction, positions, WindowKernel.Strategy);
        var window = new MappedNest(
            $"{operation.Name}.sums{suffix}",
            WindowKernel.Strategy,
            reduction.Loops,
            [reduction.ChannelGuard(channels)],
            [new(_bufferOf[operation.Input.Tensor], reduction.Map(Element(operation, operation.Input, LayoutOf(operation.Input.Tensor))))],
            new(sums.Name, SumElement(reduction, sums)),
            operation.Reduce,
            new ScalarExtra(0),
            new ScalarAccumulator());
        Add(TotalsKernel.Fits(window) ? window with { Kernel = TotalsKernel.Strategy } : window, operation.Origin.Value);

        var point = Map(reduced: false);
        var (buffer, element) = Output(operation);
        if (table is not null)
        {
            AddSteps(operation, operation.Name + suffix, point, new(sums.Name, SumElement(point, sums)), new(buffer.Name, element), table, [channels]);
            return null;
        }

        Add(
            new(
                operation.Name + suffix,
                PointKernel.Strategy,
                point.Loops,
                [point.ChannelGuard(channels)],
                [new(sums.Name, SumElement(point, sums))],
                new(buffer.Name, point.Map(element)),
                GconvReduction.None,
                new ScalarExtra(0),
                ordinary!),
            operation.Origin.Value);
        return null;
    }
}
