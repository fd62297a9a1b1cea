using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Frontend.Syntax;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend.Binding;

/// <summary>Constants and integer arithmetic in what is written: 64 bits, division towards zero, every overflow a diagnostic.</summary>
/// <param name="scope">What names stand for.</param>
/// <param name="skipped">Names of which nothing is known.</param>
/// <param name="diagnostics">Takes what is wrong.</param>
internal sealed class ConstantEvaluator(Scope scope, IReadOnlySet<string> skipped, DiagnosticBag diagnostics)
{
    /// <summary>Operands seen so far: the work done.</summary>
    public int Operands { get; private set; }

    /// <summary>A value without names of constants and without arithmetic; a <see cref="WrongValue"/> where that is impossible, which is reported.</summary>
    public ValueSyntax Resolve(ValueSyntax value)
    {
        Operands++;
        switch (value)
        {
            case WordValue word when scope.Find(word.Text) is ConstantEntry constant:
                return constant.Value with { Span = word.Span };
            case ListValue list:
                var items = list.Items.Select(Resolve).ToEquatableArray();
                return items.Any(item => item is WrongValue) ? new WrongValue(list.Span) : list with { Items = items };
            case ArithmeticValue or NegatedValue:
                return Integer(value) is { } integer ? new NumberValue(value.Span, integer.ToString(CultureInfo.InvariantCulture)) : new WrongValue(value.Span);
            default:
                return value;
        }
    }

    /// <summary>An integer, or null where it is none, which is reported.</summary>
    public long? Integer(ValueSyntax value)
    {
        Operands++;
        switch (value)
        {
            case NumberValue number:
                return Parse(number);
            case WordValue word:
                return Integer(word);
            case NegatedValue negated when Integer(negated.Operand) is { } operand:
                return negated.Signs % 2 == 0 ? operand : Apply('-', negated.Span, 0, operand);
            case ArithmeticValue arithmetic:
                return Integer(arithmetic);
            case NegatedValue or WrongValue:
                return null;
            default:
                diagnostics.Report(LanguageDiagnostics.NotAnInteger(value.Span, value.Describe()));
                return null;
        }
    }

    private long? Integer(ArithmeticValue arithmetic)
    {
        var result = Integer(arithmetic.First);
        foreach (var step in arithmetic.Steps)
        {
            // All operands are looked at, so that all mistakes are found.
            var operand = Integer(step.Operand);
            result = result is { } left && operand is { } right ? Apply(step.Operator, step.Span, left, right) : null;
        }

        return result;
    }

    private long? Integer(WordValue word)
    {
        switch (scope.Find(word.Text))
        {
            case ConstantEntry { Value: NumberValue number }:
                return Parse(number);
            case ConstantEntry { Value: WrongValue }:
                return null;
            case ConstantEntry { Value: var other }:
                diagnostics.Report(LanguageDiagnostics.NotAnInteger(word.Span, other.Describe()));
                return null;
            case ValueEntry:
                diagnostics.Report(LanguageDiagnostics.NotAnInteger(word.Span, $"'{LanguageDiagnostics.Shorten(word.Text)}', a value of the network"));
                return null;
        }

        if (scope.FindLater(word.Text) is { } definition)
        {
            diagnostics.Report(LanguageDiagnostics.DefinedLater(word.Span, word.Text, definition));
        }
        else if (!skipped.Contains(word.Text))
        {
            diagnostics.Report(LanguageDiagnostics.UnknownConstant(word.Span, word.Text, Suggestions.Near(word.Text, scope.Names<ConstantEntry>(), diagnostics)));
        }

        return null;
    }

    private long? Parse(NumberValue number)
    {
        if (LanguageNumbers.Integer(number, long.MinValue, long.MaxValue) is { } integer)
        {
            return integer;
        }

        diagnostics.Report(number.Text.All(c => char.IsAsciiDigit(c) || c == '-')
            ? LanguageDiagnostics.Overflow(number.Span)
            : LanguageDiagnostics.NotAnInteger(number.Span, number.Describe()));
        return null;
    }

    private long? Apply(char operation, SourceSpan span, long left, long right)
    {
        if (operation is '/' or '%' && right == 0)
        {
            diagnostics.Report(LanguageDiagnostics.DivisionByZero(span));
            return null;
        }

        var (a, b) = ((Int128)left, (Int128)right);
        var result = operation switch { '+' => a + b, '-' => a - b, '*' => a * b, '/' => a / b, _ => a % b };
        if (result >= long.MinValue && result <= long.MaxValue)
        {
            return (long)result;
        }

        diagnostics.Report(LanguageDiagnostics.Overflow(span));
        return null;
    }
}
