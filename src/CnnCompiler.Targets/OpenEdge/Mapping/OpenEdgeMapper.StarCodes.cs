using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>What the passes of a convolution leave, and codes made of it at once.</content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>The nests that make codes of what the passes leave, one for every two output channels; null where one of them has no such kernel.</summary>
    private MappedNest[]? StarCodes(Contraction contraction, int first, int count, string suffix, StarShape star)
    {
        if (contraction.HasSums || contraction.Form is not { } form)
        {
            return null;
        }

        var (operation, channelsOfPass) = (contraction.Operation, StarKernel.Channels(contraction.Strategy));
        var (buffer, element) = OutputPlace(operation);
        var codes = new List<MappedNest>();
        for (var from = 0; from < count; from += StarKernel.PairChannels)
        {
            var (group, start) = (from / channelsOfPass, from % channelsOfPass);
            var (name, plan) = (FormattableString.Invariant($"{suffix}.{group}"), star.Plans[group]);
            var map = StarMap(contraction, first + from, StarKernel.PairChannels);
            map.Add(PlanesKernel.Plane, plan.Passes, reduced: true, -1);
            var channel = map.Map(ConstantElement(operation, contraction.ChannelOperand!));
            var nest = new MappedNest(
                channelsOfPass > StarKernel.PairChannels ? FormattableString.Invariant($"{operation.Name}.codes{name}.{start}") : $"{operation.Name}.codes{name}",
                contraction.Strategy == StarKernel.PointStrategy ? StarCodesKernel.PointStrategy : StarCodesKernel.Strategy,
                map.Loops,
                [new(map.Over(loop => loop == NestView.Lane ? 1 : 0), Math.Min(StarKernel.PairChannels, count - from)), .. LineGuards(map, contraction.Positions)],
                [
                    new(PlanesOf(operation, name), PlaneElement(map, star, plan, contraction.Strategy, start * HalvesKernel.Halves)),
                    .. contraction.Parameters.Concat(contraction.Ranges).Select(p => new MappedAccess(p, channel)),
                ],
                new(buffer, map.Map(element)),
                GconvReduction.Add,
                new ScalarExtra(0),
                Requantized(new ScalarBinary(ScalarBinaryOperator.Add, new ScalarAccumulator(), new ScalarExtra(1)), form))
            {
                Origin = operation.Origin.Value with { Macs = 0 },
            };
            if (!StarCodesKernel.Fits(nest, ConstantNamed))
            {
                return null;
            }

            codes.Add(nest);
        }

        return [.. codes];
    }

    private static string PlanesOf(GconvOperator operation, string name) => $"{operation.Name}.planes{name}";

    /// <summary>The loops of some output channels' positions.</summary>
    private static LoopMap StarMap(Contraction contraction, int first, int lanes)
    {
        var map = new LoopMap(contraction.Operation.Loops.Count);
        map.Add(NestView.Lane, lanes, reduced: false, contraction.Channels.Loop);
        map.Offset(contraction.Channels.Loop, first);
        AddPositions(map, contraction.Positions);
        return map;
    }

    /// <summary>Words from position to position of what the passes of a plan leave.</summary>
    private static int PlanePitch(StarPlan plan, string strategy) => Odd(plan.Passes * StarKernel.Words(strategy));

    /// <summary>Not less, and odd: columns of the array, which work on positions of their own, then seldom meet in a bank of memory.</summary>
    private static int Odd(int words) => words | 1;

    /// <summary>An element of what the passes of a plan leave, [position][plane][lane][half].</summary>
    private static AffineExpression PlaneElement(LoopMap map, StarShape star, StarPlan plan, string strategy, int constant)
    {
        var words = StarKernel.Words(strategy);
        var pixel = PlanePitch(plan, strategy);
        return map.Over(loop => loop switch
        {
            NestView.Line => star.Pitch * pixel,
            NestView.Pixel => pixel,
            PlanesKernel.Plane => words,
            NestView.Lane => HalvesKernel.Halves,
            NestView.OuterLine => 1,
            _ => 0,
        }) with { Constant = constant + (StarKernel.Ahead(strategy) * pixel) };
    }

    /// <summary>A value requantised by the multiplier and shift of a channel, operands 2 and 3.</summary>
    private static ScalarClamp Requantized(ScalarExpression value, RequantizeForm form) => new(
        new ScalarBinary(
            ScalarBinaryOperator.Add,
            new ScalarRequantize(Ir.Network.RoundingScheme.TfliteDouble, value, new ScalarExtra(2), new ScalarExtra(3)),
            new ScalarLiteral(form.ZeroPoint)),
        new ScalarLiteral(form.Low),
        new ScalarLiteral(form.High));
}
