using CnnCompiler.TestSupport;

namespace CnnCompiler.Packaging.Tests;

/// <summary>The package for MSBuild as strangers use it: in a fresh folder, from a feed.</summary>
public class BuildTests(Feed feed)
{
    private const string Library = """
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup><TargetFrameworks>FRAMEWORKS</TargetFrameworks></PropertyGroup>
          <ItemGroup>
            <PackageReference Include="CnnCompiler.MSBuild" Version="VERSION" />
            <CnnNetwork Include="nets/*.cnn" CnnTarget="openedge" Options="--effort 0" />
          </ItemGroup>
        </Project>
        """;

    private const string Network = "network tiny {\n    input x : i8[1x28x28x1] scale 0.003921569 zero -128\n    y = max_pool2d(x, kernel=2x2)\n    output y\n}\n";
    private const string Broken = "network tiny {\n    input x : i8[1x28x28x1] scale 0.003921569 zero -128\n    y = max_pool2d(q, kernel=2x2)\n    output y\n}\n";

    [Fact]
    public void A_build_compiles_its_networks_when_they_changed_and_only_then()
    {
        var folder = Project("incremental", "net10.0");
        feed.Run(folder, "dotnet", "build", "--nologo").Exits(0);
        var images = new[] { "lenet5", "tiny" }.Select(name => Path.Combine(folder, "obj", "Debug", "net10.0", "cnn", "nets", name + ".cnnb")).ToList();
        var first = images.Select(File.GetLastWriteTimeUtc).ToList();
        Assert.All(images, image => Assert.True(File.Exists(image)));
        Assert.True(File.Exists(Path.Combine(folder, "bin", "Debug", "net10.0", "nets", "lenet5.cnnb")));

        feed.Run(folder, "dotnet", "build", "--nologo", "--no-restore").Exits(0);
        Assert.Equal(first, images.Select(File.GetLastWriteTimeUtc));

        // Weights that a network names are inputs, though the project does not list them.
        File.SetLastWriteTimeUtc(Path.Combine(folder, "nets", "lenet5.npz"), DateTime.UtcNow.AddSeconds(2));
        feed.Run(folder, "dotnet", "build", "--nologo", "--no-restore").Exits(0);
        Assert.NotEqual(first[0], File.GetLastWriteTimeUtc(images[0]));

        feed.Run(folder, "dotnet", "clean", "--nologo").Exits(0);
        Assert.All(images, image => Assert.False(File.Exists(image)));
        Assert.False(File.Exists(Path.Combine(folder, "bin", "Debug", "net10.0", "nets", "lenet5.cnnb")));
    }

    [Fact]
    public void A_mistake_in_a_network_is_an_error_of_the_build_at_its_place_and_leaves_no_image()
    {
        var folder = Project("mistake", "net10.0");
        File.WriteAllText(Path.Combine(folder, "nets", "tiny.cnn"), Broken);
        var result = feed.Run(folder, "dotnet", "build", "--nologo").Exits(1);
        Assert.Matches(@"nets[/\\]tiny\.cnn\(3,20\): error CNN0\d\d\d: ", result.Output);
        Assert.False(File.Exists(Path.Combine(folder, "obj", "Debug", "net10.0", "cnn", "nets", "tiny.cnnb")));
    }

    [Fact]
    public void Each_of_several_target_frameworks_has_its_images()
    {
        var folder = Project("frameworks", "net10.0;netstandard2.0");
        feed.Run(folder, "dotnet", "build", "--nologo").Exits(0);
        Assert.All(["net10.0", "netstandard2.0"], framework => Assert.True(File.Exists(Path.Combine(folder, "bin", "Debug", framework, "nets", "lenet5.cnnb"))));
    }

    private static string Sample(string name) => Path.Combine(SharedMaterial.Repository, "samples", name);

    private string Project(string name, string frameworks)
    {
        var folder = feed.NewProject(name);
        var nets = Directory.CreateDirectory(Path.Combine(folder, "nets")).FullName;
        feed.Write(folder, name + ".csproj", Library.Replace("FRAMEWORKS", frameworks, StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(nets, "tiny.cnn"), Network);
        File.Copy(Sample("lenet5.cnn"), Path.Combine(nets, "lenet5.cnn"));
        File.Copy(Sample("lenet5.npz"), Path.Combine(nets, "lenet5.npz"));
        return folder;
    }
}
