using System.Globalization;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Image.OpenEdge;

/// <summary>Diagnostics of the OpenEdgeCGRA assembler, CNN0501 to CNN0599.</summary>
internal static class AssemblerDiagnostics
{
    public static Diagnostic UnexpectedCharacter(SourceSpan span, char character) =>
        Error(501, span, $"the character '{Shown(character)}' has no meaning here", "remove it; comments start with ';'");

    public static Diagnostic UnfinishedString(SourceSpan span) =>
        Error(502, span, "the string has no end, or a wrong escape", "close it with \" on the same line; escapes are \\\" \\\\ \\n \\t \\uXXXX");

    public static Diagnostic NumberTooLong(SourceSpan span, string text) =>
        Error(503, span, $"'{Short(text)}' is not a number", "write decimal (-12), hexadecimal (0x1F) or binary (0b0011), at most 32 bits");

    public static Diagnostic UnknownDirective(SourceSpan span, string name, IReadOnlyCollection<string> known) =>
        Error(504, span, $"there is no directive '{Short(name)}'", Suggestions.DidYouMean(name, known));

    public static Diagnostic Expected(SourceSpan span, string what, string found) =>
        Error(505, span, $"expected {what}, found {Short(found)}", "see docs/openedge-isa.md for the form of a line");

    public static Diagnostic UnknownMnemonic(SourceSpan span, string name) =>
        Error(506, span, $"there is no instruction '{Short(name)}'", Suggestions.DidYouMean(name, OpenEdgeInstructionSet.Mnemonics));

    public static Diagnostic TooFewOperands(SourceSpan span, OpenEdgeInstructionRow row, string form) =>
        Error(507, span, $"{row.Mnemonic} lacks operands", $"its form is: {form}");

    public static Diagnostic TooManyOperands(SourceSpan span, OpenEdgeInstructionRow row, string form) =>
        Error(508, span, $"{row.Mnemonic} has too many operands", $"its form is: {form}");

    public static Diagnostic ConstantOutOfRange(SourceSpan span, long value) =>
        Error(509, span, $"the constant {Number(value)} does not fit 13 bits: {OpenEdgeInstruction.MinImmediate} to {OpenEdgeInstruction.MaxImmediate}", "load it from memory, or build it with SLL and SADD");

    public static Diagnostic ConstantsDiffer(SourceSpan span, long first, long second) =>
        Error(510, span, $"an instruction has one constant field, and this one needs both {Number(first)} and {Number(second)}", "put one of them in a register (a branch target is a constant too)");

    public static Diagnostic NotARegister(SourceSpan span, string text) =>
        Error(511, span, $"'{Short(text)}' can't be a destination", "a result goes to ROUT, or to ROUT and one of R0 to R3");

    public static Diagnostic UnknownSource(SourceSpan span, string text, IReadOnlyCollection<string> known) =>
        Error(512, span, $"'{Short(text)}' is neither an operand source nor a label", Suggestions.DidYouMean(text, known));

    public static Diagnostic UnknownFlag(SourceSpan span, string text) =>
        Error(513, span, $"'{Short(text)}' is not a flag source", Suggestions.DidYouMean(text, [.. OpenEdgeInstructionSet.Flags.Select(row => row.Name)]));

    public static Diagnostic UndefinedLabel(SourceSpan span, string label, IReadOnlyCollection<string> labels) =>
        Error(514, span, $"the label '{Short(label)}' is not defined", labels.Count == 0 ? $"write '{Short(label)}:' before a .step" : Suggestions.DidYouMean(label, labels));

    public static Diagnostic TargetOutOfRange(SourceSpan span, long target) =>
        Error(515, span, $"step {Number(target)} can't be a branch target", $"targets are 0 to {OpenEdgeKernelConfiguration.MaxSteps - 1}");

    public static Diagnostic NeedsBrackets(SourceSpan span, OpenEdgeInstructionRow row, string form) =>
        Error(516, span, $"the address of {row.Mnemonic} stands in square brackets", $"its form is: {form}");

    public static Diagnostic LabelTwice(SourceSpan span, string label) =>
        Error(517, span, $"the label '{Short(label)}' is defined twice", "rename one");

    public static Diagnostic LabelReserved(SourceSpan span, string label) =>
        Error(518, span, $"'{Short(label)}' is an operand's name and can't be a label", "rename the label");

    public static Diagnostic LabelAtEnd(SourceSpan span, string label) =>
        Error(519, span, $"no step follows the label '{Short(label)}'", "move it before a .step");

    public static Diagnostic TooManySteps(SourceSpan span, int limit) =>
        Error(520, span, $"a kernel has at most {limit} steps", "split it into two kernels");

    public static Diagnostic TooFewSteps(SourceSpan span, int steps, int least) =>
        Error(521, span, $"the kernel has {steps} steps; fewer than {least} do not load correctly", "add empty .step lines behind the step that exits");

    public static Diagnostic StepNumberWrong(SourceSpan span, long written, int actual) =>
        Error(522, span, $"this is step {actual}, not {Number(written)}", "correct the number or leave it out");

    public static Diagnostic OutsideStep(SourceSpan span) =>
        Error(523, span, "an instruction stands before the first .step", "write .step above it");

    public static Diagnostic CellOutOfRange(SourceSpan span, long row, long column, int rows, int columns) =>
        Error(524, span, $"there is no cell {Number(row)},{Number(column)}", $"cells are row,column from 0,0 to {rows - 1},{columns - 1}");

    public static Diagnostic ColumnNotInKernel(SourceSpan span, long column, int mask) =>
        Error(525, span, $"column {Number(column)} is not one of the kernel's columns (.columns 0b{Convert.ToString(mask, 2)})", "set its bit in .columns or move the instruction");

    public static Diagnostic CellTwice(SourceSpan span, long row, long column, int step, int firstLine) =>
        Error(526, span, $"cell {Number(row)},{Number(column)} has a second instruction in step {step}; the first is in line {firstLine}", "start a new .step before it");

    public static Diagnostic MaskOutOfRange(SourceSpan span, long mask, int columns) =>
        Error(527, span, $"{Number(mask)} is not a column mask", $"give a bit for each column, 1 to {(1 << columns) - 1}, for example 0b1111");

    public static Diagnostic Missing(string file, string directive, string example) =>
        Error(528, SourceSpan.WholeFile(file), $"the directive {directive} is missing", $"write {example} before the first .step");

    public static Diagnostic DirectiveTwice(SourceSpan span, string directive) =>
        Error(529, span, $"the directive {directive} stands here a second time", "a file holds one kernel: remove one");

    public static Diagnostic ContextExceeded(SourceSpan span, int steps, int columns, int limit) =>
        Error(530, span, $"{steps} steps of {columns} columns need {steps * columns} context words a row; there are {limit}", "use fewer steps or columns");

    public static Diagnostic WordOutOfRange(SourceSpan span, long value) =>
        Error(531, span, $"{Number(value)} does not fit 32 bits", "write 0 to 0xffffffff");

    public static Diagnostic TooManyErrors(SourceSpan span, int limit) =>
        Error(532, span, $"more than {limit} mistakes", "correct the first ones and try again");

    private static Diagnostic Error(int number, SourceSpan span, string message, string remedy) =>
        new(string.Create(CultureInfo.InvariantCulture, $"CNN{number:D4}"), DiagnosticSeverity.Error, span, message, remedy);

    public static string Short(string text) => text.Length <= 64 ? text : string.Concat(text.AsSpan(0, 61), "...");

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Shown(char character) =>
        char.IsControl(character) || char.IsSurrogate(character) ? string.Create(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}") : character.ToString();
}
