using CnnCompiler.Core;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Frontend.Tflite;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Frontend.Tests.Language;

/// <summary>A network that is written in the language and read again is the same network.</summary>
public sealed class WriterTests
{
    public static TheoryData<string> Models => [.. Files.Select(file => Path.GetRelativePath(SharedMaterial.Repository, file).Replace('\\', '/'))];

    // What the importer refuses is for its own tests.
    private static IEnumerable<string> Files => Directory.EnumerateFiles(SharedMaterial.Vectors(), "*.tflite", SearchOption.AllDirectories)
        .Where(file => TfliteReader.Read(File.ReadAllBytes(file), Path.GetFileName(file), new DiagnosticBag()) is not null).Order(StringComparer.Ordinal);

    [Theory]
    [MemberData(nameof(LanguageDocumentTests.Networks), MemberType = typeof(LanguageDocumentTests))]
    public void An_example_of_the_documentation_is_read_back(string network) => Same(LanguageDocumentTests.Parse(network), renamed: true);

    [Theory]
    [MemberData(nameof(Models))]
    public void A_model_is_read_back(string file) => Same(Import(Path.Combine(SharedMaterial.Repository, file)), renamed: false);

    [Fact]
    public void The_models_of_the_shared_folder_are_read_back()
    {
        Assert.SkipUnless(SharedMaterial.Exists, SharedMaterial.Reason);
        foreach (var folder in (string[])["float", "resnet8_cifar10", "kws_dscnn", "ad01_fcae"])
        {
            Assert.All(Directory.GetFiles(SharedMaterial.Find("models", folder)!, "*.tflite"), file => Same(Import(file), renamed: false));
        }
    }

    [Fact]
    public void Names_that_are_no_identifiers_are_made_ones()
    {
        var type = new TensorType(ElementType.Float32, Shape.Of(1, 4));
        var graph = new NetworkGraph(
            "a b", [new("input", type)], [new Activation("1/x", ["input"], type, FusedActivation.Relu), new Add("1_x", ["1/x", "input"], type, FusedActivation.None, RoundingScheme.TfliteDouble)], ["1_x"]);
        var text = CnnWriter.Write(graph, "a.npz").Text;
        Assert.Contains("v_1_x = activation(v_input, function=relu)", text, StringComparison.Ordinal);
        Assert.Contains("v_1_x_2 = add(v_1_x, v_input)", text, StringComparison.Ordinal);
        Assert.Equal("a_b", Read(text, []).Name);
    }

    private static NetworkGraph Import(string file)
    {
        var diagnostics = new DiagnosticBag();
        var graph = TfliteReader.Read(File.ReadAllBytes(file), Path.GetFileName(file), diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return graph!;
    }

    private static NetworkGraph Read(string text, IReadOnlyList<KeyValuePair<string, Tensor>> arrays)
    {
        var bytes = NpzFile.Write(arrays);
        var diagnostics = new DiagnosticBag();
        var graph = CnnFrontend.Parse(text, "written.cnn", path => path == "written.npz" ? bytes : null, diagnostics);
        Assert.True(diagnostics.Diagnostics.Count == 0, $"{string.Join('\n', diagnostics.Diagnostics)}\n{text}");
        Assert.Equal(text, CnnFormatter.Format(text, "written.cnn", diagnostics));
        return graph!;
    }

    // Names of layers in blocks have dots, which the writer takes out: names are compared by their place.
    private static void Same(NetworkGraph graph, bool renamed)
    {
        var written = CnnWriter.Write(graph, "written.npz");
        var read = Read(written.Text, written.Arrays);
        if (renamed)
        {
            graph = Numbered(graph);
            read = Numbered(read);
        }

        Assert.Equal(graph.Inputs, read.Inputs);
        Assert.Equal(graph.Layers.Count, read.Layers.Count);
        Assert.All(graph.Layers.Zip(read.Layers), pair => Assert.Equal(pair.First, pair.Second));
        Assert.Equal(graph.Outputs, read.Outputs);
    }

    private static NetworkGraph Numbered(NetworkGraph graph)
    {
        var names = graph.Inputs.Select(input => input.Name).Concat(graph.Layers.Select(layer => layer.Name)).Select((name, place) => (name, place)).ToDictionary(
            entry => entry.name, entry => FormattableString.Invariant($"v{entry.place}"), StringComparer.Ordinal);
        return new(
            graph.Name,
            [.. graph.Inputs.Select(input => input with { Name = names[input.Name] })],
            [.. graph.Layers.Select(layer => layer with { Name = names[layer.Name], Inputs = [.. layer.Inputs.Select(name => names[name])] })],
            [.. graph.Outputs.Select(name => names[name])]);
    }
}
