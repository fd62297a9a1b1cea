using System.Text.Json;
using System.Text.RegularExpressions;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Architecture.Tests;

/// <summary>No data file of the repository is without a test that reads it: each belongs to a row below, whose test enumerates or names such files.</summary>
public class DataFileTests
{
    /// <summary>Files, the test that reads them, and what that test says when it does.</summary>
    private static readonly (string Files, string Test, string Reads)[] Rules =
    [
        (@"tests/vectors/openedge/[^/]+\.json", "tests/CnnCompiler.Interpreter.Tests/GoldenVectorTests.cs", "Directory.GetFiles(SharedMaterial.Vectors(\"openedge\"), \"*.json\")"),
        (@"tests/vectors/kernels/(?<model>[^/]+)/(?:\k<model>\.tflite|golden/\d+\.(?:in|out)put\.bin)", "tests/CnnCompiler.Passes.Tests/Lowering/GoldenLoweringTests.cs", "GoldenModel.Find(SharedMaterial.Vectors(\"kernels\"))"),
        (@"tests/vectors/kernels/index\.json", "tests/CnnCompiler.Ir.Tests/KernelVectorTests.cs", "SharedMaterial.Vectors(\"kernels\", \"index.json\")"),
        (@"tests/vectors/onnx/refused-golden-cases\.tsv", "tests/CnnCompiler.Frontend.Tests/Onnx/OnnxGoldenTests.cs", "\"refused-golden-cases.tsv\""),
        (@"tests/snapshots/[^/]+\.verified\.txt", "tests/CnnCompiler.Cli.Tests/LevelTextTests.cs", "No_accepted_text_is_without_its_sample"),
        (@"samples/zoo/[^/]+\.cnn", "tests/CnnCompiler.Cli.Tests/ZooLevelTests.cs", "\"samples\", \"zoo\"), \"*.cnn\""),
        (@"samples/lenet5\.(?:cnn|npz)", "tests/CnnCompiler.Cli.Tests/Cnnc.cs", "\"lenet5.cnn\""),
        (@"samples/digits/\d\.npy", "tests/CnnCompiler.Cli.Tests/RunCommandTests.cs", "Cnnc.Digit(digit)"),
        (@"samples/kernels/dot(?:\.inputs)?\.csv", "tests/CnnCompiler.Cli.Tests/AssembleCommandTests.cs", "\"dot.csv\""),
        (@"samples/slurm/[^/]+\.sh", "tests/CnnCompiler.Slurm.Tests/ExploreTests.cs", "\"explore.sh\""),
        (@"samples/cmake/[^/]+", "tests/CnnCompiler.Packaging.Tests/CMakeTests.cs", "\"cmake\""),
        (@"samples/(?:.*/)?[^/]+\.md", "tests/CnnCompiler.Cli.Tests/DocumentedCommandsTests.cs", "\"samples/\""),
        (@"samples/training/.*\.(?:cs|csproj|json|idx|npz|npy|bin|gz)", string.Empty, string.Empty), // the program that trained LeNet-5; its result is what is tested
    ];

    [Fact]
    public void Every_data_file_belongs_to_a_test()
    {
        var files = SourceTree.Files(string.Empty, "samples", "tests/vectors", "tests/snapshots").Where(file => !file.Contains(".received.", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(files);
        Assert.DoesNotContain(files, file => !Rules.Any(rule => Regex.IsMatch(file, $"^{rule.Files}$", RegexOptions.ExplicitCapture)));
        Assert.All(Rules, rule => Assert.Contains(files, file => Regex.IsMatch(file, $"^{rule.Files}$", RegexOptions.ExplicitCapture)));
        Assert.All(Rules.Where(rule => rule.Test.Length > 0), rule => Assert.Contains(rule.Reads, SourceTree.Read(rule.Test), StringComparison.Ordinal));
    }

    [Fact]
    public void Every_vector_of_a_kernel_stands_in_its_index()
    {
        using var index = JsonDocument.Parse(SourceTree.Read("tests/vectors/kernels/index.json"));
        var named = index.RootElement.EnumerateArray().Select(entry => entry.GetProperty("name").GetString()!).Order(StringComparer.Ordinal);
        Assert.Equal(named, Directory.EnumerateDirectories(SharedMaterial.Vectors("kernels")).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal));
    }
}
