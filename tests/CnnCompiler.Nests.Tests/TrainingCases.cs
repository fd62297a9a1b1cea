using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Passes.Training;

namespace CnnCompiler.Nests.Tests;

/// <summary>A gradient to be compared with finite differences: of the sum of a result by a weight each.</summary>
/// <param name="Result">Number of the result.</param>
/// <param name="Weights">Number of the input that holds the weights, which is the result's gradient.</param>
/// <param name="Gradient">Number of the result that is the gradient.</param>
/// <param name="Of">Number of the input that it is the gradient of.</param>
internal readonly record struct GradientCheck(int Result, int Weights, int Gradient, int Of);

/// <summary>An operator of training at a random size, as a chain and as its definition in loops.</summary>
internal abstract class TrainingCase
{
    public abstract IReadOnlyList<int[]> Inputs { get; }

    public virtual IReadOnlyList<GradientCheck> Checks => [];

    public abstract IReadOnlyList<string> Chain(TrainingChain chain, IReadOnlyList<string> inputs);

    public abstract IReadOnlyList<DirectTensor<T>> Direct<T>(DirectNumbers<T> numbers, IReadOnlyList<DirectTensor<T>> inputs)
        where T : struct;

    protected static DirectTensor<T> Map<T>(int[] shape, Func<int[], T> element)
        where T : struct
    {
        var result = new DirectTensor<T>(shape);
        foreach (var index in result.Indexes())
        {
            result[index] = element(index);
        }

        return result;
    }

    protected static Shape Of(int[] shape) => Shape.Of(shape);

    /// <summary>An index without its last part, and that part.</summary>
    protected static int[] With(int[] index, int dimension, int value)
    {
        var changed = (int[])index.Clone();
        changed[dimension] = value;
        return changed;
    }
}

/// <summary>A convolution of one to three dimensions in between, or none, with groups, strides, dilations and padding.</summary>
internal sealed class ConvolutionCase : TrainingCase
{
    private readonly ConvolutionShape _shape;

    public ConvolutionCase(SeededRandom random)
    {
        var (between, groups, inputs, outputs, images) = (random.Below(4), random.Next(1, 2), random.Next(1, 2), random.Next(1, 3), random.Next(1, 2));
        int Draw(int low, int high) => random.Next(low, high);
        int[] Each(int low, int high) => [.. Enumerable.Range(0, between).Select(_ => Draw(low, high))];
        var (taps, strides, dilations, before) = (Each(1, 3), Each(1, 3), Each(1, 2), Each(0, 1));
        int[] image = [.. taps.Select((tap, d) => ((tap - 1) * dilations[d]) + Draw(1, 4))];
        int[] result = [.. image.Select((extent, d) => ((extent + before[d] + Draw(0, 1) - ((taps[d] - 1) * dilations[d]) - 1) / strides[d]) + 1)];
        _shape = new(
            Of([images, .. image, groups * inputs]), Of([groups * outputs, .. taps, inputs]), Of([images, .. result, groups * outputs]), strides, dilations, before, groups);
    }

    public override IReadOnlyList<int[]> Inputs => [[.. _shape.Input.Dimensions], [.. _shape.Weights.Dimensions], [_shape.Weights[0]], [.. _shape.Result.Dimensions]];

    public override IReadOnlyList<GradientCheck> Checks => [new(0, 3, 1, 0), new(0, 3, 2, 1), new(0, 3, 3, 2)];

    public override IReadOnlyList<string> Chain(TrainingChain chain, IReadOnlyList<string> inputs) =>
    [
        ConvolutionForward.Add(chain, "y", inputs[0], inputs[1], inputs[2], _shape),
        ConvolutionInputGradient.Add(chain, "dx", inputs[3], inputs[1], _shape),
        ConvolutionWeightGradient.Add(chain, "dw", inputs[0], inputs[3], _shape),
        BiasGradient.Add(chain, "db", inputs[3]),
    ];

