using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Image.OpenEdge;

/// <summary>Encodes one written instruction, operand slot by operand slot as the instruction table says.</summary>
internal sealed class AssemblerInstruction
{
    private readonly AssemblerLine _line;
    private readonly IReadOnlyDictionary<string, int> _labels;
    private int? _register;
    private OpenEdgeSource _a;
    private OpenEdgeSource _b;
    private OpenEdgeFlagSource _flag;
    private long? _immediate;

    private AssemblerInstruction(AssemblerLine line, IReadOnlyDictionary<string, int> labels)
    {
        _line = line;
        _labels = labels;
    }

    /// <summary>Encodes what stands behind a cell. Throws <see cref="DiagnosticException"/>.</summary>
    public static OpenEdgeInstruction Encode(AssemblerLine line, IReadOnlyDictionary<string, int> labels)
    {
        var first = line.Take();
        if (first is { Kind: AssemblerTokenKind.Directive, Text: ".word" })
        {
            var word = line.Take(AssemblerTokenKind.Number, "an instruction word");
            line.End();
            return word.Value >= 0 ? new((uint)word.Value) : throw new DiagnosticException(AssemblerDiagnostics.WordOutOfRange(word.Span, word.Value));
        }

        if (first.Kind != AssemblerTokenKind.Name)
        {
            throw new DiagnosticException(AssemblerDiagnostics.Expected(first.Span, "an instruction or .word", first.Shown));
        }

        var row = OpenEdgeInstructionSet.Find(first.Text) ?? throw new DiagnosticException(AssemblerDiagnostics.UnknownMnemonic(first.Span, first.Text));
        return new AssemblerInstruction(line, labels).Encode(row, first.Span);
    }

    private OpenEdgeInstruction Encode(OpenEdgeInstructionRow row, SourceSpan mnemonic)
    {
        var operands = Split(row, mnemonic);
        var next = 0;
        foreach (var slot in row.Operands)
        {
            // The optional register is there where all places have an operand.
            if (slot != OpenEdgeOperandSlot.OptionalRegister || operands.Count == row.Operands.Count)
            {
                Operand(row, slot, operands[next++]);
            }
        }

        return OpenEdgeInstruction.Encode(row.Opcode, _a, _b, _register, (int)(_immediate ?? 0), _flag);
    }

    /// <summary>The operands between the commas, each with its brackets told apart.</summary>
    private List<(AssemblerToken Token, bool Bracketed, bool At)> Split(OpenEdgeInstructionRow row, SourceSpan mnemonic)
    {
        var form = OpenEdgeDisassembler.Form(row);
        var operands = new List<(AssemblerToken, bool, bool)>();
        if (_line.Next.Kind != AssemblerTokenKind.End)
        {
            do
            {
                var bracketed = _line.TryTake('[');
                var at = _line.TryTake('@');
                if (!at)
                {
                    _line.TryTake('#');
                }

                var token = _line.Next.Kind == AssemblerTokenKind.Number ? _line.Take() : _line.Take(AssemblerTokenKind.Name, "an operand");
                if (bracketed)
                {
                    _line.Take(']', "']'");
                }

                operands.Add((token, bracketed, at));
                if (operands.Count > row.Operands.Count)
                {
                    throw new DiagnosticException(AssemblerDiagnostics.TooManyOperands(token.Span, row, form));
                }
            }
            while (_line.TryTake(','));
        }

        _line.End();
        var optional = row.Operands.Contains(OpenEdgeOperandSlot.OptionalRegister) ? 1 : 0;
        return operands.Count >= row.Operands.Count - optional
            ? operands
            : throw new DiagnosticException(AssemblerDiagnostics.TooFewOperands(mnemonic, row, form));
    }

