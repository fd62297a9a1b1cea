using CnnCompiler.Image.Container;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Image.OpenEdge.Esl;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.Tests.OpenEdge;

/// <summary>Kernels in the form of the ESL simulator.</summary>
public sealed class EslAssemblerTests
{
    private const string Nops = "NOP,NOP,NOP,NOP";

    public static TheoryData<string, string> Cells => new()
    {
        { "NOP", "NOP" },
        { "", "NOP" },
        { "EXIT", "EXIT" },
        { "LWD R0", "LWD R0, #4" },
        { "LWD ROUT", "LWD ROUT, #4" },
        { "LWD R3, -8", "LWD R3, #-8" },
        { "SWD RCT", "SWD RCT, #4" },
        { "SWD R1, 16", "SWD R1, #16" },
        { "LWI ROUT, 1000", "LWI ROUT, [#1000]" },
        { "LWI R1, R0", "LWI R1, [R0]" },
        { "SWI 4, RCT", "SWI RCT, [#4]" },
        { "SWI R2, ROUT", "SWI ROUT, [R2]" },
        { "SADD R0, R0, 5", "SADD R0, R0, #5" },
        { "SADD ROUT 1 RCB", "SADD ROUT, #1, RCB" },
        { "SADD SELF, SELF, 0", "SADD ROUT, ROUT, ZERO" },
        { "SSUB ROUT, ROUT, -3", "SSUB ROUT, ROUT, #-3" },
        { "SLT R0, 1, R0 ", "SLL R0, #1, R0" },
        { "SRT R0, 1, R0", "SRL R0, #1, R0" },
        { "fxpmul r1, r2, zero", "FXPMUL R1, R2, ZERO" },
        { "BSFA R2, R1, R0, RCT", "BSFA R2, R1, R0, RCT" },
        { "BZFA ROUT, R1, 7, ROUT", "BZFA ROUT, R1, #7, SELF" },
        { "BEQ ROUT, 0, 9", "BEQ ROUT, ZERO, @9" },
        { "BNE R1, R0, 0", "BNE R1, R0, @0" },
        { "BGE R1, 3, 3", "BGE R1, #3, @3" },
        { "JUMP 2", "JUMP #2, ZERO" },
        { "JUMP R1, 2", "JUMP R1, #2" },
    };

    public static TheoryData<string, string, string> Mistakes => new()
    {
        { "SAD R0, R0, 5", "CNN0506", "did you mean 'SADD'" },
        { "SADD R0, R0", "CNN0507", "SADD ROUT|Rd, a, b" },
        { "SADD R0, R0, 1, 2", "CNN0508", "too many operands" },
        { "SADD R0, R0, 5000", "CNN0509", "13 bits" },
        { "BEQ R0, 5, 9", "CNN0510", "both 5 and 9" },
        { "SADD RCL, R0, 5", "CNN0511", "can't be a destination" },
        { "SADD R0, R5, 1", "CNN0512", "neither" },
        { "BSFA R0, R1, R2, RXX", "CNN0513", "flag source" },
        { "BEQ R0, R1, loop", "CNN0514", "label" },
        { "BEQ R0, R1, 32", "CNN0515", "0 to 31" },
    };

    [Theory]
    [MemberData(nameof(Cells))]
    public void A_cell_of_the_simulator_means_this_instruction(string cell, string instruction)
    {
        var kernel = Assembled($"0,,,\n{Nops}\nNOP,\"{cell}\",NOP,NOP\n{Nops}\n{Nops}\n");
        var word = kernel.Rows[1][kernel.Steps];
        Assert.Equal(instruction, OpenEdgeDisassembler.Format(new(word)));
        Assert.Equal(instruction == "NOP" ? 0 : 1, kernel.Rows.SelectMany(row => row).Count(other => other != 0));
    }

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_is_told_at_its_cell(string cell, string code, string says)
    {
        var problems = new DiagnosticBag();
        Assert.Null(EslAssembler.Assemble($"0,,,\n{Nops}\nNOP, \"{cell}\",NOP,NOP\n{Nops}\n{Nops}\n", "k.csv", "k", problems, BuiltInMachines.Default));
        var told = Assert.Single(problems.Diagnostics);
        Assert.Equal((code, 3, 6), (told.Code, told.Span.Line, told.Span.Column));
        Assert.Contains(says, told.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "CNN0544")]
    [InlineData("\n\n", "CNN0544")]
    [InlineData("NOP,NOP,NOP,NOP\n", "CNN0541")]
    [InlineData("0,1,,\n", "CNN0541")]
    [InlineData("0,,,\nNOP,NOP,NOP\n", "CNN0542")]
    [InlineData("0,,,\nNOP,NOP,NOP,NOP,NOP\n", "CNN0542")]
    [InlineData("0,,,\nNOP,\"NOP,NOP,NOP\n", "CNN0540")]
    [InlineData("0,,,\nNOP,\"NOP\"x,NOP,NOP\n", "CNN0540")]
    [InlineData("0,,,\nNOP,NOP,NOP,NOP\nNOP,NOP,NOP,NOP\n", "CNN0543")]
    public void A_file_of_another_form_is_refused(string text, string code)
    {
        var problems = new DiagnosticBag();
        Assert.Null(EslAssembler.Assemble(text, "k.csv", "k", problems, BuiltInMachines.Default));
        Assert.Equal([code], problems.Diagnostics.Select(told => told.Code));
    }

