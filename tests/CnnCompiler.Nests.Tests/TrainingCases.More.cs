using CnnCompiler.Fuzzing;
using CnnCompiler.Passes.Training;

namespace CnnCompiler.Nests.Tests;

/// <summary>Squashing over the last dimension.</summary>
internal sealed class SquashCase(SeededRandom random) : TrainingCase
{
    private readonly int[] _shape = [random.Next(1, 3), random.Next(1, 5)];

    public override IReadOnlyList<int[]> Inputs => [_shape, _shape];

    public override IReadOnlyList<GradientCheck> Checks => [new(0, 1, 1, 0)];

    public override IReadOnlyList<string> Chain(TrainingChain chain, IReadOnlyList<string> inputs)
    {
        var (result, norm) = SquashTraining.Add(chain, "v", inputs[0]);
        return [result, SquashTraining.Gradient(chain, "ds", inputs[1], inputs[0], norm)];
    }

    public override IReadOnlyList<DirectTensor<T>> Direct<T>(DirectNumbers<T> numbers, IReadOnlyList<DirectTensor<T>> inputs) =>
        [Squashed(numbers, inputs[0]), Gradient(numbers, inputs[1], inputs[0])];

    internal static DirectTensor<T> Squashed<T>(DirectNumbers<T> numbers, DirectTensor<T> s)
        where T : struct
    {
        var q = Squares(numbers, s);
        return Map(s.Shape, i => numbers.Product(s[i], Factor(numbers, q[i.AsSpan()[..^1]])));
    }

    internal static DirectTensor<T> Gradient<T>(DirectNumbers<T> numbers, DirectTensor<T> dv, DirectTensor<T> s)
        where T : struct
    {
        var (q, one) = (Squares(numbers, s), numbers.Of(1));
        var dot = new DirectTensor<T>(q.Shape);
        foreach (var i in s.Indexes())
        {
            dot[i.AsSpan()[..^1]] = numbers.Add(dot[i.AsSpan()[..^1]], numbers.Term(dv[i], s[i]));
        }

        var rate = Map(q.Shape, r =>
        {
            var more = numbers.Add(one, q[r]);
            var below = numbers.Product(numbers.Root(q[r]), numbers.Product(more, more));
            return numbers.Compare(q[r], default) == 0 ? default : numbers.Quotient(numbers.Product(numbers.EndSum(dot[r]), numbers.Subtract(one, q[r])), below);
        });
        return Map(s.Shape, i => numbers.Add(numbers.Product(dv[i], Factor(numbers, q[i.AsSpan()[..^1]])), numbers.Product(s[i], rate[i.AsSpan()[..^1]])));
    }

    private static DirectTensor<T> Squares<T>(DirectNumbers<T> numbers, DirectTensor<T> s)
        where T : struct
    {
        var q = new DirectTensor<T>(s.Shape[..^1]);
        foreach (var i in s.Indexes())
        {
            q[i.AsSpan()[..^1]] = numbers.Add(q[i.AsSpan()[..^1]], numbers.Product(s[i], s[i]));
        }

        return q;
    }

    private static T Factor<T>(DirectNumbers<T> numbers, T q)
        where T : struct => numbers.Quotient(numbers.Root(q), numbers.Add(numbers.Of(1), q));
}

/// <summary>Predictions of capsules and their routing, whose gradient takes the last couplings as constants: finite differences see that where there is one iteration.</summary>
internal sealed class CapsuleCase(SeededRandom random, int iterations) : TrainingCase
{
    private readonly int _n = random.Next(1, 2);
    private readonly int _i = random.Next(1, 3);
    private readonly int _j = random.Next(1, 3);
    private readonly int _d = random.Next(1, 3);
    private readonly int _e = random.Next(1, 3);

    public override IReadOnlyList<int[]> Inputs => [[_n, _i, _d], [_i, _j, _d, _e], [_n, _i, _j, _e], [_n, _j, _e]];

