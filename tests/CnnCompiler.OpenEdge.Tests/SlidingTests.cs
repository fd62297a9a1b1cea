using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Depthwise convolutions that slide along a line: exact for every window, stride, padding and number of channels.</summary>
public class SlidingTests
{
    /// <summary>Height, width, channels, kernel height and width, stride, dilation across the line, padding.</summary>
    public static TheoryData<int, int, int, int, int, int, int, int> Shapes() => new()
    {
        { 25, 5, 64, 3, 3, 1, 1, 1 },

        // the longest way from input to input that a constant leads
        { 4, 62, 16, 3, 3, 1, 1, 1 },
        { 1, 1, 1, 1, 1, 1, 1, 0 },
        { 3, 3, 256, 3, 3, 1, 1, 1 },
        { 9, 7, 17, 3, 3, 2, 1, 1 },
        { 8, 6, 5, 3, 3, 2, 1, 0 },
        { 7, 4, 16, 3, 1, 1, 1, 1 },
        { 6, 9, 33, 1, 3, 1, 1, 1 },
        { 10, 3, 20, 2, 2, 1, 1, 0 },
        { 12, 5, 8, 2, 3, 2, 1, 1 },
        { 11, 8, 12, 3, 3, 1, 2, 2 },
        { 13, 4, 3, 3, 2, 3, 1, 1 },
        { 9, 5, 7, 4, 2, 2, 1, 1 },

        // few channels: several lines at a time, and lines that are left over
        { 9, 7, 8, 3, 3, 1, 1, 1 },
        { 9, 9, 4, 3, 3, 1, 1, 1 },
        { 9, 3, 2, 3, 3, 2, 1, 1 },

        // inputs between the windows
        { 11, 7, 5, 2, 2, 3, 1, 0 },
        { 13, 6, 18, 3, 2, 4, 1, 1 },

        // an input behind the last window
        { 16, 6, 20, 3, 3, 2, 1, 0 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_window_is_exact_with_extreme_weights_and_codes(int height, int width, int channels, int kernelHeight, int kernelWidth, int stride, int dilation, int padding)
    {
        foreach (var weights in (ReadOnlySpan<string>)["lowest", "signs"])
        {
            var network = Layer(height, width, channels, kernelHeight, kernelWidth, stride, dilation, padding, weights);
            foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "signs"])
            {
                var shape = network.Inputs[0].Type.Shape;
                var values = Enumerable.Range(0, (int)shape.Elements).Select(i => Extreme(codes, i)).ToArray();
                var nests = ForcedMappings.Check(network, "slide-h", SlidingKernel.Strategy, [Tensor.From<sbyte>(ElementType.Int8, shape, values)]);
                Assert.Equal((channels + SlidingKernel.Channels - 1) / SlidingKernel.Channels, channels > 1 ? nests.Count : 1);
            }
        }
    }

    /// <summary>As <see cref="Shapes"/>, where a step's inputs can be taken apart.</summary>
    public static TheoryData<int, int, int, int, int, int, int, int> PackedShapes() => new()
    {
        { 25, 5, 64, 3, 3, 1, 1, 1 },
        { 3, 3, 256, 3, 3, 1, 1, 1 },
        { 9, 7, 20, 3, 2, 1, 1, 1 },
        { 8, 6, 4, 3, 3, 1, 1, 0 },
        { 7, 4, 16, 3, 1, 1, 1, 1 },
        { 6, 9, 36, 1, 3, 1, 1, 1 },
        { 12, 5, 8, 2, 2, 2, 1, 1 },
        { 11, 8, 12, 3, 3, 1, 2, 2 },
        { 5, 6, 28, 1, 1, 1, 1, 0 },
        { 9, 7, 8, 3, 3, 1, 1, 1 },
        { 10, 7, 4, 3, 3, 1, 1, 1 },
        { 10, 3, 4, 3, 3, 1, 1, 1 },
        { 11, 7, 12, 2, 2, 3, 1, 0 },
    };

