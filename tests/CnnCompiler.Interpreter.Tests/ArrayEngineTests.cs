using CnnCompiler.Fuzzing;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Tests;

/// <summary>The engine's short ways against its loop over cycles, on random programs.</summary>
public sealed class ArrayEngineTests
{
    private const long Limit = 1500;

    public static TheoryData<BusDescription> Buses =>
    [
        new BusDescription(BusKind.Ideal),
        new BusDescription(BusKind.Shared),
        new BusDescription(BusKind.Shared, Arbitration: BusArbitration.Fixed),
        new BusDescription(BusKind.Banked, 1),
        new BusDescription(BusKind.Banked, 2),
        new BusDescription(BusKind.Banked, 3, 0),
        new BusDescription(BusKind.Banked, 8),
        new BusDescription(BusKind.Banked, 8, 10),
        new BusDescription(BusKind.Banked, 4, Arbitration: BusArbitration.Fixed),
    ];

    [Theory]
    [MemberData(nameof(Buses))]
    public void The_short_ways_and_the_loop_over_cycles_agree_on_random_programs(BusDescription bus)
    {
        var ended = 0;
        for (uint seed = 1; seed <= 150; seed++)
        {
            var fast = RunProgram(bus, seed, walk: false, slice: Limit);
            Assert.Equal(RunProgram(bus, seed, walk: true, slice: Limit), fast);
            Assert.Equal(RunProgram(bus, seed, walk: false, slice: 7), fast);
            Assert.Equal(RunProgram(bus, seed, walk: false, slice: Limit, KernelEngine.Compiled), fast);
            Assert.Equal(RunProgram(bus, seed, walk: false, slice: 7, KernelEngine.Compiled), fast);
            ended += fast.Count(line => line.StartsWith("Done", StringComparison.Ordinal));
        }

        // Otherwise the generator tests nothing.
        Assert.True(ended > 150, $"{ended} launches ended");
    }

    [Fact]
    public void The_same_program_gives_the_same_result()
    {
        var bus = new BusDescription(BusKind.Shared, DenyProbability: 90, DenySeed: 12345, GrantDelay: 1);
        for (uint seed = 1; seed <= 50; seed++)
        {
            Assert.Equal(RunProgram(bus, seed, false, Limit), RunProgram(bus, seed, false, Limit));
        }
    }

    [Fact]
    public void A_kernel_loads_in_the_cycles_of_the_specification_for_every_mask_and_length()
    {
        for (var mask = 1; mask < 16; mask++)
        {
            for (var steps = 1; steps <= 32; steps++)
            {
                var columns = int.PopCount(mask);
                var array = new OpenEdgeArray(new BusDescription(BusKind.Ideal));
                array.WriteConfiguration(5, (ushort)((steps - 1) | (mask << 12)));
                Assert.Equal(ArrayStop.Paused, array.Begin(5));
                var each = steps switch { 1 => 3, 2 => 5, _ => steps + 3 };
                Assert.Equal(6 + (columns * each), array.ExecFirst);
                Assert.Equal(ArrayStop.Paused, array.Begin(5 + 16));
                Assert.Equal(6 + (2 * columns), array.ExecFirst);
            }
        }
    }

    [Fact]
    public void Every_opcode_calculates_what_the_instruction_table_says()
    {
        int[] operands = [0, 1, -1, 2, 31, 32, 33, 127, -128, 4095, 65536, -65536, 0x12345678, unchecked((int)0x9ABCDEF0), int.MaxValue, int.MinValue];
        var ram = new uint[8];
        var memory = new FlatMemory(ram, 0);
        foreach (var row in OpenEdgeInstructionSet.Rows.Where(r => !r.IsMemory && r.Kind is not (OpenEdgeInstructionKind.Jump or OpenEdgeInstructionKind.Exit)))
        {
            // a to R0, b to R1 and so into the flags, the operation (a branch goes where it falls), the result out.
            OpenEdgeInstruction[] code =
            [
                TestPrograms.Load,
                OpenEdgeInstruction.Encode(OpenEdgeOpcode.Lwd, register: 1),
                OpenEdgeInstruction.Encode(row.Opcode, OpenEdgeSource.R0, OpenEdgeSource.R1, 2, immediate: 3),
                OpenEdgeInstruction.Encode(OpenEdgeOpcode.Swd, OpenEdgeSource.R2),
                TestPrograms.Exit,
            ];
            var array = new OpenEdgeArray(new BusDescription(BusKind.Shared));
            array.WriteConfiguration(1, (ushort)((code.Length - 1) | (1 << 12)));
            array.WriteWritePointer(0, 8);
            for (var step = 0; step < code.Length; step++)
            {
                array.WriteContext(0, step, code[step].Word);
            }

            foreach (var a in operands)
            {
                foreach (var b in operands)
                {
                    (ram[0], ram[1], ram[2]) = ((uint)a, (uint)b, 0xDEAD);
                    array.Begin(1);
                    Assert.Equal(ArrayStop.Done, array.Continue(ref memory, Limit));
                    Assert.Equal(OpenEdgeSemantics.Evaluate(row.Opcode, a, b, b < 0, b == 0), (int)ram[2]);
                }
            }
        }
    }