    public override IReadOnlyList<GradientCheck> Checks => iterations == 1 ? [new(0, 2, 1, 0), new(0, 2, 2, 1), new(3, 3, 4, 2)] : [new(0, 2, 1, 0), new(0, 2, 2, 1)];

    public override IReadOnlyList<string> Chain(TrainingChain chain, IReadOnlyList<string> inputs)
    {
        var values = RoutingTraining.Add(chain, "v", inputs[2], iterations);
        return
        [
            CapsuleTransformTraining.Add(chain, "u", inputs[0], inputs[1]),
            CapsuleTransformTraining.InputGradient(chain, "dx", inputs[2], inputs[1]),
            CapsuleTransformTraining.WeightGradient(chain, "dw", inputs[0], inputs[2]),
            values.Result,
            RoutingTraining.Gradient(chain, "du", inputs[3], inputs[2], values),
        ];
    }

    public override IReadOnlyList<DirectTensor<T>> Direct<T>(DirectNumbers<T> numbers, IReadOnlyList<DirectTensor<T>> inputs)
    {
        var (x, w, u, dv) = (inputs[0], inputs[1], inputs[2], inputs[3]);
        var (predictions, dx, dw) = (new DirectTensor<T>(u.Shape), new DirectTensor<T>(x.Shape), new DirectTensor<T>(w.Shape));
        foreach (var at in u.Indexes())
        {
            var (n, i, j, e) = (at[0], at[1], at[2], at[3]);
            for (var d = 0; d < _d; d++)
            {
                predictions[at] = numbers.Add(predictions[at], numbers.Term(x[n, i, d], w[i, j, d, e]));
                dx[n, i, d] = numbers.Add(dx[n, i, d], numbers.Term(u[at], w[i, j, d, e]));
                dw[i, j, d, e] = numbers.Add(dw[i, j, d, e], numbers.Term(u[at], x[n, i, d]));
            }
        }

        DirectTensor<T>? logits = null;
        for (var t = 0; ; t++)
        {
            var coupling = logits is null ? null : SoftmaxCase.Softmax(numbers, logits);
            var weighted = new DirectTensor<T>([_n, _j, _e]);
            foreach (var at in u.Indexes())
            {
                int[] to = [at[0], at[2], at[3]];
                weighted[to] = numbers.Add(weighted[to], coupling is null ? u[at] : numbers.Term(u[at], coupling[at.AsSpan()[..3]]));
            }

            weighted = Map(weighted.Shape, at => coupling is null ? numbers.Times(weighted[at], 1.0 / _j) : numbers.EndSum(weighted[at]));
            var v = SquashCase.Squashed(numbers, weighted);
            if (t == iterations - 1)
            {
                var ds = SquashCase.Gradient(numbers, dv, weighted);
                var du = Map(u.Shape, at => ds[at[0], at[2], at[3]] is var s && coupling is null ? numbers.Times(s, 1.0 / _j) : numbers.Product(s, coupling[at.AsSpan()[..3]]));
                return [Map(u.Shape, at => numbers.EndSum(predictions[at])), Map(x.Shape, at => numbers.EndSum(dx[at])), Map(w.Shape, at => numbers.EndSum(dw[at])), v, du];
            }

            var agreement = new DirectTensor<T>([_n, _i, _j]);
            foreach (var at in u.Indexes())
            {
                agreement[at.AsSpan()[..3]] = numbers.Add(agreement[at.AsSpan()[..3]], numbers.Term(u[at], v[at[0], at[2], at[3]]));
            }

            var before = logits;
            logits = Map(agreement.Shape, at => before is null ? numbers.EndSum(agreement[at]) : numbers.Add(numbers.EndSum(agreement[at]), before[at]));
        }
    }
}

/// <summary>Attention of some heads.</summary>
internal sealed class AttentionCase(SeededRandom random) : TrainingCase
{
    private readonly int[] _queries = [random.Next(1, 2), random.Next(1, 3), random.Next(1, 4)];
    private readonly int _keys = random.Next(1, 4);
    private readonly int _depth = random.Next(1, 3);

    public override IReadOnlyList<int[]> Inputs => [_queries, [_queries[0], _keys, _queries[2]], [_queries[0], _keys, _depth]];

