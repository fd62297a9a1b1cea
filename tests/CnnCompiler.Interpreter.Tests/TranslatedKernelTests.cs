using CnnCompiler.Fuzzing;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Tests;

/// <summary>Kernels translated to IL: when, and that refused accesses and flat memories are as interpreted.</summary>
public sealed class TranslatedKernelTests
{
    public static TheoryData<BusDescription> Buses =>
        [new BusDescription(BusKind.Ideal), new BusDescription(BusKind.Shared), new BusDescription(BusKind.Banked, 8), new BusDescription(BusKind.Banked, 64)];

    [Theory]
    [MemberData(nameof(Buses))]
    public void Refused_accesses_stop_at_the_same_step_with_the_same_place_and_memory(BusDescription bus)
    {
        var refused = 0;
        for (uint seed = 1; seed <= 200; seed++)
        {
            var interpreted = Refusing(bus, seed, KernelEngine.Interpreted, tracked: false);
            Assert.Equal(interpreted, Refusing(bus, seed, KernelEngine.Compiled, tracked: false));
            Assert.Equal(interpreted, Refusing(bus, seed, KernelEngine.Compiled, tracked: true));
            refused += interpreted.StartsWith(nameof(ArrayStop.BadAddress), StringComparison.Ordinal) ? 1 : 0;
        }

        // Otherwise the generator tests nothing.
        Assert.InRange(refused, 20, 180);
    }

    [Fact]
    public void Words_touched_are_noted_as_interpreted()
    {
        var bus = new BusDescription(BusKind.Shared);
        for (uint seed = 1; seed <= 50; seed++)
        {
            Assert.Equal(Touched(bus, seed, KernelEngine.Interpreted), Touched(bus, seed, KernelEngine.Compiled));
        }
    }

    [Fact]
    public void A_kernel_is_translated_once_it_has_run_long_enough_and_stays_so_when_it_is_loaded_again()
    {
        Assert.SkipUnless(OpenEdgeArray.CanTranslate, "this runtime can't make code");
        var array = new OpenEdgeArray(new BusDescription(BusKind.Ideal));
        Loop(array);
        var memory = new FlatMemory(new uint[16], 0);
        array.Begin(1);
        array.Continue(ref memory, OpenEdgeArray.CyclesBeforeTranslation / 2);
        Assert.Equal(0, array.TranslatedRuns);
        array.Continue(ref memory, 2 * OpenEdgeArray.CyclesBeforeTranslation);
        Assert.Equal(1, array.TranslatedRuns);

        // The same words under another id: what is known of them is not lost.
        array.Begin(2);
        array.Continue(ref memory, 1000);
        Assert.Equal(2, array.TranslatedRuns);
    }

    [Fact]
    public void Nothing_is_translated_where_that_is_not_wanted()
    {
        var array = new OpenEdgeArray(new BusDescription(BusKind.Ideal)) { Engine = KernelEngine.Interpreted };
        Loop(array);
        var memory = new FlatMemory(new uint[16], 0);
        array.Begin(1);
        array.Continue(ref memory, 3 * OpenEdgeArray.CyclesBeforeTranslation);
        Assert.Equal(0, array.TranslatedRuns);
    }

    /// <summary>An endless loop under ids 1 and 2.</summary>
    private static void Loop(OpenEdgeArray array)
    {
        for (var id = 1; id <= 2; id++)
        {
            for (var step = 0; step < 3; step++)
            {
                array.WriteContext(0, (4 * id) + step, OpenEdgeInstruction.Encode(step == 2 ? OpenEdgeOpcode.Jump : OpenEdgeOpcode.SAdd, OpenEdgeSource.Zero, OpenEdgeSource.Zero).Word);
            }

            array.WriteConfiguration(id, (ushort)(2 | ((4 * id) << 5) | (1 << 12)));
        }
    }

