using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;
using CnnCompiler.TestSupport;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Two outputs a multiplication: the lanes hold at the extremes, and every form of convolution stays exact.</summary>
public class HalvesTests
{
    private const int Count = 400;
    private const int LayersPerNetwork = 20;

    [Theory]
    [InlineData("halves-h")]
    [InlineData("halves-w")]
    public void Small_convolutions_in_halves_compute_the_same_from_their_images(string candidate)
    {
        var halved = 0;
        foreach (var (network, layers) in SmallConvolutions.Pack(SmallConvolutions.Spread(Count), LayersPerNetwork))
        {
            halved += Check(network, candidate, RandomNetworks.Inputs(network, layers[0].Index));
        }

        Assert.True(halved > Count / 10, $"only {halved} convolutions were halved");
    }

    /// <summary>Height, width, input and output channels, kernel, stride, dilation: lines that are one run, and lines with gaps, halves of which are whole or not.</summary>
    public static TheoryData<int, int, int, int, int, int, int> Packed() => new()
    {
        { 33, 19, 8, 4, 3, 1, 1 },
        { 24, 24, 8, 2, 1, 1, 1 },
        { 41, 25, 5, 3, 3, 2, 1 },
        { 27, 73, 3, 2, 2, 2, 1 },
        { 24, 61, 7, 2, 2, 3, 1 },
    };

    [Theory]
    [MemberData(nameof(Packed))]
    public void Pairs_of_columns_pack_inputs_of_every_shape_on_every_machine(int height, int width, int inputs, int outputs, int kernel, int stride, int dilation)
    {
        foreach (var candidate in (ReadOnlySpan<string>)["halves-h", "halves-w"])
        {
            var network = Convolution(height, width, inputs, outputs, kernel, stride, dilation, 1, "signs");
            var diagnostics = new DiagnosticBag();
            var levels = AllLevels.Compile(network, ForcedMappings.Choices(LowerToGconv.Lower(network, diagnostics)!, candidate), diagnostics);
            Assert.True(levels is not null, string.Join('\n', diagnostics.Diagnostics));
            Assert.Contains(HalvesPairsKernel.Strategy, levels.Mapped.Steps.OfType<MappedNest>().Select(n => n.Kernel));
            Assert.Null(levels.FirstDifference(RandomNetworks.Inputs(network, height)));
        }
    }

    [Theory]
    [InlineData(27, 15, 5, 1, 2, 1, 7, 8)]
    [InlineData(14, 9, 3, 2, 3, 3, 4, 4)]
    public void Of_what_no_tap_reads_nothing_is_packed(int height, int width, int inputs, int kernel, int stride, int dilation, int lines, int columns)
    {
        var network = Convolution(height, width, inputs, 4, kernel, stride, dilation, 1, "signs");
        var diagnostics = new DiagnosticBag();
        var levels = AllLevels.Compile(network, ForcedMappings.Choices(LowerToGconv.Lower(network, diagnostics)!, "halves-w"), diagnostics)!;
        var packed = levels.Mapped.Buffers.Single(b => b.Layout.Lanes == HalvesKernel.Halves);
        Assert.Equal(lines, packed.Layout.Shape[1]);
        Assert.Equal(columns, packed.Layout.Shape[2]);
        Assert.Null(levels.FirstDifference(RandomNetworks.Inputs(network, height)));
    }

