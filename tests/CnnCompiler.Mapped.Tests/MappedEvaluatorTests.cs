using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Primitives.Diagnostics;
using static CnnCompiler.Mapped.Tests.Programs;

namespace CnnCompiler.Mapped.Tests;

public sealed class MappedEvaluatorTests
{
    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(1)]
    public void Tiles_cover_whole_and_partial_extents(int extent)
    {
        var input = Enumerable.Range(-5, extent).ToArray();
        var result = Evaluate(Increment(extent), Bytes([extent], input));
        Assert.Equal(Bytes([extent], Array.ConvertAll(input, v => v + 1)), result.Outputs[0]);
    }

    [Theory]
    [InlineData(5, 4, 3, 2, -3)]
    [InlineData(1, 1, 1, 1, 0)]
    [InlineData(8, 8, 16, 8, 127)]
    public void A_convolution_equals_its_definition_and_every_value_is_found(int height, int width, int inputs, int outputs, int zeroPoint)
    {
        var random = new SeededRandom(42);
        var weights = random.Many(outputs * 9 * inputs, -128, 127);
        var bias = random.Many(outputs, -10000, 10000);
        var image = random.Many(height * width * inputs, -128, 127);
        const int multiplier = 1500000000;
        const int shift = -8;
        var program = Convolution(height, width, inputs, outputs, zeroPoint, weights, bias, multiplier, shift);
        var sums = new int[height * width * outputs];
        for (var e = 0; e < sums.Length; e++)
        {
            var (y, x, k) = (e / outputs / width, e / outputs % width, e % outputs);
            sums[e] = bias[k];
            for (var t = 0; t < 9 * inputs; t++)
            {
                var (r, s, c) = (t / inputs / 3, t / inputs % 3, t % inputs);
                var (iy, ix) = (y + r - 1, x + s - 1);
                if (iy >= 0 && iy < height && ix >= 0 && ix < width)
                {
                    sums[e] += (image[(((iy * width) + ix) * inputs) + c] - zeroPoint) * weights[(k * 9 * inputs) + t];
                }
            }
        }

        var expected = Array.ConvertAll(sums, sum => Math.Clamp(FixedPoint.MultiplyByQuantizedMultiplier(sum, multiplier, shift), -128, 127));
        var result = Evaluate(program, Bytes([height, width, inputs], image));
        Assert.Equal(Bytes([height, width, outputs], expected), result.Outputs[0]);
        Assert.Equal(Words([height, width, outputs], sums), result.Values["sums"]);
        Assert.Equal(Bytes([height, width, inputs], image), result.Values["x padded"]);
        Assert.Equal(4, result.Values.Count);

        // the general path has to agree with the fast one: a maximum with 0 of nothing keeps the contraction from being recognised
        var general = program.WithNest(2, nest => nest with { Term = Plus(nest.Term, new ScalarLiteral(0)) });
        Assert.Equal(result.Outputs, Evaluate(general, Bytes([height, width, inputs], image)).Outputs);
    }

    [Fact]
    public void A_maximum_is_reduced_over_the_taps()
    {
        var nest = Nest("max", [Loop("i", 2), Loop("t", 3, true)], [new("in", Affine(0, 3, 1))], new("out", Affine(0, 1, 0)), First, Accumulator, GconvReduction.Maximum);
        var result = Evaluate(OneStep(nest, [6], [2]), Bytes([6], -9, -3, -7, 5, 100, -1));
        Assert.Equal(Bytes([2], -3, 100), result.Outputs[0]);
    }

    [Fact]
    public void Softmax_runs_on_rows()
    {
        var (multiplier, shift, diffMin) = Int8Softmax.Prepare(1f, 0.1f);
        var logits = new SeededRandom(7).Many(6, -128, 127);
        var result = Evaluate(OneStep(new MappedSoftmax("softmax", "in", "out", 2, 3, multiplier, shift, diffMin), [2, 3], [2, 3]), Bytes([2, 3], logits));
        var expected = new sbyte[6];
        for (var row = 0; row < 2; row++)
        {
            Assert.True(Int8Softmax.Row(Array.ConvertAll(logits[(3 * row)..((3 * row) + 3)], v => (sbyte)v), expected.AsSpan(3 * row, 3), multiplier, shift, diffMin));
        }

        Assert.Equal(Tensor.From<sbyte>(ElementType.Int8, Shape.Of(2, 3), expected), result.Outputs[0]);
    }

    [Fact]
    public void A_value_is_read_before_a_later_step_overwrites_its_buffer()
    {
        var twice = Increment(4);
        var again = Nest("again", [Loop("i", 4)], [new("out", Affine(0, 1))], new("out", Affine(0, 1)), Product(First, new ScalarLiteral(2)), Accumulator);
        var program = twice with { Steps = [.. twice.Steps, again], Values = [.. twice.Values, new MappedValue("z", "out", [2, 2], 1)] };
        var result = Evaluate(program, Bytes([4], 1, 2, 3, 4));
        Assert.Equal(Bytes([4], 2, 3, 4, 5), result.Values["y"]);
        Assert.Equal(Bytes([2, 2], 4, 6, 8, 10), result.Values["z"]);
        Assert.Equal(Bytes([4], 4, 6, 8, 10), result.Outputs[0]);
    }

    [Fact]
    public void Values_are_not_kept_unless_asked_for()
    {
        var bag = new DiagnosticBag();
        var result = MappedEvaluator.Run(Increment(4), [Bytes([4], 1, 2, 3, 4)], bag);
        Assert.NotNull(result);
        Assert.Empty(result.Values);
    }

    [Fact]
    public void A_read_outside_names_step_loops_and_element() =>
        Refuses("CNN0962", "step increment at tile=1, i=0: reads element 8 of in, which has 8", Increment(8).WithNest(0, nest => nest with { Operands = [new("in", Affine(4, 4, 1))] }));

    [Fact]
    public void A_read_before_the_buffer_is_refused() =>
        Refuses("CNN0962", "tile=0, i=0: reads element -1 of in", Increment(8).WithNest(0, nest => nest with { Operands = [new("in", Affine(-1, 4, 1))] }));

    [Fact]
    public void A_write_outside_is_refused() =>
        Refuses("CNN0962", "tile=1, i=1: writes element 8 of out", Increment(8).WithNest(0, nest => nest with { Output = new("out", Affine(3, 4, 1)) }));

    [Fact]
    public void A_read_outside_of_a_constant_is_refused_also_in_a_contraction()
    {
        var random = new SeededRandom(1);
        var program = Convolution(2, 2, 1, 1, 0, random.Many(9, -1, 1), [0], 1 << 30, 0);
        var broken = program.WithNest(2, nest => nest with { Operands = [nest.Operands[0], new("weights", Affine(2, 0, 0, 9, 3, 1, 1)), nest.Operands[2]] });
        Refuses("CNN0962", "step contract at y=0, x=0, k=0, r=2, s=1, c=0: reads element 9 of weights, which has 9", broken, 2, 2, 1);
    }

    [Fact]
    public void A_read_of_slack_that_nothing_wrote_is_refused()
    {
        // 9 bytes lie in 3 words: elements 9 to 11 exist and are never written
        var program = Increment(9).WithNest(0, nest => nest with { Guards = [] });
        Refuses("CNN0963", "tile=2, i=1: reads element 9 of in, which nothing has written yet", program);
    }

    [Fact]
    public void A_halo_that_was_not_filled_is_refused_in_a_contraction()
    {
        var program = Convolution(2, 2, 1, 1, 0, new SeededRandom(1).Many(9, -1, 1), [0], 1 << 30, 0);
        var broken = program with
        {
            Steps = [.. program.Steps.Skip(1)],
            Values = [],
        };
        Refuses("CNN0963", "step contract at y=0, x=0, k=0, r=0, s=0, c=0: reads element 0 of padded", broken, 2, 2, 1);
    }

    [Fact]
    public void An_output_that_nothing_wrote_is_refused() =>
        Refuses("CNN0963", "output y: reads element 0 of out", Increment(4) with { Steps = [], Values = [] });

    [Fact]
    public void A_byte_that_does_not_fit_is_refused()
    {
        var bag = new DiagnosticBag();
        Assert.Null(MappedEvaluator.Run(Increment(4), [Bytes([4], 0, 127, 0, 0)], bag));
        var diagnostic = Assert.Single(bag.Diagnostics);
        Assert.Equal("CNN0964", diagnostic.Code);
        Assert.Contains("tile=0, i=1: 128, for element 1 of out, does not fit 8 bits", diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_word_that_does_not_fit_is_refused()
    {
        var program = Increment(4);
        var wide = program with
        {
            Buffers = [.. program.Buffers, Dense("wide", BufferRole.Accumulator, [4], lanes: 1)],
            Steps = [.. program.Steps, Nest("widen", [Loop("i", 4)], [new("in", Affine(0, 1))], new("wide", Affine(0, 1)), First, Plus(Accumulator, new ScalarLiteral(int.MaxValue)))],
        };
        Refuses("CNN0964", "step widen at i=0: 2147483648, for element 0 of wide, does not fit 32 bits", wide);
    }

    [Fact]
    public void An_element_written_twice_by_one_nest_is_refused() =>
        Refuses("CNN0965", "tile=1, i=0: writes element 3 of out", Increment(8).WithNest(0, nest => nest with { Output = new("out", Affine(0, 3, 1)) }));

    [Fact]
    public void A_read_of_what_another_iteration_wrote_is_refused()
    {
        var program = Increment(4);
        var shift = Nest("shift", [Loop("i", 3)], [new("out", Affine(0, 1))], new("out", Affine(1, 1)), First, Accumulator);
        Refuses("CNN0966", "step shift at i=1: reads element 1 of out", program with { Steps = [.. program.Steps, shift] });
    }

    [Fact]
    public void Unknown_names_are_refused()
    {
        Refuses("CNN0961", "there is no buffer or constant nowhere", Increment(4).WithNest(0, nest => nest with { Operands = [new("nowhere", Affine(0, 4, 1))] }));
        Refuses("CNN0961", "nowhere", Increment(4).WithNest(0, nest => nest with { Output = new("nowhere", Affine(0, 4, 1)) }));
        Refuses("CNN0961", "nowhere", Increment(4) with { Values = [new MappedValue("v", "nowhere", [4], 0)] });
        Refuses("CNN0961", "nowhere", Increment(4) with { Outputs = [new MappedPort("y", Int8(4), "nowhere")] });
    }

    [Fact]
    public void What_has_no_meaning_is_refused_and_never_a_crash()
    {
        var program = Increment(8);
        Refuses("CNN0960", "extent 0", program.WithNest(0, nest => nest with { Loops = [Loop("tile", 0), Loop("i", 4)] }));
        Refuses("CNN0960", "no reduction", program.WithNest(0, nest => nest with { Loops = [Loop("tile", 2), Loop("i", 4, true)] }));
        Refuses("CNN0960", "there are 2", program.WithNest(0, nest => nest with { Output = new("out", Affine(0, 1)) }));
        Refuses("CNN0960", "operand 3 of 1", program.WithNest(0, nest => nest with { Term = new ScalarExtra(3) }));
        Refuses("CNN0960", "post also the accumulator", program.WithNest(0, nest => nest with { Term = new ScalarInput() }));
        Refuses("CNN0960", "affine function", program.WithNest(0, nest => nest with { Operands = [new("in", Affine(0, long.MaxValue, 1))] }));
        Refuses("CNN0960", "writes the constant", OneStep(Nest("n", [], [], new("w", Affine(0)), new ScalarLiteral(0), Accumulator), [1], [1], new MappedConstant("w", Bytes([1], 1))));
        Refuses("CNN0969", "iterations", program.WithNest(0, nest => nest with { Loops = [Loop("tile", int.MaxValue), Loop("i", int.MaxValue)] }));
        Refuses("CNN0969", "elements", program with { Buffers = [.. program.Buffers, new MappedBuffer("b", BufferRole.Activation, BufferLayout.Dense([4], 4), int.MaxValue)] });
        Refuses("CNN0960", "lanes", program with { Buffers = [.. program.Buffers, new MappedBuffer("b", BufferRole.Activation, BufferLayout.Dense([4], 3), 4)] });
        Refuses("CNN0960", "larger than any memory", program with { Buffers = [.. program.Buffers, new MappedBuffer("b", BufferRole.Activation, new BufferLayout([65536, 65536], 4, [0, 0], [0, 0], [1, 1], null), 4)] });
    }

    [Fact]
    public void Arithmetic_without_a_result_is_refused()
    {
        MappedProgram Post(ScalarExpression post) => Increment(4).WithNest(0, nest => nest with { Post = post });
        ScalarExpression Binary(ScalarBinaryOperator operation, long left, long right) => new ScalarBinary(operation, new ScalarLiteral(left), new ScalarLiteral(right));
        Refuses("CNN0967", "tile=0, i=0: post: a value does not fit 64 bits", Post(Binary(ScalarBinaryOperator.Add, long.MaxValue, 1)));
        Refuses("CNN0967", "64 bits", Post(Binary(ScalarBinaryOperator.Subtract, long.MinValue, 1)));
        Refuses("CNN0967", "64 bits", Post(Binary(ScalarBinaryOperator.Multiply, long.MaxValue, 2)));
        Refuses("CNN0967", "64 bits", Post(Binary(ScalarBinaryOperator.ShiftLeft, 2, 62)));
        Refuses("CNN0967", "shift", Post(Binary(ScalarBinaryOperator.ShiftLeft, 0, 63)));
        Refuses("CNN0967", "divisor", Post(Binary(ScalarBinaryOperator.DivideRoundHalfAway, 1, 0)));
        Refuses("CNN0967", "clamp", Post(new ScalarClamp(Accumulator, new ScalarLiteral(1), new ScalarLiteral(0))));
        Refuses("CNN0967", "32 bits", Post(new ScalarRequantize(Ir.Network.RoundingScheme.TfliteSingle, new ScalarLiteral(1L << 31), new ScalarLiteral(1), new ScalarLiteral(0))));
        Refuses("CNN0967", "shift", Post(new ScalarRequantize(Ir.Network.RoundingScheme.TfliteSingle, Accumulator, new ScalarLiteral(1), new ScalarLiteral(31))));
        Refuses("CNN0960", "rounding", Post(new ScalarRequantize(Ir.Network.RoundingScheme.OnnxHalfEven, Accumulator, new ScalarLiteral(1), new ScalarLiteral(0))));
    }

    [Fact]
    public void Post_and_guards_may_not_depend_on_reduced_loops()
    {
        var nest = Nest("sum", [Loop("i", 2), Loop("t", 4, true)], [new("in", Affine(0, 4, 1))], new("out", Affine(0, 1, 0)), new ScalarLiteral(0), Plus(Accumulator, First), GconvReduction.Add);
        Refuses("CNN0974", "operand 0 is used by post and depends on the reduced loop t", OneStep(nest, [8], [2]));
        Refuses("CNN0979", "guard 0 depends on the reduced loop t", OneStep(nest with { Post = Accumulator, Guards = [new(Affine(0, 0, 1), 2)] }, [8], [2]));
    }

    [Fact]
    public void Inputs_have_to_be_those_of_the_program()
    {
        Refuses("CNN0968", "given was i8[5]", Increment(4), 5);
        var bag = new DiagnosticBag();
        Assert.Null(MappedEvaluator.Run(Increment(4), [], bag));
        Assert.Equal("CNN0968", Assert.Single(bag.Diagnostics).Code);
    }

    private static MappedEvaluation Evaluate(MappedProgram program, params Tensor[] inputs)
    {
        var bag = new DiagnosticBag();
        var result = MappedEvaluator.Run(program, inputs, bag, keepValues: true);
        Assert.Empty(bag.Diagnostics);
        Assert.NotNull(result);
        return result;
    }

    // The input holds 1, 2, 3, ... in the shape given, or in that of the program's input.
    private static void Refuses(string code, string message, MappedProgram program, params int[] shape)
    {
        shape = shape.Length == 0 ? [.. program.Inputs[0].Type.Shape.Dimensions] : shape;
        var bag = new DiagnosticBag();
        var result = MappedEvaluator.Run(program, [Bytes(shape, [.. Enumerable.Range(1, shape.Aggregate(1, (a, b) => a * b))])], bag, keepValues: true);
        Assert.Null(result);
        var diagnostic = Assert.Single(bag.Diagnostics);
        Assert.Equal(code, diagnostic.Code);
        Assert.Contains(message, diagnostic.Message, StringComparison.Ordinal);
    }
}
