using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Reporting;

/// <summary>Diagnostics as a SARIF 2.1.0 log (OASIS Standard, 27 March 2020), for code-scanning services and editors.</summary>
public static class SarifLog
{
    private const string Schema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

    // Names of files and layers stay readable; the log is no HTML.
    private static readonly JsonWriterOptions Format = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The log of one run.</summary>
    /// <param name="diagnostics">In the order in which they were told.</param>
    /// <param name="version">Version of cnnc.</param>
    public static byte[] Write(IReadOnlyList<Diagnostic> diagnostics, string version)
    {
        var rules = diagnostics.Select(diagnostic => diagnostic.Code).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Format))
        {
            json.WriteStartObject();
            json.WriteString("$schema", Schema);
            json.WriteString("version", "2.1.0");
            json.WriteStartArray("runs");
            json.WriteStartObject();
            json.WriteStartObject("tool");
            json.WriteStartObject("driver");
            json.WriteString("name", "cnnc");
            json.WriteString("version", version);
            json.WriteStartArray("rules");
            foreach (var rule in rules)
            {
                json.WriteStartObject();
                json.WriteString("id", rule);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteString("columnKind", "utf16CodeUnits");
            json.WriteStartArray("results");
            foreach (var diagnostic in diagnostics)
            {
                Write(json, diagnostic, rules.IndexOf(diagnostic.Code));
            }

            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    private static void Write(Utf8JsonWriter json, Diagnostic diagnostic, int rule)
    {
        json.WriteStartObject();
        json.WriteString("ruleId", diagnostic.Code);
        json.WriteNumber("ruleIndex", rule);
        json.WriteString("level", diagnostic.Severity switch { DiagnosticSeverity.Error => "error", DiagnosticSeverity.Warning => "warning", _ => "note" });
        json.WriteStartObject("message");
        json.WriteString("text", diagnostic.Remedy.Length == 0 ? diagnostic.Message : $"{diagnostic.Message}; {diagnostic.Remedy}");
        json.WriteEndObject();
        json.WriteStartArray("locations");
        if (!diagnostic.Span.IsNone)
        {
            Write(json, diagnostic.Span);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, SourceSpan span)
    {
        json.WriteStartObject();
        json.WriteStartObject("physicalLocation");
        json.WriteStartObject("artifactLocation");
        json.WriteString("uri", Reference(span.File));
        json.WriteEndObject();
        if (span.Line > 0)
        {
            json.WriteStartObject("region");
            json.WriteNumber("startLine", span.Line);
            if (span.Column > 0)
            {
                json.WriteNumber("startColumn", span.Column);
            }

            if (span.EndLine >= span.Line && span.EndColumn > 0)
            {
                json.WriteNumber("endLine", span.EndLine);
                json.WriteNumber("endColumn", Math.Max(span.EndColumn, span.EndLine == span.Line ? span.Column : 1));
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>A path as a URI reference: forward slashes, everything else percent-encoded.</summary>
    private static string Reference(string path)
    {
        var text = new StringBuilder();
        foreach (var part in path.Replace('\\', '/').Split('/'))
        {
            text.Append(text.Length == 0 && part.Length > 0 ? string.Empty : "/").Append(Uri.EscapeDataString(part));
        }

        var reference = text.ToString();
        return path.StartsWith('/') ? "file://" + reference : reference;
    }
}
