using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;
using static CnnCompiler.OpenEdge.Tests.LayerInputs;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Tensors that requantisation stores as their reader multiplies them, two codes a word: exact, and offered just where that is all that is read.</summary>
public class StoredHalvesTests
{
    /// <summary>Height, width, channels, depthwise, candidate of the producer, of the reader, layout: halves that are whole or not, parts of a quad, lines of one run and of several.</summary>
    public static TheoryData<int, int, int, bool, string, string, string> Pairs() => new()
    {
        { 25, 5, 64, true, "slide-h", "starpoint-w", "packed-h" },
        { 25, 5, 20, true, "slide-h", "halves-h", "packed-w" },
        { 8, 6, 18, true, "slide-h", "halves-w", "packed-h" },
        { 12, 20, 40, true, "slide-h", "halves-h", "packed-w" },
        { 7, 9, 5, true, "window-w", "halves-w", "packed-h" },
        { 7, 9, 6, true, "window-h", "halves-h", "packed-w" },
        { 9, 6, 7, false, "contract-w", "halves-w", "packed-h" },
        { 6, 11, 8, false, "contract-h", "halves-h", "packed-w" },
        { 10, 8, 12, false, "halves-w", "halves-w", "packed-h" },
        { 11, 8, 12, false, "halves-w", "starpoint-w", "packed-h" },
        { 13, 9, 10, false, "starpoint-w", "halves-w", "packed-h" },
        { 9, 13, 4, false, "starsums-w", "halves-w", "packed-h" },
        { 4, 9, 12, false, "direct-w", "halves-w", "packed-h" },
    };

