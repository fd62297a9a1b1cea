using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Container;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.OpenEdge;

namespace CnnCompiler.Cli.Tests;

/// <summary>What is read from the RAM of a running image.</summary>
public class ImageTensorsTests
{
    private static readonly CompileResult Compiled = Compiler.Compile(new("lenet5.cnn", File.ReadAllBytes(Cnnc.Lenet5), "openedge")
    {
        Companion = name => File.ReadAllBytes(Path.Combine(Path.GetDirectoryName(Cnnc.Lenet5)!, name)),
    });

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
        var module = (ImageModule)Compiled.Modules[IrLevel.Image];
        // pointers and weights of conv2's launches lie in RAM, a block for each column; the last word but one of the longest holds two weights
        var layer = module.Image.Layers.ToList().FindIndex(info => info.Name == "conv2");
        var pointers = module.Image.HostProgram.OfType<HostLaunch>().Where(step => step.Layer == layer).Select(step => module.Image.Launches[step.Launch].ReadPointers).MaxBy(read => read[1] - read[0])!;
        var address = (int)pointers[1]! - 8;
        var constants = module.Image.RamConstants.Select(block => block with { Words = block.Words.ToArray() }).ToList();
        var changed = constants.Single(block => block.Address <= address && address < block.Address + (block.Words.Length * sizeof(uint)));
        System.Runtime.InteropServices.MemoryMarshal.AsMemory(changed.Words).Span[(address - changed.Address) / sizeof(uint)] ^= 0x10;
        var expected = Evaluate(IrLevel.Network);
        var differing = Read(module with { Image = module.Image with { RamConstants = constants } })
            .FirstOrDefault(entry => expected.TryGetValue(entry.Key, out var tensor) && !Codes(tensor).SequenceEqual(Codes(entry.Value)));
        Assert.Equal("conv2", differing.Key);
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
