using System.Globalization;
using CnnCompiler.Image.Container;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.OpenEdge.Esl;

/// <summary>
/// Assembles the files in which the ESL CGRA simulator keeps kernels (<c>instructions.csv</c>): for each step a line with its number, then a line a row with a cell a column.
/// What the kernel does is what the hardware does with these instructions; where that simulator differs stands in <c>docs/openedge-isa.md</c>.
/// </summary>
public static class EslAssembler
{
    private const int MostErrors = 200;

    /// <summary>Assembles a kernel. One of fewer steps than load correctly is filled up with steps that do nothing, behind its own.</summary>
    /// <param name="text">The file's text.</param>
    /// <param name="file">The file as the user named it.</param>
    /// <param name="name">Name of the kernel.</param>
    /// <param name="diagnostics">Gets what is wrong, with lines and columns.</param>
    /// <param name="machine">Gives the limits of kernels.</param>
    /// <returns>The kernel, on all columns, or null where something is wrong.</returns>
    public static KernelImage? Assemble(string text, string file, string name, DiagnosticBag diagnostics, MachineDescription machine)
    {
        var problems = new DiagnosticBag();
        var steps = new List<uint[]>();
        var row = -1; // row of the step that is read, -1 before its header
        var lineNumber = 0;
        var last = SourceSpan.WholeFile(file);
        foreach (var line in text.AsSpan().TrimStart('\uFEFF').EnumerateLines())
        {
            lineNumber++;
            try
            {
                var cells = CsvCells.Read(line, file, lineNumber);
                if (cells.Count == 0)
                {
                    continue;
                }

                last = cells[0].Span(file, lineNumber);
                if (row < 0)
                {
                    Begin(cells, last, steps, machine);
                    row = 0;
                }
                else
                {
                    Row(cells, file, lineNumber, steps[^1].AsSpan(row * machine.Columns, machine.Columns), problems);
                    row = row + 1 == machine.Rows ? -1 : row + 1;
                }
            }
            catch (DiagnosticException problem)
            {
                // a line that is no line of this form leaves nothing to go on with
                problems.Report(problem.Diagnostic);
                break;
            }

            if (problems.Diagnostics.Count > MostErrors)
            {
                problems.Report(AssemblerDiagnostics.TooManyErrors(SourceSpan.At(file, lineNumber, 0), MostErrors));
                break;
            }
        }

        if (!problems.HasErrors && (steps.Count == 0 || row >= 0))
        {
            problems.Report(steps.Count == 0 ? EslDiagnostics.Empty(file) : EslDiagnostics.RowsMissing(last, row, machine.Rows));
        }

        diagnostics.Report(problems.Diagnostics);
        return problems.HasErrors ? null : Kernel(name, steps, machine);
    }

    private static void Begin(List<CsvCell> cells, SourceSpan span, List<uint[]> steps, MachineDescription machine)
    {
        if (!cells[0].Text.All(char.IsAsciiDigit) || cells[0].Text.Length == 0 || cells.Skip(1).Any(cell => cell.Text.Length > 0))
        {
            throw new DiagnosticException(EslDiagnostics.Header(span, AssemblerDiagnostics.Short(string.Join(',', cells.Select(cell => cell.Text)))));
        }

        if (steps.Count == machine.StepsPerKernel)
        {
            throw new DiagnosticException(AssemblerDiagnostics.TooManySteps(span, machine.StepsPerKernel));
        }

        steps.Add(new uint[machine.Rows * machine.Columns]);
    }

    private static void Row(List<CsvCell> cells, string file, int line, Span<uint> words, DiagnosticBag problems)
    {
        var count = cells.Count;
        while (count > words.Length && cells[count - 1].Text.Length == 0)
        {
            count--;
        }

        if (count != words.Length)
        {
            throw new DiagnosticException(EslDiagnostics.Cells(cells[0].Span(file, line), count, words.Length));
        }

        for (var column = 0; column < words.Length; column++)
        {
            try
            {
                words[column] = EslInstruction.Encode(cells[column].Text, cells[column].Span(file, line)).Word;
            }
            catch (DiagnosticException problem)
            {
                problems.Report(problem.Diagnostic);
            }
        }
    }

