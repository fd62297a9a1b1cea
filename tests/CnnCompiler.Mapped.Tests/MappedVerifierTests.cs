using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Primitives.Diagnostics;
using static CnnCompiler.Mapped.Tests.Programs;

namespace CnnCompiler.Mapped.Tests;

public sealed class MappedVerifierTests
{
    private static readonly MappedProgram Small = Convolution(3, 4, 2, 2, 5, new SeededRandom(3).Many(36, -9, 9), [1, 2], 1 << 30, -2);

    [Fact]
    public void Right_programs_have_no_errors()
    {
        Assert.Empty(Check(Small));
        Assert.Empty(Check(Increment(9)));
        Assert.Empty(Check(Increment(1)));
        Assert.Empty(Check(OneStep(new MappedSoftmax("softmax", "in", "out", 2, 3, 1 << 30, 20, -1), [2, 3], [2, 3])));
    }

    [Fact]
    public void Names_are_unique()
    {
        Finds("CNN0970", "two buffers or constants in", Small with { Buffers = [.. Small.Buffers, Small.Buffers[0]] });
        Finds("CNN0970", "two buffers or constants in", Small with { Constants = [.. Small.Constants, new MappedConstant("in", Bytes([1], 1))] });
        Finds("CNN0970", "two steps copy", Small.WithNest(0, nest => nest with { Name = "copy" }));
        Finds("CNN0970", "two values y", Small with { Values = [.. Small.Values, Small.Values[^1]] });
        Finds("CNN0970", "two outputs y", Small with { Outputs = [.. Small.Outputs, Small.Outputs[0]] });
        Finds("CNN0970", "two inputs x", Small with { Inputs = [.. Small.Inputs, Small.Inputs[0]] });
    }

    [Fact]
    public void Names_are_known()
    {
        Finds("CNN0961", "nowhere", Small.WithNest(1, nest => nest with { Operands = [nest.Operands[0] with { Target = "nowhere" }] }));
        Finds("CNN0961", "nowhere", Small.WithNest(1, nest => nest with { Output = nest.Output with { Target = "nowhere" } }));
        Finds("CNN0961", "weights", Small.WithNest(1, nest => nest with { Output = nest.Output with { Target = "weights" } }));
        Finds("CNN0961", "nowhere", Small with { Values = [new MappedValue("v", "nowhere", [1], 0)] });
        Finds("CNN0961", "nowhere", Small with { Outputs = [new MappedPort("y", Int8(3, 4, 2), "nowhere")] });
        Finds("CNN0961", "nowhere", OneStep(new MappedSoftmax("softmax", "nowhere", "out", 2, 3, 1 << 30, 20, -1), [2, 3], [2, 3]));
    }

    [Fact]
    public void Layouts_fit_their_buffers_and_make_sense()
    {
        Finds("CNN0971", "buffer sums has 23 words of 1 lanes; its layout spans 24 elements", WithBuffer("sums", buffer => buffer with { Words = buffer.Words - 1 }));
        Finds("CNN0960", "another rank", WithBuffer("sums", buffer => buffer with { Layout = buffer.Layout with { Pitch = [1] } }));
        Finds("CNN0960", "1, 2 or 4 lanes", WithBuffer("sums", buffer => buffer with { Layout = buffer.Layout with { Lanes = 3 } }));
        Finds("CNN0960", "same place", WithBuffer("sums", buffer => buffer with { Layout = buffer.Layout with { Pitch = [8, 2, 0] } }));
        Finds("CNN0964", "200", WithBuffer("padded", buffer => buffer with { Layout = buffer.Layout with { HaloFill = 200 } }));
        Finds("CNN0969", "words", Small with { Buffers = [.. Small.Buffers, new MappedBuffer("big", BufferRole.Activation, BufferLayout.Dense([4], 4), int.MaxValue)] });
        Finds("CNN0960", "not integers", Small with { Constants = [.. Small.Constants, new MappedConstant("f", Tensor.From<float>(ElementType.Float32, Shape.Of(1), [1f]))] });
    }

    [Fact]
    public void Ports_are_dense_packed_bytes_of_the_right_size()
    {
        Finds("CNN0972", "its role is Activation", WithBuffer("out", buffer => buffer with { Role = BufferRole.Activation }));
        Finds("CNN0972", "packed bytes", WithBuffer("out", _ => Dense("out", BufferRole.Output, [3, 4, 2], lanes: 1)));
        Finds("CNN0972", "packed bytes", Small with { Outputs = [new MappedPort("y", new(ElementType.Int32, Shape.Of(3, 4, 2)), "out")] });
        Finds("CNN0972", "not dense", WithBuffer("out", buffer => buffer with { Words = 100, Layout = buffer.Layout with { Pitch = [16, 4, 1] } }));
        Finds("CNN0972", "the port 3x4x3", Small with { Outputs = [new MappedPort("y", Int8(3, 4, 3), "out")] });
    }

