using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;
using CnnCompiler.TestSupport;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Convolutions that multiply two inputs of an output at once: exact at the extremes in every shape, offered where they fit, chosen where positions are few.</summary>
public class InputPairsTests
{
    private const string Candidate = "inputpairs";
    private const int Count = 60;

    /// <summary>One layer.</summary>
    /// <param name="Batch">Batch.</param>
    /// <param name="Height">Lines of the input.</param>
    /// <param name="Width">Positions of a line of the input.</param>
    /// <param name="Inputs">Input channels.</param>
    /// <param name="Outputs">Output channels.</param>
    /// <param name="Kernel">Taps along both dimensions.</param>
    /// <param name="Stride">Stride.</param>
    /// <param name="Dilation">Dilation.</param>
    /// <param name="Padding">Padding on all sides.</param>
    public sealed record Shaped(int Batch, int Height, int Width, int Inputs, int Outputs, int Kernel, int Stride = 1, int Dilation = 1, int Padding = 0);

    /// <summary>Fewer positions than columns, columns that aren't filled, odd channels, a last launch of one quad, gaps between taps, several segments, several runs of a segment, sums in passes.</summary>
    public static TheoryData<Shaped> Shapes() => new()
    {
        new Shaped(1, 1, 2, 2, 5, 1),
        new Shaped(1, 3, 3, 16, 8, 1),
        new Shaped(1, 3, 3, 6, 17, 3, Padding: 1),
        new Shaped(1, 4, 4, 32, 12, 3, Padding: 1),
        new Shaped(1, 5, 7, 10, 9, 3, Stride: 2, Padding: 1),
        new Shaped(1, 8, 6, 4, 7, 3, Dilation: 2, Padding: 2),
        new Shaped(1, 6, 5, 2, 6, 5, Padding: 2),
        new Shaped(2, 3, 2, 8, 11, 2),
        new Shaped(1, 2, 2, 620, 6, 1),
        new Shaped(1, 2, 3, 64, 21, 3, Padding: 1),
        new Shaped(1, 15, 17, 2, 5, 1),
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Extreme_weights_and_codes_are_exact(Shaped shape)
    {
        foreach (var lowest in (ReadOnlySpan<sbyte>)[-127, sbyte.MinValue])
        {
            foreach (var weights in (ReadOnlySpan<string>)["highest", "lowest", "signs"])
            {
                var network = Convolution(shape, i => Extreme(weights, i, lowest));
                var gconv = LowerToGconv.Lower(network, new())!;
                foreach (var codes in (ReadOnlySpan<string>)["highest", "lowest", "signs"])
                {
                    var type = network.Inputs[0].Type.Shape;
                    var values = Enumerable.Range(0, (int)type.Elements).Select(i => Extreme(codes, i, sbyte.MinValue)).ToArray();
                    var program = ForcedMappings.Check(network, Forced(gconv), [Tensor.From<sbyte>(ElementType.Int8, type, values)]);

                    // 258 weights of 127 are one sum, 256 of 128 too many
                    var nests = program.Steps.OfType<MappedNest>().Where(n => n.Kernel == InputPairsKernel.Strategy).ToArray();
                    var most = InputPairsKernel.LargestSum / (weights == "highest" ? sbyte.MaxValue : -lowest);
                    Assert.True(weights == "signs" || (nests.Length == 1) == (shape.Inputs * shape.Kernel * shape.Kernel <= most), $"{nests.Length} passes");
                    Assert.All(nests, nest => Assert.Equal((shape.Outputs + 7) / 8, new InputPairsKernel(nest).Launches));
                }
            }
        }
    }

    [Fact]
    public void Every_product_of_a_sum_may_have_any_value()
    {
        // corners of a product, and as many of them as a run may have
        int[] codes = [sbyte.MinValue, -1, 0, 1, sbyte.MaxValue];
        int[] weights = [sbyte.MinValue, -1, 0, 1, sbyte.MaxValue];
        foreach (var (x, y) in codes.SelectMany(_ => codes, (a, b) => (a, b)))
        {
            foreach (var (v, w) in weights.SelectMany(_ => weights, (a, b) => (a, b)))
            {
                var (sum, wanted) = (255, 0);
                var most = InputPairsKernel.LargestSum / Math.Max(1, Math.Abs(v) + Math.Abs(w));
                for (var i = 0; i < Math.Min(2000, most); i++)
                {
                    if (i % 255 == 0)
                    {
                        sum |= 255;
                    }

                    sum = unchecked(sum + (int)(((long)(x + (y << InputPairsKernel.LaneBits)) * (w + (v << InputPairsKernel.LaneBits))) >> 15));
                    wanted += (v * x) + (w * y);
                    Assert.Equal(wanted, (sum << 1) >> 9);
                }
            }
        }
    }

    [Fact]
    public void Bits_that_products_take_are_set_again()
    {
        // 600 products that each take one, of sums that come out small: codes are sums
        const int Pairs = 600;
        var network = Convolution(new(1, 1, 2, 2 * Pairs, 5, 1), i => i % (2 * Pairs) < Pairs ? (sbyte)27 : (sbyte)-27);
        var layer = (Conv2D)network.Layers[0];
        network = network with { Layers = [layer with { Type = layer.Type with { Quantization = Quantization.PerTensor(0.05f, -4) } }] };
        var codes = Enumerable.Range(0, 4 * Pairs).Select(i => (sbyte)(1 + (i % Pairs % 5) + (i % (2 * Pairs) == 7 ? 1 : 0))).ToArray();
        var program = ForcedMappings.Check(network, Forced(LowerToGconv.Lower(network, new())!), [Tensor.From<sbyte>(ElementType.Int8, network.Inputs[0].Type.Shape, codes)]);
        Assert.Single(program.Steps.OfType<MappedNest>(), n => n.Kernel == InputPairsKernel.Strategy);
    }

    [Fact]
    public void Convolutions_of_any_shape_compute_the_same_from_their_images()
    {
        var random = new SeededRandom(19);
        int Draw(int least, int most) => least + (int)(random.NextBits64() % (ulong)(most - least + 1));
        for (var i = 0; i < Count; i++)
        {
            var shape = new Shaped(Draw(1, 2), Draw(3, 7), Draw(3, 7), 2 * Draw(1, 12), Draw(5, 20), Draw(1, 3), Draw(1, 2), Draw(1, 2), Draw(1, 2));
            var network = Convolution(shape, _ => (sbyte)Draw(sbyte.MinValue, sbyte.MaxValue));
            var program = ForcedMappings.Check(network, Forced(LowerToGconv.Lower(network, new())!), RandomNetworks.Inputs(network, i));
            Assert.Contains(program.Steps.OfType<MappedNest>(), n => n.Kernel == InputPairsKernel.Strategy);
        }
    }

    [Theory]
    [InlineData(1, 3, 3, 16, 8, 1, 1, true)]
    [InlineData(1, 3, 3, 16, 4, 1, 1, false)]
    [InlineData(1, 3, 3, 15, 8, 1, 1, false)]
    [InlineData(1, 1, 1, 16, 8, 1, 1, false)]
    [InlineData(1, 15, 17, 16, 8, 1, 1, true)]
    [InlineData(1, 16, 16, 16, 8, 1, 1, false)]
    [InlineData(1, 15, 17, 512, 8, 1, 1, false)]
    [InlineData(1, 3, 3, 16, 16, 1, 2, false)]
    public void Offered_are_few_positions_of_an_even_number_of_inputs_to_more_than_four_channels(
        int batch, int height, int width, int inputs, int outputs, int kernel, int groups, bool isOffered)
    {
        var gconv = LowerToGconv.Lower(Convolution(new(batch, height, width, inputs, outputs, kernel), _ => sbyte.MaxValue, groups), new())!;
        var decisions = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, new(), default)!.Decisions;
        Assert.Equal(isOffered, decisions.SelectMany(d => d.Candidates).Any(IsPairs));
    }

