using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Convolutions with transformed lines: the same codes at every level, for every window, number of channels and of lines that is offered.</summary>
public class WinogradTests
{
    /// <summary>Candidate, height, width, input and output channels, window, padding; nests that transform inputs, that multiply, that make sums.</summary>
    public static TheoryData<string, int, int, int, int, int, int, int, int, int, int> Shapes() => new()
    {
        // whole tiles; lines left over: one, two (a tile of two), three
        { "winograd-4x1", 8, 6, 16, 8, 3, 3, 1, 1, 12, 1 },
        { "winograd-4x1", 5, 7, 16, 5, 3, 3, 1, 2, 12, 2 },
        { "winograd-4x1", 6, 4, 8, 11, 3, 3, 1, 2, 18, 2 },
        { "winograd-4x1", 9, 5, 12, 4, 3, 3, 0, 2, 6, 2 },
        { "winograd-2x1", 3, 6, 16, 12, 3, 3, 1, 2, 12, 2 },
        { "winograd-2x1", 2, 5, 16, 9, 3, 3, 1, 1, 12, 1 },

        // a number of channels that four doesn't divide; several passes, whose planes are added
        { "winograd-4x1", 4, 4, 6, 8, 3, 3, 1, 1, 12, 1 },
        { "winograd-4x1", 5, 3, 18, 4, 3, 3, 1, 2, 12, 2 },

        // other windows: rounds of two and three taps
        { "winograd-4x1", 6, 5, 8, 4, 5, 5, 2, 4, 12, 2 },
        { "winograd-4x1", 6, 6, 3, 8, 5, 5, 2, 4, 24, 2 },
        { "winograd-4x1", 3, 5, 16, 20, 2, 3, 1, 1, 30, 1 },
        { "winograd-4x1", 5, 6, 8, 16, 4, 2, 1, 2, 24, 1 },
        { "winograd-2x1", 3, 4, 8, 12, 5, 3, 2, 4, 12, 2 },

        // channels that are transformed together: either direction makes lines
        { "winograd-1x4", 5, 8, 2, 4, 5, 5, 2, 2, 12, 1 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_window_is_exact_with_extreme_weights_and_codes(
        string candidate, int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth, int padding, int inputs, int products, int sums)
    {
        foreach (var kind in (ReadOnlySpan<string>)["signs", "all"])
        {
            var network = DirectTests.Layer(height, width, channels, outputs, kernelHeight, kernelWidth, 1, 1, padding, kind);
            Assert.Equal(sums, ForcedMappings.Check(network, candidate, RowsOutKernel.Strategy, [Codes(network, kind)]).Count);
            if (kind == "all")
            {
                var gconv = LowerToGconv.Lower(network, new())!;
                var nests = OpenEdgeMapper.Map(gconv, ForcedMappings.Choices(gconv, candidate), new(), default)!.Program.Steps.OfType<MappedNest>().ToArray();
                var multiplied = nests.Where(n => n.Kernel == DirectKernel.Strategy).ToArray();
                Assert.Equal((inputs, products), (nests.Count(n => n.Kernel == RowsInKernel.Strategy), multiplied.Length));
                Assert.Equal(network.Layers[0].Type.Shape.Elements * channels * kernelHeight * kernelWidth, multiplied.Sum(n => n.Origin.Value.Macs));
            }
        }
    }

    [Theory]
    [InlineData(8, 8, 16, 8, 3, 1, "lines along the window's only direction")]
    [InlineData(8, 8, 16, 8, 1, 3, "no taps across lines")]
    [InlineData(1, 8, 16, 8, 3, 3, "a single line")]
    [InlineData(8, 4, 16, 4, 3, 3, "transforms that take longer than what they save")]
    [InlineData(4, 4, 16, 68, 3, 3, "so many short passes that their code is loaded longer than they take")]
    [InlineData(8, 8, 3, 16, 3, 3, "so few channels that a pass has all rows of the window")]
    [InlineData(4, 1000, 16, 16, 3, 3, "lines too far from each other for the code")]
    public void What_does_not_pay_or_fit_is_not_offered(int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth, string why)
    {
        var gconv = LowerToGconv.Lower(DirectTests.Layer(height, width, channels, outputs, kernelHeight, kernelWidth, 1, 1, 1, "signs"), new())!;
        var decisions = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, new(), default)!.Decisions;
        Assert.False(decisions.SelectMany(d => d.Candidates).Any(c => c.Name.StartsWith("winograd", StringComparison.Ordinal)), why);
    }

    [Fact]
    public void Products_beyond_what_can_be_divided_take_the_smaller_tiles()
    {
        string? Offered(int channels)
        {
            var gconv = LowerToGconv.Lower(DirectTests.Layer(8, 4, channels, 8, 3, 3, 1, 1, 1, "signs"), new())!;
            return OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, new(), default)!.Decisions
                .SelectMany(d => d.Candidates).Select(c => c.Name).SingleOrDefault(name => name.StartsWith("winograd", StringComparison.Ordinal));
        }

        // 10 * 128 times 7 * 128 times three taps of so many channels: 2^28 at 78
        Assert.Equal("winograd-4x1", Offered(64));
        Assert.Equal("winograd-2x1", Offered(80));
    }

