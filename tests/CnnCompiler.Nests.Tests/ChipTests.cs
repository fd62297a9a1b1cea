using System.Text;
using CnnCompiler.Core;
using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Nests;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.Nests;
using CnnCompiler.Targets.Nests.Chip;
using CnnCompiler.Targets.Systolic;

namespace CnnCompiler.Nests.Tests;

/// <summary>Tensors that stay on the chip: which, that they are there when they are read, and what it saves.</summary>
public class ChipTests
{
    private static readonly string[] Networks =
    [
        "a = conv2d(x, filters=6, kernel=3, padding=same, activation=relu)\n b = conv2d(a, filters=4, kernel=1)\n s = add(a, a)\n y = conv2d(s, filters=2, kernel=3)\n output y, b",
        "a = conv2d(x, filters=4, kernel=1)\n b = conv2d(a, filters=4, kernel=3, padding=same)\n c = conv2d(b, filters=4, kernel=3, padding=same)\n s = add(a, c)\n p = max_pool2d(s, kernel=2)\n output p",
        "a = conv2d(x, filters=4, kernel=1)\n b = conv2d(a, filters=4, kernel=3, padding=same)\n c = max_pool2d(a, kernel=3, stride=1, padding=1)\n j = concat(b, c, axis=3)\n d = conv2d(j, filters=3, kernel=1)\n r = reshape(d, shape=(1, 6, 15))\n t = reshape(j, shape=(1, 15, 16))\n m = matmul(r, t)\n output m",
        "a = conv2d(x, filters=4, kernel=1, activation=relu)\n r = reshape(a, shape=(1, 120))\n d = dense(r, units=10)\n n = avg_pool2d(a, kernel=3, stride=1, padding=1)\n f = reshape(n, shape=(1, 120))\n e = dense(f, units=10)\n s = add(d, e)\n y = softmax(s)\n output y",
    ];

    /// <summary>What some descriptor says of its operands.</summary>
    private static readonly Dictionary<string, Func<NestChip, bool>> Kinds = new(StringComparer.Ordinal)
    {
        ["input"] = chip => chip.Input != NestChip.Dram,
        ["kernel"] = chip => chip.Kernel != NestChip.Dram,
        ["further operand"] = chip => chip.Extras.Any(place => place != NestChip.Dram),
        ["result on the chip alone"] = chip => chip.Output != NestChip.Dram && !chip.Stores,
        ["result in both"] = chip => chip.Output != NestChip.Dram && chip.Stores,
        ["boxes beside tensors"] = chip => chip.Boxes > 0,
    };

