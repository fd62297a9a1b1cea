using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Ir.Tests.Gconv;

public sealed class GconvEvaluatorTests
{
    private static readonly Tensor SampleInput = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(2, 6), [1, 2, 3, -4, 5, 6, -128, 127, 0, 1, -1, 9]);

    [Fact]
    public void The_sample_gives_what_a_reader_works_out_by_hand()
    {
        var values = Evaluate(GconvSample.Parse(GconvSample.Text), SampleInput).Values;

        // Row 0, first window: inputs less 1 are 0, 1, 2, -5; weights 1, 2, 3, 4; bias 100.
        Assert.Equal(100 + (0 * 1) + (1 * 2) + (2 * 3) + (-5 * 4), values["y"].GetInteger(0));
        Assert.Equal(300 + (0 * 9) + (1 * -10) + (2 * 11) + (-5 * -12), values["y"].GetInteger(6));
        Assert.Equal(values["y"].Bytes.ToArray(), values["flat"].Bytes.ToArray());
        Assert.Equal(Shape.Of(18), values["flat"].Shape);

        // Maxima over 2h - 1 to 2h + 1 inside the row; the last window has nothing but skipped taps and index 5.
        Assert.Equal([2, 3, 6, 6, 127, 127, 9, 9], Codes(values["m"]));

        // Pieces: the row, and [fill, x0, x1].
        Assert.Equal([1, 2, 3, -4, 5, 6, 7, 1, 2, -128, 127, 0, 1, -1, 9, 7, -128, 127], Codes(values["j"]));
        Assert.False(values.ContainsKey("j.0"));
        Assert.Equal(values["s"], Evaluate(GconvSample.Parse(GconvSample.Text), SampleInput).Outputs[2]);
    }

    [Theory]
    [InlineData("i8", "u8", "post acc + 128")]
    [InlineData("i8", "i16", "post acc * 256")]
    [InlineData("i16", "i8", "post clamp(acc, -128, 127)")]
    [InlineData("u8", "i32", "post acc * 1000000")]
    [InlineData("i32", "i64", "post acc * acc")]
    [InlineData("i64", "i8", "post min(max(acc, -3), 3)")]
    public void Every_integer_type_is_read_and_written(string from, string to, string post)
    {
        var program = GconvSample.Operator($"{from}[5]", "h.opc 5", $"{to}[5]", $"read %x[h.opc] pre input main input reduce none i64 {post} write [h.opc]");
        var element = ElementTypes.Parse(from)!.Value;
        var bytes = new byte[5 * element.Size()];
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)((i * 37) % element.Size() == 0 ? i * 37 : 0);
        }

        var input = new Tensor(element, Shape.Of(5), bytes);
        var result = Evaluate(program, input).Outputs[0];
        for (var i = 0; i < 5; i++)
        {
            var x = input.GetInteger(i);
            var expected = to switch { "u8" => x + 128, "i16" => x * 256, "i32" => x * 1000000, "i64" => x * x, _ when from == "i16" => Math.Clamp(x, -128, 127), _ => Math.Clamp(x, -3, 3) };
            Assert.Equal(expected, result.GetInteger(i));
        }
    }

    [Fact]
    public void A_transposed_flipped_and_repeated_tensor_is_one_operator()
    {
        // y[c, r, u] = x[1 - r, 2 - c] for u in 0, 1: nearest upsampling by a kernel-free op.
        var program = GconvSample.Operator(
            "i8[2x3]", "r.opc 2, c.opc 3, u.op 2", "i8[3x2x2]", "read %x[1 - r.opc, 2 - c.opc] pre input main input reduce none i32 post acc write [c.opc, r.opc, u.op]");

        Assert.Equal([6, 6, 3, 3, 5, 5, 2, 2, 4, 4, 1, 1], Codes(Evaluate(program, Tensor.From<sbyte>(ElementType.Int8, Shape.Of(2, 3), [1, 2, 3, 4, 5, 6])).Outputs[0]));
    }

    [Fact]
    public void A_scalar_has_no_loops()
    {
        var program = GconvSample.Operator("i8[]", string.Empty, "i8[]", "read %x[] pre input main input reduce none i32 post acc + 1 write []");

        Assert.Equal(6, Evaluate(program, Tensor.From<sbyte>(ElementType.Int8, default, [5])).Outputs[0].GetInteger(0));
    }

    [Fact]
    public void A_maximum_without_taps_is_the_smallest_accumulator_and_an_average_without_taps_is_refused()
    {
        const string body = "read %x[2*h.opc + h.ks - 2] skip pre input main input reduce ";
        var input = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(2), [1, 2]);

        Assert.Equal([-128, 2], Codes(Evaluate(GconvSample.Operator("i8[2]", "h.opc 2, h.ks 2", "i8[2]", body + "max i8 post acc write [h.opc]"), input).Outputs[0]));
        Refuses("CNN0956", "post has a divisor below 1", GconvSample.Operator("i8[2]", "h.opc 2, h.ks 2", "i8[2]", body + "add i32 post divide(acc, taps) write [h.opc]"), input);
    }

    [Theory]
    [InlineData("post acc * 3", "CNN0951", "the result is 381, outside i8")]
    [InlineData("post requantize(tflite-double, acc * 100000000, 1073741824, -31)", "CNN0956", "post has a requantised value")]
    [InlineData("post requantize(tflite-single, acc, acc * 100000000, -31)", "CNN0956", "post has a requantised value or a multiplier beyond 32 bits")]
    [InlineData("post requantize(tflite-single, acc, 1073741824, acc)", "CNN0956", "post has a shift")]
    [InlineData("post acc << acc", "CNN0956", "post has a shift")]
    [InlineData("post acc * 9000000000000000000", "CNN0956", "post has a value beyond 64 bits")]
    [InlineData("post (acc << 56) - (acc << 56) - (acc << 56) - (acc << 56)", "CNN0956", "post has a value beyond 64 bits")]
    [InlineData("post divide(acc, 0)", "CNN0956", "post has a divisor below 1")]
    [InlineData("post clamp(acc, 1, 0)", "CNN0956", "post has a clamp")]
    [InlineData("post half_even_scale(acc, 0.1, 1.0, 1.0)", "CNN0956", "post has an argument for which a function is not defined")]
    [InlineData("post round_half_even(1.0 / real(acc))", "CNN0956", "post has a number to be rounded that is infinite")]
    public void A_value_beyond_its_operation_is_a_diagnostic(string post, string code, string message) => Refuses(
        code,
        message,
        GconvSample.Operator("i8[2]", "h.opc 2", "i8[2]", $"read %x[h.opc] pre input main input reduce none i32 {post} write [h.opc]"), Tensor.From<sbyte>(ElementType.Int8, Shape.Of(2), [0, 127]));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_accumulator_beyond_32_bits_is_a_diagnostic_on_both_ways(bool contractions)
    {
        const string body = "read %x[h.ks] kernel %x[h.ks] pre input main input * kernel reduce add i32 post clamp(acc, 0, 1) write [0]";
        var program = GconvSample.Operator("i32[4]", "h.ks 4", "i8[1]", body);
        var diagnostics = new DiagnosticBag();

        Assert.Null(GconvEvaluator.Evaluate(program, [Tensor.From<int>(ElementType.Int32, Shape.Of(4), [40000, 1, 2, 40000])], diagnostics, contractions));
        Assert.Contains("the accumulator is 3200000005, outside i32", Assert.Single(diagnostics.Diagnostics).Message, StringComparison.Ordinal);

        // A partial sum may exceed what the sum may not: order has no meaning.
        Assert.NotNull(GconvEvaluator.Evaluate(GconvSample.Operator("i32[4]", "h.ks 4", "i8[1]", body.Replace("kernel %x[h.ks]", "kernel %x[3 - h.ks]", StringComparison.Ordinal)), [Tensor.From<int>(ElementType.Int32, Shape.Of(4), [60000, 60000, -60000, 60000])], new(), contractions));
    }

    [Fact]
    public void Sums_of_products_agree_with_a_naive_definition_on_both_ways()
    {
        for (var seed = 0; seed < 1500; seed++)
        {
            var (program, input) = RandomContractions.Make(seed);
            var problems = GconvVerifier.Check(program);
            Assert.True(problems.Count == 0, $"seed {seed}: {string.Join(Environment.NewLine, problems)}");

            var diagnostics = new DiagnosticBag();
            var fast = GconvEvaluator.Evaluate(program, [input], diagnostics);
            var written = GconvEvaluator.Evaluate(program, [input], diagnostics, contractions: false);
            Assert.Empty(diagnostics.Diagnostics);
            var naive = RandomContractions.Naive(program, input);
            Assert.True(naive.Equals(written!.Outputs[0]), $"seed {seed}: as written");
            Assert.True(naive.Equals(fast!.Outputs[0]), $"seed {seed}: the fast way");
        }
    }

    [Fact]
    public void Sums_of_products_of_reals_agree_with_a_naive_definition_bit_by_bit_on_both_ways()
    {
        for (var seed = 0; seed < 600; seed++)
        {
            var (program, input) = RandomContractions.MakeReal(seed);
            var problems = GconvVerifier.Check(program);
            Assert.True(problems.Count == 0, $"seed {seed}: {string.Join(Environment.NewLine, problems)}");

            var naive = RandomContractions.NaiveReal(program, input);
            Assert.True(naive.Equals(GconvEvaluator.Evaluate(program, [input], new(), contractions: false)!.Outputs[0]), $"seed {seed}: as written");
            Assert.True(naive.Equals(GconvEvaluator.Evaluate(program, [input], new())!.Outputs[0]), $"seed {seed}: the fast way");
        }
    }

    [Fact]
    public void Reals_tables_and_divided_indexes_give_what_a_reader_works_out_by_hand()
    {
        var values = Evaluate(GconvSample.Parse(GconvSample.Text), SampleInput).Values;

        // Row 0 is 1, 2, 3, -4, 5, 6 at the even places of a row with gaps; windows of three around each place, times the number of elements in them.
        Assert.Equal([1, 6, 2, 10, 3, -2, -4, 2, 5, 22, 6], values["u"].AsSpan<int>()[..11].ToArray());

        var acc = Math.Exp(1 * 0.125);
        Assert.Equal((float)((acc / 2) + -8), values["f"].AsSpan<float>()[0]);
        Assert.Equal((float)((Math.Exp(6 * 0.125) / 2) + 9), values["f"].AsSpan<float>()[1]);

        // exp(-0.25) is below 1: the extra operand at place 5.
        Assert.Equal(5f + -8, values["f"].AsSpan<float>()[5]);
    }

    [Fact]
    public void A_table_ends_with_its_row()
    {
        // A row for each channel: 10, 11, 12 and 20, 21, 22.
        const string table = " constant %t = i32[2x3]{10, 11, 12, 20, 21, 22}\n";
        var input = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(2), [2, 1]);

        Assert.Equal([12, 21], Evaluate(Lookup("lookup(extra0, acc)"), input).Outputs[0].AsSpan<int>().ToArray());
        Refuses("CNN0956", "post has an offset beyond the row of its table", Lookup("lookup(extra0, acc + 1)"), input);
        Refuses("CNN0956", "post has an offset beyond the row of its table", Lookup("lookup(extra0, acc - 2)"), input);

        static GconvProgram Lookup(string post) => GconvSample.Parse(
            $"gconv \"one\" {{\n input %x : i8[2]\n{table} %y = gconv [c.opc 2] : i32[2] {{ read %x[c.opc] extra %t[c.opc, 0] pre input main input reduce none i32 post {post} write [c.opc] }}\n output %y\n}}");
    }

    [Fact]
    public void A_maximum_of_reals_begins_at_minus_infinity_and_a_fill_is_a_number()
    {
        var input = Tensor.From<float>(ElementType.Float32, Shape.Of(2), [-1.5f, 2]);
        var program = GconvSample.Operator("f32[2]", "h.opc 2, h.ks 2", "f32[2]", "read %x[2*h.opc + h.ks - 2] skip pre input main input reduce max f64 post acc write [h.opc]");
        Assert.Equal([float.NegativeInfinity, 2], Evaluate(program, input).Outputs[0].AsSpan<float>().ToArray());

        program = GconvSample.Operator("f32[2]", "h.opc 3", "f32[3]", "read %x[h.opc - 1] fill -7 pre input main input reduce none f64 post acc / 2.0 write [h.opc]");
        Assert.Equal([-3.5f, -0.75f, 1], Evaluate(program, input).Outputs[0].AsSpan<float>().ToArray());
    }

    [Fact]
    public void Inputs_that_do_not_fit_are_refused()
    {
        var program = GconvSample.Parse(GconvSample.Text);
        var diagnostics = new DiagnosticBag();

        Assert.Null(GconvEvaluator.Evaluate(program, [], diagnostics));
        Assert.Null(GconvEvaluator.Evaluate(program, [new(ElementType.Int8, Shape.Of(11), new byte[11])], diagnostics));
        Assert.Null(GconvEvaluator.Evaluate(program, [new(ElementType.UInt8, Shape.Of(12), new byte[12])], diagnostics));
        Assert.Equal(3, diagnostics.Diagnostics.Count);

        // The shape of an input is the chain's: its elements count.
        Assert.NotNull(GconvEvaluator.Evaluate(program, [SampleInput.Reshape(Shape.Of(12))], new()));
    }

    [Fact]
    public void A_softmax_row_without_a_result_is_refused_by_its_number()
    {
        var program = GconvSample.Parse("gconv \"s\" {\n input %x : i8[2x600]\n %y = softmax %x multiplier=1476210432 shift=24 diff=-124 : i8[2x600]\n output %y\n}");
        var codes = new sbyte[1200];
        codes[0] = 127;
        var diagnostics = new DiagnosticBag();

        Assert.Null(GconvEvaluator.Evaluate(program, [Tensor.From<sbyte>(ElementType.Int8, Shape.Of(2, 600), codes)], diagnostics));
        var diagnostic = Assert.Single(diagnostics.Diagnostics);
        Assert.Equal("CNN0952", diagnostic.Code);
        Assert.Contains("row 1", diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_evaluation_can_be_cancelled()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        var program = GconvSample.Operator("i8[9000]", "h.opc 9000", "i8[9000]", "read %x[h.opc] pre input main input reduce none i32 post acc write [h.opc]");

        Assert.Throws<OperationCanceledException>(() => GconvEvaluator.Evaluate(program, [new(ElementType.Int8, Shape.Of(9000), new byte[9000])], new(), cancellation: source.Token));
    }

    private static void Refuses(string code, string message, GconvProgram program, Tensor input)
    {
        var diagnostics = new DiagnosticBag();

        Assert.Null(GconvEvaluator.Evaluate(program, [input], diagnostics));
        var diagnostic = Assert.Single(diagnostics.Diagnostics);
        Assert.Equal(code, diagnostic.Code);
        Assert.Contains(message, diagnostic.Message, StringComparison.Ordinal);
    }

    private static GconvEvaluation Evaluate(GconvProgram program, Tensor input)
    {
        var diagnostics = new DiagnosticBag();
        var evaluation = GconvEvaluator.Evaluate(program, [input], diagnostics);
        Assert.Empty(diagnostics.Diagnostics);
        return evaluation!;
    }

    private static IEnumerable<int> Codes(Tensor tensor) => tensor.AsSpan<sbyte>().ToArray().Select(code => (int)code);
}
