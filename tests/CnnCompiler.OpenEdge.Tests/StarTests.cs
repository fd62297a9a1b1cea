using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Convolutions with two products a multiplication and weights in the code: exact for every window of up to three taps along the line.</summary>
public class StarTests
{
    /// <summary>Height, width, input and output channels, kernel height and width, dilation down, padding.</summary>
    public static TheoryData<int, int, int, int, int, int, int, int> Shapes() => new()
    {
        { 6, 7, 16, 4, 3, 3, 1, 1 },
        { 5, 4, 3, 6, 3, 3, 1, 1 },
        { 4, 6, 1, 5, 3, 3, 1, 1 },
        { 7, 5, 8, 3, 3, 3, 1, 0 },
        { 4, 3, 20, 2, 3, 3, 1, 1 },
        { 9, 8, 6, 7, 5, 3, 1, 1 },
        { 6, 5, 5, 4, 3, 2, 2, 2 },
        { 2, 9, 17, 4, 1, 3, 1, 0 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_window_is_exact_with_extreme_weights_and_codes(
        int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth, int dilation, int padding)
    {
        foreach (var weights in (ReadOnlySpan<string>)["highest", "signs", "all", "small"])
        {
            var network = Layer(height, width, channels, outputs, kernelHeight, kernelWidth, dilation, padding, weights);
            foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "all", "signs"])
            {
                var shape = network.Inputs[0].Type.Shape;
                var values = Enumerable.Range(0, (int)shape.Elements).Select(i => Extreme(codes, i)).ToArray();
                Assert.NotEmpty(ForcedMappings.Check(network, "star-w", StarKernel.Strategy, [Tensor.From<sbyte>(ElementType.Int8, shape, values)]));
            }
        }
    }

    /// <summary>Height, width, input and output channels, kernel height and width, stride, dilation down, padding.</summary>
    public static TheoryData<int, int, int, int, int, int, int, int, int> Points() => new()
    {
        { 6, 7, 16, 4, 1, 1, 1, 1, 0 },
        { 5, 4, 33, 7, 1, 1, 1, 1, 0 },
        { 7, 5, 4, 14, 3, 3, 1, 1, 1 },
        { 4, 9, 3, 13, 1, 1, 1, 1, 0 },
        { 9, 7, 6, 6, 2, 2, 1, 2, 1 },
        { 6, 6, 2, 3, 5, 5, 1, 1, 2 },
        { 9, 8, 6, 6, 3, 3, 2, 1, 1 },
        { 12, 11, 3, 8, 2, 4, 3, 1, 1 },
        { 8, 8, 24, 5, 1, 1, 2, 1, 0 },
        { 5, 18, 20, 3, 3, 3, 2, 1, 1 },
        { 3, 4, 10, 2, 3, 3, 1, 1, 1 },
    };

