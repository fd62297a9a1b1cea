using CnnCompiler.Fuzzing;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.Systolic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Systolic.Tests;

/// <summary>Convolutions that are rewritten as algorithms say run on the array and its vector unit with the same integers.</summary>
public sealed class AlgorithmTests
{
    public static TheoryData<string> Names => [.. ConvolutionAlgorithm.All.Select(algorithm => algorithm.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Rewritten_convolutions_keep_their_integers(string name)
    {
        var rewritten = SmallConvolutions.Rewritten(name, (network, options) =>
        {
            var diagnostics = new DiagnosticBag();
            var image = AllLevels.Compile(network, AllLevels.Machine(5, 7), diagnostics, options);
            Assert.True(image is not null, string.Join('\n', diagnostics.Diagnostics));
            Assert.Null(AllLevels.FirstDifference(network, image, RandomNetworks.Inputs(network, 1)));
            return image.Mapped.Program.Steps.OfType<GconvOperator>().Count();
        });
        Assert.InRange(rewritten, 5, 500);
    }

    /// <summary>A small depthwise layer leaves most of the array empty: what an algorithm makes of it takes less time in the vector unit, as the interpreter counts it too.</summary>
    [Theory]
    [InlineData("latency", "auto", "kn2row")]
    [InlineData("latency", "direct", "vector-unit")]
    [InlineData("energy", "auto", "vector-unit")]
    public void A_convolution_is_what_costs_least(string objective, string algorithms, string chosen)
    {
        var network = RandomNetworks.Layer(LayerKind.DepthwiseConv2D, 3);
        var options = new Dictionary<string, string>(StringComparer.Ordinal) { ["map-to-systolic.objective"] = objective, ["map-to-systolic.algorithms"] = algorithms };
        var image = AllLevels.Compile(network, AllLevels.Machine(16, 16), new(), options)!;
        var vertex = Assert.Single(image.Mapped.Selection!.Vertices);
        Assert.Equal(chosen, vertex.Chosen);
        Assert.Equal(ConvolutionAlgorithm.Find(chosen) is not null, image.Mapped.Program.Steps.Count > 1);
        Assert.Contains(vertex.Rejected.Select(rejected => rejected.Candidate).Append(vertex.Chosen), name => name == "vector-unit");
        Assert.Equal(algorithms == "auto", vertex.Rejected.Any(rejected => rejected.Candidate == "im2col"));
        Assert.All(vertex.Rejected, rejected => Assert.True(rejected.OwnCost >= vertex.OwnCost));
        var counted = ImageInterpreter.Run(image.Image, [.. RandomNetworks.Inputs(network, 1).Select(input => new ReadOnlyMemory<byte>(input.Bytes.ToArray()))]).Systolic;
        Assert.Equal(image.Mapped.Selection.Cost, objective == "latency" ? counted.Sum(run => run.Femtoseconds) : counted.Sum(run => (long)(run.EnergyAttojoules(AllLevels.Machine(16, 16).Systolic!) / 1000)));
        Assert.Null(AllLevels.FirstDifference(network, image, RandomNetworks.Inputs(network, 2)));
    }

    [Fact]
    public void Nothing_is_rewritten_without_effort_or_against_what_was_chosen_by_hand()
    {
        var network = RandomNetworks.Layer(LayerKind.DepthwiseConv2D, 3);
        var name = network.Layers[^1].Name;
        foreach (var (effort, choice, forced) in ((int, string, ForcedChoice[])[])[(0, "none", []), (1, $"{name}=direct", []), (1, "none", [new(name, "direct")]), (1, "none", [new(name, "k1")])])
        {
            var context = new PassContext
            {
                Search = new() { Effort = effort },
                Options = new Dictionary<string, string>(StringComparer.Ordinal) { ["convolution-algorithms.choose"] = choice },
            };
            var image = (SystolicImageModule)PassRunner.Run(ArrayFlexTarget.Pipeline(AllLevels.Machine(16, 16), forced), new NetworkModule(network), context)!;
            Assert.Single(image.Mapped.Program.Steps);
        }
    }

    /// <summary>The vector unit takes no products, nor what an algorithm makes of them.</summary>
    [Fact]
    public void Products_stay_on_the_array_where_the_user_wants_it()
    {
        var network = RandomNetworks.Layer(LayerKind.DepthwiseConv2D, 3);
        var image = AllLevels.Compile(network, AllLevels.Machine(16, 16), new(), new Dictionary<string, string>(StringComparer.Ordinal) { ["map-to-systolic.vector-products"] = "off" })!;
        Assert.NotEmpty(image.Mapped.Plans);
    }
}
