namespace CnnCompiler.Primitives.Diagnostics;

/// <summary>A place in a file: 1-based lines and columns; 0 where a file has no lines (a binary) or the place is the whole file.</summary>
/// <param name="File">The file as the user named it, or an empty string where there is none.</param>
/// <param name="Line">First line, from 1; 0 for the whole file.</param>
/// <param name="Column">First column (UTF-16 unit), from 1; 0 for the whole line or file.</param>
/// <param name="EndLine">Last line, inclusive.</param>
/// <param name="EndColumn">Column just past the end.</param>
public readonly record struct SourceSpan(string File, int Line, int Column, int EndLine, int EndColumn)
{
    /// <summary>No place at all: a node made by the compiler.</summary>
    public static readonly SourceSpan None = new(string.Empty, 0, 0, 0, 0);

    /// <summary>The whole of a file, used for binaries and for what has no line.</summary>
    public static SourceSpan WholeFile(string file) => new(file, 0, 0, 0, 0);

    /// <summary>One place in a file.</summary>
    public static SourceSpan At(string file, int line, int column) => new(file, line, column, line, column);

    /// <summary>True where there is no file.</summary>
    public bool IsNone => string.IsNullOrEmpty(File);

    /// <inheritdoc/>
    public override string ToString() => (IsNone, Line, Column) switch
    {
        (true, _, _) => string.Empty,
        (_, 0, _) => File,
        (_, _, 0) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{File}({Line})"),
        _ => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{File}({Line},{Column})"),
    };
}
