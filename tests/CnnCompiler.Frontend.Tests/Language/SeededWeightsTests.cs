using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>Seeded weights are those that docs/language.md defines: the expected numbers were computed from its text by a program of its own.</summary>
public sealed class SeededWeightsTests
{
    private const string Text = """
        network n {
            weights seed 42
            input x : i8[1x4x4x3] scale 0.02 zero -128
            block stage(v) { conv = conv2d(v, filters=2, kernel=3, padding=same, activation=relu) output conv }
            stem = stage(x)
            sum = add(stem, stem)
            d = dense(sum, units=3)
            bare = dense(sum, units=3, bias=none, activation=relu6) : scale 0.5 zero 1
            output d, bare
        }
        """;

    [Fact]
    public void Weights_scales_and_biases_are_the_documented_ones()
    {
        var graph = Parse(Text);
        var conv = (Conv2D)graph.Layers[0];
        Assert.Equal("stem.conv", conv.Name);
        var codes = conv.Weights.AsSpan<sbyte>().ToArray();
        Assert.Equal([78, -23, 112, -124, 98, -126, 87, -35, -67, -90, 109], codes.Take(11));
        Assert.Equal((54, 850, 96), (codes.Length, codes.Sum(code => code), codes[^1]));
        Assert.Equal([0x3b834a8au, 0x3b85a93au], conv.WeightQuantization!.Scales.Select(BitConverter.SingleToUInt32Bits));
        Assert.Equal(0, conv.WeightQuantization.Axis);
        Assert.Equal([465, -1040], conv.Bias!.AsSpan<int>().ToArray());
        var dense = (Dense)graph.Layers[2];
        Assert.Equal([0x3b1d9f4eu], dense.WeightQuantization!.Scales.Select(BitConverter.SingleToUInt32Bits));
        Assert.Equal([15, -116, 27, -79, 74], dense.Weights.AsSpan<sbyte>().ToArray()[^5..].Select(code => (int)code));
        Assert.Equal([-2027, 266, 136], dense.Bias!.AsSpan<int>().ToArray());
        Assert.Null(((Dense)graph.Layers[3]).Bias);
    }

    [Fact]
    public void Results_have_the_documented_quantisation_and_what_is_written_wins()
    {
        var types = Parse(Text).Layers.Select(layer => layer.Type.Quantization!).ToArray();
        Assert.Equal([Quantization.PerTensor(0.02f, -128), Quantization.PerTensor(0.02f * 1.5f, 0), Quantization.PerTensor(0.02f * 1.5f, 0), Quantization.PerTensor(0.5f, 1)], types);
    }

    [Fact]
    public void Another_seed_gives_other_weights_and_no_code_is_minus_128()
    {
        var (first, second) = (Weights("1"), Weights("2"));
        Assert.NotEqual(first, second);
        Assert.Equal(first, Weights("3 - 2"));
        Assert.Equal((-127, 127), (first.Min(), first.Max()));

        static sbyte[] Weights(string seed) =>
            ((Dense)Parse($"network n {{ weights seed {seed} input x : i8[1x64] scale 1 d = dense(x, units=64) output d }}").Layers[0]).Weights.AsSpan<sbyte>().ToArray();
    }

    [Fact]
    public void An_input_that_does_not_fit_is_reported_as_with_a_weight_file()
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(CnnFrontend.Parse(
            "network n { weights seed 1 input x : i8[4x4] scale 1 input y : i8[1x4x4x3] scale 1\n a = conv2d(x, filters=2, kernel=1)\n b = conv2d(y, filters=2, kernel=1, groups=2) output a, b }", "test.cnn", _ => null, diagnostics));
        Assert.Equal([2, 3], diagnostics.Diagnostics.Select(diagnostic => diagnostic.Span.Line));
        Assert.All(diagnostics.Diagnostics, diagnostic => Assert.StartsWith("CNN01", diagnostic.Code, StringComparison.Ordinal));
    }

    private static NetworkGraph Parse(string text)
    {
        var diagnostics = new DiagnosticBag();
        var graph = CnnFrontend.Parse(text, "test.cnn", _ => null, diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return graph!;
    }
}
