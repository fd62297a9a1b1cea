using System.Globalization;
using System.Text;

namespace CnnCompiler.Image.OpenEdge;

/// <summary>Writes the page <c>docs/openedge-isa.md</c> from the instruction table. A test compares the page with it.</summary>
public static class OpenEdgeReference
{
    private const string Introduction = """
        # OpenEdgeCGRA: instructions and assembler text

        Written from the instruction table (`runtime/CnnCompiler.Image/OpenEdge/OpenEdgeInstructionSet.cs`); a test fails where this page differs and says how to accept the new text. Revision `openedge-4a179fc`.
        """;

    private const string Word = """
        ## The word

        | bits | field | meaning |
        |---|---|---|
        | 31:28 | A | source of operand a |
        | 27:24 | B | source of operand b |
        | 23:19 | OP | opcode |
        | 18:17 | RD | destination register |
        | 16 | WE | 1: the result goes to RD as well |
        | 15:13 | F | flag source of BSFA and BZFA |
        | 12:0 | IMM | constant, sign-extended; branch target in its low five bits; pointer increment in bytes |

        An instruction has one constant field: operands, branch target and increment share it. Word 0 is NOP.
        """;

    private const string TimingText = """
        ## Time

        All cells of a kernel execute the same step together. A step takes the most of: 1 cycle; 3 cycles where any cell multiplies; m + 1 cycles where m is the largest number of loads and stores in one column, on a memory that grants at once.
        Branches cost nothing. The column *cycles* below is what one instruction makes necessary.

        ROUT: *kept* = ROUT and flags keep their value; *result* and *loaded word* replace them; *load buffer* = a store replaces them with the cell's hidden load buffer, which is as good as undefined.
        """;

    private const string Text = """
        ## Assembler text

        One kernel a file. `;` starts a comment. Names of instructions and operands may be written in any letter case, labels may not.

            .kernel name            ; a name, or a string in quotes with \" \\ \n \t \uXXXX
            .columns 0b0011         ; mask of its columns: 1 to 15
            .flash 0x40             ; flash byte address of its words; 0 where left out
            .step 0                 ; begins a step; the number may be left out
                0,0: LWD R1, #4     ; cell row,column: instruction; cells that are left out do nothing
            loop:                   ; a label of the next step
            .step
                0,0: SADD R0, R0, R1
                1,0: BNE R0, #1, loop
                2,1: .word 0xdeadbeef

        * Forms: `ROUT|Rd` is where the result goes (`ROUT`: nowhere else; `R0` to `R3`: to that register as well). `(Rd,)` may be left out. `a` and `b` are operand sources or a constant (`#` and a number, or a label, which is the number of its step).
          Numbers are decimal, `0x` hexadecimal or `0b` binary.
        * A step can have each cell once. A kernel has as many steps as its machine allows (`openedge`: 3 to 32); short kernels end with empty `.step` lines.
        * Words that say something without effect (a reserved opcode or source, a field that the instruction does not use) have no written form but `.word`; the disassembler prints them so, with their fields in a comment. Every kernel that is disassembled and assembled again has the same words.
        """;

    private const string EslText = """
        ## Kernels of the ESL CGRA simulator

        `cnnc asm FILE.csv --format esl-csv` takes the files in which that simulator keeps kernels (`instructions.csv`): for each step a line with its number, then a line for each row of the array with a cell for each column.

        | cell | is |
        |---|---|
        | `SADD R0, R1, 4` and the like | destination, a, b; constants are plain numbers |
        | `BSFA R2, R1, R0, RCT` | destination, a, b, flag source; `ROUT` is the cell's own flags |
        | `LWD R0`, `SWD R1` | the pointer moves by 4 bytes, or by a second operand |
        | `LWI R1, R0`, `SWI 4, ROUT` | destination and address; address and word |
        | `BNE ROUT, ZERO, 8`, `JUMP 8` | a, b, step; JUMP adds its one or two operands |
        | `NOP`, `EXIT`, nothing | |

        `--run` does what the hardware does, which in places is not what the simulator does (`cgra.py` there): a branch leaves 0 or 1 in ROUT, not its target, and may go to step 0; of two branches taken in a step none counts; a store replaces ROUT by the load
        buffer; a taken branch cancels EXIT; shifts take five bits of their count; memory that was never written reads 0, not -1; FXPMUL works; constants have 13 bits, and one instruction has one of them (0 is `ZERO` and needs none).
        `--memory` (`Address,Data`) and `--inputs` (a line has the next word of each column) are its `memory.csv` and `inputs.csv`; `--memory-out` and `--outputs` write such files. Cycles are those of the machine's bus.
        """;

    /// <summary>The page.</summary>
    public static string Page()
    {
        var page = new StringBuilder();
        page.Append(Introduction).Append("\n\n").Append(Word).Append("\n\n## Operand sources\n\n| value | name | reads |\n|---|---|---|\n");
        foreach (var source in OpenEdgeInstructionSet.Sources)
        {
            var name = source.Source == OpenEdgeSource.Immediate ? "#constant" : source.Name;
            Line(page, $"| {(int)source.Source} | `{name}` | {source.Summary} |");
        }

        Line(page, $"| {OpenEdgeInstructionSet.Sources.Count} to 15 | | 0 (unused) |");
        page.Append("\n## Flag sources\n\n| value | name | reads |\n|---|---|---|\n");
        foreach (var flag in OpenEdgeInstructionSet.Flags)
        {
            Line(page, $"| {(int)flag.Flag} | `{flag.Name}` | {flag.Summary} |");
        }

        Line(page, $"| {OpenEdgeInstructionSet.Flags.Count} to 7 | | both flags 0 (unused) |");
        page.Append('\n').Append(TimingText).Append("\n\n## Instructions\n\n| OP | form | result | ROUT and flags | register | cycles | |\n|---|---|---|---|---|---|---|\n");
        foreach (var row in OpenEdgeInstructionSet.Rows)
        {
            var form = row.Kind == OpenEdgeInstructionKind.Reserved ? "`.word`" : $"`{OpenEdgeDisassembler.Form(row).Replace("|", "\\|", StringComparison.Ordinal)}`";
            var alternative = row.Alternative is { } other ? $" Also `{other}`." : string.Empty;
            var result = row.Operation.Replace("|", "\\|", StringComparison.Ordinal);
            Line(page, $"| {(int)row.Opcode} | {form} | {result} | {Name(row.Rout)} | {Name(row.Register)} | {row.MinimumCycles} | {row.Summary}{alternative} |");
        }

        return page.Append('\n').Append(Text).Append("\n\n").Append(EslText).Append('\n').ToString().ReplaceLineEndings("\n");
    }

    private static string Name(OpenEdgeRoutEffect effect) => effect switch
    {
        OpenEdgeRoutEffect.Kept => "kept",
        OpenEdgeRoutEffect.Result => "result",
        OpenEdgeRoutEffect.LoadedWord => "loaded word",
        _ => "load buffer",
    };

    private static string Name(OpenEdgeRegisterEffect effect) => effect switch
    {
        OpenEdgeRegisterEffect.Result => "result",
        OpenEdgeRegisterEffect.LoadedWord => "loaded word",
        _ => "never written",
    };

    private static void Line(StringBuilder page, FormattableString line) => page.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
