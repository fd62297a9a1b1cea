using System.Globalization;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Image.OpenEdge.Esl;

/// <summary>What can be wrong with files of the ESL simulator besides their instructions: CNN0540 to CNN0549.</summary>
internal static class EslDiagnostics
{
    /// <summary>CNN0540: a quoted cell without an end, or with text behind it.</summary>
    public static Diagnostic Quote(SourceSpan span) => Error(540, span, "the cell's quotes do not match", "begin and end it with \", and write \"\" for a quote inside");

    /// <summary>CNN0541: a line that should begin an instruction.</summary>
    public static Diagnostic Header(SourceSpan span, string found) => Error(
        541, span, $"expected the line that begins an instruction, its number alone, found '{found}'", "an instruction is a line with its number and four lines with a cell for each column");

    /// <summary>CNN0542: a row of cells with another number of columns.</summary>
    public static Diagnostic Cells(SourceSpan span, int found, int columns) => Error(
        542, span, string.Create(CultureInfo.InvariantCulture, $"the row has {found} {(found == 1 ? "cell" : "cells")} instead of {columns}"), "write NOP for a cell that does nothing, and put a cell with commas in quotes");

    /// <summary>CNN0543: the file ends within an instruction.</summary>
    public static Diagnostic RowsMissing(SourceSpan span, int found, int rows) => Error(
        543, span, string.Create(CultureInfo.InvariantCulture, $"the last instruction has {found} of its {rows} rows"), "write a line for each row of the array");

    /// <summary>CNN0544: a file without instructions.</summary>
    public static Diagnostic Empty(string file) => Error(544, SourceSpan.WholeFile(file), "the file has no instruction", "see docs/openedge-isa.md for the form of the ESL simulator's files");

    /// <summary>CNN0545: a line of a memory file that is not an address and a word.</summary>
    public static Diagnostic MemoryLine(SourceSpan span) => Error(545, span, "this is not an address and a value", "write two numbers of 32 bits, the address a multiple of 4, for example 1000,-3");

    /// <summary>CNN0546: a cell of a file of streams that is no number.</summary>
    public static Diagnostic StreamCell(SourceSpan span, string text) => Error(546, span, $"'{text}' is not a 32-bit number", "a line has the next word of each column; leave cells empty where a column's stream has ended");

    /// <summary>CNN0547: a stream that goes on after an empty cell.</summary>
    public static Diagnostic StreamGap(SourceSpan span, int column) => Error(
        547, span, string.Create(CultureInfo.InvariantCulture, $"the stream of column {column} goes on behind an empty cell"), "fill the empty cells above");

    private static Diagnostic Error(int number, SourceSpan span, string message, string remedy) =>
        new(string.Create(CultureInfo.InvariantCulture, $"CNN{number:D4}"), DiagnosticSeverity.Error, span, message, remedy);
}
