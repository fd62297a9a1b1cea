using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;

namespace CnnCompiler.Passes.Algorithms;

/// <summary>
/// A direction that is transformed. A transform takes r taps that lie a stride apart, so that the elements of its window do too: with stride s there are s phases of taps, each cut into
/// ceil(taps / r) parts; what is missing in the last ones is 0. A round is a part of a phase.
/// </summary>
/// <param name="Axis">The direction.</param>
/// <param name="Transform">Its transform.</param>
/// <param name="Taps">Taps of the convolution.</param>
/// <param name="Outputs">Positions of the convolution.</param>
internal sealed record TransformedAxis(WindowAxis Axis, FilterTransform Transform, int Taps, int Outputs)
{
    /// <summary>Tiles that cover the positions.</summary>
    public int Tiles => (Outputs + Transform.Tile - 1) / Transform.Tile;

    /// <summary>Distances to the stride that taps have.</summary>
    public int Phases => Math.Min(Axis.Stride, Taps);

    /// <summary>Rounds of a phase.</summary>
    public int Parts => (((Taps + Axis.Stride - 1) / Axis.Stride) + Transform.Taps - 1) / Transform.Taps;

    /// <summary>Phases times parts.</summary>
    public int Rounds => Phases * Parts;

    /// <summary>What the taps are multiplied by for a point of a round, [rounds, points, taps].</summary>
    public long[] Matrix()
    {
        var matrix = new long[Rounds * Transform.Points * Taps];
        for (var row = 0; row < Rounds * Transform.Points; row++)
        {
            var (round, point) = (row / Transform.Points, row % Transform.Points);
            for (var i = 0; i < Transform.Taps; i++)
            {
                var tap = (round / Parts) + (Axis.Stride * ((round % Parts * Transform.Taps) + i));
                if (tap < Taps)
                {
                    matrix[(row * Taps) + tap] = Transform.Kernel[(point * Transform.Taps) + i];
                }
            }
        }

        return matrix;
    }
}

/// <summary>Weights of a convolution after the transforms, and what the products with them are within.</summary>
internal sealed class TransformedWeights
{
    private readonly ConvolutionNest _nest;
    private readonly TransformedAxis[] _axes;

    /// <summary>Transforms the weights.</summary>
    /// <param name="nest">The convolution.</param>
    /// <param name="axes">The directions transformed.</param>
    public TransformedWeights(ConvolutionNest nest, TransformedAxis[] axes)
    {
        (_nest, _axes) = (nest, axes);
        var operation = nest.Operation;
        Loops = [.. Enumerable.Range(0, operation.Loops.Count).Where(loop => operation.Loops[loop].Extent > 1 && operation.Kernel!.Index.DependsOn(loop))];
        Shape = Shape.Of([.. axes.Select(axis => axis.Transform.Points), .. Loops.Select(loop => RoundsOf(loop) is { } axis ? axis.Rounds : operation.Loops[loop].Extent)]);
        Points = axes.Aggregate(1, (product, axis) => product * axis.Transform.Points);
        Channels = Loops.Where(IsParallel).Aggregate(1, (product, loop) => product * operation.Loops[loop].Extent);
    }

    /// <summary>Loops of the operator that index the weights, in order; a loop of transformed taps stands for the rounds.</summary>
    public IReadOnlyList<int> Loops { get; }

    /// <summary>Extents: points of each direction, then <see cref="Loops"/>.</summary>
    public Shape Shape { get; }

    /// <summary>Points of all directions.</summary>
    public int Points { get; }

    /// <summary>Results that have weights of their own.</summary>
    public int Channels { get; }

