using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Algorithms;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Systolic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Systolic.Tests;

/// <summary>The target from the outside: what is printed, refused, forced, counted.</summary>
public class TargetTests
{
    private static readonly MachineDescription Small = AllLevels.Machine(16, 16);

    [Fact]
    public void The_mapped_level_prints_products_with_their_assignment_and_predicate()
    {
        var network = RandomNetworks.Layer(LayerKind.Conv2D, 4);
        var image = AllLevels.Compile(network, Small, new(), new Dictionary<string, string> { ["map-to-systolic.vector-products"] = "off" })!;
        var text = image.Mapped.Print();
        var operation = image.Mapped.Program.Steps.OfType<GconvOperator>().Single();
        Assert.Contains($"gemm groups {Extent(operation, LoopKind.Group)} M {Extent(operation, LoopKind.OutputPosition)} N {Extent(operation, LoopKind.OutputParallel)} K {Extent(operation, LoopKind.KernelSize)}", text, StringComparison.Ordinal);
        Assert.Contains("A[m, k] = ", text, StringComparison.Ordinal);
        Assert.Contains("k = h.ks", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_candidate_can_be_forced_and_gives_the_same_integers()
    {
        var network = RandomNetworks.Layer(LayerKind.DepthwiseConv2D, 3);
        var inputs = RandomNetworks.Inputs(network, 3);
        var plain = AllLevels.Compile(network, Small, new())!;
        var decision = Assert.Single(plain.Mapped.Selection!.Vertices);
        var names = decision.Rejected.Select(rejected => rejected.Candidate).Append(decision.Chosen).ToList();
        Assert.Contains("vector-unit", names);
        Assert.Contains(names, name => name.EndsWith("-groups", StringComparison.Ordinal));
        Assert.All(names, name =>
        {
            var forced = AllLevels.Compile(network, Small, new(), forced: [new(decision.Vertex, name)])!;
            Assert.Equal(name, forced.Mapped.Selection!.Vertices[0].Chosen);
            Assert.True(ConvolutionAlgorithm.Find(name) is not null || name == "vector-unit" == (forced.Mapped.Plans.Count == 0));
            Assert.Null(AllLevels.FirstDifference(network, forced, inputs));
        });
    }

    [Theory]
    [InlineData("nothing", "k1", "CNN0845")]
    [InlineData(null, "k3", "CNN0846")]
    public void A_choice_that_does_not_exist_is_told(string? layer, string candidate, string code)
    {
        var network = RandomNetworks.Layer(LayerKind.Conv2D, 0);
        var diagnostics = new DiagnosticBag();
        Assert.Null(AllLevels.Compile(network, Small, diagnostics, forced: [new(layer ?? network.Layers[^1].Name, candidate)]));
        Assert.Equal(code, Assert.Single(diagnostics.Diagnostics).Code);
    }

    [Fact]
    public void Options_of_the_pass_reach_the_plans()
    {
        var network = RandomNetworks.Layer(LayerKind.Conv2D, 1);
        var options = new Dictionary<string, string>
        {
            ["map-to-systolic.vector-products"] = "off", ["map-to-systolic.depth"] = "2", ["map-to-systolic.double-buffered"] = "on", ["map-to-systolic.trimmed"] = "on",
        };
        var plan = Assert.Single(AllLevels.Compile(network, Small, new(), options)!.Mapped.Plans);
        Assert.True(plan is { DoubleBuffered: true, Trimmed: true, Inner: { Horizontal: 2, Vertical: 2 } });
        var diagnostics = new DiagnosticBag();
        Assert.Null(AllLevels.Compile(network, Small, diagnostics, new Dictionary<string, string> { ["map-to-systolic.objective"] = "beauty" }));
        Assert.Equal("CNN0981", diagnostics.Diagnostics[0].Code);
    }

    [Fact]
    public void What_was_costed_is_what_runs_layer_by_layer()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var network = RandomNetworks.Network(seed);
            var image = AllLevels.Compile(network, Small, new())!;
            var run = AllLevels.Run(image, RandomNetworks.Inputs(network, seed));
            var layers = image.Image.Layers.Select(layer => layer.Name).ToList();
            var costs = image.Mapped.Selection!.Vertices;
            Assert.All(costs, decision => Assert.Equal(decision.OwnCost, run.Systolic[layers.IndexOf(image.Mapped.LayerOf(decision.Vertex))].Femtoseconds));
            Assert.Equal(run.Cycles.Total, run.Systolic.Sum(layer => layer.Cycles));
        }
    }

