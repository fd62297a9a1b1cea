using System.Text;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Nests;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Training;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests;
using CnnCompiler.Targets.Systolic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Nests.Tests;

/// <summary>A whole step of training: the loss falls as its gradients say, and every machine computes what the chain does.</summary>
public class TrainingStepTests
{
    private const double Rate = 0.25;

    private static readonly Dictionary<string, string> Networks = new(StringComparer.Ordinal)
    {
        ["overlapping pools, two readers, local normalisation"] = """
            a = conv2d(x, filters=3, kernel=3, padding=1, activation=relu)
            n = lrn(a, size=3, alpha=0.5, beta=0.75)
            p = max_pool2d(n, kernel=3, stride=2, padding=1)
            q = conv2d(p, filters=2, kernel=1)
            r = conv2d(p, filters=2, kernel=3, padding=1, stride=1)
            s = add(q, r)
            j = concat(s, p, axis=3)
            l = dense(j, units=3)
            y = softmax(l)
            output y
            """,
        ["batch normalisation, groups, depthwise, mean"] = """
            a = conv2d(x, filters=4, kernel=3, padding=1, groups=2, bias=none)
            b = batch_norm(a)
            c = activation(b, function=relu6)
            d = depthwise_conv2d(c, kernel=3, stride=2, padding=1)
            e = avg_pool2d(d, kernel=2, stride=1)
            m = mean(e, axes=(1, 2))
            l = dense(m, units=3)
            y = softmax(l)
            output y
            """,
        ["capsules"] = """
            a = conv2d(x, filters=4, kernel=2, stride=2)
            r = reshape(a, shape=(2, 8, 2))
            s = squash(r)
            u = capsule_transform(s, capsules=2, length=3)
            v = routing(u, iterations=1)
            f = reshape(v, shape=2x6)
            l = dense(f, units=2)
            y = logistic(l)
            output y
            """,
    };

