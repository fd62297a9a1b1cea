using System.Numerics;
using CnnCompiler.Fuzzing;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.Tests.OpenEdge;

public sealed class AssemblerTests
{
    private static readonly MachineDescription Machine = BuiltInMachines.Default;

    [Fact]
    public void A_kernel_is_assembled_word_for_word()
    {
        var kernel = Assembled("""
            ; sums a column of words
            .kernel sum
            .columns 0b0101
            .flash 0x40
            .step
                0,0: LWD R1, #4
                3,2: NOP R3               ; clears
            again:
            .step 1
                0,0: SADD R0, R0, R1
                1,0: bsfa ROUT, RCT, #-4096, RCL
                2,2: slt R2, RCB, 31
            .step
                0,0: BNE ROUT, ZERO, again
                1,0: SWD RCR, #-4
                2,0: SWI ROUT, [R2]
                1,2: LWI R3, [#64]
                2,2: JUMP ZERO, again
                3,2: EXIT
            .step 3
                0,2: .word 0xdeadbeef
            """);
        Assert.Equal(("sum", 4, 5, 0x40), (kernel.Name, kernel.Steps, kernel.ColumnMask, kernel.Flash));
        // Fields written out by hand: A 31:28, B 27:24, OP 23:19, RD 18:17, WE 16, F 15:13, IMM 12:0.
        uint[][] expected =
        [
            [21u << 19 | 1 << 17 | 1 << 16 | 4, 6u << 28 | 7u << 24 | 1u << 19 | 1 << 16, 1u << 28 | 17u << 19 | 1, 0, 0, 0, 0, 0xdeadbeef],
            [0, 4u << 28 | 10u << 24 | 14u << 19 | 1 << 13 | 0x1000, 3u << 28 | 22u << 19 | 0x1FFC, 0, 0, 0, 10u << 24 | 23u << 19 | 3 << 17 | 1 << 16 | 64, 0],
            [0, 0, 1u << 28 | 8u << 24 | 24u << 19, 0, 0, 5u << 28 | 10u << 24 | 5u << 19 | 2 << 17 | 1 << 16 | 31, 10u << 24 | 20u << 19 | 1, 0],
            [0, 0, 0, 0, 3 << 17 | 1 << 16, 0, 25u << 19, 0],
        ];
        Assert.Equal(expected, kernel.Rows);
    }

    [Fact]
    public void Every_word_of_every_field_combination_round_trips()
    {
        // All opcodes x A x B x RD x WE x F, with constants that are canonical, shared with targets, and not canonical.
        int[] constants = [0, 7, -1, 32];
        var kernel = new WordCollector();
        foreach (var constant in constants)
        {
            for (uint fields = 0; fields < 1u << 19; fields++)
            {
                kernel.Add((fields << 13) | ((uint)constant & 0x1FFF));
            }
        }

        kernel.Flush();
        Assert.Equal(constants.Length << 19, kernel.Words);
        Assert.True(kernel.Written > 20_000, $"only {kernel.Written} words have a written form");
    }

    [Fact]
    public void Every_constant_of_every_opcode_round_trips()
    {
        var kernel = new WordCollector();
        for (uint opcode = 0; opcode < 32; opcode++)
        {
            for (uint constant = 0; constant < 1 << 13; constant++)
            {
                kernel.Add(10u << 28 | 10u << 24 | opcode << 19 | constant);
                kernel.Add(opcode << 19 | constant);
            }
        }

        kernel.Flush();
    }

    [Fact]
    public void Random_words_round_trip()
    {
        var generator = new SeededRandom(2);
        var kernel = new WordCollector();
        for (var i = 0; i < 500_000; i++)
        {
            kernel.Add(generator.NextBits());
        }

        kernel.Flush();
    }

    [Fact]
    public void Kernels_of_all_masks_lengths_and_names_round_trip()
    {
        string[] names = ["conv", "a b", "", "\"quoted\\\" ; : \t\n", "größe", "😀", "\ud800", "a\u2028b\u0085", "R0", "12"];
        var generator = new SeededRandom(3);
        for (var mask = 1; mask < 16; mask++)
        {
            var columns = BitOperations.PopCount((uint)mask);
            for (var steps = 3; steps <= 32; steps++)
            {
                var rows = Enumerable.Range(0, 4).Select(_ => Enumerable.Range(0, columns * steps).Select(_ => Canonical(generator)).ToArray()).ToArray();
                var kernel = new KernelImage(names[(mask + steps) % names.Length], steps, mask, rows, generator.Choose(0, 4, 0x12340, int.MaxValue, int.MinValue));
                Same(kernel, Assembled(OpenEdgeDisassembler.Print(kernel)));
            }
        }
    }