    [Fact]
    public void The_same_network_gives_the_same_bytes()
    {
        var network = RandomNetworks.Network(9);
        Assert.Equal(AllLevels.Compile(network, Small, new())!.Bytes(), AllLevels.Compile(network, Small, new())!.Bytes());
    }

    [Fact]
    public void A_network_that_exceeds_the_memory_is_refused_with_amounts()
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(AllLevels.Compile(RandomNetworks.Network(2), Small with { Ram = new(64, 64, 0) }, diagnostics));
        Assert.Contains("DRAM", diagnostics.Diagnostics[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_step_beyond_the_cycle_limit_is_stopped_before_it_runs()
    {
        var network = RandomNetworks.Layer(LayerKind.Conv2D, 1);
        var image = AllLevels.Compile(network, Small, new())!;
        var result = ImageInterpreter.Run(image.Image, [.. RandomNetworks.Inputs(network, 1).Select(t => (ReadOnlyMemory<byte>)t.Bytes.ToArray())], new RunOptions { MaxCycles = 3 });
        Assert.Equal("CNN0724", Assert.Single(result.Diagnostics).Code);
        Assert.Empty(result.Outputs);
    }

    [Fact]
    public void Scalar_programs_without_a_result_and_values_beyond_their_type_are_told()
    {
        var network = RandomNetworks.Layer(LayerKind.Activation, 1);
        var image = AllLevels.Compile(network, Small, new())!.Image;
        var inputs = RandomNetworks.Inputs(network, 1).Select(t => (ReadOnlyMemory<byte>)t.Bytes.ToArray()).ToList();
        var step = (SystolicOperator)image.Systolic!.Steps[0];
        ScalarInstruction[][] programs =
        [
            [new(ScalarOpcode.Literal, 1000)],
            [new(ScalarOpcode.Literal, long.MaxValue), new(ScalarOpcode.Literal, 2), new(ScalarOpcode.Multiply)],
            [new(ScalarOpcode.Literal, 1), new(ScalarOpcode.Literal, 63), new(ScalarOpcode.ShiftLeft)],
            [new(ScalarOpcode.Literal, 1), new(ScalarOpcode.Literal, 0), new(ScalarOpcode.DivideRoundHalfAway)],
            [new(ScalarOpcode.Literal, 1), new(ScalarOpcode.Literal, 1), new(ScalarOpcode.Literal, 31), new(ScalarOpcode.RequantizeDouble)],
            [new(ScalarOpcode.Literal, 1), new(ScalarOpcode.Literal, 2), new(ScalarOpcode.Literal, 1), new(ScalarOpcode.Clamp)],
        ];
        Assert.All(programs, program =>
        {
            var broken = image with { Systolic = image.Systolic with { Steps = [step with { Post = program }] } };
            Assert.Equal("CNN0725", Assert.Single(ImageInterpreter.Run(broken, inputs).Diagnostics).Code);
        });
    }

    [Fact]
    public void Wrong_inputs_are_told()
    {
        var image = AllLevels.Compile(RandomNetworks.Layer(LayerKind.Pad, 1), Small, new())!.Image;
        Assert.Equal("CNN0709", Assert.Single(ImageInterpreter.Run(image, []).Diagnostics).Code);
        Assert.Equal("CNN0710", Assert.Single(ImageInterpreter.Run(image, [new byte[1]]).Diagnostics).Code);
    }

    [Fact]
    public void A_machine_of_another_kind_and_a_program_of_another_target_are_refused()
    {
        var source = System.Text.Encoding.UTF8.GetBytes("network n { weights seed 1\n input x : i8[1x4x4x1] scale 0.1 zero 0\n y = conv2d(x, filters=1, kernel=3)\n output y }");
        Assert.Equal("CNN0096", Assert.Single(Compiler.Compile(new("n.cnn", source, "arrayflex") { Machine = BuiltInMachines.Default }).Diagnostics).Code);
        var mapped = Compiler.Compile(new("n.cnn", source, "openedge") { StopLevel = IrLevel.Mapped }).Modules[IrLevel.Mapped];
        var text = System.Text.Encoding.UTF8.GetBytes(mapped.Text().Text);
        Assert.Contains(Compiler.Compile(new("n.cnnir", text, "arrayflex") { From = IrLevel.Mapped }).Diagnostics, diagnostic => diagnostic.Code == "CNN0098");
    }

    [Fact]
    public void The_text_of_the_mapped_level_is_read_back_as_the_same_module()
    {
        Dictionary<string, string> options = new() { ["map-to-systolic.asymmetric"] = "on", ["map-to-systolic.depth-per-tile"] = "on", ["map-to-systolic.double-buffered"] = "on", ["map-to-systolic.trimmed"] = "on" };
        for (var seed = 0; seed < 60; seed++)
        {
            var diagnostics = new DiagnosticBag();
            if (AllLevels.Compile(RandomNetworks.Network(seed), Small, diagnostics, seed % 2 == 0 ? options : null) is not { } image)
            {
                Assert.Fail(string.Join('\n', diagnostics.Diagnostics));
                return;
            }

            var text = image.Mapped.Text();
            var read = SystolicText.Parse(text.Text, "n.cnnir", text.Constants, Small, diagnostics);
            Assert.Empty(diagnostics.Diagnostics);
            Assert.Equal(image.Mapped with { Selection = null }, read);
            Assert.Empty(read!.Verify());
            Assert.Equal(text.Text, read.Text().Text);
        }
    }

    public static TheoryData<string, string, string> BrokenTexts => new()
    {
        { "packed 1", "packed 0", "CNN0895" },
        { "packed 1", "packed 17", "CNN0895" },
        { "packed 1", "packed many", "CNN0903" },
        { "vectors 64", "vectors 65", "CNN0895" },
        { "product %y", "product %z", "CNN0895" },
        { "depths [", "depths [3 1, 1 1, 1 1, 1 1] product %y packed 1 vectors 1 columns_outer depths [", "CNN0895" },
        { "columns_outer", "rows_outer", "CNN0903" },
        { " on \"array-16x16\"", " on \"array-8x8\"", "CNN0894" },
        { "}\ngconv", "gconv", "CNN0903" },
    };

    [Theory]
    [MemberData(nameof(BrokenTexts))]
    public void A_text_that_is_broken_or_not_sound_is_diagnosed(string from, string to, string code)
    {
        var source = System.Text.Encoding.UTF8.GetBytes("network n { weights seed 1\n input x : i8[1x8x8x20] scale 0.1 zero 0\n y = conv2d(x, filters=24, kernel=3, padding=same)\n output y }");
        var options = new Dictionary<string, string> { ["map-to-systolic.vector-products"] = "off" };
        var text = Compiler.Compile(new("n.cnn", source, "arrayflex") { Machine = Small, StopLevel = IrLevel.Mapped, Options = options }).Modules[IrLevel.Mapped].Text();
        var broken = text.Text.Replace(from, to, StringComparison.Ordinal);
        Assert.NotEqual(text.Text, broken);
        var constants = Core.Numpy.NpzFile.Write(text.Constants.Constants.Select(constant => new KeyValuePair<string, Core.Tensors.Tensor>(constant.Name, constant.Value)));
        var result = Compiler.Compile(new("n.cnnir", System.Text.Encoding.UTF8.GetBytes(broken), "arrayflex") { Machine = Small, Companion = _ => constants });
        Assert.Equal(code, result.Diagnostics[0].Code);
        Assert.Null(result.Image);
    }

    [Fact]
    public void Running_to_the_end_of_a_layer_leaves_the_rest_out()
    {
        var network = RandomNetworks.Network(5);
        var image = AllLevels.Compile(network, Small, new())!.Image;
        var inputs = RandomNetworks.Inputs(network, 5).Select(t => (ReadOnlyMemory<byte>)t.Bytes.ToArray()).ToList();
        var (first, all) = (ImageInterpreter.Run(image, inputs, new RunOptions { StopAfterLayer = 0 }), ImageInterpreter.Run(image, inputs));
        Assert.Equal(all.Systolic[0], first.Systolic[0]);
        Assert.All(first.Systolic.Skip(1), layer => Assert.Equal(0, layer.Cycles));
        Assert.Empty(first.Outputs);
    }

    private static long Extent(GconvOperator operation, LoopKind kind) => operation.Loops.Where(loop => loop.Kind == kind).Aggregate(1L, (product, loop) => product * loop.Extent);
}