    private static KernelImage Kernel(string name, List<uint[]> steps, MachineDescription machine)
    {
        var count = Math.Max(steps.Count, machine.MinStepsPerKernel);
        var rows = new uint[machine.Rows][];
        for (var row = 0; row < machine.Rows; row++)
        {
            rows[row] = new uint[machine.Columns * count];
            for (var column = 0; column < machine.Columns; column++)
            {
                for (var step = 0; step < steps.Count; step++)
                {
                    rows[row][(column * count) + step] = steps[step][(row * machine.Columns) + column];
                }
            }
        }

        return new(name, count, (1 << machine.Columns) - 1, rows, 0);
    }
}

/// <summary>One cell of the ESL simulator's files: <c>SADD R0, R1, 4</c>, <c>LWI ROUT, R2</c>, <c>SWI address, data</c>, <c>BNE ROUT, ZERO, 8</c>.</summary>
internal sealed class EslInstruction
{
    private const int WordBytes = 4;

    private readonly SourceSpan _span;
    private int? _immediate;

    private EslInstruction(SourceSpan span) => _span = span;

    /// <summary>Encodes a cell; an empty one does nothing.</summary>
    /// <exception cref="DiagnosticException">It is no instruction.</exception>
    public static OpenEdgeInstruction Encode(string text, SourceSpan span)
    {
        var words = text.Split([' ', ',', '\t'], StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0)
        {
            return default;
        }

        var row = OpenEdgeInstructionSet.Find(words[0]) ?? throw new DiagnosticException(AssemblerDiagnostics.UnknownMnemonic(span, words[0]));
        return new EslInstruction(span).Encode(row, words.AsSpan(1));
    }

    private OpenEdgeInstruction Encode(OpenEdgeInstructionRow row, ReadOnlySpan<string> words)
    {
        var (form, least, most) = Form(row.Kind);
        if (words.Length < least || words.Length > most)
        {
            var full = $"{row.Mnemonic} {form}".TrimEnd();
            throw new DiagnosticException(words.Length < least ? AssemblerDiagnostics.TooFewOperands(_span, row, full) : AssemblerDiagnostics.TooManyOperands(_span, row, full));
        }

        switch (row.Kind)
        {
            case OpenEdgeInstructionKind.LoadDirect:
                return Make(row, default, default, Destination(words[0]), Increment(words, 1));
            case OpenEdgeInstructionKind.StoreDirect:
                return Make(row, Value(words[0]), default, null, Increment(words, 1));
            case OpenEdgeInstructionKind.LoadIndirect:
                return Make(row, default, Value(words[1]), Destination(words[0]));
            case OpenEdgeInstructionKind.StoreIndirect:
                var address = Value(words[0]);
                return Make(row, Value(words[1]), address, null);
            case OpenEdgeInstructionKind.Branch:
                return Make(row, Value(words[0]), Value(words[1]), null, Target(words[2]));
            case OpenEdgeInstructionKind.Jump:
                return Make(row, Value(words[0]), words.Length > 1 ? Value(words[1]) : default, null);
            case OpenEdgeInstructionKind.Select:
                return Make(row, Value(words[1]), Value(words[2]), Destination(words[0]), flag: Flag(words[3]));
            case OpenEdgeInstructionKind.Nop or OpenEdgeInstructionKind.Exit:
                return Make(row, default, default, null);
            default:
                return Make(row, Value(words[1]), Value(words[2]), Destination(words[0]));
        }
    }

