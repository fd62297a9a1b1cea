using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>The intermediate form of kernels: what the scheduler may move, what it must not, what the allocator gives, what is refused.</summary>
public class ArrayProgramTests
{
    private static readonly Cell A = new(0, 0);
    private static readonly Cell B = new(0, 1);
    private static readonly Cell Far = new(2, 2);

    [Theory]
    [InlineData(0, 3, OpenEdgeSource.Left)]
    [InlineData(0, 1, OpenEdgeSource.Right)]
    [InlineData(3, 0, OpenEdgeSource.Top)]
    [InlineData(1, 0, OpenEdgeSource.Bottom)]
    [InlineData(0, 0, OpenEdgeSource.Rout)]
    public void Neighbours_on_the_torus_are_read_from_the_right_side(int row, int column, OpenEdgeSource expected)
    {
        Assert.Equal(expected, A.SourceOf(new(row, column)));
        Assert.Null(A.SourceOf(Far));
    }

    [Fact]
    public void Independent_operations_share_a_step_and_dependent_ones_follow()
    {
        var p = new ArrayProgramBuilder("k");
        p.Block("only");
        var a = p.Do(Move(A, ArrayOperand.Immediate));
        var b = p.Do(Move(B, ArrayOperand.Immediate));
        var sum = p.Do(Binary(OpenEdgeOpcode.SAdd, A, a, b));
        p.Exit(Far);
        var steps = ArrayScheduler.Schedule(p.Build()).Steps;
        Assert.Equal(2, steps.Count);
        Assert.Same(a, steps[0][A.Index]);
        Assert.Same(b, steps[0][B.Index]);
        Assert.Same(sum, steps[1][A.Index]);
        Assert.Equal(OpenEdgeOpcode.Exit, steps[1][Far.Index]!.Opcode);
    }

    [Fact]
    public void A_result_stays_in_ROUT_until_its_last_reader()
    {
        var p = new ArrayProgramBuilder("k");
        p.Block("only");
        var a = p.Do(Move(A, ArrayOperand.Immediate));
        var slow = p.Do(Move(B, ArrayOperand.Immediate));
        slow = p.Do(Binary(OpenEdgeOpcode.SAdd, B, slow, slow));
        var read = p.Do(Binary(OpenEdgeOpcode.SAdd, B, slow, a));
        var overwrite = p.Do(Move(A, ArrayOperand.Zero));
        p.Exit(Far);
        var steps = ArrayScheduler.Schedule(p.Build()).Steps;
        int At(ArrayOperation o) => steps.ToList().FindIndex(s => ReferenceEquals(s[o.Cell.Index], o));
        Assert.Equal(2, At(read));
        Assert.Equal(2, At(overwrite));
    }

    [Fact]
    public void Reading_what_was_overwritten_or_stored_or_is_no_neighbour_is_refused()
    {
        Refused(p =>
        {
            var a = p.Do(Move(A, ArrayOperand.Immediate));
            p.Do(Move(A, ArrayOperand.Zero));
            p.Do(Move(B, a));
        });
        Refused(p =>
        {
            var a = p.Do(Move(A, ArrayOperand.Immediate));
            var store = p.Do(StoreStream(A, a, 4, "out"));
            p.Do(Move(B, store));
        });
        Refused(p =>
        {
            var a = p.Do(Move(A, ArrayOperand.Immediate));
            p.Do(Move(Far, a));
        });
        Refused(p => p.Do(Move(A, Register(B, "other"))));

        static void Refused(Action<ArrayProgramBuilder> write)
        {
            var p = new ArrayProgramBuilder("k");
            p.Block("only");
            write(p);
            Assert.Throws<InvalidOperationException>(() => ArrayScheduler.Schedule(p.Build()));
        }
    }

    [Fact]
    public void Streams_of_a_column_keep_their_order()
    {
        var p = new ArrayProgramBuilder("k");
        p.Block("only");
        var first = p.Do(LoadStream(new(2, 0), 4, null, "in"));
        var second = p.Do(LoadStream(new(1, 0), 4, null, "in"));
        var third = p.Do(LoadStream(new(3, 0), 4, null, "in"));
        p.Exit(Far);
        var steps = ArrayScheduler.Schedule(p.Build()).Steps.ToList();
        int At(ArrayOperation o) => steps.FindIndex(s => ReferenceEquals(s[o.Cell.Index], o));

        // within a step rows are served from the top: row 1 after row 2 needs a step of its own, row 3 after row 1 doesn't
        Assert.Equal((0, 1, 1), (At(first), At(second), At(third)));
    }