    [Fact]
    public void Configuration_word_zero_and_id_zero_request_nothing()
    {
        var array = new OpenEdgeArray(new BusDescription(BusKind.Ideal));
        Assert.Equal(ArrayStop.NoColumns, array.Begin(1));
        Assert.Equal(ArrayStop.BadKernelId, array.Begin(0));
        Assert.Equal(ArrayStop.BadKernelId, array.Begin(32));
    }

    [Fact]
    public void The_round_robin_tree_serves_four_columns_that_keep_asking_in_turn()
    {
        var pointer = 0;
        var winners = Enumerable.Range(0, 8).Select(_ => BusArbiter.RoundRobin(15, ref pointer)).ToArray();
        Assert.Equal([0, 1, 2, 3, 0, 1, 2, 3], winners);
    }

    /// <summary>A program of up to three kernels and four launches: what every launch did, and the memory.</summary>
    private static List<string> RunProgram(BusDescription bus, uint seed, bool walk, long slice, KernelEngine engine = KernelEngine.Interpreted)
    {
        var generator = new SeededRandom((seed * 2654435761u) | 1);
        var array = new OpenEdgeArray(bus) { AlwaysWalkCycles = walk, Engine = engine };
        var words = new SparseWords();
        for (uint address = 0; address < 1024; address += 4)
        {
            words.TrySet(address, generator.NextBits() % (generator.Below(2) == 0 ? 1024u : uint.MaxValue));
        }

        for (var id = 1; id <= 3; id++)
        {
            var steps = 1 + generator.Below(12);
            var mask = 1 + generator.Below(15);
            var columns = int.PopCount(mask);
            var start = generator.Below(128);
            for (var index = 0; index < steps * columns; index++)
            {
                for (var row = 0; row < 4; row++)
                {
                    array.WriteContext(row, start + index, Word(generator, steps, (index + 1) % steps == 0 && row == 0));
                }
            }

            array.WriteConfiguration(id, (ushort)((steps - 1) | (start << 5) | (mask << 12)));
        }

        var memory = new SparseMemory(words);
        var log = new List<string>();
        for (var launch = 0; launch < 4; launch++)
        {
            for (var column = 0; column < 4; column++)
            {
                array.WriteReadPointer(column, generator.NextBits() & 1023);
                array.WriteWritePointer(column, generator.NextBits() & 1023);
            }

            var stop = array.Begin(1 + generator.Below(3));
            while (stop == ArrayStop.Paused && array.Cycle < Limit)
            {
                stop = array.Continue(ref memory, Math.Min(Limit, array.Cycle + slice));
            }

            // The counters are only up to date when a launch is done.
            log.Add(stop == ArrayStop.Done ? $"{stop} {array.Outcome} operations {string.Join(' ', array.Activity.Operations)} waiting {array.Activity.WaitCellCycles}" : $"{stop} at {array.Cycle} step {array.ProgramCounter}");
            if (stop != ArrayStop.Done)
            {
                break;
            }
        }

        log.AddRange(words.ChangesFrom(new SparseWords()).Select(c => c.ToString()));
        return log;
    }

    private static uint Word(SeededRandom generator, int steps, bool last)
    {
        if (last && generator.Below(4) != 0)
        {
            return (uint)OpenEdgeOpcode.Exit << 19;
        }

        var word = generator.NextBits();
        var opcode = generator.Below(10) switch
        {
            0 or 1 => 21u + (uint)generator.Below(4),
            2 => generator.Below(3) == 0 ? 16u + (uint)generator.Below(5) : 0,
            3 => 3u + (uint)generator.Below(2),
            4 => 14u + (uint)generator.Below(2),
            5 => 26u + (uint)generator.Below(6),
            _ => (uint)generator.Below(16),
        };
        word = (word & ~(31u << 19)) | (opcode << 19);
        return opcode is >= 16 and <= 20 ? (word & ~31u) | (uint)generator.Below(steps) : word;
    }
}