    public override IReadOnlyList<DirectTensor<T>> Direct<T>(DirectNumbers<T> numbers, IReadOnlyList<DirectTensor<T>> inputs)
    {
        var (x, w, b, dy) = (inputs[0], inputs[1], inputs[2], inputs[3]);
        var (y, dx, dw, db) = (new DirectTensor<T>(dy.Shape), new DirectTensor<T>(x.Shape), new DirectTensor<T>(w.Shape), new DirectTensor<T>(b.Shape));
        var (perGroup, kernels) = (w.Shape[^1], w.Shape[0] / _shape.Groups);
        foreach (var o in dy.Indexes())
        {
            db[o[^1]] = numbers.Add(db[o[^1]], dy[o]);
            foreach (var t in w.Indexes().Where(t => t[0] == o[^1]))
            {
                var i = new int[o.Length];
                i[0] = o[0];
                for (var d = 0; d < _shape.Strides.Count; d++)
                {
                    i[d + 1] = (o[d + 1] * _shape.Strides[d]) + (t[d + 1] * _shape.Dilations[d]) - _shape.Before[d];
                }

                i[^1] = (o[^1] / kernels * perGroup) + t[^1];
                if (x.Has(i))
                {
                    y[o] = numbers.Add(y[o], numbers.Term(x[i], w[t]));
                    dx[i] = numbers.Add(dx[i], numbers.Term(dy[o], w[t]));
                    dw[t] = numbers.Add(dw[t], numbers.Term(dy[o], x[i]));
                }
            }
        }

        return
        [
            Map(y.Shape, o => numbers.Result(numbers.Add(numbers.EndSum(y[o]), b[o[^1]]))),
            Map(dx.Shape, i => numbers.Result(numbers.EndSum(dx[i]))),
            Map(dw.Shape, t => numbers.Result(numbers.EndSum(dw[t]))),
            db,
        ];
    }
}

/// <summary>Maximum or average over windows that may overlap, leave elements out, or reach into padding.</summary>
internal sealed class PoolCase : TrainingCase
{
    private readonly bool _isMaximum;
    private readonly PoolShape _windows;
    private readonly int[] _input;
    private readonly int[] _result;

    public PoolCase(SeededRandom random, bool isMaximum)
    {
        _isMaximum = isMaximum;
        var between = random.Next(1, 3);
        int[] kernel = [.. Enumerable.Range(0, between).Select(_ => random.Next(1, 3))];
        int[] strides = [.. kernel.Select(_ => random.Next(1, 3))];
        int[] before = [.. kernel.Select(extent => random.Below(extent))];
        int[] image = [.. kernel.Select(extent => extent + random.Below(4))];
        _windows = new(kernel, strides, before);
        _input = [random.Next(1, 2), .. image, random.Next(1, 2)];
        _result = [_input[0], .. image.Select((extent, d) => ((extent + before[d] - kernel[d]) / strides[d]) + 1), _input[^1]];
    }

    public override IReadOnlyList<int[]> Inputs => [_input, _result];

    public override IReadOnlyList<GradientCheck> Checks => [new(0, 1, 1, 0)];

    public override IReadOnlyList<string> Chain(TrainingChain chain, IReadOnlyList<string> inputs)
    {
        var y = PoolForward.Add(chain, "y", inputs[0], _windows, Of(_result), _isMaximum);
        return [y, _isMaximum ? MaxPoolGradient.Add(chain, "dx", inputs[0], y, inputs[1], _windows) : AveragePoolGradient.Add(chain, "dx", inputs[1], Of(_input), _windows)];
    }

