using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Overlay.Tests;

/// <summary>Real models and the directed single-operator models on overlays: the image's outputs are the reference kernels' outputs, convolutions take the cycles predicted.</summary>
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
        foreach (var machine in (MachineDescription[])[OverlayLevels.Machine(5, 7), BuiltInMachines.Overlay[1]])
        {
            Check(folder, name, machine, int.MaxValue);
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void A_real_model_gives_the_reference_outputs(string name)
    {
        Assert.SkipWhen(name == Absent, SharedMaterial.Reason);
        foreach (var machine in BuiltInMachines.Overlay)
        {
            Check(SharedMaterial.Find("models", name)!, name, machine, 1);
        }
    }

    private static void Check(string folder, string name, MachineDescription machine, int most)
    {
        var diagnostics = new DiagnosticBag();
        if (TfliteReader.Read(File.ReadAllBytes(Path.Combine(folder, $"{name}.tflite")), name, diagnostics) is not { } network)
        {
            // an operator the reader refuses by name: its own tests say which
            Assert.All(diagnostics.Diagnostics, d => Assert.StartsWith("CNN03", d.Code));
            return;
        }

        diagnostics = new();
        var image = OverlayLevels.Compile(network, machine, diagnostics);
        Assert.True(image is not null, string.Join('\n', diagnostics.Diagnostics));
        var files = Directory.GetFiles(Path.Combine(folder, "golden"), "*.input.bin").Order(StringComparer.Ordinal).Take(most).ToList();
        Assert.NotEmpty(files);
        foreach (var file in files)
        {
            var inputs = Split(network, File.ReadAllBytes(file));
            var expected = File.ReadAllBytes(file.Replace(".input.", ".output."));
            var outputs = image.Evaluate(inputs, diagnostics, TestContext.Current.CancellationToken)!.Outputs;
            Assert.Equal(expected, outputs.SelectMany(output => output.Bytes.ToArray()));
        }

        Assert.Empty(OverlayLevels.WrongPredictions(image, Split(network, File.ReadAllBytes(files[0]))));
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