    [Fact]
    public void Nests_are_well_formed()
    {
        Finds("CNN0960", "extent 0", Small.WithNest(0, nest => nest with { Loops = [Loop("e", 0)] }));
        Finds("CNN0960", "there are 1", Small.WithNest(0, nest => nest with { Output = new("padded", Affine(0, 1, 1)) }));
        Finds("CNN0960", "no reduction", Small.WithNest(2, nest => nest with { Reduce = GconvReduction.None }));
        Finds("CNN0960", "term uses", Small.WithNest(1, nest => nest with { Term = new ScalarKernel() }));
        Finds("CNN0960", "term uses", Small.WithNest(1, nest => nest with { Term = Accumulator }));
        Finds("CNN0960", "post uses", Small.WithNest(1, nest => nest with { Post = new ScalarTapCount() }));
        Finds("CNN0960", "operand that is not there", Small.WithNest(1, nest => nest with { Post = new ScalarExtra(1) }));
        Finds("CNN0960", "element written depends on the reduced loop c", Small.WithNest(2, nest => nest with { Output = new("sums", Affine(0, 8, 2, 1, 0, 0, 1)) }));
        Finds("CNN0974", "operand 0 is used by post and depends on the reduced loop r", Small.WithNest(2, nest => nest with { Post = Plus(Accumulator, First) }));
        Finds("CNN0979", "guard 0 depends on the reduced loop s", Small.WithNest(2, nest => nest with { Guards = [new(Affine(0, 0, 0, 0, 0, 1, 0), 3)] }));
        Finds("CNN0960", "is not dense with 3 rows of 3", OneStep(new MappedSoftmax("softmax", "in", "out", 3, 3, 1 << 30, 20, -1), [2, 3], [2, 3]));
        Finds("CNN0960", "left shift 40", OneStep(new MappedSoftmax("softmax", "in", "out", 2, 3, 1 << 30, 40, -1), [2, 3], [2, 3]));
    }

    [Fact]
    public void Values_have_the_buffers_elements_and_a_step()
    {
        Finds("CNN0960", "another number of elements", Small with { Values = [new MappedValue("v", "out", [3, 4, 3], 3)] });
        Finds("CNN0977", "completed by step 4; there are 4 steps", Small with { Values = [new MappedValue("v", "out", [3, 4, 2], 4)] });
        Finds("CNN0977", "step -2", Small with { Values = [new MappedValue("v", "out", [3, 4, 2], -2)] });
    }

    [Fact]
    public void Accesses_stay_inside()
    {
        Finds("CNN0973", "step copy: accesses elements 1 to 24 of in, which has 24", Small.WithNest(1, nest => nest with { Operands = [new("in", Affine(1, 8, 2, 1))] }));
        Finds("CNN0973", "step contract: accesses elements 0 to 53 of weights, which has 36", Small.WithNest(2, nest => nest with { Operands = [nest.Operands[0], new("weights", Affine(0, 0, 0, 36, 6, 2, 1)), nest.Operands[2]] }));
        Finds("CNN0973", "step requantize: accesses elements -1 to 22 of out", Small.WithNest(3, nest => nest with { Output = new("out", Affine(-1, 2, 1)) }));
    }

    [Fact]
    public void Guards_decide_what_is_accessed()
    {
        var program = Increment(9);
        Finds("CNN0973", "elements 0 to 12 of in, which has 12", program.WithNest(0, nest => nest with { Operands = [new("in", Affine(0, 4, 1))], Guards = [], Loops = [Loop("tile", 3), Loop("i", 5)] }));

        // a guard on a loop that the access does not depend on changes nothing, but for one that must be positive
        var other = program.WithNest(0, nest => nest with { Guards = [nest.Guards[0], new(Affine(0, 1, 0), 3)] });
        Assert.Empty(Check(other));
    }

