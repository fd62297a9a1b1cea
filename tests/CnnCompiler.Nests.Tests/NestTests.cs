using CnnCompiler.Core;
using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Nests.Tests;

/// <summary>Random nests, not only the best ones: the interpreter replays each, computes the network's values, and counts what the model says.</summary>
public class NestTests
{
    private const int Seeds = 60;

    [Theory]
    [MemberData(nameof(NestLevels.Machines), MemberType = typeof(NestLevels))]
    public void Random_nests_do_what_the_model_says(string name)
    {
        var tiled = 0;
        for (var seed = 0; seed < Seeds; seed++)
        {
            var kind = RandomNetworks.Kinds[seed % RandomNetworks.Kinds.Count];
            var network = RandomNetworks.Layer(kind, seed);
            var machine = NestLevels.Small(name, 4, 6, 1 << 14, 1 << 10);
            var mapped = Map(network, machine);
            var random = new SeededRandom((ulong)seed);
            var plans = mapped.Program.Steps.OfType<GconvOperator>().Select(step => Draw(step, machine, random)).ToEquatableArray();
            var changed = mapped with { Nests = plans };
            Assert.True(changed.Verify().Count == 0, $"{network.Name}, seed {seed}: {string.Join('\n', changed.Verify())}");
            var diagnostics = new DiagnosticBag();
            var image = (SystolicImageModule?)PassRunner.Run(new Pipeline(new EmitSystolicImage()), changed, new PassContext { Diagnostics = diagnostics, Options = new Dictionary<string, string>(StringComparer.Ordinal) });
            Assert.True(image is not null, string.Join('\n', diagnostics.Diagnostics));
            var inputs = RandomNetworks.Inputs(network, seed);
            var expected = new NetworkModule(network).Evaluate(inputs, diagnostics, TestContext.Current.CancellationToken);
            var actual = image.Evaluate(inputs, diagnostics, TestContext.Current.CancellationToken);
            Assert.True(expected is not null && actual is not null, $"{network.Name}: {string.Join('\n', diagnostics.Diagnostics)}");
            Assert.True(TestSupport.TranslationValidation.Difference(expected, actual) is var difference && difference is null, $"{network.Name}: {difference}");
            var counted = NestLevels.Count(image, inputs);
            Assert.Equal(changed.NestPredictions.Select(prediction => prediction.Counts), counted);
            tiled += counted.Count(counts => counts.Tiles > 1);
        }

        Assert.InRange(tiled, Seeds / 2, int.MaxValue);
    }

    [Theory]
    [MemberData(nameof(NestLevels.Machines), MemberType = typeof(NestLevels))]
    public void Nests_survive_their_text(string name)
    {
        for (var seed = 0; seed < 5; seed++)
        {
            var mapped = Map(RandomNetworks.Network(seed), NestLevels.Machine(name));
            var text = mapped.Text();
            var diagnostics = new DiagnosticBag();
            var read = NestText.Parse(text.Text, "test.cnnir", text.Constants, mapped.Machine, diagnostics);
            Assert.Empty(diagnostics.Diagnostics);
            Assert.Equal(mapped.Nests, read!.Nests);
            Assert.Equal(text.Text, read.Text().Text);
            Assert.Null(NestText.Parse(text.Text, "test.cnnir", text.Constants, mapped.Machine with { Name = "another" }, diagnostics));
            Assert.Equal("CNN0894", diagnostics.Diagnostics[0].Code);
        }
    }

    public static TheoryData<string> Broken => [.. Breaks.Keys];

    private static readonly Dictionary<string, Func<NestStep, NestStep>> Breaks = new(StringComparer.Ordinal)
    {
        ["cuts other loops than its operator has"] = nest => nest with { Loops = [.. nest.Loops, new(1, 1, 1)] },
        ["has a tile that its lanes do not fill, or one too many"] = nest => Cut(nest, 1, new(1, 2, 3)),
        ["unrolls a loop along an axis that does not take its kind"] = nest => Cut(nest, 1, new(2, 1, 8)),
        ["unrolls more than the array has"] = nest => Cut(nest, 1, new(1, 7, 7)),
        ["has an outer order of loops that are not there or there twice"] = nest => nest with { Outer = [0, 0] },
        ["leaves a loop out of its inner order"] = nest => nest with { Inner = [0] },
        ["has an outer loop that reduces outside one that does not"] = nest => Cut(nest with { Outer = [2, 0] }, 2, new(1, 1, 2)),
        ["adds reals in another order than that of the loops"] = nest => nest with { Operation = nest.Operation with { Accumulator = SystolicElement.Float64 }, Inner = [0, 1, 3, 2] },
        ["moves operands with loops that are not there"] = nest => nest with { Depths = nest.Depths with { LoadInput = 9 } },
        ["keeps an operand where a loop that indexes it steps"] = nest => nest with { Depths = nest.Depths with { FetchKernel = 0 } },
        ["needs a larger buffer for its input"] = nest => nest with { Operation = nest.Operation with { Input = nest.Operation.Input with { Element = SystolicElement.Int64 } } },
        ["needs a larger buffer for its kernel"] = nest => nest with { Operation = nest.Operation with { Kernel = nest.Operation.Kernel! with { Element = SystolicElement.Int64 } } },
        ["needs more accumulators than there are"] = nest => Cut(nest, 0, new(1, 1, 5)),
        ["has a place on the chip for an operand that it does not have, or none for its results"] = nest => nest with { Chip = Kept with { Output = NestChip.Dram } },
        ["keeps a tensor at an address that is not a multiple of its element's size"] = nest => nest with { Chip = Kept with { Output = 162 } },
        ["keeps a tensor outside its buffer"] = nest => nest with { Chip = Kept with { Input = 190 } },
        ["writes over what it keeps"] = nest => nest with { Chip = Kept with { Input = 10 } },
    };

