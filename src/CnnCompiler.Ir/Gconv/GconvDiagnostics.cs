using System.Globalization;
using System.Text;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Gconv;

/// <summary>Broken invariants and undefined values of the GCONV level: CNN0950 to CNN0959, one method a code.</summary>
public static class GconvDiagnostics
{
    /// <summary>A broken invariant.</summary>
    /// <param name="invariant">Which.</param>
    /// <param name="node">The step, input, constant or program that breaks it.</param>
    /// <param name="span">Where the layer is written.</param>
    /// <param name="problem">What is wrong, with names and numbers.</param>
    public static Diagnostic InvariantBroken(GconvInvariant invariant, string node, SourceSpan span, string problem) => Make(
        950, span, $"{node} breaks the invariant {Name(invariant)}: {problem}", "this is a fault of whatever made the program; please report it");

    /// <summary>An accumulator or a result that its type can't hold.</summary>
    public static Diagnostic ValueOutOfRange(GconvOperator operation, string what, Int128 value, string type) => Make(
        951,
        operation.Span.Value,
        string.Create(CultureInfo.InvariantCulture, $"'{operation.Name}': {what} is {value}, outside {type}"),
        "no result is defined for such weights and inputs; check scales and weights of this layer");

    /// <summary>A softmax row without a defined result.</summary>
    public static Diagnostic SoftmaxUndefined(GconvHostSoftmax softmax, int row) => Make(
        952,
        softmax.Span.Value,
        string.Create(CultureInfo.InvariantCulture, $"softmax '{softmax.Name}': row {row} has 512 or more classes near its maximum, for which the int8 softmax of TensorFlow Lite has no result"),
        "use fewer classes, or leave the softmax out and read the logits");

    /// <summary>A scalar program in text beyond the limit.</summary>
    public static Diagnostic ProgramTooLong(SourceSpan span, int limit) =>
        Make(953, span, string.Create(CultureInfo.InvariantCulture, $"a scalar program has more than {limit} parts"), "write a shorter one");

    /// <summary>A table in text that isn't the operator's.</summary>
    public static Diagnostic WrongTable(SourceSpan span, string name) =>
        Make(954, span, $"the table of '{name}' is not that of its loops and input index", "leave the table out, or correct it");

    /// <summary>More loops in text than an operator may have.</summary>
    public static Diagnostic TooManyLoops(SourceSpan span, string name, int loops, int limit) =>
        Make(955, span, string.Create(CultureInfo.InvariantCulture, $"'{name}' has {loops} loops; {limit} is the most"), "use fewer loops");

    /// <summary>A scalar program without a result.</summary>
    public static Diagnostic ScalarUndefined(GconvOperator operation, string slot, ScalarFault fault)
    {
        var problem = fault switch
        {
            ScalarFault.Overflow => "a value beyond 64 bits",
            ScalarFault.NotInt32 => "a requantised value or a multiplier beyond 32 bits",
            ScalarFault.Shift => "a shift outside its range (0 to 62; of a requantisation -31 to 30)",
            ScalarFault.Divisor => "a divisor below 1",
            ScalarFault.Lookup => "an offset beyond the row of its table",
            ScalarFault.Domain => "an argument for which a function is not defined",
            ScalarFault.NotInteger => "a number to be rounded that is infinite, not a number or beyond 64 bits",
            ScalarFault.Clamp => "a clamp whose low bound is above its high one",
            _ => throw new ArgumentOutOfRangeException(nameof(fault), fault, "no fault"),
        };
        return Make(
            956, operation.Span.Value, $"'{operation.Name}': {slot} has {problem}", "no result is defined for such weights and inputs; check scales and weights of this layer");
    }

    /// <summary>The name of an invariant in messages: lower case with hyphens.</summary>
    public static string Name(GconvInvariant invariant)
    {
        var text = new StringBuilder();
        foreach (var letter in invariant.ToString())
        {
            if (char.IsUpper(letter) && text.Length > 0)
            {
                text.Append('-');
            }

            text.Append(char.ToLowerInvariant(letter));
        }

        return text.ToString();
    }

    private static Diagnostic Make(int code, SourceSpan span, string message, string remedy) =>
        new(string.Create(CultureInfo.InvariantCulture, $"CNN{code:0000}"), DiagnosticSeverity.Error, span, message, remedy);
}
