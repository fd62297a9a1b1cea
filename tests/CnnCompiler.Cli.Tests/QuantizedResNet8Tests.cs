using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.PostTraining;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary>
/// The float ResNet-8 of MLPerf Tiny, calibrated on 50 and tested on 500 seeded crops and brightness variants of the inputs that come with it, agrees with itself as well as the vendor's int8 model does.
/// </summary>
public sealed class QuantizedResNet8Tests
{
    private const int Calibrating = 50;
    private const int Testing = 500;
    private const double Required = 0.97;

    public static TheoryData<CalibrationMethod> Methods => [.. Enum.GetValues<CalibrationMethod>()];

    [Theory]
    [MemberData(nameof(Methods))]
    public void The_largest_class_is_that_of_the_float_network_in_97_percent_and_no_less_often_than_with_the_vendors_model(CalibrationMethod method)
    {
        Assert.SkipUnless(SharedMaterial.Exists, SharedMaterial.Reason);
        var inputs = Inputs();
        var (calibration, tests) = (ImageVariants.Make(inputs, Calibrating, seed: 1), ImageVariants.Make(inputs, Testing, seed: 2));
        var diagnostics = new DiagnosticBag();
        var quantized = PostTrainingQuantizer.Quantize(Read("float", "resnet8_cifar10_float.tflite"), calibration, new() { Method = method }, diagnostics, TestContext.Current.CancellationToken);
        Assert.Empty(diagnostics.Diagnostics);
        var measured = SignalToNoise.Measure(quantized!, tests, diagnostics, TestContext.Current.CancellationToken)!;
        var (agreements, ties) = Vendor(quantized!.Real, tests);
        var (ours, theirs) = ((double)measured.Agreements / (Testing - measured.Ties), (double)agreements / (Testing - ties));
        TestContext.Current.TestOutputHelper!.WriteLine(FormattableString.Invariant(
            $"{method.Name()}: {measured.Agreements} of {Testing - measured.Ties} ({ours:P2}, {measured.Ties} ties), vendor {agreements} of {Testing - ties} ({theirs:P2}, {ties} ties); logits {measured.Values[^2].Decibels:0.0} dB"));
        Assert.True(ours >= Required, FormattableString.Invariant($"{ours:P2} agree"));
        Assert.True(ours >= theirs, FormattableString.Invariant($"{ours:P2} agree, of the vendor's model {theirs:P2}"));
    }

    private static NetworkGraph Read(string folder, string file)
    {
        var diagnostics = new DiagnosticBag();
        var graph = TfliteReader.Read(File.ReadAllBytes(SharedMaterial.Find("models", folder, file)!), file, diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return graph!;
    }

    /// <summary>The pixels, 0 to 255, of the inputs beside the vendor's model, which are stored as its codes.</summary>
    private static List<byte[]> Inputs()
    {
        var files = Directory.GetFiles(SharedMaterial.Find("models", "resnet8_cifar10", "golden")!, "*.input.bin").Order(StringComparer.Ordinal).ToList();
        Assert.NotEmpty(files);
        return [.. files.Select(file => File.ReadAllBytes(file).Select(code => (byte)((sbyte)code + 128)).ToArray())];
    }

    private static (int Agreements, int Ties) Vendor(NetworkGraph real, SampleSet tests)
    {
        var vendor = Read("resnet8_cifar10", "resnet8_cifar10.tflite");
        var quantization = vendor.Inputs[0].Type.Quantization!;
        Assert.Equal(Quantization.PerTensor(1, -128), quantization);
        var expected = Largest<float>(real, tests);
        var actual = Largest<sbyte>(vendor, new([.. tests.Samples.Select(sample => (IReadOnlyList<Tensor>)[PostTrainingQuantizer.Codes(sample[0], quantization)])]));
        return (actual.Where((answer, i) => !answer.IsTie && answer.Place == expected[i].Place).Count(), actual.Count(answer => answer.IsTie));
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
