using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Text;

/// <summary>Kinds of token of IR text.</summary>
public enum IrTokenKind
{
    /// <summary>A word: a letter or underscore, then letters, digits, underscores, dots and hyphens before a letter (<c>tflite-double</c>, <c>h.opc</c>).</summary>
    Word,

    /// <summary><c>%name</c> or <c>%"any name"</c>: a value. The text is the name alone.</summary>
    Value,

    /// <summary><c>@name</c> or <c>@"any name"</c>: a constant. The text is the name alone.</summary>
    Constant,

    /// <summary><c>"text"</c> with <c>\"</c>, <c>\\</c> and <c>\uXXXX</c>. The text is what it stands for.</summary>
    String,

    /// <summary>An unsigned number, whole or not: <c>3</c>, <c>0.5</c>, <c>1E-05</c>.</summary>
    Number,

    /// <summary>Two or more whole numbers joined by x: <c>1x32x32x3</c>.</summary>
    Extents,

    /// <summary><c>#</c> and hex digits: the hash of a constant. The text is the digits alone.</summary>
    Hash,

    /// <summary>One of the characters ( ) [ ] { } &lt; &gt; , : ; = + - * / | ? ! &amp; ^, or <c>-&gt;</c>.</summary>
    Punctuation,

    /// <summary>End of the text.</summary>
    End,
}

/// <summary>A token of IR text.</summary>
/// <param name="Kind">Kind.</param>
/// <param name="Text">What it says, without sigils, quotes and escapes.</param>
/// <param name="Line">Line, from 1.</param>
/// <param name="Column">First column, from 1.</param>
/// <param name="EndColumn">Column just past it.</param>
public readonly record struct IrToken(IrTokenKind Kind, string Text, int Line, int Column, int EndColumn)
{
    /// <summary>Its place in a file.</summary>
    public SourceSpan Span(string file) => new(file.Length == 0 ? "<text>" : file, Line, Column, Line, EndColumn);

    /// <summary>How a message names it.</summary>
    public string Describe() => Kind switch
    {
        IrTokenKind.End => "the end of the text",
        IrTokenKind.Value => $"%{Shown}",
        IrTokenKind.Constant => $"@{Shown}",
        IrTokenKind.Hash => $"#{Shown}",
        _ => $"'{Shown}'",
    };

    private const int MostShown = 60;

    // The rest of a line may follow a quotation mark that is never closed.
    private string Shown => string.Concat(Text.Take(MostShown).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)) + (Text.Length > MostShown ? "..." : string.Empty);
}