    /// <summary>Layers of few positions.</summary>
    public static TheoryData<Shaped> Deep() => new()
    {
        new Shaped(1, 4, 4, 64, 32, 3, Padding: 1),
        new Shaped(1, 3, 3, 128, 32, 1),
        new Shaped(1, 8, 8, 32, 32, 3, Stride: 2, Padding: 1),
    };

    [Theory]
    [MemberData(nameof(Deep))]
    public void Few_positions_are_multiplied_so_on_every_machine_and_take_what_was_predicted(Shaped shape)
    {
        var network = Convolution(shape, i => (sbyte)((i * 37 % 151) - 75));
        var inputs = RandomNetworks.Inputs(network, 3);
        var expected = NetworkEvaluator.Evaluate(network, inputs, new())!.Outputs;
        var cycles = new Dictionary<BusKind, long>();
        foreach (var machine in BuiltInMachines.All)
        {
            var diagnostics = new DiagnosticBag();
            var selected = MappingSelector.Select(LowerToGconv.Lower(network, diagnostics)!, machine, [], diagnostics, default)!;
            Assert.Single(selected.Program.Steps.OfType<MappedNest>(), n => n.Kernel == InputPairsKernel.Strategy);
            var image = ImageEmitter.Emit(selected.Program, machine, diagnostics, default)!;
            Assert.Null(AllLevels.ImageDifference(image, inputs, expected));

            // all parameters are in RAM: one launch goes from channels to channels, and so does that which requantises them with one multiplication
            Assert.Single(image.Launches, l => image.Kernels[l.Kernel].Name == InputPairsKernel.Strategy);
            var requantised = selected.Program.Steps.OfType<MappedNest>().Count(n => n.Kernel == RequantizeShortKernel.Strategy);
            Assert.Equal(shape.Kernel == 1 ? 1 : 0, requantised);
            Assert.Equal(requantised, image.Launches.Count(l => image.Kernels[l.Kernel].Name == RequantizeShortKernel.Strategy));
            var counted = ImageInterpreter.Run(image, [inputs[0].Bytes.ToArray()]).Cycles.Total;
            Assert.InRange(selected.Predicted.Sum(layer => layer.Cost) / (double)counted, 0.95, 1.05);
            cycles.Add(machine.Bus.Kind, counted);
        }

        // columns are at different banks
        Assert.InRange(cycles[BusKind.Banked] / (double)cycles[BusKind.Ideal], 1, 1.15);
    }

