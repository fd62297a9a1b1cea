using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Interpreter.Vectors;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Interpreter.Tests;

/// <summary>Everything that was measured on the hardware: the vectors of the repository and, where present, all shared ones.</summary>
public sealed class GoldenVectorTests
{
    public static TheoryData<string> OwnFiles => new(Directory.GetFiles(SharedMaterial.Vectors("openedge"), "*.json").Select(Path.GetFileName).Order(StringComparer.Ordinal)!);

    [Theory]
    [MemberData(nameof(OwnFiles))]
    public void Every_vector_of_the_repository_agrees_with_the_hardware_in_every_field(string file)
    {
        Check(SharedMaterial.Vectors("openedge", file), alwaysWalkCycles: false);
    }

    [Theory]
    [MemberData(nameof(OwnFiles))]
    public void The_loop_over_cycles_agrees_with_the_hardware_too(string file)
    {
        Check(SharedMaterial.Vectors("openedge", file), alwaysWalkCycles: true);
    }

    [Theory]
    [MemberData(nameof(OwnFiles))]
    public void Translated_kernels_agree_with_the_hardware_too(string file)
    {
        Check(SharedMaterial.Vectors("openedge", file), alwaysWalkCycles: false, KernelEngine.Compiled);
    }

    [Theory]
    [InlineData(false, KernelEngine.Interpreted)]
    [InlineData(true, KernelEngine.Interpreted)]
    [InlineData(false, KernelEngine.Compiled)]
    public void Every_shared_vector_agrees_with_the_hardware_in_every_field(bool alwaysWalkCycles, KernelEngine engine)
    {
        Assert.SkipUnless(SharedMaterial.Exists, SharedMaterial.Reason);
        var files = Directory.GetFiles(SharedMaterial.Find("golden", "openedge")!, "*.json");
        Assert.NotEmpty(files);
        foreach (var file in files)
        {
            Check(file, alwaysWalkCycles, engine);
        }
    }

    [Fact]
    public void The_repository_has_directed_random_and_application_vectors()
    {
        Assert.True(OwnFiles.Count >= 3);
    }

    private static void Check(string path, bool alwaysWalkCycles, KernelEngine engine = KernelEngine.Interpreted)
    {
        var results = VectorVerifier.Verify(Path.GetFileName(path), File.ReadAllBytes(path), alwaysWalkCycles: alwaysWalkCycles, engine: engine, cancellation: TestContext.Current.CancellationToken);
        Assert.NotEmpty(results);
        Assert.All(results, r => Assert.True(r.FromBytes, $"{r.Name} did not go through the bytes of an image"));
        Assert.Equal([], results.Where(r => !r.Passed).Select(r => $"{r.Name}: {r.Difference ?? r.Diagnostic!.ToString()}"));
    }
}
