using System.Globalization;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir;

/// <summary>
/// Broken IR text (CNN0900 to CNN0919, all levels) and broken invariants of the network level (CNN0920 to CNN0949). What a user sees of these
/// is a damaged file, or a fault of the compiler.
/// </summary>
public static class IrDiagnostics
{
    private const string Fault = "this is a fault of whatever made the graph; please report it";

    /// <summary>A character that starts no token.</summary>
    public static Diagnostic UnexpectedCharacter(SourceSpan span, string character) => Make(901, span, $"'{character}' has no meaning here", "remove it");

    /// <summary>Text that ends inside quotes.</summary>
    public static Diagnostic UnclosedString(SourceSpan span) => Make(902, span, "the quoted name doesn't end on its line", "close it with a quotation mark");

    /// <summary>Another token than expected.</summary>
    public static Diagnostic Expected(SourceSpan span, string expected, string got) => Make(903, span, $"expected {expected}, got {got}", "correct the text");

    /// <summary>A number that doesn't fit its type.</summary>
    public static Diagnostic NumberOutOfRange(SourceSpan span, string number, string type) => Make(904, span, $"{number} isn't a number of type {type}", "correct the number");

    /// <summary>A constant the companion doesn't have.</summary>
    public static Diagnostic UnknownConstant(SourceSpan span, string name) => Make(905, span, $"the constant '{name}' isn't in the companion file", "read the text together with the companion it was written with");

    /// <summary>A constant of the companion with other contents.</summary>
    public static Diagnostic ConstantHashMismatch(SourceSpan span, string name, string expected, string got) =>
        Make(906, span, $"the constant '{name}' has hash {got}; the text says {expected}", "read the text together with the companion it was written with");

    /// <summary>A constant of the companion with another type or shape.</summary>
    public static Diagnostic ConstantTypeMismatch(SourceSpan span, string name, string expected, string got) =>
        Make(907, span, $"the constant '{name}' is {got}; the text says {expected}", "read the text together with the companion it was written with");

    /// <summary>An inline constant with another number of elements than its shape.</summary>
    public static Diagnostic ConstantElements(SourceSpan span, string type, int got) =>
        Make(908, span, string.Create(CultureInfo.InvariantCulture, $"{got} elements are written for {type}"), "write one number for each element");

    /// <summary>An attribute that is missing, given twice or unknown.</summary>
    public static Diagnostic Attribute(SourceSpan span, string attribute, string problem) => Make(909, span, $"attribute '{attribute}' is {problem}", "correct the text");

    /// <summary>Text beyond the limit.</summary>
    public static Diagnostic TextTooLong(SourceSpan span, int limit, string unit = "characters") =>
        Make(910, span, string.Create(CultureInfo.InvariantCulture, $"the text has more than {limit} {unit}"), "use a smaller network");

    /// <summary>More mistakes than are worth reading on for.</summary>
    public static Diagnostic TooManyMistakes(SourceSpan span, int limit) =>
        Make(911, span, string.Create(CultureInfo.InvariantCulture, $"{limit} mistakes were found up to here; what follows is not read"), "correct those above first");

    /// <summary>A name that two values have.</summary>
    public static Diagnostic DuplicateName(SourceSpan span, string name) => Make(920, span, $"two values are called '{name}'", Fault);

    /// <summary>A name that no value has.</summary>
    public static Diagnostic UnknownValue(Layer layer, string name) => Make(921, layer.Span.Value, $"{layer.Keyword} '{layer.Name}' reads '{name}', which nothing defines", Fault);

    /// <summary>A value read before it is defined.</summary>
    public static Diagnostic ReadBeforeDefined(Layer layer, string name) => Make(922, layer.Span.Value, $"{layer.Keyword} '{layer.Name}' reads '{name}', which is defined later or is the layer itself", Fault);

    /// <summary>Another number of inputs than the kind of layer has.</summary>
    public static Diagnostic WrongInputCount(Layer layer, string expected) =>
        Make(923, layer.Span.Value, string.Create(CultureInfo.InvariantCulture, $"{layer.Keyword} '{layer.Name}' has {layer.Inputs.Count} inputs; {expected}"), Fault);

    /// <summary>A result type with another shape than the rule gives.</summary>
    public static Diagnostic WrongResultShape(Layer layer, Shape expected) =>
        Make(924, layer.Span.Value, $"{layer.Keyword} '{layer.Name}' is typed [{layer.Type.Shape}]; its inputs and attributes give [{expected}]", Fault);

    /// <summary>An output that no value has.</summary>
    public static Diagnostic UnknownOutput(string network, string name) => Make(926, SourceSpan.None, $"network '{network}' gives '{name}', which nothing defines", Fault);

    /// <summary>A network without outputs or inputs.</summary>
    public static Diagnostic NoInputsOrOutputs(string network, string what) => Make(927, SourceSpan.None, $"network '{network}' has no {what}", Fault);

    /// <summary>An empty name.</summary>
    public static Diagnostic EmptyName(SourceSpan span, string what) => Make(928, span, $"{what} has an empty name", Fault);

    /// <summary>An enumeration value without a meaning.</summary>
    public static Diagnostic UndefinedEnumeration(Layer layer, string what) => Make(929, layer.Span.Value, $"{layer.Keyword} '{layer.Name}' has an undefined {what}", Fault);

    private static Diagnostic Make(int code, SourceSpan span, string message, string remedy) =>
        new(string.Create(CultureInfo.InvariantCulture, $"CNN{code:0000}"), DiagnosticSeverity.Error, span, message, remedy);
}
