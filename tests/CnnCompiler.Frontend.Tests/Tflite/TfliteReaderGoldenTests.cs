using System.Globalization;
using System.Text.Json;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Frontend.Tests.Tflite;

/// <summary>Imported models compute what the reference kernels compute, in every tensor that is known.</summary>
public sealed class TfliteReaderGoldenTests
{
    public static TheoryData<string> Kernels => [.. GoldenModel.Find(SharedMaterial.Vectors("kernels"))];

    /// <summary>Models of the shared folder; one empty row where it is absent, so that the skip is seen.</summary>
    public static TheoryData<string> Models => SharedMaterial.Find("models") is { } models ? [.. GoldenModel.Find(models)] : [string.Empty];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void A_single_operator_model_gives_the_golden_outputs(string folder) => Check(new(SharedMaterial.Vectors("kernels", folder)));

    [Theory]
    [MemberData(nameof(Models))]
    public void A_model_gives_the_golden_outputs_and_intermediate_tensors(string folder)
    {
        Assert.SkipUnless(SharedMaterial.Exists, SharedMaterial.Reason);
        Check(new(SharedMaterial.Find("models", folder)!));
    }

    private static void Check(GoldenModel model)
    {
        var bytes = File.ReadAllBytes(model.File);
        var diagnostics = new DiagnosticBag();
        var imported = TfliteReader.ReadModel(bytes, model.File, diagnostics);

        Assert.Empty(diagnostics.Diagnostics);
        Assert.NotNull(imported);
        Assert.NotEmpty(model.Vectors);
        Assert.Equal(GoldenModel.OperatorCodes(bytes).Count, imported.Graph.Layers.Count);
        Assert.All(imported.Graph.Layers, layer => Assert.NotEmpty(imported.TensorNames[layer.Name]));
        foreach (var vector in model.Vectors)
        {
            CheckVector(model, imported, vector);
        }
    }

    private static void CheckVector(GoldenModel model, TfliteModel imported, string vector)
    {
        var graph = imported.Graph;
        var diagnostics = new DiagnosticBag();
        var evaluation = NetworkEvaluator.Evaluate(graph, model.Inputs(vector, graph), diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        Assert.NotNull(evaluation);
        CheckTensors(model, imported, evaluation, vector);
        CheckHashes(model, imported, evaluation, vector);
        var outputs = evaluation.Outputs.SelectMany(output => output.Bytes.ToArray()).ToArray();
        Assert.True(model.Golden($"{vector}.output.bin").AsSpan().SequenceEqual(outputs), $"outputs of vector {vector} differ");
    }

    /// <summary>Every tensor that is stored element by element.</summary>
    private static void CheckTensors(GoldenModel model, TfliteModel imported, NetworkEvaluation evaluation, string vector)
    {
        var folder = Path.Combine(model.Folder, "golden", $"{vector}.tensors");
        if (!Directory.Exists(folder))
        {
            return;
        }

        var files = Directory.GetFiles(folder, "*.bin").ToDictionary(file => int.Parse(Path.GetFileNameWithoutExtension(file), CultureInfo.InvariantCulture), File.ReadAllBytes);
        foreach (var layer in imported.Graph.Layers)
        {
            var difference = Difference(files[imported.TensorIndices[layer.Name]], evaluation.Values[layer.Name]);
            Assert.True(difference is null, $"vector {vector}, {layer.Keyword} {layer.Name}: {difference}");
        }

        Assert.Empty(files.Keys.Except(imported.TensorIndices.Values));
    }

    /// <summary>Every tensor whose hash is stored.</summary>
    private static void CheckHashes(GoldenModel model, TfliteModel imported, NetworkEvaluation evaluation, string vector)
    {
        var manifest = Path.Combine(model.Folder, "golden", "manifest.json");
        if (!File.Exists(manifest))
        {
            return;
        }

        using var json = JsonDocument.Parse(File.ReadAllBytes(manifest));
        var hashes = json.RootElement.GetProperty("vectors").EnumerateArray().Single(v => v.GetProperty("n").GetString() == vector)
            .GetProperty("tensor_sha256").EnumerateObject().ToDictionary(h => int.Parse(h.Name, CultureInfo.InvariantCulture), h => h.Value.GetString()!);
        foreach (var layer in imported.Graph.Layers)
        {
            Assert.True(hashes[imported.TensorIndices[layer.Name]] == evaluation.Values[layer.Name].Hash(), $"vector {vector}, {layer.Keyword} {layer.Name} differs");
        }
    }

    private static string? Difference(ReadOnlySpan<byte> expected, Tensor actual)
    {
        var at = expected.CommonPrefixLength(actual.Bytes);
        return at == expected.Length && at == actual.Bytes.Length ? null : $"element {at} is {actual.GetInteger(at)}, the reference has {(sbyte)expected[at]}";
    }
}