    [Fact]
    public void A_load_follows_the_stores_of_its_buffer_only()
    {
        var p = new ArrayProgramBuilder("k");
        p.Block("only");
        var address = p.Do(Move(A, ArrayOperand.Immediate));
        p.Do(StoreStream(B, ArrayOperand.Zero, 4, "x"));
        var same = p.Do(Load(A, address, null, "x"));
        var other = p.Do(LoadStream(Far, 4, null, "y"));
        p.Exit(new(3, 3));
        var steps = ArrayScheduler.Schedule(p.Build()).Steps.ToList();
        int At(ArrayOperation o) => steps.FindIndex(s => ReferenceEquals(s[o.Cell.Index], o));
        Assert.Equal((1, 0), (At(same), At(other)));
    }

    [Fact]
    public void A_branch_is_the_last_step_of_its_block_and_jumps_to_the_block_it_names()
    {
        var p = new ArrayProgramBuilder("k");
        var counter = Register(A, "counter");
        p.Block("start");
        p.Set(counter, 3);
        var loop = p.Block("loop");
        p.Count(counter);
        p.LoopWhileNotZero(counter, loop);
        p.Exit(B);
        var code = ArrayAssembler.Assemble(p.Build(), BuiltInMachines.Default);
        Assert.Equal(3, code.Steps);
        var branch = new OpenEdgeInstruction(code.Rows[0][2]);
        Assert.Equal(OpenEdgeOpcode.Bne, branch.Opcode);
        Assert.Equal(1, branch.BranchTarget);
        Assert.Equal(OpenEdgeOpcode.Exit, new OpenEdgeInstruction(code.Rows[0][code.Steps + 2]).Opcode);
    }

    [Fact]
    public void Registers_that_are_never_live_together_share_one_and_five_that_are_do_not_fit()
    {
        var p = new ArrayProgramBuilder("k");
        p.Block("only");
        for (var i = 0; i < 6; i++)
        {
            var r = Register(A, $"r{i}");
            p.Set(r, i);
            p.Do(Move(A, r));
        }

        p.Exit(B);
        Assert.Single(ArrayRegisterAllocator.Allocate(ArrayScheduler.Schedule(p.Build())).Values.Distinct());

        var crowded = new ArrayProgramBuilder("crowded");
        crowded.Block("only");
        var live = Enumerable.Range(0, 5).Select(i => Register(A, $"r{i}")).ToArray();
        foreach (var r in live)
        {
            crowded.Set(r, 1);
        }

        foreach (var r in live)
        {
            crowded.Do(Move(A, r));
        }

        crowded.Exit(B);
        var refusal = Assert.Throws<ArrayResourceException>(() => ArrayAssembler.Assemble(crowded.Build(), BuiltInMachines.Default));
        Assert.Equal((5, 4), (refusal.Needed, refusal.Available));
    }

    [Fact]
    public void A_register_that_is_needed_in_the_next_turn_of_a_loop_keeps_its_own()
    {
        var p = new ArrayProgramBuilder("k");
        var (counter, carried, scratch) = (Register(A, "counter"), Register(A, "carried"), Register(A, "scratch"));
        p.Block("start");
        p.Set(counter, 2);
        p.Set(carried, 5);
        var loop = p.Block("loop");
        p.Do(Move(A, carried, scratch));
        p.Do(Add(scratch, scratch, 1));
        p.Count(counter);
        p.LoopWhileNotZero(counter, loop);
        p.Exit(B);
        Assert.Equal(3, ArrayRegisterAllocator.Allocate(ArrayScheduler.Schedule(p.Build())).Values.Distinct().Count());
    }

    [Fact]
    public void A_kernel_with_more_steps_than_the_machine_has_is_refused_with_both_numbers()
    {
        var p = new ArrayProgramBuilder("long");
        p.Block("only");
        for (var i = 0; i < 33; i++)
        {
            p.Do(Move(A, ArrayOperand.Immediate));
        }

        p.Exit(A);
        var refusal = Assert.Throws<ArrayResourceException>(() => ArrayAssembler.Assemble(p.Build(), BuiltInMachines.Default));
        Assert.Equal((34, 32), (refusal.Needed, refusal.Available));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(4095, 1)]
    [InlineData(-4096, 1)]
    [InlineData(4096, 3)]
    [InlineData(1_000_000, 3)]
    [InlineData(-70_000, 3)]
    public void Constants_take_one_step_where_they_fit_and_three_where_not(int value, int steps)
    {
        var p = new ArrayProgramBuilder("k");
        p.Block("only");
        p.Set(Register(A, "r"), value);
        p.Exit(A);
        Assert.Equal(steps + 1, ArrayScheduler.Schedule(p.Build()).Steps.Count);
    }
}
