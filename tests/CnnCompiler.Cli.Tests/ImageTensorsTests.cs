using System.IO.Compression;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.OpenEdge;

namespace CnnCompiler.Cli.Tests;

/// <summary>What is read from the RAM of a running image.</summary>
public class ImageTensorsTests
{
    private static readonly CompileResult Compiled = Compile(bytes => bytes);

    private static readonly Tensor Input = NpyFile.Read(File.ReadAllBytes(Cnnc.Digit(5)), "5.npy", new DiagnosticBag())!;

    [Fact]
    public void Every_layer_of_the_sample_can_be_seen_and_has_the_codes_of_the_network_level()
    {
        var expected = Evaluate(IrLevel.Network);
        var seen = Read((ImageModule)Compiled.Modules[IrLevel.Image]);
        Assert.Superset(new HashSet<string>(["conv1", "pool1", "conv2", "pool2", "dense1", "dense2", "logits", "probabilities"]), seen.Select(entry => entry.Key).ToHashSet());
        Assert.All(seen.Where(entry => expected.ContainsKey(entry.Key)), entry => Assert.Equal(Codes(expected[entry.Key]), Codes(entry.Value)));
    }

    [Fact]
    public void An_image_with_another_weight_differs_first_in_the_layer_that_reads_it()
    {
        var other = (ImageModule)Compile(bytes => WithAnotherByte(bytes, "conv2.weights.npy")).Modules[IrLevel.Image];
        var expected = Evaluate(IrLevel.Network);
        var differing = Read(other)
            .FirstOrDefault(entry => expected.TryGetValue(entry.Key, out var tensor) && !Codes(tensor).SequenceEqual(Codes(entry.Value)));
        Assert.Equal("conv2", differing.Key);
    }

    [Fact]
    public void A_tensor_that_lies_packed_as_its_reader_multiplies_it_has_the_codes_of_the_network_level()
    {
        const string Text = """
            network packed {
                weights seed 12
                input x : i8[1x8x6x16] scale 0.5 zero 5
                spatial = depthwise_conv2d(x, kernel=3, padding=same, activation=relu)
                mixed = conv2d(spatial, filters=16, kernel=1, activation=relu)
                output mixed
            }
            """;
        var result = Compiler.Compile(new("packed.cnn", System.Text.Encoding.UTF8.GetBytes(Text), "openedge") { Forced = [new("spatial:layout", "packed-h")] });
        var module = (ImageModule)result.Modules[IrLevel.Image];
        Assert.Equal(2, module.Mapped.Buffers.Single(buffer => buffer.Name == "spatial").Layout.Lanes);
        var input = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, 8, 6, 16), [.. Enumerable.Range(0, 8 * 6 * 16).Select(i => (sbyte)((i * 89 % 256) - 128))]);
        var expected = result.Modules[IrLevel.Network].Evaluate([input], new DiagnosticBag(), TestContext.Current.CancellationToken)!.Values["spatial"];
        var seen = ImageTensors.Read(module, [input], new DiagnosticBag(), TestContext.Current.CancellationToken).Single(entry => entry.Key == "spatial").Value;
        Assert.Equal(Codes(expected), Codes(seen));
    }

    private static CompileResult Compile(Func<byte[], byte[]> weights) => Compiler.Compile(new("lenet5.cnn", File.ReadAllBytes(Cnnc.Lenet5), "openedge")
    {
        Companion = name => weights(File.ReadAllBytes(Path.Combine(Path.GetDirectoryName(Cnnc.Lenet5)!, name))),
    });

    /// <summary>The archive with one bit of the last value of an entry changed.</summary>
    private static byte[] WithAnotherByte(byte[] archive, string entry)
    {
        using var stream = new MemoryStream();
        stream.Write(archive);
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Update, leaveOpen: true))
        {
            using var data = zip.GetEntry(entry)!.Open();
            data.Seek(-1, SeekOrigin.End);
            var last = data.ReadByte();
            data.Seek(-1, SeekOrigin.End);
            data.WriteByte((byte)(last ^ 0x10));
        }

        return stream.ToArray();
    }

    private static IReadOnlyDictionary<string, Tensor> Evaluate(IrLevel level)
    {
        var module = Compiled.Modules[level];
        return module.Evaluate([Input.Reshape(module.Inputs[0].Type.Shape)], new DiagnosticBag(), TestContext.Current.CancellationToken)!.Values;
    }

    private static List<KeyValuePair<string, Tensor>> Read(ImageModule module) =>
        ImageTensors.Read(module, [Input], new DiagnosticBag(), TestContext.Current.CancellationToken).ToList();

    private static IEnumerable<long> Codes(Tensor tensor) => Enumerable.Range(0, (int)tensor.Shape.Elements).Select(index => tensor.GetInteger(index));
}