    public override IReadOnlyList<DirectTensor<T>> Direct<T>(DirectNumbers<T> numbers, IReadOnlyList<DirectTensor<T>> inputs)
    {
        var (x, dy) = (inputs[0], inputs[1]);
        var (y, dx) = (new DirectTensor<T>(_result), new DirectTensor<T>(_input));
        var windows = y.Indexes().ToDictionary(o => string.Join(' ', o), o => x.Indexes().Where(i => IsInside(o, i)).ToList(), StringComparer.Ordinal);
        var counts = windows.Values.Select(window => window.Count).Distinct().ToList();
        foreach (var o in y.Indexes())
        {
            var window = windows[string.Join(' ', o)];
            var sum = window.Aggregate(default(T), (total, i) => numbers.Add(total, x[i]));
            var largest = window.Select(i => x[i]).Aggregate((a, b) => numbers.Compare(a, b) >= 0 ? a : b);
            y[o] = _isMaximum ? largest : numbers.Result(numbers.DivideByCount(sum, window.Count));
            foreach (var i in window.Where(i => !_isMaximum || numbers.Compare(x[i], largest) == 0))
            {
                dx[i] = numbers.Add(dx[i], _isMaximum || counts.Count == 1 ? dy[o] : numbers.Product(dy[o], numbers.Of(1.0 / window.Count)));
            }
        }

        return [y, Map(_input, i => numbers.Result(_isMaximum || counts.Count > 1 ? dx[i] : numbers.Times(dx[i], 1.0 / counts[0])))];

        bool IsInside(int[] o, int[] i) => i[0] == o[0] && i[^1] == o[^1] && Enumerable.Range(0, _windows.Kernel.Count).All(d =>
            i[d + 1] - ((o[d + 1] * _windows.Strides[d]) - _windows.Before[d]) is var tap && tap >= 0 && tap < _windows.Kernel[d]);
    }
}

/// <summary>Batch or layer normalisation in training.</summary>
internal sealed class NormalizationCase(SeededRandom random, bool isBatch, Statistics statistics) : TrainingCase
{
    private const double Epsilon = 0.125;
    private readonly int[] _shape = [random.Next(2, 3), random.Next(1, 3), random.Next(2, 4)];

    public override IReadOnlyList<int[]> Inputs => [_shape, [_shape[^1]], [_shape[^1]], _shape];

    public override IReadOnlyList<GradientCheck> Checks => [new(0, 3, 1, 0), new(0, 3, 2, 1), new(0, 3, 3, 2)];

    public override IReadOnlyList<string> Chain(TrainingChain chain, IReadOnlyList<string> inputs)
    {
        var values = isBatch
            ? NormalizationForward.Batch(chain, "y", inputs[0], inputs[1], inputs[2], Epsilon, statistics)
            : NormalizationForward.Layer(chain, "y", inputs[0], inputs[1], inputs[2], Epsilon, statistics);
        var gradients = isBatch ? NormalizationBackward.Batch(chain, "dx", inputs[3], values, inputs[1]) : NormalizationBackward.Layer(chain, "dx", inputs[3], values, inputs[1]);
        return [values.Result, gradients.Input, gradients.Scale, gradients.Offset];
    }

    public override IReadOnlyList<DirectTensor<T>> Direct<T>(DirectNumbers<T> numbers, IReadOnlyList<DirectTensor<T>> inputs)
    {
        var (x, scale, offset, dy) = (inputs[0], inputs[1], inputs[2], inputs[3]);
        var each = 1.0 / (isBatch ? _shape[0] * _shape[1] : _shape[2]);
        int[] Group(int[] i) => isBatch ? [i[^1]] : [i[0], i[1]];
        int[] groups = isBatch ? [_shape[^1]] : [_shape[0], _shape[1]];
        DirectTensor<T> Over(Func<int[], T> term)
        {
            var sums = new DirectTensor<T>(groups);
            foreach (var i in x.Indexes())
            {
                sums[Group(i)] = numbers.Add(sums[Group(i)], term(i));
            }

            return sums;
        }

        var sum = Over(i => x[i]);
        var mean = Map(groups, g => numbers.Times(sum[g], each));
        var centred = Map(_shape, i => numbers.Subtract(x[i], mean[Group(i)]));
        var squares = Over(i => statistics == Statistics.TwoPasses ? numbers.Product(centred[i], centred[i]) : numbers.Product(x[i], x[i]));
        var variance = Map(groups, g => statistics == Statistics.TwoPasses
            ? numbers.Times(squares[g], each)
            : numbers.Subtract(numbers.Times(squares[g], each), numbers.Product(mean[g], mean[g])) is var v && numbers.Compare(v, default) < 0 ? default : v);
        var inverse = Map(groups, g => numbers.InverseRoot(numbers.Add(variance[g], numbers.Of(Epsilon))));
        var unit = Map(_shape, i => numbers.Product(centred[i], inverse[Group(i)]));
        var y = Map(_shape, i => numbers.Result(numbers.Add(numbers.Product(unit[i], scale[i[^1]]), offset[i[^1]])));

        var (dOffset, dScale) = (new DirectTensor<T>([_shape[^1]]), new DirectTensor<T>([_shape[^1]]));
        foreach (var i in x.Indexes())
        {
            dOffset[i[^1]] = numbers.Add(dOffset[i[^1]], dy[i]);
            dScale[i[^1]] = numbers.Add(dScale[i[^1]], numbers.Term(dy[i], unit[i]));
        }

        var dUnit = Map(_shape, i => numbers.Product(dy[i], scale[i[^1]]));
        var (units, dots) = (Over(i => dUnit[i]), Over(i => numbers.Term(dUnit[i], unit[i])));
        var dx = Map(_shape, i => numbers.Result(numbers.Product(
            numbers.Subtract(
                numbers.Subtract(dUnit[i], numbers.Product(unit[i], numbers.Times(numbers.EndSum(dots[Group(i)]), each))),
                numbers.Times(units[Group(i)], each)),
            inverse[Group(i)])));
        return [y, dx, Map(dScale.Shape, c => numbers.EndSum(dScale[c])), dOffset];
    }
}

