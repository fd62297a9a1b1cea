using System.Globalization;
using System.Text;
using CnnCompiler.Primitives.Diagnostics;
using Spectre.Console;

namespace CnnCompiler.Cli.Reporting;

/// <summary>
/// Prints diagnostics: redirected, one a line in the canonical form of build tools (<c>file(line,col): error CNN0117: text</c>); at a terminal
/// with the source line and a caret under the place.
/// </summary>
/// <param name="environment">Where to.</param>
public sealed class DiagnosticPrinter(CliEnvironment environment)
{
    private const int WidestExcerpt = 160;
    private const int MostCarets = 80;
    private const int MostBytes = 4 * 4 * WidestExcerpt;
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _sources = new(StringComparer.Ordinal);

    private readonly List<Diagnostic> _told = [];

    /// <summary>What is told, and how.</summary>
    public DiagnosticPolicy Policy { get; set; } = DiagnosticPolicy.None;

    /// <summary>What was told so far.</summary>
    public IReadOnlyList<Diagnostic> Told => _told;

    /// <summary>True where a warning was told as an error.</summary>
    public bool HasPromoted { get; private set; }

    /// <summary>Makes the text of a file known, so that excerpts can be shown.</summary>
    public void AddSource(string file, ReadOnlyMemory<byte> bytes) => _sources[file] = bytes;

    /// <summary>Prints them in their order.</summary>
    public void Print(IEnumerable<Diagnostic> diagnostics)
    {
        foreach (var original in diagnostics)
        {
            if (Policy.Apply(original) is not { } diagnostic)
            {
                continue;
            }

            HasPromoted |= diagnostic.Severity != original.Severity;
            _told.Add(diagnostic);
            if (environment.ErrorRedirected)
            {
                environment.Error.WriteLine(OneLine(diagnostic.ToString()));
            }
            else
            {
                PrintForPeople(diagnostic);
            }
        }
    }

    /// <summary>Control characters (a name from a hostile file) can't break the line or drive the terminal.</summary>
    public static string OneLine(string text) => text.Any(char.IsControl)
        ? string.Concat(text.Select(c => char.IsControl(c) ? string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}") : c.ToString()))
        : text;

    private void PrintForPeople(Diagnostic diagnostic)
    {
        var console = Consoles.Create(environment.Error, redirected: false);
        var (word, colour) = diagnostic.Severity switch
        {
            DiagnosticSeverity.Error => ("error", "red"),
            DiagnosticSeverity.Warning => ("warning", "yellow"),
            _ => ("note", "blue"),
        };
        var place = diagnostic.Span.ToString();
        var prefix = place.Length == 0 ? "cnnc" : place;
        console.MarkupLine($"[bold]{Escape(prefix)}:[/] [bold {colour}]{word} {diagnostic.Code}[/]: {Escape(diagnostic.Message)}");
        PrintExcerpt(console, diagnostic.Span, colour);
        if (diagnostic.Remedy.Length > 0)
        {
            console.MarkupLine($"  [green]help:[/] {Escape(diagnostic.Remedy)}");
        }
    }

    private void PrintExcerpt(IAnsiConsole console, SourceSpan span, string colour)
    {
        if (span.Line < 1 || !_sources.TryGetValue(span.File, out var source) || Line(source.Span, span.Line) is not { } text)
        {
            return;
        }

        var line = text.TrimEnd('\r').Replace('\t', ' ');
        var start = Math.Max(0, span.Column - 1);
        if (start > line.Length || start > WidestExcerpt)
        {
            return;
        }

        var shown = line.Length > WidestExcerpt ? line[..WidestExcerpt] : line;
        var number = span.Line.ToString(CultureInfo.InvariantCulture);
        var end = span.EndLine == span.Line ? span.EndColumn - 1 : line.Length;
        var carets = Math.Clamp(end - start, 1, MostCarets);
        console.MarkupLine($"  [blue]{number} |[/] {Escape(shown)}");
        if (span.Column > 0)
        {
            console.MarkupLine($"  [blue]{new string(' ', number.Length)} |[/] {new string(' ', start)}[{colour}]{new string('^', carets)}[/]");
        }
    }

    /// <summary>The beginning of a line, as much as an excerpt may need; null where there is none. Only what is shown is decoded: the file may be anything.</summary>
    private static string? Line(ReadOnlySpan<byte> source, int number)
    {
        for (var line = 1; line < number; line++)
        {
            var end = source.IndexOf((byte)'\n');
            if (end < 0)
            {
                return null;
            }

            source = source[(end + 1)..];
        }

        var length = source.IndexOf((byte)'\n');
        var text = length < 0 ? source : source[..length];
        return Encoding.UTF8.GetString(text[..Math.Min(text.Length, MostBytes)]);
    }

    private static string Escape(string text) => Markup.Escape(OneLine(text));
}
