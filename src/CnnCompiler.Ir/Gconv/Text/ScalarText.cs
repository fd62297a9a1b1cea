using CnnCompiler.Core;
using CnnCompiler.Ir.Network;
using CnnCompiler.Ir.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Gconv;

/// <summary>
/// Scalar programs as text: <c>input</c>, <c>kernel</c>, <c>acc</c>, <c>taps</c>, <c>extra0</c>, whole numbers, reals (which have a point or an exponent, or are <c>inf</c> or <c>nan</c>),
/// <c>+ - * / &lt;&lt;</c> with the usual precedence (the shift binds weakest; all associate to the left; the quotient is of reals), <c>max(a, b)</c>, <c>min(a, b)</c>,
/// <c>divide(a, b)</c> (integers, half away from zero), <c>clamp(value, low, high)</c>, <c>requantize(tflite-double, value, multiplier, shift)</c>, <c>lookup(extra0, offset)</c>
/// and the functions of <see cref="ScalarFunctions"/>.
/// </summary>
public static class ScalarText
{
    /// <summary>Most leaves, functions and parentheses of a program that is read.</summary>
    public const int MaximumNodes = 256;

    private const int ShiftLevel = 1;
    private const int SumLevel = 2;
    private const int ProductLevel = 3;
    private const int PrimaryLevel = 4;

    /// <summary>The text of a program.</summary>
    public static string Print(ScalarExpression expression) => Print(expression, ShiftLevel);

    /// <summary>Takes a program.</summary>
    /// <exception cref="DiagnosticException">There is none.</exception>
    public static ScalarExpression Parse(IrTextReader reader) => new Parser(reader).Shift();

    private static string Print(ScalarExpression expression, int level) => expression.Match(
        input: () => "input",
        kernel: () => "kernel",
        accumulator: () => "acc",
        tapCount: () => "taps",
        extra: index => $"extra{IrTextFormat.Integer(index)}",
        literal: IrTextFormat.Integer,
        real: Real,
        lookup: e => $"lookup(extra{IrTextFormat.Integer(e.Extra)}, {Print(e.Offset)})",
        binary: e => Print(e, level),
        requantize: e => $"requantize({NetworkNames.Of(e.Rounding)}, {Print(e.Value)}, {Print(e.Multiplier)}, {Print(e.Shift)})",
        clamp: e => $"clamp({Print(e.Value)}, {Print(e.Low)}, {Print(e.High)})",
        call: e => $"{ScalarFunctions.Of(e.Function).Name}({string.Join(", ", e.Arguments.Select(argument => Print(argument)))})");

    // What has neither point nor exponent would be read as an integer.
    private static string Real(double value)
    {
        var text = IrTextFormat.Double(value);
        return text.All(c => char.IsAsciiDigit(c) || c == '-') ? $"{text}.0" : text;
    }

    private static string Print(ScalarBinary binary, int level) => binary.Operator switch
    {
        ScalarBinaryOperator.Add => Infix(binary, "+", SumLevel, level),
        ScalarBinaryOperator.Subtract => Infix(binary, "-", SumLevel, level),
        ScalarBinaryOperator.Multiply => Infix(binary, "*", ProductLevel, level),
        ScalarBinaryOperator.Quotient => Infix(binary, "/", ProductLevel, level),
        ScalarBinaryOperator.ShiftLeft => Infix(binary, "<<", ShiftLevel, level),
        ScalarBinaryOperator.Maximum => $"max({Print(binary.Left)}, {Print(binary.Right)})",
        ScalarBinaryOperator.Minimum => $"min({Print(binary.Left)}, {Print(binary.Right)})",
        ScalarBinaryOperator.DivideRoundHalfAway => $"divide({Print(binary.Left)}, {Print(binary.Right)})",
        _ => throw new ArgumentOutOfRangeException(nameof(binary), binary.Operator, "unknown operator"),
    };

    private static string Infix(ScalarBinary binary, string symbol, int own, int level)
    {
        var text = $"{Print(binary.Left, own)} {symbol} {Print(binary.Right, own + 1)}";
        return own < level ? $"({text})" : text;
    }

    private sealed class Parser(IrTextReader reader)
    {
        private int _nodes;

        public ScalarExpression Shift()
        {
            var left = Sum();
            while (reader.TryPunctuation("<"))
            {
                reader.Punctuation("<");
                left = new ScalarBinary(ScalarBinaryOperator.ShiftLeft, left, Sum());
            }

            return left;
        }

        private ScalarExpression Sum()
        {
            var left = Product();
            while (true)
            {
                if (reader.TryPunctuation("+"))
                {
                    left = Scalar.Add(left, Product());
                }
                else if (reader.TryPunctuation("-"))
                {
                    left = Scalar.Subtract(left, Product());
                }
                else
                {
                    return left;
                }
            }
        }

