using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>What proofs need to know of weights, worked out once for each tensor: a program is mapped many times while its mapping is chosen.</summary>
internal sealed class WeightFacts
{
    private static readonly ConditionalWeakTable<Tensor, WeightFacts> Known = [];
    private readonly Tensor _weights;
    private readonly Lazy<long> _largest;
    private readonly ConcurrentDictionary<Walk, ChannelSums> _sums = new();

    private WeightFacts(Tensor weights)
    {
        _weights = weights;
        _largest = new(() => LargestOf(weights));
    }

    /// <summary>The largest magnitude of a weight.</summary>
    public long Largest => _largest.Value;

    /// <summary>What is known of a tensor of integers.</summary>
    public static WeightFacts Of(Tensor weights) => Known.GetValue(weights, w => new(w));

    /// <summary>Sums of the weights that each channel meets, and of their magnitudes.</summary>
    /// <param name="loops">The operator's loops; those over positions reach neither weights nor channels.</param>
    /// <param name="channelOf">The channel, over the loops.</param>
    /// <param name="weightOf">The weight, over the loops.</param>
    /// <param name="channels">Number of channels.</param>
    public ChannelSums Sums(EquatableArray<GconvLoop> loops, AffineExpression channelOf, AffineExpression weightOf, int channels) =>
        _sums.GetOrAdd(new(loops, channelOf, weightOf, channels), SumsOf);

    private static long LargestOf(Tensor weights)
    {
        long largest = 0;
        for (long i = 0, elements = weights.Shape.Elements; i < elements; i++)
        {
            largest = Math.Max(largest, Math.Abs(weights.GetInteger(i)));
        }

        return largest;
    }

    private ChannelSums SumsOf(Walk walk)
    {
        int[] loops = [.. Enumerable.Range(0, walk.Loops.Count).Where(i => walk.Loops[i].Kind != LoopKind.OutputPosition)];
        int[] extents = [.. loops.Select(loop => walk.Loops[loop].Extent)];
        (long Channel, long Weight)[] steps = [.. loops.Select(loop => (walk.ChannelOf.Coefficients[loop], walk.WeightOf.Coefficients[loop]))];
        var (sums, magnitudes) = (new long[walk.Channels], new long[walk.Channels]);
        Visit(0, walk.ChannelOf.Constant, walk.WeightOf.Constant);
        return new([.. sums], [.. magnitudes]);

        void Visit(int depth, long channel, long weight)
        {
            if (depth == extents.Length)
            {
                var value = _weights.GetInteger(weight);
                sums[channel] += value;
                magnitudes[channel] += Math.Abs(value);
                return;
            }

            var (channelStep, weightStep) = steps[depth];
            for (var i = 0; i < extents[depth]; i++)
            {
                Visit(depth + 1, channel + (i * channelStep), weight + (i * weightStep));
            }
        }
    }

    /// <summary>Sums by channel.</summary>
    /// <param name="Sums">Of the weights.</param>
    /// <param name="Magnitudes">Of their magnitudes.</param>
    public sealed record ChannelSums(EquatableArray<long> Sums, EquatableArray<long> Magnitudes);

    private sealed record Walk(EquatableArray<GconvLoop> Loops, AffineExpression ChannelOf, AffineExpression WeightOf, int Channels);
}
