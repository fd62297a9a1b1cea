using CnnCompiler.Core;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.TestSupport;

namespace CnnCompiler.Ir.Tests.Gconv;

public sealed class GconvTextTests
{
    public static TheoryData<string, string, string> Faults => new()
    {
        // text of the sample, what stands there instead, the place and code that are reported
        { "gconv \"sample\"", "gcon \"sample\"", "sample.gconv(1,1): error CNN0903" },
        { "pre input - 1", "pre inputs - 1", "sample.gconv(9,9): error CNN0903" },
        { "pre input - 1", "pre extraX", "sample.gconv(9,9): error CNN0903" },
        { "pre input - 1", "pre clamp(input, 1)", "sample.gconv(9,23): error CNN0903" },
        { "pre input - 1", "pre input - 99999999999999999999", "sample.gconv(9,17): error CNN0904" },
        { "pre input - 1", "main input", "sample.gconv(9,5): error CNN0903" },
        { "read %x[n.opc, h.opc + h.ks]", "read %x[n.opc, h.opc + w.ks]", "sample.gconv(6,28): error CNN0903" },
        { "read %x[n.opc, h.opc + h.ks]", "read %x[n.opc, h.opc + 99999999999999999999*h.ks]", "sample.gconv(6,28): error CNN0904" },
        { "read %x[n.opc, h.opc + h.ks]", "read %x[n.opc, 9223372036854775807*h.ks + h.ks]", "sample.gconv(6,20): error CNN0904" },
        { "[n.opc 2, c.op 3, h.opc 3, h.ks 4]", "[n.opc 2, c.op 3, h.opc 3, h.kernel 4]", "sample.gconv(5,41): error CNN0903" },
        { "[n.opc 2, c.op 3, h.opc 3, h.ks 4]", "[n.opc 2, c.op 3, h.opc 3, ks 4]", "sample.gconv(5,41): error CNN0903" },
        { "[n.opc 2, c.op 3, h.opc 3, h.ks 4]", "[n.opc 2, c.op 3, h.opc 3, h.ks 4000000000]", "sample.gconv(5,46): error CNN0904" },
        { "reduce add i32", "reduce sum i32", "sample.gconv(11,12): error CNN0903" },
        { "reduce add i32", "reduce add int", "sample.gconv(11,16): error CNN0903" },
        { "requantize(tflite-double", "requantize(tflite", "sample.gconv(30,21): error CNN0903" },
        { "fill 7", "fill x", "sample.gconv(42,36): error CNN0903" },
        { "reshape %y", "transpose %y", "sample.gconv(15,11): error CNN0903" },
        { "shift=24", "shift:24", "sample.gconv(70,46): error CNN0903" },
        { "exp(input * 0.125)", "expo(input * 0.125)", "sample.gconv(65,10): error CNN0903" },
        { "exp(input * 0.125)", "exp(input * 1e400)", "sample.gconv(65,22): error CNN0904" },
        { "exp(input * 0.125)", "exp()", "sample.gconv(65,14): error CNN0903" },
        { "lookup(extra0", "lookup(acc", "sample.gconv(67,61): error CNN0903" },
        { "(h.opc - h.ks + 1)/2", "(h.opc - h.ks + 1)", "sample.gconv(53,38): error CNN0903" },
        { "(h.opc - h.ks + 1)/2", "(h.opc - h.ks + 1)/x", "sample.gconv(53,39): error CNN0903" },
        { "%flat = reshape %y", "host %flat = shape %y", "sample.gconv(15,16): error CNN0903" },
        { "i32[3]{100, -200, 300}", "i32[3]{100, -200}", "sample.gconv(4,17): error CNN0908" },
        { "constant %b = i32[3]{100, -200, 300}", "constant %b = @b#0123456789abcdef:i32[3]", "sample.gconv(4,17): error CNN0905" },
        { "output %f\n}", "output %f\n", "sample.gconv(75,1): error CNN0903" },
        { "output %f\n}", "output %f\n} }", "sample.gconv(75,3): error CNN0903" },
        { "  %flat", "  ? flat", "sample.gconv(15,3): error CNN0903" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Bad_text_is_one_diagnostic_with_its_line_and_column(string text, string replacement, string start)
    {
        var diagnostics = new DiagnosticBag();

        Assert.Null(GconvParser.Parse(GconvSample.With(text, replacement), "sample.gconv", ConstantStore.Empty, diagnostics));
        Assert.StartsWith(start, Assert.Single(diagnostics.Diagnostics).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Each_bad_statement_is_reported_and_the_rest_read_on()
    {
        var text = GconvSample.With("post acc + extra0", "post acc +").Replace("reshape %y", "reshape y", StringComparison.Ordinal).Replace("max(acc, -100)", "max(acc)", StringComparison.Ordinal);
        var diagnostics = new DiagnosticBag();

        Assert.Null(GconvParser.Parse(text, "sample.gconv", ConstantStore.Empty, diagnostics));
        Assert.Equal([13, 15, 21], diagnostics.Diagnostics.Select(diagnostic => diagnostic.Span.Line));
    }

    [Fact]
    public void What_is_printed_reads_back_as_the_same_chain_and_the_same_text()
    {
        var program = GconvSample.Parse(GconvSample.Text);
        var text = GconvPrinter.Print(program);
        var diagnostics = new DiagnosticBag();

        var read = GconvParser.Parse(text.Text, "sample.gconv", text.Constants, diagnostics)!;

        Assert.Empty(diagnostics.Diagnostics);
        Assert.Equal(program, read);
        Assert.Equal(text.Text, GconvPrinter.Print(read).Text);
    }

    [Fact]
    public void Random_chains_and_programs_read_back()
    {
        for (var seed = 0; seed < 500; seed++)
        {
            var (program, _) = RandomContractions.Make(seed);
            var operation = (GconvOperator)program.Steps[0];
            program = program with { Steps = [operation with { Post = RandomProgram(new((ulong)seed), 4) }] };
            var text = GconvPrinter.Print(program);
            var diagnostics = new DiagnosticBag();

            var read = GconvParser.Parse(text.Text, "random.gconv", text.Constants, diagnostics);

            Assert.Empty(diagnostics.Diagnostics);
            Assert.True(program == read, text.Text);
        }
    }

    [Fact]
    public void The_table_states_the_loops_and_steps_of_each_dimension()
    {
        var operation = (GconvOperator)GconvSample.Parse(GconvSample.With("2*h.opc + h.ks - 1] skip", "2*h.opc + 3*h.ks - 2] skip")).Steps[2];

        Assert.Equal([new("n", 1, 1, 2, 1, 1, 0, 1), new("h", 1, 1, 4, 3, 2, 2, 3)], GconvTable.Of(operation));
    }

    [Theory]
    [InlineData("| h     1    1     3    4  1   0    1", "| h     1    1     3    5  1   0    1")]
    [InlineData("| c     1    3     1    1  1   0    1\n", "")]
    [InlineData("| c     1    3     1    1", "| c     3    1     1    1")]
    [InlineData("| h     1    1     4    3  2   1    1", "| h     1    1     4    3  2   0    1")]
    public void A_table_that_is_not_its_operators_is_refused(string text, string replacement)
    {
        var printed = GconvPrinter.Print(GconvSample.Parse(GconvSample.Text)).Text;
        Assert.Contains(text, printed, StringComparison.Ordinal);
        var diagnostics = new DiagnosticBag();

        Assert.Null(GconvParser.Parse(printed.Replace(text, replacement, StringComparison.Ordinal), "sample.gconv", ConstantStore.Empty, diagnostics));
        Assert.Equal("CNN0954", Assert.Single(diagnostics.Diagnostics).Code);
    }

    [Fact]
    public void Programs_and_loops_beyond_the_limits_are_refused_before_they_cost_anything()
    {
        Assert.Equal("CNN0953", Only(GconvSample.With("pre input - 1", $"pre {new string('(', 100_000)}input")));
        Assert.Equal("CNN0953", Only(GconvSample.With("pre input - 1", $"pre {string.Concat(Enumerable.Repeat("max(", 100_000))}input")));
        Assert.Equal("CNN0953", Only(GconvSample.With("pre input - 1", $"pre input{string.Concat(Enumerable.Repeat(" + input", 100_000))}")));
        Assert.Equal("CNN0955", Only(GconvSample.With("h.opc 3, h.ks 4]", $"h.opc 3, h.ks 4{string.Concat(Enumerable.Range(0, 1000).Select(i => $", d{i}.ks 1"))}]")));

        static string Only(string text)
        {
            var diagnostics = new DiagnosticBag();
            Assert.Null(GconvParser.Parse(text, "sample.gconv", ConstantStore.Empty, diagnostics));
            return diagnostics.Diagnostics[0].Code;
        }
    }

    [Fact]
    public void Damaged_text_never_gets_further_than_diagnostics()
    {
        var original = GconvPrinter.Print(GconvSample.Parse(GconvSample.Text)).Text;
        const string characters = "%[]{}()<>,:=+-*|0123456789 \nabcdefghijklmnopqrstuvwxyz._\"\\#@";
        for (var seed = 0; seed < 4000; seed++)
        {
            var random = new SeededRandom((ulong)seed);
            var text = original.ToCharArray().ToList();
            for (var change = random.Next(1, 3); change > 0; change--)
            {
                var at = random.Next(0, text.Count - 1);
                switch (random.Next(0, 3))
                {
                    case 0:
                        text.RemoveRange(at, Math.Min(random.Next(1, 40), text.Count - at));
                        break;
                    case 1:
                        text.Insert(at, characters[random.Next(0, characters.Length - 1)]);
                        break;
                    default:
                        text[at] = characters[random.Next(0, characters.Length - 1)];
                        break;
                }
            }

            var diagnostics = new DiagnosticBag();
            var program = GconvParser.Parse(new string([.. text]), "damaged.gconv", ConstantStore.Empty, diagnostics);
            Assert.Equal(program is null, diagnostics.HasErrors);
            if (program is not null)
            {
                GconvVerifier.Check(program);
                var again = GconvPrinter.Print(program);
                Assert.Equal(program, GconvParser.Parse(again.Text, "again.gconv", again.Constants, diagnostics));
            }
        }
    }

    private static ScalarExpression RandomProgram(SeededRandom random, int depth)
    {
        if (depth == 0)
        {
            return random.Next(0, 6) switch
            {
                0 => Scalar.Input,
                1 => Scalar.Kernel,
                2 => Scalar.TapCount,
                3 => Scalar.Extra(random.Next(0, 3)),
                5 => Scalar.Real(random.Choose(0.0, -0.0, 1.0, -12.5, 1e300, 5e-324, 0.1, double.NaN, double.PositiveInfinity, double.NegativeInfinity, random.Next(-300, 300))),
                4 => Scalar.Literal(random.OneIn(5) ? long.MinValue : random.Next(-300, 300)),
                _ => Scalar.Accumulator,
            };
        }

        ScalarCall Call(ScalarFunctionInfo function) => new(function.Function, function.Parameters.Select(_ => Next()).ToEquatableArray());

        ScalarExpression Next() => RandomProgram(random, random.Next(0, depth - 1));
        return random.Next(0, 5) switch
        {
            4 => new ScalarLookup(random.Next(0, 3), Next()),
            5 => Call(random.Choose<ScalarFunctionInfo>([.. ScalarFunctions.All])),
            0 => new ScalarClamp(Next(), Next(), Next()),
            1 => new ScalarRequantize(random.Choose<Network.RoundingScheme>(Enum.GetValues<Network.RoundingScheme>()), Next(), Next(), Next()),
            _ => new ScalarBinary(random.Choose<ScalarBinaryOperator>(Enum.GetValues<ScalarBinaryOperator>()), Next(), Next()),
        };
    }
}
