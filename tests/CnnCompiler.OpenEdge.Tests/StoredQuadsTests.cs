using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;
using static CnnCompiler.OpenEdge.Tests.LayerInputs;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Tensors that requantisation stores four channels a word, as the depthwise convolution that reads them takes them: exact, halo included, and offered just there.</summary>
public class StoredQuadsTests
{
    /// <summary>Height, width, channels, window of the producer (negative: depthwise), candidate of the producer, padding, highest code that the activation leaves: lines of one run and of several, a quarter of one loop or halves of two a row.</summary>
    public static TheoryData<int, int, int, int, string, int, int> Pairs() => new()
    {
        { 25, 5, 64, -3, "slide-h", 1, 127 },
        { 25, 5, 20, -3, "slidequads-h", 1, 127 },
        { 8, 6, 4, -3, "window-w", 1, 127 },
        { 8, 6, 7, -3, "slide-h", 1, 127 },
        { 9, 5, 18, 1, "contract-w", 1, 127 },
        { 7, 6, 21, 1, "starpointsums-w", 1, 127 },
        { 6, 6, 3, 1, "halves-w", 0, 127 },
        { 6, 5, 2, 1, "contract-w", 1, 127 },
        { 7, 9, 12, -3, "window-h", 0, 127 },
        { 9, 6, 8, 1, "contract-w", 1, 127 },
        { 6, 11, 24, 1, "contract-h", 1, 90 },
        { 10, 8, 12, 1, "halves-w", 1, 127 },
        { 11, 8, 12, 1, "halves-h", 0, 127 },
        { 13, 9, 20, 1, "starpointsums-w", 1, 127 },
        { 9, 13, 8, 3, "starsums-w", 1, 64 },
        { 25, 5, 64, 1, "starpoint-w", 1, 127 },
        { 4, 9, 12, 3, "direct-w", 1, 127 },
        { 3, 3, 16, 1, "contract-w", 1, 127 },
    };