    [Theory]
    [MemberData(nameof(Points))]
    public void Cells_that_are_channels_are_exact_with_extreme_weights_and_codes(
        int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth, int stride, int dilation, int padding)
    {
        foreach (var weights in (ReadOnlySpan<string>)["highest", "signs", "all", "small"])
        {
            var network = Layer(height, width, channels, outputs, kernelHeight, kernelWidth, dilation, padding, weights, stride);
            foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "all", "signs"])
            {
                var shape = network.Inputs[0].Type.Shape;
                var values = Enumerable.Range(0, (int)shape.Elements).Select(i => Extreme(codes, i)).ToArray();
                Assert.NotEmpty(ForcedMappings.Check(network, "starpoint-w", StarKernel.PointStrategy, [Tensor.From<sbyte>(ElementType.Int8, shape, values)]));
            }
        }
    }

    /// <summary>Candidate, height, width, input and output channels, kernel height and width, stride, padding, activation, and whether codes are made at once.</summary>
    public static TheoryData<string, int, int, int, int, int, int, int, int, FusedActivation, bool> Layers() => new()
    {
        { "star-w", 6, 7, 16, 4, 3, 3, 1, 1, FusedActivation.Relu, true },
        { "star-w", 5, 4, 3, 7, 3, 3, 1, 1, FusedActivation.Relu, true },
        { "star-w", 7, 5, 8, 3, 3, 3, 1, 0, FusedActivation.Relu, true },
        { "star-w", 4, 13, 12, 3, 3, 2, 1, 1, FusedActivation.Relu, true },
        { "star-w", 5, 6, 28, 3, 3, 3, 1, 1, FusedActivation.Relu, true },
        { "star-w", 9, 8, 6, 5, 5, 3, 1, 1, FusedActivation.Relu, true },
        { "star-w", 32, 3, 4, 2, 3, 3, 1, 1, FusedActivation.Relu, true },
        { "star-w", 4, 4, 40, 2, 3, 3, 1, 1, FusedActivation.Relu, false },
        { "starpoint-w", 6, 7, 16, 4, 1, 1, 1, 0, FusedActivation.Relu, true },
        { "starpoint-w", 5, 5, 33, 7, 1, 1, 1, 0, FusedActivation.Relu, true },
        { "starpoint-w", 9, 8, 6, 6, 3, 3, 2, 1, FusedActivation.Relu, true },
        { "starpoint-w", 12, 11, 3, 13, 2, 4, 3, 1, FusedActivation.Relu, true },
        { "starpoint-w", 8, 2, 24, 5, 1, 1, 1, 0, FusedActivation.Relu, true },
        { "starpoint-w", 8, 1, 24, 5, 1, 1, 1, 0, FusedActivation.Relu, false },
        // values below zero have codes of their own
        { "star-w", 6, 7, 16, 4, 3, 3, 1, 1, FusedActivation.None, true },
        { "star-w", 7, 5, 20, 3, 3, 3, 1, 0, FusedActivation.None, true },
        { "star-w", 5, 6, 28, 3, 3, 3, 1, 1, FusedActivation.None, false },
        { "starpoint-w", 9, 8, 6, 6, 3, 3, 2, 1, FusedActivation.None, true },
        { "starpoint-w", 5, 5, 33, 7, 1, 1, 1, 0, FusedActivation.None, true },
    };

    [Theory]
    [MemberData(nameof(Layers))]
    public void Codes_that_are_made_of_what_the_passes_leave_are_exact_on_every_machine(
        string candidate, int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth, int stride, int padding, FusedActivation activation, bool atOnce)
    {
        var strategy = candidate == "star-w" ? StarCodesKernel.Strategy : StarCodesKernel.PointStrategy;
        foreach (var weights in (ReadOnlySpan<string>)["small", "all", "signs"])
        {
            foreach (var behind in (ReadOnlySpan<bool>)[false, true])
            {
                var network = Layer(height, width, channels, outputs, kernelHeight, kernelWidth, 1, padding, weights, stride, activation);
                network = behind ? WithWindow(network) : network;
                var diagnostics = new DiagnosticBag();
                var choices = ForcedMappings.Choices(LowerToGconv.Lower(network, diagnostics)!, candidate);
                var levels = AllLevels.Compile(network, choices, diagnostics);
                Assert.True(levels is not null, string.Join('\n', diagnostics.Diagnostics));
                var kernels = levels.Mapped.Steps.OfType<MappedNest>().Where(n => n.Origin.Value.Layer == "y").Select(n => n.Kernel).ToArray();
                Assert.True(weights != "small" || kernels.Contains(strategy) == atOnce, string.Join(' ', kernels));
                var shape = network.Inputs[0].Type.Shape;
                foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "all", "signs"])
                {
                    var values = Enumerable.Range(0, (int)shape.Elements).Select(i => Extreme(codes, i)).ToArray();
                    Assert.Null(levels.FirstDifference([Tensor.From<sbyte>(ElementType.Int8, shape, values)]));
                }
            }
        }
    }

    [Theory]
    [InlineData(6, 1)]
    [InlineData(8, 2)]
    [InlineData(15, 3)]
    [InlineData(520, 260)]
    public void What_the_passes_of_six_channels_leave_is_one_launch_unless_the_sums_of_positions_lie_too_far_apart(int outputs, int launches)
    {
        var network = Layer(4, 7, 12, outputs, 1, 1, 1, 0, "small");
        var shape = network.Inputs[0].Type.Shape;
        var values = Enumerable.Range(0, (int)shape.Elements).Select(i => Extreme("signs", i)).ToArray();
        var nests = ForcedMappings.Check(network, "starpointsums-w", StarPlanesKernel.PointStrategy, [Tensor.From<sbyte>(ElementType.Int8, shape, values)]);
        Assert.Equal(launches, nests.Count);
    }

    [Fact]
    public void Passes_have_the_MACs_of_the_layer_together()
    {
        var network = Layer(6, 5, 21, 6, 3, 3, 1, 1, "all");
        var shape = network.Inputs[0].Type.Shape;
        var nests = ForcedMappings.Check(network, "star-w", StarKernel.Strategy, [Tensor.From<sbyte>(ElementType.Int8, shape, new sbyte[shape.Elements])]);
        Assert.Equal(6L * 5 * 6 * 21 * 3 * 3, nests.Sum(n => n.Origin.Value.Macs));
    }

    [Theory]
    [InlineData(6, 6, 4, 4, 3, 1, 0, "no taps along the line")]
    [InlineData(6, 6, 4, 4, 3, 5, 2, "more taps along the line than a star has cells")]
    [InlineData(6, 6, 520, 4, 3, 3, 1, "more partial sums than are added up at once")]
    [InlineData(6, 1, 4, 4, 3, 3, 1, "more positions between lines than on them")]
    public void What_does_not_pay_is_not_offered(int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth, int padding, string why)
    {
        var gconv = LowerToGconv.Lower(Layer(height, width, channels, outputs, kernelHeight, kernelWidth, 1, padding, "signs"), new())!;
        var decisions = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, new(), default)!.Decisions;
        Assert.False(decisions.SelectMany(d => d.Candidates).Any(c => c.Name == "star-w"), why);
    }

    [Theory]
    [InlineData(StarKernel.Strategy)]
    [InlineData(StarKernel.PointStrategy)]
    public void No_sum_of_a_plan_leaves_its_lane_whatever_the_codes(string strategy)
    {
        const int Items = 60;
        const int Step = 80;
        for (var seed = 1; seed < 40; seed++)
        {
            int[][] weights = [.. Enumerable.Range(0, 6).Select(c => Enumerable.Range(0, Items).Select(i => Weight(seed, (c * Items) + i)).ToArray())];
            int[] firsts = [.. Enumerable.Range(0, 6).Select(c => StarKernel.FirstSlot(strategy, c))];
            int[] offsets = [.. Enumerable.Range(0, Items).Select(i => ((i / 20) * 2000) + (i % 20 * 4))];
            var walk = new StarWalk(offsets, Step, seed % 2 == 0 ? null : -2500);
            var plan = StarPlan.Make(walk, weights, firsts, (StarKernel.FewestSlots(strategy), StarPlan.MostSlots), StarPlanesKernel.MostPlanes)!;
            Assert.Equal(Enumerable.Range(0, Items), plan.Slots.SelectMany(p => p).SelectMany(s => s).Where(i => i >= 0).Order());
            foreach (var stream in plan.Slots.SelectMany(p => p))
            {
                Assert.InRange(stream.Count, StarKernel.FewestSlots(strategy), StarPlan.MostSlots);
                Assert.All(walk.Moves(stream)!, m => Assert.InRange(m, -4096, 4095));
                Assert.InRange((walk.Back ?? 0) - (walk.Back is null ? 0 : walk.Moves(stream)![0]), -4096, 4095);
                for (var cell = 0; cell < weights.Length; cell++)
                {
                    int[] own = [.. stream.Select(i => i < 0 ? 0 : weights[cell][i])];
                    var bins = StarPlan.Bins(own, firsts[cell])!.Value;
                    foreach (var isFirst in (ReadOnlySpan<bool>)[true, false])
                    {
                        var sum = own.Where((_, s) => (bins >> s & 1) != 0 == isFirst).ToArray();
                        Assert.NotEmpty(sum);

                        // the extremes that codes can reach, with 2^15 in the low lane, stay in sixteen bits without a sign; the high lane with one
                        var largest = sum.Sum(w => Math.Max(w * 127, w * -128));
                        var smallest = sum.Sum(w => Math.Min(w * 127, w * -128));
                        Assert.InRange(smallest + 0x8000, 0, 0xFFFF);
                        Assert.InRange(largest + 0x8000, 0, 0xFFFF);
                    }

                    Assert.True(firsts[cell] < 0 || System.Numerics.BitOperations.TrailingZeroCount(bins) == firsts[cell]);
                }
            }
        }

        static int Weight(int seed, int index) => seed == 1 ? 127 : seed == 2 ? -127 : (int)((uint)((seed * 7919) + (index * 104729) + (index * index * 31)) % (uint)Math.Min(255, seed * 12)) - Math.Min(127, seed * 6);
    }

    [Fact]
    public void A_split_is_said_to_exist_where_trying_all_finds_one()
    {
        var found = new bool[2];
        for (var seed = 1; seed < 3_000; seed++)
        {
            int[] weights = [.. Enumerable.Range(0, 1 + (seed % 9)).Select(i => Mixed(seed, i))];
            var first = (seed / 9 % (weights.Length + 1)) - 1;
            var exists = Enumerable.Range(1, (1 << weights.Length) - 2).Any(mask =>
            {
                var sum = weights.Where((_, slot) => (mask >> slot & 1) != 0).Sum(Math.Abs);
                return Math.Max(sum, weights.Sum(Math.Abs) - sum) <= StarPlan.Capacity && (first < 0 || System.Numerics.BitOperations.TrailingZeroCount(mask) == first);
            });
            Assert.Equal(exists, StarPlan.CanSplit(weights, first));
            Assert.Equal(exists, StarPlan.Bins(weights, first) is not null);
            found[exists ? 1 : 0] = true;
        }

        Assert.All(found, Assert.True);

        // few of the sums near twice the capacity can be reached
        static int Mixed(int seed, int index) => (int)((uint)((seed * 7919) + (index * 104729) + (seed * index * 31)) % 256) - 128;
    }

    private static sbyte Extreme(string kind, int index) => kind switch
    {
        "highest" => sbyte.MaxValue,
        "lowest" => sbyte.MinValue,
        "signs" => (index * 7 % 5) < 2 ? (sbyte)-127 : sbyte.MaxValue,
        "small" => (sbyte)((index * 41 % 43) - 21),
        _ => (sbyte)((index * 41 % 256) - 128),
    };

    internal static NetworkGraph Layer(
        int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth, int dilation, int padding, string weights, int stride = 1,
        FusedActivation activation = FusedActivation.None)
    {
        var scale = 0.5f * 0.1f * channels * kernelHeight * kernelWidth * 255 * 127 / 100;
        int Out(int size, int kernel, int gap) => ((size + (2 * padding) - (gap * (kernel - 1)) - 1) / stride) + 1;
        var values = Enumerable.Range(0, outputs * channels * kernelHeight * kernelWidth).Select(i => Extreme(weights, i)).ToArray();
        return new(
            "star",
            [new("x", new(ElementType.Int8, Shape.Of(1, height, width, channels), Quantization.PerTensor(0.5f, 5)))],
            [
                new Conv2D(
                    "y",
                    ["x"],
                    new(ElementType.Int8, Shape.Of(1, Out(height, kernelHeight, dilation), Out(width, kernelWidth, 1), outputs), Quantization.PerTensor(scale, -4)),
                    Tensor.From<sbyte>(ElementType.Int8, Shape.Of(outputs, kernelHeight, kernelWidth, channels), values),
                    Quantization.PerTensor(0.1f, 0),
                    null,
                    new(stride, stride),
                    new(dilation, 1),
                    new(padding, padding, padding, padding),
                    1,
                    activation,
                    RoundingScheme.TfliteDouble),
            ],
            ["y"]);
    }

    /// <summary>The network with a convolution behind that reads beyond the border, so that its result lies in a halo.</summary>
    private static NetworkGraph WithWindow(NetworkGraph network)
    {
        var type = network.Layers[0].Type;
        var shape = type.Shape;
        return network with
        {
            Layers =
            [
                .. network.Layers,
                new Conv2D(
                    "z",
                    ["y"],
                    new(ElementType.Int8, Shape.Of(1, shape[1], shape[2], 1), Quantization.PerTensor(100f, 3)),
                    Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, 3, 3, shape[3]), [.. Enumerable.Range(0, 9 * shape[3]).Select(i => Extreme("all", i))]),
                    Quantization.PerTensor(0.1f, 0),
                    null,
                    new(1, 1),
                    new(1, 1),
                    new(1, 1, 1, 1),
                    1,
                    FusedActivation.None,
                    RoundingScheme.TfliteDouble),
            ],
            Outputs = ["y", "z"],
        };
    }
}
