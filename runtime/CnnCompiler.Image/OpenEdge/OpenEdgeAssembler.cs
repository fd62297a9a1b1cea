using System.Numerics;
using CnnCompiler.Image.Container;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Image.OpenEdge;

/// <summary>
/// Assembles the text of one kernel; <see cref="OpenEdgeDisassembler"/> writes the same form, which <c>docs/openedge-isa.md</c> describes.
/// It goes on after a mistake, so that one run shows them all.
/// </summary>
public static class OpenEdgeAssembler
{
    private const int MostErrors = 200;

    /// <summary>Assembles a kernel.</summary>
    /// <param name="text">The text.</param>
    /// <param name="file">The file as the user named it.</param>
    /// <param name="diagnostics">Gets what is wrong (CNN0501 to CNN0599), with lines and columns.</param>
    /// <param name="machine">Gives the limits of kernels; the default machine where it is left out.</param>
    /// <returns>The kernel, or null where something is wrong.</returns>
    public static KernelImage? Assemble(string text, string file, DiagnosticBag diagnostics, MachineDescription? machine = null)
    {
        var assembly = new KernelAssembly(file, machine ?? BuiltInMachines.Default);
        var lineNumber = 0;
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            lineNumber++;
            try
            {
                assembly.Line(new(AssemblerTokens.Read(line, file, lineNumber)));
            }
            catch (DiagnosticException problem)
            {
                assembly.Problems.Report(problem.Diagnostic);
            }

            if (assembly.Problems.Diagnostics.Count > MostErrors)
            {
                assembly.Problems.Report(AssemblerDiagnostics.TooManyErrors(SourceSpan.At(file, lineNumber, 0), MostErrors));
                break;
            }
        }

        var kernel = assembly.Finish();
        diagnostics.Report(assembly.Problems.Diagnostics);
        return assembly.Problems.HasErrors ? null : kernel;
    }
}

/// <summary>The tokens of one line and the place up to which they are read.</summary>
internal sealed class AssemblerLine(List<AssemblerToken> tokens)
{
    private int _at;

    public AssemblerToken Next => tokens[_at];

    public AssemblerToken Take() => tokens[_at < tokens.Count - 1 ? _at++ : _at];

    public bool TryTake(char mark)
    {
        var found = Next.IsMark(mark);
        if (found)
        {
            _at++;
        }

        return found;
    }

    public AssemblerToken Take(AssemblerTokenKind kind, string what) =>
        Next.Kind == kind ? Take() : throw new DiagnosticException(AssemblerDiagnostics.Expected(Next.Span, what, Next.Shown));

    public void Take(char mark, string what)
    {
        if (!TryTake(mark))
        {
            throw new DiagnosticException(AssemblerDiagnostics.Expected(Next.Span, what, Next.Shown));
        }
    }

    public void End() => Take(AssemblerTokenKind.End, "the end of the line");
}

/// <summary>What is known of a kernel while its lines are read. Instructions are encoded at the end, when all labels are known.</summary>
internal sealed class KernelAssembly(string file, MachineDescription machine)
{
    private static readonly string[] Directives = [".kernel", ".columns", ".flash", ".step", ".word"];

    private readonly Dictionary<string, int> _labels = new(StringComparer.Ordinal);
    private readonly List<(string Name, SourceSpan Span)> _waitingLabels = [];
    private readonly List<(int Step, int Row, int Column, AssemblerLine Line, SourceSpan Span)> _cells = [];
    private readonly Dictionary<(int Step, int Row, int Column), int> _occupied = [];
    private string? _name;
    private int? _mask;
    private int? _flash;
    private int _steps;
    private SourceSpan _lastStep = SourceSpan.WholeFile(file);

    /// <summary>What is wrong so far.</summary>
    public DiagnosticBag Problems { get; } = new();

    public void Line(AssemblerLine line)
    {
        while (line.Next.Kind == AssemblerTokenKind.Name)
        {
            var label = line.Take();
            line.Take(':', "':' behind a label, or a cell (row,column:)");
            Label(label);
        }

        switch (line.Next.Kind)
        {
            case AssemblerTokenKind.Directive:
                Directive(line.Take(), line);
                line.End();
                break;
            case AssemblerTokenKind.Number:
                Cell(line);
                break;
            default:
                line.End();
                break;
        }
    }

    public KernelImage? Finish()
    {
        if (_name is null)
        {
            Problems.Report(AssemblerDiagnostics.Missing(file, ".kernel", ".kernel and a name"));
        }

        if (_mask is null)
        {
            Problems.Report(AssemblerDiagnostics.Missing(file, ".columns", ".columns 0b1111, the mask of its columns"));
        }

        foreach (var (name, span) in _waitingLabels)
        {
            Problems.Report(AssemblerDiagnostics.LabelAtEnd(span, name));
        }

        if (_steps < machine.MinStepsPerKernel)
        {
            Problems.Report(AssemblerDiagnostics.TooFewSteps(_lastStep, _steps, machine.MinStepsPerKernel));
        }

        // Without a mask the columns' instructions are still checked, as if all columns were there.
        var mask = _mask ?? (1 << machine.Columns) - 1;
        var columns = BitOperations.PopCount((uint)mask);
        if (_steps * columns > machine.ContextWordsPerRow)
        {
            Problems.Report(AssemblerDiagnostics.ContextExceeded(_lastStep, _steps, columns, machine.ContextWordsPerRow));
        }

        var rows = new uint[machine.Rows][];
        for (var row = 0; row < rows.Length; row++)
        {
            rows[row] = new uint[_steps * columns];
        }

        foreach (var (step, row, column, line, span) in _cells)
        {
            try
            {
                var word = AssemblerInstruction.Encode(line, _labels).Word;
                if ((mask >> column & 1) == 0)
                {
                    Problems.Report(AssemblerDiagnostics.ColumnNotInKernel(span, column, mask));
                    continue;
                }

                var rank = BitOperations.PopCount((uint)mask & ((1u << column) - 1));
                rows[row][rank * _steps + step] = word;
            }
            catch (DiagnosticException problem)
            {
                Problems.Report(problem.Diagnostic);
            }
        }

        return Problems.HasErrors ? null : new(_name!, _steps, mask, rows, _flash ?? 0);
    }

