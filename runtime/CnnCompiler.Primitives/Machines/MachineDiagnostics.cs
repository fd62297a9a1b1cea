using System.Globalization;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Primitives.Machines;

/// <summary>Diagnostics of machine descriptions, CNN0401 to CNN0499.</summary>
internal static class MachineDiagnostics
{
    public static Diagnostic NotJson(SourceSpan span) =>
        Error(401, span, "the machine description is not valid JSON here", "see the shipped openedge.machine.json for the form");

    public static Diagnostic TooLarge(string file, int bytes, int limit) =>
        Error(402, SourceSpan.WholeFile(file), $"the machine description has {bytes} bytes, more than {limit}", "is it the right file?");

    public static Diagnostic UnknownKey(SourceSpan span, string section, string key, IReadOnlyCollection<string> known) =>
        Error(403, span, $"{In(section)} has no key '{Short(key)}'", Suggestions.DidYouMean(key, known));

    public static Diagnostic MissingKey(SourceSpan span, MachineKey key) =>
        Error(404, span, $"{In(key.Section)} lacks the key '{key.Name}'", $"add \"{key.Name}\": {Example(key)}");

    public static Diagnostic WrongType(SourceSpan span, MachineKey key, string found) =>
        Error(405, span, $"'{key.Path}' is {Expected(key.Kind)}, not {found}", $"write {Example(key)}");

    public static Diagnostic OutOfRange(SourceSpan span, MachineKey key, string value) =>
        Error(406, span, $"'{key.Path}' is {Short(value)}, outside {Number(key.Minimum)} to {Number(key.Maximum)}", "give a value in this range");

    public static Diagnostic NotAMultiple(SourceSpan span, MachineKey key, long value) =>
        Error(407, span, $"'{key.Path}' is {Number(value)}, not a multiple of {key.MultipleOf}", "memories hold 32-bit words: round it");

    public static Diagnostic UnsupportedGeometry(SourceSpan span, int rows, int columns) =>
        Error(408, span, $"an array of {rows} rows and {columns} columns is not supported", "only the 4x4 geometry of OpenEdgeCGRA has a validated specification: use rows 4, columns 4");

    public static Diagnostic UnknownIsaRevision(SourceSpan span, string revision) =>
        Error(409, span, $"the instruction set revision '{Short(revision)}' is not known", $"known are {string.Join(", ", MachineKeys.IsaRevisions.Append(SystolicKeys.Revision).Append(SystolicKeys.OverlayRevision).Append(SystolicKeys.NestRevision))}");

    public static Diagnostic UnknownValue(SourceSpan span, MachineKey key, string value) =>
        Error(410, span, $"'{key.Path}' can't be '{Short(value)}'", Suggestions.DidYouMean(value, key.Values ?? []));

    public static Diagnostic DuplicateKey(SourceSpan span, string section, string key) =>
        Error(411, span, $"{In(section)} has the key '{Short(key)}' twice", "remove one");

    public static Diagnostic BadName(SourceSpan span, string name) =>
        Error(412, span, $"'{Short(name)}' is not a machine name", "use 1 to 64 letters, digits, '-', '_' or '.', starting with a letter");

    public static Diagnostic DuplicateMachine(SourceSpan span, string name) =>
        Error(413, span, $"two machines are called '{Short(name)}'", "give each variant its own name");

    public static Diagnostic KeyNotInVariant(SourceSpan span, string key) =>
        Error(414, span, $"a variant can't have the key '{key}'", "its name is its key in 'variants', and variants have no variants");

    public static Diagnostic StepsContradict(SourceSpan span, string machine, int fewest, int most) =>
        Error(415, span, $"machine '{machine}' has minStepsPerKernel {fewest}, more than stepsPerKernel {most}", "swap or correct them");

    public static Diagnostic ContextTooSmall(SourceSpan span, string machine, int words, int fewest) =>
        Error(416, span, $"machine '{machine}' has {words} context words a row, fewer than minStepsPerKernel {fewest}", "raise contextWordsPerRow");

    public static Diagnostic BanksDoNotDivide(SourceSpan span, string machine, int bytes, int bankBytes) =>
        Error(417, span, $"machine '{machine}' has {bytes} bytes of RAM, not a whole number of banks of {bankBytes} bytes", "correct ram.bytes or ram.bankBytes");

    public static Diagnostic ReserveTooLarge(SourceSpan span, string machine, int bytes, int reserved) =>
        Error(418, span, $"machine '{machine}' reserves {reserved} bytes of {bytes} bytes of RAM: nothing is left", "lower ram.reservedBytes");

    public static Diagnostic NotAnObject(SourceSpan span) =>
        Error(419, span, "a machine description is a JSON object", "start it with {");

    public static Diagnostic BanksMissing(SourceSpan span) =>
        Error(420, span, "a banked bus needs the number of its banks", "add \"banks\": 8, for example");

    private static Diagnostic Error(int number, SourceSpan span, string message, string remedy) =>
        new(string.Create(CultureInfo.InvariantCulture, $"CNN{number:D4}"), DiagnosticSeverity.Error, span, message, remedy);

    private static string In(string section) => section.Length == 0 ? "the machine" : $"'{section}'";

    private static string Short(string text) => text.Length <= 64 ? text : string.Concat(text.AsSpan(0, 61), "...");

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Expected(MachineValueKind kind) => kind switch
    {
        MachineValueKind.Integer => "a whole number",
        MachineValueKind.Text => "a string",
        MachineValueKind.Boolean => "true or false",
        _ => "an object",
    };

    private static string Example(MachineKey key) => key.Kind switch
    {
        MachineValueKind.Integer => $"a number from {Number(key.Minimum)} to {Number(key.Maximum)}",
        MachineValueKind.Text => key.Values is { } values ? string.Join(" or ", values.Select(value => $"\"{value}\"")) : "a string in quotes",
        MachineValueKind.Boolean => "true or false",
        _ => "an object: { ... }",
    };
}