    [Theory]
    [MemberData(nameof(Pairs))]
    public void What_is_stored_in_quads_is_read_without_packing_on_every_machine(int height, int width, int channels, int window, string producer, int padding, int highest)
    {
        var network = Network(height, width, channels, window, padding, highest);
        var choices = MappingChoices.Defaults.With("y", producer).With("z", "slidequads-h").With("y:layout", "quads");
        Assert.Contains(producer, Decisions(network).Single(d => d.Key == "y").Candidates.Select(c => c.Name));
        var diagnostics = new DiagnosticBag();
        var levels = AllLevels.Compile(network, choices, diagnostics);
        Assert.True(levels is not null, string.Join('\n', diagnostics.Diagnostics));
        var nests = levels.Mapped.Steps.OfType<MappedNest>().ToArray();
        Assert.Single(nests, n => n.Kernel == RequantizeQuadsKernel.Strategy);
        Assert.DoesNotContain(nests, n => n.Output.Target == OpenEdgeMapper.HalvesOf("z"));
        var buffer = levels.Mapped.Buffers.Single(b => b.Name == "y");
        Assert.Equal((PackedRuns.Lanes, padding > 0), (buffer.Layout.Lanes, buffer.Layout.HaloFill is not null));
        Assert.Contains(levels.Mapped.Values, v => v.Tensor == "y");
        foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "mixed"])
        {
            Assert.Null(levels.FirstDifference([Codes(network, codes)]));
        }
    }

    [Theory]
    [InlineData("contract-w", "slide-h", 8, FusedActivation.Relu)]
    [InlineData("contract-w", "window-w", 8, FusedActivation.Relu)]
    [InlineData("starpoint-w", "slidequads-h", 8, FusedActivation.Relu)]
    [InlineData("contract-w", "slidequads-h", 8, FusedActivation.None)]
    [InlineData("contract-w", "slidequads-h", 6, FusedActivation.None)]
    public void Where_the_reader_takes_words_or_the_producer_has_no_such_codes_the_tensor_lies_in_words(string producer, string reader, int channels, FusedActivation activation)
    {
        var network = Network(9, 6, channels, 1, 1, 127, activation);
        var choices = MappingChoices.Defaults.With("y", producer).With("z", reader).With("y:layout", "quads");
        var levels = AllLevels.Compile(network, choices, new())!;
        Assert.DoesNotContain(levels.Mapped.Steps.OfType<MappedNest>(), n => n.Kernel == RequantizeQuadsKernel.Strategy);
        Assert.Equal(1, levels.Mapped.Buffers.Single(b => b.Name == "y").Layout.Lanes);
        Assert.Equal(reader == "slidequads-h", levels.Mapped.Steps.OfType<MappedNest>().Any(n => n.Output.Target == OpenEdgeMapper.HalvesOf("z")));
        Assert.Null(levels.FirstDifference([Codes(network, "mixed")]));
        Assert.Null(MappingSelector.Select(
            LowerToGconv.Lower(network, new())!, BuiltInMachines.Default, [new("y", producer), new("z", reader), new("y:layout", "quads")], new(), default));
    }

    [Fact]
    public void It_is_offered_where_one_depthwise_convolution_alone_reads_whole_quads()
    {
        Assert.Equal(["halo", "dense", "quads"], Layouts(Network(9, 6, 8, 1, 1, 127)));
        Assert.Equal(["dense", "quads"], Layouts(Network(9, 6, 8, 1, 0, 127)).Where(l => !l.StartsWith("packed", StringComparison.Ordinal)));
        Assert.Equal(["halo", "dense", "quads"], Layouts(Network(9, 6, 6, 1, 1, 127)));
        Assert.Equal(["halo", "dense"], Layouts(Network(9, 6, 1, 1, 1, 127)));
        var network = Network(9, 6, 8, 1, 1, 127);
        Assert.Equal(["halo", "dense"], Layouts(network with { Outputs = ["y", "z"] }));
        Assert.Equal(["halo", "dense"], Layouts(network with { Layers = [.. network.Layers, ((DepthwiseConv2D)network.Layers[1]) with { Name = "w" }], Outputs = ["z", "w"] }));
    }

    [Theory]
    [InlineData("openedge")]
    [InlineData("openedge-banked8")]
    [InlineData("openedge-ideal")]
    public void The_selector_stores_quads_and_knows_what_that_costs(string machineName)
    {
        var machine = BuiltInMachines.All.Single(m => m.Name == machineName);
        var gconv = LowerToGconv.Lower(Network(25, 5, 64, 1, 1, 127), new())!;
        var selected = MappingSelector.Select(gconv, machine, [], new(), default)!;
        Assert.Contains(selected.Program.Steps.OfType<MappedNest>(), n => n.Kernel == RequantizeQuadsKernel.Strategy);
        var words = MappingSelector.Select(gconv, machine, [new("y:layout", "halo")], new(), default)!;
        Assert.True(words.Explanation!.Cost > selected.Explanation!.Cost);
        var packing = MappingSelector.Select(gconv, machine, [new("y:layout", "halo"), new("z", "slidequads-h")], new(), default)!;
        Assert.Contains(packing.Program.Steps.OfType<MappedNest>(), n => n.Output.Target == OpenEdgeMapper.HalvesOf("z"));
        foreach (var mapping in (SelectedMapping[])[selected, words, packing])
        {
            // the parts into which costs of layers are cut add up again
            var timer = new KernelTimer(machine);
            var nests = mapping.Program.Steps.OfType<MappedNest>().ToArray();
            Assert.Equal(mapping.Explanation!.Cost, nests.Select((n, i) => timer.Cost(n, mapping.Program, false, i == 0 ? null : nests[i - 1]).InRam).Sum(), mapping.Explanation.Cost * 0.01);
        }
    }

    private static IReadOnlyList<MappingDecision> Decisions(NetworkGraph network) =>
        OpenEdgeMapper.Map(LowerToGconv.Lower(network, new())!, MappingChoices.Defaults, new(), default)!.Decisions;

    private static IEnumerable<string> Layouts(NetworkGraph network) => Decisions(network).SingleOrDefault(d => d.Key == MappingDecision.LayoutKey("y"))?.Candidates.Select(c => c.Name) ?? [];

    /// <summary>A layer "y", depthwise where its window is negative, and a depthwise one "z" that reads it.</summary>
    private static NetworkGraph Network(int height, int width, int channels, int window, int padding, int highest, FusedActivation activation = FusedActivation.Relu)
    {
        static sbyte[] Weights(int count) => [.. Enumerable.Range(0, count).Select(i => (sbyte)((i * 37 % 255) - 127))];
        var scale = 0.5f * 0.1f * (window < 0 ? 9 : window * window * channels) * 100 * 255 / 400;

        // RELU6 ends where 6 is: at the code asked for
        var bounded = highest < sbyte.MaxValue;
        var type = Type(height, width, channels, bounded ? 6f / (highest + 128) : scale, activation == FusedActivation.None ? -4 : -128);
        Layer first = window < 0
            ? Depthwise("y", "x", type, 1, activation)
            : new Conv2D(
                "y",
                ["x"],
                type,
                Tensor.From<sbyte>(ElementType.Int8, Shape.Of(channels, window, window, channels), Weights(window * window * channels * channels)),
                Quantization.PerTensor(bounded ? 0.1f * 6 / ((highest + 128) * scale) : 0.1f, 0),
                null,
                new(1, 1),
                new(1, 1),
                new(window / 2, window / 2, window / 2, window / 2),
                1,
                bounded ? FusedActivation.Relu6 : activation,
                RoundingScheme.TfliteDouble);
        var last = Type(height - 2 + (2 * padding), width - 2 + (2 * padding), channels, type.Quantization!.Scales[0] * 0.1f * 9 * 20, -4);
        return new("stored", [new("x", Type(height, width, channels, 0.5f, 5))], [first, Depthwise("z", "y", last, padding, FusedActivation.None)], ["z"]);

        static DepthwiseConv2D Depthwise(string name, string input, TensorType type, int padding, FusedActivation activation) => new(
            name,
            [input],
            type,
            Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, 3, 3, type.Shape[3]), Weights(9 * type.Shape[3])),
            Quantization.PerTensor(0.1f, 0),
            null,
            new(1, 1),
            new(1, 1),
            new(padding, padding, padding, padding),
            1,
            activation,
            RoundingScheme.TfliteDouble);
    }
}
