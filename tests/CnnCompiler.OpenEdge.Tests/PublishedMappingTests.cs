using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>The published mappings are exact at any size, number of channels, window and stride, which the originals are not.</summary>
public class PublishedMappingTests
{
    /// <summary>Height, width, input and output channels, kernel height and width, stride, padding.</summary>
    public static TheoryData<int, int, int, int, int, int, int, int> Shapes() => new()
    {
        { 4, 5, 16, 16, 3, 3, 1, 0 },
        { 4, 5, 17, 3, 3, 3, 1, 1 },
        { 5, 4, 3, 18, 3, 3, 1, 0 },
        { 7, 8, 5, 6, 3, 3, 2, 1 },
        { 3, 3, 6, 5, 3, 3, 1, 0 },
        { 3, 4, 2, 21, 1, 1, 1, 0 },
        { 6, 7, 7, 4, 1, 1, 2, 0 },
        { 5, 6, 2, 3, 5, 5, 1, 2 },
        { 9, 8, 2, 3, 2, 4, 2, 0 },
        { 10, 11, 1, 2, 3, 3, 3, 0 },
        { 10, 13, 2, 1, 2, 2, 4, 0 },
        { 11, 12, 1, 3, 3, 3, 5, 1 },
        { 1, 9, 4, 5, 1, 3, 1, 0 },
        { 8, 1, 4, 5, 3, 1, 1, 0 },
        { 4, 5, 33, 2, 3, 2, 1, 1 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_published_mapping_computes_the_convolution(int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth, int stride, int padding)
    {
        var network = Layer(height, width, channels, outputs, kernelHeight, kernelWidth, stride, padding);
        var shape = network.Inputs[0].Type.Shape;
        var input = Tensor.From<sbyte>(ElementType.Int8, shape, [.. Enumerable.Range(0, (int)shape.Elements).Select(i => (sbyte)((i * 41 % 256) - 128))]);
        foreach (var name in PublishedMappings.Names)
        {
            Assert.Single(ForcedMappings.Check(network, name, PublishedMappings.StrategyOf(name), [input]));
        }
    }

    [Fact]
    public void A_published_mapping_is_taken_where_it_is_forced_and_offered_nowhere_else()
    {
        var gconv = LowerToGconv.Lower(Layer(6, 6, 4, 4, 3, 3, 1, 0), new())!;
        foreach (var name in PublishedMappings.Names)
        {
            foreach (var effort in (ReadOnlySpan<int>)[0, 1])
            {
                var diagnostics = new DiagnosticBag();
                var forced = MappingSelector.Select(gconv, BuiltInMachines.Default, [new ForcedChoice("y", name)], diagnostics, default, new() { Effort = effort })!;
                Assert.Empty(diagnostics.Diagnostics);
                Assert.Contains(forced.Program.Steps.OfType<Ir.Mapped.MappedNest>(), n => n.Kernel == PublishedMappings.StrategyOf(name));
                var again = MappingSelector.Select(gconv, BuiltInMachines.Default, [], diagnostics, default, new() { Schedule = forced.Schedule, ScheduleFile = "s" })!;
                Assert.Equal(Ir.Mapped.MappedPrinter.Print(forced.Program).Text, Ir.Mapped.MappedPrinter.Print(again.Program).Text);
            }
        }

        var free = MappingSelector.Select(gconv, BuiltInMachines.Default, [], new(), default)!;
        Assert.DoesNotContain(free.Explanation!.Vertices.SelectMany(v => v.Rejected), r => PublishedMappings.IsPublished(r.Candidate));
    }

    [Fact]
    public void A_window_with_gaps_that_inputs_can_not_slide_over_has_no_weight_parallel_mapping()
    {
        var network = Layer(9, 9, 2, 2, 3, 3, 1, 0, dilation: 2);
        var candidates = OpenEdgeMapper.Map(LowerToGconv.Lower(network, new())!, MappingChoices.Defaults, new(), default)!.Decisions.SelectMany(d => d.Candidates).Select(c => c.Name).ToList();
        Assert.Equal(PublishedMappings.Names.Skip(1), candidates.Where(PublishedMappings.IsPublished));
    }

    private static NetworkGraph Layer(int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth, int stride, int padding, int dilation = 1)
    {
        var scale = 0.5f * 0.1f * channels * kernelHeight * kernelWidth * 255 * 127 / 100;
        int Out(int size, int kernel) => ((size + (2 * padding) - (dilation * (kernel - 1)) - 1) / stride) + 1;
        sbyte[] values = [.. Enumerable.Range(0, outputs * channels * kernelHeight * kernelWidth).Select(i => (sbyte)((i * 73 % 255) - 127))];
        return new(
            "published",
            [new("x", new(ElementType.Int8, Shape.Of(1, height, width, channels), Quantization.PerTensor(0.5f, 5)))],
            [
                new Conv2D(
                    "y",
                    ["x"],
                    new(ElementType.Int8, Shape.Of(1, Out(height, kernelHeight), Out(width, kernelWidth), outputs), Quantization.PerTensor(scale, -4)),
                    Tensor.From<sbyte>(ElementType.Int8, Shape.Of(outputs, kernelHeight, kernelWidth, channels), values),
                    Quantization.PerTensor(0.1f, 0),
                    null,
                    new(stride, stride),
                    new(dilation, dilation),
                    new(padding, padding, padding, padding),
                    1,
                    FusedActivation.None,
                    RoundingScheme.TfliteDouble),
            ],
            ["y"]);
    }
}
