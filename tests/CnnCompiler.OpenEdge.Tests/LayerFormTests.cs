using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Every layer of int8 that has a kernel, in random forms and at the extremes; what has none is listed here, each with what the refusal says.</summary>
public class LayerFormTests
{
    private const int Seeds = 24;

    // What it is, and a part of the sentence that refuses it.
    private static readonly Dictionary<string, string[]> Refused = new(StringComparer.Ordinal)
    {
        ["conv2d"] = ["is i32; the kernels write i8"],
        ["depthwise_conv2d"] = ["is i32; the kernels write i8"],
        ["dense"] = ["is i32; the kernels write i8"],
        ["matmul"] = ["is i32; the kernels write i8", "a sum of products of two computed values"],
        ["quantize"] = ["floating-point numbers", "is u8"],
        ["dequantize"] = ["floating-point numbers"],
    };

    private static readonly Quantization Codes = Quantization.PerTensor(0.5f, 3);

    public static TheoryData<string> Kinds => [.. RandomLayers.Kinds.Where(kind => !NotInCodes.Contains(kind))];

    // Kinds without a definition in i8.
    private static readonly string[] NotInCodes = ["capsule_transform", "batch_norm", "layer_norm", "lrn", "squash", "routing", "exp", "sqrt"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_layer_runs_exactly_on_every_machine_or_is_refused_as_listed(string kind)
    {
        var compiled = 0;
        var refusals = new HashSet<string>(StringComparer.Ordinal);
        for (var seed = 100; seed < 100 + Seeds; seed++)
        {
            var random = RandomLayers.Make(kind, Elements.Code, seed);
            var diagnostics = new DiagnosticBag();
            if (AllLevels.Compile(random.Graph, diagnostics) is { } levels)
            {
                compiled++;
                Assert.True(levels.FirstDifference(random.Inputs) is var difference && difference is null, $"{random.Graph.Name}: {difference}");
                continue;
            }

            refusals.Add(diagnostics.Diagnostics.First(d => d.Severity == DiagnosticSeverity.Error).ToString());
        }

        var unexpected = refusals.Where(refusal => !Refused.GetValueOrDefault(kind, []).Any(part => refusal.Contains(part, StringComparison.Ordinal)));
        Assert.True(!unexpected.Any(), $"{kind}: {string.Join('\n', unexpected)}");
        Assert.True(compiled > 0 || Refused.ContainsKey(kind), $"{kind}: {string.Join('\n', refusals)}");
    }

    private static TensorType Type(params int[] shape) => new(ElementType.Int8, Shape.Of(shape), Codes);

    private static Tensor AllCodes(params int[] shape)
    {
        var type = Shape.Of(shape);
        return Tensor.From<sbyte>(ElementType.Int8, type, [.. Enumerable.Range(0, (int)type.Elements).Select(i => (sbyte)((i * 37) - 128))]);
    }

    private static void Exact(NetworkGraph network, params Tensor[] inputs)
    {
        var diagnostics = new DiagnosticBag();
        var levels = AllLevels.Compile(network, diagnostics);
        Assert.True(levels is not null, string.Join('\n', diagnostics.Diagnostics));
        Assert.Null(levels.FirstDifference(inputs));
    }

    public static TheoryData<UnaryFunction, RoundingScheme> Functions =>
        [.. from function in Enum.GetValues<UnaryFunction>() where function is not (UnaryFunction.Exp or UnaryFunction.Sqrt) from rounding in Enum.GetValues<RoundingScheme>() select (function, rounding)];

    [Theory]
    [MemberData(nameof(Functions))]
    public void Functions_of_an_element_are_exact_for_every_code(UnaryFunction function, RoundingScheme rounding)
    {
        var result = function is UnaryFunction.Logistic or UnaryFunction.Tanh
            ? Type(1, 257) with { Quantization = function == UnaryFunction.Logistic ? Quantization.PerTensor(1f / 256, -128) : Quantization.PerTensor(1f / 128, 0) }
            : Type(1, 257);
        var input = Type(1, 257) with { Quantization = Quantization.PerTensor(0.05f, -7) };
        Exact(new("function", [new("x", input)], [new Unary("y", ["x"], result, function, function == UnaryFunction.LeakyRelu ? 0.3f : 0, rounding)], ["y"]), AllCodes(1, 257));
    }

    [Theory]
    [InlineData(RoundingScheme.TfliteDouble, 1 << 30)]
    [InlineData(RoundingScheme.TfliteDouble, -(1 << 30))]
    [InlineData(RoundingScheme.TfliteSingle, int.MaxValue - 60_000)]
    [InlineData(RoundingScheme.TfliteSingle, int.MinValue + 60_000)]
    [InlineData(RoundingScheme.OnnxHalfEven, 2_000_000_000)]
    [InlineData(RoundingScheme.OnnxHalfEven, 5)]
    public void Sums_are_requantised_exactly_however_large_and_under_every_rounding(RoundingScheme rounding, int bias)
    {
        const int Inputs = 6;
        const int Outputs = 5;
        sbyte[] weights = [.. Enumerable.Range(0, Inputs * Outputs).Select(i => (sbyte)((i * 91 % 255) - 127))];
        var scale = bias == 5 ? 0.25f : 3e-8f;
        var network = new NetworkGraph(
            "sums",
            [new("x", Type(7, Inputs))],
            [
                new Dense(
                    "y",
                    ["x"],
                    Type(7, Outputs),
                    Tensor.From<sbyte>(ElementType.Int8, Shape.Of(Outputs, Inputs), weights),
                    new([scale], [0], -1),
                    Tensor.From<int>(ElementType.Int32, Shape.Of(Outputs), [bias, 0, bias / 2, 7, bias]),
                    FusedActivation.None,
                    rounding),
            ],
            ["y"]);
        Exact(network, AllCodes(7, Inputs));
        Exact(network, Tensor.From<sbyte>(ElementType.Int8, Shape.Of(7, Inputs), Enumerable.Repeat(sbyte.MaxValue, 7 * Inputs).ToArray()));
        Exact(network, Tensor.From<sbyte>(ElementType.Int8, Shape.Of(7, Inputs), Enumerable.Repeat(sbyte.MinValue, 7 * Inputs).ToArray()));
    }

    [Theory]
    [InlineData(0.5f, 0.5f, 0.5f)]
    [InlineData(1f, 0.5f, 4f)]
    [InlineData(0.1f, 0.3f, 0.7f)]
    [InlineData(0.1f, 0.3f, 0.2f)]
    [InlineData(0.3f, 0.1f, 0.4f)]
    [InlineData(0.02f, 0.05f, 0.03f)]
    [InlineData(3e-5f, 2.5f, 0.9f)]
    [InlineData(1f, 1e-6f, 0.03f)]
    public void Every_pair_of_codes_is_added_subtracted_and_multiplied_exactly_to_even(float first, float second, float result)
    {
        TensorType Scaled(float scale, int zero, params int[] shape) => new(ElementType.Int8, Shape.Of(shape), Quantization.PerTensor(scale, zero));
        var codes = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(256, 1), [.. Enumerable.Range(sbyte.MinValue, 256).Select(c => (sbyte)c)]);
        var across = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, 256), [.. Enumerable.Range(sbyte.MinValue, 256).Select(c => (sbyte)c)]);
        var (a, b, y) = (Scaled(first, 11, 256, 1), Scaled(second, -30, 1, 256), Scaled(result, 5, 256, 256));
        Layer[] layers =
        [
            new Add("y", ["a", "b"], y, FusedActivation.None, RoundingScheme.OnnxHalfEven),
            new Sub("y", ["a", "b"], y, FusedActivation.None, RoundingScheme.OnnxHalfEven),
            new Mul("y", ["a", "b"], y, FusedActivation.Relu, RoundingScheme.OnnxHalfEven),
        ];
        foreach (var layer in layers)
        {
            var diagnostics = new DiagnosticBag();
            var levels = AllLevels.Compile(new("pairs", [new("a", a), new("b", b)], [layer], ["y"]), diagnostics, [Primitives.Machines.BuiltInMachines.Default]);
            Assert.True(levels is not null, string.Join('\n', diagnostics.Diagnostics));
            Assert.Null(levels.FirstDifference([codes, across]));
        }
    }
}
