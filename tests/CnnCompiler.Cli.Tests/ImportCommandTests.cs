using CnnCompiler.Core.Numpy;
using CnnCompiler.Frontend;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary><c>cnnc import</c>: the description that is written is the model.</summary>
public sealed class ImportCommandTests
{
    /// <summary>All models of the repository and of the shared material, each kernel that both have once.</summary>
    public static TheoryData<string> Models => [.. Files.Keys];

    private static SortedDictionary<string, string> Files { get; } = FindFiles();

    [Theory]
    [MemberData(nameof(Models))]
    public void An_imported_model_compiles_to_the_image_of_the_model(string name)
    {
        var file = Files[name];
        var bytes = File.ReadAllBytes(file);
        var fileName = name + Path.GetExtension(file);

        // A model that doesn't compile for the machine is compared at the level it reaches; one that no network is made of has nothing to compare.
        var direct = Compiler.Compile(new(fileName, bytes, "openedge"));
        if (!direct.Modules.TryGetValue(IrLevel.Network, out var network))
        {
            Assert.NotEmpty(direct.Diagnostics);
            return;
        }

        using var scratch = new Scratch();
        var model = scratch.Write(fileName, bytes);
        var result = Cnnc.Run("import", model, "-o", scratch["net.cnn"]).Exits(0);
        Assert.StartsWith($"{scratch["net.cnn"]}: ", result.LastLine, StringComparison.Ordinal);
        Assert.Empty(Cnnc.Run("fmt", "--check", scratch["net.cnn"]).Exits(0).Error);

        var text = File.ReadAllBytes(scratch["net.cnn"]);
        var again = Compiler.Compile(new("net.cnn", text, "openedge") { Companion = companion => File.ReadAllBytes(scratch[companion]) });
        Assert.Equal(network.Print(), again.Modules[IrLevel.Network].Print());
        Assert.Equal(direct.Succeeded, again.Succeeded);
        Assert.True(direct.Image.HasValue == again.Image.HasValue && (direct.Image is not { } image || image.Span.SequenceEqual(again.Image!.Value.Span)), "the images differ");
    }

    [Fact]
    public void The_models_are_found()
    {
        Assert.True(Files.Count(file => file.Value.EndsWith(".tflite", StringComparison.Ordinal)) >= (SharedMaterial.Exists ? 40 : 25));
        Assert.Equal(SharedMaterial.Exists, Files.Values.Any(file => file.EndsWith(".onnx", StringComparison.Ordinal)));
    }

    [Fact]
    public void Damaged_models_names_of_sources_and_missing_folders_are_refused_and_nothing_is_left()
    {
        using var scratch = new Scratch();
        var bytes = File.ReadAllBytes(Files.Values.First(file => file.EndsWith(".tflite", StringComparison.Ordinal)));
        var model = scratch.Write("m.tflite", bytes);
        var cut = scratch.Write("cut.tflite", bytes[..(bytes.Length / 2)]);
        Assert.Contains("CNN032", Cnnc.Run("import", cut, "-o", scratch["x.cnn"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0018", Cnnc.Run("import", model, "-o", model).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0018", Cnnc.Run("import", model, "-o", scratch["x.npz"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0007", Cnnc.Run("import", model, "-o", scratch["none/x.cnn"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0003", Cnnc.Run("import", scratch["y.tflite"], "-o", scratch["x.cnn"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.Equal(["cut.tflite", "m.tflite"], scratch.Names);
        Assert.Equal(bytes, File.ReadAllBytes(model));
    }

    [Fact]
    public void A_network_without_weights_gets_no_weight_file()
    {
        using var scratch = new Scratch();
        var model = scratch.Write("pool.tflite", File.ReadAllBytes(SharedMaterial.Vectors("kernels", "maxpool_2x2_valid_relu", "maxpool_2x2_valid_relu.tflite")));
        Cnnc.Run("import", model, "-o", scratch["pool.cnn"]).Exits(0);
        Assert.Equal(["pool.cnn", "pool.tflite"], scratch.Names);
        var problems = new DiagnosticBag();
        Assert.NotNull(CnnFrontend.Parse(File.ReadAllText(scratch["pool.cnn"]), "pool.cnn", _ => null, problems));
    }

    [Fact]
    public void The_weights_are_the_arrays_of_the_model_under_the_names_of_its_layers()
    {
        using var scratch = new Scratch();
        var model = scratch.Write("c.tflite", File.ReadAllBytes(SharedMaterial.Vectors("kernels", "conv_1x1_s2_relu6", "conv_1x1_s2_relu6.tflite")));
        Cnnc.Run("import", model, "-o", scratch["c.cnn"]).Exits(0);
        var arrays = NpzFile.Read(File.ReadAllBytes(scratch["c.npz"]), "c.npz", new DiagnosticBag())!;
        Assert.All(arrays.Keys, name => Assert.Contains($"{name.Split('.')[0]} = conv2d(", File.ReadAllText(scratch["c.cnn"]), StringComparison.Ordinal));
        Assert.Contains(arrays.Keys, name => name.EndsWith(".weights", StringComparison.Ordinal));
    }

    private static SortedDictionary<string, string> FindFiles()
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var root in ((string?[])[SharedMaterial.Vectors("kernels"), SharedMaterial.Find("models"), SharedMaterial.Find("golden", "onnx")]).OfType<string>())
        {
            foreach (var file in Directory.GetFiles(root, "*", SearchOption.AllDirectories).Where(file => Path.GetExtension(file) is ".tflite" or ".onnx"))
            {
                var name = Path.GetFileNameWithoutExtension(file);
                files.TryAdd(name == "model" ? Path.GetFileName(Path.GetDirectoryName(file)!) : name, file);
            }
        }

        return files;
    }
}
