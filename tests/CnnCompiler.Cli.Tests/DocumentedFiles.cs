using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Cli.Tests;

/// <summary>The files that pages of the documentation speak of, in a folder in which their command lines run.</summary>
internal static class DocumentedFiles
{
    /// <summary>How pages name the material beside the repository.</summary>
    public const string Shared = "../shared/";

    private const string Model = "conv_3x3_same_s1_relu";
    private static readonly string Tool = Path.Combine(AppContext.BaseDirectory, "cnnc.dll");

    /// <summary>Fills a folder with them.</summary>
    public static void Prepare(Scratch scratch)
    {
        Copy(Path.Combine(SharedMaterial.Repository, "samples"), scratch["samples"]);
        Copy(SharedMaterial.Vectors("openedge"), scratch["tests/vectors/openedge"]);
        File.Copy(Cnnc.Lenet5, scratch["net.cnn"]);
        File.Copy(Path.ChangeExtension(Cnnc.Lenet5, ".npz"), scratch["lenet5.npz"]);
        File.Copy(SharedMaterial.Vectors("kernels", Model, $"{Model}.tflite"), scratch["model.tflite"]);
        Cnnc.Run("compile", scratch["model.tflite"], "-t", "openedge", "-o", scratch["model.cnnb"]).Exits(0);
        Cnnc.Run("compile", scratch["net.cnn"], "-t", "openedge", "--emit", "gconv", "-o", scratch["net.cnnir"]).Exits(0);
        var text = Cnnc.Run("compile", scratch["model.tflite"], "-t", "openedge", "--emit", "network").Exits(0).Out;
        var shape = Regex.Match(text, @"input [^\n]*? : i8\[(?<shape>[\dx]+)\]").Groups["shape"].Value.Split('x').Select(extent => int.Parse(extent, CultureInfo.InvariantCulture)).ToArray();
        scratch.Write("image.npy", NpyFile.Write(new(ElementType.Int8, Shape.Of(shape), File.ReadAllBytes(SharedMaterial.Vectors("kernels", Model, "golden", "00.input.bin")))));
        scratch.Write("float.cnn", "network small {\n    weights seed 7\n    input x : f32[1x6x6x2]\n    y = conv2d(x, filters=4, kernel=3x3)\n    output y\n}\n");
        var images = Enumerable.Range(0, 4 * 6 * 6 * 2).Select(index => ((index * 37) % 101 / 50f) - 1).ToArray();
        scratch.Write("images.npz", NpzFile.Write([new("x", Tensor.From<float>(ElementType.Float32, Shape.Of(4, 6, 6, 2), images))]));
    }

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories).Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    /// <summary>Runs the tool itself in a folder; its exit code and what it printed.</summary>
    public static (int Code, string Output) Execute(string folder, IReadOnlyList<string> words)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet")
        {
            UseShellExecute = false,
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var word in words.Prepend(Tool))
        {
            start.ArgumentList.Add(word.Replace(Shared, SharedMaterial.Root + "/", StringComparison.Ordinal));
        }

        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + error.GetAwaiter().GetResult());
    }
}
