using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
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

    /// <summary>The convolution.</summary>
    public GconvOperator Operation => _nest.Operation;

    /// <summary>Tells the transforms of a convolution apart.</summary>
    public string Key => string.Join(' ', _axes.Select(axis => FormattableString.Invariant($"{axis.Axis.Tap}:{string.Join(',', axis.Transform.Kernel)}")));

    /// <summary>Loops of the operator that index the weights, in order; a loop of transformed taps stands for the rounds.</summary>
    public IReadOnlyList<int> Loops { get; }

    /// <summary>Extents: points of each direction, then <see cref="Loops"/>.</summary>
    public Shape Shape { get; }

    /// <summary>Points of all directions.</summary>
    public int Points { get; }

    /// <summary>Results that have weights of their own.</summary>
    public int Channels { get; }

    /// <summary>What the weights look like whatever they are: the narrowest type, and sums of 0.</summary>
    public (ElementType? Element, long[] Above, long[] Below) Outline() => (ElementType.Int8, new long[Channels * Points], new long[Channels * Points]);

    /// <summary>The narrowest type that holds the transformed weights, null where 32 bits do not; and the sum of those above and of those below 0 of each channel and point, [channels, points].</summary>
    public (ElementType? Element, long[] Above, long[] Below) Ranges() => IsNarrow ? Ranges<int>() : Ranges<long>();

    /// <summary>The transformed weights in a type that holds them.</summary>
    public Tensor Values(ElementType element)
    {
        var bytes = new byte[Shape.Elements * element.Size()];
        switch (element)
        {
            case ElementType.Int8:
                Write<sbyte>(bytes);
                break;
            case ElementType.Int16:
                Write<short>(bytes);
                break;
            default:
                Write<int>(bytes);
                break;
        }

        return new(element, Shape, bytes);
    }

    /// <summary>True where 32 bits hold every transformed weight and the sum of those of a run.</summary>
    private bool IsNarrow
    {
        get
        {
            var (min, max) = _nest.Weights.Element.Range();
            var factors = Rows().Max(row => row.Factors.Sum(factor => Math.Abs(factor.Factor)));
            return (Int128)Int128.Max(Int128.Abs((Int128)min - _nest.WeightZero), Int128.Abs((Int128)max - _nest.WeightZero)) * factors * Kept(_nest.WeightStrides().Steps)[^1].Extent <= int.MaxValue;
        }
    }

    private (ElementType? Element, long[] Above, long[] Below) Ranges<T>()
        where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
    {
        var (above, below) = (new long[Channels * Points], new long[Channels * Points]);
        var (low, high) = (0L, 0L);
        Walk<T>((taps, row, values, _, channel, run) =>
        {
            if (run.Channel == 0)
            {
                var sides = Sides(taps, run.Extent, row.Factors);
                (low, high) = (Math.Min(low, sides.Low), Math.Max(high, sides.High));
                (above[channel], below[channel]) = (above[channel] + sides.Above, below[channel] + sides.Below);
                return;
            }

            Products(taps, row.Factors, values);
            for (var i = 0; i < values.Length; i++)
            {
                var value = long.CreateTruncating(values[i]);
                (low, high) = (Math.Min(low, value), Math.Max(high, value));
                (value > 0 ? above : below)[channel + (i * run.Channel)] += value;
            }
        });
        foreach (var type in (ElementType[])[ElementType.Int8, ElementType.Int16, ElementType.Int32])
        {
            if (low >= type.Range().Min && high <= type.Range().Max)
            {
                return (type, above, below);
            }
        }

        return (null, above, below);
    }

    /// <summary>The least and largest of a run's transformed weights and 0, and the sums of those above and below 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (long Low, long High, long Above, long Below) Sides<T>(ReadOnlySpan<T> taps, int extent, (int Tap, long Factor)[] factors)
        where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
    {
        var (lows, highs, aboves, belows) = (Vector<T>.Zero, Vector<T>.Zero, Vector<T>.Zero, Vector<T>.Zero);
        var i = 0;
        for (; i <= extent - Vector<T>.Count; i += Vector<T>.Count)
        {
            var several = Vector<T>.Zero;
            foreach (var (tap, factor) in factors)
            {
                several += new Vector<T>(taps[((tap * extent) + i)..]) * T.CreateTruncating(factor);
            }

            (lows, highs) = (Vector.Min(lows, several), Vector.Max(highs, several));
            (aboves, belows) = (aboves + Vector.Max(several, Vector<T>.Zero), belows + Vector.Min(several, Vector<T>.Zero));
        }

        var (low, high, above, below) = (T.Zero, T.Zero, Vector.Sum(aboves), Vector.Sum(belows));
        for (var lane = 0; lane < Vector<T>.Count; lane++)
        {
            (low, high) = (T.Min(low, lows[lane]), T.Max(high, highs[lane]));
        }

        for (; i < extent; i++)
        {
            var value = T.Zero;
            foreach (var (tap, factor) in factors)
            {
                value += taps[(tap * extent) + i] * T.CreateTruncating(factor);
            }

            (low, high) = (T.Min(low, value), T.Max(high, value));
            (above, below) = (above + T.Max(value, T.Zero), below + T.Min(value, T.Zero));
        }

        return (long.CreateTruncating(low), long.CreateTruncating(high), long.CreateTruncating(above), long.CreateTruncating(below));
    }

    private void Write<TStored>(byte[] bytes)
        where TStored : unmanaged, IBinaryInteger<TStored>
    {
        if (IsNarrow)
        {
            Walk<int>(Store);
        }
        else
        {
            Walk<long>(Store);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        void Store<T>(ReadOnlySpan<T> taps, Row row, Span<T> values, long place, int channel, Trip run)
            where T : unmanaged, IBinaryInteger<T>
        {
            Products(taps, row.Factors, values);
            var stored = MemoryMarshal.Cast<byte, TStored>(bytes.AsSpan())[(int)place..];
            for (var i = run.Place == 1 ? Narrow(values, stored) : 0; i < values.Length; i++)
            {
                stored[(int)(i * run.Place)] = TStored.CreateTruncating(values[i]);
            }
        }
    }

    /// <summary>Stores so many values beside each other as there are in whole vectors; those that are halved or quartered, others none.</summary>
    private static int Narrow<T, TStored>(ReadOnlySpan<T> values, Span<TStored> stored)
        where T : unmanaged
        where TStored : unmanaged
    {
        var i = 0;
        if (typeof(T) == typeof(int) && typeof(TStored) == typeof(short))
        {
            var wide = MemoryMarshal.Cast<T, Vector<int>>(values);
            var narrow = MemoryMarshal.Cast<TStored, Vector<short>>(stored[..values.Length]);
            for (; i < narrow.Length; i++)
            {
                narrow[i] = Vector.Narrow(wide[2 * i], wide[(2 * i) + 1]);
            }

            return i * Vector<short>.Count;
        }

        if (typeof(T) == typeof(int) && typeof(TStored) == typeof(sbyte))
        {
            var wide = MemoryMarshal.Cast<T, Vector<int>>(values);
            var narrow = MemoryMarshal.Cast<TStored, Vector<sbyte>>(stored[..values.Length]);
            for (; i < narrow.Length; i++)
            {
                narrow[i] = Vector.Narrow(Vector.Narrow(wide[4 * i], wide[(4 * i) + 1]), Vector.Narrow(wide[(4 * i) + 2], wide[(4 * i) + 3]));
            }

            return i * Vector<sbyte>.Count;
        }

        return 0;
    }

    /// <summary>Goes through the weights, a run of them along the last loop that is not transformed at a time, in a type that holds every sum of a run.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Walk<T>(RunVisitor<T> visit)
        where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
    {
        var (weight, steps) = _nest.WeightStrides();
        var (weights, rows, taps, kept) = (_nest.Centred<T>(), Rows(), Taps(steps), Kept(steps));
        var (run, outside, at) = (kept[^1], kept[..^1], new int[kept.Length - 1]);
        var (gathered, values) = (new T[taps.Length * run.Extent], new T[run.Extent]);
        var (place, channel) = (0L, 0);
        while (true)
        {
            for (var tap = 0; tap < taps.Length; tap++)
            {
                var from = (int)(weight + taps[tap]);
                var to = gathered.AsSpan(tap * run.Extent, run.Extent);
                if (run.Weight == 1)
                {
                    weights.AsSpan(from, run.Extent).CopyTo(to);
                    continue;
                }

                for (var i = 0; i < to.Length; i++)
                {
                    to[i] = weights[from + (i * run.Weight)];
                }
            }

            foreach (var row in rows)
            {
                visit(gathered, row, values, place + row.Place, channel + row.Point, run);
            }

            var next = outside.Length - 1;
            for (; next >= 0 && at[next] == outside[next].Extent - 1; next--)
            {
                Move(outside[next], -at[next]);
                at[next] = 0;
            }

            if (next < 0)
            {
                return;
            }

            at[next]++;
            Move(outside[next], 1);
        }

        void Move(Trip loop, int trips) => (weight, place, channel) = (weight + (loop.Weight * trips), place + (loop.Place * trips), channel + (loop.Channel * trips));
    }

    /// <summary>The transformed weights of a run.</summary>
    private static void Products<T>(ReadOnlySpan<T> taps, (int Tap, long Factor)[] factors, Span<T> values)
        where T : unmanaged, IBinaryInteger<T>
    {
        values.Clear();
        foreach (var (tap, factor) in factors)
        {
            AddProducts(values, taps.Slice(tap * values.Length, values.Length), T.CreateTruncating(factor));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddProducts<T>(Span<T> sums, ReadOnlySpan<T> values, T factor)
        where T : unmanaged, IBinaryInteger<T>
    {
        var i = 0;
        for (; i <= sums.Length - Vector<T>.Count; i += Vector<T>.Count)
        {
            (new Vector<T>(sums[i..]) + (new Vector<T>(values[i..]) * factor)).CopyTo(sums[i..]);
        }

        for (; i < sums.Length; i++)
        {
            sums[i] = sums[i] + (values[i] * factor);
        }
    }

    /// <summary>The loops that are not transformed, in order; one of a single trip where there is none.</summary>
    private Trip[] Kept(long[] steps)
    {
        var (kept, channels) = (new List<Trip>(), Points);
        foreach (var loop in Loops.Reverse().Where(loop => RoundsOf(loop) is null))
        {
            var extent = _nest.Operation.Loops[loop].Extent;
            kept.Insert(0, new(extent, steps[loop], Stride(_axes.Length + IndexOf(loop)), IsParallel(loop) ? channels : 0));
            channels *= IsParallel(loop) ? extent : 1;
        }

        return kept.Count == 0 ? [new(1, 0, 0, 0)] : [.. kept];
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

    /// <summary>Takes the weights of a run.</summary>
    /// <param name="taps">[taps, run] the weights.</param>
    /// <param name="row">What they are transformed to.</param>
    /// <param name="values">[run] room for the transformed ones.</param>
    /// <param name="place">Where the first transformed one lies.</param>
    /// <param name="channel">Its channel and point.</param>
    /// <param name="run">The loop that they lie along.</param>
    private delegate void RunVisitor<T>(ReadOnlySpan<T> taps, Row row, Span<T> values, long place, int channel, Trip run);

    /// <summary>A loop: its trips, and how far one goes in the weights, the transformed ones and the channels.</summary>
    private readonly record struct Trip(int Extent, long Weight, long Place, int Channel);

    /// <summary>A round and point of all directions.</summary>
    private sealed record Row(long Place, int Point, (int Tap, long Factor)[] Factors);
}

/// <summary>What transformed weights are within, kept while one convolution's algorithms are looked at: several transform the same directions first.</summary>
internal sealed class WeightRanges
{
    private readonly Dictionary<string, (ElementType? Element, long[] Above, long[] Below)> _known = new(StringComparer.Ordinal);
    private GconvOperator? _operation;

    /// <summary>The same as <see cref="TransformedWeights.Ranges()"/>.</summary>
    public (ElementType? Element, long[] Above, long[] Below) Of(TransformedWeights weights)
    {
        if (!ReferenceEquals(_operation, weights.Operation))
        {
            _known.Clear();
            _operation = weights.Operation;
        }

        return _known.TryGetValue(weights.Key, out var ranges) ? ranges : _known[weights.Key] = weights.Ranges();
    }
}