    public override IReadOnlyList<string> Chain(TrainingChain chain, IReadOnlyList<string> inputs) => [Attention.Add(chain, "y", inputs[0], inputs[1], inputs[2])];

    public override IReadOnlyList<DirectTensor<T>> Direct<T>(DirectNumbers<T> numbers, IReadOnlyList<DirectTensor<T>> inputs)
    {
        var (q, k, v) = (inputs[0], inputs[1], inputs[2]);
        T Dot(int terms, Func<int, T> term) => numbers.EndSum(Enumerable.Range(0, terms).Aggregate(default(T), (sum, t) => numbers.Add(sum, term(t))));
        var weights = SoftmaxCase.Softmax(numbers, Map([_queries[0], _queries[1], _keys], i => numbers.Times(
            Dot(_queries[2], d => numbers.Term(q[i[0], i[1], d], k[i[0], i[2], d])), 1 / Math.Sqrt(_queries[2]))));
        return [Map([_queries[0], _queries[1], _depth], i => Dot(_keys, t => numbers.Term(weights[i[0], i[1], t], v[i[0], t, i[2]])))];
    }
}

/// <summary>The gradient of a mean over an image, upsampling, and maxima of a region in even bins.</summary>
internal sealed class SpatialCase(SeededRandom random) : TrainingCase
{
    private readonly int[] _small = [random.Next(1, 2), random.Next(1, 3), random.Next(1, 3), random.Next(1, 2)];
    private readonly int _factor = random.Next(1, 3);
    private readonly (int Rows, int Columns) _bin = (random.Next(1, 2), random.Next(1, 2));
    private readonly (int Rows, int Columns) _bins = (random.Next(1, 3), random.Next(1, 2));
    private readonly (int Row, int Column) _corner = (random.Below(3), random.Below(3));

    public override IReadOnlyList<int[]> Inputs =>
        [_small, Large, [_small[0], _small[3]], [2, _corner.Row + (_bin.Rows * _bins.Rows) + 1, _corner.Column + (_bin.Columns * _bins.Columns), 2]];

    public override IReadOnlyList<GradientCheck> Checks => [new(0, 1, 1, 0)];

    private int[] Large => [_small[0], _small[1] * _factor, _small[2] * _factor, _small[3]];

    public override IReadOnlyList<string> Chain(TrainingChain chain, IReadOnlyList<string> inputs) =>
    [
        Upsampling.Add(chain, "large", inputs[0], _factor),
        Upsampling.Gradient(chain, "d.small", inputs[1], _factor),
        GlobalMeanGradient.Add(chain, "d.image", inputs[2], Of(_small)),
        RegionMaximum.Add(chain, "region", inputs[3], 1, _corner, _bin, _bins),
    ];

    public override IReadOnlyList<DirectTensor<T>> Direct<T>(DirectNumbers<T> numbers, IReadOnlyList<DirectTensor<T>> inputs)
    {
        int[] Source(int[] large) => [large[0], large[1] / _factor, large[2] / _factor, large[3]];
        var gradient = new DirectTensor<T>(_small);
        foreach (var i in inputs[1].Indexes())
        {
            gradient[Source(i)] = numbers.Add(gradient[Source(i)], inputs[1][i]);
        }

        var places = from row in Enumerable.Range(0, _bin.Rows) from column in Enumerable.Range(0, _bin.Columns) select (row, column);
        return
        [
            Map(Large, i => inputs[0][Source(i)]),
            gradient,
            Map(_small, i => numbers.Times(inputs[2][i[0], i[3]], 1.0 / (_small[1] * _small[2]))),
            Map([1, _bins.Rows, _bins.Columns, 2], i => places
                .Select(at => inputs[3][1, _corner.Row + (i[1] * _bin.Rows) + at.row, _corner.Column + (i[2] * _bin.Columns) + at.column, i[3]])
                .Aggregate((a, b) => numbers.Compare(a, b) >= 0 ? a : b)),
        ];
    }
}
