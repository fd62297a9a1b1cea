using System.Text;
using System.Text.Json;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.Mapping;

namespace CnnCompiler.Targets.OpenEdge.Selection;

/// <summary>
/// All choices of a mapping as a JSON text: with it a build needs no search and gives the same image, whatever is chosen by other versions' costs.
/// </summary>
/// <param name="Machine">Name of the machine it was made for.</param>
/// <param name="Choices">The choices.</param>
internal sealed record MappingSchedule(string Machine, MappingChoices Choices)
{
    private const int Version = 2;
    private const string VersionKey = "cnncSchedule";
    private const string MachineKey = "machine";
    private const string ChoicesKey = "choices";
    private const string AccumulatorsKey = "accumulatorWords";
    private const string ConstantsKey = "fewestPositionsOfConstants";
    private const string PlanesKey = "planeWords";
    private const string PackedKey = "packedBefore";
    private const string BandsKey = "bands";

    /// <summary>Fewest words of accumulators in a tile: a result of all cells.</summary>
    private const int FewestAccumulators = 16;

    /// <summary>The text of choices: every decision with its candidate, defaults too.</summary>
    public static string Write(MappingChoices choices, IReadOnlyList<MappingDecision> decisions, MachineDescription machine)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteNumber(VersionKey, Version);
            json.WriteString(MachineKey, machine.Name);
            json.WriteStartObject(ChoicesKey);
            foreach (var decision in decisions)
            {
                json.WriteString(decision.Key, choices.Of(decision.Key) ?? decision.Candidates[0].Name);
            }

            json.WriteEndObject();
            json.WriteNumber(AccumulatorsKey, choices.AccumulatorWords);
            json.WriteNumber(ConstantsKey, choices.FewestPositionsOfConstants);
            json.WriteNumber(PlanesKey, choices.PlaneWords);
            json.WriteStartObject(PackedKey);
            foreach (var (buffer, before) in choices.PackedBefore.OrderBy(p => p.Key, StringComparer.Ordinal))
            {
                json.WriteString(buffer, before);
            }

            json.WriteEndObject();
            json.WriteStartObject(BandsKey);
            foreach (var (operation, bands) in choices.Bands.OrderBy(b => b.Key, StringComparer.Ordinal))
            {
                json.WriteNumber(operation, bands);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    /// <summary>Reads a text, or reports what is wrong with it.</summary>
    public static MappingSchedule? Read(string text, string file, DiagnosticBag diagnostics)
    {
        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { AllowDuplicateProperties = false });
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty(VersionKey, out var version) || version.ValueKind != JsonValueKind.Number || !version.TryGetInt32(out var number))
            {
                return Refuse($"it has no number \"{VersionKey}\"");
            }

            if (number != Version)
            {
                return Refuse(FormattableString.Invariant($"it is of version {number}, this compiler reads {Version}"));
            }

            var choices = new MappingChoices(Map(root, ChoicesKey, v => v.GetString()!))
            {
                AccumulatorWords = root.GetProperty(AccumulatorsKey).GetInt32(),
                FewestPositionsOfConstants = root.GetProperty(ConstantsKey).GetInt32(),
                PlaneWords = root.GetProperty(PlanesKey).GetInt32(),
                PackedBefore = Map(root, PackedKey, v => v.GetString()!),
                Bands = Map(root, BandsKey, v => v.GetInt32()),
            };
            return choices.Taken.Values.Concat(choices.PackedBefore.Values).Any(v => v is null) ? Refuse("a name is null") : new(root.GetProperty(MachineKey).GetString() ?? string.Empty, choices);
        }
        catch (JsonException error)
        {
            return Refuse(FormattableString.Invariant($"line {(error.LineNumber ?? 0) + 1} is not JSON, or says something twice"));
        }
        catch (Exception error) when (error is KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException)
        {
            return Refuse("a part is missing or of the wrong kind");
        }

        MappingSchedule? Refuse(string why)
        {
            diagnostics.Report(OpenEdgeDiagnostics.NotASchedule(file, why));
            return null;
        }
    }

    /// <summary>Why it is not a schedule of this program for this machine; null where it may be.</summary>
    public string? Misfit(GconvProgram program, MachineDescription machine, OpenEdgeMapping defaults)
    {
        if (Machine != machine.Name)
        {
            return $"it was made for machine {Machine}, not {machine.Name}";
        }

        var decisions = defaults.Decisions.ToDictionary(d => d.Key, StringComparer.Ordinal);
        foreach (var (key, candidate) in Choices.Taken)
        {
            if (!decisions.TryGetValue(key, out var decision))
            {
                return $"there is nothing to choose at '{key}'";
            }

            if (decision.Candidates.All(c => c.Name != candidate))
            {
                return $"'{key}' can't be '{candidate}', only {string.Join(", ", decision.Candidates.Select(c => c.Name))}";
            }
        }

        if (decisions.Keys.FirstOrDefault(k => !Choices.Taken.ContainsKey(k)) is { } missing)
        {
            return $"it says nothing about '{missing}'";
        }

        if (Choices.AccumulatorWords < FewestAccumulators || Choices.FewestPositionsOfConstants < 0 || Choices.PlaneWords < 0)
        {
            return $"\"{AccumulatorsKey}\", \"{ConstantsKey}\" or \"{PlanesKey}\" is out of range";
        }

        var operators = program.Steps.OfType<GconvOperator>().ToDictionary(o => o.Name, StringComparer.Ordinal);
        foreach (var (name, bands) in Choices.Bands)
        {
            if (!operators.TryGetValue(name, out var operation) || bands < 1 || bands > RowBands.MostBands(operation))
            {
                return FormattableString.Invariant($"'{name}' can't be computed in {bands} bands");
            }
        }

        var steps = program.Steps.Select(s => s.Name).ToHashSet(StringComparer.Ordinal);
        var tensors = program.Inputs.Select(i => i.Name).Concat(steps).ToHashSet(StringComparer.Ordinal);
        return Choices.PackedBefore.Where(p => !tensors.Contains(p.Key) || (p.Value.Length > 0 && !steps.Contains(p.Value)))
            .Select(p => $"'{p.Key}' can't be packed before '{p.Value}'").FirstOrDefault();
    }

    private static Dictionary<string, T> Map<T>(JsonElement root, string key, Func<JsonElement, T> read) =>
        root.GetProperty(key).EnumerateObject().ToDictionary(p => p.Name, p => read(p.Value), StringComparer.Ordinal);
}