    [Fact]
    public void What_is_read_was_written_before()
    {
        Finds("CNN0963", "step contract: reads element 0 of padded", Small with { Steps = [.. Small.Steps.Skip(1)], Values = [] });
        Finds("CNN0963", "step copy: reads element 0 of sums", Small.WithNest(1, nest => nest with { Operands = [new("sums", Affine(0, 8, 2, 1))] }) with { Values = [] });
        Finds("CNN0963", "output y: reads element 0 of out", Small with { Steps = [.. Small.Steps.Take(3)], Values = [] });
        Finds("CNN0963", "step increment: reads element 9 of in", Increment(9).WithNest(0, nest => nest with { Guards = [] }));
        var softmax = new MappedSoftmax("softmax", "scratch", "out", 2, 3, 1 << 30, 20, -1);
        var program = OneStep(softmax, [2, 3], [2, 3]);
        Finds("CNN0963", "step softmax: reads element 0 of scratch", program with { Buffers = [.. program.Buffers, Dense("scratch", BufferRole.Activation, [2, 3])] });
    }

    [Fact]
    public void An_element_is_written_once_by_a_nest()
    {
        Finds("CNN0965", "step requantize: writes element 1 of out", Small.WithNest(3, nest => nest with { Output = new("out", Affine(0, 1, 1)) }));
        Finds("CNN0969", "its writes", Small.WithNest(3, nest => nest with { Output = new("out", Affine(0, 0, 1)), Loops = [Loop("e", 1 << 30), Loop("k", 2)] }));
    }

    [Fact]
    public void Values_are_written_exactly_once_until_they_are_complete()
    {
        // the last row is left out
        Finds("CNN0975", "value y: element 16 of buffer out is written 0 times until it should be complete after step requantize", Small.WithNest(3, nest => nest with { Loops = [Loop("e", 8), Loop("k", 2)] }));
        var again = (MappedNest)Small.Steps[3] with { Name = "again" };
        Finds("CNN0975", "value y: element 0 of buffer out is written 2 times", Small with { Steps = [.. Small.Steps, again], Values = [new MappedValue("y", "out", [3, 4, 2], 4)] });
        Finds("CNN0975", "value sums: element 0 of buffer sums is written 0 times", Small with { Values = [new MappedValue("sums", "sums", [3, 4, 2], 1)] });
    }

    [Fact]
    public void Steps_with_disjoint_writes_complete_a_value_together()
    {
        MappedNest Half(string name, int from) => (MappedNest)Small.Steps[3] with
        {
            Name = name,
            Loops = [Loop("e", 6), Loop("k", 2)],
            Operands = [new("sums", Affine(from, 2, 1))],
            Output = new("out", Affine(from, 2, 1)),
        };
        var program = Small with { Steps = [.. Small.Steps.Take(3), Half("first", 0), Half("second", 12)], Values = [new MappedValue("y", "out", [3, 4, 2], 4)] };
        Assert.Empty(Check(program));
        Finds("CNN0975", "element 12 of buffer out is written 0 times until it should be complete after step first", program with { Values = [new MappedValue("y", "out", [3, 4, 2], 3)] });
    }

    [Fact]
    public void A_buffer_may_be_used_again_after_its_value_is_complete()
    {
        var again = (MappedNest)Small.Steps[3] with { Name = "again" };
        Assert.Empty(Check(Small with { Steps = [.. Small.Steps, again], Values = [.. Small.Values, new MappedValue("z", "out", [24], 4)] }));
    }

    [Fact]
    public void Fills_come_before_what_they_could_destroy()
    {
        MappedProgram Order(params int[] steps) => Small with { Steps = steps.Select(i => Small.Steps[i]).ToEquatableArray(), Values = [new MappedValue("x padded", "padded", [3, 4, 2], 1)] };
        Assert.Empty(Check(Order(0, 1, 2, 3)));
        Finds("CNN0976", "step fill: fills element 14 of padded", Order(1, 0, 2, 3));
    }

    [Fact]
    public void A_fill_counts_as_a_write_only_inside_the_tensor()
    {
        // padding as a value: the border is filled, the inside copied
        MappedNest Fill(int words) => Nest("fill", [Loop("e", words)], [], new("out", Affine(0, 1)), new ScalarLiteral(7), Accumulator);
        var copy = Nest("copy", [Loop("i", 2)], [new("in", Affine(0, 1))], new("out", Affine(2, 1)), First, Accumulator);
        MappedProgram Padded(MappedNest fill, int slack) => new(
            "pad",
            [Dense("in", BufferRole.Input, [2]), Dense("out", BufferRole.Output, [6], slack: slack)],
            [],
            [fill, copy],
            [new MappedPort("x", Int8(2), "in")],
            [new MappedPort("y", Int8(6), "out")],
            [new MappedValue("y", "out", [6], 1)]);
        Assert.Empty(Check(Padded(Fill(6), 0)));
        Finds("CNN0975", "value y: element 0 of buffer out is written 0 times", Padded(Fill(7), 1));
    }