    private static (string Form, int Least, int Most) Form(OpenEdgeInstructionKind kind) => kind switch
    {
        OpenEdgeInstructionKind.LoadDirect => ("ROUT|Rd, (bytes)", 1, 2),
        OpenEdgeInstructionKind.StoreDirect => ("value, (bytes)", 1, 2),
        OpenEdgeInstructionKind.LoadIndirect => ("ROUT|Rd, address", 2, 2),
        OpenEdgeInstructionKind.StoreIndirect => ("address, value", 2, 2),
        OpenEdgeInstructionKind.Branch => ("a, b, step", 3, 3),
        OpenEdgeInstructionKind.Jump => ("a, (b)", 1, 2),
        OpenEdgeInstructionKind.Select => ("ROUT|Rd, a, b, flag", 4, 4),
        OpenEdgeInstructionKind.Nop or OpenEdgeInstructionKind.Exit => (string.Empty, 0, 0),
        _ => ("ROUT|Rd, a, b", 3, 3),
    };

    private OpenEdgeInstruction Make(OpenEdgeInstructionRow row, OpenEdgeSource a, OpenEdgeSource b, int? register, int? constant = null, OpenEdgeFlagSource flag = default)
    {
        if (constant is { } value)
        {
            Constant(value);
        }

        return OpenEdgeInstruction.Encode(row.Opcode, a, b, register, _immediate ?? 0, flag);
    }

    private int? Destination(string text)
    {
        if (IsRout(text))
        {
            return null;
        }

        return Source(text) is { Register: >= 0 } row ? row.Register : throw new DiagnosticException(AssemblerDiagnostics.NotARegister(_span, text));
    }

    private OpenEdgeSource Value(string text)
    {
        if (IsRout(text))
        {
            return OpenEdgeSource.Rout;
        }

        if (Source(text) is { } row)
        {
            return row.Source;
        }

        var value = Number(text) ?? throw new DiagnosticException(AssemblerDiagnostics.UnknownSource(_span, text, [.. Named.Select(known => known.Name)]));

        // an instruction has one constant: 0 has a source of its own and leaves the field to others
        if (value == 0)
        {
            return OpenEdgeSource.Zero;
        }

        Constant(value);
        return OpenEdgeSource.Immediate;
    }

    private OpenEdgeFlagSource Flag(string text)
    {
        if (IsRout(text))
        {
            return OpenEdgeFlagSource.Own;
        }

        return OpenEdgeInstructionSet.Flags.FirstOrDefault(row => row.Name.Equals(text, StringComparison.OrdinalIgnoreCase)) is { } found
            ? found.Flag
            : throw new DiagnosticException(AssemblerDiagnostics.UnknownFlag(_span, text));
    }

    private int Target(string text)
    {
        var target = Number(text) ?? throw new DiagnosticException(AssemblerDiagnostics.UndefinedLabel(_span, text, []));
        return target is >= 0 and < OpenEdgeKernelConfiguration.MaxSteps ? (int)target : throw new DiagnosticException(AssemblerDiagnostics.TargetOutOfRange(_span, target));
    }

    private int Increment(ReadOnlySpan<string> words, int at) => words.Length <= at
        ? WordBytes
        : Number(words[at]) is { } bytes ? (int)bytes : throw new DiagnosticException(AssemblerDiagnostics.UnknownSource(_span, words[at], []));

    private void Constant(long value)
    {
        if (value is < OpenEdgeInstruction.MinImmediate or > OpenEdgeInstruction.MaxImmediate)
        {
            throw new DiagnosticException(AssemblerDiagnostics.ConstantOutOfRange(_span, value));
        }

        if (_immediate is { } other && other != value)
        {
            throw new DiagnosticException(AssemblerDiagnostics.ConstantsDiffer(_span, other, value));
        }

        _immediate = (int)value;
    }

    private static long? Number(string text) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : null;

    // SELF is the name of the generator of bitstreams, ROUT that of the simulator
    private static bool IsRout(string text) => text.Equals("ROUT", StringComparison.OrdinalIgnoreCase) || text.Equals("SELF", StringComparison.OrdinalIgnoreCase);

    private static IEnumerable<OpenEdgeSourceRow> Named => OpenEdgeInstructionSet.Sources.Where(row => row.Source != OpenEdgeSource.Immediate);

    private static OpenEdgeSourceRow? Source(string text) => Named.FirstOrDefault(row => row.Name.Equals(text, StringComparison.OrdinalIgnoreCase));
}
