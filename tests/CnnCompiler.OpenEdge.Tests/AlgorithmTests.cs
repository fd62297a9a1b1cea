using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.TestSupport;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Convolutions that are rewritten as algorithms say: with i8 values they run on the array with the same integers, with wider ones they are refused.</summary>
public sealed class AlgorithmTests
{
    [Fact]
    public void Copied_windows_with_and_without_borders_keep_their_integers()
    {
        var padded = 0;
        foreach (var (network, layers) in SmallConvolutions.Pack(SmallConvolutions.Spread(120), 8))
        {
            var diagnostics = new DiagnosticBag();
            var chain = Rewritten(LowerToGconv.Lower(network, diagnostics)!, "im2col");
            padded += chain.Steps.OfType<GconvOperator>().Count(step => step.Input.OutOfRange == OutOfRange.Fill);
            var levels = AllLevels.Compile(network, chain, MappingChoices.Defaults, diagnostics, [BuiltInMachines.Default]);
            Assert.True(levels is not null, $"{layers[0]}: {string.Join('\n', diagnostics.Diagnostics)}");
            Assert.True(levels.FirstDifference(RandomNetworks.Inputs(network, layers[0].Index)) is var difference && difference is null, $"{network.Name}: {difference}");
        }

        Assert.InRange(padded, 20, 120);
    }

    [Theory]
    [InlineData("kn2row", "i32")]
    [InlineData("winograd-1x4", "i16")]
    public void Values_inside_that_are_wider_than_codes_are_refused(string name, string element)
    {
        var (network, _) = SmallConvolutions.Pack(SmallConvolutions.All.Where(c => c is { Channels: 3, Groups: 1, Input.Width: 5, Kernel.Width: 3, Dilation.Width: 1 }).Take(1), 1).Single();
        var diagnostics = new DiagnosticBag();
        Assert.Null(AllLevels.Compile(network, Rewritten(LowerToGconv.Lower(network, diagnostics)!, name), MappingChoices.Defaults, diagnostics, [BuiltInMachines.Default]));
        var refusal = Assert.Single(diagnostics.Diagnostics);
        Assert.Contains($"its result or a value inside it is {element}; the kernels write i8", refusal.Message, StringComparison.Ordinal);
        Assert.Equal($"choose an algorithm of this target instead, for example --force {network.Layers[0].Name}=winograd-4x1", refusal.Remedy);
    }

    private static GconvProgram Rewritten(GconvProgram program, string name)
    {
        var rewrite = new ConvolutionRewrite(program);
        var chains = program.Steps.OfType<GconvOperator>().Select(step => (step.Name, Chain: rewrite.Try(step, ConvolutionAlgorithm.Find(name)!, out _)))
            .Where(entry => entry.Chain is not null).ToDictionary(entry => entry.Name, entry => entry.Chain!, StringComparer.Ordinal);
        return rewrite.Replace(chains);
    }
}
