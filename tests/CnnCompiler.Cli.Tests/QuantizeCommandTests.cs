using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Cli.Tests;

/// <summary><c>cnnc quantize</c> writes networks that compile for every target.</summary>
public sealed class QuantizeCommandTests
{
    private const string Text = """
        network small {
            weights seed 9
            input image : f32[1x8x8x4]
            wide     = conv2d(image, filters=8, kernel=3, padding=same)
            normal   = batch_norm(wide)
            features = activation(normal, function=relu)
            next     = conv2d(features, filters=8, kernel=3, padding=same)
            sum      = add(features, next, activation=relu)
            pooled   = avg_pool2d(sum, kernel=8)
            logits   = dense(pooled, units=10)
            classes  = softmax(logits)
            output classes
        }
        """;

    [Fact]
    public void A_quantised_network_compiles_for_every_target_and_runs_alike_at_every_level()
    {
        using var scratch = new Scratch();
        var (network, samples) = Prepare(scratch);
        var result = Cnnc.Run("quantize", network, "--calibrate", samples, "-o", scratch["small.int8.cnn"]).Exits(0);
        Assert.Matches(@"\| features +\| conv2d +\| +\d+\.\d \|", result.Out);
        Assert.Matches(@"largest element of the first output at the same place as in float: \d+ of \d+ samples", result.Out);
        Assert.Contains("small.int8.npz", Directory.GetFiles(scratch.Folder).Select(Path.GetFileName));
        Assert.Empty(Cnnc.Run("fmt", "--check", scratch["small.int8.cnn"]).Exits(0).Error);
        var input = scratch.Write("image.bin", [.. Enumerable.Range(0, 256).Select(i => (byte)(i * 7))]);
        foreach (var target in CompilerTargets.All)
        {
            Assert.Equal("all levels are equal", Cnnc.Run("compare", scratch["small.int8.cnn"], "-t", target.Name, "--input", input).Exits(0).LastLine);
        }
    }

    [Fact]
    public void Each_method_gives_another_network_and_the_same_one_again()
    {
        using var scratch = new Scratch();
        var (network, samples) = Prepare(scratch);
        var texts = new List<string>();
        foreach (var method in (string[])["minmax", "percentile", "kl", "minmax"])
        {
            Cnnc.Run("quantize", network, "--calibrate", samples, "--percentile", "98", "--method", method, "-o", scratch["result.cnn"]).Exits(0);
            texts.Add(File.ReadAllText(scratch["result.cnn"]));
        }

        Assert.Equal(3, texts.Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(texts[0], texts[3]);
    }

    [Fact]
    public void Wrong_methods_samples_and_names_of_results_are_refused()
    {
        using var scratch = new Scratch();
        var (network, samples) = Prepare(scratch);
        Assert.Contains("CNN0002", Cnnc.Run("quantize", network, "--calibrate", samples, "--method", "max", "-o", scratch["x.cnn"]).Exits(2).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0018", Cnnc.Run("quantize", network, "--calibrate", samples, "-o", network).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0018", Cnnc.Run("quantize", network, "--calibrate", samples, "-o", Path.ChangeExtension(samples, ".cnn")).Exits(1).Error, StringComparison.Ordinal);
        var other = scratch.Write("other.npz", NpzFile.Write([new("image", new Tensor(ElementType.UInt8, Shape.Of(2, 3), new byte[6]))]));
        Assert.Contains("CNN0184", Cnnc.Run("quantize", network, "--calibrate", other, "-o", scratch["x.cnn"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0180", Cnnc.Run("quantize", Cnnc.Lenet5, "--calibrate", Cnnc.Digit(5), "-o", scratch["x.cnn"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.DoesNotContain("x.cnn", scratch.Names);
    }

    private static (string Network, string Samples) Prepare(Scratch scratch)
    {
        // enough for histograms to be looked at
        var numbers = Enumerable.Range(0, 80 * 256).Select(i => (float)(Math.Sin(i * 0.37) * (1 + (i / 256)))).ToArray();
        return (scratch.Write("small.cnn", Text), scratch.Write("samples.npz", NpzFile.Write([new("image", Tensor.From<float>(ElementType.Float32, Shape.Of(80, 8, 8, 4), numbers))])));
    }
}