/// <summary>softmax over the last dimension.</summary>
internal sealed class SoftmaxCase(SeededRandom random) : TrainingCase
{
    private readonly int[] _shape = [random.Next(1, 3), random.Next(1, 5)];

    public override IReadOnlyList<int[]> Inputs => [_shape, _shape];

    public override IReadOnlyList<GradientCheck> Checks => [new(0, 1, 1, 0)];

    public override IReadOnlyList<string> Chain(TrainingChain chain, IReadOnlyList<string> inputs)
    {
        var y = SoftmaxTraining.Add(chain, "y", inputs[0]);
        return [y, SoftmaxTraining.Gradient(chain, "dx", inputs[1], y)];
    }

    public override IReadOnlyList<DirectTensor<T>> Direct<T>(DirectNumbers<T> numbers, IReadOnlyList<DirectTensor<T>> inputs)
    {
        var (y, dy) = (Softmax(numbers, inputs[0]), inputs[1]);
        var dots = new DirectTensor<T>([_shape[0]]);
        foreach (var i in y.Indexes())
        {
            dots[i[0]] = numbers.Add(dots[i[0]], numbers.Term(dy[i], y[i]));
        }

        return [y, Map(_shape, i => numbers.Result(numbers.Product(numbers.Subtract(dy[i], numbers.EndSum(dots[i[0]])), y[i])))];
    }

    internal static DirectTensor<T> Softmax<T>(DirectNumbers<T> numbers, DirectTensor<T> x)
        where T : struct
    {
        var last = x.Shape.Length - 1;
        T Fold(int[] row, Func<T, T, T> join, Func<int[], T> term) => Enumerable.Range(0, x.Shape[last]).Select(c => term(With(row, last, c))).Aggregate(join);
        var exponentials = Map(x.Shape, i => numbers.Exp(numbers.Subtract(x[i], Fold(i, (a, b) => numbers.Compare(a, b) >= 0 ? a : b, row => x[row]))));
        return Map(x.Shape, i => numbers.Result(numbers.Quotient(exponentials[i], Fold(i, numbers.Add, row => exponentials[row]))));
    }
}

/// <summary>Local response normalisation.</summary>
internal sealed class LrnCase(SeededRandom random) : TrainingCase
{
    private const double Alpha = 0.5;
    private const double Beta = 0.75;
    private readonly int[] _shape = [random.Next(1, 2), random.Next(1, 2), random.Next(1, 6)];
    private readonly int _size = random.Next(1, 5);

    public override IReadOnlyList<int[]> Inputs => [_shape, _shape];

    public override IReadOnlyList<GradientCheck> Checks => [new(0, 1, 1, 0)];

    public override IReadOnlyList<string> Chain(TrainingChain chain, IReadOnlyList<string> inputs)
    {
        var values = LrnTraining.Add(chain, "y", inputs[0], _size, Alpha, Beta, 1);
        return [values.Result, LrnTraining.Gradient(chain, "dx", inputs[1], inputs[0], values, _size, Alpha, Beta)];
    }

