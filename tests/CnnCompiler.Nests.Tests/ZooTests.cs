using System.Text;
using System.Text.RegularExpressions;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Nests.Tests;

/// <summary>The networks of the paper at reduced resolution, each on one of the machines: every value bit-exact, every count as predicted.</summary>
public class ZooTests
{
    private static readonly (string Network, string Machine, (string Constant, int Value)[] Constants)[] Cases =
    [
        ("alexnet", "eyeriss", [("size", 67)]),
        ("googlenet", "dnnweaver", [("size", 32)]),
        ("densenet121", "nlr", [("size", 32)]),
        ("mobilenet_v1", "tpu", [("size", 48)]),
        ("zf_faster_rcnn", "eager-pruning", [("height", 32), ("width", 48), ("regions", 2)]),
        ("c3d", "eyeriss", [("size", 16)]),
        ("capsnet", "dnnweaver", []),
    ];

    public static TheoryData<string> Names => [.. Cases.Select(test => test.Network)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_network_gives_the_bits_of_its_definition_and_does_what_is_predicted(string name)
    {
        var (_, machine, constants) = Cases.Single(test => test.Network == name);
        var text = File.ReadAllText(Path.Combine(SharedMaterial.Repository, "samples", "zoo", $"{name}.cnn"));
        foreach (var (constant, value) in constants)
        {
            text = Regex.Replace(text, $@"(?m)^    const {constant} = \d+$", $"    const {constant} = {value}", RegexOptions.None, TimeSpan.FromSeconds(1));
        }

        text = text.Replace("softmax(logits)", "softmax(logits, beta=64)", StringComparison.Ordinal);
        var result = Compiler.Compile(new CompileRequest($"{name}.cnn", Encoding.UTF8.GetBytes(text), "gconv") { StopLevel = IrLevel.Network });
        Assert.Empty(result.Diagnostics);
        var network = ((NetworkModule)result.Modules[IrLevel.Network]).Graph;
        NestLevels.Check(network, NestLevels.Machine(machine), [.. network.Inputs.Select(input => Image(input.Type, 1))]);
    }

    [Fact]
    public void Every_machine_runs_a_network() =>
        Assert.Equal(BuiltInMachines.Gconv.Select(machine => machine.Name).Order(StringComparer.Ordinal), Cases.Select(test => test.Machine).Distinct().Order(StringComparer.Ordinal));

    // Pixels of every value; f32 from -2 to 2.
    internal static Tensor Image(TensorType type, ulong seed = 1)
    {
        var random = new SeededRandom(seed);
        var codes = new sbyte[type.Shape.Elements];
        for (var i = 0; i < codes.Length; i++)
        {
            codes[i] = random.NextCode();
        }

        return type.Element == ElementType.Float32
            ? Tensor.From<float>(type.Element, type.Shape, Array.ConvertAll(codes, code => code / 64f))
            : Tensor.From<sbyte>(type.Element, type.Shape, codes);
    }
}
