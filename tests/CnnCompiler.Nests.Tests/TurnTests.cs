using System.Text;
using CnnCompiler.Core;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests;
using CnnCompiler.Targets.Nests.Chip;
using CnnCompiler.Targets.Systolic;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Nests.Tests;

/// <summary>Operators that go through tiles together: what is handed over is there when it is read, all of it and no more, and what it saves.</summary>
public class TurnTests
{
    internal static readonly string[] Networks =
    [
        "a = conv2d(x, filters=6, kernel=1, activation=relu)\n b = depthwise_conv2d(a, kernel=3, padding=same)\n c = conv2d(b, filters=4, kernel=1)\n output c",
        "a = conv2d(x, filters=4, kernel=3, padding=same)\n b = conv2d(a, filters=4, kernel=3, stride=2)\n p = max_pool2d(b, kernel=2)\n output p",
        "a = max_pool2d(x, kernel=3, stride=1)\n b = avg_pool2d(a, kernel=2)\n c = conv2d(b, filters=5, kernel=1)\n output c",
        "a = conv2d(x, filters=4, kernel=1)\n b = conv2d(a, filters=4, kernel=3, padding=same)\n c = conv2d(b, filters=4, kernel=1)\n s = add(a, c)\n output s, b",
        "p = max_pool2d(x, kernel=3, stride=1, padding=same)\n c = conv2d(x, filters=6, kernel=1)\n s = add(p, c)\n output s",
        "a = conv2d(x, filters=6, kernel=1)\n b = depthwise_conv2d(a, kernel=3, padding=same)\n s = add(a, b)\n output s",
        "a = conv2d(x, filters=8, kernel=(5, 1), padding=same, groups=2)\n b = conv2d(a, filters=6, kernel=(1, 3), dilation=2)\n output b",
    ];

    /// <summary>What some step says of its tiles.</summary>
    private static readonly Dictionary<string, Func<NestChip, bool>> Kinds = new(StringComparer.Ordinal)
    {
        ["takes tiles"] = chip => chip.Taken is not null,
        ["takes tiles and hands others over"] = chip => chip is { Taken: not null, OutputWindow: not null },
        ["along two dimensions"] = chip => chip.Taken is { Window.Loops: 2 },
        ["of a further operand"] = chip => chip.Taken is { Input: false },
        ["of the input and a further operand"] = chip => chip.Taken is { Input: true, Extras.Count: > 0 },
        ["in DRAM besides"] = chip => chip is { OutputWindow: not null, Stores: true },
        ["beside a tensor that stays"] = chip => chip is { OutputWindow: not null, Input: not NestChip.Dram, Taken: null } or { Taken: not null, OutputWindow: null, Output: not NestChip.Dram },
        ["an input's boxes beside a window"] = chip => chip is { OutputWindow: not null, Input: NestChip.Dram },
    };