    [Fact]
    public void Each_meaning_is_written_and_read_with_the_forms_of_the_table()
    {
        foreach (var row in OpenEdgeInstructionSet.Rows)
        {
            var word = OpenEdgeInstruction.Encode(row.Opcode).Word;
            Assert.Equal(row.Kind != OpenEdgeInstructionKind.Reserved, OpenEdgeInstructionSet.IsCanonical(new(word)));
            var text = OpenEdgeDisassembler.Format(new(word));
            Assert.StartsWith(row.Kind == OpenEdgeInstructionKind.Reserved ? ".word" : row.Mnemonic, text, StringComparison.Ordinal);
            Assert.StartsWith(row.Mnemonic, OpenEdgeDisassembler.Form(row), StringComparison.Ordinal);
        }

        Assert.Equal("SADD ROUT|Rd, a, b", OpenEdgeDisassembler.Form(OpenEdgeInstructionSet.Get(OpenEdgeOpcode.SAdd)));
        Assert.Equal("BEQ (Rd,) a, b, label|@step", OpenEdgeDisassembler.Form(OpenEdgeInstructionSet.Get(OpenEdgeOpcode.Beq)));
        Assert.Equal("EXIT (Rd)", OpenEdgeDisassembler.Form(OpenEdgeInstructionSet.Get(OpenEdgeOpcode.Exit)));
        Assert.Equal("SWI a, [b]", OpenEdgeDisassembler.Form(OpenEdgeInstructionSet.Get(OpenEdgeOpcode.Swi)));
        Assert.Equal("BGE R2, #5, RCT, @5", OpenEdgeDisassembler.Format(OpenEdgeInstruction.Encode(OpenEdgeOpcode.Bge, OpenEdgeSource.Immediate, OpenEdgeSource.Top, 2, 5)));
        Assert.Equal(".word 0xb0d00000 ; OP26 A=11 B=0 RD=0 WE=0 F=0 IMM=0", OpenEdgeDisassembler.Format(new(0xb0d00000)));
    }

