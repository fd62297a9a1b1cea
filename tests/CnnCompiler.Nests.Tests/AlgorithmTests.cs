using System.Text;
using CnnCompiler.Fuzzing;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.Systolic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Nests.Tests;

/// <summary>Convolutions that are rewritten as algorithms say run on the accelerators with the same integers and the counts predicted.</summary>
public sealed class AlgorithmTests
{
    public static TheoryData<string> Names => [.. ConvolutionAlgorithm.All.Select(algorithm => algorithm.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Rewritten_convolutions_keep_their_integers(string name)
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal) { ["convolution-algorithms.choose"] = $"*={name}" };
        var rewritten = 0;
        foreach (var (network, layers) in SmallConvolutions.Pack(SmallConvolutions.Spread(120), 8))
        {
            var image = NestLevels.Check(network, NestLevels.Small("nlr", 3, 5, 256, 16), RandomNetworks.Inputs(network, 1), options);
            rewritten += image.Mapped.NestPredictions.Count - layers.Count;
        }

        Assert.InRange(rewritten, 10, 1000);
    }

    /// <summary>Multipliers of 8 bits do not take what a transform makes of 8 bits.</summary>
    [Theory]
    [InlineData("eyeriss", "winograd-1x4")]
    [InlineData("tpu", "direct")]
    public void A_convolution_is_what_takes_the_fewest_cycles(string machine, string chosen)
    {
        var (direct, auto) = (Compile(machine, "direct"), Compile(machine, "auto"));
        var vertex = auto.Selection?.Vertices.SingleOrDefault(vertex => vertex.Vertex == "c");
        Assert.Equal(chosen, vertex?.Chosen ?? "direct");
        Assert.Equal(chosen == "direct" ? 0 : 1, Cycles(direct).CompareTo(Cycles(auto)));
        Assert.Null(direct.Selection);
        if (vertex is not null)
        {
            Assert.Equal(Cycles(auto), auto.Selection!.Cost);
            Assert.Equal(Cycles(direct), vertex.Rejected.Single(rejected => rejected.Candidate == "direct").ForcedCost);
            Assert.All(vertex.Rejected, rejected => Assert.True(rejected.OwnCost >= vertex.OwnCost));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void An_algorithm_that_is_forced_is_taken(string name)
    {
        var network = Read();
        var image = NestLevels.Check(network, NestLevels.Machine("eyeriss"), RandomNetworks.Inputs(network, 1), forced: [new("c", name)]);
        var vertex = Assert.Single(image.Mapped.Selection!.Vertices, vertex => vertex.Vertex == "c");
        Assert.Equal((name, true, "direct"), (vertex.Chosen, vertex.IsForced, Assert.Single(vertex.Rejected).Candidate));
    }

    [Theory]
    [InlineData("c", "fft", "CNN0846")]
    [InlineData("e", "direct", "CNN0845")]
    [InlineData("p", "kn2row", "CNN0990")]
    public void What_can_not_be_forced_is_told(string layer, string name, string code)
    {
        var result = Compiler.Compile(new CompileRequest("n.cnn", Encoding.UTF8.GetBytes(Text), "gconv") { Forced = [new(layer, name)], StopLevel = IrLevel.Mapped });
        Assert.Equal(code, Assert.Single(result.Diagnostics).Code);
    }

    private const string Text = "network n { weights seed 1\n input x : i8[1, 14, 14, 8] scale 0.5 zero 3\n c = conv2d(x, filters=12, kernel=3, padding=same, activation=relu)\n p = max_pool2d(c, kernel=2)\n output p }";

    private static long Cycles(SystolicModule module) => module.NestPredictions.Sum(prediction => prediction.Counts.Cycles(module.Machine));

    private static Ir.Network.NetworkGraph Read() => CnnCompiler.Frontend.CnnFrontend.Parse(Text, "n.cnn", _ => null, new DiagnosticBag())!;

    private static SystolicModule Compile(string machine, string algorithms)
    {
        var text = Text.Replace("14, 14, 8", "28, 28, 128", StringComparison.Ordinal).Replace("filters=12", "filters=128", StringComparison.Ordinal);
        var result = Compiler.Compile(new CompileRequest("n.cnn", Encoding.UTF8.GetBytes(text), "gconv")
        {
            Machine = NestLevels.Machine(machine),
            StopLevel = IrLevel.Mapped,
            Options = new Dictionary<string, string>(StringComparer.Ordinal) { ["map-to-nests.algorithms"] = algorithms },
        });
        Assert.True(result.Succeeded, string.Join('\n', result.Diagnostics));
        return (SystolicModule)result.Modules[IrLevel.Mapped];
    }
}