    [Theory]
    [MemberData(nameof(Pairs))]
    public void What_is_stored_packed_is_read_without_packing_on_every_machine(int height, int width, int channels, bool isDepthwise, string producer, string reader, string layout)
    {
        var network = Network(height, width, channels, isDepthwise);
        var diagnostics = new DiagnosticBag();
        var choices = MappingChoices.Defaults.With("y", producer).With("z", reader).With("y:layout", layout);
        var decisions = OpenEdgeMapper.Map(LowerToGconv.Lower(network, diagnostics)!, choices, diagnostics, default)!.Decisions;
        Assert.Contains(producer, decisions.Single(d => d.Key == "y").Candidates.Select(c => c.Name));
        Assert.Contains(reader, decisions.Single(d => d.Key == "z").Candidates.Select(c => c.Name));
        var levels = AllLevels.Compile(network, choices, diagnostics);
        Assert.True(levels is not null, string.Join('\n', diagnostics.Diagnostics));
        var nests = levels.Mapped.Steps.OfType<MappedNest>().ToArray();
        Assert.Single(nests, n => n.Kernel == RequantizeHalvesKernel.Strategy);
        Assert.DoesNotContain(nests, n => n.Output.Target == OpenEdgeMapper.HalvesOf("z"));
        Assert.Equal(HalvesKernel.Halves, levels.Mapped.Buffers.Single(b => b.Name == "y").Layout.Lanes);

        // with whole halves every element of the tensor can be compared, too
        Assert.Equal((layout == "packed-h" ? height : width) % 2 == 0, levels.Mapped.Values.Any(v => v.Tensor == "y"));
        foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "mixed"])
        {
            Assert.Null(levels.FirstDifference([Codes(network, codes)]));
        }
    }

    [Theory]
    [InlineData("slide-h", "contract-w", "packed-h")]
    [InlineData("slide-h", "halves-h", "packed-h")]
    [InlineData("window-w", "contract-h", "packed-w")]
    public void Where_the_reader_takes_words_or_other_halves_the_tensor_lies_dense(string producer, string reader, string layout)
    {
        var network = Network(9, 6, 20, isDepthwise: true);
        var choices = MappingChoices.Defaults.With("y", producer).With("z", reader).With("y:layout", layout);
        var levels = AllLevels.Compile(network, choices, new())!;
        Assert.DoesNotContain(levels.Mapped.Steps.OfType<MappedNest>(), n => n.Kernel == RequantizeHalvesKernel.Strategy);
        Assert.Null(levels.FirstDifference([Codes(network, "mixed")]));
        Assert.Null(MappingSelector.Select(
            LowerToGconv.Lower(network, new())!, BuiltInMachines.Default, [new("y", producer), new("z", reader), new("y:layout", layout)], new(), default));
    }

    [Theory]
    [InlineData("starpoint-w", true)]
    [InlineData("slide-h", false)]
    public void Where_the_producer_has_no_such_codes_the_tensor_lies_dense(string producer, bool isShort)
    {
        // codes of a pointwise layer are made of the planes at once; values below zero with an offset of their own need two
        var network = Network(9, 6, 2, producer == "slide-h", isShort ? FusedActivation.Relu : FusedActivation.None, reads: isShort ? 1 : 3);
        var choices = MappingChoices.Defaults.With("y", producer).With("z", "halves-w").With("y:layout", "packed-h");
        var levels = AllLevels.Compile(network, choices, new())!;
        Assert.DoesNotContain(levels.Mapped.Steps.OfType<MappedNest>(), n => n.Kernel == RequantizeHalvesKernel.Strategy);
        Assert.Contains(levels.Mapped.Steps.OfType<MappedNest>(), n => n.Output.Target == OpenEdgeMapper.HalvesOf("z"));
        Assert.Null(levels.FirstDifference([Codes(network, "mixed")]));
    }

    [Fact]
    public void It_is_offered_where_one_convolution_alone_reads_each_element_at_its_place()
    {
        Assert.Equal(["dense", "packed-h", "packed-w"], Layouts(Network(9, 6, 8, isDepthwise: true)));
        var (network, reader) = (Network(9, 6, 8, isDepthwise: true), (Conv2D)Network(9, 6, 8, isDepthwise: true).Layers[1]);
        Assert.Empty(Layouts(network with { Outputs = ["y", "z"] }));
        Assert.Empty(Layouts(network with { Layers = [.. network.Layers, reader with { Name = "w" }], Outputs = ["z", "w"] }));
        Assert.Empty(Layouts(network with { Layers = [network.Layers[0], reader with { Stride = new(2, 2), Type = Type(5, 3, 8, 0.5f, -4) }] }));

        // one line has no halves
        Assert.Equal(["dense", "packed-w"], Layouts(Network(1, 6, 8, isDepthwise: true)));
        Assert.Equal(["dense", "halo"], Layouts(Network(9, 6, 8, isDepthwise: true, reads: 3)).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("openedge")]
    [InlineData("openedge-banked8")]
    [InlineData("openedge-ideal")]
    public void The_selector_stores_it_packed_and_knows_what_that_costs(string machineName)
    {
        var machine = BuiltInMachines.All.Single(m => m.Name == machineName);
        var network = Network(25, 5, 64, isDepthwise: true);
        var gconv = LowerToGconv.Lower(network, new())!;
        var selected = MappingSelector.Select(gconv, machine, [new("z", "starpoint-w")], new(), default)!;
        Assert.Contains(selected.Program.Steps.OfType<MappedNest>(), n => n.Kernel == RequantizeHalvesKernel.Strategy);
        var dense = MappingSelector.Select(gconv, machine, [new("z", "starpoint-w"), new("y:layout", "dense")], new(), default)!;
        Assert.DoesNotContain(dense.Program.Steps.OfType<MappedNest>(), n => n.Kernel == RequantizeHalvesKernel.Strategy);
        Assert.True(dense.Explanation!.Cost > selected.Explanation!.Cost);
        foreach (var mapping in (SelectedMapping[])[selected, dense])
        {
            // the parts into which costs of layers are cut add up again
            var timer = new KernelTimer(machine);
            var nests = mapping.Program.Steps.OfType<MappedNest>().ToArray();
            Assert.Equal(mapping.Explanation!.Cost, nests.Select((n, i) => timer.Cost(n, mapping.Program, false, i == 0 ? null : nests[i - 1]).InRam).Sum(), mapping.Explanation.Cost * 0.01);
        }
    }

    private static IEnumerable<string> Layouts(NetworkGraph network) => OpenEdgeMapper.Map(LowerToGconv.Lower(network, new())!, MappingChoices.Defaults, new(), default)!
        .Decisions.SingleOrDefault(d => d.Key == MappingDecision.LayoutKey("y"))?.Candidates.Select(c => c.Name) ?? [];

    /// <summary>A depthwise or pointwise layer "y" and a convolution "z" that reads it with a window of so many taps a side.</summary>
    private static NetworkGraph Network(int height, int width, int channels, bool isDepthwise, FusedActivation activation = FusedActivation.Relu, int reads = 1)
    {
        static sbyte[] Weights(int count) => [.. Enumerable.Range(0, count).Select(i => (sbyte)((i * 37 % 255) - 127))];
        var scale = 0.5f * 0.1f * (isDepthwise ? 9 : channels) * 100 * 255 / 400;
        var type = Type(height, width, channels, scale, activation == FusedActivation.Relu ? -128 : -4);
        Layer first = isDepthwise
            ? new DepthwiseConv2D(
                "y",
                ["x"],
                type,
                Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, 3, 3, channels), Weights(9 * channels)),
                Quantization.PerTensor(0.1f, 0),
                null,
                new(1, 1),
                new(1, 1),
                new(1, 1, 1, 1),
                1,
                activation,
                RoundingScheme.TfliteDouble)
            : Convolution("y", "x", type, channels, activation, 3);
        return new(
            "stored",
            [new("x", Type(height, width, channels, 0.5f, 5))],
            [first, Convolution("z", "y", Type(height, width, channels, scale * 0.1f * channels * 20, -4), channels, FusedActivation.None, reads)],
            ["z"]);

        static Conv2D Convolution(string name, string input, TensorType type, int channels, FusedActivation activation, int kernel) => new(
            name,
            [input],
            type,
            Tensor.From<sbyte>(ElementType.Int8, Shape.Of(channels, kernel, kernel, channels), Weights(channels * kernel * kernel * channels)),
            Quantization.PerTensor(0.1f, 0),
            null,
            new(1, 1),
            new(1, 1),
            new(kernel / 2, kernel / 2, kernel / 2, kernel / 2),
            1,
            activation,
            RoundingScheme.TfliteDouble);
    }
}