    [Fact]
    public void A_kernel_has_as_many_steps_as_the_machine_takes_and_short_ones_are_filled_up()
    {
        var step = $"0,,,\n{Nops}\n{Nops}\n{Nops}\nNOP,NOP,NOP,EXIT\n";
        Assert.Equal(3, Assembled(step).Steps);
        Assert.Equal(32, Assembled(string.Concat(Enumerable.Repeat(step, 32))).Steps);
        var problems = new DiagnosticBag();
        Assert.Null(EslAssembler.Assemble(string.Concat(Enumerable.Repeat(step, 33)), "k.csv", "k", problems, BuiltInMachines.Default));
        Assert.Equal(["CNN0520"], problems.Diagnostics.Select(told => told.Code));
    }

    [Fact]
    public void Line_ends_marks_of_order_and_empty_cells_behind_a_row_do_not_matter()
    {
        var plain = Assembled($"0,,,\n{Nops}\n{Nops}\n{Nops}\nEXIT,NOP,NOP,NOP\n");
        var other = Assembled($"\uFEFF7\r\n{Nops},,\r\n\r\n{Nops}\r\n{Nops}\r\n EXIT , NOP,,");
        Assert.Equal(plain.Rows.SelectMany(row => row), other.Rows.SelectMany(row => row));
    }

    [Fact]
    public void Memory_is_addresses_and_words_of_which_the_first_counts()
    {
        var problems = new DiagnosticBag();
        var words = EslTables.ReadMemory("Address,Data\n1000,-3\n1004,4294967295\n1000,9\n", "m.csv", problems);
        Assert.Equal([(1000u, unchecked((uint)-3)), (1004u, uint.MaxValue)], words!);
        Assert.Equal("Address,Data\n1000,-3\n1004,-1\n", EslTables.WriteMemory(words!));
        Assert.Equal(words, EslTables.ReadMemory(EslTables.WriteMemory(words!), "m.csv", problems));
        Assert.Empty(problems.Diagnostics);
        Assert.Null(EslTables.ReadMemory("Address,Data\n1001,1\n1000\n1000,x\n", "m.csv", problems));
        Assert.Equal([("CNN0545", 2), ("CNN0545", 3), ("CNN0545", 4)], problems.Diagnostics.Select(told => (told.Code, told.Span.Line)));
    }

    [Fact]
    public void Streams_are_read_and_written_a_line_for_each_word()
    {
        var problems = new DiagnosticBag();
        var streams = EslTables.ReadStreams("2,3,4,9\n5,-6,,\n7,,,\n", "i.csv", problems)!;
        Assert.Equal([[2u, 5u, 7u], [3u, unchecked((uint)-6)], [4u], [9u]], streams);
        Assert.Equal("2,3,4,9\n5,-6,,\n7,,,\n", EslTables.WriteStreams(streams));
        Assert.Null(EslTables.ReadStreams("1,,,\n1,2,,x\n", "i.csv", problems));
        Assert.Equal(["CNN0547", "CNN0547"], problems.Diagnostics.Select(told => told.Code));
        Assert.Null(EslTables.ReadStreams("1,2,3,x\n", "i.csv", problems));
        Assert.Equal("CNN0546", problems.Diagnostics[^1].Code);
    }

    [Fact]
    public void No_text_gives_an_exception_or_endless_messages()
    {
        var state = 12345u;
        const string letters = "0,\"\n\r SADDRLWI4-9;EXIT\t\uFEFF\u0000";
        for (var round = 0; round < 2000; round++)
        {
            var text = new char[round % 60];
            for (var at = 0; at < text.Length; at++)
            {
                state = (state * 1664525) + 1013904223;
                text[at] = letters[(int)(state >> 16) % letters.Length];
            }

            var problems = new DiagnosticBag();
            EslAssembler.Assemble($"0,,,\n{new string(text)}", "k.csv", "k", problems, BuiltInMachines.Default);
            EslTables.ReadMemory(new string(text), "m.csv", problems);
            EslTables.ReadStreams(new string(text), "i.csv", problems);
            Assert.All(problems.Diagnostics, told => Assert.NotEmpty(told.Span.File));
        }

        var many = new DiagnosticBag();
        EslAssembler.Assemble(string.Concat(Enumerable.Repeat("0,,,\nA,B,C,D\nA,B,C,D\nA,B,C,D\nA,B,C,D\n", 32)), "k.csv", "k", many, BuiltInMachines.Default);
        Assert.InRange(many.Diagnostics.Count, 200, 210);
    }

    private static KernelImage Assembled(string text)
    {
        var problems = new DiagnosticBag();
        var kernel = EslAssembler.Assemble(text, "k.csv", "k", problems, BuiltInMachines.Default);
        Assert.Empty(problems.Diagnostics);
        return kernel!;
    }
}