        private ScalarExpression Product()
        {
            var left = Primary();
            while (true)
            {
                if (reader.TryPunctuation("*"))
                {
                    left = Scalar.Multiply(left, Primary());
                }
                else if (reader.TryPunctuation("/"))
                {
                    left = Scalar.Quotient(left, Primary());
                }
                else
                {
                    return left;
                }
            }
        }

        private ScalarExpression Primary()
        {
            // Counted on the way down: it bounds the recursion too.
            if (++_nodes > MaximumNodes)
            {
                throw new DiagnosticException(GconvDiagnostics.ProgramTooLong(reader.Span, MaximumNodes));
            }

            if (IsNumber(reader.Current) || reader.Current is { Kind: IrTokenKind.Punctuation, Text: "-" })
            {
                return Number();
            }

            if (reader.TryPunctuation("("))
            {
                var inner = Shift();
                reader.Punctuation(")");
                return inner;
            }

            var word = reader.Current;
            var span = reader.Span;
            reader.Take(IrTokenKind.Word, "a scalar program");
            return word.Text switch
            {
                "input" => Scalar.Input,
                "kernel" => Scalar.Kernel,
                "acc" => Scalar.Accumulator,
                "taps" => Scalar.TapCount,
                "max" => Two(ScalarBinaryOperator.Maximum),
                "min" => Two(ScalarBinaryOperator.Minimum),
                "divide" => Two(ScalarBinaryOperator.DivideRoundHalfAway),
                "clamp" => Clamp(),
                "requantize" => Requantize(),
                "lookup" => Lookup(),
                _ when ScalarFunctions.Find(word.Text) is { } function => Call(function),
                _ => Extra(word.Text, span),
            };
        }

        private static bool IsNumber(IrToken token) => token.Kind == IrTokenKind.Number || token is { Kind: IrTokenKind.Word, Text: "inf" or "nan" };

        private ScalarExpression Number()
        {
            var number = reader.Current.Kind == IrTokenKind.Punctuation ? reader.Following : reader.Current;
            return IsNumber(number) && !number.Text.All(char.IsAsciiDigit) ? Scalar.Real(reader.Double()) : Scalar.Literal(reader.Integer());
        }

        private ScalarLookup Lookup()
        {
            reader.Punctuation("(");
            var span = reader.Span;
            var table = (ScalarExtra)Extra(reader.Take(IrTokenKind.Word, "a table (extra0, extra1, ...)"), span);
            reader.Punctuation(",");
            var offset = Shift();
            reader.Punctuation(")");
            return new(table.Index, offset);
        }

        private ScalarCall Call(ScalarFunctionInfo function)
        {
            reader.Punctuation("(");
            var arguments = new List<ScalarExpression> { Shift() };
            while (reader.TryPunctuation(","))
            {
                arguments.Add(Shift());
            }

            reader.Punctuation(")");
            return new(function.Function, arguments.ToEquatableArray());
        }

        private ScalarBinary Two(ScalarBinaryOperator operation)
        {
            reader.Punctuation("(");
            var left = Shift();
            reader.Punctuation(",");
            var right = Shift();
            reader.Punctuation(")");
            return new(operation, left, right);
        }

        private ScalarClamp Clamp()
        {
            reader.Punctuation("(");
            var value = Shift();
            reader.Punctuation(",");
            var low = Shift();
            reader.Punctuation(",");
            var high = Shift();
            reader.Punctuation(")");
            return new(value, low, high);
        }

        private ScalarRequantize Requantize()
        {
            reader.Punctuation("(");
            var span = reader.Span;
            var scheme = reader.Take(IrTokenKind.Word, "a rounding scheme");
            if (NetworkNames.Rounding(scheme) is not { } rounding)
            {
                throw new DiagnosticException(IrDiagnostics.Expected(span, "a rounding scheme", $"'{scheme}'"));
            }

            reader.Punctuation(",");
            var value = Shift();
            reader.Punctuation(",");
            var multiplier = Shift();
            reader.Punctuation(",");
            var shift = Shift();
            reader.Punctuation(")");
            return new(rounding, value, multiplier, shift);
        }

        private static ScalarExpression Extra(string word, SourceSpan span) =>
            word.StartsWith("extra", StringComparison.Ordinal)
            && int.TryParse(word.AsSpan(5), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var index)
                ? Scalar.Extra(index)
                : throw new DiagnosticException(IrDiagnostics.Expected(span, "input, kernel, acc, taps, extraN, a number or a function", $"'{word}'"));
    }
}
