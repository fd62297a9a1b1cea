using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Convolutions with tiles transformed in two dimensions: the same codes at every level, for every window, number of channels, of lines and of columns that is offered.</summary>
public class WinogradTileTests
{
    private const string Candidate = "winograd-4x4";

    /// <summary>Height, width, input and output channels, window, padding; nests that transform inputs, that multiply, that make sums.</summary>
    public static TheoryData<int, int, int, int, int, int, int, int, int, int> Shapes() => new()
    {
        // whole tiles
        { 16, 16, 16, 8, 3, 3, 1, 2, 36, 2 },

        // lines or columns left over, or both: one, two, three
        { 13, 16, 16, 16, 3, 3, 1, 3, 72, 6 },
        { 16, 14, 16, 8, 3, 3, 1, 3, 36, 3 },
        { 15, 17, 8, 32, 3, 3, 0, 4, 144, 20 },

        // output channels that eight doesn't divide; blocks of fewer than four input channels; several passes, the last one with fewer blocks
        { 16, 16, 16, 11, 3, 3, 1, 2, 72, 4 },
        { 16, 16, 6, 32, 3, 3, 1, 2, 144, 8 },
        { 16, 16, 24, 5, 3, 3, 1, 3, 72, 2 },
        { 14, 14, 36, 12, 3, 3, 1, 6, 216, 10 },

        // other windows: rounds of two and three taps, in passes of their own or together
        { 16, 16, 16, 8, 5, 5, 2, 6, 144, 2 },
        { 16, 16, 4, 16, 5, 5, 2, 6, 72, 4 },
        { 16, 15, 16, 16, 4, 3, 1, 8, 144, 10 },
        { 16, 17, 16, 32, 2, 3, 0, 4, 144, 20 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_window_is_exact_with_extreme_weights_and_codes(
        int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth, int padding, int inputs, int products, int sums)
    {
        foreach (var (weights, codes) in (ReadOnlySpan<(string, string)>)[("eighty", "lowest"), ("eighties", "signs"), ("drawn", "all")])
        {
            var network = DirectTests.Layer(height, width, channels, outputs, kernelHeight, kernelWidth, 1, 1, padding, weights);
            var choices = ForcedMappings.Choices(LowerToGconv.Lower(network, new())!, Candidate);
            var nests = ForcedMappings.Check(network, choices, [Codes(network, codes)]).Steps.OfType<MappedNest>().ToArray();
            var multiplied = nests.Where(n => n.Kernel == MatrixKernel.Strategy).ToArray();
            Assert.Equal(
                (inputs, products, sums),
                (nests.Count(n => n.Kernel == RowsInKernel.Strategy), multiplied.Length, nests.Count(n => n.Kernel == RowsOutKernel.Strategy)));
            Assert.Equal(network.Layers[0].Type.Shape.Elements * channels * kernelHeight * kernelWidth, multiplied.Sum(n => n.Origin.Value.Macs));
        }
    }

    [Theory]
    [InlineData(16, 16, 16, 8, 3, 3, "highest", false, "so many weights that exceed the code's constants: 49 * 127")]
    [InlineData(16, 16, 16, 8, 3, 3, "eighty", true, "49 * 80")]
    [InlineData(16, 3, 16, 8, 3, 3, "eighty", false, "lines shorter than a tile")]
    [InlineData(3, 16, 16, 8, 3, 3, "eighty", false, "fewer lines than a tile has")]
    [InlineData(16, 16, 16, 8, 3, 1, "eighty", false, "no taps along the line")]
    [InlineData(16, 16, 16, 8, 1, 3, "eighty", false, "no taps across lines")]
    [InlineData(8, 8, 16, 16, 3, 3, "eighty", false, "so many short passes that their code is loaded longer than they take")]
    [InlineData(16, 16, 3, 4, 3, 3, "eighty", false, "so few channels that a direct pass has all rows of the window")]
    [InlineData(16, 16, 68, 8, 3, 3, "eighty", true, "lines as far apart as the code has room for")]
    [InlineData(16, 16, 72, 8, 3, 3, "eighty", false, "lines too far apart for the code")]
    public void What_does_not_pay_or_fit_is_not_offered(int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth, string weights, bool isOffered, string why)
    {
        var network = DirectTests.Layer(height, width, channels, outputs, kernelHeight, kernelWidth, 1, 1, 1, weights);
        var mapping = OpenEdgeMapper.Map(LowerToGconv.Lower(network, new())!, MappingChoices.Defaults.With("y", Candidate), new(), default)!;
        Assert.True(isOffered == mapping.Decisions.SelectMany(d => d.Candidates).Any(c => c.Name == Candidate), why);
        if (isOffered)
        {
            var timer = new KernelTimer(BuiltInMachines.Default);
            var nests = mapping.Program.Steps.OfType<MappedNest>().Where(n => n.Kernel is RowsInKernel.Strategy or RowsOutKernel.Strategy).ToArray();
            Assert.Contains(nests, n => n.Kernel == RowsInKernel.Strategy);
            Assert.All(nests, nest => Assert.NotEqual(0, timer.ArrayCycles(nest, mapping.Program)));
        }
    }

    /// <summary>Channels, magnitude of all weights, and whether everything is exact.</summary>
    [Theory]
    [InlineData(3, 118, 80, true)]
    [InlineData(3, 119, 80, false)]
    [InlineData(5, 58, 80, true)]
    [InlineData(5, 59, 80, false)]

    // one weight that exceeds a constant
    [InlineData(3, 1, 84, true)]
    public void Weights_are_transformed_where_products_and_sums_fit_32_bits_and_weights_13(int size, int inputs, int weight, bool isExact)
    {
        // products of the largest points: inputs six times as large in both directions, weights seven times in a round of three taps, three times in one of two; 2^31 over all of them
        var weights = Tensor.From<int>(ElementType.Int32, Shape.Of(1, size, size, inputs), [.. Enumerable.Repeat(weight, size * size * inputs)]);
        EquatableArray<int> rounds = size == 3 ? [3] : [3, 2];
        var values = TileWeights.Of(weights, new(0, weights.Shape.Elements, size * inputs, inputs, 1, 1, inputs, 1, rounds, rounds)).Values;
        Assert.Equal(isExact, values is not null);
        if (values is not null)
        {
            Assert.Equal(49 * weight, Enumerable.Range(0, (int)values.Shape.Elements).Max(i => Math.Abs(values.GetInteger(i))));
        }
    }

    [Theory]
    [InlineData(32, 16, 3, "openedge-ideal", Candidate)]
    [InlineData(32, 16, 3, "openedge-banked8", Candidate)]
    [InlineData(32, 16, 3, "openedge", "winograd-4x1")]
    [InlineData(16, 32, 3, "openedge-ideal", Candidate)]
    [InlineData(16, 16, 5, "openedge-ideal", Candidate)]
    public void Large_maps_take_it_where_memory_is_fast(int size, int channels, int kernel, string machine, string chosen)
    {
        var gconv = LowerToGconv.Lower(DirectTests.Layer(size, size, channels, channels, kernel, kernel, 1, 1, kernel / 2, "eighties"), new())!;
        var selected = MappingSelector.Select(gconv, BuiltInMachines.All.Single(m => m.Name == machine), [], new DiagnosticBag(), default)!;
        var decision = selected.Explanation!.Vertices.Single(v => v.Vertex == "y");
        Assert.Equal(chosen, decision.Chosen);
    }

    [Fact]
    public void A_layer_in_bands_takes_the_candidate_that_is_fastest_so()
    {
        var gconv = LowerToGconv.Lower(DirectTests.Layer(16, 16, 16, 16, 3, 3, 1, 1, 1, "eighties"), new())!;
        var ideal = BuiltInMachines.All.Single(m => m.Name == "openedge-ideal");
        var small = ideal with { Ram = ideal.Ram with { Bytes = 84 * 1024 } };
        var diagnostics = new DiagnosticBag();
        SelectedMapping Select(params ForcedChoice[] forced) => MappingSelector.Select(gconv, small, forced, diagnostics, default)!;
        long Cycles(SelectedMapping selected) => selected.Predicted.Sum(l => l.Cost);
        var free = Select();
        var note = Assert.Single(diagnostics.Diagnostics, d => d.Code == "CNN0828").Message;
        var whole = free.Explanation!.Vertices.Single(v => v.Vertex == "y").Chosen;
        var taken = note[(note.LastIndexOf('=') + 1)..];

        // as a whole the one would be faster, but it needs bands
        Assert.NotEqual(whole, taken);
        Assert.True(Cycles(Select(new ForcedChoice("y", taken))) < Cycles(Select(new ForcedChoice("y", whole))));
        Assert.Equal(Cycles(Select(new ForcedChoice("y", taken))), Cycles(free));
    }

    [Theory]
    [InlineData("openedge-ideal", 40)]
    [InlineData("openedge", 46)]
    public void A_position_takes_nine_multiplications_ten_additions_and_its_stores(string machine, int cycles)
    {
        var timer = new KernelTimer(BuiltInMachines.All.Single(m => m.Name == machine));
        long Of(int lines)
        {
            var gconv = LowerToGconv.Lower(DirectTests.Layer(lines, 16, 16, 8, 3, 3, 1, 1, 1, "eighties"), new())!;
            var program = OpenEdgeMapper.Map(gconv, ForcedMappings.Choices(gconv, Candidate), new(), default)!.Program;
            return timer.ArrayCycles(program.Steps.OfType<MappedNest>().First(n => n.Kernel == MatrixKernel.Strategy), program);
        }

        // four tiles more
        Assert.Equal(4 * cycles, Of(20) - Of(16));
    }

    [Fact]
    public void What_weights_exceed_constants_by_takes_a_step_more_where_there_is_some()
    {
        var gconv = LowerToGconv.Lower(DirectTests.Layer(16, 16, 16, 8, 3, 3, 1, 1, 1, "drawn"), new())!;
        var program = OpenEdgeMapper.Map(gconv, ForcedMappings.Choices(gconv, Candidate), new(), default)!.Program;
        var timer = new KernelTimer(BuiltInMachines.All.Single(m => m.Name == "openedge-ideal"));
        var cycles = program.Steps.OfType<MappedNest>().Where(n => n.Kernel == MatrixKernel.Strategy).Select(n => timer.ArrayCycles(n, program)).ToArray();

        // a multiplication for each of sixteen tiles, where an addition has no step that it can share one more, and their code
        var once = cycles.Distinct().Order().Skip(1).First() - cycles.Min();
        Assert.InRange(once, 16 * 3, (16 * 4) + 8);
    }

    [Fact]
    public void Rests_of_weights_meet_in_no_cell()
    {
        var random = new Random(5);
        for (var count = 1; count < 20; count++)
        {
            var weights = new Dictionary<(Cell Cell, int Channel), int>();
            while (weights.Count < count)
            {
                weights[(new(random.Next(4), random.Next(4)), random.Next(MatrixKernel.Channels))] = random.Next(2) == 0 ? 4096 + random.Next(2000) : -4097 - random.Next(2000);
            }

            var steps = MatrixKernel.Rests((cell, channel) => weights.GetValueOrDefault((cell, channel), 17));
            if (steps is null)
            {
                Assert.True(count > 4);
                continue;
            }

            Assert.All(steps, step => Assert.Distinct(step.Select(r => r.Cell)));
            Assert.Equal(
                weights.ToDictionary(w => w.Key, w => w.Value > 0 ? w.Value - 4095 : w.Value + 4096).OrderBy(w => w.Key.Cell.Index).ThenBy(w => w.Key.Channel),
                steps.SelectMany(s => s).ToDictionary(r => (r.Cell, r.Channel), r => r.Weight).OrderBy(w => w.Key.Cell.Index).ThenBy(w => w.Key.Channel));
        }

        Assert.Null(MatrixKernel.Rests((_, _) => 4096));
        Assert.Null(MatrixKernel.Rests((cell, channel) => cell == default && channel == 0 ? 3 * 4095 : 0));
        Assert.Empty(MatrixKernel.Rests((_, _) => -4096)!);
    }

    [Fact]
    public void Every_pass_takes_as_long_as_the_one_that_was_measured_for_all()
    {
        var gconv = LowerToGconv.Lower(DirectTests.Layer(14, 14, 24, 11, 3, 3, 1, 1, 1, "eighties"), new())!;
        var program = OpenEdgeMapper.Map(gconv, ForcedMappings.Choices(gconv, Candidate), new(), default)!.Program;
        foreach (var machine in BuiltInMachines.All)
        {
            var timer = new KernelTimer(machine);
            Assert.All(program.Steps.OfType<MappedNest>().Reverse(), nest => Assert.Equal(new KernelTimer(machine).ArrayCost(nest, program), timer.ArrayCost(nest, program)));
        }
    }

    [Fact]
    public void All_machines_run_a_layer_of_tiles_with_lines_and_columns_left_over()
    {
        var network = DirectTests.Layer(14, 15, 20, 8, 3, 3, 1, 1, 1, "eighties");
        var choices = ForcedMappings.Choices(LowerToGconv.Lower(network, new())!, Candidate);
        var levels = AllLevels.Compile(network, choices, new DiagnosticBag())!;
        Assert.Contains(levels.Mapped.Steps.OfType<MappedNest>(), n => n.Kernel == MatrixKernel.Strategy);
        Assert.Null(levels.FirstDifference([Codes(network, "signs")]));
    }

    private static Tensor Codes(NetworkGraph network, string kind)
    {
        var shape = network.Inputs[0].Type.Shape;
        return Tensor.From<sbyte>(ElementType.Int8, shape, [.. Enumerable.Range(0, (int)shape.Elements).Select(i => DirectTests.Extreme(kind, i))]);
    }
}