    public override IReadOnlyList<DirectTensor<T>> Direct<T>(DirectNumbers<T> numbers, IReadOnlyList<DirectTensor<T>> inputs)
    {
        var (x, dy, before) = (inputs[0], inputs[1], (_size - 1) / 2);
        IEnumerable<int[]> Window(int[] i, int from) => Enumerable.Range(from, _size).Select(k => With(i, 2, i[2] + k)).Where(j => x.Has(j));
        var sums = Map(_shape, i => numbers.Add(numbers.Of(1), numbers.Times(Window(i, -before).Aggregate(default(T), (sum, j) => numbers.Add(sum, numbers.Product(x[j], x[j]))), Alpha / _size)));
        var y = Map(_shape, i => numbers.Result(numbers.Product(x[i], numbers.Power(sums[i], -Beta))));
        var part = Map(_shape, i => numbers.Quotient(numbers.Product(dy[i], y[i]), sums[i]));
        return
        [
            y,
            Map(_shape, i => numbers.Result(numbers.Subtract(
                numbers.Product(dy[i], numbers.Power(sums[i], -Beta)),
                numbers.Product(numbers.Times(Window(i, before - _size + 1).Aggregate(default(T), (sum, j) => numbers.Add(sum, part[j])), 2 * Alpha * Beta / _size), x[i])))),
        ];
    }
}

/// <summary>Functions of single elements: relu, relu6, logistic; the sum of two tensors; a step of gradient descent; the gradient of the cross entropy.</summary>
internal sealed class ElementCase(SeededRandom random) : TrainingCase
{
    private readonly int[] _shape = [random.Next(1, 3), random.Next(1, 9)];

    public override IReadOnlyList<int[]> Inputs => [_shape, _shape];

    public override IReadOnlyList<GradientCheck> Checks => [new(0, 1, 1, 0), new(2, 1, 3, 0), new(4, 1, 5, 0)];

    public override IReadOnlyList<string> Chain(TrainingChain chain, IReadOnlyList<string> inputs)
    {
        var (relu, clamp, logistic) = (Rectifier.Add(chain, "relu", inputs[0]), Rectifier.Add(chain, "clamp", inputs[0], 1), Logistic.Add(chain, "logistic", inputs[0]));
        return
        [
            relu,
            Rectifier.Gradient(chain, "d.relu", inputs[1], relu),
            clamp,
            Rectifier.Gradient(chain, "d.clamp", inputs[1], clamp, 1),
            logistic,
            Logistic.Gradient(chain, "d.logistic", inputs[1], logistic),
            Sum.Add(chain, "sum", inputs[0], inputs[1]),
            SgdUpdate.Add(chain, "new", inputs[0], inputs[1], 0.01),
            SoftmaxTraining.CrossEntropyGradient(chain, "error", inputs[0], inputs[1]),
        ];
    }

    public override IReadOnlyList<DirectTensor<T>> Direct<T>(DirectNumbers<T> numbers, IReadOnlyList<DirectTensor<T>> inputs)
    {
        var (x, dy, one) = (inputs[0], inputs[1], numbers.Of(1));
        bool IsAbove(T a, T b) => numbers.Compare(a, b) > 0;
        var logistic = Map(_shape, i => numbers.Logistic(x[i]));
        return
        [
            Map(_shape, i => IsAbove(x[i], default) ? x[i] : default),
            Map(_shape, i => IsAbove(x[i], default) ? dy[i] : default),
            Map(_shape, i => !IsAbove(x[i], default) ? default : IsAbove(x[i], one) ? one : x[i]),
            Map(_shape, i => IsAbove(x[i], default) && IsAbove(one, x[i]) ? dy[i] : default),
            logistic,
            Map(_shape, i => numbers.Product(dy[i], numbers.Product(logistic[i], numbers.Subtract(one, logistic[i])))),
            Map(_shape, i => numbers.Add(x[i], dy[i])),
            Map(_shape, i => numbers.Subtract(x[i], numbers.Times(dy[i], 0.01))),
            Map(_shape, i => numbers.Subtract(x[i], dy[i])),
        ];
    }
}