    /// <summary>Height, width, input and output channels, kernel, stride, dilation, groups: odd lines, one line a column and less, taps that fill up no group.</summary>
    public static TheoryData<int, int, int, int, int, int, int, int> Shapes() => new()
    {
        { 9, 7, 3, 5, 3, 1, 1, 1 },
        { 8, 8, 16, 16, 3, 1, 1, 1 },
        { 11, 6, 8, 6, 3, 2, 1, 1 },
        { 7, 12, 4, 8, 3, 1, 2, 1 },
        { 5, 5, 1, 4, 5, 1, 1, 1 },
        { 3, 3, 32, 12, 1, 1, 1, 1 },
        { 25, 5, 9, 4, 1, 1, 1, 1 },
        { 6, 9, 8, 8, 3, 1, 1, 2 },
        { 3, 17, 6, 3, 1, 2, 1, 1 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Extreme_weights_and_codes_do_not_overflow_a_lane(int height, int width, int inputs, int outputs, int kernel, int stride, int dilation, int groups)
    {
        foreach (var weights in (ReadOnlySpan<string>)["highest", "lowest", "signs"])
        {
            var network = Convolution(height, width, inputs, outputs, kernel, stride, dilation, groups, weights);
            foreach (var candidate in (ReadOnlySpan<string>)["halves-h", "halves-w"])
            {
                foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "signs"])
                {
                    var shape = network.Inputs[0].Type.Shape;
                    var values = Enumerable.Range(0, (int)shape.Elements).Select(i => Extreme(codes, i, sbyte.MinValue)).ToArray();
                    Assert.Equal(1, Check(network, candidate, [Tensor.From<sbyte>(ElementType.Int8, shape, values)]));
                }
            }
        }
    }

    [Fact]
    public void Two_taps_of_any_codes_and_any_weights_up_to_127_come_apart_again()
    {
        // the extremes of a bilinear form over a box are at its corners
        int[] codes = [sbyte.MinValue, -1, 0, 1, sbyte.MaxValue];
        int[] weights = [-127, -1, 0, 1, 127];
        foreach (var w in weights.SelectMany(_ => weights, (a, b) => (a, b)))
        {
            foreach (var low in codes.SelectMany(_ => codes, (a, b) => (a, b)))
            {
                foreach (var high in codes.SelectMany(_ => codes, (a, b) => (a, b)))
                {
                    var word = unchecked(((low.a + (high.a << 16)) * w.a) + ((low.b + (high.b << 16)) * w.b));
                    var unpacked = ((word >> 15) + 1) >> 1;
                    Assert.Equal((high.a * w.a) + (high.b * w.b), unpacked);
                    Assert.Equal((low.a * w.a) + (low.b * w.b), unchecked(word - (unpacked << 16)));
                }
            }
        }

        Assert.True(HalvesContractKernel.LanesHold(127));
        Assert.False(HalvesContractKernel.LanesHold(128));
    }

