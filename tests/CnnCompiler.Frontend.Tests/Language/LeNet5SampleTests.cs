using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Samples.Digits;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>The first sample: a network trained by samples/training, and the digits it is shown with.</summary>
public sealed class LeNet5SampleTests
{
    private const int HeldOutDigits = 1_000;

    [Fact]
    public void It_recognises_at_least_97_percent_of_1000_digits_it_has_never_seen()
    {
        var network = Samples.Parse("lenet5.cnn");
        var right = Enumerable.Range(0, HeldOutDigits)
            .Select(index => DigitGenerator.Generate(DigitSet.HeldOut, index))
            .Count(digit => Recognise(network, Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, 28, 28, 1), digit.ToCodes())) == digit.Label);
        TestContext.Current.SendDiagnosticMessage("{0} of {1} held-out digits recognised", right, HeldOutDigits);
        Assert.True(right >= 0.97 * HeldOutDigits, $"{right} of {HeldOutDigits} recognised");
    }

    [Fact]
    public void The_shipped_digits_are_held_out_ones_of_the_generator_and_are_recognised()
    {
        var network = Samples.Parse("lenet5.cnn");
        var files = Directory.GetFiles(Path.Combine(Samples.Folder, "digits"), "*.npy");
        Assert.Equal(10, files.Length);
        foreach (var file in files)
        {
            var diagnostics = new DiagnosticBag();
            var tensor = NpyFile.Read(File.ReadAllBytes(file), file, diagnostics);
            Assert.NotNull(tensor);
            var label = Path.GetFileNameWithoutExtension(file)[0] - '0';
            Assert.Equal(Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, 28, 28, 1), DigitGenerator.Example(label).ToCodes()), tensor);
            Assert.Equal(label, Recognise(network, tensor));
        }
    }

    [Fact]
    public void It_has_the_layers_and_parameters_of_the_paper()
    {
        var network = Samples.Parse("lenet5.cnn");
        Assert.Equal("lenet5", network.Name);
        Assert.Equal(
            ["conv2d 1x28x28x6", "max_pool2d 1x14x14x6", "conv2d 1x10x10x16", "max_pool2d 1x5x5x16", "dense 1x120", "dense 1x84", "dense 1x10", "softmax 1x10"],
            network.Layers.Select(layer => $"{layer.Keyword} {layer.Type.Shape}"));

        // 156 + 2,416 (all maps connected, where the paper's table leaves some out) + 48,120 + 10,164 + 850.
        Assert.Equal(61_706, network.Layers.Sum(Parameters));
        Assert.Equal(1f / 255, network.Inputs[0].Type.Quantization!.Scale);
        Assert.All(network.Layers.OfType<Conv2D>(), layer => Assert.Equal(layer.Weights.Shape[0], layer.WeightQuantization!.Scales.Count));
        Assert.All(network.Layers.OfType<Dense>(), layer => Assert.False(layer.WeightQuantization!.IsPerAxis));
    }

    [Fact]
    public void Digits_of_the_two_sets_differ_and_each_comes_again_from_its_index()
    {
        var drawn = new HashSet<string>(StringComparer.Ordinal);
        for (var index = 0; index < 100; index++)
        {
            foreach (var set in Enum.GetValues<DigitSet>())
            {
                var digit = DigitGenerator.Generate(set, index);
                Assert.Equal(index % 10, digit.Label);
                Assert.Equal(digit.Pixels, DigitGenerator.Generate(set, index).Pixels);
                Assert.True(drawn.Add(Convert.ToHexString(digit.Pixels)));
            }
        }
    }

    private static long Parameters(Layer layer) => layer switch
    {
        Conv2D l => l.Weights.Shape.Elements + l.Bias!.Shape.Elements,
        Dense l => l.Weights.Shape.Elements + l.Bias!.Shape.Elements,
        _ => 0,
    };

    private static int Recognise(NetworkGraph network, Tensor image)
    {
        var diagnostics = new DiagnosticBag();
        var evaluation = NetworkEvaluator.Evaluate(network, [image], diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        var scores = evaluation!.Outputs[0].AsSpan<sbyte>();
        var best = 0;
        for (var i = 1; i < scores.Length; i++)
        {
            best = scores[i] > scores[best] ? i : best;
        }

        return best;
    }
}
