using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Selection;
using CnnCompiler.TestSupport;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Real models and the directed single-operator models: the image's outputs are the reference kernels' outputs.</summary>
public class GoldenModelTests
{
    public static TheoryData<string> Kernels() => [.. Folders(SharedMaterial.Vectors("kernels"))];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void A_single_operator_model_gives_the_reference_outputs_at_every_level(string name)
    {
        var folder = SharedMaterial.Vectors("kernels", name);
        var diagnostics = new DiagnosticBag();
        var network = TfliteReader.Read(File.ReadAllBytes(Path.Combine(folder, $"{name}.tflite")), name, diagnostics);
        if (network is null)
        {
            // an operator the reader refuses by name: its own tests say which
            Assert.All(diagnostics.Diagnostics, d => Assert.StartsWith("CNN03", d.Code));
            return;
        }

        var levels = AllLevels.Compile(network, diagnostics);
        Assert.True(levels is not null, string.Join('\n', diagnostics.Diagnostics));

        foreach (var file in Directory.GetFiles(Path.Combine(folder, "golden"), "*.input.bin").Order(StringComparer.Ordinal))
        {
            var inputs = Split(network, File.ReadAllBytes(file));
            Assert.Null(levels.FirstDifference(inputs));
            var expected = File.ReadAllBytes(file.Replace(".input.", ".output."));
            Assert.Equal(expected, NetworkEvaluator.Evaluate(network, inputs, diagnostics)!.Outputs.SelectMany(o => o.Bytes.ToArray()));
        }
    }

    /// <summary>The real models beside the repository, where they are.</summary>
    public static TheoryData<string> Models() =>
        SharedMaterial.Find("models") is { } root ? [.. Folders(root).Where(f => Directory.Exists(Path.Combine(root, f, "golden")))] : [Absent];

    private const string Absent = "absent";

    /// <summary>Models that do not run on the machine, each with the code of the diagnostic that says so.</summary>
    private static readonly Dictionary<string, string> Refused = new(StringComparer.Ordinal)
    {
        // activations of 1.2 MB
        ["mobilenet_v2_224"] = "CNN0808",
    };

    [Theory]
    [MemberData(nameof(Models))]
    public void A_real_model_gives_the_reference_outputs_from_its_image(string name)
    {
        Assert.SkipWhen(name == Absent, SharedMaterial.Reason);
        var folder = SharedMaterial.Find("models", name)!;
        var diagnostics = new DiagnosticBag();
        var network = TfliteReader.Read(File.ReadAllBytes(Path.Combine(folder, $"{name}.tflite")), name, diagnostics);
        if (Refused.TryGetValue(name, out var code))
        {
            Assert.Null(MappingSelector.Select(LowerToGconv.Lower(network!, diagnostics)!, BuiltInMachines.Default, [], diagnostics, default));
            Assert.Equal(code, diagnostics.Diagnostics[0].Code);
            return;
        }

        var levels = network is null ? null : AllLevels.Compile(network, diagnostics);
        Assert.True(levels is not null, string.Join('\n', diagnostics.Diagnostics));

        // On all machines the first input, of the network the issue is about the first three; .ci/run --all takes all others too, on the default machine.
        var few = name == "resnet8_cifar10" ? 3 : 1;
        var files = Directory.GetFiles(Path.Combine(folder, "golden"), "*.input.bin").Order(StringComparer.Ordinal).Take(SharedMaterial.EveryInput ? int.MaxValue : few).ToArray();
        Assert.True(files.Length >= few);
        Assert.Null(levels.FirstDifference(Split(network!, File.ReadAllBytes(files[0]))));
        foreach (var (file, index) in files.Select((file, index) => (file, index)))
        {
            var inputs = Split(network!, File.ReadAllBytes(file));
            var output = network!.Layers.Single(l => l.Name == network.Outputs[0]).Type;
            var expected = new Tensor(output.Element, output.Shape, File.ReadAllBytes(file.Replace(".input.", ".output.")));
            foreach (var image in levels.Images.Take(index < few ? int.MaxValue : 1))
            {
                Assert.Null(AllLevels.ImageDifference(image, inputs, [expected]));
            }
        }
    }

    [Fact]
    public void Resnet8_runs_in_under_60_million_cycles_on_the_shared_bus()
    {
        var folder = SharedMaterial.Find("models", "resnet8_cifar10");
        Assert.SkipWhen(folder is null, SharedMaterial.Reason);
        var diagnostics = new DiagnosticBag();
        var network = TfliteReader.Read(File.ReadAllBytes(Path.Combine(folder, "resnet8_cifar10.tflite")), "resnet8", diagnostics)!;
        var levels = AllLevels.Compile(network, diagnostics, [BuiltInMachines.Default])!;
        var result = ImageInterpreter.Run(
            levels.Images[0], [File.ReadAllBytes(Path.Combine(folder, "golden", "00.input.bin"))], null, TestContext.Current.CancellationToken);
        Assert.InRange(result.Cycles.Total, 1, 60_000_000);
        Assert.Equal(12_501_632, result.Cycles.Macs);
        Assert.Equal(result.Cycles.Total, result.Layers.Sum(l => l.Cycles.Total) + result.Outside.Total);
    }

    private static IEnumerable<string> Folders(string root) =>
        Directory.GetDirectories(root).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal);

    /// <summary>Inputs of several tensors are stored one after the other, in graph order.</summary>
    internal static Tensor[] Split(NetworkGraph network, byte[] bytes)
    {
        var inputs = new List<Tensor>();
        var at = 0;
        foreach (var input in network.Inputs)
        {
            var size = checked((int)input.Type.Shape.Elements) * input.Type.Element.Size();
            inputs.Add(new(input.Type.Element, input.Type.Shape, bytes[at..(at + size)]));
            at += size;
        }

        Assert.Equal(bytes.Length, at);
        return [.. inputs];
    }
}