    [Fact]
    public void A_convolution_with_the_weight_minus_128_is_not_halved()
    {
        var gconv = LowerToGconv.Lower(Convolution(8, 8, 4, 4, 3, 1, 1, 1, "lowest", sbyte.MinValue), new())!;
        var decisions = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, new(), default)!.Decisions;
        Assert.DoesNotContain(decisions.SelectMany(d => d.Candidates), c => c.Name.StartsWith("halves", StringComparison.Ordinal));
    }

    [Fact]
    public void A_layer_whose_halves_exceed_the_array_does_not_keep_others_from_theirs()
    {
        // taps 2,080 bytes apart: the loaders of halves step over two of them, more than a constant holds
        const int Channels = 520;
        var far = Convolution(4, 4, Channels, 2 * Channels, 2, 1, 1, Channels, "signs");
        var near = Convolution(4, 4, 2 * Channels, 4, 1, 1, 1, 1, "signs");
        var first = (Conv2D)far.Layers[0];
        var second = (Conv2D)near.Layers[0] with { Name = "z", Inputs = ["y"] };
        var network = far with { Layers = [first with { Padding = new(0, 1, 0, 1), Type = first.Type with { Shape = Shape.Of(1, 4, 4, 2 * Channels) } }, second], Outputs = ["z"] };
        var diagnostics = new DiagnosticBag();
        var gconv = LowerToGconv.Lower(network, diagnostics)!;
        var defaults = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, diagnostics, default)!;
        string[] halved = [.. defaults.Decisions.Where(d => d.Candidates.Any(c => c.Name == "halves-w")).Select(d => d.Name)];
        Assert.Equal(2, halved.Length);
        Assert.Null(OpenEdgeMapper.Map(gconv, MappingChoices.Defaults.With(halved[0], "halves-w"), new(), default));
        var selected = MappingSelector.Select(gconv, BuiltInMachines.Default, [], diagnostics, default)!;
        Assert.Equal([halved[1]], selected.Program.Steps.OfType<MappedNest>().Where(n => n.Kernel == HalvesContractKernel.Strategy).Select(n => n.Origin!.Value.Layer));
    }

    [Fact]
    public void Where_packed_inputs_do_not_fit_the_largest_are_given_up_first_and_named()
    {
        var wide = Convolution(32, 32, 16, 3, 1, 1, 1, 1, "signs");
        var narrow = (Conv2D)Convolution(32, 32, 3, 8, 3, 2, 1, 1, "signs").Layers[0] with { Name = "z", Inputs = ["y"] };
        var network = wide with { Layers = [wide.Layers[0], narrow], Outputs = ["z"] };
        var gconv = LowerToGconv.Lower(network, new())!;
        var machine = BuiltInMachines.Default;
        string[] Halved(MappedProgram program) =>
            [.. program.Steps.OfType<MappedNest>().Where(n => n.Kernel == HalvesContractKernel.Strategy).Select(n => n.Origin!.Value.Layer).Distinct()];
        Assert.Equal(["y", "z"], Halved(MappingSelector.Select(gconv, machine, [], new(), default)!.Program));

        // the input in words takes 64 KiB, its packed halves 32 KiB more, sums only 16 KiB
        machine = machine with { Ram = machine.Ram with { Bytes = machine.Ram.ReservedBytes + (90 * 1024) } };
        var diagnostics = new DiagnosticBag();
        var selected = MappingSelector.Select(gconv, machine, [], diagnostics, default)!;
        Assert.Equal(["z"], Halved(selected.Program));
        var note = Assert.Single(diagnostics.Diagnostics, d => d.Code == "CNN0806");
        Assert.EndsWith("the default mapping is taken for y", note.Message);
        var image = ImageEmitter.Emit(selected.Program, machine, diagnostics, default)!;
        var inputs = RandomNetworks.Inputs(network, 1);
        Assert.Null(AllLevels.ImageDifference(image, inputs, NetworkEvaluator.Evaluate(network, inputs, diagnostics)!.Outputs));
    }

    [Fact]
    public void Requantisation_with_two_multiplications_is_the_definition()
    {
        var random = new SeededRandom(11);
        for (var i = 0; i < 400_000; i++)
        {
            var shift = -1 - (int)(random.NextBits64() % 20);
            var multiplier = (i % 5) switch
            {
                0 => 1 << 30,
                1 => int.MaxValue,
                _ => (1 << 30) + (int)(random.NextBits64() % (1 << 30)),
            };

            // anything, small values, and values near a tie of the second rounding
            var x = (i % 3) switch
            {
                0 => (int)(random.NextBits64() % (2 * (ulong)RequantizePairsKernel.Bound - 1)) - (int)(RequantizePairsKernel.Bound - 1),
                1 => (int)(random.NextBits64() % 2000) - 1000,
                _ => (int)Math.Clamp(((((long)(random.NextBits64() % 512) - 256) * 2) + 1) * ((1L << (30 - shift)) / multiplier) + (long)(random.NextBits64() % 5) - 2, 1 - RequantizePairsKernel.Bound, RequantizePairsKernel.Bound - 1),
            };
            Assert.True(RequantizePairsKernel.Fits(Math.Abs(x), [shift], RequantizePairsKernel.Workers));
            var (high, low, right) = RequantizePairsKernel.Split(multiplier, shift);

            // checked: nothing on the way exceeds 32 bits
            var fraction = checked((int)(((long)x * low) >> 15)) >> 8;
            var sum = checked((x * high) + fraction + 128 - (x < 0 ? 256 : 0));
            var actual = ((sum >> right) + 1) >> 1;
            Assert.True(FixedPoint.MultiplyByQuantizedMultiplier(x, multiplier, shift) == actual, $"{x} by {multiplier}, shift {shift}");
        }
    }

    [Fact]
    public void The_short_requantisation_is_refused_beyond_its_bounds()
    {
        Assert.True(RequantizePairsKernel.Fits(RequantizePairsKernel.Bound - 1, [-1, -9], 2));
        Assert.False(RequantizePairsKernel.Fits(RequantizePairsKernel.Bound, [-1, -9], 2));
        Assert.False(RequantizePairsKernel.Fits(1, [-1, 0], 2));
        Assert.False(RequantizePairsKernel.Fits(1, [-1], 1));
        Assert.False(RequantizePairsKernel.Fits(1, [-31], 2));
    }

    /// <summary>Maps with a candidate wherever there is one and compares the image with the network; how many layers took it.</summary>
    private static int Check(NetworkGraph network, string candidate, IReadOnlyList<Tensor> inputs)
    {
        var diagnostics = new DiagnosticBag();
        var gconv = LowerToGconv.Lower(network, diagnostics)!;
        var defaults = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, diagnostics, default);
        Assert.True(defaults is not null, string.Join('\n', diagnostics.Diagnostics));
        var choices = defaults.Decisions.Where(d => d.Candidates.Any(c => c.Name == candidate))
            .Aggregate(MappingChoices.Defaults, (all, d) => all.With(d.Key, candidate));
        var mapping = OpenEdgeMapper.Map(gconv, choices, diagnostics, default);
        Assert.True(mapping is not null, string.Join('\n', diagnostics.Diagnostics));
        diagnostics.Report(MappedVerifier.Check(mapping.Program));
        var image = ImageEmitter.Emit(mapping.Program, BuiltInMachines.Default, diagnostics, default);
        Assert.True(image is not null && !diagnostics.HasErrors, $"{network.Name}: {string.Join('\n', diagnostics.Diagnostics)}");
        var expected = NetworkEvaluator.Evaluate(network, inputs, diagnostics)!.Outputs;
        var mapped = MappedEvaluator.Run(mapping.Program, inputs, diagnostics, keepValues: false)!.Outputs;
        Assert.All(expected.Zip(mapped), pair => Assert.Equal(pair.First.Bytes.ToArray(), pair.Second.Bytes.ToArray()));
        Assert.Null(AllLevels.ImageDifference(image, inputs, expected));
        return mapping.Program.Steps.OfType<MappedNest>().Count(n => n.Kernel == HalvesContractKernel.Strategy);
    }

    private static sbyte Extreme(string kind, int index, sbyte lowest) => kind switch
    {
        "highest" => sbyte.MaxValue,
        "lowest" => lowest,
        _ => (index * 7 % 5) < 2 ? lowest : sbyte.MaxValue,
    };

    private static NetworkGraph Convolution(
        int height, int width, int inputs, int outputs, int kernel, int stride, int dilation, int groups, string weights, sbyte lowest = -127)
    {
        // the largest sum of 255 * 127 a tap becomes about 100
        var scale = 0.5f * 0.1f * kernel * kernel * (inputs / groups) * 255 * 127 / 100;
        var reach = dilation * (kernel - 1) / 2;
        int Out(int size) => ((size + (2 * reach) - (dilation * (kernel - 1)) - 1) / stride) + 1;
        var values = Enumerable.Range(0, outputs * kernel * kernel * (inputs / groups)).Select(i => Extreme(weights, i, lowest)).ToArray();
        return new(
            "extreme",
            [new("x", new(ElementType.Int8, Shape.Of(1, height, width, inputs), Quantization.PerTensor(0.5f, 5)))],
            [
                new Conv2D(
                    "y",
                    ["x"],
                    new(ElementType.Int8, Shape.Of(1, Out(height), Out(width), outputs), Quantization.PerTensor(scale, -4)),
                    Tensor.From<sbyte>(ElementType.Int8, Shape.Of(outputs, kernel, kernel, inputs / groups), values),
                    Quantization.PerTensor(0.1f, 0),
                    null,
                    new(stride, stride),
                    new(dilation, dilation),
                    new(reach, reach, reach, reach),
                    groups,
                    FusedActivation.None,
                    RoundingScheme.TfliteDouble),
            ],
            ["y"]);
    }
}