    [Fact]
    public void Networks_compute_the_same_whatever_stays_and_do_what_is_predicted()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var seed = 0; seed < 40; seed++)
        {
            var machine = NestLevels.Small(BuiltInMachines.Gconv[seed % BuiltInMachines.Gconv.Count].Name, 3, 5, 200L << (seed % 6), 64);
            var network = seed < 20 ? Read(Networks[seed / BuiltInMachines.Gconv.Count], seed % 2 == 0 ? "i8[1, 5, 6, 3] scale 0.5 zero 3" : "f32[1, 5, 6, 3]") : RandomNetworks.Network(seed);
            var image = NestLevels.Check(network, machine, [.. network.Inputs.Select(input => ZooTests.Image(input.Type, (ulong)seed))]);
            seen.UnionWith(NestLevels.Kinds(image, Kinds));
            NestLevels.CheckText(image);
        }

        Assert.Equal(Kinds.Keys.Order(StringComparer.Ordinal), seen.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(NestLevels.Machines), MemberType = typeof(NestLevels))]
    public void A_tensor_that_stays_is_not_moved(string name)
    {
        const string text = "network n { weights seed 1\n input x : i8[1, 16, 16, 8] scale 0.5 zero 3\n a = conv2d(x, filters=16, kernel=1)\n p = max_pool2d(a, kernel=2)\n b = conv2d(p, filters=8, kernel=1)\n output b }";
        var (kept, plain) = (Mapped(text, name, ["exchange-loops"]), Mapped(text, name, ["keep-on-chip", "exchange-loops"]));
        var (with, without) = (Bytes(kept), Bytes(plain));

        // the two tensors between the operators, each written and read once
        Assert.Equal(2 * ((16 * 16 * 16) + (8 * 8 * 16)), without - with);
        Assert.True(Cycles(kept) < Cycles(plain));
        Assert.True(kept.Nests.All(nest => nest.Chip is not null) && plain.Nests.All(nest => nest.Chip is null));

        static long Bytes(SystolicModule module) => module.NestPredictions.Sum(prediction => prediction.Counts.DramBytes);

        static long Cycles(SystolicModule module) => module.NestPredictions.Sum(prediction => prediction.Counts.Cycles(module.Machine));
    }

    [Fact]
    public void No_program_costs_more_than_with_everything_in_dram()
    {
        for (var seed = 0; seed < 30; seed++)
        {
            var machine = NestLevels.Small(BuiltInMachines.Gconv[seed % BuiltInMachines.Gconv.Count].Name, 3, 5, 100L << (seed % 5), 32);
            var plain = NestTests.Map(RandomNetworks.Network(seed), machine);
            var kept = (SystolicModule)PassRunner.Run(new Pipeline(new KeepOnChip()), plain, new PassContext())!;
            Assert.Empty(kept.Verify());
            Assert.True(Cost(kept).CompareTo(Cost(plain)) <= 0);
        }

        static (long, Int128) Cost(SystolicModule module) => NestMapper.Predict(module).Aggregate((Cycles: 0L, Energy: Int128.Zero), (sum, nest) => (
            sum.Cycles + nest.Counts.Cycles(module.Machine), sum.Energy + new NestEnergy(nest.Nest.Operation, module.Machine).Of(nest.Counts)));
    }

    /// <summary>
    /// All assignments of small programs: each tensor in DRAM, on the chip as long as it lives, or, where it has several readers or has to be stored, on the chip up to some step and in DRAM besides. Tensors
    /// are of one size, so that addresses are always found.
    /// </summary>
    [Fact]
    public void The_choice_is_the_best_of_all()
    {
        var kept = 0;
        for (var seed = 0; seed < 150; seed++)
        {
            var random = new SeededRandom((ulong)seed);
            var count = 2 + random.Below(4);
            var steps = new List<ChipStep>();
            for (var i = 0; i < count; i++)
            {
                int Earlier() => random.Below(i + 2) is var tensor && tensor < i ? tensor : -1;
                steps.Add(new($"s{i}", [i == 0 ? -1 : random.Below(i), Earlier(), Earlier()], i));
            }

            var program = new ChipProgram(steps, [.. steps.Select((step, i) => new ChipTensor($"t{i}", 8, i == count - 1 || random.Below(5) == 0))]);
            var costs = new RandomCosts((ulong)seed, random.Below(4) == 0 ? random.Below(count) : -1);
            var capacity = 8L * (1 + random.Below(2));
            var choices = ChipSelector.Choose(program, capacity, costs);
            kept += choices.Count(choice => choice.Chip is not null);
            Assert.Equal(Least(program, capacity, costs), choices.Aggregate((Cycles: 0L, Energy: Int128.Zero), (sum, choice) => (sum.Cycles + choice.Cost.Cycles, sum.Energy + choice.Cost.Energy)));
        }

        Assert.InRange(kept, 150, 1000);
    }

    [Fact]
    public void A_read_of_what_is_not_there_any_more_is_refused()
    {
        const string text = "network n { weights seed 1\n input x : i8[1, 8, 8, 4] scale 0.5 zero 3\n a = conv2d(x, filters=4, kernel=1)\n b = conv2d(x, filters=4, kernel=3, padding=same)\n s = add(a, b)\n output s }";
        var module = Mapped(text, "eyeriss", ["fuse-elementwise", "merge-siblings"]);
        Assert.Equal(3, module.Nests.Count);
        Assert.Empty(module.Verify());
        var (first, second) = (module.Nests[0].Chip!, module.Nests[1].Chip!);

        // boxes of the second convolution over the result of the first one; a result that is nowhere
        Broken(1, second with { Boxes = first.Output, Output = first.Output + 4096 });
        Broken(0, new(0, NestChip.Dram, NestChip.Dram, [], NestChip.Dram, true));
        Assert.Contains("below 0", Assert.Single(Changed(1, second with { Boxes = -1 }).Verify()).Message, StringComparison.Ordinal);

        void Broken(int nest, NestChip chip)
        {
            var problem = Assert.Single(Changed(nest, chip).Verify());
            Assert.Equal("CNN0895", problem.Code);
            Assert.Contains("reads a tensor on the chip that is not there", problem.Message, StringComparison.Ordinal);
        }

        SystolicModule Changed(int nest, NestChip chip) => module with
        {
            Nests = module.Nests.Select((plan, i) => i == nest ? plan with { Chip = chip with { Extras = Enumerable.Repeat(NestChip.Dram, plan.Chip!.Extras.Count).ToEquatableArray() } }
                : plan with { Chip = i == 2 ? plan.Chip! with { Input = i == 2 && nest == 1 && plan.Chip.Input == second.Output ? chip.Output : plan.Chip.Input, Kernel = nest == 1 && plan.Chip.Kernel == second.Output ? chip.Output : plan.Chip.Kernel } : plan.Chip }).ToEquatableArray(),
        };
    }

    private static NetworkGraph Read(string layers, string type)
    {
        var result = Compiler.Compile(new CompileRequest("n.cnn", Encoding.UTF8.GetBytes($"network n {{ weights seed 1\n input x : {type}\n {layers} }}"), "gconv") { StopLevel = IrLevel.Network });
        Assert.True(result.Succeeded, string.Join('\n', result.Diagnostics));
        return ((NetworkModule)result.Modules[IrLevel.Network]).Graph;
    }

    private static SystolicModule Mapped(string text, string machine, string[] disabled)
    {
        var result = Compiler.Compile(new CompileRequest("n.cnn", Encoding.UTF8.GetBytes(text), "gconv") { Machine = NestLevels.Machine(machine), StopLevel = IrLevel.Mapped, Disabled = disabled });
        Assert.True(result.Succeeded, string.Join('\n', result.Diagnostics));
        return (SystolicModule)result.Modules[IrLevel.Mapped];
    }

    private static (long Cycles, Int128 Energy) Least(ChipProgram program, long capacity, RandomCosts costs)
    {
        var (count, tensors) = (program.Steps.Count, program.Tensors.Count);
        var first = Enumerable.Range(0, tensors).Select(tensor => Enumerable.Range(0, count).First(step => program.Steps[step].Written == tensor)).ToArray();
        var readers = Enumerable.Range(0, tensors).Select(tensor => Enumerable.Range(0, count).Where(step => program.Steps[step].Reads.Contains(tensor)).ToList()).ToArray();
        var ends = new int[tensors];
        var alone = new bool[tensors];
        (long Cycles, Int128 Energy) best = (long.MaxValue, 0);
        Choose(0);
        return best;

        void Choose(int tensor)
        {
            if (tensor == tensors)
            {
                best = Cost() is { } cost && cost.CompareTo(best) < 0 ? cost : best;
                return;
            }

            (ends[tensor], alone[tensor]) = (-1, false);
            Choose(tensor + 1);
            if (readers[tensor].Count == 0 || !costs.UsesChip(first[tensor]))
            {
                return;
            }

            var isStored = program.Tensors[tensor].IsOutput || !readers[tensor].TrueForAll(costs.UsesChip);
            for (var end = first[tensor]; end <= readers[tensor][^1] && (isStored || readers[tensor].Count > 1); end++)
            {
                ends[tensor] = end;
                Choose(tensor + 1);
            }

            if (!isStored)
            {
                (ends[tensor], alone[tensor]) = (readers[tensor][^1], true);
                Choose(tensor + 1);
            }
        }

        (long, Int128)? Cost()
        {
            var sum = (Cycles: 0L, Energy: Int128.Zero);
            for (var step = 0; step < count; step++)
            {
                var used = program.Tensors.Where((tensor, i) => On(i)).Sum(tensor => tensor.Bytes);
                var (reads, written) = (program.Steps[step].Reads, program.Steps[step].Written);
                var place = costs.UsesChip(step) ? new(On(reads[0]), On(reads[1]), On(reads[2]) ? 1UL : 0, On(written), !(On(written) && alone[written])) : NestPlacement.Dram;
                if (used > capacity || costs.Of(step, place, capacity - used) is not { } cost)
                {
                    return null;
                }

                sum = (sum.Cycles + cost.Cycles, sum.Energy + cost.Energy);

                bool On(int tensor) => tensor >= 0 && first[tensor] <= step && step <= ends[tensor];
            }

            return sum;
        }
    }

    /// <summary>Costs by chance, with one step that the host does.</summary>
    private sealed class RandomCosts(ulong seed, int host) : IChipCosts
    {
        public bool UsesChip(int step) => step != host;

        public ChipCost? Of(int step, NestPlacement place, long free)
        {
            var random = new SeededRandom(seed + ((ulong)HashCode(step, place, free) * 2654435761));
            return place != NestPlacement.Dram && random.Below(8) == 0 ? null : new(random.Below(12), random.Below(1000), 0);
        }

        private static int HashCode(int step, NestPlacement place, long free) =>
            step + (16 * ((place.Input ? 1 : 0) + (place.Kernel ? 2 : 0) + ((int)place.Extras * 4) + (place.Keeps ? 8 : 0) + (place.Stores ? 16 : 0))) + (int)(512 * free);
    }
}
