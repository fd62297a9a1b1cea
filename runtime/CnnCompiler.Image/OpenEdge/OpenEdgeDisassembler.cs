using System.Globalization;
using System.Numerics;
using System.Text;
using CnnCompiler.Image.Container;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.OpenEdge;

/// <summary>Prints kernels in the form that <see cref="OpenEdgeAssembler"/> reads: assembling what is printed gives the same kernel, word for word.</summary>
public static class OpenEdgeDisassembler
{
    /// <summary>Prints a kernel. Cells whose word is 0 (NOP) are left out.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="bus">With a bus, a comment behind each step says what it costs there and what it waits for.</param>
    public static string Print(KernelImage kernel, BusDescription? bus = null)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $".kernel {Quote(kernel.Name)}\n");
        text.Append(CultureInfo.InvariantCulture, $".columns 0b{Convert.ToString(kernel.ColumnMask, 2).PadLeft(4, '0')}\n");
        text.Append(CultureInfo.InvariantCulture, $".flash {(kernel.Flash < 0 ? kernel.Flash.ToString(CultureInfo.InvariantCulture) : $"0x{kernel.Flash:x}")}\n");
        var targets = Targets(kernel);
        for (var step = 0; step < kernel.Steps; step++)
        {
            text.Append('\n');
            if (targets.Contains(step))
            {
                text.Append(CultureInfo.InvariantCulture, $"{Label(step)}:\n");
            }

            text.Append(CultureInfo.InvariantCulture, $".step {step}");
            text.Append(bus is null ? "\n" : $"  ; {OpenEdgeStepTiming.Of(kernel, step, bus)}\n");
            foreach (var (row, column, instruction) in Cells(kernel, step))
            {
                text.Append(CultureInfo.InvariantCulture, $"    {row},{column}: {Format(instruction, target => target < kernel.Steps ? Label(target) : null)}\n");
            }
        }

        return text.ToString();
    }

    /// <summary>Prints one instruction, with branch targets as <c>@step</c>. Words without a written form are printed as <c>.word</c> and their fields in a comment.</summary>
    public static string Format(OpenEdgeInstruction instruction) => Format(instruction, _ => null);

    /// <summary>The written form of an instruction, for messages and docs: <c>SADD ROUT|Rd, a, b</c>.</summary>
    public static string Form(OpenEdgeInstructionRow row)
    {
        // The optional register stands first and brings its comma with it.
        var operands = string.Join(", ", row.Operands.Where(slot => slot != OpenEdgeOperandSlot.OptionalRegister).Select(slot => slot switch
        {
            OpenEdgeOperandSlot.Destination => "ROUT|Rd",
            OpenEdgeOperandSlot.A => "a",
            OpenEdgeOperandSlot.B => "b",
            OpenEdgeOperandSlot.AddressB => "[b]",
            OpenEdgeOperandSlot.Flag => "flag",
            OpenEdgeOperandSlot.Target => "label|@step",
            _ => "#bytes",
        }));
        var optional = row.Operands.Contains(OpenEdgeOperandSlot.OptionalRegister) ? operands.Length == 0 ? "(Rd)" : "(Rd,) " : string.Empty;
        return $"{row.Mnemonic} {optional}{operands}".TrimEnd();
    }

    private static string Format(OpenEdgeInstruction instruction, Func<int, string?> label)
    {
        if (!OpenEdgeInstructionSet.IsCanonical(instruction))
        {
            var (i, row) = (instruction, OpenEdgeInstructionSet.Get(instruction));
            return string.Create(
                CultureInfo.InvariantCulture,
                $".word 0x{i.Word:x8} ; {row.Mnemonic} A={(int)i.A} B={(int)i.B} RD={i.Register} WE={(i.WritesRegister ? 1 : 0)} F={(int)i.Flag} IMM={i.Immediate}");
        }

        var instructionRow = OpenEdgeInstructionSet.Get(instruction);
        var operands = instructionRow.Operands
            .Where(slot => slot != OpenEdgeOperandSlot.OptionalRegister || instruction.WritesRegister)
            .Select(slot => slot switch
            {
                OpenEdgeOperandSlot.Destination when !instruction.WritesRegister => "ROUT",
                OpenEdgeOperandSlot.Destination or OpenEdgeOperandSlot.OptionalRegister => OpenEdgeInstructionSet.Sources.First(source => source.Register == instruction.Register).Name,
                OpenEdgeOperandSlot.A => Source(instruction.A, instruction),
                OpenEdgeOperandSlot.B => Source(instruction.B, instruction),
                OpenEdgeOperandSlot.AddressB => $"[{Source(instruction.B, instruction)}]",
                OpenEdgeOperandSlot.Flag => OpenEdgeInstructionSet.Flags[(int)instruction.Flag].Name,
                OpenEdgeOperandSlot.Target => label(instruction.BranchTarget) ?? string.Create(CultureInfo.InvariantCulture, $"@{instruction.BranchTarget}"),
                _ => Constant(instruction),
            });
        return $"{instructionRow.Mnemonic} {string.Join(", ", operands)}".TrimEnd();
    }

    private static string Source(OpenEdgeSource source, OpenEdgeInstruction instruction) =>
        source == OpenEdgeSource.Immediate ? Constant(instruction) : OpenEdgeInstructionSet.Sources[(int)source].Name;

    private static string Constant(OpenEdgeInstruction instruction) => string.Create(CultureInfo.InvariantCulture, $"#{instruction.Immediate}");

    private static string Label(int step) => string.Create(CultureInfo.InvariantCulture, $"L{step}");

    private static HashSet<int> Targets(KernelImage kernel) =>
        [.. Enumerable.Range(0, kernel.Steps)
            .SelectMany(step => Cells(kernel, step))
            .Where(cell => OpenEdgeInstructionSet.IsCanonical(cell.Instruction) && OpenEdgeInstructionSet.Get(cell.Instruction).Immediate == OpenEdgeImmediateUse.BranchTarget)
            .Select(cell => cell.Instruction.BranchTarget)];

    private static IEnumerable<(int Row, int Column, OpenEdgeInstruction Instruction)> Cells(KernelImage kernel, int step)
    {
        for (var row = 0; row < kernel.Rows.Count; row++)
        {
            var rank = 0;
            for (var mask = (uint)kernel.ColumnMask; mask != 0; mask &= mask - 1, rank++)
            {
                var word = kernel.Rows[row][rank * kernel.Steps + step];
                if (word != 0)
                {
                    yield return (row, BitOperations.TrailingZeroCount(mask), new(word));
                }
            }
        }
    }

    /// <summary>A name as one word: as it is where it is an identifier, else in quotes with escapes, so that no name can break a line.</summary>
    internal static string Quote(string name)
    {
        if (AssemblerTokens.IsName(name))
        {
            return name;
        }

        var text = new StringBuilder("\"");
        foreach (var c in name)
        {
            _ = c switch
            {
                '"' or '\\' => text.Append('\\').Append(c),
                // Line and paragraph separators end a line for some readers; surrogates may stand alone.
                _ when char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        }

        return text.Append('"').ToString();
    }
}
