using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using CnnCompiler.Core;

namespace CnnCompiler.Passes.Selection.Explanation;

/// <summary>Prints an explanation as a table and as JSON.</summary>
public static class SelectionReport
{
    /// <summary>Version of the JSON form: raised when a reader of the former one would misread it.</summary>
    public const int SchemaVersion = 1;

    private const int ShownChanges = 3;
    private const string Least = ">= ";

    /// <summary>A table: a line a candidate, the chosen one first with its own cost, then what forcing each other one would add and change.</summary>
    public static string Table(SelectionExplanation explanation)
    {
        var rows = new List<string[]> { (string[])["decision", "candidate", "own " + explanation.Unit, "total " + explanation.Unit, "more", "else changes"] };
        foreach (var vertex in explanation.Vertices)
        {
            rows.Add([vertex.Vertex, (vertex.IsForced ? "! " : "* ") + vertex.Chosen, SelectionCost.Format(vertex.OwnCost), SelectionCost.Format(explanation.Cost), string.Empty, string.Empty]);
            rows.AddRange(vertex.Rejected.Select(rejected => (string[])
                [string.Empty, "  " + rejected.Candidate, (rejected.IsLeast ? Least : string.Empty) + SelectionCost.Format(rejected.OwnCost), Total(rejected), More(rejected, explanation.Cost), Changes(rejected)]));
        }

        var widths = Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        var text = new StringBuilder();
        foreach (var row in rows)
        {
            // Numbers to the right.
            text.AppendJoin("  ", row.Select((cell, column) => column is 2 or 3 or 4 ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column])));
            while (text[^1] == ' ')
            {
                text.Length--;
            }

            text.Append('\n');
        }

        foreach (var note in explanation.Notes)
        {
            text.Append(note).Append('\n');
        }

        return text.Append(Summary(explanation)).Append('\n').ToString();
    }

    /// <summary>UTF-8 JSON, indented, with <see cref="SchemaVersion"/>; illegal costs are null.</summary>
    public static string Json(SelectionExplanation explanation)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteNumber("schemaVersion", SchemaVersion);
            json.WriteString("unit", explanation.Unit);
            json.WriteNumber("cost", explanation.Cost);
            json.WriteNumber("lowerBound", explanation.LowerBound);
            WriteCost(json, "greedyCost", explanation.GreedyCost ?? SelectionCost.Illegal);
            json.WriteStartArray("decisions");
            foreach (var vertex in explanation.Vertices)
            {
                json.WriteStartObject();
                Write(json, vertex);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            WriteNotes(json, explanation.Notes);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan) + "\n";
    }

    /// <summary>The members of a decision, into an object that is open.</summary>
    public static void Write(Utf8JsonWriter json, VertexExplanation vertex)
    {
        json.WriteString("name", vertex.Vertex);
        json.WriteString("kind", vertex.Kind == DecisionKind.Step ? "step" : "layout");
        json.WriteString("chosen", vertex.Chosen);
        json.WriteBoolean("forced", vertex.IsForced);
        WriteCost(json, "ownCost", vertex.OwnCost);
        json.WriteStartArray("rejected");
        foreach (var rejected in vertex.Rejected)
        {
            json.WriteStartObject();
            json.WriteString("candidate", rejected.Candidate);
            WriteCost(json, "ownCost", rejected.OwnCost);
            WriteCost(json, "forcedCost", rejected.ForcedCost);
            json.WriteBoolean("exact", rejected.IsExact && !rejected.IsLeast);
            if (rejected.IsLeast)
            {
                json.WriteBoolean("least", true);
            }

            json.WriteStartArray("changes");
            foreach (var change in rejected.Changes)
            {
                json.WriteStartObject();
                json.WriteString("name", change.Vertex);
                json.WriteString("from", change.From);
                json.WriteString("to", change.To);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>Why there was nothing to decide elsewhere, as a member <c>notes</c> of an object that is open; nothing where there are none.</summary>
    public static void WriteNotes(Utf8JsonWriter json, EquatableArray<string> notes)
    {
        if (notes.Count > 0)
        {
            json.WriteStartArray("notes");
            foreach (var note in notes)
            {
                json.WriteStringValue(note);
            }

            json.WriteEndArray();
        }
    }

    private static void WriteCost(Utf8JsonWriter json, string name, long cost)
    {
        if (cost >= SelectionCost.Illegal)
        {
            json.WriteNull(name);
        }
        else
        {
            json.WriteNumber(name, cost);
        }
    }

    private static string Total(RejectedCandidate rejected) => (rejected.IsLeast ? Least : rejected.IsExact ? string.Empty : "<= ") + SelectionCost.Format(rejected.ForcedCost);

    private static string More(RejectedCandidate rejected, long cost) =>
        rejected.ForcedCost >= SelectionCost.Illegal ? string.Empty : (rejected.ForcedCost - cost).ToString("+0;-0;0", CultureInfo.InvariantCulture);

    private static string Changes(RejectedCandidate rejected)
    {
        var shown = string.Join(", ", rejected.Changes.Take(ShownChanges).Select(change => $"{change.Vertex} -> {change.To}"));
        return rejected.Changes.Count <= ShownChanges ? shown : string.Create(CultureInfo.InvariantCulture, $"{shown} and {rejected.Changes.Count - ShownChanges} more");
    }

    private static string Summary(SelectionExplanation explanation)
    {
        var bound = explanation.Cost == explanation.LowerBound ? "nothing is cheaper" : $"nothing is cheaper than {SelectionCost.Format(explanation.LowerBound)}";
        var greedy = explanation.GreedyCost is { } cost ? SelectionCost.Format(cost) + " " + explanation.Unit : "nothing legal";
        return $"total {SelectionCost.Format(explanation.Cost)} {explanation.Unit}, {bound}; step by step: {greedy}";
    }
}
