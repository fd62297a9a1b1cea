using CnnCompiler.Image.Container;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Primitives.Machines;
using static CnnCompiler.Interpreter.Tests.TestPrograms;

namespace CnnCompiler.Interpreter.Tests;

/// <summary>What a user is told when an image cannot run.</summary>
public sealed class ImageDiagnosticsTests
{
    private static readonly HostLoadKernel Load = new(0, 0, 1, 0);
    private static readonly HostLaunch Go = new(0, 0);
    private static readonly Launch Copy = Launch(0, 1, DataIn, DataOut);

    [Fact]
    public void A_kernel_that_never_ends_is_named_with_its_launch_and_step()
    {
        var image = ImageOf(BusKind.Ideal, [Kernel("spin", 1, [default, Jump(1), default])], [Copy], [Load, Go]);
        Assert.Equal(
            "net.cnnb: error CNN0701: launch 0 (kernel 'spin', layer 'first') has not ended after 1,000 cycles; it is at step 1; check its loop and EXIT, or raise --max-cycles",
            Failure(image, new RunOptions { MaxCycles = 1000, FileName = "net.cnnb" }));
    }

    [Fact]
    public void A_kernel_that_ends_at_the_limit_is_not_refused()
    {
        var image = ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, Go]);
        Assert.True(Run(image, new RunOptions { MaxCycles = 18 }).Succeeded);
        Assert.StartsWith("cnnc: error CNN0701", Failure(image, new RunOptions { MaxCycles = 17 }), StringComparison.Ordinal);
    }

    [Fact]
    public void Column_mask_0_would_hang_the_controller()
    {
        var image = ImageOf(BusKind.Ideal, [Kernel("none", 0, [])  with { Steps = 3 }], [Copy], [Load, Go]);
        Assert.Contains("CNN0702: launch 0 (kernel 'none', layer 'first') asks for a kernel whose configuration word has column mask 0", Failure(image), StringComparison.Ordinal);
    }

    [Fact]
    public void A_kernel_that_was_never_loaded_is_the_same_mistake()
    {
        Assert.Contains("CNN0702", Failure(ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Go])), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(-1)]
    public void Kernel_ids_are_1_to_15(int id)
    {
        Assert.Contains($"CNN0703: launch 0 (kernel 'copy', layer 'first') uses kernel id {id}", Failure(ImageOf(BusKind.Ideal, [CopyWord()], [Copy with { KernelId = id }], [Load, Go])), StringComparison.Ordinal);
        Assert.Contains($"CNN0703: host step 0 (load kernel) uses kernel id {id}", Failure(ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load with { KernelId = id }, Go])), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(BusKind.Ideal)]
    [InlineData(BusKind.Shared)]
    [InlineData(BusKind.Banked)]
    public void An_access_outside_RAM_is_named_with_launch_step_cell_and_address(BusKind bus)
    {
        Assert.Contains(
            "CNN0704: launch 0 (kernel 'copy', layer 'first'), step 0, cell (0,0) reads from byte address 0x00080000, but RAM has 524,288 bytes",
            Failure(ImageOf(bus, [CopyWord()], [Copy with { ReadPointers = [524288u] }], [Load, Go])),
            StringComparison.Ordinal);
        Assert.Contains(
            "step 1, cell (0,0) writes to byte address 0xfffffffc",
            Failure(ImageOf(bus, [CopyWord()], [Copy with { WritePointers = [0xFFFFFFFCu] }], [Load, Go])),
            StringComparison.Ordinal);
    }

    [Fact]
    public void The_last_word_of_RAM_can_be_read_and_written()
    {
        Assert.True(Run(ImageOf(BusKind.Ideal, [CopyWord()], [Launch(0, 1, 524284, 524284)], [Load, Go])).Succeeded);
    }

    [Fact]
    public void A_misaligned_address_is_refused()
    {
        Assert.Contains(
            "CNN0705: launch 0 (kernel 'copy', layer 'first'), step 0, cell (0,0) reads from byte address 0x00010002, which is not a multiple of 4",
            Failure(ImageOf(BusKind.Ideal, [CopyWord()], [Copy with { ReadPointers = [DataIn + 2u] }], [Load, Go])),
            StringComparison.Ordinal);
    }

    [Fact]
    public void The_hosts_part_of_RAM_may_be_read_but_not_written()
    {
        Assert.Contains("CNN0706", Failure(ImageOf(BusKind.Ideal, [CopyWord()], [Copy with { WritePointers = [32764u] }], [Load, Go])), StringComparison.Ordinal);
        Assert.True(Run(ImageOf(BusKind.Ideal, [CopyWord()], [Copy with { ReadPointers = [0u], WritePointers = [32768u] }], [Load, Go])).Succeeded);
    }

    [Fact]
    public void A_rewritten_kernel_under_a_resident_id_would_run_the_old_code()
    {
        var other = Kernel("other", 1, [Load3(8), Store, Exit]);
        var image = ImageOf(BusKind.Ideal, [CopyWord(), other], [Copy, Copy with { Kernel = 1 }], [Load, Go, new HostWait(0), new HostLoadKernel(1, 1, 1, 0), new HostLaunch(1, 1)]);
        Assert.Contains(
            "CNN0707: launch 1 (kernel 'other', layer 'second') would not run the kernel it means: step 0 of cell (0,0) holds word",
            Failure(image),
            StringComparison.Ordinal);

        var fresh = image with { Launches = [Copy, Copy with { Kernel = 1, KernelId = 2 }], HostProgram = [Load, Go, new HostWait(0), new HostLoadKernel(1, 1, 2, 0), new HostLaunch(1, 1)] };
        Assert.True(Run(fresh).Succeeded);
    }

    [Theory]
    [InlineData(PatchSource.Flash)]
    [InlineData(PatchSource.Ram)]
    [InlineData(PatchSource.PackedRam)]
    public void Changes_of_steps_that_a_kernel_does_not_have_are_refused_and_so_are_others_than_it_means(PatchSource source)
    {
        HostPatchKernel Patch(int words) => new(0, 0, 1, 0, source, source == PatchSource.Flash ? 0 : 0x30000, words);
        CnnImage With(uint[] data) => ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Patch(data.Length), Go], data) with { RamConstants = [new(0x30000, data)] };
        var masks = source == PatchSource.PackedRam ? 8 : 4;
        Assert.Contains("are no changes of a kernel of 3 steps in 1 columns", Failure(With([8, .. new uint[masks]])), StringComparison.Ordinal);
        Assert.Contains("are no changes of a kernel", Failure(With(new uint[masks + 1])), StringComparison.Ordinal);
        Assert.Contains("are no changes of a kernel", Failure(With(new uint[200])), StringComparison.Ordinal);
        Assert.Contains("CNN0707", Failure(With(new uint[masks])), StringComparison.Ordinal);
    }

    [Fact]
    public void A_launch_that_means_another_kernel_than_its_id_is_refused()
    {
        var wide = Kernel("wide", 3, [Load3(4), Store, default, Exit]);
        var image = ImageOf(BusKind.Ideal, [CopyWord(), wide], [Copy with { Kernel = 1 }], [Load, Go]);
        Assert.Contains("the configuration word has 3 steps and column mask 1, the kernel 4 and 3", Failure(image), StringComparison.Ordinal);
    }

    [Fact]
    public void The_hazard_of_a_partial_reload_is_caught()
    {
        // Kernel 1 stays resident on column 0 while column 1 was used by kernel 2 alone: column 1 gets the program of column 0.
        var both = Kernel("both", 3, [Load3(4), Store, Exit]);
        var second = Kernel("second", 2, [default, default, Exit]);
        var image = ImageOf(
            BusKind.Ideal,
            [both, second],
            [Copy, Launch(1, 2), Copy],
            [Load, new HostLoadKernel(0, 1, 2, 6), Go, new HostLaunch(0, 1), new HostLaunch(1, 2)]);
        Assert.Contains("CNN0707: launch 2 (kernel 'both', layer 'second')", Failure(image), StringComparison.Ordinal);
    }

    [Fact]
    public void Code_in_flash_that_is_not_the_kernels_is_refused()
    {
        var image = ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, Go]);
        Assert.Contains("CNN0707", Failure(image with { Flash = new byte[image.Flash.Length] }), StringComparison.Ordinal);
    }

    [Fact]
    public void Kernels_that_do_not_fit_context_memory_or_are_too_short_are_refused()
    {
        Assert.Contains(
            "CNN0714: kernel 'copy': 3 context words a row from word 126 do not fit into 128",
            Failure(ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load with { Start = 126 }, Go])),
            StringComparison.Ordinal);
        Assert.Contains("CNN0714", Failure(ImageOf(BusKind.Ideal, [Kernel("short", 1, [Load3(4), Exit])], [Copy], [Load, Go])), StringComparison.Ordinal);
        Assert.Contains("CNN0714", Failure(ImageOf(BusKind.Ideal, [CopyWord() with { Steps = 4 }], [Copy], [Load, Go])), StringComparison.Ordinal);
        Assert.Contains("CNN0714", Failure(ImageOf(BusKind.Ideal, [CopyWord() with { ColumnMask = 16 }], [Copy], [Load, Go])), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DataIn, "writes the word at byte address 0x00010000 while launch 0 (kernel 'copy', layer 'first') reads it")]
    [InlineData(DataOut, "writes the word at byte address 0x00020000 while launch 0 (kernel 'copy', layer 'first') writes it")]
    public void A_copy_into_a_word_that_the_launch_beside_it_uses_is_a_race(int destination, string message)
    {
        HostStep[] steps = [new HostCopyFlash(1, 0, destination, 1), new HostCopyRam(1, 0x30000, destination, 1)];
        foreach (var step in steps)
        {
            var racing = Failure(ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, Go, step], [7]));
            Assert.Contains("CNN0708", racing, StringComparison.Ordinal);
            Assert.Contains(message, racing, StringComparison.Ordinal);
            Assert.True(Run(ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, Go, new HostWait(0), step], [7])).Succeeded);
        }
    }

    [Fact]
    public void A_copy_from_a_word_that_the_launch_beside_it_writes_is_a_race_and_from_one_it_reads_is_none()
    {
        Assert.Contains(
            "host step 2 (copy in RAM) reads the word at byte address 0x00020000 while launch 0 (kernel 'copy', layer 'first') writes it",
            Failure(ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, Go, new HostCopyRam(1, DataOut, 0x30000, 1)])),
            StringComparison.Ordinal);
        Assert.True(Run(ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, Go, new HostCopyRam(1, DataIn, 0x30000, 1)])).Succeeded);
        Assert.True(Run(ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, Go, new HostCopyRam(1, DataIn + 4, DataOut + 4, 8)])).Succeeded);
    }

    [Fact]
    public void A_race_with_an_earlier_launch_is_none()
    {
        var image = ImageOf(
            BusKind.Ideal,
            [CopyWord()],
            [Copy, Launch(0, 1, DataIn + 4, DataOut + 4)],
            [Load, Go, new HostCopyRam(1, 0x30000, 0x40000, 1), new HostLaunch(0, 1), new HostCopyRam(1, DataOut, 0x30000, 1)]);
        Assert.True(Run(image).Succeeded);
    }

    [Fact]
    public void Inputs_must_have_the_number_and_size_of_the_networks()
    {
        var image = ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, Go]);
        Assert.Contains("CNN0709", Assert.Single(ImageInterpreter.Run(image, [], cancellation: TestContext.Current.CancellationToken).Diagnostics).ToString(), StringComparison.Ordinal);
        Assert.Contains(
            "CNN0710: input 'in' [1, 2] takes 8 bytes, but 7 were given",
            Assert.Single(ImageInterpreter.Run(image, [new byte[7]], cancellation: TestContext.Current.CancellationToken).Diagnostics).ToString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Machines_the_interpreter_does_not_know_are_refused_with_the_reason()
    {
        var image = ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, Go]);
        Assert.Contains("instruction set revision is 'x'", Failure(image with { Machine = Machine() with { IsaRevision = "x" } }), StringComparison.Ordinal);
        Assert.Contains("8 rows and 4 columns", Failure(image with { Machine = Machine() with { Rows = 8 } }), StringComparison.Ordinal);
        Assert.Contains("CNN0711", Failure(image with { Machine = Machine() with { Ram = new(int.MaxValue, 1, 0) } }), StringComparison.Ordinal);
        Assert.Contains("CNN0711", Failure(image with { Machine = Machine() with { Bus = new(BusKind.Banked, 0) } }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_host_program_that_points_outside_the_image_or_its_memories_is_refused()
    {
        HostStep[] bad =
        [
            new HostLoadKernel(0, 1, 1, 0),
            new HostLoadKernel(7, 0, 1, 0),
            new HostLaunch(0, 1),
            new HostLaunch(-2, 0),
            new HostCopyFlash(0, -4, DataIn, 1),
            new HostCopyFlash(0, 0, DataIn, -1),
            new HostCopyFlash(0, 0, 524284, 2),
            new HostCopyFlash(0, 0, 0, 1),
            new HostCopyFlash(0, int.MaxValue - 3, DataIn, int.MaxValue),
            new HostCopyRam(0, DataIn, DataOut + 2, 1),
            new HostCopyRam(0, DataIn, DataIn + 4, 2),
            new HostSoftmax(0, DataIn, HostElementLayout.Word, DataOut, HostElementLayout.Word, 0, 4, 1, 1, 0),
            new HostSoftmax(0, DataIn, (HostElementLayout)3, DataOut, HostElementLayout.Word, 1, 4, 1, 1, 0),
            new HostSoftmax(0, DataIn, HostElementLayout.Word, DataOut, HostElementLayout.Word, int.MaxValue, int.MaxValue, 1, 1, 0),
        ];
        foreach (var step in bad)
        {
            var message = Failure(ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, step, Go]));
            Assert.Matches("CNN071[235]: host step 1", message);
        }

        Assert.Contains("CNN0712: launch 0", Failure(ImageOf(BusKind.Ideal, [CopyWord()], [Copy with { Kernel = -1 }], [Load, Go])), StringComparison.Ordinal);
    }

    [Fact]
    public void Tensors_and_constants_outside_RAM_are_refused_before_anything_is_allocated()
    {
        var image = ImageOf(BusKind.Ideal, [CopyWord()], [Copy], [Load, Go]);
        Assert.Contains("CNN0713", Failure(image with { RamConstants = [new RamBlock(524284, new uint[2])] }), StringComparison.Ordinal);
        Assert.Contains("CNN0713", Failure(image with { Outputs = [new TensorDescriptor("out", [65536, 65536, 65536], ImageElementType.Int32, 1, 0, 65536)] }), StringComparison.Ordinal);
        Assert.Contains("CNN0715", Failure(image with { Outputs = [new TensorDescriptor("out", [0], ImageElementType.Int32, 1, 0, 65536)] }), StringComparison.Ordinal);
    }

    [Fact]
    public void Softmax_refuses_what_is_no_int8_and_what_has_no_result()
    {
        var softmax = new HostSoftmax(0, DataIn, HostElementLayout.Word, DataOut, HostElementLayout.Word, 1, 2, 1 << 30, 24, -100);
        Assert.Contains("CNN0716: host step 0 (softmax) reads 67305985 at byte address 0x00010000", Failure(ImageOf(BusKind.Ideal, [], [], [softmax])), StringComparison.Ordinal);
        Assert.Contains("CNN0723", Failure(ImageOf(BusKind.Ideal, [], [], [softmax with { Source = 0x30000, Columns = 600 }])), StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_image_and_input_give_the_same_result()
    {
        var image = ImageOf(BusKind.Shared, [CopyWord()], [Copy], [Load, Go, new HostCopyRam(1, 0x30000, 0x40000, 4), Go]);
        var (a, b) = (Run(image), Run(image));
        Assert.Equal(a.Cycles, b.Cycles);
        Assert.Equal(a.Launches, b.Launches);
        Assert.Equal(a.Ram.ToArray(), b.Ram.ToArray());
    }

    private static OpenEdgeInstruction Load3(int increment) => OpenEdgeInstruction.Encode(OpenEdgeOpcode.Lwd, register: 0, immediate: increment);
}
