using System.IO.Compression;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Packaging.Tests;

/// <summary>The tool and the libraries as strangers use them: in a fresh folder, from a feed.</summary>
public class PackageTests(Feed feed)
{
    [Fact]
    public void The_tool_installs_and_runs_a_sample()
    {
        var folder = feed.NewProject("tool user");
        var cnnc = feed.Tool;
        Assert.Contains($"cnnc {feed.Version}", feed.Run(folder, cnnc, "--version").Exits(0).Output, StringComparison.Ordinal);
        Assert.Contains("cycles", feed.Run(folder, cnnc, "run", Sample("lenet5.cnn"), "-t", "openedge", "--input", Sample("digits/7.npy")).Exits(0).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void The_package_for_msbuild_has_the_task_alone_where_msbuild_loads_it_and_the_compiler_where_it_is_started()
    {
        using var package = ZipFile.OpenRead(Path.Combine(feed.Folder, $"CnnCompiler.MSBuild.{feed.Version}.nupkg"));
        var names = package.Entries.Select(entry => entry.FullName).ToList();
        Assert.Equal(["tasks/netstandard2.0/CnnCompiler.MSBuild.dll"], names.Where(name => name.StartsWith("tasks/", StringComparison.Ordinal)));
        Assert.All(["cnnc.dll", "cnnc.runtimeconfig.json", "CnnCompiler.Targets.dll"], name => Assert.Contains($"tools/net10.0/{name}", names));
        Assert.DoesNotContain(names, name => name.StartsWith("lib/", StringComparison.Ordinal));
    }

    [Fact]
    public void A_program_that_embeds_compiler_and_runtime_builds_and_runs()
    {
        var folder = feed.NewProject("embedding");
        feed.Write(folder, "embedding.csproj", """
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
              <ItemGroup>
                <PackageReference Include="CnnCompiler" Version="VERSION" />
                <PackageReference Include="CnnCompiler.Runtime" Version="VERSION" />
              </ItemGroup>
            </Project>
            """);
        feed.Write(folder, "Program.cs", """
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
}