    [Theory]
    [MemberData(nameof(PackedShapes))]
    public void Four_channels_a_word_are_taken_apart_exactly(int height, int width, int channels, int kernelHeight, int kernelWidth, int stride, int dilation, int padding)
    {
        foreach (var weights in (ReadOnlySpan<string>)["lowest", "signs"])
        {
            var network = Layer(height, width, channels, kernelHeight, kernelWidth, stride, dilation, padding, weights);
            foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "signs", "all"])
            {
                var shape = network.Inputs[0].Type.Shape;
                var values = Enumerable.Range(0, (int)shape.Elements).Select(i => codes == "all" ? (sbyte)((i * 41 % 256) - 128) : Extreme(codes, i)).ToArray();
                var nests = ForcedMappings.Check(network, "slidequads-h", SlidingKernel.PackedStrategy, [Tensor.From<sbyte>(ElementType.Int8, shape, values)]);
                Assert.Equal((channels + SlidingKernel.Channels - 1) / SlidingKernel.Channels, nests.Count);
            }
        }
    }

    [Fact]
    public void Four_channels_a_word_are_offered_where_words_have_no_other_channels()
    {
        var gconv = LowerToGconv.Lower(Layer(25, 5, 18, 3, 3, 1, 1, 1, "signs"), new())!;
        var candidates = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, new(), default)!.Decisions.SelectMany(d => d.Candidates).Select(c => c.Name).ToArray();
        Assert.Contains("slide-h", candidates);
        Assert.DoesNotContain("slidequads-h", candidates);
    }

    [Theory]
    [InlineData("slide-h", SlidingKernel.Strategy)]
    [InlineData("slidequads-h", SlidingKernel.PackedStrategy)]
    public void Few_channels_leave_no_cells_idle(string candidate, string strategy)
    {
        long Cycles(int channels)
        {
            var gconv = LowerToGconv.Lower(Layer(25, 8, channels, 3, 3, 1, 1, 1, "signs"), new())!;
            var program = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults.With("y", candidate), new(), default)!.Program;
            return new KernelTimer(BuiltInMachines.Default).ArrayCycles(program.Steps.OfType<MappedNest>().Single(n => n.Kernel == strategy), program);
        }

        Assert.InRange(Cycles(8), 1, Cycles(16) * 6 / 10);
        Assert.InRange(Cycles(4), 1, Cycles(16) * 3 / 10);
    }

    [Fact]
    public void Two_in_a_row_find_their_marks_although_the_first_writes_the_input_of_the_second()
    {
        var first = Layer(12, 6, 24, 3, 3, 1, 1, 1, "signs");
        var second = (DepthwiseConv2D)first.Layers[0] with { Name = "z", Inputs = ["y"] };
        var network = first with { Layers = [first.Layers[0], second], Outputs = ["z"] };
        var shape = network.Inputs[0].Type.Shape;
        var values = Enumerable.Range(0, (int)shape.Elements).Select(i => (sbyte)((i * 41 % 256) - 128)).ToArray();
        Assert.Equal(4, ForcedMappings.Check(network, "slide-h", SlidingKernel.Strategy, [Tensor.From<sbyte>(ElementType.Int8, shape, values)]).Count);
        Assert.Equal(4, ForcedMappings.Check(network, "slidequads-h", SlidingKernel.PackedStrategy, [Tensor.From<sbyte>(ElementType.Int8, shape, values)]).Count);
    }

    /// <summary>Windows that are too large for one pass, as <see cref="Shapes"/>, then the passes over words and over four channels a word.</summary>
    public static TheoryData<int, int, int, int, int, int, int, int, int, int> LargeShapes() => new()
    {
        { 14, 14, 32, 5, 5, 1, 1, 2, 3, 4 },
        { 9, 7, 17, 5, 5, 1, 1, 2, 3, 4 },
        { 14, 9, 5, 7, 7, 1, 1, 3, 6, 8 },
        { 11, 6, 1, 5, 5, 1, 1, 2, 3, 4 },

        // sums under way, along the line and nowhere else
        { 12, 6, 8, 7, 1, 1, 1, 0, 3, 3 },
        { 12, 5, 18, 4, 1, 1, 1, 0, 2, 2 },

        // steps, across the line and nowhere else
        { 3, 20, 16, 1, 15, 1, 1, 0, 2, 3 },

        // strides, inputs behind the last window, and inputs between the windows
        { 28, 12, 24, 5, 5, 2, 1, 2, 3, 4 },
        { 16, 9, 3, 5, 5, 2, 1, 0, 3, 4 },
        { 15, 13, 7, 7, 7, 2, 1, 3, 5, 9 },
        { 17, 11, 20, 5, 5, 3, 1, 1, 3, 5 },
        { 18, 18, 4, 3, 11, 4, 1, 0, 4, 9 },

        // taps with gaps between them across the line
        { 10, 13, 6, 5, 3, 1, 3, 2, 2, 2 },
        { 5, 6, 12, 5, 5, 1, 1, 2, 3, 4 },
        { 9, 8, 4, 7, 7, 1, 1, 0, 7, 8 },

        // lines one after the other
        { 8, 26, 8, 5, 5, 1, 1, 2, 3, 4 },
    };

    [Theory]
    [MemberData(nameof(LargeShapes))]
    public void Large_windows_slide_in_several_passes_exactly(
        int height, int width, int channels, int kernelHeight, int kernelWidth, int stride, int dilation, int padding, int passes, int packedPasses)
    {
        var blocks = (channels + SlidingKernel.Channels - 1) / SlidingKernel.Channels;
        foreach (var weights in (ReadOnlySpan<string>)["lowest", "signs"])
        {
            var network = Layer(height, width, channels, kernelHeight, kernelWidth, stride, dilation, padding, weights);
            foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "signs", "all"])
            {
                var shape = network.Inputs[0].Type.Shape;
                Tensor[] inputs = [Tensor.From<sbyte>(ElementType.Int8, shape, [.. Enumerable.Range(0, (int)shape.Elements).Select(i => Code(codes, i))])];
                if (channels > 1)
                {
                    Assert.Equal(blocks * passes, ForcedMappings.Check(network, "slide-h", SlidingKernel.Strategy, inputs).Count);
                }

                if (channels % 4 == 0)
                {
                    Assert.Equal(blocks * packedPasses, ForcedMappings.Check(network, "slidequads-h", SlidingKernel.PackedStrategy, inputs).Count);
                }
            }
        }
    }

    [Theory]
    [InlineData(14, 14, 32, 5, 1, 2)]
    [InlineData(28, 28, 24, 5, 2, 2)]
    [InlineData(14, 14, 16, 7, 1, 3)]
    public void Large_windows_take_at_most_two_thirds_of_the_array_s_cycles(int height, int width, int channels, int kernel, int stride, int padding)
    {
        var gconv = LowerToGconv.Lower(Layer(height, width, channels, kernel, kernel, stride, 1, padding, "signs"), new())!;
        foreach (var machine in AllLevels.Machines)
        {
            long Cycles(string candidate)
            {
                var program = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults.With("y", candidate), new(), default)!.Program;
                return program.Steps.OfType<MappedNest>().Where(n => n.Origin.Value.Layer == "y").Sum(n => new KernelTimer(machine).ArrayCycles(n, program));
            }

            Assert.InRange(Cycles("slide-h"), 1, Cycles("window-h") * 2 / 3);
            Assert.InRange(Cycles("slidequads-h"), 1, Cycles("window-h") * 2 / 3);
        }
    }

    [Theory]
    [InlineData("slide-h", 100_000, 1)]
    [InlineData("slide-h", 4_000, 2)]
    [InlineData("slide-h", 256, 7)]
    [InlineData("slidequads-h", 2_000, 4)]
    public void Planes_of_some_lines_at_a_time_take_less_room(string candidate, int words, int tiles)
    {
        var network = Layer(11, 7, 20, 5, 5, 1, 1, 2, "signs");
        var choices = MappingChoices.Defaults.With("y", candidate) with { AccumulatorWords = words };
        var shape = network.Inputs[0].Type.Shape;
        Tensor[] inputs = [Tensor.From<sbyte>(ElementType.Int8, shape, [.. Enumerable.Range(0, (int)shape.Elements).Select(i => Code("all", i))])];
        var program = ForcedMappings.Check(network, choices, inputs);
        var planes = program.Buffers.Where(b => b.Name.StartsWith("y.planes", StringComparison.Ordinal)).ToArray();
        Assert.Equal(tiles, planes.Count(b => b.Name.StartsWith("y.planes.0", StringComparison.Ordinal)));
        Assert.All(planes, b => Assert.InRange(b.Layout.Elements, 1, Math.Max(words, planes.Min(p => p.Layout.Elements))));
    }

    [Fact]
    public void Every_tap_of_a_window_is_in_one_pass_that_fits()
    {
        foreach (var isPacked in (ReadOnlySpan<bool>)[false, true])
        {
            for (var shape = 0; shape < 10 * 10 * 4; shape++)
            {
                var (taps, lines, stride) = (1 + (shape % 10), 1 + (shape / 10 % 10), 1 + (shape / 100));
                var window = new SlidingWindow(taps, stride, 64, [(lines, 4)], 11, (10 * stride) + taps, 16, isPacked);
                var passes = SlidingPlan.Find(window)!.Passes;
                var done = new bool[taps, lines];
                foreach (var pass in passes)
                {
                    Assert.True(window.Fits(pass.Taps, pass.Lines));
                    Assert.InRange(pass.Steps, window.Pixels + pass.UnderWay - 1, isPacked ? window.Pixels + pass.UnderWay - 1 : window.Inputs);
                    for (var tap = 0; tap < pass.Taps * pass.Lines; tap++)
                    {
                        ref var isDone = ref done[pass.FirstTap + (tap / pass.Lines), pass.FirstLine + (tap % pass.Lines)];
                        Assert.False(isDone);
                        isDone = true;
                    }
                }

                Assert.Equal(taps * lines, passes.Sum(p => p.Taps * p.Lines));
                Assert.Equal(window.Fits(taps, lines), passes.Count == 1);
            }
        }
    }

    [Fact]
    public void Passes_whose_steps_are_counted_end_with_the_last_output() =>
        Assert.All(SlidingPlan.Find(new(5, 1, 448, [(5, 32)], 14, 18, 32, IsPacked: false))!.Passes, pass => Assert.Equal(14, pass.Sums));

    [Theory]
    [InlineData(5)]
    [InlineData(18)]
    public void Words_are_packed_whose_last_channels_nothing_wrote(int channels)
    {
        var network = Layer(8, 6, channels, 3, 3, 1, 1, 0, "signs", FusedActivation.Relu);
        var second = (DepthwiseConv2D)Layer(6, 4, channels, 3, 3, 1, 1, 0, "signs", FusedActivation.Relu).Layers[0] with { Name = "z", Inputs = ["y"] };
        network = network with { Layers = [network.Layers[0], second], Outputs = ["z"] };
        var shape = network.Inputs[0].Type.Shape;
        Tensor[] inputs = [Tensor.From<sbyte>(ElementType.Int8, shape, [.. Enumerable.Range(0, (int)shape.Elements).Select(i => Code("all", i))])];
        var choices = MappingChoices.Defaults.With("z", "slidequads-h").With("y:layout", "dense");
        Assert.Contains(ForcedMappings.Check(network, choices, inputs).Steps, s => s is MappedNest { Kernel: SlidingKernel.PackedStrategy });
    }

    /// <summary>Passes whose planes are few or many, of lines that are there together or some at a time.</summary>
    [Theory]
    [InlineData(5, 48, "slide-h", 100_000, 3)]
    [InlineData(5, 40, "slide-h", 2_000, 3)]
    [InlineData(7, 32, "slide-h", 100_000, 6)]
    [InlineData(7, 20, "slidequads-h", 3_000, 7)]
    public void Code_with_the_parameters_of_sixteen_channels_adds_up_the_planes(int kernel, int channels, string candidate, int words, int passes)
    {
        var network = Layer(14, 7, channels, kernel, kernel, 1, 1, kernel / 2, "mixed", FusedActivation.Relu);
        var shape = network.Inputs[0].Type.Shape;
        foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "all"])
        {
            Tensor[] inputs = [Tensor.From<sbyte>(ElementType.Int8, shape, [.. Enumerable.Range(0, (int)shape.Elements).Select(i => Code(codes, i))])];
            var choices = MappingChoices.Defaults.With("y", candidate) with { AccumulatorWords = words };
            var program = ForcedMappings.Check(network, choices, inputs);
            var adding = program.Steps.OfType<MappedNest>().Where(n => n.Loops.Any(l => l is { Name: PlanesKernel.Plane, Reduced: true } && l.Extent == passes)).ToArray();
            Assert.Contains(adding, n => n.Kernel == RequantizeConstantsKernel.Strategy);
            Assert.Equal(channels % SlidingKernel.Channels > 0, adding.Any(n => n.Kernel == SlidingPlanesKernel.Strategy));
            Assert.Equal(channels % SlidingKernel.Channels > 0, program.Buffers.Any(b => b.Name.EndsWith(".sums", StringComparison.Ordinal)));

            // where parameters aren't to be in the code, the planes make sums
            var sums = ForcedMappings.Check(network, choices with { FewestPositionsOfConstants = int.MaxValue }, inputs).Steps.OfType<MappedNest>().ToArray();
            Assert.DoesNotContain(sums, n => n.Kernel == RequantizeConstantsKernel.Strategy);
            Assert.Contains(sums, n => n.Kernel == SlidingPlanesKernel.Strategy);
        }
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 7)]
    public void All_lines_that_follow_each_other_are_requantised_by_one_launch(int padding, int launches)
    {
        // a reader that pads makes lines end in its halo
        var network = Layer(9, 7, 16, 3, 3, 1, 1, 1, "signs", FusedActivation.Relu);
        var second = (DepthwiseConv2D)Layer(9, 7, 16, 3, 3, 1, 1, padding, "signs", FusedActivation.Relu).Layers[0] with { Name = "z", Inputs = ["y"] };
        network = network with { Layers = [network.Layers[0], second], Outputs = ["z"] };
        var shape = network.Inputs[0].Type.Shape;
        Tensor[] inputs = [Tensor.From<sbyte>(ElementType.Int8, shape, [.. Enumerable.Range(0, (int)shape.Elements).Select(i => Code("all", i))])];
        var program = ForcedMappings.Check(network, MappingChoices.Defaults.With("y", "slide-h"), inputs);
        var codes = Assert.Single(program.Steps.OfType<MappedNest>(), n => n.Kernel == RequantizeConstantsKernel.Strategy);
        Assert.Equal(launches, KernelCompiler.Compile(codes, new Constants(program)).Launches);
    }

    private sealed class Constants(MappedProgram program) : IKernelData
    {
        public int AddressOf(string buffer) => 0;

        public Tensor Constant(string name) => program.Constants.Single(c => c.Name == name).Value;
    }

    private static sbyte Code(string kind, int index) => kind == "all" ? (sbyte)((index * 41 % 256) - 128) : Extreme(kind, index);

    private static sbyte Extreme(string kind, int index) => kind switch
    {
        "highest" => sbyte.MaxValue,
        "lowest" => sbyte.MinValue,
        "mixed" => (sbyte)((index * 37 % 255) - 127),
        _ => (index * 7 % 5) < 2 ? sbyte.MinValue : sbyte.MaxValue,
    };

    private static NetworkGraph Layer(int height, int width, int channels, int kernelHeight, int kernelWidth, int stride, int dilation, int padding, string weights, FusedActivation activation = FusedActivation.None)
    {
        var scale = 0.5f * 0.1f * kernelHeight * kernelWidth * 255 * 127 / 100;
        int Out(int size, int kernel, int step) => ((size + (2 * padding) - (step * (kernel - 1)) - 1) / stride) + 1;
        var values = Enumerable.Range(0, channels * kernelHeight * kernelWidth).Select(i => Extreme(weights, i)).ToArray();
        return new(
            "depthwise",
            [new("x", new(ElementType.Int8, Shape.Of(1, height, width, channels), Quantization.PerTensor(0.5f, 5)))],
            [
                new DepthwiseConv2D(
                    "y",
                    ["x"],
                    new(ElementType.Int8, Shape.Of(1, Out(height, kernelHeight, 1), Out(width, kernelWidth, dilation), channels), Quantization.PerTensor(scale, -4)),
                    Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, kernelHeight, kernelWidth, channels), values),
                    Quantization.PerTensor(0.1f, 0),
                    null,
                    new(stride, stride),
                    new(1, dilation),
                    new(padding, padding, padding, padding),
                    1,
                    activation,
                    RoundingScheme.TfliteDouble),
            ],
            ["y"]);
    }
}
