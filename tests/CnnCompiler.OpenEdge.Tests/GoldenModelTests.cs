using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
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
