using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Frontend.Tests.Tflite;

/// <summary>Parameters of ResNet-8 as section 2.1 of the arithmetic specification lists them.</summary>
public sealed class TfliteReaderParameterTests
{
    /// <summary>Layer number and its row: inputs, weights, padding, stride, activation, weight scales, bias range, result.</summary>
    public static TheoryData<int, string> Rows => new()
    {
        { 0, "conv2d t0 | 16x3x3x3 pad 1 1 1 1 stride 1 1 Relu | pc16 1.44E-05..0.000167 | -35108..14659 | t22 1x32x32x16 0.039393552/-128" },
        { 2, "conv2d t23 | 16x3x3x16 pad 1 1 1 1 stride 1 1 None | pc16 0.00128..0.00407 | -7180..8288 | t24 1x32x32x16 0.10419496/4" },
        { 3, "add t22 t24 | Relu | t25 1x32x32x16 0.050945673/-128" },
        { 4, "conv2d t25 | 32x3x3x16 pad 0 1 0 1 stride 2 2 Relu | pc32 0.00131..0.00341 | -15202..26485 | t26 1x16x16x32 0.04567283/-128" },
        { 6, "conv2d t25 | 32x1x1x16 pad 0 0 0 0 stride 2 2 None | pc32 0.00101..0.00468 | -3342..6058 | t28 1x16x16x32 0.044761427/-17" },
        { 7, "add t28 t27 | Relu | t29 1x16x16x32 0.053236216/-128" },
        { 10, "conv2d t29 | 64x1x1x32 pad 0 0 0 0 stride 2 2 None | pc64 0.00148..0.00545 | -6268..1041 | t32 1x8x8x64 0.083858304/38" },
        { 12, "avg_pool2d t33 | 8x8 pad 0 0 0 0 stride 8 8 None | t34 1x1x1x64 0.12706915/-128" },
        { 13, "reshape t34 | t35 1x64 0.12706915/-128" },
        { 14, "dense t35 | 10x64 None | pc1 0.0306..0.0306 | -40..46 | t36 1x10 0.17185351/24" },
        { 15, "softmax t36 | beta 1 | t37 1x10 0.00390625/-128" },
    };

    [Theory]
    [MemberData(nameof(Rows))]
    public void ResNet8_has_the_parameters_of_the_specification(int layer, string row)
    {
        Assert.SkipUnless(SharedMaterial.Exists, SharedMaterial.Reason);
        var model = Import();
        var made = model.Graph.Layers[layer];
        made = made with { Name = Tensor(made.Name), Inputs = made.Inputs.Select(Tensor).ToEquatableArray() };
        Assert.Equal(row, $"{made.Keyword} {string.Join(' ', made.Inputs)} | {Describe(made)}");

        string Tensor(string name) => Line($"t{model.TensorIndices[name]}");
    }

    [Fact]
    public void ResNet8_has_the_input_and_output_of_the_specification()
    {
        Assert.SkipUnless(SharedMaterial.Exists, SharedMaterial.Reason);
        var model = Import();
        var graph = model.Graph;
        Assert.Equal("resnet8_cifar10", graph.Name);
        Assert.Equal(0, model.TensorIndices["input_1"]);
        Assert.Equal(new NetworkInput("input_1", new(ElementType.Int8, Shape.Of(1, 32, 32, 3), Quantization.PerTensor(1, -128))), Assert.Single(graph.Inputs));
        Assert.Equal(37, model.TensorIndices[Assert.Single(graph.Outputs)]);
        Assert.Equal(16, graph.Layers.Count);
    }

    private static TfliteModel Import()
    {
        var file = SharedMaterial.Find("models", "resnet8_cifar10", "resnet8_cifar10.tflite")!;
        return TfliteReader.ReadModel(File.ReadAllBytes(file), file, new DiagnosticBag())!;
    }

    private static string Describe(Layer layer) => layer switch
    {
        Conv2D l => Line($"{l.Weights.Shape} pad {Describe(l.Padding)} stride {Describe(l.Stride)} {l.Activation} | {Describe(l.WeightQuantization)} | {Range(l.Bias)} | {Result(l)}"),
        Dense l => Line($"{l.Weights.Shape} {l.Activation} | {Describe(l.WeightQuantization)} | {Range(l.Bias)} | {Result(l)}"),
        Add l => $"{l.Activation} | {Result(l)}",
        AveragePool2D l => Line($"{l.Kernel.Height}x{l.Kernel.Width} pad {Describe(l.Padding)} stride {Describe(l.Stride)} {l.Activation} | {Result(l)}"),
        Reshape l => Result(l),
        Softmax l => Line($"beta {l.Beta} | {Result(l)}"),
        _ => "another layer",
    };

    private static string Describe(Padding padding) => Line($"{padding.Top} {padding.Bottom} {padding.Left} {padding.Right}");

    private static string Describe(Spatial pair) => Line($"{pair.Height} {pair.Width}");

    private static string Describe(Quantization? weights) => Line($"pc{weights!.Scales.Count} {weights.Scales.Min():G3}..{weights.Scales.Max():G3}");

    private static string Range(Tensor? bias) => Line($"{bias!.AsSpan<int>().ToArray().Min()}..{bias.AsSpan<int>().ToArray().Max()}");

    private static string Result(Layer layer) => Line($"{layer.Name} {layer.Type.Shape} {layer.Type.Quantization!.Scale:G8}/{layer.Type.Quantization.ZeroPoint}");

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