    [Fact]
    public void Networks_compute_the_same_in_turn_and_do_what_is_predicted()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var seed = 0; seed < 70; seed++)
        {
            var machine = NestLevels.Small(BuiltInMachines.Gconv[seed % BuiltInMachines.Gconv.Count].Name, 2 + (seed % 3), 5, (seed % 2 == 0 ? 240L : 960L) << (seed % 3), 64);
            var network = Read(Networks[seed / 10], seed % 2 == 0 ? "i8[1, 17, 12, 6] scale 0.5 zero 3" : "f32[1, 17, 12, 6]");
            var image = NestLevels.Check(network, machine, [.. network.Inputs.Select(input => ZooTests.Image(input.Type, (ulong)seed))]);
            seen.UnionWith(NestLevels.Kinds(image, Kinds));
            NestLevels.CheckText(image);
        }

        Assert.Equal(Kinds.Keys.Order(StringComparer.Ordinal), seen.Order(StringComparer.Ordinal));
    }

    /// <summary>The tensor between the operators is four times the buffer: without the pass it is written and read, with it never.</summary>
    [Theory]
    [MemberData(nameof(NestLevels.Machines), MemberType = typeof(NestLevels))]
    public void A_tensor_handed_over_is_not_moved(string name)
    {
        var machine = NestLevels.Small(name, 4, 4, 16 * 16 * 8 / 4, 256);
        var network = Read("a = conv2d(x, filters=8, kernel=1)\n p = max_pool2d(a, kernel=2)\n output p", "i8[1, 16, 16, 2] scale 0.5 zero 3");
        var (turn, plain) = (Mapped(network, machine, []), Mapped(network, machine, ["exchange-loops"]));
        Assert.All(plain.Nests, nest => Assert.True(nest.Chip is null));
        var (a, b) = (turn.Nests[0].Chip!, turn.Nests[1].Chip!);
        Assert.True(a is { Stores: false, OutputWindow: not null, Taken: null } && b is { Taken: not null, OutputWindow: null });
        Assert.Equal(a.OutputWindow, b.Taken!.Window);
        var (with, without) = (turn.NestPredictions, plain.NestPredictions);
        Assert.Equal((0, 16 * 16 * 8), (with[0].Counts.OutputBytes, without[0].Counts.OutputBytes));
        Assert.Equal(0, with[1].Counts.InputBytes);
        Assert.True(without[1].Counts.InputBytes >= 16 * 16 * 8);
        Assert.Equal(16 * 16 * 8, with[0].Counts.ChipBytes);
    }

    [Fact]
    public void No_program_costs_more_in_turn()
    {
        var better = 0;
        for (var seed = 0; seed < 30; seed++)
        {
            var machine = NestLevels.Small(BuiltInMachines.Gconv[seed % BuiltInMachines.Gconv.Count].Name, 3, 5, 300L << (seed % 3), 32);
            var network = seed < 20 ? Read(Networks[seed / 4], "i8[1, 17, 12, 6] scale 0.5 zero 3") : Fuzzing.RandomNetworks.Network(seed);
            if (seed % 6 == 0)
            {
                // the pool alone gains cycles, while all weights of the convolution would come again with each of its tiles
                (machine, network) = (NestLevels.Small("nlr", 7, 64, 2048L << (seed / 12), 256), Read("a = conv2d(x, filters=32, kernel=3, padding=same)\n p = max_pool2d(a, kernel=2)\n output p", "i8[1, 16, 16, 32] scale 0.5 zero 3"));
            }

            var plain = Mapped(network, machine, ["exchange-loops"]);
            var turn = (SystolicModule)PassRunner.Run(new Pipeline(new ExchangeLoops()), plain, new PassContext())!;
            Assert.Empty(turn.Verify());
            var (with, without) = (Cost(turn), Cost(plain));
            Assert.True(with.Cycles <= without.Cycles && with.Energy <= without.Energy);
            better += with.CompareTo(without) < 0 ? 1 : 0;
            Assert.Equal(turn.Nests, ((SystolicModule)PassRunner.Run(new Pipeline(new ExchangeLoops()), turn, new PassContext())!).Nests);
        }

        Assert.InRange(better, 8, 30);

        static (long Cycles, Int128 Energy) Cost(SystolicModule module) => NestMapper.Predict(module).Aggregate((Cycles: 0L, Energy: Int128.Zero), (sum, nest) => (
            sum.Cycles + nest.Counts.Cycles(module.Machine), sum.Energy + new NestEnergy(nest.Nest.Operation, module.Machine).Of(nest.Counts)));
    }

    /// <summary>Every window that the compiler works out is accepted, and with a line less in any dimension none is; that is where the compiler's formula and the rule of the reader meet.</summary>
    [Fact]
    public void A_window_is_as_small_as_it_can_be()
    {
        var (windows, seen) = (0, new HashSet<TileTakers>());
        foreach (var layers in Networks)
        {
            var module = Mapped(Read(layers, "i8[1, 9, 8, 6] scale 0.5 zero 3"), NestLevels.Machine("nlr"), ["keep-on-chip", "exchange-loops"]);
            var operators = NestMapper.Descriptors(module.Program).Select(entry => entry.Descriptor).ToList();
            var steps = ChipProgram.Of(module.Program).Steps;
            foreach (var (i, producer, consumer) in operators.Zip(operators.Skip(1)).Select((pair, i) => (i, pair.First, pair.Second)))
            {
                var reads = steps[i + 1].Reads.Select(tensor => tensor == steps[i].Written).ToList();
                var takers = new TileTakers(reads[0], reads.Skip(ChipStep.Extras).Select((taken, extra) => taken ? 1UL << extra : 0).Aggregate(0UL, (bits, bit) => bits | bit));
                if (takers == default)
                {
                    continue;
                }

                seen.Add(takers);
                var between = new TileWindows(producer, consumer, takers);
                var dimensions = between.Dimensions;
                foreach (var (around, inside) in dimensions.Prepend((-1, -1, -1)).SelectMany(_ => dimensions, (first, second) => (first, second)).Where(pair => pair.first.Item1 != pair.second.Dimension))
                {
                    for (var tile = 1; tile < 60; tile++)
                    {
                        var leads = new List<(int Loop, int To)> { (inside.From, inside.To) };
                        leads.InsertRange(0, around.Item1 < 0 ? [] : [(around.Item2, around.Item3)]);
                        EquatableArray<NestLead> from = [.. leads.Select((lead, i) => new NestLead(lead.Loop, 1 + (tile / (i == 0 ? 1 : 4) % 4)))];
                        EquatableArray<NestLead> to = [.. leads.Select((lead, i) => new NestLead(lead.To, 1 + (tile / (i == 0 ? 4 : 16) % 4)))];
                        if (between.Least(from, to) is not { } window)
                        {
                            Assert.NotNull(Problem(producer, from, consumer, to, takers, new(from.Count, [.. producer.Output.Dimensions.Select(dimension => dimension.Extent)])));
                            continue;
                        }

                        windows++;
                        Assert.Null(Problem(producer, from, consumer, to, takers, window.Window));
                        for (var d = 0; d < window.Window.Extents.Count; d++)
                        {
                            Assert.NotNull(Problem(producer, from, consumer, to, takers, window.Window with { Extents = [.. window.Window.Extents.Select((extent, i) => i == d ? extent - 1 : extent)] }));
                        }
                    }
                }
            }
        }

        Assert.InRange(windows, 500, 100_000);
        Assert.Contains(seen, takers => takers is { Input: true, Extras: 0 });
        Assert.Contains(seen, takers => takers is { Input: false, Extras: not 0 });
        Assert.Contains(seen, takers => takers is { Input: true, Extras: not 0 });
    }

    /// <summary>A reader looks at each tile, and compares steps in turn with each other: of both there are only so many.</summary>
    [Fact]
    public void Tiles_and_steps_in_turn_are_limited()
    {
        var network = Read("a = conv2d(x, filters=2, kernel=1)\n p = max_pool2d(a, kernel=(1, 2))\n q = max_pool2d(p, kernel=1)\n output q", "i8[1, 70000, 2, 1] scale 0.5 zero 3");
        var module = Mapped(network, NestLevels.Small("nlr", 4, 4, 4096, 256), []);
        Assert.Empty(module.Verify());
        Assert.Contains(module.Nests, nest => nest.Chip is { Taken: not null, OutputWindow: not null });
        Assert.All(module.Nests, nest => Assert.True(nest.Loops[nest.Outer[0]].Tile > 1));
        var steps = NestMapper.Predict(module).Select(entry => entry.Nest).ToList();
        var (producer, consumer) = (steps[0].Operation, steps[1].Operation);
        var (_, from, to) = new TileWindows(producer, consumer, new(true, 0)).Dimensions.First(pair => pair.Dimension == 1);
        Assert.Null(Problem(producer, [new(from, 2)], consumer, [new(to, 2)], new(true, 0), new(1, [1, 2, 2, 2])));
        Assert.Contains("too many", Problem(producer, [new(from, 2)], consumer, [new(to, 1)], new(true, 0), new(1, [1, 2, 2, 2])), StringComparison.Ordinal);

        Assert.DoesNotContain(Of(ChipContents.MostInTurn - 2), problem => problem.Contains("more than", StringComparison.Ordinal));
        Assert.Contains("runs in turn with more than 63 steps", Of(ChipContents.MostInTurn - 1));

        IEnumerable<string> Of(int between) => ChipContents.Problems([steps[0], .. Enumerable.Repeat(steps[1], between), steps[2]], (_, _) => false).Select(problem => problem.Problem);
    }

    private static string? Problem(SystolicOperator producer, EquatableArray<NestLead> from, SystolicOperator consumer, EquatableArray<NestLead> to, TileTakers takers, NestWindow window) =>
        NestHandover.Of(
            Nest(producer, from, new(0, NestChip.Dram, NestChip.Dram, [.. producer.Extras.Select(_ => NestChip.Dram)], 0, false) { OutputWindow = window }),
            Nest(consumer, to, new(0, takers.Input ? 0 : NestChip.Dram, NestChip.Dram, [.. consumer.Extras.Select((_, i) => takers.Numbers.Contains(i) ? 0 : NestChip.Dram)], NestChip.Dram, true)
            {
                Taken = new(window, takers.Input, takers.Numbers),
            })).Problem;

    private static NestStep Nest(SystolicOperator operation, EquatableArray<NestLead> leads, NestChip chip) => new(
        operation,
        [.. operation.Loops.Select((loop, i) => new NestLoop(1, 1, leads.Where(lead => lead.Loop == i).Select(lead => lead.Tile).DefaultIfEmpty(loop.Extent).First()))],
        [.. leads.Select(lead => lead.Loop)],
        [],
        default)
    {
        Chip = chip,
    };

    [Fact]
    public void Tiles_that_are_not_there_are_refused()
    {
        var machine = NestLevels.Small("nlr", 4, 4, 2048, 256);
        var network = Read("a = conv2d(x, filters=8, kernel=1)\n b = max_pool2d(a, kernel=3, stride=1)\n c = conv2d(b, filters=8, kernel=1)\n d = conv2d(a, filters=8, kernel=1)\n output c, d", "i8[1, 24, 16, 4] scale 0.5 zero 3");
        var module = Mapped(network, machine, ["fuse-elementwise"]);
        Assert.Equal(4, module.Nests.Count);
        Assert.Empty(module.Verify());
        var (a, b) = (module.Nests[0].Chip!, module.Nests[1].Chip!);
        Assert.True(a is { OutputWindow: not null, Stores: true } && b is { Taken: not null, OutputWindow: not null });
        var c = module.Nests[2].Chip!;
        var window = a.OutputWindow!;
        var line = window.Extents.Select((extent, i) => (extent, i)).First(pair => pair.extent is > 1 && pair.extent < module.Program.Steps[0].Type.Shape[pair.i]).i;
        Refused("not there yet, or not any more", Both(window with { Extents = [.. window.Extents.Select((extent, i) => i == line ? extent - 1 : extent)] }));
        Refused("another tensor or window", [a, b with { Taken = new(window with { Extents = [.. window.Extents.Select((extent, i) => i == line ? extent + 1 : extent)] }, true, []) }]);
        Refused("another tensor or window", [a, b with { Input = b.Input + 8 }]);
        Refused("tiles for no operand", [a, b with { Taken = new(window, false, []) }]);
        Refused("tiles for no operand", [a, b with { Taken = new(window, true, [b.Extras.Count]) }]);
        Refused("on a tensor that is not on the chip", [a, b, c with { Taken = new(b.OutputWindow!, true, [0]) }]);
        Refused("another tensor or window", [a, b, c with { Extras = [0, .. c.Extras.Skip(1)], Taken = new(b.OutputWindow!, true, [0]) }], "with loops or extents");
        Refused("does not hand any over", [new(a.Boxes, a.Input, a.Kernel, a.Extras, NestChip.Dram, true), b]);
        Refused("does not take any", [a, new(a.Boxes, NestChip.Dram, NestChip.Dram, b.Extras, NestChip.Dram, true)]);
        Refused("with loops or extents", Both(window with { Extents = [.. window.Extents.Skip(1)] }));
        Refused("with loops or extents", Both(window with { Loops = 9 }));
        Refused("with loops or extents", [a with { Output = NestChip.Dram }, b]);
        Refused("write over what it keeps", [a with { Boxes = 0, Output = 0 }, b with { Input = 0 }], "writes over what it keeps");

        // boxes of the first one under the window between the second and the third
        Refused("runs in turn with steps that write over", [a, b with { Output = a.Boxes }, c with { Input = a.Boxes }]);

        // the loop outside is another one
        var outer = module.Nests[0].Outer;
        var other = Enumerable.Range(0, module.Nests[0].Loops.Count).First(loop => !outer.Take(window.Loops).Contains(loop));
        Refused("one of a dimension in both", [a, b], outer: [other, .. outer.Where(loop => loop != other)]);

        NestChip[] Both(NestWindow changed) => [a with { OutputWindow = changed }, b with { Taken = new(changed, true, []) }];

        void Refused(string message, NestChip[] chips, string? or = null, EquatableArray<int>? outer = null)
        {
            var changed = module with
            {
                Nests = module.Nests.Select((plan, i) => plan with
                {
                    Chip = i < chips.Length ? chips[i] : i == 2 && chips.Length == 2 && chips[1].OutputWindow is null ? null : plan.Chip,
                    Outer = i == 0 && outer is { } order ? order : plan.Outer,
                }).ToEquatableArray(),
            };
            var problems = changed.Verify();
            Assert.True(problems.Any(problem => problem.Code == "CNN0895" && (problem.Message.Contains(message, StringComparison.Ordinal) || (or is not null && problem.Message.Contains(or, StringComparison.Ordinal)))), $"{message}: {string.Join('\n', problems)}");
        }
    }

    /// <summary>A tensor of which there is only ever a window is seen as a whole by who compares levels, and what the machine does is the same whether anybody looks.</summary>
    [Fact]
    public void A_tensor_handed_over_is_compared_with_other_levels()
    {
        var machine = NestLevels.Small("nlr", 4, 4, 16 * 16 * 8 / 4, 256);
        var network = Read("a = conv2d(x, filters=8, kernel=1)\n b = max_pool2d(a, kernel=3, stride=1)\n c = avg_pool2d(b, kernel=2)\n output c", "i8[1, 16, 16, 2] scale 0.5 zero 3");
        var image = NestLevels.Compile(network, machine);
        List<string> handed = [.. image.Mapped.Nests.Where(nest => nest.Chip is { Stores: false, OutputWindow: not null }).Select(nest => nest.Operator)];
        Assert.Equal(["a"], handed);
        var (input, diagnostics) = (ZooTests.Image(network.Inputs[0].Type, 1), new DiagnosticBag());
        var (expected, actual) = (new NetworkModule(network).Evaluate([input], diagnostics, default)!, image.Evaluate([input], diagnostics, default)!);
        Assert.All(handed, name => Assert.Equal(expected.Values[name].Bytes.ToArray(), actual.Values[name].Bytes.ToArray()));
        Assert.Null(TranslationValidation.Difference(expected, actual));

        // a producer that computes something else is named, not only what comes of it
        var steps = image.Image.Systolic!.Steps.Cast<NestStep>().ToList();
        steps[0] = steps[0] with { Operation = steps[0].Operation with { Kernel = steps[0].Operation.Kernel! with { Address = steps[0].Operation.Kernel!.Address + 1 } } };
        var wrong = (image with { Image = image.Image with { Systolic = image.Image.Systolic with { Steps = [.. steps] } } }).Evaluate([input], diagnostics, default)!;
        Assert.NotEqual(expected.Values["a"].Bytes.ToArray(), wrong.Values["a"].Bytes.ToArray());

        var read = ImageReader.Read(image.Bytes(), "test.cnnb", diagnostics)!;
        var plain = ImageInterpreter.Run(read, [input.Bytes.ToArray()], new RunOptions());
        var collected = new List<int>();
        var looked = ImageInterpreter.Run(read, [input.Bytes.ToArray()], new RunOptions { AfterHandover = (step, _) => collected.Add(step) });
        Assert.Equal([0], collected);
        Assert.Equal(plain.Outputs[0].ToArray(), looked.Outputs[0].ToArray());
        Assert.Equal(plain.Cycles, looked.Cycles);
    }

    /// <summary>What a step in turn reads from DRAM, or writes there, no other one may write there: which of them is first nobody says.</summary>
    [Fact]
    public void What_goes_through_dram_between_steps_in_turn_is_refused()
    {
        var machine = NestLevels.Small("nlr", 4, 4, 2048, 256);
        var image = NestLevels.Compile(Read("a = conv2d(x, filters=8, kernel=1)\n b = max_pool2d(a, kernel=3, stride=1)\n c = conv2d(b, filters=8, kernel=1)\n d = conv2d(a, filters=8, kernel=1)\n output c, d", "i8[1, 24, 16, 4] scale 0.5 zero 3"), machine);
        List<NestStep> steps = [.. image.Image.Systolic!.Steps.Cast<NestStep>()];
        Assert.Equal(2, ChipContents.LastInTurn(steps, 0));
        Assert.Empty(Problems(steps));
        var (x, a, c) = (steps[0].Operation.Input.Address, steps[0].Operation.Output.Address, steps[2].Operation);
        foreach (var address in (int[])[x, a])
        {
            var changed = steps.ToList();
            changed[2] = steps[2] with { Operation = c with { Output = c.Output with { Address = address } } };
            Assert.Contains(Problems(changed), problem => problem.Message.Contains("step 0 runs in turn with a step that writes in DRAM", StringComparison.Ordinal));
        }

        // what a window holds the reader works out itself
        var window = steps[0].Chip!.OutputWindow! is var whole ? whole with { Extents = [.. whole.Extents.Select((extent, i) => i == 1 ? extent - 1 : extent)] } : null;
        List<NestStep> smaller = [steps[0] with { Chip = steps[0].Chip! with { OutputWindow = window } }, steps[1] with { Chip = steps[1].Chip! with { Taken = new(window!, true, []) } }, .. steps.Skip(2)];
        Assert.Contains(Problems(smaller), problem => problem.Message.Contains("reads from a window what is not there yet", StringComparison.Ordinal));

        var program = ChipProgram.Of(image.Mapped.Program);
        var (dram, chip) = (NestPlacement.Dram, new NestPlacement(true, false, 0, true, false));
        Assert.True(program.Touches(3, dram, 0, dram));
        Assert.False(program.Touches(3, chip, 0, dram) || program.Touches(3, dram, 0, chip) || program.Touches(2, dram, 0, dram));
        Assert.True(program.Touches(0, dram, 0, dram));
        Assert.False(program.Touches(0, chip, 0, dram));

        IReadOnlyList<Diagnostic> Problems(IReadOnlyList<NestStep> changed)
        {
            var diagnostics = new DiagnosticBag();
            ImageReader.Read(ImageWriter.Write(image.Image with { Systolic = image.Image.Systolic! with { Steps = changed } }), "test.cnnb", diagnostics);
            return diagnostics.Diagnostics;
        }
    }

    internal static NetworkGraph Read(string layers, string type)
    {
        var result = Compiler.Compile(new CompileRequest("n.cnn", Encoding.UTF8.GetBytes($"network n {{ weights seed 1\n input x : {type}\n {layers} }}"), "gconv") { StopLevel = IrLevel.Network });
        Assert.True(result.Succeeded, string.Join('\n', result.Diagnostics));
        return ((NetworkModule)result.Modules[IrLevel.Network]).Graph;
    }

    internal static SystolicModule Mapped(NetworkGraph network, MachineDescription machine, string[] disabled)
    {
        var pipeline = GconvTarget.Pipeline(machine, []);
        var context = new PassContext { VerifyEach = true };
        var module = PassRunner.Run(new Pipeline([.. pipeline.Passes.Where(pass => pass is not EmitSystolicImage && !disabled.Contains(pass.Description.Name))]), new NetworkModule(network), context);
        Assert.True(module is SystolicModule, string.Join('\n', context.Diagnostics.Diagnostics));
        return (SystolicModule)module;
    }
}