    private void Label(AssemblerToken label)
    {
        if (OpenEdgeInstructionSet.Sources.Any(row => row.Name.Equals(label.Text, StringComparison.OrdinalIgnoreCase)))
        {
            Problems.Report(AssemblerDiagnostics.LabelReserved(label.Span, label.Text));
        }
        else if (_waitingLabels.Exists(waiting => waiting.Name == label.Text) || _labels.ContainsKey(label.Text))
        {
            Problems.Report(AssemblerDiagnostics.LabelTwice(label.Span, label.Text));
        }
        else
        {
            _waitingLabels.Add((label.Text, label.Span));
        }
    }

    private void Directive(AssemblerToken directive, AssemblerLine line)
    {
        switch (directive.Text)
        {
            case ".kernel":
                var name = line.Next.Kind == AssemblerTokenKind.Name ? line.Take() : line.Take(AssemblerTokenKind.Text, "the kernel's name");
                Once(directive, _name is not null);
                _name = name.Text;
                break;
            case ".columns":
                var mask = line.Take(AssemblerTokenKind.Number, "the mask of the kernel's columns");
                Once(directive, _mask is not null);
                if (mask.Value < 1 || mask.Value >= 1 << machine.Columns)
                {
                    Problems.Report(AssemblerDiagnostics.MaskOutOfRange(mask.Span, mask.Value, machine.Columns));
                }

                _mask = (int)Math.Clamp(mask.Value, 1, (1 << machine.Columns) - 1);
                break;
            case ".flash":
                var address = line.Take(AssemblerTokenKind.Number, "a flash byte address");
                Once(directive, _flash is not null);
                if (address.Value is < int.MinValue or > int.MaxValue)
                {
                    Problems.Report(AssemblerDiagnostics.WordOutOfRange(address.Span, address.Value));
                }

                _flash = (int)address.Value;
                break;
            case ".step":
                Step(directive, line);
                break;
            case ".word":
                throw new DiagnosticException(AssemblerDiagnostics.Expected(directive.Span, "a cell (row,column:) before .word", "none"));
            default:
                throw new DiagnosticException(AssemblerDiagnostics.UnknownDirective(directive.Span, directive.Text, Directives));
        }
    }

    private void Once(AssemblerToken directive, bool again)
    {
        if (again)
        {
            Problems.Report(AssemblerDiagnostics.DirectiveTwice(directive.Span, directive.Text));
        }
    }

    private void Step(AssemblerToken directive, AssemblerLine line)
    {
        if (line.Next.Kind == AssemblerTokenKind.Number && line.Take() is var number && number.Value != _steps)
        {
            Problems.Report(AssemblerDiagnostics.StepNumberWrong(number.Span, number.Value, _steps));
        }

        if (_steps == machine.StepsPerKernel)
        {
            throw new DiagnosticException(AssemblerDiagnostics.TooManySteps(directive.Span, machine.StepsPerKernel));
        }

        foreach (var (name, _) in _waitingLabels)
        {
            _labels.Add(name, _steps);
        }

        _waitingLabels.Clear();
        _lastStep = directive.Span;
        _steps++;
    }

    private void Cell(AssemblerLine line)
    {
        var row = line.Take();
        line.Take(',', "',' and the column of the cell");
        var column = line.Take(AssemblerTokenKind.Number, "the column of the cell");
        line.Take(':', "':' and an instruction");
        var span = new SourceSpan(file, row.Span.Line, row.Span.Column, row.Span.Line, column.Span.EndColumn);
        if (_steps == 0)
        {
            throw new DiagnosticException(AssemblerDiagnostics.OutsideStep(span));
        }

        if (row.Value < 0 || row.Value >= machine.Rows || column.Value < 0 || column.Value >= machine.Columns)
        {
            throw new DiagnosticException(AssemblerDiagnostics.CellOutOfRange(span, row.Value, column.Value, machine.Rows, machine.Columns));
        }

        var cell = (_steps - 1, (int)row.Value, (int)column.Value);
        if (!_occupied.TryAdd(cell, span.Line))
        {
            throw new DiagnosticException(AssemblerDiagnostics.CellTwice(span, row.Value, column.Value, _steps - 1, _occupied[cell]));
        }

        _cells.Add((_steps - 1, (int)row.Value, (int)column.Value, line, span));
    }
}
