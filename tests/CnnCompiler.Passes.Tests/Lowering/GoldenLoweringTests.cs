using System.Globalization;
using System.Text.Json;
using CnnCompiler.Frontend.Tests.Tflite;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Passes.Tests.Lowering;

/// <summary>Real models compute at the GCONV level what the reference kernels compute.</summary>
public sealed class GoldenLoweringTests
{
    public static TheoryData<string> Kernels => [.. GoldenModel.Find(SharedMaterial.Vectors("kernels"))];

    /// <summary>Inputs of a model unless all are asked for.</summary>
    private const int Few = 2;

    /// <summary>Models of the shared folder; one empty row where it is absent, so that the skip is seen.</summary>
    public static TheoryData<string> Models => SharedMaterial.Find("models") is { } models ? [.. GoldenModel.Find(models)] : [string.Empty];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void The_chain_of_a_single_operator_gives_the_golden_outputs(string folder) => Check(new(SharedMaterial.Vectors("kernels", folder)));

    [Theory]
    [MemberData(nameof(Models))]
    public void The_chain_of_a_model_gives_the_golden_outputs_and_intermediate_tensors(string folder)
    {
        Assert.SkipUnless(SharedMaterial.Exists, SharedMaterial.Reason);
        Check(new(SharedMaterial.Find("models", folder)!));
    }

    private static void Check(GoldenModel model)
    {
        var diagnostics = new DiagnosticBag();
        var imported = TfliteReader.ReadModel(File.ReadAllBytes(model.File), model.File, diagnostics);
        if (imported is null)
        {
            // What the reader may refuse is judged by its own tests; here nothing else is an excuse.
            Assert.All(diagnostics.Diagnostics, diagnostic => Assert.Equal("CNN0323", diagnostic.Code));
            return;
        }

        var graph = imported.Graph;
        var program = LowerToGconv.Lower(graph, diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        Assert.Empty(GconvVerifier.Check(program!));
        Assert.Equal(graph.Layers.Select(layer => layer.Name).Order(StringComparer.Ordinal), Layers(program!).Order(StringComparer.Ordinal));
        Assert.NotEmpty(model.Vectors);
        foreach (var vector in model.Vectors.Take(SharedMaterial.EveryInput ? int.MaxValue : Few))
        {
            var evaluation = GconvEvaluator.Evaluate(program!, model.Inputs(vector, graph), diagnostics);
            Assert.Empty(diagnostics.Diagnostics);
            var outputs = evaluation!.Outputs.SelectMany(output => output.Bytes.ToArray()).ToArray();
            Assert.True(model.Golden($"{vector}.output.bin").AsSpan().SequenceEqual(outputs), $"outputs of vector {vector} differ");
            CheckHashes(model, imported, evaluation, vector);
        }

        var text = GconvPrinter.Print(program!);
        Assert.Equal(program, GconvParser.Parse(text.Text, "chain.gconv", text.Constants, diagnostics));
    }

    // Hashes of every tensor are stored with the models; the single operators have no others than their output.
    private static void CheckHashes(GoldenModel model, TfliteModel imported, GconvEvaluation evaluation, string vector)
    {
        var manifest = Path.Combine(model.Folder, "golden", "manifest.json");
        if (!File.Exists(manifest))
        {
            return;
        }

        using var json = JsonDocument.Parse(File.ReadAllBytes(manifest));
        var hashes = json.RootElement.GetProperty("vectors").EnumerateArray().Single(v => v.GetProperty("n").GetString() == vector).GetProperty("tensor_sha256");
        foreach (var layer in imported.Graph.Layers)
        {
            Assert.True(hashes.GetProperty(imported.TensorIndices[layer.Name].ToString(CultureInfo.InvariantCulture)).GetString() == evaluation.Values[layer.Name].Hash(), $"vector {vector}, {layer.Keyword} {layer.Name} differs");
        }
    }

    private static IEnumerable<string> Layers(GconvProgram program) =>
        program.Steps.Select(step => step.Origin.Value.Layer).Distinct(StringComparer.Ordinal);
}