    [Fact]
    public void A_nest_reads_its_output_only_where_it_writes()
    {
        var program = Increment(8);
        var inPlace = Nest("twice", [Loop("i", 8)], [new("out", Affine(0, 1))], new("out", Affine(0, 1)), Product(First, new ScalarLiteral(2)), Accumulator);
        MappedProgram With(MappedNest nest) => program with { Steps = [.. program.Steps, nest] };
        Assert.Empty(Check(With(inPlace)));
        Finds("CNN0978", "step twice: operand 0 reads out", With(inPlace with { Operands = [new("out", Affine(7, -1))] }));

        // disjoint halves of one buffer are no conflict
        Assert.Empty(Check(With(inPlace with { Loops = [Loop("i", 4)], Operands = [new("out", Affine(4, 1))] })));
    }

    [Fact]
    public void Enumerations_are_bounded()
    {
        // 35 loops of 2: their sum is a small index, their product is not
        var ones = Enumerable.Repeat(1L, 35).ToArray();
        var zeros = new long[35];
        var many = Nest(
            "many",
            [.. Enumerable.Range(0, 35).Select(l => Loop($"l{l}", 2, true))],
            [new("weights", Affine(0, ones))],
            new("out", Affine(0, zeros)),
            First,
            Accumulator,
            GconvReduction.Maximum);
        Finds("CNN0969", "step many: its iterations", Small with { Steps = [.. Small.Steps, many] });
        var bag = new DiagnosticBag();
        Assert.Null(MappedEvaluator.Run(Small with { Steps = [.. Small.Steps, many] }, [Bytes([3, 4, 2], new int[24])], bag));
        Assert.Equal("CNN0969", Assert.Single(bag.Diagnostics).Code);

        // guards have to be tried
        var guarded = many with { Guards = [new(Affine(0, Enumerable.Repeat(-1L, 35).ToArray()), 1)], Loops = [.. many.Loops.Select(loop => loop with { Reduced = false })], Reduce = GconvReduction.None };
        Finds("CNN0969", "step many: its iterations", Small with { Steps = [.. Small.Steps, guarded] });
    }

    [Fact]
    public void The_evaluator_runs_what_the_verifier_admits()
    {
        // random changes of one number: whatever passes the verifier has to run
        var random = new SeededRandom(17);
        var admitted = 0;
        for (var round = 0; round < 400; round++)
        {
            var program = Changed(random);
            if (Check(program).Count > 0)
            {
                continue;
            }

            admitted++;
            var bag = new DiagnosticBag();
            Assert.NotNull(MappedEvaluator.Run(program, [Bytes([3, 4, 2], new SeededRandom(1).Many(24, -20, 20))], bag, keepValues: true));
        }

        Assert.InRange(admitted, 20, 380);
    }

    private static MappedProgram Changed(SeededRandom random)
    {
        var index = random.Below(4);
        return Small.WithNest(index, nest =>
        {
            var amount = random.Below(3) - 1;
            switch (random.Below(3))
            {
                case 0:
                    var loops = nest.Loops.ToArray();
                    var l = random.Below(loops.Length);
                    loops[l] = loops[l] with { Extent = loops[l].Extent + amount };
                    return nest with { Loops = loops.ToEquatableArray() };
                case 1:
                    return nest with { Output = nest.Output with { Element = Shifted(nest.Output.Element) } };
                default:
                    return nest with { Operands = nest.Operands.Select(operand => random.Below(2) == 0 ? operand : operand with { Element = Shifted(operand.Element) }).ToEquatableArray() };
            }

            AffineExpression Shifted(AffineExpression affine)
            {
                var coefficients = affine.Coefficients.ToArray();
                var at = random.Below(coefficients.Length + 1);
                if (at == coefficients.Length)
                {
                    return affine with { Constant = affine.Constant + amount };
                }

                coefficients[at] += amount;
                return affine with { Coefficients = coefficients.ToEquatableArray() };
            }
        });
    }

    private static MappedProgram WithBuffer(string name, Func<MappedBuffer, MappedBuffer> change) =>
        Small with { Buffers = Small.Buffers.Select(buffer => buffer.Name == name ? change(buffer) : buffer).ToEquatableArray() };

    private static IReadOnlyList<Diagnostic> Check(MappedProgram program) => MappedVerifier.Check(program);

    private static void Finds(string code, string message, MappedProgram program) => Assert.Contains(
        Check(program),
        diagnostic => diagnostic.Code == code && diagnostic.Message.Contains(message, StringComparison.Ordinal));
}