    [Theory]
    [InlineData("0,0: SADD ROUT, R0, $", "CNN0501", 21, "'$'")]
    [InlineData(".kernel \"x", "CNN0502", 9, "no end")]
    [InlineData("0,0: SADD ROUT, R0, 99999999999", "CNN0503", 21, "not a number")]
    [InlineData("0,0: SADD ROUT, R0, 0xfg", "CNN0503", 21, "not a number")]
    [InlineData("0,0: SADD ROUT, R0, 12ab", "CNN0503", 21, "not a number")]
    [InlineData(".stepp", "CNN0504", 1, "did you mean '.step'?")]
    [InlineData("0,0 SADD ROUT, R0, R1", "CNN0505", 5, "':'")]
    [InlineData("0,0: SADD ROUT, R0, R1 R2", "CNN0505", 24, "end of the line")]
    [InlineData("0,0:", "CNN0505", 5, "an instruction or .word")]
    [InlineData("0,0: LWD [R0], #4", "CNN0505", 11, "without brackets")]
    [InlineData("0,0: SADD ROUT, @3, R1", "CNN0505", 18, "without '@'")]
    [InlineData("0,0: SADDD ROUT, R0, R1", "CNN0506", 6, "did you mean 'SADD'?")]
    [InlineData("0,0: OP26", "CNN0506", 6, "no instruction")]
    [InlineData("0,0: LWI R1", "CNN0507", 6, "LWI ROUT|Rd, [b]")]
    [InlineData("0,0: LWD R1, #4, #8", "CNN0508", 19, "too many operands")]
    [InlineData("0,0: SADD ROUT, R0, #4096", "CNN0509", 22, "-4096 to 4095")]
    [InlineData("0,0: LWD R0, #-4097", "CNN0509", 15, "-4096 to 4095")]
    [InlineData("0,0: SADD ROUT, #1, #2", "CNN0510", 22, "both 1 and 2")]
    [InlineData("0,0: BEQ R0, #3, there", "CNN0510", 18, "both 3 and 1")]
    [InlineData("0,0: SADD RCL, R0, R1", "CNN0511", 11, "'RCL' can't be a destination")]
    [InlineData("0,0: SADD R4, R0, R1", "CNN0511", 11, "R0 to R3")]
    [InlineData("0,0: NOP ROUT", "CNN0511", 10, "R0 to R3")]
    [InlineData("0,0: SADD ROUT, RCX, R1", "CNN0512", 17, "did you mean 'RCL'?")]
    [InlineData("0,0: BSFA ROUT, R0, R1, R2", "CNN0513", 25, "flag source")]
    [InlineData("0,0: BEQ R0, R1, ther", "CNN0514", 18, "did you mean 'there'?")]
    [InlineData("0,0: BEQ R0, R1, @32", "CNN0515", 19, "0 to 31")]
    [InlineData("0,0: LWI R0, R1", "CNN0516", 14, "brackets")]
    [InlineData("there:", "CNN0517", 1, "twice")]
    [InlineData("rout:", "CNN0518", 1, "operand's name")]
    [InlineData(".step 7", "CNN0522", 7, "step 2, not 7")]
    [InlineData("4,0: NOP", "CNN0524", 1, "no cell 4,0")]
    [InlineData("0,-1: NOP", "CNN0524", 1, "no cell 0,-1")]
    [InlineData("0,3: NOP", "CNN0525", 1, "0b111")]
    [InlineData("3,1: NOP", "CNN0526", 1, "second instruction in step 1; the first is in line 6")]
    [InlineData(".columns 16", "CNN0527", 10, "1 to 15")]
    [InlineData(".columns 0", "CNN0527", 10, "1 to 15")]
    [InlineData(".kernel y", "CNN0529", 1, "second time")]
    [InlineData("0,0: .word -1", "CNN0531", 12, "32 bits")]
    public void A_mistake_is_reported_with_its_place(string line, string code, int column, string text)
    {
        var source = $"""
            .kernel x
            .columns 0b111
            .step
            there:
            .step
            3,1: EXIT
            {line}
            .step
            .step
            """.ReplaceLineEndings("\n");
        var bag = new DiagnosticBag();
        Assert.Null(OpenEdgeAssembler.Assemble(source, "k.asm", bag));
        var diagnostic = Assert.Single(bag.Diagnostics, diagnostic => diagnostic.Code == code);
        Assert.Equal(("k.asm", 7, column), (diagnostic.Span.File, diagnostic.Span.Line, diagnostic.Span.Column));
        Assert.Contains(text, diagnostic.ToString(), StringComparison.Ordinal);
        Assert.NotEmpty(diagnostic.Remedy);
    }

    [Fact]
    public void Mistakes_of_the_whole_kernel_are_reported()
    {
        Assert.Equal(["CNN0528", "CNN0528", "CNN0521"], Codes(""));
        Assert.Equal(["CNN0521"], Codes(".kernel k\n.columns 1\n.step\n.step\n"));
        Assert.Equal(["CNN0520"], Codes(".kernel k\n.columns 1\n" + string.Concat(Enumerable.Repeat(".step\n", 33))));
        Assert.Equal(["CNN0519"], Codes(".kernel k\n.columns 1\n.step\n.step\n.step\nlast:\n"));
        Assert.Equal(["CNN0523"], Codes(".kernel k\n.columns 1\n0,0: NOP\n.step\n.step\n.step\n"));
        Assert.Equal(["CNN0530"], Codes(".kernel k\n.columns 15\n" + string.Concat(Enumerable.Repeat(".step\n", 5)), Machine with { ContextWordsPerRow = 16 }));
        Assert.Equal([], Codes(".kernel k\n.columns 1\n.step", Machine with { MinStepsPerKernel = 1 }));
        Assert.Equal("CNN0532", Codes(string.Concat(Enumerable.Repeat("?\n", 1000)))[201]);
    }

    [Fact]
    public void The_assembler_goes_on_after_a_mistake()
    {
        var bag = new DiagnosticBag();
        Assert.Null(OpenEdgeAssembler.Assemble(".kernel k\n.columns 3\n.step\n0,0: FOO\n0,1: SADD R9, R1, R2\n$\n.step\n1,1: BEQ R0, R1, x\n.step\n", "k", bag));
        Assert.Equal([4, 5, 6, 8], bag.Diagnostics.Select(diagnostic => diagnostic.Span.Line).Order());
    }

