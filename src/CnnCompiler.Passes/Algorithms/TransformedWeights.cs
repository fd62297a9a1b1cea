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
    public (Tensor? Values, long[] Above, long[] Below) Work()
    {
        var values = new int[Shape.Elements];
        var (above, below) = (new long[Channels * Points], new long[Channels * Points]);
        var (weight, steps) = _nest.WeightStrides();
        var (weights, rows, taps) = (Weights(), Rows(), Taps(steps));
        var kept = Kept(steps);
        var (at, gathered) = (new int[kept.Length], new long[taps.Length]);
        var (low, high, place, channel) = (0L, 0L, 0L, 0);
        while (true)
        {
            for (var i = 0; i < taps.Length; i++)
            {
                gathered[i] = weights[weight + taps[i]];
            }

            foreach (var row in rows)
            {
                var value = 0L;
                foreach (var (tap, factor) in row.Factors)
                {
                    value += factor * gathered[tap];
                }

                (low, high) = (Math.Min(low, value), Math.Max(high, value));
                values[place + row.Place] = unchecked((int)value);
                (value > 0 ? above : below)[channel + row.Point] += value;
            }

            var next = kept.Length - 1;
            for (; next >= 0 && at[next] == kept[next].Extent - 1; next--)
            {
                Move(kept[next], -at[next]);
                at[next] = 0;
            }

            if (next < 0)
            {
                return (low < int.MinValue || high > int.MaxValue ? null : Stored(values, low, high), above, below);
            }

            at[next]++;
            Move(kept[next], 1);
        }

        void Move(Trip loop, int trips) => (weight, place, channel) = (weight + (loop.Weight * trips), place + (loop.Place * trips), channel + (loop.Channel * trips));
    }

    /// <summary>What <see cref="Work"/> would give if all weights were 0.</summary>
    public (Tensor? Values, long[] Above, long[] Below) Outline() => (new(ElementType.Int8, Shape, new byte[Shape.Elements]), new long[Channels * Points], new long[Channels * Points]);

    private Tensor Stored(int[] values, long low, long high) =>
        low >= sbyte.MinValue && high <= sbyte.MaxValue ? Tensor.From<sbyte>(ElementType.Int8, Shape, Array.ConvertAll(values, value => (sbyte)value))
        : low >= short.MinValue && high <= short.MaxValue ? Tensor.From<short>(ElementType.Int16, Shape, Array.ConvertAll(values, value => (short)value))
        : Tensor.From<int>(ElementType.Int32, Shape, values);

    /// <summary>The loops that are not transformed, in order.</summary>
    private Trip[] Kept(long[] steps)
    {
        var (kept, channels) = (new List<Trip>(), Points);
        foreach (var loop in Loops.Reverse().Where(loop => RoundsOf(loop) is null))
        {
            var extent = _nest.Operation.Loops[loop].Extent;
            kept.Insert(0, new(extent, steps[loop], Stride(_axes.Length + IndexOf(loop)), IsParallel(loop) ? channels : 0));
            channels *= IsParallel(loop) ? extent : 1;
        }

        return [.. kept];
    }

    /// <summary>All weights less their zero point.</summary>
    private long[] Weights()
    {
        var weights = new long[_nest.Weights.Shape.Elements];
        var codes = _nest.Weights.Element == ElementType.Int8 ? _nest.Weights.AsSpan<sbyte>() : [];
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = (codes.Length > 0 ? codes[i] : _nest.Weights.GetInteger(i)) - _nest.WeightZero;
        }

        return weights;
    }

    /// <summary>Where the taps of the transformed directions lie, from the first one.</summary>
    private long[] Taps(long[] steps) => _axes.Aggregate((long[])[0], (taps, axis) => [.. taps.SelectMany(tap => Enumerable.Range(0, axis.Taps).Select(i => tap + (steps[axis.Axis.Tap] * i)))]);

    /// <summary>For each round and point of all directions where its weights lie, from the first one, the point's number, and what the taps are multiplied by.</summary>
    private Row[] Rows()
    {
        Row[] rows = [new(0, 0, [(0, 1)])];
        for (var a = 0; a < _axes.Length; a++)
        {
            var (axis, matrix, points) = (_axes[a], _axes[a].Matrix(), _axes[a].Transform.Points);
            var (ofPoint, ofRound) = (Stride(a), Stride(_axes.Length + IndexOf(axis.Axis.Tap)));
            rows = [.. rows.SelectMany(row => Enumerable.Range(0, axis.Rounds * points).Select(r => new Row(
                row.Place + (ofPoint * (r % points)) + (ofRound * (r / points)),
                (row.Point * points) + (r % points),
                [.. row.Factors.SelectMany(factor => Enumerable.Range(0, axis.Taps).Select(tap => ((factor.Tap * axis.Taps) + tap, factor.Factor * matrix[(r * axis.Taps) + tap]))).Where(factor => factor.Item2 != 0)])))];
        }

        return rows;
    }

    private long Stride(int dimension) => AffineExpressions.Product(Shape.Dimensions.Skip(dimension + 1));

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

    /// <summary>A loop: its trips, and how far one goes in the weights, the transformed ones and the channels.</summary>
    private readonly record struct Trip(int Extent, long Weight, long Place, int Channel);

    /// <summary>A round and point of all directions.</summary>
    private sealed record Row(long Place, int Point, (int Tap, long Factor)[] Factors);
}
