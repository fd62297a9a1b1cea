using CnnCompiler.Image.Container;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Primitives.Machines;
using static CnnCompiler.Interpreter.Tests.TestPrograms;

namespace CnnCompiler.Interpreter.Tests;

/// <summary>
/// Programs whose cycles were added up by hand. The parts: loading the kernel, (4 * 3 + 2) words * 22 = 308; launching with both
/// pointers, 3 registers * 3 = 9; the first launch 18, a resident one 14.
/// </summary>
public sealed class HostTimeTests
{
    private static readonly HostLoadKernel Load = new(0, 0, 1, 0);
    private static readonly Launch Copy = Launch(0, 1, DataIn, DataOut);

    [Fact]
    public void One_launch_is_loading_registers_and_the_array()
    {
        var result = Run(ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, new HostLaunch(0, 0)]));
        Assert.Empty(result.Diagnostics);
        Assert.Equal(new RunCycles(Array: 18, HiddenHost: 0, ExposedHost: 308 + 9, Launches: 1, Reads: 1, Writes: 1, Macs: 1100), result.Cycles);
        Assert.Equal(335, result.Cycles.Total);
        Assert.Equal(0x04030201u, result.ReadRam(DataOut, 1)[0]);
        Assert.Equal([1, 2, 3, 4, 0, 0, 0, 0], Assert.Single(result.Outputs).ToArray());
    }

    [Fact]
    public void A_wait_after_the_last_output_word_costs_nothing()
    {
        var result = Run(ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, new HostLaunch(0, 0), new HostWait(0)]));
        Assert.Equal(335, result.Cycles.Total);
    }

    [Fact]
    public void Between_two_launches_the_interrupt_is_served_and_the_registers_are_written()
    {
        var image = ImageOf(
            BusKind.Ideal, [CopyWord()], [Copy, Launch(0, 1, DataIn + 4)], [Load, new HostLaunch(0, 0), new HostWait(0), new HostLaunch(1, 1)]);
        var result = Run(image);
        Assert.Equal(308 + 9 + 18 + 80 + 6 + 14, result.Cycles.Total);
        Assert.Equal(32, result.Cycles.Array);
        Assert.Equal(0, result.Cycles.HiddenHost);

        // The interrupt belongs to the layer that launched; the second launch to its own.
        Assert.Equal(new RunCycles(18, 0, 308 + 9 + 80, 1, 1, 1, 100), result.Layers[0].Cycles);
        Assert.Equal(new RunCycles(14, 0, 6, 1, 1, 1, 1000), result.Layers[1].Cycles);
        Assert.Equal(1000.0 / 20, result.Layers[1].Cycles.MacsPerCycle);
        Assert.Equal([317, 421], result.Launches.Select(l => l.Start));
        Assert.Equal([18, 14], result.Launches.Select(l => l.Outcome.Done));

        // The pointer that was not written keeps its value: the second word replaces the first.
        Assert.Equal(0x7FFFFFFFu, result.ReadRam(DataOut, 1)[0]);
    }

    [Fact]
    public void A_launch_waits_by_itself()
    {
        var with = ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, new HostLaunch(0, 0), new HostWait(0), new HostLaunch(0, 0)]);
        var without = ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, new HostLaunch(0, 0), new HostLaunch(0, 0)]);
        Assert.Equal(Run(with).Cycles, Run(without).Cycles);
        Assert.Equal(308 + 9 + 18 + 80 + 9 + 14, Run(with).Cycles.Total);
    }

    [Fact]
    public void A_copy_beside_a_launch_is_hidden_as_long_as_the_array_runs()
    {
        // The launch runs from 317 to 335, the copy of 10 words from 317 to 517.
        var image = ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, new HostLaunch(0, 0), new HostCopyFlash(1, 0, 0x30000, 10)], new uint[10]);
        var result = Run(image);
        Assert.Equal(517, result.Cycles.Total);
        Assert.Equal(18, result.Cycles.Array);
        Assert.Equal(new RunCycles(0, 18, 182, 0, 0, 0, 1000), result.Layers[1].Cycles);
    }

    [Fact]
    public void A_wait_behind_work_that_outlasts_the_array_still_serves_the_interrupt()
    {
        var image = ImageOf(
            BusKind.Ideal, [CopyWord()], [Copy, Launch(0, 1)], [Load, new HostLaunch(0, 0), new HostCopyFlash(1, 0, 0x30000, 10), new HostLaunch(0, 1)], new uint[10]);
        Assert.Equal(517 + 80 + 3 + 14, Run(image).Cycles.Total);
    }

    [Fact]
    public void On_the_shared_bus_each_word_moved_beside_a_launch_lengthens_it_by_a_cycle()
    {
        // Words begin at 317, 337, ...; the launch ends at 335, so one word begins within it and moves its end to 336.
        var image = ImageOf(BusKind.Shared, [CopyWord()], [Copy], [Load, new HostLaunch(0, 0), new HostCopyFlash(1, 0, 0x30000, 10)], new uint[10]);
        var result = Run(image);
        Assert.Equal(517, result.Cycles.Total);
        Assert.Equal(19, result.Cycles.Array);
        Assert.Equal(19, result.Cycles.HiddenHost);
        Assert.Equal(1, Assert.Single(result.Launches).BusWaits);
        Assert.Equal(18, result.Launches[0].Outcome.Done);
    }

    [Fact]
    public void Words_that_lengthen_a_launch_let_further_words_fall_into_it()
    {
        // Copies in RAM take 3 cycles a word: word i begins at 317 + 3i, the launch ends at 335 + i: words 0 to 8 begin within it.
        var image = ImageOf(BusKind.Shared, [CopyWord()], [Copy], [Load, new HostLaunch(0, 0), new HostCopyRam(1, 0x30000, 0x40000, 10)]);
        var result = Run(image);
        Assert.Equal(27, result.Cycles.Array);
        Assert.Equal(27, result.Layers[0].Cycles.Array);
        Assert.Equal(new RunCycles(0, 27, 3, 0, 0, 0, 1000), result.Layers[1].Cycles);
        Assert.Equal(317 + 30, result.Cycles.Total);
    }

    [Fact]
    public void A_launch_is_lengthened_by_all_words_of_a_short_copy_and_ends_the_run()
    {
        var image = ImageOf(BusKind.Shared, [CopyWord()], [Copy], [Load, new HostLaunch(0, 0), new HostCopyRam(1, 0x30000, 0x40000, 4)]);
        Assert.Equal(317 + 18 + 4, Run(image).Cycles.Total);
    }

    [Fact]
    public void Loading_code_beside_a_launch_begins_at_its_first_executed_cycle()
    {
        // The launch starts at 317 and executes from 317 + 12 = 329; loading runs from there to 637, six cycles of it beside the array.
        var image = ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, new HostLaunch(0, 0), new HostLoadKernel(1, 0, 2, 3)]);
        var result = Run(image);
        Assert.Equal(637, result.Cycles.Total);
        Assert.Equal(new RunCycles(0, 6, 302, 0, 0, 0, 1000), result.Layers[1].Cycles);
    }

    [Theory]
    [InlineData(PatchSource.Flash, 22, 7)]
    [InlineData(PatchSource.Ram, 4, 7)]
    [InlineData(PatchSource.PackedRam, 4, 10)]
    public void Patching_code_costs_what_its_words_and_constants_cost_and_begins_as_loading_does(PatchSource source, int cyclesPerWord, int words)
    {
        // one constant becomes 8: a mask for each row, where constants are packed two, the word or the constant, configuration and the write after it
        var copy = CopyWord();
        var other = Kernel("other", 1, [Image.OpenEdge.OpenEdgeInstruction.Encode(Image.OpenEdge.OpenEdgeOpcode.Lwd, register: 0, immediate: 8), Store, Exit]);
        var packed = source == PatchSource.PackedRam;
        var data = Image.OpenEdge.KernelChanges.Encode(Image.OpenEdge.KernelChanges.Between((row, word) => copy.Rows[row][word], other.Rows, packed), 3, 1, packed);
        var patch = new HostPatchKernel(1, 1, 2, 0, source, source == PatchSource.Flash ? 0 : 0x30000, data.Length);
        var image = ImageOf(BusKind.Ideal, [copy, other], [Copy, Copy with { Kernel = 1, KernelId = 2 }], [Load, new HostLaunch(0, 0), patch, new HostLaunch(1, 1)], data)
            with { RamConstants = [new(0x30000, data)] };
        var result = Run(image);
        var work = (words * cyclesPerWord) + (packed ? Host.PatchImmediate : 0);

        // from 329 on; six cycles of it beside the array
        Assert.Equal(329 + work + 80 + 9 + 18, result.Cycles.Total);
        Assert.Equal(6, result.Layers[1].Cycles.HiddenHost);
        Assert.Equal(work - 6 + 9, result.Layers[1].Cycles.ExposedHost);
    }

    [Fact]
    public void Softmax_waits_and_costs_per_element()
    {
        var image = ImageOf(
            BusKind.Ideal,
            [CopyWord()],
            [Copy],
            [Load, new HostLaunch(0, 0), new HostSoftmax(1, 0x30000, HostElementLayout.Word, DataOut, HostElementLayout.PackedByte, 1, 2, 1 << 30, 24, -100)]);
        var result = Run(image);
        Assert.Equal(335 + 80 + 400, result.Cycles.Total);
        Assert.Equal(new RunCycles(0, 0, 400, 0, 0, 0, 1000), result.Layers[1].Cycles);

        // Two equal logits: one half each, 128 - 128 = 0; only the two bytes are written.
        Assert.Equal(0x04030000u, result.ReadRam(DataOut, 1)[0]);
    }

    [Fact]
    public void Steps_without_a_layer_are_accounted_for_apart()
    {
        var result = Run(ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load with { Layer = -1 }, new HostLaunch(0, 0)]));
        Assert.Equal(308, result.Outside.ExposedHost);
        Assert.Equal(9, result.Layers[0].Cycles.ExposedHost);
    }

    [Fact]
    public void The_total_is_the_last_moment_of_the_run_and_the_sum_of_its_parts()
    {
        // The clock knows the last moment by itself; the parts are summed apart from it.
        var clock = new HostClock(Host, BusKind.Shared, 2);
        clock.LoadKernel(0, 14);
        for (var i = 0; i < 20; i++)
        {
            clock.Launch(i & 1, i % 5, 10 + i, 30 * i);
            clock.CopyRam(1 - (i & 1), 7 * i);
            clock.LoadKernel(-1, i % 3);
            clock.CopyFlash(0, i % 4);
            clock.WaitForArray();
            if (i % 3 == 0)
            {
                clock.Softmax(1, i);
            }

            var sum = 0L;
            for (var layer = -1; layer < 2; layer++)
            {
                sum += clock.Layer(layer).Array + clock.Layer(layer).ExposedHost;
            }

            Assert.Equal(clock.Total, sum);
        }
    }

    [Fact]
    public void A_run_can_stop_behind_a_layer_and_show_its_tensors()
    {
        var image = ImageOf(
            BusKind.Ideal, [CopyWord()], [Copy, Launch(0, 1, DataIn + 4)], [Load, new HostLaunch(0, 0), new HostWait(0), new HostLaunch(1, 1)]);
        var result = Run(image, new RunOptions { StopAfterLayer = 0 });
        Assert.True(result.Succeeded);
        Assert.Single(result.Launches);
        Assert.Equal(0x04030201u, result.ReadRam(DataOut, 1)[0]);
        Assert.Equal([2, 3, 4, 0], result.ReadRamBytes(DataOut + 1, 4));
    }

    [Fact]
    public void Progress_is_reported_and_a_run_can_be_cancelled()
    {
        var seen = new List<RunProgress>();
        Run(ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, new HostLaunch(0, 0)]), new RunOptions { Progress = seen.Add });
        Assert.Equal(new RunProgress(1, 2, 0, 18), Assert.Single(seen));

        using var source = new CancellationTokenSource();
        var image = ImageOf(BusKind.Ideal, [Kernel("loop", 1, [default, default, Jump(0)])], [Copy], [Load, new HostLaunch(0, 0)]);
        void CancelledRun() => ImageInterpreter.Run(image, [new byte[8]], new RunOptions { Progress = _ => source.Cancel() }, source.Token);
        Assert.Throws<OperationCanceledException>(CancelledRun);
    }
}
