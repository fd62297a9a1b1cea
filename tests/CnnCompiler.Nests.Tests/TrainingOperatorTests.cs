using System.Runtime.InteropServices;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Training;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Nests.Tests;

/// <summary>Operators of training at random sizes: in fixed point the integers of their definition in loops, in f32 its numbers; gradients of the definition are those of finite differences.</summary>
public class TrainingOperatorTests
{
    private const int Seeds = 12;
    private const int Bits = 16;

    private static readonly Dictionary<string, Func<SeededRandom, TrainingCase>> Cases = new(StringComparer.Ordinal)
    {
        ["convolution"] = random => new ConvolutionCase(random),
        ["maximum pool"] = random => new PoolCase(random, isMaximum: true),
        ["average pool"] = random => new PoolCase(random, isMaximum: false),
        ["batch normalisation in two passes"] = random => new NormalizationCase(random, isBatch: true, Statistics.TwoPasses),
        ["batch normalisation in one pass"] = random => new NormalizationCase(random, isBatch: true, Statistics.OnePass),
        ["layer normalisation in two passes"] = random => new NormalizationCase(random, isBatch: false, Statistics.TwoPasses),
        ["layer normalisation in one pass"] = random => new NormalizationCase(random, isBatch: false, Statistics.OnePass),
        ["softmax"] = random => new SoftmaxCase(random),
        ["local response normalisation"] = random => new LrnCase(random),
        ["single elements"] = random => new ElementCase(random),
        ["squashing"] = random => new SquashCase(random),
        ["capsules with one iteration"] = random => new CapsuleCase(random, 1),
        ["capsules with three iterations"] = random => new CapsuleCase(random, 3),
        ["attention"] = random => new AttentionCase(random),
        ["means, upsampling and regions"] = random => new SpatialCase(random),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Fixed_point_gives_the_integers_of_the_definition(string name)
    {
        foreach (var (test, values, seed) in Draw(name))
        {
            var numbers = new TrainingNumbers(Bits);
            var inputs = values.Select((elements, i) => numbers.Tensor(Shape.Of(test.Inputs[i]), elements)).ToList();
            var direct = new DirectFixed(Bits);
            var expected = test.Direct(direct, inputs.Select((tensor, i) => Direct(direct, test.Inputs[i], tensor)).ToList());
            var actual = Evaluate(test, numbers, inputs);
            for (var i = 0; i < expected.Count; i++)
            {
                Assert.Equal(Shape.Of(expected[i].Shape), actual[i].Shape);
                Assert.True(expected[i].Elements.AsSpan().SequenceEqual(MemoryMarshal.ToEnumerable<int>(actual[i].AsSpan<int>().ToArray()).Select(value => (long)value).ToArray()), $"{name}, seed {seed}, result {i}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Reals_give_the_numbers_of_the_definition(string name)
    {
        foreach (var (test, values, seed) in Draw(name))
        {
            var inputs = values.Select((elements, i) => TrainingNumbers.Real.Tensor(Shape.Of(test.Inputs[i]), elements)).ToList();
            var direct = new DirectReals();
            var expected = test.Direct(direct, inputs.Select((tensor, i) => Direct(direct, test.Inputs[i], tensor)).ToList());
            var actual = Evaluate(test, TrainingNumbers.Real, inputs);
            for (var i = 0; i < expected.Count; i++)
            {
                for (var at = 0; at < expected[i].Elements.Length; at++)
                {
                    AssertNear(expected[i].Elements[at], actual[i].GetReal(at), 1e-4, $"{name}, seed {seed}, result {i}, element {at}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Gradients_of_the_definition_are_finite_differences(string name)
    {
        const double step = 1e-5;
        foreach (var (test, values, seed) in Draw(name))
        {
            var direct = new DirectReals();
            var inputs = values.Select((elements, i) => Direct(direct, test.Inputs[i], TrainingNumbers.Real.Tensor(Shape.Of(test.Inputs[i]), elements))).ToList();
            var results = test.Direct(direct, inputs);
            foreach (var check in test.Checks)
            {
                for (var at = 0; at < inputs[check.Of].Elements.Length; at++)
                {
                    double Loss(double by)
                    {
                        var moved = inputs.Select(input => input.Copy()).ToList();
                        moved[check.Of].Elements[at] += by;
                        return test.Direct(direct, moved)[check.Result].Elements.Zip(inputs[check.Weights].Elements, (value, weight) => value * weight).Sum();
                    }

                    AssertNear((Loss(step) - Loss(-step)) / (2 * step), results[check.Gradient].Elements[at], 1e-5, $"{name}, seed {seed}, {check}, element {at}");
                }
            }
        }
    }

    [Fact]
    public void Squashing_nothing_has_a_gradient_of_nothing()
    {
        foreach (var numbers in (TrainingNumbers[])[TrainingNumbers.Real, new(Bits)])
        {
            var chain = new TrainingChain("squash", numbers);
            var (s, dv) = (chain.Input("s", Shape.Of(1, 2)), chain.Input("dv", Shape.Of(1, 2)));
            var (v, norm) = SquashTraining.Add(chain, "v", s);
            var program = chain.Build([v, SquashTraining.Gradient(chain, "ds", dv, s, norm)]);
            var outputs = Run(program, [numbers.Tensor(Shape.Of(1, 2), [0, 0]), numbers.Tensor(Shape.Of(1, 2), [1, -1])]);
            Assert.All(outputs, output => Assert.Equal(-1, output.Bytes.IndexOfAnyExcept((byte)0)));
        }
    }

    private static IEnumerable<(TrainingCase Test, List<double[]> Values, int Seed)> Draw(string name)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var random = new SeededRandom((ulong)seed);
            var test = Cases[name](random);

            // all different and none 0 or 1: no kinks between them
            var used = new HashSet<int>();
            double Value()
            {
                while (true)
                {
                    if (random.Next(-1024, 1023) is var value && used.Add(value))
                    {
                        return (value + 0.5) / 512;
                    }
                }
            }

            yield return (test, [.. test.Inputs.Select(shape =>
            {
                used.Clear();
                return Enumerable.Range(0, shape.Aggregate(1, (product, extent) => product * extent)).Select(_ => Value()).ToArray();
            })], seed);
        }
    }

    private static DirectTensor<T> Direct<T>(DirectNumbers<T> numbers, int[] shape, Tensor tensor)
        where T : struct
    {
        var result = new DirectTensor<T>(shape);
        for (var i = 0; i < result.Elements.Length; i++)
        {
            result.Elements[i] = numbers.Of(tensor, i);
        }

        return result;
    }

    private static IReadOnlyList<Tensor> Evaluate(TrainingCase test, TrainingNumbers numbers, IReadOnlyList<Tensor> inputs)
    {
        var chain = new TrainingChain("test", numbers);
        var names = inputs.Select((tensor, i) => chain.Input($"in{i}", tensor.Shape)).ToList();
        return Run(chain.Build(test.Chain(chain, names)), inputs);
    }

    private static IReadOnlyList<Tensor> Run(GconvProgram program, IReadOnlyList<Tensor> inputs)
    {
        var diagnostics = new DiagnosticBag();
        var result = GconvEvaluator.Evaluate(program, inputs, diagnostics, cancellation: TestContext.Current.CancellationToken);
        Assert.True(result is not null, string.Join('\n', diagnostics.Diagnostics));
        return [.. result.Outputs];
    }

    private static void AssertNear(double expected, double actual, double tolerance, string what) =>
        Assert.True(Math.Abs(expected - actual) <= tolerance * (1 + Math.Abs(expected)), $"{what}: {expected} and {actual}");
}