    // the input, 14 bytes, behind the result, 160 bytes
    private static NestChip Kept => new(0, 160, NestChip.Dram, [], 0, false);

    [Theory]
    [MemberData(nameof(Broken))]
    public void A_nest_that_breaks_a_rule_is_refused(string rule)
    {
        // y[a, b] = sum over c, d of x[a + c, d] * w[b, c, d]
        SystolicLoop[] loops = [new(SystolicRole.Position, 5), new(SystolicRole.Column, 8), new(SystolicRole.Row, 3), new(SystolicRole.Row, 2)];
        var operation = new SystolicOperator(
            0,
            loops,
            Access(SystolicElement.Int8, (7, [1, 0, 1, 0]), (2, [0, 0, 0, 1])),
            Access(SystolicElement.Int8, (8, [0, 1, 0, 0]), (3, [0, 0, 1, 0]), (2, [0, 0, 0, 1])),
            [],
            SystolicElement.Int32,
            [new(ScalarOpcode.Input)],
            [new(ScalarOpcode.Input), new(ScalarOpcode.Kernel), new(ScalarOpcode.Multiply)],
            SystolicReduction.Add,
            [new(ScalarOpcode.Accumulator)],
            Access(SystolicElement.Int32, (5, [1, 0, 0, 0]), (8, [0, 1, 0, 0])),
            null);
        var machine = NestLevels.Small("tpu", 3, 6, 100, 4);
        var plan = new NestPlan("y", [new(1, 1, 3), new(1, 2, 8), new(1, 1, 3), new(1, 1, 2)], [0], [0, 1, 2, 3]);
        var sound = plan.Encode(operation, machine);
        Assert.Null(NestChecker.Problem(sound, machine));
        var roomy = NestLevels.Small("tpu", 3, 6, 200, 4);
        Assert.Null(NestChecker.Problem(sound with { Chip = Kept }, roomy));
        var broken = Breaks[rule](sound);
        Assert.Equal(rule, NestChecker.Problem(broken, broken.Chip is null ? machine : roomy));
        Assert.Equal("is for an accelerator of general convolutions, which the machine is not", NestChecker.Problem(sound, BuiltInMachines.ArrayFlex[0]));
    }

    private static NestStep Cut(NestStep nest, int loop, NestLoop cut) => nest with { Loops = [.. nest.Loops.Select((old, i) => i == loop ? cut : old)] };

    private static SystolicAccess Access(SystolicElement element, params (int Extent, long[] Coefficients)[] dimensions) =>
        new(0, element, SystolicOutside.Never, 0, [.. dimensions.Select(dimension => new SystolicDimension(dimension.Extent, 0, dimension.Coefficients))]);

    internal static SystolicModule Map(NetworkGraph network, MachineDescription machine)
    {
        var diagnostics = new DiagnosticBag();
        var module = PassRunner.Run(
            new Pipeline(new LowerToGconv(), new MapToNests(machine, [])),
            new NetworkModule(network),
            new PassContext { Diagnostics = diagnostics, Options = new Dictionary<string, string>(StringComparer.Ordinal) });
        Assert.True(module is SystolicModule, string.Join('\n', diagnostics.Diagnostics));
        return (SystolicModule)module;
    }

    // Any unrolling that the axes take, tiles of any multiple of it, orders by chance.
    private static NestPlan Draw(GconvOperator step, MachineDescription machine, SeededRandom random)
    {
        var (rows, columns) = (machine.Rows, machine.Columns);
        var ordered = step.Accumulator == Core.Tensors.ElementType.Float64;
        var cuts = new NestLoop[step.Loops.Count];
        foreach (var i in Shuffle(Enumerable.Range(0, cuts.Length), random))
        {
            var (kind, extent) = ((int)step.Loops[i].Kind, step.Loops[i].Extent);
            var fixedOrder = ordered && step.Loops[i].Kind == LoopKind.KernelSize;
            var row = fixedOrder || machine.Systolic![SystolicKeys.Unrolls(true, kind)] == 0 ? 1 : 1 + random.Below(Math.Min(rows, extent));
            var column = fixedOrder || machine.Systolic![SystolicKeys.Unrolls(false, kind)] == 0 ? 1 : 1 + random.Below(Math.Min(columns, (extent + row - 1) / row));
            (rows, columns) = (rows / row, columns / column);
            var trips = (extent + (row * column) - 1) / (row * column);
            cuts[i] = new(row, column, row * column * (fixedOrder ? trips : 1 + random.Below(trips)));
        }

        int Trips(int loop, int of) => (step.Loops[loop].Extent + of - 1) / of;
        var outer = Shuffle(Enumerable.Range(0, cuts.Length).Where(i => Trips(i, cuts[i].Tile) > 1), random)
            .OrderBy(i => step.Loops[i].Kind == LoopKind.KernelSize ? 1 : 0);
        var all = Enumerable.Range(0, cuts.Length).Where(i => (Math.Min(cuts[i].Tile, step.Loops[i].Extent) + (cuts[i].Rows * cuts[i].Columns) - 1) / (cuts[i].Rows * cuts[i].Columns) > 1);
        return new(step.Name, cuts.ToEquatableArray(), outer.ToEquatableArray(), (ordered ? all : Shuffle(all, random)).ToEquatableArray());
    }

    private static List<int> Shuffle(IEnumerable<int> items, SeededRandom random)
    {
        var list = items.ToList();
        for (var i = list.Count - 1; i > 0; i--)
        {
            var other = random.Below(i + 1);
            (list[i], list[other]) = (list[other], list[i]);
        }

        return list;
    }
}
