using CnnCompiler.Core;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;
using static CnnCompiler.Mapped.Tests.Programs;

namespace CnnCompiler.Mapped.Tests;

public sealed class MappedTextTests
{
    private static readonly MappedProgram Small = Convolution(3, 4, 2, 2, 5, new SeededRandom(3).Many(36, -9, 9), [1, 2], 1 << 30, -2);

    public static TheoryData<string> Examples => [.. Named.Keys];

    private static Dictionary<string, MappedProgram> Named { get; } = new(StringComparer.Ordinal)
    {
        ["convolution"] = Small,
        ["guards"] = Increment(9),
        ["softmax"] = OneStep(new MappedSoftmax("soft \"max\"", "in", "out", 2, 3, 1 << 30, 20, -1), [2, 3], [2, 3]),
        ["odd names"] = Increment(9).WithNest(0, nest => nest with { Loops = [Loop("same", 3), Loop("same", 4)] }),
        ["odder names"] = Increment(9).WithNest(0, nest => nest with { Loops = [Loop("loop1", 3), Loop("no word", 4)] }),
        ["no loops"] = OneStep(Nest("n", [], [], new("out", Affine(0)), new Ir.Gconv.ScalarLiteral(-7), Accumulator), [1], [1]),
    };

    [Theory]
    [MemberData(nameof(Examples))]
    public void Text_reads_back_as_an_equal_program(string name)
    {
        var program = Named[name];
        var (text, constants) = MappedPrinter.Print(program);
        var bag = new DiagnosticBag();
        Assert.Equal(program, MappedParser.Parse(text, "test.mapped", constants, bag));
        Assert.Empty(bag.Diagnostics);
    }

    [Fact]
    public void A_nest_is_readable()
    {
        const string expected = """
              nest "contract" kernel "test" {
                for [y 3, x 4, k 2, r 3 reduced, s 3 reduced, c 2 reduced]
                read %padded[12*y + 2*x + 12*r + 2*s + c]
                read %weights[18*k + 6*r + 2*s + c]
                read %bias[k]
                term (extra0 - 5) * extra1
                reduce add
                post acc + extra2
                write %sums[8*y + 2*x + k]
              }
            """;
        var (text, constants) = MappedPrinter.Print(Small);
        Assert.Contains(expected.ReplaceLineEndings("\n"), text, StringComparison.Ordinal);
        Assert.Contains("  buffer %padded activation [3, 4, 2] lanes 4 pitch [12, 2, 1] halo [1, 1, 0] [1, 1, 0] fill 5 words 15\n", text, StringComparison.Ordinal);

        // 36 weights go to the companion, two biases stay
        Assert.Equal("weights", Assert.Single(constants.Constants).Name);
    }

    [Fact]
    public void Each_bad_statement_is_one_diagnostic_with_its_line()
    {
        const string text = """
            mapped "bad" {
              buffer %a middle [1] lanes 4 pitch [1] words 1
              buffer %b input [1] lanes 4 words 1
              nest "n" kernel "k" {
                for [i 4]
                term extra0
                reduce product
                post acc
                write %b[i]
              }
              value "v" = %b [1] after soon
              nonsense
            }
            """;
        var bag = new DiagnosticBag();
        Assert.Null(MappedParser.Parse(text, "bad.mapped", ConstantStore.Empty, bag));
        Assert.Equal([2, 3, 7, 11, 12], bag.Diagnostics.Select(diagnostic => diagnostic.Span.Line));
    }

    [Fact]
    public void Damaged_text_is_never_a_crash()
    {
        var (text, constants) = MappedPrinter.Print(Small);
        var random = new SeededRandom(23);
        const string noise = "{}[]%@\"#0-9a<>*+, x\n";
        for (var round = 0; round < 500; round++)
        {
            var damaged = text.ToCharArray();
            for (var change = 0; change <= random.Below(3); change++)
            {
                damaged[random.Below(damaged.Length)] = noise[random.Below(noise.Length)];
            }

            var bag = new DiagnosticBag();
            var program = MappedParser.Parse(new string(damaged, 0, 1 + random.Below(damaged.Length)), "damaged.mapped", constants, bag);
            Assert.Equal(program is null, bag.HasErrors);
            if (program is not null)
            {
                _ = MappedVerifier.Check(program);
            }
        }
    }
}
