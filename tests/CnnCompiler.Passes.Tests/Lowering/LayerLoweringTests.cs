using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Passes.Tests.Lowering;

/// <summary>Chains of every kind of layer against the formula of the layer: f32 bit by bit, fixed point and codes within the roundings that their definitions have.</summary>
public sealed class LayerLoweringTests
{
    private const int Seeds = 60;

    // Kinds without a definition in i8, and those whose table of 256 codes comes from the network level.
    private static readonly string[] NotInCodes = ["capsule_transform", "batch_norm", "layer_norm", "lrn", "squash", "routing", "exp", "sqrt", "softmax"];
    private static readonly string[] OfTheNetworkLevel = ["logistic", "tanh", "hard_swish", "leaky_relu", "gelu", "gelu_tanh", "clip", "quantize"];

    public static TheoryData<string> Kinds => [.. RandomLayers.Kinds];

    public static TheoryData<string> CodeKinds => [.. RandomLayers.Kinds.Except(NotInCodes).Except(OfTheNetworkLevel).Except(["dequantize"])];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void In_f32_every_bit_is_that_of_the_formula(string kind)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var random = RandomLayers.Make(kind, Elements.Real, seed);
            if (kind == "quantize")
            {
                Within(random, (_, _) => 0.51);
                continue;
            }

            var actual = Evaluate(random).AsSpan<float>();
            var expected = Expected(random);
            for (var i = 0; i < expected.Length; i++)
            {
                Assert.True(BitConverter.SingleToInt32Bits((float)expected[i]) == BitConverter.SingleToInt32Bits(actual[i]), $"{random.Graph.Name}: element {i} is {actual[i]:R}, by the formula {(float)expected[i]:R}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void In_fixed_point_results_are_within_the_roundings_of_their_definition(string kind)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            Within(RandomLayers.Make(kind, Elements.Fixed, seed), FixedTolerance(kind));
        }
    }

    [Theory]
    [MemberData(nameof(CodeKinds))]
    public void In_codes_results_are_within_the_roundings_of_their_definition(string kind)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            Within(RandomLayers.Make(kind, Elements.Code, seed), (_, _) => kind is "add" or "sub" or "mul" ? 1.1 : 1.01);
        }
    }

    [Fact]
    public void Numbers_become_codes_by_the_rounding_of_the_scheme_and_saturate()
    {
        float[] values = [0.5f, 1.5f, -0.5f, -1.5f, 1000, -1000, float.PositiveInfinity, float.NegativeInfinity, 126.4f];

        Assert.Equal([2, 3, 0, -1, 127, -128, 127, -128, 127], Quantized(RoundingScheme.TfliteDouble));
        Assert.Equal([1, 3, 1, -1, 127, -128, 127, -128, 127], Quantized(RoundingScheme.OnnxHalfEven));

        int[] Quantized(RoundingScheme rounding)
        {
            var input = new NetworkInput("x", new(ElementType.Float32, Shape.Of(values.Length)));
            var layer = new Quantize("y", ["x"], new(ElementType.Int8, Shape.Of(values.Length), Quantization.PerTensor(1, 1)), rounding);
            return [.. Evaluate(new(new("q", [input], [layer], ["y"]), [Tensor.From<float>(ElementType.Float32, Shape.Of(values.Length), values)])).AsSpan<sbyte>().ToArray().Select(code => (int)code)];
        }
    }

    // In units of the result, by the result and the bits after its binary point: what the parts are rounded to inside.
    private static Func<double, double, double> FixedTolerance(string kind) => kind switch
    {
        "conv2d" or "depthwise_conv2d" or "dense" or "conv3d" or "conv2d_transpose" or "matmul" or "capsule_transform" or "add" or "sub" or "mul" or "mean" or "avg_pool2d" or "avg_pool3d"
            or "quantize" => (_, _) => 0.51,
        "activation" or "clip" or "max_pool2d" or "max_pool3d" or "concat" or "pad" or "reshape" or "transpose" or "strided_slice" or "split" or "resize" or "constant" => (_, _) => kind is "clip" ? 0.51 : 0.001,
        "logistic" or "tanh" or "exp" or "sqrt" or "softmax" or "leaky_relu" or "hard_swish" or "gelu" or "gelu_tanh" or "lrn" or "squash" => (_, _) => 1.1,
        "batch_norm" => (_, _) => 1.6,
        _ => (_, unit) => 2 + (0.05 / unit),
    };

    private static void Within(RandomLayer random, Func<double, double, double> tolerance)
    {
        var result = Evaluate(random);
        var type = random.Layer.Type;
        var expected = Expected(random);
        for (var i = 0; i < expected.Length; i++)
        {
            if (type.Element.IsReal())
            {
                Assert.True((float)expected[i] == result.GetReal(i), $"{random.Graph.Name}: element {i} is {result.GetReal(i)}, by the formula {expected[i]}");
                continue;
            }

            var (low, high) = type.Element.Range();
            var (scale, zero) = (type.Quantization!.Scale, type.Quantization.ZeroPoint);
            var exact = double.IsNaN(expected[i]) ? zero : Math.Clamp((expected[i] / scale) + zero, low, high);
            var error = Math.Abs(result.GetInteger(i) - exact);
            Assert.True(error <= tolerance(exact, scale), $"{random.Graph.Name}: element {i} is {result.GetInteger(i)}, by the formula {exact}");
        }
    }

    private static double[] Expected(RandomLayer random) => DirectLayers.Evaluate(random.Layer, [.. random.Graph.Inputs.Select(input => input.Type)], random.Inputs);

    private static Tensor Evaluate(RandomLayer random)
    {
        var diagnostics = new DiagnosticBag();
        var program = LowerToGconv.Lower(random.Graph, diagnostics)!;
        Assert.Empty(diagnostics.Diagnostics);
        var fast = GconvEvaluator.Evaluate(program, random.Inputs, diagnostics);
        Assert.True(fast is not null, $"{random.Graph.Name}: {string.Join(Environment.NewLine, diagnostics.Diagnostics)}");
        var written = GconvEvaluator.Evaluate(program, random.Inputs, diagnostics, contractions: false)!;
        Assert.All(written.Values, value => Assert.Equal(value.Value, fast.Values[value.Key]));
        Assert.Equal(random.Layer.Type.Shape, fast.Values["y"].Shape);

        var text = GconvPrinter.Print(program);
        Assert.Equal(program, GconvParser.Parse(text.Text, "chain.gconv", text.Constants, diagnostics));
        Assert.Empty(diagnostics.Diagnostics);
        return fast.Values["y"];
    }
}
