using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.PostTraining;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary>
/// The float ResNet-8 of MLPerf Tiny, calibrated on 50 and tested on 500 seeded crops and brightness variants of the inputs that come with it, agrees with itself as well as the vendor's int8 model does; other methods of calibration are watched on 100 of them.
/// </summary>
public sealed class QuantizedResNet8Tests
{
    private const int Calibrating = 50;
    private const int Testing = 500;
    private const int Watching = 100;
    private const double Required = 0.97;
    private const double Watched = 0.94;

    [Fact]
    public void The_largest_class_is_that_of_the_float_network_in_97_percent_and_no_less_often_than_with_the_vendors_model()
    {
        Assert.SkipUnless(SharedMaterial.Exists, SharedMaterial.Reason);
        var inputs = Inputs();
        var (calibration, tests) = (ImageVariants.Make(inputs, Calibrating, seed: 1), ImageVariants.Make(inputs, Testing, seed: 2));
        var real = Read("float", "resnet8_cifar10_float.tflite");
        var theirs = Agreement(Vendor(tests), Largest<float>(real, tests));
        foreach (var method in Enum.GetValues<CalibrationMethod>())
        {
            // The method that is used unless another is asked for has to reach what is required, the others are watched.
            var isDefault = method == new QuantizationOptions().Method;
            var count = isDefault || SharedMaterial.EveryInput ? Testing : Watching;
            var diagnostics = new DiagnosticBag();
            var quantized = PostTrainingQuantizer.Quantize(real, calibration, new() { Method = method }, diagnostics, TestContext.Current.CancellationToken);
            var measured = SignalToNoise.Measure(quantized!, new([.. tests.Samples.Take(count)]), diagnostics, TestContext.Current.CancellationToken)!;
            Assert.Empty(diagnostics.Diagnostics);
            var ours = (double)measured.Agreements / (count - measured.Ties);
            var figures = FormattableString.Invariant($"{method.Name()}: {measured.Agreements} of {count - measured.Ties} agree, {ours:P2}; the vendor's model {theirs:P2}; logits {measured.Values[^2].Decibels:0.0} dB");
            TestContext.Current.TestOutputHelper!.WriteLine(figures);
            Assert.True(ours >= (isDefault ? Math.Max(Required, theirs) : Watched), figures);
        }
    }

    private static double Agreement(List<(int Place, bool IsTie)> answers, List<(int Place, bool IsTie)> expected) =>
        (double)answers.Where((answer, i) => !answer.IsTie && answer.Place == expected[i].Place).Count() / answers.Count(answer => !answer.IsTie);

    private static NetworkGraph Read(string folder, string file)
    {
        var diagnostics = new DiagnosticBag();
        var graph = TfliteReader.Read(File.ReadAllBytes(SharedMaterial.Find("models", folder, file)!), file, diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return graph!;
    }

    /// <summary>The pixels, 0 to 255, of the inputs beside the vendor's model, which are stored as its codes. Crops of an image of one colour are all the same image, so that those are left out.</summary>
    private static List<byte[]> Inputs()
    {
        var files = Directory.GetFiles(SharedMaterial.Find("models", "resnet8_cifar10", "golden")!, "*.input.bin").Order(StringComparer.Ordinal).ToList();
        Assert.NotEmpty(files);
        return [.. files.Select(file => File.ReadAllBytes(file).Select(code => (byte)((sbyte)code + 128)).ToArray()).Where(image => image.Distinct().Skip(1).Any())];
    }

    private static List<(int Place, bool IsTie)> Vendor(SampleSet tests)
    {
        var vendor = Read("resnet8_cifar10", "resnet8_cifar10.tflite");
        var quantization = vendor.Inputs[0].Type.Quantization!;
        Assert.Equal(Quantization.PerTensor(1, -128), quantization);
        return Largest<sbyte>(vendor, new([.. tests.Samples.Select(sample => (IReadOnlyList<Tensor>)[PostTrainingQuantizer.Codes(sample[0], quantization)])]));
    }

    private static List<(int Place, bool IsTie)> Largest<T>(NetworkGraph graph, SampleSet samples)
        where T : unmanaged, IComparable<T>
    {
        var answers = new List<(int Place, bool IsTie)>();
        var runner = new SampleRunner(graph);
        var diagnostics = new DiagnosticBag();
        Assert.True(runner.Run(samples, (_, batch) => answers.AddRange(batch.Select(values => SignalToNoise.Largest(values[runner.Places[graph.Outputs[0]]].AsSpan<T>()))), diagnostics, TestContext.Current.CancellationToken));
        return answers;
    }
}
