using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Emission;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;
using CnnCompiler.Targets.OpenEdge.Selection;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Passes of stars follow each other as long as there is room for what they leave: exact however much there is, chosen where it is faster, and kept in schedules.</summary>
public class PlanesTogetherTests
{
    [Theory]
    [InlineData("starpoint-w", 8, 8)]
    [InlineData("starpoint-w", 64, 64)]
    [InlineData("starsums-w", 8, 12)]
    public void However_much_room_there_is_the_integers_are_the_same_and_code_changes_less(string candidate, int inputs, int outputs)
    {
        var network = Layer(7, 6, inputs, outputs, candidate == "starsums-w" ? 3 : 1);
        var changes = new List<int>();
        foreach (var words in (ReadOnlySpan<int>)[0, 3000, 1 << 17])
        {
            var diagnostics = new DiagnosticBag();
            var levels = AllLevels.Compile(network, MappingChoices.Defaults.With("y", candidate) with { PlaneWords = words }, diagnostics);
            Assert.True(levels is not null, string.Join('\n', diagnostics.Diagnostics));
            string[] kernels = [.. levels.Mapped.Steps.OfType<MappedNest>().Select(n => n.Kernel)];
            Assert.Contains(kernels, k => k is StarKernel.Strategy or StarKernel.PointStrategy);
            changes.Add(kernels.Zip(kernels.Skip(1)).Count(pair => pair.First != pair.Second));
            var shape = network.Inputs[0].Type.Shape;
            Assert.Null(levels.FirstDifference([Tensor.From<sbyte>(ElementType.Int8, shape, [.. Enumerable.Range(0, (int)shape.Elements).Select(i => (sbyte)((i * 89 % 256) - 128))])]));
        }

        Assert.True(changes[0] > changes[2] && changes[0] >= changes[1] && changes[1] >= changes[2], string.Join(' ', changes));
    }

    [Fact]
    public void The_selector_takes_as_many_as_are_fastest_and_a_schedule_knows_them()
    {
        var machine = BuiltInMachines.Default;
        var program = LowerToGconv.Lower(Layer(25, 5, 64, 64, 1), new())!;
        var selected = MappingSelector.Select(program, machine, [new("y", "starpoint-w")], new(), default)!;
        Assert.DoesNotContain("\"planeWords\": 0", selected.Schedule, StringComparison.Ordinal);
        Assert.Equal(selected.Program, MappingSelector.Select(program, machine, [], new(), default, new() { Schedule = selected.Schedule })!.Program);
        var apart = MappingSelector.Select(
            program, machine, [], new(), default, new() { Schedule = System.Text.RegularExpressions.Regex.Replace(selected.Schedule!, "\"planeWords\": [0-9]+", "\"planeWords\": 0") })!;
        var timer = new KernelTimer(machine);
        Assert.True(ImageEmitter.Estimate(selected.Program, machine, timer)!.Cycles < ImageEmitter.Estimate(apart.Program, machine, timer)!.Cycles);
    }

    [Fact]
    public void Columns_that_add_up_planes_seldom_meet_in_a_bank()
    {
        var program = OpenEdgeMapper.Map(LowerToGconv.Lower(Layer(25, 5, 64, 64, 1), new())!, MappingChoices.Defaults.With("y", "starpoint-w"), new(), default)!.Program;
        var nests = program.Steps.OfType<MappedNest>().Where(n => n.Kernel == StarPlanesKernel.PointStrategy).ToArray();
        Assert.NotEmpty(nests);
        long Cycles(string machine) => nests.Sum(n => new KernelTimer(BuiltInMachines.All.Single(m => m.Name == machine)).ArrayCycles(n, program));
        Assert.InRange(Cycles("openedge-banked8"), Cycles("openedge-ideal"), Cycles("openedge-ideal") * 5 / 4);
    }

    private static NetworkGraph Layer(int height, int width, int inputs, int outputs, int window)
    {
        TensorType Type(int channels, float scale, int zeroPoint) => new(ElementType.Int8, Shape.Of(1, height, width, channels), Quantization.PerTensor(scale, zeroPoint));
        return new(
            "planes",
            [new("x", Type(inputs, 0.5f, 5))],
            [
                new Conv2D(
                    "y",
                    ["x"],
                    Type(outputs, 0.05f * window * window * inputs * 50, -128),
                    Tensor.From<sbyte>(
                        ElementType.Int8, Shape.Of(outputs, window, window, inputs), [.. Enumerable.Range(0, outputs * window * window * inputs).Select(i => (sbyte)((i * 37 % 255) - 127))]),
                    Quantization.PerTensor(0.1f, 0),
                    null,
                    new(1, 1),
                    new(1, 1),
                    new(window / 2, window / 2, window / 2, window / 2),
                    1,
                    FusedActivation.Relu,
                    RoundingScheme.TfliteDouble),
            ],
            ["y"]);
    }
}
