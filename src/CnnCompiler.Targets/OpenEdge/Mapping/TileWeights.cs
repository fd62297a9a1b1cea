using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>
/// Weights of a convolution transformed in two dimensions by F(4, 3), and whether all that is made of them is exact; worked out once for each tensor: a program is mapped many
/// times while its mapping is chosen.
/// </summary>
internal sealed class TileWeights
{
    private static readonly ConditionalWeakTable<Tensor, ConcurrentDictionary<Places, TileWeights>> Known = [];

    private TileWeights(Tensor? values) => Values = values;

    /// <summary>Where the weights of a window lie in their tensor.</summary>
    /// <param name="First">Element of the first weight.</param>
    /// <param name="Output">Elements between output channels.</param>
    /// <param name="Across">Elements between taps across lines.</param>
    /// <param name="Along">Elements between taps along a line.</param>
    /// <param name="Input">Elements between input channels.</param>
    /// <param name="Outputs">Output channels.</param>
    /// <param name="Inputs">Input channels.</param>
    /// <param name="RoundsAcross">Taps of every round across lines.</param>
    /// <param name="RoundsAlong">Taps of every round along a line.</param>
    public sealed record Places(long First, long Output, long Across, long Along, long Input, int Outputs, int Inputs, EquatableArray<int> RoundsAcross, EquatableArray<int> RoundsAlong);

    /// <summary>
    /// [point across lines, point along a line, output channel, round across, round along, input channel]; null where one doesn't fit the code, or where with codes as inputs products or sums may
    /// be larger than what <see cref="RowsOutKernel"/> is exact for.
    /// </summary>
    public Tensor? Values { get; }

    /// <summary>The transformed weights of a tensor of integers.</summary>
    public static TileWeights Of(Tensor weights, Places places) => Known.GetOrCreateValue(weights).GetOrAdd(places, p => new(Transformed(weights, p)));

    private static Tensor? Transformed(Tensor weights, Places places)
    {
        var transform = RowTransform.Four;
        var (points, inputs, outputs) = (transform.Points, places.Inputs, places.Outputs);
        int[] across = [.. places.RoundsAcross], along = [.. places.RoundsAlong];
        var (width, rounds) = (along.Sum(), across.Length * along.Length);
        var values = new int[points * points * outputs * rounds * inputs];
        var reach = Enumerable.Range(0, points).Select(point => across.Concat(along).Max(taps => transform.ReachOf(point, taps))).ToArray();
        var (line, magnitudes) = (new long[across.Length * width * inputs], new long[points]);
        for (var output = 0; output < outputs; output++)
        {
            var (first, result) = (places.First + (output * places.Output), 0L);
            var lines = new long[points];
            for (var point = 0; point < points; point++)
            {
                // lines of the window at a point across them: [round][tap along][input channel]
                Array.Clear(line);
                for (var (round, row) = (0, 0); round < across.Length; row += across[round++])
                {
                    for (var place = 0; place < width * inputs; place++)
                    {
                        var at = first + (place / inputs * places.Along) + (place % inputs * places.Input);
                        for (var tap = 0; tap < across[round]; tap++)
                        {
                            var weight = weights.GetInteger(at + ((row + tap) * places.Across));
                            line[(round * width * inputs) + place] += transform.Weight(point, tap) * weight;
                            result += point == 0 ? Math.Abs(weight) : 0;
                        }
                    }
                }

                lines[point] = line.Sum(Math.Abs) * reach[point] * OpenEdgeMapper.LargestCode;
                Array.Clear(magnitudes);
                for (var other = 0; other < points; other++)
                {
                    var next = (((((point * points) + other) * outputs) + output) * rounds) * inputs;
                    for (var round = 0; round < rounds; round++)
                    {
                        var (start, taps) = (along.Take(round % along.Length).Sum(), along[round % along.Length]);
                        for (var input = 0; input < inputs; input++)
                        {
                            var sum = 0L;
                            for (var tap = 0; tap < taps; tap++)
                            {
                                sum += transform.Weight(other, tap) * line[(((round / along.Length * width) + start + tap) * inputs) + input];
                            }

                            if (!ArrayProgramBuilder.FitsImmediate(sum))
                            {
                                return null;
                            }

                            magnitudes[other] += Math.Abs(sum);
                            values[next++] = (int)sum;
                        }
                    }

                    magnitudes[other] *= reach[point] * reach[other] * OpenEdgeMapper.LargestCode;
                }

                if (!RowsOutKernel.IsExact(magnitudes, lines[point]))
                {
                    return null;
                }
            }

            if (!RowsOutKernel.IsExact(lines, result * OpenEdgeMapper.LargestCode))
            {
                return null;
            }
        }

        return Tensor.From<int>(ElementType.Int32, Shape.Of(points, points, outputs, across.Length, along.Length, inputs), values);
    }
}
