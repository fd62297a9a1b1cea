using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Convolutions whose products move and whose weights are in the code: exact for every window, step across the line, padding and number of channels.</summary>
public class DirectTests
{
    /// <summary>Height, width, input and output channels, kernel height and width, stride and dilation down, padding, passes of a quad.</summary>
    public static TheoryData<int, int, int, int, int, int, int, int, int, int> Shapes() => new()
    {
        { 6, 7, 16, 4, 3, 3, 1, 1, 1, 3 },
        { 5, 4, 3, 6, 3, 3, 1, 1, 1, 1 },
        { 4, 6, 1, 5, 3, 3, 1, 1, 0, 1 },
        { 4, 5, 8, 3, 3, 3, 1, 1, 1, 2 },
        { 3, 3, 32, 9, 3, 3, 1, 1, 1, 6 },
        { 4, 3, 20, 4, 3, 3, 1, 1, 1, 6 },
        { 7, 5, 4, 8, 5, 5, 1, 1, 2, 4 },
        { 9, 8, 6, 4, 3, 7, 1, 1, 3, 6 },
        { 9, 5, 12, 4, 3, 3, 2, 1, 1, 3 },
        { 9, 5, 5, 4, 3, 2, 1, 2, 2, 2 },
        { 1, 9, 17, 4, 1, 3, 1, 1, 1, 2 },
        { 4, 5, 7, 4, 3, 3, 1, 1, 0, 2 },
        { 3, 4, 80, 5, 3, 3, 1, 1, 1, 15 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_window_is_exact_with_extreme_weights_and_codes(
        int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth, int stride, int dilation, int padding, int passes)
    {
        foreach (var weights in (ReadOnlySpan<string>)["lowest", "signs", "all"])
        {
            var network = Layer(height, width, channels, outputs, kernelHeight, kernelWidth, stride, dilation, padding, weights);
            foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "all"])
            {
                var shape = network.Inputs[0].Type.Shape;
                var values = Enumerable.Range(0, (int)shape.Elements).Select(i => Extreme(codes, i)).ToArray();
                var nests = ForcedMappings.Check(network, "direct-w", DirectKernel.Strategy, [Tensor.From<sbyte>(ElementType.Int8, shape, values)]);
                Assert.Equal((outputs + 3) / 4 * passes, nests.Count);
            }
        }
    }

    [Fact]
    public void Passes_have_the_MACs_of_the_layer_together()
    {
        var network = Layer(5, 5, 21, 6, 3, 5, 1, 1, 2, "all");
        var shape = network.Inputs[0].Type.Shape;
        var nests = ForcedMappings.Check(network, "direct-w", DirectKernel.Strategy, [Tensor.From<sbyte>(ElementType.Int8, shape, new sbyte[shape.Elements])]);
        Assert.Equal(7L * 5 * 6 * 21 * 3 * 5, nests.Sum(n => n.Origin.Value.Macs));
    }

    [Theory]
    [InlineData(6, 6, 4, 4, 3, 1, "no taps along the line")]
    [InlineData(6, 6, 160, 16, 3, 3, "more passes than code may be loaded for")]
    public void What_does_not_pay_is_not_offered(int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth, string why)
    {
        var gconv = LowerToGconv.Lower(Layer(height, width, channels, outputs, kernelHeight, kernelWidth, 1, 1, 0, "signs"), new())!;
        var decisions = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, new(), default)!.Decisions;
        Assert.False(decisions.SelectMany(d => d.Candidates).Any(c => c.Name == "direct-w"), why);
    }

    /// <summary>Any code, by an index that is mixed well.</summary>
    private static sbyte Drawn(int index)
    {
        var bits = (uint)index + 1;
        bits = (bits ^ (bits >> 16)) * 0x85EBCA6B;
        bits = (bits ^ (bits >> 13)) * 0xC2B2AE35;
        return unchecked((sbyte)(bits ^ (bits >> 16)));
    }

    internal static sbyte Extreme(string kind, int index) => kind switch
    {
        "highest" => sbyte.MaxValue,
        "lowest" => sbyte.MinValue,
        "drawn" => Drawn(index),
        "eighty" => 80,
        "eighties" => (sbyte)((index * 7 % 5) < 2 ? -80 : 80),
        "signs" => (index * 7 % 5) < 2 ? sbyte.MinValue : sbyte.MaxValue,
        _ => (sbyte)((index * 41 % 256) - 128),
    };

    internal static NetworkGraph Layer(
        int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth, int stride, int dilation, int padding, string weights)
    {
        var scale = 0.5f * 0.1f * channels * kernelHeight * kernelWidth * 255 * 127 / 100;
        int Out(int size, int kernel, int step, int gap) => ((size + (2 * padding) - (gap * (kernel - 1)) - 1) / step) + 1;
        var values = Enumerable.Range(0, outputs * channels * kernelHeight * kernelWidth).Select(i => Extreme(weights, i)).ToArray();
        return new(
            "direct",
            [new("x", new(ElementType.Int8, Shape.Of(1, height, width, channels), Quantization.PerTensor(0.5f, 5)))],
            [
                new Conv2D(
                    "y",
                    ["x"],
                    new(
                        ElementType.Int8,
                        Shape.Of(1, Out(height, kernelHeight, stride, dilation), Out(width, kernelWidth, 1, 1), outputs),
                        Quantization.PerTensor(scale, -4)),
                    Tensor.From<sbyte>(ElementType.Int8, Shape.Of(outputs, kernelHeight, kernelWidth, channels), values),
                    Quantization.PerTensor(0.1f, 0),
                    null,
                    new(stride, 1),
                    new(dilation, 1),
                    new(padding, padding, padding, padding),
                    1,
                    FusedActivation.None,
                    RoundingScheme.TfliteDouble),
            ],
            ["y"]);
    }
}