    /// <summary>The weights, or null where 32 bits do not hold one; and the sum of those above and of those below 0 of each channel and point, [channels, points].</summary>
    public (Tensor? Values, Int128[] Above, Int128[] Below) Work()
    {
        var values = new int[Shape.Elements];
        var (above, below) = (new Int128[Channels * Points], new Int128[Channels * Points]);
        var (first, steps) = _nest.WeightStrides();
        var matrices = _axes.Select(axis => axis.Matrix()).ToArray();
        var kept = Loops.Where(loop => RoundsOf(loop) is null).ToArray();
        var strides = Strides();
        var at = new int[kept.Length];
        var (low, high) = (0L, 0L);
        while (true)
        {
            var (weight, place, channel) = (first, 0L, 0);
            for (var i = 0; i < kept.Length; i++)
            {
                weight += steps[kept[i]] * at[i];
                place += strides[_axes.Length + IndexOf(kept[i])] * at[i];
                channel = IsParallel(kept[i]) ? (channel * _nest.Operation.Loops[kept[i]].Extent) + at[i] : channel;
            }

            Transform(0, Gather(weight, steps), place, 0);
            var next = kept.Length - 1;
            for (; next >= 0 && ++at[next] == _nest.Operation.Loops[kept[next]].Extent; next--)
            {
                at[next] = 0;
            }

            if (next < 0)
            {
                break;
            }

            void Transform(int axis, long[] taps, long to, int point)
            {
                if (axis == _axes.Length)
                {
                    var value = taps[0];
                    (low, high) = (Math.Min(low, value), Math.Max(high, value));
                    values[to] = unchecked((int)value);
                    (value > 0 ? above : below)[(channel * Points) + point] += value;
                    return;
                }

                var (own, matrix) = (_axes[axis], matrices[axis]);
                var rest = taps.Length / own.Taps;
                for (var row = 0; row < own.Rounds * own.Transform.Points; row++)
                {
                    var left = new long[rest];
                    for (var tap = 0; tap < own.Taps; tap++)
                    {
                        var factor = matrix[(row * own.Taps) + tap];
                        for (var i = 0; i < rest && factor != 0; i++)
                        {
                            left[i] += factor * taps[(tap * rest) + i];
                        }
                    }

                    var (round, p) = (row / own.Transform.Points, row % own.Transform.Points);
                    Transform(axis + 1, left, to + (strides[axis] * p) + (strides[_axes.Length + IndexOf(own.Axis.Tap)] * round), (point * own.Transform.Points) + p);
                }
            }
        }

        return (low < int.MinValue || high > int.MaxValue ? null : Stored(values, low, high), above, below);
    }

    private Tensor Stored(int[] values, long low, long high) =>
        low >= sbyte.MinValue && high <= sbyte.MaxValue ? Tensor.From<sbyte>(ElementType.Int8, Shape, Array.ConvertAll(values, value => (sbyte)value))
        : low >= short.MinValue && high <= short.MaxValue ? Tensor.From<short>(ElementType.Int16, Shape, Array.ConvertAll(values, value => (short)value))
        : Tensor.From<int>(ElementType.Int32, Shape, values);

    /// <summary>Taps of the transformed directions at the other loops' trips, less the weights' zero point.</summary>
    private long[] Gather(long first, long[] steps)
    {
        var taps = new long[_axes.Aggregate(1, (product, axis) => product * axis.Taps)];
        for (var i = 0; i < taps.Length; i++)
        {
            var (at, rest) = (first, i);
            for (var axis = _axes.Length - 1; axis >= 0; axis--)
            {
                at += steps[_axes[axis].Axis.Tap] * (rest % _axes[axis].Taps);
                rest /= _axes[axis].Taps;
            }

            taps[i] = _nest.Weights.GetInteger(at) - _nest.WeightZero;
        }

        return taps;
    }

    private long[] Strides()
    {
        var strides = new long[Shape.Rank];
        var extent = 1L;
        for (var d = Shape.Rank - 1; d >= 0; d--)
        {
            (strides[d], extent) = (extent, extent * Shape[d]);
        }

        return strides;
    }

    private int IndexOf(int loop)
    {
        for (var i = 0; i < Loops.Count; i++)
        {
            if (Loops[i] == loop)
            {
                return i;
            }
        }

        throw new InvalidOperationException($"loop {loop} does not index the weights");
    }

    private TransformedAxis? RoundsOf(int loop) => Array.Find(_axes, axis => axis.Axis.Tap == loop);

    private bool IsParallel(int loop) => _nest.Operation.Loops[loop].Kind.IsParallel();
}