    private void Operand(OpenEdgeInstructionRow row, OpenEdgeOperandSlot slot, (AssemblerToken Token, bool Bracketed, bool At) operand)
    {
        var (token, bracketed, at) = operand;
        if (bracketed != (slot == OpenEdgeOperandSlot.AddressB) || (at && slot != OpenEdgeOperandSlot.Target))
        {
            throw new DiagnosticException(slot == OpenEdgeOperandSlot.AddressB
                ? AssemblerDiagnostics.NeedsBrackets(token.Span, row, OpenEdgeDisassembler.Form(row))
                : AssemblerDiagnostics.Expected(token.Span, bracketed ? "an operand without brackets" : "an operand without '@'", token.Shown));
        }

        switch (slot)
        {
            case OpenEdgeOperandSlot.Destination when Is(token, OpenEdgeSource.Rout):
                break;
            case OpenEdgeOperandSlot.Destination or OpenEdgeOperandSlot.OptionalRegister:
                _register = Source(token) is { Register: >= 0 } source
                    ? source.Register
                    : throw new DiagnosticException(AssemblerDiagnostics.NotARegister(token.Span, token.Text));
                break;
            case OpenEdgeOperandSlot.A:
                _a = Value(token);
                break;
            case OpenEdgeOperandSlot.B or OpenEdgeOperandSlot.AddressB:
                _b = Value(token);
                break;
            case OpenEdgeOperandSlot.Flag:
                _flag = OpenEdgeInstructionSet.Flags.FirstOrDefault(flag => flag.Name.Equals(token.Text, StringComparison.OrdinalIgnoreCase)) is { } found
                    ? found.Flag
                    : throw new DiagnosticException(AssemblerDiagnostics.UnknownFlag(token.Span, token.Text));
                break;
            case OpenEdgeOperandSlot.Target:
                Constant(token, Target(token));
                break;
            case OpenEdgeOperandSlot.Increment:
                Constant(token, Number(token));
                break;
        }
    }

    private OpenEdgeSource Value(AssemblerToken token)
    {
        if (Source(token) is { } source)
        {
            return source.Source;
        }

        Constant(token, Number(token));
        return OpenEdgeSource.Immediate;
    }

    private long Number(AssemblerToken token)
    {
        if (token.Kind == AssemblerTokenKind.Number)
        {
            return token.Value;
        }

        return _labels.TryGetValue(token.Text, out var step)
            ? step
            : throw new DiagnosticException(AssemblerDiagnostics.UnknownSource(token.Span, token.Text, [.. Named.Select(row => row.Name), .. _labels.Keys]));
    }

    private long Target(AssemblerToken token)
    {
        if (token.Kind == AssemblerTokenKind.Number)
        {
            return token.Value is >= 0 and < OpenEdgeKernelConfiguration.MaxSteps
                ? token.Value
                : throw new DiagnosticException(AssemblerDiagnostics.TargetOutOfRange(token.Span, token.Value));
        }

        return _labels.TryGetValue(token.Text, out var step)
            ? step
            : throw new DiagnosticException(AssemblerDiagnostics.UndefinedLabel(token.Span, token.Text, [.. _labels.Keys]));
    }

    private void Constant(AssemblerToken token, long value)
    {
        if (value is < OpenEdgeInstruction.MinImmediate or > OpenEdgeInstruction.MaxImmediate)
        {
            throw new DiagnosticException(AssemblerDiagnostics.ConstantOutOfRange(token.Span, value));
        }

        if (_immediate is { } other && other != value)
        {
            throw new DiagnosticException(AssemblerDiagnostics.ConstantsDiffer(token.Span, other, value));
        }

        _immediate = value;
    }

    // The constant is written as its value, not by the name of its source.
    private static IEnumerable<OpenEdgeSourceRow> Named => OpenEdgeInstructionSet.Sources.Where(row => row.Source != OpenEdgeSource.Immediate);

    private static OpenEdgeSourceRow? Source(AssemblerToken token) =>
        Named.FirstOrDefault(row => row.Name.Equals(token.Text, StringComparison.OrdinalIgnoreCase));

    private static bool Is(AssemblerToken token, OpenEdgeSource source) => Source(token)?.Source == source;
}
