using System.Text;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
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
    public void Rewritten_convolutions_keep_their_integers(string name) => Assert.InRange(
        SmallConvolutions.Rewritten(name, (network, options) => NestLevels.Check(network, NestLevels.Small("nlr", 3, 5, 256, 16), RandomNetworks.Inputs(network, 1), options).Mapped.NestPredictions.Count), 5, 500);

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
            Assert.Equal(Cycles(direct), chosen == "direct" ? auto.Selection.Cost : vertex.Rejected.Single(rejected => rejected.Candidate == "direct").ForcedCost);
            Assert.All(vertex.Rejected, rejected => Assert.True(rejected.OwnCost >= vertex.OwnCost));
            Assert.Contains(vertex.Rejected, rejected => rejected.IsLeast && rejected.Candidate == "im2col");
        }
    }

    /// <summary>What is chosen by hand is not chosen again, neither as a whole nor inside: windows, and products along the other direction, are convolutions too. Nor is it after a round through text.</summary>
    [Theory]
    [InlineData("direct", 1)]
    [InlineData("im2col", 2)]
    [InlineData("kn2row", 2)]
    [InlineData("winograd-1x2", 3)]
    [InlineData("toeplitz-1x2", 3)]
    public void A_choice_made_by_hand_stands(string name, int operators)
    {
        var choice = new Dictionary<string, string>(StringComparer.Ordinal) { ["convolution-algorithms.choose"] = $"c={name}" };
        var steps = Compile("eyeriss", "auto", choice).Program.Steps.OfType<GconvOperator>().Select(step => step.Name).ToList();
        Assert.Equal(operators, steps.Count(step => step.Split('.')[0] == "c"));
        Assert.Equal(Compile("eyeriss", "direct", choice).Program.Steps.OfType<GconvOperator>().Select(step => step.Name), steps);

        var text = Result("eyeriss", "auto", choice).Modules[IrLevel.Gconv].Text();
        var read = Compiler.Compile(new CompileRequest("n.gconv", Encoding.UTF8.GetBytes(text.Text), "gconv")
        {
            From = IrLevel.Gconv,
            Machine = NestLevels.Machine("eyeriss"),
            StopLevel = IrLevel.Mapped,
            Companion = _ => NpzFile.Write(text.Constants.Constants.Select(constant => KeyValuePair.Create(constant.Name, constant.Value))),
        });
        Assert.True(read.Succeeded, string.Join('\n', read.Diagnostics));
        Assert.Equal(steps, ((SystolicModule)read.Modules[IrLevel.Mapped]).Program.Steps.OfType<GconvOperator>().Select(step => step.Name));
    }

    /// <summary>A module of GoogLeNet's kind: every window of several taps is decided, with what was rejected; of reals it is said why not.</summary>
    [Theory]
    [InlineData("i8[1, 14, 14, 16] scale 0.5 zero 3", "joined.1 joined.2", "no window slides over its input")]
    [InlineData("f32[1, 14, 14, 16]", "", "it adds reals, which round otherwise in another order")]
    public void Every_convolution_is_decided_or_it_is_said_why_not(string type, string decided, string why)
    {
        var text = $$"""
            network n {
                weights seed 1
                input x : {{type}}
                one = conv2d(x, filters=8, kernel=1, activation=relu)
                red3 = conv2d(x, filters=12, kernel=1, activation=relu)
                three = conv2d(red3, filters=16, kernel=3, padding=same, activation=relu)
                red5 = conv2d(x, filters=4, kernel=1, activation=relu)
                five = conv2d(red5, filters=8, kernel=5, padding=same, activation=relu)
                joined = concat(one, three, five, axis=3)
                output joined
            }
            """;
        var result = Compiler.Compile(new CompileRequest("n.cnn", Encoding.UTF8.GetBytes(text), "gconv") { StopLevel = IrLevel.Mapped, Disabled = ["keep-on-chip", "exchange-loops"] });
        var module = (SystolicModule)result.Modules[IrLevel.Mapped];
        Assert.Equal(decided, string.Join(' ', module.Selection!.Vertices.Select(vertex => vertex.Vertex)));
        Assert.All(module.Selection.Vertices, vertex => Assert.True(vertex.Rejected.Count >= 8));
        Assert.Contains(module.Selection.Notes, note => note.EndsWith(why, StringComparison.Ordinal));
        Assert.Equal(Cycles(module), module.Selection.Cost);
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

    private static SystolicModule Compile(string machine, string algorithms, IReadOnlyDictionary<string, string>? options = null) => (SystolicModule)Result(machine, algorithms, options).Modules[IrLevel.Mapped];

    private static CompileResult Result(string machine, string algorithms, IReadOnlyDictionary<string, string>? options)
    {
        var text = Text.Replace("14, 14, 8", "28, 28, 128", StringComparison.Ordinal).Replace("filters=12", "filters=128", StringComparison.Ordinal);
        var result = Compiler.Compile(new CompileRequest("n.cnn", Encoding.UTF8.GetBytes(text), "gconv")
        {
            Machine = NestLevels.Machine(machine),
            StopLevel = IrLevel.Mapped,
            Disabled = ["keep-on-chip", "exchange-loops"],
            Options = new Dictionary<string, string>(options ?? new Dictionary<string, string>(StringComparer.Ordinal), StringComparer.Ordinal) { ["map-to-nests.algorithms"] = algorithms },
        });
        Assert.True(result.Succeeded, string.Join('\n', result.Diagnostics));
        return result;
    }
}
