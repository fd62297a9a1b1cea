using CnnCompiler.Core.Numpy;
using CnnCompiler.Frontend.Tests.Tflite;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary><c>cnnc import</c> writes models in the language; nothing is lost on the way.</summary>
public sealed class ImportCommandTests
{
    // The array's own target takes minutes for the largest of them.
    private const string FastTarget = "arrayflex";

    public static TheoryData<string> Vectors => [.. Models(SharedMaterial.Vectors())];

    public static TheoryData<string> Shared => SharedMaterial.Exists
        ? [.. Models(SharedMaterial.Find("models")!), .. Models(SharedMaterial.Find("golden")!)]
        : [SharedMaterial.Reason];

    [Theory]
    [MemberData(nameof(Vectors))]
    public void A_model_and_what_is_imported_of_it_compile_to_the_same_image(string model)
    {
        if (SameImage(model, FastTarget))
        {
            SameImage(model, "openedge");
        }
    }

    [Theory]
    [MemberData(nameof(Shared))]
    public void A_shared_model_and_what_is_imported_of_it_compile_to_the_same_image(string model)
    {
        Assert.SkipUnless(SharedMaterial.Exists, SharedMaterial.Reason);
        SameImage(model, FastTarget);
    }

    [Fact]
    public void A_model_of_each_operator_that_is_listed_compiles_and_so_does_what_is_imported_of_it()
    {
        using var scratch = new Scratch();
        foreach (var (code, bytes) in OperatorModels.Codes.Zip(OperatorModels.All))
        {
            var model = scratch.Write($"{OperatorModels.NameOf(code)}.tflite", bytes);
            Assert.True(SameImage(model, FastTarget), OperatorModels.NameOf(code));
            var input = scratch.Write("x.bin", [.. Enumerable.Range(0, 48).Select(i => (byte)(i * 37))]);
            Assert.Equal("all levels are equal", Cnnc.Run("compare", model, "-t", FastTarget, "--input", input).Exits(0).LastLine);
        }
    }

    [Fact]
    public void What_is_written_says_how_values_were_called()
    {
        using var scratch = new Scratch();
        var model = Models(SharedMaterial.Vectors()).First(file => Path.GetFileName(file).StartsWith("conv", StringComparison.Ordinal) && Cnnc.Run("check", file).ExitCode == 0);
        var result = Cnnc.Run("import", model, "-o", scratch["net.cnn"]).Exits(0);
        Assert.Matches(@"net\.cnn, .*net\.npz: \d+ layers?, [\d,]+ bytes of weights\n", result.Out);
        Assert.Matches(@"(?m)^    \w+ += conv2d\(.*\) : scale .*$", File.ReadAllText(scratch["net.cnn"]));
        Assert.Empty(Cnnc.Run("fmt", "--check", scratch["net.cnn"]).Exits(0).Error);

        Assert.SkipUnless(SharedMaterial.Exists, SharedMaterial.Reason);
        Cnnc.Run("import", SharedMaterial.Find("models", "resnet8_cifar10", "resnet8_cifar10.tflite")!, "-o", scratch["resnet8.cnn"]).Exits(0);
        Assert.Matches(@"(?m)^    activation_1 += conv2d\(activation, .*\) : scale .* // model/activation_1/Relu\.\.\.$", File.ReadAllText(scratch["resnet8.cnn"]));
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

    [Fact]
    public void Models_that_are_none_and_names_of_results_that_are_sources_leave_no_file()
    {
        using var scratch = new Scratch();
        var broken = scratch.Write("broken.tflite", [0, 0, 0, 0, (byte)'T', (byte)'F', (byte)'L', (byte)'3']);
        Assert.Contains("error CNN", Cnnc.Run("import", broken, "-o", scratch["net.cnn"]).Exits(1).Error, StringComparison.Ordinal);
        var own = scratch.Write("own.cnn", File.ReadAllText(Cnnc.Lenet5));
        Assert.Contains("CNN0018", Cnnc.Run("import", own, "-o", own).Exits(1).Error, StringComparison.Ordinal);
        Assert.Contains("CNN0018", Cnnc.Run("import", broken, "-o", scratch["net.npz"]).Exits(1).Error, StringComparison.Ordinal);
        Assert.Equal(["broken.tflite", "own.cnn"], scratch.Names.Order(StringComparer.Ordinal));
    }

    // What is refused is for the importers' own tests.
    private static bool SameImage(string model, string target)
    {
        using var scratch = new Scratch();
        if (Cnnc.Run("compile", model, "-t", target, "-o", scratch["direct.cnnb"]).ExitCode != 0)
        {
            return false;
        }

        var name = Path.GetFileNameWithoutExtension(model);
        var network = scratch[$"{name}.cnn"];
        Cnnc.Run("import", model, "-o", network).Exits(0);
        Cnnc.Run("fmt", "--check", network).Exits(0);
        Cnnc.Run("compile", network, "-t", target, "-o", scratch["imported.cnnb"]).Exits(0);
        Assert.True(File.ReadAllBytes(scratch["direct.cnnb"]).AsSpan().SequenceEqual(File.ReadAllBytes(scratch["imported.cnnb"])), File.ReadAllText(network));
        return true;
    }

    private static IEnumerable<string> Models(string folder) =>
        Directory.EnumerateFiles(folder, "*.*", SearchOption.AllDirectories).Where(file => Path.GetExtension(file) is ".tflite" or ".onnx").Order(StringComparer.Ordinal);
}