    [Theory]
    [InlineData(40)]
    [InlineData(64)]
    [InlineData(96)]
    public void Weights_from_flash_are_copied_once_for_all_positions(int kibibytes)
    {
        var shape = new Shaped(1, 4, 4, 64, 64, 3, Padding: 1);
        var network = Convolution(shape, i => (sbyte)((i * 37 % 255) - 127));
        var inputs = RandomNetworks.Inputs(network, 5);
        var machine = BuiltInMachines.Default;
        machine = machine with { Ram = machine.Ram with { Bytes = machine.Ram.ReservedBytes + (kibibytes * 1024) } };
        var diagnostics = new DiagnosticBag();
        var gconv = LowerToGconv.Lower(network, diagnostics)!;
        var candidate = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, diagnostics, default)!.Decisions.SelectMany(d => d.Candidates).Single(IsPairs);
        var selected = MappingSelector.Select(gconv, machine, [new("y", candidate.Name)], diagnostics, default)!;
        var image = ImageEmitter.Emit(selected.Program, machine, diagnostics, default)!;
        Assert.Null(AllLevels.ImageDifference(image, inputs, NetworkEvaluator.Evaluate(network, inputs, diagnostics)!.Outputs));
        var weights = shape.Inputs * shape.Outputs * shape.Kernel * shape.Kernel / 2;
        var copied = image.HostProgram.OfType<HostCopyFlash>().Sum(copy => (long)copy.Words);
        Assert.InRange(copied, 1, weights * 11 / 10);
    }

    [Fact]
    public void Where_the_way_back_through_the_weights_exceeds_the_code_another_kernel_is_taken()
    {
        // sixteen thousand light weights a channel are one sum; going back over them takes eight steps a position
        var network = Convolution(new(1, 1, 2, 16000, 5, 1), _ => 1);
        var gconv = LowerToGconv.Lower(network, new())!;
        Assert.Null(OpenEdgeMapper.Map(gconv, Forced(gconv), new(), default) is { } mapping && ImageEmitter.Fits(mapping.Program, BuiltInMachines.Default) ? mapping : null);
        var selected = MappingSelector.Select(gconv, BuiltInMachines.Default, [], new(), default)!;
        Assert.DoesNotContain(selected.Program.Steps.OfType<MappedNest>(), n => n.Kernel == InputPairsKernel.Strategy);
    }

    private static bool IsPairs(MappingCandidate candidate) => candidate.Name.StartsWith(Candidate, StringComparison.Ordinal);

    /// <summary>The candidate wherever there is one.</summary>
    private static MappingChoices Forced(GconvProgram gconv)
    {
        var diagnostics = new DiagnosticBag();
        var defaults = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, diagnostics, default);
        Assert.True(defaults is not null, string.Join('\n', diagnostics.Diagnostics));
        return defaults.Decisions.Where(d => d.Candidates.Any(IsPairs)).Aggregate(MappingChoices.Defaults, (all, d) => all.With(d.Key, d.Candidates.Single(IsPairs).Name));
    }

    private static sbyte Extreme(string kind, int index, sbyte lowest) => kind switch
    {
        "highest" => sbyte.MaxValue,
        "lowest" => lowest,
        _ => (index * 7 % 5) < 2 ? lowest : sbyte.MaxValue,
    };

    private static NetworkGraph Convolution(Shaped shape, Func<int, sbyte> weight, int groups = 1)
    {
        var (batch, height, width, inputs, outputs, kernel, stride, dilation, padding) = shape;

        // the largest sum of 255 * 127 a tap becomes about 100
        var scale = 0.5f * 0.1f * kernel * kernel * (inputs / groups) * 255 * 127 / 100;
        int Out(int size) => ((size + (2 * padding) - (dilation * (kernel - 1)) - 1) / stride) + 1;
        var values = Enumerable.Range(0, outputs * kernel * kernel * (inputs / groups)).Select(weight).ToArray();
        return new(
            "pairs",
            [new("x", new(ElementType.Int8, Shape.Of(batch, height, width, inputs), Quantization.PerTensor(0.5f, 5)))],
            [
                new Conv2D(
                    "y",
                    ["x"],
                    new(ElementType.Int8, Shape.Of(batch, Out(height), Out(width), outputs), Quantization.PerTensor(scale, -4)),
                    Tensor.From<sbyte>(ElementType.Int8, Shape.Of(outputs, kernel, kernel, inputs / groups), values),
                    Quantization.PerTensor(0.1f, 0),
                    null,
                    new(stride, stride),
                    new(dilation, dilation),
                    new(padding, padding, padding, padding),
                    groups,
                    FusedActivation.None,
                    RoundingScheme.TfliteDouble),
            ],
            ["y"]);
    }
}
