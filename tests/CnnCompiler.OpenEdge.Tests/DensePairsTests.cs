using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Fully connected layers with two products a multiplication: every size is exact, lanes hold at the extremes, groups are as large as weights allow.</summary>
public class DensePairsTests
{
    /// <summary>Rows, inputs, outputs: one pair, sets that aren't full, blocks of channels that aren't full, several rows.</summary>
    public static TheoryData<int, int, int> Sizes() => new()
    {
        { 1, 2, 1 },
        { 1, 6, 3 },
        { 1, 8, 16 },
        { 1, 10, 17 },
        { 1, 30, 5 },
        { 3, 12, 20 },
        { 2, 64, 33 },
        { 1, 126, 40 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Extreme_weights_and_codes_do_not_overflow_a_lane(int rows, int inputs, int outputs)
    {
        // 127: a product a group; 63: two pairs make 252; 31: four pairs make 248; 32: 256 are too many for four
        foreach (var (largest, group) in ((int, int)[])[(127, 1), (63, 2), (31, 4), (32, 2)])
        {
            foreach (var weights in (ReadOnlySpan<string>)["highest", "lowest", "signs"])
            {
                var network = Layer(rows, inputs, outputs, i => Extreme(weights, i, -largest, largest));
                foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "signs"])
                {
                    var values = Enumerable.Range(0, rows * inputs).Select(i => (sbyte)Extreme(codes, i, sbyte.MinValue, sbyte.MaxValue)).ToArray();
                    var nest = Assert.Single(ForcedMappings.Check(
                        network, "pairs-point", DensePairsKernel.Strategy, [Tensor.From<sbyte>(ElementType.Int8, network.Inputs[0].Type.Shape, values)]));
                    Assert.True(inputs < 16 || Group(nest, network) == group, $"weights up to {largest}");
                }
            }
        }
    }

    [Fact]
    public void Pairs_are_taken_in_the_order_that_allows_larger_groups()
    {
        // heavy weights side by side: neighbouring pairs exceed a lane together, pairs a quarter of the layer apart don't
        const int Inputs = 64;
        var network = Layer(1, Inputs, 16, i => i % Inputs is >= 4 and < 8 ? 100 : 1);
        var values = Enumerable.Range(0, Inputs).Select(i => (sbyte)((i * 37 % 256) - 128)).ToArray();
        var nest = Assert.Single(ForcedMappings.Check(network, "pairs-point", DensePairsKernel.Strategy, [Tensor.From<sbyte>(ElementType.Int8, network.Inputs[0].Type.Shape, values)]));
        Assert.Equal(4, Group(nest, network));
    }

    [Fact]
    public void Whatever_a_group_of_weights_allows_comes_out_of_the_high_lane()
    {
        // the corners of the box that a group may fill: all of it on one side of the word or shared, with codes at their ends
        int[] codes = [sbyte.MinValue, -1, 0, 1, sbyte.MaxValue];
        const int Offset = 2052 << (2052 & 31);
        for (var weight = 0; weight <= DensePairsKernel.LargestSum; weight++)
        {
            var rest = DensePairsKernel.LargestSum - weight;
            foreach (var (a, b) in ((int, int)[])[(weight, rest), (-weight, rest), (weight, -rest), (-weight, -rest)])
            {
                foreach (var x in codes)
                {
                    foreach (var y in codes)
                    {
                        var lane = unchecked(Offset + (((y << 16) + x) * (a + (b << 16))));
                        Assert.Equal((a * y) + (b * x), lane >> 16);
                    }
                }
            }
        }

        Assert.True(DensePairsKernel.LanesHold(127));
        Assert.False(DensePairsKernel.LanesHold(128));
    }

