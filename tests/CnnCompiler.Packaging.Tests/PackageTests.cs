using CnnCompiler.TestSupport;

namespace CnnCompiler.Packaging.Tests;

/// <summary>The packages as strangers use them: in a fresh folder, from a feed.</summary>
public class PackageTests(Feed feed)
{
    private const string Library = """
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup><TargetFrameworks>FRAMEWORKS</TargetFrameworks></PropertyGroup>
          <ItemGroup>
            <PackageReference Include="CnnCompiler.MSBuild" Version="VERSION" />
            <CnnNetwork Include="nets/*.cnn" CnnTarget="openedge" />
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

        feed.Run(folder, "dotnet", "build", "--nologo").Exits(0);
        Assert.Equal(first, images.Select(File.GetLastWriteTimeUtc));

        // Weights that a network names are inputs, though the project does not list them.
        File.SetLastWriteTimeUtc(Path.Combine(folder, "nets", "lenet5.npz"), DateTime.UtcNow.AddSeconds(2));
        feed.Run(folder, "dotnet", "build", "--nologo").Exits(0);
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

    [Fact]
    public void The_tool_installs_and_runs_a_sample()
    {
        var folder = feed.NewProject("tool");
        feed.Run(folder, "dotnet", "tool", "install", "cnnc", "--tool-path", "bin", "--add-source", feed.Folder, "--prerelease").Exits(0);
        var cnnc = Path.Combine(folder, "bin", "cnnc");
        Assert.Contains("cnnc 0.0.0-test", feed.Run(folder, cnnc, "--version").Exits(0).Output, StringComparison.Ordinal);
        Assert.Contains("cycles", feed.Run(folder, cnnc, "run", Sample("lenet5.cnn"), "-t", "openedge", "--input", Sample("digits/7.npy")).Exits(0).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_program_that_embeds_compiler_and_runtime_builds_and_runs()
    {
        var folder = feed.NewProject("embedding");
        Feed.Write(folder, "embedding.csproj", """
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
              <ItemGroup>
                <PackageReference Include="CnnCompiler" Version="VERSION" />
                <PackageReference Include="CnnCompiler.Runtime" Version="VERSION" />
              </ItemGroup>
            </Project>
            """);
        Feed.Write(folder, "Program.cs", """
            using CnnCompiler;
            using CnnCompiler.Image.Container;
            using CnnCompiler.Interpreter.Execution;
            using CnnCompiler.Primitives.Diagnostics;

            var request = new CompileRequest(args[0], File.ReadAllBytes(args[0]), "openedge")
            {
                Companion = name => File.ReadAllBytes(Path.Join(Path.GetDirectoryName(args[0]), name)),
            };
            var compiled = Compiler.Compile(request);
            foreach (var diagnostic in compiled.Diagnostics)
            {
                Console.Error.WriteLine(diagnostic);
            }

            var image = ImageReader.Read(compiled.Image!.Value.ToArray(), "image", new DiagnosticBag())!;
            var result = ImageInterpreter.Run(image, [new byte[28 * 28]]);
            Console.WriteLine($"{result.Outputs[0].Length} scores, succeeded: {result.Succeeded}");
            """);
        Assert.Contains("10 scores, succeeded: True", feed.Run(folder, "dotnet", "run", "--", Sample("lenet5.cnn")).Exits(0).Output, StringComparison.Ordinal);
    }

    private static string Sample(string name) => Path.Combine(SharedMaterial.Repository, "samples", name);

    private string Project(string name, string frameworks)
    {
        var folder = feed.NewProject(name);
        var nets = Directory.CreateDirectory(Path.Combine(folder, "nets")).FullName;
        Feed.Write(folder, name + ".csproj", Library.Replace("FRAMEWORKS", frameworks, StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(nets, "tiny.cnn"), Network);
        File.Copy(Sample("lenet5.cnn"), Path.Combine(nets, "lenet5.cnn"));
        File.Copy(Sample("lenet5.npz"), Path.Combine(nets, "lenet5.npz"));
        return folder;
    }
}