    [Fact]
    public void Damaged_text_is_a_diagnostic_and_never_an_exception()
    {
        var generator = new SeededRandom(4);
        var rows = Enumerable.Range(0, 4).Select(_ => Enumerable.Range(0, 16).Select(_ => Canonical(generator)).ToArray()).ToArray();
        var text = OpenEdgeDisassembler.Print(new("k", 8, 3, rows, 0));
        var refused = 0;
        for (var i = 0; i < 5_000; i++)
        {
            var mutant = text.ToCharArray();
            for (var n = generator.Next(1, 4); n > 0; n--)
            {
                mutant[generator.Below(mutant.Length)] = generator.Choose(',', ':', '#', '@', '[', ']', '.', ';', '"', '\\', '\n', '0', '9', '-', 'R', 'x', ' ', '\ud800', '\0', 'é');
            }

            var bag = new DiagnosticBag();
            var kernel = OpenEdgeAssembler.Assemble(new string(mutant)[..generator.Next(0, mutant.Length)], "k", bag);
            Assert.Equal(kernel is null, bag.HasErrors);
            Assert.All(bag.Diagnostics, diagnostic => Assert.InRange(diagnostic.ToString().Length, 1, 1000));
            refused += kernel is null ? 1 : 0;
        }

        Assert.InRange(refused, 3_000, 4_999);
    }

    private static string[] Codes(string text, MachineDescription? machine = null)
    {
        var bag = new DiagnosticBag();
        var kernel = OpenEdgeAssembler.Assemble(text, "k", bag, machine);
        Assert.Equal(kernel is null, bag.HasErrors);
        return [.. bag.Diagnostics.Select(diagnostic => diagnostic.Code)];
    }

    private static KernelImage Assembled(string text)
    {
        var bag = new DiagnosticBag();
        var kernel = OpenEdgeAssembler.Assemble(text, "test", bag);
        Assert.Empty(bag.Diagnostics);
        return kernel!;
    }

    private static void Same(KernelImage expected, KernelImage actual)
    {
        Assert.Equal((expected.Name, expected.Steps, expected.ColumnMask, expected.Flash), (actual.Name, actual.Steps, actual.ColumnMask, actual.Flash));
        Assert.Equal(expected.Rows.SelectMany(row => row), actual.Rows.SelectMany(row => row));
        Assert.All(actual.Rows, row => Assert.Equal(expected.Rows[0].Count, row.Count));
    }

    private static uint Canonical(SeededRandom generator)
    {
        while (true)
        {
            var i = OpenEdgeInstruction.Encode(
                (OpenEdgeOpcode)generator.Below(26),
                (OpenEdgeSource)generator.Below(11),
                (OpenEdgeSource)generator.Below(11),
                generator.OneIn(2) ? generator.Below(4) : null,
                generator.Choose(0, generator.Below(32), generator.Next(-4096, 4095)),
                (OpenEdgeFlagSource)generator.Choose(0, generator.Below(5)));
            if (OpenEdgeInstructionSet.IsCanonical(i))
            {
                return i.Word;
            }

            if (generator.Below(100) == 0)
            {
                return generator.NextBits();
            }
        }
    }

    /// <summary>Fills whole kernels with words and checks that each kernel survives printing and assembling.</summary>
    private sealed class WordCollector
    {
        private readonly uint[] _words = new uint[4 * 128];
        private int _count;

        public int Words { get; private set; }

        public int Written { get; private set; }

        public void Add(uint word)
        {
            _words[_count++] = word;
            Words++;
            Written += OpenEdgeInstructionSet.IsCanonical(new(word)) ? 1 : 0;
            if (_count == _words.Length)
            {
                Flush();
            }
        }

        public void Flush()
        {
            _words.AsSpan(_count).Clear();
            _count = 0;
            uint[][] rows = [_words[..128], _words[128..256], _words[256..384], _words[384..]];
            Same(new("k", 32, 15, rows, 0), Assembled(OpenEdgeDisassembler.Print(new("k", 32, 15, rows, 0))));
        }
    }
}
