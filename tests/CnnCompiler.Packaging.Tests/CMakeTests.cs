using CnnCompiler.TestSupport;

namespace CnnCompiler.Packaging.Tests;

/// <summary>The CMake function, by the example project.</summary>
public class CMakeTests(Feed feed)
{
    [Theory]
    [InlineData("Ninja")]
    [InlineData("Unix Makefiles")]
    public void The_example_builds_its_network_again_when_the_weights_changed_and_only_then(string generator)
    {
        Assert.SkipUnless(OnPath("cmake") && OnPath("cc") && OnPath(generator == "Ninja" ? "ninja" : "make"), $"needs cmake, a C compiler and {generator} (Debian: cmake, gcc, ninja-build, make)");
        var folder = feed.NewProject("cmake " + generator);
        foreach (var file in (string[])["cmake/CnnCompiler.cmake", "samples/cmake/CMakeLists.txt", "samples/cmake/show-image.c", "samples/lenet5.cnn", "samples/lenet5.npz"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, file))!);
            File.Copy(Path.Combine(SharedMaterial.Repository, file), Path.Combine(folder, file));
        }

        feed.Run(folder, "cmake", "-S", "samples/cmake", "-B", "build", "-G", generator, $"-DCNNC_EXECUTABLE={feed.Tool}").Exits(0);
        feed.Run(folder, "cmake", "--build", "build").Exits(0);
        Assert.EndsWith(" bytes\n", feed.Run(folder, Path.Combine(folder, "build", "show-image")).Exits(0).Output.TrimEnd() + "\n", StringComparison.Ordinal);
        var image = Path.Combine(folder, "build", "lenet5.cnnb");
        var first = File.GetLastWriteTimeUtc(image);
        feed.Run(folder, "cmake", "--build", "build").Exits(0);
        Assert.Equal(first, File.GetLastWriteTimeUtc(image));
        File.SetLastWriteTimeUtc(Path.Combine(folder, "samples", "lenet5.npz"), DateTime.UtcNow.AddSeconds(2));
        feed.Run(folder, "cmake", "--build", "build").Exits(0);
        Assert.NotEqual(first, File.GetLastWriteTimeUtc(image));
    }

    private static bool OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, program)));
}