    public static TheoryData<string> Names => [.. Networks.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void New_weights_are_the_old_ones_less_the_slope_of_the_loss(string name)
    {
        const float step = 1f / 512;
        var graph = Graph(name);
        var program = TrainingStep.Of(graph, TrainingNumbers.Real, Rate, Statistics.TwoPasses).Chain;
        Assert.Empty(GconvVerifier.Check(program));
        var inputs = Inputs(program);
        var outputs = Run(program, inputs);
        var weights = program.Constants.Where(constant => program.Outputs.Contains($"{constant.Name}.new")).ToList();
        Assert.Equal(weights.Count, program.Outputs.Count - 1);
        Assert.Equal(Enumerable.Range(0, program.Constants.Count).Where(i => !program.Constants[i].Name.EndsWith(".each", StringComparison.Ordinal)).Select(i => program.Constants[i].Name), weights.Select(weight => weight.Name));
        var isSoftmax = graph.Layers[^1] is Softmax;
        foreach (var weight in weights)
        {
            var updated = outputs[program.Outputs.ToList().IndexOf($"{weight.Name}.new")];
            for (var at = 0; at < weight.Value.Shape.Elements; at += Math.Max(1, (int)weight.Value.Shape.Elements / 5))
            {
                double Loss(float by)
                {
                    var values = weight.Value.AsSpan<float>().ToArray();
                    values[at] += by;
                    var moved = weight with { Value = Tensor.From<float>(ElementType.Float32, weight.Value.Shape, values) };
                    var y = Run(program with { Constants = program.Constants.Select(constant => constant.Name == weight.Name ? moved : constant).ToEquatableArray() }, inputs)[0];
                    return Enumerable.Range(0, (int)y.Shape.Elements).Sum(i => isSoftmax
                        ? -inputs[1].GetReal(i) * Math.Log(y.GetReal(i))
                        : Math.Pow(y.GetReal(i) - inputs[1].GetReal(i), 2) / 2);
                }

                var expected = (Loss(step) - Loss(-step)) / (2 * step);
                var actual = (weight.Value.GetReal(at) - updated.GetReal(at)) / Rate;
                Assert.True(Math.Abs(expected - actual) <= 0.01 + (0.03 * Math.Abs(expected)), $"{name}, {weight.Name} at {at}: the loss rises by {expected}, the gradient is {actual}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(NestLevels.Machines), MemberType = typeof(NestLevels))]
    public void Every_machine_computes_the_step_of_the_chain(string machine)
    {
        foreach (var name in Networks.Keys)
        {
            foreach (var numbers in (TrainingNumbers[])[TrainingNumbers.Real, new(16)])
            {
                var program = TrainingStep.Of(Graph(name), numbers, Rate, Statistics.OnePass).Chain;
                var diagnostics = new DiagnosticBag();
                var pipeline = GconvTarget.Pipeline(NestLevels.Machine(machine), []).From(IrLevel.Gconv);
                var module = PassRunner.Run(pipeline, new GconvModule(program), new PassContext { Diagnostics = diagnostics, VerifyEach = true });
                Assert.True(module is SystolicImageModule, string.Join('\n', diagnostics.Diagnostics));
                var inputs = Inputs(program);
                var counted = new List<NestCounts>();
                var options = new RunOptions { MaxCycles = long.MaxValue, AfterNest = (_, counts) => counted.Add(counts) };
                var (expected, actual) = (new GconvModule(program).Evaluate(inputs, diagnostics, default), ((SystolicImageModule)module).Evaluate(inputs, options, diagnostics, default));
                Assert.True(expected is not null && actual is not null, string.Join('\n', diagnostics.Diagnostics));
                Assert.True(TranslationValidation.Difference(expected, actual) is var difference && difference is null, $"{name} on {machine}: {difference}");
                Assert.Equal(((SystolicImageModule)module).Mapped.NestPredictions.Select(prediction => prediction.Counts), counted);
            }
        }
    }

    [Fact]
    public void What_is_no_general_convolution_is_left_and_named()
    {
        const string text = "network n { weights seed 1\n input x : f32[1, 16, 16, 2]\n a = conv2d(x, filters=4, kernel=3, padding=1)\n o = conv2d(a, filters=2, kernel=1)\n d = conv2d(a, filters=4, kernel=1)\n "
            + "b = proposal(o, d, size=(16, 16), feature_stride=1, scales=(2), ratios=(1), before=10, count=2, overlap=0.7, minimum_size=1)\n r = roi_pool(a, b, size=2, spatial_scale=1)\n f = dense(r, units=2)\n y = softmax(f)\n output b, y }";
        var step = TrainingStep.Of(Read(text), TrainingNumbers.Real, Rate, Statistics.OnePass);
        Assert.Equal(["b", "r"], step.Left);
        Assert.Equal(["x", "b", "r", "y.targets", "o.targets", "d.targets"], step.Chain.Inputs.Select(input => input.Name));
        Assert.Contains("a.weights.new", step.Chain.Outputs);
        Assert.Throws<ArgumentException>(() => TrainingStep.Of(Read("network n { weights seed 1\n input x : f32[1, 2, 2, 2]\n y = gelu(x)\n output y }"), TrainingNumbers.Real, Rate, Statistics.OnePass));
    }

    /// <summary>A step of a small network with pools and normalisation.</summary>
    internal static GconvProgram Chain() => TrainingStep.Of(Graph(Networks.Keys.First()), new(16), Rate, Statistics.OnePass).Chain;

    private static NetworkGraph Graph(string name) => Read($"network n {{ weights seed 1\n input x : f32[2, 5, 4, 2]\n {Networks[name]} }}");

    private static NetworkGraph Read(string text)
    {
        var result = Compiler.Compile(new CompileRequest("n.cnn", Encoding.UTF8.GetBytes(text), "gconv") { StopLevel = IrLevel.Network });
        Assert.True(result.Succeeded, string.Join('\n', result.Diagnostics));
        return ((NetworkModule)result.Modules[IrLevel.Network]).Graph;
    }

    // images by chance; the first class as target
    private static List<Tensor> Inputs(GconvProgram program)
    {
        var random = new SeededRandom(7);
        return [.. program.Inputs.Select(input =>
        {
            var values = new double[input.Type.Shape.Elements];
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = input.Name.EndsWith(".targets", StringComparison.Ordinal) ? i % input.Type.Shape.Dimensions[^1] == 0 ? 1 : 0 : random.NextCode() / 64.0;
            }

            return new TrainingNumbers(input.Type.Element == ElementType.Float32 ? null : 16).Tensor(input.Type.Shape, values);
        })];
    }

    private static EquatableArray<Tensor> Run(GconvProgram program, IReadOnlyList<Tensor> inputs)
    {
        var diagnostics = new DiagnosticBag();
        var result = GconvEvaluator.Evaluate(program, inputs, diagnostics, cancellation: TestContext.Current.CancellationToken);
        Assert.True(result is not null, string.Join('\n', diagnostics.Diagnostics));
        return result.Outputs;
    }
}
