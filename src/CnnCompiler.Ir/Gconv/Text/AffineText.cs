using System.Text;
using CnnCompiler.Core;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Gconv;

/// <summary>Affine expressions as text: <c>2*h.opc + h.ks - 1</c>, terms in the order of the loops, the constant last; <c>(h.opc - h.ks + 1)/2</c> where it is divided.</summary>
public static class AffineText
{
    /// <summary>The text of an expression.</summary>
    /// <param name="expression">The expression.</param>
    /// <param name="loops">Names of the loops, in order.</param>
    public static string Print(AffineExpression expression, IReadOnlyList<string> loops) => expression.Divisor == 1
        ? Sum(expression, loops)
        : $"({Sum(expression, loops)})/{Text.IrTextFormat.Integer(expression.Divisor)}";

    private static string Sum(AffineExpression expression, IReadOnlyList<string> loops)
    {
        var text = new StringBuilder();
        for (var loop = 0; loop < loops.Count; loop++)
        {
            var coefficient = expression.Coefficients[loop];
            if (coefficient != 0)
            {
                Term(coefficient, Int128.Abs(coefficient) == 1 ? loops[loop] : $"{Magnitude(coefficient)}*{loops[loop]}");
            }
        }

        if (expression.Constant != 0 || text.Length == 0)
        {
            Term(expression.Constant, Magnitude(expression.Constant));
        }

        return text.ToString();

        void Term(long sign, string term) =>
            text.Append((text.Length, sign) switch { (0, >= 0) => string.Empty, (0, _) => "-", (_, >= 0) => " + ", _ => " - " }).Append(term);
    }

    /// <summary>An index: <c>[n.opc, h.opc]</c>.</summary>
    public static string Print(EquatableArray<AffineExpression> index, IReadOnlyList<string> loops) =>
        $"[{string.Join(", ", index.Select(expression => Print(expression, loops)))}]";

    /// <summary>Takes an expression.</summary>
    /// <param name="reader">The text.</param>
    /// <param name="loops">Names of the loops, in order.</param>
    /// <exception cref="DiagnosticException">There is none.</exception>
    public static AffineExpression Parse(IrTextReader reader, IReadOnlyList<string> loops)
    {
        if (!reader.TryPunctuation("("))
        {
            return Sum(reader, loops);
        }

        var sum = Sum(reader, loops);
        reader.Punctuation(")");
        reader.Punctuation("/");
        return sum with { Divisor = reader.Int32() };
    }

    private static AffineExpression Sum(IrTextReader reader, IReadOnlyList<string> loops)
    {
        var span = reader.Span;
        var sums = new Int128[loops.Count + 1];
        var negative = reader.TryPunctuation("-");
        while (true)
        {
            var (loop, amount) = Term(reader, loops);
            sums[loop] += negative ? -amount : amount;
            if (sums[loop] > long.MaxValue || sums[loop] < long.MinValue)
            {
                throw new DiagnosticException(IrDiagnostics.NumberOutOfRange(span, sums[loop].ToString(System.Globalization.CultureInfo.InvariantCulture), "i64"));
            }

            negative = reader.TryPunctuation("-");
            if (!negative && !reader.TryPunctuation("+"))
            {
                return new(sums.Take(loops.Count).Select(sum => (long)sum).ToEquatableArray(), (long)sums[^1]);
            }
        }
    }

    /// <summary>Takes an index.</summary>
    public static EquatableArray<AffineExpression> ParseIndex(IrTextReader reader, IReadOnlyList<string> loops) => reader.List(() => Parse(reader, loops));

    // A number, a loop, or number * loop. The constant counts as the loop after the last.
    private static (int Loop, Int128 Amount) Term(IrTextReader reader, IReadOnlyList<string> loops)
    {
        Int128 amount = 1;
        if (reader.Current.Kind == IrTokenKind.Number)
        {
            var span = reader.Span;
            var number = reader.Take().Text;
            if (!Int128.TryParse(number, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out amount) || amount > (Int128)long.MaxValue + 1)
            {
                throw new DiagnosticException(IrDiagnostics.NumberOutOfRange(span, number, "i64"));
            }

            if (!reader.TryPunctuation("*"))
            {
                return (loops.Count, amount);
            }
        }

        var name = reader.Current;
        for (var loop = 0; loop < loops.Count; loop++)
        {
            if (name.Kind == IrTokenKind.Word && loops[loop] == name.Text)
            {
                reader.Take();
                return (loop, amount);
            }
        }

        throw new DiagnosticException(IrDiagnostics.Expected(reader.Span, "a number or the name of a loop", name.Describe()));
    }

    private static string Magnitude(long value) => Int128.Abs(value).ToString(System.Globalization.CultureInfo.InvariantCulture);
}