    private static string Refusing(BusDescription bus, uint seed, KernelEngine engine, bool tracked)
    {
        var words = new uint[256];
        var (array, stop) = (Program(bus, seed, engine, words), ArrayStop.Paused);
        var flat = new FlatMemory(words, 8);
        if (tracked)
        {
            var memory = new TrackedMemory<FlatMemory>(flat, new TouchedWords(words.Length));
            stop = array.Continue(ref memory, 2000);
        }
        else
        {
            stop = array.Continue(ref flat, 2000);
        }

        var fault = stop == ArrayStop.BadAddress ? array.Fault.ToString() : string.Empty;
        var counts = stop == ArrayStop.Done ? $"{array.Outcome} operations {string.Join(' ', array.Activity.Operations)} waiting {array.Activity.WaitCellCycles}" : string.Empty;
        return $"{stop} {fault} {counts} at {array.Cycle} step {array.ProgramCounter} {string.Join(' ', words)}";
    }

    private static string Touched(BusDescription bus, uint seed, KernelEngine engine)
    {
        var words = new uint[256];
        var array = Program(bus, seed, engine, words);
        var touched = new TouchedWords(words.Length);
        var memory = new TrackedMemory<FlatMemory>(new FlatMemory(words, 8), touched);
        array.Continue(ref memory, 2000);
        return string.Concat(Enumerable.Range(0, words.Length).Select(w => (touched.WasRead(w) ? 'r' : '-') + (touched.WasWritten(w) ? "w" : "-")));
    }

    /// <summary>Random loads, stores and sums on all cells, in a loop; pointers walk out of memory sooner or later, or never.</summary>
    private static OpenEdgeArray Program(BusDescription bus, uint seed, KernelEngine engine, uint[] words)
    {
        var generator = new SeededRandom((seed * 2654435761u) | 1);
        var array = new OpenEdgeArray(bus) { Engine = engine };
        for (var i = 0; i < words.Length; i++)
        {
            words[i] = generator.NextBits() & 1020;
        }

        var steps = 3 + generator.Below(8);
        var wild = generator.Below(4) == 0;
        for (var cell = 0; cell < 16; cell++)
        {
            for (var step = 0; step < steps; step++)
            {
                var word = step == steps - 1
                    ? OpenEdgeInstruction.Encode(cell == 0 ? OpenEdgeOpcode.Jump : OpenEdgeOpcode.SAdd, OpenEdgeSource.Zero, cell == 0 ? OpenEdgeSource.Zero : OpenEdgeSource.R1)
                    : generator.Below(6) switch
                    {
                        0 => OpenEdgeInstruction.Encode(OpenEdgeOpcode.Lwd, register: generator.Below(4), immediate: generator.Below(8) == 0 ? 4 : 0),
                        1 => OpenEdgeInstruction.Encode(OpenEdgeOpcode.Swd, OpenEdgeSource.R1, immediate: generator.Below(8) == 0 ? 4 : 0),
                        2 when wild => OpenEdgeInstruction.Encode(OpenEdgeOpcode.Lwi, OpenEdgeSource.Zero, OpenEdgeSource.R2, generator.Below(4)),
                        3 => OpenEdgeInstruction.Encode(OpenEdgeOpcode.Bzfa, OpenEdgeSource.Left, OpenEdgeSource.R1, generator.Below(4)),
                        4 => OpenEdgeInstruction.Encode(OpenEdgeOpcode.SMul, OpenEdgeSource.Top, OpenEdgeSource.R1, generator.Below(4)),
                        _ => OpenEdgeInstruction.Encode(OpenEdgeOpcode.SAdd, OpenEdgeSource.Right, OpenEdgeSource.R3, generator.Below(4)),
                    };
                array.WriteContext(cell >> 2, ((cell & 3) * steps) + step, word.Word);
            }
        }

        array.WriteConfiguration(1, (ushort)((steps - 1) | (15 << 12)));
        for (var column = 0; column < 4; column++)
        {
            array.WriteReadPointer(column, (uint)generator.Below(64) * 4);
            array.WriteWritePointer(column, 32 + ((uint)generator.Below(48) * 4));
        }

        array.Begin(1);
        return array;
    }
}