    [Fact]
    public void All_machines_run_a_layer_of_tiles_and_lines_left_over()
    {
        var network = DirectTests.Layer(10, 6, 16, 6, 3, 3, 1, 1, 1, "lowest");
        var choices = ForcedMappings.Choices(LowerToGconv.Lower(network, new())!, "winograd-4x1");
        var levels = AllLevels.Compile(network, choices, new DiagnosticBag())!;
        Assert.Contains(levels.Mapped.Steps.OfType<MappedNest>(), n => n.Kernel == RowsOutKernel.Strategy);
        Assert.Null(levels.FirstDifference([Codes(network, "lowest")]));
    }

    [Theory]
    [InlineData(78, "winograd-4x1")]
    [InlineData(79, "winograd-2x1")]
    [InlineData(317, "winograd-2x1")]
    [InlineData(318, null)]
    public void Lines_as_far_apart_as_is_offered_fit_the_code(int width, string? offered)
    {
        var gconv = LowerToGconv.Lower(DirectTests.Layer(8, width, 16, 8, 3, 3, 1, 1, 1, "lowest"), new())!;
        var mapping = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, new(), default)!;
        var candidate = mapping.Decisions.SelectMany(d => d.Candidates).Select(c => c.Name).SingleOrDefault(name => name.StartsWith("winograd", StringComparison.Ordinal));
        Assert.Equal(offered, candidate);
        if (candidate is not null)
        {
            var program = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults.With("y", candidate), new(), default)!.Program;
            var timer = new KernelTimer(BuiltInMachines.Default);
            Assert.All(program.Steps.OfType<MappedNest>().Where(n => n.Kernel == RowsInKernel.Strategy), nest => Assert.NotEqual(0, timer.ArrayCycles(nest, program)));
        }
    }

    [Fact]
    public void Every_pass_takes_as_long_as_the_one_that_was_measured_for_all()
    {
        var gconv = LowerToGconv.Lower(DirectTests.Layer(6, 4, 8, 11, 3, 3, 1, 1, 1, "all"), new())!;
        var program = OpenEdgeMapper.Map(gconv, ForcedMappings.Choices(gconv, "winograd-4x1"), new(), default)!.Program;
        foreach (var machine in BuiltInMachines.All)
        {
            var timer = new KernelTimer(machine);
            Assert.All(program.Steps.OfType<MappedNest>().Reverse(), nest => Assert.Equal(new KernelTimer(machine).ArrayCost(nest, program), timer.ArrayCost(nest, program)));
        }
    }

    private static Tensor Codes(NetworkGraph network, string kind)
    {
        var shape = network.Inputs[0].Type.Shape;
        return Tensor.From<sbyte>(ElementType.Int8, shape, [.. Enumerable.Range(0, (int)shape.Elements).Select(i => DirectTests.Extreme(kind, i))]);
    }
}
