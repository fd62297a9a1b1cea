using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Systolic.Tests;

/// <summary>Real models and the directed single-operator models: the image's outputs are the reference kernels' outputs.</summary>
public class GoldenModelTests
{
    private const string Absent = "absent";

    public static TheoryData<string> Kernels() => [.. Folders(SharedMaterial.Vectors("kernels"))];

    public static TheoryData<string> Models() =>
        SharedMaterial.Find("models") is { } root ? [.. Folders(root).Where(f => Directory.Exists(Path.Combine(root, f, "golden")))] : [Absent];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void A_single_operator_model_gives_the_reference_outputs(string name)
    {
        var folder = SharedMaterial.Vectors("kernels", name);
        var diagnostics = new DiagnosticBag();
        if (TfliteReader.Read(File.ReadAllBytes(Path.Combine(folder, $"{name}.tflite")), name, diagnostics) is not { } network)
        {
            // an operator the reader refuses by name: its own tests say which
            Assert.All(diagnostics.Diagnostics, d => Assert.StartsWith("CNN03", d.Code));
            return;
        }

        foreach (var machine in new[] { AllLevels.Machine(5, 7), BuiltInMachines.ArrayFlex[0] })
        {
            Check(network, folder, machine, int.MaxValue);
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void A_real_model_gives_the_reference_outputs(string name)
    {
        Assert.SkipWhen(name == Absent, SharedMaterial.Reason);
        var folder = SharedMaterial.Find("models", name)!;
        var diagnostics = new DiagnosticBag();
        if (TfliteReader.Read(File.ReadAllBytes(Path.Combine(folder, $"{name}.tflite")), name, diagnostics) is not { } network)
        {
            Assert.All(diagnostics.Diagnostics, d => Assert.StartsWith("CNN03", d.Code));
            return;
        }

        // the networks the issue is about: all inputs; of the others one
        Check(network, folder, BuiltInMachines.ArrayFlex[0], name is "resnet8_cifar10" or "vww_96" ? int.MaxValue : 1);
        Check(network, folder, BuiltInMachines.ArrayFlex[3], 1);
    }

    private static void Check(NetworkGraph network, string folder, MachineDescription machine, int most)
    {
        var diagnostics = new DiagnosticBag();
        var image = AllLevels.Compile(network, machine, diagnostics);
        Assert.True(image is not null, string.Join('\n', diagnostics.Diagnostics));
        var files = Directory.GetFiles(Path.Combine(folder, "golden"), "*.input.bin").Order(StringComparer.Ordinal).Take(most).ToList();
        Assert.NotEmpty(files);
        for (var i = 0; i < files.Count; i++)
        {
            var inputs = Split(network, File.ReadAllBytes(files[i]));
            var expected = File.ReadAllBytes(files[i].Replace(".input.", ".output."));
            Assert.Equal(expected, AllLevels.Run(image, inputs).Outputs.SelectMany(output => output.ToArray()));
            if (i == 0)
            {
                Assert.Null(AllLevels.FirstDifference(network, image, inputs));
            }
        }
    }

    private static IEnumerable<string> Folders(string root) => Directory.GetDirectories(root).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal);

    /// <summary>Inputs of several tensors are stored one after the other, in graph order.</summary>
    private static Tensor[] Split(NetworkGraph network, byte[] bytes)
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
