using System.Globalization;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Mapped;

/// <summary>
/// Diagnostics of the mapped level: CNN0960 to CNN0969 evaluator and verifier, CNN0970 to CNN0979 verifier. A mapped program is made by the
/// compiler, so that all of them are errors of the compiler.
/// </summary>
public static class MappedDiagnostics
{
    private const string Internal = "this is an error of the compiler: please report it with the network that shows it";

    /// <summary>CNN0960: something that has no meaning.</summary>
    public static Diagnostic Malformed(string where, string what) => Error("CNN0960", $"{where}: {what}", Internal);

    /// <summary>CNN0961: a name that nothing has.</summary>
    public static Diagnostic UnknownName(string where, string name) => Error("CNN0961", $"{where}: there is no buffer or constant {name}", Internal);

    /// <summary>CNN0962: an element outside its buffer or constant.</summary>
    public static Diagnostic OutOfBounds(string where, bool write, string target, long element, long elements) =>
        Error("CNN0962", $"{where}: {(write ? "writes" : "reads")} element {element} of {target}, which has {elements}", Internal);

    /// <summary>CNN0963: an element read that nothing has written.</summary>
    public static Diagnostic Uninitialised(string where, string target, long element) =>
        Error("CNN0963", $"{where}: reads element {element} of {target}, which nothing has written yet", Internal);

    /// <summary>CNN0964: a value too large for where it is put.</summary>
    public static Diagnostic DoesNotFit(string where, string target, long element, long value, int bits) =>
        Error("CNN0964", $"{where}: {value}, for element {element} of {target}, does not fit {bits} bits", Internal);

    /// <summary>CNN0965: an element written twice by one nest.</summary>
    public static Diagnostic WrittenTwice(string where, string target, long element) =>
        Error("CNN0965", $"{where}: writes element {element} of {target}, which another iteration has written", Internal);

    /// <summary>CNN0966: an element read that another iteration of the same nest has written.</summary>
    public static Diagnostic ReadsOwnWrite(string where, string target, long element) =>
        Error("CNN0966", $"{where}: reads element {element} of {target}, which another iteration of it writes", Internal);

    /// <summary>CNN0967: scalar arithmetic without a result.</summary>
    public static Diagnostic Arithmetic(string where, string what) => Error("CNN0967", $"{where}: {what}", Internal);

    /// <summary>CNN0968: inputs that are not those of the program.</summary>
    public static Diagnostic WrongInput(string name, string expected, string actual) =>
        Error("CNN0968", $"input {name} is {expected}, given was {actual}", "give one tensor for each network input, in graph order");

    /// <summary>CNN0969: too large to evaluate.</summary>
    public static Diagnostic TooLarge(string where, string what, long limit) =>
        Error("CNN0969", $"{where}: {what} are more than the {limit} that can be evaluated", "compile a smaller network");

    /// <summary>CNN0970: two things of one name.</summary>
    public static Diagnostic DuplicateName(string kind, string name) => Error("CNN0970", $"there are two {kind} {name}", Internal);

    /// <summary>CNN0971: a layout that does not fit its buffer.</summary>
    public static Diagnostic LayoutTooLarge(string buffer, long elements, int words, int lanes) =>
        Error("CNN0971", $"buffer {buffer} has {words} words of {lanes} lanes; its layout spans {elements} elements", Internal);

    /// <summary>CNN0972: a port that is not dense packed bytes.</summary>
    public static Diagnostic BadPort(string port, string buffer, string what) => Error("CNN0972", $"port {port} in buffer {buffer}: {what}", Internal);

    /// <summary>CNN0973: an access whose range is not inside its target.</summary>
    public static Diagnostic RangeOutside(string where, string target, long low, long high, long elements) =>
        Error("CNN0973", $"{where}: accesses elements {low} to {high} of {target}, which has {elements}", Internal);

    /// <summary>CNN0974: an operand of post that depends on a reduced loop.</summary>
    public static Diagnostic PostDependsOnReducedLoop(string where, int operand, string loop) =>
        Error("CNN0974", $"{where}: operand {operand} is used by post and depends on the reduced loop {loop}", Internal);

    /// <summary>CNN0975: an element that is not written, or more than once, when the value should be complete.</summary>
    public static Diagnostic Coverage(string value, string buffer, long element, int times, string step) =>
        Error("CNN0975", $"value {value}: element {element} of buffer {buffer} is written {times} times until it should be complete after {step}", Internal);

    /// <summary>CNN0976: a fill over something that was written for good.</summary>
    public static Diagnostic FillOverValue(string where, string target, long element) =>
        Error("CNN0976", $"{where}: fills element {element} of {target}, which holds part of a value that is not complete yet", Internal);

    /// <summary>CNN0977: a step of a value that is not there.</summary>
    public static Diagnostic BadStepIndex(string value, int index, int steps) =>
        Error("CNN0977", $"value {value} is completed by step {index}; there are {steps} steps", Internal);

    /// <summary>CNN0978: a nest that reads its own output at another place than it writes.</summary>
    public static Diagnostic ReadsOutputElsewhere(string where, int operand, string target) =>
        Error("CNN0978", $"{where}: operand {operand} reads {target}, which the nest writes, at other elements than the one written", Internal);

    /// <summary>CNN0979: a guard on a reduced loop.</summary>
    public static Diagnostic GuardOnReducedLoop(string where, int guard, string loop) =>
        Error("CNN0979", $"{where}: guard {guard} depends on the reduced loop {loop}", Internal);

    private static Diagnostic Error(string code, FormattableString message, string remedy) =>
        new(code, DiagnosticSeverity.Error, SourceSpan.None, message.ToString(CultureInfo.InvariantCulture), remedy);
}
