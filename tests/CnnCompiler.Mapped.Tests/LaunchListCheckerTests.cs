using System.Buffers.Binary;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge;

namespace CnnCompiler.Mapped.Tests;

public sealed class LaunchListCheckerTests
{
    private const int Ram = 512 * 1024;
    private const int Reserved = 32 * 1024;

    private static readonly MachineDescription Machine = new(
        "openedge", "openedge-4a179fc", 4, 4, 32, 3, 128, 16, new(BusKind.Shared), new(Ram, Reserved, Reserved), 8 << 20, new(4, 20, 22, 8, 3, 80, 200, 3));

    private static readonly OpenEdgeInstruction Exit = OpenEdgeInstruction.Encode(OpenEdgeOpcode.Exit);

    // Loads two words, adds them, stores the sum, and ends: nothing wrong.
    private static readonly Code Adder = new Code("adder", 5, 1)
        .Put(0, 0, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Lwd, register: 0, immediate: 4))
        .Put(1, 0, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Lwd, register: 1, immediate: 4))
        .Put(2, 0, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.SAdd, OpenEdgeSource.R0, OpenEdgeSource.R1, register: 2))
        .Put(3, 0, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Swd, OpenEdgeSource.R2, immediate: 4))
        .Put(4, 0, 0, Exit);

    private static readonly Code Nothing = new Code("nothing", 3, 4).Put(2, 3, 3, Exit);

    [Fact]
    public void A_right_image_has_no_faults()
    {
        Assert.Empty(LaunchListChecker.Check(Image([Adder], [Load(0, 1, 0), Go(0), new HostWait(0)], [At(0, 1)])));

        // two kernels beside each other, alternating, the first loaded again while the second runs
        Assert.Empty(LaunchListChecker.Check(Image(
            [Adder, Nothing],
            [Load(0, 1, 0), Load(1, 2, 5), Go(0), Go(1), Load(0, 1, 0), Go(0), Go(1), Go(1)],
            [At(0, 1), At(1, 2)])));
    }

    [Fact]
    public void Loops_and_a_branch_with_exit_are_right() =>
        Assert.Empty(LaunchListChecker.Check(Run(new Code("loop", 4, 1)
            .Put(0, 0, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.SAdd, OpenEdgeSource.R0, OpenEdgeSource.Immediate, register: 0, immediate: 1))
            .Put(3, 0, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Bne, OpenEdgeSource.R0, OpenEdgeSource.R1, immediate: 1))
            .Put(3, 1, 0, Exit))));

    [Theory]
    [InlineData(2, "CNN0851")]
    [InlineData(33, "CNN0851")]
    public void Kernels_have_3_to_32_steps(int steps, string code) => Finds(code, $"{steps} steps", Run(new Code("k", steps, 1).Put(steps - 1, 0, 0, Exit)));

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(31)]
    public void Masks_are_prefixes(int mask)
    {
        var image = Run(Adder);
        Finds("CNN0852", $"mask {mask}", image with { Kernels = [image.Kernels[0] with { ColumnMask = mask }] });
    }

    [Fact]
    public void Code_fits_the_context_memory()
    {
        Finds("CNN0853", "context words 124 to 129, there are 128", Image([Adder], [Load(0, 1, 124), Go(0)], [At(0, 1)]));
        Finds("CNN0853", "context words -1", Image([Adder], [Load(0, 1, -1), Go(0)], [At(0, 1)]));
        Assert.Empty(LaunchListChecker.Check(Image([Adder], [Load(0, 1, 123), Go(0)], [At(0, 1)])));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(16)]
    [InlineData(-1)]
    public void Ids_are_1_to_15(int id)
    {
        Finds("CNN0854", $"kernel id {id}", Image([Adder], [Load(0, id, 0)], []));
        Finds("CNN0854", $"kernel id {id}", Image([Adder], [Load(0, 1, 0), Go(0)], [At(0, id)]));
    }

    [Fact]
    public void Only_what_was_loaded_is_launched()
    {
        Finds("CNN0855", "launches adder as id 2", Image([Adder], [Load(0, 1, 0), Go(0)], [At(0, 2)]));
        Finds("CNN0856", "launches adder as id 1, for which nothing is loaded", Image([Adder, Nothing], [Load(1, 1, 0), Go(0)], [At(0, 1)]));
    }

    [Fact]
    public void A_resident_id_is_never_given_new_code()
    {
        HostStep[] steps = [Load(0, 1, 0), Go(0), Load(1, 1, 5), Go(1)];
        Finds("CNN0857", "launch 1: launches nothing as id 1, but column 0 still holds adder", Image([Adder, Nothing], steps, [At(0, 1), At(1, 1)]));

        // another kernel in between on all columns makes it right; on some only it does not
        Assert.Empty(LaunchListChecker.Check(Image([Adder, Nothing], [Load(0, 1, 0), Go(0), Load(1, 2, 5), Go(1), Load(1, 1, 20), Go(2)], [At(0, 1), At(1, 2), At(1, 1)])));
        Finds("CNN0857", "column 1 still holds nothing", Image(
            [Adder, Nothing, Nothing.As("other")],
            [Load(1, 1, 0), Go(0), Load(0, 2, 40), Go(1), Load(2, 1, 60), Go(2)],
            [At(1, 1), At(0, 2), At(2, 1)]));
    }

    [Fact]
    public void The_same_code_may_be_loaded_again_under_its_id() =>
        Assert.Empty(LaunchListChecker.Check(Image([Adder], [Load(0, 1, 0), Go(0), new HostWait(0), Load(0, 1, 8), Go(0)], [At(0, 1)])));

    [Fact]
    public void Code_that_has_to_load_is_still_there()
    {
        Finds("CNN0859", "launch 0: launches adder as id 1, but its context word 4 was overwritten with nothing", Image(
            [Adder, Nothing], [Load(0, 1, 0), Load(1, 2, 4), Go(1), Go(0)], [At(0, 1), At(1, 2)]));

        // resident columns keep what they hold
        Assert.Empty(LaunchListChecker.Check(Image(
            [Adder, Nothing], [Load(0, 1, 0), Go(0), new HostWait(0), Load(1, 2, 4), Go(0)], [At(0, 1), At(1, 2)])));
    }

    [Fact]
    public void Context_words_of_a_running_launch_may_be_overwritten_once_it_has_loaded()
    {
        Assert.Empty(LaunchListChecker.Check(Image([Adder, Nothing], [Load(0, 1, 0), Go(0), Load(1, 2, 4)], [At(0, 1)])));
    }

    [Fact]
    public void Two_branches_of_one_step_are_refused()
    {
        var branch = OpenEdgeInstruction.Encode(OpenEdgeOpcode.Beq, OpenEdgeSource.R0, OpenEdgeSource.R1);
        var code = new Code("k", 4, 4).Put(1, 0, 0, branch).Put(1, 3, 2, branch).Put(3, 0, 0, Exit);
        Finds("CNN0861", "kernel k, step 1: cells (0,0) and (3,2)", Run(code));

        // one that its operands decide never to take does not count
        Assert.Empty(LaunchListChecker.Check(Run(code.Put(1, 3, 2, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Bne, OpenEdgeSource.R0, OpenEdgeSource.R0)))));
        Assert.Empty(LaunchListChecker.Check(Run(code.Put(1, 3, 2, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Blt, OpenEdgeSource.Immediate, OpenEdgeSource.Zero, immediate: 3)))));
    }

    [Fact]
    public void Branches_stay_inside_the_kernel()
    {
        Code With(OpenEdgeInstruction branch) => new Code("k", 4, 1).Put(1, 2, 0, branch).Put(3, 0, 0, Exit);
        Finds("CNN0862", "kernel k, step 1, cell (2,0): branches to step 4 of 4", Run(With(OpenEdgeInstruction.Encode(OpenEdgeOpcode.Beq, OpenEdgeSource.R0, immediate: 4))));
        Finds("CNN0862", "branches to step 31", Run(With(OpenEdgeInstruction.Encode(OpenEdgeOpcode.Jump, OpenEdgeSource.Immediate, immediate: -1))));
        Finds("CNN0863", "cell (2,0): the target of the jump is computed", Run(With(OpenEdgeInstruction.Encode(OpenEdgeOpcode.Jump, OpenEdgeSource.R0))));
        Assert.Empty(LaunchListChecker.Check(Run(With(OpenEdgeInstruction.Encode(OpenEdgeOpcode.Jump, OpenEdgeSource.Immediate, immediate: 3)))));
    }

    [Fact]
    public void Kernels_end_and_do_not_run_past_their_end()
    {
        Finds("CNN0864", "kernel k, step 3: runs on", Run(new Code("k", 4, 1)));
        Finds("CNN0865", "kernel k, step 0: no EXIT can be reached", Run(new Code("k", 4, 1).Put(3, 0, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Jump, OpenEdgeSource.Immediate, immediate: 0))));

        // an EXIT behind an endless loop does not help, nor one that a branch which is always taken cancels
        var loop = OpenEdgeInstruction.Encode(OpenEdgeOpcode.Beq);
        Finds("CNN0865", "step 0", Run(new Code("k", 4, 1).Put(1, 0, 0, loop).Put(3, 0, 0, Exit)));
        Finds("CNN0865", "step 0", Run(new Code("k", 3, 1).Put(2, 0, 0, loop).Put(2, 1, 0, Exit)));
    }

    [Theory]
    [InlineData(OpenEdgeSource.Rout, 1, 1)]
    [InlineData(OpenEdgeSource.Left, 1, 2)]
    [InlineData(OpenEdgeSource.Right, 1, 0)]
    [InlineData(OpenEdgeSource.Top, 2, 1)]
    [InlineData(OpenEdgeSource.Bottom, 0, 1)]
    public void Rout_after_a_store_is_not_read(OpenEdgeSource source, int row, int column)
    {
        var store = OpenEdgeInstruction.Encode(OpenEdgeOpcode.Swd, OpenEdgeSource.R0);
        var code = new Code("k", 5, 4).Put(0, 1, 1, store).Put(4, 0, 0, Exit);
        foreach (var read in (OpenEdgeInstruction[])[OpenEdgeInstruction.Encode(OpenEdgeOpcode.SAdd, source), OpenEdgeInstruction.Encode(OpenEdgeOpcode.SAdd, b: source)])
        {
            Finds("CNN0866", $"kernel k, step 2, cell ({row},{column}): reads ROUT of cell (1,1)", Run(code.Put(2, row, column, read)));

            // written again in between: any result, also a load
            Assert.Empty(LaunchListChecker.Check(Run(code.Put(2, row, column, read).Put(1, 1, 1, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Lwd)))));
        }

        // sources of instructions that have no operands read nothing
        Assert.Empty(LaunchListChecker.Check(Run(code.Put(2, row, column, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Nop, source, source)))));
    }

    [Theory]
    [InlineData(OpenEdgeFlagSource.Own, 1, 1)]
    [InlineData(OpenEdgeFlagSource.Left, 1, 2)]
    [InlineData(OpenEdgeFlagSource.Right, 1, 0)]
    [InlineData(OpenEdgeFlagSource.Top, 2, 1)]
    [InlineData(OpenEdgeFlagSource.Bottom, 0, 1)]
    public void Flags_after_a_store_are_not_read(OpenEdgeFlagSource flag, int row, int column)
    {
        var code = new Code("k", 4, 4)
            .Put(0, 1, 1, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Swd, OpenEdgeSource.R0))
            .Put(1, row, column, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Bsfa, OpenEdgeSource.R0, OpenEdgeSource.R1, flag: flag))
            .Put(3, 0, 0, Exit);
        Finds("CNN0866", $"step 1, cell ({row},{column}): reads the flags of cell (1,1)", Run(code));
    }

    [Fact]
    public void A_store_at_the_end_of_a_loop_is_seen_at_its_beginning()
    {
        var code = new Code("k", 4, 1)
            .Put(1, 0, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.SAdd, OpenEdgeSource.Rout, OpenEdgeSource.R0))
            .Put(2, 0, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Swi, OpenEdgeSource.R0, OpenEdgeSource.R1))
            .Put(2, 1, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Bne, OpenEdgeSource.R0, OpenEdgeSource.R1, immediate: 1))
            .Put(3, 0, 0, Exit);
        Finds("CNN0866", "step 1, cell (0,0): reads ROUT of cell (0,0)", Run(code));
        Assert.Empty(LaunchListChecker.Check(Run(code.Put(2, 1, 0, default))));
    }

    [Fact]
    public void Reserved_opcodes_are_refused() => Finds("CNN0867", "step 1, cell (0,0): 00d00000 is no instruction", Run(Adder.Put(1, 0, 0, new(26u << 19))));

    [Fact]
    public void Pointers_that_are_used_were_set()
    {
        Finds("CNN0868", "kernel adder uses the read pointer of column 0", Image([Adder], [Load(0, 1, 0), Go(0)], [At(0, 1) with { ReadPointers = new uint?[4] }]));
        Finds("CNN0868", "uses the write pointer of column 0", Image([Adder], [Load(0, 1, 0), Go(0)], [At(0, 1) with { WritePointers = new uint?[4] }]));

        // they keep their value
        Assert.Empty(LaunchListChecker.Check(Image([Adder], [Load(0, 1, 0), Go(0), Go(1)], [At(0, 1), new Launch(0, 1, new uint?[4], new uint?[4])])));
    }

    [Theory]
    [InlineData(Reserved + 2, "CNN0870")]
    [InlineData(Ram, "CNN0871")]
    [InlineData(Reserved - 4, "CNN0872")]
    public void Write_pointers_are_aligned_inside_and_above_the_reserve(int address, string code) =>
        Finds(code, "the write pointer of column 2", Image([Adder], [Load(0, 1, 0), Go(0)], [At(0, 1) with { WritePointers = [Reserved, null, (uint)address, null] }]));

    [Fact]
    public void Read_pointers_are_aligned_and_inside_and_may_lie_in_the_reserve()
    {
        CnnImage With(uint address) => Image([Adder], [Load(0, 1, 0), Go(0)], [At(0, 1) with { ReadPointers = [address, null, null, null] }]);
        Finds("CNN0870", "the read pointer of column 0", With(Reserved + 1));
        Finds("CNN0871", "the read pointer of column 0", With(uint.MaxValue - 3));
        Assert.Empty(LaunchListChecker.Check(With(0)));
    }

    [Fact]
    public void Host_copies_are_aligned_inside_and_do_not_overlap()
    {
        void Both(string code, string message, HostStep step) => Finds(code, message, Image([], [step], []));
        Both("CNN0870", "host step 0: the source", new HostCopyFlash(0, 2, Reserved, 1));
        Both("CNN0871", "of flash", new HostCopyFlash(0, 60, Reserved, 2));
        Both("CNN0870", "the destination", new HostCopyFlash(0, 0, Reserved + 2, 1));
        Both("CNN0871", "of RAM", new HostCopyFlash(0, 0, Ram - 4, 2));
        Both("CNN0872", "the destination", new HostCopyFlash(0, 0, Reserved - 4, 2));
        Both("CNN0850", "-1 words", new HostCopyFlash(0, 0, Reserved, -1));
        Both("CNN0871", "the source", new HostCopyRam(0, Ram - 4, Reserved, 2));
        Both("CNN0872", "the destination", new HostCopyRam(0, Reserved, 0, 2));
        Both("CNN0873", "copies 8 bytes", new HostCopyRam(0, Reserved, Reserved + 4, 2));
        Both("CNN0873", "copies 8 bytes", new HostCopyRam(0, Reserved + 4, Reserved, 2));
        Assert.Empty(LaunchListChecker.Check(Image([], [new HostCopyRam(0, Reserved, Reserved + 8, 2), new HostCopyFlash(0, 56, Ram - 8, 2)], [])));
    }

    [Fact]
    public void Softmax_stays_inside()
    {
        HostSoftmax Softmax(int source, int destination, int columns = 5) =>
            new(0, source, HostElementLayout.Word, destination, HostElementLayout.PackedByte, 1, columns, 1, 1, 1);
        Assert.Empty(LaunchListChecker.Check(Image([], [Softmax(Ram - 20, Ram - 8)], [])));
        Finds("CNN0871", "the source", Image([], [Softmax(Ram - 16, Reserved)], []));
        Finds("CNN0871", "the destination", Image([], [Softmax(Reserved, Ram - 4)], []));
        Finds("CNN0872", "the destination", Image([], [Softmax(Reserved, 0)], []));
        Finds("CNN0850", "softmax", Image([], [Softmax(Reserved, Reserved, 0)], []));
    }

    [Fact]
    public void Stores_to_constant_addresses_stay_above_the_reserve()
    {
        Finds("CNN0872", "kernel adder, step 1, cell (1,0): a store at 40", Run(Adder.Put(1, 1, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Swi, OpenEdgeSource.R0, OpenEdgeSource.Immediate, immediate: 40))));
        Finds("CNN0871", "a store", Run(Adder.Put(1, 1, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Swi, OpenEdgeSource.R0, OpenEdgeSource.Immediate, immediate: -4))));
    }

    [Fact]
    public void Constants_inputs_and_outputs_lie_inside_and_in_order()
    {
        var image = Image([], [], []);
        var words = new uint[] { 1, 2 };
        Assert.Empty(LaunchListChecker.Check(image with { RamConstants = [new(Reserved, words), new(Reserved + 8, words)] }));
        Finds("CNN0874", "RAM block 1", image with { RamConstants = [new(Reserved, words), new(Reserved + 4, words)] });
        Finds("CNN0871", "RAM block 0", image with { RamConstants = [new(Ram - 4, words)] });
        Finds("CNN0872", "RAM block 0", image with { RamConstants = [new(0, words)] });
        TensorDescriptor Tensor(int address, params int[] shape) => new("t", shape, ImageElementType.Int8, 1, 0, address);
        Assert.Empty(LaunchListChecker.Check(image with { Inputs = [Tensor(Ram - 8, 5)] }));
        Finds("CNN0871", "tensor t", image with { Inputs = [Tensor(Ram - 8, 9)] });
        Finds("CNN0870", "tensor t", image with { Outputs = [Tensor(Reserved + 1, 1)] });
        Finds("CNN0871", "tensor t", image with { Outputs = [Tensor(Reserved, int.MaxValue, int.MaxValue, int.MaxValue)] });
    }

    [Fact]
    public void Indices_and_sizes_make_sense()
    {
        Finds("CNN0850", "layer 1 of 1", Image([], [new HostWait(1)], []));
        Finds("CNN0850", "launch 0 of 0", Image([], [Go(0)], []));
        Finds("CNN0850", "kernel 1 of 1", Image([Adder], [Load(1, 1, 0)], []));
        Finds("CNN0850", "kernel 1 of 1", Image([Adder], [Go(0)], [At(1, 1)]));
        Finds("CNN0850", "write pointers for 4 columns", Image([Adder], [Load(0, 1, 0), Go(0)], [At(0, 1) with { ReadPointers = [] }]));
        var image = Run(Adder);
        Finds("CNN0850", "its code is not 5 words", image with { Kernels = [image.Kernels[0] with { Rows = [[0]] }] });
    }

    [Fact]
    public void The_flash_holds_the_kernels_code()
    {
        var image = Run(Adder);
        var flash = image.Flash.ToArray();
        flash[image.Kernels[0].Flash + 4]++;
        Finds("CNN0875", "kernel adder: word 1 of row 0", image with { Flash = flash });
        Finds("CNN0871", "its code", image with { Kernels = [image.Kernels[0] with { Flash = flash.Length - 4 }] });
    }

    [Fact]
    public void Changes_make_the_kernel_of_what_context_memory_holds()
    {
        var other = new Code("other", 5, 1)
            .Put(0, 0, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Lwd, register: 0, immediate: 8))
            .Put(1, 0, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Lwd, register: 1, immediate: 4))
            .Put(2, 0, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.SSub, OpenEdgeSource.R0, OpenEdgeSource.R1, register: 2))
            .Put(3, 0, 0, OpenEdgeInstruction.Encode(OpenEdgeOpcode.Swd, OpenEdgeSource.R2, immediate: 4))
            .Put(4, 0, 0, Exit);
        foreach (var packed in (ReadOnlySpan<bool>)[false, true])
        {
            var changes = KernelChanges.Between((row, word) => Adder.Words[row][word], other.Words, packed);
            Assert.Equal(2, changes.Count);
            Assert.Equal(packed ? 1 : 0, changes.Count(c => c.IsImmediate));
            var data = KernelChanges.Encode(changes, 5, 1, packed);
            var patch = new HostPatchKernel(0, 1, 2, 0, packed ? PatchSource.PackedRam : PatchSource.Ram, Reserved, data.Length);
            CnnImage With(HostStep[] before, HostPatchKernel step, uint[] words) =>
                Image([Adder, other], [.. before, step, Go(0)], [At(1, 2)]) with { RamConstants = [new(Reserved, words)] };
            Assert.Empty(LaunchListChecker.Check(With([Load(0, 1, 0)], patch, data)));
            Finds("CNN0877", $"word {(packed ? 0 : 2)} of row 0 is not that of kernel other", With([Load(0, 1, 0)], patch, [.. data[..^1], data[^1] ^ 1]));
            Finds("CNN0877", "kernel other", With([Load(0, 1, 0)], patch with { Words = data.Length - 1 }, data));
            Finds("CNN0877", $"word {(packed ? 0 : 1)} of row 0 is not that of kernel other", With([], patch, data));
            Finds("CNN0871", "the source", With([Load(0, 1, 0)], patch with { Source = Ram - 4 }, data));
            Finds("CNN0853", "context words 124", With([Load(0, 1, 0)], patch with { Start = 124 }, data));
            Finds("CNN0850", "kernel 2 of 2", With([Load(0, 1, 0)], patch with { Kernel = 2 }, data));
        }
    }

    private static HostLoadKernel Load(int kernel, int id, int start) => new(0, kernel, id, start);

    private static HostLaunch Go(int launch) => new(0, launch);

    // A launch with all pointers set.
    private static Launch At(int kernel, int id)
    {
        uint?[] pointers = [Reserved, Reserved, Reserved, Reserved];
        return new(kernel, id, pointers, pointers);
    }

    private static CnnImage Run(Code code) => Image([code], [Load(0, 1, 0), Go(0)], [At(0, 1)]);

    // The first 64 bytes of flash are free for copies, the code lies behind them.
    private static CnnImage Image(Code[] kernels, HostStep[] program, Launch[] launches)
    {
        var flash = new byte[64 + kernels.Sum(kernel => kernel.Words.Sum(row => row.Length * 4))];
        var images = new List<KernelImage>();
        var address = 64;
        foreach (var kernel in kernels)
        {
            images.Add(new(kernel.Name, kernel.Steps, (1 << kernel.Columns) - 1, kernel.Words, address));
            foreach (var word in kernel.Words.SelectMany(row => row))
            {
                BinaryPrimitives.WriteUInt32LittleEndian(flash.AsSpan(address), word);
                address += 4;
            }
        }

        return new(Machine, images, [], flash, [], [], [new("layer", "conv2d", 0)], program, launches, []);
    }

    private static void Finds(string code, string message, CnnImage image) => Assert.Contains(
        LaunchListChecker.Check(image),
        diagnostic => diagnostic.Code == code && diagnostic.Message.Contains(message, StringComparison.Ordinal));

    private sealed class Code(string name, int steps, int columns)
    {
        public string Name { get; } = name;

        public int Steps { get; } = steps;

        public int Columns { get; } = columns;

        public uint[][] Words { get; private init; } = [.. Enumerable.Range(0, 4).Select(_ => new uint[steps * columns])];

        /// <summary>The code with one instruction replaced.</summary>
        public Code Put(int step, int row, int column, OpenEdgeInstruction instruction)
        {
            var words = Words.Select(line => line.ToArray()).ToArray();
            words[row][(column * Steps) + step] = instruction.Word;
            return new(Name, Steps, Columns) { Words = words };
        }

        public Code As(string other) => new(other, Steps, Columns) { Words = Words };
    }
}