    [Theory]
    [InlineData(7, 1)]
    [InlineData(8, sbyte.MinValue)]
    public void An_odd_number_of_inputs_and_the_weight_minus_128_keep_single_products(int inputs, int weight)
    {
        var gconv = LowerToGconv.Lower(Layer(1, inputs, 4, i => i == 3 ? weight : 1), new())!;
        var decisions = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, new(), default)!.Decisions;
        Assert.DoesNotContain(decisions.SelectMany(d => d.Candidates), c => c.Name == "pairs-point");
    }

    [Theory]
    [InlineData(1, 40, 50, 256, 1)]
    [InlineData(3, 40, 50, 256, 3)]
    public void Blocks_whose_parameters_lie_in_ram_are_one_launch(int rows, int inputs, int outputs, int kibibytes, int launches)
    {
        var (image, _, _) = InRam(rows, inputs, outputs, kibibytes, i => (i * 37 % 63) - 31);
        Assert.Equal(launches, Launches(image, DensePairsKernel.Strategy));
        Assert.Equal(0, Launches(image, ExpandKernel.Name));
    }

    [Theory]
    [InlineData(1, 640, 128, 120)]
    [InlineData(1, 640, 128, 160)]
    [InlineData(3, 250, 71, 88)]
    [InlineData(2, 64, 500, 84)]
    public void Where_room_is_short_parameters_lie_packed_and_the_array_expands_them(int rows, int inputs, int outputs, int kibibytes)
    {
        var (image, cycles, predicted) = InRam(rows, inputs, outputs, kibibytes, i => Extreme("signs", i, -127, 127));
        var expanding = Launches(image, ExpandKernel.Name);
        Assert.InRange(expanding, 1, Launches(image, DensePairsKernel.Strategy));

        Assert.Contains(ExpandKernel.Name, predicted.Single(layer => layer.Layer == "y").Algorithm, StringComparison.Ordinal);
        Assert.InRange((double)predicted.Sum(layer => layer.Cost) / cycles, 0.9, 1.1);

        // the host copies next to nothing: a word a cycle would take longer than half of what it all takes
        var copied = image.HostProgram.OfType<HostCopyFlash>().Sum(copy => (long)copy.Words);
        Assert.InRange(copied * image.Machine.Host.FlashToRam, 0, cycles / 2);
        Assert.Equal(0, Launches(InRam(rows, inputs, outputs, 480, i => Extreme("signs", i, -127, 127)).Image, ExpandKernel.Name));
    }

    /// <summary>An image for a RAM of so many bytes above the reserve, which gives the right integers, its cycles, and what was predicted.</summary>
    private static (CnnImage Image, long Cycles, IReadOnlyList<LayerPrediction> Predicted) InRam(int rows, int inputs, int outputs, int kibibytes, Func<int, int> weight)
    {
        var network = Layer(rows, inputs, outputs, weight);
        var machine = BuiltInMachines.Default;
        machine = machine with { Ram = machine.Ram with { Bytes = machine.Ram.ReservedBytes + (kibibytes * 1024) } };
        var diagnostics = new DiagnosticBag();
        var selected = MappingSelector.Select(LowerToGconv.Lower(network, diagnostics)!, machine, [new("y", "pairs-point")], diagnostics, default)!;
        var image = ImageEmitter.Emit(selected.Program, machine, diagnostics, default)!;
        var input = Tensor.From<sbyte>(
            ElementType.Int8, network.Inputs[0].Type.Shape, [.. Enumerable.Range(0, rows * inputs).Select(i => (sbyte)((i * 37 % 256) - 128))]);
        Assert.Null(AllLevels.ImageDifference(image, [input], NetworkEvaluator.Evaluate(network, [input], diagnostics)!.Outputs));
        return (image, ImageInterpreter.Run(image, [input.Bytes.ToArray()]).Cycles.Total, selected.Predicted);
    }

    private static int Launches(CnnImage image, string kernel) => image.Launches.Count(l => image.Kernels[l.Kernel].Name == kernel);

    private static int Group(MappedNest nest, NetworkGraph network) => new DensePairsKernel(nest, new Constants(((Dense)network.Layers[0]).Weights)).GroupSize;

    private static int Extreme(string kind, int index, int lowest, int highest) => kind switch
    {
        "highest" => highest,
        "lowest" => lowest,
        _ => (index * 7 % 5) < 2 ? lowest : highest,
    };

    internal static NetworkGraph Layer(int rows, int inputs, int outputs, Func<int, int> weight)
    {
        var weights = Enumerable.Range(0, outputs * inputs).Select(i => (sbyte)weight(i)).ToArray();
        return new(
            "dense",
            [new("x", new(ElementType.Int8, Shape.Of(rows, inputs), Quantization.PerTensor(0.5f, 5)))],
            [
                new Dense(
                    "y",
                    ["x"],
                    new(ElementType.Int8, Shape.Of(rows, outputs), Quantization.PerTensor(0.5f * 0.1f * inputs * 255 * 127 / 100, -4)),
                    Tensor.From<sbyte>(ElementType.Int8, Shape.Of(outputs, inputs), weights),
                    Quantization.PerTensor(0.1f, 0),
                    null,
                    FusedActivation.None,
                    RoundingScheme.TfliteDouble),
            ],
            ["y"]);
    }

    private sealed class Constants(Tensor weights) : IKernelData
    {
        public int AddressOf(string buffer) => 0;

        public Tensor Constant(string name) => weights;
    }
}
