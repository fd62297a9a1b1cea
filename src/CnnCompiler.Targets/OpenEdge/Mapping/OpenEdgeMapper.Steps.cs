using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <content>Sums of products whose codes are found by thresholds: roundings and ranges that the requantising kernels don't have.</content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>The codes of an operator's sums by channel.</summary>
    /// <param name="Bias">Constant with what is added to the raw sums of a channel.</param>
    /// <param name="Thresholds">Constant with <paramref name="Count"/> thresholds, or with so many for each channel.</param>
    /// <param name="Count">Thresholds of a channel.</param>
    /// <param name="Lowest">Lowest code.</param>
    /// <param name="Shared">True where all channels have the same thresholds.</param>
    private sealed record ChannelSteps(string Bias, string Thresholds, int Count, int Lowest, bool Shared);

    /// <summary>What is known of a channel: the sums that its weights can give, its zero-point correction, and the elements of the further operands.</summary>
    private sealed record ChannelFacts(long Low, long High, long Correction, (Tensor Tensor, long Element)[] Operands);

    /// <summary>The thresholds of all channels; null after reporting why there are none.</summary>
    private ChannelSteps? StepsOf(GconvOperator operation, OperatorShape shape, (int Loop, int Extent) groups, (int Loop, int Extent) channels)
    {
        if (operation.Extra.Any(e => shape.Loops(LoopKind.OutputPosition).Any(l => e.Index.DependsOn(l))))
        {
            _diagnostics.Report(OpenEdgeDiagnostics.NoKernel(operation, "its result depends on more than the sum and the channel"));
            return null;
        }

        var (bias, post) = WithoutBias(operation.Post);
        var facts = FactsOf(operation, shape, groups, channels);
        var tables = new StepTable[facts.Length];
        var shared = Shared(operation, facts, bias, post);
        for (var channel = 0; channel < facts.Length; channel++)
        {
            var fact = facts[channel];
            var added = bias < 0 ? 0 : fact.Operands[bias].Tensor.GetInteger(fact.Operands[bias].Element);
            var bound = Math.Max(Math.Abs(fact.Low), Math.Abs(fact.High)) + Math.Abs(added) + Math.Abs(fact.Correction);
            if (bound >= int.MaxValue)
            {
                _diagnostics.Report(OpenEdgeDiagnostics.AccumulatorTooLarge(operation, channel, bound, int.MaxValue));
                return null;
            }

            if (shared is null)
            {
                if (ResultFunction.Of(post, fact.Operands) is not { } function || StepTable.Of(function, fact.Low + added, fact.High + added) is not { } table)
                {
                    _diagnostics.Report(OpenEdgeDiagnostics.NoKernel(operation, "its result isn't proved never to fall where the sum rises"));
                    return null;
                }

                tables[channel] = table;
            }
        }

        var lowest = shared?.Lowest ?? tables.Min(t => t.Lowest);
        var count = shared?.Thresholds.Length ?? StepTable.Rounded(Math.Max(1, tables.Max(t => t.Lowest + t.Rises) - lowest));
        var thresholds = shared?.Thresholds ?? [.. tables.SelectMany(t => t.With(lowest, count).Thresholds)];
        var biases = facts.Select(f => (int)(f.Correction + (bias < 0 ? 0 : f.Operands[bias].Tensor.GetInteger(f.Operands[bias].Element)))).ToArray();
        return new(
            AddConstant($"{operation.Name}.folded.bias", Tensor.From<int>(ElementType.Int32, Core.Tensors.Shape.Of(biases.Length), biases)),
            AddConstant($"{operation.Name}.thresholds", Tensor.From<int>(ElementType.Int32, Core.Tensors.Shape.Of(thresholds.Length), thresholds)),
            count,
            lowest,
            shared is not null);
    }

    /// <summary>One table for all channels, where they differ in nothing but their bias.</summary>
    private static StepTable? Shared(GconvOperator operation, ChannelFacts[] facts, int bias, ScalarExpression post)
    {
        static bool Same((Tensor Tensor, long Element) a, (Tensor Tensor, long Element) b) =>
            a.Tensor.Element.IsReal() ? a.Tensor.GetReal(a.Element).Equals(b.Tensor.GetReal(b.Element)) : a.Tensor.GetInteger(a.Element) == b.Tensor.GetInteger(b.Element);

        var tables = post.Tables().ToHashSet();
        var alike = Enumerable.Range(0, operation.Extra.Count).Where(o => o != bias)
            .All(o => facts.All(f => tables.Contains(o) ? f.Operands[o].Element == facts[0].Operands[o].Element : Same(f.Operands[o], facts[0].Operands[o])));
        if (!alike || ResultFunction.Of(post, facts[0].Operands) is not { } function)
        {
            return null;
        }

        long Bias(ChannelFacts fact) => bias < 0 ? 0 : fact.Operands[bias].Tensor.GetInteger(fact.Operands[bias].Element);
        return StepTable.Of(function, facts.Min(f => f.Low + Bias(f)), facts.Max(f => f.High + Bias(f)));
    }

    /// <summary>The further operand that is added to the accumulator wherever that is used, or -1, and the program of the sum of both.</summary>
    private static (int Bias, ScalarExpression Post) WithoutBias(ScalarExpression post)
    {
        var bias = -1;
        var without = ResultFunction.Replace(post, e =>
        {
            if (e is not ScalarBinary { Operator: ScalarBinaryOperator.Add, Left: ScalarAccumulator, Right: ScalarExtra extra } || (bias >= 0 && bias != extra.Index))
            {
                return null;
            }

            bias = extra.Index;
            return new ScalarAccumulator();
        });

        // nothing else may know the accumulator alone, or the bias
        var others = 0;
        _ = ResultFunction.Replace(post, e =>
        {
            if (e is ScalarBinary { Operator: ScalarBinaryOperator.Add, Left: ScalarAccumulator, Right: ScalarExtra extra } && extra.Index == bias)
            {
                return e;
            }

            others += e is ScalarAccumulator || (e is ScalarExtra used && used.Index == bias) ? 1 : 0;
            return null;
        });
        return bias >= 0 && others == 0 ? (bias, without) : (-1, post);
    }

    private ChannelFacts[] FactsOf(GconvOperator operation, OperatorShape shape, (int Loop, int Extent) groups, (int Loop, int Extent) channels)
    {
        var zero = shape.InputZeroPoint!.Value;
        var weights = ConstantOf(operation.Kernel!);
        var weightOf = ConstantElement(operation, operation.Kernel!);
        var operands = operation.Extra.Select(e => (Tensor: ConstantOf(e), Index: ConstantElement(operation, e))).ToArray();
        int[] taps = [0];
        foreach (var loop in shape.Loops(LoopKind.KernelSize))
        {
            taps = [.. taps.SelectMany(t => Enumerable.Range(0, operation.Loops[loop].Extent).Select(i => t + (i * (int)weightOf.Coefficients[loop])))];
        }

        var facts = new ChannelFacts[groups.Extent * channels.Extent];
        for (var channel = 0; channel < facts.Length; channel++)
        {
            long At(AffineExpression e) => e.Constant
                + (groups.Loop < 0 ? 0 : channel / channels.Extent * e.Coefficients[groups.Loop]) + (channels.Loop < 0 ? 0 : channel % channels.Extent * e.Coefficients[channels.Loop]);
            var (rising, falling) = (0L, 0L);
            foreach (var tap in taps)
            {
                var weight = weights.GetInteger(At(weightOf) + tap);
                (rising, falling) = (rising + Math.Max(weight, 0), falling + Math.Min(weight, 0));
            }

            var (least, most) = ((long)sbyte.MinValue - zero, (long)sbyte.MaxValue - zero);
            facts[channel] = new(
                (rising * least) + (falling * most), (rising * most) + (falling * least), -zero * (rising + falling), [.. operands.Select(o => (o.Tensor, At(o.Index)))]);
        }

        return facts;
    }

    /// <summary>The nest that makes codes of some channels' raw sums.</summary>
    private static MappedNest StepsNest(
        GconvOperator operation, string name, LoopMap map, IEnumerable<MappedGuard> guards, MappedAccess sums, MappedAccess output, ChannelSteps steps, (int Loop, int Extent) groups, (int Loop, int Extent) channels)
    {
        var channel = map.Map(new(
            Enumerable.Range(0, operation.Loops.Count).Select(l => l == channels.Loop ? 1L : l == groups.Loop ? channels.Extent : 0L).ToEquatableArray(), 0));
        var threshold = Enumerable.Range(0, map.Loops.Count).First(l => map.Loops[l].Name == StepTable.Loop);
        var perChannel = steps.Shared ? 0 : steps.Count;
        return new(
            name,
            StepsKernel.Strategy,
            map.Loops,
            guards.ToEquatableArray(),
            [
                sums,
                new(steps.Bias, channel),
                new(steps.Thresholds, new(channel.Coefficients.Select((c, l) => l == threshold ? 1 : c * perChannel).ToEquatableArray(), channel.Constant * perChannel)),
            ],
            output,
            GconvReduction.Add,
            StepTable.Term(new ScalarBinary(ScalarBinaryOperator.Add, new ScalarExtra(0), new ScalarExtra(1)), 2),
            new ScalarBinary(ScalarBinaryOperator.Add, new ScalarAccumulator(), new ScalarLiteral(steps.Lowest)));
    }
}
